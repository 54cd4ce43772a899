"""The processes of one run, served from one thread: what is worked on next, and what is done with what comes back.

An unpacked shard of more than one piece is given out piece by piece. An archive can only be read from its beginning: as long as there are
at least as many archives as processes, each has one process to itself; of the rest, this process reads one after another and hands out
its pieces. A shard is in the journal before a process hears of it.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erya.atomic import remove_strays
from erya.filtering.counts import Tally
from erya.filtering.journal import PARTS, Done, Journal
from erya.filtering.layout import layout_of
from erya.filtering.pieces import PIECE, line_ends, pieces_of, ranges_of
from erya.filtering.process import Event, Process, rebuilt
from erya.filtering.settings import Settings
from erya.text.files import blocks, packing, unreadable

_WORTH_SHARING = PIECE // 16  # bytes of an archive


@dataclass(frozen=True, slots=True)
class Shard:
    """A file to filter, and the name of what is kept of it."""

    source: Path
    name: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is: shards, and bytes and rows of this run's own work."""

    shards: int
    finished: int
    rows: int
    bytes: int
    seconds: float


Watch = Callable[[Standing], None]


def facts_of(path: Path) -> tuple[int, int]:
    """Size and time of change. Raises DataError where the file cannot be asked."""
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return found.st_size, found.st_mtime_ns


@dataclass(slots=True)
class _Progress:
    """A shard that is worked on.

    Attributes:
        open: pieces that were given out and have not come back.
        all_given: whether no more pieces come.
    """

    shard: Shard
    source: tuple[int, int]
    kind: str | None
    parts: dict[tuple[int, int], Done] = field(default_factory=dict)
    open: int = 0
    all_given: bool = False


@dataclass(slots=True)
class _Unit:
    """What one process does at once; ``place``: the range of a piece, None: all of the shard."""

    progress: _Progress
    order: dict[str, Any]
    data: bytes | None = None
    place: tuple[int, int] | None = None


