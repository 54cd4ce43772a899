from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch

from erya import catalog
from erya.errors import UsageError
from erya.models.rnn.estimator import RNN
from erya.models.rnn.network import ElmanNetwork, cell
from erya.parts.recurrent_layers import Reading
from erya.parts.token_batches import Corpus
from erya.tasks import classify

VOCABULARY, DIM, HIDDEN, CLASSES = 11, 3, 5, 7
TEXTS = [[1, 2, 3], [4, 5, 6, 7, 2], [], [9], [3, 3, 8]]


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY, np.arange(len(texts)), np.linspace(1, 2, len(texts)))


def network(**settings):
    generator = torch.Generator().manual_seed(5)
    return ElmanNetwork(VOCABULARY, DIM, HIDDEN, CLASSES, 0.0, generator, **settings).double()


def hidden_states(net, texts):
    """(B, T, R·H) of the last layer."""
    batch = corpus(texts).batch(np.arange(len(texts)))
    reading = Reading.of(batch.lengths, net.readers)
    return reading.padded(net.packed(batch, reading)).detach()


def test_the_textbook_cell_is_the_fast_path_and_torchs():
    """The equations step by step, the loop with its own gradient, and torch.nn.RNN: the same states."""
    net, text = network(readers=1), TEXTS[1]
    with torch.no_grad():
        for weights in (net.recurrent, net.bias):
            weights.add_(torch.randn(weights.shape, generator=torch.Generator().manual_seed(6), dtype=torch.double) / 2)
    fast = hidden_states(net, [text])[0]  # (T, H)
    twin = torch.nn.RNN(DIM, HIDDEN, batch_first=True).double()
    columns = torch.cat([torch.arange(HIDDEN) + HIDDEN * block for block in [0]])
    with torch.no_grad():
        twin.weight_ih_l0.copy_(net.input[:, 0].T[columns])
        twin.weight_hh_l0.copy_(net.recurrent[0].T[columns])
        twin.bias_ih_l0.copy_(net.bias[0][columns])
        twin.bias_hh_l0.zero_()
        torch.testing.assert_close(fast, twin(net.embedding[text][None])[0][0], atol=1e-6, rtol=0)
        hidden = torch.zeros(1, HIDDEN, dtype=torch.double)
        for step, token in enumerate(text):
            sums = (net.embedding[token] @ net.input[:, 0] + net.bias[0])[None]
            hidden = cell(sums, hidden, net.recurrent[0])
            torch.testing.assert_close(hidden[0], fast[step], atol=1e-6, rtol=0)


def test_the_backward_reader_is_the_forward_one_of_the_text_turned_round():
    net, text = network(), TEXTS[1]
    turned = network()
    with torch.no_grad():
        for name in ("input", "recurrent", "bias"):
            weights = getattr(turned, name)
            weights.copy_(weights.flip(1 if name == "input" else 0))
    both, other = hidden_states(net, [text])[0], hidden_states(turned, [text[::-1]])[0]
    torch.testing.assert_close(both[:, HIDDEN:].flip(0), other[:, :HIDDEN], atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    "settings", [{}, {"layers": 2, "pooling": "last"}, {"layers": 3, "readers": 1, "pooling": "mean"}], ids=str
)
def test_padding_and_company_change_nothing(settings):
    net = network(**settings).float()
    whole = corpus()
    together = torch.zeros(len(TEXTS), CLASSES)
    batch = whole.batch(np.arange(len(TEXTS)))
    together[batch.rows] = net(batch).detach()
    for row in range(len(TEXTS)):
        torch.testing.assert_close(net(whole.batch(np.array([row])))[0].detach(), together[row], atol=1e-5, rtol=0)


def test_settings_out_of_range():
    X, y = classify.toy(rows=30)
    for name, wrong in (
        ("hidden_width", 0),
        ("layers", 1.5),
        ("directions", 3),
        ("pooling", "sum"),
        ("recurrent_gain", -1),
    ):
        with pytest.raises(UsageError, match=name):
            RNN(**{name: wrong}).fit(X, y)


