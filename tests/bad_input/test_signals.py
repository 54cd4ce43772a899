"""Ctrl-C and SIGTERM: exit 130, the command that continues, and the same bits in the end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from erya import catalog

from .conftest import reviews, write_csv
from .shell import FAST, MODEL, Ended, Shell, weights_of

MODELS = [MODEL, "classify/lstm"]  # a loop of its own, and the loop of all networks
EACH_STEP = {"ERYA_CHECKPOINT_SECONDS": "0"}


@pytest.fixture(params=MODELS)
def model(request):
    if not catalog.card_of(request.param).installed:
        pytest.skip(f"{request.param} needs an extra that is not installed")
    return request.param


def events(folder: Path) -> list[str]:
    """What has happened in a run folder."""
    with contextlib.suppress(OSError, ValueError):
        return [json.loads(line)["event"] for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return []


def until_checkpoints(process: subprocess.Popen, folder: Path, count: int) -> None:
    """Wait until so many checkpoints are made."""
    end = time.monotonic() + 100
    while events(folder).count("checkpoint") < count:
        assert process.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < end, "no checkpoint was made"
        time.sleep(0.005)


def stopped(erya, process: subprocess.Popen, number: int) -> Ended:
    """Send the signal and wait for the end."""
    process.send_signal(number)
    out, err = process.communicate(timeout=100)
    ended = Ended([], process.returncode, out.decode(), err.decode(), 0)
    erya.check(ended)
    return ended


def longer(model: str) -> list[str]:
    """Settings with which a training on reviews.csv has steps enough to be stopped in."""
    more = ["--set", "epochs=400"] if model == MODEL else ["--set", "epochs=10", "--set", "patience=none"]
    return ["train", model, "reviews.csv", *FAST, *more, "--set", "batch_size=4", "-o"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of what an uninterrupted training writes, by model."""
    known = {}

    def get(model: str) -> bytes:
        if model not in known:
            shell = Shell(tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("home"))
            write_csv(shell.folder / "reviews.csv", reviews())
            assert shell(*longer(model), "new.erya").code == 0
            known[model] = (shell.folder / "new.erya").read_bytes()
        return known[model]

    return get


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_training_stops_and_goes_on(erya, whole, model, number):
    train = longer(model)
    before = erya.contents()
    process = erya.start(*train, "new.erya", env=EACH_STEP, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until_checkpoints(process, erya.folder / "new.erya.run", 2)
    ended = stopped(erya, process, number)

    assert ended.code == 130
    assert ended.block == ["stopped; the training is saved", "  help: erya resume new.erya"]
    assert ended.out == ""
    assert not (erya.folder / "new.erya").exists()
    assert {name: sum for name, sum in erya.contents().items() if not name.startswith("new.erya")} == before

    again = erya(*train, "new.erya")  # not thrown away by a second start
    assert again.code == 2
    assert again.first == "error: an unfinished training of new.erya is there"

    assert erya.paste(ended.help) == 0
    assert not (erya.folder / "new.erya.run").exists()
    (erya.folder / "whole.erya").write_bytes(whole(model))
    assert weights_of(erya.folder / "new.erya") == weights_of(erya.folder / "whole.erya")
    assert (erya.folder / "new.erya").read_bytes() == whole(model)


def test_in_chinese_and_json(erya):
    process = erya.start(
        *longer(MODEL),
        "new.erya",
        "--json",
        lang="zh",
        env=EACH_STEP,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until_checkpoints(process, erya.folder / "new.erya.run", 1)
    ended = stopped(erya, process, signal.SIGINT)
    assert ended.code == 130
    assert ended.first == "已停止；训练进度已保存"
    assert ended.document == {
        "schema": "erya.error/1",
        "code": "interrupted",
        "exit": 130,
        "error": "已停止；训练进度已保存",
        "where": None,
        "help": "erya resume new.erya",
    }


def test_twice_leaves_at_once(erya, whole):
    """The second Ctrl-C does not wait for the step; the last checkpoint is good."""
    process = erya.start(*longer(MODEL), "new.erya", env=EACH_STEP, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until_checkpoints(process, erya.folder / "new.erya.run", 1)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=100)[1].decode()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "erya resume new.erya" in err
    assert erya("resume", "new.erya").code == 0
    assert (erya.folder / "new.erya").read_bytes() == whole(MODEL)


@pytest.mark.parametrize("module", ["erya.cli.app", "typer", "erya.cli.train", "erya.runs", "numpy", "erya.text.read"])
def test_before_anything_has_begun(erya, module):
    """Ctrl-C while the program is still loading: no traceback, and nothing is left behind."""
    script = (
        "import sys\n"
        "class Impatient:\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Impatient)\n"
        "from erya.__main__ import main\n"
        "main()"
    )
    before = erya.contents()
    ended = erya("train", MODEL, "reviews.csv", "-o", "new.erya", program=("-c", script))
    assert ended.code == 130
    assert len(ended.err.splitlines()) <= 3
    assert erya.contents() == before


def test_while_reading(erya):
    """There is nothing to save yet, and nothing stays."""
    before = erya.contents()
    os.mkfifo(erya.folder / "slow.csv")
    process = erya.start(
        *["train", MODEL, "slow.csv", "-o", "new.erya"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with (erya.folder / "slow.csv").open("w") as pipe:  # opens when the reader is there
        pipe.write("text,label\n")
        pipe.flush()
        time.sleep(0.2)
        ended = stopped(erya, process, signal.SIGINT)
    (erya.folder / "slow.csv").unlink()
    assert ended.code == 130
    assert ended.first.startswith("stopped")
    assert erya.contents() == before


@pytest.mark.parametrize("to", ["the command", "its group"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_compare_stops(erya, number, to):
    """With the processes of the contestants, whether they hear the signal themselves, as from a terminal, or not."""
    room = erya.home / "temporary"
    room.mkdir()
    before = erya.contents()
    process = erya.start(
        *["compare", "sample:poetry", MODEL, "--seeds", "50"],
        env={"TMPDIR": str(room)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    end = time.monotonic() + 100
    while not list(room.rglob("job.json")):  # a contestant is at work
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.5)
    if to == "its group":
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=100)
    ended = Ended([], process.returncode, out.decode(), err.decode(), 0)
    erya.check(ended)
    assert ended.code == 130
    assert ended.first.startswith("stopped")
    assert erya.contents() == before  # no half report
    assert list(room.iterdir()) == []
    with pytest.raises(ProcessLookupError):  # nobody of the group is left
        os.killpg(process.pid, 0)
