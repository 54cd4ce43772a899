"""Reading rows of several labels, or of shares of labels, from every format that can hold them."""

from __future__ import annotations

import json
from collections import Counter

import pytest

import erya
from erya.errors import UsageError
from erya.text.dataset import Dataset, Part

ROWS = [("a soup", ("food", "hot")), ("a song", ("music",)), ("nothing", ()), ("dinner music", ("music", "food"))]


def write(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def jsonl(rows):
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)


def test_json_lists(tmp_path):
    data = erya.read(write(tmp_path, "a.jsonl", jsonl(ROWS)), check=False)
    assert data.kind == "several"
    assert data.train.targets == [labels for _, labels in ROWS]
    assert data.labels == ["food", "hot", "music"]
    assert data.train.label_counts() == {"food": 2, "hot": 1, "music": 2}
    assert (data.reading.rows_in, data.reading.used, data.reading.rejected) == (4, 4, 0)


def test_a_single_label_among_lists(tmp_path):
    rows = [("a", "x"), ("b", ["x", "y", "x"]), ("c", 3)]
    assert erya.read(write(tmp_path, "a.jsonl", jsonl(rows))).train.targets == [("x",), ("x", "y"), ("3",)]


def test_lists_of_one_are_single_labels_and_an_empty_one_is_a_row_without(tmp_path):
    rows = [("a", ["x"]), ("b", []), ("c", ["y"]), ("d", "x"), ("e", "y")]
    data = erya.read(write(tmp_path, "a.jsonl", jsonl(rows)))
    assert data.kind == "one"
    assert data.train.targets == ["x", "y", "x", "y"]
    assert data.train.inputs == ["a", "c", "d", "e"]
    assert data.train.rows == [1, 3, 4, 5]
    assert [(one.row, one.code, one.file) for one in data.reading.rejects] == [(2, "empty-label", "a.jsonl")]
    assert (data.reading.rows_in, data.reading.used, data.reading.rejected) == (5, 4, 1)


def test_fasttext_lines(tmp_path):
    text = "__label__food __label__hot a soup\n__label__music a song\nno label\n__label__music __label__food dinner\n"
    data = erya.read(write(tmp_path, "a.txt", text))
    assert data.train.targets == [("food", "hot"), ("music",), ("music", "food")]
    assert [one.code for one in data.reading.rejects] == ["empty-label"]


@pytest.mark.parametrize(("name", "between"), [("a.csv", ","), ("a.tsv", "\t")])
def test_fields_with_a_separator(tmp_path, name, between):
    lines = [
        f"text{between}label",
        f"a soup{between}food; hot",
        f"a song{between}music",
        f"silence{between}",
        f"music{between}food;music;",
    ]
    path = write(tmp_path, name, "\n".join(lines) + "\n")
    data = erya.read(path, label_separator=";")
    assert data.train.targets == [("food", "hot"), ("music",), (), ("food", "music")]
    whole = erya.read(path, check=False)
    assert whole.kind == "one"
    assert whole.train.targets == ["food; hot", "music", "food;music;"]
    with pytest.raises(UsageError) as caught:
        erya.read(path, label_separator=" ")
    assert caught.value.code == "bad-separator"


def test_shares_of_labels(tmp_path):
    rows = [("a", {"x": 0.7, "y": 0.3}), ("b", "y"), ("c", {"x": 2, "y": 0})]
    data = erya.read(write(tmp_path, "a.jsonl", jsonl(rows)))
    assert data.kind == "soft"
    assert data.train.targets == [{"x": 0.7, "y": 0.3}, {"y": 1.0}, {"x": 2.0, "y": 0.0}]
    assert data.train.label_counts() == {"x": 2, "y": 2}


def test_all_parts_are_of_one_kind(tmp_path):
    train, test = write(tmp_path, "a.jsonl", jsonl(ROWS)), write(tmp_path, "b.jsonl", jsonl([("c", "hot"), ("d", [])]))
    data = erya.read(train, test=test, check=False)
    assert data.test.targets == [("hot",), ()]


def test_digest_knows_which_label_stands_where():
    def digest(targets):
        return Dataset(Part(["t", "u"], targets)).digest

    kinds = [
        ["a", "b"],
        [("a",), ("b",)],
        [("a", "b"), ()],
        [(), ("a", "b")],
        [{"a": 1.0}, {"b": 1.0}],
        [("a, b",), ()],
    ]
    assert len({digest(targets) for targets in kinds}) == len(kinds)


def test_split_is_in_proportion_for_every_label_and_the_same_for_any_order():
    rows = [(f"text {number}", tuple(f"l{n}" for n in range(12) if number % (n + 3) == 0)) for number in range(2000)]
    part = Part([text for text, _ in rows], [labels for _, labels in rows], rows=list(range(1, 2001)))
    data = Dataset(part).split(0.8, 0.1, 0.1, seed=3)
    whole = Counter(label for _, labels in rows for label in labels)
    for name, found in data.parts():
        share = {"train": 0.8, "dev": 0.1, "test": 0.1}[name]
        counts = found.label_counts()
        for label, count in whole.items():
            assert abs(counts[label] - share * count) <= 3 + 0.25 * share * count, (name, label)
    turned = Dataset(part.take(reversed(range(2000)))).split(0.8, 0.1, 0.1, seed=3)
    assert sorted(turned.test.inputs) == sorted(data.test.inputs)
    soft = Dataset(Part(["a", "b", "c", "d"] * 10, [{"x": 0.5, "y": 0.5}, {"y": 1.0}] * 20, rows=list(range(40))))
    assert len(soft.split(seed=1).train) < 40


def test_cooking_is_read_as_several_labels(shared_data):
    data = erya.read(shared_data / "cooking")
    assert data.kind == "several"
    assert len(data.train) == 12404
    assert len(data.labels) > 700
    assert max(map(len, data.train.targets)) > 2
