"""The speed table of ``bilstm_crf``, from ``benchmarks/results/tagging.json``. ``fill.py`` calls it by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import results_file
from benchmarks.tables import footnote, table

CHAIN = {
    "loss and gradient": {"en": "loss and gradient of the chain", "zh": "链的损失与梯度"},
    "decode": {"en": "decode", "zh": "解码"},
    "both": {"en": "both", "zh": "两者合计"},
}
PEERS = {
    "pytorch-crf": {"en": "pytorch-crf", "zh": "pytorch-crf"},
    "erya's body, pytorch-crf": {"en": "our body, pytorch-crf on top", "zh": "我们的网络加 pytorch-crf"},
    "plain torch, pytorch-crf": {
        "en": "plain torch: `nn.Conv1d`, `nn.LSTM`, pytorch-crf",
        "zh": "普通 torch：`nn.Conv1d`、`nn.LSTM`、pytorch-crf",
    },
}


def _what(row: dict[str, Any], lang: str) -> str:
    if row["claim"] == "training":
        return {"en": "a training step, 16 sentences of CoNLL-2003", "zh": "一步训练，CoNLL-2003 的 16 句"}[lang]
    what, _, lengths = row["what"].partition(", ")
    sizes = {
        "en": lengths,
        "zh": lengths.replace(" tokens each", " 词").replace(" to ", "～").replace(" tokens", " 词"),
    }
    return f"{CHAIN[what][lang]}{', ' if lang == 'en' else '，'}{sizes[lang]}"


def speed(room: str, lang: str) -> str | None:
    """The chain and a training step beside pytorch-crf; answers a second."""
    document = results_file.read("tagging")
    if document is None or "network" not in document:
        return None
    found = document["network"]
    rows = [
        [
            _what(row, lang),
            f"{1e3 * row['seconds']['erya']:.2f} ms",
            PEERS[peer][lang],
            f"{1e3 * row['seconds'][peer]:.2f} ms",
            f"{ratio:.1f} ×",
        ]
        for row in found["rows"]
        if row["claim"] != "answers"
        for peer, ratio in row["ratio"].items()
    ]
    head = {"en": ["", "Erya", "beside", "", "Erya is"], "zh": ["", "Erya", "对照", "", "Erya 快"]}[lang]
    asked = [_answers(row, lang) for row in found["rows"] if row["claim"] == "answers"]
    names = {
        "en": ["answers from tokens", "sentences a second", "tokens a second"],
        "zh": ["由词元到标签", "每秒句数", "每秒词元数"],
    }[lang]
    note = {"en": "\nThe chain: 32 sentences, 9 tags.", "zh": "\n链：32 句，9 个标签。"}[lang]
    if found.get("clock") == "processor":
        note += {"en": " All of it by processor time of one thread.", "zh": "均为单线程的处理器时间。"}[lang]
    note += "\n\n"
    return table(head, rows) + note + table(names, asked) + footnote(document, lang)


def _answers(row: dict[str, Any], lang: str) -> list[str]:
    names = {"conll2003": "CoNLL-2003", "msra": {"en": "MSRA (characters)", "zh": "MSRA（字）"}[lang]}
    tokens = row.get("tokens_per_second", row.get("characters_per_second", 0.0))
    return [names[row["what"]], f"{row['sentences_per_second']:,.0f}", f"{tokens:,.0f}"]


RENDERERS: dict[str, Callable[[str, str], str | None]] = {"tagging_network": speed}
