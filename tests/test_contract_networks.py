"""The battery for networks that classify text: what they all owe to one body, each asked for itself.

Several labels and shares of them are in test_contract_several.py, integrated gradients in parts/test_network_gradients.py.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import erya
from erya import catalog
from erya.errors import DataError, Interrupted, UsageError
from erya.parts.keyed_vectors import KeyedVectors
from erya.parts.long_texts import LongTextWarning
from erya.parts.network_classifier import NetworkClassifier
from erya.progress import Report
from erya.state import State
from erya.tasks import classify
from tests.conftest import small_model

NETWORKS = [id for id in catalog.ids("classify") if issubclass(catalog.find(id), NetworkClassifier)]
each_network = pytest.mark.parametrize("id", NETWORKS)
each_with_vectors = pytest.mark.parametrize("id", [id for id in NETWORKS if "vectors" in catalog.find(id).parameters()])
DIM = 6


class Listening(Report):
    """Keeps what it is told; may ask to stop after some steps, and continue from what was saved then."""

    def __init__(self, stop_at=None, saved=None):
        self.sentences, self.rows, self.steps, self.stop_at, self.saved = [], [], 0, stop_at, saved

    def note(self, sentence):
        self.sentences.append(sentence)

    def record(self, row):
        self.rows.append(row)

    def stopping(self):
        self.steps += 1
        return "interrupt" if self.steps == self.stop_at else None

    def save_checkpoint(self, state):
        self.saved = state

    def load_checkpoint(self):
        return self.saved


def weights(model):
    return {name: array for name, array in model.state().arrays.items() if name.startswith("network.")}


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


# ---- going on ----------------------------------------------------------------------------------------------------


@each_network
def test_partial_fit_goes_on_and_knows_its_labels(id):
    X, y = classify.toy(seed=1, rows=45)
    model = small_model(id, epochs=1).fit(X, y)
    before, words = weights(model), model.vocabulary_.tokens
    more = classify.toy(seed=2, rows=30)
    model.partial_fit([*more[0], "quite new words"], [*more[1], "food"])
    assert not same(weights(model), before)
    assert model.vocabulary_.tokens == words
    assert model.classes_.tolist() == ["food", "music", "weather"]
    kept = weights(model)
    for wrong in ({"y": ["food", "sport"]}, {"y": ["food", "music"], "classes": ["food", "music", "sport"]}):
        with pytest.raises(UsageError, match="sport"):
            model.partial_fit(["soup", "song"], **wrong)
    with pytest.raises(UsageError):
        model.partial_fit(["soup", "song"], [["food"], ["music"]])
    assert same(weights(model), kept), "a call that fails changes nothing"


@each_network
def test_partial_fit_at_first_is_fit_and_later_the_same_bits(id):
    X, y = classify.toy(seed=1, rows=30)
    one = small_model(id, epochs=1).partial_fit(X, y)
    assert one.fingerprint() == small_model(id, epochs=1).fit(X, y).fingerprint()
    two = pickled(one)
    assert one.partial_fit(X[:15], y[:15]).fingerprint() == two.partial_fit(X[:15], y[:15]).fingerprint()
    named = small_model(id, epochs=1).partial_fit(X, y, classes=["food", "music", "sport", "weather"])
    assert named.classes_.tolist() == ["food", "music", "sport", "weather"]
    assert named.partial_fit(["goal", "soup"], ["sport", "food"]).predict_proba(["goal"]).shape == (1, 4)


def pickled(model):
    import pickle

    return pickle.loads(pickle.dumps(model))


@each_network
def test_partial_fit_of_several_labels_keeps_its_thresholds(id, tmp_path):
    X, y = classify.toy_several(seed=1, rows=100)
    model = erya.load(small_model(id, epochs=1).fit(X, y).save(tmp_path / "m.erya"))
    before = model.thresholds_.copy()
    model.partial_fit(X[:30], y[:30])
    np.testing.assert_array_equal(model.thresholds_, before)
    model.partial_fit(X[:30], y[:30], validation=classify.toy_several(seed=3, rows=60))
    assert not np.array_equal(model.thresholds_, before)
    assert "validation_micro_f1" in model.curve_[-1]


@each_network
def test_killed_and_resumed_the_same_bits(id):
    X, y = classify.toy_several(seed=1, rows=100)
    settings = {"epochs": 2, "batch_size": 16, "schedule": "cosine", "warmup": 0.3}
    whole, listening = small_model(id, **settings), Listening()
    whole.fit(X, y, report=listening)
    killed = Listening(stop_at=listening.steps // 2 + 2)  # in the second epoch
    with pytest.raises(Interrupted):
        small_model(id, **settings).fit(X, y, report=killed)
    again = small_model(id, **settings).fit(X, y, report=Listening(saved=killed.saved))
    assert again.fingerprint() == whole.fingerprint()


@each_network
def test_several_labels_are_traced_and_explained(id):
    X, y = classify.toy_several(seed=1, rows=45)
    model = small_model(id, epochs=1).fit(X, y)
    for text in ("the soup and the song", ""):
        last = list(model.trace(text).arrays.values())[-1]
        np.testing.assert_allclose(np.asarray(last).ravel(), model.predict_proba([text])[0], atol=1e-6)
        explained = model.explain(text, label="music")
        np.testing.assert_allclose(explained.arrays["probabilities"], model.predict_proba([text])[0], atol=1e-6)
    assert ("integrated_gradients" in model.explain_methods) == bool(model._tables())


# ---- what is learned towards ---------------------------------------------------------------------------------------


@each_network
def test_the_curve_shows_the_gradients(id):
    X, y = classify.toy(seed=1, rows=30)
    model = small_model(id, epochs=2, clip_norm=1e-3).fit(X, y)
    for row in model.curve_:
        assert 0 < row["gradient_norm"] <= row["gradient_norm_max"]
        assert row["clipped"] == 1
    free = small_model(id, epochs=1, clip_norm=None).fit(X, y)
    assert "clipped" not in free.curve_[0]


@each_network
def test_the_learning_rate_falls(id):
    X, y = classify.toy(seed=1, rows=90)
    answers = [
        small_model(id, epochs=3, patience=None, schedule=schedule).fit(X, y).predict_proba(X)
        for schedule in ("constant", "linear")
    ]
    assert not np.array_equal(*answers)
    for wrong in ({"schedule": "steps"}, {"warmup": 1.0}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            small_model(id, **wrong).fit(X, y)


@each_network
def test_smoothed_labels_make_it_less_sure(id, fitted):
    X, y = classify.toy(seed=1, rows=90)
    sure = fitted(id).predict_proba(X).max(axis=1).mean()
    smoothed = small_model(id, patience=None, label_smoothing=0.3).fit(X, y)
    assert smoothed.score(X, y) > 0.8
    assert smoothed.predict_proba(X).max(axis=1).mean() < min(sure, 0.9)  # 1 − ε + ε / C = 0.8 is aimed at
    with pytest.raises(UsageError, match="label_smoothing"):
        small_model(id, label_smoothing=1.0).fit(X, y)


@each_network
def test_a_label_that_occurs_once(id):
    X, y = classify.toy(seed=1, rows=99)
    model = small_model(id, epochs=1).fit([*X, "the goal"], [*y, "sport"])
    assert "sport" in model.classes_.tolist()
    assert model.predict_proba(["goal"]).shape == (1, 4)


# ---- vectors to begin with -----------------------------------------------------------------------------------------


def toy_vectors(scale=1.0):
    """Vectors of every word of the toy set but two, and of a word that it lacks."""
    X, _ = classify.toy(seed=1)
    words = sorted({word for text in X for word in text.split() if word.isascii()} - {"the", "soup"})
    words = [*words, "elsewhere"]
    matrix = np.random.default_rng(0).normal(0, scale, (len(words), DIM)).astype(np.float32)
    return words, matrix


def row(model, word):
    table = next(iter(model._tables()))
    return weights(model)[f"network.{table}"][model.vocabulary_.index[word]]


@each_with_vectors
def test_vectors_are_begun_with_and_stay_or_move(id, tmp_path):
    words, matrix = toy_vectors()
    path = tmp_path / "toy.vec"
    lines = [f"{len(words)} {DIM}"] + [
        f"{word} {' '.join(map(str, vector))}" for word, vector in zip(words, matrix.tolist(), strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    X, y = classify.toy(seed=1, rows=45)
    told = Listening()
    static = small_model(id, dim=None, epochs=1, vectors=path, vectors_mode="static").fit(X, y, report=told)
    assert static.dim_ == DIM
    for word in ("guitar", "elsewhere"):
        np.testing.assert_array_equal(row(static, word), matrix[words.index(word)])
    assert 0.2 < static.coverage_["tokens"] < 1
    assert any(f"{static.coverage_['tokens']:.1%}" in sentence for sentence in told.sentences)
    moved = small_model(id, dim=DIM, epochs=1, vectors=KeyedVectors.of(words, matrix)).fit(X, y)
    assert not np.array_equal(row(moved, "guitar"), matrix[words.index("guitar")])
    np.testing.assert_array_equal(row(moved, "elsewhere"), matrix[words.index("elsewhere")])
    path.unlink()
    again = erya.load(static.save(tmp_path / "m.erya"))  # needs the file no more
    assert np.array_equal(again.predict_proba(X), static.predict_proba(X))
    assert again.coverage_ == static.coverage_
    again.partial_fit(X[:15], y[:15])
    np.testing.assert_array_equal(row(again, "guitar"), matrix[words.index("guitar")])
    assert not same(weights(again), weights(static))


@each_with_vectors
def test_vectors_that_do_not_fit_are_refused(id, tmp_path):
    X, y = classify.toy(seed=1, rows=30)
    words, matrix = toy_vectors()
    table = KeyedVectors.of(words, matrix)
    with pytest.raises(UsageError, match=f"dim={DIM + 1}"):
        small_model(id, dim=DIM + 1, vectors=table).fit(X, y)
    other = KeyedVectors.of(["voiture", "maison"], matrix[:2])
    with pytest.raises(DataError, match=r"0\.0%"):
        small_model(id, dim=None, vectors=other).fit(X, y)
    assert small_model(id, dim=None, epochs=1, vectors=other, min_coverage=0).fit(X, y).coverage_["tokens"] == 0
    with pytest.raises(UsageError, match="vectors"):
        small_model(id, vectors_mode="static").fit(X, y)
    with pytest.raises(UsageError, match="vectors"):
        small_model(id, dim=None, vectors=7).fit(X, y)
    broken = KeyedVectors.of(words, matrix)
    broken.vectors_ = broken.vectors_.copy()
    broken.vectors_[3, 1] = np.nan
    with pytest.raises(DataError, match="NaN"):
        small_model(id, dim=None, vectors=broken).fit(X, y)


@each_with_vectors
def test_a_model_as_vectors_survives_clones(id):
    from sklearn.base import clone

    words, matrix = toy_vectors()
    model = small_model(id, dim=None, epochs=1, vectors=KeyedVectors.of(words, matrix))
    twin = clone(model)
    assert twin.vectors is model.vectors
    assert twin.get_params() == model.get_params()
    assert twin.fit(*classify.toy(seed=1, rows=30)).dim_ == DIM


# ---- long texts ------------------------------------------------------------------------------------------------------


@each_network
def test_a_text_that_is_too_long_is_read_in_windows_with_a_warning(id, fitted, monkeypatch):
    model = fitted(id)
    text = "soup " * 3 + "guitar " * 3 + "rain"
    tokens = model.tokenizer_.tokens(text)
    windows = [tokens[start : start + 3] for start in range(0, len(tokens), 3)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = model._logits(windows)
    monkeypatch.setattr(type(model), "most_tokens", 3)
    with pytest.warns(LongTextWarning, match="1 text of"):
        found = model._logits([tokens, tokens[:1]])
    np.testing.assert_allclose(found[0], np.average(parts, axis=0, weights=[len(one) for one in windows]), atol=1e-5)
    with pytest.warns(LongTextWarning, match=f"first 3 of {len(tokens)}"):
        model.trace(text)
    with pytest.warns(LongTextWarning):
        model.explain(text)


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["classify/lstm", "classify/textcnn"])
def test_a_state_of_before_several_labels_is_still_read(id, fitted):
    model = fitted(id)
    state = model.state()
    arrays = {name: array for name, array in state.arrays.items() if name != "thresholds"}
    data = {name: value for name, value in state.data.items() if name not in ("several", "dim", "coverage")}
    old = type(model).restore(model.plain_params() | {"dim": model.dim_}, State(arrays, data), 1)
    assert old.several_ is False
    assert old.dim_ == model.dim_
    assert np.array_equal(old.predict_proba(["soup", ""]), model.predict_proba(["soup", ""]))


@each_network
def test_a_hostile_state_is_refused(id, fitted):
    model = fitted(id)
    state = model.state()
    for change in ({"several": 1}, {"dim": 0}, {"dim": True}, {"dim": 10**9}, {"several": True}, {"classes": ["a"]}):
        with pytest.raises(ValueError):
            type(model).restore(model.plain_params(), State(state.arrays, state.data | change))
    with pytest.raises(KeyError):
        type(model).restore(model.plain_params(), State({**state.arrays, "thresholds": None}, {}))
