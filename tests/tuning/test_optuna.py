"""Trials drawn by Optuna: good ones, the same ones again, from our own journal; and what is said where it is absent."""

from __future__ import annotations

import builtins
import sys

import numpy as np
import pytest

from erya.cli.app import run
from erya.errors import DataError, ResourceError, UsageError
from erya.parts.setting_ranges import Choice, Range
from erya.tuning import tpe, tune
from erya.tuning.entrants import Entrant
from erya.tuning.wording import command
from tests.tuning.conftest import dataset_of
from tests.tuning.test_search import MODEL, compared

SPACE = {
    "rate": Range(0.001, 1.0, whole=False),
    "width": Range(1, 64),
    "part": Range(0.0, 1.0, logarithmic=False, whole=False),
    "sizes": Choice(((2, 3), (3, 4, 5), None)),
}
DEFAULT = {"rate": 5.0, "width": 8, "part": 0.5, "sizes": [2, 3]}  # this rate is out of range
ENTRANT = Entrant("classify/any", SPACE, {}, DEFAULT)


@pytest.fixture
def optuna():
    return pytest.importorskip("optuna", reason="needs Optuna: pip install 'erya[optuna]'")


def value(settings):
    """Best at a rate of 0.03, a width of 30, three sizes."""
    return (
        -abs(np.log10(settings["rate"]) + 1.5) - abs(np.log(settings["width"] / 30)) + (settings["sizes"] == [3, 4, 5])
    )


def searched(seed, trials, draw):
    known = [(DEFAULT, value(DEFAULT))]
    while len(known) < trials:
        settings = draw(ENTRANT, seed, len(known), known)
        known.append((settings, value(settings)))
    return known


def test_draws_lie_in_the_space_and_are_a_function_of_what_is_known(optuna):
    known = searched(3, 14, tpe.draw)
    for settings, _ in known[1:]:
        assert 0.001 <= settings["rate"] <= 1.0
        assert settings["rate"] == float(f"{settings['rate']:.4g}")
        assert type(settings["width"]) is int
        assert 1 <= settings["width"] <= 64
        assert settings["sizes"] in ([2, 3], [3, 4, 5], None)
    assert tpe.draw(ENTRANT, 3, 14, known) == tpe.draw(ENTRANT, 3, 14, known)
    assert tpe.draw(ENTRANT, 3, 14, known) != tpe.draw(ENTRANT, 4, 14, known)
    failed = [(settings, -np.inf) for settings, _ in known]
    assert tpe.draw(ENTRANT, 3, 14, failed) not in [settings for settings, _ in known]


def test_it_learns_where_good_settings_lie(optuna):
    """Later draws are better than those drawn anywhere, over several seeds."""
    first, later = [], []
    for seed in range(4):
        merits = [merit for _, merit in searched(seed, 30, tpe.draw)[1:]]
        first += merits[: tpe.BEFORE - 1]
        later += merits[15:]
    assert np.median(later) > np.median(first) + 0.5


def test_a_space_that_is_tried_out_ends(optuna):
    small = Entrant("classify/any", {"a": Choice((1, 2)), "b": Choice((True, False))}, {}, {"a": 1, "b": True})
    known = [({"a": 1, "b": True}, 0.1)]
    while (settings := tpe.draw(small, 0, len(known), known)) is not None:
        assert settings not in [one for one, _ in known]
        known.append((settings, 0.2))
    assert len(known) == 4


def test_a_search_by_optuna_is_repeated_resumed_and_told(optuna, rooms, tmp_path):
    found = tune(MODEL, dataset_of(), trials=6, seed=1, folder=tmp_path / "a", method="optuna")
    assert found.document["method"] == "optuna"
    assert found.document["environment"]["optuna"] == optuna.__version__
    assert command(found.document).endswith(f"--method optuna -o {tmp_path / 'a'}")
    assert "Optuna" in found.html()
    journal = (tmp_path / "a" / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "journal.jsonl").write_text("\n".join(journal[:4]) + "\n", encoding="utf-8")  # broken off
    again = tune(MODEL, dataset_of(), trials=6, seed=1, folder=tmp_path / "b", method="optuna")
    assert compared(again.document) == compared(found.document)
    assert again.model.fingerprint() == found.model.fingerprint()
    with pytest.raises(DataError, match="another search"):
        tune(MODEL, dataset_of(), trials=6, seed=1, folder=tmp_path / "b")
    random = tune(MODEL, dataset_of(), trials=6, seed=1)
    assert random.document["method"] == "random"
    assert "Optuna" not in random.html()


def test_without_optuna_it_is_named(monkeypatch, tmp_path, capsys):
    real = builtins.__import__

    def absent(name, *rest, **more):
        if name.split(".")[0] == "optuna":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    monkeypatch.delitem(sys.modules, "optuna", raising=False)
    monkeypatch.setenv("ERYA_LANG", "en")
    with pytest.raises(ResourceError, match="not installed") as caught:
        tune(MODEL, dataset_of(), trials=3, method="optuna")
    assert "erya[optuna]" in caught.value.help
    with pytest.raises(UsageError, match="random or optuna"):
        tune(MODEL, dataset_of(), trials=3, method="grid")
    monkeypatch.chdir(tmp_path)
    assert run(["tune", "sample:snips", "--method", "optun"]) == 2
    assert "--method optuna" in capsys.readouterr().err
