"""Misspelt names and wrong values: exit 2, the nearest name, and a help that makes the command work."""

from __future__ import annotations

import pytest

from .shell import FAST, MODEL, with_option, with_word

TRAIN = ["train", MODEL, "reviews.csv", *FAST, "-o", "m.erya"]
# arguments, code, first line, help, what is to be replaced ("" where an option of the help is to be added)
MISTAKES = {
    "model id": (
        ["train", "classify/fastext", *TRAIN[2:]],
        "unknown-model",
        "error: there is no model 'classify/fastext'",
        "did you mean 'classify/fasttext'?",
        "classify/fastext",
    ),
    "model without its task": (
        ["train", "fasttext", *TRAIN[2:]],
        "unknown-model",
        "error: there is no model 'fasttext'",
        "did you mean 'classify/fasttext'?",
        "fasttext",
    ),
    "option": (
        [*TRAIN, "--lable", "label"],
        "unknown-option",
        "error: 'erya train' has no option '--lable'",
        "did you mean '--label'?",
        "--lable",
    ),
    "setting": (
        [*TRAIN, "--set", "dimm=4"],
        "unknown-setting",
        "error: classify/fasttext has no setting 'dimm'",
        "did you mean 'dim'?",
        "dimm",
    ),
    "a setting's value": (
        [*TRAIN, "--set", "dim=wide"],
        "bad-setting",
        "error: dim=wide: classify/fasttext takes a whole number there",
        "--set dim=16",
        "",
    ),
    "a setting beyond all bounds": (
        [*TRAIN, "--set", "dim=1e300"],
        "bad-setting",
        "error: dim=1e300: classify/fasttext takes a whole number there",
        "--set dim=16",
        "",
    ),
    "verb": (
        ["trian", *TRAIN[1:]],
        "unknown-command",
        "error: there is no command 'erya trian'",
        "did you mean 'erya train'?",
        None,
    ),
    "preset": (
        [*TRAIN[:3], "--preset", "tinny", "-o", "m.erya"],
        "unknown-preset",
        "error: classify/fasttext has no preset 'tinny'",
        "did you mean 'tiny'?",
        "tinny",
    ),
    "policy for bad rows": (
        [*TRAIN, "--bad-rows", "skp"],
        "bad-value",
        "error: --bad-rows skp: use one of stop, skip",
        "--bad-rows skip",
        "",
    ),
    "shares": (
        [*TRAIN, "--split", "80/10"],
        "bad-split",
        "error: --split 80/10: the shares add up to 90, not to 1",
        "--split 0.8/0.1/0.1",
        "",
    ),
    "seed": (
        [*TRAIN, "--seed", "one"],
        "bad-value",
        "error: --seed one: a whole number from 0 up is needed",
        "--seed 0",
        "",
    ),
    "budget": (
        [*TRAIN, "--budget", "soon"],
        "bad-value",
        "error: --budget soon is no duration",
        "--budget 90s · --budget 5m · --budget 1h",
        "",
    ),
    "encoding": (
        [*TRAIN, "--encoding", "utf8888"],
        "unknown-encoding",
        "error: there is no encoding 'utf8888'",
        "--encoding utf-8",
        "",
    ),
    "format": (
        [*TRAIN, "--format", "cvs"],
        "unknown-format",
        "error: there is no format 'cvs'",
        "--format csv",
        "",
    ),
    "tokenizer": (
        [*TRAIN, "--set", "tokenizer=char"],
        "unknown-tokenizer",
        "error: there is no tokenizer 'char'",
        None,
        None,
    ),
    "output that is a folder": (
        [*TRAIN[:-1], "."],
        "output-not-a-file",
        "error: . exists and is not an ordinary file",
        None,
        None,
    ),
    "no output": (
        TRAIN[:-2],
        "missing-option",
        "error: 'erya train' needs --output",
        "erya train … -o FILE",
        None,
    ),
    "nothing to resume": (
        ["resume", "other.erya"],
        "nothing-to-resume",
        "error: there is no unfinished training of other.erya",
        "erya train TASK/MODEL DATA -o other.erya",
        None,
    ),
    "resume without a name": (
        ["resume", "."],
        "output-not-a-file",
        "error: . is a folder, not a model file",
        "name the model file: m.erya",
        None,
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_misspelt(erya, name):
    arguments, code, first, help, wrong = MISTAKES[name]
    before = erya.contents()
    english, chinese = erya(*arguments, "--json"), erya(*arguments, lang="zh")

    assert english.code == chinese.code == 2
    assert english.first == first
    if help is not None:
        assert english.help == help
    assert chinese.first.startswith("错误：")
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese.first.removeprefix("错误"))
    document = english.document
    assert document["schema"] == "erya.error/1"
    assert (document["code"], document["exit"]) == (code, 2)
    assert document["error"] == first.removeprefix("error: ")
    assert (document["help"] or "") == english.help
    assert erya.contents() == before  # said before anything is read or written

    english.arguments.remove("--json")
    if wrong is not None:
        again = with_word(english, wrong) if wrong else with_option(english)
        ended = erya(*again, "--dry-run")
        assert ended.code == 0, ended.err


def test_a_wrong_name_is_said_before_long_data_is_read(erya):
    """Reading this file would fail; the misspelt model is said first."""
    (erya.folder / "reviews.csv").write_bytes(b"\xff\xfe\xfd")
    for arguments in (
        ["train", "classify/fastext", "reviews.csv", "-o", "x.erya"],
        ["train", MODEL, "reviews.csv", "--set", "dimm=3", "-o", "x.erya"],
        ["train", MODEL, "reviews.csv", "-o", "nowhere/x.erya"],
        ["compare", "reviews.csv", "classify/fastext"],
        ["compare", "reviews.csv", "no.erya"],
    ):
        assert erya(*arguments).code in (2, 4, 5)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("settings = 3", "error: 'settings' is a table: [settings]"),
        ("train = 1", "error: 'train' is a table: [train]"),
        ("[settings]\ndimm = 1", "error: classify/fasttext has no setting 'dimm'"),
        ("lable = 'x'", "error: 'lable' is no option"),
        ("a = [", "error: this is no readable TOML: Invalid value (at end of document)"),
    ],
)
def test_config_files(erya, text, first):
    (erya.folder / "own.toml").write_text(text, encoding="utf-8")
    ended = erya(*TRAIN, "--config", "own.toml")
    assert ended.code == 2
    assert ended.first == first


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ERYA_THREADS", "many"),
        ("ERYA_CHECKPOINT_SECONDS", "often"),
        ("ERYA_CONFIG", "/nowhere"),
        ("ERYA_ROOMS", "/no"),
    ],
)
def test_environment(erya, name, value):
    ended = erya(*TRAIN, env={name: value})
    assert ended.code == 2
    assert value in ended.first
