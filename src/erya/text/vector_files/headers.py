"""What the first bytes of a vector file say: its format, its header, its width."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import NamedTuple

from erya.language import say
from erya.text.vector_files import complaints
from erya.text.vector_files.source import LONGEST_ROW, Source
from erya.text.vector_files.table import MOST_DIMS, MOST_WORDS

MARK = b"\xef\xbb\xbf"  # UTF-8's byte order mark, which Windows programs write
NUMPY = b"\x93NUMPY"
_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?([+-]?[0-9]{1,60})[ \t]+([+-]?[0-9]{1,60})[ \t\r]*\n")
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_LOOKED_AT = 10  # lines
_BYTES_LOOKED_AT = 1 << 18  # no more lines than begin within these


class Header(NamedTuple):
    """``V D`` of a file's first line, and how many bytes it takes."""

    words: int
    dims: int
    size: int


def format_of(source: Source) -> str | None:
    """The format that the first bytes show, or None."""
    _wait_for_line(source)
    head = source.piece(0, min(source.end, LONGEST_ROW))
    if head.startswith(NUMPY):
        return "numpy"
    match = _HEADER.match(head)
    if match:
        dims = int(match[2])
        rest = head[match.end() :]
        line = rest.lstrip(b"\r\n").split(b"\n", 1)[0]
        found = _numbers(line)
        if found != dims and _is_binary(rest):
            return "word2vec-bin"
        if found == dims or found != 1:
            return "fasttext-vec" if line.rstrip(b"\r").endswith(b" ") else "word2vec-text"
    lines = _first_lines(source, head)
    width = _usual(lines)
    if width < 2:
        return None
    sound = [line for line in lines if _numbers(line) == width and len(line.split()) == width + 1]
    return "glove" if 2 * len(sound) > len(lines) else None


def header(source: Source, row_bytes: int, number_bytes: int, limit: int | None) -> Header:
    """The header, held against what the file can hold: a row takes at least ``row_bytes + D · number_bytes``.

    Raises:
        ModelFileError: there is none, or it announces what cannot be.
    """
    match = _HEADER.match(source.piece(0, min(source.end, 256)))
    if not match:
        raise complaints.header(
            source,
            say(
                "the first line must be two whole numbers, how many words and how many dimensions",
                "首行应为两个整数：词数与维数",
            ),
        )
    words, dims = int(match[1]), int(match[2])
    if words < 0 or dims < 1:
        raise complaints.header(
            source,
            say(f"its header announces {words:,} words of {dims:,} numbers", f"文件头声明 {words:,} 个词、{dims:,} 维"),
        )
    if dims > MOST_DIMS or words > MOST_WORDS:
        raise complaints.header(
            source,
            say(
                f"its header announces {words:,} words of {dims:,} numbers; at most {MOST_WORDS:,} of {MOST_DIMS:,} are read",
                f"文件头声明 {words:,} 个词、{dims:,} 维，超出上限（{MOST_WORDS:,} 个词、{MOST_DIMS:,} 维）",
            ),
            "vectors-too-large",
        )
    source.at = match.end()
    needed = min(words, words if limit is None else limit) * (row_bytes + dims * number_bytes)
    unread = source.unread()
    if unread is not None and needed > unread + 1:  # the last line end may be missing
        raise complaints.header(
            source,
            say(
                f"its header announces {words:,} words of {dims:,} numbers, at least {needed:,} bytes; {unread:,} follow",
                f"文件头声明 {words:,} 个词、{dims:,} 维，至少要 {needed:,} 字节，其后却只有 {unread:,} 字节",
            ),
            "vectors-short",
        )
    return Header(words, dims, match.end())


def width_without_header(source: Source) -> int:
    """The width of GloVe text: that of most of the first lines.

    Raises:
        ModelFileError: there is no line, or one has more numbers than are read.
    """
    _wait_for_line(source)
    head = source.piece(0, min(source.end, LONGEST_ROW))
    if head.startswith(MARK):
        source.at = len(MARK)
    lines = _first_lines(source, head)
    if not lines:
        raise complaints.empty(source)
    width = _usual(lines)
    if not 1 <= width <= MOST_DIMS:
        raise complaints.header(
            source, say("its lines are not a word and numbers", "各行不是一个词加若干数"), "vectors-unknown-format"
        )
    return width


def _wait_for_line(source: Source) -> None:
    """Widen the window until a line end is in it, or the file or the patience ends."""
    while not source.ended and source.end < LONGEST_ROW and 10 not in source.data[: source.end]:
        source.fill()


def _first_lines(source: Source, head: bytes) -> list[bytes]:
    """The first whole lines that are not empty."""
    lines = head.removeprefix(MARK).split(b"\n", _LOOKED_AT + 1)
    if len(lines) > 1 and not (source.ended and len(lines) <= _LOOKED_AT + 1):
        lines.pop()  # cut off, or all the rest
    lines = [line for line in lines[:_LOOKED_AT] if line.strip()]
    sizes = itertools.accumulate(map(len, lines), initial=0)
    return [line for line, before in zip(lines, sizes, strict=False) if before < _BYTES_LOOKED_AT]


def _usual(lines: list[bytes]) -> int:
    widths = Counter(_numbers(line) for line in lines)
    return widths.most_common(1)[0][0] if widths else 0


def _numbers(line: bytes) -> int:
    """How many of a line's last fields are numbers; its first one is a word in any case. 0 where they are too many."""
    fields = line.split(maxsplit=MOST_DIMS + 1)
    if len(fields) == MOST_DIMS + 2:
        return 0
    count = 0
    for field in reversed(fields[1:]):
        if not _NUMBER.fullmatch(field):
            break
        count += 1
    return count


def _is_binary(rest: bytes) -> bool:
    """After the first word come bytes that lines of text do not have: control characters, or no UTF-8."""
    start = rest.find(b" ") + 1
    numbers = rest[start : start + 4096]
    if any(byte < 9 or 13 < byte < 32 or byte == 127 for byte in numbers):
        return True
    try:
        numbers.decode()
    except UnicodeDecodeError as error:
        return error.start < len(numbers) - 3  # else only the cut went through a character
    return False
