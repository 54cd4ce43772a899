"""Word vectors that a network begins with: out of a file, or out of a model that is open already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya import artefact
from erya.contract import Model
from erya.errors import DataError, UsageError, quoted, typed
from erya.language import say
from erya.parts.keyed_vectors import KeyedVectors
from erya.parts.word_state import words_counts_vectors
from erya.text import vector_files
from erya.text.vocabulary import Vocabulary

Floats = NDArray[np.float32]
FASTTEXT_MAGIC = (793_712_314).to_bytes(4, "little")  # a .bin or .ftz of the original begins so


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Words and their vectors, all finite.

    Attributes:
        name: what to call them in a sentence: a file's name, or a model's.
        rows: of each word its row.
        matrix: (V, D).
    """

    name: str
    rows: dict[str, int]
    matrix: Floats

    @property
    def words(self) -> list[str]:
        """The words in the order of the rows."""
        return list(self.rows)

    @property
    def dim(self) -> int:
        """D."""
        return int(self.matrix.shape[1])

    def table(self, vocabulary: Vocabulary) -> tuple[NDArray[np.int64], Floats]:
        """The ids that have a vector (K,), ascending, and these vectors (K, D)."""
        found = [(id, self.rows[word]) for id, word in enumerate(vocabulary.tokens) if word in self.rows]
        ids = np.array([id for id, _ in found if id >= vocabulary.specials], dtype=np.int64)
        places = np.array([row for id, row in found if id >= vocabulary.specials], dtype=np.int64)
        return ids, np.asarray(self.matrix[places], dtype=np.float32)


def opened(vectors: Any) -> WordVectors:
    """Vectors from whatever holds them.

    Args:
        vectors: the path of an ``.erya`` file with word vectors or of another program's (word2vec, GloVe, fastText .vec,
            NumPy); or a fitted model of word vectors.

    Raises:
        DataError, ModelFileError: the file cannot be read; NaN or infinity among the numbers.
        UsageError: neither, or an ``.erya`` file that holds something else.
    """
    if isinstance(vectors, str | Path):
        name, words, matrix = _from_file(Path(vectors))
    elif isinstance(vectors, Model) and vectors.task() == "vectors":
        model: Any = vectors
        name, words, matrix = vectors.id, list(model.words_), model.rows(slice(None))
    else:
        raise UsageError(
            "bad-setting",
            say(
                f"vectors={quoted(repr(vectors), 40)}: neither a file nor a model of word vectors",
                f"vectors={quoted(repr(vectors), 40)}：既不是文件，也不是词向量模型",
            ),
            help="--set vectors=vectors.vec",
        )
    if not np.isfinite(matrix).all():
        raise DataError(
            "not-finite",
            say(
                f"{quoted(name, 60)}: the vectors hold NaN or infinity", f"{quoted(name, 60)}：向量中含有 NaN 或无穷大"
            ),
        )
    return WordVectors(name, {word: row for row, word in enumerate(words)}, matrix)


def _from_file(path: Path) -> tuple[str, list[str], Floats]:
    if path.suffix != ".erya":
        _refuse_fasttext(path)
        table = vector_files.read(path, bad_utf8="skip")
        return path.name, list(table.words), table.matrix
    content = artefact.load(path)
    if not content.model.startswith("vectors/"):
        raise UsageError(
            "other-task",
            say(f"{path.name} holds no word vectors ({content.model})", f"{path.name} 不是词向量（{content.model}）"),
            help="--set vectors=vectors.vec",
        )
    if content.model == KeyedVectors.id:
        keyed = KeyedVectors.restore(content.params, content.state, content.state_version)
        return path.name, list(keyed.words_), keyed.rows(slice(None))
    words, _, matrix = words_counts_vectors(content.state.arrays)
    return path.name, words, matrix


def _refuse_fasttext(path: Path) -> None:
    """A model of the original fastText is read by a room of its own, and no file of vectors."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        if file.read(len(FASTTEXT_MAGIC)) != FASTTEXT_MAGIC:
            return
    better = typed(path.with_suffix(".erya"))
    raise UsageError(
        "fasttext-model",
        say(
            f"{quoted(path.name, 60)} is a model of fastText's, not a file of vectors",
            f"{quoted(path.name, 60)} 是 fastText 的模型，不是词向量文件",
        ),
        help=f"erya convert {typed(path)} {better}   # --set vectors={better}",
    )


def width(vectors: WordVectors, dim: int | None) -> int:
    """D of the vectors. Raises UsageError where a ``dim`` was asked for that is another."""
    if dim is not None and dim != vectors.dim:
        raise UsageError(
            "other-dim",
            say(
                f"dim={dim}, but the vectors of {quoted(vectors.name, 60)} have {vectors.dim} numbers each",
                f"dim={dim}，而 {quoted(vectors.name, 60)} 的向量是 {vectors.dim} 维",
            ),
            help=f"--set dim={vectors.dim}",
        )
    return vectors.dim


def coverage(vectors: WordVectors, counts: Mapping[str, int]) -> dict[str, float]:
    """How much of a text the vectors know: ``words``, the share of the different tokens, ``tokens``, of the running ones.

    Args:
        vectors: what knows.
        counts: how often each token of the text occurs.
    """
    known = [count for token, count in counts.items() if token in vectors.rows]
    return {"words": len(known) / max(1, len(counts)), "tokens": sum(known) / max(1, sum(counts.values()))}


def said(found: dict[str, float]) -> str:
    """The sentence for it."""
    words, tokens = f"{found['words']:.1%}", f"{found['tokens']:.1%}"
    return say(
        f"the vectors know {words} of the different words and {tokens} of the running text",
        f"词向量覆盖 {words} 的词种，{tokens} 的词次",
    )


def check_coverage(vectors: WordVectors, found: dict[str, float], least: float) -> None:
    """Raises DataError where the vectors know less of the running text than ``least``: another language, or other tokens."""
    if found["tokens"] >= least:
        return
    first = " ".join(quoted(word, 20) for word in vectors.words[:5])
    raise DataError(
        "low-coverage",
        say(
            f"{quoted(vectors.name, 60)} knows {found['tokens']:.1%} of the running text, less than {least:.0%}; "
            f"its words begin with: {first}",
            f"{quoted(vectors.name, 60)} 只覆盖 {found['tokens']:.1%} 的词次，低于 {least:.0%}；它开头的几个词是：{first}",
        ),
        help=say("--set min_coverage=0 takes them all the same", "--set min_coverage=0 可照用不误"),
    )
