from __future__ import annotations

import numpy as np
import pytest
import torch

from erya import catalog
from erya.errors import UsageError
from erya.models.rcnn import network as network_module
from erya.models.rcnn.estimator import RCNN
from erya.parts.token_batches import Corpus
from erya.tasks import classify

VOCABULARY, DIM, CONTEXT, LATENT, CLASSES = 11, 3, 5, 7, 4
TEXTS = [[1, 2, 3, 2], [4, 5, 6, 7, 2, 9], [], [9]]


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY, np.arange(len(texts)), np.linspace(1, 2, len(texts)))


def network():
    net = network_module.RCNN(VOCABULARY, DIM, CONTEXT, LATENT, CLASSES, 0.0, torch.Generator().manual_seed(5)).double()
    with torch.no_grad():
        for value in (net.first, net.latent_bias, net.output_bias):
            value.normal_(0, 0.5, generator=torch.Generator().manual_seed(6))
    return net


def by_the_paper(net, ids):
    """Equations 1 to 6 word by word, in plain loops."""
    x = net.embedding[torch.tensor(ids, dtype=torch.long)]
    left, right = [net.first[0]], [net.first[1]]
    for t in range(1, len(ids)):
        left.append(torch.tanh(left[-1] @ net.recurrent[0] + x[t - 1] @ net.inward[:, 0]))
    for t in range(len(ids) - 2, -1, -1):
        right.insert(0, torch.tanh(right[0] @ net.recurrent[1] + x[t + 1] @ net.inward[:, 1]))
    rows = [torch.cat([one, here, other]) for one, here, other in zip(left, x, right, strict=True)]
    latents = torch.tanh(torch.stack(rows) @ net.latent + net.latent_bias)
    return latents, latents.amax(dim=0) @ net.output + net.output_bias


def test_the_answer_and_its_gradients_are_those_of_the_equations():
    net = network()
    batch = corpus().batch(np.arange(4))
    ours = net(batch)
    assert ours.shape == (4, CLASSES)
    rows = [row for row in batch.rows.tolist() if TEXTS[row]]
    places = [batch.rows.tolist().index(row) for row in rows]
    peer = torch.stack([by_the_paper(net, TEXTS[row])[1] for row in rows])
    torch.testing.assert_close(ours[places], peer, atol=1e-12, rtol=0)
    weights = torch.randn(peer.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    learned = list(net.parameters())
    mine = torch.autograd.grad((ours[places] * weights).sum(), learned)
    theirs = torch.autograd.grad((peer * weights).sum(), learned)
    for one, other in zip(mine, theirs, strict=True):
        dense = one.to_dense() if one.is_sparse else one
        torch.testing.assert_close(dense, other, atol=1e-12, rtol=0)


def test_gradcheck_of_the_loss():
    net = network()
    batch = corpus().batch(np.arange(4))
    learned = [net.inward, net.recurrent, net.first, net.latent, net.latent_bias, net.output, net.output_bias]
    assert torch.autograd.gradcheck(lambda *_: net.loss(batch), tuple(learned))


def test_a_words_context_holds_neither_itself_nor_what_lies_behind_it():
    net = network()
    contexts, _ = net.latents(Corpus([[1, 2, 3, 4], [1, 2, 5, 4]], VOCABULARY).batch(np.arange(2)))
    left, right = contexts[:, :, :CONTEXT], contexts[:, :, CONTEXT:]
    assert torch.equal(left[0, :3], left[1, :3])
    assert not torch.allclose(left[0, 3], left[1, 3])
    assert torch.equal(right[0, 2:], right[1, 2:])
    assert not torch.allclose(right[0, 1], right[1, 1])


def test_padding_and_company_change_nothing():
    net = network().float()
    whole = corpus()
    batch = whole.batch(np.arange(4))
    together = torch.zeros(4, CLASSES)
    together[batch.rows] = net(batch).detach()
    for row in range(4):
        alone = net(whole.batch(np.array([row])))[0].detach()
        torch.testing.assert_close(alone, together[row], atol=1e-5, rtol=0)
    torch.testing.assert_close(together[2], net.output_bias.detach())


def test_same_seed_same_bits_and_files(tmp_path):
    import erya

    X, y = classify.toy(seed=1, rows=60)
    models = [catalog.model("classify/rcnn", "tiny", {"epochs": 2}).fit(X, y) for _ in range(2)]
    assert models[0].fingerprint() == models[1].fingerprint()
    again = erya.load(models[0].save(tmp_path / "m.erya"))
    assert np.array_equal(again.predict_proba([*X, ""]), models[0].predict_proba([*X, ""]))
    assert not models[0].network_.embedding[0].any()


def test_the_trace_adds_up_to_the_answer():
    X, y = classify.toy(seed=1, rows=120)
    model = catalog.model("classify/rcnn", "tiny", {"epochs": 4}).fit(X, y)
    for text in ("the soup is tasty", "soup", ""):
        arrays = model.trace(text).arrays
        chosen = int(arrays["probabilities"].argmax())
        bias = float(model.network_.output_bias[chosen].detach())
        assert arrays["contributions"].sum() + bias == pytest.approx(arrays["logits"][chosen], abs=1e-5)
        if text:
            np.testing.assert_allclose(arrays["latents"].max(axis=0), arrays["features"], atol=1e-6)
            np.testing.assert_array_equal(arrays["latents"].argmax(axis=0), arrays["place"])
        assert arrays["left"].shape == (len(text.split()), 10)


@pytest.mark.parametrize("wrong", [{"context_width": 0}, {"hidden_width": 2.5}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        RCNN(**wrong).fit(*classify.toy(rows=30))
