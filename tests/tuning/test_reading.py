"""What people read of a search – table and report – for every kind of outcome, in both languages."""

from __future__ import annotations

import copy
import json
import math
import re
import shlex

import pytest

from erya.parts.setting_ranges import Choice, Range
from erya.tuning.entrants import Entrant, described
from erya.tuning.outcome import mattered
from erya.tuning.report import render
from erya.tuning.schedule import Schedule
from erya.tuning.table import plain_table
from erya.tuning.wording import command, ranked
from tests.html_checks import checked
from tests.test_charts import HOSTILE
from tests.tuning.test_schedule import done, entrant

SPACE = {"rate": Range(0.01, 10.0, whole=False), "size": Range(4, 400), "kind": Choice(("a", ("b", 1)))}


def searched(trials=40, rungs=3, sign=1):
    """A plan that was carried out with a formula: the rate matters, the size a little, the kind not at all."""
    one = Entrant("classify/naive_bayes", SPACE, {"tokenizer": "words"}, {"rate": None, "size": 16, "kind": "a"})
    plan = Schedule([one, entrant("classify/fasttext")], rungs, seed=3, trials=trials, sign=sign)
    while (step := plan.next()) is not None:
        rate, size = step.settings["rate"] or 0.3, step.settings.get("size", 16)
        score = 0.8 - 0.1 * abs(math.log10(rate)) - 0.02 * abs(math.log10(size / 100)) - 0.05 * (rungs - 1 - step.rung)
        failed = step.trial in (5, 6)
        score = score if sign > 0 else 1 - score
        plan.attempts.append(done(step, None if failed else score, "failed" if failed else "ok"))
    return plan


def scores(value):
    return {
        "accuracy": {"value": value, "low": value - 0.03, "high": value + 0.02},
        "macro_f1": {"value": value, "low": 0.1, "high": 0.9},
    }


