"""Finding good settings within a time and a size: which trial comes next, what was tried, which settings mattered.

Random search around the best so far, as the original's autotuning does it, in our own form: the first trial is the plain
default; then some settings are drawn anew and the rest keep the best trial's values, nearer to them the more time has passed.
Settings that were given by hand stay as they are. Everything that was tried stands in a journal, from which a search that was
broken off goes on: the n-th trial is a function of the seed, n and the trials before it.

Not here: training and scoring a trial (the caller's), the original's metrics (``metrics.py``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from erya.errors import DataError, DivergedError, ResourceError
from erya.language import say
from erya.progress import Report

WIDEST, NARROWEST = 1.0, 0.15  # of a setting's range: the standard deviation of a draw, at the beginning and at the end
REDRAWN = 0.5  # how likely a setting is drawn anew
LEAST_TRIALS = 6  # to say what mattered


@dataclass(frozen=True, slots=True)
class Range:
    """What a setting may be.

    Attributes:
        first: the default, which the first trial takes.
        low: least value.
        high: greatest.
        logarithmic: drawn evenly by orders of magnitude.
        whole: a whole number.
    """

    first: float
    low: float
    high: float
    logarithmic: bool = True
    whole: bool = True

    def place(self, value: float) -> float:
        """Where ``value`` lies between low and high: 0 … 1."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def value(self, place: float) -> float:
        """The inverse of ``place``, which is brought between 0 and 1."""
        place = min(1.0, max(0.0, place))
        exact = (
            self.low * (self.high / self.low) ** place
            if self.logarithmic
            else self.low + place * (self.high - self.low)
        )
        return round(exact) if self.whole else float(f"{exact:.4g}")


SPACE: dict[str, Range] = {
    "epoch": Range(5, 1, 100),
    "lr": Range(0.1, 0.01, 5.0, whole=False),
    "dim": Range(100, 4, 300),
    "wordNgrams": Range(1, 1, 5, logarithmic=False),
    "minn": Range(0, 0, 3, logarithmic=False),
    "bucket": Range(2_000_000, 10_000, 10_000_000),
}
WITH_SIZE: dict[str, Range] = {"dsub": Range(2, 2, 16)}


@dataclass(frozen=True, slots=True)
class Trial:
    """One model that was made.

    Attributes:
        number: from 0.
        settings: by the original's option names.
        score: the metric on the validation data; None where training failed.
        seconds: it took.
        bytes: the model's size as a file, where a size was asked for.
        problem: why there is no score.
    """

    number: int
    settings: dict[str, Any]
    score: float | None
    seconds: float
    bytes: int | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """What a trial's caller found out: the score, and the model's size where one was asked for."""

    score: float
    bytes: int | None = None


class Search:
    """The trials of one search.

    Args:
        by_hand: settings that stay as they are.
        seed: of the draws.
        max_bytes: models that are larger do not count.
        journal: a JSONL file of trials, read at the start if it is there and appended to; None: kept in memory only.
    """

    def __init__(
        self,
        by_hand: Mapping[str, Any],
        *,
        seed: int = 0,
        max_bytes: int | None = None,
        journal: Path | None = None,
    ) -> None:
        self.space = {**SPACE, **(WITH_SIZE if max_bytes is not None else {})}
        for name in by_hand:
            self.space.pop("minn" if name in ("minn", "maxn") else name, None)
        self.by_hand, self.seed, self.max_bytes, self.journal = dict(by_hand), seed, max_bytes, journal
        self.trials: list[Trial] = []
        if journal is not None and journal.exists():
            self.trials = _read(journal, self._heading())
        elif journal is not None:
            _append(journal, self._heading())

    def _heading(self) -> dict[str, Any]:
        return {"by_hand": self.by_hand, "seed": self.seed, "max_bytes": self.max_bytes}

    @property
    def best(self) -> Trial | None:
        """The trial with the highest score, the earliest of equals; None before one succeeded."""
        scored = [trial for trial in self.trials if trial.score is not None and self._fits(trial)]
        return max(scored, key=lambda trial: (trial.score, -trial.number), default=None)

    def _fits(self, trial: Trial) -> bool:
        return self.max_bytes is None or (trial.bytes is not None and trial.bytes <= self.max_bytes)

    def ask(self, spent: float) -> dict[str, Any]:
        """The next trial's settings.

        Args:
            spent: the share of the time that has passed, 0 … 1: the draws come nearer to the best.
        """
        generator = np.random.default_rng([self.seed, len(self.trials)])
        best = self.best
        places = {name: scale.place(max(scale.first, scale.low)) for name, scale in self.space.items()}
        if best is not None:
            places = {name: scale.place(best.settings[name]) for name, scale in self.space.items()}
        if self.trials:
            spread = WIDEST * (NARROWEST / WIDEST) ** min(1.0, max(0.0, spent))
            drawn = [name for name in self.space if generator.random() < REDRAWN]
            drawn = drawn or [list(self.space)[int(generator.integers(len(self.space)))]] if self.space else []
            for name in drawn:
                places[name] = _folded(places[name] + spread * generator.normal())
        settings: dict[str, Any] = {name: scale.value(places[name]) for name, scale in self.space.items()}
        return self._settled(settings | self.by_hand)

    def _settled(self, settings: dict[str, Any]) -> dict[str, Any]:
        if "maxn" not in settings:
            settings["minn"] = settings["minn"] if settings["minn"] >= 2 else 0  # single characters say little
            settings["maxn"] = settings["minn"] + 3 if settings["minn"] else 0
        return settings

    def tell(
        self, settings: Mapping[str, Any], tried: Tried | None, seconds: float, problem: str | None = None
    ) -> Trial:
        """Remember what became of a trial, in the journal too."""
        score = None if tried is None else tried.score
        size = None if tried is None else tried.bytes
        trial = Trial(len(self.trials), dict(settings), score, seconds, size, problem)
        self.trials.append(trial)
        if self.journal is not None:
            _append(self.journal, asdict(trial))
        return trial

    def what_mattered(self) -> list[tuple[str, float]]:
        """Each searched setting and the share of the scores' variance that it explains by itself, largest first.

        Measured by a curve of second degree over the setting's place in its range; empty with fewer than LEAST_TRIALS scores.
        Settings are drawn together with others, so that the shares are a hint, no proof.
        """
        scored = [trial for trial in self.trials if trial.score is not None]
        scores = np.array([trial.score for trial in scored], dtype=np.float64)
        if len(scored) < LEAST_TRIALS or not np.ptp(scores):
            return []
        found = []
        for name, scale in self.space.items():
            places = np.array([scale.place(max(scale.low, trial.settings[name])) for trial in scored])
            shape = np.vander(places, 3)
            fitted = shape @ np.linalg.lstsq(shape, scores, rcond=None)[0]
            found.append(
                (name, float(max(0.0, 1 - ((scores - fitted) ** 2).sum() / ((scores - scores.mean()) ** 2).sum())))
            )
        return sorted(found, key=lambda pair: -pair[1])


