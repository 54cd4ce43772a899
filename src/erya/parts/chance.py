"""Random numbers inside kernels: SplitMix64, and draws from any distribution by the alias method.

A stream is one uint64 in an array; whoever knows the seed knows the stream, so a block of work can be repeated alone.
SplitMix64: Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators". Alias method: Walker 1977; the
table is built in linear time as by Vose 1991.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel

Stream = NDArray[np.uint64]  # (1,)


class AliasTable(NamedTuple):
    """A distribution over 0 … n − 1, for ``draw``: one look at one column.

    Attributes:
        keep: (n,) of 2³², how often column i answers i.
        other: (n,) what it answers else.
    """

    keep: NDArray[np.uint32]
    other: NDArray[np.int32]


@kernel
def mixed(number: np.uint64) -> np.uint64:
    """SplitMix64's output function: neighbouring numbers become unrelated ones."""
    z = number
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def start_stream(stream: Stream, seed: int, block: int, turn: int) -> None:
    """The random numbers of one turn: a function of seed, block and turn, whoever takes it."""
    state = mixed(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    state = mixed(state ^ (np.uint64(block) + np.uint64(0xD1B54A32D192ED03)))
    stream[0] = mixed(state ^ (np.uint64(turn) + np.uint64(0x8CB92BA72F3D8DD7)))


@kernel
def next_number(stream: Stream) -> np.uint64:
    """64 random bits."""
    stream[0] += np.uint64(0x9E3779B97F4A7C15)
    return mixed(stream[0])


@kernel
def below(stream: Stream, end: int) -> int:
    """A number from 0 to ``end`` − 1; ``end`` up to 2³². The high bits times ``end``: its bias is below 2⁻³²."""
    return int(np.int64(((next_number(stream) >> np.uint64(32)) * np.uint64(end)) >> np.uint64(32)))


@kernel
def draw(table: AliasTable, stream: Stream) -> int:
    """A number with the table's distribution: the high bits choose a column, the low ones one of its two answers."""
    bits = next_number(stream)
    column = int(np.int64(((bits >> np.uint64(32)) * np.uint64(len(table.keep))) >> np.uint64(32)))
    if (bits & np.uint64(0xFFFFFFFF)) < table.keep[column]:
        return column
    return int(np.int64(table.other[column]))


def alias_table(weights: NDArray[np.float64]) -> AliasTable:
    """The table of a distribution proportional to ``weights`` (n,), none negative, not all 0."""
    shares = weights / weights.sum() * len(weights)
    keep, other = _built(shares)
    return AliasTable(np.minimum(keep * 2.0**32, 2.0**32 - 1).astype(np.uint32), other)


@kernel
def _built(shares: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Columns of height 1: each that is lower is filled up by one that is higher."""
    size = len(shares)
    rest, keep, other = shares.copy(), np.ones(size), np.arange(size).astype(np.int32)
    low, high = np.empty(size, np.int64), np.empty(size, np.int64)
    lows, highs = 0, 0
    for column in range(size):
        if rest[column] < 1:
            low[lows] = column
            lows += 1
        else:
            high[highs] = column
            highs += 1
    while lows > 0 and highs > 0:
        lows -= 1
        short, giver = low[lows], high[highs - 1]
        keep[short], other[short] = rest[short], giver
        rest[giver] -= 1 - rest[short]
        if rest[giver] < 1:
            highs -= 1
            low[lows] = giver
            lows += 1
    return keep, other  # what is left in either pile is 1 but for rounding
