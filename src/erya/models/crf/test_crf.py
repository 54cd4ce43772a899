"""The CRF against its definition: loss, gradient and optimum; features shared, hashed, left out; files that lie."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from erya.errors import Interrupted, UsageError
from erya.models.crf.estimator import CRF
from erya.models.crf.objective import Objective
from erya.models.crf.solver import downhill, minimized
from erya.parts import crf
from erya.parts.feature_table import FeatureTable
from erya.parts.token_features import parsed
from erya.progress import Report
from erya.state import State
from erya.tasks import tag

TEMPLATES = ("word[0]", "suffix1[0]", "lower[-1]", "word[1]", "word[-1]|word[0]", "word[0]|shape[1]")
SENTENCES = [["Anna", "met", "Bob"], ["met"], ["in", "Rome", ",", "Anna"], ["Anna", "met", "Bob"]]
TAGS = np.array([1, 0, 2, 0, 0, 2, 0, 1, 1, 0, 1])
WEIGHTS = np.array([1.0, 0.5, 2.0, 1.0])


def objective(bits=None, all_pairs=False, templates=TEMPLATES, min_count=1):
    table, encoded = FeatureTable.learn(SENTENCES, parsed(templates), bits=bits, min_count=min_count)
    return Objective(table, encoded, TAGS, WEIGHTS, 3, all_pairs=all_pairs), table


def named_features(table, sentence, place):
    """Rows at one token by the templates' own words, not by sums over types."""
    encoded = table.encode([sentence])
    return [row for _, row, _ in table.described(encoded, int(encoded.begins[0]) + place)]


def seen_features(table):
    return [[named_features(table, sentence, t) for t in range(len(sentence))] for sentence in SENTENCES]


def loss_by_definition(goal, table, weights, l2, seen):
    rows = np.zeros((table.rows, 3))
    for row in range(table.rows):
        for place in range(goal.ends[row], goal.ends[row + 1]):
            rows[row, goal.tags[place]] = weights[place]
    chain, total, at = crf.Chain(weights[goal.size :].reshape(3, 3)), 0.0, 0
    for sentence, weight, features in zip(SENTENCES, WEIGHTS, seen, strict=True):
        emissions = np.array([rows[shown].sum(axis=0) for shown in features])
        bounds, path = np.array([0, len(sentence)]), TAGS[at : at + len(sentence)]
        partition = crf.log_partition(emissions, bounds, chain)[0]
        total += weight * (partition - crf.path_scores(emissions, bounds, chain, path)[0])
        at += len(sentence)
    return total + 0.5 * l2 * float(weights @ weights)


@pytest.mark.parametrize(
    ("bits", "templates"), [(None, TEMPLATES), (6, TEMPLATES), (None, ("word[-1]|word[0]", "word[0]|word[1]"))]
)
@pytest.mark.parametrize("all_pairs", [False, True])
def test_loss_and_gradient(bits, templates, all_pairs):
    goal, table = objective(bits, all_pairs, templates)
    weights = np.random.default_rng(3).normal(size=len(goal.counted))
    seen = seen_features(table)
    loss, gradient = goal(weights, 0.3)
    assert loss == pytest.approx(loss_by_definition(goal, table, weights, 0.3, seen), rel=1e-6)
    for place in range(len(weights)):
        moved = [weights.copy(), weights.copy()]
        moved[0][place] += 1e-4
        moved[1][place] -= 1e-4
        ahead, behind = (loss_by_definition(goal, table, place, 0.3, seen) for place in moved)
        slope = (ahead - behind) / 2e-4
        assert gradient[place] == pytest.approx(slope, abs=2e-6)


