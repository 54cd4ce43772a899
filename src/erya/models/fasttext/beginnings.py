"""Vectors that a classifier begins with: from a file, or from an earlier training of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError
from erya.language import say
from erya.models.fasttext.features import END, Encoded, Features
from erya.text.tokenizers import Tokenizer

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def read(path: Path, tokenizer: Tokenizer) -> tuple[list[str], Floats]:
    """The words of a file that a tokenizer can make, and their vectors (V, D); any format that Erya reads.

    ``.erya`` with word vectors, ``.vec``, word2vec, GloVe, NumPy, and the original's ``.bin`` (text packed or not).

    Raises:
        UsageError: an ``.erya`` file that holds no word vectors.
        DataError, ModelFileError: the file cannot be read.
    """
    words, vectors = _read_artefact(path) if path.suffix == ".erya" else _read_foreign(path)
    good = usable(words, tokenizer)
    return [words[place] for place in np.flatnonzero(good).tolist()], vectors[good]


def _read_foreign(path: Path) -> tuple[list[str], Floats]:
    from erya.models.fasttext.making import pretrained
    from erya.text import vector_files

    if not path.is_file():
        vector_files.read(path)  # says so
    words, vectors = pretrained(path)
    return [word.decode("utf-8", "replace") for word in words], vectors


def _read_artefact(path: Path) -> tuple[list[str], Floats]:
    from erya import artefact
    from erya.parts.keyed_vectors import KeyedVectors
    from erya.parts.word_state import words_counts_vectors

    content = artefact.load(path)
    if not content.model.startswith("vectors/"):
        raise UsageError(
            "other-task",
            say(f"{path.name} holds no word vectors ({content.model})", f"{path.name} 不是词向量（{content.model}）"),
            help="--set pretrained=vectors.vec",
        )
    if content.model == "vectors/keyed":
        keyed = KeyedVectors.restore(content.params, content.state, content.state_version)
        return keyed.words_, np.array([keyed[word] for word in keyed.words_], dtype=np.float32)
    if content.model == "vectors/fasttext":
        from erya.models.fasttext.vectors import FastTextVectors

        model = FastTextVectors.restore(content.params, content.state, content.state_version)
        return model.words_, np.asarray(model.vectors_, dtype=np.float32)
    words, _, vectors = words_counts_vectors(content.state.arrays)
    return words, np.array(vectors)


def usable(words: Sequence[str], tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """(V,) which words this tokenizer can ever make: ``Apple`` is none where all is in lower case. Of equal words the first."""
    from erya.text.token_numbers import TokenNumbers

    numbers = TokenNumbers(tokenizer, END)
    found = numbers.number(words)
    names, first = numbers.words(), found.starts[:-1]
    alone = np.diff(found.starts) == 2
    seen: set[str] = set()
    good = np.zeros(len(words), dtype=np.bool_)
    for place, number in zip(np.flatnonzero(alone).tolist(), found.ids[first[alone]].tolist(), strict=True):
        word = words[place]
        good[place] = names[number] == word and word not in seen
        seen.add(word)
    return good


def coverage(features: Features, documents: Encoded, rows: Integers) -> dict[str, float]:
    """How much of the training's words a file knows.

    Args:
        features: all words, those of the file that the training lacks among them.
        documents: the training texts as rows.
        rows: (V,) of the file's words.

    Returns:
        ``words``: the share of the vocabulary; ``tokens``: of the text.
    """
    counts = np.bincount(documents.rows, minlength=len(features))[: len(features.words)]
    known = np.zeros(len(counts), dtype=np.bool_)
    known[rows] = True
    met = counts > 0
    return {
        "words": float(known[met].mean()) if met.any() else 0.0,
        "tokens": float(counts[known].sum() / max(1, int(counts.sum()))),
    }


def said(found: dict[str, float]) -> str:
    """The sentence for it."""
    words, tokens = f"{found['words']:.1%}", f"{found['tokens']:.1%}"
    return say(
        f"the pretrained vectors know {words} of the vocabulary, {tokens} of the text",
        f"预训练词向量覆盖词表的 {words}，文本的 {tokens}",
    )


def moved(before: Features, after: Features) -> Integers:
    """(R,) where the rows of ``before`` are in ``after``, which has all of them."""
    words = np.arange(len(before.words))
    buckets = np.searchsorted(after.kept, before.kept) + len(after.words)
    return np.concatenate([words, buckets]).astype(np.int64)
