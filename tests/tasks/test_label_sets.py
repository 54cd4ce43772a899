"""Scores where a text may have several labels: equal to scikit-learn's, with intervals, and with unseen labels counted."""

from __future__ import annotations

import numpy as np
import pytest

from erya.errors import DataError
from erya.scoring import paired, paired_values
from erya.tasks import classify
from erya.tasks.classify import Run

CLASSES = np.array([f"l{number}" for number in range(7)])


def case(seed=0, rows=211):
    generator = np.random.default_rng(seed)
    probabilities = generator.random((rows, 7)) ** 2
    truth = generator.random((rows, 7)) < probabilities
    answered = probabilities >= 0.4
    truth[0], answered[0] = False, False  # a row without labels, rightly left so
    return truth, answered, probabilities


def rows_of(matrix):
    return [tuple(CLASSES[np.flatnonzero(row)].tolist()) for row in matrix]


def found_of(truth, answered, probabilities, **options):
    return classify.scores(rows_of(truth), [Run(objects(rows_of(answered)), probabilities, CLASSES)], **options)


def objects(rows):
    found = np.empty(len(rows), dtype=object)
    found[:] = rows
    return found


@pytest.mark.parametrize("seed", range(5))
def test_scores_equal_scikit_learn(seed):
    from sklearn import metrics

    truth, answered, probabilities = case(seed)
    found = found_of(truth, answered, probabilities, resamples=100)
    assert tuple(found) == (
        *("micro_f1", "macro_f1", "exact_match", "precision_at_1", "recall_at_1", "log_loss", "calibration_error"),
    )
    assert found["micro_f1"].value == pytest.approx(metrics.f1_score(truth, answered, average="micro"))
    assert found["macro_f1"].value == pytest.approx(metrics.f1_score(truth, answered, average="macro"))
    assert found["exact_match"].value == pytest.approx(metrics.accuracy_score(truth, answered))
    losses = [metrics.log_loss(truth[:, c], probabilities[:, c], labels=[False, True]) for c in range(7)]
    assert found["log_loss"].value == pytest.approx(np.mean(losses))
    first = probabilities.argmax(axis=1)
    hits = truth[np.arange(len(truth)), first]
    assert found["precision_at_1"].value == pytest.approx(hits.sum() / truth.any(axis=1).sum())
    assert found["recall_at_1"].value == pytest.approx(hits.sum() / truth.sum())


def test_calibration_error_is_the_mean_over_labels():
    truth, answered, probabilities = case(3)
    errors = []
    for c in range(7):
        places = np.minimum((probabilities[:, c] * 15).astype(int), 14)
        gaps = [
            abs((probabilities[places == b, c] - truth[places == b, c]).mean()) * (places == b).mean()
            for b in set(places)
        ]
        errors.append(sum(gaps))
    found = found_of(truth, answered, probabilities, resamples=100)
    assert found["calibration_error"].value == pytest.approx(np.mean(errors))


def test_per_label_equals_scikit_learn():
    from sklearn import metrics

    truth, answered, _ = case(1)
    wanted = np.array(metrics.precision_recall_fscore_support(truth, answered, zero_division=0)).T
    found = classify.per_label(rows_of(truth), rows_of(answered))
    assert [one.label for one in found] == CLASSES.tolist()
    np.testing.assert_allclose([[one.precision, one.recall, one.f1, one.support] for one in found], wanted)


def test_headline_and_weights():
    from sklearn import metrics

    truth, answered, _ = case(2)
    weights = np.random.default_rng(0).random(len(truth))
    plain = metrics.f1_score(truth, answered, average="micro")
    assert classify.headline(rows_of(truth), rows_of(answered)) == pytest.approx(plain)
    weighted = metrics.f1_score(truth, answered, average="micro", sample_weight=weights)
    assert classify.headline(rows_of(truth), rows_of(answered), weights) == pytest.approx(weighted)
    assert classify.headline_of("several") == "micro_f1"
    assert classify.headline_of("soft") == classify.headline_of("one") == "accuracy"


def test_intervals_hold_the_value_and_are_the_same_each_time():
    case_ = case(4)
    found, again = found_of(*case_), found_of(*case_)
    assert found == again
    for score in found.values():
        assert score.low < score.value < score.high or score.low < score.high
    assert found["micro_f1"].low < found["micro_f1"].value < found["micro_f1"].high
    assert found_of(*case_, seed=1)["micro_f1"].low != found["micro_f1"].low


def test_intervals_hold_the_value_where_labels_are_rare():
    generator = np.random.default_rng(0)
    names = [f"r{number:03}" for number in range(300)]
    truth = [tuple({names[int(300 * u**3)] for u in generator.random(2)}) for _ in range(400)]
    answers = [labels[:1] if generator.random() < 0.7 else ("r000",) for labels in truth]
    probabilities = generator.random((400, 300)) * 0.02
    found = classify.scores(truth, [Run(objects(answers), probabilities, np.array(names))], resamples=200)
    for name in ("macro_f1", "calibration_error"):
        assert 0 < found[name].low < found[name].value < found[name].high, name


