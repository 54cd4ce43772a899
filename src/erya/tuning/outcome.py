"""What a search found, as one document: every trial, what mattered, the winner, and how it does on rows nothing was chosen by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erya import catalog
from erya.language import language
from erya.leaderboard import environment
from erya.parts import explained_variance
from erya.parts.setting_ranges import Choice
from erya.run_recipe import name_only
from erya.tuning import judging
from erya.tuning.clock import Clock
from erya.tuning.entrants import Entrant, described
from erya.tuning.schedule import Attempt, Schedule

if TYPE_CHECKING:
    from erya.tuning.search import _Search
    from erya.tuning.trainings import Judged


def document(
    search: _Search, plan: Schedule, best: Attempt, winner: Judged, default: Judged | None, why_not: str | None
) -> dict[str, Any]:
    """The ``erya.tune/1`` document, but for the seconds of it all.

    Args:
        search: what was asked for.
        plan: what was done.
        best: the attempt with the best validation score.
        winner: its settings, trained once more.
        default: the same model's default settings, trained on the same rows; None where they are the winner, or missing.
        why_not: why they are missing.
    """
    return {
        "schema": "erya.tune/1",
        "language": language(),
        "task": search.dataset.task,
        "data": judging.trial_of(search.dataset).facts(),
        "score": search.metric,
        "sign": plan.sign,
        "seed": search.seed,
        "method": "random" if search.optuna is None else "optuna",
        "budget_seconds": search.budget,
        "trials_asked": search.trials,
        "ended": next((row["ended"] for row in reversed(search.rows) if "ended" in row), None),
        "rungs": [
            {"share": share, "rows": rows}
            for share, rows in zip(search.trainings.shares, search.trainings.rows(), strict=True)
        ],
        "models": [_model(one, plan, search) for one in plan.entrants],
        "left_out": search.left_out,
        "trials": _trials(plan),
        "mattered": mattered(plan),
        "winner": _winner(plan, best),
        "refit": {
            "parts": ["train"] if search.refit == "train" else ["train", "dev"],
            "rows": len(search.last.train),
            "seconds": winner.result["train_seconds"],
            "bytes": winner.result["model_bytes"],
            "texts_per_second": winner.result.get("predictions_per_second"),
            "stopped_at_step": winner.result.get("stopped_at_step"),
        },
        "test": _test(search, winner, default, why_not),
        "environment": {**environment(), **({} if search.optuna is None else {"optuna": search.optuna})},
    }


def _winner(plan: Schedule, best: Attempt) -> dict[str, Any]:
    """The best settings, what they change, and their score beside that of the defaults."""
    place = next(place for place, one in enumerate(plan.entrants) if one.model == best.model)
    entrant, own = plan.entrants[place], plan.at(place, plan.top)
    return {
        "trial": best.trial,
        "model": best.model,
        "name": _name(best.model),
        "settings": best.settings,
        "frozen": dict(entrant.frozen),
        "changed": {
            name: {"from": entrant.default[name], "to": value}
            for name, value in sorted(best.settings.items())
            if value != entrant.default[name]
        },
        "is_default": best.trial == place,
        "validation": _scored(best),
        "default_validation": None if own is None or own.status != "ok" else _scored(own),
        "cut": best.status == "cut",
    }


def _scored(attempt: Attempt) -> dict[str, Any]:
    return {"value": attempt.score, "low": attempt.low, "high": attempt.high}


def _name(model: str) -> str:
    card = catalog.card_of(model)
    return card.said(card.title)


def _model(entrant: Entrant, plan: Schedule, search: _Search) -> dict[str, Any]:
    """One model of the search: its space, and how it did; ``needed``: seconds for its defaults, where they were not finished."""
    own = [one for one in plan.attempts if one.model == entrant.model]
    place = list(plan.entrants).index(entrant)
    default = plan.at(place, plan.top)
    full = [one for one in own if one.rung == plan.top and one.status == "ok"]
    best = max(full, key=lambda one: (plan.merit(one), -one.trial), default=None)
    needed = Clock(None, 0, 1, search.trainings.shares).estimate(plan.attempts, entrant.model, plan.top)
    return {
        "model": entrant.model,
        "name": _name(entrant.model),
        "space": described(entrant.space),
        "default": dict(entrant.default),
        "frozen": dict(entrant.frozen),
        "trials": len({one.trial for one in own}),
        "failed": sum(one.status == "failed" for one in own),
        "seconds": sum(one.seconds for one in own),
        "default_score": None if default is None or default.status != "ok" else _scored(default),
        "needed": None if best is not None else needed,
        "default_status": None if default is None else default.status,
        "best_score": None if best is None else _scored(best),
        "best_trial": None if best is None else best.trial,
    }


def _trials(plan: Schedule) -> list[dict[str, Any]]:
    """Every trial with its attempts; the times are seconds of searching after which each ended."""
    found: dict[int, dict[str, Any]] = {}
    clock = 0.0
    for one in plan.attempts:
        clock += one.seconds
        trial = found.setdefault(
            one.trial,
            {
                "trial": one.trial,
                "model": one.model,
                "settings": one.settings,
                "is_default": one.trial < len(plan.entrants),
                "attempts": [],
            },
        )
        trial["attempts"].append(
            {
                "rung": one.rung,
                "status": one.status,
                **_scored(one),
                "seconds": one.seconds,
                "train_seconds": one.train_seconds,
                "ended_at": clock,
                "stopped_at_step": one.stopped_at_step,
                "error": one.error,
                "bytes": one.bytes,
            }
        )
    for trial in found.values():
        trial["attempts"].sort(key=lambda attempt: attempt["rung"])
    return [found[number] for number in sorted(found)]


def mattered(plan: Schedule) -> list[dict[str, Any]]:
    """For each model and setting the share of the variance of the scores on the lowest rung that it explains by itself.

    What chance alone would explain is taken off. Models with fewer than six scores say nothing.
    """
    found = []
    for entrant in plan.entrants:
        own = [one for one in plan.attempts if one.model == entrant.model and one.rung == 0 and one.status == "ok"]
        for name, span in entrant.space.items():
            placed = [(entrant.place(name, one.settings[name]), one) for one in own]
            kept = [(place, one) for place, one in placed if place is not None]
            scores = [float(one.score or 0.0) for _, one in kept]
            if len(kept) < explained_variance.LEAST or len(set(scores)) < 2:
                continue
            if isinstance(span, Choice):
                groups = [repr(one.settings[name]) for _, one in kept]
                share, freedom = explained_variance.by_groups(groups, scores), len(set(groups)) - 1
            else:
                share, freedom = explained_variance.by_parabola([place for place, _ in kept], scores), 2
            share = explained_variance.beyond_chance(share, len(kept), freedom)
            found.append({"model": entrant.model, "setting": name, "share": share, "trials": len(kept)})
    return sorted(found, key=lambda one: -float(str(one["share"])))


def _test(search: _Search, winner: Judged, default: Judged | None, why_not: str | None) -> dict[str, Any]:
    """Both models on the test rows, and whether their difference is more than luck."""
    targets = search.dataset.test.targets if search.dataset.test else []
    task = judging.task_of(search.dataset)
    pair = None
    if default is not None:
        test = task.paired_test(targets, winner.answers.predictions, default.answers.predictions, seed=search.seed)
        pair = {
            "difference": test.difference,
            "low": test.low,
            "high": test.high,
            "p_value": test.p_value,
            "significant": test.significant,
        }
    return {
        "rows": len(targets or []),
        "headline": judging.trial_of(search.dataset).columns[0],
        "tuned": _all_scores(task, targets, winner, search.seed),
        "default": None if default is None else _all_scores(task, targets, default, search.seed),
        "default_seconds": None if default is None else default.result["train_seconds"],
        "default_stopped_at_step": None if default is None else default.result.get("stopped_at_step"),
        "pair": pair,
        "why_no_pair": why_not,
        "baseline": judging.baseline(search.dataset),
    }


def _all_scores(task: Any, targets: Any, judged: Judged, seed: int) -> dict[str, Any]:
    return {name: score.to_plain() for name, score in task.scores(targets, [judged.answers], seed=seed).items()}


# ---- what goes into the model file ------------------------------------------------------------------------------


def training(document: dict[str, Any], fitted: dict[str, Any]) -> dict[str, Any]:
    """The model file's account of its training: as ``erya train`` writes it, and how the settings were found."""
    data, winner = document["data"], document["winner"]
    return {
        "seed": document["seed"],
        "data": {"source": name_only(str(data["source"])), "digest": data["digest"], "rows": data["rows"]},
        "threads": document["environment"]["threads"],
        "stopped_at_step": document["refit"]["stopped_at_step"],
        "scored_on": "test",
        "scores": document["test"]["tuned"],
        "curve": fitted.get("curve", []),
        "tuning": {
            "trials": len(document["trials"]),
            "score": document["score"],
            "settings": winner["settings"],
            "validation": winner["validation"],
            "trained_on": document["refit"]["parts"],
        },
    }


def card(document: dict[str, Any]) -> str:
    """The page inside the file, in both languages."""
    winner, headline = document["winner"], document["test"]["headline"]
    score = document["test"]["tuned"][headline]
    settings = " ".join(f"{name}={value}" for name, value in winner["settings"].items())
    rows = " · ".join(f"{name} {count:,}" for name, count in document["data"]["rows"].items())
    return (
        f"# {winner['model']}\n\n"
        f"Data 数据: {name_only(str(document['data']['source']))} ({rows})\n\n"
        f"Settings 设置 (erya tune, {len(document['trials'])} trials 次试验): {settings}\n\n"
        f"| test | | 95 % |\n|---|---|---|\n| {headline} | {score['value']:.4f} | {score['low']:.4f} – {score['high']:.4f} |\n"
    )
