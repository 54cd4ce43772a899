"""A training that is stopped, killed, starved of disk or memory, and continued, ends with the same file to the bit."""

import errno
import io
import itertools
import json
import os
import random
import signal
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from erya import artefact, catalog, run_display, run_folder, run_report, runs
from erya.atomic import SUFFIX
from erya.errors import DataError, DivergedError, Interrupted, ModelFileError, ResourceError, UsageError
from erya.run_display import Bar, Display, Lines, Standing
from erya.run_folder import RunFolder
from erya.run_report import RunReport
from erya.state import State

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
ID = "classify/small_steps"
WORDS = {
    "food": "soup bread tasty noodles 好吃",
    "music": "song guitar album melody 好听",
    "sky": "rain cloud sun wind 下雨",
}


@pytest.fixture(autouse=True)
def room(monkeypatch):
    """The room of tests/toy_rooms, a checkpoint at every step, messages in English."""
    monkeypatch.setenv("ERYA_ROOMS", str(Path(__file__).parent / "toy_rooms"))
    monkeypatch.setenv("ERYA_CHECKPOINT_SECONDS", "0")
    monkeypatch.setenv("ERYA_THREADS", "2")
    monkeypatch.setenv("ERYA_LANG", "en")
    monkeypatch.delenv("TOY_TROUBLE", raising=False)


@pytest.fixture
def data(tmp_path):
    """90 short texts of three labels."""
    generator = random.Random(0)
    lines = ["text,label"]
    for number in range(90):
        label = sorted(WORDS)[number % 3]
        lines.append(f"{' '.join(generator.choices(WORDS[label].split(), k=3))} {generator.choice('abc')},{label}")
    path = tmp_path / "data" / "texts.csv"
    path.parent.mkdir()
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def how(data):
    return {"source": str(data), "read": {"text": "text", "label": "label"}, "split": {"train": 0.6, "seed": 3}}


@pytest.fixture
def train(how, tmp_path):
    """``train("m.erya", steps=24)``: train the toy model in tmp_path."""

    def go(name="m.erya", *, settings=None, **options):
        model = catalog.model(ID, settings=settings or {})
        return runs.train(model, runs.read_data(how), tmp_path / name, how=how, quiet=True, **options)

    return go


@pytest.fixture
def whole(train):
    """The file that an uninterrupted training writes."""
    return train("whole.erya").path.read_bytes()


def resume(path):
    return runs.resume(path, quiet=True)


def training_of(path):
    return artefact.load(path).training


def names(folder):
    return sorted(found.name for found in folder.iterdir())


