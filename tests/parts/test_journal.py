"""A journal survives whatever kills its writer, and is not taken for another's."""

from __future__ import annotations

import pytest

from erya.errors import DataError, ResourceError
from erya.parts import journal


def test_rows_come_back_and_a_torn_line_is_cut_off(tmp_path):
    path, heading = tmp_path / "j.jsonl", {"what": "a search", "seed": 1, "share": [1 / 3, 1]}
    assert journal.opened(path, heading) == []
    rows = [{"n": 0, "score": 0.25, "text": "汉字\n"}, {"n": 1, "score": None}]
    for row in rows:
        journal.append(path, row)
    whole = path.read_bytes()
    for torn in (b'{"n": 2', "汉".encode()[:2], b"{"):
        path.write_bytes(whole + torn)
        assert journal.opened(path, heading) == rows
        assert path.read_bytes() == whole
    with pytest.raises(DataError, match=r"another search|另一次"):
        journal.opened(path, heading | {"seed": 2})


def test_killed_before_the_first_line_was_whole(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"wha')
    assert journal.opened(path, {"what": 1}) == []
    assert journal.read(path) == [{"what": 1}]


@pytest.mark.parametrize("text", [b"text,label\na,b\n", b"[1, 2]\n", b"\xff\xfe\n"])
def test_what_is_no_journal_is_left_alone(tmp_path, text):
    path = tmp_path / "j.jsonl"
    path.write_bytes(text)
    with pytest.raises(DataError):
        journal.opened(path, {"what": 1})
    assert path.read_bytes() == text


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(ResourceError):
        journal.append(tmp_path / "missing" / "j.jsonl", {"n": 0})
