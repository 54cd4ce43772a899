"""Many documents at once from text to input rows: ``Features`` with kernels. Needs Numba; the rows are the same.

``learn`` finds the words and n-grams of training documents, ``Reader.encode`` gives the rows of any. What was found out about a
token – its row, its hash, its character n-grams' rows – is kept for the next call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.models.fasttext import gram_kernels as kernels
from erya.models.fasttext.features import END, Encoded, Features
from erya.models.fasttext.gram_kernels import Grams
from erya.parts.ngrams import Tokens
from erya.text.token_numbers import Numbered, TokenNumbers
from erya.text.tokenizers import Document, Tokenizer

MOST_COUNTERS = 1 << 26  # buckets that are counted in an array; more are sorted
TOKENS_AT_ONCE = 1 << 20  # bounds the memory

Integers = NDArray[np.int64]


class _Tokens(NamedTuple):
    """What is known of W tokens."""

    rows: NDArray[np.int32]  # (W,) −1: none
    hashes: NDArray[np.uint64]  # (W,)
    ends: Integers  # (W,) where each one's character n-grams end
    pieces: NDArray[np.int32]  # the rows of those that have one


class Reader:
    """Reads documents for some ``Features``; threads may share one.

    Args:
        features: which words and n-grams have a row.
        tokenizer: cuts the texts.
        numbers: tokens met already; None: only the features' words.
    """

    def __init__(self, features: Features, tokenizer: Tokenizer, numbers: TokenNumbers | None = None) -> None:
        self.features = features
        self.numbers = TokenNumbers(tokenizer, END, features.words) if numbers is None else numbers
        kept = np.ascontiguousarray(features.kept, dtype=np.int64)
        slots = np.full(1 << (2 * len(kept)).bit_length(), kernels.FREE, dtype=np.uint64)
        kernels.fill_slots(kept, len(features.words), slots)
        self._grams = _grams(features, slots)
        rows, hashes, ends = np.zeros(0, np.int32), np.zeros(0, np.uint64), np.zeros(0, np.int64)
        self._known = _Tokens(rows, hashes, ends, rows)

    def encode(self, documents: Sequence[Document]) -> Encoded:
        """The rows of N texts or pairs, END after each."""
        with self.numbers.lock:
            if self.numbers.forget():
                self._known = _first(self._known, self.numbers.lasting)
            found = self.numbers.number(documents)
            known = self._look()
        return self._rows(found, known)

    def _look(self) -> _Tokens:
        """Find out about tokens that are new."""
        known, features = self._known, self.features
        first = len(known.rows)
        if first < len(self.numbers.table):
            hashes, ends, buckets = _described(self.numbers, self._grams, first)
            rows = features.bucket_rows(buckets)
            has = rows >= 0
            before = np.concatenate([[0], np.cumsum(has)])
            words = self.numbers.words(first)
            known = self._known = _Tokens(
                np.concatenate([known.rows, features.word_rows(words)]),
                np.concatenate([known.hashes, hashes]),
                np.concatenate([known.ends, before[ends] + len(known.pieces)]),
                np.concatenate([known.pieces, rows[has].astype(np.int32)]),
            )
        return known

    def _rows(self, found: Numbered, known: _Tokens) -> Encoded:
        """Rows, some documents at a time."""
        sizes = np.diff(known.ends, prepend=0)
        parts, starts, first = list[NDArray[np.int32]](), np.zeros(len(found.starts), dtype=np.int64), 0
        while first < len(starts) - 1:
            limit = found.starts[first] + TOKENS_AT_ONCE
            last = max(first + 1, int(np.searchsorted(found.starts, limit, side="right")) - 1)
            ids = found.ids[found.starts[first] : found.starts[last]]
            most = len(ids) * self._grams.word_ngrams + (int(sizes[ids].sum()) if len(known.pieces) else 0)
            rows, mine = np.empty(most, dtype=np.int32), np.empty(last - first + 1, dtype=np.int64)
            places = found.starts[first : last + 1] - found.starts[first]
            count = kernels.encode(ids, places, *known, self._grams, rows, mine)
            parts.append(rows[:count].copy())
            starts[first + 1 : last + 1] = starts[first] + mine[1:]
            first = last
        return Encoded(parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int32), *parts]), starts)

    @classmethod
    def learn(
        cls,
        tokenizer: Tokenizer,
        documents: Sequence[Document],
        like: Features,
        *,
        min_count: int,
        min_count_ngrams: int,
        more: Sequence[str] = (),
    ) -> tuple[Features, Encoded, Integers]:
        """The features of training documents, added to those that there are.

        Args:
            tokenizer: cuts the texts.
            documents: N texts or pairs.
            like: the settings; its words and buckets keep their rows (the buckets' move behind the new words').
            min_count: a word seen less often here has no row, if it has none already.
            min_count_ngrams: likewise for n-grams.
            more: words that have a row in any case.

        Returns:
            features, the documents as rows, and (N,) how many tokens each has.
        """
        numbers = TokenNumbers(tokenizer, END)
        found = numbers.number(documents)
        tokens = Tokens(numbers.words(), found.ids.astype(np.int64), found.starts)
        words = [*like.words, *like.new_words(tokens, min_count)]
        words = list(dict.fromkeys([*words, *more]))
        met = _met(numbers, tokens, found, like, min_count_ngrams)
        features = like.with_rows(words, np.union1d(like.kept, met))
        reader = cls(features, tokenizer, numbers)
        return features, reader._rows(found, reader._look()), np.diff(found.starts)


def _met(numbers: TokenNumbers, tokens: Tokens, found: Numbered, like: Features, least: int) -> Integers:
    """The buckets that documents met often enough, ascending."""
    if like.buckets > MOST_COUNTERS:
        return like.met_buckets(tokens, least)
    grams = _grams(like, np.full(1, kernels.FREE))
    counts = np.zeros(like.buckets, dtype=np.int32)
    kernels.count_buckets(found.ids, found.starts, *_described(numbers, grams, 0), grams, counts)
    return np.flatnonzero(counts >= least)


def _grams(features: Features, slots: NDArray[np.uint64]) -> Grams:
    return Grams(features.word_ngrams, features.min_n, features.max_n, features.buckets, slots)


def _described(numbers: TokenNumbers, grams: Grams, first: int) -> tuple[NDArray[np.uint64], Integers, Integers]:
    """Of tokens from ``first`` on: hashes, and where the buckets of each one's character n-grams end; the buckets."""
    table, size = numbers.table.table, len(numbers.table)
    hashes, ends = np.empty(size - first, dtype=np.uint64), np.empty(size - first, dtype=np.int64)
    given = table.bytes, table.starts[:size], table.lengths[:size], first, numbers.closing, grams, hashes, ends
    count = kernels.describe(*given, np.zeros(0, dtype=np.int64))
    pieces = np.empty(count, dtype=np.int64)
    if count:
        kernels.describe(*given, pieces)
    return hashes, ends, pieces


def _first(known: _Tokens, size: int) -> _Tokens:
    """Only what is known of the first ``size`` tokens."""
    last = int(known.ends[size - 1]) if size else 0
    return _Tokens(known.rows[:size], known.hashes[:size], known.ends[:size], known.pieces[:last])
