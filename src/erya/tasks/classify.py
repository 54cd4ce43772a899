"""The task ``classify``: a label for a text, or for a pair of texts; several labels, where the model takes them.

Owns what goes in (``documents``, ``examples``: see ``_targets.py``), what comes out (labels and probabilities), how answers
are scored (with intervals; of several labels see ``_label_sets.py``), the chance level, and a toy set on which every
classifier must do better than chance. Whether rows have one label or several, the functions here see by the targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.scoring import Measure, Paired, Score, bootstrap, mean_of, paired
from erya.tasks import _label_sets
from erya.tasks._answers import (
    CALIBRATION_BINS,
    SMALLEST_PROBABILITY,
    LabelScore,
    Run,
    bins_of,
    check_lengths,
    label_score,
    sets,
    strings,
)
from erya.tasks._label_sets import confused
from erya.tasks._targets import Document, Examples, Labels, documents, examples, kind_of, listed, not_taken
from erya.text.dataset import Kind

__all__ = [
    "CALIBRATION_BINS",
    "HEADLINE",
    "LOWER_IS_BETTER",
    "SCORE_NAMES",
    "Document",
    "Examples",
    "Kind",
    "LabelScore",
    "Labels",
    "Run",
    "abstaining",
    "calibration_bins",
    "confused",
    "confusion",
    "documents",
    "examples",
    "headline",
    "headline_of",
    "kind_of",
    "majority",
    "not_taken",
    "paired_test",
    "per_label",
    "row_errors",
    "row_losses",
    "scores",
    "sets",
    "sklearn_tags",
    "strings",
    "toy",
    "toy_several",
]

INPUT = "rows"  # of texts with labels; "corpus": of running text
FIRST_USE = "erya predict FILE.erya --input TEXT"
HEADLINE = "accuracy"
SCORE_NAMES = ("accuracy", "macro_f1", "micro_f1", "log_loss", "calibration_error")
LOWER_IS_BETTER = ("log_loss", "calibration_error")


# ---- what comes out -------------------------------------------------------------------------------------------


def abstaining(probabilities: NDArray[np.float64], classes: Labels, min_probability: float) -> list[Any]:
    """N answers: the most probable class (the first of equal ones), or None where its probability is smaller than asked."""
    best, sure = probabilities.argmax(axis=1), probabilities.max(axis=1, initial=0.0)
    labels = np.asarray(classes).tolist()
    return [
        labels[place] if enough else None
        for place, enough in zip(best.tolist(), (sure >= min_probability).tolist(), strict=True)
    ]


# ---- how answers are scored -----------------------------------------------------------------------------------


def headline_of(kind: Kind) -> str:
    """The name of the score that ranks models: ``HEADLINE``, or ``"micro_f1"`` for several labels a row."""
    return _label_sets.HEADLINE if kind == "several" else HEADLINE


def _in_sets(targets: Any, *predictions: Any) -> bool:
    """Whether rows have sets of labels: by the targets, or because a model answered so."""
    return any(kind_of(labels) == "several" for labels in (targets, *predictions))


def scores(targets: Any, runs: Sequence[Run], *, seed: int = 0, resamples: int = 1000) -> dict[str, Score]:
    """Every score of the task with its interval (percentile bootstrap over rows).

    Args:
        targets: N true labels; one that the model has never seen counts as wrong, never as absent. Of shares of labels the
            largest is the true one, and log_loss is the cross-entropy against all of them.
        runs: the answers of one model, or of the same model trained with several seeds: then each score is the
            mean over the seeds, and a resample takes the same rows from all of them.

    Returns:
        by name: accuracy, macro_f1 (mean over the labels that occur in the targets or the predictions), micro_f1, and
        where there are probabilities log_loss (nats) and calibration_error (expected, 15 equal-width bins of confidence).
        Of several labels a row: micro_f1, macro_f1, exact_match (all labels right), precision_at_1 (whether the
        most probable label is true, over the rows that have one), recall_at_1 (over the true labels), and where there are
        probabilities log_loss (mean binary cross-entropy) and calibration_error (its mean over the labels).

    Raises:
        DataError: no rows, or lengths that differ.
    """
    if _in_sets(targets, *(run.predictions for run in runs)):
        return _label_sets.scores(targets, runs, seed=seed, resamples=resamples)
    truth = strings(targets)
    each = [_measures(targets, truth, run) for run in runs]
    names = [name for name in SCORE_NAMES if all(name in measures for measures in each)]
    over_seeds = {name: mean_of([measures[name] for measures in each]) for name in names}
    found = bootstrap(over_seeds, len(truth), seed, resamples)
    # with one label a row every error is one false positive and one false negative: micro F1 is the accuracy
    found["micro_f1"] = found["accuracy"]
    return {name: found[name] for name in SCORE_NAMES if name in found}


def _measures(targets: Any, truth: NDArray[np.str_], run: Run) -> dict[str, Measure]:
    """Each score as a function of the chosen rows, so that value and resampled values come from the same line."""
    answers = strings(run.predictions)
    check_lengths(len(truth), len(answers))
    labels, codes = np.unique(np.concatenate([truth, answers]), return_inverse=True)
    true_codes, answer_codes = codes[: len(truth)], codes[len(truth) :]
    hits = (true_codes == answer_codes).astype(np.float64)
    measures: dict[str, Measure] = {
        "accuracy": lambda rows: float(hits[rows].mean()),
        "macro_f1": lambda rows: _macro_f1(true_codes[rows], answer_codes[rows], len(labels)),
    }
    if run.probabilities is not None and run.classes is not None:
        losses, confidence = row_losses(targets, run.probabilities, run.classes), run.probabilities.max(axis=1)
        measures["log_loss"] = lambda rows: float(losses[rows].mean())
        measures["calibration_error"] = lambda rows: _calibration_error(confidence[rows], hits[rows])
    return measures


def row_losses(targets: Any, probabilities: NDArray[np.float64], classes: Labels) -> NDArray[np.float64]:
    """−ln p(target) of each row, (N,); a label the model has never seen has probability 1e-15.

    Of shares of labels their cross-entropy, −Σ share ln p; of several labels the mean binary cross-entropy over all labels.
    """
    kind = kind_of(targets)
    if kind == "several":
        return _label_sets.row_losses(sets(targets), probabilities, classes)
    if kind == "soft":
        return _soft_losses(targets, probabilities, classes)
    column = {str(label): index for index, label in enumerate(np.asarray(classes).tolist())}
    columns = np.array([column.get(label, -1) for label in strings(targets).tolist()], dtype=np.int64)
    picked = probabilities[np.arange(len(columns)), np.maximum(columns, 0)]
    picked = np.where(columns >= 0, picked, 0.0)
    return -np.log(np.clip(picked, SMALLEST_PROBABILITY, 1.0))


def _soft_losses(targets: Any, probabilities: NDArray[np.float64], classes: Labels) -> NDArray[np.float64]:
    column = {str(label): index for index, label in enumerate(np.asarray(classes).tolist())}
    logs = np.log(np.clip(probabilities, SMALLEST_PROBABILITY, 1.0))
    unseen = float(np.log(SMALLEST_PROBABILITY))
    found = np.zeros(len(probabilities))
    for row, target in enumerate(listed(targets)):
        shares = target if isinstance(target, dict) else {target: 1.0}
        total = sum(shares.values())
        for label, share in shares.items():
            place = column.get(str(label))
            found[row] -= share / total * (unseen if place is None else logs[row, place])
    return found


def _counts(true_codes: NDArray[Any], answer_codes: NDArray[Any], size: int) -> tuple[NDArray[Any], ...]:
    right = np.bincount(true_codes[true_codes == answer_codes], minlength=size)
    return right, np.bincount(true_codes, minlength=size), np.bincount(answer_codes, minlength=size)


def _macro_f1(true_codes: NDArray[Any], answer_codes: NDArray[Any], size: int) -> float:
    right, true, answered = _counts(true_codes, answer_codes, size)
    occurring = true + answered
    return float((2 * right[occurring > 0] / occurring[occurring > 0]).mean())


def _calibration_error(confidence: NDArray[np.float64], hits: NDArray[np.float64]) -> float:
    bins = bins_of(confidence)
    gap = np.bincount(bins, weights=confidence - hits, minlength=CALIBRATION_BINS)
    return float(np.abs(gap).sum() / len(hits))


def calibration_bins(targets: Any, probabilities: NDArray[np.float64], classes: Labels) -> list[dict[str, float]]:
    """The reliability plot's points: mean confidence, accuracy and rows of every bin that is not empty.

    Of several labels a row: over every label of every row.
    """
    if _in_sets(targets):
        return _label_sets.calibration_bins(targets, probabilities, classes)
    hits = (strings(np.asarray(classes)[probabilities.argmax(axis=1)]) == strings(targets)).astype(np.float64)
    confidence = probabilities.max(axis=1)
    bins = bins_of(confidence)
    return [
        {
            "confidence": float(confidence[bins == bin].mean()),
            "accuracy": float(hits[bins == bin].mean()),
            "count": int((bins == bin).sum()),
        }
        for bin in np.unique(bins)
    ]


def confusion(targets: Any, predictions: Any) -> tuple[list[str], NDArray[np.int64]]:
    """Labels, and the counts (true label, answer): rows are what is true, columns what was answered."""
    truth, answers = strings(targets), strings(predictions)
    check_lengths(len(truth), len(answers))
    labels, codes = np.unique(np.concatenate([truth, answers]), return_inverse=True)
    flat = codes[: len(truth)] * len(labels) + codes[len(truth) :]
    counts = np.bincount(flat, minlength=len(labels) ** 2).reshape(len(labels), len(labels))
    return labels.tolist(), counts.astype(np.int64)


def per_label(targets: Any, predictions: Any) -> list[LabelScore]:
    """Precision, recall, F1 and support of every label that occurs, in label order."""
    if _in_sets(targets, predictions):
        return _label_sets.per_label(targets, predictions)
    labels, counts = confusion(targets, predictions)
    right, true, answered = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return [
        label_score(label, *counts)
        for label, *counts in zip(labels, right.tolist(), true.tolist(), answered.tolist(), strict=True)
    ]


def paired_test(targets: Any, predictions_a: Any, predictions_b: Any, *, seed: int = 0) -> Paired:
    """Is the accuracy of A better than that of B on the same rows? See ``scoring.paired``.

    Of several labels a row: is the mean F1 of the rows? See ``scoring.paired_values``.
    """
    if _in_sets(targets, predictions_a, predictions_b):
        return _label_sets.paired_test(targets, predictions_a, predictions_b, seed=seed)
    truth = strings(targets)
    return paired(strings(predictions_a) == truth, strings(predictions_b) == truth, seed=seed)


def row_errors(targets: Any, predictions: Any) -> NDArray[np.float64]:
    """(N,) how wrong each answer is: 0 or 1; of several labels a row 1 − F1."""
    if _in_sets(targets, predictions):
        return np.asarray(1.0 - _label_sets.row_f1(targets, predictions))
    return np.asarray(strings(predictions) != strings(targets), dtype=np.float64)


def majority(train_targets: Sequence[Any], test_targets: Sequence[Any]) -> tuple[str, float]:
    """The training data's most frequent label, and the accuracy (of several labels a row: the micro F1) of always
    answering it.
    """
    if _in_sets(train_targets, test_targets):
        return _label_sets.majority(train_targets, test_targets)
    labels, counts = np.unique(strings(train_targets), return_counts=True)
    label = str(labels[int(np.argmax(counts))])
    return label, float((strings(test_targets) == label).mean())


def headline(targets: Any, predictions: Any, sample_weight: Any = None) -> float:
    """Accuracy, or micro F1 of several labels a row; weighted where weights are given."""
    if _in_sets(targets, predictions):
        return _label_sets.headline(targets, predictions, sample_weight)
    hits = strings(targets) == strings(predictions)
    return float(np.average(hits, weights=sample_weight))


# ---- what scikit-learn and the battery ask --------------------------------------------------------------------


def sklearn_tags() -> Any:
    """A classifier over strings: makes ``cross_val_score`` stratify and ``VotingClassifier`` accept the model."""
    from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

    return Tags(
        estimator_type="classifier",
        target_tags=TargetTags(required=True),
        classifier_tags=ClassifierTags(),
        input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
    )


TOPICS = {
    "food": ["soup", "bread", "tasty", "noodles", "salt", "好吃", "面条", "汤"],
    "music": ["song", "guitar", "album", "melody", "drum", "好听", "歌曲", "吉他"],
    "weather": ["rain", "cloud", "sunny", "storm", "wind", "下雨", "多云", "晴天"],
}
FILLER = ["the", "a", "today", "very", "is", "really", "我", "的", "很"]


def toy(seed: int = 0, rows: int = 240) -> tuple[list[str], list[str]]:
    """Short bilingual texts of three labels, each betrayed by its words: any classifier must beat chance (1/3)."""
    generator = np.random.default_rng(seed)
    inputs, targets = [], []
    for number in range(rows):
        label = sorted(TOPICS)[number % len(TOPICS)]
        chosen = [*generator.choice(TOPICS[label], 3), *generator.choice(FILLER, 4)]
        generator.shuffle(chosen)
        inputs.append(" ".join(chosen))
        targets.append(label)
    return inputs, targets


def toy_several(seed: int = 0, rows: int = 240) -> tuple[list[str], list[tuple[str, ...]]]:
    """Such texts about none, one or two of the three topics: a model that takes several labels must find them."""
    generator = np.random.default_rng(seed)
    inputs, targets = [], []
    for number in range(rows):
        labels = tuple(sorted(generator.choice(sorted(TOPICS), number % 3, replace=False).tolist()))
        words = [word for label in labels for word in generator.choice(TOPICS[label], 3)]
        chosen = [*words, *generator.choice(FILLER, 4)]
        generator.shuffle(chosen)
        inputs.append(" ".join(chosen))
        targets.append(labels)
    return inputs, targets
