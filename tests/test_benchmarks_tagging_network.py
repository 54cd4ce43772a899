"""The benchmark's own arithmetic, with a peer of ours in place of pytorch-crf, and its table."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

torch = pytest.importorskip("torch")

from benchmarks import fill_tagging_network, results_file, tagging_network  # noqa: E402
from erya.parts import crf_torch  # noqa: E402


class Peer(torch.nn.Module):
    """Speaks as ``torchcrf.CRF`` does."""

    def __init__(self, count, batch_first):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        for name, shape in (("transitions", (count, count)), ("start_transitions", count), ("end_transitions", count)):
            self.register_parameter(name, torch.nn.Parameter(torch.randn(shape, generator=generator)))

    def told(self, emissions, mask):
        starts = np.concatenate([[0], np.cumsum(mask.sum(dim=1).numpy())])
        chain = crf_torch.Chain(self.transitions, self.start_transitions, self.end_transitions)
        return emissions[mask], starts, chain

    def forward(self, emissions, tags, mask, reduction):
        return -crf_torch.loss(*self.told(emissions, mask), tags[mask].numpy())

    def decode(self, emissions, mask):
        rows, starts, chain = self.told(emissions, mask)
        path = crf_torch.viterbi(rows, starts, chain)[0].tolist()
        return [path[low:high] for low, high in pairwise(starts.tolist())]


def test_both_sides_are_asked_the_same(monkeypatch, capsys):
    monkeypatch.setattr(tagging_network, "REPEATS", 1)
    rows = tagging_network.chains(Peer, 1)
    assert [row["what"].partition(",")[0] for row in rows] == ["loss and gradient", "decode", "both"] * 2
    for row in rows:
        assert row["ratio"]["pytorch-crf"] == row["seconds"]["pytorch-crf"] / row["seconds"]["erya"]
    assert "both, 5 to 40 tokens" in capsys.readouterr().out


def test_a_peer_that_answers_otherwise_is_not_timed(monkeypatch):
    monkeypatch.setattr(Peer, "decode", lambda self, emissions, mask: [[0] * int(size) for size in mask.sum(dim=1)])
    with pytest.raises(AssertionError):
        tagging_network.chains(Peer, 1)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_table(monkeypatch, lang):
    seconds = {"erya": 0.0005, "pytorch-crf": 0.01}
    rows = [tagging_network.row_of("chain", "decode, 5 to 40 tokens", seconds, 3.0)]
    rows.append(
        tagging_network.row_of("training", "a step of 16 sentences", {**seconds, "plain torch, pytorch-crf": 0.02})
    )
    rows.append({"claim": "answers", "what": "msra", "sentences_per_second": 1234.5, "characters_per_second": 50000.0})
    environment = {name: "1" for name in ("erya", "python", "numpy", "torch", "processor", "threads")}
    document = {"measured": "2026-01-01", "environment": environment, "network": {"rows": rows}}
    monkeypatch.setattr(results_file, "read", lambda name: document if name == "tagging" else None)
    table = fill_tagging_network.speed("bilstm_crf", lang)
    assert "| 0.50 ms | pytorch-crf | 10.00 ms | 20.0 × |" in table
    assert "40.0 ×" in table
    assert "| 1,234 | 50,000 |" in table
    monkeypatch.setattr(results_file, "read", lambda name: None)
    assert fill_tagging_network.speed("bilstm_crf", lang) is None
