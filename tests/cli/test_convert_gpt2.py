"""convert: GPT-2 folders in and out, and what cannot be told there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import erya as package
from erya.generate import LSTMLanguageModel
from erya.tasks import generate

GOLDEN = Path(__file__).parents[1] / "golden_gpt2"


def test_there_and_back(erya):
    found = erya("convert", str(GOLDEN), "gpt2.erya")
    assert found.code == 0, found.err
    found = erya("convert", "gpt2.erya", "out/")
    assert found.code == 0, found.err
    assert "huggingface" in found.out
    assert "record" in found.err
    document = erya("convert", "out", "back.erya", "--json").document
    assert document["model"] == "generate/gpt"
    assert Path("back.erya").read_bytes() == Path("gpt2.erya").read_bytes()
    named = erya("convert", "gpt2.erya", "named", "--to", "huggingface")
    assert named.code == 0
    assert package.load("named").fingerprint() == package.load("gpt2.erya").fingerprint()
    assert "bits a character" in erya("explain", "out", "the cat").out


def test_check_reads_it_whole(erya):
    found = erya("check", str(GOLDEN))
    assert found.code == 0, found.err
    assert "321 (bpe)" in found.out
    document = erya("check", str(GOLDEN), "--json").document
    assert document["fingerprint"] == package.load(GOLDEN).fingerprint()
    assert document["settings"]["norm_epsilon"] == 0.001
    shutil.copytree(GOLDEN, "bad")
    data = Path("bad/model.safetensors").read_bytes()
    Path("bad/model.safetensors").write_bytes(data[:-4] + b"\0\0\xc0\x7f")
    spoilt = erya("check", "bad")
    assert spoilt.code == 4
    assert "NaN" in spoilt.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["bad", "a.erya"], 4, "length of its header"),
        (["empty", "a.erya"], 3, ""),
        (["lstm.erya", "out/"], 2, "a GPT-2 folder holds a GPT"),
        (["gpt2.erya", "full/"], 2, "mine.txt"),
        (["gpt2.erya", "full/mine.txt/"], 2, "no folder"),
        (["gpt2.erya", "absent/out/"], 5, "does not exist"),
        (["gpt2.erya", "out"], 2, "folder/"),
        (["gpt2.erya", "out/", "--limit", "3"], 2, "word vectors"),
    ],
)
def test_what_is_refused(erya, arguments, code, said):
    if "lstm.erya" in arguments:
        LSTMLanguageModel(dim=4, hidden_width=4, epochs=1).fit(generate.toy(1, 10)).save("lstm.erya")
    package.load(GOLDEN).save("gpt2.erya")
    shutil.copytree(GOLDEN, "bad")
    Path("bad/model.safetensors").write_bytes(b"\xff" * 100)
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    found = erya("convert", *arguments)
    assert found.code == code, found.err
    assert said in found.err
    assert "Traceback" not in found.err
    assert not Path("a.erya").exists()
    assert not Path("out").exists()
