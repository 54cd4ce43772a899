"""TextCNN's answer to many texts from a table of shares: what each token adds to each filter at each place of its window.

A row of the table is one token: for each window w in turn, w blocks of F numbers, ``embedding · filters``. A filter's response
is then a sum of w numbers, and nothing is multiplied any more before the output layer. The same convolution and maximum as in
``network.py``; a test compares them. F is padded to a multiple of 16, see ``parts/simd.py``; the padding stays zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined, kernel
from erya.parts.simd import LANES, fma, larger, load, plus, prefetch, spread, store

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

ASKED_FOR = 64  # tokens of the next text whose rows are asked for early


@kernel
def fold(
    embedding: Floats,
    tokens: Integers,
    filters: Floats,
    table: Floats,
    first: int,
) -> None:
    """Fill the rows ``first``, ``first`` + 1, … of the table with the shares of ``tokens``.

    A row's sums run over D in ascending order, whatever is folded beside it: the same bits in any company.

    Args:
        embedding: (V, D)
        tokens: (n,)
        filters: (D, S), S = Σ w·F
        table: (R, S)
        first: the first row.
    """
    count, dim, size = len(tokens), filters.shape[0], filters.shape[1]
    for start in range(0, count, 4):
        # four tokens share each look at the filters; the last ones are folded several times over rather than by other code
        second, third, fourth = min(start + 1, count - 1), min(start + 2, count - 1), min(start + 3, count - 1)
        for column in range(0, size, LANES):
            a = b = c = d = spread(np.float32(0))
            for depth in range(dim):
                weights = load(filters, depth, column)
                a = fma(spread(embedding[tokens[start], depth]), weights, a)
                b = fma(spread(embedding[tokens[second], depth]), weights, b)
                c = fma(spread(embedding[tokens[third], depth]), weights, c)
                d = fma(spread(embedding[tokens[fourth], depth]), weights, d)
            store(table, first + start, column, a)
            store(table, first + second, column, b)
            store(table, first + third, column, c)
            store(table, first + fourth, column, d)


@inlined
def _one(table: Floats, rows: Integers, start: int, stop: int, at: int, width: int) -> Any:
    best = spread(np.float32(0))
    for token in range(start, stop):
        best = larger(load(table, rows[token], at), best)
    return best


@inlined
def _two(table: Floats, rows: Integers, start: int, stop: int, at: int, width: int) -> Any:
    best = a = spread(np.float32(0))
    for token in range(start, stop):
        row = rows[token]
        best = larger(plus(a, load(table, row, at + width)), best)
        a = load(table, row, at)
    return larger(a, best)


@inlined
def _three(table: Floats, rows: Integers, start: int, stop: int, at: int, width: int) -> Any:
    best = a = b = spread(np.float32(0))
    for token in range(start, stop):
        row = rows[token]
        best = larger(plus(a, load(table, row, at + 2 * width)), best)
        a = plus(b, load(table, row, at + width))
        b = load(table, row, at)
    return larger(b, larger(a, best))


@inlined
def _four(table: Floats, rows: Integers, start: int, stop: int, at: int, width: int) -> Any:
    best = a = b = c = spread(np.float32(0))
    for token in range(start, stop):
        row = rows[token]
        best = larger(plus(a, load(table, row, at + 3 * width)), best)
        a = plus(b, load(table, row, at + 2 * width))
        b = plus(c, load(table, row, at + width))
        c = load(table, row, at)
    return larger(c, larger(b, larger(a, best)))


@inlined
def _five(table: Floats, rows: Integers, start: int, stop: int, at: int, width: int) -> Any:
    best = a = b = c = d = spread(np.float32(0))
    for token in range(start, stop):
        row = rows[token]
        best = larger(plus(a, load(table, row, at + 4 * width)), best)
        a = plus(b, load(table, row, at + 3 * width))
        b = plus(c, load(table, row, at + 2 * width))
        c = plus(d, load(table, row, at + width))
        d = load(table, row, at)
    return larger(d, larger(c, larger(b, larger(a, best))))


@inlined
def _more(table: Floats, rows: Integers, start: int, stop: int, at: int, width: int, window: int) -> Any:
    best = spread(np.float32(0))
    for place in range(start - window + 1, stop):  # the window's first token, maybe before the text
        begin, end = max(place, start), min(place + window, stop)
        column = at + (begin - place) * width
        response = load(table, rows[begin], column)
        for token in range(begin + 1, end):
            column += width
            response = plus(response, load(table, rows[token], column))
        best = larger(response, best)
    return best


@kernel
def strongest(
    table: Floats,
    rows: Integers,
    starts: Integers,
    stops: Integers,
    windows: Integers,
    width: int,
    found: Floats,
) -> None:
    """Each filter's greatest response in each text, its threshold not added.

    The window that holds nothing but padding has the response 0, with which every maximum begins; windows that hang over an end
    are sums of fewer shares. Sixteen filters go through a text at a time, and the windows that are not yet complete (a, b, c, d
    above, the one that began first is a) stay in registers: each share is read once. Wider windows are summed one by one.

    Args:
        table: (R, S)
        rows: (M,) the row of each token.
        starts: (N,) the first token of each text.
        stops: (N,) behind its last.
        windows: (W,) the widths w.
        width: F.
        found: (N, W·F), filled.
    """
    for text in range(len(starts)):
        start, stop = starts[text], stops[text]
        if text + 1 < len(starts):  # the rows of the next text are on their way while this one is summed
            for token in range(starts[text + 1], min(stops[text + 1], starts[text + 1] + ASKED_FOR)):
                for column in range(0, table.shape[1], LANES):
                    prefetch(table, rows[token], column)
        offset = 0  # of the window's blocks in a row
        for number in range(len(windows)):
            window = windows[number]
            for column in range(0, width, LANES):
                at = offset + column
                if window == 3:
                    best = _three(table, rows, start, stop, at, width)
                elif window == 4:
                    best = _four(table, rows, start, stop, at, width)
                elif window == 5:
                    best = _five(table, rows, start, stop, at, width)
                elif window == 2:
                    best = _two(table, rows, start, stop, at, width)
                elif window == 1:
                    best = _one(table, rows, start, stop, at, width)
                else:
                    best = _more(table, rows, start, stop, at, width, window)
                store(found, text, number * width + column, best)
            offset += window * width


@kernel
def answer(
    features: Floats,
    output: Floats,
    logits: Floats,
) -> None:
    """Add features (N, H) · output (H, C) to the logits (N, C), each sum in the order of the features; C a multiple of 16."""
    hidden, classes = output.shape
    for text in range(len(features)):
        for column in range(0, classes, LANES):
            sums = load(logits, text, column)
            for unit in range(hidden):
                value = features[text, unit]
                if value != 0:
                    sums = fma(spread(value), load(output, unit, column), sums)
            store(logits, text, column, sums)
