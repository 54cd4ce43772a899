"""Probabilities put right where a text may have several labels: each label is a question of its own, yes or no.

Temperature: one number T for all labels, p → σ(logit(p) / T), with the smallest mean binary cross-entropy. One and not one a label:
of most labels a few held-out rows have it, and a number fitted to these is chance; and as every label's probabilities move by one
rising map, the thresholds move with them, and no answer changes. Isotonic: for each label a rising function of its own (Zadrozny and
Elkan 2002); labels that too few rows have, or lack, share the curve of all labels together. Thresholds are then learned anew.

Of the two Brier scores (Brier 1950, "Verification of forecasts expressed in terms of probability") the one of several labels is the
mean over the labels, that of one label a row the sum over the classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError
from erya.language import say
from erya.tasks._answers import CALIBRATION_BINS, bins_of
from erya.tasks._calibration import (
    FOLDS,
    Floats,
    Isotonic,
    Temperature,
    coldest,
    no_such_method,
    rising,
)

Truth = NDArray[np.bool_]

FEWEST = 10  # rows that have a label, and that lack it, from which it has a curve of its own
_EDGE = 1e-15  # probabilities of 0 and 1 still have a logit


@dataclass(frozen=True, slots=True)
class LabelTemperature:
    """p → σ(logit(p) / T), the same for every label."""

    value: float

    def __call__(self, probabilities: Floats) -> Floats:
        """(…) → (…), each probability by itself; what was larger stays larger."""
        found: Floats = 1.0 / (1.0 + np.exp(-_logits(probabilities) / self.value))
        return found


@dataclass(frozen=True, slots=True)
class LabelCurves:
    """For each label a rising function, linear between its points and flat outside them.

    Attributes:
        x: for each label (k,) ascending probabilities.
        y: for each label (k,) what they become, never falling.
    """

    x: list[Floats]
    y: list[Floats]

    def __call__(self, probabilities: Floats) -> Floats:
        """(N, C) → (N, C), each label by itself."""
        found = np.empty(probabilities.shape)
        for column, (x, y) in enumerate(zip(self.x, self.y, strict=True)):
            found[:, column] = np.interp(probabilities[:, column], x, y)
        return found


LabelCalibration = LabelTemperature | LabelCurves


def of_parts(calibration: Temperature | Isotonic) -> LabelCalibration:
    """The map for several labels that has the numbers of one for one label: both lie in files in the same way."""
    if isinstance(calibration, Temperature):
        return LabelTemperature(calibration.value)
    return LabelCurves(calibration.x, calibration.y)


# ---- learning ----------------------------------------------------------------------------------------------------


def fit(method: str, probabilities: Floats, truth: Truth) -> LabelCalibration:
    """Learn a map from held-out rows.

    Args:
        method: one of ``_calibration.METHODS``.
        probabilities: (N, C) of each label on its own.
        truth: (N, C) which labels each row has.

    Raises:
        DataError: no rows, or none with a label of the model.
        UsageError: no such method.
    """
    if not len(truth) or not truth.any():
        raise DataError(
            "no-rows",
            say("no row has a label of the model", "没有一行的标签是模型认识的"),
            help=say(
                "is this the right column? --label COL  →  erya check DATA",
                "标签列对吗？--label 列名  →  erya check DATA",
            ),
        )
    if method == "temperature":
        return temperature(probabilities, truth)
    if method == "isotonic":
        return isotonic(probabilities, truth)
    raise no_such_method(method)


def temperature(probabilities: Floats, truth: Truth) -> LabelTemperature:
    """The T of the smallest mean binary cross-entropy over all N·C cells; in 1/T it is convex."""
    logits = _logits(probabilities).ravel()
    wanted = truth.ravel().astype(np.float64)

    def slope(inverse: float) -> float:
        return float(((1.0 / (1.0 + np.exp(-logits * inverse)) - wanted) * logits).mean())

    return LabelTemperature(coldest(slope))


def isotonic(probabilities: Floats, truth: Truth) -> LabelCurves:
    """For each label the rising function with the least squared error to "this row has this label".

    As with one label a row the curves end at 1 / 2N and 1 − 1 / 2N, for N rows.
    """
    least = 0.5 / len(truth)
    having = truth.sum(axis=0)
    own = (having >= FEWEST) & (len(truth) - having >= FEWEST)
    common = None if own.all() else rising(probabilities.ravel(), truth.ravel().astype(np.float64))
    curves = [
        rising(probabilities[:, label], truth[:, label].astype(np.float64)) if common is None or own[label] else common
        for label in range(truth.shape[1])
    ]
    return LabelCurves([x for x, _ in curves], [np.clip(y, least, 1 - least) for _, y in curves])


def held_out(method: str, probabilities: Floats, truth: Truth, seed: int = 0) -> Floats:
    """(N, C) each row calibrated by a map that was learned without it; as ``_calibration.held_out``."""
    order = np.random.default_rng(seed).permutation(len(truth))
    found = fit(method, probabilities, truth)(probabilities)
    if len(truth) < 2 * FOLDS:
        return found
    for fold in range(FOLDS):
        out = order[fold::FOLDS]
        rest = np.setdiff1d(order, out)
        if truth[rest].any():
            found[out] = fit(method, probabilities[rest], truth[rest])(probabilities[out])
    return found


def _logits(probabilities: Floats) -> Floats:
    clipped = np.clip(np.asarray(probabilities, dtype=np.float64), _EDGE, 1 - _EDGE)
    found: Floats = np.log(clipped) - np.log1p(-clipped)
    return found


# ---- how far off -------------------------------------------------------------------------------------------------


def brier_rows(probabilities: Floats, truth: Truth) -> Floats:
    """(N,) the mean squared distance of a row's probabilities from what is true, over the labels."""
    return np.asarray(((probabilities - truth) ** 2).mean(axis=1))


