"""Two learned lists of n-grams as one, for models that go on with more texts: what either list knows the union knows.

The numbers of the features change, since every list is sorted; the union tells where each feature of the two has gone.
"""

from __future__ import annotations

import numpy as np

from erya.parts.integers import Integers
from erya.parts.ngrams import Ngrams, Tokens


def widened(known: Ngrams, tokens: Tokens, *, min_count: int, min_count_ngrams: int) -> tuple[Ngrams, Integers]:
    """The list with what more texts are frequent enough in, by themselves: what was left out before was not counted.

    Args:
        known: V features.
        tokens: N documents.
        min_count: fewest of them that a new word stands in.
        min_count_ngrams: fewest of them that a new n-gram or piece stands in.

    Returns:
        the list, and (V,) where the features known before are in it.
    """
    own = Ngrams.learn(
        tokens,
        word_ngrams=len(known.keys) + 1,
        min_n=known.min_n,
        max_n=known.max_n,
        min_count=min_count,
        min_count_ngrams=min_count_ngrams,
    )
    together, places, _ = union(known, own)
    return together, places


def union(first: Ngrams, second: Ngrams) -> tuple[Ngrams, Integers, Integers]:
    """One list of what stands in either, and where the features of each are in it.

    Args:
        first: V features.
        second: W features, counted in the same way: as long n-grams, as long pieces.

    Returns:
        the list; (V,) and (W,) numbers of its features.

    Raises:
        ValueError: lists that are counted differently.
    """
    ways = [(len(one.keys), one.min_n, one.max_n) for one in (first, second)]
    if ways[0] != ways[1]:
        raise ValueError("these lists are counted differently")
    words = sorted({*first.words, *second.words})
    numbers = {word: number for number, word in enumerate(words)}
    each = [np.array([numbers[word] for word in one.words], dtype=np.int64) for one in (first, second)]
    places, before, base, keys = [[each[0]], [each[1]]], each, len(words), []
    for level, lists in enumerate(zip(first.keys, second.keys, strict=True)):
        moved = []
        for side, (one, old) in enumerate(zip((first, second), lists, strict=True)):
            prefixes, last = np.divmod(old, max(1, len(one.words)))
            moved.append(before[side][prefixes] * len(words) + each[side][last])
        keys.append(np.union1d(*moved))
        before = [np.searchsorted(keys[level], some) for some in moved]
        for side in (0, 1):
            places[side].append(base + before[side])
        base += len(keys[level])
    pieces = sorted({*first.pieces, *second.pieces})
    numbers = {piece: base + number for number, piece in enumerate(pieces)}
    for side, one in enumerate((first, second)):
        places[side].append(np.array([numbers[piece] for piece in one.pieces], dtype=np.int64))
    together = Ngrams(words, keys, pieces, first.min_n, first.max_n)
    return together, np.concatenate(places[0]), np.concatenate(places[1])
