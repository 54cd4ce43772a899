"""Vectors with n-grams as a model of the original program, and back. Files are ``binary.py``'s matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, quoted
from erya.language import say
from erya.models.fasttext.arguments import Arguments
from erya.models.fasttext.dictionary import SPACES, Dictionary
from erya.models.fasttext.mapped_rows import zeros
from erya.models.fasttext.original import Original
from erya.models.fasttext.quantized import Quantized
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.fasttext.vectors import FastTextVectors

Kind = TypeVar("Kind", bound="FastTextVectors")
BLOCK = 1 << 16  # rows looked at at once

Floats = NDArray[np.float32]


def to_original(model: FastTextVectors) -> Original:
    """See ``FastTextVectors.to_original``.

    Raises:
        DataError: a word holds white space, which in a file of the original ends a word.
    """
    words = [word.encode("utf-8", "surrogatepass") for word in model.words_]
    broken = next((word for word in words if not word or set(word) & set(SPACES)), None)
    if broken is not None:
        name = quoted(broken.decode("utf-8", "replace"), 40)
        raise DataError(
            "word-with-space",
            say(
                f"the word '{name}' holds white space: fastText's files cannot",
                f"词“{name}”含有空白字符：fastText 的文件不支持",
            ),
            help='FastTextVectors(tokenizer="whitespace").fit(…)',
        )
    buckets, size = (int(model.buckets) if model.max_n else 0), len(words)
    arguments = Arguments(
        dim=model.vector_size,
        window=int(model.window),
        epochs=int(model.epochs),
        min_count=int(model.min_count),
        negative=int(model.negative),
        word_ngrams=1,
        loss="hs" if model.loss == "hierarchical_softmax" else "ns",
        model="cbow" if model.algorithm == "cbow" else "skipgram",
        buckets=buckets,
        min_n=int(model.min_n),
        max_n=int(model.max_n),
        sample=float(model.sample),
    )
    counts = np.zeros(size, dtype=np.int64) if model.counts_ is None else model.counts_
    input = zeros(size + buckets, model.vector_size)
    input[:size] = model.input_[:size]
    input[size + model.buckets_] = model.input_[size:]
    output = np.zeros((size, model.vector_size), dtype=np.float32)
    output[: len(model.targets_)] = model.targets_  # of a tree there is a node less than words
    return Original(arguments, Dictionary.of(words, counts, [], [], arguments), input, output)


def from_original(kind: type[Kind], original: Original) -> Kind:
    """See ``FastTextVectors.from_original``."""
    arguments, dictionary = original.arguments, original.dictionary
    if arguments.supervised:
        raise DataError(
            "not-vectors",
            say("this is a classifier, not word vectors", "这是分类器，不是词向量"),
            help="erya predict …",
        )
    try:
        words = [word.decode("utf-8") for word in dictionary.words]
    except UnicodeDecodeError as problem:
        raise DataError("not-utf-8", say("a word is not UTF-8", "有一个词不是 UTF-8 编码")) from problem
    found = kind(
        dim=arguments.dim,
        window=arguments.window,
        algorithm="cbow" if arguments.model == "cbow" else "skip_gram",
        loss="hierarchical_softmax" if arguments.loss == "hs" else "negative_sampling",
        negative=max(1, arguments.negative),
        sample=arguments.sample,
        min_count=max(1, arguments.min_count),
        min_n=arguments.min_n,
        max_n=arguments.max_n,
        buckets=max(1, arguments.buckets),
        epochs=max(1, arguments.epochs),
        tokenizer="whitespace",
    )
    found.words_, found.counts_ = words, np.array(dictionary.counts, dtype=np.int64)
    found.vectors_ = original.known_vectors()
    found.buckets_, rows = _buckets(original)
    found.input_ = _taken(original.input, np.concatenate([np.arange(len(words)), rows]))
    targets = len(words) - (arguments.loss == "hs")
    found.targets_ = _taken(original.output, np.arange(targets))
    found.tokenizer_, found.curve_ = tokenizers.Whitespace(), []
    return found


def _buckets(original: Original) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ascending numbers of the buckets whose row is not all zeros, and these rows."""
    size, prune = original.dictionary.size, original.dictionary.prune
    if prune is not None:
        numbers = np.array(sorted(prune), dtype=np.int64)
        return numbers, size + np.array([prune[number] for number in numbers.tolist()], dtype=np.int64)
    rows = np.arange(size, original.input.shape[0], dtype=np.int64)
    if not isinstance(original.input, Quantized):
        matrix = original.input
        rows = np.concatenate(
            [
                first + np.flatnonzero(matrix[first : first + BLOCK].any(axis=1))
                for first in range(size, len(matrix), BLOCK)
            ]
            or [rows]
        )
    return rows - size, rows


def _taken(matrix: Any, rows: NDArray[np.int64]) -> Floats:
    if isinstance(matrix, Quantized):
        return matrix.take(rows)
    return np.ascontiguousarray(matrix[rows], dtype=np.float32)
