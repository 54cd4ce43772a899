"""A vector file as a window of bytes that moves over it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, ModelFileError, quoted, typed
from erya.text.files import blocks, unreadable

WINDOW = 4 << 20  # bytes held at once, unless one row needs more
LONGEST_ROW = 16 << 20  # bytes
_BOMB = 64 << 20  # an archive of numbers never unpacks to this much and to 250 times its size
_PACKERS = ((b"\x1f\x8b", "gzip -dc"), (b"\xfd7zXZ\x00", "xz -dc"), (b"\x28\xb5\x2f\xfd", "zstd -dc"))


class Source:
    """The unpacked bytes of a file, front to back.

    Attributes:
        data: the window.
        at: where in the window the next row starts.
        end: one past the last byte in the window.
        passed: bytes of the file that lie before the window.
        size: bytes of the whole file; None where it is packed (or no file but a pipe).
        ended: the window's last byte is the file's last.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = self.end = self.passed = 0
        self.ended = False
        self._waiting = b""
        self._blocks: Iterator[bytes] = blocks(path, bomb_size=_BOMB)
        magic, size, ordinary = b"", WINDOW, path.is_file()
        if ordinary:  # a pipe gives its bytes only once
            try:
                with path.open("rb") as file:
                    magic, size = file.read(6), os.fstat(file.fileno()).st_size
            except OSError as error:
                raise unreadable(path, error) from error
        self._packer = next((packer for first, packer in _PACKERS if magic.startswith(first)), None)
        self.size: int | None = None if self._packer or not ordinary else size
        room = min(WINDOW, 64 * size if self._packer else size)  # a small file needs no large window
        self.data: NDArray[np.uint8] = np.empty(room + 64, np.uint8)
        self.fill()

    def fill(self) -> None:
        """Move the window on to where the next row starts; twice as wide, where that brings nothing."""
        if self.at == 0 and not self.ended and self.end + 1 == len(self.data):
            wider = np.empty(2 * len(self.data), np.uint8)
            wider[: self.end] = self.data[: self.end]
            self.data = wider
        self.data[: self.end - self.at] = self.data[self.at : self.end]
        self.passed += self.at
        self.end -= self.at
        self.at = 0
        while not self.ended and self.end + 1 < len(self.data):  # always one byte to spare, for a line end
            block = self._waiting or self._next()
            self.ended = block is None
            if block:
                size = min(len(block), len(self.data) - 1 - self.end)
                self.data[self.end : self.end + size] = np.frombuffer(block, np.uint8, size)
                self.end += size
                self._waiting = block[size:]

    def _next(self) -> bytes | None:
        try:
            return next(self._blocks, None)
        except DataError as error:  # a damaged archive: this one was to be vectors
            if error.code.startswith("file-"):
                raise
            raise ModelFileError(error.code, error.message, where=error.where, help=error.help) from error

    def close(self) -> None:
        """Close the file."""
        close = getattr(self._blocks, "close", None)
        if close is not None:
            close()

    def piece(self, start: int, stop: int) -> bytes:
        """Bytes of the window."""
        return self.data[start:stop].tobytes()

    def slices(self, spans: NDArray[np.int64]) -> list[memoryview]:
        """Pieces of the window, one per row of ``spans`` (start, end, …)."""
        view = memoryview(self.data.data)
        return [view[start:stop] for start, stop in spans[:, :2].tolist()]

    def line(self, start: int, most: int = 200) -> bytes:
        """The beginning of the line that starts in the window at ``start``."""
        return self.piece(start, min(start + most, self.end)).split(b"\n")[0]

    def unread(self) -> int | None:
        """Bytes of the file from ``at`` on, where its size is known."""
        return None if self.size is None else self.size - self.passed - self.at

    @property
    def name(self) -> str:
        """As messages show it."""
        return quoted(self.path.name)

    def show_line(self, line: int) -> str:
        """A command that shows one line."""
        if self._packer:
            return f"{self._packer} {typed(self.path)} | sed -n {line}p | cut -c -200"
        return f"sed -n {line}p {typed(self.path)} | cut -c -200"

    def show_bytes(self, byte: int) -> str:
        """A command that shows the bytes around an offset."""
        start = max(0, byte - 32)
        if self._packer:
            return f"{self._packer} {typed(self.path)} | tail -c +{start + 1} | head -c 96 | od -A d -c"
        return f"od -A d -c -j {start} -N 96 {typed(self.path)}"
