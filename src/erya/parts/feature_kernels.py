"""From rows of weights to the scores of tags: sums over what a token and its neighbours show.

All single templates of one distance depend on one token's type, so their rows are added up once for each type – ``sums`` – and a token
takes one row for each distance, plus one for each template of several parts. See ``feature_table.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.simd_double import EIGHT, narrowed, plus, spread, widened

Weights = NDArray[np.float32]
Rows = NDArray[np.int32]
Ints = NDArray[np.int64]


@kernel
def unit_sums(weights: Weights, unit_rows: Rows, bounds: Ints, low: int, high: int, sums: Weights) -> None:
    """``sums[o, type]`` = Σ of the rows that the templates of place o have for it, for types low … high − 1.

    Args:
        weights: (R, W) rows; row 0 is 0.
        unit_rows: (T, U).
        bounds: (O + 1,) templates of each place.
        low: first type.
        high: the type after the last.
        sums: (O, T, W), written.
    """
    width, known = weights.shape[1], sums.shape[1]
    flat = sums.reshape(len(sums) * known, width)
    for kind in range(low, high):
        for place in range(len(bounds) - 1):
            for column in range(0, width, EIGHT):
                here = spread(0.0)
                for template in range(bounds[place], bounds[place + 1]):
                    here = plus(here, widened(weights, unit_rows[kind, template], column))
                narrowed(flat, place * known + kind, column, here)


@kernel
def emissions(
    sums: Weights,
    more: Weights,
    places: Ints,
    weights: Weights,
    types: Rows,
    joint: Rows,
    begins: Ints,
    sizes: Ints,
    found: NDArray[np.float64],
) -> None:
    """(L, C) scores of the tags at all tokens.

    Args:
        sums: (O, T, W) from ``unit_sums``.
        more: (O, M, W) likewise, of the types from T on.
        places: (O,) distances.
        weights: (R, W), for the templates of several parts.
        types: (P,).
        joint: (P, J) rows; 0: none.
        begins: (N,) first place of each sentence.
        sizes: (N,) its tokens.
        found: (L, C), written; C ≤ W.
    """
    known, count, row = sums.shape[1], found.shape[1], 0
    for sentence in range(len(begins)):
        for place in range(begins[sentence], begins[sentence] + sizes[sentence]):
            for tag in range(count):
                found[row, tag] = 0.0
            for number in range(len(places)):
                kind = types[place + places[number]]
                if kind < known:
                    for tag in range(count):
                        found[row, tag] += sums[number, kind, tag]
                else:
                    for tag in range(count):
                        found[row, tag] += more[number, kind - known, tag]
            for number in range(joint.shape[1]):
                feature = joint[place, number]
                if feature:
                    for tag in range(count):
                        found[row, tag] += weights[feature, tag]
            row += 1
