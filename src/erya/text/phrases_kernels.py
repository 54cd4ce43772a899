"""Neighbouring words of a corpus, counted and joined: ids in, counts or other ids out.

A candidate is two words with nothing between them but at most ``BETWEEN`` common words, in one line. One without common words
is its own 64-bit key; of one with them the key is a hash, and the words are compared where it was first seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel

DONE, FULL = range(2)
BETWEEN = 6  # common words inside a phrase
LONGEST = BETWEEN + 2

Ids = NDArray[np.int32]
Keys = NDArray[np.uint64]
Int = Any  # int64 inside Numba, int where Python calls

_FIRST = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_HASHED = np.uint64(1 << 63)


@kernel
def partner(ids: Ids, common: NDArray[np.bool_], i: Int) -> Int:
    """The place of the word that ``ids[i]`` may be joined with, or −1."""
    if ids[i] < 0 or common[ids[i]]:
        return -1
    for j in range(i + 1, min(i + LONGEST, len(ids))):
        if ids[j] < 0:
            return -1
        if not common[ids[j]]:
            return j
    return -1


@kernel
def key_of(ids: Ids, i: Int, j: Int) -> np.uint64:
    """The key of the candidate ``ids[i:j + 1]``; never 0 minus 1."""
    if j == i + 1:
        return np.uint64(ids[i]) << _HALF | np.uint64(ids[j])
    h = np.uint64(0)
    for k in range(i, j + 1):
        h = (h ^ np.uint64(ids[k] + 1)) * _FIRST
        h ^= h >> _HALF
    return h | _HASHED


@kernel
def mixed(key: np.uint64) -> np.uint64:
    """A hash of a key."""
    h = key * _FIRST
    h = (h ^ (h >> _HALF)) * _FIRST
    return h ^ (h >> _HALF)


@kernel
def same(left: Ids, a: Int, right: Ids, b: Int, length: Int) -> bool:
    """Whether two stretches of ids are equal."""
    for k in range(length):  # noqa: SIM110  (Numba compiles no generators)
        if a + k >= len(left) or b + k >= len(right) or left[a + k] != right[b + k]:
            return False
    return True


@kernel
def count_pairs(
    ids: Ids,
    common: NDArray[np.bool_],
    span: tuple[Int, Int],
    shard: tuple[Int, Int],
    keys: Keys,
    counts: NDArray[np.int64],
    places: NDArray[np.int64],
    state: NDArray[np.int64],
) -> Int:
    """Count the candidates of one shard that begin in ``span``.

    Args:
        ids: int32 (T,); −1 ends a line.
        common: (V,) words that may stand inside a phrase and not at its ends.
        span: where candidates begin, from and to.
        shard: which shard, of how many.
        keys: uint64 (S,), S a power of two.
        counts: int64 (S,); 0: the slot is free.
        places: int64 (S,) where each was first seen.
        state: int64 (2,): where to go on, how many slots are taken.

    Returns:
        DONE, or FULL where half of the slots are taken.
    """
    mask = np.uint64(len(keys) - 1)
    for i in range(max(span[0], state[0]), span[1]):
        j = partner(ids, common, i)
        if j < 0:
            continue
        key = key_of(ids, i, j)
        h = mixed(key)
        if np.int64(h >> np.uint64(56)) % shard[1] != shard[0]:
            continue
        slot = h & mask
        while counts[slot] and not (
            keys[slot] == key and (key < _HASHED or same(ids, places[slot], ids, i, j - i + 1))
        ):
            slot = (slot + np.uint64(1)) & mask
        if counts[slot] == 0:
            if 2 * state[1] >= len(keys):
                state[0] = i
                return FULL
            keys[slot] = key
            places[slot] = i
            state[1] += 1
        counts[slot] += 1
    state[0] = span[1]
    return DONE


@kernel
def move_pairs(
    old: tuple[Keys, NDArray[np.int64], NDArray[np.int64]],
    new: tuple[Keys, NDArray[np.int64], NDArray[np.int64]],
    least: Int,
) -> Int:
    """Fill an empty table from another, without the candidates seen less than ``least`` times; how many there are."""
    taken = 0
    mask = np.uint64(len(new[0]) - 1)
    for place in range(len(old[0])):
        if old[1][place] < max(least, 1):
            continue
        slot = mixed(old[0][place]) & mask
        while new[1][slot]:
            slot = (slot + np.uint64(1)) & mask
        new[0][slot], new[1][slot], new[2][slot] = old[0][place], old[1][place], old[2][place]
        taken += 1
    return taken


@kernel
def enter_phrases(flat: Ids, starts: NDArray[np.int64], keys: Keys, slots: Ids) -> None:
    """Fill a table of phrases: ``slots`` (S,) holds the number of a phrase + 1, or 0."""
    mask = np.uint64(len(keys) - 1)
    for number in range(len(starts) - 1):
        key = key_of(flat, starts[number], starts[number + 1] - 1)
        slot = mixed(key) & mask
        while slots[slot]:
            slot = (slot + np.uint64(1)) & mask
        keys[slot] = key
        slots[slot] = number + 1


@kernel
def join(
    ids: Ids,
    common: NDArray[np.bool_],
    phrases: tuple[Ids, NDArray[np.int64], Keys, Ids, Ids],
    final: bool,
    counts: NDArray[np.int64],
    out: Ids,
) -> tuple[Int, Int]:
    """Phrases for the words that make them, from left to right.

    Args:
        ids: int32 (n,).
        common: (V,).
        phrases: words of all, where each begins, the table (keys, numbers), the id of each.
        final: nothing follows; otherwise the last words are left for the next call.
        counts: int64 (V,), corrected.
        out: int32 (n,).

    Returns:
        How many ids were used, and how many written.
    """
    flat, starts, keys, slots, numbers = phrases
    mask = np.uint64(len(keys) - 1)
    i = written = 0
    end = len(ids) if final else len(ids) - LONGEST
    while i < end:
        j = partner(ids, common, i)
        found = -1
        if j >= 0:
            key = key_of(ids, i, j)
            slot = mixed(key) & mask
            while slots[slot]:
                number = slots[slot] - 1
                begin, length = starts[number], starts[number + 1] - starts[number]
                if keys[slot] == key and length == j - i + 1 and same(flat, begin, ids, i, length):
                    found = number
                    break
                slot = (slot + np.uint64(1)) & mask
        if found < 0:
            out[written] = ids[i]
            i += 1
        else:
            for k in range(i, j + 1):
                counts[ids[k]] -= 1
            counts[numbers[found]] += 1
            out[written] = numbers[found]
            i = j + 1
        written += 1
    return i, written
