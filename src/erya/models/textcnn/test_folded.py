"""The answers without torch are those of the network in torch."""

from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch

from erya import catalog
from erya.models.textcnn import folded as folded_module
from erya.models.textcnn.folded import ACTIVATIONS, Folded, shapes
from erya.models.textcnn.network import TextCNN
from erya.parts.answer_shares import probabilities
from erya.parts.network_answers import logits
from erya.parts.token_batches import Corpus
from erya.tasks import classify
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
    documents = [text for text in texts(300) if text]  # NumPy answers nothing at all
    whole = ours.logits(documents, 10**6)
    _, small, _ = pair((3, 4, 5))
    small.logits(documents[:1], 10**6)
    small._many.most = 31
    monkeypatch.setattr(folded_module, "TOKENS_AT_ONCE", 1)
    assert np.array_equal(np.concatenate([small.logits([text], 10**6) for text in documents]), whole)
    assert small._many._used <= 32


def test_texts_that_are_too_long_are_left_to_the_windows(monkeypatch):
    _, ours, _ = pair((2,))
    assert ours.logits(["w2 w3 w4"], 2) is None
    monkeypatch.setattr(folded_module, "FEW_TOKENS", 0)
    assert ours.logits(["w2 w3 w4"], 2) is None


def test_a_file_is_opened_asked_explained_and_saved_without_torch(tmp_path):
    X, y = classify.toy(seed=1)
    model = catalog.model("classify/textcnn", "tiny").fit(X, y)
    path = model.save(tmp_path / "m.erya")
    texts = ["the soup is tasty", "", "汤很好喝"]
    np.save(tmp_path / "want.npy", model.predict_proba(texts))
    script = (
        "import sys\nif sys.argv[3] == 'none': sys.modules['torch'] = None\nimport erya, numpy as np\n"
        "from erya.errors import ResourceError\n"
        f"model, texts = erya.load(sys.argv[1] + '/m.erya'), {texts!r}\n"
        "assert np.array_equal(model.predict_proba(texts), np.load(sys.argv[1] + '/want.npy'))\n"
        "assert model.explain('the soup is tasty').arrays\n"
        "model.save(sys.argv[1] + '/again.erya')\n"
        "print(','.join(m for m in ('torch', 'numba', 'sklearn') if sys.modules.get(m)))\n"
        "try: model.trace('soup')\nexcept ResourceError: print('no torch')\n"
    )
    for there, said in (("none", "\nno torch\n"), ("some", "\n")):
        command = [sys.executable, "-c", script, str(tmp_path), "", there]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == said
    assert (tmp_path / "again.erya").read_bytes()[:4] == path.read_bytes()[:4]
    assert catalog.load(tmp_path / "again.erya").fingerprint() == model.fingerprint()


def test_a_loaded_network_goes_on_as_the_one_that_was_saved(tmp_path):
    X, y = classify.toy(seed=1)
    model = catalog.model("classify/textcnn", "tiny").fit(X, y)
    loaded = catalog.load(model.save(tmp_path / "m.erya"))
    assert "network_" not in vars(loaded)
    many = [*X] * 30  # more than NumPy takes
    peer = by_torch_of(loaded, many)
    np.testing.assert_allclose(loaded.predict_proba(many), peer, atol=1e-5, rtol=0)
    assert "_weights" not in vars(loaded)
    assert np.array_equal(loaded.predict_proba(many), model.predict_proba(many))
    assert loaded.partial_fit(X, y).fingerprint() == model.partial_fit(X, y).fingerprint()
    np.testing.assert_allclose(model.predict_proba(many), by_torch_of(model, many), atol=1e-5, rtol=0)
    twin = copy.deepcopy(model)
    assert np.array_equal(twin.predict_proba(many), model.predict_proba(many))


def by_torch_of(model, documents):
    ids = [model.vocabulary_.ids(model.tokenizer_.tokens(text)) for text in documents]
    return probabilities(logits(model.network_, Corpus(ids, len(model.vocabulary_)), len(model.classes_)))
