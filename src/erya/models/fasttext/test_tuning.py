"""Autotuning's metrics and sizes; whole searches with real models."""

from __future__ import annotations

import numpy as np
import pytest

from erya.errors import UsageError
from erya.models.fasttext.meter import Answers, Meter
from erya.models.fasttext.tuning import Objective, bytes_of


def meter():
    """Labels a, b, c; right: line 0; line 1 answered b instead of c; line 2 has a and b."""
    found = Meter(3, unanswered=True)
    found.add(
        np.array([0, 2, 0, 1], dtype=np.int32),
        np.array([0, 1, 2, 4]),
        Answers(np.array([[0], [1], [0]], np.int32), np.array([[0.9], [0.6], [0.7]], np.float32), np.array([1, 1, 1])),
    )
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f1", Objective("f1")),
        ("f1:__label__a:b", Objective("f1", label="__label__a:b")),
        ("precisionAtRecall:30", Objective("precisionAtRecall", 0.3)),
        ("recallAtPrecision:75:b", Objective("recallAtPrecision", 0.75, "b")),
    ],
)
def test_metrics_are_spelt_as_in_the_original(text, expected):
    assert Objective.of(text) == expected


@pytest.mark.parametrize(
    "text", ["", "F1", "precisionAtRecall", "precisionAtRecall:high", "recallAtPrecision:120", "auc"]
)
def test_other_spellings_are_refused(text):
    with pytest.raises(UsageError, match="unknown metric"):
        Objective.of(text)


def test_scores():
    labels = ["a", "b", "c"]
    assert Objective.of("f1").score(meter(), labels) == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert Objective.of("f1:a").score(meter(), labels) == 1.0
    assert Objective.of("f1:c").score(meter(), labels) == 0.0
    assert Objective.of("precisionAtRecall:50:a").score(meter(), labels) == 1.0
    assert Objective.of("recallAtPrecision:100").score(meter(), labels) == pytest.approx(2 / 4)
    with pytest.raises(UsageError, match="no label"):
        Objective.of("f1:d").score(meter(), labels)


def test_sizes():
    assert [bytes_of(text) for text in ("", "2M", "500k", "1000", "3mb")] == [None, 2_000_000, 500_000, 1000, 3_000_000]
    for text in ("M", "-1", "0", "2 M", "many"):
        with pytest.raises(UsageError, match="not a size"):
            bytes_of(text)
