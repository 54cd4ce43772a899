"""A data set as models take it: inputs, targets and weights, in up to three parts, and the account of how it was read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from erya.errors import UsageError
from erya.language import say

Input = str | tuple[str, str]
Target = str | tuple[str, ...] | dict[str, float]  # one label, several, or shares of labels
Kind = Literal["one", "several", "soft", "tags"]  # "tags": one a token
PARTS = ("train", "dev", "test")


def labels_of(target: Target) -> tuple[str, ...]:
    """The labels that a row has: one, several or none; of shares those that are not 0."""
    if isinstance(target, str):
        return (target,)
    if isinstance(target, dict):
        return tuple(label for label, share in target.items() if share > 0)
    return target


def kind_of(target: Target) -> Kind:
    """What a target is."""
    return "one" if isinstance(target, str) else "soft" if isinstance(target, dict) else "several"


def _written(target: Target) -> str:
    """A target as text, for the digest; a single label as it is."""
    return target if isinstance(target, str) else "\0" + json.dumps(target, ensure_ascii=False)


@dataclass(slots=True)
class Reject:
    """A row that was not used.

    Attributes:
        row: 1-based number of the record in its source; a header and blank lines between records do not count.
        reason: why, in the user's language.
        raw: the beginning of the row as it stood.
        code: why, for programs: ``"bad-encoding"``, ``"ragged"``, ``"empty-text"``, …
        line: 1-based line on which it starts.
        byte: 0-based offset in the (decompressed) file, of the row or of the first bad byte; None where unknown.
        file: the file's name.
        summary: the reason without what is particular to this row, so that equal ones can be counted; empty: the reason.
        harmless: rows without text or label are left out even where bad rows stop the reading.
    """

    row: int
    reason: str
    raw: str
    code: str = "bad-row"
    line: int = 0
    byte: int | None = None
    file: str = ""
    summary: str = ""
    harmless: bool = False

    def to_plain(self) -> dict[str, Any]:
        """One line of rejects.jsonl."""
        return {
            "file": self.file,
            "row": self.row,
            "line": self.line,
            "byte": self.byte,
            "code": self.code,
            "reason": self.reason,
            "raw": self.raw.encode("utf-8", "backslashreplace").decode("utf-8"),
        }


@dataclass(slots=True)
class Reading:
    """How the reading went. Conservation law: ``rows_in == used + rejected``.

    Attributes:
        rejects: the rejected rows; of very many only the first are kept, all are counted.
        encoding: as found or told.
        format: ``"csv"``, ``"jsonl"``, …
        notes: what was guessed, in the user's language.
    """

    rows_in: int = 0
    used: int = 0
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)
    encoding: str = "utf-8"
    format: str = ""
    notes: list[str] = field(default_factory=list)

    def reasons(self) -> dict[str, int]:
        """How many of the kept rejects have each reason, the most frequent first."""
        return dict(Counter(reject.summary or reject.reason for reject in self.rejects).most_common())


@dataclass(slots=True)
class Part:
    """Some rows of a data set.

    Attributes:
        inputs: N texts, or N pairs of texts; to be tagged N sentences (``text.sentences.Sentence``).
        targets: N labels, always strings; or N tuples of labels, or N dicts ``{label: share}``; of sentences N tuples of
            tags. None where the data has none.
        weights: N finite, non-negative numbers; None where the data has none.
        rows: N numbers, 1-based, of the records in their source (see ``Reject.row``).
    """

    inputs: list[Any] = field(default_factory=list)
    targets: list[Any] | None = None  # of Target, all of one kind
    weights: list[float] | None = None
    rows: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.inputs)

    def label_counts(self) -> Counter[str]:
        """Rows by label; a row of several labels counts for each of them."""
        if self.targets and isinstance(self.targets[0], str):  # all are of one kind
            return Counter(self.targets)
        return Counter(label for target in self.targets or [] for label in labels_of(target))

    def take(self, places: Iterable[int]) -> Part:
        """The rows at these 0-based places, in this order."""
        chosen = list(places)
        return Part(
            [self.inputs[place] for place in chosen],
            None if self.targets is None else [self.targets[place] for place in chosen],
            None if self.weights is None else [self.weights[place] for place in chosen],
            [self.rows[place] for place in chosen] if self.rows else [],
        )


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One input that occurs in more than one part, and on which rows of each."""

    input: Input
    rows: dict[str, list[int]]


