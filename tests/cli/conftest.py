"""Running the command line inside the test's process: quick, and with everything restored afterwards."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from erya.cli.app import run
from erya.tasks import classify, vectors

ROOMS = Path(__file__).parents[1] / "toy_rooms"
WORDS = "vectors/toy"
MODEL = "classify/naive_bayes"
VERBS = [
    "compare",
    "train",
    "resume",
    "tune",
    "curve",
    "check",
    "evaluate",
    "errors",
    "predict",
    "fasttext",
    "filter",
    "calibrate",
    "mix",
    "explain",
    "show",
    "convert",
    "list",
    "about",
    "learn",
    "data",
]


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return self.out.splitlines()


@pytest.fixture
def erya(tmp_path, monkeypatch, capsys):
    """``erya("train", …, lang="zh", stdin=b"…", env={…})`` in an empty folder; gives exit code, stdout and stderr."""
    before = dict(os.environ)
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ERYA_") and name != "ERYA_ROOMS"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("ERYA_REPORTS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments, lang="en", stdin=b"", env=None):
        os.environ["ERYA_LANG"] = lang
        os.environ.update(env or {})
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        for name in env or {}:
            del os.environ[name]
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    yield call
    signal.signal(signal.SIGTERM, handler)
    os.environ.clear()
    os.environ.update(before)


def write_csv(path: Path, rows, header=("review", "stars")) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([header, *rows])
    return path


@pytest.fixture
def reviews(tmp_path) -> Path:
    """The task's toy set as reviews.csv in the folder where the command runs."""
    return write_csv(tmp_path / "reviews.csv", zip(*classify.toy(seed=2), strict=True))


@pytest.fixture(scope="session")
def trained_bytes(tmp_path_factory):
    """A model file trained by the command line, once a session."""
    folder = tmp_path_factory.mktemp("trained")
    X, y = classify.toy(seed=2)
    path = write_csv(folder / "reviews.csv", zip(X, y, strict=True))
    assert run(["train", MODEL, str(path), "-o", str(folder / "m.erya"), "-q"]) == 0
    return (folder / "m.erya").read_bytes()


@pytest.fixture
def trained(tmp_path, trained_bytes) -> Path:
    """m.erya in the folder where the command runs, trained on what reviews.csv holds."""
    (tmp_path / "m.erya").write_bytes(trained_bytes)
    return tmp_path / "m.erya"


@pytest.fixture(scope="session")
def words_bytes(tmp_path_factory):
    """Word vectors trained by the command line, once a session; by a room of the tests."""
    folder = tmp_path_factory.mktemp("words")
    (folder / "corpus.txt").write_text("\n".join(vectors.toy(seed=2, rows=300)[0]) + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ERYA_ROOMS", str(ROOMS))
        command = ["train", WORDS, str(folder / "corpus.txt"), "--preset", "tiny", "-o", str(folder / "v.erya"), "-q"]
        assert run(command) == 0
    return (folder / "corpus.txt").read_bytes(), (folder / "v.erya").read_bytes()


@pytest.fixture
def words(tmp_path, words_bytes, monkeypatch) -> Path:
    """corpus.txt, v.erya and a similarity set ws.tsv in the folder where the command runs."""
    monkeypatch.setenv("ERYA_ROOMS", str(ROOMS))
    (tmp_path / "corpus.txt").write_bytes(words_bytes[0])
    (tmp_path / "v.erya").write_bytes(words_bytes[1])
    pairs = "soup\tbread\t9\nsoup\train\t1\nfog\twind\t8\nrain\tsnow\t7\nsalt\tcloud\t2\nxyzzy\tfog\t3\n"
    (tmp_path / "ws.tsv").write_text("word1\tword2\tscore\n" + pairs, encoding="utf-8")
    return tmp_path / "v.erya"
