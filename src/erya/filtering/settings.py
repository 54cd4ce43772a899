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
            model none: p is how little the text surprises it, see ``unsurprising``.
        min_probability: a row is kept from this p up …
        max_probability: … and down from this p.
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


MOST_BITS = 20.0  # a character: more surprise than this is as good as endless


def unsurprising(bits: float) -> float:
    """Bits a character as a number from 0 (20 or more) to 1 (none), so that filters of both kinds have one scale."""
    return 1.0 - min(max(bits, 0.0), MOST_BITS) / MOST_BITS


def bits_of(p: float) -> float:
    """The inverse of ``unsurprising``."""
    return MOST_BITS * (1.0 - p)


def columns_of(model: Any, labels: tuple[str, ...]) -> list[int]:
    """The places of labels among the model's classes, each once.

    Raises:
        UsageError: this is no classifier, or it has no such label; the nearest is named. A language model has none, and wants none.
    """
    if model.task() == "generate" and not labels:
        return []
    if model.task() == "generate":
        raise UsageError(
            "other-task",
            say(
                "a language model has no labels: rows are kept by bits a character",
                "语言模型没有标签：按每字符比特数筛选",
            ),
            help="--max-bits 5",
        )
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