@pytest.mark.parametrize("classes", [2, 5, 9, 16])
def test_groups_of_sentences(classes):
    """Nineteen sentences, eight at a time, of one to seven tokens, against the algebra of parts/crf.py, for any threads."""
    random = np.random.default_rng(classes)
    sentences = [[f"w{word}" for word in random.integers(0, 9, size=1 + number * 5 % 7)] for number in range(19)]
    table, encoded = FeatureTable.learn(sentences, parsed(("word[0]", "word[-2]", "suffix1[1]", "word[0]|word[1]")))
    tags, counted = random.integers(0, classes, size=int(encoded.sizes.sum())), random.random(19) + 0.5
    goal = Objective(table, encoded, tags, counted, classes, all_pairs=True)
    weights = random.normal(size=len(goal.counted))
    rows = np.zeros((table.rows, classes))
    rows[1:] = weights[: goal.size].reshape(-1, classes)
    features = [named_features(table, sentence, t) for sentence in sentences for t in range(len(sentence))]
    emissions = np.array([rows[seen].sum(axis=0) for seen in features])
    told = crf.slope(emissions, encoded.starts, goal.chain(weights), tags, weights=counted)
    slopes = np.zeros_like(rows)
    for seen, slope in zip(features, told.emissions, strict=True):
        slopes[seen] += slope
    with goal.threads(3):
        loss, gradient = goal(weights, 0.0)
    assert loss == pytest.approx(told.loss, rel=1e-6)
    np.testing.assert_allclose(gradient[: goal.size].reshape(-1, classes), slopes[1:], atol=2e-6)
    np.testing.assert_allclose(gradient[goal.size :].reshape(classes, classes), told.transitions, atol=2e-6)
    assert np.array_equal(gradient, goal(weights, 0.0)[1])


def test_only_what_was_seen_together_has_a_weight():
    few, table = objective()
    many, _ = objective(all_pairs=True)
    assert few.size < many.size == 3 * (table.rows - 1)
    counts = {row: few.tags[few.ends[row] : few.ends[row + 1]].tolist() for row in range(table.rows)}
    (row,) = set(named_features(table, ["Rome"], 0)) & set(named_features(table, ["x", "Rome", "y"], 1)) - set(
        named_features(table, ["home"], 0)
    )
    assert counts[row] == [2]
    assert counts[0] == []


def test_rare_features_are_left_out():
    _, all_of_them = objective()
    goal, table = objective(min_count=2)
    assert table.rows < all_of_them.rows
    assert (np.diff(goal.ends)[1:] > 0).all()


def test_strong_scores_are_handled_by_logarithms():
    goal, table = objective()
    weights = 900 * np.random.default_rng(1).normal(size=len(goal.counted))
    loss, gradient = goal(weights, 0.0)
    assert loss == pytest.approx(loss_by_definition(goal, table, weights, 0.0, seen_features(table)), rel=1e-5)
    assert np.isfinite(gradient).all()


def test_threads_change_no_bit():
    goal, _ = objective()
    weights = np.random.default_rng(3).normal(size=len(goal.counted))
    with goal.threads(1):
        loss, gradient = goal(weights, 0.1)
    with goal.threads(3):
        again, other = goal(weights, 0.1)
    assert loss == again
    assert np.array_equal(gradient, other)


# ---- the solver -----------------------------------------------------------------------------------------------------


def quadratic(n=8, seed=0):
    random = np.random.default_rng(seed)
    root = random.normal(size=(n, n))
    matrix, vector = root @ root.T + np.eye(n), random.normal(size=n) * 3
    return lambda w: (0.5 * float(w @ matrix @ w) - float(vector @ w), matrix @ w - vector), matrix, vector


def test_solver_finds_the_minimum():
    function, matrix, vector = quadratic()
    *_, last = minimized(function, np.zeros(8), l1=0.0, l1_on=0, tolerance=0.0)
    np.testing.assert_allclose(last.weights, np.linalg.solve(matrix, vector), atol=1e-4)
    assert last.done


