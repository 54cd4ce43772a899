"""CoNLL files, whole sentences at once: the quick way for nearly all there is; anything unusual goes line by line (``conll.py``).

A block of bytes is cut at blank lines, a sentence's lines at their separator. A sentence is taken so only where reading it line by
line could not come out otherwise: as many columns in every line, one separator, no comment, nothing empty. Equal strings are one
object: a file of a million tokens holds some ten thousand different ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from erya.text import conll, readers
from erya.text.dataset import Reject
from erya.text.files import lines
from erya.text.readers import Row, Text

HELD = 16 << 20  # bytes without a blank line that are held; more than that are read line by line
_ENDS = (b"\n\n", b"\r\n\r\n")


def rows(
    source: Iterable[bytes],
    encoding: str,
    layout: conll.Layout,
    *,
    limit: int,
    start: int = 0,
    wide: bool = False,
    sample: bytearray | None = None,
) -> Iterator[Row | Reject]:
    """What ``conll.sentences`` gives for the same bytes.

    Args:
        source: blocks of bytes.
        encoding: of the bytes; one whose line ends are those of ASCII.
        layout: which columns; is told what the file looks like.
        limit: bytes of the longest line.
        start: bytes of the file that came before.
        wide: see ``readers.texts``.
        sample: likewise.
    """
    reader = _Reader(encoding, layout, limit, start, wide, sample)
    held = b""
    blocks = iter(source)
    for block in blocks:
        held += block
        cut = max(held.rfind(end) + len(end) if end in held else 0 for end in _ENDS)
        if cut:
            yield from reader.sentences(held[:cut])
            held = held[cut:]
        elif len(held) > HELD:
            yield from reader.line_by_line(_again(held, blocks))
            return
    if held:
        yield from reader.line_by_line([held])


def _again(held: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield held
    yield from blocks


class _Reader:
    """Where the reading is, and which strings there were."""

    def __init__(
        self, encoding: str, layout: conll.Layout, limit: int, start: int, wide: bool, sample: bytearray | None
    ) -> None:
        self.encoding, self.layout, self.limit = encoding, layout, limit
        self.start, self.wide, self.sample = start, wide, sample
        self.lines = 0  # read so far
        self.tokens: dict[str, str] = {}
        self.tags: dict[str, str] = {}

    def sentences(self, block: bytes) -> Iterator[Row | Reject]:
        """All sentences of bytes that end with a blank line."""
        returns = block.count(b"\r")
        width = 2 if returns else 1  # bytes of a line's end
        if returns and not returns == block.count(b"\r\n") == block.count(b"\n"):
            yield from self.line_by_line([block])
            return
        end = _ENDS[width - 1]
        for piece in block[: -len(end)].split(end):
            found = self._sentence(piece, width)
            count = piece.count(b"\n") + 2
            if found is not None:
                yield found
            elif piece:
                yield from self.line_by_line([piece, end])
                continue  # it has moved on
            self.lines += count
            self.start += len(piece) + len(end)

    def line_by_line(self, source: Iterable[bytes]) -> Iterator[Row | Reject]:
        """The sure way."""
        before, start = self.lines, self.start

        def texts() -> Iterator[Text]:
            physical = lines(iter(source), limit=self.limit, start=start)
            moved = (line._replace(number=line.number + before) for line in physical)
            for text in readers.texts(moved, self.encoding, wide=self.wide, sample=self.sample):
                self.lines = text.line.number
                self.start = text.line.start + text.line.size + len(text.line.end)
                yield text

        yield from conll.sentences(texts(), self.layout)

    def _sentence(self, piece: bytes, width: int) -> Row | None:
        """The sentence, or None where it has to be looked at more closely."""
        if len(piece) > self.limit and max(map(len, piece.split(b"\n"))) > self.limit:
            return None
        try:
            text = piece.decode(self.encoding)
        except UnicodeDecodeError:
            return None
        if not text or ("#" in text and (text[0] == "#" or "\n#" in text)) or "-DOCSTART-" in text:
            return None
        number, start = self.lines + 1, self.start
        if width == 2:
            text = text.replace("\r\n", "\n")
        if text[0] == "\n":  # more than one blank line before it
            blank = len(text) - len(text.lstrip("\n"))
            text, number, start = text[blank:], number + blank, start + blank * width
        found = self._columns(text)
        return None if found is None else Row(number, start, (*found, None), text)

    def _columns(self, text: str) -> tuple[list[str], list[str]] | None:
        layout = self.layout
        separator = "\t" if "\t" in text else " "
        if separator == " " and ("  " in text or "\n " in text or " \n" in text or text[:1] == " " or text[-1:] == " "):
            return None
        if separator == "\t" and (text[-1] == "\t" or "\t\n" in text):
            return None
        cells = [line.split(separator) for line in text.split("\n")]
        widths = set(map(len, cells))
        columns = widths.pop()
        if widths or columns == conll.UNIVERSAL_COLUMNS or len(cells) > conll.SENTENCE_LINES:
            return None
        if columns == 1 and not layout.untagged:
            return None
        token = 0 if layout.tokens is None else layout.tokens
        tag = columns - 1 if layout.tags is None else layout.tags
        if max(token, tag) >= columns:
            return None
        given = [row[token] for row in cells]
        if "" in given:
            return None
        told = [row[tag] for row in cells]
        for name in set(told).difference(self.tags):
            if not name or name != name.strip():
                return None
            self.tags[name] = name
        layout.saw(columns, len(cells), tabs=separator == "\t")
        return list(map(self.tokens.setdefault, given, given)), list(map(self.tags.__getitem__, told))
