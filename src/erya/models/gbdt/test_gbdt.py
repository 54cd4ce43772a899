"""Boosted trees: scikit-learn to 1e-9, contributions by brute force, features by χ², weights, explanations, bad states."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from itertools import pairwise
from math import log
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import erya
from erya.errors import Interrupted, UsageError
from erya.models.gbdt.estimator import GBDT
from erya.models.gbdt.forest import Forest
from erya.models.gbdt.growing import Plan, grow, telling
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import classify

TEXTS = [
    "tea and time",
    "time for tea",
    "team talk",
    "a talk about time",
    "tea tea tea",
    "teams",
    "no time to talk",
] * 4
LABELS = ["b", "b", "a", "a", "b", "a", "c"] * 4
PLAN = Plan(steps=23, learning_rate=0.2, leaves=5, min_leaf=3, l2=0.5)


@pytest.fixture(autouse=True)
def one_thread():
    """scikit-learn's threads wait for one another by spinning: on a busy machine a second of work takes ten."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def rows(seed=0, count=150, features=7, classes=3):
    generator = np.random.default_rng(seed)
    X = generator.random((count, features)) * (generator.random((count, features)) < 0.6)
    labels = (X[:, 0] * 2 + X[:, 1] * 3 + generator.random(count)).astype(int) % classes
    labels[:classes] = np.arange(classes)
    return X, labels, generator.uniform(0.2, 2, count)


def grown(X, labels, weights, classes, plan=PLAN):
    return grow(X, np.arange(len(X)), labels, weights, classes, plan, quiet)


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_equals_scikit_learn(classes):
    from sklearn.ensemble import HistGradientBoostingClassifier

    X, labels, weights = rows(1, 160, 7, classes)
    forest, _ = grown(X, labels, weights, classes)
    theirs = HistGradientBoostingClassifier(
        max_iter=23,
        learning_rate=0.2,
        max_leaf_nodes=5,
        min_samples_leaf=3,
        l2_regularization=0.5,
        early_stopping=False,
        random_state=0,
    ).fit(X, labels, sample_weight=weights)
    others = np.vstack([rows(2, 90, 7, classes)[0], X, np.zeros((1, 7))])
    np.testing.assert_allclose(softmax(forest.logits(others)), theirs.predict_proba(others), atol=1e-9, rtol=0)
    raw = theirs.decision_function(others)
    ours = forest.logits(others)[:, 1] if classes == 2 else forest.logits(others)
    np.testing.assert_allclose(ours, raw, atol=1e-9, rtol=0)


def test_the_whole_model_equals_scikit_learn():
    from sklearn.ensemble import HistGradientBoostingClassifier

    data = erya.read("sample:snips")
    texts, labels, others = data.train.inputs[:250], data.train.targets[:250], data.test.inputs[:100]
    model = GBDT(selected=50, steps=12).fit(texts, labels)

    def matrix(some):
        from erya.parts.ngrams import Tokens

        counts = model.features_.ngrams.count(Tokens.of(model.tokenizer_.tokens(text) for text in some))
        return np.round(model.features_.matrix(counts).toarray()[:, model.selected_] * 100) / 100

    theirs = HistGradientBoostingClassifier(
        max_iter=12,
        learning_rate=0.3,
        max_leaf_nodes=15,
        min_samples_leaf=5,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    ).fit(matrix(texts), labels)
    np.testing.assert_allclose(model.predict_proba(others), theirs.predict_proba(matrix(others)), atol=1e-9, rtol=0)


def test_contributions_by_walking():
    """One text at a time, one tree at a time, the mean of every node from the training texts that reach it."""
    X, labels, weights = rows(3, 60, 5, 3)
    forest, _ = grown(X, labels, weights, 3, Plan(4, 0.3, 4, 3, 0.0))

    def path(x, node):
        yield node
        while forest.feature[node] >= 0:
            asked = forest.feature[node]
            node = forest.left[node] if x[asked] <= forest.threshold[node] else forest.right[node]
            yield node

    for x in (X[0], X[7], np.zeros(5)):
        expected, before = np.zeros((5, 3)), forest.start.copy()
        for root, label in zip(forest.roots, forest.labels, strict=True):
            leaves = {row: list(path(X[row], root)) for row in range(len(X))}

            def mean(node, leaves=leaves):
                return np.mean([forest.value[walk[-1]] for walk in leaves.values() if node in walk])

            steps = list(path(x, root))
            before[label] += mean(root)
            for here, following in pairwise(steps):
                expected[forest.feature[here], label] += mean(following) - mean(here)
        found, start = forest.contributions(x)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        np.testing.assert_allclose(start, before, atol=1e-12)
        np.testing.assert_allclose(found.sum(axis=0) + start, forest.logits(x[None])[0], atol=1e-12)


