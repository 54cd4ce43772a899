"""The application: all verbs under one name, and the one place where every ending gets its exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any, TextIO

import typer

from erya.cli import output, problems
from erya.cli.frame import Group
from erya.errors import EryaError
from erya.language import say

# Each of these files registers its verbs; in the order of the front page.
VERB_FILES = (
    "compare",
    "train",
    "tune",
    "curve",
    "check",
    "evaluate",
    "errors",
    "predict",
    "fasttext",
    "filter",
    "calibrate",
    "mix",
    "look",
    "convert",
    "models",
    "learn",
    "samples",
)


def run(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code. Nothing escapes."""
    output.use_utf8()
    arguments = list(arguments)
    as_json = _wants_json(arguments)
    try:
        try:
            return _invoke(arguments)
        except problems.click_exceptions.ClickException as problem:
            raise problems.from_typer(problem, arguments) from None
        except (KeyboardInterrupt, typer.Abort):
            raise problems.interrupted() from None
        except MemoryError:
            raise problems.out_of_memory() from None
    except BrokenPipeError:
        _close_quietly()
        return 0
    except EryaError as problem:
        return _fail(problem, as_json)
    except OSError as problem:
        return _fail(problems.from_os(problem), as_json)
    except Exception as problem:
        if os.environ.get("ERYA_DEBUG"):
            raise
        return _fail(problems.bug(problem, arguments), as_json)


def build() -> typer.Typer:
    """The Typer application, with help in the language of this moment."""
    import importlib

    app = typer.Typer(
        cls=Group,
        no_args_is_help=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help=say(
            "Erya 尔雅 – classic language models, from counting to neural networks: "
            "train them, compare them, look inside, ship them.",
            "Erya 尔雅——经典语言模型，从计数到神经网络：训练、比较、看懂、交付。",
        ),
        epilog="\n".join(
            f"{command}\t{remark}"
            for command, remark in [
                (
                    "erya compare sample:snips",
                    say("five models side by side, with a report", "五个模型同台比较，附报告"),
                ),
                (
                    "erya train classify/fasttext sample:poetry -o m.erya",
                    say("one model, one file", "一个模型，一个文件"),
                ),
                ("erya predict m.erya --input 春眠不觉晓，处处闻啼鸟。", say("ask it", "提问")),
                (
                    "erya train vectors/word2vec corpus.txt -o v.erya",
                    say("word vectors; then: erya show v.erya near king", "词向量；然后：erya show v.erya near 北京"),
                ),
            ]
        ),
    )
    app.callback(invoke_without_command=True)(_front)
    for name in VERB_FILES:
        importlib.import_module(f"erya.cli.{name}").register(app)
    return app


def _front(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="version")] = False,
) -> None:
    if version:
        import erya

        output.write(f"erya {erya.__version__}")
    elif context.invoked_subcommand is None:
        output.write(context.get_help().rstrip("\n"))


def _said(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning of ours, as the user reads it: a sentence, without the line of code it came from."""
    output.talk(str(message))


def _invoke(arguments: list[str]) -> int:
    from erya.cli import config

    _terminate_like_interrupt()
    if not sys.warnoptions:
        import warnings

        from erya.parts.long_texts import LongTextWarning

        warnings.simplefilter("ignore")  # libraries' advice to programmers; what a user should know we say ourselves
        warnings.simplefilter("once", LongTextWarning)
        warnings.showwarning = _said
    own = config.read_own()
    config.use_language(own)
    command = typer.main.get_command(build())
    config.install(command, own)
    if os.environ.get("_ERYA_COMPLETE"):  # the shell asks what Tab could mean
        command.main(args=arguments, prog_name="erya")
    colour = output.is_coloured(sys.stdout)
    try:  # not command.main(): it has its own opinions on errors, interrupts and closed pipes
        with command.make_context("erya", arguments, color=colour) as context:
            command.invoke(context)
        code = 0
    except typer.Exit as ended:
        code = ended.exit_code
    sys.stdout.flush()
    return code


def _fail(problem: EryaError, as_json: bool) -> int:
    try:
        problems.show(problem, as_json=as_json)
        sys.stdout.flush()
    except OSError:  # nobody listens, or the answers go to a full disk: what is still held back cannot be written
        _close_quietly()
    return problem.exit


def _wants_json(arguments: list[str]) -> bool:
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options or "--jsonl" in options


def _terminate_like_interrupt() -> None:
    """SIGTERM ends a command as Ctrl-C does: children are stopped, temporary files go, exit code 130."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    with contextlib.suppress(ValueError):  # not in the main thread: a test, or somebody's server
        signal.signal(signal.SIGTERM, stop)


def _close_quietly() -> None:
    """Nothing more can be written to stdout, its reader went away (``| head``): no complaint at exit either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
