"""How much work comes next, and on how many threads, for kernels that run in step.

In step, the number of threads changes no bit, so the faster one is taken: threads that others keep waiting, on a busy
machine or over short pieces, are slower than one alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SECONDS = 0.2  # of a block: short enough for Ctrl-C
LOOK_AGAIN = 12  # blocks after which the other number of threads is tried again …
LOOK_SELDOM = 60  # … and where it was much slower
MUCH = 1.25  # times


@dataclass(slots=True)
class Pace:
    """The size of the next block and its threads, from how fast the last ones were.

    Attributes:
        amount: units of work of the next block (documents, rounds).
        threads: the most there are.
        choice: whether one thread may stand in for all.
        speeds: units a second, by threads.
        blocks: so far.
    """

    amount: int
    threads: int
    choice: bool
    speeds: dict[int, float] = field(default_factory=dict)
    blocks: int = 0

    def next_threads(self) -> int:
        """Every candidate once, then the faster; now and then the other, for the machine may have become idle."""
        candidates = {self.threads, 1} if self.choice else {self.threads}
        untried = candidates - self.speeds.keys()
        if untried:
            return max(untried)
        best = max(candidates, key=lambda threads: self.speeds[threads])
        other = min(candidates - {best}, default=best)
        wait = LOOK_SELDOM if self.speeds[best] > MUCH * self.speeds[other] else LOOK_AGAIN
        return other if self.blocks % wait == wait - 1 else best

    def measured(self, amount: int, work: float, threads: int, seconds: float) -> None:
        """A block of ``amount`` units took ``seconds``. The next one aims at SECONDS, growing no more than fourfold.

        Args:
            amount: units of the block.
            work: what it cost, where units are not alike: speeds are compared by it.
            threads: that did it.
            seconds: it took.
        """
        self.blocks += 1
        taken = max(seconds, 1e-6)
        self.speeds[threads] = work / taken
        self.amount = max(1, min(4 * max(amount, self.amount), int(amount / taken * SECONDS)))
