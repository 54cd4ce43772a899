"""Several labels a row, from reading to the report, by every verb; one toy room takes them, another does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from erya.tasks import classify

ROOMS = str(Path(__file__).parents[1] / "several_rooms")
TOY = "classify/tags"


@pytest.fixture(autouse=True)
def rooms(monkeypatch):
    monkeypatch.setenv("ERYA_ROOMS", ROOMS)


def write(path, rows):
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n" for text, label in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def tagged(tmp_path):
    """train.jsonl and test.jsonl in the folder where the command runs."""
    for name, seed in (("train", 1), ("test", 2)):
        write(tmp_path / f"{name}.jsonl", zip(*classify.toy_several(seed=seed), strict=True))
    return tmp_path


@pytest.fixture
def model(erya, tagged):
    found = erya("train", TOY, "train.jsonl", "-o", "m.erya")
    assert found.code == 0, found.err
    assert "micro F1" in found.out
    return tagged / "m.erya"


def test_train_says_what_it_scored(erya, tagged):
    document = erya("train", TOY, "train.jsonl", "-o", "m.erya", "--json").document
    assert next(iter(document["scores"])) == "micro_f1"
    assert document["baseline"].keys() == {"label", "micro_f1"}
    assert 0 < document["baseline"]["micro_f1"] < 0.6
    shown = erya("check", "m.erya", "--json").document
    assert shown["training"]["data"]["target_kind"] == "several"
    assert shown["training"]["baseline"] == document["baseline"]


def test_a_model_of_one_label_names_those_that_take_several(erya, tagged):
    for dry in ([], ["--dry-run"]):
        found = erya("train", "classify/single", "train.jsonl", "-o", "n.erya", *dry)
        assert found.code == 2
        assert "one label a row" in found.err
        assert TOY in found.err
    assert not (tagged / "n.erya").exists()
    assert "标签" in erya("train", "classify/single", "train.jsonl", "-o", "n.erya", lang="zh").err


def test_evaluate(erya, model):
    document = erya("evaluate", "m.erya", "test.jsonl", "--json").document
    assert document["target_kind"] == "several"
    assert document["scores"]["micro_f1"]["value"] > 0.9
    assert set(document["confused"]) == {"missed", "added", "instead"}
    assert "confusion" not in document
    assert [one["label"] for one in document["per_label"]] == ["food", "music", "weather"]
    truth = [labels for _, labels in zip(*classify.toy_several(seed=2), strict=True)]
    assert [one["support"] for one in document["per_label"]] == [
        sum(label in labels for labels in truth) for label in ("food", "music", "weather")
    ]
    out = erya("evaluate", "m.erya", "test.jsonl").out
    assert "exact match" in out
    assert "precision at 1" in out
    assert "完全匹配" in erya("evaluate", "m.erya", "test.jsonl", lang="zh").out


def test_evaluate_counts_labels_never_seen(erya, model, tagged):
    write(tagged / "new.jsonl", [("soup bread", ["food", "dessert"]), ("song guitar", ["music"])])
    found = erya("evaluate", "m.erya", "new.jsonl", "--json")
    assert found.document["unseen_labels"] == {"dessert": 1}
    assert erya("evaluate", "m.erya", "new.jsonl", "--strict").code == 3


def test_evaluate_a_model_of_one_label_on_rows_of_several(erya, trained, tagged):
    scores = erya("evaluate", "m.erya", "test.jsonl", "--json").document["scores"]
    assert 0.4 < scores["micro_f1"]["value"] < 0.9
    assert scores["precision_at_1"]["value"] > 0.9


def test_predict(erya, model):
    asked = ["--input", "soup guitar noodles album", "--input", "the a", "--input", "rain storm wind"]
    found = erya("predict", "m.erya", *asked)
    lines = [line.split("\t") for line in found.lines]
    assert sorted(lines[0][::2]) == ["food", "music"]
    assert [float(value) for value in lines[0][1::2]] == sorted(map(float, lines[0][1::2]), reverse=True)
    assert lines[1] == [""]
    assert lines[2][0] == "weather"
    rows = [json.loads(line) for line in erya("predict", "m.erya", *asked, "--jsonl").lines]
    assert sorted(rows[0]["answer"]) == ["food", "music"]
    assert len(rows[0]["probability"]) == 2
    assert rows[1]["answer"] == rows[1]["probability"] == []
    assert len(rows[1]["top"]) == 1
    document = erya("predict", "m.erya", *asked, "--json").document
    assert document["rows"] == rows
    assert len(erya("predict", "m.erya", *asked, "--top", "3").lines[1].split("\t")) == 6
    assert len(erya("predict", "m.erya", *asked, "--min-probability", "0").lines[1].split("\t")) == 6
    assert erya("predict", "m.erya", *asked, "--min-probability", "1").lines == ["", "", ""]
    assert erya("predict", "m.erya", *asked, "--abstain").code == 2


def test_predictions_of_a_file_can_be_compared(erya, model, tagged):
    (tagged / "answers.jsonl").write_text(erya("predict", "m.erya", "test.jsonl", "--jsonl").out, encoding="utf-8")
    found = erya("compare", "train.jsonl", "m.erya", "answers.jsonl", "--test", "test.jsonl", "--json")
    assert found.code == 0, found.err
    scores = [row["scores"]["micro_f1"]["value"] for row in found.document["rows"]]
    assert scores[0] == scores[1] > 0.9


def test_compare_shows_who_is_refused(erya, tagged):
    found = erya("compare", "train.jsonl", TOY, "classify/single", "-o", "r.html")
    assert found.code == 0, found.err
    assert "micro F1" in found.lines[0]
    assert "refused" in found.out
    page = (tagged / "r.html").read_text(encoding="utf-8")
    assert "What is missed, what is added?" in page
    assert erya("compare", "train.jsonl", "classify/single", "-q").code == 5
    chinese = erya("compare", "train.jsonl", TOY, "classify/single", "-o", "r.html", "-q", lang="zh").out
    assert "不适用" in chinese
    assert "微 F1" in chinese


def test_check(erya, tagged):
    document = erya("check", "train.jsonl", "--json").document
    assert document["target_kind"] == "several"
    assert sum(document["labels"].values()) == 240
    (note,) = [one for one in document["problems"] if one["code"] == "several-labels"]
    assert "80 of 240" in note["message"]
    assert "1.00 a row" in erya("check", "train.jsonl").out
    assert "naive_bayes" not in erya("check", "test.jsonl").out  # it does not take them
    write(tagged / "few.jsonl", [(f"text {n}", ["x"] if n % 3 else ["x", "y"]) for n in range(30)])
    few = erya("check", "few.jsonl").out
    assert "a typical label has" in few
    assert "naive_bayes" not in few
    write(tagged / "empty.jsonl", [("a", []), ("b", [])])
    assert erya("check", "empty.jsonl").code == 3
    write(tagged / "torn.jsonl", [("a", ["x", "y"]), ("a", ["x"]), ("b", ["y"]), ("c", []), ("c", ["y", "x"])] * 3)
    codes = {one["code"]: one for one in erya("check", "torn.jsonl", "--json").document["problems"]}
    assert "2 texts occur with different labels" in codes["contradictions"]["message"]


def test_calibrate_label_by_label(erya, model, trained_bytes, tagged):
    rows = [
        (text, [] if n % 5 == 0 else labels)
        for n, (text, labels) in enumerate(zip(*classify.toy_several(seed=4), strict=True))
    ]
    write(tagged / "dev.jsonl", rows)
    found = erya("calibrate", "m.erya", "dev.jsonl", "-o", "c.erya", "--precision", "0.9", "--page", "r.html")
    assert found.code == 0, found.err
    assert "micro F1" in found.out
    assert "Brier score" in found.out
    assert "calibration error of each label" in found.out
    assert "of the labels are right" in found.out
    page = (tagged / "r.html").read_text(encoding="utf-8")
    assert "label food" in page
    assert page.count("<svg") >= 4  # all labels, then each of the three
    document = erya("calibrate", "m.erya", "dev.jsonl", "-o", "c.erya", "--precision", "0.9", "--json").document
    before, after = document["scores"]["before"], document["scores"]["after"]
    assert after["log_loss"]["value"] < before["log_loss"]["value"]
    assert after["micro_f1"] == before["micro_f1"]
    assert [one["label"] for one in document["labels"]] == ["food", "music", "weather"]
    assert document["threshold"]["precision"] >= 0.9 > document["threshold"]["coverage"] > 0
    # this model's probabilities are off in place, not in scale: one number cannot mend that, and it says so
    assert after["calibration_error"]["value"] > before["calibration_error"]["value"]
    assert "--method isotonic" in found.err
    isotonic = erya("calibrate", "m.erya", "dev.jsonl", "-o", "i.erya", "--method", "isotonic", lang="zh")
    assert "各标签的校准误差" in isotonic.out
    document = erya("calibrate", "m.erya", "dev.jsonl", "-o", "i.erya", "--method", "isotonic", "--json").document
    assert document["scores"]["after"]["calibration_error"]["value"] < before["calibration_error"]["value"] / 2
    assert document["scores"]["after"]["brier"]["value"] < before["brier"]["value"]
    assert erya("evaluate", "i.erya", "dev.jsonl", "--json").document["target_kind"] == "several"


def test_abstaining_withholds_labels(erya, model, tagged):
    rows = [
        (text, [] if n % 5 == 0 else labels)
        for n, (text, labels) in enumerate(zip(*classify.toy_several(seed=4), strict=True))
    ]
    write(tagged / "dev.jsonl", rows)
    assert erya("calibrate", "m.erya", "dev.jsonl", "-o", "c.erya", "--precision", "0.9", "-q").code == 0
    all_rows = erya("predict", "c.erya", "dev.jsonl", "--json").document["rows"]
    found = erya("predict", "c.erya", "dev.jsonl", "--abstain", "--jsonl")
    sure = [json.loads(line) for line in found.lines]
    assert all(set(one["answer"]) <= set(every["answer"]) for one, every in zip(sure, all_rows, strict=True))
    right = sum(len(set(one["answer"]) & set(labels)) for one, (_, labels) in zip(sure, rows, strict=True))
    assert right / sum(len(one["answer"]) for one in sure) >= 0.9
    silent = [bool(every["answer"]) and not one["answer"] for one, every in zip(sure, all_rows, strict=True)]
    assert [one.get("abstained", False) for one in sure] == silent
    assert any(silent)
    assert f"{sum(silent)} of 240 abstained" in found.err


def test_calibrate_refuses(erya, trained_bytes, tagged):
    (tagged / "one.erya").write_bytes(trained_bytes)
    found = erya("calibrate", "one.erya", "test.jsonl", "-o", "c.erya")
    assert found.code == 2
    assert "was trained to give one" in found.err


def test_separated_labels_in_a_table(erya, tagged):
    rows = [f"{text},{';'.join(labels)}\n" for text, labels in zip(*classify.toy_several(seed=3), strict=True)]
    (tagged / "t.csv").write_text("text,tags\n" + "".join(rows), encoding="utf-8")
    found = erya("train", TOY, "t.csv", "--label-separator", ";", "-o", "m.erya")
    assert found.code == 0, found.err
    assert "3 labels (" in found.err
    assert erya("evaluate", "m.erya", "t.csv", "--label-separator", ";", "--json").document["rows"] == 24


def test_shares_of_labels(erya, tagged):
    rows = [
        (text, {label: 0.8, "food": 0.2} if label != "food" else label)
        for text, label in zip(*classify.toy(), strict=True)
    ]
    write(tagged / "soft.jsonl", rows)
    assert erya("train", "classify/single", "soft.jsonl", "-o", "n.erya").code == 2
    found = erya("train", TOY, "soft.jsonl", "-o", "m.erya")
    assert found.code == 0, found.err
    assert "accuracy" in found.out
    document = erya("evaluate", "m.erya", "soft.jsonl", "--json").document
    assert document["target_kind"] == "soft"
    assert document["scores"]["accuracy"]["value"] > 0.8
    assert "shares" in erya("check", "soft.jsonl").out
