"""What a tagging network is told of a token: its word, its characters, its case, and the pair with the token that follows.

Of a corpus every distinct token – or, where pairs count, every distinct token with its right neighbour – is one *unit*. All
that a unit is told by is worked out once, however often it occurs: a batch of 32 sentences holds half as many units as
tokens, and its characters are read once for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from erya.parts.pretrained_vectors import WordVectors
from erya.state import Arrays
from erya.text.vocabulary import PADDING, UNKNOWN, Vocabulary

Ints = NDArray[np.int64]
SPECIALS = (PADDING, UNKNOWN)
CASES = ("padding", "no case", "lower", "upper", "title", "mixed", "digits", "digits among others", "marks")
LETTERS = 48  # characters of a token that are read; of a longer one the first and the last 24
END = ""  # the right neighbour of a sentence's last token


@dataclass(frozen=True, slots=True)
class Units:
    """U units; number 0 is the padding.

    Attributes:
        words: (U,) number of each one's word.
        cases: (U,) index into ``CASES``.
        pairs: (U,) number of each one's pair.
        characters: (U, W) numbers of its characters, 0 behind the last one.
        sizes: (U,) characters of each.
    """

    words: Ints
    cases: Ints
    pairs: Ints
    characters: NDArray[np.int32]
    sizes: Ints


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The numbers of words, characters and pairs. In each of the three, 0 is padding and 1 what is unknown.

    Attributes:
        words: of V words.
        characters: of A characters; of nothing but the two where no network reads characters.
        pairs: of P pairs of neighbouring tokens; likewise.
        lower_case: whether words are counted and looked up in lower case.
        paired: whether pairs count.
        spelled: whether characters count.
    """

    words: Vocabulary
    characters: Vocabulary
    pairs: Vocabulary
    lower_case: bool
    paired: bool
    spelled: bool

    @classmethod
    def of(
        cls,
        sentences: Sequence[Sequence[str]],
        *,
        min_count: int,
        lower_case: bool,
        paired: bool,
        spelled: bool,
        vectors: WordVectors | None = None,
        extra_words: int = 0,
    ) -> Lexicon:
        """All words, characters and pairs of training sentences.

        Args:
            sentences: N lists of tokens.
            min_count: rarer words and pairs are unknown, unless ``vectors`` has the word.
            lower_case: see the class.
            paired: see the class.
            spelled: see the class.
            vectors: word vectors to begin with.
            extra_words: so many of their first words have a number though no sentence has them.
        """
        counts = Counter(_lowered(chain.from_iterable(sentences), lower_case))
        pairs = _both(sentences) if paired else ()
        letters = ([*token] for token in chain.from_iterable(sentences)) if spelled else ()
        return cls(
            _words(counts, min_count, vectors, extra_words),
            Vocabulary.build(letters),
            Vocabulary.build([pairs], min_count=min_count),
            lower_case,
            paired,
            spelled,
        )

    def numbered(self, sentences: Sequence[Sequence[str]]) -> tuple[Units, Ints, Ints]:
        """The units of N sentences; (L,) the unit of each of their tokens, one sentence after the other; (N + 1,) starts."""
        found = _Numbers()
        tokens = zip(chain.from_iterable(sentences), _followers(sentences), strict=True)
        items: Iterable[str | tuple[str, str]] = tokens if self.paired else chain.from_iterable(sentences)
        codes = np.fromiter(map(found.__getitem__, items), dtype=np.int64)
        starts = np.zeros(len(sentences) + 1, dtype=np.int64)
        np.cumsum([len(sentence) for sentence in sentences], out=starts[1:])
        keys = [key if isinstance(key, tuple) else (key, END) for key in found]
        return self._units(keys), codes, starts

    def _units(self, keys: Sequence[tuple[str, str]]) -> Units:
        index, unknown = self.words.index, 1
        words = [index.get(word) or index.get(word.lower(), unknown) for word in self._words_of(keys)]
        pairs = self.pairs.ids(_joined(*key) for key in keys) if self.paired else [unknown] * len(keys)
        characters, sizes = self._spelling(keys)
        cases = [case_of(token) for token, _ in keys]
        columns = [np.array([0, *column], dtype=np.int64) for column in (words, cases, pairs)]
        return Units(columns[0], columns[1], columns[2], characters, sizes)

    def _words_of(self, keys: Sequence[tuple[str, str]]) -> Iterator[str]:
        return _lowered((token for token, _ in keys), self.lower_case)

    def _spelling(self, keys: Sequence[tuple[str, str]]) -> tuple[NDArray[np.int32], Ints]:
        if not self.spelled:
            return np.zeros((len(keys) + 1, 0), dtype=np.int32), np.zeros(len(keys) + 1, dtype=np.int64)
        spelled = [self.characters.ids(read_of(token)) for token, _ in keys]
        sizes = np.array([0, *map(len, spelled)], dtype=np.int64)
        found = np.zeros((len(sizes), int(sizes.max(initial=0))), dtype=np.int32)
        found[np.arange(found.shape[1]) < sizes[:, None]] = np.fromiter(chain.from_iterable(spelled), dtype=np.int32)
        return found, sizes

    def to_arrays(self) -> Arrays:
        """As arrays; the two truth values about reading are in ``to_plain``."""
        return {
            **self.words.to_arrays("vocabulary"),
            **self.characters.to_arrays("characters"),
            **self.pairs.to_arrays("pairs"),
        }

    def to_plain(self) -> dict[str, bool]:
        """How tokens are looked up, as JSON data."""
        return {"lower_case": self.lower_case, "paired": self.paired, "spelled": self.spelled}

    @classmethod
    def restored(cls, arrays: Arrays, plain: dict[str, bool]) -> Lexicon:
        """The inverse of the two.

        Raises:
            KeyError: something is missing.
            ValueError: it is no lexicon.
        """
        told = [plain[name] for name in ("lower_case", "paired", "spelled")]
        if any(type(one) is not bool for one in told):
            raise ValueError("how tokens are looked up is said by truth values")
        words, characters, pairs = (
            Vocabulary.from_arrays(name, arrays) for name in ("vocabulary", "characters", "pairs")
        )
        if any(one.specials != 2 or one.unknown != 1 for one in (words, characters, pairs)):
            raise ValueError("a vocabulary does not begin with padding and what is unknown")
        return cls(words, characters, pairs, *told)


