r"""A file in pieces that several processes can work on: cut behind the first ``\n`` after every 16 MiB of the unpacked file.

Where it is cut depends on nothing but the file's bytes. What is kept of each piece is packed for itself, and archives one behind
the other are one archive; so the output has the same bytes whether one process wrote it or twenty did.
"""

from __future__ import annotations

import gzip
import io
import lzma
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from erya.errors import DataError, ResourceError
from erya.language import say
from erya.text.files import BLOCK, LINE_LIMIT, unreadable

PIECE = 16 << 20  # bytes, unpacked


@dataclass(frozen=True, slots=True)
class Piece:
    """Some whole lines of a file.

    Attributes:
        start: the first byte's place in the unpacked file.
        end: the place behind the last one.
        data: the bytes; of a line over the limit only so many that it is seen to be over it.
    """

    start: int
    end: int
    data: bytes


def pieces_of(blocks: Iterable[bytes], *, size: int | None = None, limit: int = LINE_LIMIT) -> Iterator[Piece]:
    """Blocks of bytes as pieces, in memory that does not grow.

    Args:
        blocks: of the unpacked file, from its beginning.
        size: about how long a piece is; None: ``PIECE``.
        limit: bytes of the longest line that is held.
    """
    size = size or PIECE
    start = place = 0  # of this piece, and of what comes next
    held: list[bytes] = []
    shortener = _Shortener(limit)
    for block in blocks:
        rest = block
        while rest:
            boundary = (start // size + 1) * size
            found = rest.find(b"\n", max(0, boundary - 1 - place))
            taken = rest if found < 0 else rest[: found + 1]
            held.append(shortener.feed(taken))
            place += len(taken)
            rest = rest[len(taken) :]
            if found >= 0:
                yield Piece(start, place, b"".join(held))
                start, held = place, []
    if held:
        yield Piece(start, place, b"".join(held))


def ranges_of(path: Path, *, size: int | None = None) -> Iterator[tuple[int, int]]:
    """Where the pieces of an unpacked file lie: the same that ``pieces_of`` gives, found without reading it all.

    Raises:
        DataError: the file cannot be read.
    """
    size = size or PIECE
    try:
        with path.open("rb") as file:
            length = file.seek(0, io.SEEK_END)
            start = 0
            while start < length:
                end = _behind_line(file, (start // size + 1) * size - 1, length)
                yield start, end
                start = end
    except OSError as error:
        raise unreadable(path, error) from error


def _behind_line(file: BinaryIO, place: int, length: int) -> int:
    r"""The place behind the first ``\n`` from ``place`` on, or the end."""
    file.seek(min(place, length))
    while block := file.read(1 << 16):
        found = block.find(b"\n")
        if found >= 0:
            return file.tell() - len(block) + found + 1
    return length


def piece_at(path: Path, start: int, end: int, *, limit: int = LINE_LIMIT) -> Piece:
    """A piece of an unpacked file. Raises DataError where it cannot be read, or has become shorter."""
    shortener, held, left = _Shortener(limit), [], end - start
    try:
        with path.open("rb") as file:
            file.seek(start)
            while left and (block := file.read(min(BLOCK, left))):
                held.append(shortener.feed(block))
                left -= len(block)
    except OSError as error:
        raise unreadable(path, error) from error
    if left:
        raise DataError(
            "file-changed",
            say(f"{path.name} became shorter while it was read", f"读取期间 {path.name} 变短了"),
            help=say("run the same command again when it is complete", "等文件写完后再运行同一条命令"),
        )
    return Piece(start, end, b"".join(held))


class _Shortener:
    """Leaves out of a line over the limit what is not needed to see that it is over it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.run = 0  # bytes of the line that has not ended

    def feed(self, block: bytes) -> bytes:
        """What of the block is to be held."""
        last = max(block.rfind(b"\n"), block.rfind(b"\r"))
        if self.run + len(block) <= self.limit:
            self.run = len(block) - 1 - last if last >= 0 else self.run + len(block)
            return block
        kept = []
        for line in block.splitlines(keepends=True):
            body = line.rstrip(b"\r\n")
            kept.append(body[: max(0, self.limit + 1 - self.run)] + line[len(body) :])
            self.run = self.run + len(line) if len(body) == len(line) else 0
        return b"".join(kept)


def line_ends(data: bytes) -> int:
    r"""How many lines end in these bytes: ``\n``, ``\r\n`` and ``\r`` end one."""
    returns = data.count(b"\r")
    return data.count(b"\n") + (returns - data.count(b"\r\n") if returns else 0)


# ---- packing -----------------------------------------------------------------------------------------------------


def pack(data: bytes, kind: str | None) -> bytes:
    """Bytes as an archive of its own; as they are where ``kind`` is None."""
    if kind is None:
        return data
    stream = io.BytesIO()
    with packed(stream, kind) as file:
        file.write(data)
    return stream.getvalue()


@contextmanager
def packed(stream: BinaryIO, kind: str | None) -> Iterator[BinaryIO]:
    """A stream whose bytes go packed into ``stream``; no name and no time in it, so that equal bytes give equal bytes.

    Args:
        stream: stays open.
        kind: what ``files.packing`` tells: ``"gzip" "xz" "zstd"``, or None: not packed.

    Raises:
        ResourceError: zstd, and no library for it.
    """
    if kind == "gzip":
        with gzip.GzipFile("", "wb", 6, stream, mtime=0) as file:
            yield cast(BinaryIO, file)
    elif kind == "xz":
        with lzma.LZMAFile(stream, "wb") as file:
            yield cast(BinaryIO, file)
    elif kind == "zstd":
        with _zstd_writer(stream) as file:
            yield file
    else:
        yield stream


def _zstd_writer(stream: BinaryIO) -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdFile(stream, "wb")
    try:
        import zstandard
    except ImportError as error:
        raise ResourceError(
            "zstandard-missing",
            say("writing .zst files needs the package zstandard", "写入 .zst 文件需要 zstandard 包"),
            help="pip install zstandard",
        ) from error
    return zstandard.ZstdCompressor().stream_writer(stream, closefd=False)
