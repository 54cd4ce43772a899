"""Which words stand near which, and how often: the co-occurrence store of the count-based rooms.

    X[i, j] = Σ weight(d) over all places where word j stands at distance d ≤ window from word i, in the same line

The obvious way – a table of pairs, one random access for each pair of neighbours – waits for memory. Here the text is turned
around first: every word gets the list of its positions. Then one row of X at a time is summed in an array that fits into
the cache, and leaves it finished and sorted. Nothing has to be merged; rows are divided among threads as they become free.

Sums are of whole numbers: a weight 1/d is counted as L/d, L the least common multiple of 1 … window (beyond a window of 22 the
nearest whole number to 2³²/d). So they are exact, and the same bits come out whatever the number of threads and the memory.

After the co-occurrence counting of GloVe (Pennington, Socher and Manning 2014, section 4), not after its program.
Not here: PMI and what else is made of counts (``models/cooccurrence``), words (ids come from ``text.corpus``).
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.errors import Interrupted, ResourceError, UsageError
from erya.kernel_cache import announce
from erya.language import say
from erya.parts import counting_kernels as kernels
from erya.parts.lockstep import run_together
from erya.progress import Report, quiet

SIDES = ("both", "left", "right")
WEIGHTINGS = ("uniform", "distance")
MEMORY = 2 << 30  # bytes; what does not fit goes to a temporary file
LARGEST_SCALE = 2**32
ENTRIES_AT_ONCE = 1 << 20  # of X, in a thread's hands
POSITIONS_AT_ONCE = 1 << 20  # between two looks at the clock
TOKENS_AT_ONCE = 1 << 25
ROUND_SECONDS = 0.2

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


def whole_weights(window: int, weighting: str) -> tuple[Integers, float]:
    """(window + 1,) weights by distance as whole numbers, and what 1 of them is worth."""
    distances = range(1, window + 1)
    if weighting == "uniform":
        return np.array([0, *(1 for _ in distances)], dtype=np.int64), 1.0
    scale = math.lcm(*distances)
    scale = scale if scale <= LARGEST_SCALE else LARGEST_SCALE
    return np.array([0, *((2 * scale + d) // (2 * d) for d in distances)], dtype=np.int64), 1.0 / scale


def count(
    ids: NDArray[np.int32],
    size: int,
    *,
    window: int,
    sides: str = "both",
    weighting: str = "distance",
    dtype: Any = np.float32,
    memory_bytes: int = MEMORY,
    threads: int | None = None,
    report: Report = quiet,
    folder: Path | None = None,
) -> Cooccurrences:
    """Count the neighbours of every word.

    Args:
        ids: (T,) numbers of words, each below ``size``; −1 ends a line. May be memory-mapped.
        size: V.
        window: how far a neighbour may be, in words.
        sides: ``"both"``: X is symmetric; ``"left"``, ``"right"``: neighbours that come before, or after.
        weighting: ``"uniform"``: each neighbour counts 1; ``"distance"``: 1/d.
        dtype: of the values, float32 or float64.
        memory_bytes: beyond that, lists of positions are made for a part of the words at a time, and entries go to a
            temporary file. The result is the same.
        threads: None: as many as Erya may use.
        report: asked whether to stop.
        folder: where a temporary file may be; None: the system's.

    Raises:
        UsageError: a setting out of its range.
        Interrupted: the report asked for it.
    """
    if window < 1 or sides not in SIDES or weighting not in WEIGHTINGS or size < 1:
        raise UsageError(
            "bad-setting",
            say(
                f"window={window}, sides={sides!r}, weighting={weighting!r}: cannot be counted",
                f"window={window}、sides={sides!r}、weighting={weighting!r}：无法这样计数",
            ),
            help="window ≥ 1 · " + " · ".join((*SIDES, *WEIGHTINGS)),
        )
    ids = np.ascontiguousarray(ids, dtype=np.int32) if len(ids) else np.full(1, -1, dtype=np.int32)
    weights, unit = whole_weights(min(window, len(ids)), weighting)
    reach = len(weights) - 1
    shape = kernels.Window(weights, 0 if sides == "right" else reach, 0 if sides == "left" else reach, unit)
    counter = Counter(ids, size, shape, np.dtype(dtype), memory_bytes, threads or machine.threads(), report)
    announce(report, [kernels.count_rows])
    sink = Sink(np.dtype(dtype), memory_bytes, folder)
    try:
        for lengths, columns, values in counter.blocks():
            sink.take(lengths, columns, values)
        return sink.finish()
    except BaseException:
        sink.release()
        raise


@dataclass(slots=True)
class Unit:
    """Rows that one thread counts in one go."""

    number: int
    first: int
    last: int
    entries: int  # at most


Block = tuple[Integers, NDArray[np.int32], NDArray[Any]]  # lengths of rows, columns, values


class Counter:
    """One counting, on several threads."""

    def __init__(
        self,
        ids: NDArray[np.int32],
        size: int,
        window: kernels.Window,
        dtype: np.dtype[Any],
        memory_bytes: int,
        threads: int,
        report: Report,
    ) -> None:
        self.ids, self.size, self.window, self.dtype = ids, size, window, dtype
        self.threads, self.report = threads, report
        self.small = np.dtype(np.int32 if len(ids) < 2**31 else np.int64)
        self.positions_at_once = max(1, memory_bytes // 2 // self.small.itemsize)
        self.desks: list[Desk] = []

    def blocks(self) -> Iterator[Block]:
        """All rows, in order, some at a time."""
        counts = self._counts()
        totals = counts.sum(axis=0)
        self.desks = [Desk(self.size) for _ in range(self.threads)]
        first = 0
        while first < self.size:
            sums = np.cumsum(totals[first:])
            last = first + max(1, int(np.searchsorted(sums, self.positions_at_once, side="right")))
            starts = np.zeros(last - first + 1, dtype=np.int64)
            np.cumsum(totals[first:last], out=starts[1:])
            positions = self._positions(counts[:, first:last], starts, first, last)
            yield from self._rows(positions, starts, first, last)
            first = last

    # ---- the text turned around -----------------------------------------------------------------------------------

    def _segments(self) -> Iterator[list[tuple[int, int]]]:
        """Every thread has a stretch of the text; here a piece of each."""
        edges = [len(self.ids) * thread // self.threads for thread in range(self.threads + 1)]
        for offset in range(0, max(1, edges[1] + self.threads), TOKENS_AT_ONCE):
            yield [
                (min(begin + offset, end), min(begin + offset + TOKENS_AT_ONCE, end)) for begin, end in pairwise(edges)
            ]

    def _counts(self) -> Integers:
        """(threads, V) how often each word stands in each thread's stretch."""
        counts = np.zeros((self.threads, self.size), dtype=np.int64)
        for pieces in self._segments():
            run_together(lambda thread, _: kernels.tally(self.ids, *pieces[thread], counts[thread]), self.threads)  # noqa: B023
            stop_if_asked(self.report)
        return counts

    def _positions(self, counts: Integers, starts: Integers, first: int, last: int) -> NDArray[Any]:
        """The positions of the words ``first`` to ``last``, one word after the other."""
        positions = np.zeros(int(starts[-1]), dtype=self.small)
        cursors = starts[:-1] + np.cumsum(counts, axis=0) - counts  # each thread writes behind the one before it
        for pieces in self._segments():
            run_together(
                lambda thread, _: kernels.place(self.ids, *pieces[thread], first, last, cursors[thread], positions),  # noqa: B023
                self.threads,
            )
            stop_if_asked(self.report)
        return positions

    # ---- the rows -------------------------------------------------------------------------------------------------

    def _units(self, starts: Integers, first: int) -> list[Unit]:
        """Stretches of rows, of about equal size."""
        reach = self.window.left + self.window.right
        most = np.minimum(np.diff(starts) * reach, self.size)
        ends = np.cumsum(most)
        units: list[Unit] = []
        begin = 0
        while begin < len(most):
            before = int(ends[begin - 1]) if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, before + ENTRIES_AT_ONCE, side="right")))
            units.append(Unit(len(units), begin, end, int(ends[end - 1]) - before))
            begin = end
        return units

    def _rows(self, positions: NDArray[Any], starts: Integers, first: int, last: int) -> Iterator[Block]:
        """Count, and hand on finished units in their order."""
        units = self._units(starts, first)
        waiting, done, lock = iter(units), {}, threading.Lock()
        grid = self.ids.reshape(1, -1)
        positions = positions if len(positions) else np.zeros(1, dtype=self.small)

        def work(thread: int, _: Integers) -> None:
            desk, until = self.desks[thread], perf_counter() + ROUND_SECONDS
            while perf_counter() < until:
                if desk.unit is None:
                    with lock:
                        desk.unit = next(waiting, None)
                    if desk.unit is None:
                        return
                    desk.begin(desk.unit, int(starts[desk.unit.first]), self.dtype)
                unit = desk.unit
                if kernels.count_rows(
                    self.ids,
                    grid,
                    positions,
                    starts,
                    unit.first,
                    unit.last,
                    self.window,
                    desk.room,
                    desk.rows,
                    POSITIONS_AT_ONCE,
                ):
                    done[unit.number] = desk.finished()
                    desk.unit = None

        handed = 0
        while handed < len(units):
            run_together(work, self.threads)
            stop_if_asked(self.report)
            while handed in done:
                yield done.pop(handed)
                handed += 1


