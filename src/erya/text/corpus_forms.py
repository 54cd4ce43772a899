"""What a byte and a code point mean to the scan: part of a word, its end, the end of a line.

``Forms`` holds for each byte the byte to count in its place (lower-cased), or one of three signs; and for each code point
its kind and its lower case, in two steps (a page of 256 code points, then the point). All is looked up in the patterns and
in the lower case of ``tokenizers``, so that the scan cuts as they do. Not here: the scan itself (``corpus_kernels.py``).
"""

from __future__ import annotations

import functools
import re

import numpy as np
from numpy.typing import NDArray

from erya.text.corpus_kernels import (
    BY_BLANKS,
    BY_BYTE,
    BY_LETTERS,
    CODE_POINT,
    DOTTED,
    HAN_LETTER,
    JOINER,
    LETTER,
    LINE_END,
    MARK,
    SEPARATOR,
    SIGMA,
    Forms,
)
from erya.text.tokenizers import HAN, Characters, Tokenizer, Whitespace, Words, marks

FILE_ENDS = b"\n\r"
UNIT, TEXT_END = b"\xff", b"\xfe"  # between tokens, after a text: bytes that no UTF-8 holds
_SEGMENTS = ((0x80, 0xD800), (0xE000, 0x40000), (0xE0000, 0xE1000))  # no letters, Han or marks elsewhere


def forms_of(tokenizer: Tokenizer, line_ends: bytes) -> Forms | None:
    """The forms for a tokenizer that the scan knows, or None.

    Args:
        tokenizer: one of ``Words``, ``Characters`` (without punctuation) and ``Whitespace``.
        line_ends: the bytes that end a line.
    """
    if isinstance(tokenizer, Whitespace):
        return between(b" \t\n\v\f\r", line_ends)._replace(swift=BY_BLANKS if line_ends == FILE_ENDS else BY_BYTE)
    if not isinstance(tokenizer, Words | Characters) or tokenizer.punctuation:
        return None
    joined = isinstance(tokenizer, Words)
    table = np.full(256, SEPARATOR, dtype=np.uint16)
    for code in range(128):
        if chr(code).isalnum():
            table[code] = ord(chr(code).lower()) if tokenizer.lower else code
    table[128:] = CODE_POINT
    table[list(line_ends)] = LINE_END
    pages, points = _points(tokenizer.lower, joined)
    return Forms(table, pages, points, joined, BY_LETTERS if joined and tokenizer.lower else BY_BYTE)


def between(separators: bytes, line_ends: bytes) -> Forms:
    """Tokens are what stands between these bytes, untouched."""
    table = np.arange(256, dtype=np.uint16)
    table[list(separators)] = SEPARATOR
    table[list(line_ends)] = LINE_END
    return Forms(table, np.zeros(0x1100, dtype=np.uint16), np.zeros(256, dtype=np.uint32), True, BY_BYTE)


def code_points(lower: bool, joined: bool) -> NDArray[np.uint32]:
    """(0x110000,) the kind of every code point in the highest byte, its lower case below; 0 where no letter, Han or mark can be."""
    table = np.zeros(0x110000, dtype=np.uint32)
    low, high = marks()
    patterns = ((LETTER, f"[^\\W_{HAN}]+"), (HAN_LETTER, f"[{HAN}]+"), (MARK, f"[{low}{high}]+"))
    for first, last in _SEGMENTS:
        text = "".join(map(chr, range(first, last)))
        codes = np.arange(first, last, dtype=np.uint32)
        table[first:last] = codes
        for kind, pattern in patterns:
            for match in re.finditer(pattern, text):
                table[first + match.start() : first + match.end()] |= np.uint32(kind << 24)
    table[0x200C:0x200E] |= np.uint32(JOINER << 24)
    if lower:
        for code in np.flatnonzero((table >> 24 == LETTER) | (table >> 24 == MARK)).tolist():
            form = chr(code).lower()
            if form != chr(code):
                table[code] = table[code] >> 24 << 24 | (ord(form) if len(form) == 1 else DOTTED)
        if joined:
            table[0x3A3] = SIGMA << 24 | 0x3C3  # its lower case looks at its neighbours in the word
    return table


@functools.cache
def _points(lower: bool, joined: bool) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """Kind and lower case of every code point, as ``Forms`` has them: pages, and the pages' points."""
    return paged(code_points(lower, joined))


def paged(table: NDArray[np.uint32]) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """A number for each code point in two steps: (0x1100,) where the page of 256 begins, in pages; the numbers of the pages."""
    found: dict[bytes, int] = {}
    pages = np.zeros(0x1100, dtype=np.uint16)
    for page in range(0x1100):
        pages[page] = found.setdefault(table[page * 256 : page * 256 + 256].tobytes(), len(found))
    return pages, np.frombuffer(b"".join(found), dtype=np.uint32).copy()
