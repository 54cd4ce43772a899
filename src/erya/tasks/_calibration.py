"""Probabilities put right on held-out rows, and the threshold from which answers reach a precision.

Temperature (Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks"): one number T, p ∝ p^(1/T), which
never changes an answer. Isotonic (Zadrozny and Elkan 2002, "Transforming Classifier Scores into Accurate Multiclass Probability
Estimates"): for each class the best rising step function, then rows scaled to sum 1. Works on probabilities alone, so for
any classifier whose rows sum to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, UsageError
from erya.language import say

Floats = NDArray[np.float64]

METHODS = ("temperature", "isotonic")
FOLDS = 5
FEW_FOR_ISOTONIC = 1000  # rows; with fewer, a step function follows the noise
LARGEST_TEMPERATURE = 100.0  # and its inverse the smallest: where all answers are right no temperature is low enough
_SMALLEST = 1e-300  # a probability that underflowed to 0 still has a logarithm
_HALVINGS = 100


@dataclass(frozen=True, slots=True)
class Temperature:
    """p ∝ p^(1/T)."""

    value: float

    def __call__(self, probabilities: Floats) -> Floats:
        """(N, C) → (N, C), rows sum to 1; the order of the classes in a row stays."""
        logits = np.log(np.maximum(probabilities, _SMALLEST)) / self.value
        found: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
        found /= found.sum(axis=1, keepdims=True)
        return found


@dataclass(frozen=True, slots=True)
class Isotonic:
    """For each class a rising function, linear between its points and flat outside them.

    Attributes:
        x: for each class (k,) ascending probabilities.
        y: for each class (k,) what they become, never falling.
    """

    x: list[Floats]
    y: list[Floats]

    def __call__(self, probabilities: Floats) -> Floats:
        """(N, C) → (N, C), rows sum to 1. A row that all classes disown becomes uniform."""
        found = np.empty_like(probabilities)
        for column, (x, y) in enumerate(zip(self.x, self.y, strict=True)):
            found[:, column] = np.interp(probabilities[:, column], x, y)
        totals = found.sum(axis=1, keepdims=True)
        return np.where(totals > 0, found / np.where(totals > 0, totals, 1.0), 1.0 / probabilities.shape[1])


Calibration = Temperature | Isotonic


# ---- learning ----------------------------------------------------------------------------------------------------


def fit(method: str, probabilities: Floats, targets: NDArray[np.int64]) -> Calibration:
    """Learn a map from held-out rows.

    Args:
        method: one of ``METHODS``.
        probabilities: (N, C), rows sum to 1.
        targets: (N,) columns of the true classes; −1 for a label that the model does not have: such rows teach nothing about
            a temperature, and stand against every class under ``isotonic``.

    Raises:
        DataError: no rows, or none with a label of the model.
        UsageError: no such method; rows that do not sum to 1.
    """
    if not len(targets) or not (targets >= 0).any():
        raise DataError(
            "no-rows",
            say("no row has a label of the model", "没有一行的标签是模型认识的"),
            help=say(
                "is this the right column? --label COL  →  erya check DATA",
                "标签列对吗？--label 列名  →  erya check DATA",
            ),
        )
    if not np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-6):
        raise UsageError(
            "not-calibratable",
            say(
                "the model's probabilities do not sum to 1: it gives a text several labels",
                "模型的各类概率之和不为 1：它给一条文本多个标签",
            ),
        )
    if method == "temperature":
        known = targets >= 0
        return temperature(probabilities[known], targets[known])
    if method == "isotonic":
        return isotonic(probabilities, targets)
    raise no_such_method(method)


def no_such_method(method: str) -> UsageError:
    """The error for a method that is none of ``METHODS``."""
    return UsageError(
        "unknown-method",
        say(f"there is no method '{method}'", f"没有名为 '{method}' 的方法"),
        help=" · ".join(METHODS),
    )


def temperature(probabilities: Floats, targets: NDArray[np.int64]) -> Temperature:
    """The T of the smallest log loss. In 1/T the loss is convex, so halving finds where its slope is 0."""
    logits = np.log(np.maximum(probabilities, _SMALLEST))  # (N, C)
    true = logits[np.arange(len(targets)), targets]  # (N,)

    def slope(inverse: float) -> float:
        scaled = logits * inverse
        shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return float(((shares * logits).sum(axis=1) - true).mean())

    return Temperature(coldest(slope))


def coldest(slope: Callable[[float], float]) -> float:
    """The temperature T at which a loss that is convex in 1/T has slope 0, or the bound that is nearest to it.

    Args:
        slope: of the loss by 1/T, at a given 1/T.
    """
    low, high = -np.log(LARGEST_TEMPERATURE), np.log(LARGEST_TEMPERATURE)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if slope(float(np.exp(middle))) < 0:
            low = middle
        else:
            high = middle
    return float(np.exp(-(low + high) / 2))


def isotonic(probabilities: Floats, targets: NDArray[np.int64]) -> Isotonic:
    """For each class the rising function with the least squared error to "this row is of this class".

    N rows cannot show that something is rarer than 1 / 2N or more certain than 1 − 1 / 2N: there the curves end, and a row
    that surprises costs a finite log loss.
    """
    least = 0.5 / len(targets)
    curves = [
        rising(probabilities[:, column], (targets == column).astype(np.float64))
        for column in range(probabilities.shape[1])
    ]
    return Isotonic([x for x, _ in curves], [np.clip(y, least, 1 - least) for _, y in curves])


def rising(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The points of an isotonic regression: of each level its first and its last place."""
    from scipy.optimize import isotonic_regression

    places, rows, counts = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(rows, weights=y) / counts  # equal probabilities get one answer
    levels = np.clip(isotonic_regression(means, weights=counts).x, 0.0, 1.0)
    edge = np.ones(len(levels), dtype=bool)
    edge[1:-1] = (levels[1:-1] != levels[:-2]) | (levels[1:-1] != levels[2:])
    return places[edge], levels[edge]


