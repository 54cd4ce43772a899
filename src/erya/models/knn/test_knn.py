"""Neighbours: brute force and scikit-learn, ties, votes by hand, thresholds, explanations that add up, bad states."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import erya
from erya.errors import Interrupted, UsageError
from erya.models.knn.estimator import KNN
from erya.models.knn.search import Index, nearest, unit, voices
from erya.parts.ngrams import Tokens
from erya.progress import Report
from erya.state import State
from erya.tasks import classify

TEXTS = ["tea and time", "time for tea", "team talk", "a talk about time", "tea tea tea", "teams", "no time to talk"]
LABELS = ["b", "b", "a", "a", "b", "a", "c"]


def matrix(model, texts):
    """Dense, each row of length 1."""
    counts = model.features_.ngrams.count(Tokens.of(model.tokenizer_.tokens(text) for text in texts))
    found = model.features_.matrix(counts).toarray()
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-300)


# ---- search ---------------------------------------------------------------------------------------------------------


def test_cosines_are_products():
    model = KNN(min_count_ngrams=1).fit(TEXTS, LABELS)
    questions = ["tea talk", "TEAMS about time", "unknown", ""]
    expected = matrix(model, questions) @ matrix(model, TEXTS).T
    for place, (features, values) in enumerate(model._vectors(questions)):
        np.testing.assert_allclose(model.index_.cosines(features, values), expected[place], atol=1e-6)
        for row, vector in enumerate(matrix(model, TEXTS)):
            np.testing.assert_allclose(model.index_.vector(row, features), vector[features], atol=1e-6)


def test_the_index_by_hand():
    tokens = Tokens.of([["a", "b"], ["b", "b"], []])
    from erya.parts.ngrams import Ngrams

    ngrams = Ngrams.learn(tokens, word_ngrams=1, min_n=1, max_n=0, min_count=1, min_count_ngrams=1)
    counts = ngrams.count(tokens)
    values = unit(counts, counts.counts.astype(float))
    np.testing.assert_allclose(values, [0.5**0.5, 0.5**0.5, 1.0])
    index = Index.of(counts, values)
    assert index.starts.tolist() == [0, 1, 3]
    assert index.rows.tolist() == [0, 0, 1]
    np.testing.assert_allclose(index.cosines(np.array([1]), np.array([1.0])), [0.5**0.5, 1, 0])


def test_nearest_first_row_first():
    cosines = np.array([0.5, 0.0, 0.9, 0.5, 0.5, 0.1])
    assert nearest(cosines, 3).tolist() == [2, 0, 3]
    assert nearest(cosines, 1).tolist() == [2]
    assert nearest(cosines, 100).tolist() == [2, 0, 3, 4, 5]
    assert nearest(np.zeros(4), 2).tolist() == []
    generator = np.random.default_rng(0)
    for _ in range(30):
        many = generator.integers(0, 5, 40) / 5
        expected = [row for row in sorted(range(40), key=lambda row: (-many[row], row)) if many[row] > 0][:7]
        assert nearest(many, 7).tolist() == expected


def test_voices():
    assert voices(np.array([0.9, 0.5]), "uniform").tolist() == [1, 1]
    np.testing.assert_allclose(voices(np.array([0.9, 0.5]), "distance"), [10, 2])
    assert voices(np.array([1.0, 0.5]), "distance").tolist() == [1, 0], "the same text speaks alone"


@pytest.mark.parametrize("weighting", ["uniform", "distance"])
def test_equals_scikit_learn(weighting):
    from sklearn.neighbors import KNeighborsClassifier

    data = erya.read("sample:snips")
    texts, labels = data.train.inputs[:300], data.train.targets[:300]
    model = KNN(neighbors=9, weighting=weighting, smoothing=0).fit(texts, labels)
    theirs = KNeighborsClassifier(9, weights=weighting, metric="cosine", algorithm="brute")
    theirs.fit(matrix(model, texts), labels)
    others = [text for text in data.test.inputs[:120] if text not in set(texts)]
    # equally far neighbours may be chosen differently: those questions are left out, and they are few
    cosines = np.sort(matrix(model, others) @ matrix(model, texts).T, axis=1)
    clear = cosines[:, -9] - cosines[:, -10] > 1e-6
    assert clear.mean() > 0.9
    ours, yours = model.predict_proba(others), theirs.predict_proba(matrix(model, others))
    np.testing.assert_allclose(ours[clear], yours[clear], atol=1e-5)  # values are float32


# ---- votes ----------------------------------------------------------------------------------------------------------


def test_votes_by_hand():
    X, y = ["red", "red", "red blue", "blue", "blue"], ["r", "r", "r", "b", "b"]
    settings = {"neighbors": 3, "word_ngrams": 1, "max_n": 0, "weighting": "uniform"}
    model = KNN(smoothing=0, **settings).fit(X, y)
    assert model.classes_.tolist() == ["b", "r"]
    assert model.predict_proba(["red", "blue"]).tolist() == [[0, 1], [2 / 3, 1 / 3]]
    smooth = KNN(smoothing=1, **settings).fit(X, y)
    np.testing.assert_allclose(smooth.predict_proba(["red"]), [[0.4 / 4, 3.6 / 4]])
    np.testing.assert_allclose(smooth.predict_proba(["green", ""]), [[0.4, 0.6]] * 2)
    weighted = KNN(smoothing=0, **settings).fit(X, y, sample_weight=[1, 1, 4, 1, 1])
    np.testing.assert_allclose(weighted.predict_proba(["blue"]), [[2 / 6, 4 / 6]])
    soft = KNN(smoothing=0, **settings).fit(X, [{"r": 1.0}, {"r": 1.0}, {"r": 0.5, "b": 0.5}, {"b": 1.0}, {"b": 1.0}])
    np.testing.assert_allclose(soft.predict_proba(["blue"]), [[2.5 / 3, 0.5 / 3]])


def test_a_weight_of_two_is_the_row_twice():
    settings = {"neighbors": 50, "min_count_ngrams": 1, "weighting": "uniform", "smoothing": 0.0}
    once = KNN(**settings).fit(TEXTS, LABELS, sample_weight=[1, 2, 1, 3, 1, 1, 2])
    rows = [0, 1, 1, 2, 3, 3, 3, 4, 5, 6, 6]
    twice = KNN(**settings).fit([TEXTS[row] for row in rows], [LABELS[row] for row in rows])
    np.testing.assert_allclose(once.predict_proba(TEXTS), twice.predict_proba(TEXTS), atol=1e-9)


def test_several_labels_are_shares_of_votes():
    X, y = ["red", "red", "blue", "blue"], [("r",), ("r", "x"), ("b",), ()]
    model = KNN(neighbors=2, word_ngrams=1, max_n=0, weighting="uniform", smoothing=0).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(["red", "blue"]), [[0, 1, 0.5], [0.5, 0, 0]])


def test_thresholds_come_from_the_other_texts():
    """A text that only itself speaks for must not count: texts with nothing in common, labels at random."""
    X = [f"word{number}" for number in range(40)]
    y = [("odd",) if number % 2 else ("even",) for number in range(40)]
    model = KNN(max_n=0).fit(X, y)
    assert model.thresholds_.tolist() == [0.25, 0.25], "all held-out answers are the prior: between it and 0"


def test_learns_real_texts():
    data = erya.read("sample:snips")
    model = KNN().fit(data.train.inputs[:2000], data.train.targets[:2000])
    assert model.score(data.test.inputs[:200], data.test.targets[:200]) > 0.93


# ---- looking inside -------------------------------------------------------------------------------------------------


def test_neighbours_are_shown_with_what_is_shared():
    model = KNN(neighbors=3).fit(TEXTS, LABELS)
    explanation = model.explain("time for a talk")
    shown = explanation.text(width=160, color=False)
    assert "a talk about time" in shown
    assert "no time to talk" in shown
    table = next(view for view in explanation.views if hasattr(view, "columns") and hasattr(view, "rows"))
    assert len(table.rows) == 3
    assert "time" in str(table.rows[0][-1])
    silent = KNN(neighbors=3, keep_texts=False).fit(TEXTS, LABELS)
    assert "about" not in silent.explain("tea", "a").text(width=160, color=False)
    assert silent.state().arrays["texts.bytes"].size == 0
    assert silent.predict_proba(TEXTS).tolist() == model.predict_proba(TEXTS).tolist()


@pytest.mark.parametrize("label", [None, "a", "b", "c"])
@pytest.mark.parametrize("text", ["tea and a talk about time", "TEAMS! teams", "", "?"])
def test_parts_add_up_to_cosines(text, label):
    model = KNN(min_count_ngrams=1, neighbors=4).fit(TEXTS, LABELS)
    explanation = model.explain(text, label)
    arrays = explanation.arrays
    chosen = int(arrays["probabilities"].argmax()) if label is None else "abc".index(label)
    signs = 2 * arrays["labels"][:, chosen] - 1
    expected = (signs * arrays["cosines"]).sum() / max(1, len(signs))
    assert arrays["parts"].sum() == pytest.approx(expected, abs=1e-9)
    assert arrays["token_parts"].sum() == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(arrays["probabilities"], model.predict_proba([text])[0], atol=1e-12)


def test_pairs_survive_the_file(tmp_path):
    model = KNN().fit([("a\n", "b"), ("c", "")], ["x", "y"])
    again = erya.load(model.save(tmp_path / "m.erya"))
    assert again.texts_ == [("a\n", "b"), ("c", "")]
    assert "a" in again.explain(("a", "b")).text(color=False)


def test_interrupt_is_clean():
    class Stop(Report):
        def stopping(self):
            return "interrupt"

    with pytest.raises(Interrupted):
        KNN().fit(TEXTS, LABELS, report=Stop())


@pytest.mark.parametrize(
    "settings", [{"neighbors": 0}, {"weighting": "none"}, {"smoothing": -1}, {"keep_texts": 2}, {"min_n": 5}], ids=str
)
def test_settings_out_of_range(settings):
    with pytest.raises(UsageError, match=next(iter(settings))):
        KNN(**settings).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("index.starts", lambda array: array[:-1]),
        ("index.rows", lambda array: array + 100),
        ("index.rows", lambda array: array[::-1].copy()),
        ("index.values", lambda array: array * np.nan),
        ("row_weights", lambda array: array[:-1]),
        ("row_weights", lambda array: -array),
        ("labels", lambda array: array + 5),
        ("starts", lambda array: array + 1),
        ("prior", lambda array: array[:-1]),
        ("is_pair", lambda array: array[:-1]),
        ("thresholds", lambda array: np.ones(3)),
    ],
)
def test_states_that_make_no_sense_are_refused(name, damage):
    state = KNN(min_count_ngrams=1).fit(TEXTS, LABELS).state()
    with pytest.raises(ValueError, match=r"fit|finite"):
        KNN().set_state(State({**state.arrays, name: damage(state.arrays[name])}, state.data))
    for key, value in (("classes", ["b", "a", "c"]), ("neighbors", -1), ("weighting", "none"), ("several", 1)):
        with pytest.raises((ValueError, UsageError)):
            KNN().set_state(State(state.arrays, {**state.data, key: value}))


def test_predicting_imports_nothing_heavy(tmp_path):
    path = KNN().fit(TEXTS, LABELS).save(tmp_path / "m.erya")
    code = (
        "import sys, erya; m = erya.load(sys.argv[1]); m.predict(['tea time']); m.explain('tea'); m.trace('tea')\n"
        "print({name.split('.')[0] for name in sys.modules} & {'scipy', 'sklearn', 'numba', 'torch', 'pandas'})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_same_labels_in_the_report():
    X, y = classify.toy_several(seed=1, rows=90)
    assert KNN(word_ngrams=1, neighbors=7).fit(X, y).score(*classify.toy_several(seed=2)) > 0.8


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_examples_in_the_notes(name):
    failures, tried = doctest.testfile(str(Path(__file__).parent / name), module_relative=False, encoding="utf-8")
    assert tried
    assert not failures