def test_absolute_values_make_zeros():
    """At the optimum the slope of what is 0 is within l1, and that of what is not is l1 exactly (the conditions of Karush)."""
    function, _, _ = quadratic(seed=2)
    *_, last = minimized(function, np.zeros(8), l1=2.0, l1_on=6, tolerance=0.0)
    slope = function(last.weights)[1]
    zero = last.weights[:6] == 0
    assert zero.any()
    assert not zero.all()
    assert (np.abs(slope[:6][zero]) <= 2.0 + 1e-3).all()
    np.testing.assert_allclose(slope[:6][~zero], -2.0 * np.sign(last.weights[:6][~zero]), atol=2e-3)
    np.testing.assert_allclose(slope[6:], 0.0, atol=2e-3)
    np.testing.assert_allclose(downhill(last.weights, slope, 2.0, 6), 0.0, atol=2e-3)


def test_curvature_saves_steps():
    """Weights as unlike as counts of features: told of it, the solver needs a fraction of the steps."""
    scales = 10.0 ** np.linspace(0, 5, 50)

    def function(w):
        return float(np.log(np.cosh(w - 1) @ scales)), np.sinh(w - 1) * scales / (np.cosh(w - 1) @ scales)

    def steps(curvature):
        found = minimized(function, np.zeros(50), l1=0.0, l1_on=0, tolerance=0.0, curvature=curvature)
        return next((step.number for step in found if step.loss < np.log(scales.sum()) + 1e-3), 1000)

    assert 3 * steps(scales) < steps(None)


def test_losses_fall():
    function, _, _ = quadratic(seed=3)
    losses = [step.loss for step in minimized(function, np.ones(8), l1=0.5, l1_on=8, tolerance=0.0)]
    assert all(after <= before for before, after in pairwise(losses))


# ---- the model --------------------------------------------------------------------------------------------------------


def test_a_softmax_per_token_could_not():
    """Two readings of the first token, each sound as a whole; the mixture of the best tags of each token is neither."""
    X = [["a", "b"]] * 5
    y = [["B-X", "I-X"]] * 3 + [["O", "B-Y"]] * 2
    model = CRF(templates=("word[0]",), l2=0.01).fit(X, y)
    assert model.predict([["a", "b"]]) == [["B-X", "I-X"]]
    marginals = model.predict_marginals([["a", "b"]])[0]
    pairs = dict(zip(model.classes_.tolist(), marginals.T, strict=True))
    assert pairs["B-X"][0] == pytest.approx(0.6, abs=0.05)
    assert pairs["I-X"][1] == pytest.approx(0.6, abs=0.05)


def test_answers_keep_to_the_rules():
    X, y = tag.toy(seed=1, rows=40)
    free, held = CRF(steps=3, constrained=False).fit(X, y), CRF(steps=3).fit(X, y)
    rules = tag.allowed(held.classes_.tolist(), "iob2")
    strange = [["met", "Paris", "Kim", "York", "zzz"] * 4, ["京", "王"] * 9]
    for tags in held.predict(strange):
        numbers = np.searchsorted(held.classes_, list(tags))
        assert rules.first[numbers[0]]
        assert rules.following[numbers[:-1], numbers[1:]].all()
    assert np.array_equal(free.transitions_, held.transitions_)


def test_impossible_rules_bend():
    """Words of two letters or more were seen, a text of one letter is asked: B alone breaks the rules of BMES, and is answered."""
    model = CRF(l2=0.1).fit([["天", "气", "好"], ["天", "气"]], [["B", "M", "E"], ["B", "E"]])
    assert [len(tags) for tags in model.predict([["天"], ["天", "气"]])] == [1, 2]
    assert model.predict([["天", "气"]]) == [["B", "E"]]


@pytest.mark.parametrize("settings", [{"hash_bits": 12}, {"all_pairs": True}, {"min_count": 2}, {"l1": 0.3, "l2": 0.1}])
def test_other_ways_learn_too(settings):
    X, y = tag.toy(seed=1, rows=200)
    model = CRF(**settings).fit(X, y)
    test_X, test_y = tag.toy(seed=2, rows=100)
    assert model.score(test_X, test_y) > 0.8
    if "l1" in settings:
        assert (model.weights_ != 0).sum() < 0.5 * (CRF().fit(X, y).weights_ != 0).sum()


