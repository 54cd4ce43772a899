"""Which rows a filter keeps."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from erya.errors import UsageError, nearest, quoted
from erya.language import say
from erya.text.files import unreadable


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides which rows are kept: two runs with equal settings keep the same ones.

    Attributes:
        digest: SHA-256 of the model file.
        labels: some of the model's classes; p is the largest of their probabilities. One may be given as a string. Of a language
            model none.
        min_probability: a row is kept from this p up …
        max_probability: … and down from this p.
        min_bits: of language models: a row is kept from so many bits a character up; None: from 0 …
        max_bits: … and down from so many; None: however many.
        invert: keep the other rows instead.
        text: the JSON field with the text, ``outer.inner`` where objects lie in objects; None: one text a line.
        text2: the field of the second text, for models of pairs.
        encoding: None: UTF-8.
        format: ``"jsonl" "txt" "labels"``; None: by name and content.
    """

    digest: str
    labels: tuple[str, ...]
    min_probability: float = 0.0
    max_probability: float = 1.0
    invert: bool = False
    text: str | None = None
    text2: str | None = None
    encoding: str | None = None
    format: str | None = None
    min_bits: float | None = None
    max_bits: float | None = None

    def __post_init__(self) -> None:
        given: Any = self.labels
        object.__setattr__(self, "labels", (given,) if isinstance(given, str) else tuple(given))

    def to_plain(self) -> dict[str, Any]:
        return {**asdict(self), "labels": list(self.labels)}


def digest_of(path: Path) -> str:
    """SHA-256 of a file. Raises DataError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def check_limits(model: Any, settings: Settings) -> None:
    """Refuse limits on a scale that the model does not have. Raises UsageError."""
    probabilities = settings.min_probability != 0.0 or settings.max_probability != 1.0
    bits = settings.min_bits is not None or settings.max_bits is not None
    if (probabilities and model.task() == "generate") or (bits and model.task() == "classify"):
        raise other_scale(model.task())


def other_scale(task: str) -> UsageError:
    """Probabilities for a language model, or bits for a classifier."""
    if task == "generate":
        return UsageError(
            "other-task",
            say(
                "a language model has no labels and no probabilities of them: rows are kept by bits a character",
                "语言模型没有标签，也没有标签的概率：按每字符比特数筛选",
            ),
            help="--max-bits 5",
        )
    return UsageError(
        "other-task",
        say(
            "bits a character are of language models: of a classifier rows are kept by the probability of a label",
            "每字符比特数用于语言模型：分类模型按标签的概率筛选",
        ),
        help="--label good --min-probability 0.9",
    )


def columns_of(model: Any, labels: tuple[str, ...]) -> list[int]:
    """The places of labels among the model's classes, each once.

    Raises:
        UsageError: this is no classifier, or it has no such label; the nearest is named. A language model has none, and wants none.
    """
    if model.task() == "generate" and not labels:
        return []
    if model.task() == "generate":
        raise other_scale("generate")
    if model.task() == "classify" and not labels:
        raise UsageError(
            "missing-option",
            say("which label are rows kept for? --label is missing", "保留哪个标签的行？缺少 --label"),
            help="--label good",
        )
    if model.task() != "classify":
        raise UsageError(
            "other-task",
            say(f"{model.id} is no classifier: it has no labels", f"{model.id} 不是分类模型，没有标签"),
            help="erya train classify/fasttext DATA -o m.erya",
        )
    names = [str(name) for name in model.classes_.tolist()]
    return list(dict.fromkeys(_column(label, names) for label in labels))


def _column(label: str, names: list[str]) -> int:
    for name in (label, label.removeprefix("__label__")):
        if name in names:
            return names.index(name)
    guess = nearest(label, names)
    shown = quoted(", ".join(names), 200)
    raise UsageError(
        "unknown-label",
        say(f"the model has no label '{quoted(label, 40)}'", f"模型没有标签 '{quoted(label, 40)}'"),
        help=say(f"did you mean '{quoted(guess)}'?", f"是不是 '{quoted(guess)}'？")
        if guess
        else say(f"its labels: {shown}", f"现有标签：{shown}"),
    )
