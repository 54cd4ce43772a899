"""What a classifier learns from: one label, several, or shares of labels, in one sparse form."""

from __future__ import annotations

import numpy as np
import pytest

from erya.errors import DataError, UsageError
from erya.tasks import classify

ALL = ("one", "several", "soft")
TEXTS = ["t", "u", "v", "w"]


def test_one_label_has_the_sparse_form_too():
    data = classify.examples(TEXTS, ["b", "a", "b", "c"])
    assert data.kind == "one"
    assert data.targets.tolist() == [1, 0, 1, 2]
    assert data.starts.tolist() == [0, 1, 2, 3, 4]
    assert data.labels.tolist() == [1, 0, 1, 2]
    assert data.shares.tolist() == [1, 1, 1, 1]


def test_several_labels():
    data = classify.examples(TEXTS, [["c", "a"], [], {"b"}, ("a", "a")], kinds=ALL)
    assert data.kind == "several"
    assert data.classes.tolist() == ["a", "b", "c"]
    assert data.targets.shape == (0,)
    assert data.starts.tolist() == [0, 2, 2, 3, 4]
    assert data.labels.tolist() == [0, 2, 1, 0]
    assert data.shares.tolist() == [1, 1, 1, 1]
    assert data.weights.tolist() == [1, 1, 1, 1]


def test_a_set_has_no_order_to_depend_on():
    names = [f"label{number}" for number in range(30)]
    data = classify.examples(["t", "u"], [set(names), ["other"]], kinds=ALL)
    assert data.labels.tolist() == [*range(30), 30]


def test_single_labels_among_lists_are_lists_of_one():
    data = classify.examples(TEXTS, ["a", ["a", "b"], "b", []], kinds=ALL)
    assert data.kind == "several"
    assert data.labels.tolist() == [0, 0, 1, 1]


def test_soft_labels_sum_to_one():
    y = [{"a": 3, "b": 1}, {"b": 0.2, "c": 0}, {"a": 1.0}, "b"]
    data = classify.examples(TEXTS, y, kinds=ALL)
    assert data.kind == "soft"
    assert data.classes.tolist() == ["a", "b", "c"]  # c is known, though nobody has it
    assert data.starts.tolist() == [0, 2, 3, 4, 5]
    assert data.labels.tolist() == [0, 1, 1, 0, 1]
    assert data.shares.tolist() == [0.75, 0.25, 1, 1, 1]
    balanced = classify.examples(TEXTS, y, kinds=ALL, class_weight="balanced")
    assert np.isfinite(balanced.weights).all()


@pytest.mark.parametrize(
    "target", [{}, {"a": -1, "b": 2}, {"a": float("nan")}, {"a": 0}, {"a": float("inf")}, {"a": "much"}]
)
def test_shares_that_are_none(target):
    with pytest.raises(DataError) as caught:
        classify.examples(["t", "u"], [{"a": 1, "b": 1}, target], kinds=ALL)
    assert caught.value.code == "bad-shares"
    assert "y[1]" in caught.value.message


@pytest.mark.parametrize(
    ("y", "code"), [([["a", "b"], ["b"]], "several-labels"), ([{"a": 1}, {"b": 1}], "soft-labels")]
)
def test_a_room_takes_the_kinds_it_names(y, code):
    with pytest.raises(UsageError) as caught:
        classify.examples(["t", "u"], y)
    assert caught.value.code == code
    other = ("one", "soft") if code == "several-labels" else ("one", "several")
    with pytest.raises(UsageError) as caught:
        classify.examples(["t", "u"], y, kinds=other)
    assert caught.value.code == code
    assert classify.examples(["t", "u"], y, kinds=ALL).kind != "one"


