"""How much of the scores' variance each setting explains by itself: a hint at what mattered in a search.

The first-order terms of a functional analysis of variance (Hutter, Hoos and Leyton-Brown 2014, "An Efficient Approach for
Assessing Hyperparameter Importance"), with the simplest model of a setting's effect: a parabola over the place of a number in
its range, a mean for each of a few values. What a pair of settings does together is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEAST = 6  # scores, below which nothing is said


def by_parabola(places: Sequence[float], scores: Sequence[float]) -> float:
    """The share of the variance of (n,) scores that a parabola over (n,) places explains, 0 … 1."""
    return _share(np.vander(np.asarray(places, dtype=np.float64), 3), scores)


def by_groups(groups: Sequence[object], scores: Sequence[float]) -> float:
    """The share that the means of groups explain, 0 … 1; ``groups`` names that of each score."""
    names = sorted({repr(group) for group in groups})
    codes = np.array([names.index(repr(group)) for group in groups])
    return _share(np.eye(len(names))[codes], scores)


def beyond_chance(share: float, count: int, freedom: int) -> float:
    """The share without what chance alone would explain (the adjusted R²), 0 at least.

    Args:
        share: as one of the others gives it.
        count: of scores.
        freedom: parameters beside the mean: 2 of a parabola, one less than the groups.
    """
    if count - freedom - 1 <= 0:
        return 0.0
    return max(0.0, 1 - (1 - share) * (count - 1) / (count - freedom - 1))


def _share(shape: NDArray[np.float64], scores: Sequence[float]) -> float:
    values = np.asarray(scores, dtype=np.float64)
    total = float(((values - values.mean()) ** 2).sum())
    if total == 0:
        return 0.0
    fitted = shape @ np.linalg.lstsq(shape, values, rcond=None)[0]
    return float(max(0.0, 1 - ((values - fitted) ** 2).sum() / total))
