"""Precision and recall of a classifier that gives several labels to a line, over all labels and for each.

    precision = right answers / answers      recall = right answers / true labels

and curves of both over the threshold. As the original's meter: a label that was not answered counts for a curve's recall as out
of reach. Not here: predicting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

OUT_OF_REACH = -1.0  # the score of a true label that was not answered

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]


class Answers(NamedTuple):
    """The best labels of N lines.

    Attributes:
        labels: (N, K) int32, the best first.
        probabilities: (N, K) float32.
        counts: (N,) how many of the K places are filled.
    """

    labels: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    counts: Longs

    def __len__(self) -> int:
        return len(self.counts)

    def some(self, first: int, last: int) -> Answers:
        """The places of some lines, as views."""
        return Answers(self.labels[first:last], self.probabilities[first:last], self.counts[first:last])


class Meter:
    """What is right, by label.

    Args:
        classes: C.
        unanswered: curves know true labels that were not answered.

    Attributes:
        examples: how many lines were counted.
        gold: (C,) true labels.
        predicted: (C,) answers.
        right: (C,) answers that are true.
    """

    def __init__(self, classes: int, *, unanswered: bool = False) -> None:
        self.classes, self.unanswered, self.examples = classes, unanswered, 0
        self.gold, self.predicted = np.zeros(classes, dtype=np.int64), np.zeros(classes, dtype=np.int64)
        self.right = np.zeros(classes, dtype=np.int64)
        self._pairs: list[tuple[Longs, NDArray[np.float32], NDArray[np.bool_]]] = []

    def add(self, labels: NDArray[np.int32], label_starts: Longs, answers: Answers) -> None:
        """Count N lines.

        Args:
            labels: the true labels of all lines.
            label_starts: (N + 1,) where each line's begin.
            answers: what was predicted.
        """
        lines, classes = len(answers), self.classes
        filled = np.arange(answers.labels.shape[1])[None, :] < answers.counts[:, None]
        line, _ = np.nonzero(filled)
        answered = answers.labels[filled].astype(np.int64)
        scores = np.minimum(answers.probabilities[filled], np.float32(1.0))
        owners = np.repeat(np.arange(lines), np.diff(label_starts))
        true = owners * classes + labels
        given = line * classes + answered
        right = np.isin(given, true)
        self.examples += lines
        self.gold += np.bincount(labels, minlength=classes)
        self.predicted += np.bincount(answered, minlength=classes)
        self.right += np.bincount(answered[right], minlength=classes)
        self._pairs.append((answered, scores, right))
        if self.unanswered:
            missed = labels[~np.isin(true, given)].astype(np.int64)
            never = np.full(len(missed), OUT_OF_REACH, dtype=np.float32)
            self._pairs.append((missed, never, np.ones(len(missed), dtype=np.bool_)))

    # ---- numbers --------------------------------------------------------------------------------------------------

    def precision(self, label: int | None = None) -> float:
        """Of the answers, the right share; nan where there are none."""
        return _share(_of(self.right, label), _of(self.predicted, label))

    def recall(self, label: int | None = None) -> float:
        """Of the true labels, the share that was answered; nan where there are none."""
        return _share(_of(self.right, label), _of(self.gold, label))

    def f1(self, label: int | None = None) -> float:
        """The harmonic mean of both; nan where nothing was answered and nothing true."""
        if label is not None:
            return _share(2 * _of(self.right, label), _of(self.predicted, label) + _of(self.gold, label))
        precision, recall = self.precision(), self.recall()
        return 2 * precision * recall / (precision + recall) if precision + recall != 0 else math.nan

    # ---- curves ---------------------------------------------------------------------------------------------------

    def scores_and_truth(self, label: int | None = None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The score of each answer and whether it is right (1 or 0), both ascending."""
        if not self._pairs:
            return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32)
        labels, scores, right = (np.concatenate(parts) for parts in zip(*self._pairs, strict=True))
        if label is not None:
            chosen = labels == label
            scores, right = scores[chosen], right[chosen]
        order = np.lexsort((right, scores))
        return scores[order], right[order].astype(np.float32)

    def curve(self, label: int | None = None) -> tuple[Floats, Floats]:
        """Precision and recall for each threshold from the strictest on, until all is found; then (1, 0)."""
        scores, truth = self.scores_and_truth(label)
        reached = scores >= 0
        scores, truth = scores[reached][::-1], truth[reached][::-1].astype(np.int64)
        if not len(scores):
            return np.zeros(0), np.zeros(0)
        last = np.append(scores[1:] != scores[:-1], True)  # answers with one score are one step
        found, wrong = np.cumsum(truth)[last], np.cumsum(1 - truth)[last]
        gold = _of(self.gold, label)
        end = int(np.searchsorted(found, gold)) + 1
        found, wrong = found[:end].astype(np.float64), wrong[:end]
        recall = found / gold if gold else np.full(len(found), math.nan)
        return np.append(found / (found + wrong), 1.0), np.append(recall, 0.0)

    def precision_at_recall(self, recall: float, label: int | None = None) -> float:
        """The best precision among thresholds of at least this recall; 0 where there is none."""
        precisions, recalls = self.curve(label)
        return float(precisions[recalls >= recall].max(initial=0.0))

    def recall_at_precision(self, precision: float, label: int | None = None) -> float:
        """The best recall among thresholds of at least this precision; 0 where there is none."""
        precisions, recalls = self.curve(label)
        return float(np.nan_to_num(recalls[precisions >= precision]).max(initial=0.0))


def _of(counts: Longs, label: int | None) -> int:
    if label is None:
        return int(counts.sum())
    return int(counts[label]) if 0 <= label < len(counts) else 0


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


# ---- as the original prints them -----------------------------------------------------------------------------------


def general_lines(meter: Meter, k: int, *, fixed: bool = False) -> list[str]:
    """The three lines of ``test``: how many lines, precision and recall at k, with three digits.

    Args:
        meter: what was counted.
        k: as it was asked for.
        fixed: three digits behind the point, as after ``test-label``; else three that count.
    """
    form = ".3f" if fixed else ".3g"
    return [f"N\t{meter.examples}", f"P@{k}\t{meter.precision():{form}}", f"R@{k}\t{meter.recall():{form}}"]


def label_lines(meter: Meter, labels: Sequence[str]) -> list[str]:
    """The lines of ``test-label``, one for each label."""
    lines = []
    for number, label in enumerate(labels):
        scores = {"F1-Score": meter.f1(number), "Precision": meter.precision(number), "Recall": meter.recall(number)}
        shown = [
            f"{name} : {f'{value:.6f}' if math.isfinite(value) else '--------'}  " for name, value in scores.items()
        ]
        lines.append("".join(shown) + f" {label}")
    return lines


def prediction_line(labels: Sequence[str], probabilities: Sequence[float] | None = None) -> str:
    """A line of ``predict``, or with probabilities of ``predict-prob``: six digits that count."""
    if probabilities is None:
        return " ".join(labels)
    return " ".join(f"{label} {p:.6g}" for label, p in zip(labels, probabilities, strict=True))


def vector_line(vector: Sequence[float]) -> str:
    """A vector as the original writes it: five digits that count, a blank behind each."""
    return "".join(f"{value:.5g} " for value in vector)
