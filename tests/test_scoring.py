"""Intervals cover, tests reject as often as they promise, and every score equals scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erya.errors import DataError
from erya.scoring import bootstrap, holm, paired
from erya.tasks import classify
from erya.tasks.classify import Run


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=60))
def test_scores_equal_scikit_learn(pairs):
    from sklearn import metrics

    truth, answers = [str(a) for a, _ in pairs], [str(b) for _, b in pairs]
    found = classify.scores(truth, [Run(np.array(answers))], resamples=1)
    assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(truth, answers))
    assert found["macro_f1"].value == pytest.approx(metrics.f1_score(truth, answers, average="macro"))
    assert found["micro_f1"].value == pytest.approx(metrics.f1_score(truth, answers, average="micro"))
    labels, counts = classify.confusion(truth, answers)
    assert counts.tolist() == metrics.confusion_matrix(truth, answers, labels=labels).tolist()
    precision, recall, f1, support = metrics.precision_recall_fscore_support(truth, answers, zero_division=0)
    for one, *theirs in zip(classify.per_label(truth, answers), precision, recall, f1, support, strict=True):
        assert [one.precision, one.recall, one.f1, one.support] == pytest.approx(theirs)


def test_log_loss_equals_scikit_learn():
    from sklearn.metrics import log_loss

    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet([1, 1, 1], size=50)
    classes = np.array(["a", "b", "c"])
    truth = classes[generator.integers(0, 3, 50)]
    run = Run(classes[probabilities.argmax(1)], probabilities, classes)
    found = classify.scores(truth, [run])
    assert found["log_loss"].value == pytest.approx(log_loss(truth, probabilities, labels=classes))
    assert found["log_loss"].low < found["log_loss"].value < found["log_loss"].high


def test_a_label_never_seen_in_training_counts_as_wrong():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    classes = np.array(["a", "b"])
    found = classify.scores(["a", "new"], [Run(np.array(["a", "b"]), probabilities, classes)])
    assert found["accuracy"].value == 0.5
    assert found["log_loss"].value > 15


def test_calibration_error_by_hand():
    probabilities = np.array([[0.95, 0.05]] * 10)  # says 95 %, is right 6 times of 10
    classes = np.array(["a", "b"])
    truth = ["a"] * 6 + ["b"] * 4
    run = Run(np.array(["a"] * 10), probabilities, classes)
    assert classify.scores(truth, [run])["calibration_error"].value == pytest.approx(0.35)
    (point,) = classify.calibration_bins(truth, probabilities, classes)
    assert point == {"confidence": pytest.approx(0.95), "accuracy": pytest.approx(0.6), "count": 10}


def test_interval_covers_the_truth_about_95_times_of_100():
    generator = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        hits = (generator.random(150) < 0.8).astype(float)
        score = bootstrap({"x": lambda rows, hits=hits: float(hits[rows].mean())}, 150, seed=trial, resamples=300)["x"]
        covered += score.low <= 0.8 <= score.high
    assert 0.88 <= covered / 200 <= 0.99


def test_paired_test_equals_the_binomial_test_and_keeps_its_level():
    from scipy.stats import binomtest

    generator = np.random.default_rng(2)
    rejections = 0
    for trial in range(300):
        first, second = generator.random(200) < 0.9, generator.random(200) < 0.9
        found = paired(first, second, seed=trial, resamples=100)
        wins, losses = int((first & ~second).sum()), int((second & ~first).sum())
        assert found.p_value == pytest.approx(min(1.0, binomtest(wins, wins + losses).pvalue))
        rejections += found.p_value < 0.05
    assert rejections / 300 <= 0.07
    better = paired(np.ones(200, bool), generator.random(200) < 0.8)
    assert better.significant
    assert better.low > 0


def test_scores_over_seeds_are_means():
    runs = [Run(np.array(["a", "a"])), Run(np.array(["a", "b"]))]
    found = classify.scores(["a", "b"], runs)
    assert found["accuracy"].value == pytest.approx(0.75)


def test_holm_is_stricter_than_each_test_alone():
    assert holm([0.01, 0.04, 0.03]) == [True, False, False]
    assert holm([0.04]) == [True]
    assert holm([]) == []


def test_majority_and_length_errors():
    assert classify.majority(["a", "b", "b"], ["b", "a", "b", "c"]) == ("b", 0.5)
    with pytest.raises(DataError):
        classify.scores(["a"], [Run(np.array(["a", "b"]))])
    with pytest.raises(DataError):
        classify.scores([], [Run(np.array([]))])


def test_class_weights():
    X, y = ["t"] * 4, ["a", "a", "a", "b"]
    balanced = classify.examples(X, y, class_weight="balanced").weights
    assert balanced[:3].sum() == pytest.approx(balanced[3])
    chosen = classify.examples(X, y, sample_weight=[1, 2, 0, 1], class_weight={"b": 3}).weights
    assert chosen.tolist() == [1, 2, 3]  # the row of weight 0 is left out
