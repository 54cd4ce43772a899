"""Autotuning: what is drawn, what stays, what is remembered. The models are a formula here; with real ones: test_compatibility."""

from __future__ import annotations

import math

import pytest

from erya.errors import DataError, DivergedError
from erya.models.fasttext.autotune import SPACE, Search, Tried, run
from erya.progress import Report


def formula(settings):
    """Best at lr 0.5 and three words; the width does not matter."""
    return Tried(1 - 0.1 * abs(math.log(settings["lr"] / 0.5)) - 0.05 * abs(settings["wordNgrams"] - 3))


class Clock:
    def __init__(self, step=1.0):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def searched(seconds=300.0, **settings):
    search = Search({}, **settings)
    return search, run(search, formula, seconds=seconds, report=Report(), clock=Clock())


def test_first_trial_is_the_default():
    first = Search({}).ask(0.0)
    assert {name: first[name] for name in SPACE} == {name: option.first for name, option in SPACE.items()}
    assert first["maxn"] == 0


def test_finds_better_settings_than_the_default():
    search, best = searched()
    assert len(search.trials) > 50
    assert best.score > formula(search.trials[0].settings).score + 0.1
    assert best is search.best
    assert abs(math.log(best.settings["lr"] / 0.5)) < 0.5


def test_stays_in_its_ranges():
    search, _ = searched()
    for trial in search.trials:
        for name, option in SPACE.items():
            if name != "minn":
                assert option.range.low <= trial.settings[name] <= option.range.high
        assert trial.settings["minn"] in (0, 2, 3)
        assert trial.settings["maxn"] == (trial.settings["minn"] + 3 if trial.settings["minn"] else 0)
    assert len({trial.settings["dim"] for trial in search.trials}) > 5


def test_settings_by_hand_stay():
    search = Search({"lr": 0.3, "maxn": 6, "minn": 3})
    run(search, formula, seconds=50, report=Report(), clock=Clock())
    assert {(trial.settings["lr"], trial.settings["minn"], trial.settings["maxn"]) for trial in search.trials} == {
        (0.3, 3, 6)
    }
    assert "lr" not in search.space


def test_the_same_seed_tries_the_same():
    def tried(seed):
        return [trial.settings for trial in searched(60, seed=seed)[0].trials]

    assert tried(1) == tried(1)
    assert tried(1) != tried(2)


def test_goes_on_from_its_journal(tmp_path):
    whole = searched(120.0)[0].trials
    journal = tmp_path / "trials.jsonl"
    first = Search({}, journal=journal)
    run(first, formula, seconds=40, report=Report(), clock=Clock())
    with journal.open("a") as file:
        file.write('{"number": 99, "sett')  # killed while writing
    again = Search({}, journal=journal)
    assert [trial.settings for trial in again.trials] == [trial.settings for trial in first.trials]
    run(again, formula, seconds=120, report=Report(), clock=Clock())
    assert len(again.trials) > len(first.trials)
    assert again.trials[0].settings == whole[0].settings
    assert Search({}, journal=journal).trials == again.trials
    with pytest.raises(DataError, match="another search"):
        Search({"lr": 1.0}, journal=journal)


def test_what_mattered_is_named_first():
    search, _ = searched()
    shares = search.what_mattered()
    assert shares[0][0] == "lr"
    assert dict(shares)["bucket"] < shares[0][1] / 2
    assert Search({}).what_mattered() == []


def test_models_beyond_the_size_do_not_count():
    def sized(settings):
        return Tried(settings["dim"] / 300, bytes=settings["dim"] * 1000)

    search = Search({}, max_bytes=50_000)
    best = run(search, sized, seconds=200, report=Report(), clock=Clock())
    assert best.bytes <= 50_000 < max(trial.bytes for trial in search.trials)
    assert "dsub" in search.space


def test_failed_trials_are_remembered_and_passed_over():
    def failing(settings):
        if settings["lr"] > 0.4:
            raise DivergedError("diverged", "too fast")
        return formula(settings)

    search = Search({})
    best = run(search, failing, seconds=200, report=Report(), clock=Clock())
    failed = [trial for trial in search.trials if trial.score is None]
    assert failed
    assert all("too fast" in trial.problem for trial in failed)
    assert best.settings["lr"] <= 0.4


def test_nothing_within_the_limits_is_an_error():
    with pytest.raises(DataError, match="none of"):
        run(Search({}, max_bytes=1), lambda settings: Tried(1.0, 2), seconds=5, report=Report(), clock=Clock())
