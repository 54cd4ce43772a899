"""The tokens of many texts as numbers: what ``tokenizers.tokens_of`` gives for each, some thirty times faster.

A table remembers every token it has met, so that a number stands for the same token in every call. Texts of tokenizers that the
kernel does not know, and texts that it finds hard, go through Python, token by token; the numbers are the same.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.text import token_kernels as kernels
from erya.text.corpus_forms import code_points, paged
from erya.text.corpus_kernels import DONE, DOTTED, JOINER
from erya.text.corpus_table import WordTable
from erya.text.token_kernels import HARD_POINT, LETTER, OTHER, SPACE, Kinds
from erya.text.tokenizers import SEPARATOR, Characters, Document, Tokenizer, Whitespace, Words, token_lists

LONGEST = 1024  # bytes of a token; a text with a longer one goes through Python
SPARE_WORDS = 1 << 18  # tokens kept beyond those given at first; with more, all but those are forgotten
SPARE_EIGHTS = 1 << 21  # likewise, 8 bytes each
_FLAGS_AND_TONES = ((0x1F1E6, 0x1F200), (0x1F3FB, 0x1F400))
_LAST_SPACE = 0x3000  # the highest code point that is white space
_LAST_CASE = 0x20000  # no lower case beyond


class Numbered(NamedTuple):
    """N documents as numbers of tokens, one after the other."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]  # (N + 1,)


