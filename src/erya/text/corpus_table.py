"""The table of words as an object that grows: what the kernels fill and ask to be made larger."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.text import corpus_kernels as kernels
from erya.text.corpus_kernels import ARENA, WORDS, Table


class WordTable:
    """Words by number, with counts, for one thread or for all.

    Args:
        words: how many words there is room for at first.
        reserve: 8 bytes times this is more than any word.

    Attributes:
        table: the arrays; others after ``grow``.
    """

    def __init__(self, words: int, reserve: int) -> None:
        self.reserve = reserve
        self.table = _empty(words, 2 * words + reserve)

    def __len__(self) -> int:
        return int(self.table.used[WORDS])

    def grow(self) -> None:
        """Make room for twice as many words, or twice as many bytes, whichever was short."""
        table = self.table
        words, arena = len(table.starts), len(table.arena)
        if len(self) * 2 > words:
            words *= 2
        if int(table.used[ARENA]) * 2 + self.reserve > arena:
            arena = 2 * arena + self.reserve
        self._move(words, arena)

    def _move(self, words: int, arena: int) -> None:
        old, count, taken = self.table, len(self), int(self.table.used[ARENA])
        self.table = _empty(words, arena)
        self.table.used[:] = old.used
        self.table.arena[:taken] = old.arena[:taken]
        self.table.starts[:count] = old.starts[:count]
        self.table.lengths[:count] = old.lengths[:count]
        self.table.counts[:count] = old.counts[:count]
        kernels.rehash(self.table)

    def add(self, word: bytes) -> int:
        """The number of one word, which is new or not."""
        while not kernels.has_room(self.table, len(word) // 8 + 2):
            self.grow()
        return int(kernels.add(self.table, np.frombuffer(word, dtype=np.uint8)))

    def number(self, word: bytes) -> int:
        """The number of one word, or −1."""
        source = np.zeros(len(word) // 8 + 1, dtype=np.uint64)
        source.view(np.uint8)[: len(word)] = np.frombuffer(word, dtype=np.uint8)
        table = self.table
        return int(kernels.find(table.slots, table.arena, table.starts, table.lengths, source, 0, len(word))[0])

    def words(self, numbers: NDArray[np.int64]) -> list[bytes]:
        """The words with these numbers."""
        table = self.table
        starts, lengths = (table.starts[numbers] * 8).tolist(), table.lengths[numbers].tolist()
        whole = table.bytes.data
        return [bytes(whole[start : start + length]) for start, length in zip(starts, lengths, strict=True)]

    def counts(self) -> NDArray[np.int64]:
        """int64 (V,), a view."""
        return self.table.counts[: len(self)]

    def clear(self) -> None:
        """Forget all words."""
        self.table.slots[:] = 0
        self.table.used[:] = 0

    def keep(self, kept: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Forget all other words; the new number of each, ABSENT for those forgotten.

        Args:
            kept: (V,) which words stay.
        """
        old, count = self.table, len(self)
        numbers = np.full(count, kernels.ABSENT, dtype=np.int32)
        stay = np.flatnonzero(kept)
        numbers[stay] = np.arange(len(stay), dtype=np.int32)
        sizes = (old.lengths[stay].astype(np.int64) + 7) >> 3
        starts = np.zeros(len(stay) + 1, dtype=np.int64)
        np.cumsum(sizes, out=starts[1:])
        kernels.squeeze(old.arena, old.starts, stay, sizes, starts)
        table = Table(np.zeros_like(old.slots), old.arena, old.bytes, old.starts, old.lengths, old.counts, old.used)
        table.lengths[: len(stay)] = old.lengths[stay]
        table.counts[: len(stay)] = old.counts[stay]
        table.starts[: len(stay)] = starts[:-1]
        table.used[:] = len(stay), starts[-1]
        self.table = table
        kernels.rehash(table)
        return numbers


def _empty(words: int, arena: int) -> Table:
    slots = 4
    while slots < 4 * words:
        slots *= 2
    memory = np.zeros(arena, dtype=np.uint64)
    return Table(
        np.zeros(slots, dtype=np.uint64),
        memory,
        memory.view(np.uint8),
        np.zeros(words, dtype=np.int64),
        np.zeros(words, dtype=np.int32),
        np.zeros(words, dtype=np.int64),
        np.zeros(2, dtype=np.int64),
    )
