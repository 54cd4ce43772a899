"""The tables on fine-tuning of GPT's README, from ``benchmarks/results/fine_tuning.json``. ``fill.py`` calls these by name."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import results_file
from benchmarks.tables import footnote, table

NAMES = {
    "random": {"en": "random start", "zh": "随机初始化"},
    "random, λ": {"en": "random start, λ = 0.5", "zh": "随机初始化，λ = 0.5"},
    "features": {"en": "pretrained, all layers frozen", "zh": "预训练，各层冻结（只取特征）"},
    "fine-tuned": {"en": "pretrained, fine-tuned", "zh": "预训练后微调"},
    "fine-tuned, λ": {"en": "pretrained, fine-tuned, λ = 0.5", "zh": "预训练后微调，λ = 0.5"},
    "slow": {"en": "the same at a third of the rate", "zh": "同上，学习率为三分之一"},
    "slow, λ": {"en": "the same at a third of the rate, λ = 0.5", "zh": "同上，学习率为三分之一，λ = 0.5"},
    "logistic regression": {"en": "logistic regression (words)", "zh": "逻辑回归（词）"},
}


def fine_tuning(room: str, lang: str) -> str | None:
    """Test accuracy by way and number of labelled rows."""
    document = results_file.read("fine_tuning")
    if document is None:
        return None
    found = document["data"]["snips"]
    rows = sorted((part for part in found if part.isdigit()), key=int)
    unit = {"en": "rows", "zh": "行"}[lang]
    head = [{"en": "accuracy", "zh": "准确率"}[lang], *(f"{int(part):,} {unit}" for part in rows)]
    cells = [[name[lang], *(f"{found[part][way]['accuracy']:.3f}" for part in rows)] for way, name in NAMES.items()]
    return table(head, cells) + footnote(document, lang)


def drift(room: str, lang: str) -> str | None:
    """Where the vectors of units go that the labelled rows lack."""
    document = results_file.read("fine_tuning")
    if document is None:
        return None
    head = {
        "en": ["rows", "λ", "how far, of their length", "accuracy", "with these vectors put back"],
        "zh": ["行数", "λ", "移动距离与向量长度之比", "准确率", "把这些向量放回原处之后"],
    }[lang]
    found = {part: ways for part, ways in document["data"]["snips"].items() if part.startswith("drift ")}
    cells = [
        [part.split()[1], share, f"{row['gone']:.1%}", f"{row['accuracy']:.3f}", f"{row['put_back']:.3f}"]
        for part, ways in found.items()
        for share, row in (("0", ways["fine-tuned"]), ("0.5", ways["fine-tuned, λ"]))
    ]
    return table(head, cells)


RENDERERS: dict[str, Callable[[str, str], str | None]] = {"fine_tuning": fine_tuning, "fine_tuning_drift": drift}
