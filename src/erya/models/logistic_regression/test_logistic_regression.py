"""Logistic regression: gradients by differences, scikit-learn to 1e-6, tf-idf, weights, explanations that add up."""

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
from scipy.sparse import csr_matrix, random_array

import erya
from erya.errors import DataError, DivergedError, Interrupted, UsageError
from erya.models.logistic_regression.estimator import LogisticRegression
from erya.models.logistic_regression.objective import objective, objective_of_shares, sigmoid, softmax
from erya.models.logistic_regression.solver import Problem, minimise
from erya.parts.ngrams import Ngrams, Tokens, pieces_of
from erya.parts.tfidf import inverse_document_frequency, tfidf
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import classify

TEXTS = ["tea and time", "time for tea", "team talk", "a talk about time", "tea tea tea", "teams", "no time to talk"]
LABELS = ["b", "b", "a", "a", "b", "a", "c"]


def problem(seed=0, rows=40, features=11, classes=3, l2=0.3):
    generator = np.random.default_rng(seed)
    X = csr_matrix(random_array((rows, features), density=0.4, rng=generator))
    targets = generator.integers(0, classes, rows)
    targets[:classes] = np.arange(classes)
    return Problem(X, targets, generator.uniform(0.2, 2.0, rows), classes, l2)


def solved(one, report=quiet, steps=2000):
    return minimise(one, steps=steps, tolerance=1e-10, report=report)


# ---- the mathematics ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "features", "classes"), [(5, 7, 3), (7, 3, 5), (4, 1, 2)])
def test_gradient_by_differences(rows, features, classes):
    one = problem(1, rows, features, classes)
    theta = np.random.default_rng(2).normal(size=(features + 1) * classes)

    def loss_at(point):
        return objective(point, one.X, one.X.T.tocsr(), one.targets, one.weights, one.l2)[0]

    _, gradient = objective(theta, one.X, one.X.T.tocsr(), one.targets, one.weights, one.l2)
    width = 1e-6
    for place, slope in enumerate(gradient):
        step = np.zeros_like(theta)
        step[place] = width
        assert (loss_at(theta + step) - loss_at(theta - step)) / (2 * width) == pytest.approx(slope, abs=1e-7)


def test_loss_by_loops():
    one = problem(3, 5, 4, 3)
    parameters = np.random.default_rng(4).normal(size=(5, 3))
    expected = 0.5 * one.l2 * sum(value**2 for row in parameters[:-1] for value in row)
    for row, (target, weight) in enumerate(zip(one.targets, one.weights, strict=True)):
        logits = [one.X.toarray()[row] @ parameters[:-1, label] + parameters[-1, label] for label in range(3)]
        expected -= weight * log(np.exp(logits[target]) / np.exp(logits).sum())
    loss, _ = objective(parameters.ravel(), one.X, one.X.T.tocsr(), one.targets, one.weights, one.l2)
    assert loss == pytest.approx(expected, rel=1e-12)


def test_softmax_of_large_numbers():
    probabilities, logarithms = softmax(np.array([[1000.0, 999.0], [-1000.0, -1000.0]]))
    np.testing.assert_allclose(probabilities, [[1 / (1 + np.exp(-1)), 1 / (1 + np.e)], [0.5, 0.5]])
    np.testing.assert_allclose(logarithms, np.log(probabilities))


@pytest.mark.parametrize("several", [False, True])
def test_gradient_of_shares_by_differences(several):
    one = problem(1, 5, 7, 3)
    generator = np.random.default_rng(2)
    theta = generator.normal(size=8 * 3)
    shares = generator.integers(0, 2, (5, 3)).astype(float) if several else generator.dirichlet([1, 1, 1], 5)

    def at(point):
        return objective_of_shares(point, one.X, one.X.T.tocsr(), shares, one.weights, one.l2, several=several)

    loss, gradient = at(theta)
    for place, slope in enumerate(gradient):
        step = np.zeros_like(theta)
        step[place] = 1e-6
        assert (at(theta + step)[0] - at(theta - step)[0]) / 2e-6 == pytest.approx(slope, abs=1e-7)
    logits = one.X.toarray() @ theta.reshape(8, 3)[:-1] + theta.reshape(8, 3)[-1]
    p = 1 / (1 + np.exp(-logits)) if several else np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    losses = -shares * np.log(p) - ((1 - shares) * np.log(1 - p) if several else 0)
    expected = one.weights @ losses.sum(axis=1) + 0.5 * one.l2 * (theta.reshape(8, 3)[:-1] ** 2).sum()
    assert loss == pytest.approx(expected, rel=1e-12)


