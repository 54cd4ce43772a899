"""What product quantization does for every row, as Numba functions: seeding, rounds of k-means, codes, means of rows.

Rows are looked at in *tiles* of 64, turned around so that one load takes the same column of 16 rows:

    tiles (T W, 64)    row t W + k holds column k of the rows 64 t … 64 t + 63; W is the width of one part of a vector

All distances are sums of squared differences – not |c|² − 2 c·x, which loses everything where rows lie close together and
far from 0. Sums over rows run in the order of the rows, in float64: the same bits for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import intrinsic
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.chance import below, next_number
from erya.parts.simd import LANES, fma, lanes, load, minus, plus, spread, store, total

CENTROIDS = 256  # of one part: a code is a byte
TILE = 64  # rows: four registers, so that the processor has something to do while it waits for a comparison

Floats = NDArray[np.float32]
_instruction: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic


@_instruction
def chosen(typing: Any, values: Any, limit: Any, low: Any, high: Any) -> Any:
    """``low`` where ``values < limit``, else ``high``; lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, limit, low, high = arguments
        return builder.select(builder.fcmp_ordered("<", values, limit), low, high)

    return lanes(lanes, lanes, lanes, lanes), generate


@kernel
def nearest(tiles: Floats, centroids: Floats, places: Floats, distances: Floats) -> None:
    """Each row's nearest centroid and the squared distance to it; of equally near ones that with the lowest number.

    ``centroids`` (256, W); ``places`` and ``distances`` (T, 64) are written.
    """
    width = centroids.shape[1]
    for tile in range(places.shape[0]):
        top = tile * width
        b0 = spread(np.float32(np.inf))
        b1, b2, b3 = b0, b0, b0
        p0 = spread(np.float32(0))
        p1, p2, p3 = p0, p0, p0
        for c in range(CENTROIDS):
            d0 = spread(np.float32(0))
            d1, d2, d3 = d0, d0, d0
            for k in range(width):
                value = spread(centroids[c, k])
                away = minus(load(tiles, top + k, 0), value)
                d0 = fma(away, away, d0)
                away = minus(load(tiles, top + k, LANES), value)
                d1 = fma(away, away, d1)
                away = minus(load(tiles, top + k, 2 * LANES), value)
                d2 = fma(away, away, d2)
                away = minus(load(tiles, top + k, 3 * LANES), value)
                d3 = fma(away, away, d3)
            place = spread(np.float32(c))
            p0, b0 = chosen(d0, b0, place, p0), chosen(d0, b0, d0, b0)
            p1, b1 = chosen(d1, b1, place, p1), chosen(d1, b1, d1, b1)
            p2, b2 = chosen(d2, b2, place, p2), chosen(d2, b2, d2, b2)
            p3, b3 = chosen(d3, b3, place, p3), chosen(d3, b3, d3, b3)
        store(places, tile, 0, p0)
        store(places, tile, LANES, p1)
        store(places, tile, 2 * LANES, p2)
        store(places, tile, 3 * LANES, p3)
        store(distances, tile, 0, b0)
        store(distances, tile, LANES, b1)
        store(distances, tile, 2 * LANES, b2)
        store(distances, tile, 3 * LANES, b3)


# ---- k-means ------------------------------------------------------------------------------------------------------


@kernel
def _come_nearer(tiles: Floats, centroids: Floats, newest: int, distances: Floats, sums: Floats) -> None:
    """Lower ``distances`` to those from centroid ``newest``, where it is nearer; ``sums`` (T,) are the tiles' totals."""
    width = centroids.shape[1]
    for tile in range(distances.shape[0]):
        sum = spread(np.float32(0))
        for column in range(0, TILE, LANES):
            distance = spread(np.float32(0))
            for k in range(width):
                away = minus(load(tiles, tile * width + k, column), spread(centroids[newest, k]))
                distance = fma(away, away, distance)
            before = load(distances, tile, column)
            distance = chosen(distance, before, distance, before)
            store(distances, tile, column, distance)
            sum = plus(sum, distance)
        sums[tile] = total(sum)


