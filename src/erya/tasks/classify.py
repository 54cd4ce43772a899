"""The task ``classify``: one label for a text, or for a pair of texts.

Owns what goes in (``documents``, ``examples``), what comes out (labels and probabilities), how answers are scored
(with intervals), the chance level, and a toy set on which every classifier must do better than chance.
Targets are single labels today; ``examples`` is the one place that would learn of several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError
from erya.language import say
from erya.scoring import Measure, Paired, Score, bootstrap, mean_of, paired
from erya.tasks._targets import Document, Examples, Kind, Labels, documents, examples, kind_of, not_taken

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
    "confusion",
    "documents",
    "examples",
    "headline",
    "kind_of",
    "majority",
    "not_taken",
    "paired_test",
    "per_label",
    "row_losses",
    "scores",
    "sklearn_tags",
    "toy",
]

INPUT = "rows"  # of texts with labels; "corpus": of running text
FIRST_USE = "erya predict FILE.erya --input TEXT"
HEADLINE = "accuracy"
SCORE_NAMES = ("accuracy", "macro_f1", "micro_f1", "log_loss", "calibration_error")
LOWER_IS_BETTER = ("log_loss", "calibration_error")
CALIBRATION_BINS = 15
SMALLEST_PROBABILITY = 1e-15  # a probability of 0 would make the log loss of the whole file infinite


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
    """One model's answers to the test rows: N labels, and probabilities (N, C) over ``classes`` (C,) where it has them."""

    predictions: Labels
    probabilities: NDArray[np.float64] | None = None
    classes: Labels | None = None


def scores(targets: Any, runs: Sequence[Run], *, seed: int = 0, resamples: int = 1000) -> dict[str, Score]:
    """Every score of the task with its interval (percentile bootstrap over rows).

    Args:
        targets: N true labels; one that the model has never seen counts as wrong, never as absent.
        runs: the answers of one model, or of the same model trained with several seeds: then each score is the
            mean over the seeds, and a resample takes the same rows from all of them.

    Returns:
        by name: accuracy, macro_f1 (mean over the labels that occur in the targets or the predictions), micro_f1, and
        where there are probabilities log_loss (nats) and calibration_error (expected, 15 equal-width bins of confidence).

    Raises:
        DataError: no rows, or lengths that differ.
    """
    truth = _strings(targets)
    each = [_measures(truth, run) for run in runs]
    names = [name for name in SCORE_NAMES if all(name in measures for measures in each)]
    over_seeds = {name: mean_of([measures[name] for measures in each]) for name in names}
    found = bootstrap(over_seeds, len(truth), seed, resamples)
    # with one label a row every error is one false positive and one false negative: micro F1 is the accuracy
    found["micro_f1"] = found["accuracy"]
    return {name: found[name] for name in SCORE_NAMES if name in found}


def _measures(truth: NDArray[np.str_], run: Run) -> dict[str, Measure]:
    """Each score as a function of the chosen rows, so that value and resampled values come from the same line."""
    answers = _strings(run.predictions)
    _check_lengths(truth, answers)
    labels, codes = np.unique(np.concatenate([truth, answers]), return_inverse=True)
    true_codes, answer_codes = codes[: len(truth)], codes[len(truth) :]
    hits = (true_codes == answer_codes).astype(np.float64)
    measures: dict[str, Measure] = {
        "accuracy": lambda rows: float(hits[rows].mean()),
        "macro_f1": lambda rows: _macro_f1(true_codes[rows], answer_codes[rows], len(labels)),
    }
    if run.probabilities is not None and run.classes is not None:
        losses, confidence = row_losses(truth, run.probabilities, run.classes), run.probabilities.max(axis=1)
        measures["log_loss"] = lambda rows: float(losses[rows].mean())
        measures["calibration_error"] = lambda rows: _calibration_error(confidence[rows], hits[rows])
    return measures


def row_losses(targets: Any, probabilities: NDArray[np.float64], classes: Labels) -> NDArray[np.float64]:
    """−ln p(target) of each row, (N,); a label the model has never seen has probability 1e-15."""
    column = {str(label): index for index, label in enumerate(np.asarray(classes).tolist())}
    columns = np.array([column.get(label, -1) for label in _strings(targets).tolist()], dtype=np.int64)
    picked = probabilities[np.arange(len(columns)), np.maximum(columns, 0)]
    picked = np.where(columns >= 0, picked, 0.0)
    return -np.log(np.clip(picked, SMALLEST_PROBABILITY, 1.0))


def _strings(labels: Any) -> NDArray[np.str_]:
    return np.array([str(label) for label in (labels.tolist() if hasattr(labels, "tolist") else labels)], dtype=np.str_)