def test_lists_and_patterns_help_where_words_are_new():
    X = [["to", "Paris"], ["to", "go"], ["for", "12$"], ["for", "us"]] * 3
    y = [["O", "B-city"], ["O", "O"], ["O", "B-money"], ["O", "O"]] * 3
    new = [["to", "Lima"], ["for", "999$"]]
    settings = {"templates": ("word[0]", "bias[0]"), "l2": 0.1}
    plain = CRF(**settings).fit(X, y)
    assert plain.predict(new)[1] == ["O", "O"]
    helped = CRF(**settings, lists={"cities": ["Paris", "Lima"]}, patterns={"money": r"\d+\$"}).fit(X, y)
    assert helped.predict(new)[0] == ["O", "B-city"]
    assert helped.predict(new)[1] == ["O", "B-money"]
    with pytest.raises(UsageError, match="regular expression"):
        CRF(patterns={"bad": "("}).fit(X, y)
    with pytest.raises(UsageError, match="list of strings"):
        CRF(lists={"bad": "Paris"}).fit(X, y)


@pytest.mark.parametrize(
    "templates", [(), ("word",), ("wrod[0]",), ("word[9]",), ("word[0]", "word[0]"), "letters", ("prefix[0]",)]
)
def test_templates_that_cannot_be_read(templates):
    with pytest.raises(UsageError, match="template"):
        CRF(templates=templates).fit([["a", "b"]], [["B-X", "O"]])


@pytest.mark.parametrize("bad", [{"l2": -1}, {"l1": float("nan")}, {"steps": 0}, {"hash_bits": 40}, {"tolerance": 2}])
def test_settings_out_of_range(bad):
    with pytest.raises(UsageError, match=next(iter(bad))):
        CRF(**bad).fit([["a", "b"]], [["B-X", "O"]])


def test_chinese_is_read_by_characters():
    model = CRF(steps=5).fit([list("我在北京"), list("他去上海")], [["O", "O", "B-L", "I-L"]] * 2)
    assert any(template.name == "word[-1]|word[0]" for template in model.features_.templates)
    model = CRF(steps=5, templates="chunks").fit([["in", "Rome"]], [["O", "B-L"]])
    assert any(template.name == "suffix3[-1]|suffix3[0]" for template in model.features_.templates)
    model = CRF(steps=5).fit([["in", "Rome"]], [["O", "B-L"]])
    assert any(template.name == "suffix3[0]" for template in model.features_.templates)


def test_ctrl_c_leaves_nothing():
    class Now(Report):
        def stopping(self):
            return "interrupt"

    with pytest.raises(Interrupted):
        CRF().fit(*tag.toy(seed=1, rows=20), report=Now())


def test_explanation_names_what_speaks():
    X, y = tag.toy(seed=1, rows=200)
    model = CRF().fit(X, y)
    told = model.explain("Anna met Kim in Paris", label="LOC")
    assert "Paris" in told.text(120, color=False)
    bars = told.views[-1]
    assert len(bars.labels) <= len(model.classes_)
    assert bars.values[0] == 0.0  # the best path itself, then those behind it; what the rules forbid is not there
    assert (np.diff(bars.values) <= 0).all()
    assert min(bars.values) > -1000
    with pytest.raises(UsageError, match="no tag"):
        model.explain("Anna", label="LOCATION")


@pytest.mark.parametrize("where", ["weights.ends", "weights.tags", "weights.values", "transitions", "features.values"])
def test_files_that_lie(where):
    model = CRF(steps=3).fit(*tag.toy(seed=1, rows=20))
    state = model.state()
    arrays = {name: array.copy() for name, array in state.arrays.items()}
    arrays[where].flat[-1] = 99 if arrays[where].dtype != np.float32 else np.nan
    if where == "transitions":
        arrays[where].flat[-1] = np.inf
    with pytest.raises((ValueError, KeyError)):
        CRF().set_state(State(arrays, state.data))
