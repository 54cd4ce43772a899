"""Co-occurrence vectors in plain Python and NumPy: everything this room does, one thing at a time, in double precision.

Read this first. ``parts/counting.py`` counts the same in large, ``kernels.py`` and ``svd.py`` weigh and decompose it;
``test_cooccurrence.py`` proves that they agree, and asserts each number of the README with these functions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def count(lines: Sequence[Sequence[int]], size: int, *, window: int, weighting: str = "uniform") -> Floats:
    """(V, V): how often word j stands within ``window`` words of word i; ``"distance"``: at distance d it counts 1/d."""
    X = np.zeros((size, size))
    for line in lines:
        for place, word in enumerate(line):
            for distance in range(1, window + 1):
                if place + distance < len(line):
                    neighbour = line[place + distance]
                    weight = 1 / distance if weighting == "distance" else 1
                    X[word, neighbour] += weight
                    X[neighbour, word] += weight
    return X


def pmi(X: Floats, *, smoothing: float = 1.0) -> Floats:
    """(V, V) ln( P(i, j) / (P(i) P_α(j)) ); −∞ where i and j never met."""
    joint = X / X.sum()
    words = X.sum(axis=1) / X.sum()
    contexts = X.sum(axis=0) ** smoothing / (X.sum(axis=0) ** smoothing).sum()
    with np.errstate(divide="ignore"):
        found: Floats = np.log(joint / np.outer(words, contexts))
    return found


def ppmi(X: Floats, *, smoothing: float = 1.0, shift: float = 1.0) -> Floats:
    """(V, V) max(PMI − ln shift, 0)."""
    found: Floats = np.maximum(pmi(X, smoothing=smoothing) - np.log(shift), 0)
    return found


def vectors(M: Floats, dim: int, *, eigenvalue_weighting: float = 0.5) -> Floats:
    """(V, D): U Σ^p of the ``dim`` greatest singular values; the greatest component of each column is positive."""
    left, values, _ = np.linalg.svd(M)
    left, values = left[:, :dim], values[:dim]
    strongest = np.abs(left).argmax(axis=0)
    found: Floats = left * np.sign(left[strongest, np.arange(left.shape[1])]) * values**eigenvalue_weighting
    return found


def cosine(x: Floats, y: Floats) -> float:
    """The cosine of the angle between two vectors."""
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))
