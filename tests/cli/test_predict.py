"""predict: lines in, answers out, in step, whatever the input."""

from __future__ import annotations

import itertools
import json

import pytest

from erya.cli.predict import CHUNK, _chunks


def test_a_line_an_answer(erya, trained):
    found = erya("predict", "m.erya", stdin="soup bread\nguitar song\n\n下雨 多云\n".encode())
    assert found.code == 0, found.err
    assert [line.split("\t")[0] for line in found.lines] == ["food", "music", "", "weather"]
    assert all(0.3 < float(line.split("\t")[1]) <= 1 for line in found.lines if line)
    assert "1 without an answer" in found.err


def test_input_option_and_top(erya, trained):
    found = erya("predict", "m.erya", "--input", "soup", "--input", "rain", "--top", "3", "-q")
    assert len(found.lines) == 2
    cells = found.lines[0].split("\t")
    assert cells[0] == "food"
    assert sorted(cells[::2]) == ["food", "music", "weather"]
    assert sum(map(float, cells[1::2])) == pytest.approx(1, abs=1e-3)
    assert found.err == ""


def test_one_document(erya, trained):
    document = erya("predict", "m.erya", "--json", stdin="春眠不觉晓，处处闻啼鸟。\n".encode()).document
    assert document["schema"] == "erya.predict/1"
    (row,) = document["rows"]
    assert row["row"] == 1
    assert row["top"] == [[row["answer"], row["probability"]]]


def test_jsonl_has_a_line_for_every_row(erya, trained):
    found = erya("predict", "m.erya", "--jsonl", "--top", "2", stdin=b"soup\n\xff\xfe!\n\nrain\n")
    assert found.code == 0
    rows = [json.loads(line) for line in found.lines]
    assert [row["row"] for row in rows] == [1, 2, 3, 4]
    assert [row.get("code") for row in rows] == [None, "bad-encoding", "empty-text", None]
    assert all(("answer" in row) != ("error" in row) for row in rows)
    assert len(rows[0]["top"]) == 2


def test_plain_output_stops_at_a_row_that_cannot_be_read(erya, trained):
    found = erya("predict", "m.erya", stdin=b"soup\n\xff\xfe!\nrain\n")
    assert found.code == 3
    assert ":2" in found.err
    assert "--bad-rows skip" in found.err
    skipped = erya("predict", "m.erya", "--bad-rows", "skip", stdin=b"soup\n\xff\xfe!\nrain\n")
    assert skipped.code == 0
    assert [line.split("\t")[0] for line in skipped.lines] == ["food", "", "weather"]


def test_a_csv_and_its_column(erya, trained, reviews):
    found = erya("predict", "m.erya", "reviews.csv", "--text", "review", "--jsonl")
    assert len(found.lines) == 240
    wrong = erya("predict", "m.erya", "reviews.csv", "--text", "reviw")
    assert wrong.code == 3
    assert "review" in wrong.err


def test_plain_lines_of_a_file(erya, trained, tmp_path):
    (tmp_path / "texts.txt").write_text("soup\nrain\n", encoding="utf-8")
    assert [line.split("\t")[0] for line in erya("predict", "m.erya", "texts.txt").lines] == ["food", "weather"]


def test_labels_that_would_break_the_line_are_escaped(erya, trained):
    from erya.cli.predict import _plain_line

    assert _plain_line({"top": [["a\tb\nc", 0.5]]}).count("\t") == 1


@pytest.mark.parametrize("arguments", [["--input", "x", "file.txt"], ["file.txt"], ["--top", "0", "--input", "x"]])
def test_wrong_calls(erya, trained, arguments):
    found = erya("predict", "m.erya", *arguments)
    assert found.code in (2, 3)
    assert found.out == ""


def test_chunks_grow_and_never_run_ahead():
    taken = 0

    def rows():
        nonlocal taken
        for number in itertools.count(1):
            taken = number
            yield number, "x"

    sizes = []
    for chunk in itertools.islice(_chunks(rows()), 12):
        sizes.append(len(chunk))
        assert taken == sum(sizes)
    assert sizes[:4] == [1, 2, 4, 8]
    assert sizes[-1] == CHUNK


def test_no_rows_no_answers(erya, trained):
    assert erya("predict", "m.erya", "--jsonl").out == ""
    assert erya("predict", "m.erya", "--json").document["rows"] == []


def test_a_text_that_is_read_in_windows_is_said(erya, trained, monkeypatch):
    """A library's warnings are silent; this one is for whoever asked."""
    from erya.models.naive_bayes.estimator import NaiveBayes
    from erya.parts import long_texts

    answer = NaiveBayes.predict_proba

    def warning(self, X):
        long_texts.read_in_windows(1, 100_000)
        return answer(self, X)

    monkeypatch.setattr(NaiveBayes, "predict_proba", warning)
    found = erya("predict", "m.erya", "--input", "soup", "-q")
    assert found.code == 0
    assert found.err == "1 text of more than 100,000 tokens: read in windows; the answer is the mean of theirs\n"
    assert "分窗阅读" in erya("predict", "m.erya", "--input", "soup", "-q", lang="zh").err
