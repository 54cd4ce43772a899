"""Recurrent layers against torch's own, and against the plainest way to say the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from erya.errors import UsageError
from erya.models.rnn.network import ElmanCell
from erya.parts.gru_cell import GRUCell
from erya.parts.lstm_cell import LSTMCell
from erya.parts.recurrent_layers import Reading, Recurrence, read, reading_order, unfinished
from erya.parts.recurrent_settings import recurrent_settings
from erya.parts.token_batches import Corpus

VOCABULARY, DIM, HIDDEN = 11, 3, 5
TEXTS = [[1, 2, 3], [4, 5, 6, 7, 2], [], [9], [3, 3, 8]]
CELLS = {"rnn": ElmanCell(), "gru": GRUCell(), "lstm": LSTMCell()}
TWINS = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
ORDER = {"rnn": [0], "gru": [0, 1, 2], "lstm": [0, 1, 3, 2]}  # torch's blocks in terms of ours: i f g o


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY)


def batch(texts=TEXTS):
    return corpus(texts).batch(np.arange(len(texts)))


def random(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.double, requires_grad=True)


def weights(cell, readers, dim=DIM, seed=3):
    generator, sums = torch.Generator().manual_seed(seed), cell.blocks * HIDDEN
    return (
        random(generator, dim, readers, sums),
        random(generator, readers, HIDDEN, sums),
        random(generator, readers, sums),
    )


def twin(name, layers, readers):
    """torch's module with the same weights, one set for each layer."""
    peer = TWINS[name](DIM, HIDDEN, num_layers=len(layers), bidirectional=readers == 2, batch_first=True).double()
    columns = torch.cat([torch.arange(HIDDEN) + HIDDEN * block for block in ORDER[name]])
    with torch.no_grad():
        for layer, (into, recurrent, bias) in enumerate(layers):
            for reader, suffix in enumerate(("", "_reverse")[:readers]):
                getattr(peer, f"weight_ih_l{layer}{suffix}").copy_(into[:, reader].T[columns])
                getattr(peer, f"weight_hh_l{layer}{suffix}").copy_(recurrent[reader].T[columns])
                getattr(peer, f"bias_ih_l{layer}{suffix}").copy_(bias[reader][columns])
                getattr(peer, f"bias_hh_l{layer}{suffix}").zero_()
    return peer, columns


@pytest.mark.parametrize("readers", [1, 2])
@pytest.mark.parametrize("name", list(CELLS))
def test_stacked_layers_are_those_of_torch(name, readers):
    """Hidden states of two layers, and the gradients by all weights of both."""
    cell, some = CELLS[name], batch()
    layers = [weights(cell, readers), weights(cell, readers, dim=readers * HIDDEN, seed=4)]
    vectors = random(torch.Generator().manual_seed(5), VOCABULARY, DIM)
    reading = Reading.of(some.lengths, readers)
    packed = read(cell, vectors[some.tokens], some.places, reading, layers[0])
    packed = read(cell, reading.in_text_order(packed), reading.numbers(), reading, layers[1])
    mine = reading.padded(packed)  # (B, T, R·H)
    assert mine.shape == (len(TEXTS), 5, readers * HIDDEN)
    peer, columns = twin(name, layers, readers)
    theirs = vectors.detach().clone().requires_grad_()
    total = torch.zeros((), dtype=torch.double)
    for place, row in enumerate(some.rows.tolist()):
        assert not mine[place, len(TEXTS[row]) :].any(), "zeros where the text has ended"
        if TEXTS[row]:
            found = peer(theirs[TEXTS[row]][None])[0][0]
            torch.testing.assert_close(mine[place, : len(TEXTS[row])], found, atol=1e-6, rtol=0)
            total = total + (found**2).sum()
    learned = torch.autograd.grad((mine**2).sum(), [vectors, *layers[0], *layers[1]])
    names = [f"{kind}_l{layer}" for layer in (0, 1) for kind in ("weight_ih", "weight_hh", "bias_ih")]
    peers = torch.autograd.grad(total, [theirs, *(getattr(peer, name) for name in names)])
    torch.testing.assert_close(learned[0], peers[0], atol=1e-9, rtol=0)
    for number in (0, 3):  # by the forward reader's weights
        torch.testing.assert_close(learned[number + 1][:, 0].T[columns], peers[number + 1], atol=1e-9, rtol=0)
        torch.testing.assert_close(learned[number + 2][0].T[columns], peers[number + 2], atol=1e-9, rtol=0)
        torch.testing.assert_close(learned[number + 3][0][columns], peers[number + 3], atol=1e-9, rtol=0)


