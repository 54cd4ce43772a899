"""The main directions of a large sparse matrix: a truncated singular value decomposition by random projection.

    M ≈ U Σ Vᵀ        Q ← an orthonormal basis of M Mᵀ M … Ω, Ω random, so that U lies nearly in its span
                      QᵀM is small: its exact decomposition gives Σ and, turned back by Q, U

Halko, Martinsson and Tropp 2011, "Finding Structure with Randomness", algorithms 4.4 and 5.1. Products with M are
``kernels.multiply`` in float32; bases are made orthonormal through their Gram matrix, summed in float64.
Rows are cut into fixed pieces and the pieces' sums added in one order, so that no number of threads changes a bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import Interrupted
from erya.language import say
from erya.models.cooccurrence import kernels
from erya.parts.lockstep import run_together
from erya.progress import Report

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

OVERSAMPLING = 10  # directions beyond those asked for, at the least; then rounded up to the kernel's width
TILE = 32
PIECES = 64  # of the rows, for the threads
ROWS = 4096  # of a dense piece
DENSE = 512  # words up to which the matrix is decomposed as it is
NEGLIGIBLE = 1e-5  # × the greatest singular value: a direction that float32 does not know from noise


@dataclass(slots=True)
class Sparse:
    """M, by rows."""

    starts: Integers
    columns: NDArray[np.int32]
    values: Floats

    def __len__(self) -> int:
        return len(self.starts) - 1

    def dense(self) -> Doubles:
        """(V, V) as it is."""
        found = np.zeros((len(self), len(self)))
        rows = np.repeat(np.arange(len(self)), np.diff(self.starts))
        found[rows, self.columns] = self.values
        return found

    def pieces(self) -> list[tuple[int, int]]:
        """Stretches of rows with about equally many entries, whatever the number of threads."""
        edges = np.searchsorted(self.starts, np.linspace(0, self.starts[-1], PIECES + 1)[1:-1])
        marks = np.unique(np.concatenate([[0], edges, [len(self)]])).tolist()
        return list(pairwise(marks))

    def transposed(self) -> Sparse:
        """Mᵀ."""
        lengths = np.bincount(self.columns, minlength=len(self))
        starts = np.zeros(len(self) + 1, dtype=np.int64)
        np.cumsum(lengths, out=starts[1:])
        other = Sparse(starts, np.empty_like(self.columns), np.empty_like(self.values))
        cursor = starts[:-1].copy()
        for first, last in self.pieces():
            kernels.transpose(self.starts, self.columns, self.values, cursor, other.columns, other.values, first, last)
        return other


class Decomposer:
    """One decomposition, on several threads."""

    def __init__(self, matrix: Sparse, threads: int, report: Report) -> None:
        self.matrix, self.threads, self.report = matrix, threads, report
        self.ended = False  # the budget is spent

    def left(self, dim: int, steps: int, seed: int, symmetric: bool) -> tuple[Floats, Doubles, list[dict[str, Any]]]:
        """The ``dim`` greatest left singular vectors (V, D) and values (D,), and a row a step for the curve.

        Fewer where M has fewer. Signs are such that a vector's component of greatest magnitude is positive.

        Args:
            dim: D.
            steps: power iterations: each is two products with M.
            seed: of the random directions.
            symmetric: M = Mᵀ, which saves the transposed copy.
        """
        vectors: NDArray[Any]
        with _one_thread():
            if len(self.matrix) <= DENSE:
                vectors, values, curve = self._whole(dim)
            else:
                vectors, values, curve = self._projected(dim, steps, seed, symmetric)
        known = int((values > NEGLIGIBLE * max(float(values[0]), 1e-300)).sum()) if len(values) else 0
        vectors, values = vectors[:, :known], values[:known]
        strongest = np.abs(vectors).argmax(axis=0)
        signs = np.where(vectors[strongest, np.arange(known)] < 0, -1, 1)
        signed: Floats = (vectors * signs).astype(np.float32)
        return signed, values, curve

    def _whole(self, dim: int) -> tuple[Doubles, Doubles, list[dict[str, Any]]]:
        left, values, _ = np.linalg.svd(self.matrix.dense())
        energy = float((values**2).sum()) or 1.0
        row = {"epoch": 1, "loss": max(0.0, 1 - float((values[:dim] ** 2).sum()) / energy)}
        self.report.record(row)
        return left[:, :dim], values[:dim], [row]

    def _projected(
        self, dim: int, steps: int, seed: int, symmetric: bool
    ) -> tuple[Floats, Doubles, list[dict[str, Any]]]:
        matrix = self.matrix
        other = matrix if symmetric else matrix.transposed()
        width = -(-(dim + OVERSAMPLING) // TILE) * TILE
        energy = float(np.square(matrix.values, dtype=np.float64).sum())
        generator = np.random.default_rng([seed, 2])
        basis = generator.standard_normal((len(matrix), width), dtype=np.float32)
        basis = self._orthonormal(self._product(matrix, basis))
        curve: list[dict[str, Any]] = []
        for step in range(steps):
            image = self._product(other, basis)  # Mᵀ Q
            row = {"epoch": step + 1, "loss": 1 - float(np.trace(self._gram(image))) / energy}
            curve.append(row)
            self.report.record(dict(row))
            self.report.progress(epoch=step + 1, epochs=steps, done=(step + 1) / (steps + 1), loss=row["loss"])
            if self.ended:
                break
            basis = self._orthonormal(self._product(matrix, self._orthonormal(image)))
        image = self._product(other, basis)  # (V, L) = Mᵀ Q, of which M's singular values are those of QᵀM
        squares, turn = np.linalg.eigh(self._gram(image))
        values = np.sqrt(np.maximum(squares[::-1], 0))[:dim]
        vectors = basis @ turn[:, ::-1][:, :dim].astype(np.float32)
        return vectors, values, curve

    # ---- bricks ---------------------------------------------------------------------------------------------------

    def _product(self, matrix: Sparse, right: Floats) -> Floats:
        """(V, L) ``matrix @ right``."""
        out = np.empty((len(matrix), right.shape[1]), dtype=np.float32)

        def work(piece: tuple[int, int]) -> None:
            kernels.multiply(matrix.starts, matrix.columns, matrix.values, right, out, *piece)

        self._share_out(matrix.pieces(), work)
        return out

    def _gram(self, tall: Floats) -> Doubles:
        """(L, L) tallᵀ tall: pieces in float32, their sum in float64, always in the same order."""
        pieces = [*_stretches(len(tall))]
        found: list[Any] = [None] * len(pieces)

        def work(number: int) -> None:
            first, last = pieces[number]
            found[number] = tall[first:last].T @ tall[first:last]

        self._share_out([*range(len(pieces))], work)
        total = np.zeros((tall.shape[1], tall.shape[1]))
        for piece in found:
            total += piece
        return total

    def _orthonormal(self, tall: Floats) -> Floats:
        """An orthonormal basis of the columns: tall · E Λ^(−½), where tallᵀ tall = E Λ Eᵀ; what has no length becomes 0."""
        squares, turn = np.linalg.eigh(self._gram(tall))
        long = squares > 1e-12 * max(float(squares[-1]), 1e-300)
        scale = np.zeros_like(squares)
        scale[long] = 1 / np.sqrt(squares[long])
        turn = (turn * scale).astype(np.float32)
        out = np.empty_like(tall)

        def work(piece: tuple[int, int]) -> None:
            np.matmul(tall[slice(*piece)], turn, out=out[slice(*piece)])

        self._share_out([*_stretches(len(tall))], work)
        return out

    def _share_out(self, jobs: list[Any], work: Callable[[Any], None]) -> None:
        """Do all jobs on several threads; between some of them, look whether to stop."""
        for begin in range(0, len(jobs), 4 * self.threads):
            some = jobs[begin : begin + 4 * self.threads]

            def mine(thread: int, _: Integers) -> None:
                for job in some[thread :: self.threads]:  # noqa: B023
                    work(job)

            run_together(mine, self.threads)
            wish = self.report.stopping()
            if wish == "interrupt":
                raise Interrupted("interrupted", say("stopped", "已停止"))
            self.ended = self.ended or wish == "budget"


def _stretches(rows: int) -> Iterator[tuple[int, int]]:
    for first in range(0, rows, ROWS):
        yield first, min(rows, first + ROWS)


def _one_thread() -> AbstractContextManager[Any]:
    """BLAS adds in another order for another number of threads; ours call it side by side, with one thread each."""
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError:
        return nullcontext()
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits
