"""What a training shows while it runs, on stderr: a bar on a terminal, else one plain line every ten seconds."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from erya.language import say

PLAIN_SECONDS = 10.0
_BAR_SECONDS = 0.1
GIB = 1 << 30


@dataclass(slots=True)
class Standing:
    """Where training stands; None for what is not known."""

    epoch: int
    epochs: int
    done: float
    loss: float | None = None
    tokens_per_second: float | None = None
    score: float | None = None
    better: bool = False  # the score is the best so far
    seconds_left: float | None = None


class Display:
    """Shows nothing (``-q``), and is the base of the two that do."""

    def show(self, standing: Standing) -> None:
        """Called every step; draws when it is time."""

    def say(self, sentence: str) -> None:
        """One sentence, above the bar."""

    def close(self) -> None:
        """Take the bar away."""


class Lines(Display):
    """No terminal: a line now and then, that a log keeps well."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._next = time.monotonic() + PLAIN_SECONDS

    def show(self, standing: Standing) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PLAIN_SECONDS
            self.say(f"{where(standing)}  {standing.done:4.0%}  {figures(standing)}")

    def say(self, sentence: str) -> None:
        with suppress(OSError, ValueError):  # nobody listens any more; that is no reason to stop
            self.stream.write(f"  {sentence}\n")
            self.stream.flush()


class Bar(Display):
    """A terminal: one line that moves. Drawn by whoever calls ``show``: no thread of its own."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("  {task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[figures]}", markup=False),
            console=Console(file=stream, highlight=False),
            auto_refresh=False,
            transient=True,
        )
        self._task: Any = None
        self._next = 0.0

    def show(self, standing: Standing) -> None:
        now = time.monotonic()
        if now < self._next and standing.done < 1:
            return
        self._next = now + _BAR_SECONDS
        shown: dict[str, Any] = {"completed": standing.done, "figures": figures(standing)}
        if self._task is None:
            self._task = self._progress.add_task(where(standing), total=1.0, **shown)
            self._progress.start()
        self._progress.update(self._task, description=where(standing), **shown)
        self._progress.refresh()

    def say(self, sentence: str) -> None:
        self._progress.console.print(f"  {sentence}", markup=False, soft_wrap=True)

    def close(self) -> None:
        if self._task is not None:
            self._progress.stop()
            self._task = None


def display(stream: TextIO | None = None, *, quiet: bool = False) -> Display:
    """The display for this stream (stderr, where none is given)."""
    stream = stream or sys.stderr
    if quiet:
        return Display()
    return Bar(stream) if stream.isatty() else Lines(stream)


def where(standing: Standing) -> str:
    """``epoch 2/5``."""
    return say(f"epoch {standing.epoch}/{standing.epochs}", f"第 {standing.epoch}/{standing.epochs} 轮")


def figures(standing: Standing) -> str:
    """``1.24 M tok/s  loss 0.312  dev 0.874 ▲  eta 1:12  mem 1.1/15 GB``, as far as they are known."""
    found: list[str] = []
    if standing.tokens_per_second is not None:
        found.append(say(f"{short(standing.tokens_per_second)} tok/s", f"{short(standing.tokens_per_second)} 词/秒"))
    if standing.loss is not None:
        found.append(say(f"loss {standing.loss:.3f}", f"损失 {standing.loss:.3f}"))
    if standing.score is not None:
        mark = " ▲" if standing.better else ""
        found.append(say(f"dev {standing.score:.3f}{mark}", f"验证 {standing.score:.3f}{mark}"))
    if standing.seconds_left is not None:
        found.append(say(f"eta {clock(standing.seconds_left)}", f"剩余 {clock(standing.seconds_left)}"))
    used, total = memory()
    if used is not None:
        share = f"{used / GIB:.1f}" + (f"/{total / GIB:.0f}" if total else "")
        found.append(say(f"mem {share} GB", f"内存 {share} GB"))
    return "  ".join(found)


def short(number: float) -> str:
    """``1.24 M``, ``310 k``, ``87``."""
    if number >= 1e6:
        return f"{number / 1e6:.2f} M"
    return f"{number / 1e3:.0f} k" if number >= 1e3 else f"{number:.0f}"


def clock(seconds: float) -> str:
    """``1:12``, ``2:03:59``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def memory() -> tuple[int | None, int | None]:
    """Bytes of memory that this process uses now, and that the machine has; None where the system does not tell."""
    used = total = None
    with suppress(OSError, ValueError, AttributeError):
        page = os.sysconf("SC_PAGE_SIZE")
        total = page * os.sysconf("SC_PHYS_PAGES")
        used = page * int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return used, total
