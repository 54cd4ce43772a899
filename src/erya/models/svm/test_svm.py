"""Linear SVM: scikit-learn's borders, calibration by differences and against scikit-learn, explanations that add up, bad states."""

from __future__ import annotations

import doctest
import subprocess
import sys
from math import log
from pathlib import Path

import numpy as np
import pytest

import erya
from erya.errors import Interrupted, UsageError
from erya.models.svm.estimator import LinearSVM
from erya.models.svm.fitting import borders, sigmoid_of, slope_of_softmax
from erya.progress import Report
from erya.state import State
from erya.tasks import classify

TEXTS = ["tea and time", "time for tea", "team talk", "a talk about time", "tea tea tea", "teams", "no time to talk"]
LABELS = ["b", "b", "a", "a", "b", "a", "c"]


def features(seed=0, rows=60, width=7, classes=3):
    from scipy.sparse import csr_matrix, random_array

    generator = np.random.default_rng(seed)
    X = csr_matrix(random_array((rows, width), density=0.4, rng=generator))
    targets = generator.integers(0, classes, rows)
    targets[:classes] = np.arange(classes)
    return X, targets, generator.uniform(0.2, 2.0, rows)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_borders_are_scikit_learns(classes):
    from sklearn.svm import LinearSVC

    X, targets, weights = features(1, 90, 11, classes)
    truth = np.eye(classes)[targets]
    found = borders(X, truth, weights, l2=0.5, steps=100_000, tolerance=1e-10)
    theirs = LinearSVC(C=2.0, tol=1e-10, max_iter=100_000).fit(X, targets, sample_weight=weights)
    ours = found[1:] if classes == 2 else found
    np.testing.assert_allclose(ours[:, :-1], theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours[:, -1], theirs.intercept_, atol=1e-6)
    if classes == 2:
        assert (found[0] == -found[1]).all()


def test_borders_are_least_loss():
    """The objective in the docstring, at the border and at points around it."""
    X, targets, weights = features(2, 50, 5, 3)
    truth = np.eye(3)[targets]
    found = borders(X, truth, weights, l2=0.7, steps=100_000, tolerance=1e-10)

    def loss(row, label):
        room = 1 - (2 * truth[:, label] - 1) * (X @ row[:-1] + row[-1])
        return 0.35 * row @ row + weights @ np.maximum(room, 0) ** 2

    generator = np.random.default_rng(3)
    for label in range(3):
        least = loss(found[label], label)
        for _ in range(50):
            assert loss(found[label] + generator.normal(0, 0.02, 6), label) > least - 1e-9


def test_a_label_of_all_rows_or_none():
    X, _, weights = features(4, 12, 5, 2)
    truth = np.column_stack([np.ones(12), np.zeros(12), np.arange(12) % 2])
    found = borders(X, truth, weights, l2=1.0, steps=100, tolerance=1e-4)
    assert found[0].tolist() == [0] * 5 + [1]
    assert found[1].tolist() == [0] * 5 + [-1]
    assert found[2, :-1].any()


def test_answers_are_those_of_linear_svc():
    from sklearn.svm import LinearSVC

    data = erya.read("sample:snips")
    texts, labels, others = data.train.inputs[:300], data.train.targets[:300], data.test.inputs[:200]
    model = LinearSVM(tolerance=1e-8, steps=10_000).fit(texts, labels)
    matrices = []
    for some in (texts, others):
        tokens = [model.tokenizer_.tokens(text) for text in some]
        from erya.parts.ngrams import Tokens

        matrices.append(model.features_.matrix(model.features_.ngrams.count(Tokens.of(tokens))))
    theirs = LinearSVC(C=1.0, tol=1e-8, max_iter=10_000).fit(matrices[0], labels)
    assert model.predict(others).tolist() == theirs.predict(matrices[1]).tolist()
    logits = np.log(model.predict_proba(others)) / model.slopes_[0]
    expected = theirs.decision_function(matrices[1])
    np.testing.assert_allclose(  # weights are float32
        logits - logits.mean(axis=1, keepdims=True), expected - expected.mean(axis=1, keepdims=True), atol=1e-5
    )


# ---- probabilities --------------------------------------------------------------------------------------------------


def test_the_slope_is_the_best():
    generator = np.random.default_rng(5)
    scores, targets, weights = (
        generator.normal(size=(40, 3)),
        generator.integers(0, 3, 40),
        generator.uniform(0.5, 2, 40),
    )
    scores[np.arange(40), targets] += 1.0

    def loss(s):
        z = s * scores
        return weights @ (np.log(np.exp(z).sum(axis=1)) - z[np.arange(40), targets])

    found = slope_of_softmax(scores, targets, weights)
    assert loss(found) <= min(loss(found * 1.001), loss(found / 1.001))
    assert slope_of_softmax(-scores, targets, weights) == pytest.approx(0.01), "worse than nothing: nearly nothing"