class TokenNumbers:
    """Numbers for tokens.

    Args:
        tokenizer: cuts the texts.
        closing: a token that closes every document.
        words: tokens that have the numbers 0, 1, 2 …, each once.

    Attributes:
        table: the words by number and the numbers by word.
        closing: the number of the closing token.
        lock: to be held while numbers are asked for and used, where threads share the table.
        lasting: how many numbers never change; others are given anew from time to time, see ``forget``.
    """

    def __init__(self, tokenizer: Tokenizer, closing: str, words: Sequence[str] = ()) -> None:
        self.tokenizer, self.lock = tokenizer, threading.RLock()
        self.table = WordTable(max(1 << 12, 2 * len(words)), LONGEST // 8 + 4)
        self._seen: dict[str, int] = {}
        for word in words:
            self._number(word)
        self.closing, self._between, blank = (self._number(word) for word in (closing, SEPARATOR, " "))
        self.lasting, self._eights = len(self.table), int(self.table.table.used[1])
        kinds = kinds_of(tokenizer)
        self._kinds = None if kinds is None else kinds._replace(blank=-1 if kinds.joined or not kinds.others else blank)

    def _number(self, word: str) -> int:
        found = self._seen.get(word)
        if found is None:
            found = self._seen[word] = self.table.add(word.encode("utf-8", "surrogatepass"))
        return found

    def words(self, first: int = 0) -> list[str]:
        """The tokens from number ``first`` on."""
        found = self.table.words(np.arange(first, len(self.table)))
        return [word.decode("utf-8", "surrogatepass") for word in found]

    def forget(self) -> bool:
        """Where the table has become large: forget what is not lasting. Whether it did; numbers beyond are given anew then."""
        used = self.table.table.used
        if len(self.table) <= self.lasting + SPARE_WORDS and int(used[1]) <= self._eights + SPARE_EIGHTS:
            return False
        self.table.keep(np.arange(len(self.table)) < self.lasting)
        self._seen = {word: number for word, number in self._seen.items() if number < self.lasting}
        return True

    def number(self, documents: Sequence[Document]) -> Numbered:
        """The tokens of each text or pair of texts, ``closing`` after each, ``SEPARATOR`` between the texts of a pair."""
        if all(map(str.__instancecheck__, documents)):
            pieces: Sequence[Any] = documents
            ends = np.arange(1, len(documents) + 1, dtype=np.int64)
        else:
            pieces = [
                text for document in documents for text in ([document] if isinstance(document, str) else document)
            ]
            ends = np.cumsum([1 if isinstance(document, str) else 2 for document in documents], dtype=np.int64)
        closing = np.full(len(pieces), self._between, dtype=np.int32)
        closing[ends - 1] = self.closing
        ids, piece_ends = self._scan(pieces, closing)
        return Numbered(ids, np.concatenate([[0], piece_ends[ends - 1]]).astype(np.int64))

    def _scan(self, texts: Sequence[str], closing: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Ids of all texts, and where each one's end."""
        ends, hard = np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=np.bool_)
        if self._kinds is None:
            ids, hard[:] = np.zeros(0, dtype=np.int32), True
        else:
            encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
            begins = np.zeros(len(texts) + 1, dtype=np.int64)
            np.cumsum(np.fromiter(map(len, encoded), dtype=np.int64, count=len(texts)), out=begins[1:])
            data = np.frombuffer(b"".join([*encoded, b"\0\0\0\0"]), dtype=np.uint8)
            ids, state = np.empty(len(data) + len(texts), dtype=np.int32), np.zeros(2, dtype=np.int64)
            while (
                kernels.tokenize(data, begins, closing, self._kinds, self.table.table, ids, ends, hard, state) != DONE
            ):
                self.table.grow()
            ids = ids[: state[kernels.WRITTEN]]
        return self._with_hard(texts, closing, ids, ends, hard) if hard.any() else (ids.copy(), ends)

    def _with_hard(
        self,
        texts: Sequence[str],
        closing: NDArray[np.int32],
        ids: NDArray[np.int32],
        ends: NDArray[np.int64],
        hard: NDArray[np.bool_],
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids with those of hard texts in their places."""
        parts, before, sizes = list[NDArray[np.int32]](), 0, np.diff(ends, prepend=0)
        places = np.flatnonzero(hard).tolist()
        lists = token_lists(self.tokenizer, (texts[place] for place in places))
        for place, tokens in zip(places, lists, strict=True):
            mine = [self._number(token) for token in tokens]
            mine.append(int(closing[place]))
            parts += [ids[before : ends[place]], np.array(mine, dtype=np.int32)]
            before, sizes[place] = int(ends[place]), len(mine)
        return np.concatenate([*parts, ids[before:]]), np.cumsum(sizes)


def kinds_of(tokenizer: Tokenizer) -> Kinds | None:
    """The kinds for a tokenizer that the kernel knows, or None."""
    if isinstance(tokenizer, Whitespace):
        table = np.full(256, LETTER << 8, dtype=np.uint16) | np.arange(256, dtype=np.uint16)
        table[128:] = (LETTER << 8) | table[128:] & 255
        table[list(b" \t\n\v\f\r")] = SPACE << 8
        return Kinds(table, np.zeros(0x1100, np.uint16), np.zeros(256, np.uint32), True, True, -1, LONGEST)
    if not isinstance(tokenizer, Words | Characters):
        return None
    return _kinds(tokenizer.lower, isinstance(tokenizer, Words), tokenizer.punctuation)


@functools.cache
def _kinds(lower: bool, joined: bool, others: bool) -> Kinds:
    """How ``Words`` and ``Characters`` read code points."""
    table = np.zeros(256, dtype=np.uint16)
    for code in range(128):
        kind = SPACE if chr(code).isspace() else LETTER if chr(code).isalnum() else OTHER
        table[code] = kind << 8 | (ord(chr(code).lower()) if lower else code)
    table[128:] = kernels.BEYOND << 8
    points = code_points(lower, joined)
    codes = np.arange(len(points), dtype=np.uint32)
    kinds: NDArray[np.uint32] = points >> np.uint32(24)
    forms: NDArray[np.uint32] = np.where(kinds == OTHER, codes, points & np.uint32(0xFFFFFF)).astype(np.uint32)
    kinds[forms == DOTTED] = HARD_POINT
    if lower:
        for code in np.flatnonzero(kinds[:_LAST_CASE] == OTHER).tolist():  # Ⓐ is no letter and has a lower case
            changed = chr(code).lower()
            if len(changed) == 1 and ord(changed) != code:
                forms[code] = ord(changed)
    kinds[[code for code in range(_LAST_SPACE + 1) if chr(code).isspace()]] = SPACE
    if joined:
        for first, last in _FLAGS_AND_TONES:
            kinds[first:last] = HARD_POINT
    else:
        kinds[kinds == JOINER] = OTHER
        forms[0x200C:0x200E] = codes[0x200C:0x200E]
    return Kinds(table, *paged(kinds << np.uint32(24) | forms), joined, others, -1, LONGEST)
