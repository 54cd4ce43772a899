"""Fills measured figures into the READMEs, from ``benchmarks/results/*.json``: no figure is typed by hand.

    python -m benchmarks.fill            # rewrite what lies between the markers
    python -m benchmarks.fill --check    # exit 1 where a README is not what the results say

Markers: ``<!-- measured:begin name=NAME -->`` … ``<!-- measured:end -->``; without a name: the room's own ``accuracy`` table.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    fill_classifiers,
    fill_fasttext,
    fill_fine_tuning,
    fill_language_models,
    fill_recurrent_language,
    fill_sequences,
    fill_tagging,
    fill_tagging_network,
    fill_vectors,
    results_file,
)
from benchmarks.tables import footnote, table
from erya.artefact import atomic_write
from erya.board_table import seconds, size

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r"(<!-- measured:begin(?: name=(?P<name>[a-z0-9_]+))? -->\n)(?P<body>.*?)(<!-- measured:end -->)", re.DOTALL
)
DATA = ("snips", "poetry", "names", "ag_news")
NOT_MEASURED = {"en": "not measured yet\n", "zh": "尚未测量\n"}


def interval(score: dict[str, float]) -> str:
    return f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]"


def measured_row(first: str, row: dict[str, Any]) -> list[str]:
    scores = row["scores"]
    return [
        first,
        interval(scores["accuracy"]),
        f"{scores['macro_f1']['value']:.4f}",
        f"{scores['log_loss']['value']:.3f}",
        f"{scores['calibration_error']['value']:.3f}",
        seconds(row["train_seconds"]),
        seconds(row["first_answer_seconds"]),
        f"{row['predictions_per_second']:,.0f}",
        size(row["model_bytes"]),
        size(row["peak_rss_bytes"]),
    ]


HEAD = {
    "en": [
        "accuracy [95 %]",
        "macro F1",
        "log loss",
        "calibration error",
        "train",
        "first answer",
        "texts/s",
        "file",
        "peak memory",
    ],
    "zh": ["准确率 [95%]", "宏 F1", "对数损失", "校准误差", "训练", "首次回答", "条/秒", "文件", "峰值内存"],
}


def accuracy(room: str, lang: str) -> str | None:
    """One room on all data sets."""
    rows, last = [], None
    for name in DATA:
        document = results_file.read(f"accuracy_{name}")
        for row in document["rows"] if document else []:
            if row["model"].endswith(f"/{room}") and row["scores"]:
                rows.append(measured_row(f"{name} ({len(row['seeds'])} × seed)", row))
                last = document
    if last is None:
        return None
    return table([{"en": "data", "zh": "数据"}[lang], *HEAD[lang]], rows) + footnote(last, lang)


def ladder(room: str, lang: str) -> str | None:
    """All rooms on each data set: the front page's tables."""
    parts, last = [], None
    for name in DATA:
        document = results_file.read(f"accuracy_{name}")
        if document:
            last = document
            rows = [measured_row(f"`{row['model']}`", row) for row in document["rows"] if row["scores"]]
            majority = {"en": "always the most frequent label", "zh": "总猜最常见标签"}[lang]
            rows.append([majority, f"{document['baseline']['majority']:.4f}", *[""] * 8])
            counts = document["data"]["rows"]
            parts.append(f"\n**{name}** – {counts['train']:,} / {counts['dev']:,} / {counts['test']:,}\n\n")
            parts.append(table([{"en": "model", "zh": "模型"}[lang], *HEAD[lang]], rows))
    return None if last is None else "".join(parts) + footnote(last, lang)


def startup(room: str, lang: str) -> str | None:
    document = results_file.read("startup")
    if document is None:
        return None
    rows = [[f"`{name}`", seconds(row["median_seconds"])] for name, row in document["rows"].items()]
    return table([{"en": "process", "zh": "进程"}[lang], {"en": "median", "zh": "中位数"}[lang]], rows) + footnote(
        document, lang
    )


