"""Counting n-grams: words in a row, and characters in a row inside a word. Documents in, a sparse count matrix out.

Everything between the tokens and the matrix is arithmetic on integer arrays. A word has a number; an n-gram is
*a known (n−1)-gram and one more word*, so the pair (number of the prefix, number of the word) is one integer key,
and looking an n-gram up is a binary search among the sorted keys of its length:

    "see you soon"  →  see 41, you 57, soon 50  →  (41, 57) is bigram 803  →  (803, 50) is trigram 212

That works because an n-gram is never more frequent than its prefix: what is too rare for the list
has no continuation in it either. Character n-grams, here called pieces, come from inside a word marked ``<word>``, never
from across words; a word of one character, as every Han character is, has none besides itself.

What this does not do: hashing (fastText's trick: no list, but collisions) and weighting (tf-idf is the model's affair).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.parts import settings
from erya.parts.integers import Integers, Lists, frequencies, integers, numbering
from erya.state import State, pack_strings, unpack_strings
from erya.text.tokenizers import SEPARATOR

LONGEST = 100  # words or characters of an n-gram
TOKENS_AT_ONCE = 200_000  # counted together: bounds the memory, whatever the size of the corpus


@dataclass(frozen=True, slots=True)
class Tokens:
    """N tokenized documents as numbers: T tokens together, K of them distinct."""

    words: list[str]  # K, in the order of their first sight
    ids: Integers  # (T,) numbers into words
    offsets: Integers  # (N + 1,) document i owns ids[offsets[i]:offsets[i + 1]]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, token_lists: Iterable[Sequence[str]]) -> Tokens:
        """Number the tokens of a stream of documents; the lists themselves are not kept."""
        numbers = numbering()
        ids, offsets = array("q"), array("q", [0])
        for tokens in token_lists:
            ids.extend(map(numbers.__getitem__, tokens))
            offsets.append(len(ids))
        return cls(list(numbers), integers(ids), integers(offsets))

    def documents(self) -> Integers:
        """(T,) the document of each token."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def part(self, first: int, last: int) -> Tokens:
        """The documents from ``first`` to before ``last``, without copying their tokens."""
        offsets = self.offsets[first : last + 1]
        return Tokens(self.words, self.ids[offsets[0] : offsets[-1]], offsets - offsets[0])


@dataclass(frozen=True, slots=True)
class Counts:
    """A sparse (N, V) count matrix by rows: document i holds ``features[offsets[i]:offsets[i + 1]]``, ascending."""

    features: Integers  # (entries,)
    counts: Integers  # (entries,) how often, ≥ 1
    offsets: Integers  # (N + 1,)
    width: int  # V

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def documents(self) -> Integers:
        """(entries,) the document of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One place of one document where a feature stands.

    Attributes:
        feature: its number.
        token: the first token.
        length: how many tokens.
        characters: of a piece, which characters of its one token; None for words and their n-grams: all.
    """

    feature: int
    token: int
    length: int
    characters: tuple[int, int] | None = None