def _check_lengths(truth: NDArray[Any], answers: NDArray[Any]) -> None:
    if len(truth) != len(answers):
        raise DataError(
            "lengths-differ",
            say(f"{len(truth)} labels but {len(answers)} answers", f"{len(truth)} 个标签，却有 {len(answers)} 个回答"),
        )
    if not len(truth):
        raise DataError("no-rows", say("there is nothing to score: no rows", "没有可供评分的数据行"))


def _counts(true_codes: NDArray[Any], answer_codes: NDArray[Any], size: int) -> tuple[NDArray[Any], ...]:
    right = np.bincount(true_codes[true_codes == answer_codes], minlength=size)
    return right, np.bincount(true_codes, minlength=size), np.bincount(answer_codes, minlength=size)


def _macro_f1(true_codes: NDArray[Any], answer_codes: NDArray[Any], size: int) -> float:
    right, true, answered = _counts(true_codes, answer_codes, size)
    occurring = true + answered
    return float((2 * right[occurring > 0] / occurring[occurring > 0]).mean())


def _calibration_error(confidence: NDArray[np.float64], hits: NDArray[np.float64]) -> float:
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gap = np.bincount(bins, weights=confidence - hits, minlength=CALIBRATION_BINS)
    return float(np.abs(gap).sum() / len(hits))


def calibration_bins(targets: Any, probabilities: NDArray[np.float64], classes: Labels) -> list[dict[str, float]]:
    """The reliability plot's points: mean confidence, accuracy and rows of every bin that is not empty."""
    hits = (_strings(np.asarray(classes)[probabilities.argmax(axis=1)]) == _strings(targets)).astype(np.float64)
    confidence = probabilities.max(axis=1)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
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
    truth, answers = _strings(targets), _strings(predictions)
    _check_lengths(truth, answers)
    labels, codes = np.unique(np.concatenate([truth, answers]), return_inverse=True)
    flat = codes[: len(truth)] * len(labels) + codes[len(truth) :]
    counts = np.bincount(flat, minlength=len(labels) ** 2).reshape(len(labels), len(labels))
    return labels.tolist(), counts.astype(np.int64)


def per_label(targets: Any, predictions: Any) -> list[LabelScore]:
    """Precision, recall, F1 and support of every label that occurs, in label order."""
    labels, counts = confusion(targets, predictions)
    right, true, answered = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return [
        LabelScore(
            label,
            float(right[index] / answered[index]) if answered[index] else 0.0,
            float(right[index] / true[index]) if true[index] else 0.0,
            float(2 * right[index] / (true[index] + answered[index])),
            int(true[index]),
        )
        for index, label in enumerate(labels)
    ]


def paired_test(targets: Any, predictions_a: Any, predictions_b: Any, *, seed: int = 0) -> Paired:
    """Is the accuracy of A better than that of B on the same rows? See ``scoring.paired``."""
    truth = _strings(targets)
    return paired(_strings(predictions_a) == truth, _strings(predictions_b) == truth, seed=seed)


def majority(train_targets: Sequence[Any], test_targets: Sequence[Any]) -> tuple[str, float]:
    """The training data's most frequent label, and the accuracy of always answering it."""
    labels, counts = np.unique(_strings(train_targets), return_counts=True)
    label = str(labels[int(np.argmax(counts))])
    return label, float((_strings(test_targets) == label).mean())


def headline(targets: Any, predictions: Any, sample_weight: Any = None) -> float:
    """Accuracy, weighted where weights are given."""
    hits = _strings(targets) == _strings(predictions)
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


def toy(seed: int = 0, rows: int = 240) -> tuple[list[str], list[str]]:
    """Short bilingual texts of three labels, each betrayed by its words: any classifier must beat chance (1/3)."""
    generator = np.random.default_rng(seed)
    words = {
        "food": ["soup", "bread", "tasty", "noodles", "salt", "好吃", "面条", "汤"],
        "music": ["song", "guitar", "album", "melody", "drum", "好听", "歌曲", "吉他"],
        "weather": ["rain", "cloud", "sunny", "storm", "wind", "下雨", "多云", "晴天"],
    }
    filler = ["the", "a", "today", "very", "is", "really", "我", "的", "很"]
    inputs, targets = [], []
    for number in range(rows):
        label = sorted(words)[number % len(words)]
        chosen = [*generator.choice(words[label], 3), *generator.choice(filler, 4)]
        generator.shuffle(chosen)
        inputs.append(" ".join(chosen))
        targets.append(label)
    return inputs, targets
