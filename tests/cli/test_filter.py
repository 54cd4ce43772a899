"""filter: the command around erya.filtering, in both languages."""

from __future__ import annotations

import gzip
import json

import pytest

ROWS = [
    b'{"text": "soup bread noodles", "id": 1}\n',
    b'{"text": "guitar song melody", "id": 2}\n',
    '{ "id" : 3, "text" : "好吃 面条 汤" }\n'.encode(),
    b'{"text": "", "id": 4}\n',
]
OPTIONS = ["--label", "food", "--min-probability", "0.6", "-o", "kept"]


@pytest.fixture
def shards(tmp_path, trained):
    (tmp_path / "in").mkdir()
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        (tmp_path / "in" / name).write_bytes(gzip.compress(b"".join(ROWS)))
    return tmp_path / "in"


def test_rows_kept_and_what_is_said(erya, shards, tmp_path):
    found = erya("filter", "m.erya", "in/a.jsonl.gz", "in/b.jsonl.gz", *OPTIONS)
    assert found.code == 0, found.err
    assert gzip.decompress((tmp_path / "kept" / "a.jsonl.gz").read_bytes()) == ROWS[0] + ROWS[2]
    assert found.lines[0].split()[:8] == ["rows", "8", "=", "4", "+", "2", "+", "2"]
    assert found.lines[1].split()[:2] == ["kept", "4"]
    assert "no text in 'text' ×2" in found.lines[3]
    assert "GB/h" in found.lines[4]
    assert "text = text (guessed)" in found.err
    assert "erya predict m.erya kept/a.jsonl.gz" in found.err
    again = erya("filter", "m.erya", "in", *OPTIONS)
    assert "2 files, 2 of them done before" in again.lines[0]
    assert not any("GB/h" in line for line in again.lines)
    chinese = erya("filter", "m.erya", "in", *OPTIONS, lang="zh")
    assert "其中 2 个此前已完成" in chinese.lines[0]


def test_one_document(erya, shards):
    document = erya("filter", "m.erya", "in", *OPTIONS, "--json", "--threads", "1").document
    assert document["schema"] == "erya.filter/2"
    assert document["rows"] == document["kept"] + document["dropped"] + document["rejected"] == 8
    assert document["settings"]["text"] == "text"
    assert len(document["settings"]["digest"]) == 64
    assert document["files"]["b.jsonl.gz"]["kept"] == 2
    assert document["gigabytes_per_hour"] > 0


def test_bad_rows(erya, shards, tmp_path):
    (shards / "c.jsonl").write_bytes(ROWS[0] + b'{"text": \n')
    stopped = erya("filter", "m.erya", "in/c.jsonl", *OPTIONS)
    assert stopped.code == 3
    assert "c.jsonl:2" in stopped.err
    assert "--bad-rows skip" in stopped.err
    skipped = erya("filter", "m.erya", "in/c.jsonl", *OPTIONS, "--bad-rows", "skip")
    assert skipped.code == 0
    assert "not valid JSON" in skipped.lines[3]
    kept = erya("filter", "m.erya", "in/c.jsonl", *OPTIONS[:-1], "other", "--bad-rows", "keep")
    assert "1 copied unscored" in kept.lines[3]
    assert (tmp_path / "other" / "c.jsonl").read_bytes() == (shards / "c.jsonl").read_bytes()


def test_another_threshold_is_refused_until_restart(erya, shards):
    assert erya("filter", "m.erya", "in", *OPTIONS).code == 0
    other = ["--label", "food", "--min-probability", "0.7", "-o", "kept"]
    refused = erya("filter", "m.erya", "in", *other, "--json")
    assert refused.code == 2
    assert refused.document["code"] == "filter-other"
    assert "0.6" in refused.document["error"]
    assert erya("filter", "m.erya", "in", *other, "--restart").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["nowhere.erya", "in", *OPTIONS], 4, "nowhere.erya"),
        (["in/a.jsonl.gz", "in", *OPTIONS], 4, "a.jsonl.gz"),
        (["m.erya", "in", *OPTIONS[2:]], 2, "--label"),
        (["m.erya", "in", *OPTIONS[:2], *OPTIONS[4:]], 2, "--min-probability"),
        (["m.erya", "in", *OPTIONS[:4]], 2, "--out"),
        (["m.erya", "in", "--label", "foo", *OPTIONS[2:]], 2, "food"),
        (["m.erya", "in", *OPTIONS[:2], "--min-probability", "90", *OPTIONS[4:]], 2, "--min-probability 0.9"),
        (["m.erya", "in", *OPTIONS[:2], "--min-probability", "nan", *OPTIONS[4:]], 2, "--min-probability 0.9"),
        (["m.erya", "im", *OPTIONS], 3, "in"),
        (["m.erya", "in", *OPTIONS, "--text", "txt"], 3, "--text text"),
        (["m.erya", "in", *OPTIONS, "--bad-rows", "skp"], 2, "skip"),
        (["m.erya", "in", *OPTIONS[:4], "-o", "in"], 2, "kept"),
        (["m.erya", "in", *OPTIONS[:4], "-o", "m.erya"], 2, "kept"),
    ],
)
def test_wrong_calls(erya, shards, tmp_path, arguments, code, named):
    before = sorted(tmp_path.rglob("*"))
    found = erya("filter", *arguments)
    assert found.code == code, found.err
    assert found.out == ""
    assert named in found.err
    assert sorted(tmp_path.rglob("*")) == before


def test_word_vectors_have_no_labels(erya, words, tmp_path):
    found = erya("filter", "v.erya", "corpus.txt", *OPTIONS)
    assert found.code == 2
    assert "no classifier" in found.err


def test_a_csv_is_refused(erya, trained, reviews):
    found = erya("filter", "m.erya", "reviews.csv", *OPTIONS, "--json")
    assert (found.code, found.document["code"]) == (3, "not-lines")


def test_text_lines(erya, trained, tmp_path):
    (tmp_path / "lines.txt").write_text("soup bread\nguitar song\n", encoding="utf-8")
    found = erya("filter", "m.erya", "lines.txt", *OPTIONS, "--invert", "--json")
    assert found.code == 0, found.err
    assert (tmp_path / "kept" / "lines.txt").read_bytes() == b"guitar song\n"
    assert json.loads(found.out)["settings"]["invert"] is True
