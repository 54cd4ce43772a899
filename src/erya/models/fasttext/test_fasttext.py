"""fastText: the fast version against the naive one, and every promise of this room."""

from __future__ import annotations

import doctest
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from erya.errors import Interrupted, UsageError
from erya.models.fasttext import estimator, reference, supervised
from erya.models.fasttext.estimator import FastText
from erya.models.fasttext.features import END, Encoded, Features, hashes
from erya.models.fasttext.forward import averaged, softmax
from erya.parts.ngrams import Tokens
from erya.progress import Report
from erya.tasks.classify import toy

X, Y = toy(0)

# ---- features -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),  # computed by a C program with the original's line: h = (h ^ uint32_t(int8_t(c))) * 16777619
    [("a", 0xE40C292C), ("foobar", 0xBF9CF968), ("é", 0x3CFA68C1), ("好", 0x559E0B06), ("<春>", 0x66CEF4D2)],
)
def test_the_hash_is_the_originals(text, value):
    assert reference.hash_of(text) == value
    assert hashes([text]).tolist() == [value]


def test_hashing_many_strings_equals_hashing_each():
    texts = ["", "a", "好", "\ud800", "\x00", "naïve", "x" * 64, "x" * 65, "好" * 200, "𠀀", END]
    assert hashes(texts).tolist() == [reference.hash_of(text) for text in texts]
    assert hashes([]).tolist() == []


@pytest.mark.parametrize(("word_ngrams", "min_n", "max_n"), [(1, 0, 0), (3, 0, 0), (1, 1, 3), (4, 2, 5)])
def test_encoding_equals_the_reference(word_ngrams, min_n, max_n):
    settings = {"word_ngrams": word_ngrams, "min_n": min_n, "max_n": max_n, "buckets": 97}
    documents = [["play", "a", "song", END], [END], ["春", "眠", "a", "春", "眠", END], ["play", "play", END]]
    new = [["a", "never", "seen", "song", END], ["春", "眠", END], [END]]
    features, encoded = Features.learn(Tokens.of(documents), min_count=2, min_count_ngrams=2, **settings)
    seen = [feature for words in documents for feature in reference.features_of(words, **settings)]
    frequent = {feature for feature in seen if seen.count(feature) >= 2}
    number = {word: row for row, word in enumerate(features.words)}
    number |= {bucket: len(features.words) + place for place, bucket in enumerate(features.kept.tolist())}
    assert set(number) == frequent
    assert features.words[0] == END  # the most frequent comes first

    for corpus, found in ((documents, encoded), (new, features.encode(Tokens.of(new)))):
        for position, words in enumerate(corpus):
            expected = [number[f] for f in reference.features_of(words, **settings) if f in number]
            assert found.rows[found.starts[position] : found.starts[position + 1]].tolist() == expected
            assert [place.row for place in features.places(words)] == expected


# ---- steps ----------------------------------------------------------------------------------------------------


def small_problem(documents=23, rows=31, classes=3, dim=5, seed=0):
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 9, documents)
    encoded = Encoded(
        generator.integers(0, rows, sizes.sum()).astype(np.int32), np.concatenate([[0], np.cumsum(sizes)])
    )
    targets = generator.integers(0, classes, documents)
    weights = generator.uniform(0.5, 2, documents).astype(np.float32)
    return encoded, targets, weights / weights.mean(), rows, classes, dim


def test_the_references_gradients_are_those_of_its_loss():
    generator = np.random.default_rng(3)
    input, output = generator.normal(size=(7, 5)), generator.normal(size=(3, 5))
    rows = np.array([4, 1, 4], dtype=np.int32)  # a feature that stands twice
    _, for_output, for_each_row = reference.gradients(rows, 2, input, output)

    def slope(array, place):
        step = 1e-6
        losses = []
        for sign in (1, -1):
            array[place] += sign * step
            losses.append(reference.gradients(rows, 2, input, output)[0])
            array[place] -= sign * step
        return (losses[0] - losses[1]) / (2 * step)

    for place in np.ndindex(3, 5):
        assert slope(output, place) == pytest.approx(for_output[place], abs=1e-7)
    for k in range(5):
        assert slope(input, (1, k)) == pytest.approx(for_each_row[k], abs=1e-7)
        assert slope(input, (4, k)) == pytest.approx(2 * for_each_row[k], abs=1e-7)
        assert slope(input, (0, k)) == 0


def test_lock_free_on_several_threads_learns(monkeypatch):
    monkeypatch.setenv("ERYA_THREADS", "4")
    model = FastText(deterministic=False).fit(X, Y)
    assert model.score(X, Y) > 0.95


class Stopping(Report):
    """Wishes to stop at the second question."""

    def __init__(self, wish):
        self.wish, self.asked, self.saved = wish, 0, None

    def stopping(self):
        self.asked += 1
        return self.wish if self.asked == 2 else None

    def save_checkpoint(self, state):
        self.saved = state