@pytest.mark.parametrize(
    "settings", [{}, {"layers": 2, "pooling": "last"}, {"directions": 1, "pooling": "mean"}], ids=str
)
def test_the_trace_is_the_way_of_the_answer(settings, tmp_path):
    X, y = classify.toy(seed=1)
    model = catalog.model("classify/rnn", "tiny", {"epochs": 2, **settings}).fit(X, y)
    model.save(tmp_path / "m.erya")
    assert catalog.load(tmp_path / "m.erya").trace("the soup").to_plain() == model.trace("the soup").to_plain()
    readers, layers = model.directions, model.layers
    for text in ("the soup is tasty", "soup", ""):
        arrays = model.trace(text).arrays
        tokens, chosen = len(text.split()), int(arrays["probabilities"].argmax())
        bias = float(model.network_.output_bias[chosen].detach())
        assert arrays["contributions"].sum() + bias == pytest.approx(arrays["logits"][chosen], abs=1e-5)
        for layer in range(1, layers + 1):
            for side in ("forward", "backward")[:readers]:
                name = side if layer == 1 else f"layer{layer}_{side}"
                assert arrays[f"{name}_gradient"].shape == (tokens,)
                assert arrays[f"{name}_hidden"].shape == (tokens, 12)
                assert (np.abs(arrays[f"{name}_hidden"]) < 1).all()
        if tokens and model.pooling == "mean":
            assert arrays["features"] == pytest.approx(arrays["forward_hidden"].mean(axis=0), abs=1e-6)
        assert ("place" in arrays) == (model.pooling != "mean")


def test_the_gradient_through_time_is_what_a_small_change_does():
    """‖∂loss/∂h_t‖ of the trace beside finite differences of the rest of the reading, done by hand with the cell."""
    X, y = classify.toy(seed=1)
    settings = {"epochs": 2, "directions": 1, "pooling": "last"}
    model = catalog.model("classify/rnn", "tiny", settings).fit(X, y)
    net, text = model.network_, "the soup is tasty"
    arrays = model.trace(text).arrays
    chosen = int(arrays["probabilities"].argmax())
    with torch.no_grad():
        weights = [values.double() for values in (net.input[:, 0], net.bias[0], net.recurrent[0])]
        ids = model.vocabulary_.ids(model.tokenizer_.tokens(text))
        sums = net.embedding[ids].double() @ weights[0] + weights[1]

        def loss(at, nudge):
            hidden = torch.zeros(1, 12, dtype=torch.double)
            for step in range(len(ids)):
                hidden = cell(sums[step][None], hidden, weights[2])
                hidden = hidden + nudge if step == at else hidden
            logits = hidden @ net.output.double() + net.output_bias.double()
            return float(-torch.log_softmax(logits, dim=1)[0, chosen])

        for at in range(len(ids)):
            slopes = [
                (loss(at, 1e-5 * unit) - loss(at, -1e-5 * unit)) / 2e-5 for unit in torch.eye(12, dtype=torch.double)
            ]
            assert arrays["forward_gradient"][at] == pytest.approx(np.linalg.norm(slopes), rel=1e-3)


def long_texts(rows=40, words=40):
    """Texts of two kinds whose first word tells which."""
    generator = np.random.default_rng(0)
    noise = [" ".join(generator.choice(list("cdefgh"), words - 1)) for _ in range(rows)]
    return [f"{'ab'[row % 2]} {text}" for row, text in enumerate(noise)], [row % 2 for row in range(rows)]


EXPLOSIVE = {"dim": 8, "hidden_width": 24, "directions": 1, "pooling": "last", "min_count": 1, "dropout": 0.0}
LOOP = {"batch_size": 8, "patience": None, "learning_rate": 1e-4}


def test_the_first_weights_have_the_singular_values_that_were_asked_for():
    net = network(recurrent_gain=1.5, layers=2)
    for layer in (1, 2):
        for weights in net.weights(layer)[1]:
            assert torch.linalg.svdvals(weights).tolist() == pytest.approx([1.5] * HIDDEN, abs=1e-5)


def test_gradients_vanish_below_one_and_explode_above():
    """Real lengths through 40 steps, of a network that has learned next to nothing."""
    X, y = long_texts()
    ratio = {}
    for gain in (0.8, 1.0, 2.5):
        model = RNN(**EXPLOSIVE, **LOOP, recurrent_gain=gain, epochs=1).fit(X, y)
        lengths = model.trace(X[0]).arrays["forward_gradient"]
        ratio[gain] = lengths[0] / lengths[-1]
    assert ratio[0.8] < 0.8**35, "the gradient is multiplied with 0.8 and tanh' at each of 39 steps"
    assert ratio[0.8] < ratio[1.0] < 1 < ratio[2.5]


def test_exploding_gradients_are_clipped_and_shown_in_the_curve():
    X, y = long_texts()
    (wild,) = RNN(**EXPLOSIVE, **LOOP, recurrent_gain=2.5, clip_norm=1.0, epochs=1).fit(X, y).curve_
    (tame,) = RNN(**EXPLOSIVE, **LOOP, recurrent_gain=0.8, clip_norm=1.0, epochs=1).fit(X, y).curve_
    assert wild["clipped"] == 1.0
    assert wild["gradient_norm_max"] > 10 > 1 > tame["gradient_norm"]
    assert tame["clipped"] < 1.0


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_computes_what_it_says(name):
    path = Path(__file__).parent / name
    failures, tried = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert tried
    assert not failures
