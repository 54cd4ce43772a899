"""Whether what a file holds can be a fitted ``FastText``: shapes, types and values that fit one another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.models.fasttext.features import Features
from erya.models.fasttext.forward import LOSSES
from erya.state import State, unpack_strings

MOST_TEXTS = 1 << 40  # that a label can have: sums of counts do not overflow


def checked(state: State) -> tuple[NDArray[Any], Features]:
    """The labels and features in a state.

    Raises:
        KeyError: something is missing.
        ValueError: something does not fit.
    """
    data, arrays = state.data, state.arrays
    names = ("word_ngrams", "min_n", "max_n", "buckets", "epochs")
    if not all(type(data[name]) is int and data[name] >= 0 for name in names) or not 1 <= data["buckets"] <= 2**31:
        raise ValueError("settings out of range")
    if data["loss"] not in LOSSES or not isinstance(data["several"], bool):
        raise ValueError("no such loss")
    features = Features(
        unpack_strings("words", arrays),
        arrays["buckets"].astype(np.int64),
        word_ngrams=data["word_ngrams"],
        min_n=data["min_n"],
        max_n=data["max_n"],
        buckets=data["buckets"],
    )
    classes = np.array(data["classes"])
    if classes.ndim != 1 or len(classes) < 2 or classes.tolist() != np.unique(classes).tolist():
        raise ValueError("the classes are not two or more sorted labels")
    _check_vectors(arrays["input"], arrays["output"], len(features), len(classes))
    _check_labels(arrays["label_counts"], arrays["thresholds"], len(classes), data["several"])
    frozen = arrays["frozen"]
    if frozen.dtype != np.int64 or frozen.ndim != 1 or not ((frozen >= 0) & (frozen < len(features))).all():
        raise ValueError("frozen rows that there are not")
    return classes, features


def _check_vectors(input: NDArray[Any], output: NDArray[Any], rows: int, classes: int) -> None:
    if input.dtype != np.float32 or output.dtype != np.float32 or input.ndim != 2:
        raise ValueError("the vectors are not float32 matrices")
    if output.shape != (classes, input.shape[1]) or len(input) != rows:
        raise ValueError("the vectors do not fit the words, buckets and classes")
    if not (np.isfinite(input).all() and np.isfinite(output).all()):
        raise ValueError("the vectors hold values that are not finite")


def _check_labels(counts: NDArray[Any], thresholds: NDArray[Any], classes: int, several: bool) -> None:
    if counts.dtype != np.int64 or counts.shape != (classes,) or not ((counts >= 0) & (counts < MOST_TEXTS)).all():
        raise ValueError("the labels' counts do not fit them")
    if thresholds.dtype != np.float64 or thresholds.shape != ((classes,) if several else (0,)):
        raise ValueError("the thresholds do not fit the labels")
    if not np.isfinite(thresholds).all():
        raise ValueError("a threshold is not finite")
