"""What training shows: the original's line, on standard error."""

from __future__ import annotations

import sys
import time
from typing import Any, Literal

from erya.progress import Report
from erya.state import State

DRAWN = 0.1  # seconds between two drawings


class Progress(Report):
    """The original's line of progress on standard error, drawn again and again on a terminal and at the end elsewhere.

    Args:
        verbose: 0: nothing, 1: notes, 2: the line too.
        tuning: the steps are whole trials.
    """

    def __init__(self, verbose: int, *, tuning: bool) -> None:
        self.verbose, self.tuning, self.line, self.drawn = verbose, tuning, "", 0.0
        self.begun, self.trial = time.monotonic(), 0

    def note(self, sentence: str) -> None:
        if self.verbose > 0:
            self._put("")
            sys.stderr.write(sentence + "\n")
            sys.stderr.flush()

    def progress(
        self,
        *,
        epoch: int,
        epochs: int,
        done: float,
        loss: float | None = None,
        tokens_per_second: float | None = None,
        score: float | None = None,
    ) -> None:
        parts = [f"Progress: {100 * done:5.1f}%"]
        if self.tuning:
            parts += [
                f"Trials: {epoch:4d}",
                f"Best score: {score:9.6f}" if score is not None else "Best score: unknown",
            ]
        else:
            parts += [f"words/sec: {tokens_per_second:9.0f}"] if tokens_per_second is not None else []
            parts += [f"avg.loss: {loss:9.6f}"] if loss is not None else []
        self.line = " ".join([*parts, f"ETA: {self._left(done)}"])
        if self.tuning and epoch != self.trial and not sys.stderr.isatty():
            self.trial = epoch
            self.close()  # a line a trial: a search takes minutes, and somebody waits
        if sys.stderr.isatty() and time.monotonic() - self.drawn >= DRAWN:
            self.drawn = time.monotonic()
            self._put(self.line)

    def _left(self, done: float) -> str:
        """Hours, minutes and seconds to go, if it goes on like this."""
        seconds = int((time.monotonic() - self.begun) * (1 - done) / done) if done > 0 else 0
        return f"{seconds // 3600:3d}h{seconds // 60 % 60:2d}m{seconds % 60:2d}s"

    def close(self) -> None:
        """Leave the last line standing."""
        if self.verbose > 1 and self.line:
            self._put(self.line)
            sys.stderr.write("\n")
            sys.stderr.flush()
            self.line = ""

    def _put(self, line: str) -> None:
        if self.verbose > 1 and (line or sys.stderr.isatty()):
            sys.stderr.write(("\r" if sys.stderr.isatty() else "") + line.ljust(78))
            sys.stderr.flush()


class Within(Report):
    """One training of a search: its own progress is not shown, the rest goes to the search's report."""

    def __init__(self, outer: Report) -> None:
        self.outer = outer

    def note(self, sentence: str) -> None:
        self.outer.note(sentence)

    def record(self, row: dict[str, Any]) -> None:
        pass

    def save_checkpoint(self, state: State) -> None:
        pass

    def stopping(self) -> Literal["interrupt", "budget"] | None:
        return self.outer.stopping()