def test_errors_of_several_labels():
    with pytest.raises(UsageError) as mixed:
        classify.examples(["t", "u"], [["a"], {"a": 1}], kinds=ALL)
    assert mixed.value.code == "mixed-targets"
    with pytest.raises(DataError) as none:
        classify.examples(["t", "u"], [[], []], kinds=ALL)
    assert none.value.code == "no-labels"
    with pytest.raises(DataError) as one:
        classify.examples(["t", "u"], [["a"], []], kinds=ALL)
    assert one.value.code == "one-class"
    with pytest.raises(UsageError) as matrix:
        classify.examples(["t", "u"], np.array([[0, 1], [1, 0]]), kinds=ALL)
    assert matrix.value.code == "label-matrix"
    with pytest.raises(DataError) as lengths:
        classify.examples(["t"], [["a"], ["b"]], kinds=ALL)
    assert lengths.value.code == "lengths-differ"


def test_weights_of_several_labels():
    y = [["a", "b"], [], ["a"], ["c"]]
    data = classify.examples(TEXTS, y, kinds=ALL, sample_weight=[1, 2, 0, 1], class_weight={"b": 3})
    assert data.documents == ["t", "u", "w"]  # the row of weight 0 is left out
    assert data.starts.tolist() == [0, 2, 2, 3]
    assert data.weights.tolist() == [2, 2, 1]  # the mean of 1 and 3; no label: as it was
    balanced = classify.examples(TEXTS, y, kinds=ALL, class_weight="balanced")
    # a: 2 of 4 labels given, b and c: 1 each; C = 3
    assert balanced.weights.tolist() == pytest.approx([(4 / 6 + 4 / 3) / 2, 1, 4 / 6, 4 / 3])
    soft = classify.examples(["t", "u"], [{"a": 3, "b": 1}, {"b": 1}], kinds=ALL, class_weight={"b": 5})
    assert soft.weights.tolist() == pytest.approx([0.75 + 0.25 * 5, 5])


def test_arrays_and_series_of_lists():
    pandas = pytest.importorskip("pandas")
    y = [["a"], ["a", "b"]]
    boxed = np.empty(2, dtype=object)
    boxed[:] = y
    for given in (boxed, pandas.Series(y), np.array([["a", "b"], ["a", "c"]], dtype=object)):
        assert classify.examples(["t", "u"], given, kinds=ALL).kind == "several"


def test_classes_that_are_known_already():
    one = classify.examples(["t", "u"], ["b", "b"], classes=["c", "a", "b"], class_weight="balanced")
    assert one.classes.tolist() == ["a", "b", "c"]
    assert one.targets.tolist() == one.labels.tolist() == [1, 1]
    assert one.weights.tolist() == pytest.approx([1 / 3, 1 / 3])
    several = classify.examples(["t", "u", "v"], [["c", "a"], [], ["c"]], classes=np.array(["a", "b", "c"]), kinds=ALL)
    assert several.starts.tolist() == [0, 2, 2, 3]
    assert several.labels.tolist() == [0, 2, 2]
    bare = classify.examples(["t"], [[]], classes=["a", "b"], kinds=ALL)
    assert (bare.labels.shape, bare.starts.tolist()) == ((0,), [0, 0])
    numbers = classify.examples(["t"], ["1"], classes=[1, 2])
    assert numbers.classes.tolist() == [1, 2]
    assert numbers.targets.tolist() == [0]
    turned = classify.examples(["t"], [{2: 3, 10: 1}], classes=["10", "2"], kinds=ALL)
    assert (turned.labels.tolist(), turned.shares.tolist()) == ([0, 1], [0.25, 0.75])
    soft = classify.examples(["t"], [{"b": 1.0}], classes=["a", "b"], kinds=ALL)
    assert soft.labels.tolist() == [1]
    for y in (["d"], [["a", "d"]], [{"d": 1}]):
        with pytest.raises(UsageError, match="'d'") as caught:
            classify.examples(["t"], y, classes=["a", "b"], kinds=ALL)
        assert caught.value.code == "unknown-label"
    with pytest.raises(DataError):
        classify.examples(["t"], ["a"], classes=["a"])
