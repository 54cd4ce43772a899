"""calibrate, and predict that keeps silent."""

from __future__ import annotations

import json

import pytest

import erya as package
from erya.tasks import classify

from .conftest import write_csv


@pytest.fixture
def dev(tmp_path, trained):
    """Held-out rows, a quarter of them with another label than their words say."""
    X, y = classify.toy(seed=11, rows=400)
    y = ["food" if number % 4 == 0 else label for number, label in enumerate(y)]
    return write_csv(tmp_path / "dev.csv", zip(X, y, strict=True))


def test_before_and_after(erya, dev, tmp_path):
    found = erya("calibrate", "m.erya", "dev.csv", "-o", "c.erya")
    assert found.code == 0, found.err
    assert "log loss" in found.out
    assert "temperature " in found.out
    before, after = (float(text) for text in next(x for x in found.lines if x.startswith("log loss")).split()[2:])
    assert after < before / 2
    model = package.load(tmp_path / "c.erya")
    assert model.id == "classify/calibrated"
    assert model.calibration_.value > 1
    assert "erya compare dev.csv m.erya c.erya -o report.html" in found.err
    chinese = erya("calibrate", "m.erya", "dev.csv", "-o", "c.erya", "--method", "isotonic", lang="zh")
    assert "校准后" in chinese.out
    assert "偏少" in chinese.err


def test_one_document_and_a_page(erya, dev, tmp_path):
    found = erya("calibrate", "m.erya", "dev.csv", "-o", "c.erya", "--precision", "0.7", "--json", "--page", "r.html")
    document = found.document
    assert document["schema"] == "erya.calibrate/1"
    assert (
        document["scores"]["after"]["calibration_error"]["value"]
        < document["scores"]["before"]["calibration_error"]["value"]
    )
    assert document["scores"]["after"]["accuracy"] == document["scores"]["before"]["accuracy"]
    assert document["threshold"]["precision"] >= 0.7
    assert 0 < document["threshold"]["coverage"] <= 1
    assert sum(bin["count"] for bin in document["bins"]["after"]) == 400
    assert "<svg" in (tmp_path / "r.html").read_text(encoding="utf-8")
    training = json.loads(json.dumps(package.artefact.load(tmp_path / "c.erya").training))
    assert training["calibration"]["method"] == "temperature"
    assert training["data"]  # what the model inside was trained on is still known


def test_silence_below_the_threshold(erya, dev, tmp_path):
    assert erya("calibrate", "m.erya", "dev.csv", "-o", "c.erya", "--precision", "0.76", "-q").code == 0
    threshold = package.load(tmp_path / "c.erya").threshold_
    assert threshold > 0.4
    lines = b"soup bread salt noodles\nzzzz\n\n"
    rows = [json.loads(line) for line in erya("predict", "c.erya", "--jsonl", "--abstain", stdin=lines).lines]
    assert rows[0]["answer"] == "food"
    assert "abstained" not in rows[0]
    assert (rows[1]["answer"], rows[1]["abstained"]) == (None, True)
    assert rows[1]["probability"] < threshold
    assert rows[2]["code"] == "empty-text"
    plain = erya("predict", "c.erya", "--abstain", stdin=lines)
    assert [line.split("\t")[0] for line in plain.lines] == ["food", "", ""]
    assert plain.lines[1].startswith("\t0.")
    assert "1 of 3 abstained" in plain.err
    asked = erya("predict", "m.erya", "--min-probability", "1", "--json", stdin=b"zzzz\n").document
    assert asked["rows"][0]["answer"] is None
    everything = erya("predict", "m.erya", "--min-probability", "0", "--json", stdin=b"zzzz\n").document
    assert everything["rows"][0]["answer"] is not None


