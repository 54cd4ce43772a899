"""word2vec binary: a line "V D", then V times a word, a space and D little-endian float32.

word2vec.c ends each row in a line end, gensim does not; the byte after the first row says which it is, and all the rows
must then agree. Nothing else tells where a word begins, so that one byte too many or too few shows at the end at the latest.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from erya.text import vector_file_kernels as kernels
from erya.text.vector_files import complaints, words
from erya.text.vector_files.headers import Header, header
from erya.text.vector_files.source import Source
from erya.text.vector_files.table import Growing, VectorTable
from erya.text.vector_files.words import BadUtf8

_ROWS_AT_ONCE = 1 << 14


def read_binary(source: Source, limit: int | None, bad_utf8: BadUtf8) -> VectorTable:
    """The table of a binary file.

    Args:
        source: at its beginning.
        limit: rows to read at most.
        bad_utf8: what to do with a word that is no UTF-8.

    Raises:
        ModelFileError: the file is not what its header says, or a row makes no sense.
    """
    reading = _Rows(source, header(source, row_bytes=2, number_bytes=4, limit=limit), limit, bad_utf8)
    while reading.read < reading.wanted:
        if reading.window() == 0:
            if source.ended:
                reading.last_row()
                break
            source.fill()  # a row larger than the window
    reading.check_end()
    return reading.rows.table(reading.line_ends)


class _Rows:
    """One pass over the rows."""

    def __init__(self, source: Source, told: Header, limit: int | None, bad_utf8: BadUtf8) -> None:
        self.source, self.announced, self.width, self.limit, self.bad_utf8 = (
            source,
            told.words,
            told.dims,
            limit,
            bad_utf8,
        )
        self.wanted = min(self.announced, self.announced if limit is None else limit)
        self.rows = Growing(self.width, self.wanted if source.size is not None else 0)
        self.spans: NDArray[np.int64] = np.empty((_ROWS_AT_ONCE, 3), np.int64)
        self.state: NDArray[np.int64] = np.zeros(6, np.int64)
        self.line_ends = self._first_row_has_line_end()

    @property
    def read(self) -> int:
        """Rows so far, those left out too."""
        return len(self.rows) + self.rows.skipped

    def _first_row_has_line_end(self) -> bool:
        source = self.source
        while not source.ended and source.end - source.at < kernels.LONGEST_WORD + 4 * self.width + 2:
            source.fill()
        space = source.piece(source.at, min(source.end, source.at + kernels.LONGEST_WORD + 1)).find(b" ")
        after = source.at + space + 1 + 4 * self.width
        return space < 0 or after >= source.end or int(source.data[after]) == 10

    def window(self, line_ends: bool | None = None) -> int:
        """All whole rows of the window, and the next window. How many rows."""
        source = self.source
        smallest = 2 + 4 * self.width
        found = 0
        while self.read < self.wanted:
            most = min(self.wanted - self.read, (source.end - source.at) // smallest + 1, _ROWS_AT_ONCE)
            self.rows.reserve(most)
            self.state[kernels.AT] = source.at
            outcome = kernels.binary_rows(
                source.data,
                source.end,
                self.rows.matrix.view(np.uint8),
                len(self.rows),
                most,
                self.line_ends if line_ends is None else line_ends,
                self.spans,
                self.state,
            )
            count = int(self.state[kernels.ROWS])
            self._take(count)
            source.at = int(self.state[kernels.AT])
            found += count
            if outcome > kernels.FULL:
                raise complaints.binary_row(source, outcome, self.read + 1, source.at)
            if count == 0 or outcome == kernels.DONE:
                break
        if found:
            source.fill()
        return found

    def _take(self, count: int) -> None:
        """Add ``count`` rows, whose numbers stand in the matrix already."""
        start = len(self.rows)
        fresh = self.rows.matrix[start : start + count]
        if sys.byteorder == "big":
            fresh.byteswap(inplace=True)
        spans, source = self.spans[:count], self.source
        finite = np.isfinite(fresh).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            raise complaints.binary_row(source, kernels.NOT_FINITE, self.read + row + 1, int(spans[row, 0]))
        raws = source.slices(spans)
        words.take(self.rows, source, raws, self.bad_utf8, lambda row: complaints.at_byte(source, int(spans[row, 0])))

    def last_row(self) -> None:
        """The very last row may lack its line end; any other that is not whole is cut off."""
        if self.line_ends and self.read == self.wanted - 1:
            self.window(line_ends=False)

    def check_end(self) -> None:
        """The file has as many rows as it announces: no fewer, no more.

        Raises:
            ModelFileError: it has not.
        """
        source = self.source
        if self.limit is not None and self.read >= self.limit:
            return
        if self.read < self.announced:
            raise complaints.too_few(source, self.announced, self.read, None)
        if source.at < source.end or not source.ended:
            raise complaints.too_many(source, self.announced, None)
        if not self.read:
            raise complaints.empty(source)
