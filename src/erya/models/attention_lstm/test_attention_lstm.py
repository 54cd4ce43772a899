from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch

from erya import catalog
from erya.errors import Interrupted, UsageError
from erya.models.attention_lstm import network as network_module
from erya.models.attention_lstm.estimator import AttentionLSTM
from erya.parts.token_batches import Corpus
from erya.progress import Report
from erya.tasks import classify

VOCABULARY, DIM, HIDDEN, CLASSES = 11, 3, 5, 7
TEXTS = [[1, 2, 3], [4, 5, 6, 7, 2], [], [9], [3, 3, 8]]


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY, np.arange(len(texts)), np.linspace(1, 2, len(texts)))


def everything(texts=TEXTS):
    return corpus(texts).batch(np.arange(len(texts)))


def network():
    generator = torch.Generator().manual_seed(5)
    net = network_module.AttentionLSTM(VOCABULARY, DIM, HIDDEN, CLASSES, 0.0, generator).double()
    with torch.no_grad():
        net.embedding[1:] *= 10  # texts that differ
        net.question *= 5
    return net


def torch_twin(net):
    """torch.nn.LSTM with the same weights; its gates stand in the order i f g o."""
    first, last = torch.arange(2 * HIDDEN), torch.arange(3 * HIDDEN, 4 * HIDDEN)
    order = torch.cat([first, last, torch.arange(2 * HIDDEN, 3 * HIDDEN)])
    twin = torch.nn.LSTM(DIM, HIDDEN, bidirectional=True, batch_first=True).double()
    with torch.no_grad():
        for direction, suffix in enumerate(("_l0", "_l0_reverse")):
            getattr(twin, f"weight_ih{suffix}").copy_(net.input[:, direction].T[order])
            getattr(twin, f"weight_hh{suffix}").copy_(net.recurrent[direction].T[order])
            getattr(twin, f"bias_ih{suffix}").copy_(net.bias[direction][order])
            getattr(twin, f"bias_hh{suffix}").zero_()
    return twin


def test_the_forward_pass_by_hand():
    """Text by text, with torch's LSTM and the paper's equations."""
    net, batch = network(), everything()
    twin, logits = torch_twin(net), net(batch).detach()
    for place, row in enumerate(batch.rows.tolist()):
        if not TEXTS[row]:
            torch.testing.assert_close(logits[place], net.output_bias.detach())
            continue
        with torch.no_grad():
            both = twin(net.embedding[TEXTS[row]][None])[0][0]  # (T, 2H)
            states = both[:, :HIDDEN] + both[:, HIDDEN:]
            weights = torch.softmax(torch.tanh(states) @ net.question, dim=0)
            expected = torch.tanh(weights @ states) @ net.output + net.output_bias
        torch.testing.assert_close(logits[place], expected, atol=1e-12, rtol=0)


def test_gradients_are_those_of_finite_differences():
    net, batch, step = network(), everything(), 1e-5
    for name, value in net.named_parameters():
        gradient = torch.autograd.grad(net.loss(batch), value)[0].to_dense()
        direction = torch.randn(value.shape, dtype=torch.double, generator=torch.Generator().manual_seed(3))
        if name == "embedding":
            direction[0] = 0
            assert not gradient[0].any(), "padding learns nothing"
        with torch.no_grad():
            value += step * direction
            above = float(net.loss(batch))
            value -= 2 * step * direction
            below = float(net.loss(batch))
            value += step * direction
        slope = (above - below) / (2 * step)
        assert float((gradient * direction).sum()) == pytest.approx(slope, abs=1e-7), name


def test_padding_and_company_change_nothing():
    net, whole, batch = network().float(), corpus(), everything()
    together = torch.zeros(len(TEXTS), CLASSES)
    together[batch.rows] = net(batch).detach()
    for row in range(len(TEXTS)):
        torch.testing.assert_close(net(whole.batch(np.array([row])))[0].detach(), together[row], atol=1e-5, rtol=0)


def test_padding_has_no_weight():
    net, batch = network(), everything()
    _, weights = net.averaged(net.states(batch), batch.lengths)
    for place, length in enumerate(batch.lengths.tolist()):
        assert (weights[place, length:] == 0).all()
        assert float(weights[place].detach().sum()) == pytest.approx(float(length > 0))


def test_nothing_but_texts_without_tokens():
    net = network()
    expected = net.output_bias.detach().expand(2, -1)
    torch.testing.assert_close(net(everything([[], []])).detach(), expected)


def test_the_trace_is_the_forward_pass():
    model = catalog.model("classify/attention_lstm", "tiny", {"epochs": 2}).fit(*classify.toy(seed=1, rows=60))
    for text, tokens in (("the soup is tasty", 4), ("soup", 1), ("", 0)):
        trace = model.trace(text)
        arrays = trace.arrays
        assert arrays["weights"].shape == arrays["alone"].shape == (tokens,)
        assert arrays["weights"].sum() == pytest.approx(1.0 if tokens else 0.0, abs=1e-6)
        np.testing.assert_allclose(np.tanh(arrays["weights"] @ arrays["states"]), arrays["features"], atol=1e-6)
        output, bias = model.network_.output.detach().numpy(), model.network_.output_bias.detach().numpy()
        np.testing.assert_allclose(arrays["features"] @ output + bias, arrays["logits"], atol=1e-5)
        np.testing.assert_allclose(arrays["probabilities"], model.predict_proba([text])[0], atol=1e-6)
        assert trace.text(color=False)
        assert "<" in trace.html()
    arrays = model.trace("soup").arrays
    assert arrays["alone"][0] == pytest.approx(arrays["logits"].max(), abs=1e-5), "one token has all the weight"


@pytest.mark.parametrize(("name", "wrong"), [("hidden_width", 0), ("dropout", 1.0), ("seed", -1)])
def test_settings_out_of_range(name, wrong):
    with pytest.raises(UsageError, match=name):
        AttentionLSTM(**{name: wrong}).fit(*classify.toy(rows=30))


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
    X, y = classify.toy(seed=2, rows=100)
    settings = {"dim": 6, "hidden_width": 4, "epochs": 2, "batch_size": 16}
    whole = AttentionLSTM(**settings).fit(X, y)
    report = StopAt(7)
    with pytest.raises(Interrupted):
        AttentionLSTM(**settings).fit(X, y, report=report)
    again = AttentionLSTM(**settings).fit(X, y, report=StopAt(None, report.checkpoint))
    assert again.fingerprint() == whole.fingerprint()


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_computes_what_it_says(name):
    path = Path(__file__).parent / name
    failures, tried = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert tried
    assert not failures
