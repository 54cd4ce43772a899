"""Tokens and their numbers.

Order: the special tokens, then by count, descending, then by the token itself – so that two runs over the same text give
the same numbers, whatever the order of the documents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from erya.errors import UsageError
from erya.language import say
from erya.state import Arrays, pack_strings, unpack_strings

PADDING = "[PAD]"
UNKNOWN = "[UNK]"


class Vocabulary:
    """Tokens by id and ids by token. Does not change once made.

    Args:
        tokens: all tokens, the special ones first; no token twice.
        specials: how many of them are special.
        counts: how often each was seen, 0 for special ones; None: all 0.

    Attributes:
        tokens: list of V strings.
        counts: int64 (V,).
        specials: the number of special tokens.
        index: the id of each token.
        unknown: the id of ``[UNK]``, or None where there is no such special token.
    """

    def __init__(self, tokens: Sequence[str], *, specials: int = 0, counts: Sequence[int] | None = None) -> None:
        self.tokens = list(tokens)
        self.specials = specials
        self.counts = np.asarray(counts if counts is not None else np.zeros(len(self.tokens)), dtype=np.int64)
        self.index = {token: number for number, token in enumerate(self.tokens)}
        if len(self.index) != len(self.tokens):
            raise ValueError("a token occurs twice in the vocabulary")
        if not 0 <= specials <= len(self.tokens) or self.counts.shape != (len(self.tokens),):
            raise ValueError("the sizes of the vocabulary do not fit each other")
        self.unknown = self.index[UNKNOWN] if UNKNOWN in self.tokens[:specials] else None

    @classmethod
    def build(
        cls,
        token_lists: Iterable[Iterable[str]],
        *,
        min_count: int = 1,
        max_size: int | None = None,
        specials: Sequence[str] = (PADDING, UNKNOWN),
    ) -> Vocabulary:
        """Count tokens and number them.

        Args:
            token_lists: one iterable of tokens a document; read once.
            min_count: rarer tokens are left out.
            max_size: the greatest V, special tokens included; None: no bound.
            specials: the first tokens, in this order; without ``[UNK]`` unknown tokens have no id.

        Raises:
            UsageError: ``max_size`` does not leave room for one token.
        """
        if max_size is not None and max_size <= len(specials):
            raise UsageError(
                "bad-setting",
                say(f"max_size must be above {len(specials)}", f"max_size 必须大于 {len(specials)}"),
            )
        seen: Counter[str] = Counter()
        for tokens in token_lists:
            seen.update(tokens)
        for special in specials:
            seen.pop(special, None)
        kept = [(token, count) for token, count in seen.items() if count >= min_count]
        kept.sort(key=lambda entry: (-entry[1], entry[0]))
        if max_size is not None:
            kept = kept[: max_size - len(specials)]
        tokens = [*specials, *(token for token, _ in kept)]
        return cls(tokens, specials=len(specials), counts=[0] * len(specials) + [count for _, count in kept])

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.index

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens, {self.specials} special)"

    def ids(self, tokens: Iterable[str]) -> list[int]:
        """The id of each token; unknown ones get the id of ``[UNK]``, or are left out where there is none."""
        index = self.index
        if self.unknown is None:
            return [index[token] for token in tokens if token in index]
        get, unknown = index.get, self.unknown
        return [get(token, unknown) for token in tokens]

    def to_arrays(self, name: str) -> Arrays:
        """``{name.bytes, name.offsets, name.counts (V,), name.specials (1,)}``, all of fixed types."""
        return {
            **pack_strings(name, self.tokens),
            f"{name}.counts": self.counts,
            f"{name}.specials": np.array([self.specials], dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays) -> Vocabulary:
        """The inverse of ``to_arrays``.

        Raises:
            KeyError: an array is missing.
            ValueError: the arrays do not make a vocabulary.
        """
        specials, counts = arrays[f"{name}.specials"], arrays[f"{name}.counts"]
        if specials.shape != (1,) or specials.dtype != np.int64 or counts.dtype != np.int64 or counts.ndim != 1:
            raise ValueError(f"{name}: not a vocabulary")
        vocabulary = cls(unpack_strings(name, arrays), specials=int(specials[0]))
        if counts.shape != (len(vocabulary),) or (len(counts) and int(counts.min()) < 0):
            raise ValueError(f"{name}: the counts do not fit the tokens")
        vocabulary.counts = counts
        return vocabulary
