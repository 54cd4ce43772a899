"""What all cards are made of: a table, and the line below it that says where its figures come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

NOT_YET = {"en": "not measured yet", "zh": "尚未测量"}


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines]) + "\n"


def footnote(cells: Sequence[dict[str, Any]], lang: str) -> str:
    """How many trainings, how long, when, on what, with what."""
    last = max(cells, key=lambda cell: cell["measured"])
    where, minutes = last["environment"], sum(cell["minutes"] for cell in cells)
    versions = f"erya {where['erya']}, Python {where['python']}, torch {where['torch']}"
    if lang == "zh":
        return f"\n共 {len(cells)} 次训练，{minutes:.1f} 分钟；最近测于 {last['measured']}，{where['processor']}；{versions}。\n"
    return f"\n{len(cells)} trainings, {minutes:.1f} minutes in all; last {last['measured']} on {where['processor']}; {versions}.\n"


def share(done: int, wanted: int, lang: str, *, whole: bool = True) -> str:
    """How much of an entry is measured."""
    if whole and done >= wanted:
        return f"{done} / {wanted}"
    return f"{done} / {wanted}，不完整" if lang == "zh" else f"{done} / {wanted}, incomplete"