class Ngrams:
    """The learned list of V features: words, then word n-grams of 2, 3, … words, then pieces.

    Args:
        words: the W known words, sorted.
        keys: for n = 2, 3, …: sorted keys ``prefix × W + word``, where ``prefix`` is a place in the list of n − 1.
        pieces: known character n-grams, sorted; ``<`` and ``>`` mark the ends of the word.
        min_n: fewest characters of a piece, marks included.
        max_n: most characters of a piece; 0: no pieces at all.
    """

    def __init__(self, words: list[str], keys: list[Integers], pieces: list[str], min_n: int, max_n: int) -> None:
        self.words, self.keys, self.pieces, self.min_n, self.max_n = words, keys, pieces, min_n, max_n
        self._word_numbers = {word: number for number, word in enumerate(words)}
        self._piece_numbers = {piece: number for number, piece in enumerate(pieces)}

    def __len__(self) -> int:
        return self.first_piece + len(self.pieces)

    @property
    def first_piece(self) -> int:
        """The number of the first piece: below are words and their n-grams."""
        return len(self.words) + sum(map(len, self.keys))

    # ---- learning the list ------------------------------------------------------------------------------------

    @classmethod
    def learn(
        cls,
        tokens: Tokens,
        *,
        word_ngrams: int,
        min_n: int,
        max_n: int,
        min_count: int,
        min_count_ngrams: int,
        copies: NDArray[np.float64] | None = None,
    ) -> Ngrams:
        """List the words that stand in ``min_count`` documents, and the n-grams that stand in ``min_count_ngrams``.

        Args:
            tokens: the training documents.
            word_ngrams: most words of an n-gram, ≥ 1.
            min_n: fewest characters of a piece.
            max_n: most characters of a piece; 0: none.
            min_count: fewest documents of a listed word.
            min_count_ngrams: fewest documents of a listed n-gram or piece.
            copies: (N,) how many documents each one stands for; None: 1.
        """
        weights = np.ones(len(tokens)) if copies is None else copies
        documents, ends = tokens.documents(), _ends(tokens)
        common = frequencies(documents, tokens.ids, len(tokens.words), weights) >= min_count
        words = sorted(word for word, keep in zip(tokens.words, common.tolist(), strict=True) if keep)
        found = cls(words, [], [], min_n, max_n)
        known = found._known_words(tokens.words)[tokens.ids]
        starts, grams = _where_known(known)
        for length in range(2, word_ngrams + 1):
            starts, candidates = _continued(starts, grams, known, ends, length, len(words))
            distinct, codes = np.unique(candidates, return_inverse=True)
            common = frequencies(documents[starts], codes, len(distinct), weights) >= min_count_ngrams
            found.keys.append(distinct[common])
            kept, grams = _looked_up(found.keys[-1], candidates)
            starts = starts[kept]
        found._learn_pieces(tokens, weights, min_count_ngrams)
        return found

    def _learn_pieces(self, tokens: Tokens, weights: NDArray[np.float64], min_count: int) -> None:
        numbers = numbering()
        lists = Lists.of([numbers[piece] for _, piece in self._pieces_of(word)] for word in tokens.words)
        totals = np.zeros(len(numbers))
        for first, last in _blocks(tokens):
            block = tokens.part(first, last)
            entries, documents = lists.expanded(block.ids, block.documents())
            totals += frequencies(documents, entries, len(numbers), weights[first:last])
        common = (totals >= min_count).tolist()
        self.pieces = sorted(piece for piece, keep in zip(numbers, common, strict=True) if keep)
        self._piece_numbers = {piece: number for number, piece in enumerate(self.pieces)}

    # ---- counting ---------------------------------------------------------------------------------------------

    def count(self, tokens: Tokens) -> Counts:
        """How often each listed feature stands in each document; what is not listed is left out."""
        numbers = self._known_words(tokens.words)
        pieces = Lists.of([*self._known_pieces(word)] for word in tokens.words)
        parts = [self._counted(tokens.part(first, last), numbers, pieces) for first, last in _blocks(tokens)]
        if len(parts) == 1:
            return parts[0]
        return Counts(
            features=np.concatenate([part.features for part in parts]),
            counts=np.concatenate([part.counts for part in parts]),
            offsets=np.concatenate([[0], *(np.diff(part.offsets) for part in parts)]).cumsum(),
            width=len(self),
        )

    def _counted(self, tokens: Tokens, numbers: Integers, pieces: Lists) -> Counts:
        documents = tokens.documents()
        columns: list[Integers] = []  # the feature of each occurrence …
        rows: list[Integers] = []  # … and its document
        for _, base, starts, grams in self._word_grams(numbers[tokens.ids], _ends(tokens)):
            columns.append(base + grams)
            rows.append(documents[starts])
        entries, holders = pieces.expanded(tokens.ids, documents)
        columns.append(self.first_piece + entries)
        rows.append(holders)
        width = max(1, len(self))
        cells = np.sort(np.concatenate(rows) * width + np.concatenate(columns))
        begins = np.flatnonzero(np.diff(cells, prepend=-1))  # where a new (document, feature) begins
        row, column = np.divmod(cells[begins], width)
        offsets = np.zeros(len(tokens) + 1, dtype=np.int64)
        np.cumsum(np.bincount(row, minlength=len(tokens)), out=offsets[1:])
        return Counts(column, np.diff(begins, append=len(cells)), offsets, len(self))

    def occurrences(self, tokens: Sequence[str]) -> list[Occurrence]:
        """Every place of one document where a listed feature stands."""
        document = Tokens.of([tokens])
        found = [
            Occurrence(base + gram, start, length)
            for length, base, starts, grams in self._word_grams(
                self._known_words(document.words)[document.ids], _ends(document)
            )
            for start, gram in zip(starts.tolist(), grams.tolist(), strict=True)
        ]
        for place, word in enumerate(tokens):
            for start, piece in self._pieces_of(word):
                if piece in self._piece_numbers:  # its marks < and > are no characters of the word
                    characters = max(0, start - 1), min(len(word), start - 1 + len(piece))
                    found.append(Occurrence(self.first_piece + self._piece_numbers[piece], place, 1, characters))
        return found

    def _word_grams(self, known: Integers, ends: Integers) -> Iterator[tuple[int, int, Integers, Integers]]:
        """For each length: (length, number of its first feature, where its n-grams start, which they are)."""
        starts, grams = _where_known(known)
        yield 1, 0, starts, grams
        base = len(self.words)
        for length, keys in enumerate(self.keys, 2):
            starts, candidates = _continued(starts, grams, known, ends, length, len(self.words))
            kept, grams = _looked_up(keys, candidates)
            starts = starts[kept]
            yield length, base, starts, grams
            base += len(keys)

    def _known_words(self, words: list[str]) -> Integers:
        """(K,) the number of each word, −1 where it is not listed."""
        return np.array([self._word_numbers.get(word, -1) for word in words], dtype=np.int64)

    def _known_pieces(self, word: str) -> Iterator[int]:
        return (self._piece_numbers[piece] for _, piece in self._pieces_of(word) if piece in self._piece_numbers)

    def _pieces_of(self, word: str) -> Iterator[tuple[int, str]]:
        return pieces_of(word, self.min_n, self.max_n)

    # ---- names, and plain arrays ------------------------------------------------------------------------------

    def name(self, feature: int) -> str:
        """A feature as one reads it: ``play music``, ``春风``, and the pieces ``pla…``, ``…lay…``, ``…ay``."""
        if feature >= self.first_piece:
            piece = self.pieces[feature - self.first_piece]
            return ("" if piece[0] == "<" else "…") + piece.strip("<>") + ("" if piece[-1] == ">" else "…")
        sizes, level = [len(self.words), *map(len, self.keys)], 0
        while feature >= sizes[level]:
            feature -= sizes[level]
            level += 1
        words: list[str] = []
        for keys in reversed(self.keys[:level]):  # take the last word off, again and again
            feature, word = divmod(int(keys[feature]), len(self.words))
            words.append(self.words[word])
        return joined([self.words[feature], *reversed(words)])

    def state(self) -> State:
        """The list as arrays and plain data; ``from_state`` is the inverse."""
        keys = {f"ngrams.{length}": keys for length, keys in enumerate(self.keys, 2)}
        arrays = {**pack_strings("ngrams.words", self.words), **keys, **pack_strings("ngrams.pieces", self.pieces)}
        return State(arrays, {"word_ngrams": len(self.keys) + 1, "min_n": self.min_n, "max_n": self.max_n})

    @classmethod
    def from_state(cls, state: State) -> Ngrams:
        """The list from a state that holds what ``state`` gave, beside whatever else.

        Raises:
            KeyError: something is missing.
            ValueError: lengths that are none; keys that are not ascending, or that point outside the list.
        """
        arrays = state.arrays
        word_ngrams, min_n, max_n = (state.data[name] for name in ("word_ngrams", "min_n", "max_n"))
        if not all(type(length) is int and 0 <= length <= LONGEST for length in (word_ngrams, min_n, max_n)):
            raise ValueError("lengths of n-grams out of range")
        words, keys = unpack_strings("ngrams.words", arrays), []
        prefixes = len(words)
        for length in range(2, word_ngrams + 1):
            found: NDArray[Any] = arrays[f"ngrams.{length}"]
            if found.dtype != np.int64 or found.ndim != 1 or bool((np.diff(found) <= 0).any()):
                raise ValueError(f"ngrams.{length}: keys are not ascending")
            if len(found) and not 0 <= int(found[0]) <= int(found[-1]) < prefixes * len(words):
                raise ValueError(f"ngrams.{length}: a key points outside the list")
            keys.append(found)
            prefixes = len(found)
        return cls(words, keys, unpack_strings("ngrams.pieces", arrays), min_n, max_n)


