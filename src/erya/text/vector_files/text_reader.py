"""word2vec text, fastText .vec and GloVe text: a line per word, its numbers in decimals.

word2vec, fastText   a first line "V D", then V lines
GloVe                lines only; D is what most of the first lines have
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from erya.text import vector_file_kernels as kernels
from erya.text.vector_files import complaints, words
from erya.text.vector_files.headers import header, width_without_header
from erya.text.vector_files.source import LONGEST_ROW, Source
from erya.text.vector_files.table import Growing, VectorTable
from erya.text.vector_files.words import BadUtf8

_ROWS_AT_ONCE = 1 << 14
_SLOW_AT_ONCE = 1 << 12


def read_text(source: Source, with_header: bool, limit: int | None, bad_utf8: BadUtf8) -> VectorTable:
    """The table of a text file.

    Args:
        source: at its beginning.
        with_header: the first line announces V and D.
        limit: rows to read at most.
        bad_utf8: what to do with a word that is no UTF-8.

    Raises:
        ModelFileError: the file is not what its header says, or a line is no row.
    """
    announced: int | None = None
    if with_header:
        announced, width, _ = header(source, row_bytes=2, number_bytes=2, limit=limit)
    else:
        width = width_without_header(source)
    reading = _Lines(source, width, announced, limit, bad_utf8)
    while reading.more():
        reading.window()
    reading.check_end()
    return reading.rows.table()


class _Lines:
    """One pass over the lines."""

    def __init__(self, source: Source, width: int, announced: int | None, limit: int | None, bad_utf8: BadUtf8) -> None:
        self.source, self.width, self.announced, self.limit, self.bad_utf8 = source, width, announced, limit, bad_utf8
        self.wanted = min(n for n in (announced, limit, 1 << 62) if n is not None)
        sized = announced is not None and source.size is not None  # then the header was held against the size
        self.rows = Growing(width, self.wanted if sized else 0)
        self.spans: NDArray[np.int64] = np.empty((_ROWS_AT_ONCE, 3), np.int64)
        self.once = "!seen[$1]++" if announced is None else "NR>1 && !seen[$1]++"  # which leaves GloVe text
        self.slow: NDArray[np.int64] = np.empty((width + _SLOW_AT_ONCE, 4), np.int64)
        self.state: NDArray[np.int64] = np.zeros(6, np.int64)
        self.state[kernels.LINE] = 1 if announced is None else 2

    @property
    def read(self) -> int:
        """Rows so far, those left out too."""
        return len(self.rows) + self.rows.skipped

    @property
    def line(self) -> int:
        return int(self.state[kernels.LINE])

    def more(self) -> bool:
        """There are bytes left, and rows wanted."""
        source = self.source
        return self.read < self.wanted and (source.at < source.end or not source.ended)

    def window(self) -> None:
        """All whole lines of the window, and the next window."""
        source = self.source
        stop = self._last_line_end()
        ends = int(np.count_nonzero(source.data[source.at : stop] == 10))
        while source.at < stop and self.read < self.wanted:
            most = min(self.wanted - self.read, ends, _ROWS_AT_ONCE)
            self.rows.reserve(most)
            self.state[kernels.AT] = source.at
            outcome = kernels.text_rows(
                source.data, stop, self.rows.matrix, len(self.rows), most, self.spans, self.slow, self.state
            )
            count = int(self.state[kernels.ROWS])
            self._mend_slow(count)
            spans = self.spans[:count]
            raws = source.slices(spans)
            lines = spans[:, 2].tolist()
            words.take(self.rows, source, raws, self.bad_utf8, partial(_place, source.name, lines), self.once)
            source.at = int(self.state[kernels.AT])
            if outcome > kernels.FULL:
                place, field = int(self.state[kernels.PLACE]), int(self.state[kernels.FIELD])
                raise complaints.text_row(source, outcome, self.width, self.line, place, field)
        source.fill()

    def _last_line_end(self) -> int:
        """One past the last line end in the window, which gets one more at the end of a file that is surely whole."""
        source = self.source
        found = source.piece(source.at, source.end).rfind(b"\n") + 1
        if source.ended and not found:
            last = source.piece(source.at, source.end)
            # nothing can be missing where a space follows the last number, or where an archive's check sum is right
            if source.size is not None and last == last.rstrip():
                raise complaints.no_line_end(source, self.line)
            source.data[source.end] = 10
            source.end += 1
            return source.end
        if not found and source.end - source.at > LONGEST_ROW:
            raise complaints.line_too_long(source, self.line, LONGEST_ROW)
        return source.at + found

    def _mend_slow(self, count: int) -> None:
        """The numbers of the last ``count`` rows that float64 was not enough for."""
        for row, column, start, stop in self.slow[: self.state[kernels.SLOW]].tolist():
            if row == len(self.rows) + count:  # the line in which the kernel met an error
                break
            number = nearest_float32(self.source.piece(start, stop).decode())
            if not np.isfinite(number):
                line_start = self.source.piece(0, start).rfind(b"\n") + 1
                line = int(self.spans[row - len(self.rows), 2])
                raise complaints.text_row(self.source, kernels.NOT_FINITE, self.width, line, line_start, start)
            self.rows.matrix[row, column] = number

    def check_end(self) -> None:
        """The file has as many rows as it announces: no fewer, no more.

        Raises:
            ModelFileError: it has not.
        """
        source = self.source
        if self.limit is not None and self.read >= self.limit:
            return
        if self.announced is not None and self.read < self.announced:
            raise complaints.too_few(source, self.announced, self.read, self.line)
        while source.at < source.end or not source.ended:
            rest = source.piece(source.at, source.end)
            if rest.strip():
                raise complaints.too_many(source, self.announced or 0, self.line)
            source.at = source.end
            source.fill()
        if not self.read:
            raise complaints.empty(source)


def _place(name: str, lines: list[int], row: int) -> str:
    return f"{name}:{lines[row]}"


def nearest_float32(text: str) -> np.float32:
    """The float32 nearest to a decimal, ties to even; infinite where it is too large.

    ``float`` gives the nearest float64. Rounding that again could err where it fell on the middle between two float32:
    there the float64 is moved one step towards the decimal, which is then on the right side (Boldo and Melquiond 2008,
    "rounding to odd").
    """
    value = float(text)
    if value != 0 and math.isfinite(value) and len(text) <= kernels.LONGEST_NUMBER:
        exact, rounded = Fraction(text), Fraction(value)
        if exact != rounded and int(math.frexp(value)[0] * 2**53) % 2 == 0:
            value = math.nextafter(value, math.inf if exact > rounded else -math.inf)
    with np.errstate(over="ignore", under="ignore"):
        return np.float32(value)
