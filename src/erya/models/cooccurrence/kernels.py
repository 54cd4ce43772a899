"""The mathematics of this room as Numba functions: arrays in, arrays out. ``reference.py`` says the same in plain NumPy.

    weigh      counts → PMI or PPMI, entry by entry
    multiply   M · R for a sparse M and a dense R: what the SVD spends its time on

Each row of a result is computed by one thread, in one order: the same bits for any number of threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.simd import LANES, fma, load, prefetch, spread, store

AHEAD = 4  # entries whose row of R is asked for in advance
LINE = 16  # floats in a cache line

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@kernel
def weigh(
    starts: Integers,
    columns: NDArray[np.int32],
    values: Floats,
    rows: NDArray[np.float64],
    contexts: NDArray[np.float64],
    shift: float,
    positive: bool,
    first: int,
    last: int,
) -> None:
    """Rows ``first`` to ``last``, in place: x → ln x − rows[i] − contexts[j] − shift, and 0 where that is below and ``positive``.

    Args:
        starts: (V + 1,) where each row begins.
        columns: (E,).
        values: (E,) counts; afterwards PMI.
        rows: (V,) ln Σ_j X_ij.
        contexts: (V,) ln of each context's probability.
        shift: ln k.
        positive: PPMI.
        first: row.
        last: row.
    """
    for row in range(first, last):
        for place in range(starts[row], starts[row + 1]):
            pmi = np.log(np.float64(values[place])) - rows[row] - contexts[columns[place]] - shift
            values[place] = max(pmi, 0.0) if positive else pmi


@kernel
def drop_zeros(
    starts: Integers, columns: NDArray[np.int32], values: Floats, fewer: Integers, first: int, last: int
) -> None:
    """Move what is not 0 in rows ``first`` to ``last`` to the front; ``fewer`` (V + 1,) takes the new starts."""
    end = fewer[first]
    for row in range(first, last):
        for place in range(starts[row], starts[row + 1]):
            if values[place] != 0:
                columns[end] = columns[place]
                values[end] = values[place]
                end += 1
        fewer[row + 1] = end


@kernel
def transpose(
    starts: Integers,
    columns: NDArray[np.int32],
    values: Floats,
    cursor: Integers,
    to_columns: NDArray[np.int32],
    to_values: Floats,
    first: int,
    last: int,
) -> None:
    """Write rows ``first`` to ``last`` as columns; ``cursor`` (V,) says where each column goes on. Rows stay in order."""
    for row in range(first, last):
        for place in range(starts[row], starts[row + 1]):
            target = cursor[columns[place]]
            cursor[columns[place]] += 1
            to_columns[target] = row
            to_values[target] = values[place]


@kernel
def multiply(
    starts: Integers, columns: NDArray[np.int32], values: Floats, right: Floats, out: Floats, first: int, last: int
) -> None:
    """``out[first:last] = M[first:last] @ right``; the width of ``right`` is a multiple of 2 LANES.

    64 columns at a time stay in registers while a row's entries go by; a rest of 32 has a loop of its own.
    """
    width, final = right.shape[1], len(columns) - 1
    wide = width // (4 * LANES) * (4 * LANES)
    for row in range(first, last):
        for k in range(0, wide, 4 * LANES):
            a = b = c = d = spread(np.float32(0))
            for place in range(starts[row], starts[row + 1]):
                ahead = columns[min(place + AHEAD, final)]
                for line in range(k, k + 4 * LANES, LINE):
                    prefetch(right, ahead, line)
                value, column = spread(values[place]), columns[place]
                a = fma(value, load(right, column, k), a)
                b = fma(value, load(right, column, k + LANES), b)
                c = fma(value, load(right, column, k + 2 * LANES), c)
                d = fma(value, load(right, column, k + 3 * LANES), d)
            store(out, row, k, a)
            store(out, row, k + LANES, b)
            store(out, row, k + 2 * LANES, c)
            store(out, row, k + 3 * LANES, d)
        if wide < width:
            a = b = spread(np.float32(0))
            for place in range(starts[row], starts[row + 1]):
                ahead = columns[min(place + AHEAD, final)]
                prefetch(right, ahead, wide)
                prefetch(right, ahead, wide + LANES)
                value, column = spread(values[place]), columns[place]
                a = fma(value, load(right, column, wide), a)
                b = fma(value, load(right, column, wide + LANES), b)
            store(out, row, wide, a)
            store(out, row, wide + LANES, b)
