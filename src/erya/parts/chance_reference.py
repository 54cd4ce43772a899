"""The random numbers of ``chance.py`` in plain Python, for the references that learners read: the same draws, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BITS = 2**64


def mixed(number: int) -> int:
    """SplitMix64's output function."""
    z = number % BITS
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % BITS
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % BITS
    return z ^ (z >> 31)


class Stream:
    """Random numbers of one turn."""

    def __init__(self, seed: int, block: int, turn: int) -> None:
        state = mixed(seed + 0x9E3779B97F4A7C15)
        state = mixed(state ^ ((block + 0xD1B54A32D192ED03) % BITS))
        self.state = mixed(state ^ ((turn + 0x8CB92BA72F3D8DD7) % BITS))

    def next_number(self) -> int:
        """64 random bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) % BITS
        return mixed(self.state)

    def below(self, end: int) -> int:
        """A number from 0 to end − 1."""
        return ((self.next_number() >> 32) * end) >> 32

    def draw(self, keep: NDArray[np.uint32], other: NDArray[np.int32]) -> int:
        """A number from a distribution, by the alias method."""
        bits = self.next_number()
        column = ((bits >> 32) * len(keep)) >> 32
        return column if bits % 2**32 < int(keep[column]) else int(other[column])


def around(kept: Sequence[int], place: int, reach: int) -> list[int]:
    """The places of a text around one of them, as far as ``reach`` and no further than the line, which −1 ends."""
    found = []
    for step in (-1, 1):
        other = place + step
        while 0 <= other < len(kept) and abs(other - place) <= reach and kept[other] >= 0:
            found.append(other)
            other += step
    return found
