"""``erya tune`` from the command line."""

from __future__ import annotations

import json

import pytest

from erya.tasks import classify, tag
from tests.cli.conftest import write_csv
from tests.html_checks import checked

MODEL = "classify/naive_bayes"
QUICK = ("--text", "review", "--label", "stars", "--trials", "3")


@pytest.fixture
def reviews(tmp_path):
    """The task's toy set, one label in five made the first: no model gets all of it right."""
    X, y = classify.toy(seed=2)
    y = ["food" if number % 5 == 0 else label for number, label in enumerate(y)]
    return write_csv(tmp_path / "reviews.csv", zip([f"{x} {n}" for n, x in enumerate(X)], y, strict=True))


def test_one_command_gives_model_report_and_a_table(erya, reviews, tmp_path):
    done = erya("tune", "reviews.csv", MODEL, *QUICK)
    assert done.code == 0, done.err
    assert "optimistic" in " ".join(done.out.split())
    assert "always “" in done.out
    assert "(default)" in done.out
    assert "erya predict tuned/model.erya" in done.err
    assert sorted(path.name for path in (tmp_path / "tuned").iterdir()) == [
        "journal.jsonl",
        "model.erya",
        "report.html",
        "tune.json",
    ]
    checked((tmp_path / "tuned" / "report.html").read_text(encoding="utf-8"))
    assert erya("predict", "tuned/model.erya", "--input", "tasty soup").code == 0
    again = erya("tune", "reviews.csv", MODEL, *QUICK, lang="zh")
    assert again.code == 0
    assert "偏乐观" in again.out.replace("\n", "")
    assert "从第 3 次试验之后继续" in again.err


def test_taggers(erya, tmp_path):
    X, y = tag.toy(seed=1, rows=80)
    noisy = [
        ["O" if (number + place) % 5 == 0 else name for place, name in enumerate(tags)] for number, tags in enumerate(y)
    ]
    text = "".join(
        "".join(f"{a} {b}\n" for a, b in zip(*pair, strict=True)) + "\n" for pair in zip(X, noisy, strict=True)
    )
    (tmp_path / "noisy.conll").write_text(text, encoding="utf-8")
    done = erya("tune", "noisy.conll", "tag/hmm", "--trials", "2", "--refit", "train", "--json", "-q")
    assert done.code == 0, done.err
    document = done.document
    assert (document["task"], document["score"], document["test"]["headline"]) == ("tag", "f1", "f1")
    assert list(document["test"]["tuned"]) == ["f1", "precision", "recall", "accuracy"]
    assert document["test"]["baseline"]["label"] is None
    assert document["winner"]["model"] == "tag/hmm"
    checked((tmp_path / "tuned" / "report.html").read_text(encoding="utf-8"))
    assert "F1 0." in erya("check", "tuned/model.erya").out
    assert erya("tune", "noisy.conll", "--task", "vectors").code == 2


def test_json_is_one_document(erya, reviews, tmp_path):
    done = erya("tune", MODEL, "reviews.csv", *QUICK, "--set", "word_ngrams=1", "--json", "-q", "-o", "out")
    assert done.code == 0, done.err
    assert done.err == ""
    document = done.document
    assert document["schema"] == "erya.tune/1"
    assert document["winner"]["frozen"] == {"word_ngrams": 1}
    kept = json.loads((tmp_path / "out" / "tune.json").read_text(encoding="utf-8"))
    assert kept["trials"] == document["trials"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("missing.csv", MODEL), 3, "missing.csv"),
        (("reviews.csv", "classify/naive_bays"), 2, "naive_bayes"),
        (("reviews.csv", "vectors/word2vec"), 2, "for the task vectors"),
        (("reviews.csv", MODEL, "tag/hmm"), 2, "no model for the task"),
        (("reviews.csv", MODEL, "--trials", "1"), 2, "--trials"),
        (("reviews.csv", MODEL, "--budget", "soon"), 2, "--budget"),
        (("reviews.csv", MODEL, "--set", "smothing=1"), 2, "smoothing"),
        (("reviews.csv", MODEL, "--score", "acuracy"), 2, "accuracy"),
        (("reviews.csv", MODEL, "--refit", "all"), 2, "train+dev"),
        (("reviews.csv", MODEL, "--split", "0.8/0/0.2"), 3, "validation"),
        (("reviews.csv", MODEL, "-o", "reviews.csv"), 2, "is a file"),
        (("reviews.csv", MODEL, "-o", "."), 2, "holds other files"),
    ],
)
def test_mistakes_are_said_before_anything_long_begins(erya, reviews, arguments, code, told):
    columns = ("--text", "review", "--label", "stars")
    done = erya("tune", *arguments, *columns)
    assert done.code == code, done.err
    assert told in done.err
    assert "Traceback" not in done.err
