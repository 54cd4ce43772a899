"""Word Mover's Distance: the least that the words of one document must travel to become those of another.

Kusner, Sun, Kolkin and Weinberger 2015, "From Word Embeddings To Document Distances", equation 1, solved exactly as a
linear program. SciPy is imported when it is called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from erya.errors import ResourceError, UsageError
from erya.language import say

MOST_ROUTES = 1_000_000  # pairs of distinct words; the linear program has as many unknowns


def distance(first: Sequence[int], second: Sequence[int], vectors: NDArray[np.float64]) -> float:
    """The distance between two documents.

    Args:
        first: rows of the words of a document, with repetitions; not empty.
        second: likewise.
        vectors: (V, D) by row; words travel as far as their vectors are apart (Euclidean).

    Raises:
        UsageError: the documents have too many distinct words.
    """
    mass = _shares(first)
    for row, share in _shares(second).items():
        mass[row] = mass.get(row, 0.0) - share
    # a word of both documents stays where it is: distances obey the triangle inequality, so no detour through it pays
    sources = [row for row, share in mass.items() if share > 1e-15]
    sinks = [row for row, share in mass.items() if share < -1e-15]
    if not sources or not sinks:
        return 0.0
    if len(sources) * len(sinks) > MOST_ROUTES:
        raise UsageError(
            "documents-too-long",
            say(
                f"{len(sources):,} × {len(sinks):,} distinct words are too many for an exact distance",
                f"不同的词多达 {len(sources):,} × {len(sinks):,}，无法计算精确距离",
            ),
            help="wmdistance(first[:1000], second[:1000])",
        )
    leaving = np.array([mass[row] for row in sources])
    arriving = -np.array([mass[row] for row in sinks])
    return _transport(leaving, arriving, _apart(vectors[sources], vectors[sinks]))


def _shares(rows: Sequence[int]) -> dict[int, float]:
    return {row: count / len(rows) for row, count in Counter(rows).items()}


def _apart(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) Euclidean distances; differences are taken row by row, since a² − 2ab + b² loses what is near 0."""
    return np.stack([np.sqrt(np.square(second - one).sum(axis=1)) for one in first])


def _transport(leaving: NDArray[np.float64], arriving: NDArray[np.float64], costs: NDArray[np.float64]) -> float:
    """The cheapest way to move ``leaving`` (n,) to ``arriving`` (m,) at costs (n, m) a unit."""
    from scipy import optimize, sparse

    n, m = costs.shape
    if n == m and np.ptp(leaving) < 1e-15 and np.ptp(arriving) < 1e-15:  # equal shares: an assignment is optimal
        rows, columns = optimize.linear_sum_assignment(costs)
        return float(costs[rows, columns].sum() * leaving[0])
    from_each = sparse.kron(sparse.eye(n), np.ones((1, m)))
    to_each = sparse.kron(np.ones((1, n)), sparse.eye(m))
    # what must arrive at the last word follows from the rest; leaving it out keeps rounding from making it infeasible
    rules = sparse.vstack([from_each, to_each]).tocsr()[:-1]
    totals = np.concatenate([leaving, arriving * (leaving.sum() / arriving.sum())])[:-1]
    solved = optimize.linprog(costs.ravel(), A_eq=rules, b_eq=totals, bounds=(0, None), method="highs")
    if solved.status != 0:
        raise ResourceError("no-solution", say(f"the solver gave up: {solved.message}", f"求解失败：{solved.message}"))
    return float(solved.fun)
