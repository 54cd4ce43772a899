"""Co-occurrence counting as Numba functions: arrays in, arrays out. What is counted, and why this way: ``counting.py``.

Two steps. ``tally`` and ``place`` turn the text around: for each word, the list of its positions (a counting sort).
``count_rows`` then goes through one word's positions at a time and adds the weights of its neighbours into an array with a place
for every word. All sums are of whole numbers, so no order of additions changes a bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.simd import prefetch

AHEAD = 12  # positions whose neighbourhood is asked for in advance
BITS = 6  # 64 columns have one word of marks, 64 of those words one word above them

Integers = NDArray[np.int64]
_instruction: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic


@_instruction
def trailing_zeros(typing: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set; ``bits`` is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero_is_undefined = context.get_constant(types.boolean, True)
        return builder.cttz(arguments[0], zero_is_undefined)

    return types.uint64(types.uint64), generate


class Window(NamedTuple):
    """Who is a neighbour, and how much it counts."""

    weights: Integers  # (window + 1,) by distance; [0] is not used
    left: int  # how far the window reaches back
    right: int  # and ahead
    unit: float  # what a weight of 1 stands for


class Desk(NamedTuple):
    """One thread's working room."""

    sums: Integers  # (V,) of the row at hand; zeros between rows
    touched: NDArray[np.int32]  # (V + 1,) columns whose sum is not 0, in the order of their appearance
    marks: NDArray[np.uint64]  # a bit a column
    summary: NDArray[np.uint64]  # a bit a word of marks
    cursor: Integers  # (4,) row, place among the positions, length of touched, length of columns


class Rows(NamedTuple):
    """Finished rows, one after the other."""

    columns: NDArray[np.int32]
    values: NDArray[Any]
    lengths: Integers  # one a row


@kernel
def tally(ids: NDArray[np.int32], first: int, last: int, counts: Integers) -> None:
    """``counts[w]`` += how often w stands in ``ids[first:last]``."""
    for place in range(first, last):
        word = ids[place]
        if word >= 0:
            counts[word] += 1


@kernel
def place(
    ids: NDArray[np.int32], first: int, last: int, low: int, high: int, cursor: Integers, positions: NDArray[Any]
) -> None:
    """Write each position of the words ``low`` to ``high`` in ``ids[first:last]`` to where the word's ``cursor`` stands."""
    for position in range(first, last):
        word = ids[position]
        if low <= word < high:
            positions[cursor[word - low]] = position
            cursor[word - low] += 1


@kernel
def add_neighbours(ids: NDArray[np.int32], position: int, window: Window, desk: Desk, found: int) -> int:
    """Add the weights of the neighbours of one position; returns how many columns are touched by now.

    Written without a branch on what is new: the next free place of ``touched`` is overwritten until it is kept.
    """
    sums, touched, weights = desk.sums, desk.touched, window.weights
    for distance in range(1, min(window.right, len(ids) - 1 - position) + 1):
        word = ids[position + distance]
        if word < 0:
            break
        touched[found] = word
        found += sums[word] == 0
        sums[word] += weights[distance]
    for distance in range(1, min(window.left, position) + 1):
        word = ids[position - distance]
        if word < 0:
            break
        touched[found] = word
        found += sums[word] == 0
        sums[word] += weights[distance]
    return found


@kernel
def close_row(desk: Desk, found: int, unit: float, rows: Rows, end: int) -> int:
    """Move the sums to ``rows``, by column, and clear the desk; returns the new end.

    Columns come out in order without a comparison: marked in a bitmap, read from the bitmap.
    """
    marks, summary = desk.marks, desk.summary
    one = np.uint64(1)
    for place in range(found):
        column = np.uint64(desk.touched[place])
        word = column >> np.uint64(BITS)
        marks[word] |= one << (column & np.uint64(63))
        summary[word >> np.uint64(BITS)] |= one << (word & np.uint64(63))
    for top in range(len(summary)):
        above = summary[top]
        summary[top] = 0
        while above != 0:
            word = (np.uint64(top) << np.uint64(BITS)) | trailing_zeros(above)
            above &= above - one
            bits = marks[word]
            marks[word] = 0
            while bits != 0:
                column = (word << np.uint64(BITS)) | trailing_zeros(bits)
                bits &= bits - one
                rows.columns[end] = column
                rows.values[end] = desk.sums[column] * unit
                desk.sums[column] = 0
                end += 1
    return end


@kernel
def count_rows(
    ids: NDArray[np.int32],
    grid: NDArray[np.int32],
    positions: NDArray[Any],
    starts: Integers,
    first: int,
    last: int,
    window: Window,
    desk: Desk,
    rows: Rows,
    budget: int,
) -> bool:
    """Rows ``first`` to ``last``, from where ``desk.cursor`` stands, for at most ``budget`` positions. True: all are done.

    ``grid`` is ``ids`` as a matrix of one row (for ``prefetch``); word w has ``positions[starts[w]:starts[w + 1]]``.
    """
    row, at, found, end = desk.cursor[0], desk.cursor[1], desk.cursor[2], desk.cursor[3]
    stop = at + budget
    final = len(positions) - 1
    while row < last:
        here = min(starts[row + 1], stop)
        while at < here:
            ahead = positions[min(at + AHEAD, final)]
            prefetch(grid, 0, ahead - window.left)
            prefetch(grid, 0, ahead + window.right)
            found = add_neighbours(ids, positions[at], window, desk, found)
            at += 1
        if at < starts[row + 1]:
            break
        before = end
        end = close_row(desk, found, window.unit, rows, end)
        rows.lengths[row - first] = end - before
        row, found = row + 1, 0
    desk.cursor[0], desk.cursor[1], desk.cursor[2], desk.cursor[3] = row, at, found, end
    return bool(row == last)


@kernel
def strongest(
    starts: Integers,
    columns: NDArray[np.int32],
    values: NDArray[Any],
    sums: NDArray[np.float64],
    most: int,
    first: int,
    last: int,
    scores: NDArray[np.float64],
    places: Integers,
    found: Integers,
) -> None:
    """Of rows ``first`` to ``last`` the ``most`` entries with the greatest x · ln(x Σ / (row sum · column sum)).

    ``places`` (last − first, most) takes their places, the best first, ``found`` (last − first,) how many there are;
    ``scores`` (most,) is scratch. Of equal entries the first stays.
    """
    everything = sums.sum()
    for row in range(first, last):
        line, number = row - first, 0
        for place in range(starts[row], starts[row + 1]):
            x = np.float64(values[place])
            score = x * np.log(x * everything / (sums[row] * sums[columns[place]]))
            if number == most and score <= scores[most - 1]:
                continue
            at = min(number, most - 1)
            number = min(number + 1, most)
            while at > 0 and scores[at - 1] < score:
                scores[at], places[line, at] = scores[at - 1], places[line, at - 1]
                at -= 1
            scores[at], places[line, at] = score, place
        found[line] = number