@dataclass(slots=True)
class Dataset:
    """What ``erya.read`` gives.

    Attributes:
        source: as the user wrote it.
        task: the task it was read for.
        tokenizer: what a sample recommends, by name; None: nothing.
        columns: which column was taken for what, e.g. ``{"text": "review", "label": "stars"}``.
        languages: shares of the training rows, ``{"zh": 0.7, "en": 0.3, "other": 0.0}``, by script.
    """

    train: Part
    dev: Part | None = None
    test: Part | None = None
    source: str = ""
    task: str = "classify"
    tokenizer: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    reading: Reading = field(default_factory=Reading)
    languages: dict[str, float] = field(default_factory=dict)

    def parts(self) -> Iterator[tuple[str, Part]]:
        """The parts there are, by name."""
        for name in PARTS:
            part = getattr(self, name)
            if part is not None:
                yield name, part

    @property
    def labels(self) -> list[str]:
        """All labels of the training part, sorted."""
        return sorted(self.train.label_counts())

    @property
    def kind(self) -> Kind:
        """``"one"`` label a row, ``"several"`` (or none), ``"soft"``: shares of labels, or ``"tags"``: one a token."""
        if self.task == "tag":
            return "tags"
        first = next((part.targets[0] for _, part in self.parts() if part.targets), "")
        return kind_of(first)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over all inputs, targets and weights in their order: the same data, the same digest."""
        digest = hashlib.sha256()
        for name, part in self.parts():
            digest.update(f"{name} {len(part)} {part.targets is not None} {part.weights is not None}\n".encode())
            for place, document in enumerate(part.inputs):
                pieces = [document] if isinstance(document, str) else list(document)
                if part.targets is not None:
                    pieces.append(_written(part.targets[place]))
                if part.weights is not None:
                    pieces.append(float(part.weights[place]).hex())
                for piece in pieces:
                    raw = piece.encode("utf-8", "surrogatepass")
                    digest.update(b"%d:" % len(raw))
                    digest.update(raw)
        return digest.hexdigest()

    def duplicates(self) -> list[Duplicate]:
        """Inputs that occur, to the letter, in more than one part: what leaks from training into the scores."""
        seen: dict[Input, dict[str, list[int]]] = {}
        for name, part in self.parts():
            for place, document in enumerate(part.inputs):
                row = part.rows[place] if part.rows else place + 1
                seen.setdefault(document, {}).setdefault(name, []).append(row)
        return [Duplicate(document, rows) for document, rows in seen.items() if len(rows) > 1]

    def unseen_labels(self) -> dict[str, int]:
        """Labels of dev and test that training never shows, with their number of rows."""
        known = set(self.train.label_counts())
        counts: Counter[str] = Counter()
        for name, part in self.parts():
            if name != "train":
                counts += Counter({label: rows for label, rows in part.label_counts().items() if label not in known})
        return dict(counts.most_common())

    def split(self, train: float = 0.8, dev: float = 0.1, test: float = 0.1, seed: int = 0) -> Dataset:
        """A data set with all three parts: those that are missing are cut out of ``train``.

        Equal inputs stay in one part, every label is shared out in proportion where it has rows enough, and what
        goes where depends on the seed and the rows alone, not on their order or on versions of a library. Parts
        that exist are kept as they are. A share of 0 leaves a part out.

        Args:
            train: share of the rows; only the proportions of the three count.
            dev: share that validates.
            test: share that scores.
            seed: another seed, another split.

        Raises:
            UsageError: a negative share, or none for training.
        """
        if not (train > 0 and dev >= 0 and test >= 0 and train + dev + test < float("inf")):
            raise UsageError(
                "bad-split",
                say(f"{train:g}/{dev:g}/{test:g} is not a split", f"{train:g}/{dev:g}/{test:g} 不是合理的划分"),
                help="--split 0.8/0.1/0.1",
            )
        from erya.text.splits import divide

        wanted = {"dev": dev if self.dev is None else 0.0, "test": test if self.test is None else 0.0}
        whole = train + sum(wanted.values())
        places = divide(self.train, {name: share / whole for name, share in wanted.items() if share > 0}, seed)
        parts = {name: self.train.take(chosen) for name, chosen in places.items()}
        return replace(self, train=parts["train"], dev=parts.get("dev", self.dev), test=parts.get("test", self.test))
