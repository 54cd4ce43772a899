"""How a budget of seconds is shared: what a training may take, what the end must be left, whether a step can still be done.

At the end the best settings are trained once more, and the default settings beside them, so that both can be judged on rows
that nothing was chosen by. What that will take is known from the search, and is kept free.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from erya.tuning.schedule import Attempt, Schedule, Step

START = 2.0  # seconds that a process takes beside training, before one was seen
CAUTION = 1.15  # estimates are taken so many times
CLOSING = 2.0  # seconds for scoring and for the report
LATER = 0.5  # of the budget is for what comes after the defaults were tried on few rows
KILLED = 1.5  # seconds after its time is over a process that does not listen is killed


@dataclass(slots=True)
class Clock:
    """The budget of one search.

    Args:
        budget: seconds for everything; None: as long as it takes.
        spent: of it, in sessions before this one.
        growth: rows of the last training by those of the highest rung.
        shares: of the rows, by rung.
        now: a clock in seconds.
    """

    budget: float | None
    spent: float
    growth: float
    shares: Sequence[float]
    now: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.now()

    def passed(self) -> float:
        """Seconds since the search began, without pauses between sessions."""
        return self.spent + self.now() - self.began

    def left(self) -> float:
        """Seconds until the budget ends."""
        return float("inf") if self.budget is None else self.budget - self.passed()

    def estimate(self, attempts: Sequence[Attempt], model: str, rung: int) -> float | None:
        """Seconds that a model takes on a rung, from those that it took; from another rung in proportion; None: not known."""
        for other in sorted(range(len(self.shares)), key=lambda number: (abs(number - rung), -number)):
            seen = [one for one in attempts if one.model == model and one.rung == other and one.status == "ok"]
            if seen:
                learning = median(one.train_seconds or one.seconds for one in seen)
                beside = max(0.0, median(one.seconds for one in seen) - learning)
                return beside + learning * max(1.0, self.shares[rung] / self.shares[other])
        return None

    def reserve(self, schedule: Schedule) -> float:
        """Seconds that the end will take: the best settings and their model's defaults once more."""
        best = schedule.best()
        if best is None:
            return CLOSING
        default = next(
            one for one in schedule.attempts if one.trial < len(schedule.entrants) and one.model == best.model
        )
        own = schedule.at(default.trial, schedule.top)
        other = own.seconds if own is not None and best.trial != default.trial else 0.0
        return CLOSING + CAUTION * self.growth * (best.seconds + other)

    def enough(self, schedule: Schedule, steps: Sequence[Step]) -> bool:
        """Whether the time suffices for these steps, and for the end after them."""
        if self.budget is None:
            return True
        first = steps[0]
        if first.trial < len(schedule.entrants) and schedule.at(first.trial, first.rung) is None:
            wanted = self.estimate(schedule.attempts, first.model, first.rung)
            if first.rung == 0 or wanted is None or schedule.best() is None:
                return self.left() > CLOSING  # without one trial there is no answer: what does not fit is cut
            return wanted <= self.allowance(schedule, first)
        known = [self.estimate(schedule.attempts, step.model, step.rung) for step in steps]
        needed = sum(seconds for seconds in known if seconds is not None)
        return CAUTION * needed + self.reserve(schedule) <= self.left()

    def allowance(self, schedule: Schedule, step: Step) -> float:
        """Seconds that a step may take. A default's is its share of what is left; others must leave the end its time."""
        if self.budget is None:
            return float("inf")
        if step.trial < len(schedule.entrants):
            places = range(len(schedule.entrants))
            if step.rung < schedule.top:
                waiting = sum(schedule.at(place, step.rung) is None for place in places)
                return max(0.0, self.left() - LATER * self.budget) / waiting
            started = [place for place in places if schedule.top == 0 or _is_ok(schedule.at(place, 0))]
            waiting = sum(schedule.at(place, schedule.top) is None for place in started)
            return max(0.0, self.left() - CLOSING) / (waiting + 2)
        if step.rung < schedule.top:
            return self.left() - self.reserve(schedule)
        default = schedule.at(self._default_of(schedule, step.model), schedule.top)
        beside = CLOSING + (CAUTION * self.growth * default.seconds if default is not None else 0.0)
        # it may turn out to be the best, and would then be trained once more
        alone = (self.left() - beside) / (1 + CAUTION * self.growth)
        return min(alone, self.left() - self.reserve(schedule))

    def _default_of(self, schedule: Schedule, model: str) -> int:
        return next(place for place, entrant in enumerate(schedule.entrants) if entrant.model == model)

    def overhead(self, attempts: Sequence[Attempt], model: str) -> float:
        """Seconds that a process of this model takes beside training."""
        seen = [
            one.seconds - one.train_seconds
            for one in attempts
            if one.model == model and one.train_seconds is not None and one.status == "ok"
        ]
        return median(seen) if seen else START


def _is_ok(attempt: Attempt | None) -> bool:
    return attempt is not None and attempt.status == "ok"
