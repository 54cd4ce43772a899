"""How far a budget of seconds will reach, in steps: what a learning rate that falls to nothing must know beforehand.

A training that the clock cuts off while its rate is still high ends worse than a shorter one that was planned as such. So the steps
of the first part of the time are counted, and what follows from them is said once. It is kept with the training: told the same at
the same step, a resumed or repeated training takes the same steps.
"""

from __future__ import annotations

from typing import NamedTuple

SEEN = 0.05  # share of the time after which the rest is foreseen
FEWEST = 10  # steps that are counted for that, at least
CARE = 0.95  # of the time left: held-out text is read, too


class Plan(NamedTuple):
    """What was foreseen.

    Attributes:
        at: the step at which it was; those before it knew nothing of the budget.
        steps: that will have been taken when the budget is spent.
    """

    at: int
    steps: int


class Foreseen:
    """Counts the steps of a training under a budget.

    Args:
        seconds: the budget; None: there is none.
        plan: of a training that is resumed or repeated: what was foreseen then.
    """

    def __init__(self, seconds: float | None, plan: Plan | None = None) -> None:
        self.seconds, self.plan = seconds, plan
        self._first: tuple[int, float] | None = None
        self._asked = False

    def count(self, step: int, spent: float) -> Plan | None:
        """One more step is done.

        Args:
            step: its number.
            spent: seconds of the budget that are gone.

        Returns:
            What is foreseen, if this was the step that showed it; else None.
        """
        if self.seconds is None or self.plan is not None:
            return None
        if self._first is None:
            self._first = (step, spent)
        steps, seconds = step - self._first[0], spent - self._first[1]
        if steps < FEWEST or seconds < SEEN * (self.seconds - self._first[1]):
            return None
        self.plan = Plan(step, step + max(1, int(CARE * (self.seconds - spent) * steps / seconds)))
        return self.plan

    def steps(self, step: int) -> int | None:
        """``plan.steps``, from the step at which it was known; before that None."""
        if self.plan is None or step < self.plan.at:
            return None
        self._asked = True
        return self.plan.steps

    @property
    def followed(self) -> Plan | None:
        """The plan, where training went by it; what is needed to repeat it."""
        return self.plan if self._asked else None

    def over(self, step: int) -> bool:
        """Whether a training that goes by the plan is at its end; one that never asked for it has the time that is left."""
        return self._asked and self.plan is not None and step >= self.plan.steps
