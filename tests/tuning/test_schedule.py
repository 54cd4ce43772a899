"""Which training comes next: with a formula in place of models, and no clock."""

from __future__ import annotations

import math

import pytest

from erya.parts.setting_ranges import Choice, Range
from erya.tuning.clock import Clock
from erya.tuning.entrants import Entrant
from erya.tuning.schedule import Attempt, Schedule, shares

SPACE = {"rate": Range(0.01, 10.0, whole=False), "layers": Range(1, 4, logarithmic=False), "kind": Choice(("a", "b"))}


def entrant(model="classify/one", **default):
    return Entrant(model, SPACE, {}, {"rate": 0.1, "layers": 1, "kind": "a", **default})


def score_of(step, rungs, models=None):
    """Best at rate 1; more rows help; another model by another amount."""
    found = 0.9 - 0.1 * abs(math.log10(step.settings["rate"])) - 0.1 * (rungs - 1 - step.rung)
    return found + (models or {}).get(step.model, {}).get(step.rung, 0.0)


def done(step, score, status="ok", seconds=1.0):
    return Attempt(step.trial, step.rung, step.model, step.settings, status, score, score, score, seconds, seconds / 2)


def run(plan, most=1000, models=None, enough=None, failing=()):
    while len(plan.attempts) < most:
        step = plan.next() if enough is None else plan.next(enough)
        if step is None:
            break
        failed = step.model in failing
        plan.attempts.append(
            done(step, None if failed else score_of(step, plan.rungs, models), "failed" if failed else "ok")
        )
    return plan


def test_rungs_are_thirds_of_the_rows_as_long_as_there_are_enough():
    assert shares(600) == [1.0]
    assert shares(1000) == pytest.approx([1 / 3, 1])
    assert shares(1_000_000) == pytest.approx([1 / 9, 1 / 3, 1])


def test_the_first_trials_are_the_defaults_and_reach_all_rows():
    one, two = entrant(), entrant("classify/two", rate=3.0)
    plan = run(Schedule([one, two], 3, trials=6))
    first = [(step.trial, step.rung) for step in plan.attempts[:4]]
    assert sorted(first[:2]) == [(0, 0), (1, 0)]
    assert sorted(first[2:]) == [(0, 2), (1, 2)]
    assert plan.attempts[0].settings == one.default
    assert plan.attempts[1].settings == two.default


def test_of_nine_draws_three_go_on_and_one_reaches_all_rows():
    plan = run(Schedule([entrant()], 3, seed=4, trials=10))
    drawn = [one for one in plan.attempts if one.trial > 0]
    by_rung = [[one for one in drawn if one.rung == rung] for rung in range(3)]
    assert [len(rung) for rung in by_rung] == [9, 3, 1]
    best = sorted(by_rung[0], key=lambda one: -one.score)[:3]
    assert {one.trial for one in by_rung[1]} == {one.trial for one in best}
    assert by_rung[2][0].trial == max(by_rung[1], key=lambda one: one.score).trial
    assert [one.trial for one in drawn if one.rung == 0] == list(range(1, 10))


def test_without_rungs_it_is_a_random_search():
    plan = run(Schedule([entrant()], 1, trials=12))
    assert [one.trial for one in plan.attempts] == list(range(12))
    assert len({one.settings["rate"] for one in plan.attempts}) > 6
    assert all(0.01 <= one.settings["rate"] <= 10 and one.settings["layers"] in (1, 2, 3, 4) for one in plan.attempts)


def test_never_below_the_default_and_mostly_above_it():
    better = 0
    for seed in range(10):
        plan = run(Schedule([entrant()], 2, seed=seed, trials=20))
        default = plan.at(0, plan.top)
        assert plan.best().score >= default.score
        better += plan.best().score > default.score + 0.02
    assert better >= 8


def test_the_same_seed_tries_the_same_and_goes_on_from_anywhere():
    whole = run(Schedule([entrant(), entrant("classify/two")], 3, seed=7, trials=30)).attempts
    assert whole == run(Schedule([entrant(), entrant("classify/two")], 3, seed=7, trials=30)).attempts
    assert whole != run(Schedule([entrant(), entrant("classify/two")], 3, seed=8, trials=30)).attempts
    for cut in range(1, len(whole), 3):
        again = Schedule([entrant(), entrant("classify/two")], 3, seed=7, trials=30, attempts=list(whole[:cut]))
        assert run(again).attempts == whole


def test_a_model_that_needs_many_rows_is_not_judged_by_few():
    """On few rows `two` is far behind, on all of them ahead: its draws must get that far."""
    models = {"classify/two": {0: -0.3, 1: -0.1, 2: 0.05}}
    plan = run(Schedule([entrant(), entrant("classify/two")], 3, seed=1, trials=40), models=models)
    assert plan.best().model == "classify/two"
    assert any(one.model == "classify/two" and one.rung == 2 and one.trial > 1 for one in plan.attempts)


