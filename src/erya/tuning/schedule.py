"""Which training comes next: random settings, and of those the better ones again on more rows.

Random search (Bergstra and Bengio 2012, "Random Search for Hyper-Parameter Optimization") with successive halving (Jamieson
and Talwalkar 2016, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", section 2): a bracket of n draws
is trained on the smallest share of the rows, the better third of them on three times as many, and so on up to all rows.
Brackets follow one another until the time or the trials are spent. The first trials are the models' default settings, which are
always trained on all rows too, so that the search never ends below them.

Half of the draws are anywhere in the space; the others stay near the best settings of their model, as fastText's autotuning does:
in a space of many settings, of which only some matter, most of what is good is a step away from what is good already.

Where a new trial lies may also be the affair of another sampler (``tpe.py``); all else stays.

Several models share a bracket. Since some learn from few rows and others need many, a score on a part of the rows is
compared only after what the same model's defaults gained from that part to all rows was added to it.

The next step is a function of the seed and of the attempts before it, so that a search that was broken off goes on as if it had
not been – but where a budget ends, the clock decides. Nothing here trains, measures time or writes a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from erya.tuning.entrants import Entrant

REDUCTION = 3  # of the trials from rung to rung, and the growth of the rows
MOST_RUNGS = 3
LEAST_ROWS = 300  # of the lowest rung
NEAR = 0.5  # share of the draws that stay near the best settings of their model
HOPELESS = 3  # failures without a success, after which a model is not drawn any more

Known = Sequence[tuple[Mapping[str, Any], float]]  # settings that were tried, and their merit; −inf without a score
Sampler = Callable[[Entrant, int, int, Known, Mapping[str, Any] | None], dict[str, Any] | None]
Enough = Callable[[Sequence["Step"]], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One training to be done: a trial on a rung.

    Attributes:
        trial: from 0.
        rung: 0 is the one of the fewest rows.
        model: id.
        settings: values of the searched settings.
    """

    trial: int
    rung: int
    model: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a step; a line of the journal.

    Attributes:
        status: ``"ok"``; ``"cut"``: the budget ended it; ``"failed"``.
        score: on the validation rows, with its interval; None without answers.
        seconds: of the whole process.
        train_seconds: of learning.
        error: why there is no score.
        stopped_at_step: where the budget ended it.
        bytes: of the model.
    """

    trial: int
    rung: int
    model: str
    settings: dict[str, Any]
    status: str
    score: float | None
    low: float | None
    high: float | None
    seconds: float
    train_seconds: float | None = None
    error: str | None = None
    stopped_at_step: int | None = None
    bytes: float | None = None


def shares(rows: int) -> list[float]:
    """The rungs as shares of the training rows, ascending; the last is 1."""
    found = [1.0]
    while len(found) < MOST_RUNGS and rows * found[0] / REDUCTION >= LEAST_ROWS:
        found.insert(0, found[0] / REDUCTION)
    return found


def at_random(
    entrant: Entrant, seed: int, number: int, known: Known, near: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Settings anywhere in the space, or near to some; None where all draws had been tried."""
    return entrant.draw(seed, number, [settings for settings, _ in known], near)


def always(steps: Sequence[Step]) -> bool:
    """There is no clock."""
    return True


