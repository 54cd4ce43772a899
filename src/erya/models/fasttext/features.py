"""From tokens to the numbers of input rows: the words that are known, and hashed n-grams of words and of characters.

A text is read as a bag of features, each with a row of its own:

    play some jazz   →   play · some · jazz · </s> · play some · some jazz · jazz </s> · play some jazz · some jazz </s>

Words are looked up in a list. There are too many n-grams for a list, so an n-gram's *hash* is its name: its bucket among
``buckets``, and two n-grams that meet in one bucket share a row. The hash is the original program's: 32-bit FNV-1a over the
UTF-8 bytes taken as signed; words are chained into n-grams by ``h = h · 116049371 + next``. Unlike there, only buckets met in
training get a row (the sorted list ``kept``), so that many buckets cost nothing and a model is as small as its data.

``reference.py`` has the same in plain loops. Not here: tokenizing, learning rows (``kernels.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.parts.ngrams import Tokens, joined

END = "</s>"  # closes every document, so that none is empty and "last word of the text" is an n-gram too
FNV_START, FNV_PRIME = 2166136261, 16777619
CHAIN = 116049371  # the original's multiplier for word n-grams
LONGEST_AT_ONCE = 64  # bytes; longer strings are hashed one by one

Integers = NDArray[np.int64]


class Encoded(NamedTuple):
    """N documents as input rows, one after the other."""

    rows: NDArray[np.int32]
    starts: Integers  # (N + 1,) document i owns rows[starts[i]:starts[i + 1]]


@dataclass(frozen=True, slots=True)
class Place:
    """One feature where it stands in a document: tokens ``first`` to ``last`` (exclusive), as one reads it."""

    row: int
    name: str
    first: int
    last: int


def fnv1a(text: str) -> int:
    """The 32-bit FNV-1a hash of one string, over its UTF-8 bytes as signed characters."""
    value = FNV_START
    for byte in text.encode("utf-8", "surrogatepass"):
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * FNV_PRIME) & 0xFFFFFFFF
    return value


def hashes(texts: Sequence[str]) -> NDArray[np.uint32]:
    """``fnv1a`` of many strings: all first bytes at once, then all second bytes, and so on."""
    pieces = [text.encode("utf-8", "surrogatepass") for text in texts]
    sizes = np.array([len(piece) for piece in pieces], dtype=np.int64)
    values = np.full(len(pieces), FNV_START, dtype=np.uint32)
    short = np.flatnonzero(sizes <= LONGEST_AT_ONCE)
    short = short[np.argsort(-sizes[short], kind="stable")]  # longest first: those that go on are always in front
    data = np.frombuffer(b"".join(pieces), dtype=np.int8).astype(np.uint32)  # int8 → uint32 keeps the sign
    begins = (np.cumsum(sizes) - sizes)[short]
    remaining = sizes[short]
    current = values[short]
    for step in range(int(remaining[0]) if len(short) else 0):
        going = int(np.searchsorted(-remaining, -step))  # how many have more than ``step`` bytes
        current[:going] = (current[:going] ^ data[begins[:going] + step]) * np.uint32(FNV_PRIME)
    values[short] = current
    for number in np.flatnonzero(sizes > LONGEST_AT_ONCE).tolist():
        values[number] = fnv1a(texts[number])
    return values


def pieces_of(word: str, min_n: int, max_n: int) -> list[str]:
    """The character n-grams of ``<word>``, as the original cuts them; none for END."""
    if word == END or max_n < 1:
        return []
    marked = f"<{word}>"
    found = []
    for start in range(len(marked)):
        for size in range(max(1, min_n), min(max_n, len(marked) - start) + 1):
            lone_mark = size == 1 and start in (0, len(marked) - 1)
            if not lone_mark:
                found.append(marked[start : start + size])
    return found


class Features:
    """The V words and K buckets that have a row; words come first.

    Args:
        words: V known words, END among them.
        kept: (K,) ascending numbers of the buckets that have a row.
        word_ngrams: most words of an n-gram; 1: words alone.
        min_n: fewest characters of a character n-gram.
        max_n: most; 0: no character n-grams.
        buckets: the number of buckets an n-gram's hash can fall into.
    """

    def __init__(
        self, words: list[str], kept: Integers, *, word_ngrams: int, min_n: int, max_n: int, buckets: int
    ) -> None:
        self.words, self.kept = words, kept
        self.word_ngrams, self.min_n, self.max_n, self.buckets = word_ngrams, min_n, max_n, buckets
        self._numbers = {word: number for number, word in enumerate(words)}
        if len(self._numbers) != len(words):
            raise ValueError("a word occurs twice")
        if len(kept) and (not 0 <= int(kept[0]) <= int(kept[-1]) < buckets or bool((np.diff(kept) <= 0).any())):
            raise ValueError("the kept buckets are not ascending numbers below the number of buckets")

    def __len__(self) -> int:
        return len(self.words) + len(self.kept)

    @classmethod
    def learn(
        cls,
        tokens: Tokens,
        *,
        word_ngrams: int,
        min_n: int,
        max_n: int,
        buckets: int,
        min_count: int,
        min_count_ngrams: int,
    ) -> tuple[Features, Encoded]:
        """The words and buckets of training documents, and the documents encoded.

        Args:
            tokens: the documents, each closed by END.
            word_ngrams: see the class; ``min_n``, ``max_n`` and ``buckets``, too.
            min_n: as there.
            max_n: as there.
            buckets: as there.
            min_count: a word seen less often has no row.
            min_count_ngrams: likewise for n-grams.
        """
        none = cls([], _none(), word_ngrams=word_ngrams, min_n=min_n, max_n=max_n, buckets=buckets)
        found = none.with_rows(none.new_words(tokens, min_count), none.met_buckets(tokens, min_count_ngrams))
        return found, found.encode(tokens)

    def with_rows(self, words: list[str], kept: Integers) -> Features:
        """The same settings for other words and buckets."""
        sizes = {"word_ngrams": self.word_ngrams, "min_n": self.min_n, "max_n": self.max_n}
        return Features(words, kept, buckets=self.buckets, **sizes)

    def new_words(self, tokens: Tokens, least: int) -> list[str]:
        """Words without a row that occur at least so often.

        By count, then by spelling: frequent rows lie together, and the order of the documents changes nothing.
        """
        counts, names = np.bincount(tokens.ids, minlength=len(tokens.words)), tokens.words
        found = [number for number in np.flatnonzero(counts >= least).tolist() if names[number] not in self._numbers]
        return [names[number] for number in sorted(found, key=lambda number: (-int(counts[number]), names[number]))]

    def met_buckets(self, tokens: Tokens, least: int) -> Integers:
        """The buckets of n-grams that occur at least so often, ascending."""
        grams = [buckets for _, buckets in self._grams(tokens)]
        met, seen = np.unique(np.concatenate(grams or [_none()]), return_counts=True)
        found: Integers = met[seen >= least]
        return found

    def encode(self, tokens: Tokens) -> Encoded:
        """The rows of documents closed by END; what has no row is left out."""
        grams, documents = list(self._grams(tokens)), tokens.documents()
        rows = np.concatenate([self._token_rows(tokens), *(self.bucket_rows(buckets) for _, buckets in grams)])
        owners = np.concatenate([documents, *(documents[first] for first, _ in grams)])
        known = rows >= 0
        rows, owners = rows[known], owners[known]
        starts = np.zeros(len(tokens) + 1, dtype=np.int64)
        np.cumsum(np.bincount(owners, minlength=len(tokens)), out=starts[1:])
        return Encoded(rows[np.argsort(owners, kind="stable")].astype(np.int32), starts)

    def places(self, words: Sequence[str]) -> list[Place]:
        """Every feature of one document that has a row, in the order of ``encode``."""
        tokens = Tokens.of([words])
        found = [
            Place(row, word, position, position + 1)
            for position, (row, word) in enumerate(zip(self._token_rows(tokens).tolist(), words, strict=True))
        ]
        numbers = _signed_hashes(tokens)
        for size in range(2, self.word_ngrams + 1):
            first, buckets = self._word_grams(tokens, numbers, size)
            for start, row in zip(first.tolist(), self.bucket_rows(buckets).tolist(), strict=True):
                found.append(Place(row, joined(words[start : start + size]), start, start + size))
        for position, word in enumerate(words):
            pieces = pieces_of(word, self.min_n, self.max_n)
            for piece, row in zip(pieces, self.bucket_rows(self._buckets_of(pieces)).tolist(), strict=True):
                found.append(Place(row, piece, position, position + 1))
        return [place for place in found if place.row >= 0]

    def word_rows(self, words: Sequence[str]) -> NDArray[np.int32]:
        """(W,) the row of each word, −1 where it has none."""
        return np.fromiter((self._numbers.get(word, -1) for word in words), dtype=np.int32, count=len(words))

    def _token_rows(self, tokens: Tokens) -> NDArray[np.int32]:
        """(T,) the row of each token."""
        rows = self.word_rows(tokens.words)
        return rows[tokens.ids] if len(rows) else rows

    def bucket_rows(self, buckets: Integers) -> Integers:
        """The row of each bucket, −1 where it has none."""
        if not len(self.kept):
            return np.full(len(buckets), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.kept, buckets), len(self.kept) - 1)
        return np.where(self.kept[places] == buckets, places + len(self.words), -1)

    def _grams(self, tokens: Tokens) -> Iterator[tuple[Integers, Integers]]:
        """For each kind of n-gram: the first token of each, ascending, and its bucket."""
        numbers = _signed_hashes(tokens) if self.word_ngrams > 1 else np.zeros(0, dtype=np.uint64)
        for size in range(2, self.word_ngrams + 1):
            yield self._word_grams(tokens, numbers, size)
        if self.max_n:
            yield self._character_grams(tokens)

    def _word_grams(self, tokens: Tokens, numbers: NDArray[np.uint64], size: int) -> tuple[Integers, Integers]:
        first = np.arange(max(0, len(numbers) - size + 1))
        documents = tokens.documents()
        first = first[documents[first] == documents[first + size - 1]]  # not across the end of a document
        chained = numbers[first]
        for step in range(1, size):
            chained = chained * np.uint64(CHAIN) + numbers[first + step]
        return first, (chained % np.uint64(self.buckets)).astype(np.int64)

    def _character_grams(self, tokens: Tokens) -> tuple[Integers, Integers]:
        by_word = [pieces_of(word, self.min_n, self.max_n) for word in tokens.words]
        sizes = np.array([len(pieces) for pieces in by_word], dtype=np.int64)
        if not sizes.sum():
            return _none(), _none()
        buckets = self._buckets_of([piece for pieces in by_word for piece in pieces])
        repeats = sizes[tokens.ids]
        token = np.repeat(np.arange(len(tokens.ids)), repeats)
        # token t has the buckets begins[id] + 0, 1, … sizes[id] − 1
        within = np.arange(len(token)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        return token, buckets[(np.cumsum(sizes) - sizes)[tokens.ids][token] + within]

    def _buckets_of(self, pieces: list[str]) -> Integers:
        return hashes(pieces).astype(np.int64) % self.buckets


def _signed_hashes(tokens: Tokens) -> NDArray[np.uint64]:
    """(T,) each token's hash as the original has it: a signed 32-bit number, widened to 64 bits."""
    signed = hashes(tokens.words).view(np.int32).astype(np.int64).view(np.uint64)
    return signed[tokens.ids] if len(signed) else signed


def _none() -> Integers:
    return np.zeros(0, dtype=np.int64)
