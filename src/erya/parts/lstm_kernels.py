"""An LSTM's step and the way back in one pass over the numbers, where torch would take fifteen. Equations: ``lstm_cell.py``.

Shapes as there, R readers × n rows; all arrays are C-contiguous float32. Loops are short and alike, so that a compiler turns each into
vector instructions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.squash import logistic

Floats = NDArray[np.float32]
ONE, TWO, FOUR = np.float32(1), np.float32(2), np.float32(4)


@kernel
def step(sums: Floats, said: Floats, before: Floats, new: Floats, bent: Floats, hidden: Floats) -> None:
    """The four gates into ``sums``, c into ``new``, q into ``bent``, h into ``hidden``.

    Args:
        sums: x W + b, (R, n, 4H).
        said: h W', (R, n, 4H).
        before: c before the step, (R, n, H).
        new, bent, hidden: (R, n, H).
    """
    readers, rows, width = before.shape
    for reader in range(readers):
        for row in range(rows):
            gates, more, memory = sums[reader, row], said[reader, row], before[reader, row]
            cell, q, h = new[reader, row], bent[reader, row], hidden[reader, row]
            for column in range(4 * width):
                gates[column] = logistic(gates[column] + more[column])
            i, f, o, s = gates[:width], gates[width : 2 * width], gates[2 * width : 3 * width], gates[3 * width :]
            for unit in range(width):
                cell[unit] = f[unit] * memory[unit] + i[unit] * (TWO * s[unit] - ONE)
            for unit in range(width):
                q[unit] = logistic(TWO * cell[unit])
                h[unit] = o[unit] * (TWO * q[unit] - ONE)


@kernel
def back(
    d_hidden: Floats, d_cell: Floats, gates: Floats, before: Floats, bent: Floats, d_sums: Floats, d_before: Floats
) -> None:
    """Derivatives by the sums into ``d_sums``, by c before the step into ``d_before``.

    Args:
        d_hidden, d_cell: by h and c after the step, (R, n, H).
        gates, before, bent: what ``step`` left behind.
        d_sums: (R, n, 4H).
        d_before: (R, n, H).
    """
    readers, rows, width = before.shape
    for reader in range(readers):
        for row in range(rows):
            d_h, d_c, q = d_hidden[reader, row], d_cell[reader, row], bent[reader, row]
            c, given, found = before[reader, row], gates[reader, row], d_before[reader, row]
            i, f, o, s = given[:width], given[width : 2 * width], given[2 * width : 3 * width], given[3 * width :]
            d_given = d_sums[reader, row]
            d_i, d_f = d_given[:width], d_given[width : 2 * width]
            d_o, d_s = d_given[2 * width : 3 * width], d_given[3 * width :]
            for unit in range(width):
                d_o[unit] = d_h[unit] * (TWO * q[unit] - ONE) * o[unit] * (ONE - o[unit])
            for unit in range(width):
                found[unit] = d_c[unit] + FOUR * d_h[unit] * o[unit] * q[unit] * (ONE - q[unit])
            for unit in range(width):
                d_i[unit] = found[unit] * (TWO * s[unit] - ONE) * i[unit] * (ONE - i[unit])
            for unit in range(width):
                d_s[unit] = found[unit] * TWO * i[unit] * s[unit] * (ONE - s[unit])
            for unit in range(width):
                d_f[unit] = found[unit] * c[unit] * f[unit] * (ONE - f[unit])
            for unit in range(width):
                found[unit] = found[unit] * f[unit]
