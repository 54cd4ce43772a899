"""fastText's forward pass over many documents in NumPy: what predicting needs, and nothing that must be compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.models.fasttext.features import Encoded

ROWS_AT_ONCE = 1 << 17  # rows gathered at a time: bounds the memory, and keeps it in the processor's cache

Floats = NDArray[np.float32]


def averaged(input: Floats, documents: Encoded) -> Floats:
    """(N, D) the mean of each document's rows of ``input`` (R, D); zeros for a document without rows."""
    starts = documents.starts
    counts = np.diff(starts)
    hidden = np.zeros((len(counts), input.shape[1]), dtype=np.float32)
    first = 0
    while first < len(counts):
        # as many whole documents as ROWS_AT_ONCE allows, at least one
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + ROWS_AT_ONCE, side="right")) - 1)
        filled = first + np.flatnonzero(counts[first:last])  # reduceat would give an empty document its neighbour's row
        if len(filled):
            gathered = input[documents.rows[starts[first] : starts[last]]]  # (rows, D)
            hidden[filled] = np.add.reduceat(gathered, starts[filled] - starts[first], axis=0)
        first = last
    hidden /= np.maximum(counts, 1)[:, None]
    return hidden


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """(N, C) rows that sum to 1."""
    exponents: NDArray[np.float64] = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float64))
    exponents /= exponents.sum(axis=1, keepdims=True)
    return exponents


def probabilities(input: Floats, output: Floats, documents: Encoded) -> NDArray[np.float64]:
    """(N, C) the probability of each class for each document."""
    return softmax(averaged(input, documents) @ output.T)