def run(
    search: Search,
    attempt: Callable[[dict[str, Any]], Tried],
    *,
    seconds: float,
    report: Report,
    clock: Callable[[], float] = perf_counter,
) -> Trial:
    """Trials until the time is spent; the time of those in the journal counts.

    Args:
        search: where trials come from and go to.
        attempt: trains and scores a model with these settings; a trial that raises counts as failed.
        seconds: the whole budget. A trial that began is not cut off.
        report: told about every trial; asked whether to stop.
        clock: for tests.

    Raises:
        DataError: no trial succeeded.
    """
    before = sum(trial.seconds for trial in search.trials)
    began = clock()
    while True:
        spent = (before + clock() - began) / seconds
        if (spent >= 1 and search.trials) or report.stopping() is not None:
            break
        settings, started, tried, problem = search.ask(spent), clock(), None, None
        try:
            tried = attempt(settings)
        except (DivergedError, ResourceError, MemoryError) as failed:
            problem = str(failed) or type(failed).__name__
        trial = search.tell(settings, tried, clock() - started, problem)
        best = search.best
        report.progress(
            epoch=trial.number + 1,
            epochs=trial.number + 1,
            done=min(1.0, (before + clock() - began) / seconds),
            score=None if best is None else best.score,
        )
    best = search.best
    if best is None:
        raise DataError(
            "no-model-found",
            say(
                f"none of {len(search.trials)} trials made a model within the limits",
                f"试了 {len(search.trials)} 次，没有一个模型符合限制",
            ),
            help=say(
                "a longer -autotune-duration, or a larger -autotune-modelsize",
                "增加 -autotune-duration 或 -autotune-modelsize",
            ),
        )
    return best


def _folded(place: float) -> float:
    """A place outside of 0 … 1, reflected at the ends, so that draws do not heap up there."""
    place = abs(place) % 2
    return 2 - place if place > 1 else place


def _append(journal: Path, row: Mapping[str, Any]) -> None:
    with journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n")


def _read(journal: Path, heading: Mapping[str, Any]) -> list[Trial]:
    """The trials of a journal. A last line that was cut off is left out.

    Raises:
        DataError: it belongs to a search with other settings, or is no journal.
    """
    text = journal.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    try:
        rows = [json.loads(line) for line in whole.splitlines()]
    except ValueError:
        raise _foreign(journal) from None
    if len(whole) < len(text):
        with journal.open("r+b") as file:
            file.truncate(len(whole))
    if not rows or rows[0] != dict(heading):
        raise _foreign(journal)
    try:
        return [Trial(**row) for row in rows[1:]]
    except TypeError:
        raise _foreign(journal) from None


def _foreign(journal: Path) -> DataError:
    return DataError(
        "another-search",
        say("this journal belongs to another search", "这份记录属于另一次搜索"),
        where=str(journal),
        help=say("another file, or remove it", "换一个文件，或删除它"),
    )
