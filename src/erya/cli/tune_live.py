"""What a search shows while it runs: one line that changes on a terminal, a line a training elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Self

from erya.cli import output
from erya.errors import quoted
from erya.language import say


class Watcher:
    """What a search shows while it runs: one line that changes on a terminal, a line a training elsewhere."""

    def __init__(self, *, silent: bool) -> None:
        self.silent, self.live = silent, sys.stderr.isatty() and not silent
        self.began: dict[str, Any] = {}
        self.best: float | None = None
        self.left, self.since = float("inf"), time.monotonic()
        self._standing, self._drawn, self._trainings = "", 0.0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ending: object) -> None:
        self._wipe()

    def watch(self, event: dict[str, Any]) -> None:
        """One event of ``tuning.tune``."""
        kind = event["event"]
        if kind == "begin":
            self._begin(event)
        elif kind == "start":
            self.left, self.since = event["left"], time.monotonic()
            self._standing = f"{event['model']} {self._rows(event['rung'])}"
            self._draw(0.0)
        elif kind == "progress":
            self._draw(float(event.get("done") or 0.0))
        elif kind == "done":
            self._done(event)
        elif kind == "refit":
            self._standing = (
                say(f"last training: {event['model']}", f"最后的训练：{event['model']}")
                if event["which"] == "winner"
                else say("the default settings beside it", "再训练默认设置作比较")
            )
            self._say(self._standing)
        elif kind == "note" and not self.live:
            self._say(f"{event.get('model', '')}: {event['sentence']}")

    def _begin(self, event: dict[str, Any]) -> None:
        self.began = event
        rungs = say(" → ", " → ").join(f"{rows:,}" for rows in event["rows"])
        if not self.silent:
            names = ", ".join(event["models"])
            output.talk(output.fact(say("search", "搜索"), say(f"{names}; rows {rungs}", f"{names}；行数 {rungs}")))
            for one in event["left_out"]:
                output.talk(output.fact("", say("left out: ", "未参加：") + f"{one['model']} – {one['reason']}"))
        for attempt in event["before"]:
            self._note_best(attempt)
        if event["before"]:
            count = len({attempt["trial"] for attempt in event["before"]})
            self._say(say(f"goes on after {count} trials", f"从第 {count} 次试验之后继续"))

    def _note_best(self, attempt: dict[str, Any]) -> bool:
        """Whether this one is the best on all rows so far."""
        full = attempt["rung"] == len(self.began["rows"]) - 1 and attempt["status"] == "ok"
        if not full or attempt["score"] is None:
            return False
        if self.best is None or self.began["sign"] * (attempt["score"] - self.best) > 0:
            self.best = attempt["score"]
            return True
        return False

    def _done(self, event: dict[str, Any]) -> None:
        better = self._note_best(event)
        self.left, self.since = event["left"], time.monotonic()
        self._trainings += 1
        if event["score"] is None:
            word = say("failed", "失败") if event["status"] == "failed" else say("no time", "时间不够")
            told = f"{word}: {quoted(event['error'] or '', 100)}"
        else:
            told = f"{event['score']:.4f}" + (" ▲" if better else "") + (" ◷" if event["status"] == "cut" else "")
        if event["score"] is None or better or not self.live:
            from erya.tuning.wording import shown

            settings = " ".join(f"{name}={shown(value)}" for name, value in event["settings"].items())
            default = say("default", "默认") if event["trial"] < len(self.began["models"]) else settings
            self._say(
                f"{event['trial']:>3}  {event['model']} {self._rows(event['rung'])}  {told}  {output.duration(event['seconds'])}  {default}"
            )
        self._draw(1.0)

    def _rows(self, rung: int) -> str:
        count = self.began["rows"][rung]
        return say(f"{count:,} rows", f"{count:,} 行")

    def _say(self, sentence: str) -> None:
        self._wipe()
        if not self.silent:
            output.talk(output.cut(f"  {sentence}", output.columns()) if self.live else f"  {sentence}")

    def _draw(self, done: float) -> None:
        now = time.monotonic()
        if not self.live or now - self._drawn < 0.1:
            return
        self._drawn = now
        pieces = [self._standing, f"{done:.0%}"]
        if self.best is not None:
            pieces.append(say(f"best {self.best:.4f}", f"最好 {self.best:.4f}"))
        if self.left != float("inf"):
            left = max(0, round(self.left - (now - self.since)))
            pieces.append(say(f"{left // 60}:{left % 60:02} left", f"剩余 {left // 60}:{left % 60:02}"))
        sys.stderr.write("\r\x1b[2K" + output.cut("  " + " · ".join(pieces), output.columns() - 1))
        sys.stderr.flush()

    def _wipe(self) -> None:
        if self.live:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