def test_the_sigmoid_is_scikit_learns():
    from sklearn.calibration import _SigmoidCalibration

    generator = np.random.default_rng(6)
    scores = generator.normal(size=200)
    has = scores + generator.normal(size=200) > 0.8
    slope, offset = sigmoid_of(scores, has, np.ones(200))
    theirs = _SigmoidCalibration().fit(scores, has)
    np.testing.assert_allclose(1 / (1 + np.exp(-slope * scores - offset)), theirs.predict(scores), atol=1e-4)
    twice = sigmoid_of(np.tile(scores, 2), np.tile(has, 2), np.ones(400))
    assert sigmoid_of(scores, has, np.full(200, 2.0)) == pytest.approx(twice)
    against = sigmoid_of(-scores, has, np.ones(200))
    assert against[0] == 0.01
    assert 1 / (1 + np.exp(-against[1])) == pytest.approx(has.mean(), abs=0.02)


def test_probabilities_are_calibrated_on_texts_not_seen():
    data = erya.read("sample:poetry")
    model = LinearSVM(word_ngrams=1).fit(data.train.inputs[:2000], data.train.targets[:2000])
    probabilities = model.predict_proba(data.test.inputs)
    run = classify.Run(model.predict(data.test.inputs), probabilities, model.classes_)
    scores = classify.scores(data.test.targets, [run], resamples=10)
    assert scores["calibration_error"].value < 0.06
    uncalibrated = np.exp(np.log(probabilities) * 5 / model.slopes_[0])
    run = classify.Run(run.predictions, uncalibrated / uncalibrated.sum(axis=1, keepdims=True), model.classes_)
    assert scores["log_loss"].value < classify.scores(data.test.targets, [run], resamples=10)["log_loss"].value


def test_several_labels_have_thresholds_of_their_own():
    X, y = classify.toy_several(seed=3, rows=150)
    model = LinearSVM(word_ngrams=1).fit(X, y)
    assert model.score(*classify.toy_several(seed=4)) > 0.9
    validated = LinearSVM(word_ngrams=1).fit(X, y, validation=classify.toy_several(seed=5, rows=60))
    assert validated.weights_.tobytes() == model.weights_.tobytes()
    assert validated.thresholds_.tolist() != model.thresholds_.tolist()


# ---- explanations, weights, states ----------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [None, "a", "c"])
@pytest.mark.parametrize("text", ["tea and a talk about time", "TEAMS! teams", "", "?"])
def test_explanations_add_up(text, label):
    model = LinearSVM(min_count_ngrams=1).fit(TEXTS, LABELS)
    explanation = model.explain(text, label)
    probabilities = model.predict_proba([text])[0]
    chosen = int(probabilities.argmax()) if label is None else "abc".index(label)
    rival = max((number for number in range(3) if number != chosen), key=lambda number: probabilities[number])
    odds = log(probabilities[chosen] / probabilities[rival])
    assert explanation.arrays["parts"].sum() + explanation.arrays["bias_difference"][0] == pytest.approx(odds, abs=1e-9)


def test_explanations_of_several_labels_add_up():
    model = LinearSVM(word_ngrams=1).fit(*classify.toy_several(seed=3, rows=90))
    for number, label in enumerate(model.classes_):
        explanation = model.explain("the soup and a guitar", label)
        p = model.predict_proba(["the soup and a guitar"])[0, number]
        parts = explanation.arrays["parts"].sum() + explanation.arrays["bias_difference"][0]
        assert parts == pytest.approx(log(p / (1 - p)), abs=1e-9)
        assert label in explanation.views[0].title


def test_class_weights_are_row_weights():
    counts = {label: LABELS.count(label) for label in "abc"}
    balanced = LinearSVM(class_weight="balanced").fit(TEXTS, LABELS)
    by_row = LinearSVM().fit(TEXTS, LABELS, sample_weight=[7 / (3 * counts[label]) for label in LABELS])
    np.testing.assert_allclose(balanced.predict_proba(TEXTS), by_row.predict_proba(TEXTS), atol=1e-9)


def test_interrupt_is_clean():
    class Stop(Report):
        def stopping(self):
            return "interrupt"

    with pytest.raises(Interrupted):
        LinearSVM().fit(TEXTS, LABELS, report=Stop())


@pytest.mark.parametrize("settings", [{"l2": 0}, {"steps": 0}, {"tolerance": 0}, {"character_weight": -1}], ids=str)
def test_settings_out_of_range(settings):
    with pytest.raises(UsageError, match=next(iter(settings))):
        LinearSVM(**settings).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("weights", lambda array: array[:, :-1]),
        ("weights", lambda array: array * np.nan),
        ("bias", lambda array: array[:-1]),
        ("slopes", lambda array: array * np.inf),
        ("offsets", lambda array: array.astype(np.float32)),
        ("thresholds", lambda array: np.ones(3)),
        ("idf", lambda array: -array),
    ],
)
def test_states_that_make_no_sense_are_refused(name, damage):
    state = LinearSVM(min_count_ngrams=1).fit(TEXTS, LABELS).state()
    with pytest.raises(ValueError, match=r"fit|finite"):
        LinearSVM().set_state(State({**state.arrays, name: damage(state.arrays[name])}, state.data))
    with pytest.raises(ValueError, match="classes"):
        LinearSVM().set_state(State(state.arrays, {**state.data, "classes": ["b", "a", "c"]}))


def test_predicting_imports_nothing_heavy(tmp_path):
    path = LinearSVM().fit(TEXTS, LABELS).save(tmp_path / "m.erya")
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
