"""Comma- and tab-separated records, strictly, and so that a broken one never takes others with it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from erya.language import say
from erya.text.dataset import Reject
from erya.text.readers import RAW, Row, Text, reject_of

RECORD_LINES = 100_000  # physical lines of one record, at most
RECORD_BYTES = 64 << 20


def delimited(
    source: Iterator[Text],
    delimiter: str = ",",
    *,
    quoting: bool = True,
    record_lines: int = RECORD_LINES,
    record_bytes: int = RECORD_BYTES,
) -> Iterator[Row | Reject]:
    """Comma- or tab-separated records as lists of fields, all as long as the first one (the header, where there is one).

    A quoted field may hold delimiters, line ends and doubled quotes (RFC 4180). A quote that is never closed, or closed
    in the middle of a field, costs the line on which its record starts and no other: reading goes on with the next line.

    Args:
        source: decoded lines.
        delimiter: one character.
        quoting: False: quotes are ordinary characters and a line is a record, as in most .tsv files.
        record_lines: lines of the longest record.
        record_bytes: bytes of the longest record.
    """
    scanner = _Scanner(delimiter)
    waiting: deque[Text] = deque()  # lines given back by a record that failed
    patience = 4 * record_bytes  # what may be read twice in all: no input makes this quadratic
    width = 0
    while True:
        first = waiting.popleft() if waiting else next(source, None)
        if first is None:
            return
        if first.reject is not None and first.reject.code == "line-too-long":
            yield first.reject
            continue
        if not first.text.strip(" "):
            continue
        record, following, problem = _Found([first], [], None)
        if quoting and '"' in first.text:
            record, following, problem = scanner.record(first, source, waiting, record_lines, record_bytes)
            patience -= sum(text.line.size + 200 for text in following)
            if patience < 0:
                record_lines = 1
        if problem is not None:
            waiting.extendleft(reversed(following))
            yield problem
            continue
        bad = next((text.reject for text in record if text.reject is not None), None)
        raw = first.text if len(record) == 1 else _joined(record)
        if bad is not None:
            shown = bad.raw if len(record) == 1 else raw[:RAW]
            yield Reject(0, bad.reason, shown, bad.code, first.line.number, bad.byte, summary=bad.summary)
            continue
        fields = scanner.fields(raw) if quoting and '"' in raw else raw.split(delimiter)
        width = width or len(fields)
        if len(fields) == width:
            yield Row(first.line.number, first.line.start, fields, raw)
            continue
        if len(record) > 3 and all(_like_a_row(text.text, delimiter, width) for text in record[1:-1]):
            # what a stray quote swallowed looks like rows, and the whole does not look like one
            waiting.extendleft(reversed(record[1:]))
            yield _open_quote(first)
            continue
        yield _ragged(first, raw, len(fields), width)


def _like_a_row(text: str, delimiter: str, width: int) -> bool:
    return '"' not in text and text.count(delimiter) == width - 1


def _joined(record: list[Text]) -> str:
    return "".join(text.text + text.line.end.decode("ascii") for text in record[:-1]) + record[-1].text


def _ragged(first: Text, raw: str, found: int, width: int) -> Reject:
    fields = "1 field" if found == 1 else f"{found} fields"
    reason = say(f"{fields} instead of {width}", f"有 {found} 个字段，应为 {width} 个")
    return reject_of("ragged", reason, first.line, raw)


def _open_quote(first: Text) -> Reject:
    reason = say("a quote is opened and not closed", "引号打开后没有闭合")
    return reject_of("open-quote", reason, first.line, first.text)


class _Found(NamedTuple):
    """The lines of a record, those to give back, and what is wrong with it."""

    record: list[Text]
    following: list[Text]
    problem: Reject | None


class _Scanner:
    """Where quoted fields begin and end, for one delimiter."""

    def __init__(self, delimiter: str) -> None:
        mark = re.escape(delimiter)
        inside = '[^"]*+(?:""[^"]*+)*+'
        # Group 1: closed; group 2: closed, but the field goes on; neither: open at the end of the line.
        ending = f'(?:(")(?={mark}|\\Z)|(")|\\Z)'
        self._delimiter = delimiter
        self._opening = re.compile(f'(?:^|{mark})"{inside}{ending}')
        self._going_on = re.compile(inside + ending)
        self._field = re.compile(f'(?:"({inside})"|([^{mark}]*+)){mark}')

    def fields(self, raw: str) -> list[str]:
        """The fields of one whole record."""
        return [
            match[2] if match[1] is None else match[1].replace('""', '"')
            for match in self._field.finditer(raw + self._delimiter)
        ]

    def record(
        self, first: Text, source: Iterator[Text], waiting: deque[Text], most_lines: int, most_bytes: int
    ) -> _Found:
        """The lines of the record that starts with ``first``; or the lines to give back and what is wrong."""
        state = self._rest(first.text, 0)
        record, size = [first], first.line.size
        while state == "open":
            following = waiting.popleft() if waiting else next(source, None)
            if following is None:
                return _Found(record, record[1:], _open_quote(first))
            record.append(following)
            size += following.line.size
            if len(record) > most_lines or size > most_bytes or not following.line.whole:
                return _Found(record, record[1:], _open_quote(first))
            match = self._going_on.match(following.text)
            if match is None or match[2]:
                state = "bad"
            elif match[1]:
                state = self._rest(following.text, match.end())
        if state == "bad" and len(record) == 1:
            reason = say("text follows a closing quote", "闭合引号之后还有文字")
            return _Found(record, [], reject_of("bad-quote", reason, first.line, first.text))
        if state == "bad":
            return _Found(record, record[1:], _open_quote(first))
        return _Found(record, [], None)

    def _rest(self, text: str, start: int) -> str:
        """``"closed"``, ``"open"`` or ``"bad"`` at the end of the line, from a place outside quotes."""
        for match in self._opening.finditer(text, start):
            if match[2]:
                return "bad"
            if not match[1]:
                return "open"
        return "closed"
