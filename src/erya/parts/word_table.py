"""A table of words and vectors: what stands in it, one word's vector, the mean of several.

The part of ``WordQueries`` that looks things up. Here, too, ``rows`` and ``vector_of``, which a class overrides where its
vectors are stored in another way, or where words outside of the vocabulary have one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError, quoted
from erya.language import say
from erya.parts import nearest
from erya.parts.nearest import Doubles
from erya.parts.unknown_word import UnknownWordError

Floats = NDArray[np.float32]
Key = Any  # a word; or a row's number, as in gensim
Wish = Any  # a word, a vector, or (either of them, weight)


class WordTable:
    """V words with vectors of width D.

    Attributes:
        words_: V words, most frequent first.
        counts_: (V,) how often each was seen; None where unknown.
        vectors_: (V, D) as stored.
    """

    words_: list[str]
    counts_: NDArray[np.int64] | None
    vectors_: NDArray[Any]

    # what is worked out once; each remembers from which words or matrix
    _row_cache: tuple[list[str], dict[str, int]] | None = None
    _length_cache: tuple[NDArray[Any], Doubles, Doubles] | None = None

    def __getstate__(self) -> dict[str, Any]:  # a copy works these things out again; an index may not be copyable
        return {name: value for name, value in vars(self).items() if not name.endswith("_cache")}

    # ---- what a subclass may do its own way ---------------------------------------------------------------------

    def rows(self, ids: Any) -> Floats:
        """(n, D) float32: the vectors with these numbers, an array or a slice."""
        found: Floats = np.asarray(self.vectors_[ids], dtype=np.float32)
        return found

    def vector_of(self, word: str) -> Floats:
        """(D,) the vector of a word. Overridden where words outside of the vocabulary have one.

        Raises:
            UnknownWordError: it has none; a UsageError and a KeyError, which names the nearest known words.
        """
        (found,) = self.rows(np.array([self.get_index(word)]))
        vector: Floats = found
        return vector

    def __contains__(self, key: object) -> bool:
        return key in self.key_to_index

    # ---- the table ----------------------------------------------------------------------------------------------

    @property
    def index_to_key(self) -> list[str]:
        """The V words, by row."""
        return self.words_

    @property
    def key_to_index(self) -> dict[str, int]:
        """Word → row."""
        words = self.words_
        if self._row_cache is None or self._row_cache[0] is not words:
            self._row_cache = words, {word: row for row, word in enumerate(words)}
        return self._row_cache[1]

    @property
    def vectors(self) -> Floats:
        """(V, D) as float32; a copy where they are stored otherwise."""
        return self.rows(slice(None))

    @property
    def vector_size(self) -> int:
        """D."""
        return int(self.vectors_.shape[1])

    def __len__(self) -> int:
        return len(self.words_)

    def __bool__(self) -> bool:  # an empty or unfitted model is still a model
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self.words_)

    def __getitem__(self, keys: Any) -> Floats:
        """(D,) the vector of a word; (n, D) those of a list of words."""
        if isinstance(keys, list | tuple | np.ndarray):
            return self.transform(keys)
        return self.get_vector(keys)

    def get_index(self, key: Key, default: int | None = None) -> int:
        """The row of a word. Raises UnknownWordError where it has none and there is no ``default``."""
        row = self.key_to_index.get(key) if isinstance(key, str) else None
        if row is None and isinstance(key, int | np.integer) and 0 <= key < len(self.words_):
            row = int(key)
        if row is None:
            row = default
        if row is None:
            raise UnknownWordError(str(key), self.words_, self.key_to_index)
        return row

    def has_index_for(self, key: Key) -> bool:
        """Whether the word has a row, not only a vector made of parts."""
        return self.get_index(key, -1) >= 0

    def get_vecattr(self, key: Key, attr: str) -> int:
        """How often a word was seen: ``get_vecattr("king", "count")``.

        Raises:
            UsageError: another attribute, or the vectors came without counts. UnknownWordError: no such word.
        """
        if attr != "count" or self.counts_ is None:
            raise UsageError(
                "no-attribute",
                say(f"these vectors have no '{quoted(attr, 20)}' of words", f"这些词向量没有“{quoted(attr, 20)}”属性"),
                help='get_vecattr(word, "count")',
            )
        return int(self.counts_[self.get_index(key)])

    def get_vector(self, key: Key, norm: bool = False) -> Floats:
        """(D,) the vector of a word; with ``norm`` at length 1. Raises UnknownWordError."""
        vector = self.vector_of(self._word(key))
        return nearest.unit(vector).astype(np.float32) if norm else vector

    def transform(self, X: Any) -> Floats:
        """(N, D) the vectors of N words.

        Raises:
            UsageError: one bare string. UnknownWordError: a word without a vector.
        """
        words = listed(X)
        if not words:
            return np.zeros((0, self.vector_size), dtype=np.float32)
        rows = [self.get_index(word, -1) for word in words]
        if min(rows) >= 0:
            return self.rows(np.array(rows))
        return np.stack([self.vector_of(self._word(word)) for word in words])

    def get_mean_vector(
        self,
        keys: Iterable[Wish],
        weights: Sequence[float] | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> Floats:
        """(D,) the weighted mean of vectors, Σ wᵢ vᵢ / Σ |wᵢ|.

        Args:
            keys: words or vectors.
            weights: one a key; None: all 1.
            pre_normalize: take the words' vectors at length 1; vectors that are given count as they are.
            post_normalize: bring the mean to length 1.
            ignore_missing: leave unknown words out (of all unknown ones the mean is 0); False: UnknownWordError.

        Raises:
            UsageError: no keys, or not as many weights.
        """
        mean = self._mean(listed(keys), weights, pre_normalize, ignore_missing)
        return (nearest.unit(mean) if post_normalize else mean).astype(np.float32)

    # ---- within -------------------------------------------------------------------------------------------------

    def _word(self, key: Key) -> str:
        return key if isinstance(key, str) else self.words_[self.get_index(key)]

    @property
    def _inverse(self) -> Doubles:
        """(V,) 1 / length of every vector, worked out at the first question."""
        matrix = self.vectors_
        if self._length_cache is None or self._length_cache[0] is not matrix:
            lengths = nearest.lengths(self.rows, len(matrix))
            self._length_cache = matrix, lengths, nearest.inverse(lengths)
        return self._length_cache[2]

    def _vectors_changed(self) -> None:
        """Forget what was worked out, after ``vectors_`` changed in place."""
        self._row_cache = self._length_cache = None

    def _resolved(self, wish: Wish) -> tuple[NDArray[Any], int]:
        """A vector (D,) and its row, −1 where it has none."""
        if isinstance(wish, np.ndarray):
            if wish.shape != (self.vector_size,) or not np.isfinite(wish).all():
                raise UsageError(
                    "bad-vector",
                    say(
                        f"a vector of shape {wish.shape}: needs ({self.vector_size},), finite",
                        f"向量的形状是 {wish.shape}：应为 ({self.vector_size},)，且各值有限",
                    ),
                )
            return wish, -1
        return self.vector_of(self._word(wish)), self.get_index(wish, -1)

    def _unit(self, wish: Wish) -> Doubles:
        return nearest.unit(self._resolved(wish)[0])

    def _mean(
        self, keys: list[Wish], weights: Sequence[float] | None, pre_normalize: bool, ignore_missing: bool
    ) -> Doubles:
        shares = np.ones(len(keys)) if weights is None else np.asarray(weights, dtype=np.float64)
        if not keys or shares.shape != (len(keys),):
            raise UsageError(
                "lengths-differ",
                say(
                    f"{len(keys)} words and weights of shape {shares.shape}",
                    f"{len(keys)} 个词，权重的形状是 {shares.shape}",
                ),
            )
        total, mass = np.zeros(self.vector_size), 0.0
        for key, share in zip(keys, shares.tolist(), strict=True):
            try:
                vector, _ = self._resolved(key)
            except UnknownWordError:
                if not ignore_missing:
                    raise
                continue
            as_is = not pre_normalize or isinstance(key, np.ndarray)
            total += share * (vector.astype(np.float64) if as_is else nearest.unit(vector))
            mass += abs(share)
        return total / mass if mass > 0 else total


def listed(keys: Any) -> list[Any]:
    """Several words as a list; NumPy's strings become Python's. Raises UsageError for one bare string or path."""
    if isinstance(keys, str | bytes | Path):
        raise UsageError(
            "bare-string",
            say("this is one string; a list of words is needed", "这是单个字符串；需要的是词的列表"),
            help=f"[{quoted(repr(str(keys)), 40)}]",
        )
    if isinstance(keys, np.ndarray) and keys.ndim == 1 and keys.dtype.kind in "OUSiu":
        return list(keys.tolist())
    return list(keys)
