"""From one space of word vectors into another: a linear map, learned from pairs of words that mean the same.

Mikolov, Le and Sutskever 2013 fit it by least squares; Xing, Wang, Liu and Lin 2015 keep it a rotation of unit vectors,
which is Procrustes' problem and solved by one singular value decomposition (Schönemann 1966).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError
from erya.language import say

if TYPE_CHECKING:
    from erya.parts.word_queries import Answers, WordQueries


@dataclass(frozen=True, slots=True)
class Translation:
    """A learned map.

    Attributes:
        matrix: (D, E), from the unit vectors of width D to vectors of width E.
        pairs: how many pairs it was learned from.
    """

    matrix: NDArray[np.float64]
    pairs: int
    _source: WordQueries = field(repr=False)
    _target: WordQueries = field(repr=False)

    def translate(self, words: Sequence[str], topn: int = 5) -> list[Answers]:
        """For each word the nearest words of the other table, with their cosines. Raises UnknownWordError."""
        return self._target.most_similar_batch(list(_units(self._source, words) @ self.matrix), topn)


def learn(
    source: WordQueries, target: WordQueries, pairs: Sequence[tuple[str, str]], *, orthogonal: bool = True
) -> Translation:
    """The map that brings the first words of the pairs nearest to the second ones.

    Raises:
        DataError: not one pair whose words are known.
    """
    known = [(first, second) for first, second in pairs if first in source and second in target]
    if not known:
        raise DataError(
            "no-known-pairs",
            say(f"of {len(pairs)} pairs none has two known words", f"{len(pairs)} 对词里，没有一对的两个词都已知"),
        )
    here = _units(source, [first for first, _ in known])  # (n, D)
    there = _units(target, [second for _, second in known])  # (n, E)
    if orthogonal:
        left, _, right = np.linalg.svd(here.T @ there, full_matrices=False)
        return Translation(left @ right, len(known), source, target)
    fitted = np.asarray(np.linalg.lstsq(here, there, rcond=None)[0], dtype=np.float64)
    return Translation(fitted, len(known), source, target)


def _units(table: WordQueries, words: Sequence[str]) -> NDArray[np.float64]:
    wide = table.transform(words).astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(lengths > 0, lengths, 1)