def test_a_model_that_did_well_is_drawn_more_often():
    models = {"classify/two": dict.fromkeys(range(2), 0.08)}
    plan = run(Schedule([entrant(), entrant("classify/two")], 2, seed=2, trials=80), models=models)
    drawn = [one.model for one in plan.attempts if one.rung == 0]
    assert drawn.count("classify/two") > 1.3 * drawn.count("classify/one")


def test_a_model_that_always_fails_is_given_up():
    plan = run(Schedule([entrant(), entrant("classify/two")], 2, seed=0, trials=30), failing={"classify/two"})
    failed = [one for one in plan.attempts if one.status == "failed"]
    assert 1 <= len(failed) <= 3
    assert plan.best().model == "classify/one"


def test_all_fail_ends():
    plan = run(Schedule([entrant()], 2, trials=30), failing={"classify/one"})
    assert len(plan.attempts) == 3
    assert plan.best() is None


def test_lower_scores_may_be_better():
    plan = Schedule([entrant()], 2, seed=1, trials=20, sign=-1)
    while (step := plan.next()) is not None:
        plan.attempts.append(done(step, 1 - score_of(step, 2)))
    full = [one.score for one in plan.attempts if one.rung == 1]
    assert plan.best().score == min(full) < plan.at(0, 1).score


def test_nothing_is_tried_once_the_best_cannot_be_bettered():
    plan = Schedule([entrant(), entrant("classify/two")], 2, trials=20)
    while (step := plan.next()) is not None:
        plan.attempts.append(done(step, 1.0))
    assert plan.is_perfect()
    assert len(plan.attempts) == 4  # the defaults


def test_a_space_that_is_tried_out_ends():
    few = Entrant("classify/one", {"kind": Choice(("a", "b", "c"))}, {}, {"kind": "a"})
    plan = Schedule([few], 1)
    while (step := plan.next()) is not None:
        plan.attempts.append(done(step, 0.5))
    assert sorted(one.settings["kind"] for one in plan.attempts) == ["a", "b", "c"]


def test_when_time_is_short_the_best_goes_straight_to_all_rows():
    plan = run(Schedule([entrant()], 3, seed=3), most=7)  # two attempts of the default, five draws
    assert [one.rung for one in plan.attempts] == [0, 2, 0, 0, 0, 0, 0]
    step = plan.next(lambda steps: len(steps) == 1 and steps[0].rung == 2)
    best = max((one for one in plan.attempts if one.trial > 0), key=lambda one: one.score)
    assert (step.trial, step.rung) == (best.trial, 2)
    assert plan.next(lambda steps: False) is None


# ---- the clock ----------------------------------------------------------------------------------------------------


class Hand:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("budget", [40.0, 100.0, 400.0])
@pytest.mark.parametrize("rungs", [1, 3])
def test_the_budget_holds_whatever_the_models_take(budget, rungs):
    """Trainings take what they take, up to their allowance; the last round must still fit."""
    hand, parts = Hand(), [1 / 9, 1 / 3, 1][3 - rungs :]
    plan = Schedule([entrant(), entrant("classify/two")], rungs, seed=1)
    clock = Clock(budget, 0.0, 1.1, parts, now=hand)
    while True:
        step = plan.next(lambda steps: clock.enough(plan, steps))
        if step is None or clock.left() <= 2:
            break
        whole = 2 + 10 * parts[step.rung] * step.settings["layers"] * (4 if step.model == "classify/two" else 1)
        seconds = min(whole, clock.allowance(plan, step))
        hand.now += seconds
        plan.attempts.append(done(step, score_of(step, rungs), "ok" if seconds == whole else "cut", seconds))
    best = plan.best()
    assert best is not None
    if best.status == "ok":
        default = plan.at(0 if best.model == "classify/one" else 1, plan.top)
        last = 1.1 * (best.seconds + (default.seconds if best.trial > 1 else 0))
        assert hand.now + last <= budget
    assert hand.now <= budget


def test_many_slow_models_leave_time_for_the_fast_one():
    hand, parts = Hand(), [1 / 9, 1 / 3, 1]
    entrants = [entrant(f"classify/slow{number}") for number in range(8)]
    plan = Schedule([*entrants, entrant("classify/fast")], 3, seed=1)
    clock = Clock(120.0, 0.0, 1.1, parts, now=hand)
    while (step := plan.next(lambda steps: clock.enough(plan, steps))) is not None and clock.left() > 2:
        whole = (1 if step.model == "classify/fast" else 90) * (1 + 9 * parts[step.rung])
        seconds = min(whole, clock.allowance(plan, step))
        hand.now += seconds
        plan.attempts.append(done(step, score_of(step, 3), "ok" if seconds == whole else "cut", seconds))
    best = plan.best()
    assert (best.model, best.status) == ("classify/fast", "ok")
    assert plan.drawn() > 10
    assert hand.now <= 120


def test_time_of_earlier_sessions_counts():
    hand = Hand()
    clock = Clock(100.0, 30.0, 1.0, [1.0], now=hand)
    hand.now = 20.0
    assert clock.passed() == 50
    assert clock.left() == 50
    assert Clock(None, 30.0, 1.0, [1.0], now=hand).left() == math.inf
