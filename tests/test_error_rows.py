"""Rows worth reading: confident mistakes, label errors planted and found, texts seen in training; the page and its filter."""

from __future__ import annotations

import numpy as np
import pytest

from erya import error_rows, leaderboard
from erya.error_rows import Rows
from erya.tasks import classify
from erya.tasks.classify import Run
from erya.text.dataset import Dataset, Part


def run_of(probabilities, classes=("a", "b", "c")):
    probabilities = np.asarray(probabilities, dtype=float)
    return Run(np.asarray(classes)[probabilities.argmax(axis=1)], probabilities, np.asarray(classes))


def planted(seed=0, rows=120, wrong=6):
    """A good model's answers to rows of which some bear another label than they should."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 3, rows)
    probabilities = generator.dirichlet([0.6, 0.6, 0.6], rows) * 0.35
    probabilities[np.arange(rows), truth] += 0.65
    given = truth.copy()
    places = generator.choice(rows, wrong, replace=False)
    given[places] = (given[places] + 1) % 3
    targets = [("a", "b", "c")[number] for number in given]
    return (
        Rows([f"text {row}" for row in range(rows)], targets, range(1, rows + 1)),
        run_of(probabilities),
        places,
        truth,
    )


def test_planted_label_errors_are_found():
    test, run, places, truth = planted()
    found = error_rows.suspects(test, {"m": run})
    rows = {one["row"] - 1 for one in found}
    assert rows <= set(places.tolist()), "a row is suspect only where the model is surer than of most with that label"
    assert len(rows) >= 3
    for one in found:
        assert one["instead"] == "abc"[truth[one["row"] - 1]] != one["label"]
        assert one["models"] == ["m"]
        assert 0 <= one["probability"] < 0.4


def test_confident_joint_by_hand():
    """Northcutt's thresholds: a is given 0.9 and 0.3 where it stands, mean 0.6; b 0.8 and 0.5, mean 0.65."""
    test = Rows(["1", "2", "3", "4"], ["a", "a", "b", "b"], [1, 2, 3, 4])
    run = run_of([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.5, 0.5]], ("a", "b"))
    found = error_rows.suspects(test, {"m": run})
    assert [(one["row"], one["instead"], one["probability"]) for one in found] == [(2, "b", pytest.approx(0.3))]


def test_what_several_models_doubt_comes_first():
    test = Rows(list("1234"), ["a", "a", "b", "b"], [1, 2, 3, 4])
    one = run_of([[0.9, 0.1], [0.02, 0.98], [0.2, 0.8], [0.1, 0.9]], ("a", "b"))
    other = run_of([[0.9, 0.1], [0.3, 0.7], [0.95, 0.05], [0.3, 0.7]], ("a", "b"))
    found = error_rows.suspects(test, {"one": one, "other": other})
    assert [(row["row"], row["models"]) for row in found] == [(2, ["one", "other"]), (3, ["other"])]
    assert error_rows.suspects(test, {}) == []


def test_a_label_the_model_has_never_seen():
    test = Rows(["1", "2"], ["a", "new"], [1, 2])
    found = error_rows.suspects(test, {"m": run_of([[0.9, 0.1], [0.95, 0.05]], ("a", "b"))})
    assert found == [], "nothing is known of such a label"


def test_confident_mistakes_in_order():
    test = Rows(["x", "y", "z", "w"], ["a", "a", "b", "c"], [11, 12, 13, 14])
    run = run_of([[0.2, 0.8, 0], [0.9, 0.1, 0], [0.95, 0.05, 0], [0, 0.4, 0.6]])
    found = error_rows.confident(test, run)
    assert [(one["row"], one["answer"], one["probability"]) for one in found] == [(13, "a", 0.95), (11, "b", 0.8)]
    bare = error_rows.confident(test, Run(np.array(["a", "b", "b", "c"])))
    assert [(one["row"], one["probability"]) for one in bare] == [(12, None)]


