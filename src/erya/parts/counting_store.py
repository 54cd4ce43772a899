"""The co-occurrence store: a sparse matrix by rows, in memory or in temporary files, and what fills it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import ResourceError
from erya.language import say

Integers = NDArray[np.int64]


@dataclass(slots=True, eq=False, weakref_slot=True)
class Cooccurrences:
    """X, by rows: a sparse matrix (V, V) of E entries that are not 0.

    Attributes:
        starts: (V + 1,) row i owns entries ``starts[i]:starts[i + 1]``.
        columns: (E,) int32, ascending in each row.
        values: (E,) float32 or float64.
    """

    starts: Integers
    columns: NDArray[np.int32]
    values: NDArray[Any]
    _release: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        """V, the number of rows."""
        return len(self.starts) - 1

    def row(self, number: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Columns and values of one row."""
        part = slice(int(self.starts[number]), int(self.starts[number + 1]))
        return self.columns[part], self.values[part]

    def get(self, row: int, column: int) -> float:
        """One entry; 0 where there is none."""
        columns, values = self.row(row)
        place = int(np.searchsorted(columns, column))
        return float(values[place]) if place < len(columns) and columns[place] == column else 0.0

    def close(self) -> None:
        """Remove the temporary files, if any; also done when the object is collected. The arrays are gone then."""
        self.columns, self.values = np.zeros(0, np.int32), np.zeros(0, self.values.dtype)
        self.starts = np.zeros(len(self.starts), np.int64)
        if self._release is not None:
            self._release()


class Sink:
    """Takes blocks of rows in their order: in memory while they fit, in two temporary files when they do not."""

    def __init__(self, dtype: np.dtype[Any], memory_bytes: int, folder: Path | None) -> None:
        self.dtype, self.memory_bytes, self.folder = dtype, memory_bytes, folder
        self.lengths: list[Integers] = []
        self.kept: list[tuple[NDArray[np.int32], NDArray[Any]]] = []
        self.entries = 0
        self.files: list[IO[bytes]] = []
        self.paths: list[str] = []

    def take(self, lengths: Integers, columns: NDArray[np.int32], values: NDArray[Any]) -> None:
        """The next rows.

        Raises:
            ResourceError: a temporary file cannot be written.
        """
        self.lengths.append(lengths)
        self.kept.append((columns, values))
        self.entries += len(columns)
        if self.files or self.entries * (columns.dtype.itemsize + self.dtype.itemsize) > self.memory_bytes:
            try:
                self._spill()
            except OSError as problem:
                raise ResourceError(
                    "disk-full",
                    say(
                        f"the co-occurrence counts cannot be written to a temporary file: {problem.strerror}",
                        f"无法把共现计数写入临时文件：{problem.strerror}",
                    ),
                    where=str(self.folder or tempfile.gettempdir()),
                    help="--set min_count=… · --set max_size=… · TMPDIR=…",
                ) from problem

    def _spill(self) -> None:
        while len(self.files) < 2:
            handle, path = tempfile.mkstemp(prefix="erya-counts-", dir=self.folder)
            self.files.append(os.fdopen(handle, "wb"))
            self.paths.append(path)
        for blocks, file in zip(zip(*self.kept, strict=True), self.files, strict=True):
            for block in blocks:
                file.write(block)
        self.kept = []

    def finish(self) -> Cooccurrences:
        """The whole store."""
        lengths = np.concatenate(self.lengths)
        starts = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=starts[1:])
        if not self.files:
            return Cooccurrences(starts, *self._joined())
        for file in self.files:
            file.close()
        columns, values = (
            np.memmap(path, dtype=dtype, mode="r", shape=(self.entries,))
            for path, dtype in zip(self.paths, (np.dtype(np.int32), self.dtype), strict=True)
        )
        store = Cooccurrences(starts, columns, values)
        store._release = weakref.finalize(store, _remove, self.paths)
        return store

    def _joined(self) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """All blocks as one; each is freed as soon as it is copied."""
        columns, values = np.empty(self.entries, dtype=np.int32), np.empty(self.entries, dtype=self.dtype)
        begin = 0
        self.kept.reverse()
        while self.kept:
            some_columns, some_values = self.kept.pop()
            end = begin + len(some_columns)
            columns[begin:end], values[begin:end] = some_columns, some_values
            begin = end
        return columns, values

    def release(self) -> None:
        """Give up: no temporary file stays."""
        for file in self.files:
            file.close()
        _remove(self.paths)


def _remove(paths: list[str]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):  # Windows keeps a file while it is mapped; its own clean-up takes it then
            Path(path).unlink()
