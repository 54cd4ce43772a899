"""What every model of word vectors keeps – words, counts, a vector for each word – as it comes back from a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.state import Arrays, unpack_strings


def words_counts_vectors(arrays: Arrays) -> tuple[list[str], NDArray[np.int64], NDArray[np.float32]]:
    """V words, counts (V,) and vectors (V, D) out of a state's arrays; that values are finite, the file's reader has seen.

    Raises:
        KeyError: something is missing.
        ValueError: no words, or one twice; shapes, types or counts that do not fit.
    """
    words, counts, vectors = unpack_strings("words", arrays), arrays["counts"], arrays["vectors"]
    if not words or len(set(words)) != len(words):
        raise ValueError("there are no words, or one twice")
    if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != len(words) or not vectors.shape[1]:
        raise ValueError("the vectors do not fit the words")
    if counts.dtype != np.int64 or counts.shape != (len(words),) or (counts < 0).any():
        raise ValueError("the counts do not fit the words")
    return words, counts, vectors
