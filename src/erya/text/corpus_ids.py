"""Where the ids of a corpus lie: in memory while they are few, else in a temporary file without a name.

The file is written and read in blocks; only the finished array is mapped into memory. It goes when it is closed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from erya.errors import ResourceError, quoted
from erya.language import say

_PART = 1 << 22  # ids that are read back at once


class IdStore:
    """int32 ids, appended, then rewritten once from front to back, then seen as one array.

    Args:
        spill: how many are held in memory.
        folder: where the file is made; None: the system's folder for temporary files.
    """

    def __init__(self, spill: int, folder: Path | None) -> None:
        self._spill, self._folder = spill, folder
        self._held: list[NDArray[np.int32]] = []
        self._file: IO[bytes] | None = None
        self.size = 0

    def append(self, ids: NDArray[np.int32]) -> None:
        """Take in a copy of some ids.

        Raises:
            ResourceError: the disk is full.
        """
        self.size += len(ids)
        if self._file is None and self.size <= self._spill:
            self._held.append(ids.copy())
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  (closed by close)
                for earlier in self._held:
                    self._file.write(earlier.data)
                self._held = []
            self._file.write(np.ascontiguousarray(ids).data)
        except OSError as error:
            raise self._full(error) from error

    def parts(self, size: int | None = None) -> Iterator[tuple[int, NDArray[np.int32]]]:
        """Where a part begins and its ids, front to back; the ids may be changed and ``put`` back further to the front."""
        if self._file is None:
            begin = 0
            for held in self._held:
                yield begin, held
                begin += len(held)
            return
        for begin in range(0, self.size, size or _PART):
            self._file.seek(4 * begin)
            yield begin, np.frombuffer(bytearray(self._file.read(4 * min(size or _PART, self.size - begin))), np.int32)

    def rewrite(self, parts: Iterator[NDArray[np.int32]]) -> None:
        """Put these in place of all ids. They are made from ``parts`` and must not grow beyond what was read."""
        if self._file is None:
            self._held = [part.copy() for part in parts]
            self.size = sum(map(len, self._held))
            return
        written = 0
        try:
            for part in parts:
                self._file.seek(4 * written)
                self._file.write(part.data)
                written += len(part)
            self._file.truncate(4 * written)
            self._file.flush()
        except OSError as error:
            raise self._full(error) from error
        self.size = written

    def array(self) -> NDArray[np.int32]:
        """All ids as one array; a memory map where they lie in a file."""
        if self._file is None:
            self._held = [np.concatenate(self._held)] if self._held else [np.zeros(0, dtype=np.int32)]
            return self._held[0]
        self._file.flush()
        if self.size == 0:
            return np.zeros(0, dtype=np.int32)
        return np.memmap(self._file, dtype=np.int32, mode="r", shape=(self.size,))

    def close(self) -> None:
        """Let go of the file, which then is gone once no array looks into it."""
        self._held = []
        if self._file is not None:
            self._file.close()

    def _full(self, error: OSError) -> ResourceError:
        folder = self._folder or Path(tempfile.gettempdir())
        return ResourceError(
            "disk-full",
            say(
                f"the ids of the corpus ({4 * self.size / 1e9:.1f} GB so far) cannot be written: {error.strerror}",
                f"语料编号（目前 {4 * self.size / 1e9:.1f} GB）无法写入：{error.strerror}",
            ),
            where=quoted(folder, 200),
            help=say("TMPDIR=/path/to/a/larger/disk", "TMPDIR=/更大的磁盘/路径"),
        )
