"""From counts to a matrix of surprise: PMI, PPMI, smoothed and shifted.

    PMI(i, j) = ln( P(i, j) / (P(i) P(j)) ) = ln X_ij − ln Σ_j X_ij − ln P_α(j)          P_α(j) = s_j^α / Σ s^α, s_j = Σ_i X_ij
    PPMI      = max(PMI − ln k, 0)

Church and Hanks 1990; α and k: Levy, Goldberg and Dagan 2015, section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ASSOCIATIONS = ("count", "pmi", "ppmi")


@dataclass(frozen=True, slots=True)
class Weighing:
    """What becomes of a count.

    Attributes:
        association: ``"count"``: it stays as it is, ``"pmi"``, ``"ppmi"``.
        shift: k; ln k is taken away from every PMI.
        smoothing: α, the exponent of the contexts' counts.
    """

    association: str
    shift: float
    smoothing: float

    def terms(self, sums: Floats) -> tuple[Floats, Floats]:
        """(V,) ln of the row sums, (V,) ln of the contexts' probabilities; 0 for words without neighbours."""
        seen = sums > 0
        rows, contexts = np.zeros(len(sums)), np.zeros(len(sums))
        np.log(sums, out=rows, where=seen)
        total = math.fsum(np.exp(self.smoothing * rows[seen]).tolist())
        contexts[seen] = self.smoothing * rows[seen] - math.log(max(total, 1e-300))
        return rows, contexts

    def apply(self, counts: NDArray[np.float32], row: int, columns: NDArray[np.int32], sums: Floats) -> Floats:
        """Some entries of one row, weighed."""
        if self.association == "count":
            return counts.astype(np.float64)
        rows, contexts = self.terms(sums)
        pmi = np.log(counts.astype(np.float64)) - rows[row] - contexts[columns] - math.log(self.shift)
        found: Floats = np.maximum(pmi, 0) if self.association == "ppmi" else pmi
        return found
