"""The language benchmarks compare like with like: the plain networks are ours, given the same weights."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from benchmarks import fill_language_models, language_networks, results_file  # noqa: E402
from benchmarks.plain_language import Learned, PlainLSTM, PlainNNLM, plain_lstm, plain_nnlm  # noqa: E402
from erya.models.lstm.network import first_weights  # noqa: E402
from erya.models.nnlm.network import Windows  # noqa: E402
from erya.parts.lstm_cell import LSTMCell  # noqa: E402
from erya.parts.recurrent_language import Form, RecurrentLanguage  # noqa: E402

V, D, H, T, B = 11, 5, 7, 6, 3


def like(**more):
    given = {
        "dim": D,
        "hidden_width": H,
        "dropout": 0.0,
        "tied": False,
        "initial_range": 0.1,
        "seed": 0,
        "clip_norm": 1.0,
    }
    return SimpleNamespace(**{**given, **more})


def test_the_plain_lstm_is_ours():
    ours = RecurrentLanguage(LSTMCell(), V, Form(D, H, 2), first_weights, torch.Generator().manual_seed(1))
    plain = PlainLSTM(V, like(layers=2))
    order = torch.cat(
        [torch.arange(2 * H), torch.arange(3 * H, 4 * H), torch.arange(2 * H, 3 * H)]
    )  # ours i f o g, torch's i f g o
    with torch.no_grad():
        plain.encoder.weight.copy_(ours.embedding)
        for layer in (1, 2):
            into, recurrent, bias = ours.weights(layer)
            for name, values in (("weight_ih", into[:, 0]), ("weight_hh", recurrent[0]), ("bias_ih", bias[0])):
                getattr(plain.lstm, f"{name}_l{layer - 1}").copy_(values.movedim(-1, 0)[order])
            getattr(plain.lstm, f"bias_hh_l{layer - 1}").zero_()
        plain.decoder.weight.copy_(ours.table)
        plain.decoder.bias.copy_(ours.output_bias)
    inputs = torch.randint(V, (T, B), generator=torch.Generator().manual_seed(2))
    logits, _ = plain(inputs, None)
    hidden, _ = ours.read(inputs, ours.begin(B))
    torch.testing.assert_close(hidden @ ours.table.T + ours.output_bias, logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tied", [False, True])
def test_the_plain_nnlm_is_ours(tied):
    ours = Windows(V, D, H, 3, True, over_borders=True, generator=torch.Generator().manual_seed(1), tied=tied)
    plain = PlainNNLM(V, like(order=4, direct=True, tied=tied))
    with torch.no_grad():
        for values in ours.parameters():
            values.normal_(generator=torch.Generator().manual_seed(len(values)))
        plain.encoder.weight.copy_(ours.embedding)
        plain.hidden.weight.copy_(ours.input.T)
        plain.hidden.bias.copy_(ours.hidden_bias)
        plain.decoder.bias.copy_(ours.output_bias)
        if tied:
            plain.narrow.weight.copy_(ours.narrow.T)
            plain.straight.weight.copy_(ours.straight.T)
        else:
            from_hidden, from_window = ours.ways()
            plain.decoder.weight.copy_(from_hidden)
            plain.straight.weight.copy_(from_window)
    windows = torch.randint(V, (9, 3), generator=torch.Generator().manual_seed(2))
    expected = ours.states(windows) @ ours.table.T + ours.output_bias
    torch.testing.assert_close(plain(windows), expected, atol=1e-4, rtol=1e-4)


def test_plain_loops_learn():
    ids = torch.arange(2400, dtype=torch.int32).remainder(V).numpy()  # always the next number
    sizes = {"layers": 1, "context": T, "batch_size": B}
    for loop, rate, more in (
        (plain_lstm, 5.0, {"initial_range": 0.6}),
        (plain_nnlm, 0.03, {"order": 3, "direct": True}),
    ):
        few, many = (loop(ids, V, like(learning_rate=rate, steps=steps, **sizes, **more)) for steps in (2, 80))
        assert many.units == 80 * T * B
        assert many.loss < few.loss - 0.1


def test_rounds_and_their_table(monkeypatch):
    def slow():
        time.sleep(0.03)
        return Learned(10, 1.0)

    found = language_networks.rounds_of({"erya": lambda: Learned(10, 1.0), "torch": slow}, 2)
    assert found["ratio"]["erya"]["wall"] == 1
    assert found["ratio"]["torch"]["wall"] > 2
    assert len(found["runs"]["torch"]) == 2, "the first round is not counted"
    where = {"erya": "0", "python": "3", "numpy": "2", "torch": "2", "processor": "x", "threads": 1}
    document = {"measured": "today", "environment": where, "networks": {"nnlm": found}}
    monkeypatch.setattr(results_file, "read", lambda name: document if name == "language_networks" else None)
    assert "a plain torch loop" in fill_language_models.networks("nnlm", "en")
    assert fill_language_models.networks("gpt", "en") is None
    assert fill_language_models.shakespeare("gpt", "zh") is None
