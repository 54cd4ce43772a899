"""A corpus, whatever it is given as, in pieces of about a megabyte that begin and end between two tokens.

Files are read or unpacked block by block and never held whole, a line of a gigabyte neither. They are read, not mapped
into memory: that costs a hundredth of the scan, and a file that is cut off meanwhile does not kill the process.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, UsageError, quoted
from erya.language import say
from erya.text import corpus_kernels as kernels
from erya.text import encoding as encodings
from erya.text import sources
from erya.text.corpus_forms import TEXT_END, UNIT
from erya.text.corpus_kernels import HAN_LETTER, LETTER, LINE_END, SEPARATOR, Forms
from erya.text.files import blocks, missing, unreadable


class Limits(NamedTuple):
    """Sizes that no result depends on but the last two (for tests).

    Attributes:
        block: bytes of a piece, about.
        round: pieces that are scanned before the threads' counts are put together.
        spill: ids (4 bytes each) that are held in memory; more go to a file.
        local: words that a thread's own table may hold between two rounds.
        longest: a token of more bytes is counted and left out.
        most: words that are held at once; beyond, the rarest are forgotten.
    """

    block: int = 1 << 20
    round: int = 16
    spill: int = 16 << 20
    local: int = 1 << 21
    longest: int = 1 << 16
    most: int = 30_000_000


class Piece(NamedTuple):
    """A part of the corpus.

    Attributes:
        data: whole tokens; the last byte separates tokens or ends a line.
        name: the file, for messages; None: texts, which are valid UTF-8 (or surrogates that stand alone).
        offset: of ``data`` in the file, bytes.
        extra: tokens that are to be counted and are not in ``data``: the giants.
        skip: ``data`` is part of a giant token, to be checked and not scanned.
        done: share of the corpus that is read, 0 to 1; 0 where that is not known.
    """

    data: bytes
    name: str | None
    offset: int
    extra: int = 0
    skip: bool = False
    done: float = 0.0


class Digest:
    """SHA-256 over all that is read; a byte that no UTF-8 holds stands between files and after each text or token."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def watch(self, data: Iterable[bytes]) -> Iterator[bytes]:
        """The same blocks."""
        for block in data:
            self._hash.update(block)
            yield block

    def add(self, data: bytes | bytearray) -> None:
        """Take in some bytes."""
        self._hash.update(data)

    def hex(self) -> str:
        """64 digits."""
        return self._hash.hexdigest()


# ---- files -------------------------------------------------------------------------------------------------------


def files_of(paths: list[Path]) -> list[Path]:
    """The files behind paths, folders and patterns, in order; of a folder with parts those for training.

    Raises:
        DataError: nothing is there.
    """
    found: list[Path] = []
    for path in paths:
        found.extend(sources.find(path.expanduser()).parts["train"])
    for path in found:
        if not path.exists():
            raise missing(path)
    return found


def file_pieces(paths: list[Path], forms: Forms, limits: Limits, digest: Digest) -> Iterator[Piece]:
    """All files, one after the other.

    Raises:
        DataError: a file cannot be read, or its first bytes are not UTF-8.
    """
    total, before = sum(path.stat().st_size for path in paths), 0
    for number, path in enumerate(paths):
        if number:
            digest.add(UNIT)
        try:
            with path.open("rb") as file:
                name = quoted(path.name)
                data, mark = _text(digest.watch(gathered(blocks(file), limits.block)), name)
                for piece in cut(data, forms, limits, name=name, start=mark, line_end=b"\n"):
                    yield piece._replace(done=(before + file.tell()) / max(total, 1))
                before += file.tell()
        except OSError as error:
            raise unreadable(path, error) from error


