"""From a classifier's logits to probabilities. NumPy alone, so that what answers without torch shares them with what needs it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def log_softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log probabilities (N, C): the logits less the logarithm of the sum of their exponentials."""
    shifted = values - values.max(axis=1, keepdims=True, initial=-np.inf)
    shares: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shares


def probabilities(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, C) rows that sum to 1, from logits."""
    shares = np.exp(log_softmax(values))
    answer: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return answer


def independent(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, C) σ of each logit: every label is a question of its own."""
    answer: NDArray[np.float64] = np.exp(-np.logaddexp(0.0, -values))
    return answer
