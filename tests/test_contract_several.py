"""The battery for classifiers whose card says that they take several labels a text, or shares of labels.

A toy room is among them, so that the battery is never empty, and so that what surrounds a model is tested without one.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import erya
from erya import catalog, leaderboard
from erya.errors import DataError, UsageError
from erya.parts import label_thresholds
from erya.tasks import classify
from erya.text.dataset import Dataset, Part
from tests.conftest import small_model

ROOMS = os.pathsep.join([str(Path(__file__).parent / "several_rooms"), os.environ.get("ERYA_ROOMS", "")])
TOY = "classify/tags"
each_several = pytest.mark.parametrize("id", [TOY, *catalog.taking("several")])
each_soft = pytest.mark.parametrize("id", [TOY, *catalog.taking("soft")])
each_other = pytest.mark.parametrize(
    "id", ["classify/single", *(id for id in catalog.ids("classify") if id not in catalog.taking("several"))]
)


@pytest.fixture(autouse=True)
def rooms(monkeypatch):
    monkeypatch.setenv("ERYA_ROOMS", ROOMS)
    monkeypatch.setenv("ERYA_LANG", "en")


@pytest.fixture(scope="module")
def learned():
    """``learned(id)``: the tiny model fitted on the toy set of several labels, once."""
    cache = {}

    def get(id):
        if id not in cache:
            cache[id] = small_model(id).fit(*classify.toy_several(seed=1, rows=600))
        return cache[id]

    return get


@each_several
def test_finds_all_labels_and_none(id, learned):
    X, y = classify.toy_several(seed=2)
    model = learned(id)
    assert model.several_ is True
    assert model.score(X, y) > 0.8  # always answering one label: 0.33
    answers = model.predict(X)
    assert answers.dtype == object
    assert {len(answer) for answer in answers} >= {0, 1, 2}
    assert all(isinstance(answer, tuple) for answer in answers)
    exact = np.mean([set(answer) == set(labels) for answer, labels in zip(answers, y, strict=True)])
    assert exact > 0.6


@each_several
def test_probabilities_are_independent_and_decide(id, learned):
    X, _ = classify.toy_several(seed=3)
    model = learned(id)
    probabilities = model.predict_proba(X)
    assert probabilities.dtype == np.float64
    assert probabilities.shape == (len(X), 3)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert np.ptp(probabilities.sum(axis=1)) > 0.5
    assert list(model.classes_) == ["food", "music", "weather"]
    assert model.thresholds_.shape == (3,)
    decided = label_thresholds.answers(probabilities, model.thresholds_, model.classes_)
    assert model.predict(X).tolist() == decided.tolist()


@each_several
def test_saved_and_loaded_the_same_bits(id, learned, tmp_path):
    X, _ = classify.toy_several(seed=4)
    model = learned(id)
    again = erya.load(model.save(tmp_path / "m.erya"))
    assert again.several_ is True
    assert again.fingerprint() == model.fingerprint()
    np.testing.assert_array_equal(again.thresholds_, model.thresholds_)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.predict(X).tolist() == model.predict(X).tolist()


@each_several
def test_same_seed_same_bits_whatever_was_learned_before(id):
    X, y = classify.toy_several(seed=5, rows=90)
    first = small_model(id).fit(X, y)
    second = small_model(id).fit(*classify.toy(seed=0, rows=60))
    assert not getattr(second, "several_", False)
    second.fit(X, [set(labels) for labels in y])
    assert first.fingerprint() == second.fingerprint()


@each_several
def test_weights_of_0_and_unknown_words(id):
    X, y = classify.toy_several(seed=6, rows=90)
    model = small_model(id).fit([*X, "soup"], [*y, ("elsewhere",)], sample_weight=[1.0] * 90 + [0.0])
    assert list(model.classes_) == ["food", "music", "weather"]
    assert model.predict_proba(["qwertyuiop", ""]).shape == (2, 3)
    assert np.isfinite(model.predict_proba(["qwertyuiop", ""])).all()
    assert len(model.predict([])) == 0


@each_several
def test_what_cannot_be_learned(id):
    with pytest.raises(DataError):
        small_model(id).fit(["a", "b"], [[], []])
    with pytest.raises(DataError):
        small_model(id).fit(["a", "b"], [["x"], ["x"]])
    with pytest.raises(UsageError):
        small_model(id).fit(["a", "b"], [["x"], {"y": 1.0}])


@each_soft
def test_shares_of_labels_move_the_probabilities(id):
    X, y = classify.toy(seed=7, rows=240)
    shares = [{label: 0.7, "weather" if label != "weather" else "food": 0.3} for label in y]
    model = small_model(id).fit(X, shares)
    assert not getattr(model, "several_", False)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    food = [place for place, label in enumerate(y) if label == "food"]
    assert model.score([X[place] for place in food], ["food"] * len(food)) > 0.7
    assert (
        probabilities[food][:, 2].mean() > 1.5 * probabilities[food][:, 1].mean()
    )  # weather had its share, music none


@each_other
def test_a_model_of_one_label_says_so(id):
    for y, code in (([["a", "b"], ["b"]], "several-labels"), ([{"a": 1.0}, {"b": 1.0}], "soft-labels")):
        with pytest.raises(UsageError) as caught:
            small_model(id).fit(["one", "two"], y)
        assert caught.value.code == code


def test_cross_validation():
    from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

    X, y = classify.toy_several(seed=10, rows=120)
    assert cross_val_score(catalog.model(TOY), X, y, cv=KFold(3)).mean() > 0.8  # of its own, it would want to stratify
    search = GridSearchCV(catalog.model(TOY), {"class_weight": [None, "balanced"]}, cv=KFold(3)).fit(X, y)
    assert search.best_score_ > 0.8


# ---- compared --------------------------------------------------------------------------------------------------


def several_data(rows=240):
    X, y = classify.toy_several(seed=8, rows=rows)
    return Dataset(Part(X, y, rows=list(range(1, rows + 1))), source="toy").split(0.6, 0.1, 0.3, seed=0)


def test_compared_with_models_that_take_one_label():
    board = leaderboard.compare([TOY, "classify/single"], several_data())
    first, second = board.rows
    assert (first["model"], first["status"]) == (TOY, "ok")
    assert list(first["scores"])[:3] == ["micro_f1", "macro_f1", "exact_match"]
    assert first["scores"]["micro_f1"]["value"] > 0.7
    assert (second["model"], second["status"], second["scores"]) == ("classify/single", "refused", {})
    assert TOY in second["error"]
    document = board.document
    assert document["columns"][0] == "micro_f1"
    assert document["data"]["target_kind"] == "several"
    assert document["confusion"] == {}
    assert set(document["confused"][TOY]) == {"missed", "added", "instead"}
    assert document["baseline"]["majority"] < 0.5
    assert document["beats_chance"]
    assert "refused" in board.table()
    page = board.html()
    for words in ("Micro F1", "What is missed, what is added?", "refused", "micro F1"):
        assert words in page
    assert "McNemar" not in page


def test_two_models_are_tested_on_the_same_rows(tmp_path):
    data = several_data()
    saved = catalog.model(TOY).fit(data.train.inputs, data.train.targets).save(tmp_path / "m.erya")
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join('{"answer": ["food"]}\n' for _ in range(len(data.test))))
    lines = tmp_path / "lines.txt"
    lines.write_text("music\n" * len(data.test))
    model = catalog.model(TOY)
    board = leaderboard.compare([str(saved), str(answers), str(lines), model], data)
    scores = {row["model"]: row["scores"]["micro_f1"]["value"] for row in board.rows}
    assert scores[str(saved)] == scores[TOY] > scores[str(answers)]
    assert len(board.document["pairs"]) == 6
    by_names = {frozenset((pair["a"], pair["b"])): pair for pair in board.document["pairs"]}
    assert by_names[frozenset((str(saved), str(answers)))]["significant"]
    assert by_names[frozenset((str(saved), TOY))]["p_value"] == 1
    assert "Randomisation test" in board.html()


def test_an_estimator_of_another_library_is_refused():
    from sklearn.dummy import DummyClassifier

    board = leaderboard.compare([TOY, DummyClassifier()], several_data(90))
    assert [row["status"] for row in board.rows] == ["ok", "refused"]


def test_shares_are_compared_by_accuracy():
    X, y = classify.toy(seed=9, rows=150)
    shares = [{label: 0.8, "food": 0.2} if label != "food" else {label: 1.0} for label in y]
    data = Dataset(Part(X, shares, rows=list(range(150))), source="toy").split(0.6, 0.1, 0.3, seed=0)
    board = leaderboard.compare([TOY, "classify/single"], data)
    assert [row["status"] for row in board.rows] == ["ok", "refused"]
    assert board.rows[0]["scores"]["accuracy"]["value"] > 0.8
    assert board.html()
