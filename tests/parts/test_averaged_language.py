"""What holds a recurrent language model back (Merity, Keskar & Socher 2018): averages, penalties, dropout; a narrow last layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import erya
from erya import catalog
from erya.errors import Interrupted, UsageError
from erya.parts import language_training, recurrent_language
from erya.parts.dropout import dropout
from erya.parts.sgd import SGD, AveragedSGD
from erya.parts.stream_batches import StreamBatches
from erya.progress import Report
from erya.tasks import generate

TEXTS = generate.toy(seed=1)[:50]
OTHERS = generate.toy(seed=2, rows=30)
SMALL = {"dim": 6, "hidden_width": 8, "last_width": 6, "layers": 2, "context": 9, "batch_size": 5, "epochs": 4}
HELD_BACK = {
    "dropout": 0.2,
    "layer_dropout": 0.1,
    "embedding_dropout": 0.1,
    "variational": True,
    "weight_dropout": 0.3,
    "activation_penalty": 2.0,
    "change_penalty": 1.0,
    "truncation": "varied",
    "optimizer": "averaged_sgd",
    "learning_rate": 2.0,
    "schedule": "constant",
    "averaging_patience": 1,
    "patience": None,
}


def model(room="lstm", **settings):
    return catalog.model(f"generate/{room}", "tiny", {**SMALL, **settings})


def network(room="lstm", vocabulary=11, **settings):
    return model(room, **settings)._network(vocabulary, torch.Generator().manual_seed(0))


# ---- averages ------------------------------------------------------------------------------------------------------


def test_the_average_is_the_mean_of_what_every_step_left():
    generator = torch.Generator().manual_seed(1)
    weights, plain = (torch.nn.Parameter(torch.ones(3, 5)) for _ in range(2))
    ours, theirs = AveragedSGD([weights], 0.3, weight_decay=0.1), SGD([plain], 0.3, weight_decay=0.1)
    left = []
    for number in range(12):
        if number == 5:
            assert not ours.averaging()
            with ours.averaged():
                torch.testing.assert_close(weights, plain, rtol=0, atol=0)
            ours.begin_averaging()
        weights.grad = torch.randn(3, 5, generator=generator)
        plain.grad = weights.grad.clone()
        ours.step()
        theirs.step()
        left.append(plain.detach().clone())
    torch.testing.assert_close(weights, plain, rtol=0, atol=0)
    with ours.averaged():
        torch.testing.assert_close(weights.detach(), torch.stack(left[5:]).mean(0))
    torch.testing.assert_close(weights, plain, rtol=0, atol=0)


def test_averaging_begins_where_the_loss_has_stalled():
    losses = [5.0, 4.0, 3.0, 3.5, 3.2, 2.9, 2.95, 3.1, 2.92, 3.0]

    def begins(patience):
        return next((n for n in range(len(losses)) if language_training.has_stalled(losses[: n + 1], patience)), None)

    # 0: 3.5 is above 3; 1: 3.2 is above the 3 of two epochs before; from 2 on no record until 3.1, for 3 is long ago; 5: never
    assert [begins(patience) for patience in range(6)] == [3, 4, 7, 7, 7, None]
    assert not any(language_training.has_stalled(sorted(losses, reverse=True), patience) for patience in range(9))


def test_held_out_text_is_listened_to_with_the_mean_and_so_is_the_result():
    net = model(**HELD_BACK).fit(TEXTS, validation=OTHERS)
    averaged = [row["averaged"] for row in net.curve_]
    assert averaged[0] is False
    begun = averaged.index(True) if True in averaged else len(averaged)
    assert averaged == [number >= begun for number in range(len(averaged))]
    learned = model(**{**HELD_BACK, "averaging_patience": 0, "learning_rate": 20.0}).fit(TEXTS, validation=OTHERS)
    assert learned.curve_[-1]["averaged"] is True
    ids = np.concatenate(
        [[0], *(part for text in OTHERS for part in (learned.vocabulary_.encode(text, learned.units_), [0]))]
    )
    like = StreamBatches(ids.astype(np.int32), 5, 9, truncation="varied")
    assert (
        language_training.evaluate(learned.network_, ids.astype(np.int32), like)
        == learned.curve_[-1]["validation_loss"]
    )


class StopAt(Report):
    """Asks to stop after so many steps; keeps the checkpoint and gives it back."""

    def __init__(self, step=None, checkpoint=None):
        self.step, self.checkpoint, self.steps = step, checkpoint, 0

    def stopping(self):
        self.steps += 1
        return "interrupt" if self.steps == self.step else None

    def save_checkpoint(self, state):
        self.checkpoint = state

    def load_checkpoint(self):
        return self.checkpoint


def test_cut_off_before_and_while_averaging_it_ends_with_the_same_bits(tmp_path):
    counted = StopAt()
    whole = model(**HELD_BACK).fit(TEXTS, report=counted)  # no held-out text: averages after the first epoch
    assert [row["averaged"] for row in whole.curve_] == [False, True, True, True]
    plain = model(**{**HELD_BACK, "averaging_patience": 9}).fit(TEXTS)
    assert plain.fingerprint() != whole.fingerprint()
    epoch = whole.curve_[0]["step"]
    for step in (epoch // 2, epoch, counted.steps - 3):
        report = StopAt(step)
        with pytest.raises(Interrupted):
            model(**HELD_BACK).fit(TEXTS, report=report)
        again = model(**HELD_BACK).fit(TEXTS, report=StopAt(None, report.checkpoint))
        assert again.fingerprint() == whole.fingerprint(), step
        assert again.curve_ == whole.curve_
    loaded = erya.load(whole.save(tmp_path / "m.erya"))
    assert loaded.fingerprint() == whole.fingerprint()
    assert loaded.write(["the"], seed=3) == whole.write(["the"], seed=3)


# ---- what is dropped, and what is added to the loss --------------------------------------------------------------


def test_every_kind_of_dropout_has_its_share(monkeypatch):
    seen = []

    def recorded(values, rate, generator):
        seen.append((tuple(values.shape), rate))
        return dropout(values, rate, generator)

    monkeypatch.setattr(recurrent_language, "dropout", recorded)
    net = network(dropout=0.4, layer_dropout=0.25, embedding_dropout=0.1, variational=True, weight_dropout=0.5)
    ids = torch.tensor([[3, 4, 3], [5, 3, 4]])
    net.read(ids, net.begin(3), generator=torch.Generator().manual_seed(1))
    assert seen == [
        ((3, 1), 0.1),  # the three units that are read
        ((1, 3, 6), 0.4),
        ((1, 8, 32), 0.5),
        ((1, 3, 8), 0.25),
        ((1, 6, 24), 0.5),
        ((1, 3, 6), 0.4),
    ]
    seen.clear()
    net.form = net.form._replace(layer_dropout=None, variational=False)
    net.read(ids, net.begin(3), generator=torch.Generator().manual_seed(1))
    assert seen[3] == ((2, 3, 8), 0.4)
    seen.clear()
    net.read(ids, net.begin(3))
    assert {rate for _, rate in seen} == {0.5}  # asked with no generator, which drops nothing


def test_a_unit_is_dropped_wherever_it_stands():
    net = network(vocabulary=400, layers=1, last_width=None, embedding_dropout=0.3)
    torch.nn.init.zeros_(net.bias_1)
    ids = torch.arange(400).repeat(2)[None]  # (1, 800)
    states, _ = net.read(ids, net.begin(800), generator=torch.Generator().manual_seed(1))
    gone = (states[0] == 0).all(dim=1)  # from nothing a cell without biases makes nothing
    assert torch.equal(gone[:400], gone[400:])
    assert 0.2 < float(gone.float().mean()) < 0.4


@pytest.mark.parametrize("room", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("over_borders", [True, False])
def test_penalties_are_of_states_and_of_their_changes(room, over_borders):
    ids = np.array([0, *([3, 4, 5, 6, 7, 0] * 6)], dtype=np.int32)
    batch = StreamBatches(ids, 3, 9, over_borders=over_borders).epoch(0).batch(0)
    assert (batch.resets is None) == over_borders
    losses = {}
    for penalties in ((0.0, 0.0), (2e3, 0.0), (0.0, 1.5e3), (2e3, 1.5e3)):
        net = network(room, activation_penalty=penalties[0], change_penalty=penalties[1], over_borders=over_borders)
        loss, _ = net.loss(batch, net.begin(3), torch.Generator().manual_seed(0))
        losses[penalties] = float(loss.detach())
        asked, _ = net.loss(batch, net.begin(3))
        assert float(asked.detach()) == pytest.approx(losses[0.0, 0.0], rel=1e-5)
    states, _ = net.read(batch.inputs, net.begin(3), resets=batch.resets)  # (9, 3, 6)
    changes = (states[1:] - states[:-1]).square().mean(dim=2)
    if batch.resets is not None:
        changes = changes[~batch.resets[1:]]
    extra = {name: float(loss - losses[0.0, 0.0]) * batch.share for name, loss in losses.items()}
    assert extra[2e3, 0.0] == pytest.approx(2e3 * float(states.square().mean(dim=2).sum().detach()), rel=1e-3)
    assert extra[0.0, 1.5e3] == pytest.approx(1.5e3 * float(changes.sum().detach()), rel=1e-3)
    assert extra[2e3, 1.5e3] == pytest.approx(extra[2e3, 0.0] + extra[0.0, 1.5e3], rel=1e-3)
    assert min(extra[2e3, 0.0], extra[0.0, 1.5e3]) > 1


# ---- widths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
def test_the_last_layer_may_have_a_width_of_its_own(tied):
    net = network(dim=5, hidden_width=7, last_width=5, tied=tied)
    assert net.projection is None
    assert net.table.shape == (11, 5)
    layers = [torch.nn.LSTM(5, 7), torch.nn.LSTM(7, 5)]
    ids = torch.randint(11, (9, 3), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = net.embedding[ids]
        for number, theirs in enumerate(layers, 1):
            into, recurrent, bias = net.weights(number)
            for name, values in (("weight_ih", into[:, 0]), ("weight_hh", recurrent[0]), ("bias_ih", bias)):
                i, f, o, g = values.chunk(4, dim=-1)
                getattr(theirs, f"{name}_l0").copy_(torch.cat([i, f, g, o], dim=-1).T.squeeze())
            theirs.bias_hh_l0.zero_()
            expected, _ = theirs(expected)
        hidden, memory = net.read(ids, net.begin(3))
    torch.testing.assert_close(hidden, expected)
    assert [tuple(states[0].shape) for states in memory] == [(1, 3, 7), (1, 3, 5)]


def test_the_preset_is_the_papers():
    net = catalog.model("generate/lstm", "awd")
    net._check_common()
    built = recurrent_language.form_of(net)
    assert [built.width(layer) for layer in (1, 2, 3)] == [1150, 1150, 400]
    assert (built.dropout, built.between(), built.weight_dropout) == (0.4, 0.25, 0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("last_width", 0),
        ("layer_dropout", 1.0),
        ("embedding_dropout", -0.1),
        ("activation_penalty", -1),
        ("change_penalty", float("inf")),
        ("averaging_patience", -1),
        ("averaging_patience", None),
    ],
)
def test_bad_settings(name, value):
    with pytest.raises(UsageError, match=name):
        model(**{name: value}).fit(TEXTS)
