"""The hidden Markov model: probabilities by hand, unknown words by their looks, and rounds that never make the posterior smaller."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from erya.errors import Interrupted, UsageError
from erya.models.hmm.counts import Counts, Guess, expected, log_posterior, parameters
from erya.models.hmm.estimator import HMM
from erya.progress import Report
from erya.state import State
from erya.tasks import tag

X = [["they", "can", "fish"], ["the", "can"]]
Y = [["PRON", "VERB", "NOUN"], ["DET", "NOUN"]]


def test_counts_by_hand():
    model = HMM().fit(X, Y)
    det, noun, pron, verb = range(4)
    assert model.classes_.tolist() == ["DET", "NOUN", "PRON", "VERB"]
    assert model.words_ == ["can", "fish", "the", "they"]
    assert model.counts_.words[0].tolist() == [0, 1, 0, 1]
    assert model.counts_.steps[pron, verb] == model.counts_.steps[verb, noun] == model.counts_.steps[det, noun] == 1
    assert model.counts_.steps.sum() == 3
    assert model.counts_.first.tolist() == [1, 0, 1, 0]
    assert model.counts_.last.tolist() == [0, 2, 0, 0]


def test_probabilities_by_hand():
    counts = Counts(
        np.array([[2.0, 0.0], [1.0, 1.0]]),
        np.array([[1.0, 1.0], [0.0, 0.0]]),
        np.array([2.0, 0.0]),
        np.array([1.0, 1.0]),
    )
    guesses = np.array([[0.5, 0.5], [0.25, 0.75]])
    model = parameters(counts, guesses, 2.0)
    # p(word 0 | tag 0) = (2 + 2 · ½) / (3 + 2 · (½ + ¼))
    assert np.exp(model.words[0, 0]) == pytest.approx(3 / 4.5)
    np.testing.assert_allclose(np.exp(model.words).sum(axis=0), 1)
    # after tag 0: tag 0 once, tag 1 once, the end once; two sightings more, a third to each
    assert np.exp(model.chain.transitions[0, 0]) == pytest.approx((1 + 2 / 3) / 5)
    after = np.exp(model.chain.transitions).sum(axis=1) + np.exp(model.chain.last)
    np.testing.assert_allclose(after, 1)
    np.testing.assert_allclose(np.exp(model.chain.first), [3 / 4, 1 / 4])


def test_all_sentences_together_have_probability_one():
    """Every sequence of tags and words of every length: the geometric sum of lengths is 1."""
    model = HMM().fit(X, Y)._parameters
    steps, last = np.exp(model.chain.transitions), np.exp(model.chain.last)
    np.testing.assert_allclose(np.exp(model.words).sum(axis=0), 1)
    total = np.exp(model.chain.first) @ np.linalg.solve(np.eye(4) - steps, last)
    assert total == pytest.approx(1.0)


def test_a_word_is_read_by_its_neighbours():
    model = HMM().fit(X, Y)
    assert model.predict([["they", "can"], ["the", "can"]]) == [["PRON", "VERB"], ["DET", "NOUN"]]


def test_unknown_words_are_read_by_their_looks():
    words = ["walking", "talking", "Paris", "Rome", "1984", "the"]
    counts = np.array(
        [[0, 0, 1, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 50]], dtype=float
    )
    guess = Guess.of(words, counts, rare=10, back_off=1.0)
    assert [int(guess(word).argmax()) for word in ("singing", "Berlin", "2001")] == [2, 1, 0]
    assert guess("xyz")[3] < 0.2, "frequent words teach nothing about rare ones"
    for word in ("singing", "q", "", "王", "\ud800"):
        assert guess(word).sum() == pytest.approx(1)
        assert (guess(word) > 0).all()


def test_more_sightings_weigh_more_than_looks():
    told = HMM(smoothing=1.0).fit(
        [["a", "ing"]] * 30 + [["b", "king"], ["b", "sing"]], [["X", "Z"]] * 30 + [["X", "Y"]] * 2
    )
    assert told.predict([["a", "ing"]]) == [["X", "Z"]]


def test_rounds_over_untagged_text_never_make_it_worse():
    tagged, y = tag.toy(seed=1, rows=30)
    model = HMM().fit(tagged, y)
    untagged = tag.toy(seed=5, rows=60)[0]
    ids = model._numbered(untagged)
    starts = np.concatenate([[0], np.cumsum([len(one) for one in untagged])]).astype(np.int64)
    guesses, weights, share = model.guess_.table(model.words_), np.ones(60), 0.7
    held = model.counts_.plus(Counts.nothing(len(model.words_), 5))
    now, heights = parameters(held, guesses, 1.0), []
    for _ in range(8):
        found, likelihood = expected(ids, starts, now, weights, len(model.words_))
        heights.append(log_posterior(held, guesses, 1.0, now) + share * likelihood)
        assert found.words.sum() == pytest.approx(len(ids))
        assert found.steps.sum() == pytest.approx(len(ids) - 60)
        now = parameters(held.plus(found, share), guesses, 1.0)
    assert all(after >= before - 1e-8 for before, after in pairwise(heights))
    assert heights[-1] > heights[0] + 1


def test_untagged_text_teaches_new_words():
    """*wug* and *blick* stand where nouns and verbs stand; no tag ever said so."""
    X = [["the", "dog", "sleeps"], ["the", "cat", "eats"], ["a", "dog", "eats"]] * 4
    y = [["DET", "NOUN", "VERB"]] * 12
    model = HMM(back_off=50.0, untagged_weight=1.0, epochs=10).fit(X, y)
    before = model.predict_marginals([["a", "wug"]])[0][1, 1]
    model.partial_fit([["the", "wug", "sleeps"], ["a", "wug", "eats"], ["the", "cat", "blick"]] * 4)
    assert model.predict([["the", "wug", "blick"]]) == [["DET", "NOUN", "VERB"]]
    assert model.predict_marginals([["a", "wug"]])[0][1, 1] > before
    assert [row["epoch"] for row in model.curve_] == list(range(1, 11))
    losses = [row["loss"] for row in model.curve_]
    assert losses[-1] < losses[0]


def test_more_tagged_sentences_are_counted():
    one, y = tag.toy(seed=1, rows=60)
    whole = HMM().fit(one, y)
    parts = HMM().fit(one[:40], y[:40]).partial_fit(one[40:], y[40:])
    assert parts.counts_.words.sum() == whole.counts_.words.sum()
    assert parts.predict(one) == whole.predict(one)
    with pytest.raises(UsageError):
        parts.partial_fit([["Anna"]], [["B-THING"]])


def test_untagged_text_survives_the_file(tmp_path):
    import erya

    model = HMM(epochs=2).fit(*tag.toy(seed=1, rows=40)).partial_fit([["some", "new", "words", "in", "Paris"], []])
    again = erya.load(model.save(tmp_path / "m.erya"))
    assert again.fingerprint() == model.fingerprint()
    assert (
        again.predict_marginals([["new", "Paris"]])[0].tolist()
        == model.predict_marginals([["new", "Paris"]])[0].tolist()
    )


def test_posterior_decoding():
    X, y = tag.toy(seed=1, rows=60)
    model = HMM(decoding="posterior").fit(X, y)
    for tags, shares in zip(model.predict(X[:20]), model.predict_marginals(X[:20]), strict=True):
        assert list(tags) == model.classes_[shares.argmax(axis=1)].tolist()
    assert (
        np.asarray(model.trace(X[0]).arrays["path"]).tolist()
        == model.predict_marginals(X[:1])[0].argmax(axis=1).tolist()
    )


def test_interrupted_rounds_are_kept():
    class Now(Report):
        def stopping(self):
            return "interrupt"

    model = HMM().fit(*tag.toy(seed=1, rows=20))
    with pytest.raises(Interrupted):
        model.partial_fit([["Anna", "met"]], report=Now())
    assert len(model.curve_) == 1


@pytest.mark.parametrize(
    "bad", [{"smoothing": 0}, {"rare": 0}, {"decoding": "greedy"}, {"back_off": -1}, {"epochs": -1}]
)
def test_settings_out_of_range(bad):
    with pytest.raises(UsageError, match=next(iter(bad))):
        HMM(**bad).fit(X, Y)


@pytest.mark.parametrize("where", ["counts.words", "counts.steps", "expected.last", "looks"])
def test_files_that_lie(where):
    state = HMM().fit(X, Y).state()
    arrays = {name: array.copy() for name, array in state.arrays.items()}
    arrays[where].flat[0] = -1
    with pytest.raises(ValueError, match="counts"):
        HMM().set_state(State(arrays, state.data))
