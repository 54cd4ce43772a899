"""From lines of rows to the best labels, as the original program answers: Numba functions, many lines at once.

    hidden = mean of the line's input rows      h = 1/n Σ A[r]                               (D,)
    softmax    p = softmax(B h)                 ns, ova   p_c = σ(B_c h), each label by itself   (C,)
    hs         p_c = Π σ(±B_n h) over the nodes n on the label's path, found by a search from the root

Scores are ln(p + 10⁻⁵), so a probability may come out as 1.00001; σ of ns and ova is read from a table of 513 places. Both are the
original's, and so is the order of labels with the same score, which is that of its binary heap. Not here: encoding, files.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined, kernel
from erya.parts.simd import CACHE_LINE, LANES, load, plus, prefetch, spread, store, times

SIGMOID_PLACES, SIGMOID_END = 512, 8
SOFTMAX, SIGMOID = range(2)

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]
Longs = NDArray[np.int64]
Int = Any  # int64 inside Numba, int where Python calls

_LARGEST = np.float32(3e38)
_AHEAD = 32  # rows that are asked for before they are read


def sigmoid_table() -> Any:
    """σ at 513 places from −8 to 8."""
    places = (
        np.arange(SIGMOID_PLACES + 1, dtype=np.float32) * np.float32(2 * SIGMOID_END / SIGMOID_PLACES) - SIGMOID_END
    )
    powers = np.exp(-places, dtype=np.float64).astype(np.float32)  # as C++ has them
    return (1.0 / (1.0 + powers.astype(np.float64))).astype(np.float32)


@inlined
def ask(matrix: Any, row: Any) -> Any:
    """Ask for a row: every cache line it touches."""
    for column in range(0, matrix.shape[1], CACHE_LINE):
        prefetch(matrix, row, column)
    prefetch(matrix, row, matrix.shape[1] - 1)


@kernel
def means(input: Floats, rows: Ids, starts: Longs, first: Int, last: Int, hidden: Floats) -> None:
    """The mean of each line's rows, for the lines from ``first`` to ``last``; zeros where there are none."""
    if input.shape[1] <= LANES and input.size >= LANES:
        narrow_means(input, rows, starts, first, last, hidden)
        return
    width, end_of_all = input.shape[1], starts[last]
    for line in range(first, last):
        here = hidden[line]
        here[:] = np.float32(0.0)
        begin, end = starts[line], starts[line + 1]
        for place in range(begin, end):
            if place + _AHEAD < end_of_all:
                ask(input, np.int64(rows[place + _AHEAD]))
            row = input[rows[place]]
            for k in range(width):
                here[k] += row[k]
        if end > begin:
            share = np.float32(1.0 / (end - begin))
            for k in range(width):
                here[k] *= share


@kernel
def narrow_means(input: Floats, rows: Ids, starts: Longs, first: Int, last: Int, hidden: Floats) -> None:
    """The same for rows that fit into one register: their sum stays there. What it reads behind a row is not used."""
    width = input.shape[1]
    whole = (input.size - LANES) // width  # behind later rows there is too little to read
    room = np.zeros((1, LANES), dtype=np.float32)
    for line in range(first, last):
        begin, end = starts[line], starts[line + 1]
        sum = spread(np.float32(0.0))
        for place in range(begin, end):
            row = np.int64(rows[place])
            if row <= whole:
                sum = plus(sum, load(input, row, 0))
            else:
                room[0, :width] = input[row]
                sum = plus(sum, load(room, 0, 0))
        store(room, 0, 0, times(sum, spread(np.float32(1.0 / max(1, end - begin)))))
        for k in range(width):
            hidden[line, k] = room[0, k]


@kernel
def sums(input: Floats, rows: Ids, starts: Longs, out: Floats) -> None:
    """The sum of each word's rows."""
    width = input.shape[1]
    for word in range(len(out)):
        here = out[word]
        here[:] = np.float32(0.0)
        for place in range(starts[word], starts[word + 1]):
            row = input[rows[place]]
            for k in range(width):
                here[k] += row[k]


