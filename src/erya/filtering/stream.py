"""Filtering between two pipes: rows come from standard input or from files, and what is kept goes to standard output, in order.

Nothing is remembered, so nothing can be continued. What is written is not packed, whatever the input was.
"""

from __future__ import annotations

import itertools
import queue
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from erya.errors import Interrupted
from erya.filtering.counts import Tally
from erya.filtering.layout import Layout, layout_of
from erya.filtering.pieces import line_ends, pieces_of
from erya.filtering.pool import Shard, Standing, Watch
from erya.filtering.process import Event, Process, rebuilt
from erya.filtering.run import Outcome
from erya.filtering.settings import Settings
from erya.language import say
from erya.text.files import blocks

STREAM_PIECE = 1 << 20  # bytes: what comes in is answered after about this much
_HEAD = 1 << 18  # bytes from which the layout of standard input is found
_AHEAD = 4  # pieces for each process that may be done before their turn

Order = tuple[int, dict[str, Any], bytes]  # which shard, the order, the bytes


def filter_stream(
    model: Path,
    settings: Settings,
    shards: Sequence[Shard] | BinaryIO,
    write: Callable[[bytes], object],
    *,
    processes: int,
    bad_rows: str = "stop",
    watch: Watch = lambda standing: None,
    noted: Callable[[str], None] = lambda note: None,
) -> Outcome:
    """Write the rows that are kept as they come, unpacked, in the order of the input.

    Args:
        model: the model file.
        settings: which rows are kept.
        shards: files, or an open stream such as ``sys.stdin.buffer``.
        write: gets the kept lines.
        processes: that score at once; their number changes no byte.
        bad_rows: see ``filter_file``.
        watch: told where the run stands.
        noted: gets what was guessed about the input.

    Raises:
        EryaError: what went wrong first. What was written until then stays written.
        BrokenPipeError: nobody reads any more.
        Interrupted: Ctrl-C.
    """
    names = [shard.name for shard in shards] if isinstance(shards, Sequence) else ["-"]
    job = {"model": str(model), "settings": settings.to_plain(), "bad_rows": bad_rows}
    orders = _of_files(shards, settings) if isinstance(shards, Sequence) else _of_stream(shards, settings, noted)
    relay = _Relay(job, orders, write, watch, names)
    try:
        relay.run(processes)
    except KeyboardInterrupt:
        raise Interrupted("interrupted", say("stopped", "已停止")) from None
    outcome = Outcome(dict(zip(names, relay.tallies, strict=True)), seconds=time.monotonic() - relay.started)
    for tally in relay.tallies:
        outcome.total.add(tally)
        outcome.fresh.add(tally)
    return outcome


def _of_files(shards: Sequence[Shard], settings: Settings) -> Iterator[Order]:
    for number, shard in enumerate(shards):
        layout, _ = layout_of(shard.source, settings)
        yield from _orders(number, layout, blocks(shard.source), str(shard.source))


def _of_stream(stream: BinaryIO, settings: Settings, noted: Callable[[str], None]) -> Iterator[Order]:
    """Pieces of a stream that can be read only once: its layout is found from its first bytes."""
    data = blocks(stream)
    head = b""
    for block in data:
        head += block
        if len(head) >= _HEAD and b"\n" in head:
            break
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "-")
        path.write_bytes(head if len(head) < _HEAD else head[: head.rfind(b"\n") + 1])
        layout, notes = layout_of(path, settings)
    for note in notes:
        noted(note)
    layout = replace(layout, name=say("standard input", "标准输入"))
    yield from _orders(0, layout, itertools.chain([head], data), "-")


def _orders(number: int, layout: Layout, data: Iterator[bytes], source: str) -> Iterator[Order]:
    order: dict[str, Any] = {"do": "piece", "source": source, "kind": None, "target": None, "layout": layout.to_plain()}
    lines = 0
    for piece in pieces_of(data, size=STREAM_PIECE):
        yield number, {**order, "start": piece.start, "end": piece.end, "lines": lines}, piece.data
        lines += line_ends(piece.data)


class _Relay:
    """Hands pieces to processes and writes their answers in the order of the pieces."""

    def __init__(
        self,
        job: dict[str, Any],
        orders: Iterator[Order],
        write: Callable[[bytes], object],
        watch: Watch,
        names: Sequence[str],
    ) -> None:
        self.job, self.orders, self.write, self.watch = job, orders, write, watch
        self.tallies = [Tally() for _ in names]
        self.events: queue.Queue[tuple[Process, Event | None]] = queue.Queue()
        self.busy: dict[Process, tuple[int, int, str]] = {}  # the piece's number, its shard's, the source
        self.answers: dict[int, bytes] = {}
        self.given = self.written = 0
        self.started = time.monotonic()

    def run(self, processes: int) -> None:
        """Work until no piece is left."""
        workers: list[Process] = []
        idle: list[Process] = []
        try:
            for _ in range(processes):
                workers.append(Process(self.job, self.events))
            alive = set(workers)
            while alive:
                try:
                    worker, event = self.events.get(timeout=1.0)
                except queue.Empty:
                    continue
                if event is None:
                    alive.discard(worker)
                    worker.check_end(self.busy[worker][2] if worker in self.busy else None)
                elif event["event"] == "error":
                    raise rebuilt(event)
                elif event["event"] != "progress":
                    self._take(worker, event)
                    idle.append(worker)
                    while idle and self.given - self.written < _AHEAD * processes:
                        self._give(idle.pop(0))
                    self._show()
        finally:
            for worker in workers:
                worker.stop()

    def _give(self, worker: Process) -> None:
        found = next(self.orders, None)
        if found is None:
            worker.close()
            return
        shard, order, data = found
        self.busy[worker] = (self.given, shard, order["source"])
        self.given += 1
        worker.send(order, data)

    def _take(self, worker: Process, event: Event) -> None:
        if event["event"] != "done":
            return
        number, shard, _ = self.busy.pop(worker)
        self.tallies[shard].add(Tally.from_plain(event["tally"]))
        self.answers[number] = event["data"]
        while self.written in self.answers:
            self.write(self.answers.pop(self.written))
            self.written += 1

    def _show(self) -> None:
        done = Tally()
        for tally in self.tallies:
            done.add(tally)
        self.watch(Standing(len(self.tallies), 0, done.rows, done.bytes, time.monotonic() - self.started))