def test_importance_is_the_gain_of_what_tells():
    X, _, weights = rows(4, 200, 5, 2)
    forest, importance = grown(X, (X[:, 3] > 0.4).astype(int), weights, 2)
    assert importance.argmax() == 3
    assert importance[3] > 0.9 * importance.sum()
    assert set(forest.feature.tolist()) >= {-1, 3}


def test_telling_features_by_scikit_learns_chi2():
    from sklearn.feature_selection import chi2

    X, labels, _ = rows(5, 90, 11, 3)
    scores, _ = chi2(X, labels)
    expected = np.sort(np.argsort(-scores)[:4])
    assert telling(csr_matrix(X), np.eye(3)[labels], np.ones(90), 4).tolist() == expected.tolist()
    twice = telling(csr_matrix(np.vstack([X, X])), np.eye(3)[np.tile(labels, 2)], np.ones(180), 4)
    assert telling(csr_matrix(X), np.eye(3)[labels], np.full(90, 2.0), 4).tolist() == twice.tolist()


def test_a_label_without_texts():
    X, labels, weights = rows(6, 40, 3, 2)
    forest, _ = grown(X, labels * 2, weights, 3)
    probabilities = softmax(forest.logits(X))
    assert (probabilities[:, 1] < 0.01).all()
    alone, _ = grown(X, np.ones(40, dtype=int), weights, 3)
    assert (softmax(alone.logits(X))[:, 1] > 0.95).all()


def test_several_labels_are_questions_of_their_own():
    X, y = classify.toy_several(seed=1, rows=120)
    settings = {"word_ngrams": 1, "max_n": 0, "selected": 40, "steps": 10, "min_leaf": 2}
    model = GBDT(**settings).fit(X, y, validation=classify.toy_several(seed=3, rows=60))
    one = GBDT(**settings).fit(X, ["yes" if "food" in labels else "no" for labels in y])
    chosen = set(model.selected_.tolist()) == set(one.selected_.tolist())
    assert chosen, "so few words that all that repeat are selected"
    np.testing.assert_allclose(model.predict_proba(X)[:, 0], one.predict_proba(X)[:, 1], atol=1e-12)


def test_shares_are_repeated_rows():
    settings = {"min_count_ngrams": 1, "min_leaf": 1, "steps": 5}
    soft = GBDT(**settings).fit(TEXTS, [{label: 0.75, "c": 0.25} for label in LABELS])
    # a text counts once in tf-idf however many labels it has
    weights = [0.75] * len(TEXTS) + [0.25] * len(TEXTS)
    assert soft.predict_proba(["no time to talk"])[0, 2] > 0.5
    hard = GBDT(**settings).fit(TEXTS * 2, [*LABELS, *["c"] * len(LABELS)], sample_weight=weights)
    assert np.abs(soft.predict_proba(TEXTS) - hard.predict_proba(TEXTS)).max() < 0.1


# ---- looking inside ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [None, "a", "c"])
@pytest.mark.parametrize("text", ["tea and a talk about time", "TEAMS! teams", "", "?"])
def test_explanations_add_up(text, label):
    model = GBDT(steps=20, min_leaf=2).fit(TEXTS, LABELS)
    explanation = model.explain(text, label)
    probabilities = model.predict_proba([text])[0]
    chosen = int(probabilities.argmax()) if label is None else "abc".index(label)
    rival = max((number for number in range(3) if number != chosen), key=lambda number: probabilities[number])
    odds = log(probabilities[chosen] / probabilities[rival])
    parts = explanation.arrays["parts"].sum() + explanation.arrays["bias_difference"][0]
    assert parts == pytest.approx(odds, abs=1e-9)
    assert explanation.arrays["token_parts"].sum() == pytest.approx(explanation.arrays["parts"].sum(), abs=1e-9)


