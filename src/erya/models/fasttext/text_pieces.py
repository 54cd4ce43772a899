"""A text in pieces of whole lines, and threads that take one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.models.fasttext.line_kernels import PAD
from erya.parts.lockstep import run_together
from erya.text.files import unreadable

PIECE = 1 << 20  # bytes read and worked on at once

Bytes = NDArray[np.uint8]
Longs = NDArray[np.int64]


class Piece(NamedTuple):
    """Some lines: PAD more bytes stand behind ``size``."""

    number: int
    origin: int
    data: Bytes
    size: int


def pieces_of_bytes(data: bytes, threads: int) -> Iterator[Piece]:
    """A text in some pieces for each thread, none much larger than PIECE."""
    whole = np.frombuffer(data, dtype=np.uint8)
    size = max(1, min(PIECE, -(-len(data) // max(1, 2 * threads))))
    begin = number = 0
    while begin < len(data):
        cut = data.find(b"\n", min(len(data), begin + size) - 1) + 1 or len(data)
        if cut + PAD <= len(data):
            yield Piece(number, begin, whole[begin : cut + PAD], cut - begin)
        else:
            padded = np.zeros(len(data) - begin + PAD, dtype=np.uint8)
            padded[: len(data) - begin] = whole[begin:]
            yield Piece(number, begin, padded, cut - begin)
        begin, number = cut, number + 1


def pieces_of_file(path: Path) -> Iterator[Piece]:
    """The pieces of a file, each read when it is asked for.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb", buffering=0) as file:
            rest, origin, number = b"", 0, 0
            while block := file.read(PIECE):
                cut = block.rfind(b"\n") + 1
                if not cut:
                    rest += block
                    continue
                text = rest + block[:cut]
                yield Piece(number, origin, padded(text), len(text))
                rest, origin, number = block[cut:], origin + len(text), number + 1
            if rest:
                yield Piece(number, origin, padded(rest), len(rest))
    except OSError as error:
        raise unreadable(path, error) from error


def padded(text: bytes) -> Bytes:
    """The bytes of a text, PAD more behind them."""
    return np.frombuffer(text + bytes(PAD), dtype=np.uint8)


def share_out(pieces: Iterator[Piece], threads: int, work: Callable[[Piece], None]) -> None:
    """Each thread takes the next piece as soon as it is free."""
    lock = threading.Lock()

    def take(_thread: int, _control: Longs) -> None:
        while True:
            with lock:
                piece = next(pieces, None)
            if piece is None:
                return
            work(piece)

    run_together(take, max(1, threads))
