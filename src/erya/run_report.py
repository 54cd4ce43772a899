"""The report of a training that can be stopped and continued: display, log, checkpoints, signals, budget."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Literal, Self

import numpy as np

from erya.artefact import Content, save
from erya.budget_plan import Foreseen, Plan
from erya.errors import ModelFileError, UsageError
from erya.language import say
from erya.progress import Report
from erya.run_display import Display, Standing
from erya.run_folder import RunFolder
from erya.state import State

CHECKPOINT_SECONDS = 30.0
_MOST_ROWS = 5000  # of the curve that is kept; log.jsonl has them all
_COST = 20  # a checkpoint that takes a second is made at most every 20 seconds


class RunReport(Report):
    """What ``fit`` reports to while ``m.erya.run/`` stands. As a context manager it listens to Ctrl-C and SIGTERM.

    Args:
        folder: the run, its lock already held.
        model: id, written into checkpoints.
        params: the model's plain parameters, likewise.
        display: what the user sees.
        budget_seconds: training ends at the first step after so many seconds, those before a resume included.
        budget_steps: training ends at this step, counted by the calls of ``stopping``.
        plan: what was foreseen of a budget in the run that is resumed or repeated.
        remember: called with what the run folder must keep: the step at which ``budget_seconds`` ran out, before training is told,
            as ``budget_steps``; what is foreseen of it as ``budget_plan``.
    """

    def __init__(
        self,
        folder: RunFolder,
        model: str,
        params: dict[str, Any],
        display: Display,
        *,
        budget_seconds: float | None = None,
        budget_steps: int | None = None,
        plan: Plan | None = None,
        remember: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.folder = folder
        self.model = model
        self.params = params
        self.display = display
        self.budget_seconds = budget_seconds
        self.budget_steps = budget_steps
        self.foreseen = Foreseen(budget_seconds, plan)
        self.remember = remember
        self.every = checkpoint_seconds()
        self.curve: list[dict[str, Any]] = []  # without clock: it goes into the artefact
        self.steps = 0  # calls of stopping(), those before a resume included
        self.stopped_at: int | None = None  # the step at which the budget ended training
        self.signals = 0
        self._started = self._saved = time.monotonic()
        self._earlier = 0.0  # seconds of the runs before a resume
        self._cost = 0.0  # seconds that the last checkpoint took
        self._best = -math.inf
        self._latest: float | None = None
        self._phase = (self._started, 0.0)  # since when, and how far it was then
        self._done: float | None = None
        self._handlers: dict[int, Any] = {}
        self._said: set[str] = set()

    # ---- what fit calls ---------------------------------------------------------------------------------------

    def note(self, sentence: str) -> None:
        self.log("note", sentence=sentence)
        if sentence not in self._said:  # several kernels are compiled with one and the same word of it
            self._said.add(sentence)
            self.display.say(sentence)

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
        if score is not None and score != self._latest:
            self._latest, better = score, score > self._best
            self._best = max(self._best, score)
        else:
            better = score is not None and score == self._best
        if self._done is None:
            self._phase = (self._started, done)
        elif done < self._done:  # the text is read, now training begins: what is left is counted from here
            self._phase = (time.monotonic(), done)
        self._done = done
        spent, gained = time.monotonic() - self._phase[0], done - self._phase[1]
        left = spent * (1 - done) / gained if gained > 0 and spent > 1 else None
        self.display.show(Standing(epoch, epochs, done, loss, tokens_per_second, score, better, left))

    def record(self, row: dict[str, Any]) -> None:
        plain = {str(name): _plain(value) for name, value in row.items()}
        self.curve.append({name: value for name, value in plain.items() if "second" not in name})
        if len(self.curve) > _MOST_ROWS:
            del self.curve[1::2]  # every second row; where training is resumed, the same ones
        self.log("curve", **plain)

    def checkpoint_due(self) -> bool:
        since = time.monotonic() - self._saved
        return self.every == 0 or since >= max(self.every, _COST * self._cost)

    def save_checkpoint(self, state: State) -> None:
        began = time.monotonic()
        data = dict(state.data)
        outer = {"tokenizer": data.pop("tokenizer")} if "tokenizer" in data else {}
        content = Content(
            model=self.model,
            params=self.params,
            state=State(state.arrays, {"fit": data, **outer}),
            state_version=1,
            training={"curve": self.curve, "steps": self.steps, "seconds": self.seconds()},
            card="",
        )
        save(self.folder.checkpoint, content, kind="checkpoint")
        self._saved = time.monotonic()
        self._cost = self._saved - began
        self.log("checkpoint", step=self.steps, took_seconds=round(self._cost, 4))

    def load_checkpoint(self) -> State | None:
        content = self.folder.load_checkpoint()
        if content is None:
            return None
        data, training = content.state.data, content.training
        curve, steps, seconds = training.get("curve"), training.get("steps"), training.get("seconds")
        fits = content.model == self.model and content.params == self.params and isinstance(data.get("fit"), dict)
        if not fits or not isinstance(curve, list) or type(steps) is not int or type(seconds) is not float:
            raise ModelFileError(
                "run-damaged",
                say("the checkpoint belongs to another training", "检查点属于另一次训练"),
                where=str(self.folder.checkpoint),
                help=say("start over with erya train … --restart", "用 erya train … --restart 重新开始"),
            )
        self.curve, self.steps, self._earlier = curve, steps, seconds
        self.log("resume", step=steps)
        inner = data["fit"]
        if "tokenizer" in data:
            inner["tokenizer"] = data["tokenizer"]
        return State(content.state.arrays, inner)

    def stopping(self) -> Literal["interrupt", "budget"] | None:
        self.steps += 1
        plan = self.foreseen.count(self.steps, self.seconds())
        if plan is not None and self.remember:
            self.remember({"budget_plan": list(plan)})
        if self.signals:
            return "interrupt"
        if self.foreseen.over(self.steps) or (self.budget_steps is not None and self.steps >= self.budget_steps):
            return self._out_of_budget()
        if self.budget_seconds is not None and self.seconds() >= self.budget_seconds:
            self.budget_steps = self.steps
            if self.remember:
                self.remember({"budget_steps": self.steps})
            return self._out_of_budget()
        return None

    def planned_steps(self) -> int | None:
        return self.foreseen.steps(self.steps)

    # ---- its own ----------------------------------------------------------------------------------------------

    def seconds(self) -> float:
        """Seconds of training, those before a resume included."""
        return self._earlier + time.monotonic() - self._started

    def log(self, event: str, **fields: Any) -> None:
        """One line to log.jsonl."""
        plain = {name: _plain(value) for name, value in fields.items()}
        self.folder.append({"event": event, **plain, "seconds": round(self.seconds(), 3)})

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # only there may Python set handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._handlers.clear()
        self.display.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """The first asks ``fit`` to stop after this step; the second leaves at once: the last checkpoint is valid."""
        self.signals += 1
        if self.signals == 1:
            _to_stderr(say("finishing this step … once more leaves at once", "正在完成当前步骤……再按一次立即退出"))
            return
        _to_stderr(
            say(f"left; continue with: {self.folder.resume_command}", f"已退出；继续训练：{self.folder.resume_command}")
        )
        os._exit(130)

    def _out_of_budget(self) -> Literal["budget"]:
        if self.stopped_at is None:
            self.stopped_at = self.steps
            self.log("budget", step=self.steps)
        return "budget"


def checkpoint_seconds() -> float:
    """ERYA_CHECKPOINT_SECONDS; 0 makes a checkpoint whenever one is possible.

    Raises:
        UsageError: not a number, or negative.
    """
    asked = os.environ.get("ERYA_CHECKPOINT_SECONDS", "")
    if not asked:
        return CHECKPOINT_SECONDS
    try:
        seconds = float(asked)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise UsageError(
            "bad-checkpoint-seconds",
            say(
                f"ERYA_CHECKPOINT_SECONDS={asked!r} is no number of seconds",
                f"ERYA_CHECKPOINT_SECONDS={asked!r} 不是秒数",
            ),
            help="ERYA_CHECKPOINT_SECONDS=30",
        )
    return seconds


def _to_stderr(sentence: str) -> None:
    """From a signal handler: past Python's buffers, which the interrupted code may be writing to."""
    try:
        os.write(2, f"\n  {sentence}\n".encode())
    except OSError:
        return


def _plain(value: Any) -> Any:
    """A row's value as JSON data; NaN and infinity become null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return value