@dataclass(slots=True)
class Schedule:
    """The plan of one search, and what was done of it.

    Args:
        entrants: the models; trial i is the default of the i-th.
        rungs: how many.
        seed: of the draws.
        trials: draws at most, the defaults among them; None: without end.
        sign: 1 where higher scores are better, −1 where lower ones are.
        attempts: what was done already.
        sampler: draws the settings of a new trial: a function of the model, the seed, the trial's number, what was tried of the model,
            and settings to stay near.
    """

    entrants: Sequence[Entrant]
    rungs: int
    seed: int = 0
    trials: int | None = None
    sign: int = 1
    attempts: list[Attempt] = field(default_factory=list)
    sampler: Sampler = at_random

    # ---- what is known ----------------------------------------------------------------------------------------

    @property
    def top(self) -> int:
        """The rung of all rows."""
        return self.rungs - 1

    @property
    def width(self) -> int:
        """Draws of a bracket."""
        return int(REDUCTION**self.top)

    def at(self, trial: int, rung: int) -> Attempt | None:
        """The attempt of a trial on a rung, if it was made."""
        return next((one for one in self.attempts if one.trial == trial and one.rung == rung), None)

    def drawn(self) -> int:
        """Trials so far, the defaults among them."""
        return max([len(self.entrants) - 1, *(one.trial for one in self.attempts)]) + 1

    def merit(self, attempt: Attempt) -> float:
        """The score it would have on all rows, as far as the defaults of its model tell; higher is better."""
        if attempt.score is None:
            return -np.inf
        number = next(place for place, entrant in enumerate(self.entrants) if entrant.model == attempt.model)
        here, above = self.at(number, attempt.rung), self.at(number, self.top)
        gain = 0.0
        if here is not None and above is not None and here.status == above.status == "ok":
            gain = (above.score or 0.0) - (here.score or 0.0)
        return self.sign * (attempt.score + gain)

    def best(self) -> Attempt | None:
        """The best finished attempt on all rows, the earliest of equals; else the best that the budget cut short."""
        for status in ("ok", "cut"):
            found = [
                one for one in self.attempts if one.rung == self.top and one.status == status and one.score is not None
            ]
            if found:
                return max(found, key=lambda one: (self.sign * float(one.score or 0.0), -one.trial))
        return None

    # ---- what comes next --------------------------------------------------------------------------------------

    def next(self, enough: Enough = always) -> Step | None:
        """The next training; None when the search is over.

        Args:
            enough: whether the time suffices for these steps together.
        """
        step = self._default(enough)
        return step if step is not None or self.is_perfect() else self._bracket(enough)

    def is_perfect(self) -> bool:
        """Whether the best cannot be bettered: scores of which higher ones are better end at 1."""
        best = self.best()
        return self.sign > 0 and best is not None and best.status == "ok" and (best.score or 0.0) >= 1

    def _default(self, enough: Enough) -> Step | None:
        """The models' default settings on the lowest rung and on the highest one."""
        steps = [self._default_step(place, 0) for place in range(len(self.entrants)) if self.at(place, 0) is None]
        if not steps and self.top:
            first = [one for one in self.attempts if one.trial < len(self.entrants) and one.rung == 0]
            order = sorted(first, key=lambda one: (-self.sign * (one.score or 0.0), one.trial))
            steps = [
                self._default_step(one.trial, self.top)
                for one in order
                if one.status == "ok" and self.at(one.trial, self.top) is None
            ]
        return next((step for step in steps if enough([step])), None)

    def _default_step(self, place: int, rung: int) -> Step:
        entrant = self.entrants[place]
        return Step(place, rung, entrant.model, dict(entrant.default))

    def _bracket(self, enough: Enough) -> Step | None:
        drawn = self.drawn() - len(self.entrants)
        start = (drawn - 1) // self.width * self.width if drawn else 0
        members = range(len(self.entrants) + start, len(self.entrants) + drawn)
        climbed = any(one.trial in members and one.rung > 0 for one in self.attempts)
        if len(members) < self.width and not climbed:
            step = self._draw()
            if step is not None and enough(self._with_end(step)):
                return step
        if self.top:
            above = self._promotion(members, enough)
            if above is not None or not self._closed(members):
                return above
        step = self._draw()
        return step if step is not None and enough(self._with_end(step)) else None

    def _with_end(self, step: Step) -> list[Step]:
        """A step, and the training on all rows without which it would be for nothing."""
        if step.rung == self.top:
            return [step]
        return [step, Step(step.trial, self.top, step.model, step.settings)]

    def _draw(self) -> Step | None:
        """A new trial: a model, more often one that did well, and random settings of it."""
        number = self.drawn()
        if self.trials is not None and number >= self.trials:
            return None
        open_ = self._open()
        while open_:
            weights = np.array([1 / (rank + 1) for rank in range(len(open_))])
            generator = np.random.default_rng([self.seed, number])
            entrant = open_[int(generator.choice(len(open_), p=weights / weights.sum()))]
            near = self._best_of(entrant) if generator.random() < NEAR else None
            settings = self.sampler(entrant, self.seed, number, self._known(entrant), near)
            if settings is not None:
                return Step(number, 0, entrant.model, settings)
            open_.remove(entrant)
        return None

    def _known(self, entrant: Entrant) -> list[tuple[dict[str, Any], float]]:
        """The trials of a model, by their numbers: settings, and the merit on the most rows that they came to."""
        last: dict[int, Attempt] = {}
        for one in self.attempts:
            if one.model == entrant.model and (one.trial not in last or one.rung >= last[one.trial].rung):
                last[one.trial] = one
        return [(one.settings, float(self.merit(one))) for _, one in sorted(last.items())]

    def _best_of(self, entrant: Entrant) -> dict[str, Any]:
        """The best settings of a model on all rows so far; else its defaults."""
        full = [
            one for one in self.attempts if one.model == entrant.model and one.rung == self.top and one.status == "ok"
        ]
        best = max(full, key=lambda one: (self.merit(one), -one.trial), default=None)
        return dict(entrant.default) if best is None else best.settings

    def _open(self) -> list[Entrant]:
        """Models from which trials are drawn, the best so far first: not those that always fail or that the budget is too short for."""
        found = []
        for place, entrant in enumerate(self.entrants):
            own = [one for one in self.attempts if one.model == entrant.model]
            failed = sum(one.status == "failed" for one in own)
            hopeless = failed >= HOPELESS and failed == len(own)
            default = [one for one in own if one.trial == place]
            unfinished = any(one.status == "cut" for one in default)
            waited = self.at(place, self.top) is None and any(one.status == "ok" for one in default)
            if not hopeless and not unfinished and not waited:
                scored = [one for one in own if one.rung == self.top and one.status == "ok"]
                found.append((max((self.merit(one) for one in scored), default=-np.inf), -place, entrant))
        return [entrant for _, _, entrant in sorted(found, key=lambda entry: entry[:2], reverse=True)]

    def _standing(self, members: Sequence[int], rung: int) -> list[Attempt]:
        """Scored attempts of a bracket on a rung, the best first."""
        found = [one for one in self.attempts if one.trial in members and one.rung == rung and one.status == "ok"]
        return sorted(found, key=lambda one: (-self.merit(one), one.trial))

    def _promotion(self, members: Sequence[int], enough: Enough) -> Step | None:
        """The next trial of the bracket that climbs a rung; where time is short the best one goes straight to all rows."""
        for rung in range(self.top):
            standing = self._standing(members, rung)
            places = max(1, len(standing) // REDUCTION) if standing else 0
            climbed = sum(one.trial in members and one.rung == rung + 1 for one in self.attempts)
            if climbed >= places or self._at_top(members):
                continue
            chosen = next(one for one in standing if self.at(one.trial, rung + 1) is None)
            step = Step(chosen.trial, rung + 1, chosen.model, chosen.settings)
            default = next(place for place, entrant in enumerate(self.entrants) if entrant.model == chosen.model)
            ok = self.at(default, 0)
            if self.at(default, rung + 1) is None and ok is not None and ok.status == "ok":
                step = self._default_step(default, rung + 1)
            if enough([step, *self._with_end(Step(chosen.trial, rung + 1, chosen.model, chosen.settings))[1:]]):
                return step
            return self._straight(members, enough)
        return None

    def _straight(self, members: Sequence[int], enough: Enough) -> Step | None:
        """The most promising of the bracket, on all rows now."""
        scored = [one for rung in range(self.top) for one in self._standing(members, rung)]
        for one in sorted(scored, key=lambda one: (-self.merit(one), -one.rung, one.trial)):
            step = Step(one.trial, self.top, one.model, one.settings)
            if self.at(one.trial, self.top) is None and enough([step]):
                return step
        return None

    def _at_top(self, members: Sequence[int]) -> bool:
        return any(one.trial in members and one.rung == self.top for one in self.attempts)

    def _closed(self, members: Sequence[int]) -> bool:
        """Whether nothing of a bracket is left to be done, however much time there were."""
        return self._promotion(members, always) is None