def test_an_interrupt_saves_and_a_second_fit_finishes():
    report = Stopping("interrupt")
    with pytest.raises(Interrupted):
        FastText().fit(X, Y, report=report)
    report.load_checkpoint = lambda: report.saved
    report.wish = None
    assert FastText().fit(X, Y, report=report).fingerprint() == FastText().fit(X, Y).fingerprint()


def test_a_spent_budget_ends_training_with_a_model(monkeypatch):
    monkeypatch.setattr(supervised, "FIRST_BLOCK_ROWS", 8)
    model = FastText(epochs=4).fit(X, Y, report=Stopping("budget"))
    assert len(model.curve_) == 1
    assert 0 < model.curve_[0]["lines"] < len(X)
    assert len(model.predict(X)) == len(X)


@pytest.mark.parametrize("deterministic", [True, False])
def test_divergence_halves_the_rate_and_says_so(deterministic):
    class Listening(Report):
        heard: ClassVar[list[str]] = []

        def note(self, sentence):
            self.heard.append(sentence)

    model = FastText(learning_rate=1e5, deterministic=deterministic).fit(X, Y, report=Listening())
    halved = 1e5 / model.learning_rate_
    assert halved > 1
    assert np.log2(halved) == int(np.log2(halved))
    assert sum("halved" in sentence for sentence in Listening.heard) == np.log2(halved)
    assert np.isfinite(model.predict_proba(X)).all()


# ---- the estimator --------------------------------------------------------------------------------------------


def test_it_learns_and_answers_with_its_own_labels():
    model = FastText().fit(X, [len(label) for label in Y])
    assert model.predict(X[:3]).tolist() == [len(label) for label in Y[:3]]
    assert model.predict_proba([]).shape == (0, 3)
    np.testing.assert_allclose(model.predict_proba(["", "??", *X]).sum(axis=1), 1)


def test_threads_of_the_machine_change_nothing(monkeypatch):
    found = set()
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("ERYA_THREADS", threads)
        found.add(FastText(epochs=3).fit(X, Y).fingerprint())
    assert len(found) == 1


def test_the_order_of_the_documents_in_a_batch_changes_nothing():
    model = FastText(max_n=3, min_n=2).fit(X, Y)
    alone = np.concatenate([model.predict_proba([text]) for text in X[:20]])
    np.testing.assert_allclose(model.predict_proba(X[:20][::-1])[::-1], alone, atol=1e-6)


def test_averaging_in_pieces_is_averaging(monkeypatch):
    encoded, *_ = small_problem()
    starts = np.concatenate([encoded.starts[:4], encoded.starts[3:4], encoded.starts[4:]])  # document 3 has no rows
    documents = Encoded(encoded.rows, starts)
    input = np.random.default_rng(0).normal(size=(31, 5)).astype(np.float32)
    expected = [input[documents.rows[a:b]].mean(axis=0) if b > a else np.zeros(5) for a, b in pairwise(starts)]
    for size in (1, 5, 1000):
        monkeypatch.setattr("erya.models.fasttext.forward.ROWS_AT_ONCE", size)
        np.testing.assert_allclose(averaged(input, documents), expected, rtol=1e-5, atol=1e-7)
    assert softmax(np.array([[1e30, -1e30]])).tolist() == [[1, 0]]


def test_rows_of_weight_zero_are_as_if_they_were_not_there():
    weights = [0.0, *[2.5] * (len(X) - 1)]
    left_out = FastText(epochs=2).fit(X[1:], Y[1:])
    assert FastText(epochs=2).fit(X, Y, sample_weight=weights).fingerprint() == left_out.fingerprint()


def test_weights_move_the_answer():
    texts, labels = ["same words", "same words"] * 20, ["a", "b"] * 20
    heavy_b = [1.0, 9.0] * 20
    assert FastText().fit(texts, labels, sample_weight=heavy_b).predict_proba(["same words"])[0, 1] > 0.75
    with pytest.raises(UsageError):
        FastText(class_weight={"a": 0, "b": 0}).fit(texts, labels)
    assert FastText(class_weight={"a": 9}).fit(texts, labels).predict_proba(["same words"])[0, 0] > 0.75


def test_early_stopping_keeps_the_best_epoch():
    generator = np.random.default_rng(0)
    wrong = generator.permutation(Y).tolist()  # the validation labels are noise: nothing can be gained for long
    model = FastText(epochs=60, patience=3).fit(X, Y, validation=(X, wrong))
    rows = model.curve_
    assert len(rows) < 60
    best = max(range(len(rows)), key=lambda row: (rows[row]["validation_accuracy"], -rows[row]["validation_loss"]))
    assert len(rows) == best + 1 + 3
    assert model.score(X, wrong) == pytest.approx(rows[best]["validation_accuracy"])
    with pytest.raises(UsageError, match="validation"):
        FastText(patience=3).fit(X, Y)


