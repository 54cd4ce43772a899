"""Loss and gradient of the CRF over all sentences, in four passes; each writes what no other thread writes.

    sums      for every type and distance, the sum of its features' weights                   parts/feature_kernels.py
    lattices  for every token: scores → forward, backward → marginals, and ln Z               lattice_kernels.py
    gather    for every type and distance, the sum of the marginals of all tokens it is near  one type after the other
    slopes    for every feature, the sum over the types that show it, minus what was counted  one feature after the other

Nobody adds to what somebody else adds to, so the bits do not depend on the number of threads. The usual way – every token
adds its marginals to the gradient of each of its twenty features – would touch twenty rows a token; here it is one a distance.
Scores and marginals rest in float32, sums and lattices are float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.simd import prefetch
from erya.parts.simd_double import EIGHT, load, narrowed, plus, spread, store, widened

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Rows = NDArray[np.int32]
Ints = NDArray[np.int64]
Tags = NDArray[np.int16]
AHEAD = 16  # places that memory is told of before they are read


@kernel
def spread_out(
    values: Floats, counted: Floats, ends: Ints, tags: Tags, low: int, high: int, weights: Singles, sums: Floats
) -> None:
    """The weights that there are, ``values`` (n,), into rows (R, W) of all tags; row r has ``ends[r] : ends[r + 1]`` of them.

    Of those, ``sums`` (2,) is left with Σ value · counted and Σ value².
    """
    along = square = 0.0
    for row in range(low, high):
        for place in range(ends[row], ends[row + 1]):
            value = values[place]
            weights[row, tags[place]] = value
            along += value * counted[place]
            square += value * value
    sums[0], sums[1] = along, square


@kernel
def gather(marginals: Singles, places: Ints, ends: Ints, tokens: Rows, low: int, high: int, found: Singles) -> None:
    """For the types low … high − 1 and every distance, the sum of the marginals of the tokens that see the type there.

    Args:
        marginals: (P, W), 0 where no token stands, as it is at both rims.
        places: (O,) distances.
        ends: (T + 1,) type t stands at ``tokens[ends[t] : ends[t + 1]]``.
        tokens: (P,) places.
        low: first type.
        high: the one after the last.
        found: (O · T, W), written.
    """
    width, last, known = marginals.shape[1], len(marginals) - 1, len(ends) - 1
    sums = np.zeros((len(places), width))
    for kind in range(low, high):
        sums[:] = 0.0
        for number in range(ends[kind], ends[kind + 1]):
            soon = tokens[min(number + AHEAD, len(tokens) - 1)]
            for distance in range(len(places)):
                prefetch(marginals, min(max(soon - places[distance], 0), last), 0)
                place = min(max(tokens[number] - places[distance], 0), last)
                for column in range(0, width, EIGHT):
                    store(sums, distance, column, plus(load(sums, distance, column), widened(marginals, place, column)))
        for distance in range(len(places)):
            for column in range(0, width, EIGHT):
                narrowed(found, distance * known + kind, column, load(sums, distance, column))


@kernel
def slopes(
    units: Singles,
    marginals: Singles,
    ends: Ints,
    sources: Rows,
    single: int,
    value_ends: Ints,
    tags: Tags,
    weights: Floats,
    counted: Floats,
    l2: float,
    low: int,
    high: int,
    found: Floats,
) -> None:
    """Expected less true counts of the features low … high − 1, for the tags that each has a weight for, and the penalty's slope.

    Args:
        units: (O · T, W) from ``gather``.
        marginals: (P, W), for the templates of several parts.
        ends: (R + 1,) where the sources of a feature's row stand.
        sources: places in ``units``, or for the rows from ``single`` on in ``marginals``.
        single: the first row of a template of several parts.
        value_ends: (R + 1,) where the weights of a row stand.
        tags: (n,) the tag of each weight.
        weights: (n,).
        counted: (n,).
        l2: strength of the penalty l2/2 · ‖w‖².
        low: first row.
        high: the one after the last.
        found: (n,), written.
    """
    width = units.shape[1]
    sums = np.zeros((1, width))
    for row in range(low, high):
        if value_ends[row] == value_ends[row + 1]:
            continue
        for column in range(0, width, EIGHT):
            here = spread(0.0)
            if row < single:
                for number in range(ends[row], ends[row + 1]):
                    here = plus(here, widened(units, sources[number], column))
            else:
                for number in range(ends[row], ends[row + 1]):
                    here = plus(here, widened(marginals, sources[number], column))
            store(sums, 0, column, here)
        for place in range(value_ends[row], value_ends[row + 1]):
            found[place] = sums[0, tags[place]] - counted[place] + l2 * weights[place]


@kernel
def sorted_by(keys: Rows, values: Rows, ends: Ints, found: Rows) -> None:
    """Counting sort: ``values`` by their ``keys``, key k in ``found[ends[k] : ends[k + 1]]``, in the order they came.

    Args:
        keys: (n,).
        values: (n,).
        ends: (K + 1,), written.
        found: (n,), written.
    """
    ends[:] = 0
    for place in range(len(keys)):
        ends[keys[place] + 1] += 1
    for key in range(1, len(ends)):
        ends[key] += ends[key - 1]
    cursor = ends[:-1].copy()
    for place in range(len(keys)):
        found[cursor[keys[place]]] = values[place]
        cursor[keys[place]] += 1
