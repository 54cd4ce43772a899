"""Kim 2014, table 2: TextCNN in four variants on seven data sets.

    python -m reproductions.kim2014                                   # the whole grid: 4–6 hours on two cores
    python -m reproductions.kim2014 --data trec --variants rand --seeds 3
    python -m reproductions.kim2014 --vectors wiki.erya --budget 60   # minutes; what is missing then is for the next call

A cell is one data set, variant, seed and fold: one training with the preset ``paper`` and one score. It is kept in
``results/kim2014.json`` at once, and never measured again; so the grid may be stopped at any time and continued. Where Kim has a
test split it is used; else the mean over ten folds. Settings are the paper's (section 3.1): windows 3, 4, 5 with 100 filters each, dropout
0.5, max norm 3, batches of 50, Adadelta, at most 25 epochs, the epoch that is best on the development data – which is a tenth of the
training data where the source has none; after eight epochs without a better one training ends (the paper does not say how long it
waits).

What differs: Kim's vectors saw 100 billion words; ``--vectors`` takes what there is, ours of Wikipedia. SST-1 and SST-2 are
learned from whole sentences only (Kim: from all phrases, too). First weights have other sizes. Batches hold sentences of like length,
chosen from a pool of batches (32 of them where the cells of 21 November 2026 were measured, four since). Needs ``../shared/data``.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproductions.cells import SHARED, Cells, fill
from reproductions.markdown import NOT_YET, footnote, share, table
from reproductions.sources import Parts, random_fold, rows_of
from reproductions.training import measured

PAPER = {
    "rand": {"mr": 76.1, "sst5": 45.0, "sst2": 82.7, "subj": 89.6, "trec": 91.2, "cr": 79.8, "mpqa": 83.4},
    "static": {"mr": 81.0, "sst5": 45.5, "sst2": 86.8, "subj": 93.0, "trec": 92.8, "cr": 84.7, "mpqa": 89.6},
    "non-static": {"mr": 81.5, "sst5": 48.0, "sst2": 87.2, "subj": 93.4, "trec": 93.6, "cr": 84.3, "mpqa": 89.5},
    "multichannel": {"mr": 81.1, "sst5": 47.4, "sst2": 88.1, "subj": 93.2, "trec": 92.2, "cr": 85.0, "mpqa": 89.4},
}
VARIANTS = tuple(PAPER)
NAMES = {"mr": "MR", "sst5": "SST-1", "sst2": "SST-2", "subj": "Subj", "trec": "TREC", "cr": "CR", "mpqa": "MPQA"}
FOLDED = ("mr", "subj", "cr", "mpqa")
FOLDS = 10
SEEDS = 3  # that a finished cell of the table has


@dataclass(frozen=True)
class Cell:
    """One training and its score."""

    data: str
    variant: str
    seed: int
    fold: int | None  # None: the source's own test split
    vectors: str  # what they are, "-" where they begin random

    @property
    def key(self) -> str:
        fold = "test" if self.fold is None else str(self.fold)
        return f"{self.data} {self.variant} seed={self.seed} fold={fold} vectors={self.vectors}"

    def __str__(self) -> str:
        return self.key


def digest(path: Path | None) -> str:
    """A name for a file of vectors that no other file has."""
    if path is None:
        return "-"
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return f"{path.stem}:{hashed.hexdigest()[:8]}"


def cells(data: list[str], variants: list[str], seeds: int, folds: int, vectors: Path | None) -> Iterator[Cell]:
    """The grid, first seeds first, so that a grid cut short has something of everything."""
    name = digest(vectors)
    for seed in range(seeds):
        for fold in range(folds):
            for one in data:
                if one not in FOLDED and fold > 0:
                    continue
                for variant in variants:
                    if variant == "rand":
                        yield Cell(one, variant, seed, fold if one in FOLDED else None, "-")
                    elif vectors is not None:
                        yield Cell(one, variant, seed, fold if one in FOLDED else None, name)


def parts(cell: Cell, shared: Path = SHARED) -> Parts:
    """Training, development (None: a tenth of the training data, held out by ``fit``) and test rows of a cell."""
    folder = shared / cell.data
    if cell.fold is None:
        dev = folder / "dev.jsonl.gz"
        train, test = (rows_of(folder / f"{part}.jsonl.gz") for part in ("train", "test"))
        return train, rows_of(dev) if dev.is_file() else None, test
    train, test = random_fold(rows_of(folder / "all.jsonl.gz"), cell.fold, FOLDS)
    return train, None, test


def measure(cell: Cell, vectors: Path | None, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """Train and score one cell: ``accuracy`` in percent, ``epochs`` run, ``minutes``, ``rows`` of training and test."""
    given = dict(settings or {}) | {"seed": cell.seed}
    if cell.variant != "rand":
        given |= {"vectors": vectors, "vectors_mode": cell.variant, "dim": None, "min_coverage": 0.0}
    return measured("classify/textcnn", "paper", given, parts(cell))


# ---- the card ------------------------------------------------------------------------------------------------------


def summary(kept: Cells, data: str, variant: str) -> tuple[float, int, int] | None:
    """Mean accuracy of what is measured of one entry of the table, how many seeds, and how many trainings; None: nothing is."""
    found: dict[int, list[float]] = {}
    for key, cell in kept.cells.items():
        if key.startswith(f"{data} {variant} "):
            found.setdefault(cell["seed"], []).append(cell["accuracy"])
    if not found:
        return None
    return statistics.mean(statistics.mean(some) for some in found.values()), len(found), sum(map(len, found.values()))


def card(lang: str, kept: Cells | None = None) -> str:
    """Paper, here, difference as a Markdown table."""
    kept = Cells("kim2014") if kept is None else kept
    if not len(kept):
        return NOT_YET[lang] + "\n"
    head = {
        "en": ["variant", "data", "paper", "here", "difference", "measured"],
        "zh": ["变体", "数据", "论文", "本机", "差", "测量范围"],
    }
    lines = [
        [variant, name, *_entry(kept, data, variant, lang)] for variant in VARIANTS for data, name in NAMES.items()
    ]
    return table(head[lang], lines) + footnote(list(kept.cells.values()), lang)


def _entry(kept: Cells, data: str, variant: str, lang: str) -> list[str]:
    paper = PAPER[variant][data]
    found = summary(kept, data, variant)
    if found is None:
        return [f"{paper:.1f}", NOT_YET[lang], "", ""]
    mean, seeds, trainings = found
    wanted = SEEDS * (FOLDS if data in FOLDED else 1)
    return [f"{paper:.1f}", f"{mean:.1f}", f"{mean - paper:+.1f}", share(trainings, wanted, lang, whole=seeds >= SEEDS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=list(NAMES), default=list(NAMES))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--folds", type=int, default=FOLDS, help="of the ten, the first so many")
    parser.add_argument("--vectors", type=Path, help="of words; without them only rand is run")
    parser.add_argument("--budget", type=float, help="minutes after which no cell is begun")
    arguments = parser.parse_args()
    if not SHARED.is_dir():
        print(f"skipped: needs {SHARED}, which is not here")
        return
    if arguments.vectors is None and set(arguments.variants) != {"rand"}:
        print("static, non-static and multichannel need --vectors FILE; only rand is run", file=sys.stderr)
    kept = Cells("kim2014")
    folds = min(arguments.folds, FOLDS)
    todo = list(cells(arguments.data, arguments.variants, arguments.seeds, folds, arguments.vectors))
    fill(kept, todo, lambda cell: measure(cell, arguments.vectors), arguments.budget)
    print(card("en", kept))
    print("python -m reproductions.cards writes this into the READMEs")


if __name__ == "__main__":
    main()
