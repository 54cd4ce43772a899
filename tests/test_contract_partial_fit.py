"""The battery for ``partial_fit`` of classifiers over n-grams; that of networks is in test_contract_networks.py."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import erya
from erya import artefact, catalog
from erya.errors import DataError, Interrupted, ModelFileError, UsageError
from erya.progress import Report
from erya.tasks import classify
from tests.conftest import small_model

GOING_ON = ["classify/naive_bayes", "classify/logistic_regression", "classify/svm", "classify/knn"]
LABELS = ["food", "music", "weather"]
each = pytest.mark.parametrize("id", GOING_ON)


def in_portions(id, X, y, ends, **settings):
    model = small_model(id, **settings)
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        model.partial_fit(X[start:end], y[start:end], classes=LABELS)
    return model


def test_every_classifier_goes_on_or_says_why_not():
    for id in catalog.ids("classify"):
        model = small_model(id)
        if not hasattr(model, "partial_fit"):
            with pytest.raises(UsageError, match="do not go on") as caught:
                model.partial_fit(["a", "b"], ["x", "y"])
            assert "naive_bayes" in caught.value.help
            assert pickle.loads(pickle.dumps(caught.value)).message == caught.value.message


@each
def test_at_first_it_is_fit_and_later_the_same_bits(id):
    X, y = classify.toy(seed=1, rows=90)
    one = small_model(id).partial_fit(X[:60], y[:60])
    assert one.fingerprint() == small_model(id).fit(X[:60], y[:60]).fingerprint()
    two = pickle.loads(pickle.dumps(one))
    assert one.partial_fit(X[60:], y[60:]).fingerprint() == two.partial_fit(X[60:], y[60:]).fingerprint()


@each
def test_portions_learn_what_one_fit_learns(id):
    X, y = classify.toy(seed=2, rows=240)
    asked, truth = classify.toy(seed=3, rows=240)
    whole = small_model(id).fit(X, y).score(asked, truth)
    assert in_portions(id, X, y, [30, 60, 120, 240]).score(asked, truth) > whole - 0.03


@each
def test_what_was_learned_before_is_remembered(id):
    """A portion of one label alone does not wash the others away; what it says of its own is learned."""
    X, y = classify.toy(seed=4, rows=240)
    model = small_model(id).fit(X, y)
    before = model.score(X, y)
    model.partial_fit(["quinoa", "quinoa soup", "quinoa bread", "quinoa salt"] * 5, ["food"] * 20)
    assert model.score(X, y) > before - 0.03
    assert model.predict(["quinoa"]).tolist() == ["food"]


@each
def test_labels_and_kinds_are_those_of_the_first_call(id):
    X, y = classify.toy(seed=5, rows=60)
    few = [label for label in y if label != "weather"]
    model = small_model(id).partial_fit(
        [x for x, label in zip(X, y, strict=True) if label != "weather"], few, classes=LABELS
    )
    assert model.classes_.tolist() == LABELS
    assert model.predict_proba(X).shape == (60, 3)
    model.partial_fit(X, y)
    assert model.score(X, y) > 0.8
    before = model.fingerprint()
    for wrong in ({"y": ["food", "sport"]}, {"y": ["food", "music"], "classes": [*LABELS, "sport"]}):
        with pytest.raises(UsageError, match="sport"):
            model.partial_fit(["soup", "song"], **wrong)
    for wrong_y in ([["food"], []], None):
        with pytest.raises(UsageError):
            model.partial_fit(["soup", "song"], wrong_y)
    with pytest.raises(DataError):
        model.partial_fit(["soup"], ["food", "music"])
    assert model.fingerprint() == before, "a call that fails changes nothing"


@each
def test_several_labels_keep_their_thresholds(id, tmp_path):
    X, y = classify.toy_several(seed=1, rows=150)
    model = erya.load(small_model(id).fit(X, y).save(tmp_path / "m.erya"))
    before = model.thresholds_.copy()
    model.partial_fit(X[:30], y[:30])
    np.testing.assert_array_equal(model.thresholds_, before)
    assert model.score(X, y) > 0.8
    kept = model.fingerprint()
    with pytest.raises(UsageError, match="several labels a row"):
        model.partial_fit(["soup", "song"], ["food", "music"])
    with pytest.raises(DataError, match="validation"):
        model.partial_fit(X[:30], y[:30], validation=(["soup", "song"], [["food"]]))
    assert model.fingerprint() == kept
    model.partial_fit(X[:30], y[:30], validation=classify.toy_several(seed=3, rows=60))
    assert not np.array_equal(model.thresholds_, before)


@each
def test_saved_between_two_portions_the_same_bits(id, tmp_path):
    X, y = classify.toy(seed=6, rows=90)
    kept = small_model(id).fit(X[:45], y[:45])
    loaded = erya.load(kept.save(tmp_path / "m.erya"))
    kept.partial_fit(X[45:], y[45:])
    loaded.partial_fit(X[45:], y[45:])
    assert loaded.fingerprint() == kept.fingerprint()
    again = erya.load(loaded.save(tmp_path / "n.erya"))
    assert again.predict_proba([*X, "", "zzzz"]).tobytes() == kept.predict_proba([*X, "", "zzzz"]).tobytes()
    assert again.explain("soup").views


@each
def test_broken_off_the_model_is_as_it_was(id):
    class Stop(Report):
        def stopping(self):
            return "interrupt"

    class Broken(Report):
        def progress(self, **told):
            raise ZeroDivisionError

    X, y = classify.toy(seed=7, rows=60)
    model = small_model(id).fit(X, y)
    before = model.fingerprint()
    if id == "classify/logistic_regression":  # it alone takes steps between which to stop
        with pytest.raises(Interrupted):
            model.partial_fit(X[:30], y[:30], report=Stop())
    else:
        with pytest.raises(ZeroDivisionError):
            model.partial_fit(X[:30], y[:30], report=Broken())
    assert model.fingerprint() == before


@pytest.mark.parametrize("id", ["classify/logistic_regression", "classify/svm"])
def test_stiffness_of_a_file_is_checked(id, tmp_path):
    X, y = classify.toy(seed=8, rows=60)
    path = small_model(id).fit(X, y).save(tmp_path / "m.erya")
    sound = artefact.load(path)
    for spoil in (lambda a: a[:-1], lambda a: -a, lambda a: a.astype(np.float64)):
        content = artefact.load(path)
        content.state.arrays = {**sound.state.arrays, "stiffness": spoil(sound.state.arrays["stiffness"]).copy()}
        artefact.save(tmp_path / "bad.erya", content)
        with pytest.raises(ModelFileError):
            erya.load(tmp_path / "bad.erya")


def test_stiffness_is_the_curvature_of_the_loss():
    """With every weight at its best the bowl is the diagonal of the Hessian; for two labels exactly, by finite differences."""
    from erya.models.logistic_regression.estimator import LogisticRegression
    from erya.models.logistic_regression.objective import objective

    X, y = classify.toy(seed=9, rows=60)
    X, y = [x for x, label in zip(X, y, strict=True) if label != "music"], [label for label in y if label != "music"]
    model = LogisticRegression(max_n=0, word_ngrams=1, l2=0.5).fit(X, y)
    from erya.parts.ngram_evidence import counted
    from erya.parts.tfidf import Tfidf

    features = Tfidf(model.ngrams_, model.idf_, model.character_weight_)
    (counts,) = counted(model.ngrams_, model.tokenizer_, X)
    matrix = features.matrix(counts)
    theta = np.vstack([model.weights_.T.astype(float), model.bias_])
    targets, weights = np.searchsorted(model.classes_, y), np.ones(len(y))

    def slope(at):
        return objective(at.ravel(), matrix, matrix.T.tocsr(), targets, weights, 0.5)[1].reshape(theta.shape)

    for feature in (0, 3, len(theta) - 1):
        step = np.zeros_like(theta)
        step[feature, 0] = 1e-5
        second = (slope(theta + step) - slope(theta - step))[feature, 0] / 2e-5
        assert model.stiffness_[feature] == pytest.approx(second, rel=1e-3)
