"""Attention of a text that is read from left to right, and its way back, on queries, keys and values where a product left them.

    s_tj = q_t · k_j / √K        j from where t's document begins, to t; no other score is made, but for the rest of a register
    w_t  = softmax(s_t)          c_t = Σ_j w_tj v_j
    dw_tj = dc_t · v_j           ds_tj = w_tj (dw_tj − Σ_i w_ti dw_ti)
    dq_t = Σ_j ds_tj k_j / √K    dk_j = Σ_t ds_tj q_t / √K    dv_j = Σ_t w_tj dc_t

torch would copy queries, keys and values to head after head and make all T² scores, the half that is thrown away among them. Every product
here is one of a few rows with columns that are a multiple of LANES: ``multiply``. Float32 alone; tests compare with ``sublayers.py``.

Shapes: B rows, T units, M = B · T, A heads, K width of a head, S = T rounded up to a multiple of LANES.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined, kernel
from erya.parts.simd import LANES, between, fma, larger, largest, load, minus, spread, spread_from, store, times, total
from erya.parts.squash import power_of_two
from erya.parts.turned import turn_over

ROWS = 4  # of a tile: 4 · 2 registers of sums are in work at once, which hides how long one sum takes
HIDDEN = np.float32(-1e30)
LOG2_E = np.float32(math.log2(math.e))
Floats = NDArray[np.float32]


@inlined
def tile(
    out: Floats,
    row: int,
    column: int,
    left: Floats,
    start: int,
    down: int,
    along: int,
    right: Floats,
    first: int,
    at: int,
    steps: int,
) -> None:
    """ROWS × 2 · LANES numbers of ``multiply``."""
    zero = spread(np.float32(0))
    a, b, c, d, e, f, g, h = zero, zero, zero, zero, zero, zero, zero, zero
    for step in range(steps):
        near, far = load(right, first + step, at), load(right, first + step, at + LANES)
        place = start + step * along
        one = spread_from(left, 0, place)
        a, b = fma(one, near, a), fma(one, far, b)
        one = spread_from(left, 0, place + down)
        c, d = fma(one, near, c), fma(one, far, d)
        one = spread_from(left, 0, place + 2 * down)
        e, f = fma(one, near, e), fma(one, far, f)
        one = spread_from(left, 0, place + 3 * down)
        g, h = fma(one, near, g), fma(one, far, h)
    store(out, row, column, a)
    store(out, row, column + LANES, b)
    store(out, row + 1, column, c)
    store(out, row + 1, column + LANES, d)
    store(out, row + 2, column, e)
    store(out, row + 2, column + LANES, f)
    store(out, row + 3, column, g)
    store(out, row + 3, column + LANES, h)


@inlined
def strip(
    out: Floats,
    row: int,
    column: int,
    left: Floats,
    start: int,
    along: int,
    right: Floats,
    first: int,
    at: int,
    steps: int,
) -> None:
    """1 × LANES numbers of ``multiply``."""
    sums = spread(np.float32(0))
    for step in range(steps):
        sums = fma(spread_from(left, 0, start + step * along), load(right, first + step, at), sums)
    store(out, row, column, sums)


@kernel
def multiply(
    out: Floats,
    row: int,
    column: int,
    rows: int,
    columns: int,
    left: Floats,
    line: int,
    place: int,
    turned: bool,
    right: Floats,
    first: int,
    at: int,
    steps: int,
) -> None:
    """``out[row + i, column + j]`` = Σ_s left[line + i, place + s] · right[first + s, at + j], s < steps.

    Args:
        out: of which a part (rows, columns) is written; columns is a multiple of LANES.
        left: ``turned``: left[line + s, place + i].
        right: (…, …).
    """
    wide = left.shape[1]
    down, along = (1, wide) if turned else (wide, 1)
    for low in range(0, rows, ROWS):
        start = line * wide + place + low * down
        for near in range(0, columns, 2 * LANES):
            if low + ROWS <= rows and near + LANES < columns:
                tile(out, row + low, column + near, left, start, down, along, right, first, at + near, steps)
                continue
            for i in range(min(ROWS, rows - low)):
                for j in range(near, min(near + 2 * LANES, columns), LANES):
                    strip(out, row + low + i, column + j, left, start + i * down, along, right, first, at + j, steps)


@kernel
def look(
    sums: Floats, begins: NDArray[np.int64], tokens: int, heads: int, weights: Floats, context: Floats, turned: Floats
) -> None:
    """Weights and context of all texts and heads.

    Args:
        sums: (M, 3 · A · K), queries, keys and values of all heads side by side.
        begins: (M,) the first unit of its row that a unit sees.
        tokens: T.
        heads: A.
        weights: (B · A · T, S) is written as far as ``look_back`` reads it.
        context: (M, A · K) is written.
        turned: (K, S) of zeros, to work with.
    """
    inner = context.shape[1]
    width = inner // heads
    steep = LOG2_E / np.float32(math.sqrt(width))
    for row in range(0, len(sums), tokens):
        for head in range(heads):
            column = head * width
            turn_over(sums, row, inner + column, tokens, width, turned)
            top = (row // tokens * heads + head) * tokens
            for t in range(0, tokens, ROWS):
                count = min(ROWS, tokens - t)
                low, high = reach(begins, row + t, t, count)
                multiply(
                    weights, top + t, low, count, high - low,
                    sums, row + t, column, False,
                    turned, 0, low, width,
                )  # fmt: skip
                for i in range(t, t + count):
                    soften(weights, top + i, low, high, begins[row + i], i, steep)
                multiply(
                    context, row + t, column, count, width,
                    weights, top + t, low, False,
                    sums, row + low, 2 * inner + column, t + count - low,
                )  # fmt: skip


@kernel
def look_back(
    sums: Floats,
    begins: NDArray[np.int64],
    tokens: int,
    heads: int,
    weights: Floats,
    d_context: Floats,
    d_sums: Floats,
    turned: Floats,
    d_scores: Floats,
) -> None:
    """From the derivative by the context to that by queries, keys and values.

    Args:
        sums: as ``look`` was given them, as are ``begins``, ``tokens`` and ``heads``.
        weights: as ``look`` wrote them.
        d_context: (M, A · K).
        d_sums: (M, 3 · A · K) is written.
        turned: (K, S) of zeros, to work with.
        d_scores: (T, S), to work with.
    """
    inner = d_context.shape[1]
    width = inner // heads
    scale = np.float32(1 / math.sqrt(width))
    for row in range(0, len(sums), tokens):
        for head in range(heads):
            column = head * width
            turn_over(sums, row, 2 * inner + column, tokens, width, turned)
            top = (row // tokens * heads + head) * tokens
            for t in range(0, tokens, ROWS):
                count = min(ROWS, tokens - t)
                low, high = reach(begins, row + t, t, count)
                for i in range(t, t + count):
                    clear(d_scores, i, low)
                multiply(
                    d_scores, t, low, count, high - low,
                    d_context, row + t, column, False,
                    turned, 0, low, width,
                )  # fmt: skip
                for i in range(t, t + count):
                    soften_back(weights, top + i, d_scores, i, low, high, scale)
                multiply(
                    d_sums, row + t, column, count, width,
                    d_scores, t, low, False,
                    sums, row + low, inner + column, t + count - low,
                )  # fmt: skip
            for j in range(0, tokens, ROWS):
                count = min(ROWS, tokens - j)
                multiply(
                    d_sums, row + j, inner + column, count, width,
                    d_scores, j, j, True,
                    sums, row + j, column, tokens - j,
                )  # fmt: skip
                multiply(
                    d_sums, row + j, 2 * inner + column, count, width,
                    weights, top + j, j, True,
                    d_context, row + j, column, tokens - j,
                )  # fmt: skip


@inlined
def reach(begins: NDArray[np.int64], place: int, t: int, count: int) -> tuple[int, int]:
    """From where to where units t … t + count − 1 have scores, in whole registers; none sees further back than the one before it."""
    return begins[place] // LANES * LANES, -(-(t + count) // LANES) * LANES


@inlined
def clear(into: Floats, row: int, low: int) -> None:
    """``into[row, :low] = 0``, of whole registers."""
    for column in range(0, low, LANES):
        store(into, row, column, spread(np.float32(0)))


@inlined
def soften(weights: Floats, row: int, low: int, high: int, begin: int, t: int, steep: np.float32) -> None:
    """Scores ``weights[row, low : high]`` become shares of 1 from ``begin`` to ``t``, and 0 beside them."""
    hidden, zero, one = spread(HIDDEN), spread(np.float32(0)), spread(np.float32(1))
    highest = hidden
    for column in range(low, high, LANES):
        highest = larger(between(load(weights, row, column), begin - column, t - column, hidden), highest)
    most, by = spread(steep * largest(highest)), spread(steep)
    sums = zero
    for column in range(low, high, LANES):
        shares = power_of_two(minus(times(load(weights, row, column), by), most))
        shares = between(shares, begin - column, t - column, zero)
        sums = fma(shares, one, sums)
        store(weights, row, column, shares)
    by = spread(np.float32(1) / total(sums))
    for column in range(low, high, LANES):
        store(weights, row, column, times(load(weights, row, column), by))
    clear(weights, row, low)


@inlined
def soften_back(weights: Floats, row: int, changes: Floats, line: int, low: int, high: int, scale: np.float32) -> None:
    """``changes[line, low : high]``, which are derivatives by the shares, become those by the products of queries and keys."""
    sums = spread(np.float32(0))
    for column in range(low, high, LANES):
        sums = fma(load(weights, row, column), load(changes, line, column), sums)
    mean, by = spread(total(sums)), spread(scale)
    for column in range(low, high, LANES):
        shares = times(load(weights, row, column), by)
        store(changes, line, column, times(shares, minus(load(changes, line, column), mean)))
