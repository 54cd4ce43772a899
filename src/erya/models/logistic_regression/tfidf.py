"""tf-idf: how much an n-gram says about a document, before anything is known about labels.

    tf    1 + ln n_f              the tenth time says less than the first
    idf   ln((1 + N) / (1 + N_f)) + 1    N documents, N_f of them with the n-gram: what is everywhere says little
    x_f   tf · idf / ‖tf · idf‖   a long document says no more than a short one

(Spärck Jones 1972; smoothed, as in scikit-learn's TfidfVectorizer with sublinear_tf: as if one more document held everything.)
Words with their n-grams, and pieces of words, are two views of one text: each is brought to length 1 by itself, so that the
many pieces do not drown the few words; then the pieces are multiplied by ``character_weight``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.parts.ngrams import Counts

Floats = NDArray[np.float64]


def inverse_document_frequency(counts: Counts, copies: Floats) -> Floats:
    """(V,) idf of each n-gram.

    Args:
        counts: (N, V) of the training documents.
        copies: (N,) how many documents each one stands for.
    """
    frequencies = np.bincount(counts.features, weights=copies[counts.documents()], minlength=counts.width)
    found: Floats = np.log((1.0 + copies.sum()) / (1.0 + frequencies)) + 1.0
    return found


def tfidf(counts: Counts, idf: NDArray[np.floating], first_piece: int, character_weight: float) -> Floats:
    """(entries,) x of each entry of the counts.

    Args:
        counts: (N, V).
        idf: (V,).
        first_piece: features from here on are pieces of words.
        character_weight: the length of the pieces' half, where the words' has length 1.
    """
    values = (1.0 + np.log(counts.counts)) * idf[counts.features]
    is_piece = counts.features >= first_piece
    halves = 2 * counts.documents() + is_piece  # each document's words, each document's pieces
    lengths = np.sqrt(np.bincount(halves, weights=values * values, minlength=2 * len(counts)))
    lengths[1::2] /= character_weight or 1.0
    found: Floats = values / lengths[halves]
    if character_weight == 0:
        found[is_piece] = 0.0
    return found