def case_of(token: str) -> int:
    """Index into ``CASES``; of a token in a script without case 1."""
    letters = [character for character in token[:LETTERS] if character.isalpha()]
    if any(character.isdigit() for character in token[:LETTERS]):
        return 6 if not letters else 7
    if not letters:
        return 8
    upper, lower = (sum(map(kind, letters)) for kind in (str.isupper, str.islower))
    if not upper:
        return 2 if lower else 1
    if not lower:
        return 3 if upper > 1 else 4  # one capital letter is a title, as in "I"
    return 4 if upper == 1 and letters[0].isupper() else 5


def read_of(token: str) -> str:
    """The characters of a token that are read."""
    return token if len(token) <= LETTERS else token[: LETTERS // 2] + token[-LETTERS // 2 :]


def with_lower_case(vectors: WordVectors, words: Iterable[str]) -> WordVectors:
    """The same vectors, that also know those of ``words`` whose lower-case form they know."""
    rows = vectors.rows
    more = {word: rows[word.lower()] for word in words if word not in rows and word.lower() in rows}
    return WordVectors(vectors.name, rows | more, vectors.matrix)


def word_counts(sentences: Sequence[Sequence[str]], *, lower_case: bool) -> Counter[str]:
    """How often each word occurs."""
    return Counter(_lowered(chain.from_iterable(sentences), lower_case))


def _words(counts: Counter[str], min_count: int, vectors: WordVectors | None, extra_words: int) -> Vocabulary:
    known = {} if vectors is None else vectors.rows
    kept = [(word, count) for word, count in counts.items() if count >= min_count or word in known]
    kept = sorted((one for one in kept if one[0] not in SPECIALS), key=lambda one: (-one[1], one[0]))
    there = {*SPECIALS, *(word for word, _ in kept)}
    more = [word for word in list(known)[:extra_words] if word not in there]
    numbers = [0, 0, *(count for _, count in kept), *[0] * len(more)]
    return Vocabulary([*SPECIALS, *(word for word, _ in kept), *more], specials=2, counts=numbers)


def _lowered(tokens: Iterable[str], lower_case: bool) -> Iterator[str]:
    return map(str.lower, tokens) if lower_case else iter(tokens)


def _followers(sentences: Sequence[Sequence[str]]) -> Iterator[str]:
    for sentence in sentences:
        if sentence:
            yield from sentence[1:]
            yield END


def _both(sentences: Sequence[Sequence[str]]) -> Iterator[str]:
    return map(_joined, chain.from_iterable(sentences), _followers(sentences))


def _joined(token: str, follower: str) -> str:
    return f"{token}\0{follower}"


class _Numbers(dict[str | tuple[str, str], int]):
    """Numbers what it is asked for in the order in which it is asked, from 1."""

    def __missing__(self, key: str | tuple[str, str]) -> int:
        number = self[key] = len(self) + 1
        return number