class Pool:
    """The processes of one run.

    Args:
        job: ``model``, ``settings`` and ``bad_rows``, as processes are told.
        journal: of the output folder.
        shards: what is left to do.
        watch: told where the run stands.
        count: of all shards, those that were done before, too.

    Attributes:
        fresh: what the processes did.
    """

    def __init__(
        self, job: dict[str, Any], journal: Journal, shards: Sequence[Shard], watch: Watch, count: int
    ) -> None:
        self.job, self.journal, self.watch, self.count = job, journal, watch, count
        self.settings = Settings(**job["settings"])
        self.shards = list(shards)
        self.unfinished = len(self.shards)
        self.fresh = Tally()
        self.events: queue.Queue[tuple[Process, Event | None]] = queue.Queue()
        self.busy: dict[Process, _Unit] = {}
        self.idle: list[Process] = []
        self.joins: deque[_Unit] = deque()
        self.units: Iterator[_Unit] = iter(())
        self.partly: dict[Process, tuple[int, int]] = {}  # rows and bytes of what is not finished
        self.started = time.monotonic()

    def run(self, processes: int) -> None:
        """Work until no shard waits. Raises EryaError: the first that a process met."""
        whole, shared = self._divided(processes)
        self.units = self._units(whole, shared)
        units = len(self.shards) if not shared else processes
        workers: list[Process] = []
        try:
            for _ in range(min(processes, max(units, 1))):
                workers.append(Process(self.job, self.events))
            alive = set(workers)
            while alive:
                try:
                    worker, event = self.events.get(timeout=1.0)
                except queue.Empty:
                    continue
                if event is None:
                    alive.discard(worker)
                    unit = self.busy.get(worker)
                    worker.check_end(str(unit.progress.shard.source) if unit else None)
                else:
                    self._heard(worker, event)
        finally:
            for worker in workers:
                worker.stop()
            remove_strays(self.journal.folder)
            remove_strays(self.journal.folder / PARTS)

    # ---- what there is to do ----------------------------------------------------------------------------------

    def _divided(self, processes: int) -> tuple[list[tuple[Shard, str | None]], list[tuple[Shard, str | None]]]:
        """Shards that one process does alone, and those whose pieces all share; each with its packing."""
        alone: list[tuple[Shard, str | None]] = []
        shared: list[tuple[Shard, str | None]] = []
        archives: list[tuple[Shard, str | None]] = []
        for shard in self.shards:
            kind, size = packing(shard.source), facts_of(shard.source)[0]
            if self.journal.parts.get(shard.name):  # an earlier run began to share it
                shared.append((shard, kind))
            elif kind is not None and size > _WORTH_SHARING:
                archives.append((shard, kind))
            else:
                (alone if kind is not None or size <= PIECE else shared).append((shard, kind))
        left = len(archives) % processes if processes > 1 else 0
        return alone + archives[: len(archives) - left], shared + archives[len(archives) - left :]

    def _units(self, whole: list[tuple[Shard, str | None]], shared: list[tuple[Shard, str | None]]) -> Iterator[_Unit]:
        for shard, kind in whole:
            progress = self._begun(shard, kind)
            progress.all_given = True
            order = {"do": "file", "source": str(shard.source), "target": str(self.journal.folder / shard.name)}
            yield _Unit(progress, order)
        for shard, kind in shared:
            yield from self._pieces(self._begun(shard, kind))

    def _begun(self, shard: Shard, kind: str | None) -> _Progress:
        progress = _Progress(shard, facts_of(shard.source), kind)
        self.journal.begin(shard.name)
        return progress

    def _pieces(self, progress: _Progress) -> Iterator[_Unit]:
        """What is left of a shard, piece by piece."""
        shard = progress.shard
        layout, _ = layout_of(shard.source, self.settings)
        (self.journal.folder / PARTS).mkdir(exist_ok=True)
        before = self.journal.usable_parts(shard.name, progress.source)
        for start, end, data, lines in _cut(shard.source, progress.kind):
            if (start, end) in before:
                progress.parts[start, end] = before[start, end]
                continue
            order = {"do": "piece", "source": str(shard.source), "start": start, "end": end, "kind": progress.kind}
            order |= {
                "target": str(self.journal.part_path(shard.name, start)),
                "layout": layout.to_plain(),
                "lines": lines,
            }
            progress.open += 1
            yield _Unit(progress, order, data, (start, end))
        progress.all_given = True
        self._join_if_complete(progress)

    def _join_if_complete(self, progress: _Progress) -> None:
        if progress.all_given and not progress.open:
            places = sorted(progress.parts)
            parts = [str(self.journal.part_path(progress.shard.name, start)) for start, _ in places]
            target = str(self.journal.folder / progress.shard.name)
            self.joins.append(_Unit(progress, {"do": "join", "parts": parts, "target": target, "kind": progress.kind}))

    def _give(self, worker: Process) -> None:
        """The next work, if there is any now; a process is let go when there will be none."""
        unit = self.joins.popleft() if self.joins else next(self.units, None)
        if unit is None and self.joins:  # asking for a unit may have completed a shard
            unit = self.joins.popleft()
        if unit is not None:
            self.busy[worker] = unit
            worker.send(unit.order, unit.data)
            unit.data = None
        elif self.unfinished:
            self.idle.append(worker)
        else:
            worker.close()

    # ---- what comes back --------------------------------------------------------------------------------------

    def _heard(self, worker: Process, event: Event) -> None:
        if event["event"] == "error":
            raise rebuilt(event)
        if event["event"] == "progress":
            self.partly[worker] = (event["rows"], event["bytes"])
        else:  # ready, or done and so ready again
            if event["event"] != "ready":
                self._done(self.busy.pop(worker), event)
                self.partly.pop(worker, None)
            self._give(worker)
            if self.joins or not self.unfinished:
                waiting, self.idle = self.idle, []
                for other in waiting:
                    self._give(other)
        self.watch(
            Standing(
                self.count,
                self.count - self.unfinished,
                self.fresh.rows + sum(rows for rows, _ in self.partly.values()),
                self.fresh.bytes + sum(size for _, size in self.partly.values()),
                time.monotonic() - self.started,
            )
        )

    def _done(self, unit: _Unit, event: Event) -> None:
        progress, name = unit.progress, unit.progress.shard.name
        if event["event"] == "joined":
            tally = Tally()
            for place in sorted(progress.parts):
                tally.add(progress.parts[place].tally)
            self.journal.finish(name, Done(progress.source, event["size"], tally))
            self.unfinished -= 1
            return
        done = Done(progress.source, event["size"], Tally.from_plain(event["tally"]))
        self.fresh.add(done.tally)
        if unit.place is None:
            self.journal.finish(name, done)
            self.unfinished -= 1
            return
        self.journal.finish_part(name, unit.place, done)
        progress.parts[unit.place] = done
        progress.open -= 1
        self._join_if_complete(progress)


def _cut(source: Path, kind: str | None) -> Iterator[tuple[int, int, bytes | None, int | None]]:
    """The pieces of a file: start, end and, of an archive, the bytes and how many lines come before."""
    if kind is None:
        for start, end in ranges_of(source):
            yield start, end, None, None
        return
    lines = 0
    for piece in pieces_of(blocks(source)):
        yield piece.start, piece.end, piece.data, lines
        lines += line_ends(piece.data)
