"""The ranked table of a comparison as plain text, aligned by terminal cells so that Chinese lines up too."""

from __future__ import annotations

import unicodedata
from typing import Any

from erya.language import say
from erya.tasks.classify import HEADLINE


def columns() -> list[str]:
    """The table's headings in the user's language."""
    return [
        say("model", "模型"),
        say("accuracy", "准确率"),
        say("95 % interval", "95% 区间"),
        say("macro F1", "宏 F1"),
        say("train", "训练"),
        say("first answer", "首次回答"),
        say("texts/s", "条/秒"),
        say("size", "大小"),
        say("peak memory", "峰值内存"),
    ]


def cells(row: dict[str, Any]) -> list[str]:
    """One row of the document, formatted; a dash where nothing was measured."""
    if not row["scores"]:
        return [row["model"], f"{status(row)}: {row['error']}", *[""] * 7]
    score = row["scores"][HEADLINE]
    return [
        row["model"],
        f"{score['value']:.4f}",
        f"[{score['low']:.4f}, {score['high']:.4f}]",
        f"{row['scores']['macro_f1']['value']:.4f}",
        seconds(row["train_seconds"]) + (" ◷" if row["status"] == "budget" else ""),
        seconds(row["first_answer_seconds"]),
        "–" if row["predictions_per_second"] is None else f"{row['predictions_per_second']:,.0f}",
        size(row["model_bytes"]),
        size(row["peak_rss_bytes"]),
    ]


def status(row: dict[str, Any]) -> str:
    """Why a row has no score, in one word."""
    words = {
        "failed": say("failed", "失败"),
        "skipped": say("skipped", "跳过"),
        "budget": say("out of budget", "超出预算"),
    }
    return words.get(row["status"], str(row["status"]))


def aligned(rows: list[list[str]], width: int | None = None) -> list[str]:
    """Headings, a rule, and rows of cells; a row with only two cells (name, remark) runs through.

    Args:
        rows: lists as ``cells`` gives them.
        width: terminal cells; columns are left out from the right until the table fits. None: all columns.
    """
    lines = [columns(), *rows]
    scored = [line for line in lines if any(line[2:])]
    widths = [max(width_of(line[index]) for line in scored) for index in range(len(lines[0]))]
    widths[0] = max(width_of(line[0]) for line in lines)
    while width is not None and len(widths) > 3 and sum(widths) + 2 * (len(widths) - 1) > width:
        widths.pop()
    text = [
        "  ".join(
            _padded(cell, width, right=index > 0) for index, (cell, width) in enumerate(zip(line, widths, strict=False))
        )
        if any(line[2:])
        else f"{_padded(line[0], widths[0])}  {line[1]}"
        for line in lines
    ]
    text.insert(1, "─" * width_of(text[0]))
    return [line.rstrip() for line in text]


def plain_table(document: dict[str, Any], width: int | None = None) -> str:
    """The whole table with the majority baseline; ``width`` as for ``aligned``."""
    majority = document["baseline"]
    always = [say("always", "总猜") + f" “{majority['label']}”", f"{majority['majority']:.4f}", *[""] * 7]
    text = aligned([*[cells(row) for row in document["rows"]], always], width)
    if any(row["status"] == "budget" for row in document["rows"]):
        text.append(say("◷ stopped by the budget", "◷ 因预算用完而停止"))
    return "\n".join(text)


def seconds(value: float | None) -> str:
    """A duration in the unit people would say."""
    if value is None:
        return "–"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def size(value: float | None) -> str:
    """Bytes as kB or MB."""
    if value is None:
        return "–"
    return f"{value / 1e6:.1f} MB" if value >= 1e5 else f"{value / 1e3:.1f} kB"


def width_of(text: str) -> int:
    """Terminal cells: East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int, right: bool = False) -> str:
    fill = " " * max(0, width - width_of(text))
    return fill + text if right else text + fill
