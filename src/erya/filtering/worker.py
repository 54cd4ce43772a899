"""One filtering process: ``python -m erya.filtering.worker``.

It opens the model by its path and then does what it is told, an order a line on its standard input, answering in JSON lines. An order
or an answer with ``length`` is followed by so many bytes. It computes on one thread, so that the number of processes changes
no bit of a score, and ends by itself when its caller is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from erya.atomic import atomic_write
from erya.errors import EryaError
from erya.filtering.counts import Tally
from erya.filtering.layout import Layout
from erya.filtering.one_piece import PieceFilter, Told, filter_file
from erya.filtering.pieces import Piece, line_ends, pack, piece_at
from erya.filtering.settings import Settings
from erya.foreign_classifier import open_classifier
from erya.text.files import blocks

PROGRESS_SECONDS = 0.5
_COPIED_AT_ONCE = 1 << 20

Speak = Callable[..., None]  # an event, and the bytes that follow it


def work(orders: BinaryIO, speak: Speak) -> None:
    """Do what the caller asks for: the job on the first line, then an order a line. A foreseen error ends it."""
    job = json.loads(orders.readline())
    try:
        settings = Settings(**job["settings"])
        filter = PieceFilter(open_classifier(Path(job["model"])), settings, job["bad_rows"])
        speak({"event": "ready"})
        for line in orders:
            order = json.loads(line)
            data = orders.read(order["length"]) if "length" in order else None
            _DO[order["do"]](filter, order, data, speak)
    except EryaError as problem:
        kind = next((kind.__name__ for kind in type(problem).__mro__ if kind in EryaError.__subclasses__()), "")
        told = {"kind": kind, "code": problem.code, "error": problem.message, "where": problem.where}
        speak({"event": "error", **told, "help": problem.help})


def _do_file(filter: PieceFilter, order: dict[str, Any], data: bytes | None, speak: Speak) -> None:
    target = Path(order["target"])
    tally = filter_file(
        filter.model,
        filter.settings,
        Path(order["source"]),
        target,
        bad_rows=filter.bad_rows,
        told=_progress(speak),
    )
    speak({"event": "done", "tally": tally.to_plain(), "size": target.stat().st_size})


def _do_piece(filter: PieceFilter, order: dict[str, Any], data: bytes | None, speak: Speak) -> None:
    """A piece that lies in the file, or whose bytes came with the order; to a file of its own, or back."""
    start, end, tally = order["start"], order["end"], Tally()
    piece = piece_at(Path(order["source"]), start, end) if data is None else Piece(start, end, data)
    before = order.get("lines")
    kept = filter.kept_of(
        Layout(**order["layout"]),
        piece,
        tally,
        told=_progress(speak),
        lines_before=lambda: before if before is not None else _lines_before(Path(order["source"]), start),
    )
    body = pack(kept, order["kind"]) if kept else b""
    if order["target"] is None:
        speak({"event": "done", "tally": tally.to_plain()}, body)
        return
    atomic_write(order["target"], lambda stream: stream.write(body))
    speak({"event": "done", "tally": tally.to_plain(), "size": len(body)})


def _do_join(filter: PieceFilter, order: dict[str, Any], data: bytes | None, speak: Speak) -> None:
    """What was kept of all pieces, one behind the other: the output of the file."""

    def write(stream: BinaryIO) -> None:
        nothing = True
        for part in order["parts"]:
            with Path(part).open("rb") as file:
                while block := file.read(_COPIED_AT_ONCE):
                    nothing = False
                    stream.write(block)
        if nothing:
            stream.write(pack(b"", order["kind"]))

    target = Path(order["target"])
    atomic_write(target, write)
    speak({"event": "joined", "size": target.stat().st_size})


_DO = {"file": _do_file, "piece": _do_piece, "join": _do_join}


def _lines_before(source: Path, start: int) -> int:
    return sum(line_ends(block) for block in _first(source, start))


def _first(source: Path, size: int) -> Iterator[bytes]:
    """The first bytes of an unpacked file, which end at a line's end."""
    kept = b""
    for block in blocks(source):
        if size <= 0:
            break
        joined = kept + block[:size]
        kept = b"\r" if joined.endswith(b"\r") else b""  # it may belong to the next block's \n
        yield joined[: len(joined) - len(kept)]
        size -= len(block)
    yield kept


def _progress(speak: Speak) -> Told:
    spoken = time.monotonic()

    def told(tally: Tally) -> None:
        nonlocal spoken
        if time.monotonic() - spoken >= PROGRESS_SECONDS:
            spoken = time.monotonic()
            speak({"event": "progress", "rows": tally.rows, "bytes": tally.bytes})

    return told


def main() -> None:
    """Keep the answers' stream for the answers; end quietly when nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the caller ends its own
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def speak(event: dict[str, Any], data: bytes | None = None) -> None:
        told = event if data is None else {**event, "length": len(data)}
        answers.write(json.dumps(told).encode() + b"\n")
        if data:
            answers.write(data)
        answers.flush()

    try:
        work(sys.stdin.buffer, speak)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