def test_shares_of_one_label_are_that_label():
    one = problem(3, 9, 5, 3)
    theta = np.random.default_rng(4).normal(size=6 * 3)
    rest = (one.weights, one.l2)
    expected = objective(theta, one.X, one.X.T.tocsr(), one.targets, *rest)
    found = objective_of_shares(theta, one.X, one.X.T.tocsr(), np.eye(3)[one.targets], *rest, several=False)
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-12)
    np.testing.assert_allclose(sigmoid(np.array([-1000.0, 0.0, 1000.0])), [0, 0.5, 1])


def test_several_labels_equal_scikit_learns_one_by_one():
    from sklearn.linear_model import LogisticRegression as Theirs

    X, y = classify.toy_several(seed=3, rows=90)
    model = LogisticRegression(tolerance=1e-9, steps=5000, l2=0.3).fit(X, y)
    counts = model.ngrams_.count(Tokens.of(model.tokenizer_.tokens(text) for text in X))
    matrix = csr_matrix((model._values(counts), counts.features, counts.offsets), (len(counts), counts.width))
    for place, label in enumerate(model.classes_):
        has = [label in labels for labels in y]
        theirs = Theirs(C=1 / 0.3, tol=1e-10, solver="newton-cg").fit(matrix, has)
        np.testing.assert_allclose(model.predict_proba(X)[:, place], theirs.predict_proba(matrix)[:, 1], atol=2e-6)


def test_shares_are_weighted_rows():
    shares = [{"a": 0.7, "b": 0.3} if label == "a" else {label: 1.0} for label in LABELS]
    soft = LogisticRegression(tolerance=1e-9, min_count_ngrams=1).fit(TEXTS, shares)
    rows = [(row, label, part) for row, given in enumerate(shares) for label, part in given.items()]
    hard = LogisticRegression(tolerance=1e-9, min_count_ngrams=1)
    hard.fit([TEXTS[row] for row, _, _ in rows], [label for _, label, _ in rows], sample_weight=[p for _, _, p in rows])
    # idf counts a text once however many labels it has: close, not equal
    np.testing.assert_allclose(soft.predict_proba(TEXTS), hard.predict_proba(TEXTS), atol=0.05)
    assert (
        soft.predict_proba(["team talk"])[0, 1]
        > LogisticRegression(min_count_ngrams=1).fit(TEXTS, LABELS).predict_proba(["team talk"])[0, 1]
    )


def test_several_labels_have_a_curve_thresholds_and_explanations():
    X, y = classify.toy_several(seed=3, rows=120)
    model = LogisticRegression().fit(X, y, validation=classify.toy_several(seed=5, rows=60))
    assert model.curve_[-1]["validation_micro_f1"] > 0.8
    assert model.thresholds_.tolist() != LogisticRegression().fit(X, y).thresholds_.tolist()
    for number, label in enumerate(model.classes_):
        explanation = model.explain("the soup and a guitar", label)
        p = model.predict_proba(["the soup and a guitar"])[0, number]
        parts = explanation.arrays["parts"].sum() + explanation.arrays["bias_difference"][0]
        assert parts == pytest.approx(log(p / (1 - p)), abs=1e-9)


def test_files_of_the_first_version_load():
    model = LogisticRegression().fit(TEXTS, LABELS)
    state = model.state()
    old = State(
        {k: v for k, v in state.arrays.items() if k != "thresholds"},
        {k: v for k, v in state.data.items() if k != "several"},
    )
    again = LogisticRegression.restore(model.plain_params(), old, 1)
    assert again.predict_proba(TEXTS).tobytes() == model.predict_proba(TEXTS).tobytes()
    with pytest.raises(UsageError, match="how firmly"):
        again.partial_fit(TEXTS, LABELS)


