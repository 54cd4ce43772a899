"""Every reproduction is a grid of cells: each measured once, kept at once; what is not measured, or not whole, is called so."""

from __future__ import annotations

import gzip
import hashlib
import inspect
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from erya import catalog  # noqa: E402
from reproductions import (  # noqa: E402
    cards,
    cells,
    kim2014,
    language_curves,
    language_models,
    long_documents,
    names,
    sources,
    survey_zh,
    surveys,
    taggers,
    zhang_wallace,
)
from reproductions.cells import Cells  # noqa: E402
from reproductions.sources import Source  # noqa: E402
from reproductions.surveys import Survey  # noqa: E402

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


def test_two_processes_share_a_grid(tmp_path):
    one, other = Cells("toy", tmp_path), Cells("toy", tmp_path)
    one.put("a", figures(90.0))
    other.put("b", figures(91.0))
    one.put("c", figures(92.0))
    assert set(Cells("toy", tmp_path).cells) == {"a", "b", "c"}
    assert "b" in one


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
    monkeypatch.setitem(cards.CARDS, "kim2014", lambda lang, room: f"table {lang} {room}\n")
    text = "a\n<!-- reproduced:begin name=kim2014 -->\nold\n<!-- reproduced:end -->\nb\n"
    expected = text.replace("old", "table zh lstm")
    assert cards.filled(text, "zh", "lstm") == expected
    assert cards.filled(expected, "zh", "lstm") == expected


def test_the_readmes_say_what_the_results_say():
    assert cards.stale(write=False) == [], "run: python -m reproductions.cards"


def test_both_languages_show_the_same_tables():
    marker = re.compile(r"<!-- (?:reproduced|measured):begin name=\w+ -->")
    pairs = [(page, page.with_suffix(".zh.md")) for page in cards.ROOT.rglob("*.md") if ".venv" not in page.parts]
    pairs = [(english, chinese) for english, chinese in pairs if chinese.exists()]
    assert len(pairs) > 30
    for english, chinese in pairs:
        tables = [marker.findall(page.read_text(encoding="utf-8")) for page in (english, chinese)]
        assert tables[0] == tables[1], english


def test_no_data_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kim2014, "SHARED", tmp_path / "nowhere")
    monkeypatch.setattr("sys.argv", ["kim2014"])
    kim2014.main()
    assert "skipped" in capsys.readouterr().out
    assert cells.FOLDER.name == "results"


# ---- surveys ---------------------------------------------------------------------------------------------------------

EVERY = [survey_zh.SURVEY, names.SURVEY, long_documents.SURVEY, taggers.SURVEY]
ROWS = [("good fine nice", "yes"), ("bad poor awful", "no")] * 20


def toy_parts(shared, fold):
    every = [text for text, _ in ROWS], [label for _, label in ROWS]
    if fold is None:
        return every, None, sources.chosen(every, np.arange(6))
    train, test = sources.random_fold(every, fold, 2)
    return train, None, test


TOY = Survey(
    name="toy",
    sources={
        "split": Source(("split", "划分"), toy_parts, bundled=True),
        "folds": Source(("folds", "折"), toy_parts, folds=2, bundled=True),
    },
    settings={
        "split": {"naive_bayes": {}, "fasttext": {"preset": "tiny", "dim": 4}},
        "folds": {"fasttext": {"preset": "tiny", "dim": 4}},
    },
    paper={"split": {"naive_bayes": 98.0}},
    why={"split": ("Because.", "因为。")},
)


def test_a_survey_trains_what_is_random_on_every_seed_and_each_fold_once():
    keys = [cell.key for cell in TOY.cells()]
    assert keys == [
        "split naive_bayes {} seed=0 fold=test",
        'split fasttext {"dim":4,"preset":"tiny"} seed=0 fold=test',
        'folds fasttext {"dim":4,"preset":"tiny"} seed=0 fold=0',
        'folds fasttext {"dim":4,"preset":"tiny"} seed=0 fold=1',
        'split fasttext {"dim":4,"preset":"tiny"} seed=1 fold=test',
        'split fasttext {"dim":4,"preset":"tiny"} seed=2 fold=test',
    ]
    assert len(list(TOY.cells(["folds"], seeds=3))) == 6, "more seeds, where they are asked for"
    assert len(list(TOY.cells(["folds"], folds=1))) == 1
    assert {cell.room for cell in TOY.cells(rooms=["fasttext"])} == {"fasttext"}