def fork(work):
    """Run ``work`` in a process of its own: its number."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException as error:
            os._exit(getattr(error, "exit", 71))
        os._exit(0)
    return child


def in_child(work):
    """The same, to its end: its status, as ``waitpid`` gives it."""
    return os.waitpid(fork(work), 0)[1]


# ---- a training that ends ------------------------------------------------------------------------------------------


def test_train(train, tmp_path):
    trained = train()
    assert names(tmp_path) == ["data", "m.erya"]
    assert trained.size == (tmp_path / "m.erya").stat().st_size
    assert trained.scored_on == "test"
    assert trained.scores["accuracy"].value > trained.baseline[1]
    assert catalog.load(tmp_path / "m.erya").predict(["soup bread", "下雨"]).tolist() == ["food", "sky"]


def test_what_the_file_says_of_its_training(train, how, tmp_path):
    train()
    training = training_of(tmp_path / "m.erya")
    assert training["seed"] == 0
    assert training["threads"] == 2
    assert training["data"]["source"] == "texts.csv"
    assert training["data"]["digest"] == runs.read_data(how).digest
    assert training["versions"]["numpy"] == np.__version__
    assert training["scores"]["accuracy"]["low"] <= training["scores"]["accuracy"]["value"]
    assert [row["step"] for row in training["curve"]] == list(range(0, 24, 5))
    card = artefact.load(tmp_path / "m.erya").card
    assert ID in card
    assert "accuracy" in card


def test_no_clock_no_place_in_the_file(train, how, tmp_path, monkeypatch):
    first = train().path.read_bytes()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("ERYA_LANG", "zh")
    monkeypatch.setenv("ERYA_CHECKPOINT_SECONDS", "1000")
    assert train("elsewhere/other.erya", settings={"pause": 0.0}).path.read_bytes() == first
    assert str(tmp_path).encode() not in first
    assert "tokens_per_second" not in str(training_of(tmp_path / "m.erya")["curve"])


def test_without_a_test_part(data, tmp_path):
    how = {"source": str(data), "read": {}, "split": {"test": 0}}
    trained = runs.train(catalog.model(ID), runs.read_data(how), tmp_path / "m.erya", how=how, quiet=True)
    assert trained.scored_on == "dev"
    how["split"] = None
    trained = runs.train(catalog.model(ID), runs.read_data(how), tmp_path / "m.erya", how=how, quiet=True)
    assert (trained.scored_on, trained.scores, trained.baseline) == (None, {}, None)


# ---- stopped and continued ----------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("step", [0, 17, 23])
def test_signal_then_resume(train, whole, tmp_path, monkeypatch, capfd, name, step):
    before = signal.getsignal(getattr(signal, name))
    monkeypatch.setenv("TOY_TROUBLE", f"{step} {name}")
    with pytest.raises(Interrupted) as caught:
        train()
    assert caught.value.exit == 130
    assert caught.value.help == f"erya resume {tmp_path / 'm.erya'}"
    assert "finishing this step" in capfd.readouterr().err
    assert signal.getsignal(getattr(signal, name)) is before
    assert not (tmp_path / "m.erya").exists()
    monkeypatch.delenv("TOY_TROUBLE")
    assert resume(tmp_path / "m.erya").path.read_bytes() == whole
    assert names(tmp_path) == ["data", "m.erya", "whole.erya"]


@POSIX
@pytest.mark.parametrize("step", [0, 1, 5, 17, 23])
@pytest.mark.parametrize("every", ["0", "1000"])
def test_kill_9_then_resume(train, whole, tmp_path, monkeypatch, step, every):
    monkeypatch.setenv("ERYA_CHECKPOINT_SECONDS", every)
    monkeypatch.setenv("TOY_TROUBLE", f"{step} SIGKILL")
    assert in_child(train) == signal.SIGKILL
    monkeypatch.delenv("TOY_TROUBLE")
    assert (tmp_path / "m.erya.run" / "checkpoint.erya").exists() == (every == "0" and step > 0)
    resume(tmp_path / "m.erya.run")
    assert (tmp_path / "m.erya").read_bytes() == whole


@POSIX
def test_kill_9_at_random_moments(train, tmp_path):
    """20 kills at any instant, resume after each; then once to the end."""
    settings = {"steps": 150, "pause": 0.001}
    whole = train("whole.erya", settings=settings).path.read_bytes()
    clock, killed = random.Random(0), 0
    path = tmp_path / "m.erya"

    def work():
        if (tmp_path / "m.erya.run" / "run.json").exists():
            resume(path)
        else:
            train(settings=settings)

    while killed < 20:
        child = fork(work)
        time.sleep(clock.random() * 0.06)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if status == signal.SIGKILL:
            killed += 1
        else:
            assert path.read_bytes() == whole
            path.unlink()
    work()
    assert path.read_bytes() == whole
    assert names(tmp_path) == ["data", "m.erya", "whole.erya"]


@POSIX
def test_second_signal_leaves_at_once(train, whole, tmp_path, monkeypatch):
    """The model sleeps for a minute in one step: the first Ctrl-C waits for it, the second does not."""

    def sleepy(report, reason):
        if report.steps == 10:
            (tmp_path / "sleeping").touch()
            time.sleep(60)
        return reason

    def work():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        stopping = RunReport.stopping
        monkeypatch.setattr(RunReport, "stopping", lambda self: sleepy(self, stopping(self)))
        train()

    child = fork(work)
    while not (tmp_path / "sleeping").exists():
        time.sleep(0.01)
    os.kill(child, signal.SIGINT)
    time.sleep(0.1)
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    os.kill(child, signal.SIGINT)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    (tmp_path / "sleeping").unlink()
    assert resume(tmp_path / "m.erya").path.read_bytes() == whole


def test_a_model_without_checkpoints_starts_over(train, tmp_path, monkeypatch):
    settings = {"checkpoints": False}
    whole = train("whole.erya", settings=settings).path.read_bytes()
    monkeypatch.setenv("TOY_TROUBLE", "17 SIGINT")
    with pytest.raises(Interrupted) as caught:
        train(settings=settings)
    assert "start over" in caught.value.message
    monkeypatch.delenv("TOY_TROUBLE")
    assert resume(tmp_path / "m.erya").path.read_bytes() == whole


def test_resume_from_another_folder(data, tmp_path, monkeypatch):
    monkeypatch.chdir(data.parent)
    how = {"source": Path("texts.csv"), "read": {"validation": Path("texts.csv")}, "split": {"dev": 0}}
    dataset = runs.read_data(how)
    runs.train(catalog.model(ID), dataset, tmp_path / "whole.erya", how=how, quiet=True)
    monkeypatch.setenv("TOY_TROUBLE", "7 SIGTERM")
    with pytest.raises(Interrupted):
        runs.train(catalog.model(ID), dataset, "m.erya", how=how, quiet=True)
    monkeypatch.delenv("TOY_TROUBLE")
    monkeypatch.chdir("/")
    resume(data.parent / "m.erya")
    assert (data.parent / "m.erya").read_bytes() == (tmp_path / "whole.erya").read_bytes()


def test_the_recorded_threads_are_used_again(train, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "7 SIGTERM")
    with pytest.raises(Interrupted):
        train()
    monkeypatch.delenv("TOY_TROUBLE")
    monkeypatch.setenv("ERYA_THREADS", "5")
    assert resume(tmp_path / "m.erya").path.read_bytes() == whole
    assert catalog.load(tmp_path / "m.erya").threads_ == 2
    assert os.environ["ERYA_THREADS"] == "5"


# ---- what cannot be continued -------------------------------------------------------------------------------------


@pytest.fixture
def stopped(train, tmp_path, monkeypatch):
    """A run that was stopped at step 7."""
    monkeypatch.setenv("TOY_TROUBLE", "7 SIGTERM")
    with pytest.raises(Interrupted):
        train()
    monkeypatch.delenv("TOY_TROUBLE")
    return tmp_path / "m.erya"


def test_other_data(stopped, data):
    text = data.read_text(encoding="utf-8")
    data.write_text(text.replace("soup", "soap", 1), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        resume(stopped)
    assert (caught.value.code, caught.value.exit) == ("data-changed", 3)
    assert "texts.csv" in caught.value.message
    data.unlink()
    with pytest.raises(DataError):
        resume(stopped)
    data.write_text(text, encoding="utf-8")
    resume(stopped)


@pytest.mark.parametrize(
    ("name", "version", "help"),
    [("numpy", "1.0", "pip install numpy==1.0"), ("python", "2.7", "2.7"), ("torch", "9.9", "pip install torch==9.9")],
)
def test_other_versions(stopped, name, version, help):
    path = stopped.with_name("m.erya.run") / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    run["versions"][name] = version
    path.write_text(json.dumps(run), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        resume(stopped)
    assert caught.value.code == "versions-differ"
    assert name in caught.value.message
    assert version in caught.value.message
    assert help in caught.value.help


def test_nothing_to_resume(train, stopped, tmp_path):
    train("ended.erya")
    with pytest.raises(UsageError) as caught:
        resume(tmp_path / "ended.erya")
    assert "has ended" in caught.value.message
    with pytest.raises(UsageError) as caught:
        resume(tmp_path / "n.erya")
    assert "m.erya" in caught.value.help
    with pytest.raises(UsageError):
        resume(tmp_path / "no folder" / "n.erya")
    assert names(tmp_path) == ["data", "ended.erya", "m.erya.run"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": NaN}', "[" * 100_000])
def test_damaged_run_json(stopped, text):
    (stopped.with_name("m.erya.run") / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelFileError) as caught:
        resume(stopped)
    assert caught.value.code == "run-damaged"
    assert "--restart" in caught.value.help


def test_damaged_checkpoint(stopped, whole):
    checkpoint = stopped.with_name("m.erya.run") / "checkpoint.erya"
    data = bytearray(checkpoint.read_bytes())
    data[len(data) // 2] ^= 1
    checkpoint.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        resume(stopped)
    assert "delete" in caught.value.help
    checkpoint.unlink()
    assert resume(stopped).path.read_bytes() == whole


def test_checkpoint_of_another_training(train, stopped, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "3 SIGTERM")
    with pytest.raises(Interrupted):
        train("other.erya", settings={"seed": 1})
    monkeypatch.delenv("TOY_TROUBLE")
    other = stopped.with_name("other.erya.run") / "checkpoint.erya"
    other.replace(stopped.with_name("m.erya.run") / "checkpoint.erya")
    with pytest.raises(ModelFileError) as caught:
        resume(stopped)
    assert caught.value.code == "run-damaged"


def test_an_unfinished_training_is_not_thrown_away(train, stopped, whole):
    with pytest.raises(UsageError) as caught:
        train()
    assert caught.value.code == "unfinished-training"
    assert "erya resume" in caught.value.help
    assert "--restart" in caught.value.help
    assert train(restart=True).path.read_bytes() == whole


@POSIX
def test_an_unfinished_training_without_checkpoint_is_no_loss(train, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("ERYA_CHECKPOINT_SECONDS", "1000")
    monkeypatch.setenv("TOY_TROUBLE", "7 SIGKILL")
    in_child(train)
    monkeypatch.delenv("TOY_TROUBLE")
    assert train().path.read_bytes() == whole


# ---- two at once --------------------------------------------------------------------------------------------------


@POSIX
def test_the_second_fails_fast_and_the_lock_dies_with_its_owner(train, whole, tmp_path):
    settings = {"pause": 1.0}
    child = fork(lambda: train(settings=settings))
    while not (tmp_path / "m.erya.run" / "checkpoint.erya").exists():
        time.sleep(0.01)
    for again in (lambda: train(restart=True), lambda: resume(tmp_path / "m.erya")):
        started = time.monotonic()
        with pytest.raises(ResourceError) as caught:
            again()
        assert time.monotonic() - started < 1
        assert caught.value.code == "run-locked"
        assert str(child) in caught.value.message
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert train(restart=True).path.read_bytes() == whole


def test_two_in_one_process(tmp_path):
    first, second = RunFolder(tmp_path / "m.erya"), RunFolder(tmp_path / "m.erya.run")
    first.acquire(create=True)
    with pytest.raises(ResourceError):
        second.acquire(create=True)
    first.remove()
    second.acquire(create=True)
    second.release()


def test_a_lock_on_a_folder_that_was_just_removed_counts_for_nothing(tmp_path, monkeypatch):
    real, calls = run_folder._flock, []

    def flock(descriptor):
        if not calls:  # its owner ends and takes the folder away between our opening and our locking
            calls.append(1)
            (tmp_path / "m.erya.run" / "lock").unlink()
            (tmp_path / "m.erya.run").rmdir()
        return real(descriptor)

    monkeypatch.setattr(run_folder, "_flock", flock)
    folder = RunFolder(tmp_path / "m.erya")
    folder.acquire(create=True)
    with pytest.raises(ResourceError):
        RunFolder(tmp_path / "m.erya").acquire(create=True)
    folder.release()


@POSIX
def test_many_take_turns(tmp_path):
    """The lock changes hands while the folder is removed and made again; never do two hold it."""

    def work():
        for _ in range(60):
            folder = RunFolder(tmp_path / "m.erya")
            try:
                folder.acquire(create=True)
            except ResourceError:
                continue
            descriptor = os.open(tmp_path / "held", os.O_CREAT | os.O_EXCL)  # fails where another is in here
            os.close(descriptor)
            (tmp_path / "held").unlink()
            folder.remove()

    children = [fork(work) for _ in range(4)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4


# ---- budget -------------------------------------------------------------------------------------------------------


def test_budget_of_steps(train, tmp_path, monkeypatch):
    short = train("short.erya", budget_steps=12)
    assert short.stopped_at_step == 12
    assert training_of(short.path)["stopped_at_step"] == 12
    monkeypatch.setenv("TOY_TROUBLE", "7 SIGINT")
    with pytest.raises(Interrupted):
        train(budget_steps=12)
    monkeypatch.delenv("TOY_TROUBLE")
    assert resume(tmp_path / "m.erya").path.read_bytes() == short.path.read_bytes()


@POSIX
def test_budget_of_seconds_ends_at_a_remembered_step(train, tmp_path, monkeypatch):
    """Killed after the budget ran out but before the file stood: the resumed run ends at the same step."""

    def killed(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def child():
        monkeypatch.setattr(runs, "_finish", killed)
        train(settings={"pause": 0.01}, budget_seconds=0.15)

    assert in_child(child) == signal.SIGKILL
    step = json.loads((tmp_path / "m.erya.run" / "run.json").read_text(encoding="utf-8"))["budget_steps"]
    assert 1 <= step <= 15
    assert resume(tmp_path / "m.erya").stopped_at_step == step
    again = train("again.erya", settings={"pause": 0.01}, budget_steps=step)
    assert again.path.read_bytes() == (tmp_path / "m.erya").read_bytes()


# ---- disk, memory, and other trouble ------------------------------------------------------------------------------


def test_disk_full_at_every_flush(train, whole, tmp_path, monkeypatch):
    """The N-th fsync fails, for N up to the end of a training: exit 5, nothing half written, resume ends the same."""
    real, failed = os.fsync, 0
    for at in itertools.count(1, 7):
        calls = itertools.count(1)

        def fsync(descriptor, calls=calls, at=at):
            if next(calls) == at:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            try:
                train()
            except ResourceError as error:
                code, help = error.code, error.help
            else:
                break
        failed += 1
        assert code == "disk-full"
        assert ("erya resume" in help) == RunFolder(tmp_path / "m.erya").checkpoint.exists()
        assert not [found for found in tmp_path.rglob("*") if found.name.endswith(SUFFIX)]
        if (tmp_path / "m.erya.run").exists():
            resume(tmp_path / "m.erya")
            assert (tmp_path / "m.erya").read_bytes() == whole
            (tmp_path / "m.erya").unlink()
    assert failed > 5


def test_disk_full_for_the_log(train, whole, tmp_path, monkeypatch):
    real = RunFolder.append

    def append(self, row):
        if row.get("step") == 10:
            real(self, {"half": 1})
            raise ResourceError("disk-full", "no space")
        real(self, row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "append", append)
        with pytest.raises(ResourceError):
            train()
    assert resume(tmp_path / "m.erya").path.read_bytes() == whole


def test_read_only_folder(train, tmp_path, monkeypatch):
    def mkdir(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(ResourceError) as caught:
        train()
    assert caught.value.code == "read-only"


def test_missing_output_folder_and_output_that_is_a_folder(train, tmp_path):
    with pytest.raises(ResourceError) as caught:
        train("no/m.erya")
    assert caught.value.code == "folder-missing"
    (tmp_path / "folder.erya").mkdir()
    with pytest.raises(UsageError):
        train("folder.erya")
    assert names(tmp_path) == ["data", "folder.erya"]


@pytest.mark.parametrize("what", ["memory", "torch"])
def test_out_of_memory(train, whole, tmp_path, monkeypatch, what):
    monkeypatch.setenv("TOY_TROUBLE", f"7 {what}")
    with pytest.raises(ResourceError) as caught:
        train()
    assert (caught.value.code, caught.value.exit) == ("out-of-memory", 5)
    assert "erya resume" in caught.value.help
    monkeypatch.delenv("TOY_TROUBLE")
    assert resume(tmp_path / "m.erya").path.read_bytes() == whole


def test_diverged(train, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "7 diverged")
    with pytest.raises(DivergedError):
        train()
    assert RunFolder(tmp_path / "m.erya").checkpoint.exists()
    monkeypatch.delenv("TOY_TROUBLE")
    assert train().path.read_bytes() == whole  # in the way of nobody


@pytest.mark.parametrize(("what", "kind"), [("data", DataError), ("bug", ZeroDivisionError)])
def test_trouble_at_the_start_leaves_nothing(train, tmp_path, monkeypatch, what, kind):
    monkeypatch.setenv("TOY_TROUBLE", f"0 {what}")
    with pytest.raises(kind):
        train()
    assert names(tmp_path) == ["data"]


def test_strays_go_at_the_next_start(train, tmp_path):
    (tmp_path / f".m.erya.0{SUFFIX}").write_bytes(b"half")
    (tmp_path / "m.erya.run").mkdir()
    (tmp_path / "m.erya.run" / f".checkpoint.0{SUFFIX}").write_bytes(b"half")
    train()
    assert names(tmp_path) == ["data", "m.erya"]


def test_a_users_own_file_in_the_folder_stays(train, tmp_path):
    (tmp_path / "m.erya.run").mkdir()
    (tmp_path / "m.erya.run" / "notes.txt").write_text("mine", encoding="utf-8")
    train()
    assert names(tmp_path / "m.erya.run") == ["notes.txt"]


# ---- the report ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    found = RunFolder(tmp_path / "m.erya")
    found.acquire(create=True)
    yield found
    found.release()


def log_of(folder):
    return [json.loads(line) for line in (folder.path / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_log(folder):
    report = RunReport(folder, ID, {}, Display())
    report.note("你好")
    report.record({"step": np.int64(1), "loss": np.float32(0.5), "score": float("nan"), "parts": (1, np.float64(2))})
    report.save_checkpoint(State({"x": np.zeros(3)}))
    note, curve, checkpoint = log_of(folder)
    assert (note["event"], note["sentence"]) == ("note", "你好")
    assert (curve["event"], curve["step"], curve["loss"]) == ("curve", 1, 0.5)
    assert (curve["score"], curve["parts"]) == (None, [1, 2.0])
    assert checkpoint["event"] == "checkpoint"
    assert all(row["seconds"] >= 0 for row in log_of(folder))


def test_a_torn_line_is_cut(folder):
    (folder.path / "log.jsonl").write_bytes(b'{"event":"whole"}\n{"event":"ha')
    RunReport(folder, ID, {}, Display()).note("x")
    assert [row["event"] for row in log_of(folder)] == ["whole", "note"]


def test_a_long_curve_is_thinned(folder):
    report = RunReport(folder, ID, {}, Display())
    for step in range(12_001):
        report.record({"step": step, "loss": 0.5, "validation_loss": 0.25, "accuracy": 0.125})
    assert 2500 <= len(report.curve) <= 5000
    assert report.curve[0]["step"] == 0
    assert report.curve[-1]["step"] >= 11_990
    report.save_checkpoint(State())
    assert RunReport(folder, ID, {}, Display()).load_checkpoint() is not None


def test_checkpoint_round_trip(folder):
    report = RunReport(folder, ID, {"a": [1]}, Display())
    report.record({"step": 1})
    for _ in range(3):
        report.stopping()
    data = {"step": 3, "generator": np.random.default_rng(0).bit_generator.state, "tokenizer": {"name": "x"}}
    report.save_checkpoint(State({"x": np.arange(5.0)}, data))
    again = RunReport(folder, ID, {"a": [1]}, Display())
    state = again.load_checkpoint()
    assert state.data == data
    assert state.arrays["x"].tolist() == [0, 1, 2, 3, 4]
    assert (again.curve, again.steps) == ([{"step": 1}], 3)
    assert again.seconds() >= report.seconds() - 1


class Clock:
    def __init__(self, monkeypatch):
        self.now = 1000.0
        for module in (run_report, run_display):
            monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


def test_when_a_checkpoint_is_due(folder, monkeypatch):
    clock = Clock(monkeypatch)
    monkeypatch.setenv("ERYA_CHECKPOINT_SECONDS", "30")
    report = RunReport(folder, ID, {}, Display())
    assert not report.checkpoint_due()
    clock.now += 30
    assert report.checkpoint_due()
    monkeypatch.setattr(run_report, "save", lambda *_, **__: setattr(clock, "now", clock.now + 10))  # a slow disk
    report.save_checkpoint(State())
    clock.now += 100
    assert not report.checkpoint_due()
    clock.now += 100
    assert report.checkpoint_due()


def test_what_is_left_is_counted_from_the_training_not_from_the_reading(folder, monkeypatch):
    clock, shown = Clock(monkeypatch), []

    class Kept(Display):
        def show(self, standing):
            shown.append(standing.seconds_left)

    report = RunReport(folder, ID, {}, Kept())
    for done in (0.0, 0.5, 1.0):  # reading
        report.progress(epoch=1, epochs=1, done=done)
        clock.now += 50
    report.progress(epoch=1, epochs=2, done=0.1)
    clock.now += 4
    report.progress(epoch=1, epochs=2, done=0.5)
    assert shown[1] == pytest.approx(50)
    assert shown[-1] == pytest.approx(5)


@pytest.mark.parametrize("value", ["x", "-1", "nan", "inf"])
def test_checkpoint_seconds(monkeypatch, value):
    monkeypatch.setenv("ERYA_CHECKPOINT_SECONDS", value)
    with pytest.raises(UsageError):
        run_report.checkpoint_seconds()
    monkeypatch.setenv("ERYA_CHECKPOINT_SECONDS", "")
    assert run_report.checkpoint_seconds() == 30


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ["epoch 2/5", "41%", "1.24 M tok/s", "loss 0.312", "dev 0.874 ▲"]),
        ("zh", ["第 2/5 轮", "41%", "1.24 M 词/秒", "损失 0.312", "验证 0.874 ▲"]),
    ],
)
def test_plain_lines_every_ten_seconds(folder, monkeypatch, lang, words):
    clock, stream = Clock(monkeypatch), io.StringIO()
    monkeypatch.setenv("ERYA_LANG", lang)
    report = RunReport(folder, ID, {}, Lines(stream))
    for tick in range(25):
        report.progress(epoch=2, epochs=5, done=0.41 * tick / 24, loss=0.3121, tokens_per_second=1_238_000, score=0.874)
        clock.now += 1
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    report.progress(epoch=2, epochs=5, done=0.41, loss=0.3121, tokens_per_second=1_238_000, score=0.874)
    clock.now += 10
    report.progress(epoch=2, epochs=5, done=0.41, loss=0.3121, tokens_per_second=1_238_000, score=0.874)
    last = stream.getvalue().splitlines()[-1]
    for word in words:
        assert word in last
    assert ("eta" in last) == (lang == "en")
    assert "\x1b" not in stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bar_on_a_terminal(folder, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    shown = run_display.display(stream)
    assert isinstance(shown, Bar)
    with RunReport(folder, ID, {}, shown) as report:
        report.progress(epoch=2, epochs=5, done=0.41, loss=0.312)
        report.note("a [bold]note[/] that stays")
    text = stream.getvalue()
    assert "epoch 2/5" in text
    assert "41%" in text
    assert "a [bold]note[/] that stays" in text


def test_what_is_shown_where(capsys):
    assert isinstance(run_display.display(io.StringIO()), Lines)
    silent = run_display.display(Terminal(), quiet=True)
    silent.show(Standing(1, 1, 0.5))
    silent.say("x")
    silent.close()
    assert type(silent) is Display
    assert capsys.readouterr() == ("", "")


def test_a_stream_that_is_closed_stops_no_training(folder):
    stream = io.StringIO()
    report = RunReport(folder, ID, {}, Lines(stream))
    stream.close()
    report.note("x")
    assert log_of(folder)[0]["sentence"] == "x"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (72, "1:12"), (7439.6, "2:04:00"), (-5, "0:00")])
def test_clock(seconds, text):
    assert run_display.clock(seconds) == text


def test_better_scores_are_marked(folder):
    shown = []
    display = Display()
    display.show = shown.append
    report = RunReport(folder, ID, {}, display)
    for score in (None, 0.5, 0.5, 0.4, 0.6):
        report.progress(epoch=1, epochs=1, done=0.1, score=score)
    assert [standing.better for standing in shown] == [False, True, True, False, True]


def test_the_artefact_is_a_zip_with_the_curve(train):
    with zipfile.ZipFile(train().path) as archive:
        assert json.loads(archive.read("training.json"))["curve"][0]["step"] == 0


# ---- a corpus --------------------------------------------------------------------------------------------------------

TOY = "vectors/toy"


@pytest.fixture
def corpus(tmp_path):
    """A folder of two files, packed and plain."""
    import gzip

    from erya.tasks import vectors

    texts = vectors.toy(rows=80)[0]
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.txt").write_text("\n".join(texts[:40]) + "\n", encoding="utf-8")
    with gzip.open(folder / "b.txt.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(texts[40:]) + "\n")
    return folder


def corpus_how(source, **options):
    return {"source": str(source), "read": {"task": "vectors", **options}, "split": None}


def train_words(source, path, *, settings=None, options=None, **more):
    how = corpus_how(source, **(options or {}))
    model = catalog.model(TOY, "tiny", settings)
    return runs.train(model, runs.read_data(how), path, how=how, quiet=True, **more)


def test_a_corpus_is_handed_over_as_paths(corpus, tmp_path):
    found = runs.read_data(corpus_how(corpus))
    assert found.inputs == [corpus / "a.txt", corpus / "b.txt.gz"]
    assert found.bytes == sum(path.stat().st_size for path in found.files)
    trained = train_words(corpus, tmp_path / "v.erya")
    assert trained.scores == {}
    assert trained.scored_on is None
    assert not (tmp_path / "v.erya.run").exists()
    training = training_of(tmp_path / "v.erya")
    assert training["data"] == {
        "source": "corpus",
        "digest": found.digest,
        "files": 2,
        "bytes": found.bytes,
        "texts": None,
    }
    assert len(training["curve"]) == 40


def test_a_table_and_a_sample_hand_over_their_texts(corpus, tmp_path):
    table = tmp_path / "rows.csv"
    texts = (corpus / "a.txt").read_text(encoding="utf-8").splitlines()
    table.write_text("id,body\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts)), encoding="utf-8")
    found = runs.read_data(corpus_how(table, text="body"))
    assert found.inputs == texts
    assert (found.rows, found.files) == (40, [])
    sample = runs.read_data(corpus_how("sample:snips"))
    assert sample.rows == len(sample.inputs) > 10_000
    assert sample.tokenizer == "words"


def test_a_pattern_and_a_single_file(corpus):
    assert runs.read_data(corpus_how(f"{corpus}/*.txt")).inputs == [corpus / "a.txt"]
    assert runs.read_data(corpus_how(corpus / "b.txt.gz")).inputs == [corpus / "b.txt.gz"]
    (corpus / "empty.txt").write_bytes(b"")
    with pytest.raises(DataError, match="empty"):
        runs.read_data(corpus_how(corpus / "empty.txt"))
    with pytest.raises(DataError, match="no file"):
        runs.read_data(corpus_how(corpus / "nowhere.txt"))


def test_the_digest_sees_every_change_of_a_small_file_and_most_of_a_large_one(tmp_path, monkeypatch):
    from erya import run_corpus

    path = tmp_path / "c.txt"
    path.write_bytes(b"word " * 1000)
    digest = runs.read_data(corpus_how(path)).digest
    path.write_bytes(b"word " * 500 + b"wort " + b"word " * 499)
    assert runs.read_data(corpus_how(path)).digest != digest
    monkeypatch.setattr(run_corpus, "_MIB", 16)
    monkeypatch.setattr(run_corpus, "_HASHED_WHOLE", 64)
    large = runs.read_data(corpus_how(path)).digest
    for place in (0, 4999):
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        (tmp_path / "d.txt").write_bytes(data)
        assert runs.read_data(corpus_how(tmp_path / "d.txt")).digest != large
    path.write_bytes(path.read_bytes() + b"x")
    assert runs.read_data(corpus_how(path)).digest != large


@POSIX
def test_interrupted_and_killed_words_resume_with_the_same_bytes(corpus, tmp_path):
    whole = train_words(corpus, tmp_path / "whole.erya").path.read_bytes()

    def die():
        train_words(corpus, tmp_path / "v.erya")

    real = RunReport.save_checkpoint
    for victim in (3, 17):

        def save(self, state, victim=victim):
            real(self, state)
            if self.steps == victim:
                os.kill(os.getpid(), signal.SIGKILL)

        RunReport.save_checkpoint = save
        try:
            assert in_child(die) == signal.SIGKILL
        finally:
            RunReport.save_checkpoint = real
        assert (tmp_path / "v.erya.run" / "checkpoint.erya").exists()
        assert resume(tmp_path / "v.erya").path.read_bytes() == whole
        (tmp_path / "v.erya").unlink()


def test_resume_refuses_a_changed_corpus(corpus, tmp_path, monkeypatch):
    real = RunReport.stopping

    def stopping(self):
        return "interrupt" if real(self) is None and self.steps == 5 else None

    monkeypatch.setattr(RunReport, "stopping", stopping)
    with pytest.raises(Interrupted) as caught:
        train_words(corpus, tmp_path / "v.erya")
    assert "erya resume" in caught.value.help
    monkeypatch.undo()
    monkeypatch.setenv("ERYA_ROOMS", str(Path(__file__).parent / "toy_rooms"))
    monkeypatch.setenv("ERYA_LANG", "en")
    text = (corpus / "a.txt").read_text(encoding="utf-8")
    (corpus / "a.txt").write_text(text.replace("soup", "soap", 1), encoding="utf-8")
    with pytest.raises(DataError, match="not the data"):
        resume(tmp_path / "v.erya")
    (corpus / "a.txt").write_text(text, encoding="utf-8")
    assert resume(tmp_path / "v.erya").path.exists()


def test_a_corpus_stops_at_its_budget(corpus, tmp_path):
    trained = train_words(corpus, tmp_path / "v.erya", budget_steps=7)
    assert trained.stopped_at_step == 7
    assert training_of(tmp_path / "v.erya")["stopped_at_step"] == 7
    again = train_words(corpus, tmp_path / "w.erya", budget_steps=7)
    assert again.path.read_bytes() == trained.path.read_bytes()