@kernel
def folded_means(
    input: Floats, words: Floats, sizes: Ids, rows: Ids, starts: Longs, first: Int, last: Int, hidden: Floats
) -> None:
    """As ``means``, for lines where a known word stands for its n-grams, too.

    Args:
        input: (R, D).
        words: (V, D) the sum of each word's rows.
        sizes: (V,) how many they are.
        rows: of all lines; those below V are words.
        starts: (N + 1,) where each line's begin.
        first: the first line.
        last: one past the last.
        hidden: (N, D) filled in.
    """
    width, known, end_of_all = input.shape[1], len(words), starts[last]
    for line in range(first, last):
        here = hidden[line]
        here[:] = np.float32(0.0)
        count = np.int64(0)
        for place in range(starts[line], starts[line + 1]):
            if place + _AHEAD < end_of_all:
                later = np.int64(rows[place + _AHEAD])
                if later < known:
                    ask(words, later)
                else:
                    ask(input, later)
            number = rows[place]
            if number < known:
                row = words[number]
                count += sizes[number]
            else:
                row = input[number]
                count += 1
            for k in range(width):
                here[k] += row[k]
        if count > 0:
            share = np.float32(1.0 / count)
            for k in range(width):
                here[k] *= share


# ---- a binary heap with the least score in front, and the original's order of equals ---------------------------------


