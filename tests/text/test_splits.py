"""Data sets and their splits: seeded, in proportion, duplicates together, nothing lost."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.errors import UsageError
from erya.text import Dataset, Part
from erya.text.judge import judge


def part_of(texts, labels=None, weights=None):
    return Part(list(texts), None if labels is None else list(labels), weights, list(range(1, len(texts) + 1)))


DOCUMENTS = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.sampled_from("xyz")), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, st.integers(0, 5), st.booleans())
def test_duplicates_stay_together_and_every_row_is_in_one_part(rows, seed, pairs):
    texts = [(text, "second") if pairs else text for text, _ in rows]
    data = Dataset(part_of(texts, [label for _, label in rows])).split(0.6, 0.2, 0.2, seed=seed)
    assert data.duplicates() == []
    assert sorted(row for _, part in data.parts() for row in part.rows) == list(range(1, len(rows) + 1))
    for _, part in data.parts():
        assert part.rows == sorted(part.rows)
        assert [(texts[row - 1], rows[row - 1][1]) for row in part.rows] == list(
            zip(part.inputs, part.targets, strict=True)
        )
    assert len(data.train) > 0
    kinds = len(set(texts))
    assert sum(len(part) > 0 for _, part in data.parts()) >= min(3, kinds)


def test_shares_and_labels_are_in_proportion():
    texts = [f"text {number}" for number in range(5000)]
    labels = ["common"] * 4000 + ["rare"] * 900 + ["rarest"] * 100
    data = Dataset(part_of(texts, labels)).split(seed=3)
    assert [len(part) for _, part in data.parts()] == [4000, 500, 500]
    for _, part in data.parts():
        counts = Counter(part.targets)
        assert counts["rare"] == pytest.approx(0.18 * len(part), abs=2)
        assert counts["rarest"] == pytest.approx(0.02 * len(part), abs=2)


def test_every_label_stays_in_training():
    data = Dataset(part_of([f"t{n}" for n in range(60)], [f"l{n // 2}" for n in range(60)])).split(0.5, 0.25, 0.25)
    assert set(data.train.targets) == {f"l{n}" for n in range(30)}


def test_the_seed_decides_and_the_order_of_the_rows_does_not():
    rows = [(f"text {number}", "ab"[number % 2]) for number in range(400)]
    shuffled = rows[:]
    random.Random(1).shuffle(shuffled)

    def tested(rows, seed):
        return set(Dataset(part_of(*zip(*rows, strict=True))).split(seed=seed).test.inputs)

    assert tested(rows, 0) == tested(rows, 0) == tested(shuffled, 0)
    assert tested(rows, 0) != tested(rows, 1)
    # Known rows: a split made today must be the split of every later version.
    assert [sorted(tested(rows[:20], seed)) for seed in (0, 7)] == [["text 15", "text 8"], ["text 12", "text 7"]]


def test_parts_that_exist_are_kept():
    test = part_of(["kept 1", "kept 2"], ["a", "b"])
    data = Dataset(part_of([f"t{n}" for n in range(90)], ["a", "b"] * 45), test=test).split(0.8, 0.1, 0.1)
    assert data.test is test
    assert (len(data.train), len(data.dev)) == (80, 10)  # 0.8 : 0.1 of what there is
    again = data.split(0.1, 0.8, 0.1, seed=9)
    assert again.train.inputs == data.train.inputs
    assert again.dev is data.dev


def test_a_share_of_nothing_makes_no_part():
    data = Dataset(part_of([f"t{n}" for n in range(10)])).split(0.5, 0, 0.5)
    assert data.dev is None
    assert len(data.test) == 5
    assert data.test.targets is None


@pytest.mark.parametrize(
    "shares", [(0, 0.5, 0.5), (-1, 1, 1), (0.5, -0.1, 0.6), (float("nan"), 0.1, 0.1), (float("inf"), 0, 0)]
)
def test_shares_that_mean_nothing(shares):
    with pytest.raises(UsageError, match="not a split"):
        Dataset(part_of(["a", "b"])).split(*shares)


def test_weights_travel_with_their_rows():
    data = Dataset(part_of([f"t{n}" for n in range(20)], None, [float(n) for n in range(20)])).split()
    for _, part in data.parts():
        assert part.weights == [row - 1.0 for row in part.rows]


def test_the_digest_sees_everything_and_its_order():
    plain = Dataset(part_of(["a", "b"], ["x", "y"]))
    others = [
        Dataset(part_of(["b", "a"], ["y", "x"])),
        Dataset(part_of(["a", "b"], ["x", "x"])),
        Dataset(part_of(["a", "b"])),
        Dataset(part_of(["a", "b"], ["x", "y"], [1.0, 1.0])),
        Dataset(part_of(["a", "b"], ["x", "y"], [1.0, 2.0])),
        Dataset(part_of(["ab", ""], ["x", "y"])),
        Dataset(part_of([("a", "b"), "b"], ["x", "y"])),
        Dataset(part_of(["a"], ["x"]), test=part_of(["b"], ["y"])),
        Dataset(part_of(["a"], ["x"]), dev=part_of(["b"], ["y"])),
    ]
    digests = {data.digest for data in [plain, *others]}
    assert len(digests) == 1 + len(others)
    assert plain.digest == Dataset(part_of(["a", "b"], ["x", "y"]), source="elsewhere").digest
    assert len(plain.digest) == 64
    assert Dataset(part_of(["\ud800"])).digest != Dataset(part_of(["\ud801"])).digest


def test_duplicates_and_unseen_labels_are_found():
    data = Dataset(
        part_of(["a", "b", "a"], ["x", "y", "x"]), dev=part_of(["b"], ["z"]), test=part_of(["a", "c"], ["z", "x"])
    )
    assert [(one.input, one.rows) for one in data.duplicates()] == [
        ("a", {"train": [1, 3], "test": [1]}),
        ("b", {"train": [2], "dev": [1]}),
    ]
    assert data.unseen_labels() == {"z": 2}
    assert data.labels == ["x", "y"]


def test_labels_that_occur_once_are_named():
    data = Dataset(part_of(["a", "b", "c", "d"], ["x", "x", "y", "z"]), dev=part_of(["e"], ["x"]))
    judge(data)
    assert data.reading.notes == ["2 labels occur once in training: y, z"]
    several = Dataset(part_of(["a", "b", "c"], [("x",), ("x", "y"), ()]))
    judge(several)
    assert several.reading.notes == ["one label occurs once in training: y"]
    plain = Dataset(part_of(["a", "b", "c", "d"], ["x", "x", "y", "y"]))
    judge(plain)
    assert plain.reading.notes == []
