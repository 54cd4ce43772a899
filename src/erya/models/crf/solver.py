"""L-BFGS, and OWL-QN where weights shall be exactly zero: many weights, few looks at the function.

Nocedal 1980, "Updating Quasi-Newton Matrices with Limited Storage": the last few steps and what they did to the gradient stand for
the curvature. Andrew and Gao 2007, "Scalable Training of L1-Regularized Log-Linear Models": |w| has no slope at 0, so every step stays
in one orthant – a weight that would change its sign stops at 0 – and the slope is that of the orthant that goes down.

A generator: progress, stopping and the curve are ordinary lines of the caller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Function = Callable[[Floats], tuple[float, Floats]]

MEMORY = 6  # pairs of steps and changes of the gradient
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


def minimized(function: Function, start: Floats, *, l1: float, l1_on: int, tolerance: float) -> Iterator[Step]:
    """Steps towards the least ``function(w) + l1 · Σ |w_i|``, for ever better until done or no longer asked.

    Args:
        function: (n,) weights → a loss that has a slope everywhere, and its gradient (n,), which it gives away.
        start: (n,).
        l1: strength of the penalty on absolute values; 0: plain L-BFGS.
        l1_on: it weighs on the first ``l1_on`` weights only.
        tolerance: done when ten steps take less than this share of the loss.
    """
    weights = start.copy()
    smooth, gradient = function(weights)
    loss = smooth + l1 * float(np.abs(weights[:l1_on]).sum())
    memory: deque[tuple[Floats, Floats, float]] = deque(maxlen=MEMORY)
    past: deque[float] = deque([loss], maxlen=LOOK_BACK)
    number = 0
    while True:
        slope = downhill(weights, gradient, l1, l1_on) if l1 else gradient
        steep = float(np.sqrt(slope @ slope))
        if steep <= STEEPEST * max(1.0, float(np.sqrt(weights @ weights))):
            yield Step(number + 1, weights, loss, done=True)
            return
        direction = _direction(slope, memory)
        if l1:
            direction[direction * slope >= 0] = 0.0
        length = 1.0 if memory else 1.0 / steep
        found = _shorter(function, weights, slope, direction, loss, length, l1, l1_on)
        if found is None and memory:  # the memory misleads, or the numbers' last digits do: once more without it
            memory.clear()
            continue
        if found is None:
            yield Step(number + 1, weights, loss, done=True)
            return
        new, loss, new_gradient = found
        step, change = new - weights, new_gradient - gradient
        along = float(step @ change)
        if along > 1e-12 * float(change @ change):
            memory.append((step, change, along))
        weights, gradient = new, new_gradient
        number += 1
        full = len(past) == LOOK_BACK
        done = full and past[0] - loss < tolerance * abs(loss)
        past.append(loss)
        yield Step(number, weights, loss, done)
        if done:
            return


def downhill(weights: Floats, gradient: Floats, l1: float, l1_on: int) -> Floats:
    """The slope of the whole function on the side of each weight on which it falls; 0 where it rises to both sides."""
    found = gradient.copy()
    part, slope = weights[:l1_on], gradient[:l1_on]
    at_zero = np.where(slope > l1, slope - l1, np.where(slope < -l1, slope + l1, 0.0))
    found[:l1_on] = np.where(part > 0, slope + l1, np.where(part < 0, slope - l1, at_zero))
    return found


def _direction(slope: Floats, memory: deque[tuple[Floats, Floats, float]]) -> Floats:
    """−H · slope by the two loops of the paper."""
    found = -slope
    shares = []
    for step, change, along in reversed(memory):
        share = float(step @ found) / along
        found -= share * change
        shares.append(share)
    if memory:
        _, change, along = memory[-1]
        found *= along / float(change @ change)
    for (step, change, along), share in zip(memory, reversed(shares), strict=True):
        found += (share - float(change @ found) / along) * step
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
) -> tuple[Floats, float, Floats] | None:
    """The first of length, length / 2, … that brings the loss down enough: where to, loss, gradient; None: none does."""
    side = np.where(weights[:l1_on] != 0, np.sign(weights[:l1_on]), -np.sign(slope[:l1_on])) if l1 else None
    for _ in range(TRIALS):
        new = weights + length * direction
        if side is not None:
            part = new[:l1_on]
            part[part * side <= 0] = 0.0
        promised = float(slope @ (new - weights)) if l1 else length * float(slope @ direction)
        if promised >= 0:
            return None
        smooth, gradient = function(new)
        total = smooth + l1 * float(np.abs(new[:l1_on]).sum())
        if total <= loss + ENOUGH * promised:  # NaN is not
            return new, total, gradient
        length /= 2
    return None
