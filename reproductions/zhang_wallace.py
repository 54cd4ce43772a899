"""Zhang & Wallace 2015, "A Sensitivity Analysis of (and Practitioners' Guide to) CNNs for Sentence Classification": one thing at a time.

    python -m reproductions.zhang_wallace --budget 60                            # an hour of it; the next call goes on
    python -m reproductions.zhang_wallace --sweeps window pooling --data trec    # some cells
    python -m reproductions.zhang_wallace --rows 100 --data trec                 # does it run? keeps nothing

Around one network (``BASE``) each setting is varied alone, on four of the paper's nine data sets: TREC on its own test split, MR and
Subj on the first of ten folds, CR, which is small, on three of them. Each training is a cell, kept in
``results/zhang_wallace.json`` at once, with all its settings in its key.

What differs from the paper: its word vectors are word2vec's, 300 numbers wide, ours begin random and have 100 (a cell shall take
less than a minute); it trained with Adadelta and ten folds; its local pooling has regions of one size, ours one number of regions in
every text. So the heights do not compare; what compares is which way a change goes. What the paper found stands in words in the card.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproductions import kim2014
from reproductions.cells import SHARED, Cells, fill, written
from reproductions.markdown import NOT_YET, footnote, table
from reproductions.sources import cut
from reproductions.training import measured

# around which everything is varied; a change here makes every cell a new one
BASE: dict[str, Any] = {
    "dim": 100,
    "window": [3, 4, 5],
    "filters": 100,
    "activation": "relu",
    "pooling": "max",
    "strongest": 1,
    "regions": 1,
    "dropout": 0.5,
    "max_norm": 3.0,
    "min_count": 1,
    "epochs": 8,
    "patience": 2,
    "batch_size": 50,
    "learning_rate": 0.001,
}

# what is varied: the setting, its values, and what the paper found
SWEEPS: dict[str, list[dict[str, Any]]] = {
    "window": [
        {"window": [1]},
        {"window": [3]},
        {"window": [5]},
        {"window": [7]},
        {"window": [10]},
        {"window": [2, 3, 4]},
        {"window": [3, 4, 5]},
        {"window": [6, 7, 8]},
        {"window": [2, 5, 10]},
    ],
    "filters": [{"filters": 10}, {"filters": 30}, {"filters": 100}, {"filters": 200}],
    "pooling": [
        {"pooling": "max"},
        {"strongest": 2},
        {"strongest": 5},
        {"pooling": "local", "regions": 2},
        {"pooling": "local", "regions": 4},
        {"pooling": "mean"},
    ],
    "activation": [
        {"activation": "relu"},
        {"activation": "tanh"},
        {"activation": "identity"},
        {"activation": "sigmoid"},
        {"activation": "softplus"},
        {"activation": "cube"},
        {"activation": "tanh_cube"},
    ],
    "dropout": [
        {"dropout": 0.0},
        {"dropout": 0.1},
        {"dropout": 0.3},
        {"dropout": 0.5},
        {"dropout": 0.7},
        {"dropout": 0.9},
    ],
    "max_norm": [{"max_norm": 1.0}, {"max_norm": 3.0}, {"max_norm": 10.0}, {"max_norm": 30.0}, {"max_norm": None}],
}
FOUND = {
    "window": (
        "It matters, and every data set has its own best; widths near the best single one do better together than widths far apart.",
        "影响明显，各数据集的最佳宽度不同；几种宽度都取在最佳值附近，胜过相距很远的组合。",
    ),
    "filters": (
        "More help up to some hundreds; beyond, little is gained and time is lost.",
        "几百个以内越多越好，再多收效甚微，只是更慢。",
    ),
    "pooling": (
        "The single maximum is best everywhere; K > 1 and regions are no better, the mean is much worse.",
        "单个最大值处处最好；K > 1 与分段都不更好，取平均差得多。",
    ),
    "activation": (
        "relu, tanh and none at all are close together at the top.",
        "relu、tanh 与不用激活不相上下，排在前面。",
    ),
    "dropout": ("Little effect; a rate of 0.1 to 0.5 helps a bit, if at all.", "影响很小；0.1 到 0.5 至多略有帮助。"),
    "max_norm": ("Little effect.", "影响很小。"),
}
DATA = ("mr", "trec", "cr", "subj")
FOLDS = {"mr": 1, "cr": 3, "subj": 1}  # the first so many of ten; TREC has a test split
# of nearly the base: 300 numbers a word, Adadelta, ten folds
KIM = {name: kim2014.PAPER["rand"][name] for name in DATA}
SEEDS = 3  # that a finished entry has


@dataclass(frozen=True)
class Cell:
    """One training and its score."""

    data: str
    change: str  # of ``BASE``, as ``cells.written`` writes it
    seed: int
    fold: int | None  # None: the source's own test split

    @property
    def settings(self) -> dict[str, Any]:
        return BASE | json.loads(self.change)

    @property
    def key(self) -> str:
        return f"{self.data} {written(self.settings)} {self._place}"

    @property
    def _place(self) -> str:
        return f"seed={self.seed} fold={'test' if self.fold is None else self.fold}"

    def __str__(self) -> str:
        return f"{self.data} {self.change} {self._place}"


def cells(data: list[str], sweeps: list[str], seeds: int) -> Iterator[Cell]:
    """The grid, first seeds and first folds first; what stands in several sweeps comes once."""
    seen = set()
    for seed in range(seeds):
        for fold in range(max(FOLDS.values())):
            for change in [{}, *(one for sweep in sweeps for one in SWEEPS[sweep])]:
                for name in data:
                    cell = Cell(name, written(change), seed, fold if name in FOLDS else None)
                    if fold < FOLDS.get(name, 1) and cell.key not in seen:
                        seen.add(cell.key)
                        yield cell


def measure(cell: Cell, rows: int | None = None, shared: Path = SHARED) -> dict[str, Any]:
    """Train and score one cell, see ``training.measured``. ``rows``: of each part no more than these."""
    given = cell.settings | {"seed": cell.seed}
    parts = kim2014.parts(kim2014.Cell(cell.data, "rand", cell.seed, cell.fold, "-"), shared)  # its folds
    return measured("classify/textcnn", "default", given, cut(parts, rows))


# ---- the card ------------------------------------------------------------------------------------------------------


def summary(kept: Cells, data: str, change: dict[str, Any]) -> list[float]:
    """The accuracies of an entry, one a training."""
    begin = f"{data} {written(BASE | change)} seed="
    return [cell["accuracy"] for key, cell in kept.cells.items() if key.startswith(begin)]


def card(lang: str, kept: Cells | None = None) -> str:
    """A Markdown table for each sweep: the accuracies, and how the mean over the data sets differs from the base's."""
    kept = Cells("zhang_wallace") if kept is None else kept
    if not any(summary(kept, data, change) for sweep in SWEEPS.values() for change in sweep for data in DATA):
        return NOT_YET[lang] + "\n"
    names = [kim2014.NAMES[data] for data in DATA]
    head = {"en": ["setting", *names, "from the base"], "zh": ["设置", *names, "与基准之差"]}[lang]
    said = {
        "en": "Base: {base}. In Kim's paper, nearly the same with 300 numbers a word: {kim}. Each figure is the mean of {seeds} seeds "
        "(CR: on three folds), or of as few trainings as stand behind it; the test rows alone give it a standard error of about one point.",
        "zh": "基准：{base}。Kim 论文里几乎相同的网络（词向量 300 维）：{kim}。"
        "每个数字是 {seeds} 个种子的平均（CR 取三折），训练次数不足时在括号里注明；仅测试样本一项，标准误就约有一个百分点。",
    }[lang]
    base = ", ".join(f"{name}={value}" for name, value in BASE.items())
    kim = ", ".join(f"{kim2014.NAMES[data]} {KIM[data]:.1f}" for data in DATA)
    pieces = [said.format(base=base, kim=kim, seeds=SEEDS) + "\n"]
    for sweep, changes in SWEEPS.items():
        lines = [_line(kept, change) for change in changes]
        found = {"en": f"They found: {FOUND[sweep][0]}", "zh": f"他们的发现：{FOUND[sweep][1]}"}[lang]
        pieces.append(f"**`{sweep}`** – {found}\n\n{table(head, lines)}")
    return "\n".join(pieces) + footnote(list(kept.cells.values()), lang)


