"""fastText's tables of the READMEs, from ``benchmarks/results/fasttext.json``. ``fill.py`` calls these by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import results_file
from benchmarks.tables import footnote, table
from erya.board_table import seconds, size

KINDS = {
    "train": {"en": "train: from the file to the model", "zh": "训练：从文件到模型"},
    "predict": {"en": "predict paragraphs", "zh": "预测：整段"},
    "predict_short": {"en": "predict twelve words", "zh": "预测：前十二个词"},
}
FIGURES = {"train": "seconds", "predict": "predict_seconds", "predict_short": "predict_seconds"}
MODES = {
    "erya": {"en": "Erya", "zh": "Erya"},
    "erya lock-free": {"en": "Erya, lock-free", "zh": "Erya，无锁"},
    "erya deterministic": {"en": "Erya, deterministic", "zh": "Erya，可复现"},
}
PEER = "fasttext"


def speed(room: str, lang: str) -> str | None:
    """Every job on each number of threads, ours beside the original."""
    document = results_file.read("fasttext")
    cells = (document or {}).get("cells", {})
    rows = [
        row
        for kind in KINDS
        for name, cell in cells.items()
        if name.rsplit("_", 1)[0] == kind
        for row in _rows(kind, cell, lang)
    ]
    if document is None or not rows:
        return None
    text = next(iter(cells.values()))["settings"]["text"]
    head = {
        "en": ["job", "threads", "mode", "Erya", "the original", "times as fast"],
        "zh": ["任务", "线程", "方式", "Erya", "原版", "快多少倍"],
    }
    note = {
        "en": f"\n{text['lines']:,} paragraphs of Wikipedia, {text['words']:,} words, ten labels, bigrams, two million buckets, "
        "10 dimensions, 5 epochs; whole jobs in fresh processes in turns, with their peak memory; predicting: 50,000 texts in one call, "
        "the model loaded. Medians, in brackets the extremes of a round. The original predicts on one thread whatever it is given.\n",
        "zh": f"\n维基百科 {text['lines']:,} 段，{text['words']:,} 词，十个标签，二元词组，两百万个桶，10 维，5 轮；"
        "每次都在新进程中完成全部工作，交替运行，并列峰值内存；"
        "预测一项是模型装好之后一次问 50,000 条。取中位数，方括号内为单回的最小与最大值。"
        "原版预测只用一个线程。\n",
    }
    return table(head[lang], rows) + note[lang] + footnote(document, lang, {"fasttext": document["peers"][PEER]})


def _rows(kind: str, cell: dict[str, Any], lang: str) -> list[list[str]]:
    figure, found = FIGURES[kind], []
    for runner, median in cell["median"].items():
        one = cell["ratio"].get(figure, {}).get(runner, {}).get(PEER)
        if runner not in MODES or one is None:
            continue
        found.append(
            [
                KINDS[kind][lang],
                str(cell["settings"]["threads"]),
                MODES[runner][lang],
                _cost(median, figure),
                _cost(cell["median"][PEER], figure),
                f"{one['value']:.1f} × [{one['low']:.1f}, {one['high']:.1f}]",
            ]
        )
    return found


def _cost(median: dict[str, float], figure: str) -> str:
    return f"{seconds(median[figure])}, {size(median['peak_rss_bytes'])}"


RENDERERS: dict[str, Callable[[str, str], str | None]] = {"fasttext_speed": speed}
