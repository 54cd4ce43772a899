"""convert: every format there and back, what is lost is said, and nothing of somebody else's is overwritten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import erya as package

FORMATS = {"v.bin": "word2vec-bin", "v.txt": "word2vec-text", "v.vec": "fasttext-vec", "v.npy": "numpy"}


@pytest.mark.parametrize("name", [*FORMATS, "v.txt.gz"])
def test_there_and_back(erya, words, name):
    found = erya("convert", "v.erya", name)
    assert found.code == 0, found.err
    original, opened = package.load("v.erya"), package.load(name)
    assert opened.words_ == original.words_
    assert np.array_equal(opened.vectors, original.vectors)
    assert erya("convert", name, "back.erya").code == 0
    assert np.array_equal(package.load("back.erya").vectors, original.vectors)
    assert erya("show", name, "near", "soup", "--json").document["answers"] == [
        {**erya("show", "v.erya", "near", "soup", "--json").document["answers"][0], "count": opened_count(opened)}
    ]


def opened_count(model):
    return None if model.counts_ is None else int(model.counts_[model.get_index("soup")])


def test_glove_has_no_header(erya, words):
    assert erya("convert", "v.erya", "g.txt", "--to", "glove").code == 0
    first = Path("g.txt").read_text(encoding="utf-8").splitlines()[0].split()
    assert len(first) == 9
    assert erya("check", "g.txt", "--json").document["format"] == "glove"


def test_what_is_lost_is_said(erya, words):
    found = erya("convert", "v.erya", "v.bin", "--limit", "5")
    assert "last 21 words" in found.err
    assert "word counts" in found.err
    assert "training cannot go on" in found.err
    assert Path("v.bin.tokenizer.json").is_file()
    assert len(package.load("v.bin").words_) == 5
    assert "词频" in erya("convert", "v.erya", "v.bin", lang="zh").err
    document = erya("convert", "v.bin", "w.vec", "--json").document
    assert document["schema"] == "erya.convert/1"
    assert document["lost"] == []
    assert document["tokenizer"] is None


@pytest.mark.parametrize(("storage", "error"), [("float16", 1e-3), ("int8", 2e-2)])
def test_smaller_files(erya, words, storage, error):
    assert erya("convert", "v.erya", "small.erya", "--to", storage).code == 0
    small, whole = package.load("small.erya"), package.load("v.erya")
    assert small.vectors_.dtype == np.dtype(storage)
    assert np.abs(small.vectors - whole.vectors).max() < error
    assert erya("check", "small.erya").code == 0
    assert erya("evaluate", "small.erya", "ws.tsv").code == 0


@pytest.mark.parametrize(
    ("arguments", "exit", "word"),
    [
        (["v.erya", "out.xyz"], 2, "--to"),
        (["v.erya", "out.bin", "--to", "word2vec-bni"], 2, "word2vec-bin"),
        (["v.erya", "out.bin", "--to", "int8"], 2, "out.erya"),
        (["v.erya", "corpus.txt"], 2, "corpus-new.txt"),
        (["v.erya", "v.erya", "--to", "erya"], 2, "v-new.erya"),
        (["m.erya", "out.bin"], 2, "classify/naive_bayes"),
        (["nowhere.vec", "out.bin"], 3, "nowhere.vec"),
        (["corpus.txt", "out.bin"], 4, "corpus.txt"),
        (["v.erya", "no/out.bin"], 5, "mkdir"),
        (["v.erya", "out.bin", "--limit", "0"], 2, "--limit 1"),
        (["v.erya", "out.bin", "--bad-utf8", "ignore"], 2, "stop"),
    ],
)
def test_wrong_calls_write_nothing(erya, words, trained, arguments, exit, word):
    before = {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    english, chinese = erya("convert", *arguments), erya("convert", *arguments, lang="zh")
    assert english.code == chinese.code == exit, english.err
    assert word in english.err
    assert chinese.err.startswith("错误：")
    assert {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before


def test_words_that_are_not_utf8(erya, words):
    Path("bad.vec").write_bytes(b"3 2\nsoup 1 2\nb\xff\xffd 3 4\nrain 5 6\n")
    assert erya("convert", "bad.vec", "out.bin").code == 4
    skipped = erya("convert", "bad.vec", "out.bin", "--bad-utf8", "skip")
    assert skipped.code == 0
    assert "1 words" in skipped.err
    assert package.load("out.bin").words_ == ["soup", "rain"]
