"""Whole searches: real processes, a toy model whose dials decide how good it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

import erya
from erya import artefact, catalog
from erya.errors import DataError, Interrupted, ResourceError, UsageError
from erya.tuning import tune
from tests.tuning.conftest import dataset_of

MODEL = "classify/dial"


def compared(document):
    """What two runs of one search must share: everything but times and the machine."""
    trials = [
        (one["trial"], one["model"], one["settings"], [(a["rung"], a["status"], a["value"]) for a in one["attempts"]])
        for one in document["trials"]
    ]
    return trials, document["winner"], document["test"]["tuned"], document["test"]["pair"], document["mattered"]


@pytest.fixture
def tuned(rooms, tmp_path):
    events = []
    found = tune(MODEL, dataset_of(), trials=9, seed=1, folder=tmp_path / "tuned", watch=events.append)
    return found, tmp_path / "tuned", events


def test_finds_better_settings_saves_the_model_and_judges_it_once(tuned, rooms):
    found, folder, events = tuned
    document, winner = found.document, found.document["winner"]
    assert len(document["trials"]) == 9
    assert document["trials"][0]["is_default"]
    assert document["trials"][0]["settings"] == {"turn": 0.1, "colour": "blue", "idle": 3}
    assert winner["validation"]["value"] > winner["default_validation"]["value"] + 0.05
    assert abs(winner["settings"]["turn"] - 1) < 0.9
    assert set(winner["changed"]) <= {"turn", "colour", "idle"}
    test = document["test"]
    assert test["rows"] == 75
    assert test["pair"]["difference"] == pytest.approx(
        test["tuned"]["accuracy"]["value"] - test["default"]["accuracy"]["value"]
    )
    assert test["tuned"]["accuracy"]["low"] <= test["tuned"]["accuracy"]["value"] <= test["tuned"]["accuracy"]["high"]
    assert document["refit"]["rows"] == 150 + 75
    assert document["ended"] == "trials"
    model = erya.load(folder / "model.erya")
    assert {name: model.get_params()[name] for name in winner["settings"]} == winner["settings"]
    data = dataset_of()
    answers = (model.predict(data.test.inputs) == data.test.targets).mean()
    assert answers == pytest.approx(test["tuned"]["accuracy"]["value"])
    assert model.fingerprint() == found.model.fingerprint()
    training = artefact.load(folder / "model.erya").training
    assert training["tuning"]["trials"] == 9
    assert training["scores"]["accuracy"]["value"] == pytest.approx(answers)
    assert json.loads((folder / "tune.json").read_text(encoding="utf-8"))["schema"] == "erya.tune/1"
    assert sorted(path.name for path in folder.iterdir()) == ["journal.jsonl", "model.erya", "report.html", "tune.json"]
    assert [event["event"] for event in events if event["event"] in ("begin", "refit")] == ["begin", "refit", "refit"]
    assert "optimistic" in found.table()


def test_called_again_it_repeats_nothing_and_goes_on_where_more_is_granted(tuned, rooms):
    found, folder, _ = tuned
    lines = (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    events = []
    again = tune(MODEL, dataset_of(), trials=9, seed=1, folder=folder, watch=events.append)
    assert compared(again.document) == compared(found.document)
    assert not [event for event in events if event["event"] == "start"]
    assert (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines() == lines
    more = tune(MODEL, dataset_of(), trials=11, seed=1, folder=folder)
    assert len(more.document["trials"]) == 11
    assert more.document["trials"][:9] == found.document["trials"]
    with pytest.raises(DataError, match="another search") as caught:
        tune(MODEL, dataset_of(), trials=9, seed=2, folder=folder)
    assert "--restart" in str(caught.value)
    fresh = tune(MODEL, dataset_of(), trials=3, seed=2, folder=folder, restart=True)
    assert len(fresh.document["trials"]) == 3


SCRIPT = """
import sys
from erya.tuning import tune
from tests.tuning.conftest import dataset_of
tune("classify/dial", dataset_of(), trials=4, seed=5, settings={"slow": 0.03}, folder=sys.argv[1])
"""


def test_killed_at_any_moment_it_goes_on_to_the_same_result(rooms, tmp_path):
    def started(folder):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path])}
        return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], env=environment, stderr=subprocess.PIPE)

    whole = tune(MODEL, dataset_of(), trials=4, seed=5, settings={"slow": 0.03}, folder=tmp_path / "whole")
    folder = tmp_path / "killed"
    journal = folder / "journal.jsonl"
    for lines in (2, 4, 6):  # while searching, twice; in the last round
        process = started(folder)
        limit = time.monotonic() + 60
        while time.monotonic() < limit and process.poll() is None:
            if journal.is_file() and journal.read_bytes().count(b"\n") >= lines:
                break
            time.sleep(0.02)
        assert process.poll() is None, process.stderr.read().decode()
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with journal.open("ab") as file:
        file.write(b'{"trial": 77, "ru')
    again = tune(MODEL, dataset_of(), trials=4, seed=5, settings={"slow": 0.03}, folder=folder)
    assert compared(again.document) == compared(whole.document)
    assert again.model.fingerprint() == whole.model.fingerprint()
    assert sorted(path.name for path in folder.iterdir()) == ["journal.jsonl", "model.erya", "report.html", "tune.json"]


def test_a_budget_is_kept_and_the_running_trial_is_stopped(rooms):
    started = time.monotonic()
    found = tune(MODEL, dataset_of(), budget=9, settings={"slow": 0.08})
    assert time.monotonic() - started < 10.5
    assert found.document["test"]["tuned"]["accuracy"]["value"] > 0.4
    assert found.document["seconds"] < 10
    started = time.monotonic()
    cut = tune(MODEL, dataset_of(), budget=8, settings={"slow": 1})  # 10 s a training
    assert time.monotonic() - started < 13
    assert cut.document["winner"]["cut"]
    assert cut.document["refit"]["stopped_at_step"] is not None
    assert any("more of it would help" in line for line in cut.table().splitlines())


def test_a_budget_too_short_for_one_trial_says_what_is_needed(rooms):
    started = time.monotonic()
    with pytest.raises(UsageError, match="too short") as caught:
        tune(MODEL, dataset_of(), budget=4, settings={"slow": 1, "deaf": True})
    assert time.monotonic() - started < 8
    told = str(caught.value)
    assert "--budget" in told
    seconds = float(told.rsplit("--budget ", 1)[1].rstrip("sm")) * (60 if told.endswith("m") else 1)
    assert 20 <= seconds <= 120


def test_failed_trials_are_recorded_and_passed_over(rooms):
    found = tune(MODEL, dataset_of(), trials=9, seed=1, settings={"refuses": "red"})
    failed = [one for one in found.document["trials"] if one["attempts"][-1]["status"] == "failed"]
    assert failed
    assert all(
        one["settings"]["colour"] == "red" and "no training with red" in one["attempts"][0]["error"] for one in failed
    )
    assert found.settings["colour"] != "red"
    assert "no training with red" in found.html()
    with pytest.raises(ResourceError, match="not one of"):
        tune(MODEL, dataset_of(), trials=9, settings={"refuses": "all"})


def test_settings_by_hand_stay(rooms):
    found = tune(MODEL, dataset_of(), trials=4, settings={"turn": 0.5})
    assert all("turn" not in one["settings"] for one in found.document["trials"])
    assert found.model.get_params()["turn"] == 0.5
    assert found.document["winner"]["frozen"] == {"turn": 0.5}
    with pytest.raises(UsageError, match="tern"):
        tune(MODEL, dataset_of(), trials=4, settings={"tern": 0.5})
    with pytest.raises(UsageError, match="nothing is left"):
        tune(MODEL, dataset_of(), trials=4, settings={"turn": 0.5, "colour": "red", "idle": 2})


def test_several_labels_a_text(rooms, monkeypatch):
    found = tune(MODEL, dataset_of(several=True), trials=5, seed=1)
    assert found.document["score"] == "micro_f1"
    assert found.document["test"]["tuned"]["micro_f1"]["value"] > 0.5
    assert found.model.several_
    monkeypatch.setattr(catalog.TaskEntry, "takes", lambda entry, kind: entry.class_name == "Dial")
    with pytest.raises(UsageError, match="one label") as caught:
        tune([MODEL, "classify/naive_bayes"], dataset_of(several=True), trials=5)
    assert caught.value.where == "classify/naive_bayes"


def test_another_score_may_rank_and_rows_of_the_last_training_are_chosen(rooms):
    found = tune(MODEL, dataset_of(), trials=4, score="log_loss", refit="train")
    values = [a["value"] for one in found.document["trials"] for a in one["attempts"]]
    assert found.document["winner"]["validation"]["value"] == min(values)
    assert found.document["refit"]["rows"] == 150
    with pytest.raises(UsageError, match="acuracy"):
        tune(MODEL, dataset_of(), trials=4, score="acuracy")


def test_what_cannot_be_searched_is_said(rooms, monkeypatch):
    with pytest.raises(UsageError, match="needs data"):
        tune(MODEL)
    with pytest.raises(UsageError, match="dail"):
        tune("classify/dail", dataset_of())
    with pytest.raises(UsageError, match="are the least"):
        tune([MODEL, "classify/naive_bayes"], dataset_of(), trials=2)
    with pytest.raises(UsageError, match="no model for the task"):
        tune("vectors/word2vec", dataset_of(), trials=3)
    data = dataset_of()
    with pytest.raises(DataError, match="no validation rows"):
        tune(MODEL, replace(data, dev=replace(data.dev, inputs=[], targets=[])), trials=3)
    monkeypatch.setitem(catalog.card_of(MODEL).tasks["classify"].space, "tern", object())
    with pytest.raises(UsageError, match="tern"):
        tune(MODEL, data, trials=3)
    catalog.card_of(MODEL).tasks["classify"].space.clear()
    with pytest.raises(UsageError, match="declares no search space"):
        tune(MODEL, data, trials=3)


def test_ctrl_c_keeps_the_trials(rooms, tmp_path):
    def watch(event):
        if event["event"] == "done" and event["trial"] == 1:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="2 trials are kept"):
        tune(MODEL, dataset_of(), trials=5, folder=tmp_path / "t", watch=watch)
    assert (tmp_path / "t" / "journal.jsonl").read_text(encoding="utf-8").count("\n") == 3
    assert len(tune(MODEL, dataset_of(), trials=5, folder=tmp_path / "t").document["trials"]) == 5


def test_two_searches_do_not_share_a_folder(rooms, tmp_path):
    from erya.run_folder import RunFolder

    (tmp_path / "t").mkdir()
    other = RunFolder(tmp_path / "t" / "model.erya")
    other.acquire(create=True)
    try:
        if os.name == "posix":
            with pytest.raises(ResourceError):
                tune(MODEL, dataset_of(), trials=5, folder=tmp_path / "t")
    finally:
        other.release()


def test_rooms_of_the_house_declare_spaces_that_fit():
    for card in catalog.cards():
        for task, entry in card.tasks.items():
            if not entry.space:
                continue
            parameters = catalog.find(f"{task}/{card.room}").parameters() if card.installed else entry.space
            assert set(entry.space) <= set(parameters), card.room
            assert "seed" not in entry.space
    for room in ("naive_bayes", "logistic_regression", "fasttext", "textcnn", "lstm"):
        assert len(catalog.card_of(f"classify/{room}").tasks["classify"].space) >= 4
