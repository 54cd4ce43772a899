"""How a file is read – its format, its encoding, where in a row the text lies – and the rows of a piece of it with their bytes.

The layout is found once, from the beginning of the file; any piece can then be read without the rest. Sound rows take a short way;
whatever is odd about a row is told by the readers that all verbs have in common.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from erya.errors import DataError
from erya.filtering.settings import Settings
from erya.text import readers
from erya.text.columns import Plan
from erya.text.dataset import Reject
from erya.text.files import LINE_LIMIT, lines
from erya.text.formats import Opened
from erya.text.read import row_lines
from erya.text.readers import Row
from erya.text.values import taker

_LOOKED_AT = 200  # rows

RowLine = tuple[Any, bytes]  # a document or a Reject, and its line


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is read.

    Attributes:
        name: of the file, for messages.
        format: ``"jsonl" "txt" "labels"``.
        encoding: of its lines.
        mark: bytes of the byte order mark at its beginning.
        text: the field of the text; None: it has no fields, or no rows.
        text2: the field of the second text.
    """

    name: str
    format: str
    encoding: str
    mark: int
    text: str | None
    text2: str | None

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)


def layout_of(source: Path, settings: Settings) -> tuple[Layout, list[str]]:
    """The layout of a file, packed or not, and what was guessed on the way.

    Raises:
        DataError: it cannot be opened, has no such field, or its rows are not lines (csv, UTF-16).
    """
    options: dict[str, Any] = {"encoding": settings.encoding, "format": settings.format}
    try:
        rows = row_lines(source, text=settings.text, text2=settings.text2, **options)
        text, text2 = rows.plan.columns.get("text"), rows.plan.columns.get("text2")
    except DataError as error:
        text, text2 = settings.text, settings.text2
        nested = [name for name in (text, text2) if name is not None and "." in name]
        if error.code != "column-missing" or not nested:
            raise
        outer = [name and _outer(source, name, options) for name in (text, text2)]
        rows = row_lines(source, text=outer[0], text2=outer[1], **options)
        first = [item for item in itertools.islice(rows.opened.rows, _LOOKED_AT) if isinstance(item, Row)]
        if rows.opened.format != "jsonl" or not all(any(_inside(row, name) for row in first) for name in nested):
            raise
    opened = rows.opened
    fields = opened.format == "jsonl" and not rows.plan.lines
    layout = Layout(
        opened.name,
        opened.format,
        opened.encoding,
        len(opened.mark),
        text if fields else None,
        text2 if fields else None,
    )
    return layout, rows.notes


def _outer(source: Path, name: str, options: dict[str, Any]) -> str:
    """The field itself where rows have it, else the object that it lies in."""
    try:
        row_lines(source, text=name, **options)
    except DataError:
        return name.split(".")[0]
    return name


def _inside(row: Row, name: str) -> bool:
    return value_in(row.values, name) is not None


def value_in(values: Any, name: str) -> Any:
    """What a JSON object has under a name; ``outer.inner`` and ``list.0`` lead inside. None: nothing."""
    if not isinstance(values, dict):
        return None
    if name in values or "." not in name:
        return values.get(name)
    found: Any = values
    for step in name.split("."):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


# ---- the rows of a piece -----------------------------------------------------------------------------------------


class PieceRows:
    """The rows of a piece, once: the document or why there is none, and the bytes with their line end.

    Args:
        layout: of the file.
        data: whole lines of it.
        start: the place of the first byte in the file.
        limit: bytes of the longest line.

    Attributes:
        opened: for messages; ``mark`` is the byte order mark, which belongs to no row.
    """

    def __init__(self, layout: Layout, data: bytes, start: int, *, limit: int = LINE_LIMIT) -> None:
        self.layout, self.start, self.limit = layout, start, limit
        mark = layout.mark if start == 0 else 0
        self.opened = Opened(layout.name, layout.format, layout.encoding, iter(()), mark=data[:mark])
        self._data = data[mark:]
        columns = {role: name for role, name in (("text", layout.text), ("text2", layout.text2)) if name is not None}
        if layout.format == "jsonl":
            self._plan = Plan(columns, dict(columns), False)
        else:
            self._plan = Plan({"text": "text"}, {"text": 0}, False, lines=True)
        self._take = taker(self._plan)

    def __iter__(self) -> Iterator[RowLine]:
        find = self._short_way()
        place = self.start + len(self.opened.mark)
        for number, raw in enumerate(self._data.splitlines(keepends=True), 1):
            text = find(raw) if len(raw) <= self.limit else None
            if text:
                yield text, raw
            else:
                yield from self._long_way(raw, number, place)
            place += len(raw)

    def _short_way(self) -> Callable[[bytes], str | None]:
        """A function that finds the text of a row where nothing is odd about it."""
        encoding, name = self.layout.encoding, self.layout.text
        if self.layout.format == "txt":
            return lambda raw: _plain_text(raw, encoding)
        if self.layout.format != "jsonl" or name is None or self.layout.text2 is not None:
            return lambda raw: None
        field = name
        # not decode(): its search for white space before and after takes as long as the parsing
        scan: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]

        def find(raw: bytes) -> str | None:
            try:
                line = raw.decode(encoding)
                values, end = scan(line, 0)
            except (ValueError, RecursionError, StopIteration):  # UnicodeDecodeError is a ValueError
                return None
            if type(values) is not dict or line[end:].strip(" \t\r\n"):
                return None
            text = values.get(field)
            return text if type(text) is str and not text.isspace() else None

        return find

    def _long_way(self, raw: bytes, number: int, place: int) -> Iterator[RowLine]:
        """A row that is empty, odd, of two texts or with a label; no row at all for a blank line of JSON."""
        for line in lines(iter([raw]), limit=self.limit, start=place):
            text = readers.texts(iter([line._replace(number=number)]), self.layout.encoding, sample=self.opened.sample)
            reader = {"jsonl": readers.jsonl, "txt": readers.txt, "labels": readers.labelled}[self.layout.format]
            for item in reader(text):
                taken = item if isinstance(item, Reject) else self._take(self._flat(item))
                whole = line.raw + line.end if line.whole else b""
                if isinstance(taken, Reject):
                    taken.row, taken.file = number, self.opened.name
                    yield taken, whole
                else:
                    yield taken[0], whole

    def _flat(self, row: Row) -> Row:
        """A row of JSON with the fields that are asked for on its first level."""
        if self.layout.format != "jsonl":
            return row
        return row._replace(values={name: value_in(row.values, name) for name in self._plan.columns.values()})


def _plain_text(raw: bytes, encoding: str) -> str | None:
    try:
        text = raw.rstrip(b"\r\n").decode(encoding)
    except ValueError:
        return None
    return text if not text.isspace() else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
