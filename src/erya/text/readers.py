"""Formats: lines of bytes into records, and into rejects where a row is broken.

Every reader is a generator over ``texts``: it yields ``Row`` and ``Reject`` in the order of the file, one for every record
there is, and a broken record never takes a sound one with it. What to do with rejects is the caller's business.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from erya.errors import quoted
from erya.language import say
from erya.text.dataset import Reject
from erya.text.files import Line

RECORD_LINES = 100_000  # physical lines of one csv record, at most
RECORD_BYTES = 64 << 20
_RAW = 2000  # characters of a rejected row that are kept


class Row(NamedTuple):
    """One sound record.

    Attributes:
        line: 1-based line on which it starts.
        start: 0-based byte on which it starts.
        values: fields by place (list), by name (dict), or tokens and tags (tuple of two lists).
        raw: the record as it stood.
    """

    line: int
    start: int
    values: Any
    raw: str


class Text(NamedTuple):
    """One physical line, decoded; with ``reject`` where that failed (``text`` then shows the bad bytes as U+FFFD)."""

    line: Line
    text: str
    reject: Reject | None


def texts(
    source: Iterable[Line], encoding: str, *, wide: bool = False, sample: bytearray | None = None
) -> Iterator[Text]:
    """Decode lines one by one, so that a bad one stands alone.

    Args:
        source: what ``files.lines`` gives.
        encoding: of the bytes.
        wide: the bytes were transcoded from UTF-16 or the like: offsets are not those of the file.
        sample: gets bad lines, up to 64 KiB, for a guess at what they are.
    """
    for line in source:
        if not line.whole:
            yield Text(line, "", _too_long(line, encoding))
            continue
        try:
            yield Text(line, line.raw.decode(encoding), None)
        except UnicodeDecodeError as error:
            if sample is not None and len(sample) < 1 << 16:
                sample += line.raw[: 1 << 16] + b"\n"
            yield Text(line, line.raw.decode(encoding, "replace"), _undecodable(line, error, encoding, wide))


def _too_long(line: Line, encoding: str) -> Reject:
    return Reject(
        0,
        say(f"a line of {line.size:,} bytes", f"一行长达 {line.size:,} 字节"),
        line.raw.decode(encoding, "replace"),
        "line-too-long",
        line.number,
        line.start,
    )


def _undecodable(line: Line, error: UnicodeDecodeError, encoding: str, wide: bool) -> Reject:
    if wide:
        reason, place = say("not valid in the encoding told", "不符合指定的编码"), None
    else:
        shown = " ".join(f"0x{byte:02X}" for byte in line.raw[error.start : error.start + 2])
        name = encoding.upper()
        reason, place = say(f"{shown} is not valid {name}", f"{shown} 不是有效的 {name}"), line.start + error.start
    return Reject(0, reason, line.raw[:_RAW].decode(encoding, "backslashreplace"), "bad-encoding", line.number, place)


def _reject(code: str, reason: str, line: Line, raw: str) -> Reject:
    return Reject(0, reason, raw[:_RAW], code, line.number, line.start)


# ---- csv and tsv -------------------------------------------------------------------------------------------------


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
        if not first.text:
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
            yield Reject(0, bad.reason, raw[:_RAW], bad.code, first.line.number, bad.byte)
            continue
        fields = scanner.fields(raw) if quoting and '"' in raw else raw.split(delimiter)
        width = width or len(fields)
        if len(fields) == width:
            yield Row(first.line.number, first.line.start, fields, raw)
            continue
        if len(record) > 3 and all(text.text.count(delimiter) == width - 1 for text in record[1:-1]):
            # what a stray quote swallowed looks like rows, and the whole does not look like one
            waiting.extendleft(reversed(record[1:]))
            yield _open_quote(first)
            continue
        yield _ragged(first, raw, len(fields), width)


def _joined(record: list[Text]) -> str:
    return "".join(text.text + text.line.end.decode("ascii") for text in record[:-1]) + record[-1].text


def _ragged(first: Text, raw: str, found: int, width: int) -> Reject:
    reason = say(f"{found} fields instead of {width}", f"有 {found} 个字段，应为 {width} 个")
    return _reject("ragged", reason, first.line, raw)


def _open_quote(first: Text) -> Reject:
    reason = say("a quote is opened and not closed", "引号打开后没有闭合")
    return _reject("open-quote", reason, first.line, first.text)


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
            return _Found(record, [], _reject("bad-quote", reason, first.line, first.text))
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


# ---- one record a line -------------------------------------------------------------------------------------------


def jsonl(source: Iterator[Text]) -> Iterator[Row | Reject]:
    """One JSON object a line, as dicts; blank lines are skipped. NaN and Infinity are not JSON."""
    for line, text, reject in source:
        if reject is not None:
            yield reject
            continue
        if not text or text.isspace():
            continue
        try:
            value = json.loads(text, parse_constant=_no_constant)
        except RecursionError:
            yield _reject("bad-json", say("nested too deeply", "嵌套太深"), line, text)
        except ValueError as error:
            reason = say(f"not valid JSON: {_json_reason(error)}", f"不是有效的 JSON：{_json_reason(error)}")
            yield _reject("bad-json", reason, line, text)
        else:
            if isinstance(value, dict):
                yield Row(line.number, line.start, value, text)
            else:
                kind = {list: "array", str: "string", type(None): "null", bool: "boolean"}.get(type(value), "number")
                reason = say(f"a JSON {kind} instead of an object", f"应为 JSON 对象，却是 {kind}")
                yield _reject("bad-json", reason, line, text)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _json_reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (column {error.colno})"
    return quoted(error)


def txt(source: Iterator[Text]) -> Iterator[Row | Reject]:
    """One text a line, as lists of one field; an empty line is a record too, so that answers stand line by line."""
    for line, text, reject in source:
        yield reject or Row(line.number, line.start, [text], text)


_LABELS = re.compile(r"\s*((?:__label__\S+\s*)*)")


def labelled(source: Iterator[Text]) -> Iterator[Row | Reject]:
    """FastText's format: ``__label__NAME text``, as ``[text, NAME]``; the label is empty where there is none."""
    for line, text, reject in source:
        if reject is not None:
            yield reject
            continue
        match = _LABELS.match(text)
        labels = [word.removeprefix("__label__") for word in match[1].split()] if match else []
        if len(labels) > 1:
            reason = say(f"{len(labels)} labels in one row", f"一行有 {len(labels)} 个标签")
            yield _reject("several-labels", reason, line, text)
            continue
        body = text[match.end() :] if match else text
        yield Row(line.number, line.start, [body, labels[0] if labels else ""], text)


