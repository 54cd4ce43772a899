"""How far a tagger's probabilities can be believed: how often a token's tag is right where p(tag | sentence) is so large.

Tokens are counted, not sequences: a whole path is nearly always improbable. Where tags tell spans only tokens that were answered as
part of one are looked at; the many that surely stand outside would hide everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.scoring import Score, bootstrap
from erya.tasks._answers import CALIBRATION_BINS, bins_of
from erya.text.tag_schemes import Flat, convert

Floats = NDArray[np.float64]
RESAMPLES = 300


def reliability(
    targets: Sequence[Sequence[str]],
    answers: Sequence[Sequence[str]],
    marginals: Sequence[Floats],
    classes: NDArray[Any],
    scheme: Any,
    *,
    seed: int = 0,
) -> tuple[Score, list[dict[str, float]]]:
    """The calibration error with its interval, and the points of the reliability plot.

    Args:
        targets: N lists of true tags.
        answers: N lists of answered tags, in the scheme of the data.
        marginals: N arrays (T, C).
        classes: (C,) tags in the scheme that the model learned in.
        scheme: that scheme.
        seed: of the resampled sentences.

    Returns:
        mean distance of confidence and share of right tags, over bins of equal width, weighted by their tokens; of each bin that is not
        empty its mean confidence, the share that is right (``accuracy``), and its tokens (``count``).
    """
    true, given = Flat.of(targets), Flat.of(answers)
    learned = answers if scheme == "none" else convert(answers, scheme)
    places = {str(name): place for place, name in enumerate(classes)}
    shares = np.concatenate([np.zeros((0, len(classes))), *marginals])
    chosen = np.array([places.get(name, -1) for tags in learned for name in tags], dtype=np.int64)
    confidence = np.where(chosen >= 0, shares[np.arange(len(shares)), chosen], shares.max(axis=1, initial=0.0))
    names = {name: place for place, name in enumerate(true.names)}
    own = np.array([names.get(name, -1) for name in given.names], dtype=np.int64)
    right = (own[given.codes] == true.codes).astype(np.float64) if len(true.codes) else confidence
    sentences = np.repeat(np.arange(len(true)), np.diff(true.starts))
    inside = np.array([scheme == "none" or name != "O" for name in given.names], dtype=bool)
    looked_at = inside[given.codes] if len(given.codes) else np.zeros(0, dtype=bool)
    if not looked_at.any():
        looked_at = np.ones(len(confidence), dtype=bool)
    return _measured(sentences[looked_at], confidence[looked_at], right[looked_at], len(true), seed)


def _measured(
    sentences: NDArray[np.int64], confidence: Floats, right: Floats, count: int, seed: int
) -> tuple[Score, list[dict[str, float]]]:
    bins = bins_of(confidence)
    cells = sentences * CALIBRATION_BINS + bins
    tokens, sure, hits = (
        np.bincount(cells, weights, count * CALIBRATION_BINS).reshape(count, CALIBRATION_BINS)
        for weights in (np.ones(len(cells)), confidence, right)
    )

    def error(rows: NDArray[Any]) -> float:
        gaps = np.abs(sure[rows].sum(axis=0) - hits[rows].sum(axis=0)).sum()
        return float(gaps / max(1.0, tokens[rows].sum()))

    found = bootstrap({"error": error}, count, seed, RESAMPLES, centred=("error",))["error"]
    totals = tokens.sum(axis=0)
    points = [
        {
            "confidence": float(sure[:, place].sum() / totals[place]),
            "accuracy": float(hits[:, place].sum() / totals[place]),
            "count": int(totals[place]),
        }
        for place in np.flatnonzero(totals).tolist()
    ]
    return found, points
