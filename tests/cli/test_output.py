"""Cells, wrapping and tables."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from erya.cli import output

TEXT = st.text(st.sampled_from("ab ，。中文字很长 -x"), max_size=80)


@given(TEXT, st.integers(12, 60))
def test_wrapping_loses_nothing_and_fits(text, width):
    lines = output.wrapped(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    words = [word for word in text.split(" ")]
    longest = max((output.width_of(piece.rstrip()) for piece in output._pieces(text)), default=0)
    assert words is not None
    assert all(output.width_of(line) <= max(width, longest) for line in lines)


def test_chinese_breaks_anywhere_but_not_before_a_stop():
    lines = output.wrapped("这是一个很长的句子，没有空格。", 10)
    assert all(output.width_of(line) <= 12 for line in lines)
    assert not any(line[0] in "，。" for line in lines)


@given(TEXT, st.integers(2, 40))
def test_cut_fits(text, width):
    shown = output.cut(text, width)
    assert output.width_of(shown) <= width
    assert shown == text or shown.endswith("…")


def test_tables_line_up_with_wide_characters():
    lines = output.table([("中文", "1"), ("abc", "1000")], head=("名", "n"), right=[1])
    assert {output.width_of(line) for line in lines} == {10}


def test_documents_are_strict_json(capsys):
    output.write_document({"a": float("nan"), "b": [float("inf"), 1.5], "c": "中"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"a": None, "b": [None, 1.5], "c": "中"}
    assert "中" in text
