"""compare: table, report, document; contestants of every kind; and what is said on the way."""

from __future__ import annotations

import json

import pytest

from .conftest import MODEL


def test_table_report_and_advice(erya, reviews, tmp_path):
    found = erya("compare", "reviews.csv", MODEL)
    assert found.code == 0, found.err
    assert found.lines[0].split()[0] == "model"
    assert MODEL in found.lines[2]
    assert "always" in found.out
    assert f"{MODEL} …" in found.err
    assert found.err.splitlines()[-1].split()[0] == "next"
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert MODEL in page
    assert erya("compare", "reviews.csv", MODEL, "-q").err == ""  # our own report is replaced
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["report.html"]
    (tmp_path / "report.html").write_text("somebody's own page")
    assert erya("compare", "reviews.csv", MODEL, "-q").code == 0
    assert (tmp_path / "report.html").read_text() == "somebody's own page"
    assert (tmp_path / "report-2.html").exists()


def test_the_document_with_a_file_and_predictions(erya, reviews, trained, tmp_path):
    (tmp_path / "answers.txt").write_text("food\n" * 24)
    found = erya("compare", "reviews.csv", "m.erya", "answers.txt", "--json", "-o", "board.json")
    assert found.code == 0, found.err
    assert found.document["schema"] == "erya.compare/1"
    assert [row["model"] for row in found.document["rows"]] == ["m.erya", "answers.txt"]
    assert json.loads((tmp_path / "board.json").read_text(encoding="utf-8"))["rows"] == found.document["rows"]
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--set", "smothing=1"], "smoothing"),
        (["--seeds", "0"], "--seeds 1"),
        (["--sed", "1"], "--seed"),
        (["--budget", "soon"], "5m"),
    ],
)
def test_wrong_calls_are_said_before_anything_is_trained(erya, reviews, arguments, word):
    found = erya("compare", "reviews.csv", MODEL, *arguments)
    assert found.code == 2
    assert word in found.err


def test_the_live_table():
    from erya.cli.live import Watcher

    watcher = Watcher(live=False, silent=True)
    watcher.watch({"event": "begin", "models": ["a", "b"], "data": {}})
    watcher.watch({"event": "start", "model": "a"})
    watcher.watch({"event": "progress", "model": "a", "epoch": 2, "epochs": 5, "done": 0.4, "loss": 0.5, "score": None})
    assert watcher.standing["a"] == "epoch 2/5  40%  loss 0.500"
    row = {"model": "a", "scores": {}, "status": "failed", "error": "no", "event": "done"}
    watcher.watch(row)
    head, _, failed, waiting = watcher.lines()
    assert head.split()[0] == "model"
    assert failed.split() == ["a", "failed:", "no"]
    assert waiting.split() == ["b", "·"]


def test_a_narrow_terminal_gets_fewer_columns():
    from erya.board_table import aligned, width_of

    row = ["classify/x", "0.9", "[0.8, 1.0]", "0.9", "1 s", "1 s", "10", "1 MB", "1 MB"]
    widths = [max(map(width_of, aligned([row], width))) for width in (None, 60, 10)]
    assert widths[0] > 60 >= widths[1] > widths[2]
    assert "accuracy" in aligned([row], 10)[0]
