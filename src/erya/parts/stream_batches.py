"""A long stream of units as batches for a language model: what is read, and what should have been expected.

Two ways through a stream of N units, after each of which the next is to be predicted. Every unit is a target exactly once an epoch.

    sequential   the stream is cut into B rows, side by side; batch k + 1 goes on in every row where batch k stopped, so that a state can
                 be carried from one to the next – without its gradient, which ends where the batch begins
    random       the stream is cut into pieces of ``context`` units, which come in random order; a state begins anew in every piece

Both begin each epoch at another place, since else a border between two pieces would always be the same: the stream is a ring.

How far the gradient goes back in sequential rows is how long the batches are (``truncation``):

    regular   always ``context`` units
    varied    about ``context``, now and then half of it (Merity, Keskar & Socher 2018, section 5): no unit always stands at the cut
    random    at every unit the batch ends with probability 1/context; where it does not, a gradient that goes back over that place is
              multiplied with 1/(1 − 1/context), ``lift``. Its expectation is that of the whole stream's gradient (Tallec & Ollivier 2017)

A batch is a function of seed, epoch and its place, so a training that was cut off needs to keep two numbers. Of ids in a memory map only
those of the batch are read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from erya.text.unit_ids import BORDER

SAMPLINGS = ("sequential", "random")
TRUNCATIONS = ("regular", "varied", "random")
TOGETHER = 64  # batches whose random places are drawn at once
IGNORED = -1  # as a target: there is none here
_HALF = 0.05  # of the varied batches have half the length
_SPREAD = 1 / 14  # standard deviation of their lengths over ``context``; 5 of 70 in the paper

Ids = NDArray[np.int32]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StreamBatch:
    """B rows of T units.

    Attributes:
        inputs: int64 (T, B) what is read; behind the end of a row borders.
        targets: int64 (T, B) what comes next; ``IGNORED`` behind the end of a row.
        resets: bool (T, B) where the state begins anew before the unit is read; None: nowhere.
        goes_on: whether every row continues that of the batch before.
        lift: what a gradient is multiplied with at every step that it goes back.
        units: real targets.
        share: what the sum of the losses is divided by: B · ``context``, whatever T.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    resets: torch.Tensor | None
    goes_on: bool
    lift: float
    units: int
    share: float

    @property
    def token_count(self) -> int:
        """Units to predict."""
        return self.units


