"""What a fitted word2vec predicts, in NumPy: scores, probabilities, and the way through the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from erya.parts.huffman import Paths, huffman

if TYPE_CHECKING:
    from erya.models.word2vec.estimator import Word2Vec

Doubles = NDArray[np.float64]


def hidden(model: Word2Vec, rows: list[int]) -> Doubles:
    """(D,) what predicts: the mean of the contexts' vectors (their sum for CBOW without ``cbow_mean``)."""
    gathered = model.vectors_[rows].astype(np.float64)
    return np.asarray(
        gathered.sum(axis=0) if model.algorithm == "cbow" and not model.cbow_mean else gathered.mean(axis=0)
    )


def turn_probabilities(model: Word2Vec, paths: Paths, row: int, h: Doubles) -> tuple[NDArray[np.int32], Doubles]:
    """Inner nodes on the way to word ``row`` (L,), and the probability of the turn taken at each (L,)."""
    first, last = int(paths.starts[row]), int(paths.starts[row + 1])
    nodes, turns = paths.nodes[first:last], paths.turns[first:last]
    scores = model.targets_[nodes].astype(np.float64) @ h
    signs = 1.0 - 2.0 * turns  # a left turn (0) has probability σ(s), a right one σ(−s)
    return nodes, 1 / (1 + np.exp(-signs * scores))


def word_probabilities(model: Word2Vec, rows: list[int]) -> Doubles:
    """(V,) the probability of each word among the contexts ``rows``; they sum to 1."""
    h = hidden(model, rows)
    if model.loss != "hierarchical_softmax":
        scores = model.targets_ @ h
        exponents = np.exp(scores - scores.max())
        return np.asarray(exponents / exponents.sum())
    paths = huffman(np.asarray(model.counts_))
    scores = model.targets_[paths.nodes].astype(np.float64) @ h  # of all turns of all words, one after the other
    logs = -np.logaddexp(0, -(1.0 - 2.0 * paths.turns) * scores)
    sums = np.concatenate([[0.0], np.cumsum(logs)])
    return np.asarray(np.exp(sums[paths.starts[1:]] - sums[paths.starts[:-1]]))
