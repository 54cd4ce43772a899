"""A mixture is Σ λ p of its models, its weights are the best ones, and it answers as a language model does."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

import erya
from erya.errors import DataError, UsageError
from erya.generate import NGram
from erya.mixture import Mixture, found_weights
from erya.tasks import generate

TEXTS, DEV, TEST = (generate.toy(seed=seed, rows=rows) for seed, rows in ((1, 120), (2, 40), (3, 40)))


@pytest.fixture(scope="module")
def parts():
    return [NGram(order=order, tokenizer="characters").fit(TEXTS) for order in (1, 2, 5)]


@pytest.fixture(scope="module")
def mixed(parts):
    return Mixture.of(parts, DEV)


def test_the_weights_are_the_best_ones():
    generator = np.random.default_rng(0)
    logs = np.log(generator.dirichlet([1, 1, 1], size=400).T)

    def bits(weights):
        return -np.log2(weights @ np.exp(logs)).mean()

    weights, curve = found_weights(logs)
    assert math.isclose(weights.sum(), 1)
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(curve)), "EM never gets worse"
    for other in generator.dirichlet([1, 1, 1], size=200):
        assert bits(weights) <= bits(other) + 1e-6


def test_what_one_model_finds_impossible_another_may_not():
    logs = np.log(np.array([[0.5, 1e-300, 0.2], [0.1, 0.4, 0.1]]))
    logs[0, 1] = -np.inf
    weights, _ = found_weights(logs)
    assert np.isfinite(weights).all()
    assert weights[1] > 0


def test_it_is_the_sum(parts, mixed):
    each = [model.surprisals(TEST) for model in parts]
    for place, told in enumerate(mixed.surprisals(TEST)):
        by_hand = sum(weight * 2.0 ** -one[place].bits for weight, one in zip(mixed.weights_, each, strict=True))
        assert np.allclose(2.0**-told.bits, by_hand)
    following = mixed.next_units("the c", len(mixed.vocabulary_))
    assert math.isclose(sum(probability for _, probability in following), 1, abs_tol=1e-9)


def test_better_than_its_parts_on_the_text_that_weighed_it(parts, mixed):
    assert -mixed.score(DEV) <= min(-model.score(DEV) for model in parts) + 1e-6


def test_save_load_and_writing(mixed, tmp_path):
    again = erya.load(mixed.save(tmp_path / "m.erya"))
    assert isinstance(again, Mixture)
    assert again.fingerprint() == mixed.fingerprint()
    assert again.write(["the"], seed=3) == mixed.write(["the"], seed=3)
    assert again.write(["the"], beams=3)[0].startswith("the")
    assert np.array_equal(again.surprisals(TEST[:2])[0].bits, mixed.surprisals(TEST[:2])[0].bits)
    assert again.save(tmp_path / "n.erya").read_bytes() == (tmp_path / "m.erya").read_bytes()


def test_a_mixture_of_mixtures_is_flat(parts, mixed):
    more = Mixture.of([mixed, parts[0]], DEV)
    assert len(more.models_) == 4
    assert more.trace("the cat").arrays["each"].shape == (4, 8)


def test_what_cannot_be_mixed(parts):
    other = NGram(order=2, tokenizer="words").fit(TEXTS)
    with pytest.raises(UsageError, match="other units"):
        Mixture.of([parts[0], other], DEV)
    with pytest.raises(UsageError, match="two or more"):
        Mixture.of(parts[:1], DEV)
    with pytest.raises(UsageError, match="weights"):
        Mixture.of(parts, [], weights=[0.5, 0.6, 0.1])
    with pytest.raises(DataError):
        Mixture.of(parts, [""])
    with pytest.raises(UsageError, match="no language model"):
        Mixture.of([parts[0], "m.erya"], DEV)
    with pytest.raises(UsageError, match="trained models"):
        Mixture().fit(TEXTS)
