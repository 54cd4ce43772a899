from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from erya import catalog
from erya.errors import DivergedError, Interrupted, UsageError
from erya.models.textcnn import network as network_module
from erya.models.textcnn.estimator import TextCNN
from erya.models.textcnn.network import StrongestResponse, window_rows
from erya.parts.token_batches import Corpus
from erya.progress import Report
from erya.tasks import classify

VOCABULARY, DIM, FILTERS, CLASSES = 11, 3, 5, 7
TEXTS = [[1, 2, 3, 2], [4, 5, 6, 7, 2, 9], [], [9]]


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY, np.arange(len(texts)), np.linspace(1, 2, len(texts)))


def network(windows=(1, 2, 4), dropout=0.0):
    return network_module.TextCNN(
        VOCABULARY, DIM, windows, FILTERS, CLASSES, dropout, torch.Generator().manual_seed(5)
    ).double()


def by_conv1d(net, ids):
    """The same features with torch's own convolution over a text between many zeros."""
    vectors = torch.cat([torch.zeros(6, DIM), net.embedding[ids], torch.zeros(6, DIM)]).T[None]  # (1, D, T + 12)
    found = []
    for window, filters, bias in zip(net.windows, net.filters, net.biases, strict=True):
        assert filters.shape == (DIM, window, FILTERS)
        found.append(functional.relu(functional.conv1d(vectors, filters.permute(2, 0, 1), bias)).amax(dim=2))
    return torch.cat(found, dim=1)[0]