def learning_curve(room: str, lang: str) -> str | None:
    """Generative against discriminative on growing shares of the training data."""
    document = results_file.read("learning_curve")
    if document is None:
        return None
    parts = []
    for name, curve in document["curves"].items():
        rows = []
        for row in curve:
            scores = [row["accuracy"][model] for model in document["models"]]
            best = max(score["mean"] for score in scores)
            cells = [
                f"{score['mean']:.4f}" + (f" ({score['low']:.3f} – {score['high']:.3f})" if row["draws"] > 1 else "")
                for score in scores
            ]
            cells = [
                f"**{cell}**" if score["mean"] == best else cell for cell, score in zip(cells, scores, strict=True)
            ]
            rows.append([f"{row['share']:.1%}", f"{row['rows']:,}", str(row["draws"]), *cells])
        head = {"en": ["share", "rows", "draws"], "zh": ["比例", "行数", "抽样次数"]}[lang]
        parts.append(f"\n**{name}**\n\n" + table([*head, *(f"`{model}`" for model in document["models"])], rows))
    return "".join(parts) + footnote(document, lang)


def neural_speed(room: str, lang: str) -> str | None:
    """One network beside the loop one writes first."""
    document = results_file.read("neural_speed")
    if document is None:
        return None
    names = {
        "erya": {"en": "Erya", "zh": "Erya"},
        "longest row": {"en": "plain loop, padded to the longest row", "zh": "普通循环，补齐到全集最长"},
        "longest of batch": {"en": "plain loop, padded to the longest of the batch", "zh": "普通循环，补齐到批内最长"},
    }
    rows = [
        [
            row["data"],
            names[loop][lang],
            f"{speed:,.0f}",
            f"{row['ratio'][loop]:.1f} ×" if loop in row["ratio"] else "",
            f"{row['accuracy'][loop]:.4f}",
        ]
        for row in document["rows"]
        if row["room"] == room
        for loop, speed in row["tokens_per_second"].items()
    ]
    epochs = document["rows"][0]["epochs"]
    head = {
        "en": ["data", "training loop", "tokens/s", "Erya is", f"accuracy after {epochs} epoch(s)"],
        "zh": ["数据", "训练循环", "词元/秒", "Erya 快", f"{epochs} 轮后的准确率"],
    }
    return table(head[lang], rows) + footnote(document, lang)


RENDERERS: dict[str, Callable[[str, str], str | None]] = {
    "accuracy": accuracy,
    "ladder": ladder,
    "startup": startup,
    "neural_speed": neural_speed,
    "learning_curve": learning_curve,
    **fill_classifiers.RENDERERS,
    **fill_fasttext.RENDERERS,
    **fill_fine_tuning.RENDERERS,
    **fill_language_models.RENDERERS,
    **fill_recurrent_language.RENDERERS,
    **fill_sequences.RENDERERS,
    **fill_tagging.RENDERERS,
    **fill_tagging_network.RENDERERS,
    **fill_vectors.RENDERERS,
}


def filled(path: Path) -> str:
    """The README with its blocks rendered anew."""
    lang = "zh" if path.name.endswith(".zh.md") else "en"

    def render(match: re.Match[str]) -> str:
        body = RENDERERS[match["name"] or "accuracy"](path.parent.name, lang)
        return match[1] + (body or NOT_MEASURED[lang]) + match[4]

    return BLOCK.sub(render, path.read_text(encoding="utf-8"))


def main() -> None:
    stale = []
    readmes = [*sorted((ROOT / "src/erya/models").glob("*/README*.md")), *sorted((ROOT / "docs").glob("*.md"))]
    for path in [*readmes, ROOT / "README.md", ROOT / "README.zh.md"]:
        text = filled(path)
        if text != path.read_text(encoding="utf-8"):
            stale.append(str(path.relative_to(ROOT)))
            if "--check" not in sys.argv:
                atomic_write(path, lambda file, text=text: file.write(text.encode("utf-8")))
    print("\n".join(stale) or "all figures are up to date")
    sys.exit(1 if stale and "--check" in sys.argv else 0)


if __name__ == "__main__":
    main()
