"""The data sets that come with Erya: small, real, with a licence that lets them travel. ``erya.read("sample:snips")``.

A sample is a folder in ``erya/samples`` with a ``sample.toml``; whoever adds a folder adds a sample.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

from erya.errors import DataError, nearest, quoted
from erya.language import say

FOLDER = Path(__file__).parent.parent / "samples"


@dataclass(frozen=True, slots=True)
class SampleCard:
    """What a sample is.

    Attributes:
        name: as in ``sample:NAME``.
        title: by language, ``{"en": …, "zh": …}``.
        about: a few sentences, by language.
        tasks: the tasks it serves today or later.
        columns: ``{"text": "text", "label": "label"}``.
        tokenizer: the one to use unless told otherwise.
        split: whether it comes without parts and is split when read (0.8/0.1/0.1, seed 0).
        labels: the labels, sorted.
        licence: SPDX identifier.
        source: where it comes from.
        cite: what to cite.
        sizes: rows of each part.
        texts: files of running text for language models, by part; often none.
        files: names, with their SHA-256.
        folder: where the files are.
    """

    name: str
    title: dict[str, str]
    about: dict[str, str]
    tasks: tuple[str, ...]
    columns: dict[str, str]
    tokenizer: str
    split: bool
    labels: tuple[str, ...]
    licence: str
    source: str
    cite: str
    sizes: dict[str, int]
    texts: dict[str, str]
    files: dict[str, str]
    folder: Path

    @property
    def bytes(self) -> int:
        """What it takes on disk."""
        return sum((self.folder / name).stat().st_size for name in self.files)


@functools.cache
def sample_names() -> tuple[str, ...]:
    """All bundled samples, alphabetically; found by looking."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/sample.toml")))


def sample_card(name: str) -> SampleCard:
    """The card of a sample.

    Raises:
        DataError: no such sample.
    """
    if name not in sample_names():
        guess = nearest(name, sample_names())
        raise DataError(
            "sample-missing",
            say(f"there is no sample '{quoted(name)}'", f"没有名为 '{quoted(name)}' 的样本数据"),
            help=say(f"did you mean sample:{guess}?", f"是不是 sample:{guess}？")
            if guess
            else " ".join(f"sample:{known}" for known in sample_names()),
        )
    folder = FOLDER / name
    card = tomllib.loads((folder / "sample.toml").read_text(encoding="utf-8"))
    return SampleCard(
        name=name,
        title=card["title"],
        about=card["about"],
        tasks=tuple(card["tasks"]),
        columns=card["columns"],
        tokenizer=card["tokenizer"],
        split=card["split"],
        labels=tuple(card["labels"]),
        licence=card["licence"],
        source=card["source"],
        cite=card["cite"],
        sizes=card["sizes"],
        texts=card.get("texts", {}),
        files=card["files"],
        folder=folder,
    )
