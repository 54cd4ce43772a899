"""How answers are scored where a text may have several labels, or none.

Micro F1 is taken over all labels given (Tsoumakas, Katakis and Vlahavas 2010, "Mining multi-label data"); macro F1 over
the labels; an exact match is a row whose labels are all right and complete. Precision and recall at 1 are what the
original fastText's ``test`` prints: whether the most probable label is one of the true ones, over the rows that have any
and over the true labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.scoring import Measure, Paired, Score, bootstrap, mean_of, paired_values
from erya.tasks._answers import (
    CALIBRATION_BINS,
    SMALLEST_PROBABILITY,
    LabelScore,
    Run,
    bins_of,
    check_lengths,
    label_score,
    sets,
)

HEADLINE = "micro_f1"
SCORE_NAMES = (
    "micro_f1",
    "macro_f1",
    "exact_match",
    "precision_at_1",
    "recall_at_1",
    "log_loss",
    "calibration_error",
)
CENTRED = ("macro_f1", "calibration_error")  # a resample lacks rare labels, and its bins are noisier
MOST_CELLS = 400_000_000  # rows × labels × resamples: the calibration error looks at every probability

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Entries:
    """Labels of N rows one by one: ``rows`` (L,) says whose, ``labels`` (L,) which; C labels in all."""

    rows: Numbers
    labels: Numbers
    size: tuple[int, int]  # N, C

    @classmethod
    def of(cls, each: Sequence[Sequence[str]], numbers: dict[str, int]) -> Entries:
        """The rows' labels by their numbers; a label without a number is left out."""
        rows = [row for row, labels in enumerate(each) for label in labels if label in numbers]
        labels = [numbers[label] for labels in each for label in labels if label in numbers]
        return cls(np.array(rows, dtype=np.int64), np.array(labels, dtype=np.int64), (len(each), len(numbers)))

    def both(self, other: Entries) -> Entries:
        """The labels that a row has here and there."""
        wide = self.size[1] + 1
        common = np.intersect1d(self.rows * wide + self.labels, other.rows * wide + other.labels, assume_unique=True)
        return Entries(common // wide, common % wide, self.size)

    def by_row(self) -> Floats:
        """(N,) how many labels each row has."""
        return np.bincount(self.rows, minlength=self.size[0]).astype(np.float64)

    def by_label(self, copies: Floats | None = None) -> Floats:
        """(C,) how many rows have each label, each row counted as often as ``copies`` (N,) says."""
        weights = None if copies is None else copies[self.rows]
        return np.bincount(self.labels, weights=weights, minlength=self.size[1]).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Compared:
    """What is true, what was answered and what is both, over the same ``names`` (C,)."""

    names: list[str]
    true: Entries
    answered: Entries
    right: Entries

    @classmethod
    def of(cls, truth: list[tuple[str, ...]], answers: list[tuple[str, ...]]) -> Compared:
        """Raises DataError where there is not one answer a row."""
        check_lengths(len(truth), len(answers))
        names = sorted({label for labels in (*truth, *answers) for label in labels})
        numbers = {name: number for number, name in enumerate(names)}
        true, answered = Entries.of(truth, numbers), Entries.of(answers, numbers)
        return cls(names, true, answered, true.both(answered))


def scores(targets: Any, runs: Sequence[Run], *, seed: int, resamples: int) -> dict[str, Score]:
    """Every score by name with its interval; see ``classify.scores``.

    The calibration error is resampled fewer times (a hundred at least) where rows × labels are many.
    """
    truth = sets(targets)
    each = [_measures(truth, run) for run in runs]
    names = [name for name in SCORE_NAMES if all(name in measures for measures in each)]
    means = {name: mean_of([measures[name] for measures in each]) for name in names}
    slow = means.pop("calibration_error", None)
    found = bootstrap(means, len(truth), seed, resamples, centred=CENTRED)
    if slow is not None:
        cells = len(truth) * max(len(run.classes) for run in runs if run.classes is not None)
        fewer = max(100, min(resamples, MOST_CELLS // cells))
        found |= bootstrap({"calibration_error": slow}, len(truth), seed, fewer, centred=CENTRED)
    return {name: found[name] for name in names}


def _measures(truth: list[tuple[str, ...]], run: Run) -> dict[str, Measure]:
    """Each score as a function of the chosen rows."""
    answers = sets(run.predictions)
    compared = Compared.of(truth, answers)
    rows_in_all = len(truth)
    right, true, answered = (part.by_row() for part in (compared.right, compared.true, compared.answered))
    exact = ((right == true) & (right == answered)).astype(np.float64)
    first = _first_is_right(truth, answers, run)
    labelled = (true > 0).astype(np.float64)

    def macro(rows: NDArray[Any]) -> float:
        copies = np.bincount(rows, minlength=rows_in_all).astype(np.float64)
        return _macro(*(part.by_label(copies) for part in (compared.right, compared.true, compared.answered)))

    measures: dict[str, Measure] = {
        "micro_f1": lambda rows: _ratio(2 * right[rows].sum(), true[rows].sum() + answered[rows].sum()),
        "macro_f1": macro,
        "exact_match": lambda rows: float(exact[rows].mean()),
        "precision_at_1": lambda rows: _ratio(first[rows].sum(), labelled[rows].sum()),
        "recall_at_1": lambda rows: _ratio(first[rows].sum(), true[rows].sum()),
    }
    if run.probabilities is not None and run.classes is not None:
        losses = row_losses(truth, run.probabilities, run.classes)
        measures["log_loss"] = lambda rows: float(losses[rows].mean())
        measures["calibration_error"] = _calibration(truth, run.probabilities, run.classes)
    return measures


def _ratio(above: Any, below: Any) -> float:
    return float(above / below) if below else 0.0


def _macro(right: Floats, true: Floats, answered: Floats) -> float:
    occurring = true + answered > 0
    return float((2 * right[occurring] / (true + answered)[occurring]).mean()) if occurring.any() else 0.0


def _first_is_right(truth: list[tuple[str, ...]], answers: list[tuple[str, ...]], run: Run) -> Floats:
    """(N,) 1 where the most probable label is a true one, whether it was answered or not."""
    if run.probabilities is not None and run.classes is not None:
        names = _texts(run.classes)
        tops = [names[column] for column in run.probabilities.argmax(axis=1).tolist()]
    else:
        tops = [labels[0] if labels else "" for labels in answers]
    hits = [top in labels for top, labels in zip(tops, truth, strict=True)]
    return np.array(hits, dtype=np.float64)


def _texts(classes: Any) -> list[str]:
    return [str(label) for label in np.asarray(classes).tolist()]


def row_losses(truth: Sequence[Sequence[str]], probabilities: Floats, classes: Any) -> Floats:
    """(N,) the mean binary cross-entropy (nats) of a row over all labels, those of the truth that were never seen included:
    their probability is 1e-15.
    """
    numbers = {label: number for number, label in enumerate(_texts(classes))}
    seen = Entries.of(truth, numbers)
    unseen = {label for labels in truth for label in labels if label not in numbers}
    lost = np.array([sum(label in unseen for label in labels) for labels in truth], dtype=np.float64)
    sums = np.zeros(len(truth))
    for start in range(0, len(truth), 4096):
        some = np.clip(probabilities[start : start + 4096], SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        sums[start : start + 4096] = -np.log1p(-some).sum(axis=1)
    given = np.clip(probabilities[seen.rows, seen.labels], SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    sums += np.bincount(seen.rows, weights=np.log1p(-given) - np.log(given), minlength=len(truth))
    sums -= lost * np.log(SMALLEST_PROBABILITY)
    return sums / (len(numbers) + len(unseen))


def _gaps(truth: Sequence[Sequence[str]], probabilities: Floats, classes: Any) -> Floats:
    """(N, C) probability minus 1 where the label is true, minus 0 where it is not."""
    entries = Entries.of(truth, {label: number for number, label in enumerate(_texts(classes))})
    gaps = np.array(probabilities, dtype=np.float64)
    gaps[entries.rows, entries.labels] -= 1
    return gaps


def _calibration(truth: Sequence[Sequence[str]], probabilities: Floats, classes: Any) -> Measure:
    """The expected calibration error of each label (15 bins of its probability), averaged over the labels."""
    from scipy import sparse

    rows, labels = probabilities.shape
    columns = (bins_of(probabilities) + np.arange(labels) * CALIBRATION_BINS).ravel()  # (N·C,)
    starts = np.arange(rows + 1) * labels
    gaps = _gaps(truth, probabilities, classes).ravel()
    table = sparse.csr_matrix((gaps, columns, starts), shape=(rows, labels * CALIBRATION_BINS)).T  # (C·15, N)

    def measure(chosen: NDArray[Any]) -> float:
        copies = np.bincount(chosen, minlength=rows).astype(np.float64)
        return float(np.abs(table @ copies).sum() / (labels * len(chosen)))

    return measure


# ---- tables ---------------------------------------------------------------------------------------------------


def per_label(targets: Any, predictions: Any) -> list[LabelScore]:
    """Precision, recall, F1 and support of every label that occurs, in label order."""
    compared = Compared.of(sets(targets), sets(predictions))
    counts = zip(
        compared.names,
        *(part.by_label().astype(np.int64).tolist() for part in (compared.right, compared.true, compared.answered)),
        strict=True,
    )
    return [label_score(name, right, true, answered) for name, right, true, answered in counts]


def confused(targets: Any, predictions: Any, most: int = 30) -> dict[str, list[dict[str, Any]]]:
    """What goes wrong most often, where no matrix can show it.

    Returns:
        ``"missed"``: ``{"label", "count"}`` of labels that are true and were not answered; ``"added"``: that were answered
        and are not true; ``"instead"``: ``{"label", "answer", "count"}``, the first missed and the second added on one row.
        ``most`` of each, the most frequent first.
    """
    missed: Counter[str] = Counter()
    added: Counter[str] = Counter()
    instead: Counter[tuple[str, str]] = Counter()
    for true, answered in zip(sets(targets), sets(predictions), strict=True):
        lacking, surplus = set(true) - set(answered), set(answered) - set(true)
        missed.update(lacking)
        added.update(surplus)
        instead.update((label, answer) for label in lacking for answer in surplus)
    return {
        "missed": [{"label": label, "count": count} for label, count in _most(missed, most)],
        "added": [{"label": label, "count": count} for label, count in _most(added, most)],
        "instead": [
            {"label": label, "answer": answer, "count": count} for (label, answer), count in _most(instead, most)
        ],
    }


def _most(counts: Counter[Any], most: int) -> list[tuple[Any, int]]:
    """The most frequent, of equal ones the first by name: the order of sets is not to be seen."""
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:most]


def calibration_bins(targets: Any, probabilities: Floats, classes: Any) -> list[dict[str, float]]:
    """The reliability plot's points over all labels of all rows: mean probability, share of true ones, and their number."""
    bins = bins_of(probabilities).ravel()
    gaps = np.bincount(bins, _gaps(sets(targets), probabilities, classes).ravel(), CALIBRATION_BINS)
    sums, counts = (np.bincount(bins, weights, CALIBRATION_BINS) for weights in (probabilities.ravel(), None))
    return [
        {
            "confidence": float(sums[bin] / counts[bin]),
            "accuracy": float((sums[bin] - gaps[bin]) / counts[bin]),
            "count": int(counts[bin]),
        }
        for bin in np.flatnonzero(counts)
    ]


# ---- one number a row, one number in all --------------------------------------------------------------------------


def row_f1(targets: Any, predictions: Any) -> Floats:
    """(N,) F1 of each row's labels; 1 where there are none and none was answered."""
    compared = Compared.of(sets(targets), sets(predictions))
    right, given = compared.right.by_row(), compared.true.by_row() + compared.answered.by_row()
    return np.divide(2 * right, given, out=np.ones(len(given)), where=given > 0)


def paired_test(targets: Any, predictions_a: Any, predictions_b: Any, *, seed: int = 0) -> Paired:
    """Are the rows' F1 of A larger than those of B? See ``scoring.paired_values``."""
    return paired_values(row_f1(targets, predictions_a), row_f1(targets, predictions_b), seed=seed)


def majority(train_targets: Any, test_targets: Any) -> tuple[str, float]:
    """The training data's most frequent label, and the micro F1 of always answering it alone."""
    counts = Counter(label for labels in sets(train_targets) for label in labels)
    label = _most(counts, 1)[0][0] if counts else ""
    truth = sets(test_targets)
    return label, _ratio(2 * sum(label in labels for labels in truth), len(truth) + sum(map(len, truth)))


def headline(targets: Any, predictions: Any, sample_weight: Any = None) -> float:
    """Micro F1, each row weighted where weights are given."""
    compared = Compared.of(sets(targets), sets(predictions))
    weights = np.ones(len(targets)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    right, true, answered = (part.by_row() @ weights for part in (compared.right, compared.true, compared.answered))
    return _ratio(2 * right, true + answered)
