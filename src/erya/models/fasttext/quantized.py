"""A matrix whose rows are stored as codes: a byte for each part of a row, and one for its length where that was asked.

With ``qnorm`` the length of a row is coded apart from its direction. Long rows – telling words – are few, and k-means over
all rows would round them off; of directions alone it has fewer to tell apart. Fields are in the order of the original's
files (``binary.py`` reads and writes them).

Reading needs NumPy alone. Where the compiler is at hand, or there is much to do, documents are averaged by a kernel, with the
same bits: sums run in float32 in the order of the rows either way.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.errors import UsageError
from erya.language import say
from erya.models.fasttext.mapped_rows import let_go
from erya.models.fasttext.product_quantizer import ROWS_AT_ONCE, Codes, Floats, ProductQuantizer, check

MANY_ROWS = 1 << 16  # from so many rows on, loading the compiler for the kernel pays
ROWS_A_THREAD = 1 << 12  # fewer are not worth a thread

Integers = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """A quantized matrix (R, D).

    Args:
        codes: (R, parts) uint8.
        quantizer: what they mean.
        norm_codes: (R,) uint8, the code of each row's length; None: rows are coded as they are.
        norm_quantizer: what they mean; of width 1.

    Raises:
        ValueError: shapes that do not fit one another.
    """

    codes: Codes
    quantizer: ProductQuantizer
    norm_codes: Codes | None = None
    norm_quantizer: ProductQuantizer | None = None

    def __post_init__(self) -> None:
        if self.codes.dtype != np.uint8 or self.codes.ndim != 2 or self.codes.shape[1] != self.quantizer.parts:
            raise ValueError(f"codes {self.codes.shape} do not fit {self.quantizer.parts} parts")
        if (self.norm_codes is None) != (self.norm_quantizer is None):
            raise ValueError("codes of lengths need their quantizer, and it needs them")
        if self.norm_codes is not None and self.norm_quantizer is not None:
            if self.norm_codes.dtype != np.uint8 or self.norm_codes.shape != (len(self.codes),):
                raise ValueError(f"{self.norm_codes.shape} codes of lengths do not fit {len(self.codes)} rows")
            if self.norm_quantizer.dim != 1:
                raise ValueError(f"lengths of width {self.norm_quantizer.dim}")

    # ---- making -------------------------------------------------------------------------------------------------

    @classmethod
    def of(
        cls, matrix: NDArray[Any], *, dsub: int = 2, qnorm: bool = False, seed: int = 0, threads: int | None = None
    ) -> Self:
        """Quantize a matrix (R, D) of float32. Same matrix, same settings: same bits, for any number of threads.

        Args:
            matrix: an array or a memory map.
            dsub: columns that share a byte: 1 to D, more means D.
            qnorm: code the lengths apart; one byte more a row.
            seed: of k-means.
            threads: None: those of the machine.

        Raises:
            DataError: no rows, no columns, or numbers that are not finite or beyond 10¹⁸.
            UsageError: ``dsub`` below 1.
        """
        if dsub < 1:
            raise UsageError("bad-setting", say(f"dsub={dsub}: must be ≥ 1", f"dsub={dsub}：应满足 ≥ 1"), help="dsub=2")
        check(matrix)
        threads = threads or machine.threads()
        if not qnorm:
            quantizer = ProductQuantizer.train(matrix, dsub, seed=seed, threads=threads)
            return cls(quantizer.codes_of(matrix, threads=threads), quantizer)
        directions = _Directions(matrix, lengths_of(matrix)[:, None])
        quantizer = ProductQuantizer.train(directions, dsub, seed=seed, threads=threads)
        codes = quantizer.codes_of(directions, threads=threads)
        del directions  # and the lengths of all rows
        scales = _scales(matrix, quantizer, codes)
        norm_quantizer = ProductQuantizer.train(scales, 1, seed=seed, threads=threads)
        return cls(codes, quantizer, norm_quantizer.codes_of(scales, threads=threads)[:, 0], norm_quantizer)

    def with_rows(self, rows: Floats, *, threads: int | None = None) -> Self:
        """A copy whose first rows are those of ``rows`` (n, D), coded with the centroids that there are.

        Raises:
            DataError: numbers that are not finite or beyond 10¹⁸.
        """
        check(rows)
        threads, norm_codes, codes = threads or machine.threads(), self.norm_codes, self.codes.copy()
        if norm_codes is None or self.norm_quantizer is None:
            codes[: len(rows)] = self.quantizer.codes_of(rows, threads=threads)
        else:
            directions = _Directions(rows, lengths_of(rows)[:, None])
            codes[: len(rows)] = self.quantizer.codes_of(directions, threads=threads)
            scales, norm_codes = _scales(rows, self.quantizer, codes[: len(rows)]), norm_codes.copy()
            norm_codes[: len(rows)] = self.norm_quantizer.codes_of(scales, threads=threads)[:, 0]
        return type(self)(codes, self.quantizer, norm_codes, self.norm_quantizer)

    # ---- what it is ---------------------------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """R."""
        return len(self.codes)

    @property
    def columns(self) -> int:
        """D."""
        return self.quantizer.dim

    @property
    def shape(self) -> tuple[int, int]:
        """(R, D)."""
        return self.rows, self.columns

    def __len__(self) -> int:
        """R."""
        return self.rows

    @property
    def nbytes(self) -> int:
        """Bytes in a file: flag, shape, codes and centroids."""
        return quantized_bytes(self.rows, self.columns, self.quantizer.dsub, self.norm_codes is not None)

    @property
    def norms(self) -> Floats | None:
        """(256,) the lengths that ``norm_codes`` number."""
        return None if self.norm_quantizer is None else self.norm_quantizer.centroids

    # ---- answering ----------------------------------------------------------------------------------------------

    def take(self, rows: Any) -> Floats:
        """(n, D) float32, the decoded rows; ``rows`` is whatever indexes the first axis of an array."""
        found = self.quantizer.vectors_of(self.codes[rows])
        if self.norm_codes is not None and self.norms is not None:
            found *= self.norms[self.norm_codes[rows]][:, None]
        return found

    def dense(self) -> Floats:
        """(R, D) float32, all rows decoded."""
        return self.take(slice(None))

    def mean_of(self, rows: Integers, starts: Integers, *, threads: int | None = None) -> Floats:
        """(N, D) the mean of the rows ``rows[starts[i]:starts[i + 1]]`` of each document; zeros where there are none.

        The same bits for any number of threads and whatever other documents are asked.

        Raises:
            IndexError: a row that is not there.
        """
        if len(rows) and (int(rows.min()) < 0 or int(rows.max()) >= self.rows):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {self.rows}")
        if len(rows) < MANY_ROWS and not _compiler_is_loaded():
            return self._few_means(rows, starts)
        from erya.models.fasttext.quantizer_kernels import mean_rows
        from erya.parts.lockstep import run_together

        documents = len(starts) - 1
        means = np.zeros((documents, self.columns), dtype=np.float32)
        if not len(rows):
            return means
        begins = _fixed(np.ascontiguousarray(starts, dtype=np.int64))
        numbers = _fixed(np.ascontiguousarray(rows, dtype=np.int32))
        norm_codes = np.zeros(0, dtype=np.uint8) if self.norm_codes is None else self.norm_codes
        norms = np.zeros(0, dtype=np.float32) if self.norms is None else self.norms
        stored = (
            _fixed(self.codes),
            _fixed(self.quantizer.centroids),
            self.quantizer.dsub,
            _fixed(norm_codes),
            _fixed(norms),
        )
        number = max(1, min(threads or machine.threads(), documents, len(rows) // ROWS_A_THREAD))
        shares = np.searchsorted(begins, np.linspace(begins[0], begins[-1], number + 1)).clip(0, documents)
        shares[0], shares[-1] = 0, documents  # documents without rows may stand at either end

        def work(thread: int, _: NDArray[np.int64]) -> None:
            mean_rows(*stored, numbers, begins, int(shares[thread]), int(shares[thread + 1]), means)

        run_together(work, number)
        return means

    def _few_means(self, rows: Integers, starts: Integers) -> Floats:
        """As the kernel, in NumPy: all documents' first rows, then all second ones, and so on."""
        sizes = np.diff(starts)
        order = np.argsort(-sizes, kind="stable")  # longest first: those that go on are always in front
        begins, left = starts[:-1][order], sizes[order]
        decoded = self.take(rows)
        sums = np.zeros((len(sizes), self.columns), dtype=np.float32)
        going = len(sizes)
        for step in range(int(left[0]) if len(left) else 0):
            while left[going - 1] <= step:
                going -= 1
            sums[:going] += decoded[begins[:going] + step]
        means = np.empty_like(sums)
        means[order] = sums * (1.0 / np.maximum(left, 1)).astype(np.float32)[:, None]
        return means

    def dot(self, vectors: NDArray[Any]) -> Floats:
        """Products of all rows with one vector (D,) → (R,), or with several (N, D) → (N, R)."""
        vectors = np.asarray(vectors, dtype=np.float32)
        products = np.empty((*vectors.shape[:-1], self.rows), dtype=np.float32)
        for first in range(0, self.rows, ROWS_AT_ONCE):
            block = slice(first, first + ROWS_AT_ONCE)
            products[..., block] = vectors @ self.take(block).T
        return products