def test_a_changed_setting_is_a_new_cell_and_the_card_shows_what_the_settings_say_now(tmp_path):
    kept = Cells("toy", tmp_path)
    for cell in TOY.cells(["split"]):
        kept.put(cell.key, figures(90.0 + cell.seed, cell.seed))
    before = TOY.card("en", kept=kept)
    assert "| `fasttext` | – | 91.00 (90.0 – 92.0) |  | 3 / 3 | 0.5 | preset=tiny, dim=4 |" in before
    assert "| `naive_bayes` | 98.0 | 90.00 | -8.0 | 1 / 1 | 0.5 | defaults |" in before
    assert "Because." in before
    assert "因为。" in TOY.card("zh", kept=kept)
    other = replace(TOY, settings={"split": {"fasttext": {"preset": "tiny", "dim": 5}}})
    assert not {cell.key for cell in other.cells()} & set(kept.cells)
    assert other.card("en", kept=kept) == "not measured yet\n"


def test_in_a_rooms_readme_a_card_has_that_models_lines_alone(tmp_path):
    kept = Cells("toy", tmp_path)
    for cell in TOY.cells():
        kept.put(cell.key, figures(90.0, cell.seed))
    alone = TOY.card("en", "naive_bayes", kept)
    assert "`naive_bayes`" in alone
    assert "`fasttext`" not in alone
    assert "**folds**" not in alone
    assert TOY.card("zh", "svm", kept) == "尚未测量\n"


def test_a_cell_of_a_survey_is_trained_with_its_settings(monkeypatch):
    seen = []
    real = catalog.model
    monkeypatch.setattr(catalog, "model", lambda *given: seen.append(given) or real(*given))
    split, fold = next(iter(TOY.cells(["split"], ["fasttext"]))), next(iter(TOY.cells(["folds"])))
    found = TOY.measure(replace(split, seed=2))
    assert seen == [("classify/fasttext", "tiny", {"dim": 4, "seed": 2})]
    assert found["accuracy"] == 100
    assert found["rows"] == [40, 6]
    assert found["seed"] == 2
    assert TOY.measure(fold)["rows"] == [20, 20]
    assert TOY.measure(next(iter(TOY.cells())), rows=8)["rows"] == [8, 6]


def test_a_grid_goes_on_where_it_stopped(tmp_path, capsys):
    kept, seen = Cells("toy", tmp_path), []

    def measure(cell):
        seen.append(cell.key)
        return figures(90.0, cell.seed)

    todo = list(TOY.cells())
    cells.fill(kept, todo[:2], measure, None)
    cells.fill(Cells("toy", tmp_path), todo, measure, None)
    assert seen == [cell.key for cell in todo], "each once"
    assert len(Cells("toy", tmp_path)) == len(todo)
    cells.fill(Cells("toy", tmp_path / "other"), todo, measure, 0.0)
    assert len(seen) == len(todo), "no minutes, no cell"
    assert "budget" in capsys.readouterr().err
    cells.fill(Cells("toy", tmp_path / "other"), todo, measure, None, keep=False)
    assert not (tmp_path / "other").exists()


def test_the_command_of_a_survey_keeps_and_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cells.Cells.__init__, "__defaults__", (tmp_path,))
    TOY.main(None, ["--data", "split", "--rooms", "naive_bayes"])
    assert len(Cells("toy", tmp_path)) == 1
    assert "| `naive_bayes` | 98.0 | 100.00 |" in capsys.readouterr().out
    monkeypatch.setattr(surveys, "SHARED", tmp_path / "nowhere")
    replace(TOY, sources={name: replace(one, bundled=False) for name, one in TOY.sources.items()}).main(None, [])
    assert "skipped" in capsys.readouterr().out


@pytest.mark.parametrize("survey", EVERY, ids=[survey.name for survey in EVERY])
def test_every_survey_names_models_and_settings_that_there_are(survey):
    assert set(survey.settings) == set(survey.sources)
    assert set(survey.paper) | set(survey.why) <= set(survey.sources)
    for data, settings in survey.settings.items():
        assert set(survey.paper.get(data, {})) <= set(settings), "a published figure beside nothing"
        for room, given in settings.items():
            id = f"{survey.task}/{surveys.room_of(room)}"
            model = catalog.model(id, given.get("preset", "default"), without_preset(given))
            assert ("seed" in inspect.signature(type(model)).parameters) == (
                id.partition("/")[2] not in surveys.WITHOUT_SEED
            )
    named = {
        value
        for settings in survey.settings.values()
        for given in settings.values()
        for value in given.values()
        if isinstance(value, str)
    }
    assert set(survey.needs) <= named
    keys = [cell.key for cell in survey.cells()]
    assert len(keys) == len(set(keys)) > 0


def without_preset(given):
    return {name: value for name, value in given.items() if name != "preset"}


