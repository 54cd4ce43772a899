"""Files as bytes and lines: plain or .gz, .xz, .zst (told by their first bytes, not their names), streamed.

Memory is bounded whatever the file holds: data comes in blocks, a line longer than the limit is never held whole, and an
archive that unpacks to far more than any text does is refused.
"""

from __future__ import annotations

import itertools
import lzma
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from erya.errors import DataError, ResourceError, nearest_file, quoted, typed
from erya.language import say

BLOCK = 1 << 20  # bytes read or unpacked at once
LINE_LIMIT = 64 << 20  # bytes; a longer line is an error, not a text
BOMB_SIZE = 4 << 30  # an archive may unpack to this much …
BOMB_RATIO = 250  # … or to this many times its size, whichever is more (text packs 3 to 20 times)
_XZ_MEMORY = 512 << 20  # bytes an .xz file may ask for (xz -9 asks for 65 MiB)

Source = Path | BinaryIO


class Line(NamedTuple):
    """One physical line.

    Attributes:
        number: 1-based.
        start: 0-based offset of its first byte in the unpacked file.
        raw: its bytes without the line end; of a line over the limit only the beginning.
        end: the line end itself; empty at the end of a file.
        size: its length in bytes, without the line end.
        whole: False for a line over the limit.
    """

    number: int
    start: int
    raw: bytes
    end: bytes
    size: int
    whole: bool


def name_of(source: Source) -> str:
    """The file's name, as messages show it."""
    return quoted(source.name) if isinstance(source, Path) else say("standard input", "标准输入")


def blocks(source: Source, *, bomb_size: int = BOMB_SIZE) -> Iterator[bytes]:
    """The bytes of a file, unpacked, in blocks of bounded size.

    Args:
        source: a path, or an open binary file (standard input), which is not closed.
        bomb_size: how much an archive may unpack to regardless of its own size.

    Raises:
        DataError: the file cannot be opened, or an archive is damaged, cut off or a bomb.
        ResourceError: a .zst file, and no library to unpack it.
    """
    if not isinstance(source, Path):
        yield from _unpacked(source, name_of(source), bomb_size)
        return
    try:
        with source.open("rb") as file:
            yield from _unpacked(file, name_of(source), bomb_size)
    except OSError as error:
        raise unreadable(source, error) from error


def lines(source: Iterator[bytes], *, limit: int = LINE_LIMIT, start: int = 0) -> Iterator[Line]:
    r"""Blocks of bytes as lines; ``\n``, ``\r\n`` and ``\r`` end one, mixed or not.

    Args:
        source: what ``blocks`` gives.
        limit: bytes of the longest line that is held; of longer ones only the beginning comes.
        start: bytes of the file that came before (a byte order mark).
    """
    number, size = 1, 0
    held: list[bytes] = []  # the beginning of a line whose end has not come yet
    for block in _whole_ends(source):
        for piece in block.splitlines(keepends=True):
            body = piece.rstrip(b"\r\n")
            length = len(body)
            if len(piece) == length:  # no end: the line goes on in the next block
                held.append(body)
                size += length
                if size > limit and len(held) > 1:
                    held = [held[0][:1000]]
                continue
            if held:
                size += length
                held.append(body)
                body = b"".join(held) if size <= limit else held[0][:1000]
                held, length, size = [], size, 0
            whole = length <= limit
            yield Line(number, start, body if whole else body[:1000], piece[-_ending(piece) :], length, whole)
            number += 1
            start += length + _ending(piece)
    if held:
        whole = size <= limit
        yield Line(number, start, b"".join(held) if whole else held[0][:1000], b"", size, whole)


def _ending(piece: bytes) -> int:
    return 2 if piece.endswith(b"\r\n") else 1


