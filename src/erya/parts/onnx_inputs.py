"""From tokens to what an ONNX graph is given: ids and lengths, and for some models what stands inside the words.

ids         (B, T)   a token's place in the vocabulary; 1: unknown
lengths     (B,)     tokens of each text
characters  (B, S)   for graphs that count pieces of words: of each token of two and more characters START, the places of its
                     characters in a list of their own, END, NOTHING; one token behind the other
hashes      (B, T)   for graphs that name n-grams by hash: the 32-bit FNV-1a of each token's UTF-8 bytes, taken as signed numbers

Shapes: B texts, T tokens of the longest, S characters of the longest with what stands between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError
from erya.language import say
from erya.parts.onnx_check import MOST_WHOLE
from erya.text.batches import padded
from erya.text.tokenizers import SEPARATOR
from erya.text.vocabulary import PADDING, Vocabulary
from erya.text.vocabulary import UNKNOWN as UNKNOWN_TOKEN

NOTHING, UNKNOWN, START, END = 0, 1, 2, 3  # what stands before the characters in their list
FIRST_CHARACTER = 4
MARKS = ("nothing", "unknown", "start", "end")
FIRST_TOKEN = 2  # in a vocabulary, behind padding and the unknown token
FNV_START, FNV_PRIME = 2166136261, 16777619  # Fowler, Noll and Vo's, 32 bits


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a graph asks for.

    Attributes:
        vocabulary: of the tokens.
        characters: the place of each known character; None: it does not ask for any.
        hashed: whether it asks for hashes.
    """

    vocabulary: Vocabulary
    characters: dict[str, int] | None = None
    hashed: bool = False

    @property
    def names(self) -> list[str]:
        """Of the inputs, in their order."""
        more = [("characters", self.characters is not None), ("hashes", self.hashed)]
        return ["ids", "lengths", *(name for name, asked in more if asked)]

    def of(self, token_lists: Sequence[Sequence[str]]) -> dict[str, NDArray[np.int64]]:
        """The arrays by name, for B texts."""
        ids, lengths = padded([self.vocabulary.ids(tokens) for tokens in token_lists], width=1)
        found = {"ids": ids, "lengths": lengths}
        if self.characters is not None:
            found["characters"] = padded([self._inside(tokens) for tokens in token_lists], width=1)[0]
        if self.hashed:
            found["hashes"] = padded([[signed_hash(token) for token in tokens] for tokens in token_lists], width=1)[0]
        return found

    def _inside(self, tokens: Sequence[str]) -> list[int]:
        assert self.characters is not None
        get, found = self.characters.get, []
        for token in tokens:
            if len(token) > 1 and token != SEPARATOR:
                found += [START, *(get(character, UNKNOWN) for character in token), END, NOTHING]
        return found


def vocabulary_of(words: Sequence[str]) -> list[str]:
    """Tokens by id, of a model that has its words as a list.

    Raises:
        UsageError: a word has the name of a special token, or there are more than an ONNX file of ours may count.
    """
    specials = [PADDING, UNKNOWN_TOKEN]
    taken = [word for word in specials if word in words]
    if taken or len(words) + FIRST_TOKEN > MOST_WHOLE:
        raise UsageError(
            "other-format",
            say(
                f"as ONNX, no word may be {' or '.join(specials)}, nor may there be more than {MOST_WHOLE:,} words",
                f"写成 ONNX 时，词不能是 {' 或 '.join(specials)}，也不能超过 {MOST_WHOLE:,} 个",
            ),
            help="--set min_count=2",
        )
    return [*specials, *words]


def signed_hash(token: str) -> int:
    """FNV-1a over the UTF-8 bytes as signed characters, −2³¹ to 2³¹ − 1: what fastText calls a word's hash."""
    value = FNV_START
    for byte in token.encode("utf-8", "surrogatepass"):
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * FNV_PRIME) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value