def _line(kept: Cells, change: dict[str, Any]) -> list[str]:
    entries, gains = [], []
    for data in DATA:
        found, base = summary(kept, data, change), summary(kept, data, {})
        if not found:
            entries.append("–")
            continue
        mean = statistics.mean(found)
        entries.append(f"{mean:.1f}" if len(found) >= SEEDS * FOLDS.get(data, 1) else f"{mean:.1f} ({len(found)})")
        if base:
            gains.append(mean - statistics.mean(base))
    name = ", ".join(f"{name}={value}" for name, value in change.items())
    same = BASE | change == BASE
    whole = len(gains) == len(DATA)
    return [name, *entries, "" if same or not whole else f"{statistics.mean(gains):+.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--sweeps", nargs="+", choices=list(SWEEPS), default=list(SWEEPS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--budget", type=float, help="minutes after which no cell is begun")
    parser.add_argument("--rows", type=int, help="of each part: does it run? keeps nothing")
    asked = parser.parse_args()
    if not SHARED.is_dir():
        print(f"skipped: needs {SHARED}, which is not here")
        return
    kept = Cells("zhang_wallace")
    todo = list(cells(asked.data, asked.sweeps, asked.seeds))
    fill(kept, todo, lambda cell: measure(cell, asked.rows), asked.budget, keep=asked.rows is None)
    print(card("en", kept))
    print("python -m reproductions.cards writes this into the READMEs", file=sys.stderr)


if __name__ == "__main__":
    main()