# ---- equal to scikit-learn ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("classes", "l2"), [(3, 0.3), (5, 0.01), (2, 0.3)])
def test_equals_scikit_learn(classes, l2):
    """Same objective, weights and probabilities; two classes there are one vector, here two of half the length."""
    from sklearn.linear_model import LogisticRegression as Theirs

    one = problem(5, 150, 23, classes, l2)
    strength = 1 / l2 if classes > 2 else 2 / l2
    theirs = Theirs(C=strength, tol=1e-10, max_iter=1000, solver="newton-cg").fit(
        one.X, one.targets, sample_weight=one.weights
    )
    found, _ = solved(one)
    weights, bias = found[:-1].T, found[-1]
    probabilities, _ = softmax(one.X @ found[:-1] + bias)
    np.testing.assert_allclose(probabilities, theirs.predict_proba(one.X), atol=1e-6)
    if classes == 2:
        np.testing.assert_allclose(weights[1] - weights[0], theirs.coef_[0], atol=1e-6)
        assert bias[1] - bias[0] == pytest.approx(theirs.intercept_[0], abs=1e-6)
    else:
        np.testing.assert_allclose(weights, theirs.coef_, atol=1e-6)
        np.testing.assert_allclose(bias - bias.mean(), theirs.intercept_ - theirs.intercept_.mean(), atol=1e-6)
        at_theirs = np.vstack([theirs.coef_.T, theirs.intercept_])
        ours, _ = objective(found.ravel(), one.X, one.X.T.tocsr(), one.targets, one.weights, one.l2)
        yours, _ = objective(at_theirs.ravel(), one.X, one.X.T.tocsr(), one.targets, one.weights, one.l2)
        assert ours == pytest.approx(yours, rel=1e-10)


