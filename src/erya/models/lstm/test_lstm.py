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
from erya.models.lstm.network import BiLSTM, Recurrence, cell, reading_order, unfinished
from erya.parts.token_batches import Corpus
from erya.progress import Report
from erya.tasks import classify

VOCABULARY, DIM, HIDDEN, CLASSES = 11, 3, 5, 7
TEXTS = [[1, 2, 3], [4, 5, 6, 7, 2], [], [9], [3, 3, 8]]


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY, np.arange(len(texts)), np.linspace(1, 2, len(texts)))


def network():
    return BiLSTM(VOCABULARY, DIM, HIDDEN, CLASSES, 0.0, torch.Generator().manual_seed(5)).double()


def torch_twin(net):
    """torch.nn.LSTM with the same weights; its gates stand in the order i f g o."""
    order = torch.cat(
        [torch.arange(2 * HIDDEN), torch.arange(3 * HIDDEN, 4 * HIDDEN), torch.arange(2 * HIDDEN, 3 * HIDDEN)]
    )
    twin = torch.nn.LSTM(DIM, HIDDEN, bidirectional=True, batch_first=True).double()
    with torch.no_grad():
        for direction, suffix in enumerate(("_l0", "_l0_reverse")):
            getattr(twin, f"weight_ih{suffix}").copy_(net.input[:, direction].T[order])
            getattr(twin, f"weight_hh{suffix}").copy_(net.recurrent[direction].T[order])
            getattr(twin, f"bias_ih{suffix}").copy_(net.bias[direction][order])
            getattr(twin, f"bias_hh{suffix}").zero_()
    return twin


def test_both_readers_are_those_of_torch():
    net = network()
    batch = corpus().batch(np.arange(len(TEXTS)))
    hidden = net.hidden(batch)
    assert hidden.shape == (5, 2, len(TEXTS), HIDDEN)
    twin = torch_twin(net)
    for place, row in enumerate(batch.rows.tolist()):
        length = len(TEXTS[row])
        assert not hidden[length:, :, place].any(), "zeros where the text has ended"
        if length:
            peer, _ = twin(net.embedding[TEXTS[row]][None])
            torch.testing.assert_close(hidden[:length, 0, place], peer[0, :, :HIDDEN], atol=1e-6, rtol=0)
            torch.testing.assert_close(hidden[:length, 1, place].flip(0), peer[0, :, HIDDEN:], atol=1e-6, rtol=0)


def test_gradients_are_those_of_torch():
    net = network()
    texts = [text for text in TEXTS if text]
    batch = corpus(texts).batch(np.arange(len(texts)))
    learned = [net.embedding, net.input, net.recurrent, net.bias]
    mine = torch.autograd.grad((net.hidden(batch) ** 2).sum(), learned)
    twin = torch_twin(net)
    vectors = net.embedding.detach().clone().requires_grad_()
    total = sum((twin(vectors[text][None])[0] ** 2).sum() for text in texts)
    theirs = torch.autograd.grad(total, [vectors, twin.weight_ih_l0, twin.weight_hh_l0_reverse, twin.bias_ih_l0])
    back = torch.cat(
        [torch.arange(2 * HIDDEN), torch.arange(3 * HIDDEN, 4 * HIDDEN), torch.arange(2 * HIDDEN, 3 * HIDDEN)]
    )
    torch.testing.assert_close(mine[0].to_dense(), theirs[0], atol=1e-10, rtol=0)
    torch.testing.assert_close(mine[1][:, 0], theirs[1][back].T, atol=1e-10, rtol=0)
    torch.testing.assert_close(mine[2][1], theirs[2][back].T, atol=1e-10, rtol=0)
    torch.testing.assert_close(mine[3][0], theirs[3][back], atol=1e-10, rtol=0)


def test_gradcheck_of_backpropagation_through_time():
    batch = corpus().batch(np.arange(len(TEXTS)))
    generator = torch.Generator().manual_seed(2)
    projected = torch.randn(
        2 * len(batch.tokens), 4 * HIDDEN, dtype=torch.double, generator=generator, requires_grad=True
    )
    recurrent = torch.randn(2, HIDDEN, 4 * HIDDEN, dtype=torch.double, generator=generator, requires_grad=True)
    counts = unfinished(batch.lengths, batch.places.shape[1])
    assert counts == [4, 3, 3, 1, 1]
    rows = reading_order(batch.places, batch.lengths)
    steps = [row[:, :count].flatten() for row, count in zip(rows, counts, strict=True)]

    def scan(one, other):
        return Recurrence.apply(one, other, steps, counts, len(TEXTS))

    assert torch.autograd.gradcheck(scan, (projected, recurrent))


def test_the_textbook_cell_is_the_fast_path():
    net = network()
    text = TEXTS[1]
    batch = corpus([text]).batch(np.zeros(1, dtype=np.int64))
    fast = net.hidden(batch)[:, 0, 0]  # (T, H)
    hidden = memory = torch.zeros(1, HIDDEN, dtype=torch.double)
    for step, token in enumerate(text):
        projected = net.embedding[token] @ net.input[:, 0] + net.bias[0]
        *_, memory, hidden = cell(projected[None], hidden, memory, net.recurrent[0])
        torch.testing.assert_close(hidden[0], fast[step], atol=1e-6, rtol=0)


def test_readers_never_read_padding():
    batch = corpus().batch(np.arange(len(TEXTS)))
    rows = reading_order(batch.places, batch.lengths)
    for step, count in enumerate(unfinished(batch.lengths, batch.places.shape[1])):
        assert (rows[step, :, :count] >= 2).all(), "rows 0 and 1 belong to the padding"


def test_padding_and_company_change_nothing():
    net = network().float()
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
        ("dropout", 1.0),
        ("learning_rate", float("nan")),
        ("epochs", 1.5),
        ("seed", -1),
    ):
        with pytest.raises(UsageError, match=name):
            LSTM(**{name: wrong}).fit(X, y)


def test_the_trace_adds_up_to_the_answer():
    X, y = classify.toy(seed=1)
    model = catalog.model("classify/lstm", "tiny").fit(X, y)
    for text in ("the soup is tasty", ""):
        arrays = model.trace(text).arrays
        chosen = int(arrays["probabilities"].argmax())
        bias = float(model.network_.output_bias[chosen].detach())
        assert arrays["contributions"].sum() + bias == pytest.approx(arrays["logits"][chosen], abs=1e-5)
    arrays = model.trace("the soup is tasty").arrays
    for direction in ("forward", "backward"):
        for gate in ("input", "forget", "output"):
            assert arrays[f"{direction}_{gate}"].shape == (4, 12)
            assert ((arrays[f"{direction}_{gate}"] > 0) & (arrays[f"{direction}_{gate}"] < 1)).all()


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


def test_long_texts_are_read_in_pieces_with_the_same_answer(monkeypatch):
    net = network()
    batch = corpus().batch(np.arange(len(TEXTS)))
    whole = net(batch).detach()
    for steps in (1, 2, 3, 100):
        monkeypatch.setattr(network_module, "STEPS_AT_ONCE", steps)
        with torch.no_grad():
            torch.testing.assert_close(net(batch), whole, atol=1e-12, rtol=0)
