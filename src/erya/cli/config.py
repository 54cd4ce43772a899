"""Config files as defaults of options: the user's config.toml, and the file behind ``--config``.

A flag beats the environment, which beats the file of ``--config``, which beats the user's config.toml, which beats defaults.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from erya.cli.settings import shown
from erya.errors import UsageError, nearest, quoted
from erya.language import say


def read_own() -> dict[str, Any]:
    """The user's config.toml, empty where there is none. Raises UsageError: ERYA_CONFIG names no file, or no TOML."""
    path = user_config()
    if not os.environ.get("ERYA_CONFIG") and not path.is_file():
        return {}
    return read_config(path)


def use_language(config: dict[str, Any]) -> None:
    """``lang`` of the config, unless the environment says otherwise."""
    if config.get("lang") and not os.environ.get("ERYA_LANG"):
        os.environ["ERYA_LANG"] = str(config["lang"])


def install(group: Any, own: dict[str, Any]) -> None:
    """Give every verb the defaults of the user's config, and of ``--config`` where the verb has that option."""
    verbs = {
        name: [param.name for param in command.params if param.param_type_name == "option"]
        for name, command in group.commands.items()
    }
    defaults = options_of(own, verbs, user_config())
    for name, command in group.commands.items():
        command.context_settings = {**command.context_settings, "default_map": defaults[name]}
        for param in command.params:
            if param.name == "config":
                param.is_eager = True
                param.callback = _overlay


def _overlay(context: Any, param: Any, value: str | None) -> str | None:
    """The options of the file behind ``--config`` become defaults before the other options are looked at."""
    if value is not None:
        path = Path(value)
        names = [other.name for other in context.command.params if other.param_type_name == "option"]
        verb = str(context.command.name)
        found = options_of(read_config(path), {verb: names}, path)[verb]
        context.default_map = {**(context.default_map or {}), **found}
    return value


def settings_in(path: str | None) -> dict[str, Any]:
    """The ``[settings]`` of the file behind ``--config``."""
    found = {} if path is None else read_config(Path(path)).get("settings", {})
    if not isinstance(found, dict):
        raise _no_table("settings", Path(str(path)))
    return found


# ---- reading one ----------------------------------------------------------------------------------------------


def user_config() -> Path:
    """The user's own config.toml: ERYA_CONFIG, else the platform's place for such files."""
    if os.environ.get("ERYA_CONFIG"):
        return Path(os.environ["ERYA_CONFIG"]).expanduser()
    if os.name == "nt":
        return Path(os.environ.get("APPDATA") or Path.home()) / "erya" / "config.toml"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "erya" / "config.toml"


def read_config(path: Path) -> dict[str, Any]:
    """A TOML file of options. Raises UsageError: missing, unreadable or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise UsageError(
            "config-missing",
            say(f"there is no file {quoted(path)}", f"没有文件 {quoted(path)}"),
            help="--config FILE.toml",
        ) from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
        raise UsageError(
            "bad-config", say(f"this is no readable TOML: {problem}", f"不是可读的 TOML：{problem}"), where=str(path)
        ) from problem


def options_of(config: dict[str, Any], verbs: dict[str, list[str]], path: Path) -> dict[str, dict[str, Any]]:
    """The defaults a config file gives, by verb and option.

    Args:
        config: top-level keys are options of all verbs that have them; ``[verb]`` tables are options of one;
            ``lang`` and ``[settings]`` are read elsewhere.
        verbs: option names (with underscores) by verb.
        path: for the message.

    Raises:
        UsageError: a key that no verb has; the nearest is named.
    """
    found: dict[str, dict[str, Any]] = {verb: {} for verb in verbs}
    everywhere = {name for names in verbs.values() for name in names}
    for key, value in config.items():
        name = key.replace("-", "_")
        if name in ("lang", "settings"):
            continue
        if name in verbs and name not in everywhere:
            if not isinstance(value, dict):
                raise _no_table(name, path)
            for inner, item in value.items():
                if inner.replace("-", "_") not in verbs[name]:
                    raise _unknown_key(inner, verbs[name], path)
                found[name][inner.replace("-", "_")] = _as_typed(item)
        elif name in everywhere:
            for verb, names in verbs.items():
                if name in names:
                    found[verb].setdefault(name, _as_typed(value))
        else:
            raise _unknown_key(key, [*sorted(everywhere), *verbs, "lang", "settings"], path)
    return found


def _as_typed(value: Any) -> Any:
    """As the user would have typed it: options arrive as text."""
    if isinstance(value, list):
        return [_as_typed(item) for item in value]
    return value if isinstance(value, bool | str) else shown(value)


def _no_table(name: str, path: Path) -> UsageError:
    return UsageError(
        "bad-config",
        say(f"'{name}' is a table: [{name}]", f"'{name}' 应是一个表：[{name}]"),
        where=str(path),
        help=f"[{name}]",
    )


def _unknown_key(key: str, known: Sequence[str], path: Path) -> UsageError:
    guess = nearest(key, known)
    return UsageError(
        "unknown-config-key",
        say(f"'{quoted(key, 40)}' is no option", f"没有 '{quoted(key, 40)}' 这个选项"),
        where=str(path),
        help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else None,
    )
