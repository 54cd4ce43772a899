"""How a comparison keeps its budget: what a training may take, when its process is stopped, whether there is time to begin another.

The budget is for everything that one waits for: besides training a contestant's process starts, saves, answers the test rows and is asked
for a first answer; then all rows are scored and compared. None of that is known beforehand, so it is estimated, carefully at first, then
from the contestants before: those of one extra (networks) start alike slowly. What is left is shared equally among the trainings that
are still to come, so that what one leaves over goes to the others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

LEAST = 5.0  # seconds of training that are worth a process: where a budget is too short for all, the first ones get that much
BESIDE = {"": 4.0, "neural": 10.0}  # seconds beside training, before any of the kind was seen
PATIENCE = 1.5  # a training that ignores its share is stopped at this multiple of it, and what is beside
AT_THE_END = 4.0  # seconds for document and report, beside the pairs of models
PAIR = 0.4  # what testing a pair of models takes, where scoring one takes 1
SCORING = 0.5  # seconds of scoring one model, before any was scored
UNHURRIED = 20.0  # seconds of training, from which the first answer is timed more than once


@dataclass(frozen=True, slots=True)
class Turn:
    """What one contestant is granted.

    Attributes:
        seconds: of training; None: as many as it takes.
        limit: seconds after which its process is stopped; None: never.
        first_answers: how many fresh processes are timed for a first answer.
    """

    seconds: float | None
    limit: float | None
    first_answers: int


@dataclass(slots=True)
class Clock:
    """The budget of one comparison.

    Args:
        budget: seconds for everything; None: as long as it takes.
        waiting: for each training that is to come what it needs: "" or the name of an extra.
        now: the time in seconds.
    """

    budget: float | None
    waiting: list[str]
    now: Callable[[], float] = time.monotonic
    began: float = field(init=False)
    beside: dict[str, float] = field(default_factory=lambda: dict(BESIDE))
    scoring: float = SCORING
    scored: int = 0
    contestants: int = 0

    def __post_init__(self) -> None:
        self.began = self.now()
        self.contestants = max(self.contestants, len(self.waiting))

    def left(self) -> float:
        """Seconds until all trainings must be over."""
        if self.budget is None:
            return float("inf")
        return self.began + self.budget - self.now() - self.closing()

    def closing(self) -> float:
        """Seconds that scoring and comparing will take, of those that are still to be scored and of all pairs."""
        pairs = self.contestants * (self.contestants - 1) / 2
        return AT_THE_END + self.scoring * (PAIR * pairs + max(0, self.contestants - self.scored))

    def least(self, kind: str) -> int:
        """Seconds of budget that a training of that kind needs, even where nothing was spent before it."""
        return math.ceil(self.closing() + self._beside(kind) + LEAST)

    def turn(self, kind: str, seeds: int = 1) -> Turn | None:
        """The next training's share; None where there is no time left to begin it.

        Args:
            kind: as in ``waiting``.
            seeds: how often it is trained; the share is for one of these.
        """
        if self.budget is None:
            return Turn(None, None, 2)
        left, beside = self.left(), self._beside(kind)
        others = sum(map(self._beside, self.waiting))
        share = (left - others) / max(1, len(self.waiting))
        if kind in self.waiting:
            self.waiting.remove(kind)
        if left < beside + LEAST / 2:
            return None
        seconds = max(LEAST, share)
        reserved = sum(self._beside(other) + LEAST for other in self.waiting)
        limit = min(seconds * PATIENCE + 2 * beside, max(left - reserved, seconds + beside), left)
        return Turn(seconds / seeds, limit / seeds, 2 if share / seeds >= UNHURRIED else 1)

    def took(self, kind: str, seconds: float, training: float) -> None:
        """What a contestant took in all, and what of it was training: the longest of its kind is what the next one may need.

        To be told of those that were not stopped from outside: of these nobody knows what was training.
        """
        self.beside[kind] = max(self.beside[kind] if kind in self._seen else 0.0, seconds - training)
        self._seen.add(kind)

    def scored_one(self, seconds: float) -> None:
        """What scoring a contestant took."""
        self.scoring = seconds if not self.scored else max(self.scoring, seconds)
        self.scored += 1

    _seen: set[str] = field(default_factory=set)

    def _beside(self, kind: str) -> float:
        return self.beside.get(kind, BESIDE["neural"])


def in_turn(kinds: Sequence[str | None]) -> list[int]:
    """The order in which contestants take part under a budget: what is not trained, then what needs no extra – it is done in seconds,
    and leaves its share to the others –, then the rest; each group in its order.

    Args:
        kinds: of each contestant what its training needs, "" or an extra; None: it is not trained here.
    """
    rank = {None: 0, "": 1}
    return sorted(range(len(kinds)), key=lambda place: (rank.get(kinds[place], 2), place))
