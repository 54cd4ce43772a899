"""From rows to probabilities in NumPy, for all losses: what predicting needs, and nothing that must be compiled.

    hidden                 h = mean of the document's rows                                        (D,)
    softmax                p = softmax(B h)
    one_vs_all             p_c = σ(B_c · h), each label a question of its own
    negative_sampling      likewise
    hierarchical_softmax   p_c = Π σ(±B_n · h) over the inner nodes n on the label's path in the tree

Where a text has one label, the σ of all labels are divided by their sum, so that every loss answers with rows that sum to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.models.fasttext.features import Encoded

ROWS_AT_ONCE = 1 << 17  # rows gathered at a time: bounds the memory, and keeps it in the processor's cache
LOSSES = {
    "softmax": "softmax",
    "hierarchical_softmax": "hs",
    "negative_sampling": "ns",
    "one_vs_all": "ova",
}  # our names → the original's

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Branches(NamedTuple):
    """The tree of hierarchical softmax over C labels; row n of the output matrix is inner node n, the root the last.

    Attributes:
        order: (C,) class numbers, most frequent first: the tree's leaves.
        parents: (2C − 1,) of leaves, then of inner nodes, as nodes; the root's is −1.
        signs: (2C − 1,) +1: a node is its parent's right child, whose probability is σ; −1: the left one.
        levels: nodes of each depth, those below the root first.
    """

    order: NDArray[np.int64]
    parents: NDArray[np.int64]
    signs: Doubles
    levels: list[NDArray[np.int64]]

    @classmethod
    def over(cls, counts: NDArray[np.int64]) -> Branches:
        """The tree that labels with these counts (C,) have, as the original builds it."""
        from erya.models.fasttext.tree_kernels import label_tree

        order = label_order(counts)
        tree = label_tree(np.ascontiguousarray(counts[order], dtype=np.int64))
        parents, nodes = tree.parents.astype(np.int64), np.arange(len(tree.parents))
        signs = np.where(tree.right[parents] == nodes, 1.0, -1.0)
        depths = np.zeros(len(parents), dtype=np.int64)
        for node in range(len(parents) - 2, -1, -1):  # parents have higher numbers
            depths[node] = depths[parents[node]] + 1
        by_depth = np.argsort(depths, kind="stable")
        levels = np.split(by_depth, np.flatnonzero(np.diff(depths[by_depth])) + 1)[1:]
        return cls(order, parents, signs, levels)


def label_order(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(C,) class numbers by count, descending; of equal counts the first class first."""
    found: NDArray[np.int64] = np.argsort(-counts, kind="stable")
    return found


def averaged(input: Floats, documents: Encoded) -> Floats:
    """(N, D) the mean of each document's rows of ``input`` (R, D); zeros for a document without rows."""
    starts = documents.starts
    counts = np.diff(starts)
    hidden = np.zeros((len(counts), input.shape[1]), dtype=np.float32)
    first = 0
    while first < len(counts):
        # as many whole documents as ROWS_AT_ONCE allows, at least one
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + ROWS_AT_ONCE, side="right")) - 1)
        filled = first + np.flatnonzero(counts[first:last])  # reduceat would give an empty document its neighbour's row
        if len(filled):
            gathered = input[documents.rows[starts[first] : starts[last]]]  # (rows, D)
            hidden[filled] = np.add.reduceat(gathered, starts[filled] - starts[first], axis=0)
        first = last
    hidden /= np.maximum(counts, 1)[:, None]
    return hidden


def softmax(logits: NDArray[Any]) -> Doubles:
    """(N, C) rows that sum to 1."""
    exponents: Doubles = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float64))
    exponents /= exponents.sum(axis=1, keepdims=True)
    return exponents


def log_sigmoid(scores: NDArray[Any]) -> Doubles:
    """The logarithm of σ of each score."""
    found: Doubles = -np.logaddexp(0.0, -scores.astype(np.float64))
    return found


def probabilities(loss: str, hidden: Floats, output: Floats, branches: Branches | None, *, sum_to_one: bool) -> Doubles:
    """(N, C) the probability of each label.

    Args:
        loss: one of ``LOSSES``.
        hidden: (N, D) the documents.
        output: (C, D).
        branches: the tree, for hierarchical softmax.
        sum_to_one: each text has one label; False: σ stands for itself.
    """
    scores = hidden @ output.T  # (N, C)
    if loss == "softmax":
        return softmax(scores)
    if branches is not None:
        return _down_the_tree(scores, branches)
    logs = log_sigmoid(scores)
    return softmax(logs) if sum_to_one else np.exp(logs)


def log_odds(scores: NDArray[Any], branches: Branches | None) -> NDArray[Any]:
    """(N, C) the labels' logits from the scores of the output rows; of a tree the sums of the log-odds of the turns on each path."""
    return scores if branches is None else _summed(branches, lambda nodes, turns: scores[:, nodes] * turns, len(scores))


def _down_the_tree(scores: Floats, branches: Branches) -> Doubles:
    """(N, C) from the scores of the inner nodes (N, C; the last column means nothing)."""
    return np.exp(_summed(branches, lambda nodes, turns: log_sigmoid(scores[:, nodes] * turns), len(scores)))


def _summed(branches: Branches, of_turns: Callable[[NDArray[np.int64], Doubles], Doubles], rows: int) -> Doubles:
    """(N, C) for each label the sum of ``of_turns`` over the inner nodes on its path."""
    classes = len(branches.order)
    sums = np.zeros((rows, len(branches.parents)))
    for nodes in branches.levels:
        above = branches.parents[nodes]
        sums[:, nodes] = sums[:, above] + of_turns(above - classes, branches.signs[nodes])
    found = np.empty((rows, classes))
    found[:, branches.order] = sums[:, :classes]
    return found
