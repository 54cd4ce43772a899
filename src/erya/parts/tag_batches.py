"""Tagged sentences as numbers, and batches of them in which every distinct token stands once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.parts.token_batches import Corpus
from erya.parts.token_units import Lexicon
from erya.text.batches import bucketed

LONGEST = 8192  # tokens that a network reads at once; a longer sentence is read in pieces
LONGEST_LEARNED = 512  # tokens of a sentence that are learned from at once; a longer one is several pieces
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TagBatch:
    """B sentences of M tokens in all, the longest of T; U units, the first of them the padding. Longest first.

    Attributes:
        places: (B, T) the unit of each token; 0 beyond a sentence's end.
        lengths: (B,) tokens of each sentence, descending.
        starts: (B + 1,) where each sentence begins, one after the other.
        tokens: (M,) where in the corpus each token stands.
        words: (U,) number of each unit's word.
        cases: (U,) of its case.
        pairs: (U,) of its pair.
        characters: (U, W) of its characters, 0 behind the last one.
        sizes: (U,) characters of each.
        doubts: (U,) probability with which its word becomes unknown while learning.
        tags: (M,) class numbers, −1 for a tag that is none; None: nobody knows them.
        weights: (B,) weight of each sentence in the loss.
    """

    places: torch.Tensor
    lengths: torch.Tensor
    starts: Ints
    tokens: Ints
    words: torch.Tensor
    cases: torch.Tensor
    pairs: torch.Tensor
    characters: torch.Tensor
    sizes: torch.Tensor
    doubts: torch.Tensor
    tags: Ints | None = None
    weights: NDArray[np.float64] | None = None

    @property
    def token_count(self) -> int:
        """Tokens in it, padding not counted."""
        return len(self.tokens)

    @property
    def flat_places(self) -> torch.Tensor:
        """(M,) the unit of each token, one sentence after the other."""
        inside = torch.arange(self.places.shape[1]) < self.lengths[:, None]
        return self.places[inside]


class TagCorpus:
    """N sentences as units.

    Args:
        sentences: N lists of tokens.
        lexicon: numbers words, characters and pairs.
        tags: (L,) class numbers, one sentence after the other; −1 for a tag that is none.
        weights: (N,) of the sentences in the loss; brought to a mean of 1.
        word_dropout: α: a word that was seen n times becomes unknown with probability α / (α + n) while learning.
        longest: tokens of a piece.

    Attributes:
        starts: (N + 1,) where each sentence begins.
        tags: (L,) or None.
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[str]],
        lexicon: Lexicon,
        tags: Ints | None = None,
        weights: NDArray[np.float64] | None = None,
        word_dropout: float = 0.0,
        longest: int = LONGEST,
    ) -> None:
        self._units, codes, self.starts = lexicon.numbered(sentences)
        self.tags = tags
        counts = np.maximum(lexicon.words.counts, 1)[self._units.words]
        known = self._units.words > 1  # what is unknown anyway cannot become so
        self._doubts = np.where(known, word_dropout / (word_dropout + counts), 0).astype(np.float32)
        cuts, owners = _cut(self.starts, longest)
        self._places = cuts[:-1]
        weights = None if weights is None else weights[owners] / weights.mean()
        self._weights = np.ones(len(owners)) if weights is None else weights
        pieces: list[Any] = [codes[low:high] for low, high in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)]
        self._texts = Corpus(pieces, len(self._units.words))

    def __len__(self) -> int:
        """Sentences, or where some are longer than ``longest`` pieces of them."""
        return len(self._texts)

    def batch(self, rows: Ints) -> TagBatch:
        """The sentences ``rows`` (B,) as a batch, longest first."""
        batch = self._texts.batch(rows)
        lengths = batch.lengths.numpy()
        starts = np.concatenate([[0], np.cumsum(lengths)])
        tokens = np.arange(int(starts[-1])) + np.repeat(self._places[batch.rows] - starts[:-1], lengths)
        chosen, units = batch.tokens.numpy(), self._units
        sizes = units.sizes[chosen]
        characters = units.characters[chosen, : int(sizes.max(initial=0))]
        words, cases, pairs = (torch.from_numpy(column[chosen]) for column in (units.words, units.cases, units.pairs))
        return TagBatch(
            places=batch.places,
            lengths=batch.lengths,
            starts=starts,
            tokens=tokens,
            words=words,
            cases=cases,
            pairs=pairs,
            characters=torch.from_numpy(characters.astype(np.int64)),
            sizes=torch.from_numpy(sizes),
            doubts=torch.from_numpy(self._doubts[chosen]),
            tags=None if self.tags is None else self.tags[tokens],
            weights=self._weights[batch.rows],
        )

    def in_order(self, batch_size: int, max_tokens: int) -> Iterator[TagBatch]:
        """Every sentence once, like lengths together: for answering."""
        for rows in bucketed(self._texts.lengths, batch_size, None, max_tokens=max_tokens):
            yield self.batch(rows)

    def shuffled(self, batch_size: int, seed: Sequence[int]) -> list[Ints]:
        """The rows of each batch of an epoch, see ``Corpus.shuffled``."""
        return self._texts.shuffled(batch_size, seed)


def _cut(starts: Ints, longest: int) -> tuple[Ints, Ints]:
    """Where pieces begin, and the end; (pieces,) which sentence each is of. An empty sentence is one empty piece."""
    lengths = np.diff(starts)
    counts = np.maximum(1, -(-lengths // longest))
    owners = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.append(starts[owners] + number * longest, starts[-1]), owners
