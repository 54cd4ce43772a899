"""The error for a word that the vectors do not know, with the known words that are spelled most like it."""

from __future__ import annotations

import difflib
import heapq
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import islice

from erya.errors import UsageError, quoted
from erya.language import say

_LOOKED_AT = 200_000  # of the most frequent words
_COMPARED = 500  # letter by letter
_LONGEST = 60  # characters of the unknown word that are compared


class UnknownWordError(UsageError, KeyError):
    """A word without a vector. A KeyError too, as gensim raises.

    The nearest known words are looked for when ``help`` is read, so that catching the error costs nothing.
    """

    def __init__(self, word: str, words: Sequence[str] = (), known: Mapping[str, int] | None = None) -> None:
        super().__init__(
            "unknown-word",
            say(f"there is no vector for '{quoted(word, 40)}'", f"词表中没有“{quoted(word, 40)}”的词向量"),
        )
        self.word = word
        self._words, self._known = words, known if known is not None else {}
        self._help: str | None = None

    @property
    def help(self) -> str | None:
        """The nearest known words."""
        if self._help is None and self._words:
            alike = spelled_alike(self.word, self._words, self._known)
            shown = ", ".join(f"'{quoted(word, 30)}'" for word in alike)
            self._help = (
                say(f"did you mean {shown}?", f"是不是 {shown}？")
                if alike
                else say(
                    f"no known word is spelled like it; there are {len(self._words):,}, the most frequent: "
                    f"{_some(self._words)}",
                    f"没有拼写相近的词；词表共 {len(self._words):,} 个词，最常见的有：{_some(self._words)}",
                )
            )
        return self._help

    @help.setter
    def help(self, value: str | None) -> None:
        self._help = value

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (self.word, self.help)


def _restored(word: str, help: str | None) -> UnknownWordError:
    error = UnknownWordError(word)
    error.help = help
    return error


def _some(words: Sequence[str]) -> str:
    return " ".join(quoted(word, 20) for word in words[:5])


def spelled_alike(word: str, words: Sequence[str], known: Mapping[str, int], count: int = 3) -> list[str]:
    """The known words most like this one: first those of other case or width, or with two neighbouring letters swapped;
    then by difflib's ratio (0.6 or more).

    Bounded, so that it answers at once for a million words: the 200,000 most frequent ones are sifted by length and
    letters, and the 500 that share most are compared.

    Args:
        word: the unknown one.
        words: V words, most frequent first.
        known: word → row.
        count: how many at most.
    """
    plain = unicodedata.normalize("NFKC", word.strip())[:_LONGEST]
    variants = [plain, plain.lower(), plain.upper(), plain.capitalize(), plain.title()]
    lower = plain.lower()
    variants += [lower[:n] + lower[n + 1] + lower[n] + lower[n + 2 :] for n in range(len(lower) - 1)]
    found = [variant for variant in dict.fromkeys(variants) if variant in known and variant != word]
    letters = set(lower) | set(plain.upper())
    shortest, longest, shared = len(lower) * 3 // 7, -(-len(lower) * 7 // 3), -(-len(set(lower)) // 2)
    pool = (
        (abs(len(candidate) - len(lower)) - 2 * overlap, row, candidate)
        for row, candidate in enumerate(islice(words, _LOOKED_AT))
        if shortest <= len(candidate) <= longest and (overlap := len(letters.intersection(candidate))) >= shared
    )
    nearest = {candidate.lower(): candidate for _, _, candidate in reversed(heapq.nsmallest(_COMPARED, pool))}
    close = difflib.get_close_matches(lower, list(nearest), n=count + len(found))
    return list(dict.fromkeys([*found, *(nearest[form] for form in close)]))[:count]
