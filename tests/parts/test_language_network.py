"""What every network that writes must do; the three recurrent rooms stand for all."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import erya
from erya import catalog
from erya.errors import DataError, DivergedError, Interrupted, UsageError
from erya.parts import language_training
from erya.parts.recurrent_language import Form, RecurrentLanguage
from erya.parts.stream_splits import end_of, some_documents
from erya.progress import Report
from erya.tasks import generate
from erya.text.unit_ids import BORDER, UNKNOWN

ROOMS = ("rnn", "gru", "lstm")
each_room = pytest.mark.parametrize("room", ROOMS)
TEXTS = generate.toy(seed=1)
OTHERS = generate.toy(seed=2, rows=40)
SMALL = {"dim": 6, "hidden_width": 8, "context": 7, "batch_size": 5, "epochs": 2}


def model(room, **settings):
    return catalog.model(f"generate/{room}", "tiny", settings)


@pytest.fixture(scope="module")
def fitted():
    return {room: model(room, layers=2, epochs=8).fit(TEXTS) for room in ROOMS}


@each_room
def test_it_knows_more_than_letters_counted_one_by_one(room, fitted):
    found = -fitted[room].score(OTHERS)
    assert found < 1.0 < 3.5 < generate.baseline(TEXTS, OTHERS)
    rows = [row["validation_loss"] for row in fitted[room].curve_]
    assert min(rows) < 0.7 * rows[0]


@each_room
def test_same_seed_same_bits_saved_and_loaded_too(room, tmp_path):
    first = model(room, **SMALL, dropout=0.3, weight_dropout=0.2).fit(TEXTS[:60])
    second = model(room, **SMALL, dropout=0.3, weight_dropout=0.2).fit(OTHERS)
    assert second.fit(TEXTS[:60]).fingerprint() == first.fingerprint()
    again = erya.load(first.save(tmp_path / "m.erya"))
    assert type(again) is type(first)
    assert again.fingerprint() == first.fingerprint()
    assert again.write(["the", ""], seed=3) == first.write(["the", ""], seed=3)
    assert again.score(OTHERS) == first.score(OTHERS)
    assert model(room, **SMALL, seed=1).fit(TEXTS[:60]).fingerprint() != first.fingerprint()


@each_room
def test_order_company_and_length_change_nothing(room, fitted):
    texts = ["", "the", *OTHERS[:5], " ".join(OTHERS), "春", "the cat 🦄 sees"]
    together = fitted[room].surprisals(texts)
    backwards = fitted[room].surprisals(texts[::-1])[::-1]
    for text, one, other in zip(texts, together, backwards, strict=True):
        (alone,) = fitted[room].surprisals([text])
        assert len(one.bits) == len(one.units) + 1
        np.testing.assert_allclose(one.bits, alone.bits, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(one.bits, other.bits, rtol=1e-5, atol=1e-5)


@each_room
def test_writing_agrees_with_scoring_unit_by_unit(room, fitted):
    """What the decoder says step by step is what documents cost, however it got there."""
    net, texts = fitted[room], ["", "the cat sees a bird.", "春风来。", "the"]
    ids = [net.vocabulary_.encode(text, net.units_).tolist() for text in texts]
    logs = net._log_probabilities([np.array(one, dtype=np.int32) for one in ids])
    decoder = net._decoder()
    memory, rows = decoder.start([[] for _ in ids])
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, atol=1e-9)
    alive, found = list(range(len(ids))), [[] for _ in ids]
    while alive:
        kept, units = [], []
        for place, number in enumerate(alive):
            unit = [*ids[number], BORDER][len(found[number])]
            found[number].append(rows[place][unit])
            if unit != BORDER:
                kept.append(place)
                units.append(unit)
        alive = [alive[place] for place in kept]
        if alive:
            memory, rows = decoder.step(memory, kept, units)
    for one, other in zip(found, logs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    _, prefixed = decoder.start(ids)
    np.testing.assert_allclose(prefixed[:, BORDER], [one[-1] for one in logs], atol=1e-5)


@each_room
def test_it_writes_greedily_by_chance_and_by_beams(room, fitted):
    net = fitted[room]
    greedy = net.write(["the cat", "春"], temperature=0)
    assert greedy[0].startswith("the cat ")
    assert greedy == [net.write([text], temperature=0)[0] for text in ("the cat", "春")]
    assert net.write(["the"], seed=1) == net.write(["the"], seed=1)
    assert len({net.write([""], temperature=1.5, top_p=1.0, seed=seed)[0] for seed in range(5)}) > 1
    (beam,) = net.write(["the cat"], beams=4)
    assert sum(net.surprisals([beam])[0].bits) <= sum(net.surprisals([greedy[0]])[0].bits) + 1e-4
    assert net.write(["春"], form="3。", temperature=0)[0][-1] == "。"
    assert not any("\ufffd" in text for text in net.write(["the", "春"], temperature=3.0, top_p=1.0))
    assert math.isclose(sum(share for _, share in net.next_units("the", most=999)), 1, rel_tol=1e-6)


class StopAt(Report):
    """Asks to stop after so many steps and keeps the checkpoint; gives it back when training begins again."""

    def __init__(self, step=None, checkpoint=None, wish="interrupt"):
        self.step, self.checkpoint, self.steps, self.wish = step, checkpoint, 0, wish

    def stopping(self):
        self.steps += 1
        return self.wish if self.steps == self.step else None

    def save_checkpoint(self, state):
        self.checkpoint = state

    def load_checkpoint(self):
        return self.checkpoint


@pytest.mark.parametrize(
    ("room", "settings"),
    [
        ("lstm", {"truncation": "random", "dropout": 0.2, "layers": 2}),
        ("gru", {"truncation": "varied", "optimizer": "momentum", "learning_rate": 0.5}),
        ("rnn", {"sampling": "random", "steps": 40}),
    ],
)
def test_resuming_ends_with_the_same_bits(room, settings):
    texts = generate.toy(seed=4, rows=200)
    settings = {**SMALL, "dim": 6, "epochs": 3, **settings}
    whole, counted = model(room, **settings), StopAt()
    whole.fit(texts, report=counted)
    assert "validation_loss" in whole.curve_[0]
    for step in np.random.default_rng(3).choice(np.arange(1, counted.steps), 4, replace=False).tolist():
        report = StopAt(step)
        with pytest.raises(Interrupted):
            model(room, **settings).fit(texts, report=report)
        again = model(room, **settings).fit(texts, report=StopAt(None, report.checkpoint))
        assert again.fingerprint() == whole.fingerprint(), step
        assert again.curve_ == whole.curve_


def test_steps_budget_and_patience_end_a_training():
    by_steps = model("rnn", **{**SMALL, "epochs": 1}, steps=70).fit(TEXTS)
    assert by_steps.curve_[-1]["step"] == 70
    assert len(by_steps.curve_) > 1
    short = model("rnn", **SMALL).fit(TEXTS, report=StopAt(9, wish="budget"))
    assert [row["step"] for row in short.curve_] == [9]
    still = model("rnn", **{**SMALL, "epochs": 30}, patience=2, optimizer="sgd", learning_rate=1e-9).fit(TEXTS)
    assert len(still.curve_) < 30
    falling = model("rnn", **{**SMALL, "epochs": 4}, rate_decay=0.5, decay_after=2, schedule="constant").fit(TEXTS[:50])
    rates = [row["learning_rate"] for row in falling.curve_]
    assert rates == pytest.approx([0.02, 0.02, 0.01, 0.005])


def plan(**given):
    settings = {
        "epochs": 1,
        "steps": None,
        "optimizer": "adam",
        "learning_rate": 0.1,
        "schedule": "constant",
        "warmup": 0.0,
    }
    settings |= {"final_rate": 0.0, "rate_decay": 1.0, "decay_after": 0, "weight_decay": 0.5, "beta2": 0.999}
    return language_training.Plan(
        **{**settings, "clip_norm": None, "averaging_patience": 5, "patience": None, "seed": 0, **given}
    )


@pytest.mark.parametrize("room", [*ROOMS, "gpt", "nnlm"])
@pytest.mark.parametrize("kind", ["adam", "sgd", "momentum"])
def test_matrices_decay_and_nothing_else(room, kind):
    net = model(room, epochs=1, batch_size=3).fit(TEXTS[:3]).network_
    optimizer = language_training._optimizer(net, plan(optimizer=kind))
    vectors = 0
    for parameter in net.parameters():
        parameter.data.fill_(1)
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, values in net.named_parameters():
        vector = "bias" in name or name.endswith((".gain", ".shift"))
        vectors += vector
        torch.testing.assert_close(values.data, torch.full_like(values, 1 if vector else 0.95), msg=name)
    assert vectors > 0


def test_beta2_and_final_rate_are_those_of_the_training():
    net = model("rnn")._network(9, torch.Generator().manual_seed(0))
    assert {group["betas"] for group in language_training._optimizer(net, plan(beta2=0.9)).param_groups} == {(0.9, 0.9)}
    settings = {**SMALL, "epochs": 4, "schedule": "linear", "learning_rate": 0.02}
    ends = [
        model("rnn", **settings, final_rate=last).fit(TEXTS[:50]).curve_[-1]["learning_rate"] for last in (0.0, 0.5)
    ]
    assert 0 < ends[0] < 0.001
    assert ends[1] == pytest.approx(0.01 + ends[0] / 2)
    assert model("rnn", **SMALL, beta2=0.9).fit(TEXTS).fingerprint() != model("rnn", **SMALL).fit(TEXTS).fingerprint()


@each_room
def test_short_texts_and_small_corpora(room):
    net = model(room, **SMALL, tokenizer="characters").fit(["ab"])
    assert np.isfinite(net.score(["", "a", "b" * 300, "ü"]))
    assert net.surprisals(["ü"])[0].unknown.tolist() == [True]
    assert model(room, **SMALL).fit([""] * 3 + ["a"]).write([""], length=3)
    with pytest.raises(DataError):
        model(room, **SMALL).fit([""])


def test_a_rate_that_is_too_high_is_told():
    with pytest.raises(DivergedError) as caught:
        model("lstm", **SMALL, optimizer="sgd", learning_rate=1e5, schedule="constant", clip_norm=None).fit(TEXTS)
    assert caught.value.exit == 6


@each_room
def test_a_rate_that_is_too_high_is_told_where_nothing_overflows(room):
    with pytest.raises(DivergedError) as caught:
        model(room, **SMALL, learning_rate=9e5).fit(TEXTS)
    assert "90000" in str(caught.value.help)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dim", 0),
        ("layers", 65),
        ("context", 0),
        ("sampling", "shuffled"),
        ("truncation", "never"),
        ("over_borders", 1),
        ("tied", "yes"),
        ("dropout", 1.0),
        ("weight_dropout", -0.1),
        ("rate_decay", 1.5),
        ("final_rate", 1.0),
        ("beta2", 1.0),
        ("steps", 0),
        ("optimizer", ["adam"]),
        ("initial_range", 0),
        ("learning_rate", float("nan")),
        ("seed", -1),
    ],
)
def test_bad_settings(name, value):
    with pytest.raises(UsageError, match=name):
        model("lstm", **{name: value}).fit(TEXTS)


def test_random_samples_are_cut_regularly():
    with pytest.raises(UsageError, match="truncation"):
        model("gru", sampling="random", truncation="varied").fit(TEXTS)


@each_room
def test_states_over_borders_read_documents_as_one_stream(room):
    net = model(room, **SMALL, over_borders=True).fit(TEXTS[:80])
    first, second = (net.vocabulary_.encode(text, net.units_) for text in OTHERS[:2])
    together, alone = net._log_probabilities([first, second]), net._log_probabilities([second])
    assert not np.allclose(together[1], alone[0], atol=1e-4)
    decoder = net._decoder()
    _, rows = decoder.start([[*first.tolist(), BORDER, *second.tolist()]])
    assert rows[0][BORDER] == pytest.approx(together[1][-1], abs=1e-5)


@each_room
@pytest.mark.parametrize(("tied", "width"), [(True, 5), (True, 7), (False, 7)])
def test_the_network_is_that_of_torch(room, tied, width):
    """Two layers, by their textbook equations in torch's own modules."""
    built = model(room, dim=5, hidden_width=width, layers=2, tied=tied)
    net = built._network(11, torch.Generator().manual_seed(0))
    assert isinstance(net, RecurrentLanguage)
    if tied:
        assert (net.projection is None) == (width == 5)
    kind = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[room]
    theirs = kind(5, width, 2)
    order = {"rnn": [0], "gru": [0, 1, 2], "lstm": [0, 1, 3, 2]}[room]  # theirs: i f g o
    with torch.no_grad():
        for name, values in net.named_parameters():
            if "bias" in name:
                values.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
        for layer in (1, 2):
            into, recurrent, bias = net.weights(layer)
            for name, values in (("weight_ih", into[:, 0]), ("weight_hh", recurrent[0]), ("bias_ih", bias)):
                blocks = values.chunk(len(order), dim=-1)
                getattr(theirs, f"{name}_l{layer - 1}").copy_(
                    torch.cat([blocks[one] for one in order], dim=-1).T.squeeze()
                )
            getattr(theirs, f"bias_hh_l{layer - 1}").zero_()
        ids = torch.randint(11, (9, 3), generator=torch.Generator().manual_seed(2))
        hidden, _ = net.read(ids, net.begin(3))
        expected, _ = theirs(net.embedding[ids])
        torch.testing.assert_close(hidden, expected @ net.projection if net.projection is not None else expected)


