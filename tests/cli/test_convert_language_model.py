"""convert: n-grams to ARPA and back, and what cannot be told there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import erya as package
from erya.generate import NGram
from erya.tasks import generate

TEXT = "the cat sees a zebra."


@pytest.fixture
def model(erya):
    found = NGram(order=3, tokenizer="words").fit(generate.toy(1, 60))
    found.save("kn.erya")
    return found


def bits(model):
    return model.surprisals([TEXT])[0].bits


def test_there_and_back(erya, model):
    found = erya("convert", "kn.erya", "kn.arpa")
    assert found.code == 0, found.err
    assert "kn.arpa" in found.out
    assert "training record" in found.err
    assert Path("kn.arpa.tokenizer.json").is_file()
    opened = package.load("kn.arpa")
    np.testing.assert_allclose(bits(opened), bits(model), atol=1e-5)
    document = erya("convert", "kn.arpa", "back.erya", "--json").document
    assert document["schema"] == "erya.convert/1"
    assert document["model"] == "generate/ngram"
    assert bits(package.load("back.erya")).tobytes() == bits(opened).tobytes()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["kn.erya", "kn.bin"], 2),
        (["kn.erya", "kn.txt", "--to", "arpa"], 2),
        (["kn.erya", "kn.arpa", "--limit", "3"], 2),
        (["kn.erya", "kn.arpa", "--to", "onnx"], 2),
        (["bad.arpa", "kn2.erya"], 4),
        (["absent.arpa", "kn2.erya"], 3),
    ],
)
def test_what_is_refused(erya, model, arguments, code):
    Path("bad.arpa").write_text("\\data\\\nngram 1=9223372036854775808\n")
    found = erya("convert", *arguments)
    assert found.code == code, found.err
    assert not Path(arguments[1]).exists()
    assert "Traceback" not in found.err


def test_what_is_proposed_can_be_done(erya, model):
    found = erya("convert", "kn.erya", "kn.arpa.gz")
    assert found.code == 2
    assert "erya convert kn.erya kn.arpa\n" in found.err
    assert erya("convert", "kn.erya", "kn.arpa").code == 0
    shown = erya("show", "kn.arpa")
    assert shown.code == 0, shown.err
    assert "order=3" in shown.out