def document_of(plan, language="en", **winner):
    """The document of such a plan, as outcome.document makes it, with test scores of our own."""
    best, trials, clock = plan.best(), {}, 0.0
    for one in plan.attempts:
        clock += one.seconds
        trial = trials.setdefault(
            one.trial,
            {
                "trial": one.trial,
                "model": one.model,
                "settings": one.settings,
                "is_default": one.trial < 2,
                "attempts": [],
            },
        )
        attempt = {"rung": one.rung, "status": one.status, "value": one.score, "low": one.low, "high": one.high}
        attempt |= {"seconds": one.seconds, "ended_at": clock, "error": "it <broke>" if one.score is None else None}
        trial["attempts"].append(attempt)
    models = [
        {
            "model": one.model,
            "name": one.model.split("/")[1],
            "space": described(one.space),
            "default": dict(one.default),
            "frozen": dict(one.frozen),
            "trials": 20,
            "failed": 1,
            "seconds": 12.5,
            "default_score": {"value": 0.7, "low": 0.6, "high": 0.8},
            "default_status": "ok",
            "needed": None,
            "best_score": {"value": 0.75, "low": 0.6, "high": 0.8},
            "best_trial": 3,
        }
        for one in plan.entrants
    ]
    own = next(one for one in plan.entrants if one.model == best.model)
    changed = {name: {"from": own.default[name], "to": value} for name, value in best.settings.items()}
    return {
        "schema": "erya.tune/1",
        "language": language,
        "task": "classify",
        "data": {
            "source": "my reviews.csv",
            "rows": {"train": 9000, "dev": 500, "test": 700},
            "labels": ["x", "y"],
            "digest": "ab" * 32,
        },
        "score": "accuracy" if plan.sign > 0 else "log_loss",
        "sign": plan.sign,
        "seed": 3,
        "budget_seconds": 90.0,
        "trials_asked": None,
        "ended": "budget",
        "folder": "my tuned",
        "rungs": [
            {"share": 3.0 ** (rung - plan.top), "rows": 9000 // 3 ** (plan.top - rung)} for rung in range(plan.rungs)
        ],
        "models": models,
        "left_out": [{"model": "classify/lstm", "reason": "needs torch"}],
        "trials": [trials[number] for number in sorted(trials)],
        "mattered": mattered(plan),
        "winner": {
            "trial": best.trial,
            "model": best.model,
            "name": own.model.split("/")[1],
            "settings": best.settings,
            "frozen": dict(own.frozen),
            "changed": changed,
            "is_default": False,
            "validation": {"value": best.score, "low": best.score - 0.02, "high": best.score + 0.02},
            "default_validation": {"value": 0.7, "low": 0.6, "high": 0.8},
            "cut": False,
            **winner,
        },
        "refit": {
            "parts": ["train", "dev"],
            "rows": 9500,
            "seconds": 3.0,
            "bytes": 1e6,
            "texts_per_second": 1e4,
            "stopped_at_step": None,
        },
        "test": {
            "rows": 700,
            "headline": "accuracy",
            "tuned": scores(0.79),
            "default": scores(0.7),
            "default_seconds": 1.0,
            "pair": {"difference": 0.09, "low": 0.05, "high": 0.13, "p_value": 0.0001, "significant": True},
            "why_no_pair": None,
            "baseline": {"label": "x", "majority": 0.5},
        },
        "environment": {
            "erya": "0",
            "python": "3",
            "numpy": "2",
            "torch": None,
            "processor": "p",
            "threads": 2,
            "platform": "Linux",
        },
        "seconds": 88.0,
        "search_seconds": 80.0,
    }


def outcomes():
    """Documents by name."""
    usual = document_of(searched())
    found = {"usual": usual, "single-rung": document_of(searched(12, 1)), "loss": document_of(searched(30, 2, -1))}
    found["luck"] = copy.deepcopy(usual)
    found["luck"]["test"]["pair"] |= {
        "difference": 0.01,
        "low": -0.02,
        "high": 0.03,
        "p_value": 0.4,
        "significant": False,
    }
    found["worse"] = copy.deepcopy(usual)
    found["worse"]["test"]["pair"] |= {"difference": -0.09, "low": -0.13, "high": -0.05}
    found["default"] = document_of(searched(), is_default=True, changed={})
    found["default"]["test"] |= {"default": None, "pair": None}
    found["unpaired"] = copy.deepcopy(usual)
    found["unpaired"]["test"] |= {"default": None, "pair": None, "why_no_pair": "no time"}
    found["cut"] = document_of(searched(), cut=True, default_validation=None)
    found["slow"] = copy.deepcopy(usual)
    found["slow"]["models"][1] |= {"best_score": None, "default_score": None, "needed": 230.0, "failed": 0}
    found["chance"] = copy.deepcopy(usual)
    found["chance"]["test"]["baseline"]["majority"] = 0.78
    return found


@pytest.fixture(scope="module")
def documents():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ERYA_LANG", "en")
        return outcomes()


NAMES = ["usual", "single-rung", "loss", "luck", "worse", "default", "unpaired", "cut", "slow", "chance"]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", NAMES)
def test_every_outcome_gives_a_whole_page(documents, name, language):
    document = documents[name] | {"language": language}
    page = checked(render(document))
    words = " ".join(page.all_words)
    assert page.tags.count("h1") == 1
    assert page.tags.count("circle") >= len(document["trials"])
    assert not re.search(r"\b(nan|None|inf)\b", " ".join(page.words))
    assert "it <broke>" in words
    han = re.search("[\u4e00-\u9fff]", " ".join(page.words).replace("尔雅", ""))
    assert bool(han) == (language == "zh")
    assert render(document) == render(json.loads(json.dumps(document)))


def test_nothing_in_the_data_becomes_markup(documents):
    document = copy.deepcopy(documents["usual"])
    document["data"]["source"] = document["folder"] = HOSTILE
    document["trials"][3]["attempts"][0]["error"] = HOSTILE
    document["left_out"][0]["reason"] = document["test"]["baseline"]["label"] = HOSTILE
    checked(render(document))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("usual", "is better than its defaults"),
        ("luck", "that may be luck"),
        ("worse", "is worse than its defaults"),
        ("default", "did better on the validation rows than the defaults"),
        ("unpaired", "no time"),
        ("cut", "The budget ended every training"),
        ("slow", "Too slow for this budget, on all rows even once: fasttext"),
        ("chance", "no better than always answering"),
    ],
)
def test_the_verdict_is_honest(documents, monkeypatch, name, told):
    monkeypatch.setenv("ERYA_LANG", "en")
    document = documents[name]
    assert told in plain_table(document)
    assert told in " ".join(checked(render(document)).all_words)
    if document["score"] in document["test"]["tuned"]:
        assert "optimistic" in plain_table(document)


def test_the_table_shows_the_best_trials_first_and_fits(documents, monkeypatch):
    monkeypatch.setenv("ERYA_LANG", "en")
    document = documents["usual"]
    order = ranked(document)
    full = [one["attempts"][-1]["value"] for one in order if one["attempts"][-1]["rung"] == 2]
    assert full == sorted(full, reverse=True)
    assert order[0]["trial"] == document["winner"]["trial"]
    assert order[-1]["attempts"][-1]["status"] == "failed"
    table = plain_table(document, 80)
    body = table[table.index("trial  ") :].splitlines()
    assert all(len(line) <= 80 for line in body)
    assert f"… and {len(order) - 10} more" in table
    assert "2 trials failed" in table
    monkeypatch.setenv("ERYA_LANG", "zh")
    assert "影响大小" in plain_table(document)


def test_what_mattered_is_found(documents):
    shares = {one["setting"]: one["share"] for one in documents["usual"]["mattered"] if "naive" in one["model"]}
    assert shares["rate"] > 0.5
    assert shares["kind"] < 0.4
    assert [one["share"] for one in documents["usual"]["mattered"]] == sorted(
        (one["share"] for one in documents["usual"]["mattered"]), reverse=True
    )


def test_the_command_repeats_the_search(documents):
    words = shlex.split(command(documents["usual"]))
    assert words[:3] == ["erya", "tune", "my reviews.csv"]
    assert words[-2:] == ["-o", "my tuned"]
    assert words[words.index("--budget") :][:2] == ["--budget", "90s"]
    assert "tokenizer=words" in words
    assert "--seed" in words
