"""The outer shell of an ``.erya`` file: a stored zip with one possible form, sealed by a SHA-256 in its comment.

Nothing in such a zip is free: given names, sizes and checksums of the parts, every other byte follows – time stamps,
offsets, padding. So a reader takes these three from the directory, computes all headers again, and compares. Overlaps,
links, absolute names, duplicates, compressed bombs, bytes between the parts: whatever is not what the writer would
have written is refused, without a list of tricks. Any unzip opens the file all the same.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from erya.errors import quoted
from erya.language import say

Piece = bytes | memoryview

ALIGNMENT = 64  # every part begins at such a multiple, for memory maps
SEAL = b"erya sha256 "  # the comment: this and the digest of all bytes before the digest, in hex
_COMMENT = len(SEAL) + 64
_END = 22 + _COMMENT
_MOST_PARTS = 16
_LONGEST_NAME = 64
_LIMIT = 0xFFFFFFFF  # sizes from here on stand in the ZIP64 fields
_DATE = 0x21  # 1980-01-01, the first day a zip can name
_PADDING_ID = 0xD935  # the extra field that Android's zipalign made known
_BLOCK = 1 << 20


class Refused(Exception):
    """A part that cannot be trusted, and why, in the user's language."""

    def __init__(self, part: str, reason: str, *, code: str = "model-damaged") -> None:
        super().__init__(reason)
        self.part = part
        self.reason = reason
        self.code = code


@dataclass(frozen=True, slots=True)
class Entry:
    """What the directory says of one part; all else follows."""

    name: str
    size: int
    checksum: int


def write(stream: BinaryIO, parts: Sequence[tuple[str, Sequence[Piece]]]) -> None:
    """Write the parts, each given in pieces, and seal the file. Same parts, same bytes."""
    seal = hashlib.sha256()

    def put(piece: Piece) -> None:
        stream.write(piece)
        seal.update(piece)

    entries = [Entry(name, sum(len(piece) for piece in pieces), _checksum(pieces)) for name, pieces in parts]
    headers, _, directory = layout(entries)
    for header, (_, pieces) in zip(headers, parts, strict=True):
        put(header)
        for piece in pieces:
            put(piece)
    put(directory)
    stream.write(seal.hexdigest().encode("ascii"))


def check_seal(data: memoryview) -> None:
    """Every byte of the file against the SHA-256 in its comment.

    Raises:
        Refused: not an ``.erya`` file (code ``model-unknown``), cut short, grown or changed; the part is named if it
            is known.
    """
    if bytes(data[:4]) != b"PK\x03\x04":
        raise Refused("", say("it is not an .erya file", "不是 .erya 文件"), code="model-unknown")
    tail = bytes(data[-_COMMENT:])
    if len(data) < _END or not tail.startswith(SEAL):
        raise Refused("", say("its end is missing, or bytes were appended", "文件结尾缺失，或末尾多出了字节"))
    digest = hashlib.sha256()
    sealed = data[:-64]
    for start in range(0, len(sealed), _BLOCK):
        digest.update(sealed[start : start + _BLOCK])
    if digest.hexdigest().encode("ascii") != tail[len(SEAL) :]:
        part = _changed_part(data)
        shown = part or say("the zip around the parts", "各部分之外的 zip")
        raise Refused(part, say(f"{shown} does not match its SHA-256", f"{shown} 与其 SHA-256 不符"))


def first_part(data: memoryview, name: str, largest: int) -> bytes:
    """The part at the head of the file, read before anything is known of the rest: it says which format follows."""
    fields = struct.unpack("<4sHHHHHIIIHH", data[:30])
    method, size, name_length, extra_length = fields[3], fields[8], fields[9], fields[10]
    start = 30 + name_length + extra_length
    if bytes(data[30 : 30 + min(name_length, _LONGEST_NAME)]) != name.encode("ascii") or method != 0:
        raise Refused(name, say("the file does not begin with it", "文件没有以它开头"), code="model-unknown")
    if size > largest or start + size > len(data):
        raise Refused(name, say("its size is wrong", "大小不对"))
    return bytes(data[start : start + size])


def open_parts(data: memoryview, names: Sequence[str]) -> dict[str, memoryview]:
    """The parts by name, as views.

    Args:
        data: the whole file, its seal already checked.
        names: all parts that the file may hold, in their order.

    Raises:
        Refused: another name, a second time, another order, or any byte around the parts that the writer would not
            write.
    """
    entries = _entries(data)
    seen = -1
    for entry in entries:
        shown = quoted(entry.name)
        if entry.name not in names:
            raise Refused(shown, say("an .erya file has no such part", ".erya 文件不应有这一部分"))
        if names.index(entry.name) <= seen:
            raise Refused(shown, say("it stands there twice or in the wrong place", "重复出现或位置不对"))
        seen = names.index(entry.name)
    headers, starts, directory = layout(entries)
    for entry, header, start in zip(entries, headers, starts, strict=True):
        if bytes(data[start - len(header) : start]) != header:
            raise Refused(entry.name, say("its zip header is not what Erya writes", "zip 头部与 Erya 的写法不符"))
    end = starts[-1] + entries[-1].size
    if bytes(data[end : len(data) - 64]) != directory:
        raise Refused("", say("its zip directory is not what Erya writes", "zip 目录与 Erya 的写法不符"))
    return {entry.name: data[start : start + entry.size] for entry, start in zip(entries, starts, strict=True)}