def test_several_labels():
    test = Rows(["1", "2", "3", "4"], [("a",), ("a", "b"), (), ("b",)], [1, 2, 3, 4])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.03], [0.1, 0.97], [0.2, 0.9]])
    answers = np.empty(4, dtype=object)
    answers[:] = [("a",), ("a",), ("b",), ("b",)]
    run = Run(answers, probabilities, np.array(["a", "b"]))
    mistakes = error_rows.confident(test, run)
    assert [(one["row"], one["label"], one["answer"]) for one in mistakes] == [(2, "a, b", "a"), (3, "(none)", "b")]
    assert [one["probability"] for one in mistakes] == pytest.approx([0.97, 0.97])
    doubted = error_rows.suspects(test, {"m": run})
    assert {(one["row"], one["instead"]) for one in doubted} == {(2, "a"), (3, "b")}


def test_texts_seen_in_training_other_labels_first():
    train = Rows(["Soup!", "bread", "tea"], ["food", "food", "drink"], [5, 6, 7])
    test = Rows(["bread.", "soup", "rain"], ["food", "weather", "weather"], [1, 2, 3])
    found = error_rows.duplicates(train, test)
    assert (found["count"], found["near"], found["all"]) == (2, 0, True)
    assert [(one["row"], one["train_row"], one["train_label"]) for one in found["rows"]] == [
        (2, 5, "food"),
        (1, 6, "food"),
    ]


# ---- in the report ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def board():
    from erya.classify import LogisticRegression, NaiveBayes

    X, y = classify.toy(seed=3, rows=200)
    X[150], y[150] = "<script>alert(1)</script> & soup bread", "music"
    X[151], y[151] = X[0].upper() + "!", y[0]
    train, test = Part(X[:120], y[:120], rows=list(range(1, 121))), Part(X[140:], y[140:], rows=list(range(141, 201)))
    dev = Part(X[120:140], y[120:140], rows=list(range(121, 141)))
    return leaderboard.compare([NaiveBayes(), LogisticRegression()], Dataset(train, dev, test, source="toy"))


def test_the_document_and_the_page(board, monkeypatch):
    found = board.document["errors"]
    assert set(found["confident"]) == {"classify/naive_bayes", "classify/logistic_regression"}
    assert found["suspects"][0]["row"] == 151
    assert found["models_asked"] == 2
    assert found["duplicates"]["rows"][0]["train_row"] == 1
    page = board.html()
    assert '<section id="errors"' in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "Northcutt" in page
    assert 'href="#errors"' in page


def test_the_page_in_chinese(board):
    from erya import report_page

    page = report_page.render({**board.document, "language": "zh"})
    for words in ("错误浏览", "自信的错误", "可能标错的行", "训练时见过的文本", "全部标签"):
        assert words in page


def test_a_label_hides_the_rows_of_all_others(board):
    """Every row bears the number of its label, and every label has a rule that hides the others."""
    import re

    page = board.html()
    names = re.findall(r'<label for="errors-(\d+)">(.*?)</label>', page)
    assert {re.sub("<[^>]*>", "", name) for _, name in names} == {
        one["label"]
        for rows in (*board.document["errors"]["confident"].values(), board.document["errors"]["suspects"])
        for one in rows
    } | {one["label"] for one in board.document["errors"]["duplicates"]["rows"]}
    for number, _ in names:
        assert f"#errors-{number}:checked~.browser .found>li:not(.is-{number}){{display:none}}" in page
        assert f'<li class="is-{number}">' in page


def test_nothing_to_read_no_section(board):
    from erya import report_page

    nothing = {"confident": {}, "suspects": [], "models_asked": 2, "duplicates": None}
    assert 'id="errors"' not in report_page.render({**board.document, "errors": nothing})
    assert 'id="errors"' not in report_page.render({k: v for k, v in board.document.items() if k != "errors"})
