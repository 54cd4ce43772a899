"""evaluate: scores with intervals, per label, confusions; on which rows; and labels that training never showed."""

from __future__ import annotations

import pytest

from .conftest import write_csv


def test_the_document(erya, trained, tmp_path):
    write_csv(
        tmp_path / "test.csv", [("soup bread", "food"), ("guitar", "music"), ("rain", "food"), ("storm", "weather")]
    )
    found = erya("evaluate", "m.erya", "test.csv", "--json")
    assert found.code == 0, found.err
    document = found.document
    assert document["schema"] == "erya.evaluate/1"
    assert document["rows"] == 4
    assert document["data"]["part"] == "all"
    assert document["scores"]["accuracy"]["value"] == 0.75
    assert set(document["scores"]["accuracy"]) == {"value", "low", "high"}
    assert set(document["scores"]) == {"accuracy", "macro_f1", "micro_f1", "log_loss", "calibration_error"}
    assert document["confusion"] == {
        "labels": ["food", "music", "weather"],
        "counts": [[1, 0, 1], [0, 1, 0], [0, 0, 1]],
    }
    food = document["per_label"][0]
    assert (food["label"], food["support"], food["recall"], food["precision"]) == ("food", 2, 0.5, 1.0)
    assert document["unseen_labels"] == {}
    assert document["baseline"]["label"] in ("food", "music", "weather")


def test_in_the_terminal(erya, trained, reviews):
    found = erya("evaluate", "m.erya", "reviews.csv")
    assert found.code == 0
    assert "accuracy" in found.out
    assert "95 % interval" in found.out
    assert "precision" in found.out
    assert "answered →" in found.out
    assert found.err.splitlines()[-1].split()[0] == "next"
    assert "准确率" in erya("evaluate", "m.erya", "reviews.csv", lang="zh").out


def test_the_data_it_was_trained_on_is_scored_on_the_rows_it_has_not_seen(erya, trained, reviews, tmp_path):
    assert erya("evaluate", "m.erya", "reviews.csv", "--json").document["rows"] == 24
    more = reviews.read_text(encoding="utf-8") + "soup,food\n"
    (tmp_path / "more.csv").write_text(more, encoding="utf-8")
    assert erya("evaluate", "m.erya", "more.csv", "--json").document["rows"] == 241


def test_labels_never_seen_are_counted_and_wrong(erya, trained, tmp_path):
    write_csv(tmp_path / "test.csv", [("soup", "food"), ("goal", "sport"), ("match", "sport"), ("rain", "weather")])
    found = erya("evaluate", "m.erya", "test.csv", "--json")
    assert found.code == 0
    assert found.document["unseen_labels"] == {"sport": 2}
    assert found.document["scores"]["accuracy"]["value"] == 0.5
    assert "sport" in found.document["confusion"]["labels"]
    assert "sport ×2" in erya("evaluate", "m.erya", "test.csv").err
    strict = erya("evaluate", "m.erya", "test.csv", "--strict")
    assert strict.code == 3
    assert "sport" in strict.err


def test_one_class_can_be_evaluated(erya, trained, tmp_path):
    write_csv(tmp_path / "test.csv", [("soup", "food"), ("bread", "food")])
    assert erya("evaluate", "m.erya", "test.csv", "--json").document["scores"]["accuracy"]["value"] == 1


def test_a_folder_is_scored_on_its_test_part(erya, trained, tmp_path):
    (tmp_path / "data").mkdir()
    write_csv(tmp_path / "data" / "train.csv", [("soup", "food"), ("rain", "weather")] * 5)
    write_csv(tmp_path / "data" / "test.csv", [("soup", "food"), ("rain", "weather"), ("drum", "music")])
    document = erya("evaluate", "m.erya", "data", "--json").document
    assert (document["rows"], document["data"]["part"]) == (3, "test")


def test_many_labels_show_the_worst_confusions():
    from erya.cli.evaluate import _confusion_lines

    labels = [f"label{index}" for index in range(30)]
    counts = [[5 if true == answered else 0 for answered in range(30)] for true in range(30)]
    assert _confusion_lines({"labels": labels, "counts": counts}) == ["  no mistakes"]
    counts[3][7] = 9
    assert "label3" in _confusion_lines({"labels": labels, "counts": counts})[1]


@pytest.mark.parametrize("arguments", [["nowhere.csv"], ["empty.csv"]])
def test_data_that_is_not_there(erya, trained, tmp_path, arguments):
    (tmp_path / "empty.csv").write_text("")
    assert erya("evaluate", "m.erya", *arguments).code == 3
