"""Texts as ids, and batches of them in which every distinct token stands once.

A batch of 64 texts holds a token two to four times over. Whatever a network computes for a token on its own – its row of
the embedding, that row times a matrix – it can compute once for each distinct token and look up at every place. Texts in
a batch stand longest first, so that those which are still unfinished at step t are the first few rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from erya.text.batches import bucketed

POOL = 4  # batches that are sorted by length together: of 32, poems of one genre shared a batch, which cost 3 points of accuracy
TOKENS_A_STEP = 65_536  # padding counted: of long texts a batch holds fewer, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """B texts of at most T tokens, U distinct ones. Padding is id 0, and its place in ``tokens`` is 0 too.

    Attributes:
        rows: (B,) which texts of the corpus these are.
        tokens: (U,) the distinct ids, ascending; the first is the padding.
        places: (B, T) where in ``tokens`` each token stands; 0 beyond a text's end.
        lengths: (B,) tokens of each text, descending.
        targets: (B,) class numbers; None when predicting, and where there are goals.
        weights: (B,) weight of each text in the loss; None when predicting.
        goals: (B, C) what each label's probability should be, where a text has shares of labels or several of them.
        several: whether each label is a question of its own; otherwise a row of ``goals`` sums to 1.
    """

    rows: NDArray[np.int64]
    tokens: torch.Tensor
    places: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor | None = None
    weights: torch.Tensor | None = None
    goals: torch.Tensor | None = None
    several: bool = False

    @property
    def token_count(self) -> int:
        """Tokens in it, padding not counted."""
        return int(self.lengths.sum())


@dataclass(frozen=True, slots=True)
class Goals:
    """What N texts should be answered with, where that is more than one class a text. Sparse: L entries in all.

    Attributes:
        starts: (N+1,) where each text's entries begin.
        labels: (L,) class numbers.
        shares: (L,) 1 for each of several labels; of shares what sums to 1 in a text.
        classes: C.
        several: whether each label is a question of its own.
        smoothing: ε: goals are drawn towards knowing nothing, (1 − ε) y + ε / C; of several labels (1 − ε) y + ε / 2.
        missing: labels given that are none of the classes: never answered, and counted as missed.
    """

    starts: NDArray[np.int64]
    labels: NDArray[np.int64]
    shares: NDArray[np.float64]
    classes: int
    several: bool
    smoothing: float = 0.0
    missing: int = 0

    def __len__(self) -> int:
        return len(self.starts) - 1

    def chosen(self, rows: NDArray[np.int64]) -> Goals:
        """Those of some texts, in this order; one may be asked for twice."""
        sizes = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        places = np.arange(int(starts[-1])) + np.repeat(self.starts[rows] - starts[:-1], sizes)
        return replace(self, starts=starts, labels=self.labels[places], shares=self.shares[places])

    def dense(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(B, C) of the texts ``rows`` (B,)."""
        some = self.chosen(rows)
        found = np.zeros((len(rows), self.classes), dtype=np.float32)
        found[np.repeat(np.arange(len(rows)), np.diff(some.starts)), some.labels] = some.shares
        if self.smoothing:
            found *= np.float32(1 - self.smoothing)
            found += np.float32(self.smoothing / (2 if self.several else self.classes))
        return found


class Corpus:
    """N texts as one array of ids.

    Args:
        sequences: N lists of ids, each ≥ 1 and < ``vocabulary``: 0 is the padding.
        vocabulary: V.
        targets: (N,) class numbers.
        weights: (N,) weights in the loss; their scale does not matter, since they are brought to a mean of 1.
        goals: instead of ``targets``, where texts have shares of labels or several of them.

    Attributes:
        lengths: (N,) tokens of each text.
    """

    def __init__(
        self,
        sequences: Sequence[Sequence[int]],
        vocabulary: int,
        targets: NDArray[np.int64] | None = None,
        weights: NDArray[np.float64] | None = None,
        goals: Goals | None = None,
    ) -> None:
        self.goals = goals
        self.vocabulary = vocabulary
        self.lengths = np.fromiter((len(sequence) for sequence in sequences), dtype=np.int64, count=len(sequences))
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])  # (N + 1,)
        # one 0 behind the last text, so that an empty text has something to point at
        self.ids = np.zeros(int(self.starts[-1]) + 1, dtype=np.int64)
        if len(sequences):
            self.ids[:-1] = np.concatenate([np.asarray(sequence, dtype=np.int64) for sequence in sequences])
        self.targets = None if targets is None else torch.from_numpy(np.asarray(targets, dtype=np.int64))
        self.weights: torch.Tensor | None = None
        if weights is not None:
            self.weights = torch.from_numpy((weights / weights.mean()).astype(np.float32))

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: NDArray[np.int64]) -> TokenBatch:
        """The texts ``rows`` (B,) as a batch, longest first."""
        rows = rows[np.argsort(-self.lengths[rows], kind="stable")]
        lengths = self.lengths[rows]
        steps = np.arange(int(lengths.max(initial=0)))
        inside = steps < lengths[:, None]  # (B, T)
        ids = self.ids[np.where(inside, self.starts[rows][:, None] + steps, -1)]  # (B, T), 0 outside
        present = np.zeros(self.vocabulary, dtype=bool)
        present[ids] = True
        present[0] = True
        places = (np.cumsum(present) - 1)[ids]  # counts the distinct ids up to each: its place among them
        chosen = torch.from_numpy(rows)
        return TokenBatch(
            rows,
            torch.from_numpy(np.flatnonzero(present)),
            torch.from_numpy(places),
            torch.from_numpy(lengths),
            None if self.targets is None else self.targets[chosen],
            None if self.weights is None else self.weights[chosen],
            None if self.goals is None else torch.from_numpy(self.goals.dense(rows)),
            self.goals is not None and self.goals.several,
        )

    def in_order(self, batch_size: int, max_tokens: int | None = None) -> Iterator[TokenBatch]:
        """Every text once, like lengths together: for predicting."""
        for rows in bucketed(self.lengths, batch_size, None, max_tokens=max_tokens):
            yield self.batch(rows)

    def shuffled(self, batch_size: int, seed: Sequence[int]) -> list[NDArray[np.int64]]:
        """The rows of each batch of an epoch, as a function of ``seed`` alone.

        Sorting everything by length would put the same texts together in every epoch, and texts of one length are
        often of one kind. So the texts are shuffled, and only within a pool of four batches those of like length are
        put together.
        """
        generator = np.random.default_rng(seed)
        order = generator.permutation(len(self)).astype(np.int64)
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(order), batch_size * POOL):
            pool = order[start : start + batch_size * POOL]
            some = bucketed(self.lengths[pool], batch_size, generator, max_tokens=TOKENS_A_STEP)
            batches.extend(pool[rows] for rows in some)
        return batches
