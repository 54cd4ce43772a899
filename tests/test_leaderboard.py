"""Comparing: every contestant becomes a row, finished or not, and the advice follows from the figures."""

from __future__ import annotations

import json

import numpy as np
import pytest

import erya
from erya import advice, catalog
from erya.contest_clock import BESIDE, Clock, Turn, in_turn
from erya.contestants import _no_time
from erya.errors import DataError, ModelFileError, UsageError
from erya.tasks import classify
from erya.text.dataset import Dataset, Part


def part(X, y) -> Part:
    return Part(inputs=X, targets=y, weights=None, rows=list(range(1, len(X) + 1)))


@pytest.fixture(scope="module")
def data() -> Dataset:
    pieces = [part(*classify.toy(seed=seed, rows=rows)) for seed, rows in ((1, 120), (2, 30), (3, 60))]
    return Dataset(*pieces, source="toy")


@pytest.fixture(scope="module")
def board(data, tmp_path_factory):
    """A comparison with one contestant of every kind."""
    from sklearn.dummy import DummyClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    folder = tmp_path_factory.mktemp("files")
    trained = catalog.model("classify/naive_bayes").fit(data.train.inputs, data.train.targets).save(folder / "m.erya")
    answers = [{"row": row, "answer": label} for row, label in enumerate(data.test.targets, 1)]
    answers[0]["answer"] = "food" if answers[0]["answer"] != "food" else "music"
    (folder / "answers.jsonl").write_text("\n".join(json.dumps(answer) for answer in answers) + "\n", encoding="utf-8")
    dummy = make_pipeline(FunctionTransformer(lambda X: np.zeros((len(X), 1))), DummyClassifier())
    events = []
    models = [
        "classify/naive_bayes",
        trained,
        folder / "answers.jsonl",
        dummy,
        catalog.model("classify/naive_bayes", settings={"smoothing": 9.0}),
    ]
    found = erya.compare(models, data, watch=events.append)
    return found, events


def test_a_row_for_everyone_ranked_by_accuracy(board):
    document = board[0].document
    rows = document["rows"]
    assert len(rows) == 5
    assert len({row["model"] for row in rows}) == 5
    assert all(row["status"] == "ok" for row in rows), rows
    values = [row["scores"]["accuracy"]["value"] for row in rows]
    assert values == sorted(values, reverse=True)
    for row in rows:
        score = row["scores"]["accuracy"]
        assert score["low"] <= score["value"] <= score["high"]
    json.dumps(document, allow_nan=False)


def test_what_is_measured_and_what_is_not(board):
    rows = {row["kind"]: row for row in board[0].rows if row["model"] != "classify/naive_bayes (2)"}
    trained_here, artefact, predictions = rows["id"], rows["artefact"], rows["predictions"]
    for name in (
        "train_seconds",
        "first_answer_seconds",
        "predictions_per_second",
        "model_bytes",
        "peak_rss_bytes",
        "parameters",
    ):
        assert trained_here[name] > 0, name
    assert artefact["train_seconds"] is None
    assert artefact["model_bytes"] > 0
    assert predictions["predictions_per_second"] is None
    assert "log_loss" not in predictions["scores"]
    assert predictions["scores"]["accuracy"]["value"] == pytest.approx(59 / 60)
    assert artefact["scores"] == trained_here["scores"], "the same model, trained and loaded"


def test_pairs_confusion_mistakes_and_majority(board, data):
    document = board[0].document
    assert len(document["pairs"]) == 10
    dummy = next(row["model"] for row in document["rows"] if row["model"] == "Pipeline")
    best = document["rows"][0]["model"]
    (pair,) = [pair for pair in document["pairs"] if {pair["a"], pair["b"]} == {dummy, best}]
    assert pair["significant"]
    for found in document["confusion"].values():
        assert np.sum(found["counts"]) == len(data.test)
    assert document["baseline"]["majority"] == pytest.approx(1 / 3)
    assert document["beats_chance"]
    assert document["mistakes"]
    assert set(document["mistakes"][0]["answers"]) == {row["model"] for row in document["rows"]}


def test_events_tell_the_story(board):
    kinds = [event["event"] for event in board[1]]
    assert kinds[0] == "begin"
    assert kinds.count("start") == kinds.count("done") == 5


