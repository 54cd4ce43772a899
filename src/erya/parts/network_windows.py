"""Texts that are longer than a network reads at once, as windows, and the answers to these as answers to the texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from erya.parts.held_out import pieces
from erya.parts.token_batches import Corpus


class Windows:
    """N texts cut into windows one behind the other; a text that is short enough is one window, an empty one too.

    Args:
        sequences: N lists of ids.
        most: tokens of a window.

    Attributes:
        long: how many texts are more than one window.
        owners: (M,) which text each window belongs to.
        weights: (M,) a window's share of its text's tokens.
    """

    def __init__(self, sequences: Sequence[list[int]], most: int) -> None:
        cut = [(row, piece) for row, ids in enumerate(sequences) for piece in pieces(ids, most)]
        self._texts = len(sequences)
        self._windows = [piece for _, piece in cut]
        self.owners = np.array([row for row, _ in cut], dtype=np.int64)
        self.long = sum(len(ids) > most for ids in sequences)
        lengths = np.array([max(1, len(ids)) for ids in sequences], dtype=np.float64)
        sizes = np.array([max(1, len(piece)) for piece in self._windows], dtype=np.float64)
        self.weights = sizes / lengths[self.owners] if len(sizes) else sizes

    def corpus(self, vocabulary: int) -> Corpus:
        """The M windows."""
        return Corpus(self._windows, vocabulary)

    def means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, C) the weighted mean of the windows' values (M, C)."""
        if not self.long:
            return values
        found = np.zeros((self._texts, values.shape[1]))
        np.add.at(found, self.owners, values * self.weights[:, None])
        return found