def _compiler_is_loaded() -> bool:
    return "erya.kernel_cache" in sys.modules


def _fixed(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written to: arrays out of files are so, too, and the kernel is compiled for one kind only."""
    view = array.view()
    view.flags.writeable = False
    return view


class _Directions:
    """Rows at length 1, made when asked, so that no second matrix stands in memory; rows of zeros stay zeros."""

    def __init__(self, matrix: NDArray[Any], lengths: Floats) -> None:
        self.matrix, self.lengths = matrix, lengths

    @property
    def shape(self) -> tuple[int, ...]:
        return self.matrix.shape

    def __len__(self) -> int:
        return len(self.matrix)

    def __getitem__(self, rows: Any, /) -> Floats:
        some, lengths = self.matrix[rows], self.lengths[rows]
        directions: Floats = np.divide(some, lengths, out=np.zeros(some.shape, dtype=np.float32), where=lengths > 0)
        let_go(some)
        return directions


def _scales(matrix: NDArray[Any], quantizer: ProductQuantizer, codes: Codes) -> Floats:
    """(R, 1) by what the coded direction d of each row x is best multiplied: x · d / d · d makes |x − s d| least.

    The length of x itself, which the original takes, would do for exact directions; d is none, and its length not 1.
    """
    scales = np.zeros(len(codes), dtype=np.float32)
    for first in range(0, len(codes), ROWS_AT_ONCE):
        block = slice(first, first + ROWS_AT_ONCE)
        coded = quantizer.vectors_of(codes[block]).astype(np.float64)
        products, squares = np.einsum("nd,nd->n", matrix[block], coded), np.einsum("nd,nd->n", coded, coded)
        scales[block] = np.divide(products, squares, out=np.zeros(len(coded)), where=squares > 0)
        let_go(matrix[block])
    return scales[:, None]


def lengths_of(matrix: NDArray[Any]) -> Floats:
    """(R,) the Euclidean length of each row, summed in float64."""
    found = np.empty(len(matrix), dtype=np.float32)
    for first in range(0, len(matrix), ROWS_AT_ONCE):
        block = np.asarray(matrix[first : first + ROWS_AT_ONCE], dtype=np.float64)
        found[first : first + len(block)] = np.sqrt(np.einsum("nd,nd->n", block, block))
        let_go(matrix[first : first + ROWS_AT_ONCE])
    return found


def quantized_bytes(rows: int, columns: int, dsub: int, qnorm: bool) -> int:
    """Bytes that a quantized matrix takes in a file, without the flag that says whether it is one."""
    parts = -(-columns // min(dsub, columns))
    size = 1 + 8 + 8 + 4 + rows * parts + 16 + 1024 * columns
    return size + (rows + 16 + 1024 if qnorm else 0)
