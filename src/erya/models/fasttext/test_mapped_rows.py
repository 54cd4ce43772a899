"""Blocks of mapped files are given back, what was written to them stays; zeros take no memory."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from erya.models.fasttext.mapped_rows import PAGE_TABLE, forget, gather, let_go, zeros

linux = pytest.mark.skipif(not Path(PAGE_TABLE).is_file(), reason="only Linux tells which pages are in memory")

PEAK = """
import sys
import numpy as np
from erya.models.fasttext.quantized import Quantized

def peak():
    lines = open("/proc/self/status", encoding="ascii").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

Quantized.of(np.random.default_rng(0).random((3000, 16), dtype=np.float32), dsub=8, qnorm=True, threads=2)  # kernels
before = peak()
Quantized.of(np.memmap(sys.argv[1], dtype=np.float32, mode="c").reshape(-1, 16), dsub=8, qnorm=True, threads=2)
print(peak() - before)
"""


def mapped(path: Path, rows: int, columns: int) -> np.ndarray:
    np.random.default_rng(1).random((rows, columns), dtype=np.float32).tofile(path)
    with path.open("rb") as file:
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return np.frombuffer(whole, dtype=np.float32).reshape(rows, columns)


def in_memory(matrix: np.ndarray) -> int:
    """Pages of the matrix that count as memory of this process."""
    page = mmap.PAGESIZE
    with Path(PAGE_TABLE).open("rb", buffering=0) as table:
        table.seek(matrix.ctypes.data // page * 8)
        entries = np.frombuffer(table.read(-(-matrix.nbytes // page) * 8), dtype=np.uint64)
    return int((entries >> np.uint64(63)).sum())


@linux
def test_pages_are_given_back_and_read_again(tmp_path):
    matrix = mapped(tmp_path / "m", 4000, 7)
    expected = np.fromfile(tmp_path / "m", dtype=np.float32).reshape(4000, 7)
    assert (matrix == expected).all()
    before = in_memory(matrix)
    let_go(matrix[1000:3000])
    assert in_memory(matrix) <= before - 2000 * 28 // mmap.PAGESIZE + 1
    assert (matrix == expected).all()


@linux
def test_what_was_written_stays(tmp_path):
    matrix = mapped(tmp_path / "m", 4000, 7)
    matrix[2000] = -1
    for block in (matrix, matrix[1500:2500], matrix[:2001]):
        let_go(block)
        assert (matrix[2000] == -1).all()


@pytest.mark.parametrize("array", [np.zeros((3, 5)), np.zeros((0, 5)), np.zeros((5, 3)).T, np.zeros((9, 7))[:, 2:4]])
def test_other_arrays_are_left_alone(array):
    let_go(array)
    assert not array.any()


def test_rows_are_gathered_in_the_order_asked(tmp_path):
    matrix = mapped(tmp_path / "m", 1003, 5)
    for rows in ([], [1002, 0, 7, 7, 500], np.random.default_rng(2).permutation(1003)):
        rows = np.array(rows, dtype=np.int64)
        assert np.array_equal(gather(matrix, rows, 100), matrix[rows])


@linux
def test_a_mapped_matrix_is_quantized_without_being_held(tmp_path):
    rows = 1_000_000
    np.random.default_rng(3).standard_normal((rows, 16), dtype=np.float32).tofile(tmp_path / "m")  # 61 MiB
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "m")],
        capture_output=True, text=True, check=True, env=dict(os.environ),
    )  # fmt: skip
    assert int(done.stdout) < 40


def test_zeros_are_zeros_and_can_be_written_to():
    for rows in (3, 1 << 21):  # held, and not
        matrix = zeros(rows, 5)
        assert matrix.shape == (rows, 5)
        assert matrix.dtype == np.float32
        matrix[rows - 2] = 7
        assert matrix[rows - 3 : rows].sum() == 35
        assert not matrix[:10_000:9].any() or rows == 3


@linux
def test_zeros_take_memory_only_where_they_were_written_to():
    matrix = zeros(1 << 20, 16)  # 64 MiB
    assert matrix[::7].sum() == 0
    matrix[:: 1 << 14] = 1  # 64 rows
    page = mmap.PAGESIZE
    with Path("/proc/self/smaps").open(encoding="ascii") as table:
        for line in table:
            begin, _, end = line.split(" ")[0].partition("-")
            if end and int(begin, 16) <= matrix.ctypes.data < int(end, 16):
                break
        rss = next(int(line.split()[1]) for line in table if line.startswith("Rss"))
    assert 64 * page // 1024 <= rss <= 80 * page // 1024


def test_what_is_forgotten_may_be_written_again():
    matrix = np.ones((5000, 7), dtype=np.float32)
    forget(matrix[1000:4000])
    assert (matrix[:1000] == 1).all()
    assert (matrix[4000:] == 1).all()
    matrix[1000:4000] = 2
    assert matrix.sum() == 7 * (2000 + 2 * 3000)
