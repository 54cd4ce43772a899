"""The text that both sides of the classifier's comparison read: one file in the original's form, a line a document, labels first."""

from __future__ import annotations

import gzip
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import results_file

SHARDS = 4  # of wiki_en's training shards
TITLES = 10  # labels, by a hash of the article's title
MARKS = re.compile(r"([.!?,'/()\"\-;:#&$])")


@dataclass(frozen=True, slots=True)
class Text:
    """A file of lines with labels."""

    path: Path
    lines: int
    words: int
    bytes: int

    def to_plain(self) -> dict[str, object]:
        """Without the place where it lay."""
        return {"file": self.path.name, **{key: value for key, value in asdict(self).items() if key != "path"}}


@dataclass(frozen=True, slots=True)
class Task:
    """A data set whose answers are compared: its files, how a text becomes words, the settings of both sides."""

    train: str
    test: str
    words: Callable[[str], str]
    settings: dict[str, Any]


def separated(text: str) -> str:
    """Lower-cased, punctuation split off, as the original's own tutorial does."""
    return " ".join(MARKS.sub(r" \1 ", text.lower()).split())


def characters(text: str) -> str:
    """Every character a word."""
    return " ".join("".join(text.split()))


SHARED_SETTINGS = {"lr": 0.5, "wordNgrams": 2, "bucket": 2_000_000, "dim": 10, "epoch": 5, "loss": "softmax"}
TASKS = {
    "ag_news": Task("train20k", "test", separated, SHARED_SETTINGS),
    "tnews": Task("train", "dev", characters, {**SHARED_SETTINGS, "wordNgrams": 3}),
    "thucnews": Task("dev", "test", characters, {**SHARED_SETTINGS, "epoch": 10}),
    "cooking": Task("train", "valid", separated, {**SHARED_SETTINGS, "loss": "ova", "dim": 50, "epoch": 25}),
}


def task_files(name: str, folder: Path) -> tuple[Path, Path] | None:
    """Training and test file of a task, made once; None where the data is not here."""
    task, source = TASKS[name], results_file.SHARED / name
    if not source.is_dir():
        return None
    paths = folder / f"{name}-train.txt", folder / f"{name}-test.txt"
    for path, part in zip(paths, (task.train, task.test), strict=True):
        if not path.is_file():
            with gzip.open(source / f"{part}.jsonl.gz", "rt", encoding="utf-8") as rows:
                _write(path, (_line(json.loads(row), task.words) for row in rows))
    return paths


def _line(row: dict[str, Any], words: Callable[[str], str]) -> str:
    labels = row["label"] if isinstance(row["label"], list) else [row["label"]]
    return " ".join([*(f"__label__{label.replace(' ', '_')}" for label in labels), words(row["text"])])


def paragraphs(folder: Path, lines: int | None) -> Text | None:
    """The paragraphs of wiki_en, lower-cased, labelled by a hash of their article's title; None: not here.

    Args:
        folder: where the file is kept.
        lines: only the first ones; None: all.
    """
    shards = sorted((results_file.SHARED / "wiki_en").glob("train-*.txt.xz"))[:SHARDS]
    if not shards:
        return None
    path = folder / f"paragraphs_{lines or 'all'}.txt"
    note = path.with_suffix(".json")
    if not note.is_file():
        print(f"writing {path.name}", flush=True)
        found = _write(path, (line for number, line in enumerate(_labelled(shards)) if not lines or number < lines))
        note.write_text(json.dumps(found), encoding="utf-8")  # last: a file without its note is made anew
    path.read_bytes()  # into the system's cache, so that the first job reads no slower than the others
    return Text(path=path, **json.loads(note.read_text(encoding="utf-8")))


def _labelled(shards: list[Path]) -> Iterator[str]:
    for shard in shards:
        label, title_comes = 0, True
        with lzma.open(shard, "rt", encoding="utf-8") as file:
            for line in map(str.rstrip, file):
                if line and title_comes:
                    label = zlib.crc32(line.encode()) % TITLES
                elif line:
                    yield f"__label__{label} {line.lower()}"
                title_comes = not line


def _write(path: Path, lines: Iterator[str]) -> dict[str, int]:
    number = words = 0
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line + "\n")
            number, words = number + 1, words + line.count(" ") + 1
    part.replace(path)
    return {"lines": number, "words": words, "bytes": path.stat().st_size}
