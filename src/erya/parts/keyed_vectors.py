"""Ready-made word vectors: from a file in a foreign format, from another model, or from arrays.

Stored in float32, float16 or int8. In int8 every row has one float32 scale: entry = scale × (−127 … 127), rounded half to
even. A model file of 64 MiB or more is mapped; nothing of its matrix is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.errors import DataError, UsageError, nearest, quoted
from erya.language import say
from erya.parts.nearest import BLOCK
from erya.parts.word_queries import WordQueries
from erya.progress import Report, quiet
from erya.state import State, pack_strings, unpack_strings

if TYPE_CHECKING:
    from erya.trace import Trace

STORAGES: dict[str, Any] = {"float32": np.float32, "float16": np.float16, "int8": np.int8}
_LARGEST = 127


class KeyedVectors(Model, WordQueries):
    """Word vectors by word.

    Args:
        storage: "float32", "float16" or "int8".

    Attributes:
        words_: V words, most frequent first.
        counts_: (V,) how often each was seen; None where unknown.
        vectors_: (V, D) as stored.
        scales_: (V,) float32, what the rows of an int8 matrix are multiplied with; None otherwise.

    Example:
        >>> table = KeyedVectors.of(["up", "down"], np.eye(2))
        >>> table.similarity("up", "down")
        0.0
    """

    id: ClassVar[str] = "vectors/keyed"

    def __init__(self, *, storage: str = "float32") -> None:
        self.storage = storage

    @classmethod
    def of(
        cls, words: Sequence[str], matrix: NDArray[Any], counts: NDArray[Any] | None = None, *, storage: str = "float32"
    ) -> Self:
        """Vectors from V words, a matrix (V, D) and counts (V,). A float32 matrix is taken as it is, not copied."""
        return cls(storage=storage).fit((words, matrix, counts))

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Take over vectors.

        Args:
            X: a Path to a vector file (word2vec, GloVe, fastText .vec, NumPy), a table with ``words``, ``matrix`` and
                ``counts``, or these as a tuple of two or three.
            y: ignored, as are sample_weight, validation and report: nothing is learned.

        Raises:
            DataError: sizes that do not fit, words twice, values that are not finite or too large for the storage.
            UsageError: no such storage.
        """
        _check_storage(self.storage)
        words, matrix, counts = _parts(X)
        _check_table(words, matrix, counts)
        self.vectors_, self.scales_ = _stored(matrix, self.storage)
        self.words_ = words
        self.counts_ = None if counts is None else np.asarray(counts, dtype=np.int64)
        return self

    def rows(self, ids: Any) -> NDArray[np.float32]:
        """(n, D) float32: the vectors with these numbers, an array or a slice."""
        found = np.asarray(self.vectors_[ids], dtype=np.float32)
        if self.scales_ is not None:
            found *= self.scales_[ids][:, None]  # a copy: int8 was widened
        return found

    def trace(self, x: Any) -> Trace:
        """A word's vector (D,), and its neighbours with their cosines."""
        from erya.parts.word_views import neighbours

        self._check_fitted()
        return neighbours(self.id, self, x)

    # ---- changing -----------------------------------------------------------------------------------------------

    def add_vector(self, key: str, vector: Any) -> int:
        """Add or replace one word's vector. Returns its row."""
        self.add_vectors([key], np.asarray(vector)[None], replace=True)
        return self.get_index(key)

    def add_vectors(self, keys: Sequence[str], weights: Any, *, replace: bool = False) -> None:
        """Add words with their vectors (n, D) at the end; those already there stay, or with ``replace`` are replaced.

        The matrix is copied; new words have count 0.
        """
        self._check_fitted()
        added = np.asarray(weights, dtype=np.float32)
        words = list(keys)
        _check_table(words, added, None)
        if added.shape[1] != self.vector_size:
            raise _does_not_fit(say(f"vectors of width {added.shape[1]}", f"向量宽度为 {added.shape[1]}"))
        matrix = np.array(self.vectors)
        known = [(place, self.get_index(word, -1)) for place, word in enumerate(words)]
        if replace:
            for place, row in known:
                if row >= 0:
                    matrix[row] = added[place]
        fresh = [place for place, row in known if row < 0]
        self.vectors_, self.scales_ = _stored(np.concatenate([matrix, added[fresh]]), self.storage)
        self.words_ = [*self.words_, *(words[place] for place in fresh)]
        if self.counts_ is not None:
            self.counts_ = np.concatenate([self.counts_, np.zeros(len(fresh), dtype=np.int64)])

    def intersect(self, other: WordQueries) -> int:
        """Take over the vectors of another table for the words that both have. Returns how many they are."""
        shared = [word for word in self.words_ if word in other.key_to_index]
        if shared:
            self.add_vectors(shared, other.transform(shared), replace=True)
        return len(shared)

    # ---- what is kept -------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Words, matrix, and where there are any scales and counts."""
        self._check_fitted()
        arrays = {"vectors": self.vectors_, **pack_strings("words", self.words_)}
        if self.scales_ is not None:
            arrays["scales"] = self.scales_
        if self.counts_ is not None:
            arrays["counts"] = self.counts_
        return State(arrays)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``; the matrix stays where it is, mapped or not.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, types or values that do not fit one another.
        """
        if self.storage not in STORAGES:
            raise ValueError("unknown storage")
        matrix, words = state.arrays["vectors"], unpack_strings("words", state.arrays)
        scales, counts = state.arrays.get("scales"), state.arrays.get("counts")
        if matrix.dtype != STORAGES[self.storage] or matrix.ndim != 2 or not matrix.shape[1]:
            raise ValueError("the vectors are not a matrix of the type that was announced")
        if len(matrix) != len(words) or not words or len(set(words)) != len(words):
            raise ValueError("the vectors do not fit the words, or a word stands there twice")
        if (scales is None) != (self.storage != "int8"):
            raise ValueError("scales belong to int8 vectors, and to no others")
        if scales is not None and not _fits(scales, np.float32, len(words)):
            raise ValueError("the scales do not fit the words")
        if counts is not None and not _fits(counts, np.int64, len(words)):
            raise ValueError("the counts do not fit the words")
        if not _finite(matrix):
            raise ValueError("the vectors hold values that are not finite")
        self.words_, self.vectors_, self.scales_, self.counts_ = words, matrix, scales, counts


def _parts(X: Any) -> tuple[list[str], NDArray[Any], Any]:
    if isinstance(X, Path):
        from erya.text import vector_files

        X = vector_files.read(X)
    if isinstance(X, tuple) and len(X) in (2, 3):
        words, matrix, counts = (*X, None)[:3]
    elif hasattr(X, "words") and hasattr(X, "matrix"):
        words, matrix, counts = X.words, X.matrix, X.counts
    elif isinstance(X, WordQueries):
        words, matrix, counts = X.words_, X.vectors, X.counts_
    else:
        raise UsageError(
            "not-vectors",
            say(
                f"X is {quoted(type(X).__name__, 30)}; vectors come as (words, matrix) or as a Path",
                f"X 是 {quoted(type(X).__name__, 30)}；词向量应为 (词表, 矩阵) 或文件的 Path",
            ),
            help='KeyedVectors().fit(Path("vectors.txt"))',
        )
    return (words.tolist() if isinstance(words, np.ndarray) else list(words)), np.asarray(matrix), counts


def _check_storage(storage: Any) -> None:
    if storage not in STORAGES:
        guess = nearest(str(storage), STORAGES) or "float32"
        raise UsageError(
            "bad-setting",
            say(
                f"storage={quoted(storage, 20)}: float32, float16 or int8",
                f"storage={quoted(storage, 20)}：应为 float32、float16 或 int8",
            ),
            help=f"--set storage={guess}",
        )


def _check_table(words: list[str], matrix: NDArray[Any], counts: Any) -> None:
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu" or len(matrix) != len(words) or not matrix.size:
        raise _does_not_fit(
            say(
                f"{len(words):,} words, a matrix of shape {matrix.shape}",
                f"{len(words):,} 个词，矩阵的形状是 {matrix.shape}",
            )
        )
    if counts is not None and (np.shape(counts) != (len(words),) or np.min(counts) < 0):
        raise _does_not_fit(say(f"counts of shape {np.shape(counts)}", f"词频的形状是 {np.shape(counts)}"))
    odd = next((word for word in words if not isinstance(word, str)), None)
    if odd is not None:
        raise _does_not_fit(say(f"{quoted(repr(odd), 30)} is no word", f"{quoted(repr(odd), 30)} 不是词"))
    if len(set(words)) != len(words):
        seen: set[str] = set()
        twice = next(word for word in words if word in seen or seen.add(word))  # type: ignore[func-returns-value]
        raise DataError(
            "duplicate-word",
            say(f"the word '{quoted(twice, 30)}' stands there twice", f"“{quoted(twice, 30)}”出现了两次"),
        )
    if not _finite(matrix):
        raise DataError("not-finite", say("the vectors hold NaN or infinity", "向量中含有 NaN 或无穷大"))


def _does_not_fit(what: str) -> DataError:
    return DataError(
        "vectors-do-not-fit", say(f"words and vectors do not fit one another: {what}", f"词与向量不匹配：{what}")
    )


def _stored(matrix: NDArray[Any], storage: str) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """The matrix as it is kept, and the scales of int8."""
    if storage == "float32" and matrix.dtype == np.float32:
        return np.ascontiguousarray(matrix), None
    kept = np.empty(matrix.shape, dtype=STORAGES[storage])
    scales = np.zeros(len(matrix), dtype=np.float32) if storage == "int8" else None
    for start in range(0, len(matrix), BLOCK):
        with np.errstate(over="ignore"):
            block = np.asarray(matrix[start : start + BLOCK], dtype=np.float32)
            fitting = np.isfinite(block if scales is not None else block.astype(kept.dtype)).all()
        if not fitting:
            raise DataError(
                "too-large",
                say(f"the vectors hold values too large for {storage}", f"向量中有 {storage} 存不下的值"),
                help='KeyedVectors(storage="float32")' if storage == "float16" else None,
            )
        if scales is not None:
            block, scales[start : start + BLOCK] = _rounded(block)
        kept[start : start + BLOCK] = block
    return kept, scales


def _rounded(block: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Whole numbers from −127 to 127, halves rounded to even, and each row's scale."""
    scale = np.abs(block).max(axis=1) / np.float32(_LARGEST)
    scale[scale < np.finfo(np.float32).tiny] = 0  # a row of zeros, or one too faint to divide by
    divided = np.divide(block, scale[:, None], out=np.zeros_like(block), where=scale[:, None] > 0)
    return np.clip(np.rint(divided), -_LARGEST, _LARGEST), scale


def _fits(array: NDArray[Any], dtype: Any, size: int) -> bool:
    return bool(array.dtype == dtype and array.shape == (size,) and np.isfinite(array).all() and (array >= 0).all())


def _finite(matrix: NDArray[Any]) -> bool:
    """In blocks, so that no second array of this size is needed."""
    if matrix.dtype.kind != "f":
        return True
    return all(bool(np.isfinite(matrix[start : start + BLOCK]).all()) for start in range(0, len(matrix), BLOCK))
