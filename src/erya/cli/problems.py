"""Every way a command can end badly, as one block on stderr, one ``erya.error/1`` document, and an exit code.

Foreseen errors are ``EryaError``. What Typer finds wrong with the call is turned into one here, in the user's
language and with the nearest name. Anything else is a bug of ours: its traceback goes into a file, not onto the screen.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import typer

from erya.cli import output
from erya.errors import EryaError, Interrupted, ResourceError, UsageError, nearest, quoted
from erya.language import say

BUG = 70

# The module that holds Click's exceptions: Click itself, or the copy that newer versions of Typer carry.
click_exceptions: Any = sys.modules[typer.BadParameter.__module__]


# ---- showing --------------------------------------------------------------------------------------------------


def show(problem: EryaError, *, as_json: bool, quiet_block: bool = False) -> None:
    """The block on stderr; with ``as_json`` also the document on stdout."""
    if as_json:
        output.write_document(document(problem))
    if not quiet_block:
        output.talk(block(problem))


def document(problem: EryaError) -> dict[str, Any]:
    """The ``erya.error/1`` document."""
    return {
        "schema": "erya.error/1",
        "code": problem.code,
        "exit": problem.exit,
        "error": problem.message,
        "where": problem.where,
        "help": problem.help,
    }


def block(problem: EryaError) -> str:
    """What, where, and what to do: three lines at most."""
    if isinstance(problem, Interrupted):  # the user's own wish, not a fault: "stopped; the training is saved"
        lines = [output.styled(problem.message, "bold yellow", sys.stderr)]
    else:
        first = output.styled(say("error:", "错误："), "bold red", sys.stderr)
        lines = [f"{first}{say(' ', '')}{problem.message}"]
    if problem.where:
        lines.append(f"  {output.styled('-->', 'cyan', sys.stderr)} {problem.where}")
    if problem.help:
        lines.append(f"  {output.styled(say('help:', '帮助：'), 'green', sys.stderr)}{say(' ', '')}{problem.help}")
    return "\n".join(lines)


# ---- what Typer finds wrong with the call ---------------------------------------------------------------------


def from_typer(problem: Any, arguments: list[str]) -> EryaError:
    """Typer's complaint about these arguments as an EryaError in the user's language."""
    context = getattr(problem, "ctx", None)
    verb = next((word for word in arguments if not word.startswith("-")), "")
    path = context.command_path if context is not None else f"erya {verb}".strip()
    if isinstance(problem, click_exceptions.NoSuchOption):
        return _unknown_option(problem.option_name, context, path, arguments)
    if isinstance(problem, click_exceptions.MissingParameter):
        return _missing(problem.param, path)
    if isinstance(problem, click_exceptions.BadOptionUsage):
        option = problem.option_name
        return UsageError("option-value", _value_complaint(problem, option), help=f"{path} --help")
    if isinstance(problem, click_exceptions.BadParameter) and problem.param is not None:
        name = _shown(problem.param)
        return UsageError(
            "bad-value",
            say(f"{name}: {problem.message}", f"{name} 的值无效：{problem.message}"),
            help=f"{path} --help",
        )
    if getattr(problem, "message", "").startswith("Got unexpected extra argument"):
        extra = quoted(problem.message.rpartition("(")[2].rstrip(")"))
        return UsageError(
            "extra-argument",
            say(f"'{path}' does not know what to do with: {extra}", f"'{path}' 用不到这些参数：{extra}"),
            help=say(f"quote a text that has spaces; {path} --help", f"含空格的文本请加引号；{path} --help"),
        )
    return UsageError("usage", str(problem.format_message()), help=f"{path} --help")


def _value_complaint(problem: Any, option: str) -> str:
    if "does not take a value" in problem.message:
        return say(f"{option} takes no value", f"{option} 不带值")
    return say(f"{option} needs a value behind it", f"{option} 后面需要一个值")


def _unknown_option(option: str, context: Any, path: str, arguments: list[str]) -> UsageError:
    known = [name for param in context.command.params for name in param.opts] if context is not None else []
    verbs = getattr(context.command, "commands", None) if context is not None else None
    guess = nearest(option, known)
    if verbs:  # an option in front of the verb: the options belong behind it
        behind = [verb for verb in arguments if verb in verbs][:1]
        advice = say(
            f"options go behind the verb: erya {behind[0] if behind else 'VERB'} {option}",
            f"选项写在命令之后：erya {behind[0] if behind else '命令'} {option}",
        )
    elif guess:
        advice = say(f"did you mean '{guess}'?", f"是不是 '{guess}'？")
    else:
        advice = f"{path} --help"
    return UsageError(
        "unknown-option",
        say(f"'{path}' has no option '{quoted(option)}'", f"'{path}' 没有选项 '{quoted(option)}'"),
        help=advice,
    )


def unknown_command(name: str, known: list[str]) -> UsageError:
    """The error for a verb that is none, with the nearest one."""
    guess = nearest(name, known)
    return UsageError(
        "unknown-command",
        say(f"there is no command 'erya {quoted(name)}'", f"没有 'erya {quoted(name)}' 这个命令"),
        help=say(f"did you mean 'erya {guess}'?", f"是不是 'erya {guess}'？") if guess else "erya --help",
    )


def _missing(param: Any, path: str) -> UsageError:
    name = _shown(param)
    message = say(f"'{path}' needs {name}", f"'{path}' 还缺少 {name}")
    if param.param_type_name == "option":
        return UsageError("missing-option", message, help=f"{path} … {min(param.opts, key=len)} {param.metavar}")
    return UsageError("missing-argument", message, help=f"{path} --help")


def _shown(param: Any) -> str:
    if param.param_type_name == "argument":
        return str(param.metavar or param.name.upper())
    return str(max(param.opts, key=len))


# ---- everything else ------------------------------------------------------------------------------------------


def interrupted() -> Interrupted:
    """Ctrl-C or SIGTERM outside training, where there is nothing to save."""
    return Interrupted("interrupted", say("stopped", "已中断"))


def out_of_memory() -> ResourceError:
    """A MemoryError that no lower floor foresaw."""
    return ResourceError(
        "out-of-memory",
        say("not enough memory", "内存不足"),
        help=say(
            "use fewer rows, a smaller model (--preset tiny) or a larger machine",
            "减少数据行，换更小的模型（--preset tiny），或换更大的机器",
        ),
    )


def from_os(problem: OSError) -> ResourceError:
    """A disk, file or permission error that no lower floor put into words."""
    return ResourceError(
        "os-error",
        say(
            f"the operating system refused: {problem.strerror or problem}",
            f"操作系统拒绝了：{problem.strerror or problem}",
        ),
        where=quoted(problem.filename, 200) if problem.filename else None,
        help=say("ERYA_DEBUG=1 shows where", "设置 ERYA_DEBUG=1 可看到出错位置") if not problem.filename else None,
    )


def bug(problem: BaseException, arguments: list[str]) -> EryaError:
    """A bug of ours: the traceback goes into a report file, and the block says where."""
    summary = quoted(f"{type(problem).__name__}: {problem}", 120)
    try:
        where: str | None = str(_write_report(problem, arguments))
        help = say("please report it, with that file", "请连同该文件一起报告")
    except (OSError, EryaError):
        where, help = None, say("ERYA_DEBUG=1 shows the traceback", "设置 ERYA_DEBUG=1 可看到完整回溯")
    return EryaError(
        "bug", say(f"this is a bug in Erya – {summary}", f"这是 Erya 的缺陷——{summary}"), where=where, help=help
    )


def _write_report(problem: BaseException, arguments: list[str]) -> Path:
    import platform
    import time
    import traceback

    import erya
    from erya.artefact import atomic_write

    lines = [
        f"Erya {erya.__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"erya {' '.join(arguments)}",
        "",
        *traceback.format_exception(problem),
    ]
    path = _report_folder() / f"erya-bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    text = "\n".join(lines).encode("utf-8", "backslashreplace")
    atomic_write(path, lambda file: file.write(text) and None)
    return path


def _report_folder() -> Path:
    """ERYA_REPORTS, or the system's temporary folder: never the user's own folder."""
    return Path(os.environ.get("ERYA_REPORTS") or tempfile.gettempdir())