def test_table_and_report(board, tmp_path):
    table = board[0].table()
    assert "classify/naive_bayes" in table
    page = board[0].save(tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert json.loads(board[0].save(tmp_path / "board.json").read_text(encoding="utf-8"))["schema"] == "erya.compare/1"


def test_a_model_that_fails_is_a_row(data, monkeypatch, tmp_path):
    import shutil
    from pathlib import Path

    shutil.copytree(Path(__file__).parent / "toy_room", tmp_path / "rooms" / "breaks")
    source = (tmp_path / "rooms" / "breaks" / "estimator.py").read_text(encoding="utf-8")
    source = source.replace("classify/longest_word", "classify/breaks")
    broken = source.replace("self.tokenizer_ = make(self.tokenizer)", "raise RuntimeError('broken on purpose')")
    (tmp_path / "rooms" / "breaks" / "estimator.py").write_text(broken, encoding="utf-8")
    monkeypatch.setenv("ERYA_ROOMS", str(tmp_path / "rooms"))
    board = erya.compare(["classify/breaks", "classify/naive_bayes"], data)
    last = board.rows[-1]
    assert last["model"] == "classify/breaks"
    assert last["status"] == "failed"
    assert "broken on purpose" in last["error"]
    assert not last["scores"]
    assert "broken on purpose" in board.table()
    assert board.document["advice"]["recommended"] == "classify/naive_bayes"


def test_wrong_calls(data, tmp_path):
    with pytest.raises(UsageError):
        erya.compare("classify/naive_bayes", data)
    with pytest.raises(UsageError, match="no model"):
        erya.compare(["classify/naive_bays"], data)
    with pytest.raises(UsageError):
        erya.compare(["classify/naive_bayes"])
    (tmp_path / "short.txt").write_text("food\n", encoding="utf-8")
    with pytest.raises(DataError, match="1 answers"):
        erya.compare([tmp_path / "short.txt"], data)
    (tmp_path / "damaged.erya").write_bytes(b"PK nonsense")
    with pytest.raises(ModelFileError):
        erya.compare([tmp_path / "damaged.erya"], data)


class Hand:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self):
        return self.now


def test_a_budget_is_shared_equally_and_what_is_left_over_goes_to_the_others():
    assert Clock(None, ["", "neural"]).turn("") == Turn(None, None, 2)
    hand = Hand()
    clock = Clock(600.0, ["", "", "neural", "neural"], now=hand)
    first = clock.turn("")
    assert first.seconds == pytest.approx((clock.left() - 2 * BESIDE[""] - 2 * BESIDE["neural"]) / 4)
    hand.now += 3.0  # it needed 2 seconds of the 140 and something
    clock.took("", 3.0, 2.0)
    clock.scored_one(0.1)
    second = clock.turn("")
    assert second.seconds > first.seconds * 1.25
    whole, half = (Clock(600.0, ["neural"], now=Hand()).turn("neural", seeds).seconds for seeds in (1, 2))
    assert half == pytest.approx(whole / 2)


@pytest.mark.parametrize("budget", [20.0, 60.0, 90.0, 300.0, 600.0])
@pytest.mark.parametrize("seed", range(6))
def test_the_budget_holds_whatever_the_models_take(budget, seed):
    """Some are done at once, some take their share, some ignore it and are killed; start, answers and scores take what they take."""
    generator, hand = np.random.default_rng(seed), Hand()
    kinds = [None, *[""] * 6, *["neural"] * 10]
    clock = Clock(budget, [kind for kind in kinds if kind is not None], now=hand, contestants=len(kinds))
    scoring, granted = generator.uniform(0.02, 0.3), []
    for place in in_turn(kinds):
        kind = kinds[place]
        if kind is not None:
            turn = clock.turn(kind)
            if turn is None:
                continue
            beside = generator.uniform(0.6, 1.0) * BESIDE[kind]
            training = turn.seconds * generator.choice([0.1, 1.0, 9.0])
            took = min(training + beside, turn.limit)
            granted.append(turn.seconds)
            hand.now += took
            if took < turn.limit:
                clock.took(kind, took, training)
        hand.now += scoring
        clock.scored_one(scoring)
    hand.now += 1.0 + 0.3 * scoring * len(kinds) * (len(kinds) - 1) / 2
    assert hand.now <= budget
    if budget >= 300:
        assert len(granted) >= (16 if budget == 600 else 14), "all have had their turn"


def test_what_is_quick_comes_first_under_a_budget():
    assert in_turn(["", "neural", None, "", "neural", "cluster"]) == [2, 0, 3, 1, 4, 5]


def test_a_model_for_which_no_time_is_left_says_so(data):
    board = erya.compare(["classify/naive_bayes", "classify/svm"], data, budget=15.0)
    assert board.document["seconds"] < 15.0
    assert {row["status"] for row in board.rows} == {"ok"}
    spent = erya.compare(["classify/naive_bayes", "classify/svm"], data, budget=3.0)
    assert [row["status"] for row in spent.rows] == ["skipped", "skipped"]
    assert "a budget of 3 s is too small for it: at least 1" in spent.table()


