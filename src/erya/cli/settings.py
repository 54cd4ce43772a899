"""Settings of a model from ``--set name=value`` and config files, parsed by the types of the model's constructor."""

from __future__ import annotations

import functools
import inspect
import json
import math
import operator
import sys
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from erya.errors import UsageError, nearest, quoted
from erya.language import say

WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
NOTHING = ("none", "null", "")


# ---- --set name=value -----------------------------------------------------------------------------------------


def parse_settings(model: Any, pairs: Sequence[str], file_settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """``name=value`` pairs by the types of a model's constructor.

    Args:
        model: the model's class (``contract.Model``).
        pairs: as typed behind ``--set``; the last of a name wins.
        file_settings: the ``[settings]`` of a config file, already typed by TOML; ``pairs`` win over them.

    Raises:
        UsageError: no ``=``, an unknown name (the nearest is named), a value that does not fit.
    """
    from erya.contract import unknown_setting

    found: dict[str, Any] = {}
    known = model.parameters()
    for name, value in (file_settings or {}).items():
        if name not in known:
            raise unknown_setting(model, name)
        text = value if isinstance(value, str) else json.dumps(value)
        found[name] = parse_value(model, name, text)
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise UsageError(
                "bad-setting",
                say(
                    f"--set {quoted(pair, 40)}: a name, '=' and a value are needed",
                    f"--set {quoted(pair, 40)}：格式是 名称=值",
                ),
                help=f"--set {nearest(name, known) or next(iter(known))}=…",
            )
        if name not in known:
            raise unknown_setting(model, name)
        found[name] = parse_value(model, name, text.strip())
    return found


def shared_settings(kinds: Sequence[Any], pairs: Sequence[str], file_settings: dict[str, Any]) -> dict[str, Any]:
    """Settings for every model that has them, as ``parse_settings``; one that no model has is an error.

    Args:
        kinds: the models' classes, at least one where anything is set.
        pairs: as typed behind ``--set``.
        file_settings: the ``[settings]`` of a config file; ``pairs`` win over them.
    """
    found: dict[str, Any] = {}
    for pair in [*(f"{name}={value}" for name, value in file_settings.items()), *pairs]:
        name = pair.partition("=")[0].strip().replace("-", "_")
        having = [kind for kind in kinds if name in kind.parameters()]
        found |= parse_settings((having or kinds)[0], [pair])
    return found


def parse_value(model: Any, name: str, text: str) -> Any:
    """One value by the annotation of a model's parameter. Raises UsageError."""
    parameter = model.parameters()[name]
    if name == "tokenizer" and text.endswith(".erya"):
        return _tagger(text)
    for kind in _kinds(_annotation(model, name)):
        fits, value = _as(kind, text)
        if fits:
            return value
    raise UsageError(
        "bad-setting",
        say(
            f"{name}={quoted(text, 40)}: {model.id} takes {expected(model, name)} there",
            f"{name}={quoted(text, 40)}：{model.id} 的这一项应为{expected(model, name)}",
        ),
        help=f"--set {name}={shown(parameter.default)}",
    )


def _tagger(path: str) -> str:
    """The file of a trained tagger, once it has been looked at: a wrong one is said before a long training."""
    from erya import catalog, segmenter

    segmenter.check(catalog.load(path))
    return str(Path(path).expanduser().absolute())


def shown(value: Any) -> str:
    """A setting's value as one would type it behind ``--set name=``."""
    if isinstance(value, tuple | list):
        return ",".join(shown(item) for item in value)
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        from erya.nested import KIND, shortened  # NumPy, which --help does without

        short = shortened(value)
        if isinstance(short.get("plain"), dict) and short["plain"].get("kind") == KIND:
            return f"{KIND}:{short['plain']['sha256'][:12]}"
        return json.dumps(short, ensure_ascii=False)
    return str(getattr(value, "name", getattr(value, "id", value)))


def expected(model: Any, name: str) -> str:
    """What a parameter takes, in words: ``a whole number or none``."""
    names = [_kind_in_words(kind) for kind in _kinds(_annotation(model, name))]
    return say(" or ", "或").join(dict.fromkeys(names))


def _kind_in_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return say(" or ", "或").join(str(value) for value in get_args(kind))
    if get_origin(kind) in (tuple, list):
        return say("a list such as 3,4,5", "列表，如 3,4,5")
    if get_origin(kind) is dict:
        return say('JSON such as {"label": 2}', 'JSON，如 {"标签": 2}')
    return {
        bool: say("true or false", "true 或 false"),
        int: say("a whole number", "整数"),
        float: say("a number", "数"),
        types.NoneType: "none",
    }.get(kind, say("a word", "名称"))


def _annotation(model: Any, name: str) -> Any:
    """The parameter's type. Annotations that only a type checker can see fall back to the default's type."""
    parameter = model.parameters()[name]
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        return Any if parameter.default is None else type(parameter.default)
    if isinstance(annotation, str):
        names = {**vars(typing), **vars(sys.modules[model.__module__])}
        try:
            annotation = typing.get_type_hints(types.SimpleNamespace(__annotations__={name: annotation}), names, {})[
                name
            ]
        except (NameError, TypeError, SyntaxError, AttributeError):
            annotation = _by_words(annotation, parameter.default)
    return annotation


def _by_words(annotation: str, default: Any) -> Any:
    """The plain types named in an annotation such as ``str | Tokenizer | None``."""
    known = {"int": int, "float": float, "bool": bool, "str": str, "None": type(None)}
    kinds = [known[word.strip()] for word in annotation.split("|") if word.strip() in known]
    return functools.reduce(operator.or_, kinds) if kinds else type(default)


def _kinds(annotation: Any) -> list[Any]:
    """The alternatives of a type, the strictest first, so that 3 stays whole and ``none`` is no word."""
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [kind for part in get_args(annotation) for kind in _kinds(part)]
    else:
        parts = [annotation]
    order = [types.NoneType, bool, int, float]
    strict = [kind for kind in order if kind in parts]
    loose = [kind for kind in parts if kind is str or kind is Any]
    return [*strict, *[kind for kind in parts if kind not in strict and kind not in loose], *loose]


def _as(kind: Any, text: str) -> tuple[bool, Any]:
    """Whether ``text`` is a value of this one type, and the value."""
    folded = text.casefold()
    if kind is types.NoneType:
        return folded in NOTHING, None
    if kind is bool:
        return folded in WORDS, WORDS.get(folded)
    if kind in (int, float):
        return _number(kind, text)
    if get_origin(kind) is Literal:
        match = [value for value in get_args(kind) if str(value) == text]
        return bool(match), match[0] if match else None
    if kind in (tuple, list) or get_origin(kind) in (tuple, list):
        return _sequence(kind, text)
    if kind is dict or get_origin(kind) is dict:
        return _mapping(text)
    return kind is str or kind is Any, text


def _number(kind: type[Any], text: str) -> tuple[bool, Any]:
    try:
        value = float(text.replace("_", ""))
    except ValueError:
        return False, None
    if not math.isfinite(value) or (kind is int and (value != int(value) or abs(value) >= 2**63)):
        return False, None
    return True, int(value) if kind is int else value


def _sequence(kind: Any, text: str) -> tuple[bool, Any]:
    pieces = [piece.strip() for piece in text.strip("()[] ").split(",") if piece.strip()]
    inner = [part for part in get_args(kind) if part is not Ellipsis] or [str]
    values = []
    for index, piece in enumerate(pieces):
        fits, value = next(
            (
                (True, value)
                for part in _kinds(inner[min(index, len(inner) - 1)])
                for ok, value in [_as(part, piece)]
                if ok
            ),
            (False, None),
        )
        if not fits:
            return False, None
        values.append(value)
    return bool(values), tuple(values)


def _mapping(text: str) -> tuple[bool, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return False, None
    return isinstance(value, dict), value