def test_features_and_their_gradients_are_those_of_conv1d():
    net = network()
    with torch.no_grad():
        for bias in net.biases:
            bias.normal_(0, 0.3)
    batch = corpus().batch(np.arange(4))
    ours = net.features(batch)
    peer = torch.stack([by_conv1d(net, torch.tensor(TEXTS[row], dtype=torch.long)) for row in batch.rows.tolist()])
    assert ours.shape == (4, 3 * FILTERS)
    torch.testing.assert_close(ours, peer, atol=1e-12, rtol=0)
    weights = torch.randn(ours.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    learned = [net.embedding, *net.filters, *net.biases]
    mine = torch.autograd.grad((ours * weights).sum(), learned)
    theirs = torch.autograd.grad((peer * weights).sum(), learned)
    for one, other in zip(mine, theirs, strict=True):
        dense = one.to_dense() if one.is_sparse else one
        torch.testing.assert_close(dense, other, atol=1e-12, rtol=0)


@pytest.mark.parametrize("window", [1, 2, 5])
def test_gradcheck_of_the_strongest_response(window):
    batch = corpus().batch(np.arange(4))
    generator = torch.Generator().manual_seed(window)
    shares = torch.randn(len(batch.tokens), window * FILTERS, dtype=torch.double, generator=generator)
    shares[0] = 0
    learned = shares[1:].clone().requires_grad_()

    def strongest(rest):
        return StrongestResponse.apply(torch.cat([shares[:1], rest]), batch.places, window)

    assert torch.autograd.gradcheck(strongest, (learned,))


def test_windows_reach_over_both_ends():
    rows = window_rows(torch.tensor([[4, 7]]), 2)
    assert rows.tolist() == [[[0, 1], [0, 9], [8, 15], [14, 1], [0, 1]]]


def test_gradcheck_of_the_loss():
    net = network(windows=(2, 3))
    batch = corpus().batch(np.arange(4))
    learned = [*net.filters, *net.biases, net.output, net.output_bias]
    with torch.no_grad():
        for bias in net.biases:
            bias += 0.2  # away from the kink of relu at 0

    def loss(*_):
        return net.loss(batch)

    assert torch.autograd.gradcheck(loss, tuple(learned))


def test_padding_and_company_change_nothing():
    net = network().float()
    whole = corpus()
    together = torch.zeros(4, CLASSES)
    batch = whole.batch(np.arange(4))
    together[batch.rows] = net(batch).detach()
    for row in range(4):
        torch.testing.assert_close(net(whole.batch(np.array([row])))[0].detach(), together[row], atol=1e-5, rtol=0)


def test_padding_never_learns():
    model = TextCNN(epochs=2, dim=4, filters=3, min_count=1).fit(*classify.toy(rows=30))
    assert not model.network_.embedding[0].any()


def test_window_takes_a_number_or_several_and_refuses_the_rest():
    X, y = classify.toy(rows=30)
    settings = {"dim": 4, "filters": 2, "epochs": 1}
    assert TextCNN(window=2, **settings).fit(X, y).network_.windows == (2,)
    for wrong in ((), (0,), (3, 3), "345", 2.5, (True,), 65):
        with pytest.raises(UsageError, match="window"):
            TextCNN(window=wrong, **settings).fit(X, y)


def test_the_trace_adds_up_to_the_answer():
    X, y = classify.toy(seed=1)
    model = catalog.model("classify/textcnn", "tiny").fit(X, y)
    for text in ("the soup is tasty", ""):
        arrays = model.trace(text).arrays
        chosen = int(arrays["probabilities"].argmax())
        bias = float(model.network_.output_bias[chosen].detach())
        assert arrays["contributions"].sum() + bias == pytest.approx(arrays["logits"][chosen], abs=1e-5)
        pooled = np.concatenate([arrays[f"pooled_{window}"] for window in model.network_.windows])
        np.testing.assert_allclose(pooled, arrays["features"])
    place = model.trace("the soup is tasty").arrays["place_2"]
    assert set(place.tolist()) <= set(range(4 + 2 + 1))


class StopAt(Report):
    """Asks to stop after so many steps and keeps the checkpoint; gives it back when training begins again."""

    def __init__(self, step=None, checkpoint=None):
        self.step, self.checkpoint, self.steps = step, checkpoint, 0

    def stopping(self):
        self.steps += 1
        return "interrupt" if self.steps == self.step else None

    def save_checkpoint(self, state):
        self.checkpoint = state

    def load_checkpoint(self):
        return self.checkpoint


def test_resuming_ends_with_the_same_bits():
    X, y = classify.toy(seed=2, rows=130)
    settings = {"dim": 8, "filters": 6, "epochs": 5, "batch_size": 16, "learning_rate": 0.01, "clip_norm": 0.5}
    whole = TextCNN(**settings)
    counted = StopAt()
    whole.fit(X, y, report=counted)
    for step in np.random.default_rng(3).choice(np.arange(1, counted.steps), 5, replace=False).tolist():
        report = StopAt(step)
        with pytest.raises(Interrupted):
            TextCNN(**settings).fit(X, y, report=report)
        again = TextCNN(**settings).fit(X, y, report=StopAt(None, report.checkpoint))
        assert again.fingerprint() == whole.fingerprint(), step
        assert again.curve_ == whole.curve_


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(monkeypatch, bad):
    X, y = classify.toy(seed=3, rows=90)
    settings = {"dim": 8, "filters": 6, "epochs": 4, "batch_size": 16, "patience": None, "min_count": 1}
    honest, seen = network_module.TextCNN.loss, []

    def poisoned(self, batch, generator=None):
        seen.append((self, [value.detach().clone() for value in self.parameters()]))
        loss = honest(self, batch, generator)
        return loss * bad if len(seen) == 4 else loss

    monkeypatch.setattr(network_module.TextCNN, "loss", poisoned)
    with pytest.raises(DivergedError, match=r"step 4 .*step 3, the last good one") as caught:
        TextCNN(**settings).fit(X, y)
    assert caught.value.exit == 6
    net, before = seen[-1]
    assert len(seen) == 4
    assert all(torch.equal(one, other) for one, other in zip(net.parameters(), before, strict=True))
    assert not torch.equal(seen[2][1][0], before[0]), "step 3 was taken"


def test_a_weight_of_two_is_the_row_twice():
    net = network().float()
    targets = np.array([0, 3, 6])
    weighted = Corpus(TEXTS[:3], VOCABULARY, targets, np.array([2.0, 1.0, 1.0])).batch(np.arange(3))
    repeated = Corpus([TEXTS[0], *TEXTS[:3]], VOCABULARY, np.array([0, *targets]), np.ones(4)).batch(np.arange(4))
    torch.testing.assert_close(net.loss(weighted), net.loss(repeated))


@pytest.mark.parametrize("places", [1, 2, 3])
def test_long_texts_are_read_in_pieces_with_the_same_answer_and_gradient(monkeypatch, places):
    net = network()
    batch = corpus().batch(np.arange(4))
    whole = net.loss(batch)
    gradients = torch.autograd.grad(whole, [*net.filters])
    monkeypatch.setattr(network_module, "PLACES_AT_ONCE", places)
    pieces = net.loss(batch)
    torch.testing.assert_close(pieces, whole, atol=1e-12, rtol=0)
    for one, other in zip(torch.autograd.grad(pieces, [*net.filters]), gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)