# ---- sentences and pairs of files ----------------------------------------------------------------------------------

_COMMENT = re.compile(r"#\s*[\w:.-]+\s*=|#\s*newdoc|#\s*newpar")


def conll(source: Iterator[Text]) -> Iterator[Row | Reject]:
    """Sentences as ``(tokens, tags)``: a token a line, its first column the token and its last the tag, separated by tabs or
    by spaces; blank lines between sentences. ``-DOCSTART-`` and comments of CoNLL-U are left out. A sentence with one
    bad line is rejected whole, at its first line.
    """
    sentence: list[Text] = []
    for text in source:
        if text.reject is None and not text.text.strip():
            if sentence:
                yield _sentence(sentence)
            sentence = []
        elif text.reject is not None or not (text.text.startswith("-DOCSTART-") or _COMMENT.match(text.text)):
            sentence.append(text)
            if len(sentence) > RECORD_LINES:
                yield _reject("bad-conll", say("a sentence without end", "句子没有结尾"), sentence[0].line, "")
                sentence = []
    if sentence:
        yield _sentence(sentence)


def _sentence(lines: list[Text]) -> Row | Reject:
    tokens: list[str] = []
    tags: list[str] = []
    first = lines[0].line
    raw = "\n".join(text.text for text in lines)
    for line, text, reject in lines:
        if reject is not None:
            return Reject(0, reject.reason, raw[:_RAW], reject.code, first.number, reject.byte)
        columns = text.split("\t") if "\t" in text else text.split(" ")
        columns = [column for column in columns if column] if "\t" not in text else columns
        if len(columns) < 2 or not columns[0] or not columns[-1]:
            reason = say(f"line {line.number}: a token without a tag", f"第 {line.number} 行：词后没有标记")
            return _reject("bad-conll", reason, first, raw)
        tokens.append(columns[0])
        tags.append(columns[-1])
    return Row(first.number, first.start, (tokens, tags), raw)


def parallel(first: Iterator[Text], second: Iterator[Text]) -> Iterator[Row | Reject]:
    """Two files line by line, as lists of two fields; the lines that one has and the other has not are rejected."""
    while True:
        left, right = next(first, None), next(second, None)
        if left is None and right is None:
            return
        if left is None or right is None:
            alone = left or right
            assert alone is not None
            reason = say("the other file has no such line", "另一个文件没有这一行")
            yield _reject("no-partner", reason, alone.line, alone.text)
            continue
        bad = left.reject or right.reject
        yield bad or Row(left.line.number, left.line.start, [left.text, right.text], f"{left.text}\t{right.text}")
