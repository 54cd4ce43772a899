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
learned from whole sentences only (Kim: from all phrases, too). First weights have other sizes. Needs ``../shared/data``.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from erya import catalog, read
from reproductions.cells import SHARED, Cells

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

Rows = tuple[list[Any], list[Any]]


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


def parts(cell: Cell, shared: Path = SHARED) -> tuple[Rows, Rows | None, Rows]:
    """Training, development (None: a tenth of the training data, held out by ``fit``) and test rows of a cell."""
    folder = shared / cell.data
    if cell.fold is None:
        train, test = (_rows(folder / f"{part}.jsonl.gz") for part in ("train", "test"))
        dev = folder / "dev.jsonl.gz"
        return train, _rows(dev) if dev.is_file() else None, test
    texts, labels = _rows(folder / "all.jsonl.gz")
    # the folds are those of the data set, not of the seed: seeds vary the training alone
    places = np.random.default_rng([2014, len(texts)]).permutation(len(texts)) % FOLDS
    inside, outside = np.flatnonzero(places != cell.fold), np.flatnonzero(places == cell.fold)
    return _chosen(texts, labels, inside), None, _chosen(texts, labels, outside)


def _rows(path: Path) -> Rows:
    part = read(path, text="text", label="label").train
    return list(part.inputs), list(part.targets)


def _chosen(texts: list[Any], labels: list[Any], rows: np.ndarray[Any, Any]) -> Rows:
    return [texts[row] for row in rows.tolist()], [labels[row] for row in rows.tolist()]


def measure(cell: Cell, vectors: Path | None, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """Train and score one cell: ``accuracy`` in percent, ``epochs`` run, ``minutes``, ``rows`` of training and test."""
    began = monotonic()
    (texts, labels), dev, (test, truth) = parts(cell)
    given = dict(settings or {}) | {"seed": cell.seed}
    if cell.variant != "rand":
        given |= {"vectors": vectors, "vectors_mode": cell.variant, "dim": None, "min_coverage": 0.0}
    model: Any = catalog.model("classify/textcnn", "paper", given)
    model.fit(texts, labels, validation=dev)
    figures = {
        "accuracy": 100 * float(model.score(test, truth)),
        "epochs": len(model.curve_),
        "minutes": (monotonic() - began) / 60,
        "rows": [len(texts), len(test)],
        "seed": cell.seed,
    }
    if model.coverage_:
        figures["coverage"] = dict(model.coverage_)
    return figures


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
    zh = lang == "zh"
    if not len(kept):
        return "尚未测量\n" if zh else "not measured yet\n"
    head = (
        ["变体", "数据", "论文", "本机", "差", "测量范围"]
        if zh
        else ["variant", "data", "paper", "here", "difference", "measured"]
    )
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for variant in VARIANTS:
        for data, name in NAMES.items():
            lines.append("| " + " | ".join([variant, name, *_entry(kept, data, variant, zh=zh)]) + " |")
    last = max(kept.cells.values(), key=lambda cell: cell["measured"])
    where, minutes = last["environment"], sum(cell["minutes"] for cell in kept.cells.values())
    versions = f"erya {where['erya']}, Python {where['python']}, torch {where['torch']}"
    if zh:
        text = f"共 {len(kept)} 次训练，{minutes:.1f} 分钟；最近测于 {last['measured']}，{where['processor']}；{versions}。"
    else:
        text = f"{len(kept)} trainings, {minutes:.1f} minutes in all; last {last['measured']} on {where['processor']}; {versions}."
    return "\n".join(lines) + f"\n\n{text}\n"


def _entry(kept: Cells, data: str, variant: str, *, zh: bool) -> list[str]:
    paper = PAPER[variant][data]
    found = summary(kept, data, variant)
    if found is None:
        return [f"{paper:.1f}", "尚未测量" if zh else "not measured yet", "", ""]
    mean, seeds, trainings = found
    wanted = SEEDS * (FOLDS if data in FOLDED else 1)
    share = f"{trainings} / {wanted}"
    whole = seeds >= SEEDS and trainings >= wanted
    said = share if whole else f"{share}，不完整" if zh else f"{share}, incomplete"
    return [f"{paper:.1f}", f"{mean:.1f}", f"{mean - paper:+.1f}", said]


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
    kept, began = Cells("kim2014"), monotonic()
    todo = list(
        cells(arguments.data, arguments.variants, arguments.seeds, min(arguments.folds, FOLDS), arguments.vectors)
    )
    missing = [cell for cell in todo if cell.key not in kept]
    print(f"{len(todo)} cells, {len(todo) - len(missing)} of them measured before", file=sys.stderr)
    for cell in missing:
        if arguments.budget is not None and monotonic() - began > 60 * arguments.budget:
            print("the budget is used up; the next call goes on from here", file=sys.stderr)
            break
        figures = measure(cell, arguments.vectors)
        kept.put(cell.key, figures)
        print(f"{cell.key:60s} {figures['accuracy']:6.2f} % {figures['minutes']:6.2f} min", file=sys.stderr, flush=True)
    print(card("en", kept))
    print("python -m reproductions.cards writes this into the READMEs")


if __name__ == "__main__":
    main()
