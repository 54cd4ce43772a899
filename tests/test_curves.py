"""Learning curves: portions that hold one another, labels that are there early, scores that are those of the models themselves."""

import numpy as np
import pytest

import erya
from erya.curves import nested_order
from erya.errors import DataError, UsageError
from erya.tasks import classify, tag
from erya.text.dataset import Dataset, Part, Reading
from tests.html_checks import checked


def dataset(task, rows, targets, count):
    train, test = (Part(list(rows[part]), list(targets[part])) for part in (slice(0, count), slice(count, None)))
    kind = "tags" if task == "tag" else "one"
    made = Dataset(train, None, test, "toy", task, None, {}, Reading())
    assert made.kind == kind
    return made


@pytest.fixture(scope="module")
def tagged():
    X, y = tag.toy(seed=1, rows=160)
    return dataset("tag", X, [tuple(tags) for tags in y], 120)


def test_orders_are_drawn_and_begin_with_what_was_not_shown_yet():
    targets = ["a"] * 95 + ["b"] * 3 + ["c"] * 2
    order = nested_order(targets, seed=3)
    assert sorted(order.tolist()) == list(range(100))
    assert {targets[row] for row in order[:3]} == {"a", "b", "c"}
    assert order.tolist() == nested_order(targets, seed=3).tolist() != nested_order(targets, seed=4).tolist()
    tags = [("O",)] * 50 + [("O", "B-x")] * 2 + [("B-y", "I-y")]
    first = [set(tags[row]) for row in nested_order(tags)[:3]]
    assert set().union(*first) == {"O", "B-x", "B-y", "I-y"}


def test_the_last_point_is_the_model_trained_on_everything(tagged):
    found = erya.learning_curve(tagged, ["tag/hmm"], portions=(1.0, 0.1, 0.5))
    assert [point.portion for point in found.points] == [0.1, 0.5, 1.0]
    assert [point.rows for point in found.points] == [12, 60, 120]
    full = erya.tag.HMM().fit(tagged.train.inputs, tagged.train.targets)
    assert found.points[-1].score == full.score(tagged.test.inputs, tagged.test.targets)
    assert found.metric == "f1"
    plain = found.to_plain()
    assert plain["doubling"]["tag/hmm"] == pytest.approx(found.points[2].score - found.points[1].score)
    assert "tag/hmm" in found.said()[0]
    assert checked(found.trace().html())


def test_seeds_draw_other_orders_and_spread_is_told(tagged):
    found = erya.learning_curve(tagged, ["tag/hmm"], portions=(0.1,), seeds=3)
    (point,) = found.points
    assert point.low < point.score < point.high
    assert found.cells()[1][0][3].startswith(f"{point.score:.3f} (")


def test_what_is_too_little_to_learn_from_is_a_gap():
    X, y = classify.toy(seed=1, rows=60)
    found = erya.learning_curve(dataset("classify", X, y, 40), ["classify/naive_bayes"], portions=(0.01, 1))
    assert (found.points[0].rows, found.points[0].score) == (1, None)
    assert found.points[0].error
    assert found.points[1].score > 0.5
    assert found.doubling("classify/naive_bayes") is None
    assert np.isnan(found.trace().arrays["classify/naive_bayes"][0])


def test_what_cannot_be(tagged):
    for portions in ((), (0,), (1.5,), (float("nan"),)):
        with pytest.raises(UsageError):
            erya.learning_curve(tagged, ["tag/hmm"], portions=portions)
    with pytest.raises(UsageError, match="not for the task"):
        erya.learning_curve(tagged, ["classify/naive_bayes"])
    with pytest.raises(DataError, match="no test rows"):
        erya.learning_curve(Dataset(tagged.train, None, None, "toy", "tag", None, {}, Reading()), ["tag/hmm"])