def _whole_ends(source: Iterator[bytes]) -> Iterator[bytes]:
    r"""The same bytes, but no block ends between ``\r`` and ``\n``."""
    kept = b""
    for block in source:
        joined = kept + block if kept else block
        if joined.endswith(b"\r"):
            joined, kept = joined[:-1], b"\r"
        else:
            kept = b""
        yield joined
    if kept:
        yield kept


def unreadable(path: Path, error: OSError) -> DataError:
    """The error for a path that cannot be opened, with the nearest name beside it."""
    if isinstance(error, FileNotFoundError):
        return missing(path)
    reason, name = error.strerror or str(error), quoted(path.name or path)
    return DataError(
        "file-unreadable",
        say(f"{name} cannot be read: {reason}", f"无法读取 {name}：{reason}"),
        where=quoted(path, 200),
        help=f"ls -ld {typed(path)}",
    )


def missing(path: Path) -> DataError:
    """The error for a file that is not there, with the nearest name in its folder."""
    folder = path.parent
    guess = nearest_file(path.name, _names_in(folder))
    if path.is_symlink():
        help = say(f"it is a link that leads nowhere: ls -l {typed(path)}", f"它是失效的链接：ls -l {typed(path)}")
    elif guess:
        meant = typed(folder / guess)
        help = say(f"did you mean '{quoted(guess)}'?  →  {meant}", f"是不是 '{quoted(guess)}'？  →  {meant}")
    elif not folder.is_dir():
        help = say(f"the folder is not there either: {quoted(folder, 200)}", f"文件夹也不存在：{quoted(folder, 200)}")
    else:
        help = f"ls {typed(folder)}"
    return DataError(
        "file-missing",
        say(f"there is no file {quoted(path.name)}", f"找不到文件 {quoted(path.name)}"),
        where=quoted(path, 200),
        help=help,
    )


def _names_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in itertools.islice(folder.iterdir(), 10_000)]
    except OSError:
        return []


# ---- archives ----------------------------------------------------------------------------------------------------


class _Gzip:
    portion = 1 << 16

    def __init__(self) -> None:
        self._engine = zlib.decompressobj(wbits=31)  # 31: gzip with its check sum

    @property
    def ended(self) -> bool:
        return self._engine.eof

    @property
    def unused(self) -> bytes:
        return self._engine.unused_data.lstrip(b"\0")  # padding after the end

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            unpacked = self._engine.decompress(data, BLOCK)
            if unpacked:
                yield unpacked
            data = self._engine.unconsumed_tail


class _Xz:
    portion = 1 << 16

    def __init__(self) -> None:
        self._engine = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    @property
    def ended(self) -> bool:
        return self._engine.eof

    @property
    def unused(self) -> bytes:
        return self._engine.unused_data.lstrip(b"\0")  # padding between streams

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            unpacked = self._engine.decompress(data, BLOCK)
            if unpacked:
                yield unpacked
            if self._engine.eof or self._engine.needs_input:
                return
            data = b""


class _Zstd:
    portion = 1 << 10  # one call unpacks all it is given: this much can grow to 32 MiB, not more

    def __init__(self) -> None:
        self._engine = _zstd_engine()

    @property
    def ended(self) -> bool:
        return bool(self._engine.eof)

    @property
    def unused(self) -> bytes:
        return bytes(self._engine.unused_data)

    def feed(self, data: bytes) -> Iterator[bytes]:
        unpacked: bytes = self._engine.decompress(data)
        for start in range(0, len(unpacked), BLOCK):
            yield unpacked[start : start + BLOCK]


def _zstd_engine() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdDecompressor()
    try:
        import zstandard
    except ImportError as error:
        raise ResourceError(
            "zstandard-missing",
            say("reading .zst files needs the package zstandard", "读取 .zst 文件需要 zstandard 包"),
            help="pip install zstandard",
        ) from error
    return zstandard.ZstdDecompressor(max_window_size=128 << 20).decompressobj()


