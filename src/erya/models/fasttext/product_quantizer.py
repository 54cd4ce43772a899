"""Product quantization: a vector is cut into parts, and each part is replaced by the number of its nearest centroid.

Jégou, Douze & Schmid 2011, "Product Quantization for Nearest Neighbor Search"; for text classifiers Joulin et al. 2016,
"FastText.zip". With 256 centroids a part, a number is one byte: a vector of 100 float32 cut into parts of two is 50 bytes
instead of 400. Each part has centroids of its own, found by k-means on at most 65,536 rows:

    x = (x⁰, x¹, …)      code m = argmin_c |xᵐ − centroid(m, c)|²      x ≈ (centroid(0, code 0), centroid(1, code 1), …)

Centroids lie as in the original's files. Unlike there, a matrix of fewer than 256 rows is no error: its rows are the
centroids, and nothing is lost (and little saved: 256 centroids are stored in any case). Not here: lengths (``quantized.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.errors import DataError
from erya.language import say
from erya.models.fasttext.mapped_rows import Rows, gather, let_go

CENTROIDS = 256  # a part; a code is a byte
MOST_ROWS = 65_536  # that k-means looks at: 256 a centroid
ROUNDS = 25  # of k-means, at most
LARGEST = 1e18  # its square is still a float32
ROWS_AT_ONCE = 1 << 14  # coded together; bounds the memory

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class ProductQuantizer:
    """The centroids of all parts of vectors.

    Args:
        dim: D, the width of the vectors.
        dsub: W, the width of a part; the last one is narrower where D is no multiple of it.
        centroids: (256 D,) float32, part after part, in each 256 rows of its width.

    Raises:
        ValueError: widths or lengths that do not fit one another.
    """

    dim: int
    dsub: int
    centroids: Floats

    def __post_init__(self) -> None:
        if self.dim < 1 or self.dsub < 1 or self.dsub > self.dim:
            raise ValueError(f"parts of {self.dsub} do not fit vectors of {self.dim}")
        if self.centroids.shape != (CENTROIDS * self.dim,) or self.centroids.dtype != np.float32:
            raise ValueError(f"{self.centroids.shape} {self.centroids.dtype} are not {CENTROIDS * self.dim} float32")

    @property
    def parts(self) -> int:
        """Into how many parts a vector is cut: the bytes of its code."""
        return -(-self.dim // self.dsub)

    @property
    def last_width(self) -> int:
        """The width of the last part."""
        return self.dim - (self.parts - 1) * self.dsub

    def columns(self, part: int) -> slice:
        """The columns of a part."""
        return slice(part * self.dsub, min(self.dim, (part + 1) * self.dsub))

    def of_part(self, part: int) -> Floats:
        """(256, W) the centroids of one part, a view."""
        columns = self.columns(part)
        return self.centroids[CENTROIDS * columns.start : CENTROIDS * columns.stop].reshape(CENTROIDS, -1)

    @classmethod
    def train(cls, x: Rows, dsub: int = 2, *, seed: int = 0, threads: int | None = None) -> Self:
        """Find centroids for the rows of ``x`` (N, D) by k-means.

        Same rows, same seed: same bits, for any number of threads. Where a part of the rows takes at most 256 different
        values, these are its centroids, and coding loses nothing.

        Args:
            x: float32; may be a memory map.
            dsub: W; more than D means D.
            seed: of the rows that are looked at and of the first centroids.
            threads: None: those of the machine.

        Raises:
            DataError: no rows, no columns, or numbers that are not finite or beyond 10¹⁸.
        """
        check(x)
        dim = x.shape[1]
        empty = np.zeros(CENTROIDS * dim, dtype=np.float32)
        quantizer = cls(dim, min(dsub, dim), empty)
        _learn(quantizer, x, seed, threads or machine.threads())
        return quantizer

    def codes_of(self, x: Rows, *, threads: int | None = None) -> Codes:
        """(N, parts) the nearest centroids of each row of ``x`` (N, D); of equally near ones the lowest number.

        Raises:
            DataError: numbers that are not finite or beyond 10¹⁸.
        """
        if len(x):
            check(x)
        codes = np.zeros((len(x), self.parts), dtype=np.uint8)
        _encode(self, x, codes, threads or machine.threads())
        return codes

    def vectors_of(self, codes: Codes) -> Floats:
        """(N, D) the vectors that ``codes`` (N, parts) stand for."""
        vectors = np.empty((len(codes), self.dim), dtype=np.float32)
        for part in range(self.parts):
            vectors[:, self.columns(part)] = self.of_part(part)[codes[:, part]]
        return vectors

    @property
    def nbytes(self) -> int:
        """Bytes in a file: four whole numbers and the centroids."""
        return 16 + 4 * len(self.centroids)


def check(x: Rows) -> None:
    """Refuse what has no nearest centroid.

    Raises:
        DataError: ``x`` has no rows or columns, or holds numbers that are not finite or beyond 10¹⁸.
    """
    if len(x.shape) != 2 or 0 in x.shape:
        raise DataError("nothing-to-quantize", say("a matrix without rows cannot be quantized", "没有行的矩阵无法量化"))
    for first in range(0, len(x), ROWS_AT_ONCE):
        block = x[first : first + ROWS_AT_ONCE]
        fine = (np.abs(block) < LARGEST).all(axis=1)  # false for nan, too
        let_go(block)
        if not fine.all():
            row = first + int(np.argmin(fine))
            raise DataError(
                "not-finite",
                say(
                    f"row {row} of the matrix holds a number that is not finite, or beyond 10^18",
                    f"矩阵第 {row} 行含有非有限数，或绝对值超过 10^18 的数",
                ),
            )


def _tiled(rows: NDArray[Any], tile: int) -> Floats:
    """(T W, 64) the columns of each 64 rows of ``rows`` (N, W); the last tile is filled up with the last row."""
    full = np.empty((-(-len(rows) // tile) * tile, rows.shape[1]), dtype=np.float32)
    full[: len(rows)] = rows
    full[len(rows) :] = rows[-1]
    turned = full.reshape(-1, tile, rows.shape[1]).transpose(0, 2, 1)  # (T, W, 64)
    return np.ascontiguousarray(turned).reshape(-1, tile)


def _learn(quantizer: ProductQuantizer, x: Rows, seed: int, threads: int) -> None:
    """Fill ``quantizer.centroids``; every part is the work of one thread."""
    from erya.models.fasttext import quantizer_kernels as kernels
    from erya.parts.lockstep import ABORT, run_together

    if len(x) > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(len(x), MOST_ROWS, replace=False, shuffle=False))
        sample = gather(x, chosen, ROWS_AT_ONCE)
    else:
        sample = np.asarray(x[:])

    def work(thread: int, control: NDArray[np.int64]) -> None:
        for part in range(thread, quantizer.parts, threads):
            centroids = quantizer.of_part(part)
            if _takes_all(x, quantizer.columns(part), centroids):
                continue
            tiles = _tiled(sample[:, quantizer.columns(part)], kernels.TILE)
            shape = (-(-len(sample) // kernels.TILE), kernels.TILE)
            places, distances = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
            before = np.full(shape, -1, dtype=np.float32)
            stream = np.array([(seed * 1_000_003 + part) % 2**64], dtype=np.uint64)
            room = np.zeros(shape[0], dtype=np.float32)
            kernels.seed_centroids(tiles, len(sample), centroids, distances, room, stream)
            sums, counts = np.zeros(centroids.shape), np.zeros(CENTROIDS, dtype=np.int64)
            for _ in range(ROUNDS):
                changes = kernels.improve_centroids(
                    tiles, len(sample), centroids, places, distances, before, sums, counts
                )
                if changes == 0 or control[ABORT]:
                    break

    run_together(work, min(threads, quantizer.parts))


def _takes_all(x: Rows, columns: slice, centroids: Floats) -> bool:
    """Whether so few different values stand in these columns of ``x`` that all of them fit into ``centroids``."""
    from erya.models.fasttext.quantizer_kernels import gather_distinct

    found, first, size = 0, 0, 4 * CENTROIDS  # hardly ever more than one short look
    while first < len(x):
        block = x[first : first + size]
        found = gather_distinct(np.array(block[:, columns], dtype=np.float32, order="C"), centroids, found)
        let_go(block)
        first, size = first + size, ROWS_AT_ONCE
        if found > CENTROIDS:
            return False
    centroids[found:] = 0
    return True


def _encode(quantizer: ProductQuantizer, x: Rows, codes: Codes, threads: int) -> None:
    """Fill ``codes``; blocks of rows are dealt to the threads."""
    from erya.models.fasttext import quantizer_kernels as kernels
    from erya.parts.lockstep import ABORT, run_together

    blocks = range(0, len(x), ROWS_AT_ONCE)

    def work(thread: int, control: NDArray[np.int64]) -> None:
        for first in blocks[thread::threads]:
            block = np.asarray(x[first : first + ROWS_AT_ONCE])
            shape = (-(-len(block) // kernels.TILE), kernels.TILE)
            places, distances = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
            for part in range(quantizer.parts):
                tiles = _tiled(block[:, quantizer.columns(part)], kernels.TILE)
                kernels.nearest(tiles, quantizer.of_part(part), places, distances)
                codes[first : first + len(block), part] = places.reshape(-1)[: len(block)]
            let_go(block)
            if control[ABORT]:
                return

    run_together(work, max(1, min(threads, len(blocks))))
