"""The nearest rows of a matrix by cosine: exact, in blocks, NumPy only.

A first pass in float32 – one product of matrices for many queries – finds a few candidates; these are scored again in
float64, row by row. So the answer does not depend on how a matrix product orders its sums: a query gets the same bits
alone and among others, and equal rows come in the order of their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = Callable[[Any], NDArray[np.float32]]  # numbers (an array or a slice) → (n, D) float32, widened where needed
Doubles = NDArray[np.float64]
Ids = NDArray[np.int64]

BLOCK = 8192  # rows widened at once
_COSINES = 1 << 24  # float32 numbers held at once: 64 MiB
_ROUNDING = 2.0**-23  # twice the relative rounding error of a float32


def lengths(rows: Rows, size: int) -> Doubles:
    """(V,) the Euclidean length of every row."""
    found = np.empty(size)
    for start in range(0, size, BLOCK):
        block = rows(slice(start, start + BLOCK)).astype(np.float64)
        found[start : start + len(block)] = np.sqrt(np.einsum("nd,nd->n", block, block))
    return found


def inverse(lengths: Doubles) -> Doubles:
    """1 / length; 0 for a row of zeros, so that it has cosine 0 with everything."""
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def unit(vector: NDArray[Any]) -> Doubles:
    """(D,) float64 at length 1; zeros stay zeros."""
    wide = np.asarray(vector, dtype=np.float64)
    length = float(np.sqrt(wide @ wide))
    return wide / length if length > 0 else wide


def cosines(rows: Rows, shrink: Doubles, target: Doubles, size: int) -> Doubles:
    """(size,) float64 cosines of one target (D,) of length 1 with the first rows.

    Args:
        shrink: (V,) what ``inverse`` gives.
    """
    found = np.empty(size)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        found[start:stop] = np.einsum("nd,d->n", rows(slice(start, stop)).astype(np.float64), target)
    return np.clip(found * shrink[:size], -1, 1)


def rescored(rows: Rows, shrink: Doubles, target: Doubles, ids: Ids) -> Doubles:
    """(n,) float64 cosines of the target with chosen rows; each by itself, whatever else is asked."""
    found = np.empty(len(ids))
    for start in range(0, len(ids), BLOCK):
        some = ids[start : start + BLOCK]
        found[start : start + len(some)] = (rows(some).astype(np.float64) * target).sum(axis=1)
    return np.clip(found * shrink[ids], -1, 1)


def best(ids: Ids, scores: Doubles, count: int) -> tuple[Ids, Doubles]:
    """The ``count`` highest scores and their ids, which come in ascending order; equals stay in it."""
    order = np.argsort(-scores, kind="stable")[:count]
    return ids[order], scores[order]


def search(
    rows: Rows,
    shrink: Doubles,
    targets: Doubles,
    *,
    count: int,
    size: int,
    excluded: Sequence[Ids] | None = None,
) -> list[tuple[Ids, Doubles]]:
    """For each target the nearest rows and their cosines, the nearest first.

    Args:
        rows: gives the vectors.
        shrink: (V,) what ``inverse`` gives.
        targets: (Q, D) float64 of length 1, or zeros.
        count: how many rows.
        size: only the first so many rows are looked at.
        excluded: for each target, rows that are not wanted.
    """
    found: list[tuple[Ids, Doubles]] = []
    at_once = max(1, _COSINES // max(size, 1))
    for low in range(0, len(targets), at_once):
        some = targets[low : low + at_once]
        approximate = _approximate(rows, shrink, some.astype(np.float32), size)
        for place, target in enumerate(some):
            line = approximate[place]
            banned = excluded[low + place] if excluded is not None else np.zeros(0, dtype=np.int64)
            banned = np.unique(banned[(banned >= 0) & (banned < size)])
            line[banned] = -np.inf
            wanted = min(count, size - len(banned))
            if wanted <= 0:
                found.append((np.zeros(0, dtype=np.int64), np.zeros(0)))
                continue
            margin = (len(target) + 16) * _ROUNDING  # what a sum of D float32 products can be off
            limit = float(np.partition(line, size - wanted)[size - wanted]) - margin
            ids = np.flatnonzero(line >= limit)
            found.append(best(ids, rescored(rows, shrink, target, ids), wanted))
    return found


def _approximate(rows: Rows, shrink: Doubles, targets: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """(Q, size) cosines in float32."""
    found = np.empty((len(targets), size), dtype=np.float32)
    short = shrink[:size].astype(np.float32)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        part = found[:, start:stop]
        np.matmul(targets, rows(slice(start, stop)).T, out=part)
        part *= short[start:stop]
    return found