def test_a_budget_is_spent_or_too_small():
    hand = Hand()
    clock = Clock(60.0, ["", "neural"], now=hand)
    assert clock.least("neural") == 21
    assert clock.turn("") is not None
    hand.now += 50.0
    assert clock.turn("neural") is None
    assert _no_time(clock, "neural") == "the budget was spent before its turn"
    assert _no_time(Clock(20.0, ["neural"] * 2, now=hand), "neural").startswith("a budget of 20 s is too small")
    assert Clock(20.0, ["neural"], now=hand).turn("neural") is not None


# ---- advice ---------------------------------------------------------------------------------------------------


def row(model, accuracy, *, train=1.0, size=1000):
    half = 0.01
    return {
        "model": model,
        "name": model,
        "scores": {"accuracy": {"value": accuracy, "low": accuracy - half, "high": accuracy + half}},
        "train_seconds": train,
        "first_answer_seconds": train,
        "model_bytes": size,
        "peak_rss_bytes": size,
    }


def document(rows, significant=(), beats=True):
    return {
        "rows": rows,
        "pairs": [{"a": a, "b": b, "significant": True} for a, b in significant],
        "baseline": {"majority": 0.5, "label": "x"},
        "beats_chance": beats,
        "confusion": {},
        "data": {"label_counts": {"x": 100, "y": 100}, "duplicates_across_splits": 0, "rows": {"test": 100}},
    }


def test_advice_takes_the_cheapest_of_equals():
    rows = [row("big", 0.91, train=50, size=10**8), row("small", 0.905, train=1), row("bad", 0.7, train=0.1)]
    found = advice.advise(document(rows, significant=[("big", "bad"), ("small", "bad")]))
    assert found["recommended"] == "small"
    assert "not significant" in found["sentences"][0]
    assert "50 times" in found["sentences"][1]


def test_advice_says_where_the_dearer_model_stands():
    def second(*rows):
        return advice.advise(document(list(rows)))["sentences"][1]

    small, middle = row("small", 0.905), row("middle", 0.907, train=14, size=10**6)
    faster = second(row("lead", 0.91, train=9, size=10**8), small, row("gpt", 0.9, train=14, size=10**6))
    assert faster == "It trains 9 times faster than lead, which ranks first, but is not significantly better."
    faster = second(row("lead", 0.91, train=1.5, size=10**8), middle, small)
    assert faster.endswith("14 times faster than middle, which ranks above it, but not significantly; first is lead.")
    faster = second(row("small", 0.91), row("gpt", 0.9, train=14, size=10**6))
    assert faster == "It trains 14 times faster than gpt, which ranks below it."


def test_advice_takes_the_best_when_it_is_really_better():
    rows = [row("big", 0.91, train=50), row("small", 0.8)]
    assert advice.advise(document(rows, significant=[("big", "small")]))["recommended"] == "big"


def test_advice_when_nothing_beats_chance():
    found = advice.advise(document([row("big", 0.5)], beats=False))
    assert found["recommended"] is None
    assert "No model is surely better" in found["sentences"][0]
    assert advice.advise(document([{**row("x", 0.1), "scores": {}}]))["recommended"] is None


def test_advice_names_rare_labels_duplicates_and_confusions():
    asked = document([row("m", 0.8)])
    asked["data"] |= {"label_counts": {"x": 100, "rare": 3}, "duplicates_across_splits": 4}
    asked["confusion"] = {"m": {"labels": ["p", "q", "r"], "counts": [[9, 5, 0], [4, 9, 0], [0, 1, 9]]}}
    text = " ".join(advice.advise(asked)["sentences"])
    assert "rare" in text
    assert "4 test texts" in text
    assert "'p' and 'q'" in text


def test_advice_on_a_single_model_claims_no_comparison():
    (first, *_) = advice.advise(document([row("only", 0.9)]))["sentences"]
    assert "every other model" not in first
    assert "second model" in first


def test_peak_memory_is_the_contestants_own():
    """A large parent must not be counted: 300 MB here, then a child that holds next to nothing."""
    import subprocess
    import sys

    ballast = np.ones(40_000_000)
    code = "from erya.contest import peak_rss; print(peak_rss())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < ballast.nbytes


# ---- word vectors ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A comparison of word vectors with one contestant of every kind; two seeds, questions of which some are known."""
    from pathlib import Path

    from erya.tasks import vectors
    from erya.text import vector_files

    folder = tmp_path_factory.mktemp("words")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ERYA_ROOMS", str(Path(__file__).parent / "toy_rooms"))
        questions = [
            vectors.Question("semantic", "kitchen", "soup", "bread", "salt", word) for word in ("rice", "onion", "rain")
        ] + [vectors.Question("semantic", "weather", "rain", "fog", "snow", word) for word in ("wind", "xyzzy")]
        patch.setattr(vectors, "bundled_analogies", lambda language="en": questions)
        (folder / "corpus.txt").write_text("\n".join(vectors.toy(seed=1, rows=200)[0]), encoding="utf-8")
        (folder / "ws.tsv").write_text("soup\tbread\t9\nsoup\train\t1\nfog\twind\t8\nsalt\tcloud\t2\n")
        model = catalog.model("vectors/toy", "tiny").fit(folder / "corpus.txt")
        table = vector_files.VectorTable(model.words_, model.vectors_)
        vector_files.write(folder / "v.bin", table, "word2vec-bin")
        models = ["vectors/toy", model.save(folder / "v.erya"), folder / "v.bin", catalog.model("vectors/toy", "tiny")]
        events = []
        board = erya.compare(
            models,
            folder / "corpus.txt",
            similarity=[folder / "ws.tsv"],
            seeds=2,
            settings={"dim": 8, "epochs": 30},
            watch=events.append,
        )
        yield board, events, folder