@inlined
def rise(scores: Floats, labels: Ids, hole: Any, score: Any, label: Any) -> None:
    """Put an entry into the hole, or above it, where parents are larger."""
    while hole > 0 and scores[(hole - 1) // 2] > score:
        scores[hole], labels[hole] = scores[(hole - 1) // 2], labels[(hole - 1) // 2]
        hole = (hole - 1) // 2
    scores[hole], labels[hole] = score, label


@kernel
def drop(scores: Floats, labels: Ids, size: Int) -> None:
    """Move the least entry of ``size`` to the end, the others stay a heap: the hole sinks to a leaf, then an entry rises."""
    size -= 1
    score, label = scores[size], labels[size]
    scores[size], labels[size] = scores[0], labels[0]
    hole = 0
    while 2 * hole + 2 < size:
        child = 2 * hole + 2
        if scores[child] > scores[child - 1]:
            child -= 1
        scores[hole], labels[hole] = scores[child], labels[child]
        hole = child
    if 2 * hole + 1 < size:
        scores[hole], labels[hole] = scores[2 * hole + 1], labels[2 * hole + 1]
        hole = 2 * hole + 1
    rise(scores, labels, hole, score, label)


@kernel
def offer(scores: Floats, labels: Ids, size: Int, most: Int, score: Any, label: Int) -> Int:
    """Add an entry; of more than ``most`` the least goes. How many there are. There is room for one more than ``most``."""
    rise(scores, labels, size, score, label)
    size += 1
    if size > most:
        drop(scores, labels, size)
        size -= 1
    return size


@kernel
def settle(scores: Floats, labels: Ids, size: Int, out_scores: Floats, out_labels: Ids) -> None:
    """Write the entries, the largest score first."""
    for left in range(size, 1, -1):
        drop(scores, labels, left)
    for place in range(size):
        out_scores[place], out_labels[place] = scores[place], labels[place]


# ---- losses ------------------------------------------------------------------------------------------------------


@inlined
def log_score(p: Any) -> Any:
    """ln(p + 10⁻⁵) in float64, kept as float32."""
    return np.float32(np.log(np.float64(p) + 1e-5))


@kernel
def best(  # noqa: C901  (one loop over lines, four small steps in each)
    hidden: Floats,
    starts: Longs,
    across: Floats,
    kind: Int,
    table: Floats,
    first: Int,
    last: Int,
    most: Int,
    threshold: Any,
    scores: Floats,
    labels: Ids,
    counts: Longs,
) -> Int:
    """The best labels of lines by softmax or by σ of each label.

    Args:
        hidden: (N, D).
        starts: (N + 1,) where each line's rows begin; a line without rows has no answer.
        across: (D, C) the output matrix turned, so that all labels are scored at once.
        kind: SOFTMAX or SIGMOID.
        table: σ, see ``sigmoid_table``.
        first: the first line.
        last: one past the last.
        most: K, how many labels at most.
        threshold: least probability.
        scores: (N, K) filled in, the largest first.
        labels: (N, K) filled in.
        counts: (N,) how many there are.

    Returns:
        −1, or a line whose scores are not finite.
    """
    width, classes = across.shape
    output = np.zeros(classes, dtype=np.float32)
    heap_scores, heap_labels = np.zeros(most + 1, dtype=np.float32), np.zeros(most + 1, dtype=np.int32)
    for line in range(first, last):
        counts[line] = 0
        if starts[line] == starts[line + 1] or classes == 0:
            continue
        output[:] = np.float32(0.0)
        for k in range(width):
            x, row = hidden[line, k], across[k]
            for c in range(classes):
                output[c] += x * row[c]
        largest, total, sound = output[0], np.float32(0.0), True
        for c in range(classes):
            sound &= abs(output[c]) < _LARGEST  # false for nan, too
            largest = max(largest, output[c])
        if not sound:
            return np.int64(line)
        if kind == SOFTMAX:
            for c in range(classes):
                output[c] = np.exp(output[c] - largest)
                total += output[c]
            for c in range(classes):
                output[c] /= total
        else:
            for c in range(classes):
                x = output[c]
                if x < -SIGMOID_END:
                    output[c] = np.float32(0.0)
                elif x > SIGMOID_END:
                    output[c] = np.float32(1.0)
                else:
                    output[c] = table[np.int64((x + np.float32(SIGMOID_END)) * np.float32(32.0))]
        size, enough = 0, np.float32(-1.0)
        for c in range(classes):
            p = output[c]
            if p < threshold or p < enough:
                continue
            score = log_score(p)
            if size == most and score < heap_scores[0]:
                continue
            size = offer(heap_scores, heap_labels, size, most, score, c)
            if size == most:  # clearly below the least that is kept: not worth its logarithm
                enough = np.float32(0.999 * (np.exp(np.float64(heap_scores[0])) - 1e-5) - 1e-7)
        settle(heap_scores, heap_labels, size, scores[line], labels[line])
        counts[line] = size
    return np.int64(-1)


@inlined
def dot(left: Floats, right: Floats) -> Any:
    """The product of two vectors, summed from the first number to the last, as the original does: scores of a tree add up."""
    total = np.float32(0.0)
    for k in range(len(left)):
        total += left[k] * right[k]
    return total


@kernel
def best_by_tree(
    hidden: Floats,
    starts: Longs,
    output: Floats,
    left: Ids,
    right: Ids,
    first: Int,
    last: Int,
    most: Int,
    threshold: Any,
    scores: Floats,
    labels: Ids,
    counts: Longs,
) -> Int:
    """The best labels of lines by hierarchical softmax: depth first, left before right, branches that cannot win left out.

    Args:
        hidden: (N, D).
        starts: (N + 1,) where each line's rows begin.
        output: (C, D) the nodes' rows; node n of the tree has row n − C.
        left: (2C − 1,) left children, −1 for labels.
        right: likewise.
        first: the first line.
        last: one past the last.
        most: K.
        threshold: least probability.
        scores: (N, K) filled in.
        labels: (N, K) filled in.
        counts: (N,) filled in.

    Returns:
        −1, or a line whose scores are not finite.
    """
    classes = len(output)
    heap_scores, heap_labels = np.zeros(most + 1, dtype=np.float32), np.zeros(most + 1, dtype=np.int32)
    nodes, sums = np.zeros(classes + 1, dtype=np.int64), np.zeros(classes + 1, dtype=np.float32)
    least = log_score(threshold)
    for line in range(first, last):
        counts[line] = 0
        if starts[line] == starts[line + 1] or classes == 0:
            continue
        size, waiting = 0, 1
        nodes[0], sums[0] = 2 * classes - 2, np.float32(0.0)
        while waiting:
            waiting -= 1
            node, score = nodes[waiting], sums[waiting]
            if score < least or (size == most and score < heap_scores[0]):
                continue
            if left[node] < 0:
                size = offer(heap_scores, heap_labels, size, most, score, node)
                continue
            x = dot(output[node - classes], hidden[line])
            if not abs(x) < _LARGEST:
                return np.int64(line)
            f = np.float32(1.0 / (np.float32(1.0) + np.exp(-x)))
            nodes[waiting], sums[waiting] = right[node], score + log_score(f)
            other = np.float32(1.0 - np.float64(f))
            nodes[waiting + 1], sums[waiting + 1] = left[node], score + log_score(other)
            waiting += 2
        settle(heap_scores, heap_labels, size, scores[line], labels[line])
        counts[line] = size
    return np.int64(-1)
