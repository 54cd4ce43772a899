"""The ranked table of a comparison as plain text, aligned by terminal cells so that Chinese lines up too."""

from __future__ import annotations

import unicodedata
from typing import Any

from erya.language import say


def columns(document: dict[str, Any]) -> list[str]:
    """The table's headings in the user's language: the score that ranks with its interval, further scores, costs."""
    first, *others = score_names(document)
    return [
        say("model", "模型"),
        score_title(first),
        say("95 % interval", "95% 区间"),
        *map(score_title, others),
        say("train", "训练"),
        say("first answer", "首次回答"),
        _speed_title(document.get("task")),
        say("size", "大小"),
        say("peak memory", "峰值内存"),
    ]


def _speed_title(task: str | None) -> str:
    if task == "vectors":
        return say("queries/s", "查询/秒")
    if task == "generate":
        return say("documents/s", "篇/秒")
    return say("sentences/s", "句/秒") if task == "tag" else say("texts/s", "条/秒")


def score_names(document: dict[str, Any]) -> list[str]:
    """The scores that are shown, the one that ranks first."""
    return list(document.get("columns") or ("accuracy", "macro_f1"))


def score_title(name: str) -> str:
    """A score as a heading."""
    known = {
        "accuracy": say("accuracy", "准确率"),
        "micro_f1": say("micro F1", "微 F1"),
        "precision_at_1": "P@1",
        "macro_f1": say("macro F1", "宏 F1"),
        "analogy_accuracy": say("analogies", "类比"),
        "f1": "F1",
        "precision": say("precision", "精确率"),
        "recall": say("recall", "召回率"),
        "bits_per_character": say("bits/character", "比特/字符"),
        "perplexity": say("perplexity", "困惑度"),
    }
    return known.get(name, name.removeprefix("spearman_"))


def cells(row: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """One row of the document, formatted; a dash where nothing was measured."""
    first, *others = score_names(document)
    if not row["scores"] and (row.get("error") or document.get("task") != "vectors"):
        return [row["model"], f"{status(row)}: {row['error']}", *[""] * (6 + len(others))]
    score = row["scores"].get(first)
    return [
        row["model"],
        f"{score['value']:.4f}" if score else "–",
        f"[{score['low']:.4f}, {score['high']:.4f}]" if score else "–",
        *(f"{row['scores'][name]['value']:.4f}" if name in row["scores"] else "–" for name in others),
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
        "refused": say("refused", "不适用"),
        "budget": say("out of budget", "超出预算"),
    }
    return words.get(row["status"], str(row["status"]))


def aligned(rows: list[list[str]], width: int | None = None, document: dict[str, Any] | None = None) -> list[str]:
    """Headings, a rule, and rows of cells; a row with only two cells (name, remark) runs through.

    Args:
        rows: lists as ``cells`` gives them.
        width: terminal cells; columns are left out from the right until the table fits. None: all columns.
        document: the document, or as much of it as names the columns.
    """
    lines = [columns(document or {}), *rows]
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
    """The whole table, with the majority baseline where there is one; ``width`` as for ``aligned``."""
    rows = [cells(row, document) for row in document["rows"]]
    majority = document.get("baseline")
    if majority:
        rows.append([guess(document), f"{majority['majority']:.4f}", *[""] * (len(columns(document)) - 2)])
    text = aligned(rows, width, document)
    if any(row["status"] == "budget" for row in document["rows"]):
        text.append(say("◷ stopped by the budget", "◷ 因预算用完而停止"))
    return "\n".join(text)


def guess(document: dict[str, Any]) -> str:
    """What the baseline does: always one label, or each token's most frequent tag."""
    if document.get("task") == "tag":
        return say("each token's most frequent tag", "每个词最常见的标签")
    if document.get("task") == "generate":
        return say("letters one by one", "逐字统计")
    return say("always", "总猜") + f" “{document['baseline']['label']}”"


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