def test_dropout_is_of_the_layers_of_the_time_or_of_the_weights():
    def states(**given):
        net = model("lstm")._network(9, torch.Generator().manual_seed(0))
        net.form = Form(16, 24, tied=True, **given)
        ids = torch.full((6, 2), 3)
        return [net.read(ids, net.begin(2), generator=torch.Generator().manual_seed(5))[0] for _ in range(2)]

    for given in ({"dropout": 0.5}, {"dropout": 0.5, "variational": True}, {"weight_dropout": 0.5}):
        one, other = states(**given)
        assert torch.equal(one, other)
        assert not torch.equal(one, states()[0])
    zeros = states(dropout=0.5)[0] == 0
    assert not (zeros == zeros[:1]).all()
    zeros = states(dropout=0.5, variational=True)[0] == 0
    assert (zeros == zeros[:1]).all()
    assert 0 < int(zeros[0].sum()) < zeros[0].numel()


@each_room
def test_the_trace_says_what_the_model_says(room, fitted):
    net, text = fitted[room], "the cat sees a bird."
    found = net.trace(text)
    told = net.surprisals([text])[0]
    np.testing.assert_allclose(found.arrays["bits"], told.bits, atol=1e-4)
    shares = [share for _, share in net.next_units(text, 5)]
    np.testing.assert_allclose(found.arrays["probabilities"][-1], shares, rtol=1e-4)
    steps = len(told.units)
    gates = {"rnn": set(), "gru": {"reset", "update"}, "lstm": {"input", "forget", "output", "cell"}}[room]
    assert gates | {"hidden", "layer2_hidden", "gradient", "layer2_gradient"} <= set(found.arrays)
    assert found.arrays["hidden"].shape == (steps + 1, 24)
    assert (found.arrays["gradient"][:steps] > 0).all()
    assert found.arrays["gradient"][steps] == 0
    assert len(found.views) == 4 + 2 * bool(gates)
    assert net.trace("").arrays["bits"].shape == (1,)
    assert net.explain(text).arrays["bits"].tolist() == told.bits.tolist()


