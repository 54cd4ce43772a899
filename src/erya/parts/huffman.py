"""Huffman's tree: the two lightest nodes merge, again and again, so that frequent words end near the root.

Huffman 1952, "A method for the construction of minimum-redundancy codes"; for hierarchical softmax: Morin & Bengio 2005,
Mikolov et al. 2013. Ties: words before inner nodes, then the rarer word of the list's end, then the older inner node.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Paths(NamedTuple):
    """The way from the root to every word.

    Attributes:
        starts: (V + 1,) word w owns places starts[w] … starts[w + 1] − 1 of the other two.
        nodes: inner nodes from the root down; the root is number V − 2, of V − 1.
        turns: 0: left, towards the lighter side; 1: right.
    """

    starts: NDArray[np.int64]
    nodes: NDArray[np.int32]
    turns: NDArray[np.uint8]


def huffman(counts: NDArray[np.int64]) -> Paths:
    """The paths for V words, in any order of counts. One word has the empty path."""
    size = len(counts)
    parents, sides = _merged(counts)
    depths = np.zeros(2 * size - 1, dtype=np.int64)
    for node in range(2 * size - 3, -1, -1):  # parents have higher numbers, so they are known before
        depths[node] = depths[parents[node]] + 1
    starts = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(depths[:size], out=starts[1:])
    nodes, turns = np.zeros(starts[-1], dtype=np.int32), np.zeros(starts[-1], dtype=np.uint8)
    here, place = np.arange(size), starts[1:] - 1
    on_the_way = np.flatnonzero(depths[:size] > 0)
    while len(on_the_way):  # all words climb one level at a time
        turns[place[on_the_way]] = sides[here[on_the_way]]
        here[on_the_way] = parents[here[on_the_way]]
        nodes[place[on_the_way]] = here[on_the_way] - size
        place[on_the_way] -= 1
        on_the_way = on_the_way[place[on_the_way] >= starts[on_the_way]]
    return Paths(starts, nodes, turns)


def _merged(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Parent and side of each node: words 0 … V − 1, inner nodes from V on, the root last.

    Inner nodes come into being by weight, so the lightest of them is always the oldest: two queues are enough.
    """
    size = len(counts)
    parents, sides = np.zeros(2 * size - 1, dtype=np.int64), np.zeros(2 * size - 1, dtype=np.uint8)
    leaves = np.lexsort((-np.arange(size), counts)).tolist()  # lightest first
    weights = [*counts.tolist(), *[0] * (size - 1)]
    leaf, inner = 0, size
    for made in range(size, 2 * size - 1):
        for side in (0, 1):
            if leaf < size and (inner >= made or weights[leaves[leaf]] <= weights[inner]):
                lightest = leaves[leaf]
                leaf += 1
            else:
                lightest = inner
                inner += 1
            parents[lightest], sides[lightest] = made, side
            weights[made] += weights[lightest]
    return parents, sides