def test_labels_never_seen_count():
    run = Run(objects([("l0",), ("l1",)]), np.array([[0.9, 0.1], [0.2, 0.8]]), CLASSES[:2])
    found = classify.scores([("l0", "new"), ("l1",)], [run], resamples=100)
    assert found["micro_f1"].value == pytest.approx(4 / 5)
    assert found["macro_f1"].value == pytest.approx(2 / 3)  # the F1 of "new" is 0
    assert found["exact_match"].value == 0.5
    assert found["recall_at_1"].value == pytest.approx(2 / 3)
    assert found["precision_at_1"].value == 1
    seen = -np.log([0.9, 0.9, 0.8, 0.8]).sum()
    assert found["log_loss"].value == pytest.approx((seen - np.log(1e-15)) / 2 / 3)


def test_single_labels_and_tuples_may_meet():
    one = classify.scores(["a", "b", "a"], [Run(objects([("a",), ("b", "a"), ()]))], resamples=100)
    assert one["micro_f1"].value == pytest.approx(2 * 2 / (3 + 3))
    assert one["exact_match"].value == pytest.approx(1 / 3)
    assert one["precision_at_1"].value == pytest.approx(2 / 3)
    assert "log_loss" not in one
    other = classify.scores([("a", "b"), ("b",)], [Run(np.array(["a", "b"]))], resamples=100)
    assert other["micro_f1"].value == pytest.approx(4 / 5)


def test_nothing_true_and_nothing_answered():
    found = classify.scores([(), ()], [Run(objects([(), ()]))], resamples=100)
    assert found["exact_match"].value == 1
    assert found["micro_f1"].value == found["precision_at_1"].value == 0
    with pytest.raises(DataError):
        classify.scores([("a",)], [Run(objects([(), ()]))])
    with pytest.raises(DataError):
        classify.scores([], [Run(objects([("a",)][:0]))])


def test_majority_is_always_answering_the_most_frequent_label():
    label, score = classify.majority([("b", "a"), ("b",), ()], [("b",), ("a", "b"), (), ("c",)])
    assert label == "b"
    assert score == pytest.approx(2 * 2 / (4 + 4))


def test_confused_labels_are_listed_by_frequency():
    truth = [("a", "b"), ("a",), ("a",), (), ("c",)]
    answers = [("a", "c"), ("c",), ("a",), ("c",), ("c",)]
    found = classify.confused(truth, answers)
    assert found["missed"] == [{"label": "a", "count": 1}, {"label": "b", "count": 1}]
    assert found["added"] == [{"label": "c", "count": 3}]
    assert found["instead"] == [
        {"label": "a", "answer": "c", "count": 1},
        {"label": "b", "answer": "c", "count": 1},
    ]
    assert classify.confused(truth, answers, most=1)["missed"] == [{"label": "a", "count": 1}]


def test_reliability_is_over_all_labels_of_all_rows():
    bins = classify.calibration_bins([("a",), ("a", "b")], np.array([[0.95, 0.05], [0.97, 0.91]]), np.array(["a", "b"]))
    assert sum(one["count"] for one in bins) == 4
    assert bins[0] == {"confidence": pytest.approx(0.05), "accuracy": pytest.approx(0), "count": 1}
    last = bins[-1]
    assert (last["confidence"], last["accuracy"], last["count"]) == (pytest.approx(0.96), pytest.approx(1), 2)


# ---- two models -----------------------------------------------------------------------------------------------


def test_paired_test_of_row_f1():
    truth, answered, probabilities = case(5)
    better = rows_of(truth | (probabilities > 0.9))
    test = classify.paired_test(rows_of(truth), better, rows_of(answered))
    assert test.significant
    assert test.low > 0
    same = classify.paired_test(rows_of(truth), better, better)
    assert (same.difference, same.p_value) == (0.0, 1.0)
    turned = classify.paired_test(rows_of(truth), rows_of(answered), better)
    assert turned.difference == pytest.approx(-test.difference)


def test_random_signs_agree_with_scipy():
    from scipy.stats import permutation_test

    generator = np.random.default_rng(0)
    a, b = generator.random(60), generator.random(60) + 0.09
    wanted = permutation_test(
        (a, b),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
    )
    assert paired_values(a, b).p_value == pytest.approx(wanted.pvalue, abs=0.02)


def test_random_signs_agree_with_mcnemar():
    generator = np.random.default_rng(1)
    a, b = generator.random(400) < 0.8, generator.random(400) < 0.74
    assert paired_values(a.astype(float), b.astype(float)).p_value == pytest.approx(paired(a, b).p_value, abs=0.02)


# ---- shares of labels -----------------------------------------------------------------------------------------


def test_shares_of_labels_are_scored_by_the_largest_and_by_cross_entropy():
    y = [{"a": 0.7, "b": 0.3}, {"a": 1, "b": 3}, {"a": 0.5, "b": 0.5}, {"new": 1.0}]
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.5, 0.5], [0.5, 0.5]])
    found = classify.scores(
        y, [Run(np.array(["a", "a", "b", "a"]), probabilities, np.array(["a", "b"]))], resamples=100
    )
    assert found["accuracy"].value == 0.25  # of equal shares the first by name is the true one
    losses = [
        -0.7 * np.log(0.6) - 0.3 * np.log(0.4),
        -0.25 * np.log(0.9) - 0.75 * np.log(0.1),
        -np.log(0.5),
        -np.log(1e-15),
    ]
    assert found["log_loss"].value == pytest.approx(np.mean(losses))
    assert classify.majority(y, y) == ("a", 0.5)
    assert classify.headline(y, ["a", "b", "a", "a"]) == 0.75