def test_a_survey_of_taggers_scores_spans_and_wants_the_files_that_its_settings_name(tmp_path, capsys):
    lines = "to\tO\nParis\tB-city\n\nto\tO\nsleep\tO\n\n" * 10
    for name in ("train", "test", "all"):
        (tmp_path / f"{name}.conll.gz").write_bytes(gzip.compress(lines.encode()))
    vectors = tmp_path / "toy.vec"
    vectors.write_text("2 2\nto 0.1 0.2\nParis 0.3 0.1\n")
    source = Source(("toy", "小"), lambda shared, fold: sources.tagged(".", dev="test")(tmp_path, fold), bundled=True)
    tiny = {"preset": "tiny", "dim": 2, "epochs": 1, "vectors": "toy.vec"}
    survey = Survey(
        name="toy",
        task="tag",
        sources={"toy": source},
        settings={"toy": {"hmm": {}, "bilstm+vectors": tiny}},
        needs={"toy.vec": hashlib.sha256(vectors.read_bytes()).hexdigest()},
    )
    shallow, deep = list(survey.cells(seeds=1))
    found = survey.measure(shallow)
    assert found["f1"] == cells.headline(found) == 100
    assert "accuracy" not in found
    assert found["rows_per_second"] > 0
    assert survey.measure(deep, files=tmp_path)["coverage"]
    with pytest.raises(SystemExit, match="--files"):
        survey.measure(deep)
    vectors.write_text("2 2\nto 0.1 0.2\nParis 0.3 0.2\n")
    with pytest.raises(SystemExit, match="another file"):
        survey.measure(deep, files=tmp_path)
    train, _, test = sources.tagged_stream(".")(tmp_path, None)
    assert [len(train[0]), len(test[0])] == [16, 4]
    assert survey.card("en", "bilstm", Cells("toy", tmp_path)) == "not measured yet\n"


def test_published_folds_and_files_of_parts_are_read(tmp_path):
    (tmp_path / "films").mkdir()
    with gzip.open(tmp_path / "films" / "all.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": f"t{n}", "label": n % 2, "fold": str(n % 5)}) + "\n" for n in range(15))
    train, dev, test = sources.published_folds("films")(tmp_path, 3)
    assert dev is None
    assert test == (["t3", "t8", "t13"], ["1", "0", "1"])
    assert len(train[0]) == len(train[1]) == 12
    rows = {part: [(f"{part} a", 0), (f"{part} b", 1)] for part in ("train", "dev", "test")}
    shared(tmp_path, "news", rows)
    read = {part: ([text for text, _ in some], ["0", "1"]) for part, some in rows.items()}
    assert sources.split("news", dev="dev")(tmp_path, None) == (read["train"], read["dev"], read["test"])
    assert sources.split("news", train="dev")(tmp_path, None) == (read["dev"], None, read["test"])
    assert [len(part[0]) for part in sources.sample("names")(tmp_path, None)] == [16_040, 2_005, 2_005]


# ---- the sensitivity analysis ----------------------------------------------------------------------------------------


def test_a_sweep_varies_one_thing_and_holds_the_base():
    for sweep, changes in zhang_wallace.SWEEPS.items():
        assert len(changes) == len({cells.written(change) for change in changes})
        assert any(zhang_wallace.BASE | change == zhang_wallace.BASE for change in changes), sweep
        for change in changes:
            assert set(change) <= {"pooling", "strongest", "regions"} if sweep == "pooling" else set(change) == {sweep}
            catalog.model("classify/textcnn", "default", zhang_wallace.BASE | change)._check_settings()
    grid = list(zhang_wallace.cells(list(zhang_wallace.DATA), list(zhang_wallace.SWEEPS), 2))
    different = {
        cells.written(zhang_wallace.BASE | one) for changes in zhang_wallace.SWEEPS.values() for one in changes
    }
    assert len({cell.key for cell in grid}) == len(grid) == 2 * (1 + 1 + 1 + 3) * len(different)
    assert '"dropout":0.5' in grid[0].key, "every setting is in the key"
    assert [cell.change for cell in grid[:4]] == ["{}"] * 4, "the base first"


def test_one_cell_of_the_sensitivity_analysis_is_trained(tmp_path):
    shared(tmp_path, "cr", {"all": [(text, label) for text, label in ROWS]})
    cell = zhang_wallace.Cell("cr", '{"dim":6,"epochs":2,"filters":3,"pooling":"local","regions":2}', 1, 2)
    found = zhang_wallace.measure(cell, shared=tmp_path)
    assert found["rows"] == [36, 4]
    assert 0 <= found["accuracy"] <= 100
    assert zhang_wallace.measure(cell, rows=20, shared=tmp_path)["rows"] == [20, 4]