def gathered(data: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in blocks of exactly ``size``, but for the last."""
    held: list[bytes] = []
    have = 0
    for block in data:
        held.append(block)
        have += len(block)
        if have >= size:
            joined = b"".join(held)
            end = have // size * size
            for start in range(0, end, size):
                yield joined[start : start + size]
            held, have = ([joined[end:]], have - end) if end < have else ([], 0)
    if have:
        yield b"".join(held)


def _text(data: Iterator[bytes], name: str) -> tuple[Iterator[bytes], int]:
    """The same as UTF-8 without a byte order mark, and the size of the mark."""
    head = b""
    for block in data:
        head += block
        if len(head) >= 4096:
            break
    found = encodings.find(head, None)
    if found.suspect is not None:
        shown = head[:4].hex(" ").upper()
        raise DataError(
            "bad-encoding",
            say(
                f"{name} looks like {found.suspect.upper()} without a byte order mark (byte 0: {shown})",
                f"{name} 像是没有字节序标记的 {found.suspect.upper()}（第 0 字节：{shown}）",
            ),
            where=f"{name}:1",
            help=_recode(name, found.suspect),
        )
    data = itertools.chain([head[found.mark :]], data)
    if found.name != "utf-8":
        return encodings.transcoded(data, found.name), 0
    return data, found.mark


def _recode(name: str, encoding: str) -> str:
    return f"iconv -f {encoding} -t utf-8 {name} > utf8.txt"


def check(piece: Piece, lines: int) -> None:
    """Raise DataError where a piece of a file is not valid UTF-8; ``lines`` come before it."""
    if piece.name is None:
        return
    place = int(kernels.first_invalid(np.frombuffer(piece.data, dtype=np.uint8)))
    if place < 0:
        return
    line = lines + 1 + len((piece.data[:place] + b".").splitlines()) - 1
    shown = f"0x{piece.data[place]:02X}"
    looks = encodings.guess(piece.data[max(0, place - 500) : place + 4000])
    byte = piece.offset + place
    raise DataError(
        "bad-encoding",
        say(
            f"{piece.name} is not valid UTF-8 (line {line:,}, byte {byte:,}: {shown})",
            f"{piece.name} 不是有效的 UTF-8（第 {line:,} 行，第 {byte:,} 字节：{shown}）",
        ),
        where=f"{piece.name}:{line}, byte {byte:,}",
        help=_recode(piece.name, looks if looks and looks != "utf-8" else "gb18030"),
    )


# ---- texts -------------------------------------------------------------------------------------------------------


def text_blocks(texts: Iterable[str]) -> Iterator[bytes]:
    """Texts as bytes, each with ``TEXT_END`` after it; line ends in them are white space like any other."""
    held: list[bytes] = []
    size = 0
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        held += (data, TEXT_END)
        size += len(data)
        if size > 1 << 20:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def token_pieces(lists: Iterable[Iterable[str]], limits: Limits, digest: Digest) -> Iterator[Piece]:
    """Token lists, ready for the scan; empty tokens are left out."""
    held = bytearray()
    for tokens in lists:
        for token in tokens:
            held += token.encode("utf-8", "surrogatepass")
            held += UNIT
            if len(held) > limits.block:
                digest.add(held)
                yield Piece(bytes(held), None, 0)
                held.clear()
        held += TEXT_END
    if held:
        digest.add(held)
        yield Piece(bytes(held), None, 0)


def text_of(item: Any) -> str | None:
    """The text that one element of X is, or None where it is a list of tokens.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(item, str):
        return item
    if isinstance(item, list | tuple | np.ndarray) and all(isinstance(token, str) for token in item):
        return None
    raise UsageError(
        "not-text",
        say(
            f"X holds a {type(item).__name__} where a text or a list of tokens should be",
            f"X 里有 {type(item).__name__}，应为文本或词的列表",
        ),
        help=say("X: a path, a list of texts, or a list of lists of str", "X：路径、文本列表，或字符串列表的列表"),
    )


# ---- pieces ------------------------------------------------------------------------------------------------------


def cut(
    data: Iterable[bytes], forms: Forms, limits: Limits, *, name: str | None, start: int, line_end: bytes
) -> Iterator[Piece]:
    """Blocks of bytes as pieces that begin and end between tokens, at a line end where there is one.

    Args:
        data: UTF-8, in blocks that may end anywhere.
        forms: how tokens are read.
        limits: ``longest`` above all: of a longer token no more than this is held.
        name: see ``Piece``.
        start: bytes of the file that came before.
        line_end: what to add where the last line has no end.
    """
    cutter = _Cutter(forms, limits, name, start)
    last = b""
    for block in data:
        last = block[-1:] or last
        cutter.rest += block
        yield from cutter.pieces()
    if last and last != line_end:
        cutter.rest += line_end
    if cutter.rest:
        yield Piece(cutter.rest, name, cutter.offset)


class _Cutter:
    """What is left between two blocks.

    Attributes:
        rest: bytes that no piece has had yet.
        offset: of ``rest`` in the file.
        giant: the kind of the first character of the token longer than any that ``rest`` is inside of, or −1.
    """

    def __init__(self, forms: Forms, limits: Limits, name: str | None, offset: int) -> None:
        self.forms, self.limits, self.name = forms, limits, name
        self.rest, self.offset, self.giant = b"", offset, -1
        self.sentinel = b" " if int(forms.bytes[32]) == SEPARATOR else UNIT

    def pieces(self) -> Iterator[Piece]:
        """All that can be cut off."""
        if self.giant != -1:
            _, end = kernels.token_end(self._bytes(), self.giant, self.forms)
            if end < len(self.rest) - 3:
                self.giant = -1
            yield self._take(end, skip=True)
            if self.giant != -1:
                return
        end = int(kernels.last_cut(self._bytes(), self.forms))
        if end:
            yield self._take(end)
        while len(self.rest) > self.limits.longest:  # no cut in all this: a giant token, or marks upon marks
            head, end = kernels.token_end(self._bytes(), -1, self.forms)
            if end < len(self.rest) - 3:
                yield self._take(end)
                continue
            self.giant = head
            yield self._take(end, skip=True, extra=int(head in (LETTER, HAN_LETTER)))

    def _bytes(self) -> NDArray[np.uint8]:
        return np.frombuffer(self.rest, dtype=np.uint8)

    def _take(self, end: int, *, skip: bool = False, extra: int = 0) -> Piece:
        data, self.rest = self.rest[:end], self.rest[end:]
        piece = Piece(data, self.name, self.offset, extra, skip)
        self.offset += end
        if data and not skip and int(self.forms.bytes[data[-1]]) not in (SEPARATOR, LINE_END):
            piece = piece._replace(data=data + self.sentinel)
        return piece
