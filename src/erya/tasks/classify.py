"""The task ``classify``: one label for a text, or for a pair of texts.

Owns what goes in (``documents``, ``examples``), what comes out (labels and probabilities), how answers are scored
(with intervals), the chance level, and a toy set on which every classifier must do better than chance.
Targets are single labels today; ``examples`` is the one place that would learn of several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, UsageError, quoted
from erya.language import say
from erya.scoring import Measure, Paired, Score, bootstrap, mean_of, paired

Document = str | tuple[str, str]
Labels = NDArray[Any]

INPUT = "rows"  # of texts with labels; "corpus": of running text
FIRST_USE = "erya predict FILE.erya --input TEXT"
HEADLINE = "accuracy"
SCORE_NAMES = ("accuracy", "macro_f1", "micro_f1", "log_loss", "calibration_error")
LOWER_IS_BETTER = ("log_loss", "calibration_error")
CALIBRATION_BINS = 15
SMALLEST_PROBABILITY = 1e-15  # a probability of 0 would make the log loss of the whole file infinite


# ---- what goes in ---------------------------------------------------------------------------------------------


def documents(X: Any) -> list[Document]:
    """``X`` as a list of texts or pairs of texts.

    Args:
        X: list, array, Series of str; or of pairs (tuple, list or array row of two str).

    Raises:
        UsageError: ``X`` is one bare string or a path, or an element is no text.
    """
    if isinstance(X, str | bytes | Path):
        raise UsageError(
            "bare-string",
            say(
                "X is one string; a classifier takes a list of texts",
                "X 是单个字符串；分类器需要的是文本列表",
            ),
            help=say(
                "predict([text]); a file: erya.read(path)",
                "predict([text])；文件请用 erya.read(path)",
            ),
        )
    rows = X.tolist() if hasattr(X, "tolist") else list(X)
    return [row if isinstance(row, str) else _pair(row, number) for number, row in enumerate(rows)]


def _pair(row: Any, number: int) -> Document:
    if isinstance(row, list | tuple) or (isinstance(row, np.ndarray) and row.ndim == 1):
        pair = tuple(row)
        if len(pair) == 2 and all(isinstance(text, str) for text in pair):
            return pair[0], pair[1]
    raise UsageError(
        "not-text",
        say(
            f"X[{number}] is {quoted(repr(row), 40)}, neither a text nor a pair of texts",
            f"X[{number}] 是 {quoted(repr(row), 40)}，既不是文本，也不是文本对",
        ),
    )


@dataclass(frozen=True, slots=True)
class Examples:
    """Checked training data. N documents, C classes."""

    documents: list[Document]  # N
    classes: Labels  # (C,) sorted
    targets: NDArray[np.int64]  # (N,) indices into classes
    weights: NDArray[np.float64]  # (N,) sample weight × class weight

    def __len__(self) -> int:
        return len(self.documents)


def examples(
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    class_weight: str | dict[Any, float] | None = None,
) -> Examples:
    """Check inputs, targets and weights, and number the labels.

    Args:
        X: N texts or pairs.
        y: N labels, str or int.
        sample_weight: N finite, non-negative weights; rows of weight 0 are left out.
        class_weight: None; ``"balanced"``: N / (C × the class's total weight); or ``{label: weight}``, 1 where absent.

    Raises:
        DataError: no rows, fewer than two classes, or lengths that differ.
        UsageError: a bare string; a negative, infinite or NaN weight; a class weight for an unknown label.
    """
    texts = documents(X)
    if y is None:
        raise UsageError("no-targets", say("a classifier needs labels: fit(X, y)", "分类器需要标签：fit(X, y)"))
    labels = np.asarray(y.tolist() if hasattr(y, "tolist") else list(y))
    if labels.ndim != 1:
        raise UsageError("several-labels", say("each row takes one label", "每一行只能有一个标签"))
    if len(texts) != len(labels):
        raise DataError(
            "lengths-differ",
            say(f"{len(texts)} texts but {len(labels)} labels", f"{len(texts)} 条文本，却有 {len(labels)} 个标签"),
        )
    if not texts:
        raise DataError("no-rows", say("there is nothing to learn from: no rows", "没有可供学习的数据行"))
    weights = _weights(sample_weight, len(texts))
    kept = weights > 0
    if not kept.all():
        texts = [text for text, keep in zip(texts, kept.tolist(), strict=True) if keep]
        labels, weights = labels[kept], weights[kept]
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        only = quoted(classes[0], 30) if len(classes) else "–"
        raise DataError(
            "one-class",
            say(f"all rows have one class ('{only}')", f"所有行都是同一个类别（“{only}”）"),
            help=say("a classifier needs at least two", "分类器至少需要两个类别"),
        )
    weights = weights * _class_weights(class_weight, classes, targets, weights)[targets]
    return Examples(texts, classes, targets.astype(np.int64), weights)


def _weights(sample_weight: Any, count: int) -> NDArray[np.float64]:
    if sample_weight is None:
        return np.ones(count)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (count,):
        raise DataError(
            "lengths-differ",
            say(
                f"{count} texts but weights of shape {weights.shape}", f"{count} 条文本，权重的形状却是 {weights.shape}"
            ),
        )
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise UsageError(
            "bad-weight",
            say(
                f"weight {weights[wrong[0]]} at row {wrong[0]}: weights are finite and not negative",
                f"第 {wrong[0]} 行的权重是 {weights[wrong[0]]}：权重必须有限且不为负",
            ),
        )
    return weights


def _class_weights(
    class_weight: str | dict[Any, float] | None, classes: Labels, targets: NDArray[Any], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    if class_weight is None:
        return np.ones(len(classes))
    if class_weight == "balanced":
        totals = np.bincount(targets, weights=weights, minlength=len(classes))
        return np.asarray(weights.sum() / (len(classes) * totals), dtype=np.float64)
    if not isinstance(class_weight, dict):
        raise UsageError(
            "bad-setting",
            say(
                f"class_weight={class_weight!r}: use None, 'balanced' or {{label: weight}}",
                f"class_weight={class_weight!r}：应为 None、'balanced' 或 {{标签: 权重}}",
            ),
        )
    found = np.ones(len(classes))
    known = {str(label): index for index, label in enumerate(classes.tolist())}
    for label, weight in class_weight.items():
        if str(label) not in known or not np.isfinite(weight) or weight < 0:
            raise UsageError(
                "bad-setting",
                say(
                    f"class_weight: '{quoted(label, 30)}: {weight}' – no such label, or no such weight",
                    f"class_weight：“{quoted(label, 30)}: {weight}”——没有这个标签，或权重无效",
                ),
            )
        found[known[str(label)]] = weight
    return found


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
