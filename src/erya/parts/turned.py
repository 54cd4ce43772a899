"""A matrix turned over, 16 × 16 numbers in registers at a time: reading or writing by columns, a cache line is fetched for every number."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.simd import LANES, turn

Floats = NDArray[np.float32]


def turned(matrix: torch.Tensor) -> torch.Tensor:
    """A copy (N, M) of (M, N), contiguous."""
    rows, columns = matrix.shape
    if matrix.dtype != torch.float32 or matrix.device.type != "cpu" or not matrix.is_contiguous():
        return matrix.T.clone(memory_format=torch.contiguous_format)
    found = matrix.new_empty(columns, rows)
    turn_over(matrix.numpy(), 0, 0, rows, columns, found.numpy())
    return found


@kernel
def turn_over(source: Floats, row: int, column: int, rows: int, columns: int, into: Floats) -> None:
    """``into[j, i] = source[row + i, column + j]`` for i < rows and j < columns.

    Args:
        source: (…, …).
        into: (columns or more, rows or more).
    """
    high, wide = rows // LANES * LANES, columns // LANES * LANES
    for i in range(0, high, LANES):
        for j in range(0, wide, LANES):
            turn(source, row + i, column + j, into, j, i)
    for i in range(rows):
        for j in range(wide if i < high else 0, columns):
            into[j, i] = source[row + i, column + j]