@pytest.mark.parametrize("pooling", ["max", "mean", "last"])
@pytest.mark.parametrize("name", list(CELLS))
def test_gradients_are_those_of_finite_differences(name, pooling):
    cell, some = CELLS[name], batch([[1, 2, 3], [4, 2], []])
    reading = Reading.of(some.lengths, 2)

    def features(vectors, *layer):
        return reading.pooled(read(cell, vectors, some.places, reading, layer), pooling)

    vectors = random(torch.Generator().manual_seed(6), len(some.tokens), DIM)
    assert torch.autograd.gradcheck(features, (vectors, *weights(cell, 2)))


@pytest.mark.parametrize("readers", [1, 2])
def test_pooling_is_what_it_says(readers):
    cell, some = CELLS["gru"], batch()
    reading = Reading.of(some.lengths, readers)
    vectors = random(torch.Generator().manual_seed(7), len(some.tokens), DIM)
    packed = read(cell, vectors, some.places, reading, weights(cell, readers)).detach()
    padded = reading.padded(packed)
    for place, length in enumerate(some.lengths.tolist()):
        states = padded[place, :length]
        expected = {name: torch.zeros(readers * HIDDEN).double() for name in ("max", "mean", "last")}
        if length:
            expected["max"], expected["mean"] = states.amax(dim=0), states.mean(dim=0)
            expected["last"] = torch.cat([states[-1, :HIDDEN], states[0, HIDDEN:]])
        for pooling, values in expected.items():
            torch.testing.assert_close(reading.pooled(packed, pooling)[place], values)


def test_steps_that_share_the_maximum_share_the_gradient():
    reading = Reading.of(torch.tensor([3, 1]), 1)
    packed = torch.tensor([[0.5], [0.1], [0.5], [0.2]], requires_grad=True)  # text 0: 0.5 0.5 0.2; text 1: 0.1
    (gradient,) = torch.autograd.grad(reading.pooled(packed, "max").sum(), packed)
    assert gradient.flatten().tolist() == [0.5, 1.0, 0.5, 0.0]


@pytest.mark.parametrize("readers", [1, 2])
def test_readers_never_read_padding(readers):
    some = batch()
    rows = reading_order(some.places, some.lengths, readers)
    counts = unfinished(some.lengths, some.places.shape[1])
    assert counts == [4, 3, 3, 1, 1]
    for step, count in enumerate(counts):
        assert (rows[step, :, :count] >= readers).all(), "the first rows belong to the padding"


def test_nothing_is_as_long_as_the_longest_text():
    """One text of 400 tokens among 99 of one: the states are 499 rows, not 40,000."""
    some = batch([[1] * 400, *([[2]] * 99)])
    reading = Reading.of(some.lengths, 2)
    vectors = random(torch.Generator().manual_seed(8), len(some.tokens), DIM)
    packed = read(CELLS["lstm"], vectors, some.places, reading, weights(CELLS["lstm"], 2))
    assert packed.shape == (2 * 499, HIDDEN)
    kept = [tensor.numel() for tensor in packed.grad_fn.saved_tensors if tensor.is_floating_point()]
    assert sum(kept) < 2 * 499 * HIDDEN * 8, "gates (4), cell, q and h of each token, and W'"
    assert isinstance(packed.grad_fn, Recurrence._backward_cls)


def test_without_gradients_nothing_is_kept():
    some, cell = batch(), CELLS["lstm"]
    reading = Reading.of(some.lengths, 2)
    seen: list[object] = []

    class Watched(LSTMCell):
        def step(self, sums, before, recurrent, kept):
            seen.append(kept)
            return super().step(sums, before, recurrent, kept)

    vectors = random(torch.Generator().manual_seed(9), len(some.tokens), DIM)
    with torch.no_grad():
        quiet = read(Watched(), vectors, some.places, reading, weights(cell, 2))
    assert seen == [None] * 5
    torch.testing.assert_close(quiet, read(cell, vectors, some.places, reading, weights(cell, 2)))


def test_a_batch_of_empty_texts():
    some = batch([[], []])
    for readers in (1, 2):
        reading = Reading.of(some.lengths, readers)
        vectors = random(torch.Generator().manual_seed(10), len(some.tokens), DIM)
        packed = read(CELLS["gru"], vectors, some.places, reading, weights(CELLS["gru"], readers))
        assert reading.in_text_order(packed).shape == (0, readers * HIDDEN)
        assert reading.padded(packed).shape == (2, 0, readers * HIDDEN)
        for pooling in ("max", "mean", "last"):
            found = reading.pooled(packed, pooling)
            assert found.shape == (2, readers * HIDDEN)
            assert not found.any()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("hidden_width", 0),
        ("layers", 0),
        ("layers", 65),
        ("directions", 3),
        ("directions", 0),
        ("pooling", "min"),
        ("pooling", None),
    ],
)
def test_settings_out_of_range(name, wrong):
    from types import SimpleNamespace

    good = {"hidden_width": 4, "layers": 2, "directions": 1, "pooling": "mean"}
    recurrent_settings(SimpleNamespace(**good))
    with pytest.raises(UsageError, match=name):
        recurrent_settings(SimpleNamespace(**{**good, name: wrong}))
