"""Thresholds of labels: as good as trying every one of them, and in the middle of a gap."""

from __future__ import annotations

import numpy as np
import pytest

from erya.parts import label_thresholds


def f1(probabilities, truth, threshold):
    answered = probabilities >= threshold
    return 2 * (answered & truth).sum() / (answered.sum() + truth.sum())


def sparse(truth):
    starts = np.concatenate([[0], np.cumsum(truth.sum(axis=1))]).astype(np.int64)
    return starts, np.nonzero(truth)[1].astype(np.int64)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("steps", [4, 1000])  # few steps: many equal probabilities
def test_no_threshold_is_better(seed, steps):
    generator = np.random.default_rng(seed)
    probabilities = generator.integers(0, steps, (37, 5)) / steps
    truth = generator.random((37, 5)) < probabilities
    truth[:3] = True  # every label has enough positives
    found = label_thresholds.learn(probabilities, *sparse(truth))
    for label in range(5):
        column = probabilities[:, label]
        tried = [f1(column, truth[:, label], threshold) for threshold in np.unique(column)]
        assert f1(column, truth[:, label], found[label]) == pytest.approx(max(tried))


def test_the_middle_of_the_gap():
    probabilities = np.array([[0.9], [0.8], [0.7], [0.2], [0.1]])
    truth = np.array([[True], [True], [True], [False], [False]])
    assert label_thresholds.learn(probabilities, *sparse(truth)).tolist() == pytest.approx([0.45])
    assert label_thresholds.best(probabilities[:, 0], np.ones(5, bool)) == pytest.approx(0.05)  # all, and beyond


def test_neighbouring_numbers_are_told_apart():
    low = 0.5
    high = np.nextafter(low, 1)
    threshold = label_thresholds.best(np.array([high, low]), np.array([True, False]))
    assert low < threshold <= high


def test_rare_labels_take_the_threshold_of_all():
    probabilities = np.array([[0.9, 0.3], [0.8, 0.2], [0.7, 0.1], [0.1, 0.6]])
    truth = np.array([[True, False], [True, False], [True, False], [False, True]])
    found = label_thresholds.learn(probabilities, *sparse(truth))
    everything = label_thresholds.best(probabilities.ravel(), truth.ravel())
    assert found.tolist() == pytest.approx([0.4, everything])
    assert everything == pytest.approx(0.45)
    own = label_thresholds.learn(probabilities, *sparse(truth), fewest=1)
    assert own[1] == pytest.approx(0.45)
    assert label_thresholds.learn(probabilities, *sparse(np.zeros((4, 2), bool))).tolist() == [0.5, 0.5]


def test_answers_are_the_most_probable_first():
    probabilities = np.array([[0.2, 0.9, 0.5], [0.1, 0.1, 0.1], [0.6, 0.6, 0.4]])
    thresholds = np.array([0.2, 0.5, 0.5])
    picked = label_thresholds.chosen(probabilities, thresholds)
    assert picked.tolist() == [[True, True, True], [False, False, False], [True, True, False]]
    answers = label_thresholds.answers(probabilities, thresholds, np.array(["a", "b", "c"]))
    assert answers.dtype == object
    assert answers.tolist() == [("b", "c", "a"), (), ("a", "b")]
    assert label_thresholds.answers(probabilities[:0], thresholds, np.array(["a", "b", "c"])).shape == (0,)


def test_labels_that_do_not_fit():
    with pytest.raises(ValueError, match="do not fit"):
        label_thresholds.learn(np.zeros((2, 2)), np.array([0, 1, 2]), np.array([0, 2]))
    with pytest.raises(ValueError, match="do not fit"):
        label_thresholds.learn(np.zeros((2, 2)), np.array([0, 1]), np.array([0]))


def test_labels_of_a_few_rows_are_drawn_towards_the_common_threshold():
    generator = np.random.default_rng(0)
    truth = generator.random((400, 12)) < np.array([0.3, *[0.01] * 11])
    probabilities = np.clip(0.35 * truth + generator.random(truth.shape) * 0.6, 0, 1)
    held, test = slice(0, 200), slice(200, 400)
    own = label_thresholds.learn(probabilities[held], *sparse(truth[held]), fewest=1)
    drawn = label_thresholds.drawn_together(probabilities[held], *sparse(truth[held]))
    common = label_thresholds.best(probabilities[held].ravel(), truth[held].ravel())
    assert f1(probabilities[test], truth[test], drawn) > f1(probabilities[test], truth[test], own)
    assert (np.abs(np.log(drawn / common)) <= np.abs(np.log(own / common)) + 1e-9).all()
    known = truth[held].sum(axis=0)
    assert np.log(drawn / common)[0] == pytest.approx(np.log(own / common)[0] * known[0] / (known[0] + 50))
    nothing = label_thresholds.drawn_together(probabilities, *sparse(np.zeros_like(truth)))
    assert nothing.tolist() == [label_thresholds.DEFAULT] * 12
