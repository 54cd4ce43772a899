"""Formats: sound records come out as they are, and a broken one costs itself and nothing else."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.text import readers
from erya.text.dataset import Reject
from erya.text.delimited import delimited
from erya.text.files import lines
from erya.text.readers import Row


def texts_of(data: str | bytes, encoding: str = "utf-8"):
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    return readers.texts(lines(iter([raw] if raw else [])), encoding)


def table(data: str | bytes, delimiter: str = ",", **options) -> list:
    """Fields of rows, and ``(line, code)`` of rejects, in their order."""
    return [
        item.values if isinstance(item, Row) else (item.line, item.code)
        for item in delimited(texts_of(data), delimiter, **options)
    ]


# ---- csv ---------------------------------------------------------------------------------------------------------

FIELDS = st.text(st.sampled_from('ab,;"\n\r\t\0 很\u0301👍\u2028\x85'), max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(FIELDS, min_size=width, max_size=width), max_size=8)))
def test_what_pythons_csv_writes_comes_back(rows):
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(rows)
    assert table(out.getvalue()) == rows


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(FIELDS, min_size=3, max_size=3), max_size=8))
def test_quotes_only_where_they_are_needed(rows):
    out = io.StringIO()
    csv.writer(out).writerows([["a", "b", "c"], *rows])
    assert table(out.getvalue()) == [["a", "b", "c"], *rows]


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from('a,"\n'), max_size=40))
def test_every_line_is_in_exactly_one_record(text):
    """Conservation over any text: each non-blank line belongs to one row or reject, rows to the lines they span."""
    items = list(delimited(texts_of(text)))
    starts = [item.line for item in items]
    assert starts == sorted(set(starts))
    physical = text.split("\n")
    covered = set()
    for item in items:
        span = item.raw.count("\n") + 1
        covered.update(range(item.line, item.line + span))
        assert item.raw == "\n".join(physical[item.line - 1 : item.line - 1 + span])
    assert all(number in covered for number, line in enumerate(physical, 1) if line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2,3\n4,5\n", [["a", "b"], (2, "ragged"), ["4", "5"]]),
        ("a,b\n1\n4,5\n", [["a", "b"], (2, "ragged"), ["4", "5"]]),
        ('a,b\n"1,2\n3,4\n5,6\n', [["a", "b"], (2, "open-quote"), ["3", "4"], ["5", "6"]]),
        ('a,b\n"1,2\n"3","4"\n5,6\n', [["a", "b"], (2, "open-quote"), ["3", "4"], ["5", "6"]]),
        ('a,b\n"1"x,2\n3,4\n', [["a", "b"], (2, "bad-quote"), ["3", "4"]]),
        ('a,b\n"1\n2",3\n4,5\n', [["a", "b"], ["1\n2", "3"], ["4", "5"]]),
        ('a,b\n5" disk,x\n6" disk,y\n', [["a", "b"], ['5" disk', "x"], ['6" disk', "y"]]),
        ('a,b\n"say ""hi""",x\n"",y\n', [["a", "b"], ['say "hi"', "x"], ["", "y"]]),
        ("a,b\n\n1,2\n   \n3,4", [["a", "b"], ["1", "2"], ["3", "4"]]),
        ("a,b\r1,2\r\n3,4\n", [["a", "b"], ["1", "2"], ["3", "4"]]),
        ("a,b\n1,\n,\n", [["a", "b"], ["1", ""], ["", ""]]),
        ('a,b\n"1,2\n3,4\n5,6\n7,8",9,9\n0,0\n', [["a", "b"], (2, "open-quote"), ["3", "4"], ["5", "6"], (5, "ragged"), ["0", "0"]]),
        ('a,b\n"long\ntext",x,too many\n0,0\n', [["a", "b"], (2, "ragged"), ["0", "0"]]),
        ('"', [(1, "open-quote")]),
        ("", []),
    ],
)  # fmt: skip
def test_broken_records_cost_themselves_only(text, expected):
    assert table(text) == expected


def test_bad_bytes_inside_a_quoted_record_cost_that_record():
    data = 'a,b\n"1\n很好",x\n3,4\n'.encode().replace("很".encode(), b"\xb0\xa1")
    items = list(delimited(texts_of(data)))
    assert [item.values if isinstance(item, Row) else (item.line, item.code, item.byte) for item in items] == [
        ["a", "b"],
        (2, "bad-encoding", data.index(b"\xb0")),
        ["3", "4"],
    ]


