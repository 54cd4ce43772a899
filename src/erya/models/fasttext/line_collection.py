"""Encoded pieces of a large text put together, in less memory than the text has: many rows go to a file without a name.

Training reads the rows of a block's lines (``read_block``), in an order drawn by chance. What the system keeps of the file in its own
memory it can take back when somebody needs it. To everybody else the file looks like an array: it is mapped. Not here: encoding
itself (``dictionary.py``).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import tempfile
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.models.fasttext.lines import Lines

MOST_HELD = 1 << 22  # rows; more of them go to a file …
LARGE = 1 << 24  # … and come back in the end, where they are fewer than this: single lines are not worth a system call

Ids = NDArray[np.int32]
Longs = NDArray[np.int64]


class Collection:
    """Lines, appended one piece after the other."""

    def __init__(self) -> None:
        self._rows = _Rows()
        self._labels: list[Ids] = []
        self._sizes: list[Longs] = []
        self._label_sizes: list[Longs] = []
        self._tokens: list[Longs] = []

    def append(self, lines: Lines) -> None:
        """Add lines; they may be views of memory that is used again."""
        self._rows.append(lines.rows)
        self._labels.append(lines.labels.copy())
        self._sizes.append(np.diff(lines.starts))
        self._label_sizes.append(np.diff(lines.label_starts))
        self._tokens.append(lines.tokens.copy())

    def whole(self) -> Lines:
        """All lines; ends the collection."""
        none = np.zeros(0, dtype=np.int64)
        return Lines(
            self._rows.whole(),
            _ends(self._sizes),
            np.concatenate([none.astype(np.int32), *self._labels]),
            _ends(self._label_sizes),
            np.concatenate([none, *self._tokens]),
        )


def _ends(sizes: list[Longs]) -> Longs:
    return np.append(0, np.cumsum(np.concatenate([np.zeros(0, dtype=np.int64), *sizes])))


class _Rows:
    """Rows in memory, until they are too many; then in a file, unless none can be written."""

    def __init__(self) -> None:
        self.held, self.size = np.empty(0, dtype=np.int32), 0
        self.file: IO[bytes] | None = None
        self.in_memory = not hasattr(os, "preadv")  # not on Windows

    def append(self, rows: Ids) -> None:
        """Add some rows."""
        if self.size + len(rows) > MOST_HELD and self.file is None and not self.in_memory:
            self._to_file()
        if self.file is not None:
            try:
                _write(self.file, rows)
                self.size += len(rows)
                return
            except OSError:
                self._to_memory()
        if self.size + len(rows) > len(self.held):
            self.held.resize(self.size + len(rows) + self.size // 8, refcheck=False)  # moved by pages, not copied
        self.held[self.size : self.size + len(rows)] = rows
        self.size += len(rows)

    def _to_file(self) -> None:
        try:
            self.file = tempfile.TemporaryFile(prefix="erya-rows-", buffering=0)  # noqa: SIM115  (open as long as its map)
            _write(self.file, self.held[: self.size])
            self.held = np.empty(0, dtype=np.int32)
        except OSError:  # no room there
            self.file, self.in_memory = None, True

    def _to_memory(self) -> None:
        assert self.file is not None
        self.file.seek(0)
        self.held = np.fromfile(self.file, dtype=np.int32, count=self.size)
        self.file.close()
        self.file, self.in_memory = None, True

    def whole(self) -> Ids:
        """All rows."""
        if self.file is not None and self.size < LARGE:
            self._to_memory()
        if self.file is None:
            self.held.resize(self.size, refcheck=False)
            return self.held
        mapped = RowsMap(self.file.fileno(), 4 * self.size)
        mapped.file = self.file
        return np.frombuffer(mapped, dtype=np.int32)


def _write(file: IO[bytes], rows: Ids) -> None:
    left = np.ascontiguousarray(rows).data.cast("B")
    while left:
        left = left[file.write(left) :]


class RowsMap(mmap.mmap):
    """Rows in a file, mapped; the file stays open beside the map."""

    file: IO[bytes]


def file_of(rows: Ids) -> IO[bytes] | None:
    """The file in which rows lie, or None."""
    source: Any = rows
    while isinstance(source, np.ndarray):
        source = source.base
    if isinstance(source, memoryview):
        source = source.obj
    return source.file if isinstance(source, RowsMap) else None


class Block(NamedTuple):
    """The rows of some lines, copied out of a file.

    Attributes:
        rows: one line's behind another's.
        starts: (N,) line i, if it is one of them, owns rows[starts[i]:ends[i]].
        ends: (N,) likewise.
    """

    rows: Ids
    starts: Longs
    ends: Longs


def read_block(file: IO[bytes], starts: Longs, lines: Ids, room: Block) -> Block:
    """Read the rows of some lines; lines that stand side by side in the file are read at once.

    Args:
        file: the rows of all N lines.
        starts: (N + 1,) line i owns rows starts[i] to starts[i + 1] of the file.
        lines: the ones that are wanted.
        room: the last block, whose memory is used again.

    Raises:
        OSError: the file cannot be read.
    """
    breaks = np.flatnonzero(np.diff(lines) != 1) + 1
    firsts, lasts = lines[np.append(0, breaks)], lines[np.append(breaks, len(lines)) - 1]
    begins, sizes = starts[firsts], starts[lasts + 1] - starts[firsts]
    places = np.append(0, np.cumsum(sizes))
    rows = room.rows if len(room.rows) >= places[-1] else np.empty(int(places[-1]) * 9 // 8, dtype=np.int32)
    bytes = rows.view(np.uint8).data
    for begin, place, size in zip((4 * begins).tolist(), (4 * places).tolist(), (4 * sizes).tolist(), strict=False):
        read = os.preadv(file.fileno(), [bytes[place : place + size]], begin)
        if read != size:
            raise OSError(f"{read} of {size} bytes read")
    shift = np.repeat(places[:-1] - begins, lasts - firsts + 1)
    room.starts[lines], room.ends[lines] = starts[lines] + shift, starts[lines + 1] + shift
    return Block(rows, room.starts, room.ends)


def return_freed() -> None:
    """Hand what was freed back to the system at once; the C library would keep it for later."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
