"""L-BFGS, and OWL-QN where weights shall be exactly zero: many weights, few looks at the function.

Nocedal 1980, "Updating Quasi-Newton Matrices with Limited Storage": the last few steps and what they did to the gradient stand for
the curvature. Andrew and Gao 2007, "Scalable Training of L1-Regularized Log-Linear Models": |w| has no slope at 0, so every step stays
in one orthant – a weight that would change its sign stops at 0 – and the slope is that of the orthant that goes down.

The solver is told how curved the function is along each weight, roughly (Nocedal and Wright 2006, "Numerical Optimization", section 7.2,
on the choice of the first matrix): counts of features differ a hundred-thousandfold, and without that a step that suits the
frequent ones moves the rare ones hardly at all.

The two loops of the paper are taken in numbers: all they ask for are products of the remembered vectors with one another and with
the slope. Most are known from the steps before, the rest is one pass over the memory (Chen, Wang and Zhou 2014, "Large-scale L-BFGS
using MapReduce"); a second one adds up the direction. Sums are made part by part, always the same parts, so the bits do not depend
on threads.

A generator: progress, stopping and the curve are ordinary lines of the caller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erya.models.crf import solver_kernels as kernels
from erya.parts.simd import aligned
from erya.parts.simd_double import whole

Floats = NDArray[np.float64]
Function = Callable[[Floats], tuple[float, Floats]]
Work = Callable[[int, int], None]
Each = Callable[[Work, NDArray[np.int64]], None]  # do some work between every two cuts, in any order

MEMORY = 6  # pairs of steps and changes of the gradient
PARTS = 16  # of long sums
ENOUGH = 1e-4  # of the decrease that the slope promises (Armijo)
TRIALS = 30  # halvings of a step
LOOK_BACK = 10  # steps over which the loss must fall to go on
STEEPEST = 1e-5  # of the weights' length: a gradient below this is none


@dataclass(frozen=True, slots=True)
class Step:
    """Where the solver stands after a step.

    Attributes:
        number: 1-based.
        weights: (n,), not to be changed.
        loss: with all penalties.
        done: whether there is no better place near.
    """

    number: int
    weights: Floats
    loss: float
    done: bool


def one_after_the_other(work: Work, cuts: NDArray[np.int64]) -> None:
    """The plain way to do some work between every two cuts."""
    for low, high in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        work(low, high)


def minimized(
    function: Function,
    start: Floats,
    *,
    l1: float,
    l1_on: int,
    tolerance: float,
    curvature: Floats | None = None,
    each: Each = one_after_the_other,
) -> Iterator[Step]:
    """Steps towards the least ``function(w) + l1 · Σ |w_i|``, for ever better until done or no longer asked.

    Args:
        function: (n,) weights → a loss that has a slope everywhere, and its gradient (n,), which it gives away.
        start: (n,).
        l1: strength of the penalty on absolute values; 0: plain L-BFGS.
        l1_on: it weighs on the first ``l1_on`` weights only.
        tolerance: done when ten steps take less than this share of the loss.
        curvature: (n,) above 0, roughly how curved the function is along each weight, up to a common factor; None: all alike.
        each: does work on parts of vectors, perhaps several at a time.
    """
    weights = start.copy()
    smooth, gradient = function(weights)
    loss = smooth + l1 * float(np.abs(weights[:l1_on]).sum())
    memory = Memory(len(start), curvature, each)
    past: deque[float] = deque([loss], maxlen=LOOK_BACK)
    number = 0
    while True:
        slope = downhill(weights, gradient, l1, l1_on) if l1 else gradient
        steep = memory.length(slope)
        if steep <= STEEPEST * max(1.0, memory.length(weights)):
            yield Step(number + 1, weights, loss, done=True)
            return
        direction = memory.direction(slope)
        if l1:
            direction[direction * slope >= 0] = 0.0
        length = 1.0 if memory.pairs else 1.0 / memory.length(direction)
        found = _shorter(function, weights, slope, direction, loss, length, l1, l1_on, memory)
        if found is None and memory.pairs:  # the memory misleads, or the numbers' last digits do: once more without it
            memory.pairs.clear()
            continue
        if found is None:
            yield Step(number + 1, weights, loss, done=True)
            return
        new, loss, new_gradient = found
        memory.add(new, weights, new_gradient, gradient)
        weights, gradient = new, new_gradient
        number += 1
        full = len(past) == LOOK_BACK
        done = full and past[0] - loss < tolerance * abs(loss)
        past.append(loss)
        yield Step(number, weights, loss, done)
        if done:
            return


class Memory:
    """The last steps s_i and what they did to the gradient, y_i, and D, the curvature they begin with.

    Attributes:
        pairs: slots in use, the oldest first.
    """

    def __init__(self, size: int, curvature: Floats | None, each: Each) -> None:
        self.size, self.pairs, self._each = size, list[int](), each
        self._cuts = np.minimum(whole(-(-size // PARTS)) * np.arange(PARTS + 1), whole(size))
        self._steps, self._changes = aligned(MEMORY, 16 * -(-size // 16)), aligned(MEMORY, 16 * -(-size // 16))
        self._inverse = np.zeros((1, whole(size)))
        self._inverse[0, :size] = 1.0 if curvature is None else 1.0 / curvature
        self._slope, self._other = np.zeros((1, whole(size))), np.zeros((1, whole(size)))
        self._across = np.zeros((MEMORY, MEMORY))  # s_i · y_j
        self._changed = np.zeros((MEMORY, MEMORY))  # y_i · D⁻¹ y_j

    def product(self, left: Floats, right: Floats) -> float:
        """The sum of products of two (n,)."""
        self._slope[0, : self.size], self._other[0, : self.size] = left, right

        def work(low: int, high: int, sums: Floats) -> None:
            kernels.product(self._slope, self._other, low, high, sums)

        return float(self._summed(work, 1)[0])

    def length(self, vector: Floats) -> float:
        """Euclidean, of (n,)."""
        return float(np.sqrt(self.product(vector, vector)))

    def _summed(self, work: Callable[[int, int, Floats], None], count: int) -> Floats:
        """(count,) sums over all parts, added up in their order."""
        parts = np.zeros((PARTS + 1, count))
        places = {low: place for place, low in enumerate(self._cuts[:-1].tolist())}
        self._each(lambda low, high: work(low, high, parts[places[low]]), self._cuts)
        found: Floats = parts.sum(axis=0)
        return found

    def add(self, new: Floats, old: Floats, new_gradient: Floats, old_gradient: Floats) -> None:
        """Remember a step, if the function is curved upwards along it; the oldest one goes."""
        free = [slot for slot in range(MEMORY) if slot not in self.pairs]
        slot = free[0] if free else self.pairs[0]
        n = self.size
        self._slope[0, :n], self._other[0, :n] = new_gradient, old_gradient
        np.subtract(self._slope, self._other, out=self._other)
        self._steps[slot, :n], self._changes[slot, :n] = new - old, self._other[0, :n]
        kept = np.array([*[pair for pair in self.pairs if pair != slot], slot])
        sums = self._summed(
            lambda low, high, found: kernels.products(
                self._steps, self._changes, self._inverse, kept, slot, low, high, found
            ),
            3 * MEMORY,
        ).reshape(3, MEMORY)
        if not sums[0, slot] > 1e-12 * sums[2, slot]:
            if slot in self.pairs:
                self.pairs.remove(slot)
            return
        self.pairs = kept.tolist()
        self._across[slot], self._across[:, slot] = sums[0], sums[1]
        self._changed[slot] = self._changed[:, slot] = sums[2]

    def direction(self, slope: Floats) -> Floats:
        """(n,) −H · slope by the two loops of the paper, in the coordinates of the remembered vectors."""
        self._slope[0, : self.size] = slope
        used = np.array(self.pairs, dtype=np.int64)
        sums = self._summed(
            lambda low, high, found: kernels.against(
                self._steps, self._changes, self._inverse, self._slope, used, low, high, found
            ),
            2 * MEMORY,
        ).reshape(2, MEMORY)
        down, up, scale = np.zeros(MEMORY), np.zeros(MEMORY), 1.0
        for slot in reversed(self.pairs):
            down[slot] = (sums[0, slot] - self._across[slot] @ down) / self._across[slot, slot]
        if self.pairs:
            newest = self.pairs[-1]
            scale = self._across[newest, newest] / self._changed[newest, newest]
        for slot in self.pairs:
            ahead = scale * (sums[1, slot] - self._changed[slot] @ down) + self._across[:, slot] @ up
            up[slot] = down[slot] - ahead / self._across[slot, slot]
        found = np.zeros((1, whole(self.size)))
        self._each(
            lambda low, high: kernels.combined(
                self._steps, self._changes, self._inverse, self._slope, used, down, up, scale, low, high, found
            ),
            self._cuts,
        )
        return found[0, : self.size]


def downhill(weights: Floats, gradient: Floats, l1: float, l1_on: int) -> Floats:
    """The slope of the whole function on the side of each weight on which it falls; 0 where it rises to both sides."""
    found = gradient.copy()
    part, slope = weights[:l1_on], gradient[:l1_on]
    at_zero = np.where(slope > l1, slope - l1, np.where(slope < -l1, slope + l1, 0.0))
    found[:l1_on] = np.where(part > 0, slope + l1, np.where(part < 0, slope - l1, at_zero))
    return found


def _shorter(
    function: Function,
    weights: Floats,
    slope: Floats,
    direction: Floats,
    loss: float,
    length: float,
    l1: float,
    l1_on: int,
    memory: Memory,
) -> tuple[Floats, float, Floats] | None:
    """The first of length, length / 2, … that brings the loss down enough: where to, loss, gradient; None: none does."""
    side = np.where(weights[:l1_on] != 0, np.sign(weights[:l1_on]), -np.sign(slope[:l1_on])) if l1 else None
    ahead = memory.product(slope, direction)
    for _ in range(TRIALS):
        new = weights + length * direction
        if side is not None:
            part = new[:l1_on]
            part[part * side <= 0] = 0.0
        promised = memory.product(slope, new - weights) if l1 else length * ahead
        if promised >= 0:
            return None
        smooth, gradient = function(new)
        total = smooth + l1 * float(np.abs(new[:l1_on]).sum())
        if total <= loss + ENOUGH * promised:  # NaN is not
            return new, total, gradient
        length /= 2
    return None
