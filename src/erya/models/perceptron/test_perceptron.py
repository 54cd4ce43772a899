"""The perceptron against a plain Python twin that averages by adding up, and what it keeps to."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest

from erya.errors import Interrupted, UsageError
from erya.models.perceptron import kernels
from erya.models.perceptron.estimator import Perceptron
from erya.parts import crf
from erya.parts.feature_table import FeatureTable
from erya.parts.token_features import parsed
from erya.progress import Report
from erya.tasks import tag

TEMPLATES = ("word[0]", "suffix1[0]", "lower[-1]", "word[-1]|word[0]")
SENTENCES = [["Anna", "met", "Bob"], ["met"], ["in", "Rome", ",", "Anna"], ["Anna", "met", "Rome"]]
TAGS = [[1, 0, 2], [0], [0, 2, 0, 1], [1, 0, 2]]


def by_definition(table, orders, amounts):
    """Weights by row and tag, summed up after every sentence and divided at the end."""
    encoded = table.encode(SENTENCES)
    weights, steps = np.zeros((table.rows, 3)), np.zeros((3, 3))
    all_weights, all_steps, wrong = np.zeros_like(weights), np.zeros_like(steps), 0
    for sentence in orders:
        begin, size = int(encoded.begins[sentence]), len(SENTENCES[sentence])
        rows = [[row for _, row, _ in table.described(encoded, begin + place)] for place in range(size)]
        emissions = np.array([weights[found].sum(axis=0) for found in rows])
        path = crf.viterbi(emissions, [0, size], crf.Chain(steps))[0].tolist()
        true = TAGS[sentence]
        for place in range(size):
            wrong += true[place] != path[place]
            weights[rows[place], true[place]] += amounts[sentence]
            weights[rows[place], path[place]] -= amounts[sentence]
            if place:
                steps[true[place - 1], true[place]] += amounts[sentence]
                steps[path[place - 1], path[place]] -= amounts[sentence]
        all_weights += weights
        all_steps += steps
    return all_weights / len(orders), all_steps / len(orders), wrong


@pytest.mark.parametrize("bits", [None, 5])
def test_learning_equals_its_definition(bits):
    table, encoded = FeatureTable.learn(SENTENCES, parsed(TEMPLATES), bits=bits)
    orders = np.concatenate([np.random.default_rng(seed).permutation(4) for seed in range(3)])
    amounts = np.array([1.0, 2.0, 1.0, 0.5])
    expected, expected_steps, mistakes = by_definition(table, orders.tolist(), amounts)
    weights, late, steps, late_steps = (np.zeros(shape) for shape in ((table.rows, 3),) * 2 + ((3, 3),) * 2)
    flat, starts = np.concatenate(TAGS), np.concatenate([[0], np.cumsum([len(tags) for tags in TAGS])])
    wrong = 0
    for low in range(0, 12, 5):
        wrong += kernels.learn(
            *(weights, late, steps, late_steps, np.zeros((5, 3)), table.unit_rows, table.bounds, table.places),
            *(encoded.types, encoded.joint, encoded.begins, encoded.sizes, starts, flat, amounts),
            *(orders[low : low + 5], low),
        )
    assert wrong == mistakes > 0
    np.testing.assert_allclose(weights - late / 12, expected, atol=1e-12)
    np.testing.assert_allclose(steps - late_steps / 12, expected_steps, atol=1e-12)
    assert (weights[0] == 0).all()


def test_it_stops_when_nothing_is_wrong():
    X, y = tag.toy(seed=1, rows=60)
    model = Perceptron(epochs=50).fit(X, y)
    assert len(model.curve_) < 50
    assert model.curve_[-1]["mistakes"] == 0
    assert model.curve_[0]["mistakes"] > 0


def test_the_average_answers_better_than_chance_and_keeps_the_rules():
    X, y = tag.toy(seed=1, rows=200)
    test_X, test_y = tag.toy(seed=2, rows=100)
    model = Perceptron(epochs=3).fit(X, y, validation=(test_X, test_y))
    assert model.curve_[-1]["validation_f1"] == model.score(test_X, test_y) > 0.8
    rules = tag.allowed(model.classes_.tolist(), "iob2")
    for tags in model.predict([["met", "Paris", "Kim", "York", "zzz"] * 4, ["京", "王"] * 9]):
        numbers = np.searchsorted(model.classes_, list(tags))
        assert rules.first[numbers[0]]
        assert rules.following[numbers[:-1], numbers[1:]].all()


def test_another_seed_is_another_order():
    X, y = tag.toy(seed=1, rows=60)
    one, other = (Perceptron(seed=seed, epochs=2).fit(X, y) for seed in (0, 1))
    assert one.fingerprint() != other.fingerprint()


def test_budget_keeps_the_average_so_far():
    class After(Report):
        asked = 0

        def stopping(self):
            self.asked += 1
            return "budget" if self.asked == 2 else None

    X, y = tag.toy(seed=1, rows=60)
    stopped = Perceptron(epochs=9).fit(X, y, report=After())
    assert [row["epoch"] for row in stopped.curve_] == [1, 2]
    assert np.array_equal(stopped.weights_, Perceptron(epochs=2).fit(X, y).weights_)

    class Now(Report):
        def stopping(self):
            return "interrupt"

    with pytest.raises(Interrupted):
        Perceptron().fit(X, y, report=Now())


def test_votes_are_no_probabilities():
    model = Perceptron(epochs=2).fit(*tag.toy(seed=1, rows=40))
    assert not hasattr(model, "predict_marginals")
    assert "marginals" not in model.trace(["Anna", "met"]).arrays
    assert "runners_up" in model.trace(["Anna", "met"]).arrays
    assert "Anna" in model.explain(["Anna", "met"]).text(100, color=False)


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"min_count": 0}, {"seed": -1}, {"hash_bits": 99}])
def test_settings_out_of_range(bad):
    with pytest.raises(UsageError, match=next(iter(bad))):
        Perceptron(**bad).fit([["a", "b"]], [["B-X", "O"]])


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_notes_do_as_they_say(name):
    failures, tried = doctest.testfile(str(Path(__file__).parent / name), module_relative=False, encoding="utf-8")
    assert failures == 0
    assert tried >= 6