def test_the_curve_falls_and_names_the_validation():
    rows = FastText(epochs=20).fit(X, Y, validation=(X[:30], [*Y[:29], "unheard of"])).curve_
    assert [row["epoch"] for row in rows] == list(range(1, 21))
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["validation_accuracy"] == pytest.approx(29 / 30)
    assert np.isfinite(rows[-1]["validation_loss"])


@pytest.mark.parametrize("label", [None, "food"])
@pytest.mark.parametrize("settings", [{}, {"max_n": 4, "min_n": 1}, {"tokenizer": "characters"}])
def test_an_explanation_adds_up_to_the_logit(label, settings):
    model = FastText(**settings).fit(X, Y)
    text = "这碗汤 very tasty, a noodles soup!"
    found = model.explain(text, label)
    chosen = model.classes_.tolist().index(label) if label else model.predict_proba([text])[0].argmax()
    logit = model.trace(text).arrays["logits"][chosen]
    assert found.arrays["contributions"][:, chosen].sum() == pytest.approx(logit, abs=1e-4)
    assert found.arrays["token_contributions"].sum() == pytest.approx(logit, abs=1e-4)
    heat = found.views[0]
    assert len(heat.spans) == len(heat.values)
    if settings.get("tokenizer") is None:
        assert "soup" in [heat.text[a:b] for a, b in heat.spans]


def test_an_explanation_points_at_the_telling_word():
    heat = FastText().fit(X, Y).explain("today rain is the best, 好吃", "weather").views[0]
    values = {heat.text[a:b]: value for (a, b), value in zip(heat.spans, heat.values, strict=True)}
    assert max(values, key=values.get) == "rain"
    assert values["吃"] < 0
    with pytest.raises(UsageError):
        FastText().fit(X, Y).explain("rain", "sports")


@pytest.mark.parametrize("text", ["", "   ", "never seen", ("a pair", "of texts")])
def test_traces_and_explanations_of_odd_input(text):
    model = FastText().fit([*X, ("one", "two")], [*Y, "food"])
    trace = model.trace(text)
    np.testing.assert_allclose(list(trace.arrays.values())[-1], model.predict_proba([text])[0])
    assert trace.text()
    assert model.explain(text).html()


@pytest.mark.parametrize(
    "settings",
    [
        {"dim": 0},
        {"dim": 2.5},
        {"epochs": 0},
        {"learning_rate": float("nan")},
        {"learning_rate": 0},
        {"learning_rate": "fast"},
        {"min_n": 3},
        {"word_ngrams": 0},
        {"buckets": 2**40},
        {"seed": -1},
        {"patience": 0},
        {"class_weight": "heavy"},
        {"tokenizer": "nonsense"},
    ],
)
def test_senseless_settings_are_refused(settings):
    with pytest.raises(UsageError):
        FastText(**settings).fit(X, Y)


def test_a_state_makes_the_same_model_and_a_broken_one_none():
    model = FastText(max_n=3).fit(X, Y)
    twin = FastText.restore(model.plain_params(), model.state())
    assert twin.fingerprint() == model.fingerprint()
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))

    breaks = [
        lambda state: state.arrays.update(input=state.arrays["input"][:-1]),
        lambda state: state.arrays.update(input=state.arrays["input"].astype(np.float64)),
        lambda state: state.arrays.update(input=np.full_like(state.arrays["input"], np.nan)),
        lambda state: state.arrays.update(output=state.arrays["output"][:, :-1]),
        lambda state: state.arrays.update(buckets=state.arrays["buckets"][::-1]),
        lambda state: state.data.update(buckets=3),
        lambda state: state.data.update(classes=["b", "a", "c"]),
        lambda state: state.data.update(word_ngrams="3"),
        lambda state: state.data.pop("tokenizer"),
    ]
    for spoil in breaks:
        state = model.state()
        spoil(state)
        with pytest.raises((ValueError, KeyError)):
            FastText.restore(model.plain_params(), state)


def test_predicting_needs_no_compiler(tmp_path):
    path = FastText().fit(X, Y).save(tmp_path / "m.erya")
    program = (
        "import sys, erya\n"
        f"model = erya.load({str(path)!r})\n"
        "model.predict(['rain']); model.explain('rain').text(); model.trace('rain').html()\n"
        "heavy = {'numba', 'scipy', 'sklearn', 'torch', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_room_is_whole():
    folder = Path(__file__).parent
    for name in ("card.toml", "README.md", "README.zh.md", "train.ipynb", "reference.py"):
        assert (folder / name).is_file(), name


def test_the_docstrings_example_is_true():
    assert doctest.testmod(estimator).failed == 0
    assert doctest.testmod(estimator).attempted


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_worked_example_is_true(name):
    failures, tried = doctest.testfile(str(Path(__file__).parent / name), module_relative=False, encoding="utf-8")
    assert tried >= 6
    assert not failures