def test_what_is_absent_is_listed():
    model = GBDT(steps=20, min_leaf=2, max_n=0, word_ngrams=1).fit(TEXTS, LABELS)
    shown = model.explain("talk").text(width=120, color=False)
    assert "absent" in shown
    assert "tea" in shown
    trace = model.trace("tea talk")
    assert trace.arrays["importance"].shape == model.selected_.shape
    assert any(view.title == "importance" for view in trace.views)


# ---- training as seen from outside, states ----------------------------------------------------------------------------


class Asking(Report):
    def __init__(self, at, answer):
        self.shares, self.at, self.answer = [], at, answer

    def progress(self, *, done, **others):
        self.shares.append(done)

    def stopping(self):
        return self.answer if len(self.shares) >= self.at else None


def test_budget_and_interrupt():
    short = GBDT(steps=50, min_leaf=2).fit(TEXTS, LABELS, report=Asking(2, "budget"))
    assert len(short.forest_.roots) == 2 * 10 * 3
    assert short.fingerprint() != GBDT(steps=50, min_leaf=2).fit(TEXTS, LABELS).fingerprint()
    np.testing.assert_array_equal(
        short.predict_proba(TEXTS), GBDT(steps=20, min_leaf=2).fit(TEXTS, LABELS).predict_proba(TEXTS)
    )
    with pytest.raises(Interrupted):
        GBDT(steps=50).fit(TEXTS, LABELS, report=Asking(2, "interrupt"))


def test_same_bits_for_any_number_of_threads():
    code = (
        "import erya; from erya.models.gbdt.estimator import GBDT as G; d = erya.read('sample:poetry').train\n"
        "print(G(steps=3, selected=40).fit(d.inputs[:500], d.targets[:500]).fingerprint())"
    )
    prints = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        prints.add(done.stdout)
    assert len(prints) == 1


@pytest.mark.parametrize(
    "settings",
    [{"selected": 0}, {"steps": 0}, {"leaves": 1}, {"min_leaf": 0}, {"learning_rate": 0}, {"l2": -1}],
    ids=str,
)
def test_settings_out_of_range(settings):
    with pytest.raises(UsageError, match=next(iter(settings))):
        GBDT(**settings).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("forest.left", lambda array: array * 0),
        ("forest.right", lambda array: array + 10**6),
        ("forest.feature", lambda array: array + 10**6),
        ("forest.roots", lambda array: array - 1),
        ("forest.labels", lambda array: array + 3),
        ("forest.value", lambda array: array * np.nan),
        ("forest.start", lambda array: array[:-1]),
        ("selected", lambda array: array[::-1].copy()),
        ("importance", lambda array: array[:-1]),
        ("thresholds", lambda array: np.ones(3)),
    ],
)
def test_states_that_make_no_sense_are_refused(name, damage):
    state = GBDT(min_leaf=2, steps=3).fit(TEXTS, LABELS).state()
    with pytest.raises(ValueError, match=r"fit|finite"):
        GBDT().set_state(State({**state.arrays, name: damage(state.arrays[name])}, state.data))


def test_a_tree_from_a_file_cannot_run_in_circles():
    forest, _ = grown(*rows(7, 60, 3, 2), 2)
    arrays = forest.arrays()
    inner = int(np.flatnonzero(forest.feature >= 0)[0])
    left = forest.left.copy()
    left[inner] = inner
    with pytest.raises(ValueError, match="fit"):
        Forest.from_arrays({**arrays, "forest.left": left}, 3, 2)


def test_predicting_imports_nothing_heavy(tmp_path):
    path = GBDT(min_leaf=2, steps=5).fit(TEXTS, LABELS).save(tmp_path / "m.erya")
    code = (
        "import sys, erya; m = erya.load(sys.argv[1]); m.predict(['tea time']); m.explain('tea'); m.trace('tea')\n"
        "print({name.split('.')[0] for name in sys.modules} & {'scipy', 'sklearn', 'numba', 'torch', 'pandas'})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_examples_in_the_notes(name):
    failures, tried = doctest.testfile(str(Path(__file__).parent / name), module_relative=False, encoding="utf-8")
    assert tried
    assert not failures
