"""From numbers of tokens to input rows, as Numba functions: what ``features.py`` says with NumPy, for many documents.

Everything that depends on a word alone is worked out once for each: its row, its hash, the buckets of its character n-grams. A
document is then lookups, and one multiplication for each word of an n-gram. Buckets that have a row stand in a table with open
addressing: ``slots`` (S,), S a power of two, holds a bucket in its upper half and the row in its lower, or FREE.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined, kernel

CHAIN = np.uint64(116049371)  # the original's multiplier for word n-grams
SPREAD = np.uint64(0x9E3779B97F4A7C15)
OPEN, CLOSE = 0x3C, 0x3E  # < and > mark the ends of a word

_FNV_START, _FNV_PRIME, _NEGATIVE = np.uint32(2166136261), np.uint32(16777619), np.uint32(0xFFFFFF00)
FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_FAR, _ROW = np.uint64(32), np.uint64(0xFFFFFFFF)

Ids = NDArray[np.int32]
Longs = NDArray[np.int64]
Int = Any  # int64 inside Numba, int where Python calls


class Grams(NamedTuple):
    """Which n-grams are read, and which have a row.

    Attributes:
        word_ngrams: most words of an n-gram.
        min_n: fewest characters of a character n-gram.
        max_n: most; 0: none.
        buckets: numbers that a hash can take.
        slots: (S,) the buckets that have a row; of length 1 where there are none.
    """

    word_ngrams: int
    min_n: int
    max_n: int
    buckets: int
    slots: NDArray[np.uint64]


@inlined
def mixed_in(value: np.uint32, byte: Int) -> np.uint32:
    """One step of FNV-1a; bytes from 128 on count as negative numbers."""
    signed = np.uint32(byte) if byte < 128 else np.uint32(byte) | _NEGATIVE
    return np.uint32((value ^ signed) * _FNV_PRIME)


@kernel
def fill_slots(kept: Longs, words: int, slots: NDArray[np.uint64]) -> None:
    """Put every kept bucket and its row into the free table."""
    mask = np.uint64(len(slots) - 1)
    for place in range(len(kept)):
        slot = (np.uint64(kept[place]) * SPREAD >> _FAR) & mask
        while slots[slot] != FREE:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = np.uint64(kept[place]) << _FAR | np.uint64(words + place)


@inlined
def row_of(slots: NDArray[np.uint64], bucket: Int) -> Int:
    """The row of a bucket, −1 where it has none."""
    mask = np.uint64(len(slots) - 1)
    slot = (np.uint64(bucket) * SPREAD >> _FAR) & mask
    found, entry = np.int64(-1), slots[slot]
    while entry != FREE:
        if entry >> _FAR == np.uint64(bucket):
            found = np.int64(entry & _ROW)
            break
        slot = (slot + np.uint64(1)) & mask
        entry = slots[slot]
    return found


@kernel
def describe(
    bytes: NDArray[np.uint8],
    starts: Longs,
    lengths: Ids,
    first: int,
    plain: int,
    grams: Grams,
    hashes: NDArray[np.uint64],
    ends: Longs,
    pieces: Longs,
) -> int:
    """Hashes of words, and the buckets of their character n-grams.

    Args:
        bytes: the words' UTF-8.
        starts: (W,) where each begins, in 8 bytes.
        lengths: (W,) in bytes.
        first: the first word to look at.
        plain: a word without character n-grams, or −1.
        grams: the settings.
        hashes: (W − first,) filled in: 32 bits with a sign, widened to 64, as the original has them.
        ends: (W − first,) filled in: where each word's n-grams end in ``pieces``.
        pieces: filled in; empty: only counted.

    Returns:
        How many n-grams there are.
    """
    written = 0
    for word in range(first, len(starts)):
        begin, size = 8 * starts[word], np.int64(lengths[word])
        value = _FNV_START
        for k in range(size):
            value = mixed_in(value, bytes[begin + k])
        hashes[word - first] = np.uint64(np.int64(np.int32(value)))
        if grams.max_n > 0 and word != plain:
            for start in range(-1, size + 1):  # −1 stands for <, size for >
                if 0 <= start < size and bytes[begin + start] & 0xC0 == 0x80:
                    continue
                value, characters, k = _FNV_START, 0, start
                while characters < grams.max_n and k <= size:
                    value = mixed_in(value, OPEN if k < 0 else CLOSE if k == size else bytes[begin + k])
                    k += 1
                    while 0 <= k < size and bytes[begin + k] & 0xC0 == 0x80:
                        value = mixed_in(value, bytes[begin + k])
                        k += 1
                    characters += 1
                    lone = characters == 1 and (start < 0 or start == size)
                    if characters >= max(1, grams.min_n) and not lone:
                        if len(pieces) > 0:
                            pieces[written] = np.int64(value) % grams.buckets
                        written += 1
        ends[word - first] = written
    return written


@inlined
def bucket_of(ids: Ids, first: Int, size: Int, hashes: NDArray[np.uint64], buckets: Int) -> Int:
    """The bucket of the n-gram of ``size`` words from place ``first`` on."""
    chained = hashes[ids[first]]
    for step in range(1, size):
        chained = chained * CHAIN + hashes[ids[first + step]]
    return np.int64(chained % np.uint64(buckets))


@kernel
def count_buckets(
    ids: Ids, starts: Longs, hashes: NDArray[np.uint64], piece_ends: Longs, pieces: Longs, grams: Grams, counts: Ids
) -> None:
    """Count every n-gram of documents in ``counts`` (buckets,)."""
    for document in range(len(starts) - 1):
        last = starts[document + 1]
        for size in range(2, grams.word_ngrams + 1):
            for first in range(starts[document], last - size + 1):
                counts[bucket_of(ids, first, size, hashes, grams.buckets)] += 1
        if len(pieces) > 0:
            for place in range(starts[document], last):
                word = ids[place]
                for k in range(piece_ends[word - 1] if word > 0 else 0, piece_ends[word]):
                    counts[pieces[k]] += 1


@kernel
def encode(
    ids: Ids,
    starts: Longs,
    word_rows: Ids,
    hashes: NDArray[np.uint64],
    piece_ends: Longs,
    piece_rows: Ids,
    grams: Grams,
    rows: Ids,
    row_starts: Longs,
) -> int:
    """The rows of documents: words, then n-grams of two words, of three …, then character n-grams; what has no row is left out.

    Args:
        ids: tokens of all documents.
        starts: (N + 1,) where each document's begin.
        word_rows: (W,) the row of each word, or −1.
        hashes: (W,) see ``describe``.
        piece_ends: (W,) where each word's n-grams end in ``piece_rows``.
        piece_rows: rows of character n-grams, none of them −1.
        grams: the settings.
        rows: large enough; filled in.
        row_starts: (N + 1,) filled in.

    Returns:
        How many rows there are.
    """
    slots, written = grams.slots, 0
    row_starts[0] = 0
    for document in range(len(starts) - 1):
        begin, last = starts[document], starts[document + 1]
        for place in range(begin, last):
            rows[written] = word_rows[ids[place]]
            written += word_rows[ids[place]] >= 0
        if len(slots) > 1:
            for size in range(2, grams.word_ngrams + 1):
                for first in range(begin, last - size + 1):
                    row = row_of(slots, bucket_of(ids, first, size, hashes, grams.buckets))
                    rows[written] = row
                    written += row >= 0
        if len(piece_rows) > 0:
            for place in range(begin, last):
                word = ids[place]
                for k in range(piece_ends[word - 1] if word > 0 else 0, piece_ends[word]):
                    rows[written] = piece_rows[k]
                    written += 1
        row_starts[document + 1] = written
    return written
