"""The classifier benchmarks compare the same networks, and their verdicts are what they say."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

torch = pytest.importorskip("torch")

from benchmarks import classifier_memory, fill_classifiers, neural_speed, results_file  # noqa: E402
from benchmarks.plain_networks import matrix, plain_network  # noqa: E402
from erya import catalog  # noqa: E402
from erya.parts.token_batches import Corpus  # noqa: E402


@pytest.mark.parametrize("room", ["textcnn", "lstm"])
def test_the_plain_network_answers_as_ours_does(room):
    model = catalog.model(f"classify/{room}", "tiny")
    ours = model._network(9, 5, 3, torch.Generator().manual_seed(1))
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
        ours.embedding[0] = 0
    # of one length: the plain LSTM reads padding as if it were text
    corpus = Corpus([[2, 3, 4, 8], [5, 5, 6, 1], [7, 2, 3, 3]], 9)
    with torch.no_grad():
        expected = ours(corpus.batch(np.arange(3)))
        found = plain_network(ours).eval()(*matrix(corpus))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("room", ["textcnn", "lstm"])
def test_training_is_compared_on_few_rows(room):
    found = neural_speed.compare(room, "snips", 30, 1, 1)
    assert set(found["tokens_per_second"]) == {"erya", *neural_speed.PLAIN}
    assert set(found["ratio"]) == set(neural_speed.PLAIN)
    assert all(0 <= share <= 1 for share in found["accuracy"].values())
    assert found["rows"] == 30


def test_memory_that_grows_with_the_tokens_is_told_from_memory_that_grows_with_the_rows():
    longest = (100, 200, 400)

    def row(long_text):
        held = {f"long {tokens}": long_text(tokens) for tokens in longest} | {"batch 400": 50 + 400 * 3, "short": 50}
        return {"cases": {name: {"before": 7, "peak": 7 + size} for name, size in held.items()}}

    by_tokens = classifier_memory.verdict(row(lambda tokens: 50 + 3 * tokens), longest)
    assert by_tokens == {"bytes_per_token": 3, "linear": 1, "one_row_over_many": 1}
    by_rows = classifier_memory.verdict(row(lambda tokens: 50 + 16 * 3 * tokens), longest)
    assert (by_rows["linear"], by_rows["one_row_over_many"]) == (1, 16)
    squared = classifier_memory.verdict(row(lambda tokens: 50 + tokens * tokens), longest)
    assert squared["linear"] == 2


def test_the_cases_of_memory_hold_as_many_tokens_in_one_row_as_in_many():
    cases = classifier_memory.cases((1000, 2000, 4000))
    assert cases["long 4000"] == {"longest": 4000, "batch_size": classifier_memory.BATCH}
    assert cases["batch 4000"] == {"longest": 0, "batch_size": 200}  # texts of 20 tokens, on average


def test_a_process_tells_what_it_held():
    case = {"longest": 3000, "batch_size": 8}
    ours, padded = (classifier_memory.run("textcnn", way, 40, case) for way in classifier_memory.WAYS)
    held = {way: found["peak"] - found["before"] for way, found in zip(("ours", "padded"), (ours, padded), strict=True)}
    assert 0 < held["ours"] < held["padded"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_was_measured_becomes_tables(tmp_path, monkeypatch, lang):
    monkeypatch.setattr(results_file, "FOLDER", tmp_path)
    assert fill_classifiers.memory("textcnn", lang) is None
    speeds = {"erya": 200_000.0, "torch, batched": 20_000.0, "torch, plain": 8_000.0}
    prediction = {
        "data": "thucnews",
        "texts_per_second": speeds,
        "ratio": {way: 200_000 / speed for way, speed in speeds.items() if way != "erya"},
        "greatest_difference": dict.fromkeys(speeds, 1e-7),
    }
    cases = classifier_memory.cases((100, 200, 400))
    held = {name: {"before": 10**8, "peak": 10**8 + 10**6 * number} for number, name in enumerate(cases, 1)}
    memory = [{"room": room, "way": "erya", "cases": held} for room in ("textcnn", "lstm")]
    results_file.write(
        "classifiers",
        {
            "prediction": {"rows": [prediction]},
            "memory": {"rows": memory, "longest": [100, 200, 400], "texts": 50, "batch_size": 16},
        },
    )
    assert "| 8,000 | 25.0 × | 1e-07 |" in fill_classifiers.prediction("textcnn", lang)
    table = fill_classifiers.memory("lstm", lang)
    assert "| Erya | 1.0 MB | 2.0 MB | 3.0 MB | 4.0 MB | 5.0 MB |" in table
    assert table.count("| Erya |") == 1
