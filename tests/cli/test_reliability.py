"""show m.erya reliability DATA: bins, counts, intervals and the calibration error, for models calibrated or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

import erya as package
from erya.cli.reliability import wilson
from erya.tasks import classify


@pytest.fixture
def rows(erya):
    """A model that is wrong now and then, and rows to look at it with."""
    texts, labels = classify.toy(seed=3, rows=240)
    labels = [label if row % 7 else "food" for row, label in enumerate(labels)]
    package.model("classify/naive_bayes").fit(texts[:120], labels[:120]).save("m.erya")
    lines = [f'"{text}",{label}\n' for text, label in zip(texts[120:], labels[120:], strict=True)]
    Path("test.csv").write_text("words,kind\n" + "".join(lines), encoding="utf-8")
    return texts[120:], labels[120:]


def test_bins_are_those_of_the_answers(erya, rows):
    texts, labels = rows
    found = erya("show", "m.erya", "reliability", "test.csv", "--text", "words", "--label", "kind", "--json")
    assert found.code == 0, found.err
    document = found.document
    assert document["schema"] == "erya.reliability/1"
    assert sum(bin["count"] for bin in document["bins"]) == document["rows"] == 120
    probabilities = package.load("m.erya").predict_proba(texts)
    hits = package.load("m.erya").classes_[probabilities.argmax(axis=1)] == np.array(labels)
    right = sum(bin["accuracy"] * bin["count"] for bin in document["bins"])
    assert right == pytest.approx(hits.sum())
    gaps = sum(abs(bin["accuracy"] - bin["confidence"]) * bin["count"] for bin in document["bins"])
    error = document["calibration_error"]
    assert error["value"] == pytest.approx(gaps / 120)
    assert error["low"] <= error["value"] <= error["high"]
    scored = erya("evaluate", "m.erya", "test.csv", "--text", "words", "--label", "kind", "--json").document
    assert scored["scores"]["calibration_error"]["value"] == pytest.approx(error["value"])
    assert all(0 <= bin["low"] <= bin["accuracy"] <= bin["high"] <= 1 for bin in document["bins"])


@pytest.mark.parametrize(("right", "count"), [(0, 1), (1, 1), (3, 7), (50, 60), (0, 400)])
def test_intervals_are_wilsons(right, count):
    told = binomtest(right, count).proportion_ci(method="wilson")
    assert wilson(right / count, count) == pytest.approx((told.low, told.high), abs=1e-6)


def test_drawn_and_as_a_page(erya, rows):
    found = erya("show", "m.erya", "reliability", "test.csv", "--text", "words", "--label", "kind")
    assert "calibration error" in found.out
    assert "95 % interval" in found.out
    assert "erya calibrate" in found.err
    assert "校准误差" in erya("show", "m.erya", "reliability", "test.csv", lang="zh").out
    assert erya("show", "m.erya", "reliability", "test.csv", "-o", "page.html").code == 0
    assert "<svg" in Path("page.html").read_text(encoding="utf-8")


def test_a_calibrated_model_is_shown_too(erya, rows):
    assert erya("calibrate", "m.erya", "test.csv", "-o", "c.erya", "--method", "isotonic").code == 0
    before = erya("show", "m.erya", "reliability", "test.csv", "--json").document["calibration_error"]["value"]
    after = erya("show", "c.erya", "reliability", "test.csv", "--json").document["calibration_error"]["value"]
    assert after < before  # on the very rows that it was calibrated on


def test_what_is_missing_is_said(erya, rows):
    assert erya("show", "m.erya", "reliability", "nowhere.csv").code == 3
    assert erya("show", "m.erya", "reliability", "test.csv", "more.csv").code == 2
    Path("plain.txt").write_text("soup\nfilm\n", encoding="utf-8")
    assert erya("show", "m.erya", "reliability", "plain.txt").code == 3
    assert "reliability DATA" in erya("show", "m.erya").out


def test_explaining_a_calibrated_model_shows_its_own_probabilities(erya, rows):
    texts, _ = rows
    assert erya("calibrate", "m.erya", "test.csv", "-o", "c.erya", "--method", "isotonic").code == 0
    model = package.load("c.erya")
    trace = model.explain(texts[0])
    np.testing.assert_array_equal(trace.arrays["calibrated"], model.predict_proba([texts[0]])[0])
    assert trace.model == "classify/calibrated"
    bars = {view.title: np.asarray(view.values) for view in trace.views if type(view).__name__ == "Bars"}
    np.testing.assert_array_equal(bars["calibrated probabilities"], trace.arrays["calibrated"])
    np.testing.assert_allclose(bars["probabilities before calibration"], model.model_.predict_proba([texts[0]])[0])
    for text in texts[:40]:  # the label explained is the one that is answered
        assert model.explain(text).views[0].title.startswith(str(model.predict([text])[0]))
    found = erya("explain", "c.erya", texts[0])
    assert "calibrated probabilities" in found.out
    assert "erya about classify/calibrated" in found.err
    assert erya("about", "classify/calibrated").code == 0