def test_tsv_has_no_quotes():
    assert table('"a\tb"\n"x\t"y"\n', "\t", quoting=False) == [['"a', 'b"'], ['"x', '"y"']]


@pytest.mark.parametrize("line", ['5","x\n', '"\n', ',"\n', '"a""\n', 'x,"y\n', '"x",y",z\n', '"""\n'])
def test_no_text_makes_csv_slow(line):
    text = "a,b\n" + line * 30_000
    begin = time.perf_counter()
    items = list(delimited(texts_of(text), record_bytes=200_000))
    assert time.perf_counter() - begin < 6
    assert sum(item.raw.count("\n") + 1 for item in items) == 30_001


def test_a_record_has_a_greatest_size():
    text = 'a,b\n"' + "x\n" * 100 + '",y\n1,2\n'
    assert ["x\n" * 100, "y"] in table(text)
    assert table(text, record_lines=50)[1] == (2, "open-quote")
    assert table(text, record_bytes=50)[1] == (2, "open-quote")
    assert table(text, record_lines=50)[-1] == ["1", "2"]


# ---- jsonl -------------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=3), max_size=4))
def test_objects_come_back(objects):
    text = "".join(json.dumps(value) + "\n" for value in objects)
    assert [row.values for row in readers.jsonl(texts_of(text))] == objects


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"text": NaN}', "NaN"),
        ('{"text": -Infinity}', "Infinity"),
        ("[1, 2]", "array"),
        ('"text"', "string"),
        ("null", "null"),
        ("true", "boolean"),
        ("3", "number"),
        ('{"text": "a"', "column"),
        ("{'text': 'a'}", "column"),
        ("[" * 100_000, "deeply"),
        ('{"a":' * 100_000, "deeply"),
        ('{"a": ' + "9" * 5000 + "}", "digits"),
        ('{"text": "a"} {"text": "b"}', "Extra data"),
        ("text,label", "column"),
    ],
)
def test_a_broken_line_is_one_reject(line, says):
    items = list(readers.jsonl(texts_of('{"text": "before"}\n' + line + '\n\n{"text": "after"}\n')))
    assert [item.line for item in items] == [1, 2, 4]
    assert items[0].values == {"text": "before"}
    assert items[2].values == {"text": "after"}
    assert items[1].code == "bad-json"
    assert says in items[1].reason
    assert len(items[1].raw) <= 2000


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line and b"\r" not in line)))
def test_any_bytes_are_rows_or_rejects(parts):
    items = list(readers.jsonl(texts_of(b"\n".join(parts))))
    blank = sum(not line.decode("utf-8", "replace").strip() for line in parts)
    assert len(items) == len(parts) - blank


# ---- the others --------------------------------------------------------------------------------------------------


def test_txt_keeps_empty_lines_so_that_answers_stand_line_by_line():
    assert [row.values for row in readers.txt(texts_of("a\n\n b \0\n"))] == [["a"], [""], [" b \0"]]


def test_labelled():
    text = "__label__good very good\n  __label__坏 太差\nno label\n__label__a __label__b two\n__label__x\n"
    items = list(readers.labelled(texts_of(text)))
    assert [item.values if isinstance(item, Row) else item.code for item in items] == [
        ["very good", "good"],
        ["太差", "坏"],
        ["no label", ""],
        ["two", ["a", "b"]],
        ["", "x"],
    ]


def test_parallel_files():
    left, right = texts_of("one\ntwo\nthree\n"), texts_of(b"eins\n\xff\n")
    items = list(readers.parallel(left, right))
    assert items[0].values == ["one", "eins"]
    assert [(item.line, item.code) for item in items[1:]] == [(2, "bad-encoding"), (3, "no-partner")]


def test_bad_bytes_are_placed():
    data = "好\n".encode() + b"ok \xb0\xa1\nok\n" + b"x" * 50 + b"\n"
    found = list(readers.texts(lines(iter([data]), limit=40), "utf-8", sample=(sample := bytearray())))
    assert [text.reject.code if text.reject else text.text for text in found] == [
        "好",
        "bad-encoding",
        "ok",
        "line-too-long",
    ]
    bad = found[1].reject
    assert isinstance(bad, Reject)
    assert (bad.line, bad.byte) == (2, data.index(b"\xb0"))
    assert "0xB0 0xA1" in bad.reason
    assert bad.raw == r"ok \xb0\xa1"
    assert bytes(sample) == b"ok \xb0\xa1\n"
    assert (found[3].reject.line, found[3].reject.byte) == (4, len(data) - 51)
