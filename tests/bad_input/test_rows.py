"""Single rows that are broken, labels nobody has seen, leaks and repetitions; and what is not installed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from erya import catalog

from .conftest import reviews, write_csv
from .shell import FAST, MODEL, Shell, environment
from .test_signals import EACH_STEP, longer, until_checkpoints

# ---- predict ------------------------------------------------------------------------------------------------------

ROWS = [
    '{"text": "a superb film"}',
    '{"text": "an open string',
    '{"text": ""}',
    '{"text": null}',
    "[1]",
    '{"review": "no such key"}',
    '{"text": "a boring film"}',
]


@pytest.fixture
def broken(erya):
    (erya.folder / "texts.jsonl").write_text("\n".join(ROWS) + "\n", encoding="utf-8")
    return "texts.jsonl"


def test_predict_answers_for_every_row(erya, broken):
    """In --jsonl each row has its line, answered or not, in the order of the file."""
    ended = erya("predict", "m.erya", broken, "--text", "text", "--jsonl")
    assert ended.code == 0
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [row["row"] for row in rows] == list(range(1, len(ROWS) + 1))
    assert [row.get("answer") for row in rows] == ["good", None, rows[2].get("answer"), None, None, None, "bad"]
    assert [row["row"] for row in rows if "error" in row and row["code"] == "bad-json"] == [2, 5]
    assert all(("error" in row) != ("answer" in row) for row in rows)


def test_predict_stops_at_a_broken_row(erya, broken):
    ended = erya("predict", "m.erya", broken, "--text", "text")
    assert ended.code == 3
    assert ended.out.startswith("good\t")  # what was answered before is there
    assert ended.first == "error: row 2 cannot be read: not valid JSON: Unterminated string starting at (column 10)"
    assert ended.place == 'texts.jsonl:2   {"text": "an open string'
    assert "--bad-rows skip" in ended.help
    skipped = erya("predict", "m.erya", broken, "--text", "text", "--bad-rows", "skip")
    assert skipped.code == 0
    assert len(skipped.out.splitlines()) == len(ROWS)  # line by line beside the file
    assert "without an answer" in skipped.err


def test_predict_in_an_encoding_that_is_not_utf8(erya):
    (erya.folder / "texts.txt").write_bytes("a superb film\n好看的电影\n".encode("gb18030"))
    ended = erya("predict", "m.erya", "texts.txt")
    assert ended.code == 3
    assert ended.first.startswith("error: row 2 cannot be read: 0xBA 0xC3 ")
    assert ended.place.startswith("texts.txt:2   ")
    assert erya("predict", "m.erya", "texts.txt", "--encoding", "gb18030").code == 0


# ---- evaluate -----------------------------------------------------------------------------------------------------


def test_labels_seen_only_in_evaluation(erya):
    """They count as wrong, and are counted; --strict makes an error of them."""
    write_csv(erya.folder / "test.csv", [*reviews(30, seed=5), ("a superb film", "excellent"), ("dull", "excellent")])
    ended = erya("evaluate", "m.erya", "test.csv", "--json")
    assert ended.code == 0
    assert ended.document["unseen_labels"] == {"excellent": 2}
    assert ended.document["rows"] == 32
    write_csv(erya.folder / "known.csv", reviews(30, seed=5))
    known = erya("evaluate", "m.erya", "known.csv", "--json").document["scores"]["accuracy"]["value"]
    assert known > 0.5
    assert ended.document["scores"]["accuracy"]["value"] == pytest.approx(known * 30 / 32)
    assert "never seen in training, counted as wrong: excellent ×2" in erya("evaluate", "m.erya", "test.csv").err
    strict = erya("evaluate", "m.erya", "test.csv", "--strict")
    assert strict.code == 3
    assert strict.first == "error: 2 rows have labels that the model has never seen: excellent ×2"
    assert strict.place == "test.csv"
    assert strict.help == "leave out --strict: they count as wrong"


def test_labels_seen_only_in_a_test_part(erya):
    write_csv(erya.folder / "test.csv", [*reviews(30, seed=5), ("a superb film", "excellent")])
    ended = erya("train", MODEL, "reviews.csv", "--test", "test.csv", *FAST, "-o", "new.erya")
    assert ended.code == 0
    assert "1 labels of dev or test never occur in training: excellent (1)" in ended.err


# ---- check --------------------------------------------------------------------------------------------------------


def test_check_finds_leaks_and_repetitions(erya):
    """Rows that stand in both files, in one file twice, with two labels, with a label of their own."""
    train = reviews(80)
    train += [*train[:20], (train[0][0], "bad"), ("only once", "odd")]
    write_csv(erya.folder / "train.csv", train)
    write_csv(erya.folder / "test.csv", [*reviews(30, seed=5), *train[3:6], ("new", "unseen")])
    ended = erya("check", "train.csv", "--test", "test.csv", "--json")
    assert ended.code == 0
    found = {problem["code"]: problem for problem in ended.document["problems"]}
    assert found["leakage"]["message"] == "3 of 34 test and validation rows are also in training, to the letter"
    assert found["leakage"]["rows"] == [4, 5, 6]
    assert found["duplicates"]["message"] == "21 of 102 training rows repeat an earlier text"
    assert found["contradictions"]["message"].startswith("1 texts carry more than one label")
    assert "odd (1)" in found["rare-labels"]["message"]
    assert found["unseen-labels"]["message"] == "labels that occur only outside training: unseen (1)"
    chinese = erya("check", "train.csv", "--test", "test.csv", lang="zh")
    assert "34 行测试与验证数据中有 3 行原样出现在训练数据里" in chinese.out


def test_check_of_what_no_model_can_learn(erya):
    write_csv(erya.folder / "one.csv", [(text, "good") for text, _ in reviews(12)])
    ended = erya("check", "one.csv", "--json")
    assert ended.code == 3
    assert [problem["code"] for problem in ended.document["problems"] if problem["severity"] == "error"] == [
        "one-class"
    ]
    assert ended.document["labels"] == {"good": 12}


# ---- predictions of another program -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"good\nbad\n", 3, "answers, the test part has 6 rows"),
        ("好\n".encode("gb18030") * 6, 3, "is not UTF-8"),
        (b'{"row": 1}\n' * 6, 3, 'this line has no "answer"'),
        (b"PK\x03\x04 a model of another name", 4, "is damaged"),
    ],
)
def test_predictions_that_do_not_fit(erya, content, code, words):
    (erya.folder / "answers").write_bytes(content)
    before = erya.contents()
    ended = erya("compare", "reviews.csv", "answers")
    assert ended.code == code
    assert words in ended.first
    assert erya.contents() == before


# ---- two at once --------------------------------------------------------------------------------------------------


def hold(erya, process) -> None:
    """Stop the process where it stands, between two writes: it keeps its lock and does nothing."""
    while True:
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        try:
            return erya.check_no_strays()
        except AssertionError:
            process.send_signal(signal.SIGCONT)


def test_two_trainings_of_one_file(erya):
    """The second fails fast and harms nothing; when the first has gone, the way is free."""
    train = longer(MODEL)
    process = erya.start(*train, "new.erya", env=EACH_STEP, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        until_checkpoints(process, erya.folder / "new.erya.run", 1)
        hold(erya, process)
        for arguments in ([*train, "new.erya"], ["resume", "new.erya"], [*train, "new.erya", "--restart"]):
            began = time.monotonic()
            ended = erya(*arguments, "--json")
            assert time.monotonic() - began < 20
            assert ended.code == 5
            assert ended.first == f"error: new.erya is being trained by process {process.pid}"
            assert ended.place == "new.erya.run"
            assert ended.document["code"] == "run-locked"
            assert "-o other.erya" in ended.help
    finally:
        process.kill()
        process.communicate()
    assert erya("resume", "new.erya").code == 0


# ---- what is not installed ----------------------------------------------------------------------------------------

NEURAL = "classify/lstm"


@pytest.fixture
def without_torch(erya):
    """An environment in which no process finds torch, not those that a command starts either."""
    site = erya.home / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n", encoding="utf-8")
    return {"PYTHONPATH": f"{site}{os.pathsep}{environment(erya.home)['PYTHONPATH']}"}


@pytest.fixture(scope="module")
def lstm(tmp_path_factory):
    """A model that needs torch, from a machine that has it."""
    if NEURAL not in catalog.ids() or not catalog.card_of(NEURAL).installed:
        pytest.skip("needs torch to train the model that is then opened without it")
    shell = Shell(tmp_path_factory.mktemp("neural"), tmp_path_factory.mktemp("home"))
    write_csv(shell.folder / "reviews.csv", reviews())
    assert shell("train", NEURAL, "reviews.csv", *FAST, "-o", "lstm.erya").code == 0
    return (shell.folder / "lstm.erya").read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "lstm.erya", "--input", "a superb film"],
        ["evaluate", "lstm.erya", "reviews.csv"],
        ["explain", "lstm.erya", "a superb film"],
        ["compare", "reviews.csv", "lstm.erya"],
        ["train", NEURAL, "reviews.csv", "-o", "new.erya"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_model_whose_extra_is_missing(erya, lstm, without_torch, arguments):
    (erya.folder / "lstm.erya").write_bytes(lstm)
    before = erya.contents()
    ended = erya(*arguments, env=without_torch)
    assert ended.code == 5
    assert ended.first == f"error: {NEURAL} needs torch, which is not installed"
    assert ended.help.startswith('pip install "erya[neural]"   # without it: classify/')
    assert MODEL in ended.help
    assert erya.contents() == before
    chinese = erya(*arguments, lang="zh", env=without_torch)
    assert chinese.first == f"错误：{NEURAL} 需要 torch，但当前环境没有安装"


def test_without_torch_the_rest_works(erya, without_torch):
    assert "torch" in erya("list", env=without_torch).out
    assert erya("about", NEURAL, env=without_torch).code == 0
    assert erya("predict", "m.erya", "--input", "a superb film", env=without_torch).code == 0
