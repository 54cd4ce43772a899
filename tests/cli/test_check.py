"""check: every kind of trouble is put into sound data and must be found; and sound data gives no alarm."""

from __future__ import annotations

import random

import pytest

from erya.cli.data_check import examine
from erya.text.dataset import Dataset, Part

from .conftest import write_csv

LABELS = ["food", "music", "weather"]


def sound(rows=300):
    generator = random.Random(0)
    inputs = [" ".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=12)) for _ in range(rows)]
    targets = [LABELS[index % 3] for index in range(rows)]
    return Part(inputs, targets, None, list(range(1, rows + 1)))


def codes(dataset):
    return {problem["code"]: problem for problem in examine(dataset)["problems"]}


def test_sound_data_gives_no_alarm():
    part = sound()
    assert codes(Dataset(part.take(range(240)), part.take(range(240, 270)), part.take(range(270, 300)))) == {}


def corrupted(kind):
    train, test = sound(), Part(["new one", "new two"], ["food", "music"], None, [1, 2])
    if kind == "leakage":
        test.inputs[0] = train.inputs[5]
    elif kind == "duplicates":
        train.inputs[:40] = [train.inputs[0]] * 40
        train.targets[:40] = ["food"] * 40
    elif kind == "contradictions":
        train.inputs[1] = train.inputs[0]
    elif kind == "rare-labels":
        train.targets[0] = "rare"
    elif kind == "unbalanced":
        train.targets = ["food"] * 280 + ["music"] * 10 + ["weather"] * 10
    elif kind == "lookalike-labels":
        train.targets[:100] = ["Food" if label == "food" else label for label in train.targets[:100]]
    elif kind == "unseen-labels":
        test.targets[0] = "sport"
    elif kind == "long-texts":
        train.inputs[7] = "x" * 30_000
    elif kind == "few-rows":
        train = train.take(range(60))
    return Dataset(train, None, test)


@pytest.mark.parametrize(
    "kind",
    [
        "leakage",
        "duplicates",
        "contradictions",
        "rare-labels",
        "unbalanced",
        "lookalike-labels",
        "unseen-labels",
        "long-texts",
        "few-rows",
    ],
)
def test_each_trouble_is_found(kind, monkeypatch):
    found = codes(corrupted(kind))
    assert kind in found
    assert found[kind]["message"]
    if kind == "leakage":
        assert found[kind]["rows"] == [6]
        assert "1 of 2" in found[kind]["message"]
    monkeypatch.setenv("ERYA_LANG", "zh")
    assert any("\u4e00" <= character <= "\u9fff" for character in codes(corrupted(kind))[kind]["message"])


def test_a_file_with_bad_rows(erya, reviews):
    with reviews.open("a", encoding="utf-8") as file:
        file.write("a,b,c\n")
    found = erya("check", "reviews.csv")
    assert found.code == 0, found.err
    assert "1 of 241 rows cannot be used" in found.out
    assert "reviews.csv:242" in found.err
    document = erya("check", "reviews.csv", "--json").document
    assert (document["schema"], document["kind"]) == ("erya.check/1", "data")
    assert document["labels"] == {"food": 80, "music": 80, "weather": 80}
    assert document["parts"]["train"]["rows"] == 240
    assert document["problems"][0]["code"] == "rejected-rows"
    assert erya("check", "reviews.csv", "--bad-rows", "stop").code == 3


def test_leaks_between_two_files(erya, reviews, tmp_path):
    write_csv(
        tmp_path / "test.csv",
        [("unseen text", "food"), tuple(reviews.read_text(encoding="utf-8").splitlines()[4].split(","))],
    )
    document = erya("check", "reviews.csv", "--test", "test.csv", "--json").document
    (leak,) = [problem for problem in document["problems"] if problem["code"] == "leakage"]
    assert leak["rows"] == [4]
    assert leak["severity"] == "error"


def test_a_model_file(erya, trained):
    found = erya("check", "m.erya")
    assert found.code == 0
    assert "whole" in found.out
    document = erya("check", "m.erya", "--json").document
    assert document["kind"] == "model"
    assert document["arrays"]
    assert len(document["fingerprint"]) == 64


def test_a_damaged_model_file_whatever_its_name(erya, trained, tmp_path):
    data = bytearray(trained.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "m.erya").write_bytes(data)
    (tmp_path / "renamed.bin").write_bytes(data)
    for name in ("m.erya", "renamed.bin"):
        found = erya("check", name)
        assert found.code == 4
        assert found.out == ""
