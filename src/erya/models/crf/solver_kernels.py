"""Long sums of the solver, eight numbers at a time; memory in float32, sums in float64.

``steps`` and ``changes`` (M, n') hold the remembered vectors, ``inverse`` and ``slope`` (1, n') one each; what lies behind n is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.simd_double import EIGHT, fma, load, plus, spread, store, times, total, widened

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
BLOCK = 1024  # of each vector: what is read several times stays near


@kernel
def product(left: Floats, right: Floats, low: int, high: int, found: Floats) -> None:
    """``found[0]``: the sum of products of two vectors (1, n') from low to high."""
    here, other = spread(0.0), spread(0.0)
    for place in range(low, high - EIGHT, 2 * EIGHT):
        here = fma(load(left, 0, place), load(right, 0, place), here)
        other = fma(load(left, 0, place + EIGHT), load(right, 0, place + EIGHT), other)
    if (high - low) % (2 * EIGHT):
        here = fma(load(left, 0, high - EIGHT), load(right, 0, high - EIGHT), here)
    found[0] = total(plus(here, other))


@kernel
def products(
    steps: Singles, changes: Singles, inverse: Floats, used: Ints, new: int, low: int, high: int, found: Floats
) -> None:
    """``found`` (3 M,): s_new · y_j, s_j · y_new and y_new · D⁻¹ y_j of the slots ``used``, from low to high."""
    count = len(steps)
    for begin in range(low, high, BLOCK):
        end = min(begin + BLOCK, high)
        for slot in used:
            across, along, changed = spread(0.0), spread(0.0), spread(0.0)
            for place in range(begin, end, EIGHT):
                change, mine = widened(changes, slot, place), widened(changes, new, place)
                across = fma(widened(steps, new, place), change, across)
                along = fma(widened(steps, slot, place), mine, along)
                changed = fma(times(mine, load(inverse, 0, place)), change, changed)
            found[slot] += total(across)
            found[count + slot] += total(along)
            found[2 * count + slot] += total(changed)


@kernel
def against(
    steps: Singles, changes: Singles, inverse: Floats, slope: Floats, used: Ints, low: int, high: int, found: Floats
) -> None:
    """``found`` (2 M,): s_j · slope and y_j · D⁻¹ slope of the slots ``used``, from low to high."""
    count = len(steps)
    for begin in range(low, high, BLOCK):
        end = min(begin + BLOCK, high)
        for slot in used:
            along, changed = spread(0.0), spread(0.0)
            for place in range(begin, end, EIGHT):
                here = load(slope, 0, place)
                along = fma(widened(steps, slot, place), here, along)
                changed = fma(widened(changes, slot, place), times(here, load(inverse, 0, place)), changed)
            found[slot] += total(along)
            found[count + slot] += total(changed)


@kernel
def combined(
    steps: Singles,
    changes: Singles,
    inverse: Floats,
    slope: Floats,
    used: Ints,
    down: Floats,
    up: Floats,
    scale: float,
    low: int,
    high: int,
    found: Floats,
) -> None:
    """``found`` (1, n') = −(scale · D⁻¹ (slope − Σ down_j y_j) + Σ up_j s_j), from low to high."""
    for begin in range(low, high, BLOCK):
        end = min(begin + BLOCK, high)
        for place in range(begin, end, EIGHT):
            store(found, 0, place, load(slope, 0, place))
        for slot in used:
            share = spread(-down[slot])
            for place in range(begin, end, EIGHT):
                store(found, 0, place, fma(share, widened(changes, slot, place), load(found, 0, place)))
        for place in range(begin, end, EIGHT):
            store(found, 0, place, times(times(load(inverse, 0, place), spread(-scale)), load(found, 0, place)))
        for slot in used:
            share = spread(-up[slot])
            for place in range(begin, end, EIGHT):
                store(found, 0, place, fma(share, widened(steps, slot, place), load(found, 0, place)))