class Desk:
    """What one thread needs, from one call of the kernel to the next."""

    def __init__(self, size: int) -> None:
        words = -(-size // 64)
        self.room = kernels.Desk(
            np.zeros(size, dtype=np.int64),
            np.zeros(size + 1, dtype=np.int32),
            np.zeros(words, dtype=np.uint64),
            np.zeros(-(-words // 64), dtype=np.uint64),
            np.zeros(4, dtype=np.int64),
        )
        self.unit: Unit | None = None
        self.rows = kernels.Rows(np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    def begin(self, unit: Unit, position: int, dtype: np.dtype[Any]) -> None:
        """Make room for a unit's entries."""
        if len(self.rows.columns) < unit.entries or self.rows.values.dtype != dtype:
            self.rows = self.rows._replace(
                columns=np.empty(unit.entries, dtype=np.int32), values=np.empty(unit.entries, dtype=dtype)
            )
        self.rows = self.rows._replace(lengths=np.zeros(unit.last - unit.first, dtype=np.int64))
        self.room.cursor[:] = (unit.first, position, 0, 0)

    def finished(self) -> Block:
        """The unit's rows."""
        end = int(self.room.cursor[3])
        return self.rows.lengths, self.rows.columns[:end].copy(), self.rows.values[:end].copy()


# ---- where entries go ---------------------------------------------------------------------------------------------


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


def stop_if_asked(report: Report) -> None:
    """Counting has no checkpoint: it begins anew, and comes to the same bits."""
    if report.stopping() == "interrupt":
        raise Interrupted("interrupted", say("stopped", "已停止"))
