"""A sentence as tags are given to it: its tokens, the text they were cut from, and where each of them stands there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from erya.text.tokenizers import HAN

Offsets = tuple[tuple[int, int], ...]

_WIDE = f"{HAN}\u3001-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\u2014\u2018-\u201d\u2026\u00b7"
_CLOSING = re.compile(r"[.,;:!?%)\]}]+|\.\.\.|''|n't|'(?:s|m|d|re|ve|ll)", re.IGNORECASE)
_OPENING = re.compile(r"[(\[{$#]|``")


class Sentence(tuple[str, ...]):
    """Tokens, a tuple of T strings, that know their text.

    Equal to the plain tuple of its tokens and to every sentence of the same tokens, whatever the text. Where nobody said what
    the text is, the tokens are joined when it is first asked for.
    """

    _text: str | None = None
    _offsets: Offsets | None = None
    given: bool = False  # whether the text is what somebody wrote, and not tokens that were joined

    @classmethod
    def cut(cls, text: str, offsets: Iterable[tuple[int, int]]) -> Sentence:
        """The tokens ``text[start:end]``. Raises ValueError for offsets out of order or outside of the text."""
        places, last = tuple(offsets), 0
        for start, end in places:
            if not last <= start <= end <= len(text):
                raise ValueError(f"the offsets {start}:{end} are out of order or outside of the text")
            last = end
        made = cls([text[start:end] for start, end in places])
        made._text, made._offsets, made.given = text, places, True
        return made

    @property
    def text(self) -> str:
        """What the tokens were cut from, or the tokens joined (see ``joined``)."""
        if self._text is None:
            self._text, self._offsets = joined(self)
        return self._text

    @property
    def offsets(self) -> Offsets:
        """T pairs ``(start, end)`` in characters of ``text``, ascending."""
        if self._offsets is None:
            self._text, self._offsets = joined(self)
        return self._offsets


def joined(tokens: Sequence[str]) -> tuple[str, Offsets]:
    """Tokens as running text, and where each of them stands in it.

    A blank between two tokens, but none beside Chinese characters and marks, none before closing marks and English clitics
    (``'s``, ``n't``), none behind opening marks. What stood there really, nobody knows who has the tokens alone.
    """
    pieces: list[str] = []
    offsets: list[tuple[int, int]] = []
    length, before = 0, ""
    for token in tokens:
        if before and token and _apart(before, token):
            pieces.append(" ")
            length += 1
        pieces.append(token)
        offsets.append((length, length + len(token)))
        length += len(token)
        before = token or before
    return "".join(pieces), tuple(offsets)


def _apart(left: str, right: str) -> bool:
    """Whether a blank stands between two tokens."""
    if _is_wide(left[-1]) or _is_wide(right[0]):
        return False
    if left[-1].isspace() or right[0].isspace():
        return False
    return not (_CLOSING.fullmatch(right) or _OPENING.fullmatch(left))


_WIDE_PATTERN = re.compile(f"[{_WIDE}]")


def _is_wide(character: str) -> bool:
    return _WIDE_PATTERN.match(character) is not None
