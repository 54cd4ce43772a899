"""The tree of hierarchical softmax as the original program builds it: from the labels' counts, anew at every load.

A model file holds no tree, only the counts; the rows of the output matrix are the tree's inner nodes. So a tree that differs in a
single tie would read another model's answers out of the same numbers. The rules: the two lightest nodes merge; of
labels only the last of those left is looked at (they stand most frequent first); where it is as heavy as the lightest inner
node, the inner node goes first. (``parts/huffman.py`` decides ties the other way, as word2vec does.)

Inner node n is row n of the output; the root is the last, C − 2. A label's path goes from the leaf to the root. At each node the
code says on which side it came from: 1: the second, heavier one, whose probability is σ(node · hidden).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel

NOTHING = 1 << 62  # heavier than any count


class Tree(NamedTuple):
    """C labels are nodes 0 … C − 1; inner nodes follow, the root last. All arrays (2C − 1,)."""

    parents: NDArray[np.int32]  # −1: the root's
    left: NDArray[np.int32]  # −1: a label's
    right: NDArray[np.int32]


class LabelPaths(NamedTuple):
    """Where each label stands: label c owns places starts[c] … starts[c + 1] − 1 of the other two."""

    starts: NDArray[np.int64]  # (C + 1,)
    nodes: NDArray[np.int32]  # rows of the output matrix, from the leaf up
    codes: NDArray[np.uint8]  # 1: the label lies on the right side of the node


@kernel
def label_tree(counts: NDArray[np.int64]) -> Tree:
    """The tree over labels in the order of the dictionary; one label is a root without inner nodes."""
    size = len(counts)
    whole = max(1, 2 * size - 1)
    weights = np.full(whole + 1, NOTHING, np.int64)
    weights[:size] = counts
    parents, left, right = np.full(whole, -1, np.int32), np.full(whole, -1, np.int32), np.full(whole, -1, np.int32)
    leaf, inner = size - 1, size
    for made in range(size, 2 * size - 1):
        first = second = 0
        for side in range(2):
            if leaf >= 0 and weights[leaf] < weights[inner]:
                lightest = leaf
                leaf -= 1
            else:
                lightest = inner
                inner += 1
            if side == 0:
                first = lightest
            else:
                second = lightest
        left[made], right[made] = first, second
        parents[first], parents[second] = made, made
        weights[made] = weights[first] + weights[second]
    return Tree(parents, left, right)


@kernel
def label_paths(tree: Tree) -> LabelPaths:
    """Every label's way to the root."""
    size = (len(tree.parents) + 1) // 2
    starts = np.zeros(size + 1, np.int64)
    depths = np.zeros(len(tree.parents), np.int64)
    for node in range(2 * size - 3, -1, -1):  # parents have higher numbers, so they are known before
        depths[node] = depths[tree.parents[node]] + 1
    for label in range(size):
        starts[label + 1] = starts[label] + depths[label]
    nodes, codes = np.zeros(starts[size], np.int32), np.zeros(starts[size], np.uint8)
    for label in range(size):
        here = label
        for place in range(starts[label], starts[label + 1]):
            above = tree.parents[here]
            nodes[place] = above - size
            codes[place] = tree.right[above] == here
            here = above
    return LabelPaths(starts, nodes, codes)
