"""Looking inside: the way of one word from its row of counts over PPMI to its vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from erya.errors import quoted
from erya.language import say
from erya.parts.word_views import neighbours
from erya.trace import Bars, Matrix, Table, Trace, View

if TYPE_CHECKING:
    from erya.models.cooccurrence.estimator import Cooccurrence

SHOWN = 12  # neighbours by name
SMALL = 24  # words whose whole matrix is drawn


def trace(model: Cooccurrence, word: str) -> Trace:
    """Arrays: columns (n,) numbers of the neighbours that are kept, counts (n,), weighed (n,), then vector (D,) and neighbours."""
    row = model.get_index(word)
    kept, weighing = model.cooccurrences_, model.weighing()
    columns, counts = kept.row(row)
    weighed = weighing.apply(counts, row, columns, kept.sums)
    near = neighbours(model.id, model, word)
    views: list[View] = [
        _table(model, word, columns, counts, weighed),
        *_whole_matrix(model),
        _vector(model, word, row),
        *near.views,
    ]
    return Trace(
        model=model.id,
        input=word,
        arrays={"columns": columns, "counts": counts, "weighed": weighed, **near.arrays},
        views=views,
    )


def _table(
    model: Cooccurrence,
    word: str,
    columns: NDArray[np.int32],
    counts: NDArray[np.float32],
    weighed: NDArray[np.float64],
) -> Table:
    """The most frequent neighbours, and the most surprising ones."""
    frequent = np.argsort(-counts, kind="stable")[: SHOWN // 2]
    surprising = np.argsort(-weighed, kind="stable")
    surprising = surprising[~np.isin(surprising, frequent)][: SHOWN - len(frequent)]
    shown, name = quoted(word, 30), {"count": "X"}.get(model.association, model.association.upper())
    note = say(
        "the most frequent neighbours first, then the most surprising ones",
        "先列最常见的邻居，再列最出人意料的邻居",
    )
    if not model.cooccurrences_.whole:
        note += say("; of the counts, each word's strongest are kept", "；只保留了每个词最强的一些计数")
    return Table(
        say(f"what stands near “{shown}”", f"“{shown}”附近有什么"),
        [say("word", "词"), say("count", "次数"), name],
        [
            [quoted(model.words_[int(columns[at])], 20), round(float(counts[at]), 3), round(float(weighed[at]), 3)]
            for at in [*frequent, *surprising]
        ],
        note,
    )


def _whole_matrix(model: Cooccurrence) -> list[View]:
    """Counts and weighed counts of all words, where they are few enough to be looked at."""
    size, kept = len(model.words_), model.cooccurrences_
    if size > SMALL or not kept.whole:
        return []
    names = [quoted(word, 12) for word in model.words_]
    counts, weighed = np.zeros((size, size)), np.zeros((size, size))
    for row in range(size):
        columns, values = kept.row(row)
        counts[row, columns] = values
        weighed[row, columns] = model.weighing().apply(values, row, columns, kept.sums)
    views: list[View] = [Matrix(say("counts of neighbours", "共现次数"), names, names, counts)]
    if model.association != "count":
        views.append(Matrix(model.association.upper(), names, names, weighed))
    return views


def _vector(model: Cooccurrence, word: str, row: int) -> View:
    vector = model.vectors_[row][:SHOWN]
    shown, width = quoted(word, 30), model.vectors_.shape[1]
    if model.dim is None:
        labels, note = [quoted(name, 20) for name in model.words_[: len(vector)]], ""
    else:
        labels = [str(number + 1) for number in range(len(vector))]
        note = say("directions of the SVD, the strongest first", "SVD 的各个方向，最强的在前")
    return Bars(
        say(f"the vector of “{shown}”: {len(vector)} of {width}", f"“{shown}”的向量：{width} 维中的 {len(vector)} 维"),
        labels,
        vector,
        note,
    )
