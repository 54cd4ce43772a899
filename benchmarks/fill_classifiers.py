"""The network classifiers' tables of the READMEs, from ``benchmarks/results/classifiers.json``. ``fill.py`` calls these by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import results_file
from benchmarks.tables import footnote, table
from erya.board_table import size

WAYS = {
    "erya": {"en": "Erya, folded word vectors", "zh": "Erya，折叠的词向量"},
    "torch, batched": {
        "en": "the same network in torch, each distinct token once",
        "zh": "同一网络，torch，相同词元只算一次",
    },
    "torch, plain": {
        "en": "the same network in torch, padded batches of 256",
        "zh": "同一网络，torch，补齐到 256 条一批",
    },
}
LOOPS = {
    "erya": {"en": "Erya", "zh": "Erya"},
    "padded": {"en": "plain loop, padded to the longest of the batch", "zh": "普通循环，补齐到批内最长"},
}


def prediction(room: str, lang: str) -> str | None:
    """Headlines a second, ours beside the same network in torch."""
    document = results_file.read("classifiers")
    if document is None or "prediction" not in document:
        return None
    rows = [
        [
            row["data"],
            WAYS[way][lang],
            f"{speed:,.0f}",
            f"{row['ratio'][way]:.1f} ×" if way in row["ratio"] else "",
            f"{row['greatest_difference'][way]:.0e}" if way in row["ratio"] else "",
        ]
        for row in document["prediction"]["rows"]
        for way, speed in row["texts_per_second"].items()
    ]
    head = {
        "en": ["headlines", "way", "texts a second and core", "Erya is", "greatest difference of a probability"],
        "zh": ["标题", "方式", "每核每秒条数", "Erya 快", "概率的最大差别"],
    }
    return table(head[lang], rows) + footnote(document, lang)


def memory(room: str, lang: str) -> str | None:
    """What training holds with and without one long row."""
    document = results_file.read("classifiers")
    if document is None or "memory" not in document:
        return None
    found = document["memory"]
    names = ["short", *(f"long {tokens}" for tokens in found["longest"]), f"batch {found['longest'][-1]}"]
    rows = [
        [LOOPS[row["way"]][lang], *(size(_held(row["cases"][name])) for name in names)]
        for row in found["rows"]
        if row["room"] == room
    ]
    most = f"{found['longest'][-1]:,}"
    head = {
        "en": [
            "training loop",
            "short texts alone",
            *(f"one of {tokens:,} tokens among them" for tokens in found["longest"]),
            f"short texts, {most} tokens a batch",
        ],
        "zh": [
            "训练循环",
            "只有短文本",
            *(f"其中一条 {tokens:,} 词元" for tokens in found["longest"]),
            f"短文本，每批 {most} 词元",
        ],
    }
    note = {
        "en": f"\nPeak memory of training beyond what the process held before; {found['texts']:,} texts of 10 to 30 tokens, "
        f"batches of {found['batch_size']}, in the last column of {found['longest'][-1] // 20:,}.\n",
        "zh": f"\n训练期间的内存峰值减去训练前的占用；{found['texts']:,} 条 10 至 30 词元的文本，每批 {found['batch_size']} 条，"
        f"最后一列每批 {found['longest'][-1] // 20:,} 条。\n",
    }
    return table(head[lang], rows) + note[lang] + footnote(document, lang)


def _held(case: dict[str, Any]) -> int:
    return int(case["peak"] - case["before"])


RENDERERS: dict[str, Callable[[str, str], str | None]] = {
    "classifier_prediction": prediction,
    "classifier_memory": memory,
}
