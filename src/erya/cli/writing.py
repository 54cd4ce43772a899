"""``predict`` for a language model: beginnings in, texts out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from erya.cli.options import option
from erya.cli.values import number, whole
from erya.errors import EryaError, UsageError, quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.text.dataset import Reject

TOGETHER = 32  # beginnings that are continued at once


def _panel() -> str:
    return say("Writing (language models)", "写作（语言模型）")


@dataclass(frozen=True)
class Writing:
    """How a language model goes on with a text."""

    length: Annotated[
        str | None,
        option("--length", "N", "at most N new units (100)", "最多续写 N 个单元（默认 100）", panel=_panel()),
    ] = None
    temperature: Annotated[
        str | None,
        option(
            "--temperature",
            "T",
            "0: always the most probable; 1: as probable as it is (0.8)",
            "0：总取最可能的；1：按原概率抽取（默认 0.8）",
            panel=_panel(),
        ),
    ] = None
    top_k: Annotated[
        str | None,
        option("--top-k", "K", "draw among the K most probable units", "只在最可能的 K 个中抽取", panel=_panel()),
    ] = None
    top_p: Annotated[
        str | None,
        option(
            "--top-p",
            "P",
            "draw among the fewest that have probability P together (0.95)",
            "只在概率合计达到 P 的最少几个中抽取（默认 0.95）",
            panel=_panel(),
        ),
    ] = None
    beams: Annotated[
        str | None,
        option(
            "--beams",
            "N",
            "the best of N beginnings at each length; no chance",
            "束搜索，每步保留 N 个；不随机",
            panel=_panel(),
        ),
    ] = None
    stop: Annotated[
        str | None, option("--stop", "TEXT", "the text ends before this", "写到此处之前为止", panel=_panel())
    ] = None
    form: Annotated[
        str | None,
        option(
            "--form",
            "FORM",
            "so many Han characters, then this sign: 5，5。5，5。 or 五言绝句",
            "每个数字代表几个汉字，其余照写：5，5。5，5。，或写 五言绝句",
            panel=_panel(),
        ),
    ] = None
    seed: Annotated[
        str | None, option("--seed", "N", "same seed, same text (0)", "种子相同，文本相同（默认 0）", panel=_panel())
    ] = None

    def given(self) -> dict[str, Any]:
        """Those that were asked for, as ``LanguageModel.write`` takes them. Raises UsageError where one would silence another."""
        found = self._read()
        self._check_together(found)
        return found

    def _read(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ("length", "top_k", "beams", "seed"):
            value = getattr(self, name)
            if value is not None:
                least = 0 if name in ("length", "seed") else 1
                found[name] = whole("--" + name.replace("_", "-"), value, default=0, least=least)
        for name in ("temperature", "top_p"):
            value = getattr(self, name)
            if value is not None:
                found[name] = number("--" + name.replace("_", "-"), value)
        for name in ("stop", "form"):
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        return found

    @staticmethod
    def _check_together(found: dict[str, Any]) -> None:
        """Raises UsageError where one option would silence another."""
        drawing = [name for name in ("temperature", "top_k", "top_p", "seed") if name in found]
        if found.get("beams", 1) > 1 and drawing:
            idle = " ".join("--" + name.replace("_", "-") for name in drawing)
            raise UsageError(
                "two-options",
                say(f"--beams draws nothing; {idle} says how to draw", f"--beams 不抽取；{idle} 却是说怎样抽取的"),
                help=say(f"leave out one of them: --beams, or {idle}", f"二者去其一：--beams，或 {idle}"),
            )
        if "form" in found and "length" in found:
            raise UsageError(
                "two-options",
                say("--form says how long the text is, as does --length", "--form 已定长短，--length 又定一次"),
                help=say("leave out --length", "去掉 --length"),
            )

    def refuse(self, model: str, task: str) -> None:
        """Raises UsageError where a model that writes nothing was told how to write."""
        given = [f"--{name.replace('_', '-')}" for name in self._read()]
        if given:
            raise UsageError(
                "other-task",
                say(
                    f"{' '.join(given)}: a model of the task {task} writes nothing",
                    f"{' '.join(given)}：{task} 模型不写文本",
                ),
                help=f"erya predict {model} …",
            )


def refuse_thresholds(asked: bool, path: str) -> None:
    """Raises UsageError for options that ask how probable a label is: a language model writes."""
    if asked:
        raise UsageError(
            "other-task",
            say("a language model writes; --top and thresholds are for labels", "语言模型写文本；--top 与阈值用于标签"),
            help=f"erya predict {path} --input TEXT --top-k 40",
        )


def shown(answer: str, alone: bool) -> str:
    """What was written as the terminal shows it: in its own lines where nothing else is asked for, else on one line."""
    lines = answer.split("\n") if alone else [answer]
    return "\n".join(quoted(line, 1_000_000) for line in lines)


def answers(
    model: Any, rows: Iterable[tuple[int, Any] | Reject], how: dict[str, Any], stop: bool, unreadable: Any
) -> Iterator[dict[str, Any]]:
    """One ``{"row", "text", "answer"}`` a beginning, or ``{"row", "error", "code"}``, in order.

    Raises:
        EryaError: a row that cannot be read or continued, where ``stop``.
    """
    held: list[Any] = []
    for row in rows:
        held.append(row)
        if len(held) >= TOGETHER:
            yield from _chunk(model, held, how, stop, unreadable)
            held = []
    yield from _chunk(model, held, how, stop, unreadable)


def _chunk(model: Any, held: list[Any], how: dict[str, Any], stop: bool, unreadable: Any) -> Iterator[dict[str, Any]]:
    sound = [row for row in held if isinstance(row, tuple)]
    try:
        written = iter(model.write([text for _, text in sound], **how) if sound else [])
    except EryaError:
        if stop or len(sound) == 1:
            raise
        written = None
    for row in held:
        if not isinstance(row, tuple):
            if stop and not row.harmless:
                raise unreadable(row)
            yield {"row": row.row, "error": row.reason, "code": row.code}
        elif written is not None:
            yield {"row": row[0], "text": row[1], "answer": next(written)}
        else:
            yield _alone(model, row, how)
    sys.stdout.flush()


def _alone(model: Any, row: tuple[int, Any], how: dict[str, Any]) -> dict[str, Any]:
    """One beginning that may be the one that cannot be continued."""
    try:
        return {"row": row[0], "text": row[1], "answer": model.write([row[1]], **how)[0]}
    except EryaError as problem:
        return {"row": row[0], "error": problem.message, "code": problem.code}
