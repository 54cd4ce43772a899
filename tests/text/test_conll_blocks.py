"""Sentences read whole are those that reading line by line gives, whatever the file and however it comes in blocks."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import erya
from erya.text import conll, conll_blocks
from erya.text.files import lines
from erya.text.readers import Row, texts

USUAL = ["a O", "Rome B-LOC", "王 I-PER", "🦄 O"]
ODD = [
    *(
        "",
        "",
        " ",
        "\t",
        "\t \t",
        " a O",
        "a O ",
        "a  O",
        "a\tO",
        "a b\tO",
        "a\tO\t",
        "\tO",
        "a\t",
        "a b O",
        "a NN O x",
        "a",
    ),
    *(
        "# newdoc",
        "# text = a b",
        "# O",
        "#\tO",
        "-DOCSTART- O",
        "-DOCSTART- -X- O",
        "x -DOCSTART-",
        "a\u3000O",
        "a \u3000",
    ),
    *("1\ta\t_\tNOUN\t_\t_\t_\t_\t_\tSpaceAfter=No", "1-2\ta\t_\t_\t_\t_\t_\t_\t_\t_", "a\tO\xa0", "a\x85O O"),
]


def by_lines(raw, layout, limit):
    return list(conll.sentences(texts(lines(iter([raw] if raw else []), limit=limit), "utf-8"), layout))


def layouts():
    """(asked for, a fresh layout) twice: for either way of reading."""
    for asked in ({}, {"untagged": True}, {"tokens": 1, "tags": 0}, {"tags": 1}, {"tokens": 1}):
        yield conll.Layout(**asked), conll.Layout(**asked)


@pytest.mark.parametrize("seed", range(3))
def test_whole_sentences_are_those_of_lines(seed):
    draw = np.random.default_rng(seed)
    for _ in range(80):
        share = draw.choice([0.02, 0.3])
        found = [str(draw.choice(ODD if draw.random() < share else USUAL)) for _ in range(int(draw.integers(0, 30)))]
        found = [line for one in found for line in ([one, ""] if draw.random() < 0.3 else [one])]
        end = str(draw.choice(["\n", "\r\n", "\r"], p=[0.6, 0.3, 0.1]))
        raw = (end.join(found) + str(draw.choice(["", end, end + end]))).encode()
        if draw.random() < 0.2 and raw:
            place = int(draw.integers(len(raw)))
            raw = raw[:place] + bytes([draw.choice([0xFF, 0x0D, 0x0A])]) + raw[place:]
        size = int(draw.choice([3, 17, 10_000]))
        limit = int(draw.choice([8, 1000], p=[0.1, 0.9]))
        for one, other in layouts():
            blocks = [raw[at : at + size] for at in range(0, len(raw), size)]
            quick = list(conll_blocks.rows(blocks, "utf-8", one, limit=limit))
            assert quick == by_lines(raw, other, limit), raw
            assert one == other, raw


def test_a_file_without_blank_lines_is_not_held(monkeypatch):
    monkeypatch.setattr(conll_blocks, "HELD", 1000)
    monkeypatch.setattr(conll, "SENTENCE_LINES", 300)
    raw = b"ab O\n" * 2000
    found = list(
        conll_blocks.rows([raw[at : at + 64] for at in range(0, len(raw), 64)], "utf-8", conll.Layout(), limit=100)
    )
    assert [item.code if not isinstance(item, Row) else "" for item in found][:6] == ["bad-conll"] * 6


def test_lines_and_bytes_are_those_of_the_file(tmp_path):
    path = tmp_path / "a.conll.gz"
    path.write_bytes(gzip.compress("\ufeffa O\r\nb B-X\r\n\r\n\r\nc O\r\nlonely\r\n\r\nd O\r\n".encode()))
    data = erya.read(path, task="tag", bad_rows="skip")
    (reject,) = data.reading.rejects
    assert (reject.line, reject.byte) == (6, 24)
    assert data.train.rows == [1, 3]


def test_lines_of_other_lengths_are_refused_and_of_other_sentences_said(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("New York B-LOC\nis O\n\nRome NN B-LOC\n\nis O\nin O\n\n", encoding="utf-8")
    data = erya.read(path, task="tag", bad_rows="skip")
    (reject,) = data.reading.rejects
    assert (reject.line, reject.code) == (1, "bad-conll")
    assert "3" in reject.reason
    assert "2" in reject.reason
    assert any("1 × 3, 1 × 2" in note or "1 × 2, 1 × 3" in note for note in data.reading.notes)
    told = erya.read(path, task="tag", tags="2", check=False)
    assert told.train.targets[0] == ("York", "O")
