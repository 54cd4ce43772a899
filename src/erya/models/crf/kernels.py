"""Loss and gradient of the CRF over all sentences, in four passes; each writes what no other thread writes.

    sums      for every type and distance, the sum of its features' weights                   parts/feature_kernels.py
    lattices  for every token: scores → forward, backward → marginals, and ln Z               one sentence after the other
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
from erya.parts.crf_kernels import exponentials, scaled

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Rows = NDArray[np.int32]
Ints = NDArray[np.int64]
Tags = NDArray[np.int16]


@kernel
def spread_out(values: Floats, ends: Ints, tags: Tags, low: int, high: int, weights: Singles) -> None:
    """The weights that there are, ``values`` (n,), into rows (R, W) of all tags; row r has ``ends[r] : ends[r + 1]`` of them."""
    for row in range(low, high):
        for place in range(ends[row], ends[row + 1]):
            weights[row, tags[place]] = values[place]


@kernel
def lattices(
    sums: Singles,
    places: Ints,
    weights: Singles,
    types: Rows,
    joint: Rows,
    begins: Ints,
    sizes: Ints,
    counted: Floats,
    factors: Floats,
    count: int,
    low: int,
    high: int,
    shares: Floats,
    marginals: Singles,
    totals: Floats,
    pairs: Floats,
) -> None:
    """Marginals of the sentences low … high − 1.

    Args:
        sums: (O, T, W) of the types.
        places: (O,) distances.
        weights: (R, W), for templates of several parts.
        types: (P,).
        joint: (P, J).
        begins: (N,).
        sizes: (N,).
        counted: (N,) weights of the sentences.
        factors: (2 W + 2, W) of the chain, from ``crf_kernels.factors_of``.
        count: C.
        low: first sentence.
        high: the one after the last.
        shares: (T, W), scratch for the longest sentence.
        marginals: (P, W), written, each times its sentence's weight.
        totals: (N,), written: ln Z without what ``factors_of`` took away; NaN: beyond float64.
        pairs: (W, W), added to.
    """
    width = weights.shape[1]
    steps, turned, ends = factors[:width], factors[width : 2 * width], factors[2 * width :]
    ways, scales = np.zeros((len(shares) + 2, width)), np.zeros(len(shares))
    powers = np.zeros(len(shares) * width, np.int64)
    flat = shares.reshape(len(shares) * width)
    for sentence in range(low, high):
        begin, size = begins[sentence], sizes[sentence]
        for step in range(size):
            place = begin + step
            kind = types[place + places[0]]
            for column in range(width):
                shares[step, column] = sums[0, kind, column]
            for number in range(1, len(places)):
                kind = types[place + places[number]]
                for column in range(width):
                    shares[step, column] += sums[number, kind, column]
            for number in range(joint.shape[1]):
                feature = joint[place, number]
                for column in range(width):
                    shares[step, column] += weights[feature, column]
        exponentials(flat[: size * width], powers)
        weight = counted[sentence]
        totals[sentence] = scaled(shares, 0, size, steps, turned, ends, count, ways, scales, weight, pairs)
        for step in range(size):
            for column in range(width):
                marginals[begin + step, column] = shares[step, column] * weight


@kernel
def gather(marginals: Singles, places: Ints, ends: Ints, tokens: Rows, low: int, high: int, found: Singles) -> None:
    """For the types low … high − 1 and every distance, the sum of the marginals of the tokens that see the type there.

    Args:
        marginals: (P, W), 0 where no token stands.
        places: (O,) distances.
        ends: (T + 1,) type t stands at ``tokens[ends[t] : ends[t + 1]]``.
        tokens: (P,) places.
        low: first type.
        high: the one after the last.
        found: (O, T, W), written.
    """
    width, count = marginals.shape[1], len(places)
    sums = np.zeros((count, width))
    last = len(marginals) - 1
    for kind in range(low, high):
        sums[:] = 0.0
        for number in range(ends[kind], ends[kind + 1]):
            for distance in range(count):
                place = tokens[number] - places[distance]
                if 0 <= place <= last:
                    for column in range(width):
                        sums[distance, column] += marginals[place, column]
        for distance in range(count):
            for column in range(width):
                found[distance, kind, column] = sums[distance, column]


@kernel
def slopes(
    units: Singles,
    marginals: Singles,
    ends: Ints,
    sources: Rows,
    single: int,
    value_ends: Ints,
    tags: Tags,
    low: int,
    high: int,
    found: Floats,
) -> None:
    """Expected counts of the features low … high − 1, for the tags that each of them has a weight for.

    Args:
        units: (O · T, W) from ``gather``.
        marginals: (P, W), for the templates of several parts.
        ends: (R + 1,) where the sources of a feature's row stand.
        sources: places in ``units``, or for the rows from ``single`` on in ``marginals``.
        single: the first row of a template of several parts.
        value_ends: (R + 1,) where the weights of a row stand.
        tags: (n,) the tag of each weight.
        low: first row.
        high: the one after the last.
        found: (n,), written.
    """
    width = units.shape[1]
    sums = np.zeros(width)
    for row in range(low, high):
        if value_ends[row] == value_ends[row + 1]:
            continue
        sums[:] = 0.0
        for number in range(ends[row], ends[row + 1]):
            source = sources[number]
            if row < single:
                for column in range(width):
                    sums[column] += units[source, column]
            else:
                for column in range(width):
                    sums[column] += marginals[source, column]
        for place in range(value_ends[row], value_ends[row + 1]):
            found[place] = sums[tags[place]]


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
