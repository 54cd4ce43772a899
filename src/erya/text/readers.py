"""Formats: lines of bytes into records, and into rejects where a row is broken.

Every reader is a generator over ``texts``: it yields ``Row`` and ``Reject`` in the order of the file, one for every record
there is, and a broken record never takes a sound one with it. What to do with rejects is the caller's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from erya.errors import quoted
from erya.language import say
from erya.text.dataset import Reject
from erya.text.files import Line

RAW = 500  # characters of a rejected row that are kept


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
        summary=say("a line that is too long", "一行过长"),
    )


def _undecodable(line: Line, error: UnicodeDecodeError, encoding: str, wide: bool) -> Reject:
    if wide:
        reason = summary = say("not valid in the encoding told", "不符合指定的编码")
        place = None
    else:
        shown = " ".join(f"0x{byte:02X}" for byte in line.raw[error.start : error.start + 2])
        name = encoding.upper()
        summary = say(f"not valid {name}", f"不是有效的 {name}")
        reason = say(f"{shown} is {summary}", f"字节 {shown} {summary}")
        place = line.start + error.start
    raw = line.raw[:RAW].decode(encoding, "backslashreplace")
    return Reject(0, reason, raw, "bad-encoding", line.number, place, summary=summary)


def reject_of(code: str, reason: str, line: Line, raw: str, summary: str = "") -> Reject:
    """A reject for the record that starts on a line; its row number comes later."""
    return Reject(0, reason, raw[:RAW], code, line.number, line.start, summary=summary)


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
            value = _DECODER.decode(text)
        except RecursionError:
            yield reject_of("bad-json", say("nested too deeply", "嵌套太深"), line, text)
        except ValueError as error:
            summary = say("not valid JSON", "不是有效的 JSON")
            yield reject_of("bad-json", f"{summary}: {_json_reason(error)}", line, text, summary)
        else:
            if isinstance(value, dict):
                yield Row(line.number, line.start, value, text)
            else:
                kind = {list: "array", str: "string", type(None): "null", bool: "boolean"}.get(type(value), "number")
                reason = say(f"a JSON {kind} instead of an object", f"应为 JSON 对象，却是 {kind}")
                yield reject_of("bad-json", reason, line, text)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


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
    """FastText's format: ``__label__NAME text``, as ``[text, NAME]``; of several labels ``[text, [NAME, …]]``. The label is
    empty where there is none.
    """
    for line, text, reject in source:
        if reject is not None:
            yield reject
            continue
        match = _LABELS.match(text)
        labels = [word.removeprefix("__label__") for word in match[1].split()] if match else []
        body = text[match.end() :] if match else text
        yield Row(line.number, line.start, [body, labels if len(labels) > 1 else "".join(labels)], text)


# ---- pairs of files ----------------------------------------------------------------------------------------------


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
            yield reject_of("no-partner", reason, alone.line, alone.text)
            continue
        bad = left.reject or right.reject
        yield bad or Row(left.line.number, left.line.start, [left.text, right.text], f"{left.text}\t{right.text}")
