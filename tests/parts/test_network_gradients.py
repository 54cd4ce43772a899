"""Integrated gradients: complete, exact where the network is linear, and the same as captum's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn
from torch.nn import functional

from erya import catalog
from erya.errors import UsageError
from erya.parts.network_classifier import NetworkClassifier
from erya.parts.network_gradients import token_shares
from erya.parts.token_batches import TokenBatch
from erya.tasks import classify
from tests.conftest import small_model

VOCABULARY, DIM, CLASSES = 9, 3, 5
NETWORKS = [id for id in catalog.ids("classify") if issubclass(catalog.find(id), NetworkClassifier)]
WITH_TABLES = [id for id in NETWORKS if catalog.model(id, "tiny")._tables()]


class Bag(nn.Module):
    """Logits from the mean of squashed word vectors; ``bend`` 0: linear."""

    def __init__(self, bend):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.bend = bend
        self.embedding = nn.Parameter(torch.randn(VOCABULARY, DIM, generator=generator, dtype=torch.double))
        self.output = nn.Parameter(torch.randn(DIM, CLASSES, generator=generator, dtype=torch.double))

    def forward(self, batch, generator=None):
        vectors = functional.embedding(batch.tokens, self.embedding, padding_idx=0, sparse=True)[batch.places]
        squashed = torch.tanh(vectors * self.bend) / self.bend if self.bend else vectors
        inside = (batch.places > 0)[..., None]
        return (squashed * inside).sum(dim=1) / batch.lengths[:, None] @ self.output


def test_of_a_linear_network_a_share_is_the_tokens_own_part():
    net, ids = Bag(0), [4, 2, 4, 7]
    shares, difference = token_shares(net, ["embedding"], ids, 1, steps=1)
    own = (net.embedding[torch.tensor(ids)] / len(ids) @ net.output)[:, 1].detach().numpy()
    np.testing.assert_allclose(shares, own, atol=1e-12)
    assert shares.sum() == pytest.approx(difference, abs=1e-12)
    assert difference == pytest.approx(float(own.sum()), abs=1e-12)  # nothing gives 0 here


def test_more_steps_come_nearer_to_the_whole():
    net, ids = Bag(2.0), [4, 2, 5, 7, 1]
    gaps = []
    for steps in (1, 2, 4, 16):
        shares, difference = token_shares(net, ["embedding"], ids, 2, steps=steps)
        gaps.append(abs(difference - shares.sum()))
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-9 < gaps[0]


def test_the_integral_in_pieces_is_the_same(monkeypatch):
    net, ids = Bag(2.0), [4, 2, 5, 7, 1]
    whole, _ = token_shares(net, ["embedding"], ids, 2, steps=16)
    monkeypatch.setattr("erya.parts.network_gradients.TOKENS_AT_ONCE", 16)  # three points at once
    np.testing.assert_allclose(token_shares(net, ["embedding"], ids, 2, steps=16)[0], whole, atol=1e-12)


class Dense(torch.autograd.Function):
    """Nothing, but its gradient is dense: torch has no sparse gradient of a concatenation."""

    @staticmethod
    def forward(ctx, values):
        return values.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.to_dense() if gradient.is_sparse else gradient


def by_captum(net, tables, ids, chosen, steps):
    """(T,) captum's shares: the vectors of all places are an input of the network."""
    length = len(ids)

    def logits(*stacks):  # (S, T, D) of each table
        size = len(stacks[0])
        twin = type(net).__new__(type(net))
        twin.__dict__.update(net.__dict__)
        known = getattr(net, "of_tokens", ())  # what the network knows of each token besides its vector
        twin._parameters = {name: one for name, one in net._parameters.items() if name not in (*tables, *known)}
        for name in known:
            mine = getattr(net, name).detach()
            twin.__dict__[name] = mine[torch.tensor([0, *ids * size])]
        for name, stack in zip(tables, stacks, strict=True):
            rows = stack.flatten(0, 1)
            twin.__dict__[name] = Dense.apply(torch.cat([rows.new_zeros(1, rows.shape[1]), rows]))
        places = 1 + torch.arange(size * length).view(size, length)
        return twin(TokenBatch(np.arange(size), torch.arange(1 + size * length), places, torch.full((size,), length)))

    inputs = tuple(getattr(net, name).detach()[torch.tensor(ids)][None] for name in tables)
    found = IntegratedGradients(logits).attribute(inputs, target=chosen, n_steps=steps, method="gausslegendre")
    return sum(one.sum(dim=2)[0] for one in found).detach().numpy()


