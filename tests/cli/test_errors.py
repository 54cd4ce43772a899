"""Every ending has its exit code, its block in the user's language, and its document."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from erya.errors import DataError, EryaError

MISTAKES = [
    (["lst"], 2, "unknown-command", "erya list"),
    (["prdict"], 2, "unknown-command", "erya predict"),
    (["list", "--jso"], 2, "unknown-option", "--json"),
    (["train", "classify/naive_bayes", "x.csv", "--lable", "stars"], 2, "unknown-option", "--label"),
    (["-q", "list"], 2, "unknown-option", "erya list -q"),
    (["about"], 2, "missing-argument", "erya about --help"),
    (["train", "classify/naive_bayes", "x.csv"], 2, "missing-option", "-o FILE"),
    (["about", "a", "b"], 2, "extra-argument", "erya about --help"),
    (["list", "--json=3"], 2, "option-value", "erya list --help"),
    (["data", "poetry", "--head"], 2, "option-value", "erya data --help"),
    (["about", "classify/naive_baise"], 2, "unknown-model", "classify/naive_bayes"),
    (["list", "clasify"], 2, "unknown-task", "classify"),
    (["data", "poety"], 3, "sample-missing", "sample:poetry"),
    (["train", "classify/naive_bayes", "revews.csv", "-o", "m.erya"], 3, "file-missing", "reviews.csv"),
    (["train", "classify/naive_bayes", "reviews.csv", "--label", "star", "-o", "m.erya"], 3, "column-missing", "stars"),
    (["train", "classify/naive_bayes", "reviews.csv", "--set", "smothing=1", "-o", "m.erya"], 2, "unknown-setting", "smoothing"),
    (["train", "classify/naive_bayes", "reviews.csv", "--set", "smoothing=x", "-o", "m.erya"], 2, "bad-setting", "smoothing="),
    (["train", "classify/naive_bayes", "reviews.csv", "--set", "smoothing", "-o", "m.erya"], 2, "bad-setting", "smoothing=…"),
    (["train", "classify/naive_bayes", "reviews.csv", "--preset", "tny", "-o", "m.erya"], 2, "unknown-preset", "tiny"),
    (["train", "classify/naive_bayes", "reviews.csv", "--split", "0.5/0.1", "-o", "m.erya"], 2, "bad-split", "0.8/0.1/0.1"),
    (["train", "classify/naive_bayes", "reviews.csv", "--bad-rows", "skp", "-o", "m.erya"], 2, "bad-value", "skip"),
    (["train", "classify/naive_bayes", "reviews.csv", "--threads", "0", "-o", "m.erya"], 2, "bad-value", "--threads 1"),
    (["train", "classify/naive_bayes", "reviews.csv", "--seed", "x", "-o", "m.erya"], 2, "bad-value", "--seed 0"),
    (["train", "classify/naive_bayes", "reviews.csv", "--budget", "5x", "-o", "m.erya"], 2, "bad-value", "--budget 5m"),
    (["train", "classify/naive_bayes", "reviews.csv", "--config", "no.toml", "-o", "m.erya"], 2, "config-missing", "toml"),
    (["train", "classify/naive_bayes", "nowhere.csv", "-o", "no/m.erya"], 5, "", "mkdir"),
    (["compare", "nowhere.csv", "-o", "no/r.html"], 5, "", "mkdir"),
    (["compare", "reviews.csv", "classify/naive_bays"], 2, "unknown-model", "classify/naive_bayes"),
    (["compare", "reviews.csv", "reviws.csv"], 3, "file-missing", "reviews.csv"),
    (["compare", "reviews.csv", "m.erya"], 4, "model-missing", "m"),
    (["compare", "reviews.csv", "--task", "clasify"], 2, "unknown-task", "classify"),
    (["predict", "nowhere.erya", "--input", "x"], 4, "model-missing", ""),
    (["evaluate", "reviews.csv", "reviews.csv"], 4, "", ""),
    (["resume", "nowhere.erya"], 2, "", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "exit", "code", "help"),
    MISTAKES,
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes(erya, reviews, arguments, exit, code, help):
    """The code and the nearest name, as a block in both languages and as a document; no traceback, nothing left behind."""
    before = sorted(Path().iterdir())
    english, chinese = erya(*arguments), erya(*arguments, lang="zh")
    assert english.code == chinese.code == exit, english.err
    assert english.out == chinese.out == ""
    assert english.err.startswith("error: ")
    assert chinese.err.startswith("错误：")
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese.err.removeprefix("错误"))
    for text in (english.err, chinese.err):
        assert help in text
        assert "Traceback" not in text
        assert len(text.splitlines()) <= 3
    if arguments[0] in ("list", "compare", "train") and "=" not in " ".join(arguments[:2]):
        found = erya(*arguments, "--json")
        assert found.code == exit
        assert found.document["schema"] == "erya.error/1"
        assert found.document["exit"] == exit
        assert found.document["code"]
        if code:
            assert found.document["code"] == code
        assert set(found.document) == {"schema", "code", "exit", "error", "where", "help"}
    assert sorted(Path().iterdir()) == before


def raising(monkeypatch, problem):
    """Makes ``erya list`` end with this exception."""
    import erya.catalog

    def broken():
        raise problem

    monkeypatch.setattr(erya.catalog, "tasks_with_models", broken)


def test_a_bug_writes_a_report(erya, monkeypatch, tmp_path):
    raising(monkeypatch, KeyError("boom\x1b[31m"))
    found = erya("list")
    assert found.code == 70
    assert found.out == ""
    assert "Traceback" not in found.err
    assert "\x1b" not in found.err
    (report,) = tmp_path.glob("erya-bug-*.txt")
    assert str(report) in found.err
    text = report.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "erya list" in text
    assert erya("list", "--json").document["code"] == "bug"
    assert "缺陷" in erya("list", lang="zh").err


def test_a_bug_is_said_even_where_no_report_can_be_written(erya, monkeypatch):
    raising(monkeypatch, ZeroDivisionError())
    found = erya("list", env={"ERYA_REPORTS": "/nowhere/at/all"})
    assert found.code == 70
    assert "ZeroDivisionError" in found.err


@pytest.mark.parametrize(
    ("problem", "exit", "code"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 5, "out-of-memory"),
        (OSError(28, "No space left on device", "m.erya"), 5, "os-error"),
        (DataError("bad", "bad data", where="x.csv:3", help="mend it"), 3, "bad"),
        (EryaError("odd", "odd"), 70, "odd"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_codes(erya, monkeypatch, problem, exit, code):
    raising(monkeypatch, problem)
    found = erya("list", "--json")
    assert found.code == exit
    assert found.document["code"] == code
    assert erya("list").err.startswith("stopped" if exit == 130 else "error: ")


def test_a_block_has_three_lines(erya, monkeypatch):
    raising(monkeypatch, DataError("bad", "bad data", where="x.csv:3", help="mend it"))
    assert erya("list").err == "error: bad data\n  --> x.csv:3\n  help: mend it\n"
    assert erya("list", lang="zh").err == "错误：bad data\n  --> x.csv:3\n  帮助：mend it\n"


def test_a_closed_pipe_is_silent():
    script = (
        "import sys\nfrom erya.cli import output\nfrom erya.cli.app import run\nimport erya.cli.models as verbs\n"
        "def many(*a, **k):\n    for number in range(100_000): output.write('x' * 100)\n"
        "import erya.catalog\nerya.catalog.tasks_with_models = many\nsys.exit(run(['list']))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


def test_output_is_utf8_in_any_locale():
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "ERYA_LANG": "zh", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-m", "erya", "--help"], capture_output=True, env=environment, check=True)
    assert "训练" in done.stdout.decode("utf-8")


def test_colour_only_where_it_is_wanted(erya):
    assert "\x1b[" not in erya("--help").out
    assert "\x1b[1m" in erya("--help", env={"FORCE_COLOR": "1"}).out
    assert "\x1b[" not in erya("--help", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).out
    assert "\x1b[" in erya("lst", env={"FORCE_COLOR": "1"}).err
