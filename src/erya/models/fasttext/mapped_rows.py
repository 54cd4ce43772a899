"""Large matrices that are not held whole: pages of a mapped file that were looked at are given back, zeros take no memory.

A mapped file counts as memory of the process page by page, as soon as somebody looks. Whoever goes through all rows of a large
model would so hold it whole, beside what is made of it. ``let_go`` says that a block is not needed any more. Pages that were
written to (a private map keeps such changes in memory) stay; so does everything where the system does not tell which these are.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

PAGE_TABLE = "/proc/self/pagemap"  # Linux; 8 bytes a page
IN_USE = np.uint64(0b11 << 62)  # in memory, or in the swap space
OF_FILE = np.uint64(1 << 61)  # … and still as in the file
LARGE = 1 << 22  # numbers; a smaller matrix may be held whole


class Rows(Protocol):
    """A matrix (N, D) of float32 that is asked for some of its rows: an array, a memory map, or rows made when asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, rows: Any, /) -> Any:
        """(n, D) the rows of a slice or of an array of numbers."""


def let_go(block: NDArray[Any]) -> None:
    """Give back the pages of a block of a mapped file; they are read again when somebody asks. Other arrays: nothing is done."""
    source: Any = block
    while isinstance(source, np.ndarray):
        source = source.base
    if isinstance(source, memoryview):
        source = source.obj
    if not (isinstance(source, mmap.mmap) and hasattr(source, "madvise") and block.size and block.flags.c_contiguous):
        return
    page, begin = mmap.PAGESIZE, np.frombuffer(source, dtype=np.uint8, count=1).ctypes.data
    first = (block.ctypes.data - begin) // page * page
    last = -(-(block.ctypes.data + block.nbytes - begin) // page) * page
    if _as_in_file(begin + first, begin + last):
        source.madvise(mmap.MADV_DONTNEED, first, last - first)


def _as_in_file(begin: int, end: int) -> bool:
    """Whether no page of these addresses was written to; False where that cannot be told."""
    page = mmap.PAGESIZE
    try:
        with open(PAGE_TABLE, "rb", buffering=0) as table:  # noqa: PTH123  (a file that has no size)
            table.seek(begin // page * 8)
            entries = np.frombuffer(table.read((end - begin) // page * 8), dtype=np.uint64)
    except OSError:
        return False
    whole = len(entries) == (end - begin) // page
    return whole and not ((entries & IN_USE != 0) & (entries & OF_FILE == 0)).any()


def gather(matrix: Rows, rows: NDArray[np.int64], at_once: int) -> NDArray[np.float32]:
    """(n, D) ``matrix[rows]``, looked for from the first row to the last, ``at_once`` rows of the matrix at a time."""
    found = np.empty((len(rows), matrix.shape[1]), dtype=np.float32)
    order = np.argsort(rows, kind="stable")
    ends = np.searchsorted(rows, np.arange(0, len(matrix) + at_once, at_once), sorter=order)
    for number, (low, high) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
        if low == high:
            continue
        block = matrix[number * at_once : (number + 1) * at_once]
        found[order[low:high]] = block[rows[order[low:high]] - number * at_once]
        let_go(block)
    return found


def zeros(rows: int, columns: int) -> NDArray[np.float32]:
    """(R, D) zeros of which only what is written to takes memory, a few rows at a time.

    Of the rows of two million buckets a text may meet a tenth, spread over all of them. NumPy asks for huge pages, and
    would so hold the whole matrix.
    """
    if rows * columns < LARGE or not hasattr(mmap, "MADV_NOHUGEPAGE"):  # Linux only
        return np.zeros((rows, columns), dtype=np.float32)
    room = mmap.mmap(
        -1, 4 * rows * columns, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    )  # shared: pages that are read count
    room.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(room, dtype=np.float32).reshape(rows, columns)


def forget(block: NDArray[Any]) -> None:
    """Take the memory of a block of an ordinary array whose numbers nobody will look at again; they are undefined afterwards."""
    if sys.platform != "linux" or not block.flags.c_contiguous:
        return
    page = mmap.PAGESIZE
    first = -(-block.ctypes.data // page) * page
    size = (block.ctypes.data + block.nbytes) // page * page - first
    if size > 0:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(size), mmap.MADV_DONTNEED)