def test_the_shares_are_captums():
    net, ids = Bag(2.0), [4, 2, 5, 4, 1]
    shares, _ = token_shares(net, ["embedding"], ids, 3, steps=20)
    np.testing.assert_allclose(shares, by_captum(net, ["embedding"], ids, 3, 20), atol=1e-12)


@pytest.mark.parametrize("id", WITH_TABLES)
def test_the_shares_of_every_network_are_captums(id, fitted):
    model = fitted(id)
    text = "the soup is very tasty the soup"
    explained = model.explain(text, label="music", method="integrated_gradients", steps=12)
    ids = model.vocabulary_.ids(model.tokenizer_.tokens(text))
    chosen = model.classes_.tolist().index("music")
    peer = by_captum(model.network_, list(model._tables()), ids, chosen, 12)
    np.testing.assert_allclose(explained.arrays["contributions"], peer, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("id", WITH_TABLES)
def test_the_parts_sum_to_the_difference_of_the_logits(id, fitted):
    model, text = fitted(id), "the soup is very really"
    explained = model.explain(text, method="integrated_gradients", steps=512)  # maxima jump: few steps miss where
    arrays = explained.arrays
    error, difference = float(arrays["error"][0]), float(arrays["difference"][0])
    assert arrays["contributions"].sum() + error == pytest.approx(difference, abs=1e-9)
    assert abs(error) < 0.05 * abs(difference) + 1e-3
    np.testing.assert_allclose(arrays["probabilities"], model.predict_proba([text])[0], atol=1e-12)
    assert f"{abs(error):.2g}" in explained.views[0].note
    if id in ("classify/textcnn", "classify/lstm"):  # no law: on the way from nothing to a text others may matter more
        assert int(np.argmax(arrays["contributions"])) == 1, "soup"


def test_the_weights_stay_as_they_are_and_an_empty_text_has_no_parts(fitted):
    model = fitted("classify/textcnn")
    before = model.fingerprint()
    assert len(model.explain("", method="integrated_gradients").arrays["contributions"]) == 0
    model.explain("soup", method="integrated_gradients")
    assert model.fingerprint() == before
    with pytest.raises(UsageError, match="method"):
        model.explain("soup", method="guessing")
    with pytest.raises(UsageError, match="steps"):
        model.explain("soup", method="integrated_gradients", steps=0)


def test_windows_share_the_difference(fitted, monkeypatch):
    model = fitted("classify/textcnn")
    monkeypatch.setattr(type(model), "most_tokens", 3)
    how = {"label": "food", "method": "integrated_gradients"}
    found = model.explain("the soup is very tasty today", **how).arrays["contributions"]
    halves = [model.explain(text, **how).arrays["contributions"] for text in ("the soup is", "very tasty today")]
    np.testing.assert_allclose(found, np.concatenate(halves) / 2, atol=1e-6)


def test_several_labels_are_explained_one_by_one():
    model = small_model("classify/textcnn").fit(*classify.toy_several(seed=1, rows=200))
    for label, word in (("food", "soup"), ("music", "song")):
        arrays = model.explain("the soup and the song", label=label, method="integrated_gradients").arrays
        tokens = ["the", "soup", "and", "the", "song"]
        assert tokens[int(arrays["contributions"].argmax())] == word
        assert arrays["probabilities"].shape == (3,)
