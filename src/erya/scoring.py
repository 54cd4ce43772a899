"""What scores of all tasks share: intervals by bootstrap, and tests of two models on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from math import exp, lgamma, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

Measure = Callable[[NDArray[Any]], float]  # a score of the chosen rows, so that value and resampled values share a line


@dataclass(frozen=True, slots=True)
class Score:
    """A score with its bootstrap 95 % interval."""

    value: float
    low: float
    high: float

    def to_plain(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Paired:
    """A's mean minus B's over the same rows (of accuracies: the exact McNemar test), bootstrap 95 % interval, p-value."""

    difference: float
    low: float
    high: float
    p_value: float

    @property
    def significant(self) -> bool:
        return self.p_value < 0.05


def mean_of(measures: Sequence[Measure]) -> Measure:
    """The mean of several measures (of seeds) over the same rows."""
    return lambda rows: sum(measure(rows) for measure in measures) / len(measures)


def bootstrap(
    measures: Mapping[str, Measure], rows: int, seed: int = 0, resamples: int = 1000, *, centred: Container[str] = ()
) -> dict[str, Score]:
    """95 % intervals of all measures by the percentile bootstrap over rows.

    Those named in ``centred`` are off in resamples by more than chance, as where rare labels fall out of them: their
    resampled values are moved by the bootstrap's estimate of that bias (Efron and Tibshirani 1993, section 10.2).

    One resample at a time, so that memory stays that of one copy of the rows.
    """
    generator = np.random.default_rng(seed)
    resamples = max(100, min(resamples, 200_000_000 // rows))  # a million rows need no thousand resamples
    resampled: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(resamples):
        draw = generator.integers(0, rows, size=rows, dtype=np.int32)
        for name, measure in measures.items():
            resampled[name].append(measure(draw))
    everything = np.arange(rows)
    found = {}
    for name, measure in measures.items():
        value, values = measure(everything), np.array(resampled[name])
        found[name] = _interval(value, values - (values.mean() - value) if name in centred else values)
    return found


def _interval(value: float, resampled: NDArray[np.float64]) -> Score:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Score(value, float(low), float(high))


def paired(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], *, seed: int = 0, resamples: int = 2000) -> Paired:
    """Is A right more often than B on the same N rows? Exact McNemar test; the interval is a paired bootstrap.

    Only rows on which exactly one of the two is right tell them apart; under the null hypothesis each of
    those falls to either side like a fair coin (McNemar 1947, the exact binomial form).
    """
    gain = right_a.astype(np.float64) - right_b.astype(np.float64)
    wins, losses = int((gain > 0).sum()), int((gain < 0).sum())
    interval = bootstrap({"gain": lambda rows: float(gain[rows].mean())}, len(gain), seed, resamples)["gain"]
    return Paired(interval.value, interval.low, interval.high, _binomial_two_sided(wins, losses))


def paired_values(a: NDArray[np.float64], b: NDArray[np.float64], *, seed: int = 0, resamples: int = 2000) -> Paired:
    """Are the values of A larger than those of B on the same N rows? Randomisation test; the interval is a paired bootstrap.

    Were the two models alike, each row's difference could as well have had the other sign (Fisher 1935; for such scores
    Yeh 2000, "More accurate tests for the statistical significance of result differences"): how often do random signs
    give so large a sum? The answer is no smaller than 1 / (trials + 1).
    """
    gain = a - b
    interval = bootstrap({"gain": lambda rows: float(gain[rows].mean())}, len(gain), seed, resamples)["gain"]
    apart = gain[gain != 0]
    generator = np.random.default_rng([seed, 1])
    trials = max(1000, min(10_000, 200_000_000 // max(1, len(apart))))
    observed, reached = abs(apart.sum()) * (1 - 1e-12), 0  # equal sums may differ in their last bits
    for _ in range(trials):
        turned = generator.integers(0, 2, size=len(apart), dtype=np.int8).astype(bool)
        reached += abs(apart.sum() - 2 * apart[turned].sum()) >= observed
    return Paired(interval.value, interval.low, interval.high, float((reached + 1) / (trials + 1)))


def paired_counts(a: NDArray[np.float64], b: NDArray[np.float64], *, seed: int = 0, resamples: int = 2000) -> Paired:
    """Is a score better that is a share of sums, as F1 is, and no mean over rows? Randomisation test, paired bootstrap.

    Args:
        a: (N, 2) of each row numerator and denominator of model A: its score is the share of the two sums.
        b: (N, 2) of model B, on the same rows.

    Were the two models alike, each row's answers could as well have been the other one's (Noreen 1989; for F1 Yeh 2000): how
    often does a random swap of rows give so large a difference? The answer is no smaller than 1 / (trials + 1).
    """
    tables = np.stack([a, b])

    def difference(rows: NDArray[Any]) -> float:
        (top_a, all_a), (top_b, all_b) = tables[:, rows].sum(axis=1)
        return float((top_a / all_a if all_a else 0.0) - (top_b / all_b if all_b else 0.0))

    interval = bootstrap({"difference": difference}, len(a), seed, resamples)["difference"]
    apart = np.flatnonzero((a != b).any(axis=1))
    both, gap = a[apart] + b[apart], a[apart] - b[apart]
    middle = np.delete(a, apart, axis=0).sum(axis=0) + both.sum(axis=0) / 2
    generator = np.random.default_rng([seed, 1])
    trials = max(1000, min(10_000, 200_000_000 // max(1, len(apart))))
    block, reached = max(1, 2_000_000 // max(1, len(apart))), 0
    for done in range(0, trials, block):
        size = (min(block, trials - done), len(apart))
        shift = (generator.integers(0, 2, size=size, dtype=np.int8) - 0.5) @ gap
        (top_a, all_a), (top_b, all_b) = (middle + shift).T, (middle - shift).T
        apart_by = _shares(top_a, all_a) - _shares(top_b, all_b)
        reached += int((np.abs(apart_by) >= abs(interval.value) - 1e-12).sum())
    return Paired(interval.value, interval.low, interval.high, float((reached + 1) / (trials + 1)))


def _shares(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(parts, wholes, out=np.zeros(len(parts)), where=wholes > 0)


def _binomial_two_sided(wins: int, losses: int) -> float:
    """P(at least this uneven a split of wins + losses fair coin throws)."""
    total, fewer = wins + losses, min(wins, losses)
    if total == 0:
        return 1.0
    tail = sum(
        exp(lgamma(total + 1) - lgamma(count + 1) - lgamma(total - count + 1) - total * log(2))
        for count in range(fewer + 1)
    )
    return min(1.0, 2 * tail)


def holm(p_values: Sequence[float], level: float = 0.05) -> list[bool]:
    """Which of several tests are significant together (Holm 1979): ten pairs give ten chances to be lucky."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    significant = [False] * len(p_values)
    for rank, index in enumerate(order):
        if p_values[index] >= level / (len(p_values) - rank):
            break
        significant[index] = True
    return significant