def test_the_training_data_themselves_give_their_dev_part(erya, reviews, tmp_path, trained):
    found = erya("calibrate", "m.erya", "reviews.csv", "-o", "c.erya", "--json")
    assert found.code == 0, found.err
    assert found.document["data"]["part"] == "dev"
    assert found.document["rows"] < 60


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["calibrate", "m.erya", "dev.csv", "-o", "m.erya"], 2, "overwritten"),
        (["calibrate", "m.erya", "dev.csv", "-o", "dev.csv"], 2, "dev.csv"),
        (["calibrate", "m.erya", "dev.csv"], 2, "--output"),
        (["calibrate", "m.erya", "dev.csv", "-o", "c.erya", "--method", "isotone"], 2, "--method isotonic"),
        (["calibrate", "m.erya", "dev.csv", "-o", "c.erya", "--precision", "95"], 2, "--precision"),
        (["calibrate", "m.erya", "dev.csv", "-o", "c.erya", "--precision", "0"], 2, "--precision"),
        (["calibrate", "m.erya", "none.csv", "-o", "c.erya"], 3, "none.csv"),
        (["calibrate", "none.erya", "dev.csv", "-o", "c.erya"], 4, "none.erya"),
        (["predict", "m.erya", "--input", "x", "--abstain"], 2, "erya calibrate m.erya DEV --precision"),
        (["predict", "m.erya", "--input", "x", "--min-probability", "80"], 2, "--min-probability 0.9"),
        (["train", "classify/calibrated", "dev.csv", "-o", "c.erya"], 2, "erya calibrate"),
    ],
)
def test_wrong_calls(erya, dev, tmp_path, arguments, code, named):
    found = erya(*arguments)
    assert found.code == code, found.err
    assert named in found.err
    assert found.out == ""
    assert not (tmp_path / "c.erya").exists()


def test_a_precision_out_of_reach(erya, trained, tmp_path):
    X, y = classify.toy(seed=11, rows=90)
    wrong = {"food": "music", "music": "weather", "weather": "food"}
    write_csv(tmp_path / "wrong.csv", [(text, wrong[label]) for text, label in zip(X, y, strict=True)])
    found = erya("calibrate", "m.erya", "wrong.csv", "-o", "c.erya", "--precision", "0.9")
    assert found.code == 3
    assert "the best is" in found.err
    assert not (tmp_path / "c.erya").exists()


def test_word_vectors_have_no_probabilities(erya, words, dev):
    assert erya("calibrate", "v.erya", "dev.csv", "-o", "c.erya").code == 2
    found = erya("predict", "v.erya", "--input", "soup", "--min-probability", "0.5")
    assert (found.code, found.out) == (2, "")


def test_every_verb_takes_the_calibrated_model(erya, dev, tmp_path):
    assert erya("calibrate", "m.erya", "dev.csv", "-o", "c.erya", "-q").code == 0
    assert erya("evaluate", "c.erya", "dev.csv", "--json").document["model"] == "classify/calibrated"
    assert erya("show", "c.erya").code == 0
    assert erya("show", "c.erya", "soup").code == 0
    assert erya("explain", "c.erya", "soup").code == 0
    assert erya("check", "c.erya").code == 0
    compared = erya("compare", "dev.csv", "m.erya", "c.erya", "--split", "0.4/0.2/0.4", "--json", "-o", "report.html")
    assert compared.code == 0, compared.err
    errors = {row["model"]: row["scores"]["calibration_error"]["value"] for row in compared.document["rows"]}
    assert errors["c.erya"] < errors["m.erya"]
    assert "Reliability of" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("id", ["classify/textcnn", "classify/lstm"])
def test_a_network_keeps_silent_below_the_threshold(erya, id, tmp_path):
    """From training to silence by the command line: of the texts it answers, as many are right as were asked for."""
    pytest.importorskip("torch")
    for name, seed in (("train", 3), ("dev", 4), ("test", 5)):
        X, y = classify.toy(seed=seed, rows=240)
        X = [text if number % 4 else " ".join(text.split()[:2]) for number, text in enumerate(X)]  # little to go by
        write_csv(tmp_path / f"{name}.csv", zip(X, y, strict=True))
    assert erya("train", id, "train.csv", "--preset", "tiny", "-o", "n.erya", "-q").code == 0
    document = erya("calibrate", "n.erya", "dev.csv", "--precision", "0.97", "-o", "s.erya", "--json").document
    assert document["threshold"]["precision"] >= 0.97 > document["scores"]["before"]["accuracy"]["value"]
    rows = [
        json.loads(line)
        for line in erya("predict", "s.erya", "test.csv", "--text", "review", "--abstain", "--jsonl").lines
    ]
    _, truth = classify.toy(seed=5, rows=240)
    given = [row["answer"] == label for row, label in zip(rows, truth, strict=True) if row["answer"] is not None]
    assert 0.4 < len(given) / 240 < 1
    assert sum(given) / len(given) > 0.93  # other texts than those that the threshold was chosen on
    assert all(row["probability"] < document["threshold"]["value"] for row in rows if row["answer"] is None)