def brier_rows_of_one(probabilities: Floats, targets: NDArray[np.int64]) -> Floats:
    """(N,) the squared distance of a row's probabilities from its class, summed over the classes, as Brier defined it.

    Args:
        probabilities: (N, C), rows sum to 1.
        targets: (N,) columns of the true classes; −1 for a label that the model does not have, which then adds a 1.
    """
    known = targets >= 0
    given = np.where(known, probabilities[np.arange(len(targets)), np.maximum(targets, 0)], 0.0)
    return np.asarray((probabilities**2).sum(axis=1) - 2 * given + 1.0)


def label_errors(probabilities: Floats, truth: Truth) -> Floats:
    """(C,) the expected calibration error of each label: 15 bins of its probability, weighed by their rows."""
    bins = bins_of(probabilities)
    gaps = probabilities - truth
    return np.array(
        [
            np.abs(np.bincount(bins[:, label], gaps[:, label], CALIBRATION_BINS)).sum() / max(1, len(truth))
            for label in range(truth.shape[1])
        ]
    )


def label_bins(probabilities: Floats, truth: NDArray[np.bool_]) -> list[dict[str, float]]:
    """The points of one label's reliability plot: mean probability, share of rows that have it, and rows of every bin.

    Args:
        probabilities: (N,)
        truth: (N,)
    """
    bins = bins_of(probabilities)
    return [
        {
            "confidence": float(probabilities[bins == bin].mean()),
            "accuracy": float(truth[bins == bin].mean()),
            "count": int((bins == bin).sum()),
        }
        for bin in np.unique(bins)
    ]


# ---- as plain data -----------------------------------------------------------------------------------------------


def check_thresholds(thresholds: Floats, labels: int) -> None:
    """Raises ValueError where thresholds that came from a file make no sense."""
    if thresholds.shape != (labels,) or thresholds.dtype != np.float64:
        raise ValueError("there is not one threshold a label")
    if not np.isfinite(thresholds).all() or (thresholds < 0).any():
        raise ValueError("a threshold is no probability")
