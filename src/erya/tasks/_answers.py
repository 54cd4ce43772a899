"""A classifier's answers as they are scored, and what the scores of one label and of several share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError
from erya.language import say
from erya.tasks._targets import Labels, is_several

CALIBRATION_BINS = 15
SMALLEST_PROBABILITY = 1e-15  # a probability of 0 would make the log loss of the whole file infinite


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How one label fares: precision, recall and F1 (0 where undefined) and the number of rows that have it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Run:
    """One model's answers to the test rows: N labels or tuples of labels, and probabilities (N, C) over ``classes`` (C,)."""

    predictions: Labels
    probabilities: NDArray[np.float64] | None = None
    classes: Labels | None = None


def label_score(label: str, right: int, true: int, answered: int) -> LabelScore:
    """The scores of a label from how often it was rightly answered, is true, and was answered."""
    return LabelScore(
        label,
        float(right / answered) if answered else 0.0,
        float(right / true) if true else 0.0,
        float(2 * right / (true + answered)) if true + answered else 0.0,
        int(true),
    )


def strings(labels: Any) -> NDArray[np.str_]:
    """(N,) one label a row as text; of shares of labels the label with the largest, the first by name of equal ones."""
    listed = labels.tolist() if hasattr(labels, "tolist") else labels
    return np.array([str(largest(label)) if isinstance(label, dict) else str(label) for label in listed], dtype=np.str_)


def largest(shares: dict[Any, float]) -> Any:
    """The label with the largest share, the first by name of equal ones."""
    return min(shares, key=lambda label: (-shares[label], str(label)))


def sets(targets: Any) -> list[tuple[str, ...]]:
    """N tuples of different labels as text, in their order; one label is a tuple of one."""
    listed = targets.tolist() if hasattr(targets, "tolist") else targets
    found: list[tuple[str, ...]] = []
    for target in listed:
        if isinstance(target, dict):
            found.append((str(largest(target)),))
        elif is_several(target):
            ordered = sorted(target, key=str) if isinstance(target, set | frozenset) else target
            found.append(tuple(dict.fromkeys(str(label) for label in ordered)))
        else:
            found.append((str(target),))
    return found


def check_lengths(truth: int, answers: int) -> None:
    """Raises DataError where there is not one answer a row, or no row at all."""
    if truth != answers:
        raise DataError(
            "lengths-differ",
            say(f"{truth} labels but {answers} answers", f"{truth} 个标签，却有 {answers} 个回答"),
        )
    if not truth:
        raise DataError("no-rows", say("there is nothing to score: no rows", "没有可供评分的数据行"))


def bins_of(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each probability, one of 15 of equal width."""
    return np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