def test_documents_are_held_out_whole():
    ids = np.concatenate([[BORDER], *([number] * (number % 5) + [BORDER] for number in range(2, 200))]).astype(np.int32)
    learned, listened = some_documents(ids, 0.1, seed=1)

    def documents(stream):
        assert stream[0] == stream[-1] == BORDER
        return [part.tolist() for part in np.split(stream[1:], np.flatnonzero(stream[1:] == BORDER) + 1)[:-1]]

    assert sorted(documents(learned) + documents(listened)) == sorted(documents(ids))
    assert 0.05 < len(listened) / len(ids) < 0.15
    early, late = end_of(ids, 0.1)
    assert documents(early) + documents(late) == documents(ids)
    whole = np.array([BORDER, *range(2, 1002), BORDER], dtype=np.int32)
    early, late = end_of(whole, 0.1)
    assert early.base is whole
    assert early[1:].tolist() + late[1:].tolist() == whole[1:].tolist()
    assert late[0] == BORDER
    assert len(late) == 102


def test_unknown_units_are_counted_and_never_written():
    net = model("gru", **SMALL, min_count=5).fit(TEXTS[:60])
    assert UNKNOWN in net.vocabulary_.encode("zebra", net.units_)
    told = net.surprisals(["zebra"])[0]
    assert told.spelling.sum() > 0
