"""What the verbs say of word vectors: a word to begin with, words as one types them."""

from __future__ import annotations

from collections.abc import Sequence

from erya.errors import quoted, typed

TELLING = ("king", "北京", "国王", "paris", "music", "音乐", "love", "月")


def example_word(words: Sequence[str]) -> str:
    """A word of this vocabulary that makes a good first question, as one types it.

    Args:
        words: by count descending.
    """
    known = set(words[:200_000])
    for word in TELLING:
        if word in known:
            return word
    frequent = [word for word in words[:500] if word.isalpha()]
    return typed(max(frequent, key=_length)) if frequent else typed(words[0]) if len(words) else "WORD"


def _length(word: str) -> int:
    return len(word) * (2 if "\u4e00" <= word[0] <= "\u9fff" else 1)


def listed(words: Sequence[str], most: int = 8) -> str:
    """Words in a line, cut where there are many."""
    return ", ".join(quoted(word, 30) for word in words[:most]) + (" …" if len(words) > most else "")
