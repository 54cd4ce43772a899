"""A matrix turned over is the same numbers at other places."""

from __future__ import annotations

import pytest
import torch

from erya.parts.turned import turned


@pytest.mark.parametrize(
    ("rows", "columns"), [(16, 16), (48, 32), (17, 33), (33, 17), (15, 40), (1, 5), (5, 1), (0, 3), (3, 0)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_turned(rows, columns, dtype):
    matrix = torch.arange(rows * columns, dtype=dtype).view(rows, columns)
    found = turned(matrix)
    assert found.is_contiguous()
    assert torch.equal(found, matrix.T)


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (16, 16)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_a_copy(shape, dtype):
    matrix = torch.ones(shape, dtype=dtype)
    turned(matrix).zero_()
    assert matrix.all()


def test_a_part_of_a_matrix():
    matrix = torch.arange(40 * 40, dtype=torch.float32).view(40, 40)
    assert torch.equal(turned(matrix[:, 3:20]), matrix[:, 3:20].T)
