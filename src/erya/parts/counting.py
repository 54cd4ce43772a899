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

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.errors import Interrupted, UsageError
from erya.kernel_cache import announce
from erya.language import say
from erya.parts import counting_kernels as kernels
from erya.parts.counting_store import Cooccurrences, Sink
from erya.parts.lockstep import run_together
from erya.progress import Report, quiet

SIDES = ("both", "left", "right")
WEIGHTINGS = ("uniform", "distance")
MEMORY = 2 << 30  # bytes; what does not fit goes to a temporary file
LARGEST_SCALE = 2**32
ENTRIES_AT_ONCE = 1 << 20  # of X, in a thread's hands
NEIGHBOURS_AT_ONCE = 1 << 24  # between two looks at the clock
TOKENS_AT_ONCE = 1 << 25
ROUND_SECONDS = 0.2

Integers = NDArray[np.int64]


def whole_weights(window: int, weighting: str) -> tuple[Integers, float]:
    """(window + 1,) weights by distance as whole numbers, and what 1 of them is worth."""
    distances = range(1, window + 1)
    if weighting == "uniform":
        return np.array([0, *(1 for _ in distances)], dtype=np.int64), 1.0
    scale = 1
    for distance in distances:
        scale = min(math.lcm(scale, distance), LARGEST_SCALE)
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
        at_once = max(1, NEIGHBOURS_AT_ONCE // (self.window.left + self.window.right))
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
                    at_once,
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


def stop_if_asked(report: Report) -> None:
    """Counting has no checkpoint: it begins anew, and comes to the same bits."""
    if report.stopping() == "interrupt":
        raise Interrupted("interrupted", say("stopped", "已停止"))
