"""Finding good settings within a time and a size: which trial comes next, what was tried, which settings mattered.

Random search around the best so far, as the original's autotuning does it, in our own form: the first trial is the plain
default; then some settings are drawn anew and the rest keep the best trial's values, nearer to them the more time has passed.
Settings that were given by hand stay as they are. Everything that was tried stands in a journal, from which a search that was
broken off goes on: the n-th trial is a function of the seed, n and the trials before it.

Not here: training and scoring a trial (the caller's), the original's metrics (``metrics.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from erya.errors import DataError, DivergedError, ResourceError
from erya.language import say
from erya.parts import explained_variance
from erya.parts import journal as journals
from erya.parts.setting_ranges import Range
from erya.progress import Report

WIDEST, NARROWEST = 1.0, 0.15  # of a setting's range: the standard deviation of a draw, at the beginning and at the end
REDRAWN = 0.5  # how likely a setting is drawn anew


@dataclass(frozen=True, slots=True)
class Option:
    """A setting that is searched for.

    Attributes:
        first: the default, which the first trial takes.
        range: what it may be.
    """

    first: float
    range: Range


SPACE: dict[str, Option] = {
    "epoch": Option(5, Range(1, 100)),
    "lr": Option(0.1, Range(0.01, 5.0, whole=False)),
    "dim": Option(100, Range(4, 300)),
    "wordNgrams": Option(1, Range(1, 5, logarithmic=False)),
    "minn": Option(0, Range(0, 3, logarithmic=False)),
    "bucket": Option(2_000_000, Range(10_000, 10_000_000)),
}
WITH_SIZE: dict[str, Option] = {"dsub": Option(2, Range(2, 16))}


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
        if journal is not None:
            self.trials = _read(journal, self._heading())

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
        ranges = {name: option.range for name, option in self.space.items()}
        places = {name: span.place(max(self.space[name].first, span.low)) for name, span in ranges.items()}
        if best is not None:
            places = {name: span.place(best.settings[name]) for name, span in ranges.items()}
        if self.trials:
            spread = WIDEST * (NARROWEST / WIDEST) ** min(1.0, max(0.0, spent))
            drawn = [name for name in self.space if generator.random() < REDRAWN]
            drawn = drawn or [list(self.space)[int(generator.integers(len(self.space)))]] if self.space else []
            for name in drawn:
                places[name] = _folded(places[name] + spread * generator.normal())
        settings: dict[str, Any] = {name: span.value(places[name]) for name, span in ranges.items()}
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
            journals.append(self.journal, asdict(trial))
        return trial

    def what_mattered(self) -> list[tuple[str, float]]:
        """Each searched setting and the share of the scores' variance that it explains by itself, largest first.

        Measured by a curve of second degree over the setting's place in its range; empty with fewer than six scores.
        Settings are drawn together with others, so that the shares are a hint, no proof.
        """
        scored = [trial for trial in self.trials if trial.score is not None]
        scores = [float(trial.score) for trial in scored if trial.score is not None]
        if len(scored) < explained_variance.LEAST or not np.ptp(scores):
            return []
        found = []
        for name, option in self.space.items():
            places = [option.range.place(max(option.range.low, trial.settings[name])) for trial in scored]
            found.append((name, explained_variance.by_parabola(places, scores)))
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


def _read(journal: Path, heading: Mapping[str, Any]) -> list[Trial]:
    """The trials of a journal.

    Raises:
        DataError: it belongs to a search with other settings, or is no journal.
    """
    try:
        return [Trial(**row) for row in journals.opened(journal, heading)]
    except TypeError:
        raise journals.foreign(journal) from None
