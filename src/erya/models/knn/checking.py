"""What a file says about neighbours, checked before it is believed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.models.knn.search import Index
from erya.parts import settings
from erya.parts.held_out_folds import checked_thresholds
from erya.state import Arrays


def checked_index(arrays: Arrays, features: int, size: int) -> Index:
    """The index of ``size`` texts. Raises ValueError where it points outside, is unsorted or not finite."""
    starts, rows, values = (arrays[f"index.{name}"] for name in ("starts", "rows", "values"))
    kinds = [array.dtype.name for array in (starts, rows, values)]
    if kinds != ["int64", "int32", "float32"] or size < 1:
        raise ValueError("the index has arrays of another kind")
    if not _ascending(starts, features, len(rows)) or rows.shape != values.shape or rows.ndim != 1:
        raise ValueError("the index does not fit the features")
    if len(rows) and not 0 <= rows.min() <= rows.max() < size:
        raise ValueError("the index points outside the texts: it does not fit")
    falls = np.flatnonzero(np.diff(rows) <= 0) + 1
    if not np.isin(falls, starts).all():
        raise ValueError("the index is not sorted: it does not fit")
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError("there are values that are not finite")
    return Index(starts, rows, values, size)


def _ascending(starts: NDArray[Any], count: int, last: int) -> bool:
    inside = starts.shape == (count + 1,) and starts[0] == 0 and starts[-1] == last
    return bool(inside and (np.diff(starts) >= 0).all())


def checked_votes(arrays: Arrays, data: dict[str, Any], classes: int, size: int) -> None:
    """Raises ValueError where weights, labels, thresholds or settings make no sense."""
    weights, starts, labels, shares, prior = (
        arrays[name] for name in ("row_weights", "starts", "labels", "shares", "prior")
    )
    kinds = [array.dtype.name for array in (weights, starts, labels, shares, prior)]
    if kinds != ["float64", "int64", "int64", "float64", "float64"] or weights.ndim != 1:
        raise ValueError("weights or labels do not fit: arrays of another kind")
    if not _ascending(starts, size, len(labels)) or shares.shape != labels.shape or prior.shape != (classes,):
        raise ValueError("the labels do not fit the texts")
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError("the labels do not fit the classes")
    for numbers in (weights, shares, prior):
        if not (np.isfinite(numbers).all() and (numbers >= 0).all()):
            raise ValueError("there are values that are not finite")
    checked_thresholds(arrays["thresholds"], data["several"], classes)
    settings.whole("neighbors", data["neighbors"])
    settings.number("smoothing", data["smoothing"], 0, 1e6)
    if data["weighting"] not in ("uniform", "distance"):
        raise ValueError("the weighting does not fit")


def checked_texts(is_pair: NDArray[Any], texts: int, offsets: NDArray[Any], size: int) -> None:
    """Raises ValueError where the kept texts, if any, are not as many as the index has."""
    if is_pair.dtype != np.bool_ or is_pair.shape != (texts,) or texts not in (0, size):
        raise ValueError("the texts do not fit the index")
    if len(offsets) - 1 != int(is_pair.sum()):
        raise ValueError("the pairs of texts do not fit the index")
