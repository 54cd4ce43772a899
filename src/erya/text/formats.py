"""A file opened: which encoding and which format it is in, and its records one by one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from erya.errors import DataError, UsageError, nearest, quoted
from erya.language import say
from erya.text import conll, conll_blocks, readers
from erya.text import encoding as encodings
from erya.text.dataset import Reject
from erya.text.delimited import delimited
from erya.text.files import LINE_LIMIT, Line, Source, blocks, lines, name_of
from erya.text.readers import Row

FORMATS = ("csv", "tsv", "jsonl", "txt", "labels", "conll")
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".txt": "txt",
    ".conll": "conll",
    ".bio": "conll",
    ".bmes": "conll",
    ".conllu": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".bioes": "conll",
}
PACKED = (".gz", ".xz", ".zst")
_HEAD = 4096  # bytes looked at before anything is decided


@dataclass(slots=True)
class Opened:
    """One file, about to be read.

    Attributes:
        name: for messages.
        format: one of ``FORMATS``.
        encoding: as found or told.
        rows: the records, once.
        empty: not one byte but a byte order mark.
        sample: lines that could not be decoded, as far as ``rows`` has come.
        notes: what was found out.
        mark: the byte order mark, which belongs to no row.
        line: the line that was read last: where a record is one line, that of the record given last.
    """

    name: str
    format: str
    encoding: str
    rows: Iterator[Row | Reject]
    empty: bool = False
    sample: bytearray = field(default_factory=bytearray)
    notes: list[str] = field(default_factory=list)
    mark: bytes = b""
    line: Line | None = None

    def watched(self, source: Iterator[Line]) -> Iterator[Line]:
        """The same lines; each stays in ``line`` until the next one is asked for."""
        for line in source:
            self.line = line
            yield line


def format_of(path: Path) -> str | None:
    """The format that a file's name tells, packed or not; None: it tells none."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def open_rows(
    source: Source,
    *,
    format: str | None = None,
    encoding: str | None = None,
    line_limit: int = LINE_LIMIT,
    layout: conll.Layout | None = None,
) -> Opened:
    """Find out what a file is and get ready to read it.

    Args:
        source: a path, or an open binary file.
        format: one of ``FORMATS``; None: told by the name, else by the first line.
        encoding: None: UTF-8, or what a byte order mark says.
        line_limit: bytes; a longer line is rejected without being held.
        layout: which columns of CoNLL files are wanted; is told what they look like.

    Raises:
        DataError: the file cannot be opened, or looks like UTF-16 without saying so.
        UsageError: an unknown format or encoding.
    """
    name = name_of(source)
    data = blocks(source)
    head = b""
    for block in data:
        head += block
        if len(head) >= _HEAD or (not isinstance(source, Path) and b"\n" in head):
            break
    found = encodings.find(head, encoding)
    if found.suspect is not None:
        raise DataError(
            "bad-encoding",
            say(
                f"{name} looks like {found.suspect.upper()} without a byte order mark (byte 0: {_hex(head[:4])})",
                f"{name} 像是没有字节序标记的 {found.suspect.upper()}（第 0 字节：{_hex(head[:4])}）",
            ),
            where=f"{name}:1",
            help=f"--encoding {found.suspect}",
        )
    data = itertools.chain([head[found.mark :]], data)
    wide = not encodings.line_based(found.name)
    inner = "utf-8" if wide else found.name
    if wide:
        data = encodings.transcoded(data, found.name)
    opened = Opened(name, "", found.name, iter(()), empty=len(head) == found.mark, mark=head[: found.mark])
    if found.mark and found.name != "utf-8":
        opened.notes.append(
            say(f"{name}: {found.name.upper()}, as its first bytes say", f"{name}：文件头标明为 {found.name.upper()}")
        )
    first = head[found.mark :].decode(found.name, "replace")
    opened.format = _format(source, name, format, first, opened.notes)
    start = 0 if wide else found.mark
    if opened.format == "conll":
        wanted = conll.Layout() if layout is None else layout
        opened.rows = conll_blocks.rows(
            data, inner, wanted, limit=line_limit, start=start, wide=wide, sample=opened.sample
        )
        return opened
    physical = opened.watched(lines(data, limit=line_limit, start=start))
    decoded = readers.texts(physical, inner, wide=wide, sample=opened.sample)
    opened.rows = _reader(opened, decoded, first)
    return opened


def _reader(opened: Opened, decoded: Iterator[readers.Text], first: str) -> Iterator[Row | Reject]:
    if opened.format == "csv":
        delimiter = _delimiter(first)
        if delimiter != ",":
            shown = "tab" if delimiter == "\t" else delimiter
            opened.notes.append(
                say(f"{opened.name}: fields are separated by '{shown}'", f"{opened.name}：字段以 '{shown}' 分隔")
            )
        return delimited(decoded, delimiter)
    if opened.format == "tsv":
        return delimited(decoded, "\t", quoting=False)
    return {"jsonl": readers.jsonl, "txt": readers.txt, "labels": readers.labelled}[opened.format](decoded)


def _format(source: Source, name: str, told: str | None, first: str, notes: list[str]) -> str:
    if told is not None:
        if told not in FORMATS:
            guess = nearest(told, FORMATS)
            raise UsageError(
                "unknown-format",
                say(f"there is no format '{quoted(told)}'", f"没有名为 '{quoted(told)}' 的格式"),
                help=f"--format {guess}" if guess else " ".join(FORMATS),
            )
        return told
    by_name = format_of(source) if isinstance(source, Path) else None
    content = first.lstrip()
    if by_name == "jsonl" and content.startswith("["):
        raise DataError(
            "json-array",
            say(f"{name} is one JSON array; one object a line is read", f"{name} 是一个 JSON 数组；应当每行一个对象"),
            where=f"{name}:1",
            help=f"jq -c '.[]' {name} > {name.split('.')[0]}.jsonl",
        )
    if by_name not in (None, "txt"):
        return str(by_name)
    sniffed = _sniffed(content, by_name)
    if sniffed not in (by_name, "txt"):
        notes.append(say(f"{name}: read as {sniffed}", f"{name}：按 {sniffed} 读取"))
    return sniffed


def _sniffed(content: str, by_name: str | None) -> str:
    """The format by the first lines, for .txt, for standard input and for names that tell nothing."""
    if content.startswith("__label__"):
        return "labels"
    if by_name is None and re.match(r'\{\s*"', content):
        return "jsonl"
    some = [line for line in re.split(r"\r\n?|\n", content)[:20] if line]
    if len(content) >= _HEAD // 2 and len(some) > 1:
        some = some[:-1]  # the last one may be cut
    tabs = {line.count("\t") for line in some}
    if len(tabs) == 1 and tabs.pop() > 0:
        return "tsv"
    return "txt"


def _delimiter(first: str) -> str:
    line = re.sub(r'"[^"]*"', "", re.split(r"[\r\n]", first.lstrip(), maxsplit=1)[0]) if first.strip() else ""
    if "," in line:
        return ","
    best = max(";\t|", key=line.count)
    return best if best in line else ","


def _hex(raw: bytes) -> str:
    return " ".join(f"0x{byte:02X}" for byte in raw)
