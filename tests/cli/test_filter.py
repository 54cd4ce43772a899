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


# ---- language models: bits a character ---------------------------------------------------------------------------

TEXTS = ["the cat sat", "the dog ran", "the cat ran", "the dog sat on the mat"]
DEAR = "汉字和词语"  # of characters that the training never showed


@pytest.fixture
def speaks(erya, tmp_path):
    """A language model ``ng.erya``, and texts that it finds probable and improbable: ``texts.txt``."""
    (tmp_path / "train.txt").write_text("\n".join(TEXTS * 3) + "\n", encoding="utf-8")
    (tmp_path / "texts.txt").write_text("\n".join([*TEXTS, DEAR]) + "\n", encoding="utf-8")
    found = erya("train", "generate/ngram", "train.txt", "-o", "ng.erya")
    assert found.code == 0, found.err
    return tmp_path


def bits_of(erya, name="texts.txt"):
    document = erya("filter", "ng.erya", name, "--max-bits", "1", "--sample", "100", "--json").document
    return {row["text"]: row["bits"] for row in document["nearest"]}


def test_no_limit_in_bits_is_too_high(erya, speaks):
    dear = bits_of(erya)[DEAR]
    assert dear > 20
    one = ["--threads", "1"]
    assert erya("filter", "ng.erya", "texts.txt", "--max-bits", f"{dear - 0.01:.2f}", "-o", "cheap", *one).code == 0
    assert (speaks / "cheap" / "texts.txt").read_text(encoding="utf-8").splitlines() == TEXTS
    assert erya("filter", "ng.erya", "texts.txt", "--min-bits", "20.5", "-o", "dear", *one).code == 0
    assert (speaks / "dear" / "texts.txt").read_text(encoding="utf-8").splitlines() == [DEAR]
    over = erya("filter", "ng.erya", "texts.txt", "--min-bits", f"{dear + 0.01:.2f}", "--sample", "9", "--json")
    assert over.document["kept"] == 0
    all_of_them = erya("filter", "ng.erya", "texts.txt", "--max-bits", "2e6", "--sample", "9", "--json")
    assert all_of_them.document["kept"] == 5


def test_what_to_do_next_with_a_language_model(erya, speaks):
    found = erya("filter", "ng.erya", "texts.txt", "--max-bits", "20", "-o", "kept", "--threads", "1")
    assert "erya predict" not in found.err
    assert "erya evaluate ng.erya kept/texts.txt" in found.err
    assert 'erya explain ng.erya "…"' in found.err
    assert erya("evaluate", "ng.erya", "kept/texts.txt").code == 0


def test_another_limit_is_refused_in_bits(erya, speaks):
    def filtered(*limits, lang="en"):
        return erya("filter", "ng.erya", "texts.txt", *limits, "-o", "kept", "--threads", "1", lang=lang)

    assert filtered("--max-bits", "0.3").code == 0
    assert "kept was filled with --max-bits 0.3, not 0.4" in filtered("--max-bits", "0.4").err
    assert "--max-bits 0.3，而不是 30" in filtered("--max-bits", "30", lang="zh").err
    assert "kept was filled without --min-bits, not with 0.1" in filtered("--min-bits", "0.1", "--max-bits", "0.3").err
    assert "没有用 --min-bits" in filtered("--min-bits", "0.1", lang="zh").err
    assert filtered("--max-bits", "4", "--min-bits", "1").code == 2
    assert erya("filter", "ng.erya", "texts.txt", "--min-bits", "1", "-o", "k2", "--threads", "1").code == 0
    refused = erya("filter", "ng.erya", "texts.txt", "--max-bits", "1", "-o", "k2", "--threads", "1")
    assert "filled with --min-bits 1, which is not given now" in refused.err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ([], "--max-bits or --min-bits is needed"),
        (["--min-probability", "0.5"], "--max-bits 5"),
        (["--max-probability", "1"], "--max-bits 5"),
        (["--label", "food"], "--max-bits 5"),
        (["--max-bits", "-1"], "from 0 up"),
        (["--min-bits", "3", "--max-bits", "2"], "--min-bits 2 --max-bits 3"),
        (["--max-bits", "inf"], "not a number"),
    ],
)
def test_wrong_limits_of_a_language_model(erya, speaks, options, named):
    (speaks / "kept").mkdir()
    before = sorted(speaks.rglob("*"))
    found = erya("filter", "ng.erya", "texts.txt", *options, "-o", "kept", "--restart")
    assert found.code == 2
    assert named in found.err
    assert sorted(speaks.rglob("*")) == before


def test_bits_of_a_classifier_are_refused(erya, shards):
    found = erya("filter", "m.erya", "in", "--max-bits", "3", "-o", "kept")
    assert found.code == 2
    assert "--label good --min-probability 0.9" in found.err


def test_the_histogram_of_bits_helps_to_choose(erya, speaks):
    (speaks / "near.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    bits = sorted(bits_of(erya, "near.txt").values())
    assert 0 < bits[-1] - bits[0] < 1
    limit = f"{bits[1] + 0.001:.3f}"
    found = erya("filter", "ng.erya", "near.txt", "--max-bits", limit, "--sample", "9")
    start = found.lines.index("bits a character") + 1
    rows = found.lines[start : found.lines.index("", start)]
    assert sum("█" in row for row in rows) > 1
    assert len(rows) <= 20
    assert sum(f"← max {limit}" in row for row in rows) == 1
    chinese = erya(
        "filter", "ng.erya", "near.txt", "--max-bits", "77", "--min-bits", "0", "--sample", "9", lang="zh"
    ).out
    assert "← 上限 77" in chinese
    assert "← 下限 0" in chinese
    assert "max" not in chinese


def test_the_limits_of_a_classifier_in_chinese(erya, shards):
    found = erya("filter", "m.erya", "in", *OPTIONS[:4], "--sample", "9", lang="zh")
    assert "← 下限 0.6" in found.out


def test_bars_of_bits():
    from erya.cli.filter import bars_of_bits

    def histogram(**counts):
        steps = [0] * 2000
        for step, count in counts.items():
            steps[int(step[1:])] = count
        return steps

    assert bars_of_bits(histogram(s3=2)) == [(0.15, 0.2, 2)]
    assert bars_of_bits(histogram(s0=1, s19=5))[-1] == (0.95, 1.0, 5)
    outlier = bars_of_bits(histogram(s20=500, s30=499, s800=1))
    assert outlier[0] == (1.0, 1.05, 500)
    assert outlier[-1] == (1.95, float("inf"), 1)
    wide = bars_of_bits(histogram(s7=50, s700=50))
    assert wide[0][0] == 0
    assert wide[-1] == (34.0, 36.0, 50)
    assert bars_of_bits(histogram(s0=1, s1999=9))[-1][1] == float("inf")
    for last in (1, 18, 19, 20, 39, 40, 99, 100, 1999):
        rows = bars_of_bits(histogram(s0=1, **{f"s{last}": 1}))
        assert len(rows) <= 20
        assert sum(count for _, _, count in rows) == 2