def test_words_a_row_for_everyone(words):
    rows = {row["model"]: row for row in words[0].rows}
    assert len(rows) == 4
    assert {row["status"] for row in rows.values()} == {"ok"}
    trained = rows["vectors/toy"]
    assert trained["seeds"] == [0, 1]
    assert len(trained["scores"]["spearman_ws"]["per_seed"]) == 2
    for name in ("train_seconds", "first_answer_seconds", "predictions_per_second", "model_bytes", "peak_rss_bytes"):
        assert trained[name] > 0, name
    foreign = next(row for name, row in rows.items() if name.endswith("v.bin"))
    assert foreign["kind"] == "artefact"
    assert foreign["train_seconds"] is None
    saved = next(row for name, row in rows.items() if name.endswith("v.erya"))
    assert foreign["scores"] == saved["scores"], "the same vectors"
    json.dumps(words[0].document, allow_nan=False)


def test_words_the_document(words):
    document = words[0].document
    assert document["task"] == "vectors"
    assert document["columns"] == ["analogy_accuracy", "spearman_ws"]
    assert document["data"]["similarity"] == {"ws": 4}
    assert document["data"]["files"] == 1
    values = [row["scores"]["analogy_accuracy"]["value"] for row in document["rows"]]
    assert values == sorted(values, reverse=True)
    assert len(document["pairs"]) == 6
    assert {pair["questions"] for pair in document["pairs"]} == {4}, "the fifth has a word that nobody knows"
    for found in document["words"].values():
        assert found["analogies"]["total"]["known"] == 4
        assert found["similarity"][0]["known"] == 4
    assert document["advice"]["sentences"]
    assert [event["event"] for event in words[1]].count("done") == 4


def test_words_the_table_and_the_report(words, monkeypatch):
    board, _, folder = words
    table = board.table()
    assert "ws" in table.splitlines()[0]
    assert "always" not in table
    assert "queries/s" in table
    page = board.save(folder / "report.html").read_text(encoding="utf-8")
    for name in ("ranking", "questions", "similarity", "differences", "data", "next", "repeat"):
        assert f'id="{name}"' in page, name
    for name in ("confusion", "mistakes", "calibration", "labels"):
        assert f'id="{name}"' not in page, name
    assert f"--similarity {folder / 'ws.tsv'}" in page
    from erya import report_page

    monkeypatch.setenv("ERYA_LANG", "zh")
    chinese = report_page.render({**board.document, "language": "zh", "advice": advice.advise(board.document)})
    assert "词向量比较" in chinese
    assert "Analogies by section" not in chinese


def test_words_that_nothing_could_be_asked_of(words, monkeypatch):
    from erya.tasks import vectors

    nothing = [vectors.Question("semantic", "none", "p", "q", "r", "s")]
    monkeypatch.setattr(vectors, "bundled_analogies", lambda language="en": nothing)
    board = erya.compare([words[2] / "v.bin"], words[2] / "corpus.txt")
    (row,) = board.rows
    assert (row["status"], row["scores"]) == ("ok", {})
    assert board.document["advice"]["recommended"] is None
    assert "could be scored" in board.document["advice"]["sentences"][0]
    assert "–" in board.table()
    assert board.html().startswith("<!doctype html>")


def test_words_wrong_calls(words, tmp_path, data):
    folder = words[2]
    with pytest.raises(UsageError, match="no model for the task vectors"):
        erya.compare(["classify/naive_bayes"], folder / "corpus.txt", task="vectors")
    (tmp_path / "labels.txt").write_text("food\nmusic\n", encoding="utf-8")
    with pytest.raises(UsageError):
        erya.compare([tmp_path / "labels.txt"], folder / "corpus.txt", task="vectors")
    with pytest.raises(DataError):
        erya.compare([folder / "v.bin"], folder / "nowhere.txt")
    with pytest.raises(UsageError, match="task classify"):
        erya.compare([folder / "v.erya"], data)
    texts = ["soup bread", "rain fog"] * 30
    board = erya.compare([folder / "v.bin"], texts, task="vectors", similarity=[folder / "ws.tsv"])
    assert board.document["data"]["texts"] == 60
