"""Frequent words thinned out before training (Mikolov et al. 2013, section 2.3): how often each is kept, and the kernel that does it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.chance import mixed


def keep_probabilities(counts: NDArray[np.int64], sample: float) -> NDArray[np.uint32]:
    """(V,) of 2³²: how often an occurrence of each word is kept; √(sample/f) + sample/f for a word of frequency f.

    As word2vec.c does it; the paper's formula lacks the second term. ``sample`` 0 keeps all.
    """
    if not sample:
        return np.full(len(counts), 2**32 - 1, dtype=np.uint32)
    share = sample / (np.maximum(counts, 1) / max(1, int(counts.sum())))
    kept: NDArray[np.uint32] = np.minimum((np.sqrt(share) + share) * 2.0**32, 2.0**32 - 1).astype(np.uint32)
    return kept


def kept_shares(counts: NDArray[np.int64], sample: float) -> NDArray[np.float64]:
    """(V,) each word's share of the text that subsampling leaves; they sum to 1."""
    kept = np.maximum(counts, 1) * (keep_probabilities(counts, sample) / 2.0**32)
    return np.asarray(kept / kept.sum())


@kernel
def subsample(
    ids: NDArray[np.int32], keep: NDArray[np.uint32], kept: NDArray[np.int32], stream: NDArray[np.uint64]
) -> int:
    """Copy ``ids`` to ``kept``, each word w with probability keep[w] / 2³²; ends of lines (−1) always. Returns how many."""
    count, state = 0, stream[0]
    for place in range(len(ids)):
        word = ids[place]
        if word < 0:
            kept[count] = -1
            count += 1
        else:
            state += np.uint64(0x9E3779B97F4A7C15)
            kept[count] = word
            count += 1 if (mixed(state) >> np.uint64(32)) <= np.uint64(keep[word]) else 0
    stream[0] = state
    return count