def check_settings(model: Any) -> None:
    """The settings of a model over n-grams: ``word_ngrams min_n max_n min_count min_count_ngrams``.

    Raises:
        UsageError: one is out of its range.
    """
    for name in ("word_ngrams", "min_n", "max_n", "min_count", "min_count_ngrams"):
        settings.whole(name, getattr(model, name), 0 if name == "max_n" else 1)
    for name in ("word_ngrams", "max_n"):
        settings.require(getattr(model, name) <= LONGEST, name, getattr(model, name), f"≤ {LONGEST}")
    fits = model.max_n == 0 or model.min_n <= model.max_n
    settings.require(fits, "min_n", model.min_n, f"≤ max_n ({model.max_n})")


def pieces_of(word: str, min_n: int, max_n: int) -> Iterator[tuple[int, str]]:
    """The character n-grams of a word marked ``<word>``, each with its place in the marked word.

    A word of one character has none; neither a lone mark nor the whole marked word is one.
    """
    if len(word) < 2 or word == SEPARATOR:
        return
    marked = f"<{word}>"
    for length in range(max(1, min_n), min(max_n, len(marked) - 1) + 1):
        first = 1 if length == 1 else 0
        for start in range(first, len(marked) - length + 1 - first):
            yield start, marked[start : start + length]


