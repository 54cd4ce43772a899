"""Which labels to answer where a text may have several: those whose probability reaches a threshold of their own.

A threshold is chosen to make the label's F1 as large as possible on rows whose truth is known (Yang 2001, "A study of
thresholding strategies for text categorization", the score-based one, SCut). F1 changes only where the threshold passes
a row, so that one sort tries all of them. A label with too few positive rows would be fitted to chance: it takes the
threshold that is best for all labels together (micro F1), as Yang's fallback does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_POSITIVES = 3
DOUBT = 50  # rows that a label must have for its threshold to be half its own, where thresholds are drawn together
SMALLEST = 1e-15  # a probability of 0 has no logarithm
DEFAULT = 0.5  # where there is nothing to learn from


def learn(
    probabilities: NDArray[np.floating[Any]],
    starts: NDArray[np.int64],
    labels: NDArray[np.int64],
    *,
    fewest: int = FEWEST_POSITIVES,
) -> NDArray[np.float64]:
    """(C,) the threshold of each label, in O(N log N) a label.

    Args:
        probabilities: (N, C) of each label on its own; rows that training did not see.
        starts: (N+1,) where each row's labels begin.
        labels: (L,) the true labels of all rows one after the other, as numbers below C.
        fewest: positive rows from which a label has a threshold of its own.

    Raises:
        ValueError: shapes or label numbers that do not fit.
    """
    rows, classes = probabilities.shape
    if starts.shape != (rows + 1,) or (len(labels) and not 0 <= labels.min() <= labels.max() < classes):
        raise ValueError("the labels do not fit the probabilities")
    truth = np.zeros((rows, classes), dtype=bool)
    truth[np.repeat(np.arange(rows), np.diff(starts)), labels] = True
    if not truth.any():
        return np.full(classes, DEFAULT)
    found = np.full(classes, best(probabilities.ravel(), truth.ravel()))
    for label in np.flatnonzero(truth.sum(axis=0) >= fewest):
        found[label] = best(probabilities[:, label], truth[:, label])
    return found


def drawn_together(
    probabilities: NDArray[np.floating[Any]], starts: NDArray[np.int64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(C,) each label's own best threshold, drawn towards the one that is best for all labels together.

    A threshold fitted to a handful of rows is chance, and of hundreds of labels most have a handful: with thresholds of their own
    a network over recipes with 735 labels had a micro F1 of 0.02, where one threshold for all had 0.16. Here a label that
    K rows have goes K / (K + 50) of the way to its own, between logarithms.

    Args:
        probabilities: as ``learn``, likewise the others.
    """
    own = learn(probabilities, starts, labels, fewest=1)
    if not len(labels):
        return own
    truth = np.zeros(probabilities.shape, dtype=bool)
    truth[np.repeat(np.arange(len(truth)), np.diff(starts)), labels] = True
    common = best(probabilities.ravel(), truth.ravel())
    known = truth.sum(axis=0)
    parts = known / (known + DOUBT)
    logs = parts * np.log(np.maximum(own, SMALLEST)) + (1 - parts) * np.log(max(common, SMALLEST))
    return np.asarray(np.exp(logs), dtype=np.float64)


def best(probabilities: NDArray[np.floating[Any]], truth: NDArray[np.bool_]) -> float:
    """The threshold with the largest F1 of "probability ≥ threshold"; of equally good ones the one that answers most.

    It lies in the middle between the last row that is answered and the first that is not.

    Args:
        probabilities: (N,)
        truth: (N,) at least one True.
    """
    order = np.argsort(-probabilities, kind="stable")
    falling = probabilities[order].astype(np.float64)  # (N,)
    right = np.cumsum(truth[order])  # (N,) true ones among the first 1, 2, … rows
    # equal probabilities cannot be told apart: a cut is possible only before a smaller one
    cuts = np.flatnonzero(np.append(falling[1:] < falling[:-1], True))
    scores = 2 * right[cuts] / (cuts + 1 + right[-1])
    cut = int(cuts[len(cuts) - 1 - int(np.argmax(scores[::-1]))])
    last = float(falling[cut])
    following = float(falling[cut + 1]) if cut + 1 < len(falling) else 0.0
    middle = following + (last - following) / 2
    return middle if middle > following else last  # neighbouring numbers have no middle


def decided(model: Any, probabilities: NDArray[np.floating[Any]], classes: NDArray[Any] | None = None) -> NDArray[Any]:
    """(N,) a fitted classifier's answers from its probabilities: labels, or tuples of labels where it gives several.

    Args:
        model: with ``classes_``; with ``several_`` and ``thresholds_`` where it gives several.
        probabilities: (N, C)
        classes: (C,) what to call the labels; None: as the model does.
    """
    names = model.classes_ if classes is None else classes
    if getattr(model, "several_", False):
        return answers(probabilities, model.thresholds_, names)
    return np.asarray(names[probabilities.argmax(axis=1)])


def chosen(probabilities: NDArray[np.floating[Any]], thresholds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N, C) which labels each row gets."""
    return np.asarray(probabilities >= thresholds, dtype=bool)


def answers(
    probabilities: NDArray[np.floating[Any]], thresholds: NDArray[np.float64], classes: NDArray[Any]
) -> NDArray[np.object_]:
    """(N,) a tuple of labels for each row, the most probable first, of equally probable ones the first class first.

    Args:
        probabilities: (N, C)
        thresholds: (C,)
        classes: (C,) the labels.
    """
    picked = chosen(probabilities, thresholds)
    names = classes.tolist()
    found = np.empty(len(probabilities), dtype=object)
    for row in range(len(probabilities)):
        columns = np.flatnonzero(picked[row])
        ordered = columns[np.argsort(-probabilities[row, columns], kind="stable")]
        found[row] = tuple(names[column] for column in ordered.tolist())
    return found