def test_the_whole_model_equals_scikit_learn():
    """Texts in, probabilities out: TfidfVectorizers of words and of pieces side by side, then LogisticRegression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression as Theirs
    from sklearn.pipeline import make_pipeline, make_union

    data = erya.read("sample:snips")
    texts, labels, others = data.train.inputs[:90], data.train.targets[:90], data.test.inputs[:50]
    ours = LogisticRegression(tolerance=1e-8, steps=5000, min_count_ngrams=1, character_weight=0.7)
    ours.fit(texts, labels)

    def words(text):
        tokens = ours.tokenizer_.tokens(text)
        return [*tokens, *map(" ".join, pairwise(tokens))]

    def pieces(text):
        return [piece for token in ours.tokenizer_.tokens(text) for _, piece in pieces_of(token, 2, 4)]

    union = make_union(
        TfidfVectorizer(analyzer=words, sublinear_tf=True), TfidfVectorizer(analyzer=pieces, sublinear_tf=True)
    ).set_params(transformer_weights={"tfidfvectorizer-1": 1.0, "tfidfvectorizer-2": 0.7})
    theirs = make_pipeline(union, Theirs(C=1 / 0.1, tol=1e-9, solver="newton-cg")).fit(texts, labels)
    assert len(ours.ngrams_) == theirs[-1].coef_.shape[1]
    np.testing.assert_allclose(
        ours.predict_proba(others), theirs.predict_proba(others), atol=2e-6
    )  # weights are float32


@pytest.mark.parametrize("longest", [1, 3])
def test_tfidf_equals_scikit_learn(longest):
    from sklearn.feature_extraction.text import TfidfVectorizer

    generator = np.random.default_rng(6)
    texts = [" ".join(generator.choice(list("abcdefg"), generator.integers(0, 9))) for _ in range(50)]
    vectorizer = TfidfVectorizer(ngram_range=(1, longest), token_pattern=r"\w", sublinear_tf=True)
    theirs = vectorizer.fit_transform(texts).toarray()
    tokens = Tokens.of(text.split() for text in texts)
    ngrams = Ngrams.learn(tokens, word_ngrams=longest, min_n=1, max_n=0, min_count=1, min_count_ngrams=1)
    counts = ngrams.count(tokens)
    idf = inverse_document_frequency(counts, np.ones(len(texts)))
    values = tfidf(counts, idf, ngrams.first_piece, 0.5)
    ours = csr_matrix((values, counts.features, counts.offsets), (len(texts), len(ngrams))).toarray()
    order = [vectorizer.vocabulary_[ngrams.name(feature)] for feature in range(len(ngrams))]
    np.testing.assert_allclose(ours, theirs[:, order], atol=1e-12)
    np.testing.assert_allclose(idf, vectorizer.idf_[order])


def test_words_and_pieces_have_their_lengths():
    model = LogisticRegression(character_weight=0.25).fit(TEXTS, LABELS)
    arrays = model.trace("time for tea talk").arrays
    is_piece = arrays["features"] >= model.ngrams_.first_piece
    assert np.linalg.norm(arrays["values"][~is_piece]) == pytest.approx(1)
    assert np.linalg.norm(arrays["values"][is_piece]) == pytest.approx(0.25)
    unheard = LogisticRegression(character_weight=0).fit(TEXTS, LABELS)
    plain = LogisticRegression(max_n=0).fit(TEXTS, LABELS)
    np.testing.assert_allclose(unheard.predict_proba(TEXTS), plain.predict_proba(TEXTS), atol=1e-6)


# ---- weights ------------------------------------------------------------------------------------------------------


def test_a_weight_of_two_is_the_row_twice():
    weights = [1, 2, 1, 3, 1, 1, 2]
    repeated = [row for row, weight in enumerate(weights) for _ in range(weight)]
    once = LogisticRegression(tolerance=1e-9).fit(TEXTS, LABELS, sample_weight=weights)
    twice = LogisticRegression(tolerance=1e-9).fit([TEXTS[row] for row in repeated], [LABELS[row] for row in repeated])
    assert once.idf_.tolist() == twice.idf_.tolist()
    np.testing.assert_allclose(once.predict_proba(TEXTS), twice.predict_proba(TEXTS), atol=1e-6)


def test_class_weights():
    counts = {label: LABELS.count(label) for label in "abc"}
    balanced = LogisticRegression(class_weight="balanced").fit(TEXTS, LABELS)
    by_row = LogisticRegression().fit(TEXTS, LABELS, sample_weight=[7 / (3 * counts[label]) for label in LABELS])
    assert balanced.weights_.tobytes() == by_row.weights_.tobytes()
    heavy = LogisticRegression(class_weight={"c": 50.0}).fit(TEXTS, LABELS)
    assert heavy.predict_proba(["time"])[0, 2] > balanced.predict_proba(["time"])[0, 2]


def test_a_stronger_penalty_means_smaller_weights():
    norms = [np.linalg.norm(LogisticRegression(l2=l2).fit(TEXTS, LABELS).weights_) for l2 in (0.01, 0.1, 1.0, 1e6)]
    assert norms == sorted(norms, reverse=True)
    shares = LogisticRegression(l2=1e6, tolerance=1e-9).fit(TEXTS, LABELS).predict_proba(["tea"])[0]
    np.testing.assert_allclose(shares, [3 / 7, 3 / 7, 1 / 7], atol=1e-3)  # the bias is free: the labels' frequencies


# ---- training as seen from outside --------------------------------------------------------------------------------


class Watching(Report):
    def __init__(self, ask_at=None, answer=None):
        self.rows, self.shares, self.ask_at, self.answer = [], [], ask_at, answer

    def record(self, row):
        self.rows.append(row)

    def progress(self, *, done, **others):
        self.shares.append(done)

    def stopping(self):
        return self.answer if self.ask_at is not None and len(self.rows) >= self.ask_at else None


def test_curve_falls_and_is_reported():
    report = Watching()
    model = LogisticRegression().fit(TEXTS, LABELS, validation=(TEXTS[:3], LABELS[:3]), report=report)
    losses = [row["loss"] for row in model.curve_]
    assert losses == sorted(losses, reverse=True)
    assert report.rows == model.curve_
    assert [row["epoch"] for row in model.curve_] == list(range(1, len(losses) + 1))
    assert report.shares == sorted(report.shares)
    assert 0 < report.shares[-1] <= 1
    last = model.curve_[-1]
    assert last["validation_accuracy"] == model.score(TEXTS[:3], LABELS[:3])
    assert last["validation_loss"] == pytest.approx(
        -np.log(model.predict_proba(TEXTS[:3])[[0, 1, 2], [1, 1, 0]]).mean(), abs=1e-5
    )


def test_budget_stops_after_the_step():
    model = LogisticRegression().fit(TEXTS, LABELS, report=Watching(3, "budget"))
    assert len(model.curve_) == 3
    assert len(LogisticRegression(steps=3).fit(TEXTS, LABELS).curve_) == 3
    assert model.fingerprint() != LogisticRegression().fit(TEXTS, LABELS).fingerprint()


def test_interrupt_is_clean():
    for step in (0, 3):
        with pytest.raises(Interrupted) as caught:
            LogisticRegression().fit(TEXTS, LABELS, report=Watching(step, "interrupt"))
        assert caught.value.exit == 130


def test_a_loss_that_is_not_finite():
    one = problem()
    one.X.data[0] = np.nan
    with pytest.raises(DivergedError):
        solved(one)


def test_validation_must_fit():
    with pytest.raises(DataError):
        LogisticRegression().fit(TEXTS, LABELS, validation=(TEXTS, LABELS[:-1]))
    unseen = LogisticRegression().fit(TEXTS, LABELS, validation=(["tea"], ["never seen"]))
    assert unseen.curve_[-1]["validation_accuracy"] == 0
    assert len(LogisticRegression().fit(TEXTS, LABELS, validation=([], [])).curve_)


def test_same_bits_for_any_number_of_threads():
    code = (
        "import erya; from erya.classify import LogisticRegression as L; d = erya.read('sample:poetry').train\n"
        "print(L(steps=8).fit(d.inputs[:3000], d.targets[:3000]).fingerprint())"
    )
    prints = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        prints.add(done.stdout)
    assert len(prints) == 1


# ---- answers ------------------------------------------------------------------------------------------------------


def test_learns_real_texts():
    data = erya.read("sample:snips")
    model = LogisticRegression().fit(data.train.inputs[:2000], data.train.targets[:2000])
    assert model.score(data.test.inputs, data.test.targets) > 0.96


def test_chinese_and_pairs_and_numbers():
    texts = ["春风又绿江南岸", "明月何时照我还", "好好学习", "天天向上"]
    model = LogisticRegression(min_count_ngrams=1).fit(texts, [1, 1, 2, 2])
    assert model.predict(["春风明月", "学习向上"]).tolist() == [1, 2]
    pairs = LogisticRegression().fit([("a", "b"), ("c", "d")], ["x", "y"])
    assert pairs.predict([("a", "b"), ("c", "d")]).tolist() == ["x", "y"]


def test_no_feature_at_all():
    empty = LogisticRegression().fit(["", " ", ""], ["a", "b", "b"])
    np.testing.assert_allclose(empty.predict_proba(["anything", ""]), [[1 / 3, 2 / 3]] * 2, atol=1e-3)
    assert empty.explain("anything").text(color=False)


@pytest.mark.parametrize("label", [None, "a", "b", "c"])
@pytest.mark.parametrize("text", ["tea and a talk about time", "TEAMS! teams", "", "?"])
def test_explanations_add_up(text, label):
    model = LogisticRegression(min_count_ngrams=1).fit(TEXTS, LABELS)
    explanation = model.explain(text, label)
    probabilities = model.predict_proba([text])[0]
    chosen = int(probabilities.argmax()) if label is None else "abc".index(label)
    rival = max((number for number in range(3) if number != chosen), key=lambda number: probabilities[number])
    odds = log(probabilities[chosen] / probabilities[rival])
    parts, bias = explanation.arrays["parts"], explanation.arrays["bias_difference"][0]
    assert parts.sum() + bias == pytest.approx(odds, abs=1e-9)
    for heat in explanation.views[:2]:
        if hasattr(heat, "spans"):
            assert np.sum(heat.values) == pytest.approx(parts.sum(), abs=1e-9)


@pytest.mark.parametrize(
    "settings",
    [{"l2": 0}, {"l2": float("inf")}, {"steps": 0}, {"tolerance": 0}, {"word_ngrams": 0}, {"min_n": 5}, {"max_n": 101}],
    ids=str,
)
def test_settings_out_of_range(settings):
    with pytest.raises(UsageError, match=next(iter(settings))):
        LogisticRegression(**settings).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("weights", lambda array: array[:, :-1]),
        ("weights", lambda array: array.astype(np.float64)),
        ("weights", lambda array: array * np.nan),
        ("bias", lambda array: array[:-1]),
        ("bias", lambda array: array * np.inf),
        ("idf", lambda array: array[:-1]),
        ("idf", lambda array: -array),
        ("ngrams.2", lambda array: array + 10**6),
    ],
)
def test_states_that_make_no_sense_are_refused(name, damage):
    state = LogisticRegression(min_count_ngrams=1).fit(TEXTS, LABELS).state()
    with pytest.raises(ValueError, match=r"fit|finite|points"):
        LogisticRegression().set_state(State({**state.arrays, name: damage(state.arrays[name])}, state.data))
    with pytest.raises(ValueError, match="classes"):
        LogisticRegression().set_state(State(state.arrays, {**state.data, "classes": ["b", "a", "c"]}))


def test_predicting_imports_nothing_heavy(tmp_path):
    path = LogisticRegression().fit(TEXTS, LABELS).save(tmp_path / "m.erya")
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
