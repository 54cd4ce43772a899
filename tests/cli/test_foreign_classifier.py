"""Verbs that take a model take the original fastText's .bin and .ftz as well; convert writes them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import erya as package
from erya.classify import FastText
from erya.text.tokenizers import Whitespace

GOLDEN = Path(__file__).parents[1] / "golden_fasttext"
TEXTS = [
    "the cat and the wolf",
    "a dog in the song",
    "bread with soup",
    "rice is very good food",
    "chess and music",
] * 12
LABELS = ["animal", "animal", "food", "food", "play"] * 12


@pytest.fixture
def original(erya):
    for name in ("softmax-bigrams.bin", "hs-pieces.bin", "qnorm.ftz", "skipgram.bin"):
        shutil.copy(GOLDEN / name, name)
    rows = "".join(f"the cat and the wolf {row},animal\nbread and soup {row},food\n" for row in range(20))
    Path("rows.csv").write_text(f"text,label\n{rows}", encoding="utf-8")


@pytest.mark.parametrize("name", ["softmax-bigrams.bin", "hs-pieces.bin", "qnorm.ftz"])
def test_every_verb_takes_it(erya, original, name):
    row = erya("predict", name, "--input", "the wolf", "--json").document["rows"][0]
    assert row["answer"] == package.load(name).predict(["the wolf"])[0]
    assert erya("evaluate", name, "rows.csv", "--json").document["model"] == "classify/fasttext_file"
    explained = erya("explain", name, "the wolf")
    assert "the wolf" in explained.out
    assert "strongest features" in explained.out
    assert erya("explain", name, "the wolf", "--label", "food", "-o", "why.html").code == 0
    assert "<!doctype html" in Path("why.html").read_text(encoding="utf-8").lower()
    assert erya("show", name, "the wolf").code == 0
    assert "5 labels" in erya("show", name).out
    assert "whole" in erya("check", name).out
    assert "5 个标签" in erya("check", name, lang="zh").out
    assert erya("calibrate", name, "rows.csv", "-o", "c.erya").code == 0
    assert erya("predict", "c.erya", "--input", "the wolf").code == 0


def test_it_is_compared(erya, original):
    board = erya(
        "compare", "rows.csv", "softmax-bigrams.bin", "classify/naive_bayes", "--json", "-o", "r.json"
    ).document
    assert [row["status"] for row in board["rows"]] == ["ok", "ok"]
    assert "softmax-bigrams.bin" in {row["model"] for row in board["rows"]}


def test_there_and_back(erya, original):
    assert erya("convert", "qnorm.ftz", "m.erya").code == 0
    assert erya("convert", "m.erya", "back.ftz").code == 0
    assert Path("back.ftz").read_bytes() == Path("qnorm.ftz").read_bytes()
    assert erya("convert", "skipgram.bin", "v.erya").code == 0
    assert package.load("v.erya").id == "vectors/fasttext"
    found = erya("convert", "v.erya", "back.bin", "--to", "fasttext-bin")
    assert found.code == 0
    assert np.array_equal(package.load("back.bin").vectors, package.load("skipgram.bin").vectors)


@pytest.mark.parametrize("settings", [{}, {"min_n": 2, "max_n": 3}, {"word_ngrams": 1}])
def test_our_model_becomes_theirs(erya, settings):
    model = FastText(tokenizer="whitespace", buckets=5000, epochs=20, **settings).fit(TEXTS, LABELS)
    model.save("m.erya")
    assert erya("convert", "m.erya", "m.bin", "--json").document["labels"] == 3
    theirs = package.load("m.bin")
    # every n-gram of these lines was learned: the same means, so the same probabilities
    if settings != {"min_n": 2, "max_n": 3}:
        np.testing.assert_allclose(theirs.predict_proba(TEXTS), model.predict_proba(TEXTS), atol=2e-5)
    assert theirs.predict([*TEXTS, "wolf soup unseen"]).tolist() == model.predict([*TEXTS, "wolf soup unseen"]).tolist()
    assert erya("convert", "m.erya", "m.ftz").code == 0
    small = package.load("m.ftz")  # just the rows there are: also of what was never learned
    texts = [*TEXTS, "wolf soup unseen words here", "chess", ""]
    np.testing.assert_allclose(small.predict_proba(texts), model.predict_proba(texts), atol=2e-2)


def test_what_cannot_be_told_is_refused(erya, original):
    FastText(epochs=1).fit(TEXTS, LABELS).save("auto.erya")
    refused = erya("convert", "auto.erya", "m.bin")
    assert refused.code == 2
    assert "white space" in refused.err
    assert not Path("m.bin").exists()
    FastText(epochs=1, tokenizer=Whitespace()).fit(TEXTS, [f"{label} x" for label in LABELS]).save("blank.erya")
    assert "white space" in erya("convert", "blank.erya", "m.bin").err
    assert erya("convert", "softmax-bigrams.bin", "m.vec").code == 2
    assert erya("convert", "softmax-bigrams.bin", "m.erya", "--limit", "3").code == 2
    assert erya("convert", "softmax-bigrams.bin", "m.txt", "--to", "erya").code == 2


def test_about_tells_how_it_is_made(erya):
    for id in ("classify/fasttext_file", "classify/calibrated", "vectors/keyed"):
        assert erya("about", id).code == 0
        assert erya("about", id, "--json").document["made_by"].startswith("erya ")
    assert "校准" in erya("about", "classify/calibrated", lang="zh").out
    assert erya("train", "classify/fasttext_file", "x.csv", "-o", "m.erya").code == 2
