from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from erya import catalog
from erya.errors import UsageError
from erya.models.char_cnn import network as network_module
from erya.models.char_cnn.estimator import CharCNN
from erya.models.char_cnn.network import places_left
from erya.parts.long_texts import LongTextWarning
from erya.parts.token_batches import Corpus
from erya.tasks import classify

VOCABULARY, LENGTH, FILTERS, WIDTH, CLASSES = 11, 151, 3, 5, 7
TEXTS = [[1, 2, 3, 2] * 20, [4, 5, 6, 7, 2, 9, 10] * 21, [], [9]]


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY, np.arange(len(texts)), np.linspace(1, 2, len(texts)))


def network(length=LENGTH):
    net = network_module.CharCNN(
        VOCABULARY, length, FILTERS, WIDTH, CLASSES, 0.0, torch.Generator().manual_seed(5)
    ).double()
    with torch.no_grad():
        for bias in [*net.biases, *net.full_biases, net.output_bias]:
            bias.normal_(0, 0.3, generator=torch.Generator().manual_seed(6))
    return net


def by_one_hot(net, ids):
    """The paper's way: a matrix of ones and zeros, backwards, and torch's convolutions."""
    hot = torch.zeros(1, VOCABULARY, net.length, dtype=torch.double)
    for place, id in enumerate(reversed(ids)):
        hot[0, id, place] = 1
    kernel = net.embedding.view(VOCABULARY, 7, FILTERS).permute(2, 0, 1)  # (F, V, 7)
    values = functional.max_pool1d(functional.relu(functional.conv1d(hot, kernel, net.biases[0])), 3)
    for number, weights in enumerate(net.convolutions, 1):
        values = functional.relu(functional.conv1d(values, weights, net.biases[number]))
        if number in (1, 5):
            values = functional.max_pool1d(values, 3)
    values = values.flatten(1)
    for weights, bias in zip(net.full, net.full_biases, strict=True):
        values = functional.relu(values @ weights + bias)
    return (values @ net.output + net.output_bias)[0]


def test_the_papers_frames():
    assert places_left(1014) == [336, 110, 108, 106, 104, 34]
    for length in (123, 150, 1014):
        assert places_left(length)[-1] >= 1
    assert places_left(122)[-1] == 0


def test_the_answer_and_its_gradients_are_those_of_one_hot_characters():
    net = network()
    batch = corpus().batch(np.arange(4))
    ours = net(batch)
    assert ours.shape == (4, CLASSES)
    peer = torch.stack([by_one_hot(net, TEXTS[row]) for row in batch.rows.tolist()])
    torch.testing.assert_close(ours, peer, atol=1e-12, rtol=0)
    weights = torch.randn(ours.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    learned = list(net.parameters())
    mine = torch.autograd.grad((ours * weights).sum(), learned)
    theirs = torch.autograd.grad((peer * weights).sum(), learned)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one.to_dense() if one.is_sparse else one, other, atol=1e-12, rtol=0)


def test_gradcheck_of_the_full_layers():
    net = network(123)
    batch = corpus([[1, 2, 3, 2], [4, 5, 6]]).batch(np.arange(2))
    learned = [*net.full, *net.full_biases, net.output, net.output_bias]
    assert torch.autograd.gradcheck(lambda *_: net.loss(batch), tuple(learned))


def test_padding_and_company_change_nothing(monkeypatch):
    net = network().float()
    whole = corpus()
    batch = whole.batch(np.arange(4))
    together = torch.zeros(4, CLASSES)
    together[batch.rows] = net(batch).detach()
    monkeypatch.setattr(network_module, "NUMBERS_AT_ONCE", 1)  # text by text
    for row in range(4):
        alone = net(whole.batch(np.array([row])))[0].detach()
        torch.testing.assert_close(alone, together[row], atol=1e-5, rtol=0)
    torch.testing.assert_close(net(batch).detach()[torch.argsort(torch.from_numpy(batch.rows))], together)


def test_what_is_longer_is_read_in_windows_and_said():
    X, y = classify.toy(seed=1, rows=60)
    model = catalog.model("classify/char_cnn", "tiny", {"epochs": 1}).fit(X, y)
    text = "the soup is tasty " * 12  # 215 characters
    with pytest.warns(LongTextWarning):
        found = model._logits([list(text.strip())])[0]
    first, second = model._logits([list(text.strip()[:123]), list(text.strip()[123:])])
    np.testing.assert_allclose(found, (123 * first + 92 * second) / 215, atol=1e-5)
    with pytest.warns(LongTextWarning):
        other = model.predict_proba([text.strip() + " rain"])
    assert not np.allclose(other, model._probabilities(found[None])), "the end of a long text counts"


def test_same_seed_same_bits_and_files(tmp_path):
    import erya

    X, y = classify.toy(seed=1, rows=60)
    models = [catalog.model("classify/char_cnn", "tiny", {"epochs": 2}).fit(X, y) for _ in range(2)]
    assert models[0].fingerprint() == models[1].fingerprint()
    again = erya.load(models[0].save(tmp_path / "m.erya"))
    assert np.array_equal(again.predict_proba([*X, ""]), models[0].predict_proba([*X, ""]))
    assert not models[0].network_.embedding[0].any()


def test_the_trace_adds_up_to_the_answer():
    X, y = classify.toy(seed=1, rows=120)
    model = catalog.model("classify/char_cnn", "tiny", {"epochs": 4}).fit(X, y)
    for text in ("the soup is tasty", "s", ""):
        arrays = model.trace(text).arrays
        chosen = int(arrays["probabilities"].argmax())
        bias = float(model.network_.output_bias[chosen].detach())
        assert arrays["contributions"].sum() + bias == pytest.approx(arrays["logits"][chosen], abs=1e-4)
        assert len(arrays["shares"]) == len(text)
        assert [len(arrays[f"layer_{number}"]) for number in range(1, 7)] == places_left(123)


@pytest.mark.parametrize("wrong", [{"length": 122}, {"length": 200_000}, {"filters": 0}, {"hidden_width": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        CharCNN(**wrong).fit(*classify.toy(rows=30))