_Stream = type[_Gzip] | type[_Xz] | type[_Zstd]
_KINDS: tuple[tuple[str, bytes, _Stream], ...] = (
    ("gzip", b"\x1f\x8b", _Gzip),
    ("xz", b"\xfd7zXZ\x00", _Xz),
    ("zstd", b"\x28\xb5\x2f\xfd", _Zstd),
)


def packing(path: Path) -> str | None:
    """``"gzip"``, ``"xz"``, ``"zstd"``, told by the first bytes; None: the file is not packed.

    Raises:
        DataError: the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            first = file.read(6)
    except OSError as error:
        raise unreadable(path, error) from error
    return next((kind for kind, magic, _ in _KINDS if first.startswith(magic)), None)


def _unpacked(file: BinaryIO, name: str, bomb_size: int) -> Iterator[bytes]:
    first = file.read(6)
    for kind, magic, unpacker in _KINDS:
        if first.startswith(magic):
            yield from _archive(file, first, name, (kind, magic, unpacker), bomb_size)
            return
    if first.startswith((b"PK\x03\x04", b"BZh", b"7z\xbc\xaf")):
        raise DataError(
            "archive-unknown",
            say(f"{name} is an archive of a kind that is not read", f"{name} 是不支持的压缩格式"),
            where=name,
            help=say("unpack it first, or use .gz, .xz or .zst", "请先解压，或改用 .gz、.xz、.zst"),
        )
    read = getattr(file, "read1", file.read)  # from a pipe: what has come, without waiting for a whole block
    block = first
    while block:
        yield block
        block = read(BLOCK)


def _archive(
    file: BinaryIO, first: bytes, name: str, archive: tuple[str, bytes, _Stream], bomb_size: int
) -> Iterator[bytes]:
    """All streams of an archive, one after another."""
    kind, magic, unpacker = archive
    packed = unpacked = 0
    waiting = first
    stream: _Gzip | _Xz | _Zstd | None = None
    try:
        while waiting := waiting or file.read(unpacker.portion):
            if stream is None:
                waiting = waiting.lstrip(b"\0") if unpacked else waiting  # padding between streams
                if not waiting:
                    continue
                waiting += file.read(6) if len(waiting) < 6 else b""
                if not waiting.startswith(magic):
                    raise zlib.error(say("something else follows its end", "末尾之后还有别的内容"))
                stream = unpacker()
            packed += len(waiting)
            for block in stream.feed(waiting):
                unpacked += len(block)
                if unpacked > bomb_size and unpacked > packed * BOMB_RATIO:
                    raise _bomb(name, unpacked, packed)
                yield block
            waiting = b""
            if stream.ended:
                waiting, stream = stream.unused, None
                packed -= len(waiting)
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise _damaged(name, kind, unpacked, str(error)) from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # its class is known only where the library is
            raise
        raise _damaged(name, kind, unpacked, str(error)) from error
    if stream is not None:
        raise _damaged(name, kind, unpacked, say("it ends too soon", "文件不完整"))


def _damaged(name: str, kind: str, unpacked: int, reason: str) -> DataError:
    return DataError(
        "archive-damaged",
        say(f"{name} is not a sound {kind} archive: {reason}", f"{name} 不是完好的 {kind} 压缩文件：{reason}"),
        where=say(f"{name}, after {unpacked:,} unpacked bytes", f"{name}，解出 {unpacked:,} 字节之后"),
        help=say("copy or download the file again", "请重新复制或下载这个文件"),
    )


def _bomb(name: str, unpacked: int, packed: int) -> DataError:
    return DataError(
        "archive-bomb",
        say(
            f"{name} unpacks to more than {unpacked // max(packed, 1):,} times its size; that is no text",
            f"{name} 解压后超过原大小的 {unpacked // max(packed, 1):,} 倍，不像是文本",
        ),
        where=say(f"{name}, after {unpacked:,} unpacked bytes", f"{name}，解出 {unpacked:,} 字节之后"),
        help=say("if you trust it, unpack it yourself first", "如果信任它，请先自行解压"),
    )
