from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from erya import catalog
from erya.errors import UsageError
from erya.models.dpcnn import network as network_module
from erya.models.dpcnn.estimator import DPCNN
from erya.models.dpcnn.network import halved
from erya.parts.token_batches import Corpus
from erya.tasks import classify

VOCABULARY, DIM, WIDTH, CLASSES = 11, 3, 5, 7
TEXTS = [[1, 2, 3, 2], [4, 5, 6, 7, 2, 9, 10], [], [9]]


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY, np.arange(len(texts)), np.linspace(1, 2, len(texts)))


def network(blocks=2):
    net = network_module.DPCNN(VOCABULARY, DIM, WIDTH, blocks, CLASSES, 0.0, torch.Generator().manual_seed(5)).double()
    with torch.no_grad():
        for bias in [net.region_bias, *net.biases, net.output_bias]:
            bias.normal_(0, 0.3, generator=torch.Generator().manual_seed(6))
    return net


def by_hand(net, ids):
    """One text without any padding, with torch's own convolutions; the halving in a plain loop."""
    vectors = net.embedding[torch.tensor(ids)].T[None]  # (1, D, T)
    level = functional.conv1d(vectors, net.region.permute(2, 0, 1), net.region_bias, padding=1)[0]
    for block in range(net.blocks + 1):
        if block:
            level = torch.stack(
                [level[:, start : start + 3].amax(dim=1) for start in range(0, level.shape[1], 2)], dim=1
            )
        inner = level
        for number in (2 * block, 2 * block + 1):
            inner = functional.conv1d(torch.relu(inner)[None], net.convolutions[number], net.biases[number], padding=1)[
                0
            ]
        level = level + inner
    return level.amax(dim=1) @ net.output + net.output_bias


@pytest.mark.parametrize("blocks", [0, 1, 4])
def test_the_answer_and_its_gradients_are_those_of_plain_convolutions(blocks):
    net = network(blocks)
    batch = corpus().batch(np.arange(4))
    ours = net(batch)
    assert ours.shape == (4, CLASSES)
    order = [(place, row) for place, row in enumerate(batch.rows.tolist()) if TEXTS[row]]
    mine, theirs = ours[[place for place, _ in order]], torch.stack([by_hand(net, TEXTS[row]) for _, row in order])
    torch.testing.assert_close(mine, theirs, atol=1e-12, rtol=0)
    weights = torch.randn(mine.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    learned = list(net.parameters())
    ones = torch.autograd.grad((mine * weights).sum(), learned)
    others = torch.autograd.grad((theirs * weights).sum(), learned)
    for one, other in zip(ones, others, strict=True):
        torch.testing.assert_close(one.to_dense() if one.is_sparse else one, other, atol=1e-12, rtol=0)


def test_gradcheck_of_the_loss():
    net = network(1)
    batch = corpus([[1, 2, 3, 2], [4, 5, 6]]).batch(np.arange(2))
    learned = [net.region, net.region_bias, *net.convolutions, *net.biases, net.output, net.output_bias]
    assert torch.autograd.gradcheck(lambda *_: net.loss(batch), tuple(learned))


def test_halving_sees_three_places_and_none_behind_the_end():
    level = torch.tensor([[[1.0, 2, 3, -4, -5, 0]], [[-7.0, -8, 0, 0, 0, 0]], [[0.0, 0, 0, 0, 0, 0]]])
    pooled, lengths = halved(level, torch.tensor([5, 2, 0]))
    assert lengths.tolist() == [3, 1, 0]
    assert pooled[:, 0].tolist() == [[3, 3, -5], [-7, 0, 0], [0, 0, 0]]


def test_padding_and_company_change_nothing():
    net = network(3).float()
    whole = corpus()
    batch = whole.batch(np.arange(4))
    together = torch.zeros(4, CLASSES)
    together[batch.rows] = net(batch).detach()
    for row in range(4):
        alone = net(whole.batch(np.array([row])))[0].detach()
        torch.testing.assert_close(alone, together[row], atol=1e-5, rtol=0)
    torch.testing.assert_close(together[2], net.output_bias.detach())


def test_the_top_sees_what_stands_far_apart():
    """With three blocks, one feature depends on tokens that no window of width 3 holds together."""
    net = network(3)
    ids = [1] * 20
    base = net(Corpus([ids], VOCABULARY).batch(np.arange(1)))
    level = net.levels(Corpus([ids], VOCABULARY).batch(np.arange(1)))[-1]
    assert level.shape == (1, WIDTH, 3)
    for place in (0, 19):
        changed = [*ids]
        changed[place] = 7
        other = net.levels(Corpus([changed], VOCABULARY).batch(np.arange(1)))[-1]
        assert not torch.allclose(level[..., 1], other[..., 1]), "the middle of the top level sees both ends"
    assert base.shape == (1, CLASSES)


def test_same_seed_same_bits_and_files(tmp_path):
    import erya

    X, y = classify.toy(seed=1, rows=60)
    models = [catalog.model("classify/dpcnn", "tiny", {"epochs": 2}).fit(X, y) for _ in range(2)]
    assert models[0].fingerprint() == models[1].fingerprint()
    again = erya.load(models[0].save(tmp_path / "m.erya"))
    assert np.array_equal(again.predict_proba([*X, ""]), models[0].predict_proba([*X, ""]))
    assert not models[0].network_.embedding[0].any()


def test_the_trace_adds_up_to_the_answer():
    X, y = classify.toy(seed=1, rows=120)
    model = catalog.model("classify/dpcnn", "tiny", {"epochs": 4, "blocks": 2}).fit(X, y)
    for text in ("the soup is tasty", "soup", ""):
        arrays = model.trace(text).arrays
        chosen = int(arrays["probabilities"].argmax())
        bias = float(model.network_.output_bias[chosen].detach())
        assert arrays["contributions"].sum() + bias == pytest.approx(arrays["logits"][chosen], abs=1e-5)
        if text:
            np.testing.assert_allclose(arrays["level_2"].max(axis=0), arrays["features"], atol=1e-6)
        assert len(arrays["shares"]) == len(text.split())
    blank = model.network_(Corpus([[0] * 4], len(model.vocabulary_)).batch(np.arange(1)))[0].detach().numpy()
    arrays = model.trace("the soup is tasty").arrays
    chosen = int(arrays["probabilities"].argmax())
    assert arrays["shares"].sum() == pytest.approx(arrays["logits"][chosen] - blank[chosen], abs=0.2)


@pytest.mark.parametrize("wrong", [{"blocks": -1}, {"blocks": 21}, {"hidden_width": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        DPCNN(**wrong).fit(*classify.toy(rows=30))
