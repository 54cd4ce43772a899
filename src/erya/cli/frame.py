"""Commands and help in Erya's manner on top of Typer: examples first, both languages, nearest names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from erya.cli import output
from erya.cli.problems import unknown_command
from erya.language import say

Example = tuple[str, str]  # a command line, and what it does (may be empty)


class Command(TyperCommand):
    """One verb. Its help is: a sentence, examples, usage, arguments, options by group."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_page(self, ctx))

    def get_usage(self, ctx: Any) -> str:
        return _usage(self, ctx)


class Group(TyperGroup):
    """``erya`` itself: its help lists the verbs by what one wants to do."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_front_page(self))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise unknown_command(args[0], list(self.commands))
        return super().resolve_command(ctx, args)


def add(
    app: typer.Typer,
    name: str,
    function: Callable[..., None],
    *,
    group: str,
    summary: str,
    examples: Sequence[Example],
    more: str = "",
) -> None:
    """Register a verb.

    Args:
        group: the heading on the front page under which it stands.
        summary: one line for the front page, and the first line of its own help.
        examples: the first thing that its help shows.
        more: a paragraph behind the examples.
    """
    shown = "\n".join(f"{command}\t{remark}" for command, remark in examples)
    app.command(
        name, cls=Command, short_help=summary, help=f"{summary}\n\n{more}".strip(), epilog=shown, rich_help_panel=group
    )(function)


# ---- the pages ------------------------------------------------------------------------------------------------


def _page(command: Any, ctx: Any) -> str:
    summary, _, more = str(command.help or "").partition("\n\n")
    summary = summary[:1].upper() + summary[1:] + say(".", "。")
    lines = [*output.wrapped(summary, _width()), "", _heading(say("Examples", "示例")), *_examples(command.epilog)]
    if more:
        lines += ["", *(line for part in more.split("\n") for line in output.wrapped(part, _width()))]
    lines += ["", _heading(say("Usage", "用法")), f"  {_usage(command, ctx)}"]
    arguments = [
        (_argument_name(param), param.help or "") for param in command.params if param.param_type_name == "argument"
    ]
    if arguments:
        lines += ["", _heading(say("Arguments", "参数")), *output.label_column(arguments)]
    for title, options in _option_groups(command).items():
        lines += ["", _heading(title), *output.label_column(options)]
    return "\n".join(lines) + "\n"


def _front_page(group: Any) -> str:
    lines = [
        *output.wrapped(str(group.help), _width()),
        "",
        _heading(say("Start here", "从这里开始")),
        *_examples(group.epilog),
    ]
    sections: dict[str, list[tuple[str, str]]] = {}
    for name, command in group.commands.items():
        if not command.hidden:
            sections.setdefault(command.rich_help_panel, []).append((name, command.short_help))
    names = max(len(name) for entries in sections.values() for name, _ in entries)
    for title, entries in sections.items():
        pairs = [(name.ljust(names), text) for name, text in entries]
        lines += ["", _heading(title), *output.label_column(pairs)]
    closing = say(
        "erya VERB --help shows examples and options of a verb. erya --install-completion: Tab completes. ERYA_LANG=zh speaks Chinese.",
        "erya 命令 --help 显示该命令的示例与选项。erya --install-completion 启用 Tab 补全。ERYA_LANG=en 切换为英文。",
    )
    return "\n".join([*lines, "", *output.wrapped(closing, _width())]) + "\n"


def _examples(text: str | None) -> list[str]:
    pairs = [line.partition("\t")[::2] for line in (text or "").splitlines()]
    room = max((output.width_of(command) for command, _ in pairs), default=0)
    beside = all(room + output.width_of(remark) + 6 <= _width() for _, remark in pairs)
    lines = []
    for command, remark in pairs:
        shown = output.styled(f"# {remark}", "dim") if remark else ""
        if beside:
            lines.append(f"  {output.padded(command, room)}  {shown}".rstrip())
        else:
            lines += [f"  {shown}", f"  {command}"] if remark else [f"  {command}"]
    return lines


def _usage(command: Any, ctx: Any) -> str:
    pieces = [ctx.command_path]
    pieces += [_argument_name(param) for param in command.params if param.param_type_name == "argument"]
    pieces += [
        _option_name(param, short=True)
        for param in command.params
        if param.param_type_name == "option" and param.required
    ]
    return " ".join([*pieces, say("[options]", "[选项]")])


def _option_groups(command: Any) -> dict[str, list[tuple[str, str]]]:
    plain = say("Options", "选项")
    groups: dict[str, list[tuple[str, str]]] = {}
    for param in command.params:
        if param.param_type_name == "option" and not param.hidden:
            groups.setdefault(param.rich_help_panel or plain, []).append((_option_name(param), param.help or ""))
    own = groups.pop(plain, [])
    return {**groups, plain: [*own, ("--help", say("show this page", "显示本页"))]}


def _argument_name(param: Any) -> str:
    name = str(param.metavar or param.name.upper())
    many = " …" if param.nargs == -1 else ""
    return f"{name}{many}" if param.required else f"[{name}{many}]"


def _option_name(param: Any, short: bool = False) -> str:
    names = sorted(param.opts, key=len)
    shown = names[0] if short else ", ".join(names)
    return shown if param.is_flag else f"{shown} {param.metavar}"


def _heading(text: str) -> str:
    return output.styled(text, "bold")


def _width() -> int:
    return min(output.WIDEST, output.columns())
