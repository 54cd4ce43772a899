"""Word vectors as files: what is trained here opens in the original and answers the same, and the other way round.

Needs a Python that has the original's package: ERYA_FASTTEXT_PYTHON names one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import erya.fasttext
from erya.models.fasttext import binary
from erya.models.fasttext.original import Original
from erya.models.fasttext.vectors import FastTextVectors

SEEN = ["good", "morning", "mornings", "早上好", "early", "bird", "</s>"]
UNSEEN = ["goodness", "birdsong", "早上", "earliest", "zzz", "x", "mörning"]
SETTINGS = {
    "dim": 7,
    "minCount": 1,
    "minn": 2,
    "maxn": 4,
    "bucket": 211,
    "epoch": 3,
    "thread": 2,
    "verbose": 0,
    "t": 0.1,
}

ASKED = """
import json, sys
import fasttext
job = json.loads(sys.argv[1])
if job["train"]:
    fasttext.train_unsupervised(job["text"], **job["train"]).save_model(job["model"])
model = fasttext.load_model(job["model"])
words = job["words"]
print(json.dumps({
    "words": model.get_words(),
    "vectors": [[float(x) for x in model.get_word_vector(word)] for word in words],
    "nearest": [model.get_nearest_neighbors(word, k=5) for word in words],
    "analogies": model.get_analogies(*words[:3], k=4),
}))
"""  # fmt: skip


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    generator = np.random.default_rng(5)
    words = np.array([*SEEN[:-1], "worm", "catches", "the", "birds", "再见", "naïve", "天气", "very", "well"])
    shares = 1 / np.arange(1, len(words) + 1)
    path = tmp_path_factory.mktemp("exchange") / "text.txt"
    lines = generator.choice(words, (1500, 12), p=shares / shares.sum())
    path.write_text("".join(" ".join(line) + "\n" for line in lines), encoding="utf-8")
    return path


def ask_the_original(model: Path, text: Path | None = None, train: dict | None = None) -> dict:
    python = os.environ.get("ERYA_FASTTEXT_PYTHON", "")
    if not python:
        pytest.skip("needs ERYA_FASTTEXT_PYTHON, a Python that has the fasttext package and NumPy 1")
    job = {"model": str(model), "text": str(text), "train": train, "words": SEEN + UNSEEN}
    done = subprocess.run([python, "-c", ASKED, json.dumps(job)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def same(found: list[tuple[float, str]], told: list[tuple[float, str]]) -> None:
    """The same words with the same cosines; in an order of their own only where cosines are equal."""
    np.testing.assert_allclose([score for score, _ in found], [score for score, _ in told], atol=1e-5)
    for (score, word), (_, other) in zip(found, told, strict=True):
        assert word == other or any(word == name and abs(score - cosine) < 1e-6 for cosine, name in told)


def agree(model: Original, told: dict) -> None:
    facade = erya.fasttext.FastTextModel(original=model)
    assert facade.words == told["words"]
    np.testing.assert_allclose(model.word_vectors(SEEN + UNSEEN), told["vectors"], atol=1e-6, rtol=0)
    for word, near in zip(SEEN + UNSEEN, told["nearest"], strict=True):
        if model.word_vector(word).any():  # of zeros, all words are as near
            same(facade.get_nearest_neighbors(word, 5), near)
    same(facade.get_analogies(*SEEN[:3], k=4), told["analogies"])


@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
@pytest.mark.parametrize("loss", ["ns", "hs", "softmax"])
def test_what_is_trained_here_opens_in_the_original(algorithm, loss, text, tmp_path):
    path = tmp_path / "ours.bin"
    model = erya.fasttext.train_unsupervised(text, algorithm, loss="hs" if loss == "hs" else "ns", **SETTINGS)
    if loss == "softmax":  # no word vectors are trained so here; the file is laid out alike
        theirs = model.original
        arguments = dataclasses.replace(theirs.arguments, loss=loss)
        model.original = Original(arguments, theirs.dictionary, theirs.input, theirs.output)
    model.save_model(str(path))
    agree(binary.read(path), ask_the_original(path))


@pytest.mark.parametrize("algorithm", ["skip_gram", "cbow"])
@pytest.mark.parametrize("loss", ["negative_sampling", "hierarchical_softmax"])
def test_an_estimator_s_vectors_open_in_the_original(algorithm, loss, text, tmp_path):
    path = tmp_path / "ours.bin"
    model = FastTextVectors(
        dim=7, min_count=1, min_n=2, max_n=4, buckets=211, epochs=3, algorithm=algorithm, loss=loss, tokenizer="whitespace"
    ).fit(text)  # fmt: skip
    binary.write(path, model.to_original())
    told = ask_the_original(path)
    for word, vector in zip(SEEN + UNSEEN, np.array(told["vectors"]), strict=True):
        if word in model.key_to_index:
            np.testing.assert_allclose(model[word], vector, atol=1e-6, rtol=0)
        elif word in model:  # there, n-grams that never occurred count as zeros
            cosine = vector @ model[word] / np.linalg.norm(vector) / np.linalg.norm(model[word])
            assert cosine == pytest.approx(1, abs=1e-5)
        else:
            assert not vector.any()


@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
@pytest.mark.parametrize("loss", ["ns", "hs", "softmax", "ova"])
def test_what_the_original_trains_opens_here(algorithm, loss, text, tmp_path):
    path = tmp_path / "theirs.bin"
    told = ask_the_original(path, text, SETTINGS | {"model": algorithm, "loss": loss, "thread": 12})
    model = binary.read(path)
    agree(model, told)
    binary.write(tmp_path / "again.bin", model)
    assert (tmp_path / "again.bin").read_bytes() == path.read_bytes()
    words = FastTextVectors.from_original(model)
    for word, vector in zip(SEEN + UNSEEN, told["vectors"], strict=True):
        if word in words:
            np.testing.assert_allclose(words[word], vector, atol=1e-6, rtol=0)
