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
_QUERIES = 256  # looked for together
_WIDENED = 1 << 22  # float32 numbers of a block of vectors: 16 MiB
_COSINES = 1 << 23  # float32 numbers of their cosines with the queries: 32 MiB
_EXTREME = 1e18  # lengths beyond it, or below 1 / it
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
    for low in range(0, len(targets) if count else 0, _QUERIES):
        some = targets[low : low + _QUERIES]
        banned = _by_row(excluded[low : low + _QUERIES]) if excluded is not None else _by_row([])
        kept = _candidates(rows, shrink, some.astype(np.float32), count, size, banned)
        found += [best(ids, rescored(rows, shrink, one, ids), count) for one, ids in zip(some, kept, strict=True)]
    return found or [(np.zeros(0, dtype=np.int64), np.zeros(0))] * len(targets)


def _by_row(excluded: Sequence[Ids]) -> tuple[Ids, Ids]:
    """Queries and rows of all that is excluded, by row."""
    sizes = [len(ids) for ids in excluded]
    row = np.concatenate([*excluded, np.zeros(0, dtype=np.int64)]).astype(np.int64)
    query = np.repeat(np.arange(len(sizes)), sizes)
    order = np.argsort(row, kind="stable")
    return query[order], row[order]


def _candidates(
    rows: Rows, shrink: Doubles, targets: NDArray[np.float32], count: int, size: int, banned: tuple[Ids, Ids]
) -> list[Ids]:
    """For each target (Q, D) the rows that may be among its ``count`` nearest, ascending.

    Only what comes near the best so far is kept from a block; "near" is wider than float32 sums can be off.
    """
    total, width = targets.shape
    margin = np.float32((width + 16) * _ROUNDING)
    limit = np.full(total, -2, dtype=np.float32)  # the count-th best cosine so far; none is as low
    query, row, cosine = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    step = max(64, min(_WIDENED // width, _COSINES // total))
    for start in range(0, size, step):
        stop = min(start + step, size)
        block = _approximate(targets, rows(slice(start, stop)), shrink[start:stop])
        part = slice(int(np.searchsorted(banned[1], start)), int(np.searchsorted(banned[1], stop)))
        block[banned[0][part], banned[1][part] - start] = -np.inf
        if start == 0 and stop > count:
            limit = np.maximum(limit, np.partition(block, stop - count, axis=1)[:, stop - count])
        hit, place = np.nonzero(block >= (limit - margin)[:, None])
        query, row = np.concatenate([query, hit]), np.concatenate([row, place + start])
        cosine = np.concatenate([cosine, block[hit, place]])
        query, row, cosine = _pruned(query, row, cosine, limit, count, margin)
    order = np.lexsort((row, query))
    edges = np.searchsorted(query[order], np.arange(1, total))
    return np.split(row[order], edges)


def _approximate(targets: NDArray[np.float32], some: NDArray[np.float32], shrink: Doubles) -> NDArray[np.float32]:
    """(Q, n) float32 cosines of targets (Q, D) with rows (n, D)."""
    faint, huge = float(shrink.max()) > _EXTREME, float(shrink.min(where=shrink > 0, initial=1.0)) < 1 / _EXTREME
    if faint or huge:  # a float32 product could overflow: bring the rows to length 1 first
        some, shrink = (some * shrink[:, None]).astype(np.float32), np.sign(shrink)
    found: NDArray[np.float32] = targets @ some.T
    found *= shrink.astype(np.float32)
    return found


def _pruned(
    query: Ids, row: Ids, cosine: NDArray[np.float32], limit: NDArray[np.float32], count: int, margin: np.float32
) -> tuple[Ids, Ids, NDArray[np.float32]]:
    """What is still near enough, after ``limit`` (Q,) was raised, in place, to the count-th best."""
    order = np.lexsort((-cosine, query))
    query, row, cosine = query[order], row[order], cosine[order]
    edges = np.searchsorted(query, np.arange(len(limit) + 1))
    last = edges[:-1] + count - 1
    full = last < edges[1:]
    limit[full] = np.maximum(limit[full], cosine[last[full]])
    keep = cosine >= (limit - margin)[query]
    return query[keep], row[keep], cosine[keep]
