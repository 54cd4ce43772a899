"""Integer arrays that describe lists of unequal lengths: numbering, expanding, counting who holds what."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def numbering() -> defaultdict[str, int]:
    """A dictionary that gives whatever it has not seen the next number."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    return numbers


def integers(values: array[int]) -> Integers:
    """A plain array of 64-bit integers as a NumPy array, without copying."""
    return np.frombuffer(values, dtype=np.int64) if len(values) else np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Lists:
    """K lists of integers, one after the other."""

    entries: Integers
    begins: Integers  # (K,)
    sizes: Integers  # (K,)

    @classmethod
    def of(cls, lists: Iterable[list[int]]) -> Lists:
        """Put the lists one after the other."""
        flat, sizes = array("q"), array("q")
        for entries in lists:
            flat.extend(entries)
            sizes.append(len(entries))
        counts = integers(sizes)
        return cls(integers(flat), np.cumsum(counts) - counts, counts)

    def expanded(self, ids: Integers, documents: Integers) -> tuple[Integers, Integers]:
        """(T,) numbers of lists and their documents → every entry of those lists, and the document of each."""
        if not len(self.entries):
            return self.entries, self.entries
        sizes = self.sizes[ids]
        shifts = self.begins[ids] - (np.cumsum(sizes) - sizes)  # from a place in the result to a place in the entries
        return self.entries[np.arange(int(sizes.sum())) + np.repeat(shifts, sizes)], np.repeat(documents, sizes)


def frequencies(documents: Integers, codes: Integers, size: int, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(size,) the weight of all documents that hold a code, however often they do."""
    pairs = np.sort(documents * size + codes)
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]  # one for each document that has the code
    holders, codes = np.divmod(pairs, max(1, size))
    return np.asarray(np.bincount(codes, weights=weights[holders], minlength=size), dtype=np.float64)