def joined(words: Sequence[str]) -> str:
    """Words as one reads them: spaces between words, none beside Han characters."""
    text = words[0]
    for word in words[1:]:
        text += word if _is_wide(text[-1]) or _is_wide(word[0]) else f" {word}"
    return text


def _is_wide(character: str) -> bool:
    return "\u2e80" <= character <= "\uffef" or character >= "\U00020000"


def _ends(tokens: Tokens) -> Integers:
    """(T,) the end of the document of each token."""
    return np.repeat(tokens.offsets[1:], np.diff(tokens.offsets))


def _blocks(tokens: Tokens) -> Iterator[tuple[int, int]]:
    """The documents in runs of about TOKENS_AT_ONCE tokens; at least one run, at least one document in each."""
    first = 0
    while True:
        limit = tokens.offsets[first] + TOKENS_AT_ONCE
        last = min(len(tokens), max(first + 1, int(np.searchsorted(tokens.offsets, limit, side="right")) - 1))
        yield first, last
        if last >= len(tokens):
            return
        first = last


def _where_known(known: Integers) -> tuple[Integers, Integers]:
    starts = np.flatnonzero(known >= 0)
    return starts, known[starts]


def _continued(
    starts: Integers, grams: Integers, known: Integers, ends: Integers, length: int, size: int
) -> tuple[Integers, Integers]:
    """The (n−1)-grams that one more known word of the same document follows, and the keys of the n-grams they make."""
    last = starts + length - 1
    inside = last < ends[starts]
    starts, grams, following = starts[inside], grams[inside], known[last[inside]]
    valid = following >= 0
    return starts[valid], grams[valid] * size + following[valid]


def _looked_up(keys: Integers, candidates: Integers) -> tuple[NDArray[np.bool_], Integers]:
    """Which candidates are among the sorted keys, and the places of those."""
    if not len(keys):
        return np.zeros(len(candidates), dtype=np.bool_), np.zeros(0, dtype=np.int64)
    places = np.minimum(np.searchsorted(keys, candidates), len(keys) - 1)
    kept = keys[places] == candidates
    return kept, places[kept]
