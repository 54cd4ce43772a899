"""The answers without torch are those of the network in torch."""

from __future__ import annotations


import numpy as np
import pytest
import torch

from erya.models.textcnn import folded as folded_module
from erya.models.textcnn.folded import ACTIVATIONS, Folded, shapes
from erya.models.textcnn.network import TextCNN
from erya.parts.network_answers import logits
from erya.parts.token_batches import Corpus
from erya.text.tokenizers import Whitespace
from erya.text.vocabulary import PADDING, UNKNOWN, Vocabulary

VOCABULARY, DIM, FILTERS, CLASSES = 41, 7, 5, 3
WORDS = [f"w{number}" for number in range(2, VOCABULARY)]


def pair(windows, activation="relu", channels=1):
    """A network with random weights, and the same folded."""
    generator = torch.Generator().manual_seed(3)
    net = TextCNN(VOCABULARY, DIM, windows, FILTERS, CLASSES, 0.0, generator, activation=activation, channels=channels)
    with torch.no_grad():
        for value in net.parameters():
            value.normal_(0, 0.5, generator=generator)
        net.embedding[0] = 0
        if channels == 2:
            net.fixed[0] = 0
    weights = {name: value.detach().numpy() for name, value in net.named_parameters()}
    vocabulary = Vocabulary([PADDING, UNKNOWN, *WORDS], specials=2)
    return net, Folded(weights, windows, activation, Whitespace(), vocabulary), vocabulary


def texts(count):
    chance = np.random.default_rng(1)
    words = [*WORDS, "never_seen"]
    found = [" ".join(chance.choice(words, size=chance.integers(0, 30))) for _ in range(count)]
    return ["", "w2", "never_seen", "w3 w4", *found]


def by_torch(net, vocabulary, documents):
    corpus = Corpus([vocabulary.ids(text.split()) for text in documents], VOCABULARY)
    return logits(net, corpus, CLASSES)


@pytest.mark.parametrize("few", [0, 10**9], ids=["kernels", "numpy"])
@pytest.mark.parametrize("windows", [(1,), (2, 1), (3, 4, 5), (9, 6)])
def test_same_logits_as_the_network_for_all_windows(monkeypatch, windows, few):
    monkeypatch.setattr(folded_module, "FEW_TOKENS", few)
    net, ours, vocabulary = pair(windows)
    documents = texts(200)
    np.testing.assert_allclose(ours.logits(documents, 10**6), by_torch(net, vocabulary, documents), atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_same_logits_for_all_activations_and_channels(monkeypatch, activation, channels):
    net, ours, vocabulary = pair((2, 3), activation, channels)
    documents = texts(20)
    peer = by_torch(net, vocabulary, documents)
    scale = max(1.0, float(np.abs(peer).max()))  # cubes are large
    np.testing.assert_allclose(ours.logits(documents, 10**6) / scale, peer / scale, atol=1e-5, rtol=0)
    monkeypatch.setattr(folded_module, "FEW_TOKENS", 0)
    np.testing.assert_allclose(ours.logits(documents, 10**6) / scale, peer / scale, atol=1e-5, rtol=0)


def test_the_activations_are_those_of_the_network():
    from erya.models.textcnn.network import ACTIVATIONS as PEERS

    values = np.linspace(-5, 5, 31, dtype=np.float32)
    assert ACTIVATIONS.keys() == PEERS.keys()
    for name, peer in PEERS.items():
        np.testing.assert_allclose(
            ACTIVATIONS[name](values), peer(torch.from_numpy(values)).numpy(), rtol=1e-5, atol=1e-6
        )


def test_shapes_are_those_of_the_network():
    for channels, strongest in ((1, 1), (2, 3)):
        net = TextCNN(VOCABULARY, DIM, (2, 5), FILTERS, CLASSES, channels=channels, strongest=strongest)
        found = shapes(VOCABULARY, DIM, (2, 5), FILTERS, CLASSES, channels=channels, strongest=strongest)
        assert found == {name: tuple(value.shape) for name, value in net.named_parameters()}


def test_a_table_that_is_full_begins_anew_with_the_same_bits(monkeypatch):
    monkeypatch.setattr(folded_module, "FEW_TOKENS", 0)
    _, ours, _ = pair((3, 4, 5))
    documents = texts(300)
    whole = ours.logits(documents, 10**6)
    _, small, _ = pair((3, 4, 5))
    small.logits(documents[1:2], 10**6)
    small._many.most = 31
    monkeypatch.setattr(folded_module, "TOKENS_AT_ONCE", 1)
    assert np.array_equal(np.concatenate([small.logits([text], 10**6) for text in documents]), whole)
    assert small._many._used <= 32


def test_texts_that_are_too_long_are_left_to_the_windows(monkeypatch):
    _, ours, _ = pair((2,))
    assert ours.logits(["w2 w3 w4"], 2) is None
    monkeypatch.setattr(folded_module, "FEW_TOKENS", 0)
    assert ours.logits(["w2 w3 w4"], 2) is None