def layout(entries: Sequence[Entry]) -> tuple[list[bytes], list[int], bytes]:
    """Every byte around the parts.

    Returns:
        The header before each part, where each part's own bytes start, and what follows the last part up to the digest.
    """
    headers: list[bytes] = []
    starts: list[int] = []
    records: list[bytes] = []
    position = 0
    for entry in entries:
        header = _local_header(entry, position)
        records.append(_directory_record(entry, position))
        headers.append(header)
        starts.append(position + len(header))
        position += len(header) + entry.size
    return headers, starts, b"".join(records) + _end(len(entries), sum(map(len, records)), position) + SEAL


def _large(entry: Entry) -> bool:
    return entry.size >= _LIMIT


def _local_header(entry: Entry, position: int) -> bytes:
    name, size = entry.name.encode("ascii"), min(entry.size, _LIMIT)
    extra = struct.pack("<HHQQ", 1, 16, entry.size, entry.size) if _large(entry) else b""
    padding = -(position + 30 + len(name) + len(extra) + 6) % ALIGNMENT
    extra += struct.pack("<HHH", _PADDING_ID, 2 + padding, ALIGNMENT) + b"\0" * padding
    version = 45 if _large(entry) else 20
    fixed = struct.pack(
        "<4sHHHHHIIIHH", b"PK\3\4", version, 0, 0, 0, _DATE, entry.checksum, size, size, len(name), len(extra)
    )
    return fixed + name + extra


def _directory_record(entry: Entry, position: int) -> bytes:
    name, size = entry.name.encode("ascii"), min(entry.size, _LIMIT)
    values = [entry.size, entry.size] if _large(entry) else []
    values += [position] if position >= _LIMIT else []
    extra = struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""
    version = 45 if values else 20
    sizes = (len(name), len(extra), 0, 0, 0, 0o100644 << 16, min(position, _LIMIT))  # an ordinary file, rw-r--r--
    head = (b"PK\1\2", 3 << 8 | version, version, 0, 0, 0, _DATE, entry.checksum, size, size)
    return struct.pack("<4sHHHHHHIIIHHHHHII", *head, *sizes) + name + extra


def _end(count: int, length: int, position: int) -> bytes:
    """The record that closes the directory, and its ZIP64 twin where the directory lies beyond 4 GiB."""
    wide = b""
    if position >= _LIMIT:
        wide = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 3 << 8 | 45, 45, 0, 0, count, count, length, position)
        wide += struct.pack("<4sIQI", b"PK\6\7", 0, position + length, 1)
    return wide + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, length, min(position, _LIMIT), _COMMENT)


def _entries(data: memoryview) -> list[Entry]:
    """Names, sizes and checksums as the directory has them; nothing else of it is believed."""
    broken = Refused("", say("its zip directory is broken", "zip 目录已损坏"))
    if len(data) < _END:
        raise broken
    mark, _, _, _, count, length, position, _ = struct.unpack("<4sHHHHIIH", data[-_END:-_COMMENT])
    if position == _LIMIT and len(data) >= _END + 76:
        wide = struct.unpack("<4sQHHIIQQQQ", data[-_END - 76 : -_END - 20])
        length, position = wide[8], wide[9]
    if mark != b"PK\5\6" or not 1 <= count <= _MOST_PARTS or position + length > len(data) or length > 1 << 16:
        raise broken
    directory = bytes(data[position : position + length])
    entries: list[Entry] = []
    for _ in range(count):
        if len(directory) < 46:
            raise broken
        fields = struct.unpack("<4sHHHHHHIIIHHHHHII", directory[:46])
        checksum, size, name_length, extra_length, comment_length = fields[7], fields[9], *fields[10:13]
        name, extra = directory[46 : 46 + name_length], directory[46 + name_length :][:extra_length]
        if size == _LIMIT and len(extra) >= 12:
            (size,) = struct.unpack("<Q", extra[4:12])
        if size > len(data):
            raise broken
        entries.append(Entry(name.decode("ascii", "backslashreplace"), size, checksum))
        directory = directory[46 + name_length + extra_length + comment_length :]
    return entries


def _changed_part(data: memoryview) -> str:
    """Which part a damaged file was damaged in, as far as its checksums tell; empty when it is the zip around them."""
    try:
        entries = _entries(data)
        headers, starts, _ = layout(entries)
    except (Refused, UnicodeEncodeError, struct.error):
        return ""
    for entry, header, start in zip(entries, headers, starts, strict=True):
        end = start + entry.size
        if bytes(data[start - len(header) : start]) != header or end > len(data):
            return ""
        if _checksum([data[start:end]]) != entry.checksum:
            return entry.name
    return ""


def _checksum(pieces: Sequence[Piece]) -> int:
    value = 0
    for piece in pieces:
        for start in range(0, len(piece), _BLOCK):
            value = zlib.crc32(piece[start : start + _BLOCK], value)
    return value
