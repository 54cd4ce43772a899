"""The benchmark of recurrent language models: what it measures of a network whose answers are known, its tables and pictures."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

torch = pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from benchmarks import fill_recurrent_language, recurrent_language, recurrent_pictures, results_file  # noqa: E402
from erya import catalog  # noqa: E402
from erya.parts.language_training import evaluate  # noqa: E402
from erya.parts.stream_batches import StreamBatches  # noqa: E402
from erya.tasks import generate  # noqa: E402

TEXT = " ".join(generate.toy(seed=1, rows=60))


@pytest.fixture(scope="module")
def halving():
    """Elman's network that hears nothing and halves its state: a gradient halves with every step back."""
    settings = {"tokenizer": "characters", "dim": 8, "hidden_width": 8, "over_borders": True, "steps": 1}
    model = catalog.model("generate/rnn", "tiny", settings).fit([TEXT])
    with torch.no_grad():
        for name, values in model.network_.named_parameters():
            if name in ("input_1", "bias_1"):
                values.zero_()
        model.network_.recurrent_1.copy_(0.5 * torch.eye(8)[None])
    return model


def test_how_far_back_a_loss_reaches(halving):
    found = recurrent_language.reaching(halving, TEXT)
    np.testing.assert_allclose(found, np.arange(len(found)) * math.log10(0.5), atol=1e-3)


def test_what_was_read_helps_a_network_that_keeps_nothing_in_no_way(halving):
    counts = torch.log_softmax(halving.network_.output_bias.detach(), dim=0)
    ids = halving.vocabulary_.encode(TEXT, halving.units_)[max(recurrent_language.WARMTH) + 1 :: 7]
    expected = -float(counts[torch.from_numpy(ids.astype(np.int64))].mean()) / math.log(2)
    for read in (0, 1, 50):
        assert recurrent_language.warm(halving, TEXT, read) == pytest.approx(expected, abs=1e-5)
    ids = recurrent_language.stream(halving, [TEXT])
    carried = evaluate(halving.network_, ids, StreamBatches(ids, 4, 20, over_borders=True))
    assert recurrent_language.fresh(halving, [TEXT]) == pytest.approx(carried, abs=1e-5)


def figures():
    """Made up, of the shape that the benchmark writes."""
    ends = {"loss": 2.5, "spread": 0.25, "fresh_loss": 2.75, "seconds": 3.0, "steps": 1234}
    epochs = [{"loss": loss, "clipped": 0.125, "longest_gradient": 7.5} for loss in (3.25, 3.125)]
    cells = recurrent_pictures.CELLS
    reach = [
        {"cell": cell, "when": when, "log10": [-step * (place + 1) / 10 for step in range(61)]}
        for when in recurrent_pictures.WHEN
        for place, cell in enumerate(cells)
    ]
    warmth = {"read": [0, 5], "rows": [{"cell": cell, "loss": 2.0, "bits": [4.5, 3.25]} for cell in cells]}
    return {
        "measured": "2026-01-02",
        "environment": {"erya": "0", "python": "3", "numpy": "2", "torch": "2", "processor": "one", "threads": 1},
        "seeds": [0, 1],
        "sampling": [{"context": 5, "sampling": kind, **ends} for kind in ("sequential", "random")],
        "truncation": [
            {"context": context, "truncation": kind, **ends, "loss_same_seconds": 2.875}
            for context, kind in ((5, "regular"), (5, "random"), (None, "full"))
        ],
        "cells": {"reach": reach, "warmth": warmth},
        "clipping": [{"clip_norm": None, "epochs": []}, {"clip_norm": 1.0, "epochs": epochs}],
        "dropping": [
            {"name": name, "losses": [5.5, 5.25, 5.375], "learned_loss": 4.5}
            for name in fill_recurrent_language.DROPPED
        ],
        "tying": [
            {"tied": tied, "vocabulary": 99, "parameters": 1234, "loss": 5.5, "seconds": 9.0} for tied in (False, True)
        ],
    }


ROWS = {"sampling": 1, "truncation": 3, "reach": 8, "warmth": 4, "clipping": 2, "dropped": 7, "tying": 2}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_tables(monkeypatch, lang):
    assert fill_recurrent_language.RENDERERS.keys() == {f"recurrent_{name}" for name in ROWS}
    monkeypatch.setattr(results_file, "read", lambda name: figures())
    for name, rows in ROWS.items():
        text = fill_recurrent_language.RENDERERS[f"recurrent_{name}"]("rnn", lang)
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert len(lines) == rows + 2, name
        assert len({line.count("|") for line in lines}) == 1, name
    table = fill_recurrent_language.dropped("lstm", lang)
    assert "5.250 (2)" in table
    monkeypatch.setattr(results_file, "read", lambda name: None)
    assert fill_recurrent_language.reach("rnn", lang) is None


@pytest.mark.parametrize("lang", [0, 1])
def test_the_picture_stands_alone(lang):
    rows = figures()["cells"]["reach"]
    drawing = ElementTree.fromstring(recurrent_pictures.reach(rows, lang))
    space = "{http://www.w3.org/2000/svg}"
    assert drawing.tag == f"{space}svg"
    series = [one.get("d") for one in drawing.iter(f"{space}path")]
    assert len(series) == 3 * len(recurrent_pictures.CELLS)  # a legend and two panels
    assert len(set(series)) == len(series)
    used = "".join(one.get("style", "") for one in drawing.iter(f"{space}path"))
    rules = next(drawing.iter(f"{space}style")).text
    assert "var(--s3)" in used
    assert "--s3:#" in rules
