"""train and resume: what goes to stdout, what to stderr, and what lies in the folder afterwards."""

from __future__ import annotations

import hashlib
import json

import pytest

from erya import catalog

from .conftest import MODEL, write_csv


def test_train_says_data_saved_and_what_next(erya, reviews):
    found = erya("train", MODEL, "reviews.csv", "-o", "m.erya")
    assert found.code == 0, found.err
    (saved,) = found.lines
    assert saved.split()[:2] == ["saved", "m.erya"]
    assert "accuracy 1.000 [1.000, 1.000]" in saved
    assert "majority baseline 0." in saved
    data = found.err.splitlines()[0]
    assert data.split()[0] == "data"
    assert "240 rows (train 192 dev 24 test 24)" in data
    assert "3 labels" in data
    assert "zh" in data
    assert found.err.splitlines()[-1].split()[:3] == ["next", "erya", "predict"]
    assert "taken for the text" not in found.out
    assert sorted(path.name for path in reviews.parent.iterdir()) == ["m.erya", "reviews.csv"]
    assert catalog.load("m.erya").predict(["soup bread tasty"]).tolist() == ["food"]


def test_quiet_leaves_the_result(erya, reviews):
    found = erya("train", MODEL, "reviews.csv", "-o", "m.erya", "-q")
    assert found.err == ""
    assert found.out.startswith("  saved")


def test_train_in_chinese(erya, reviews):
    found = erya("train", MODEL, "reviews.csv", "-o", "m.erya", lang="zh")
    assert "准确率" in found.out
    assert "240 行" in found.err
    assert "saved" not in found.out


def test_train_as_json(erya, reviews):
    document = erya("train", MODEL, "reviews.csv", "-o", "m.erya", "--json").document
    assert document["schema"] == "erya.train/1"
    assert document["model"] == MODEL
    assert document["path"] == "m.erya"
    assert document["bytes"] == (reviews.parent / "m.erya").stat().st_size
    assert document["scored_on"] == "test"
    assert document["scores"]["accuracy"]["low"] <= document["scores"]["accuracy"]["value"]
    assert document["baseline"]["label"] in ("food", "music", "weather")
    assert document["data"]["rows"] == {"train": 192, "dev": 24, "test": 24}
    assert document["rejects"] is None


def test_the_same_seed_gives_the_same_file(erya, reviews):
    digests = []
    for seed in ("1", "1", "2"):
        assert erya("train", MODEL, "reviews.csv", "-o", "m.erya", "--seed", seed).code == 0
        digests.append(hashlib.sha256((reviews.parent / "m.erya").read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_settings_and_presets_reach_the_model(erya, reviews):
    arguments = ["train", MODEL, "reviews.csv", "-o", "m.erya", "--dry-run", "--json"]
    plain = erya(*arguments).document["settings"]
    assert plain["tokenizer"] == "auto"
    assert erya(*arguments, "--set", "tokenizer=characters").document["settings"] == {
        **plain,
        "tokenizer": "characters",
    }
    assert erya(*arguments, "--preset", "paper").document["preset"] == "paper"


def test_dry_run_trains_nothing(erya, reviews):
    found = erya("train", MODEL, "reviews.csv", "-o", "m.erya", "--dry-run")
    assert found.code == 0
    assert "tokenizer" in found.out
    assert "nothing was trained" in found.err
    assert sorted(path.name for path in reviews.parent.iterdir()) == ["reviews.csv"]


def test_a_sample_brings_its_tokenizer(erya):
    arguments = ["train", MODEL, "sample:poetry", "-o", "m.erya", "--dry-run", "--json"]
    assert erya(*arguments).document["settings"]["tokenizer"] == "characters"
    assert erya(*arguments, "--set", "tokenizer=words").document["settings"]["tokenizer"] == "words"


def test_rejected_rows_are_counted_said_and_kept(erya, reviews, tmp_path):
    (tmp_path / "out").mkdir()
    with reviews.open("a", encoding="utf-8") as file:
        file.write(",food\nsoup,food,extra\n")
    refused = erya("train", MODEL, "reviews.csv", "-o", "out/m.erya")
    assert refused.code == 3
    assert "reviews.csv:243" in refused.err
    assert "--bad-rows skip" in refused.err
    found = erya("train", MODEL, "reviews.csv", "-o", "out/m.erya", "--bad-rows", "skip", "--json")
    assert found.code == 0
    assert "2 rejected" in found.err
    assert found.document["data"]["rows_in"] == 242
    assert found.document["data"]["rejected"] == 2
    assert found.document["rejects"] == "out/rejects.jsonl"
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert [(reject["line"], reject["code"]) for reject in rejects] == [(242, "empty-text"), (243, "ragged")]


def test_columns_by_number_and_files_for_the_parts(erya, tmp_path):
    rows = [(f"{word} soup {index}", label) for index in range(20) for word, label in [("good", "+"), ("bad", "-")]]
    for name in ("a.csv", "b.csv", "c.csv"):
        write_csv(tmp_path / name, rows[1:], header=rows[0])
    found = erya(
        "train", MODEL, "a.csv", "--no-header", "--text", "1", "--label", "2", "--validation", "b.csv", "--test", "c.csv",
        "-o", "m.erya", "--json",
    )  # fmt: skip
    assert found.code == 0, found.err
    assert found.document["data"]["rows"] == {"train": 40, "dev": 40, "test": 40}


def test_split_shares(erya, reviews):
    def rows(split):
        return erya("train", MODEL, "reviews.csv", "-o", "m.erya", "--dry-run", "--json", "--split", split).document[
            "data"
        ]["rows"]

    assert rows("0.5/0.25/0.25") == rows("50/25/25") == {"train": 120, "dev": 60, "test": 60}
    assert rows("0.9/0.1") == {"train": 216, "test": 24}


@pytest.mark.parametrize("split", ["", "a/b/c", "0/0.5/0.5", "-1/1/1", "0.5/0.5/0.5", "1/2/3/4", "nan/1/1"])
def test_splits_that_are_none(erya, reviews, split):
    found = erya("train", MODEL, "reviews.csv", "-o", "m.erya", "--split", split)
    assert found.code == 2 or split == ""
    assert "Traceback" not in found.err


def test_resume_where_nothing_is_to_resume(erya, trained):
    found = erya("resume", "m.erya")
    assert found.code == 2
    assert found.err.startswith("error:")
