"""What a comparison shows while it runs: a table that grows on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from erya.cli import output
from erya.language import say

PLAIN_SECONDS = 10.0
DRAWN = 0.1  # seconds between two drawings


class Watcher:
    """Takes the events of ``leaderboard.compare``.

    Args:
        live: stderr is a terminal: draw a table that changes in place.
        silent: show nothing.
    """

    def __init__(self, *, live: bool, silent: bool = False) -> None:
        self.silent = silent
        self.models: list[str] = []
        self.began: dict[str, Any] = {}  # names the columns
        self.rows: dict[str, dict[str, Any]] = {}
        self.standing: dict[str, str] = {}
        self._spoken = time.monotonic()
        self._drawn = 0.0
        self._live: Any = None
        if live and not silent:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=sys.stderr, highlight=False), auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def watch(self, event: dict[str, Any]) -> None:
        """One event: begin, start, note, progress, done."""
        model = str(event.get("model", ""))
        if event["event"] == "begin":
            self.models, self.began = list(event["models"]), event
        elif event["event"] == "start":
            self.standing[model] = say("starting", "启动中")
            self._say(f"{model} …")
        elif event["event"] == "note":
            self._say(f"{model}: {event['sentence']}")
        elif event["event"] == "progress":
            self.standing[model] = _standing(event)
            if time.monotonic() - self._spoken >= PLAIN_SECONDS:
                self._say(f"{model} {self.standing[model]}")
        elif event["event"] == "done":
            self.rows[model] = event
            self._say(f"{model} {_done(event, self.began)}")
        self._draw(force=event["event"] != "progress")

    def _say(self, sentence: str) -> None:
        self._spoken = time.monotonic()
        if not self.silent and self._live is None:
            output.talk(f"  {sentence}")

    def _draw(self, force: bool) -> None:
        now = time.monotonic()
        if self._live is None or (not force and now - self._drawn < DRAWN):
            return
        self._drawn = now
        from rich.text import Text

        self._live.update(Text("\n".join(self.lines()), no_wrap=True, overflow="crop"), refresh=True)

    def lines(self) -> list[str]:
        """The table as it stands: scores of the models that are done, where the others are."""
        from erya.board_table import aligned, cells, columns

        shown = [
            cells(self.rows[model], self.began)
            if model in self.rows
            else [model, self.standing.get(model, "·"), *[""] * (len(columns(self.began)) - 2)]
            for model in self.models
        ]
        width = output.columns()
        return [output.cut(line, width) for line in aligned(shown, width, self.began)]


def _standing(event: dict[str, Any]) -> str:
    pieces = [
        say(f"epoch {event['epoch']}/{event['epochs']}", f"第 {event['epoch']}/{event['epochs']} 轮"),
        f"{event['done']:.0%}",
    ]
    if event.get("loss") is not None:
        pieces.append(say(f"loss {event['loss']:.3f}", f"损失 {event['loss']:.3f}"))
    return "  ".join(pieces)


def _done(event: dict[str, Any], began: dict[str, Any]) -> str:
    from erya.board_table import cells, score_names, seconds, status

    shown = cells(event, began)
    if not any(shown[2:]):
        return f"{status(event)}: {event['error']}"
    told = f"{shown[1]} {shown[2]}" if score_names(began)[0] in event["scores"] else _other_score(event)
    return f"{told}  {seconds(event['train_seconds'])}".strip()


def _other_score(event: dict[str, Any]) -> str:
    """The first score there is, where the one that ranks could not be told."""
    from erya.board_table import score_title

    return next((f"{score_title(name)} {score['value']:.4f}" for name, score in event["scores"].items()), "–")
