"""All n-grams of a stream, order by order, as a tree whose nodes lie in the order of their words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erya.errors import ResourceError
from erya.language import say
from erya.models.ngram import kernels

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
MOST = 2**31 - 2  # nodes have numbers of 32 bits


@dataclass(slots=True)
class Order:
    """The n-grams of one order k.

    Attributes:
        word: int32 (N,) the last unit of each.
        count: int64 (N,) how often it was seen.
        suffix: int32 (N,) the (k−1)-gram without its first unit, a number within its order.
        first: (N,) whether it begins with the border of a document.
        begin: int64 (M + 1,) where the children of each of the M (k−1)-grams begin.
    """

    word: Ints
    count: Longs
    suffix: Ints
    first: NDArray[np.bool_]
    begin: Longs

    def __len__(self) -> int:
        return len(self.word)

    def context(self) -> Ints:
        """int32 (N,) the (k−1)-gram before the last unit of each."""
        return np.repeat(np.arange(len(self.begin) - 1, dtype=np.int32), np.diff(self.begin))


def count(ids: Ints, units: int, order: int, between: Callable[[int], None] = lambda done: None) -> list[Order]:
    """All n-grams up to an order; none reaches over the border between two documents.

    Args:
        ids: int32 (L,) with a border (0) first and one behind each document.
        units: V; all of them are unigrams, seen or not.
        order: n, at least 1.
        between: told of each order that is counted.

    Returns:
        n orders, the unigrams first.

    Raises:
        ResourceError: more than 2³¹ units or n-grams of all orders together.
    """
    ids = np.ascontiguousarray(ids, dtype=np.int32)
    _check_size(len(ids) + units)
    seen = np.bincount(ids[1:], minlength=units)
    nothing = np.zeros(units, dtype=np.int32) - 1
    found = [
        Order(
            np.arange(units, dtype=np.int32),
            seen,
            nothing,
            np.zeros(units, dtype=bool),
            np.array([0, units], dtype=np.int64),
        )
    ]
    between(1)
    if order == 1:
        return found
    back = np.empty(len(ids), dtype=np.int32)
    kernels.reach(ids, back)
    by_word = np.empty(len(ids) - 1, dtype=np.int32)
    kernels.sort_by_word(ids, units, by_word)
    previous = ids.copy()
    # taken once for all orders: fresh memory costs more than sorting in it
    places, held, contexts, word, counts, suffix = (np.empty(len(ids) - 1, dtype=np.int32) for _ in range(6))
    first = np.empty(len(ids) - 1, dtype=bool)
    for length in range(1, order):
        starts, begin = (np.zeros(len(found[-1]) + 1, dtype=np.int64) for _ in range(2))
        kernels.sort_by_context(by_word, previous, back, length, held, contexts, starts, places)
        assigned = np.empty(len(ids), dtype=np.int32)  # of places with too little before them nobody asks
        nodes = kernels.nodes_of(ids, places, starts, previous, length, assigned, begin, word, counts, suffix, first)
        found.append(
            Order(
                word[:nodes].copy(), counts[:nodes].astype(np.int64), suffix[:nodes].copy(), first[:nodes].copy(), begin
            )
        )
        previous = assigned
        _check_size(sum(map(len, found)))
        between(length + 1)
    return found


def _check_size(size: int) -> None:
    if size >= MOST:
        raise ResourceError(
            "corpus-too-long",
            say(
                f"n-grams of {size:,} units or more are not counted here",
                f"这里不能统计 {size:,} 个以上的单元或 n 元组",
            ),
            help=say("a shorter corpus, or --set order=3", "减少语料，或 --set order=3"),
        )
