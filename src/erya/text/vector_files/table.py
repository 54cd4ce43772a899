"""A table of word vectors, and how one grows while a file is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FORMATS = ("word2vec-text", "word2vec-bin", "glove", "fasttext-vec", "numpy")
MOST_DIMS = 1 << 17  # numbers in a row of a text or binary file
MOST_WORDS = (1 << 31) - 1  # ids are int32


@dataclass(slots=True)
class VectorTable:
    """Words and their vectors, in the order of the file.

    Attributes:
        words: V different words.
        matrix: (V, D) float32, finite.
        counts: (V,) how often each word was seen, where the file says so.
        skipped: rows left out, because their word is no UTF-8 (``bad_utf8="skip"``) or, once its bad bytes were replaced,
            stood there already (``"replace"``).
        line_ends: of word2vec binary files: rows end in a line end, as word2vec.c writes them and gensim does not.
    """

    words: list[str]
    matrix: NDArray[np.float32]
    counts: NDArray[np.int64] | None = None
    skipped: int = 0
    line_ends: bool = True


class Growing:
    """The rows read so far. Memory follows what the file has really held, not what it announced.

    Args:
        width: D.
        room: rows to make room for at once; the caller has held it against the size of the file.
    """

    def __init__(self, width: int, room: int) -> None:
        self.words: list[str] = []
        self.seen: set[str] = set()
        self.skipped = 0
        self.matrix: NDArray[np.float32] = np.empty((room, width), np.float32)

    def __len__(self) -> int:
        return len(self.words)

    def reserve(self, rows: int) -> None:
        """Make room for ``rows`` more, and a quarter beyond; in place, so that no second matrix stands beside the first."""
        if len(self) + rows > len(self.matrix):
            room = max(len(self) + rows, len(self.matrix) + len(self.matrix) // 4)
            self.matrix.resize((room, self.matrix.shape[1]), refcheck=False)  # nobody else holds it yet

    def take(self, words: Sequence[str | None]) -> int | None:
        """The words of the rows that stand in ``matrix`` behind those there are; None: the row is left out.

        Returns:
            The place in ``words`` of the first one that stands twice (then nothing was taken), or None.
        """
        start = len(self)
        kept = [word for word in words if word is not None]
        fresh = set(kept)
        if len(fresh) < len(kept) or not self.seen.isdisjoint(fresh):
            known = set(self.seen)
            for place, word in enumerate(words):
                if word in known:
                    return place
                if word is not None:
                    known.add(word)
        if len(kept) < len(words):
            rows = start + np.flatnonzero(np.array([word is not None for word in words]))
            self.matrix[start : start + len(kept)] = self.matrix[rows]
            self.skipped += len(words) - len(kept)
        self.seen |= fresh
        self.words += kept
        return None

    def table(self, line_ends: bool = True) -> VectorTable:
        """All rows; the room behind them is given back."""
        self.matrix.resize((len(self), self.matrix.shape[1]), refcheck=False)
        return VectorTable(self.words, self.matrix, skipped=self.skipped, line_ends=line_ends)
