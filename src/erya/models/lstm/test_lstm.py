from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch

from erya import catalog
from erya.errors import DivergedError, Interrupted, UsageError
from erya.models.lstm import network as network_module
from erya.models.lstm.estimator import LSTM
from erya.models.lstm.network import BiLSTM, cell
from erya.parts.recurrent_layers import Reading
from erya.parts.token_batches import Corpus
from erya.progress import Report
from erya.tasks import classify

VOCABULARY, DIM, HIDDEN, CLASSES = 11, 3, 5, 7
TEXTS = [[1, 2, 3], [4, 5, 6, 7, 2], [], [9], [3, 3, 8]]


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY, np.arange(len(texts)), np.linspace(1, 2, len(texts)))


def network(**settings):
    generator = torch.Generator().manual_seed(5)
    return BiLSTM(VOCABULARY, DIM, HIDDEN, CLASSES, 0.0, generator, **settings).double()


def hidden_states(net, texts):
    """(B, T, R·H) of the last layer."""
    batch = corpus(texts).batch(np.arange(len(texts)))
    reading = Reading.of(batch.lengths, net.readers)
    return reading.padded(net.packed(batch, reading)).detach()


def test_the_textbook_cell_is_the_fast_path_and_torchs():
    """The equations step by step, the loop with its own gradient, and torch.nn.LSTM: the same states."""
    net, text = network(readers=1), TEXTS[1]
    with torch.no_grad():
        for weights in (net.recurrent, net.bias):
            weights.add_(torch.randn(weights.shape, generator=torch.Generator().manual_seed(6), dtype=torch.double) / 2)
    fast = hidden_states(net, [text])[0]  # (T, H)
    twin = torch.nn.LSTM(DIM, HIDDEN, batch_first=True).double()
    columns = torch.cat([torch.arange(HIDDEN) + HIDDEN * block for block in [0, 1, 3, 2]])
    with torch.no_grad():
        twin.weight_ih_l0.copy_(net.input[:, 0].T[columns])
        twin.weight_hh_l0.copy_(net.recurrent[0].T[columns])
        twin.bias_ih_l0.copy_(net.bias[0][columns])
        twin.bias_hh_l0.zero_()
        torch.testing.assert_close(fast, twin(net.embedding[text][None])[0][0], atol=1e-6, rtol=0)
        hidden = memory = torch.zeros(1, HIDDEN, dtype=torch.double)
        for step, token in enumerate(text):
            sums = (net.embedding[token] @ net.input[:, 0] + net.bias[0])[None]
            *_, memory, hidden = cell(sums, hidden, memory, net.recurrent[0])
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
    for name, wrong in (("hidden_width", 0), ("layers", 1.5), ("directions", 3), ("pooling", "sum"), ("dropout", 1.0)):
        with pytest.raises(UsageError, match=name):
            LSTM(**{name: wrong}).fit(X, y)


@pytest.mark.parametrize(
    "settings", [{}, {"layers": 2, "pooling": "last"}, {"directions": 1, "pooling": "mean"}], ids=str
)
def test_the_trace_is_the_way_of_the_answer(settings, tmp_path):
    X, y = classify.toy(seed=1)
    model = catalog.model("classify/lstm", "tiny", {"epochs": 2, **settings}).fit(X, y)
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
                for part in ("input", "forget", "output", "candidate", "cell", "hidden"):
                    assert arrays[f"{name}_{part}"].shape == (tokens, 12)
                for gate in ("input", "forget", "output"):
                    assert ((arrays[f"{name}_{gate}"] > 0) & (arrays[f"{name}_{gate}"] < 1)).all()
        if tokens and model.pooling == "mean":
            assert arrays["features"] == pytest.approx(arrays["forward_hidden"].mean(axis=0), abs=1e-6)
        assert ("place" in arrays) == (model.pooling != "mean")


def test_the_gradient_through_time_is_what_a_small_change_does():
    """‖∂loss/∂h_t‖ of the trace beside finite differences of the rest of the reading, done by hand with the cell."""
    X, y = classify.toy(seed=1)
    settings = {"epochs": 2, "directions": 1, "pooling": "last"}
    model = catalog.model("classify/lstm", "tiny", settings).fit(X, y)
    net, text = model.network_, "the soup is tasty"
    arrays = model.trace(text).arrays
    chosen = int(arrays["probabilities"].argmax())
    with torch.no_grad():
        weights = [values.double() for values in (net.input[:, 0], net.bias[0], net.recurrent[0])]
        ids = model.vocabulary_.ids(model.tokenizer_.tokens(text))
        sums = net.embedding[ids].double() @ weights[0] + weights[1]

        def loss(at, nudge):
            hidden = memory = torch.zeros(1, 12, dtype=torch.double)
            for step in range(len(ids)):
                *_, memory, hidden = cell(sums[step][None], hidden, memory, weights[2])
                hidden = hidden + nudge if step == at else hidden
            logits = hidden @ net.output.double() + net.output_bias.double()
            return float(-torch.log_softmax(logits, dim=1)[0, chosen])

        for at in range(len(ids)):
            slopes = [
                (loss(at, 1e-5 * unit) - loss(at, -1e-5 * unit)) / 2e-5 for unit in torch.eye(12, dtype=torch.double)
            ]
            assert arrays["forward_gradient"][at] == pytest.approx(np.linalg.norm(slopes), rel=1e-3)


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
    settings = {"dim": 8, "hidden_width": 6, "epochs": 5, "batch_size": 16, "learning_rate": 0.01}
    whole = LSTM(**settings)
    counted = StopAt()
    whole.fit(X, y, report=counted)
    for step in np.random.default_rng(3).choice(np.arange(1, counted.steps), 5, replace=False).tolist():
        report = StopAt(step)
        with pytest.raises(Interrupted):
            LSTM(**settings).fit(X, y, report=report)
        again = LSTM(**settings).fit(X, y, report=StopAt(None, report.checkpoint))
        assert again.fingerprint() == whole.fingerprint(), step
        assert again.curve_ == whole.curve_


def test_a_gradient_that_is_not_finite_stops_before_the_weights_change(monkeypatch):
    X, y = classify.toy(seed=3, rows=90)
    honest, seen = network_module.BiLSTM.loss, []

    def poisoned(self, batch, generator=None):
        seen.append((self, [value.detach().clone() for value in self.parameters()]))
        loss = honest(self, batch, generator)
        if len(seen) == 3:
            loss.register_hook(lambda gradient: gradient * float("nan"))
        return loss

    monkeypatch.setattr(network_module.BiLSTM, "loss", poisoned)
    with pytest.raises(DivergedError, match=r"gradient became nan at step 3 ") as caught:
        LSTM(dim=8, hidden_width=6, epochs=4, batch_size=16, patience=None).fit(X, y)
    assert caught.value.exit == 6
    net, before = seen[-1]
    assert all(torch.equal(one, other) for one, other in zip(net.parameters(), before, strict=True))


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_computes_what_it_says(name):
    path = Path(__file__).parent / name
    failures, tried = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert tried
    assert not failures
