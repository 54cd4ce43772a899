"""tf-idf: how much an n-gram says about a document, before anything is known about labels.

    tf    1 + ln n_f              the tenth time says less than the first
    idf   ln((1 + N) / (1 + N_f)) + 1    N documents, N_f of them with the n-gram: what is everywhere says little
    x_f   tf · idf / ‖tf · idf‖   a long document says no more than a short one

(Spärck Jones 1972; smoothed, as in scikit-learn's TfidfVectorizer with sublinear_tf: as if one more document held everything.)
Words with their n-grams, and pieces of words, are two views of one text: each is brought to length 1 by itself, so that the
many pieces do not drown the few words; then the pieces are multiplied by ``character_weight``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.parts import settings
from erya.parts.ngrams import Counts, Ngrams, Tokens
from erya.parts.ngrams import check_settings as ngram_settings
from erya.state import State

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

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


class Tfidf:
    """The learned features of rooms that need them whole: which n-grams there are, and what each is worth.

    Args:
        ngrams: the V features.
        idf: (V,) float32.
        character_weight: the length of a text's pieces, where its words have length 1.
    """

    def __init__(self, ngrams: Ngrams, idf: NDArray[np.float32], character_weight: float) -> None:
        self.ngrams, self.idf, self.character_weight = ngrams, idf, character_weight

    def __len__(self) -> int:
        return len(self.ngrams)

    @classmethod
    def learn(cls, tokens: Tokens, weights: Floats, model: Any) -> tuple[Tfidf, Counts]:
        """The features of N training documents, and the documents' counts (N, V).

        Args:
            tokens: the documents.
            weights: (N,) a fraction of a row is still one sighting of its words.
            model: with the settings ``word_ngrams min_n max_n min_count min_count_ngrams character_weight``.
        """
        copies = np.where(weights > 0, np.maximum(weights, 1.0), 0.0)
        ngrams = Ngrams.learn(
            tokens,
            word_ngrams=model.word_ngrams,
            min_n=model.min_n,
            max_n=model.max_n,
            min_count=model.min_count,
            min_count_ngrams=model.min_count_ngrams,
            copies=copies,
        )
        counts = ngrams.count(tokens)
        idf = inverse_document_frequency(counts, copies).astype(np.float32)
        return cls(ngrams, idf, float(model.character_weight)), counts

    def values(self, counts: Counts) -> Floats:
        """(entries,) the tf-idf of each entry of the counts."""
        return tfidf(counts, self.idf, self.ngrams.first_piece, self.character_weight)

    def matrix(self, counts: Counts) -> csr_matrix:
        """(N, V) the documents' tf-idf, sparse by rows; needs SciPy."""
        from scipy.sparse import csr_matrix

        return csr_matrix((self.values(counts), counts.features, counts.offsets), (len(counts), counts.width))

    def state(self) -> State:
        """As arrays and plain data; ``from_state`` is the inverse."""
        found = self.ngrams.state()
        data = {"character_weight": self.character_weight, **found.data}
        return State({"idf": self.idf, **found.arrays}, data)

    @classmethod
    def from_state(cls, state: State) -> Tfidf:
        """The features from a state that holds what ``state`` gave, beside whatever else.

        Raises:
            KeyError: something is missing.
            ValueError: idf that do not fit the n-grams, or are not positive and finite; as ``Ngrams.from_state``.
        """
        ngrams, idf = Ngrams.from_state(state), state.arrays["idf"]
        good = idf.dtype == np.float32 and idf.shape == (len(ngrams),)
        if not good or not bool(((idf > 0) & np.isfinite(idf)).all()):
            raise ValueError("the idf does not fit the features")
        settings.number("character_weight", state.data["character_weight"], 0, 1e6)
        return cls(ngrams, idf, float(state.data["character_weight"]))


def check_settings(model: Any) -> None:
    """The settings ``Tfidf.learn`` reads. Raises UsageError where one is out of its range."""
    ngram_settings(model)
    settings.number("character_weight", model.character_weight, 0, 1e6)
