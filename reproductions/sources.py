"""Where the rows of a reproduction come from: training, development and test part of a data set, or of one of its folds."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from erya import read

Rows = tuple[list[Any], list[Any]]  # texts, labels
Parts = tuple[
    Rows, Rows | None, Rows
]  # training; development, None: ``fit`` holds a tenth of the training rows out; test


@dataclass(frozen=True)
class Source:
    """A data set of a grid.

    Attributes:
        title: in English and in Chinese.
        parts: training, development and test rows, of the folder with all data sets and the fold.
        folds: how many there are; 0: the source has a test split.
        bundled: whether it comes with Erya; otherwise ``../shared/data`` is needed.
    """

    title: tuple[str, str]
    parts: Callable[[Path, int | None], Parts]
    folds: int = 0
    bundled: bool = False


def rows_of(path: Path) -> Rows:
    part = read(path, text="text", label="label").train
    return list(part.inputs), list(part.targets)


def chosen(rows: Rows, places: np.ndarray[Any, Any]) -> Rows:
    texts, labels = rows
    return [texts[place] for place in places.tolist()], [labels[place] for place in places.tolist()]


def random_fold(rows: Rows, fold: int, folds: int) -> tuple[Rows, Rows]:
    """Training and test rows of one of ``folds`` random folds. They are those of the data set: no seed of a training moves them."""
    places = np.random.default_rng([2014, len(rows[0])]).permutation(len(rows[0])) % folds
    return chosen(rows, np.flatnonzero(places != fold)), chosen(rows, np.flatnonzero(places == fold))


def split(
    folder: str, train: str = "train", test: str = "test", *, dev: str | None = None, end: str = "jsonl.gz"
) -> Any:
    """``Source.parts`` of a data set that has files for its parts."""

    def parts(shared: Path, fold: int | None) -> Parts:
        found = [rows_of(shared / folder / f"{name}.{end}") for name in (train, test)]
        return found[0], None if dev is None else rows_of(shared / folder / f"{dev}.{end}"), found[1]

    return parts


def sentences(path: Path | str) -> dict[str, Rows]:
    """Tokens and tags of each part of a data set for taggers."""
    data = read(path, task="tag")
    parts = {"train": data.train, "dev": data.dev, "test": data.test}
    return {name: (list(part.inputs), list(part.targets or [])) for name, part in parts.items() if part is not None}


def tagged(folder: str, test: str = "test", *, dev: str | None = None) -> Any:
    """``Source.parts`` of a data set for taggers that has files for its parts."""

    def parts(shared: Path, fold: int | None) -> Parts:
        names = ("train", test) if dev is None else ("train", test, dev)
        found = [sentences(shared / folder / f"{name}.conll.gz")["train"] for name in names]
        return found[0], None if dev is None else found[2], found[1]

    return parts


def tagged_stream(folder: str) -> Any:
    """``Source.parts`` of one file of running text: its last fifth is the test, so that no document is on both sides."""

    def parts(shared: Path, fold: int | None) -> Parts:
        every = sentences(shared / folder / "all.conll.gz")["train"]
        border = len(every[0]) * 4 // 5
        places = np.arange(len(every[0]))
        return chosen(every, places[:border]), None, chosen(every, places[border:])

    return parts


def tagged_sample(name: str) -> Any:
    """``Source.parts`` of a data set for taggers that comes with Erya."""

    def parts(shared: Path, fold: int | None) -> Parts:
        found = sentences(f"sample:{name}")
        return found["train"], found.get("dev"), found["test"]

    return parts


def published_folds(folder: str) -> Any:
    """``Source.parts`` of a data set whose rows name their fold under ``fold``."""

    def parts(shared: Path, fold: int | None) -> Parts:
        with gzip.open(shared / folder / "all.jsonl.gz", "rt", encoding="utf-8") as file:
            every = [json.loads(line) for line in file]
        rows = [row["text"] for row in every], [str(row["label"]) for row in every]
        folds = np.array([int(row["fold"]) for row in every])
        return chosen(rows, np.flatnonzero(folds != fold)), None, chosen(rows, np.flatnonzero(folds == fold))

    return parts


def sample(name: str) -> Any:
    """``Source.parts`` of a data set that comes with Erya."""

    def parts(shared: Path, fold: int | None) -> Parts:
        data = read(f"sample:{name}")
        train, dev, test = (
            None if part is None else (list(part.inputs), list(part.targets))
            for part in (data.train, data.dev, data.test)
        )
        assert train is not None
        assert test is not None
        return train, dev, test

    return parts


def cut(parts: Parts, rows: int | None) -> Parts:
    """Some rows of each part, spread over it, for a run that only shows that it runs."""
    if rows is None:
        return parts
    train, dev, test = parts
    return _some(train, rows), None if dev is None else _some(dev, rows), _some(test, rows)


def _some(rows: Rows, count: int) -> Rows:
    every = len(rows[0])
    return chosen(rows, np.arange(every)[:: max(1, every // count)][:count])