@dataclass(frozen=True, slots=True)
class StreamBatches:
    """The batches of all epochs.

    Attributes:
        ids: int32 (N + 1,) with a border first and last; may be a memory map.
        rows: B; of a short stream fewer.
        context: T.
        sampling: ``"sequential"`` or ``"random"``.
        truncation: ``"regular"``, ``"varied"`` or ``"random"``; of random samples regular.
        over_borders: whether a state is carried from one document to the next.
        seed: of everything that is drawn.
    """

    ids: Ids
    rows: int
    context: int
    sampling: str = "sequential"
    truncation: str = "regular"
    over_borders: bool = False
    seed: int = 0

    def __len__(self) -> int:
        """N."""
        return len(self.ids) - 1

    def epoch(self, number: int) -> Epoch:
        """The batches of an epoch; the first is 0."""
        generator = np.random.default_rng([self.seed, number, 3])
        offset = int(generator.integers(len(self)))
        rows = min(self.rows, len(self))
        if self.sampling == "random":
            context = min(self.context, len(self))
            pieces = -(-len(self) // context)
            return _Samples(self, offset, pieces, context, generator.integers(1 << 62, size=4).tolist())
        longest = -(-len(self) // rows)
        return _Rows(self, offset, rows, self._cuts(longest, generator))

    def _cuts(self, longest: int, generator: np.random.Generator) -> Places:
        """Where the batches begin in a row of ``longest`` units, and its end."""
        context = min(self.context, longest)
        if self.truncation == "regular":
            return np.append(np.arange(0, longest, context), longest)
        found = [np.zeros(1, dtype=np.int64)]
        last = 0
        while last < longest:
            lengths = self._lengths(context, 2 * longest // context + 16, generator)
            found.append(last + np.cumsum(lengths))
            last = int(found[-1][-1])
        cuts = np.concatenate(found)
        return np.append(cuts[cuts < longest], longest)

    def _lengths(self, context: int, count: int, generator: np.random.Generator) -> Places:
        if self.truncation == "random":
            return generator.geometric(1 / context, size=count).astype(np.int64)
        middle = np.where(generator.random(count) < _HALF, context / 2, context)
        drawn = generator.normal(middle, context * _SPREAD)
        return np.maximum(drawn.astype(np.int64), max(1, round(context * _SPREAD)))

    def lift(self) -> float:
        """1 / (1 − 1/context) where the truncation is random."""
        return 1 / (1 - 1 / self.context) if self.truncation == "random" and self.context > 1 else 1.0

    def between(self, start: int, count: int) -> Ids:
        """``count`` + 1 ids from a place of the ring on: the last border is the first one."""
        start %= len(self)
        here = min(count, len(self) - start)
        found = self.ids[start : start + here + 1]
        return found if here == count else np.concatenate([found[:-1], self.ids[: count - here + 1]])

    def joined(self, starts: Places, counts: Places, *, goes_on: bool, lift: float) -> StreamBatch:
        """One batch of rows: ``counts`` units each, from ``starts`` on."""
        inputs = np.full((int(counts.max()), len(starts)), BORDER, dtype=np.int64)
        targets = np.full_like(inputs, IGNORED)
        for row, (start, count) in enumerate(zip(starts.tolist(), counts.tolist(), strict=True)):
            ids = self.between(start, count)
            inputs[:count, row], targets[:count, row] = ids[:-1], ids[1:]
        resets = None if self.over_borders else inputs == BORDER
        return StreamBatch(
            torch.from_numpy(inputs),
            torch.from_numpy(targets),
            torch.from_numpy(resets) if resets is not None and resets.any() else None,
            goes_on,
            lift,
            int(counts.sum()),
            float(len(starts) * min(self.context, -(-len(self) // min(self.rows, len(self))))),
        )


class Epoch:
    """Batches by their place."""

    def __len__(self) -> int:
        """How many."""
        raise NotImplementedError

    def batch(self, place: int) -> StreamBatch:
        """One of them, the first is 0."""
        raise NotImplementedError


class _Rows(Epoch):
    """Sequential partition: the rows share the ring as evenly as whole units can be shared."""

    def __init__(self, source: StreamBatches, offset: int, rows: int, cuts: Places) -> None:
        self.source, self.cuts = source, cuts
        edges = np.array([row * len(source) // rows for row in range(rows + 1)])
        self.starts, self.lengths = edges[:-1] + offset, np.diff(edges)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self.cuts) - 1

    def batch(self, place: int) -> StreamBatch:
        """The units of all rows between two cuts."""
        start, end = self.cuts[place : place + 2].tolist()
        counts = np.minimum(self.lengths, end) - start
        # the longest row is one unit longer than others: its last unit may stand alone
        there = counts > 0
        return self.source.joined(
            self.starts[there] + start, counts[there], goes_on=place > 0 and bool(there.all()), lift=self.source.lift()
        )


class _Samples(Epoch):
    """Pieces of the ring in random order."""

    def __init__(self, source: StreamBatches, offset: int, pieces: int, context: int, keys: list[int]) -> None:
        self.source, self.offset, self.pieces, self.context, self.keys = source, offset, pieces, context, keys
        self.rows = min(source.rows, pieces)
        self._at, self._drawn = -1, np.zeros(0, dtype=np.int64)  # places of TOGETHER batches

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-self.pieces // self.rows)

    def batch(self, place: int) -> StreamBatch:
        """The next pieces in the shuffled order."""
        block, within = divmod(place, TOGETHER)
        if block != self._at:
            first = block * TOGETHER * self.rows
            places = np.arange(first, min(first + TOGETHER * self.rows, self.pieces))
            self._at, self._drawn = block, shuffled(places, self.pieces, self.keys)
        chosen = self._drawn[within * self.rows : (within + 1) * self.rows]
        starts = chosen * self.context
        counts = np.minimum(self.context, len(self.source) - starts)
        return self.source.joined(starts + self.offset, counts, goes_on=False, lift=1.0)


def shuffled(places: Places, size: int, keys: list[int]) -> Places:
    """Where 0 … size − 1 go in a random permutation that nobody has to write down.

    A Feistel network (Luby & Rackoff 1988) over the next even number of bits; what falls outside goes round again.

    Args:
        places: some of them.
        size: of all.
        keys: one number a round.
    """
    half = max(1, -(-(size - 1).bit_length() // 2))
    mask = np.uint64((1 << half) - 1)
    found = places.astype(np.uint64)
    outside = np.ones(len(found), dtype=bool)
    while outside.any():
        left, right = found[outside] >> np.uint64(half), found[outside] & mask
        for key in keys:
            left, right = right, left ^ (_mixed(right + np.uint64(key)) & mask)
        found[outside] = (left << np.uint64(half)) | right
        outside[outside] = found[outside] >= size
    return found.astype(np.int64)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function (Steele, Lea & Flood 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
