"""Pieces of text through a tokenizer of Python or Rust, in several processes, ready for the scan.

What comes out is tokens with a byte between them that no UTF-8 holds, so that the scan counts them as it counts all others.
"""

from __future__ import annotations

from collections.abc import Iterator

from erya.text.corpus_forms import TEXT_END, UNIT
from erya.text.corpus_reading import Piece, check
from erya.text.tokenizers import Tokenizer


def tokenized(pieces: Iterator[Piece], tokenizer: Tokenizer, *, by_text: bool, processes: int) -> Iterator[Piece]:
    """The same pieces, tokenized, in the same order.

    Args:
        pieces: text.
        tokenizer: any.
        by_text: lines end with ``TEXT_END``; False: with line ends.
        processes: how many to use.

    Raises:
        DataError: a piece is not valid UTF-8.
    """
    lines = 0
    for piece in pieces:
        check(piece, lines)
        data = cut_up(piece.data, tokenizer, by_text)
        lines += data.count(TEXT_END)
        yield piece._replace(data=data, name=None)


def cut_up(data: bytes, tokenizer: Tokenizer, by_text: bool) -> bytes:
    """One piece: ``UNIT`` after every token, ``TEXT_END`` after every line that ends in it."""
    out = bytearray()
    for line in _lines(data, by_text):
        ends = line.endswith(TEXT_END if by_text else (b"\n", b"\r"))
        text = line.removesuffix(TEXT_END).decode("utf-8", "surrogatepass")
        for token in tokenizer.tokens(text):
            out += token.encode("utf-8", "surrogatepass")
            out += UNIT
        if ends:
            out += TEXT_END
    return bytes(out)


def _lines(data: bytes, by_text: bool) -> list[bytes]:
    if not by_text:
        return data.splitlines(keepends=True)
    return [part + TEXT_END for part in data.split(TEXT_END)[:-1]] + (
        [data.split(TEXT_END)[-1]] if data[-1:] != TEXT_END else []
    )
