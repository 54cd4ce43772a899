"""Kim's table is a grid of cells: each measured once, kept at once; what is not measured, or not whole, is called so."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from reproductions import cards, cells, kim2014  # noqa: E402
from reproductions.cells import Cells  # noqa: E402

CELL = kim2014.Cell("trec", "rand", 0, None, "-")


def figures(accuracy, seed=0):
    return {"accuracy": accuracy, "epochs": 3, "minutes": 0.5, "rows": [9, 3], "seed": seed}


def shared(folder, name, parts):
    (folder / name).mkdir(parents=True)
    for part, rows in parts.items():
        with gzip.open(folder / name / f"{part}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)


def test_a_cell_is_on_disk_at_once_and_known_again(tmp_path):
    kept = Cells("kim2014", tmp_path)
    assert CELL.key not in kept
    kept.put(CELL.key, figures(90.0))
    again = Cells("kim2014", tmp_path)
    assert CELL.key in again
    assert again[CELL.key]["accuracy"] == 90.0
    assert {"erya", "processor", "torch"} <= set(again[CELL.key]["environment"])


def test_the_grid_has_folds_where_there_is_no_test_split(tmp_path):
    vectors = tmp_path / "toy.vec"
    vectors.write_text("1 2\na 0.1 0.2\n")
    every = list(kim2014.cells(list(kim2014.NAMES), list(kim2014.VARIANTS), 3, 10, vectors))
    assert len(every) == len({cell.key for cell in every}) == 3 * 4 * (4 * 10 + 3)
    only = list(kim2014.cells(["mr", "trec"], list(kim2014.VARIANTS), 2, 1, None))
    assert {cell.variant for cell in only} == {"rand"}, "without vectors"
    assert len(only) == 4
    vectors.write_text("1 2\na 0.1 0.3\n")
    other = next(iter(kim2014.cells(["mr"], ["static"], 1, 1, vectors)))
    assert other.key not in {cell.key for cell in every}, "other vectors, another cell"


def test_ten_folds_share_no_row_and_hold_them_all(tmp_path):
    shared(tmp_path, "cr", {"all": [(f"text {number}", number % 2) for number in range(43)]})
    seen = []
    for fold in range(10):
        train, dev, test = kim2014.parts(kim2014.Cell("cr", "rand", 5, fold, "-"), tmp_path)
        assert dev is None
        assert not set(train[0]) & set(test[0])
        assert len(train[0]) + len(test[0]) == 43
        assert len(test[0]) == len(test[1]) in (4, 5)
        seen += test[0]
    assert len(seen) == len(set(seen)) == 43


def test_one_cell_is_trained_with_the_papers_settings(tmp_path, monkeypatch):
    rows = [("good fine nice", "yes"), ("bad poor awful", "no")] * 20
    shared(tmp_path, "trec", {"train": rows, "test": rows[:6]})
    real = kim2014.parts
    monkeypatch.setattr(kim2014, "parts", lambda cell: real(cell, tmp_path))
    found = kim2014.measure(CELL, None, {"dim": 6, "filters": 4, "epochs": 3})
    assert 0 <= found["accuracy"] <= 100
    assert found["rows"] == [40, 6]
    assert found["epochs"] == 3
    assert found["minutes"] > 0


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_card_says_what_is_missing(tmp_path, lang):
    words = {"en": ("not measured yet", "incomplete"), "zh": ("尚未测量", "不完整")}[lang]
    kept = Cells("kim2014", tmp_path)
    assert kim2014.card(lang, kept) == words[0] + "\n"
    for seed, accuracy in enumerate((90.0, 91.0, 92.3)):
        kept.put(kim2014.Cell("trec", "rand", seed, None, "-").key, figures(accuracy, seed))
    kept.put(kim2014.Cell("mr", "rand", 0, 0, "-").key, figures(75.0))
    lines = kim2014.card(lang, kept).splitlines()
    trec = next(line for line in lines if line.startswith("| rand | TREC"))
    assert "| 91.2 | 91.1 | -0.1 | 3 / 3 |" in trec
    mr = next(line for line in lines if line.startswith("| rand | MR"))
    assert words[1] in mr
    assert "1 / 30" in mr
    assert sum(words[0] in line for line in lines) == 4 * 7 - 2


def test_readmes_are_filled_between_their_markers(monkeypatch):
    monkeypatch.setitem(cards.CARDS, "kim2014", lambda lang: f"table {lang}\n")
    text = "a\n<!-- reproduced:begin name=kim2014 -->\nold\n<!-- reproduced:end -->\nb\n"
    expected = text.replace("old", "table zh")
    assert cards.filled(text, "zh") == expected
    assert cards.filled(expected, "zh") == expected


def test_the_readmes_say_what_the_results_say():
    assert cards.stale(write=False) == [], "run: python -m reproductions.cards"


def test_no_data_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kim2014, "SHARED", tmp_path / "nowhere")
    monkeypatch.setattr("sys.argv", ["kim2014"])
    kim2014.main()
    assert "skipped" in capsys.readouterr().out
    assert cells.FOLDER.name == "results"
