"""From runs to figures: medians, ratios with their spread, and whether one kind of vectors is no worse than another."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OURS = "erya"  # names of our own runners begin so
MARGIN = 0.01  # vectors that are worse by less count as no worse: Spearman's ρ, or share of right answers
SEEDS_MOST = 2000  # resamples

Runs = Mapping[str, Sequence[Mapping[str, float]]]
Measure = Callable[[NDArray[Any]], float]


def medians(runs: Runs) -> dict[str, dict[str, float]]:
    """By runner and figure, the median over the rounds."""
    return {
        runner: {figure: statistics.median(one[figure] for one in rounds) for figure in rounds[0]}
        for runner, rounds in runs.items()
        if rounds
    }


def ratios(runs: Runs, figure: str) -> dict[str, dict[str, dict[str, float]]]:
    """How many times as fast ours are: ``ratios(…)[ours][peer]``, from seconds.

    ``value`` is the quotient of the medians; ``low`` and ``high`` are the least and greatest quotient of one round, whose
    two runs stood side by side.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for ours in [name for name in runs if name.startswith(OURS)]:
        for peer in [name for name in runs if not name.startswith(OURS)]:
            mine, theirs = ([one[figure] for one in runs[name] if figure in one] for name in (ours, peer))
            if not mine or not theirs:
                continue
            each = [b / a for a, b in zip(mine, theirs, strict=False)]
            value = statistics.median(theirs) / statistics.median(mine)
            found.setdefault(ours, {})[peer] = {"value": value, "low": min(each), "high": max(each)}
    return found


def difference(
    ours: Sequence[Measure], theirs: Sequence[Measure], items: int, *, seed: int = 0, resamples: int = SEEDS_MOST
) -> dict[str, float]:
    """The mean score of our seeds less that of theirs, with its bootstrap 95 % interval over seeds and items.

    A resample draws ``items`` items, the same for all, and of either side as many seeds as it has; both with replacement.

    Args:
        ours: a measure a seed: the score of the items with these numbers.
        theirs: of the other side.
        items: pairs or questions.
        seed: of the draws.
        resamples: how many.
    """
    generator = np.random.default_rng(seed)
    sides = (ours, theirs)
    found = []
    for _ in range(resamples):
        rows = generator.integers(0, items, size=items)
        means = []
        for side in sides:
            drawn, times = np.unique(generator.integers(0, len(side), size=len(side)), return_counts=True)
            scores = np.array([side[number](rows) for number in drawn])
            means.append(float(scores @ times) / len(side))
        found.append(means[0] - means[1])
    everything = np.arange(items)
    value, other = (statistics.fmean(measure(everything) for measure in side) for side in sides)
    low, high = np.percentile(found, [2.5, 97.5])
    return {"value": value - other, "low": float(low), "high": float(high)}


def no_worse(found: Mapping[str, float], margin: float = MARGIN) -> bool:
    """Whether a difference lies above −margin with its whole interval."""
    return found["low"] > -margin