def held_out(method: str, probabilities: Floats, targets: NDArray[np.int64], seed: int = 0) -> Floats:
    """(N, C) each row calibrated by a map that was learned without it: what to expect of new rows.

    Where there are too few rows to leave some out, the map of all of them is used.
    """
    order = np.random.default_rng(seed).permutation(len(targets))
    found = fit(method, probabilities, targets)(probabilities)
    if len(targets) < 2 * FOLDS:
        return found
    for fold in range(FOLDS):
        out = order[fold::FOLDS]
        rest = np.setdiff1d(order, out)
        if (targets[rest] >= 0).any():
            found[out] = fit(method, probabilities[rest], targets[rest])(probabilities[out])
    return found


# ---- keeping silent ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which probability answers are given.

    Attributes:
        value: an answer of this probability or more is given.
        precision: the share of the given answers that were right.
        coverage: the share of the rows that got one.
    """

    value: float
    precision: float
    coverage: float


def threshold_for(precision: float, confidence: Floats, hits: NDArray[np.bool_]) -> Threshold:
    """The threshold that answers most rows with at least this precision.

    Args:
        precision: above 0, at most 1.
        confidence: (N,) the probability of each row's answer.
        hits: (N,) whether it was right.

    Raises:
        DataError: no threshold reaches it; the message tells the best there is.
    """
    order = np.argsort(-confidence, kind="stable")
    sure, right = confidence[order], np.cumsum(hits[order])
    ends = np.flatnonzero(np.append(sure[1:] != sure[:-1], True))  # rows of one probability are answered together
    shares = right[ends] / (ends + 1)
    reached = np.flatnonzero(shares >= precision)
    if not len(reached):
        best = float(shares.max())
        raise DataError(
            "precision-unreachable",
            say(
                f"no threshold reaches a precision of {precision:g} on these rows; the best is {best:.4f}",
                f"在这些数据上没有阈值能达到 {precision:g} 的精确率，最高为 {best:.4f}",
            ),
            help=f"--precision {np.floor(best * 100) / 100:g}",
        )
    last = ends[reached[-1]]
    return Threshold(float(sure[last]), float(right[last] / (last + 1)), float((last + 1) / len(sure)))


# ---- as plain data -----------------------------------------------------------------------------------------------


def check(calibration: Calibration, classes: int) -> None:
    """Raises ValueError where a map that came from a file makes no sense."""
    if isinstance(calibration, Temperature):
        if not 1 / LARGEST_TEMPERATURE * 0.99 <= calibration.value <= LARGEST_TEMPERATURE * 1.01:
            raise ValueError("the temperature makes no sense")
        return
    if len(calibration.x) != classes or len(calibration.y) != classes:
        raise ValueError("there is not one curve a class")
    for x, y in zip(calibration.x, calibration.y, strict=True):
        if x.ndim != 1 or x.shape != y.shape or not len(x):
            raise ValueError("a curve is not made of points")
        if (np.diff(x) <= 0).any() or (np.diff(y) < 0).any() or y[0] < 0 or y[-1] > 1:
            raise ValueError("a curve does not rise")
