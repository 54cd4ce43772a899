"""Which encoding a file is in: UTF-8 and whatever says so itself are taken, anything else is named and asked for.

Taken: UTF-8 with or without a byte order mark, UTF-16 and UTF-32 with one. Everything else is a guess, and a wrong guess
turns into wrong text without an error – so the reader stops, says what the bytes look like, and takes the user's word
(``encoding="gb18030"``). NUL bytes in valid UTF-8 are ordinary characters.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import NamedTuple

from erya.errors import UsageError, nearest, quoted
from erya.language import say

_MARKS = (  # the longer ones first: UTF-32 begins like UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMMON = ("utf-8", "gb18030", "gbk", "gb2312", "big5", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252")
_ASCII_BASED = ("utf-8", "ascii", "gb", "big5", "cp", "latin", "iso8859", "iso-8859", "koi8", "euc", "shift_jis", "mac")


class Found(NamedTuple):
    """What the first bytes say.

    Attributes:
        name: the encoding to read with.
        mark: bytes of the byte order mark to leave out.
        suspect: not None where the bytes look like an encoding that does not say so itself.
    """

    name: str
    mark: int
    suspect: str | None


def find(first: bytes, told: str | None) -> Found:
    """The encoding of a file, from its first block.

    Args:
        first: the beginning of the file, a few bytes or a block.
        told: what the user says; it wins.

    Raises:
        UsageError: the user names an encoding that does not exist.
    """
    marked = next(((name, len(mark)) for mark, name in _MARKS if first.startswith(mark)), None)
    if told is not None:
        name = checked(told)
        if marked and (marked[0] == name or marked[0].startswith(name) or name == "utf-8-sig"):
            return Found(marked[0], marked[1], None)
        return Found({"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}.get(name, name), 0, None)
    if marked:
        return Found(*marked, None)
    return Found("utf-8", 0, _wide(first[:4096]) or _wide_chinese(first[:4096]))


def checked(name: str) -> str:
    """The usual spelling of an encoding's name. Raises UsageError where there is none such, or it is not for text."""
    try:
        info = codecs.lookup(name)
        if not info._is_text_encoding:
            raise LookupError(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError) as error:
        guess = nearest(name, _COMMON)
        raise UsageError(
            "unknown-encoding",
            say(f"there is no encoding '{quoted(name)}'", f"没有名为 '{quoted(name)}' 的编码"),
            help=f"--encoding {guess or 'gb18030'}",
        ) from error
    return info.name


def line_based(name: str) -> bool:
    r"""Whether the bytes of ``\n``, ``,`` and ``"`` mean these characters wherever they stand in a file of this encoding."""
    return name.startswith(_ASCII_BASED) and name not in (
        "cp037",
        "cp500",
        "cp875",
        "cp1026",
        "cp1140",
        "cp273",
        "cp424",
    )


def transcoded(source: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Blocks in any encoding as blocks of UTF-8; what is not valid comes out as the byte 0xFF, which UTF-8 never uses, so
    that the row which holds it is found and no other is touched.
    """
    decoder = codecs.getincrementaldecoder(name)(errors="erya-invalid")
    for block in source:
        yield decoder.decode(block).encode("utf-8", "surrogateescape")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")


def _invalid(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", max(error.end, error.start + 1)


codecs.register_error("erya-invalid", _invalid)


# ---- guesses, for the message ------------------------------------------------------------------------------------


def _wide(first: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: every other byte, or three of four, is NUL; no text is like that."""
    if len(first) < 8 or first.count(0) < len(first) * 0.3:
        return None
    nul = [first[place::4].count(0) / (len(first[place::4]) or 1) for place in range(4)]
    if min(nul[1:]) > 0.6 and nul[0] < 0.1:
        return "utf-32-le"
    if min(nul[:3]) > 0.6 and nul[3] < 0.1:
        return "utf-32-be"
    if min(nul[1], nul[3]) > 0.6 and max(nul[0], nul[2]) < 0.1:
        return "utf-16-le"
    if min(nul[0], nul[2]) > 0.6 and max(nul[1], nul[3]) < 0.1:
        return "utf-16-be"
    return None


def guess(sample: bytes) -> str | None:
    """What bytes that could not be decoded look like, or None. For a message only: it can be wrong.

    Args:
        sample: some rows with bad bytes, at most 64 KiB.
    """
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"  # where the user told something else
    wide = _wide(sample) or _wide_chinese(sample)
    if wide:
        return wide
    pairs = _pairs(sample)
    leads = [
        lead for lead, _ in pairs if lead not in (0xA1, 0xA2, 0xA3)
    ]  # those are punctuation and full-width letters
    if len(leads) >= 2:
        east = _eastern(leads, [trail for _, trail in pairs])
        if east:
            return east
    western = sample.decode("cp1252", "replace")
    if all(character in _WESTERN or character.isascii() for character in western):
        return "cp1252"
    import charset_normalizer  # slow to import, and only a broken file needs it

    found = charset_normalizer.from_bytes(sample).best()
    if found is None or found.encoding in ("ascii", "utf_8"):
        return None
    return codecs.lookup(found.encoding).name


_WESTERN = "éèêëàâäáåãæçñóôöòõøúùûüíìîïßœÿÉÈÊÀÂÄÁÅÃÆÇÑÓÔÖØÚÜÍÎ€£§°«»¿¡‘’“”–—…·•®©´"


def _pairs(sample: bytes) -> list[tuple[int, int]]:
    """Bytes two by two, from each that is not ASCII."""
    pairs: list[tuple[int, int]] = []
    place = 0
    while place < len(sample) - 1:
        if sample[place] < 0x80:
            place += 1
        else:
            pairs.append((sample[place], sample[place + 1]))
            place += 2
    return pairs


def _eastern(leads: list[int], trails: list[int]) -> str | None:
    """Which two-byte standard. Each puts its frequent characters in known rows, named by the first byte."""
    count = len(leads)
    high = all(trail >= 0xA1 for trail in trails)
    kana = sum(lead in (0xA4, 0xA5) for lead in leads) / count
    if high and kana > 0.35:
        return "euc_jp"
    hangul = sum(0xB0 <= lead <= 0xC8 for lead in leads) / count
    if high and hangul > 0.98 and count >= 12:  # Chinese words from s to z lie beyond
        return "euc_kr"
    simplified = sum(0xB0 <= lead <= 0xD7 for lead in leads) / count
    traditional = sum(0xA4 <= lead <= 0xC6 for lead in leads) / count
    if high and simplified > 0.6:
        return "gb18030"
    if traditional > 0.6 and all(0x40 <= trail <= 0x7E or trail >= 0xA1 for trail in trails):
        return "big5"
    if simplified > 0.6:
        return "gb18030"
    return None


def _wide_chinese(sample: bytes) -> str | None:
    """UTF-16 Chinese without a mark has few NULs, but as UTF-16 nearly all of it is Han."""
    if b"\0" not in sample or _is_utf8(sample):
        return None
    for name in ("utf-16-le", "utf-16-be"):
        text = sample[: len(sample) // 2 * 2].decode(name, "replace")
        han = sum("\u4e00" <= character <= "\u9fff" for character in text)
        plain = sum(character in "，。！？、：；\n\r\t ,." or character.isascii() for character in text)
        if text and han + plain > 0.9 * len(text) and plain and han:
            return name
    return None


def _is_utf8(sample: bytes) -> bool:
    """Whether these bytes may be the beginning of a UTF-8 file."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True