@kernel
def seed_centroids(
    tiles: Floats, size: int, centroids: Floats, distances: Floats, sums: Floats, stream: NDArray[np.uint64]
) -> None:
    """First centroids (256, W): rows, each drawn by its squared distance to those drawn before.

    k-means++, Arthur & Vassilvitskii 2007. Rows that are rare and far from all others – the long vectors of telling
    words among a million short ones – get centroids, which a uniform draw would hardly give them. Where fewer than 256
    rows differ, the last centroids are all the same.
    """
    width = centroids.shape[1]
    distances[:] = np.inf
    row = below(stream, size)
    for c in range(CENTROIDS):
        for k in range(width):
            centroids[c, k] = tiles[row // TILE * width + k, row % TILE]
        _come_nearer(tiles, centroids, c, distances, sums)
        whole = 0.0
        for tile in range(len(sums)):
            whole += sums[tile]
        left = np.float64(next_number(stream) >> np.uint64(11)) * 2.0**-53 * whole
        tile = 0
        while tile < len(sums) - 1 and left >= sums[tile]:
            left -= sums[tile]
            tile += 1
        column = 0
        while column < TILE - 1 and left >= distances[tile, column]:
            left -= distances[tile, column]
            column += 1
        row = min(tile * TILE + column, size - 1)  # the last tile is filled up with its last row


@kernel
def improve_centroids(
    tiles: Floats,
    size: int,
    centroids: Floats,
    places: Floats,
    distances: Floats,
    before: Floats,
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> int:
    """One round of Lloyd's k-means: each centroid moves to the mean of the rows that are nearest to it.

    A centroid that no row is nearest to goes to the row that is now farthest from its own: a cluster is split there.

    Args:
        tiles: (T W, 64), of which ``size`` rows count.
        centroids: (256, W), moved in place.
        places: (T, 64) written: nearest centroids before the move.
        distances: (T, 64) written: squared distances to them.
        before: (T, 64) the last round's places; written.
        sums: (256, W) room.
        counts: (256,) room.

    Returns:
        How many rows changed to another centroid and how many centroids were put elsewhere; 0: nothing will change any more.
    """
    width = centroids.shape[1]
    nearest(tiles, centroids, places, distances)
    sums[:] = 0.0
    counts[:] = 0
    changes = 0
    for row in range(size):
        tile, column = row // TILE, row % TILE
        c = int(places[tile, column])
        changes += places[tile, column] != before[tile, column]
        before[tile, column] = places[tile, column]
        counts[c] += 1
        for k in range(width):
            sums[c, k] += tiles[tile * width + k, column]
    for c in range(CENTROIDS):
        if counts[c] > 0:
            for k in range(width):
                centroids[c, k] = np.float32(sums[c, k] / counts[c])
    for c in range(CENTROIDS):
        if counts[c] == 0:
            farthest = _farthest(distances, size)
            tile, column = farthest // TILE, farthest % TILE
            if distances[tile, column] > 0:
                distances[tile, column] = 0.0
                changes += 1
                for k in range(width):
                    centroids[c, k] = tiles[tile * width + k, column]
    return changes


@kernel
def _farthest(distances: Floats, size: int) -> int:
    best = 0
    for row in range(size):
        if distances[row // TILE, row % TILE] > distances[best // TILE, best % TILE]:
            best = row
    return best


@kernel
def gather_distinct(columns: Floats, centroids: Floats, found: int) -> int:
    """Copy rows of ``columns`` (N, W) that are not yet among the first ``found`` of ``centroids`` (256, W) behind them.

    Returns how many there are then; 257: more than fit.
    """
    width = columns.shape[1]
    for row in range(columns.shape[0]):
        known = False
        for c in range(found):
            k = 0
            while k < width and centroids[c, k] == columns[row, k]:
                k += 1
            if k == width:
                known = True
                break
        if known:
            continue
        if found == CENTROIDS:
            return CENTROIDS + 1
        for k in range(width):
            centroids[found, k] = columns[row, k]
        found += 1
    return found


# ---- answering ----------------------------------------------------------------------------------------------------


@kernel
def mean_rows(
    codes: NDArray[np.uint8],
    centroids: Floats,
    dsub: int,
    norm_codes: NDArray[np.uint8],
    norms: Floats,
    rows: NDArray[np.int32],
    starts: NDArray[np.int64],
    first: int,
    last: int,
    means: Floats,
) -> None:
    """``means[i]`` (D,) = the mean of the decoded ``rows[starts[i]:starts[i + 1]]``, for documents ``first`` to ``last``.

    Sums run in float32 in the order of the rows, as in the original. ``norm_codes`` may be empty: all lengths are 1.
    ``means`` begins with zeros.
    """
    parts, width = codes.shape[1], means.shape[1]
    one = np.float32(1)
    for document in range(first, last):
        begin, end = starts[document], starts[document + 1]
        for place in range(begin, end):
            row = rows[place]
            norm = norms[norm_codes[row]] if len(norm_codes) > 0 else one
            for part in range(parts):
                left = part * dsub
                size = min(dsub, width - left)
                top = CENTROIDS * left + codes[row, part] * size
                for k in range(size):
                    means[document, left + k] += norm * centroids[top + k]
        share = np.float32(1.0 / max(1, end - begin))
        for k in range(width):
            means[document, k] *= share