def test_the_card_of_the_sensitivity_analysis_compares_with_the_base(tmp_path):
    kept = Cells("zhang_wallace", tmp_path)
    assert zhang_wallace.card("zh", kept) == "尚未测量\n"
    for data in zhang_wallace.DATA:
        for seed, (base, changed) in enumerate(((80.0, 81.0), (82.0, 81.0), (81.0, 82.0))):
            fold = 0 if data in zhang_wallace.FOLDS else None
            kept.put(zhang_wallace.Cell(data, "{}", seed, fold).key, figures(base, seed))
            if seed < 2:
                kept.put(zhang_wallace.Cell(data, '{"dropout":0.0}', seed, fold).key, figures(changed - 2, seed))
    text = zhang_wallace.card("en", kept)
    assert "| dropout=0.5 | 81.0 | 81.0 | 81.0 (3) | 81.0 |  |" in text, "CR wants three folds"
    assert "| dropout=0.0 | 79.0 (2) | 79.0 (2) | 79.0 (2) | 79.0 (2) | -2.0 |" in text
    assert "| dropout=0.9 | – | – | – | – |  |" in text
    assert text.count("They found:") == len(zhang_wallace.SWEEPS)
    assert "他们的发现" in zhang_wallace.card("zh", kept)


# ---- language models ----------------------------------------------------------------------------------------------


def test_a_language_model_is_scored_per_unit_and_per_character(monkeypatch):
    tiny = {"preset": "tiny", "tokenizer": "characters"}
    settings = {
        "tang": {
            "ngram": {"tokenizer": "characters", "order": 2},
            "gru": {"preset": "tiny", "epochs": 2},
            "nnlm": tiny,
            "nnlm+mixed": tiny | {"mixed_with_order": 2},
        }
    }
    monkeypatch.setattr(language_models, "SETTINGS", settings)
    cells = {cell.line: language_models.measure(cell, 1000) for cell in language_models.grid(None, None)}
    for found in cells.values():
        assert found["perplexity"] > 1
        assert 1 < found["bits_per_character"] < 30
        assert found["minutes"] > 0
    assert cells["ngram"]["parameters"] is None
    assert cells["gru"]["parameters"] > 1000
    assert [row["epoch"] for row in cells["gru"]["curve"]] == [1, 2]
    alone, mixed = cells["nnlm"], cells["nnlm+mixed"]
    best = min(alone["validation_perplexity"], cells["ngram"]["validation_perplexity"])
    assert mixed["validation_perplexity"] < 1.0001 * best
    assert mixed["parameters"] == alone["parameters"]


def test_minutes_end_a_training_and_its_rate_has_fallen(monkeypatch):
    clock = language_models.Clock(1.0)
    monkeypatch.setattr(clock, "spent", lambda: 0.1 * clock.steps)
    said = [clock.stopping() for _ in range(40)]
    assert said == [None] * 40
    planned = clock.planned_steps()
    assert planned == pytest.approx(600, rel=0.1)
    while clock.steps < planned:
        last = clock.stopping()
    assert last == "budget"


def test_the_card_of_language_models_says_what_is_not_measured(tmp_path):
    kept = Cells("language_models", tmp_path)
    assert language_models.card("en", "lstm", kept) == "not measured yet\n"
    cell = next(language_models.grid(["ptb"], ["lstm+small"]))
    kept.put(
        cell.key,
        {"perplexity": 111.125, "bits_per_character": 1.5, "minutes": 3.0, "parameters": 2_500_000, "curve": []},
    )
    line = next(line for line in language_models.card("zh", "lstm", kept).splitlines() if "111.12" in line)
    assert "2.5 M" in line
    assert "114.5" in line
    assert "尚未测量" in language_models.card("zh", "lstm", kept)
    rows = [{"epoch": n, "minutes": 20.0 * n, "validation_loss": 5.0 - 0.1 * n} for n in (1, 2)]
    kept.begin(next(language_models.grid(["ptb"], ["lstm+medium"])).key, {"curve": rows})
    kept.begin(cell.key, {"curve": rows})
    kept = Cells("language_models", tmp_path)
    line = next(line for line in language_models.card("en", "lstm", kept).splitlines() if "stopped" in line)
    assert "after 2 epochs: 121.5 |" in line
    assert "82.7" in line
    assert language_models.card("en", "lstm", kept).count("stopped") == 1
    assert language_models.treebank_curves(kept) == {"lstm small": [], "lstm medium": rows}


@pytest.mark.parametrize("lang", [0, 1])
def test_the_curves_of_the_treebank_are_a_line_each(lang):
    rows = [{"epoch": n + 1, "minutes": 2.5 * (n + 1), "validation_loss": 5 - 0.1 * n} for n in range(4)]
    drawing = ElementTree.fromstring(language_curves.draw({"ngram": rows[:1], "lstm small": rows}, lang))
    svg = "{http://www.w3.org/2000/svg}"
    assert len([path for path in drawing.iter(f"{svg}path") if path.get("class") == "series"]) == 4  # and the legend's
    assert len(list(drawing.iter(f"{svg}circle"))) == 4
    assert {"120", "ngram", "lstm small"} <= {text.text for text in drawing.iter(f"{svg}text")}
