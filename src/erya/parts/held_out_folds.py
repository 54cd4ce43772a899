"""Probabilities of texts that a model did not learn from, without giving texts away: every text is once among those held out.

Stone 1974, "Cross-validatory choice and assessment of statistical predictions". What is learnt from such probabilities –
thresholds of labels, a calibration – is not fooled by a model that knows its training texts by heart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError
from erya.language import say
from erya.parts import label_thresholds
from erya.parts.ngram_evidence import interrupted
from erya.progress import Report
from erya.tasks import classify

FOLDS = 3

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def folds(rows: int) -> NDArray[np.int64]:
    """(N,) which of the folds each row belongs to: as equal as can be, drawn once for all, the same for the same N."""
    found = np.empty(rows, dtype=np.int64)
    found[np.random.default_rng(rows).permutation(rows)] = np.arange(rows) % FOLDS
    return found


def out_of_fold(rows: int, width: int, answer: Callable[[Rows, Rows], Floats], report: Report) -> Floats:
    """(N, C) an answer to each row by a model that learned from the other folds.

    Args:
        rows: N.
        width: C.
        answer: (rows to learn from, rows to answer) → (answered, C).
        report: asked between the folds whether to stop.

    Raises:
        Interrupted: the report asked for it.
    """
    found = np.zeros((rows, width))
    owner = folds(rows)
    for fold in range(min(FOLDS, rows)):
        if report.stopping() == "interrupt":
            raise interrupted()
        learned, held = np.flatnonzero(owner != fold), np.flatnonzero(owner == fold)
        if len(learned):
            found[held] = answer(learned, held)
    return found


def members(examples: classify.Examples) -> Floats:
    """(N, C) the share of each label in each row: 0 and 1, of soft labels anything between."""
    found = np.zeros((len(examples), len(examples.classes)))
    found[np.repeat(np.arange(len(examples)), np.diff(examples.starts)), examples.labels] = examples.shares
    return found


def thresholds_of(examples: classify.Examples, probabilities: Floats) -> Floats:
    """(C,) thresholds of several labels a row, from held-out probabilities (N, C) of the training rows."""
    return label_thresholds.drawn_together(probabilities, examples.starts, examples.labels)


def thresholds_from(
    validation: Any, classes: NDArray[Any], answer: Callable[[list[classify.Document]], Floats]
) -> Floats | None:
    """(C,) thresholds from validation data; None where there is none. A label that training did not see is left out.

    Args:
        validation: None or ``(X, y)``.
        classes: (C,)
        answer: documents → (N, C) probabilities.

    Raises:
        DataError: lengths that differ.
    """
    if validation is None or not len(validation[0]):
        return None
    documents, truth = classify.documents(validation[0]), classify.sets(validation[1])
    if len(documents) != len(truth):
        raise DataError(
            "lengths-differ",
            say(
                f"validation: {len(documents)} texts but {len(truth)} labels",
                f"验证数据：{len(documents)} 条文本，却有 {len(truth)} 个标签",
            ),
        )
    places = {str(label): place for place, label in enumerate(classes.tolist())}
    each = [[places[label] for label in labels if label in places] for labels in truth]
    starts = np.concatenate([[0], np.cumsum([len(labels) for labels in each])]).astype(np.int64)
    labels = np.array([place for found in each for place in found], dtype=np.int64)
    return label_thresholds.drawn_together(answer(documents), starts, labels)


def checked_thresholds(thresholds: NDArray[Any], several: Any, classes: int) -> None:
    """Raises ValueError where thresholds read from a file do not fit the number of classes."""
    if not isinstance(several, bool) or thresholds.dtype != np.float64:
        raise ValueError("the thresholds are none")
    if thresholds.shape != ((classes,) if several else (0,)) or not np.isfinite(thresholds).all():
        raise ValueError("the thresholds do not fit the classes")


def checked_classes(listed: Any) -> NDArray[Any]:
    """(C,) classes read from a file. Raises ValueError where they are not two or more sorted labels."""
    classes = np.array(listed)
    if classes.ndim != 1 or len(classes) < 2 or classes.tolist() != np.unique(classes).tolist():
        raise ValueError("the classes are not two or more sorted labels")
    return classes
