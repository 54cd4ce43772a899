"""The trainings of a search, each in a process of its own (contest.py): on a share of the rows for a trial, on all at the end.

A trial is scored on the validation rows, which it never sees: nothing stops early by them and no threshold is learnt from them,
just as in the last training, where they are training rows.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from erya.contestants import Watch, run_process, write_json
from erya.tasks.classify import Run
from erya.tasks.tag import TagRun
from erya.text.dataset import Dataset, Part
from erya.text.splits import divide
from erya.tuning import judging
from erya.tuning.clock import KILLED
from erya.tuning.entrants import Entrant
from erya.tuning.schedule import Attempt, Step

LEAST = 0.05  # seconds of training that a process is given at least
RESAMPLES = 200  # for the interval of a trial


@dataclass(slots=True)
class Judged:
    """A model of the last round: its answers to the test rows, its file, and what is known of its training."""

    answers: Run | TagRun
    path: Path
    result: dict[str, Any]
    seconds: float


def subset(part: Part, share: float, seed: int) -> Part:
    """A share of the rows: every label in proportion, equal inputs together, the same rows for the same seed."""
    if share >= 1:
        return part
    return part.take(divide(part, {"kept": share}, seed)["kept"])


def joined(first: Part, second: Part) -> Part:
    """The rows of both."""
    weights = None
    if first.weights is not None or second.weights is not None:
        weights = [*(first.weights or [1.0] * len(first)), *(second.weights or [1.0] * len(second))]
    targets = None if first.targets is None else [*first.targets, *(second.targets or [])]
    return Part([*first.inputs, *second.inputs], targets, weights, [*first.rows, *second.rows])


class Trainings:
    """Runs steps.

    Args:
        dataset: all three parts.
        folder: to work in; what lies in it is removed by the caller.
        shares: of the training rows, by rung.
        entrants: the models.
        metric: the name of the score.
        seed: of the models and of the shares of the rows.
    """

    def __init__(
        self, dataset: Dataset, folder: Path, shares: list[float], entrants: list[Entrant], metric: str, seed: int
    ) -> None:
        self.dataset, self.folder, self.shares, self.metric, self.seed = dataset, folder, shares, metric, seed
        self.entrants = {entrant.model: entrant for entrant in entrants}
        self.digest = dataset.digest
        self._progress: dict[str, float] = {}

    def rows(self) -> list[int]:
        """Training rows of every rung."""
        return [len(part) for part in self._parts()]

    def _parts(self) -> list[Part]:
        """The training rows by rung; those of a lower rung are among those of a higher one."""
        found = [self.dataset.train]
        for lower, upper in zip(self.shares[-2::-1], self.shares[:0:-1], strict=True):
            found.insert(0, subset(found[0], lower / upper, self.seed))
        return found

    def attempt(self, step: Step, allowance: float, overhead: float, watch: Watch, *, patience: float = 0.0) -> Attempt:
        """Train and score one step.

        Args:
            step: what to train.
            allowance: seconds for the whole process.
            overhead: of them beside training.
            watch: told about progress.
            patience: seconds after which the process is killed at the earliest.
        """
        folder = self._rung(step.rung)
        began = time.monotonic()
        self._progress = {}
        job_folder = Path(tempfile.mkdtemp(dir=folder))
        unlimited = allowance == float("inf")
        soft = None if unlimited else max(LEAST, allowance - overhead)
        self._order(job_folder, step.model, step.settings, soft)
        limit = None if unlimited else max(patience, allowance + KILLED, KILLED)
        result = run_process(step.model, job_folder, soft, self._listening(watch, step), limit=limit)
        attempt = self._scored(step, job_folder, result)
        shutil.rmtree(job_folder, ignore_errors=True)
        seconds = time.monotonic() - began
        late = result["status"] == "failed" and limit is not None and seconds >= limit
        return replace(attempt, seconds=seconds, status="cut" if late else attempt.status)

    def needed(self) -> float | None:
        """Seconds that the training that was broken off last would have taken, as far as its progress tells."""
        done, seconds = self._progress.get("done", 0.0), self._progress.get("seconds", 0.0)
        return seconds / done if done > 0 else None

    def refit(self, model: str, settings: dict[str, Any], dataset: Dataset, soft: float | None, watch: Watch) -> Judged:
        """Train on all rows of ``dataset`` and answer its test rows.

        Raises:
            RuntimeError: the training failed; the message is what it said.
        """
        folder = self.folder / "last"
        if not (folder / "data.json").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            judging.trial_of(dataset).write(folder / "data.json")
        began = time.monotonic()
        job_folder = Path(tempfile.mkdtemp(dir=folder))
        self._order(job_folder, model, settings, soft)
        result = run_process(model, job_folder, soft, watch)
        if result["status"] == "failed":
            raise RuntimeError(result["error"])
        answers = judging.trial_of(dataset).answers(job_folder)
        return Judged(answers, job_folder / "model.erya", result, time.monotonic() - began)

    # ---- the details ------------------------------------------------------------------------------------------

    def _rung(self, rung: int) -> Path:
        """The folder of a rung with its data; the validation rows are those to be answered."""
        folder = self.folder / f"rung-{rung}"
        if not (folder / "data.json").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            part = self._parts()[rung]
            rows = replace(self.dataset, train=part, dev=None, test=self.dataset.dev)
            judging.trial_of(rows).write(folder / "data.json")
        return folder

    def _order(self, job_folder: Path, model: str, settings: dict[str, Any], soft: float | None) -> None:
        wishes = {"seed": self.seed, **self.entrants[model].frozen, **settings}
        job = {"digest": self.digest, "task": self.dataset.task, "budget_seconds": soft, "id": model}
        write_json(job_folder / "job.json", job | {"wishes": wishes})

    def _listening(self, watch: Watch, step: Step) -> Watch:
        began = time.monotonic()

        def listen(event: dict[str, Any]) -> None:
            if event.get("event") == "progress":
                self._progress = {"done": float(event.get("done") or 0.0), "seconds": time.monotonic() - began}
            watch({**event, "trial": step.trial, "rung": step.rung})

        return listen

    def _scored(self, step: Step, job_folder: Path, result: dict[str, Any]) -> Attempt:
        common: dict[str, Any] = {
            "trial": step.trial,
            "rung": step.rung,
            "model": step.model,
            "settings": step.settings,
            "seconds": 0.0,
        }
        if result["status"] == "failed":
            return Attempt(**common, status="failed", score=None, low=None, high=None, error=str(result["error"]))
        dev = self.dataset.dev
        run = judging.trial_of(replace(self.dataset, dev=None, test=dev)).answers(job_folder)
        scores = judging.task_of(self.dataset).scores(
            dev.targets if dev else [], [run], seed=self.seed, resamples=RESAMPLES
        )
        score = scores[self.metric]
        return Attempt(
            **common,
            status="cut" if result["status"] == "budget" else "ok",
            score=score.value,
            low=score.low,
            high=score.high,
            train_seconds=result["train_seconds"],
            stopped_at_step=result.get("stopped_at_step"),
            bytes=result.get("model_bytes"),
        )


def metric_of(name: str | None, dataset: Dataset) -> str:
    """The score that trials are ranked by: the task's own, or one of its others.

    Raises:
        UsageError: the task has no such score.
    """
    from erya.errors import UsageError, nearest
    from erya.language import say
    from erya.tasks import _label_sets

    if name is None:
        return judging.trial_of(dataset).columns[0]
    known = list(_label_sets.SCORE_NAMES if dataset.kind == "several" else judging.task_of(dataset).SCORE_NAMES)
    if dataset.task == "tag":
        known = list(judging.trial_of(dataset).columns)
    if name in known:
        return name
    guess = nearest(name, known)
    raise UsageError(
        "unknown-score",
        say(f"there is no score '{name}' for these rows", f"这份数据没有名为 '{name}' 的分数"),
        help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else " · ".join(known),
    )
