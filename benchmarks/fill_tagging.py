"""The CRF's speed tables of the READMEs, from ``benchmarks/results/tagging.json``. ``fill.py`` calls these by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import results_file
from benchmarks.tables import footnote, table
from erya.board_table import seconds

PEER = "python-crfsuite"
JOBS = {
    "preparing": {"en": "preparing: from tokens to what the solver starts with", "zh": "准备：从词到求解器的起点"},
    "solving, to the same loss": {"en": "solving, to the same loss", "zh": "求解，到同一损失"},
    "solving, 50 steps": {"en": "solving, 50 steps", "zh": "求解，50 步"},
    "from tokens, to the same loss": {"en": "from tokens to the model, same loss", "zh": "从词到模型，同一损失"},
    "from tokens, 50 steps": {"en": "from tokens to the model, 50 steps", "zh": "从词到模型，50 步"},
}
FIGURES = {  # of a job: Erya's and the peer's
    "preparing": ("preparing", "preparing"),
    "solving, to the same loss": ("solving_to_loss", "solving"),
    "solving, 50 steps": ("solving", "solving"),
    "from tokens, to the same loss": ("whole_to_loss", "whole"),
    "from tokens, 50 steps": ("whole", "whole"),
}
WAYS = {
    "erya, all at once": {"en": "Erya, all sentences in one call", "zh": "Erya，一次给出全部句子"},
    "erya, one by one": {"en": "Erya, a sentence a call", "zh": "Erya，每次一句"},
    "crfsuite": {"en": "CRFsuite, a sentence a call", "zh": "CRFsuite，每次一句"},
}


def training(room: str, lang: str) -> str | None:
    """Seconds of each part of training, ours beside CRFsuite's."""
    found: dict[str, Any] | None = (results_file.read("tagging") or {}).get("training")
    if found is None:
        return None
    mine, other = found["median"]["erya, 1 threads"], found["median"]["crfsuite"]
    rows = [
        [
            JOBS[job][lang],
            seconds(mine[f"{ours}_cpu_seconds"]),
            seconds(other[f"{theirs}_cpu_seconds"]),
            f"{found['ratio'][job]:.1f} ×",
        ]
        for job, (ours, theirs) in FIGURES.items()
        if job in found["ratio"]
    ]
    head = {
        "en": ["CoNLL-2003, training", "Erya", "CRFsuite", "times as fast"],
        "zh": ["CoNLL-2003，训练", "Erya", "CRFsuite", "快多少倍"],
    }
    steps, loss = mine.get("steps_to_loss", 0), f"{other['loss']:,.0f}"
    note = {
        "en": f"\nThe same features on both sides ({mine['features']:,.0f} weights here, {other['features']:,.0f} there), the same "
        f"penalty, one thread, processor seconds. CRFsuite's loss after {found['steps']} steps is {loss}; Erya is there after "
        f"{steps:.0f}, and after {found['steps']} at {mine['loss']:,.0f}.\n",
        "zh": f"\n两边特征相同（此处 {mine['features']:,.0f} 个权重，彼处 {other['features']:,.0f} 个），正则相同，单线程，按处理器时间计。"
        f"CRFsuite {found['steps']} 步后的损失是 {loss}；Erya {steps:.0f} 步到达，{found['steps']} 步后为 {mine['loss']:,.0f}。\n",
    }
    return table(head[lang], rows) + note[lang] + _footnote(found, lang)


def predicting(room: str, lang: str) -> str | None:
    """Sentences a second from raw tokens."""
    found: dict[str, Any] | None = (results_file.read("tagging") or {}).get("predicting")
    if found is None:
        return None
    rows = [
        [
            WAYS[way][lang],
            f"{speed:,.0f}",
            f"{found['ratio'][way]:.1f} ×" if way in found["ratio"] else "",
            f"{found['f1'][way.split(',')[0]]:.4f}",
        ]
        for way, speed in found["sentences_per_second"].items()
    ]
    head = {
        "en": ["from tokens to tags, features included", "sentences a second", "times as fast", "F1"],
        "zh": ["从词到标签，含特征提取", "每秒句数", "快多少倍", "F1"],
    }
    return table(head[lang], rows) + _footnote(found, lang)


def _footnote(found: dict[str, Any], lang: str) -> str:
    document = results_file.read("tagging")
    return footnote(document, lang, {PEER: found["crfsuite"]}) if document else ""


RENDERERS: dict[str, Callable[[str, str], str | None]] = {
    "tagging_training": training,
    "tagging_predicting": predicting,
}
