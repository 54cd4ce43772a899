"""Segmented text – words with blanks between them – as sentences of characters with the tags B, M, E and S.

That is what a tagger learns to find words from: Xue 2003, "Chinese Word Segmentation as Character Tagging". A unit is what
``Words`` cuts: each Han character by itself, a run of letters or digits as one; so a text without blanks is later cut as this one
was. A word that begins inside a unit (``2007年`` written as ``20 07年``) cuts the unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from erya.errors import UsageError, quoted
from erya.language import say
from erya.text.sentences import Sentence, joined
from erya.text.tokenizers import HAN, Words

Tagged = tuple[Sentence, list[str]]

_UNITS = Words(lower=False)
_HAN = re.compile(f"[{HAN}]")
_MOSTLY = 0.6  # of the fields have a letter that is not ASCII: tags are ASCII, Chinese words are not
_FIELDS = 2.5  # of a line, at least on average


def sentence(words: str | Sequence[str]) -> Tagged:
    """One sentence from its words.

    Args:
        words: a list of words, or a line with blanks between them.

    Returns:
        The units, with the text that the words make, and a tag for each: B, M, E for the units of a word of several, S for a
        word of one.
    """
    text, places = joined([word for word in words.split() if word] if isinstance(words, str) else words)
    starts, ends = {start for start, _ in places}, {end for _, end in places}
    offsets: list[tuple[int, int]] = []
    for start, end in _UNITS.spans(text):
        cuts = [place for place in range(start + 1, end) if place in starts] if end - start > 1 else []
        offsets += zip([start, *cuts], [*cuts, end], strict=True)
    tags = [_TAGS[start in starts, end in ends] for start, end in offsets]
    return Sentence.cut(text, offsets), tags


_TAGS = {(True, True): "S", (True, False): "B", (False, False): "M", (False, True): "E"}


def sentences(rows: Iterable[Any]) -> tuple[list[Sentence], list[list[str]]]:
    """X and y for a tagger from segmented sentences; those without a word are left out.

    Args:
        rows: each a list of words, or a line with blanks between them.

    Raises:
        UsageError: ``rows`` is one bare string, or a row is neither.
    """
    if isinstance(rows, str):
        raise UsageError(
            "bare-string",
            say("one string is no list of sentences", "单个字符串不是句子列表"),
            help=say("a file: erya.read(path, task='tag')", "文件请用 erya.read(path, task='tag')"),
        )
    pairs = [_checked(row) for row in rows]
    kept = [(units, tags) for units, tags in pairs if units]
    return [units for units, _ in kept], [tags for _, tags in kept]


def _checked(row: Any) -> Tagged:
    words = row.tolist() if hasattr(row, "tolist") else row
    if not isinstance(words, str) and not (
        isinstance(words, list | tuple) and all(isinstance(word, str) and word.strip() for word in words)
    ):
        raise UsageError(
            "not-tokens",
            say(f"{quoted(repr(row), 40)} is no segmented sentence", f"{quoted(repr(row), 40)} 不是分好词的句子"),
            help=say('["我", "喜欢", "北京"] or "我 喜欢 北京"', '["我", "喜欢", "北京"] 或 "我 喜欢 北京"'),
        )
    return sentence(words)


def looks_segmented(head: str) -> bool:
    """Whether a file that begins so is Chinese text with blanks between the words, and not a token a line with its columns."""
    lines = [line for line in _complete(head) if line and not line.isspace()]
    if not lines or "\t" in head or not _HAN.search(head):
        return False
    fields = [field for line in lines for field in line.split()]
    foreign = sum(not field.isascii() for field in fields)
    return len(fields) >= _FIELDS * len(lines) and foreign >= _MOSTLY * len(fields)


def _complete(head: str) -> Iterator[str]:
    """The lines, without a last one that may be cut where there are others."""
    lines = head.splitlines()
    yield from lines[:-1] if len(lines) > 1 else lines
