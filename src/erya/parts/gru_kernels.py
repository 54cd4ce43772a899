"""A GRU's step and the way back in one pass over the numbers, where torch would take ten. Equations: ``gru_cell.py``.

Shapes as there, R readers × n rows; all arrays are C-contiguous float32. Loops are short and alike, so that a compiler turns each into
vector instructions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.squash import logistic

Floats = NDArray[np.float32]
ONE, TWO = np.float32(1), np.float32(2)


@kernel
def step(sums: Floats, said: Floats, before: Floats, hidden: Floats) -> None:
    """The gates r and u and the candidate k into ``sums``, h into ``hidden``.

    Args:
        sums: x W + b, (R, n, 3H).
        said: h W', (R, n, 3H).
        before: h before the step, (R, n, H).
        hidden: (R, n, H).
    """
    readers, rows, width = before.shape
    for reader in range(readers):
        for row in range(rows):
            found, more, memory = sums[reader, row], said[reader, row], before[reader, row]
            h = hidden[reader, row]
            for column in range(2 * width):
                found[column] = logistic(found[column] + more[column])
            r, u, k = found[:width], found[width : 2 * width], found[2 * width :]
            candidate = more[2 * width :]
            for unit in range(width):
                k[unit] = TWO * logistic(TWO * (k[unit] + r[unit] * candidate[unit])) - ONE
            for unit in range(width):
                h[unit] = k[unit] + u[unit] * (memory[unit] - k[unit])


@kernel
def back(
    d_hidden: Floats, found: Floats, said: Floats, before: Floats, d_sums: Floats, d_said: Floats, d_before: Floats
) -> None:
    """Derivatives by the sums into ``d_sums``, by h W' into ``d_said``, by the h that is taken over into ``d_before``.

    Args:
        d_hidden: by h after the step, (R, n, H).
        found, said, before: what ``step`` left behind.
        d_sums, d_said: (R, n, 3H).
        d_before: (R, n, H).
    """
    readers, rows, width = before.shape
    for reader in range(readers):
        for row in range(rows):
            d_h, h, given, kept = d_hidden[reader, row], before[reader, row], found[reader, row], d_before[reader, row]
            r, u, k = given[:width], given[width : 2 * width], given[2 * width :]
            candidate = said[reader, row, 2 * width :]
            by_sums, by_said = d_sums[reader, row], d_said[reader, row]
            d_r, d_u, d_k = by_sums[:width], by_sums[width : 2 * width], by_sums[2 * width :]
            for unit in range(width):
                kept[unit] = d_h[unit] * u[unit]
            for unit in range(width):
                d_k[unit] = (d_h[unit] - kept[unit]) * (ONE - k[unit] * k[unit])
            for unit in range(width):
                d_r[unit] = d_k[unit] * candidate[unit] * r[unit] * (ONE - r[unit])
            for unit in range(width):
                d_u[unit] = d_h[unit] * (h[unit] - k[unit]) * u[unit] * (ONE - u[unit])
            for column in range(2 * width):
                by_said[column] = by_sums[column]
            for unit in range(width):
                by_said[2 * width + unit] = d_k[unit] * r[unit]
