"""Tables of docs/tag.md: Chinese words found in several ways, and what helps where few sentences are labelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import results_file
from benchmarks.tables import footnote, table

NAMES = {
    "chinese_words": {"en": "dictionary + HMM, ours (rjieba)", "zh": "词典 + HMM（本库，rjieba）"},
    "jieba": {"en": "dictionary + HMM, jieba", "zh": "词典 + HMM（jieba）"},
}
DATA = {
    "ud_gsd": {"en": "UD Chinese GSD", "zh": "UD Chinese GSD"},
    "sxu": {"en": "SXU (SIGHAN 2008)", "zh": "SXU（SIGHAN 2008）"},
}
WAYS = {
    "hmm": {"en": "`hmm`", "zh": "`hmm`"},
    "hmm, expected counts": {"en": "`hmm`, Baum–Welch on untagged text", "zh": "`hmm`，在未标注文本上做 Baum–Welch"},
    "hmm, self-training": {"en": "`hmm --unlabelled`", "zh": "`hmm --unlabelled`"},
    "crf": {"en": "`crf`", "zh": "`crf`"},
    "crf, lists": {"en": "`crf`, lists and patterns", "zh": "`crf`，加词表与模式"},
    "crf, self-training": {"en": "`crf --unlabelled`", "zh": "`crf --unlabelled`"},
}


def segmentation(room: str, lang: str) -> str | None:
    """Words against gold ones: F1, and recall of new words."""
    document = results_file.read("segmentation")
    if document is None:
        return None
    parts = []
    head = {
        "en": ["words by", "F1 [95 %]", "recall of words that training never showed"],
        "zh": ["谁来分词", "F1 [95%]", "训练中没有的词的召回率"],
    }[lang]
    for name, found in document["data"].items():
        rows = [_words(id, row, lang) for id, row in found["rows"].items()]
        taught = document.get("taught", {}).get(name)
        if taught is not None:
            title = {"en": "`tag/crf`, taught by the dictionary", "zh": "`tag/crf`，以词典为老师"}[lang]
            rows.append([title, *_words("", taught, lang)[1:]])
        size = found["data"]
        said = {
            "en": f"{size['train']['words']:,} words to learn from, {size['test']['words']:,} tested",
            "zh": f"训练 {size['train']['words']:,} 词，测试 {size['test']['words']:,} 词",
        }[lang]
        parts.append(f"\n**{DATA.get(name, {}).get(lang, name)}** – {said}\n\n" + table(head, rows))
    return "".join(parts) + footnote(document, lang)


def _words(id: str, row: dict[str, Any], lang: str) -> list[str]:
    score = row["f1"]
    name = NAMES[id][lang] if id in NAMES else f"`{id}`"
    return [
        name,
        f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]",
        f"{row['new_words_recall']:.3f}",
    ]


def segmentation_speed(room: str, lang: str) -> str | None:
    """Characters a second, and that as a multiple of jieba's."""
    document = results_file.read("segmentation")
    if document is None or "speed" not in document:
        return None
    slow = document["speed"]["jieba"]
    rows = [
        [
            NAMES[id][lang] if id in NAMES else f"`{id}`",
            *(f"{row[way] / 1e3:,.0f} k ({row[way] / slow[way]:.1f} ×)" for way in ("together", "one_by_one")),
        ]
        for id, row in document["speed"].items()
    ]
    head = {
        "en": ["words by", "characters a second of processor time, many texts (× jieba)", "one text at a time"],
        "zh": ["谁来分词", "每秒处理器时间的字数，成批（× jieba）", "逐条"],
    }[lang]
    return table(head, rows) + footnote(document, lang)


def few_examples(room: str, lang: str) -> str | None:
    """Test F1 of every way on growing shares."""
    document = results_file.read("few_examples")
    if document is None:
        return None
    parts = []
    for name, curve in document["curves"].items():
        ways = [way for way in WAYS if any(way in row["f1"] for row in curve)]
        head = {"en": "labelled sentences", "zh": "标注的句子"}[lang]
        columns = [f"{row['sentences']:,} ({row['share']:.0%})" for row in curve]
        rows = []
        for way in ways:
            cells = [f"{row['f1'][way]['mean']:.3f}" if way in row["f1"] else "" for row in curve]
            rows.append([WAYS[way][lang], *cells])
        parts.append(f"\n**{name}**\n\n" + table([head, *columns], rows))
    return "".join(parts) + footnote(document, lang)


RENDERERS: dict[str, Callable[[str, str], str | None]] = {
    "segmentation": segmentation,
    "segmentation_speed": segmentation_speed,
    "few_examples": few_examples,
}
