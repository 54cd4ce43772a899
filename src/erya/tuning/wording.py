"""What table and report say alike: the verdict, values of settings, the order of trials, the command that repeats it all."""

from __future__ import annotations

import shlex
from typing import Any

from erya.board_table import seconds
from erya.drawing.markup import Say
from erya.language import say


def verdict(document: dict[str, Any], speak: Say = say) -> list[str]:
    """What came of it: what won, whether it is better than the defaults, and how far the scores can be trusted."""
    winner, test = document["winner"], document["test"]
    name, trials, headline = winner["name"], len(document["trials"]), test["headline"]
    score = test["tuned"][headline]
    found = []
    if winner["is_default"]:
        others = trials - len(document["models"])
        found.append(
            speak(
                f"Not one of {others} other settings did better on the validation rows than the defaults of {name}.",
                f"其余 {others} 组设置在验证数据上都没有超过{name}的默认设置。",
            )
        )
    elif test["pair"] is not None:
        found.append(_compared(test["pair"], name, headline, speak))
    else:
        found.append(
            speak(
                f"Not compared with the default settings on the test rows: {test['why_no_pair']}.",
                f"没有在测试数据上与默认设置比较：{test['why_no_pair']}。",
            )
        )
    if document["score"] in test["tuned"]:
        found.append(_optimism(document, speak))
    if score["low"] <= test["baseline"]["majority"]:
        found.append(
            speak("That is no better than always answering the most frequent label.", "这并不比总猜最常见的标签更好。")
            if test["baseline"]["label"] is not None
            else speak("That is no better than each token's most frequent tag.", "这并不比给每个词最常见的标签更好。")
        )
    slow = [one for one in document["models"] if one["best_score"] is None and one["failed"] < one["trials"]]
    if slow and not winner["cut"]:
        english = ", ".join(
            one["name"] + (f" (about {seconds(one['needed'])})" if one["needed"] else "") for one in slow
        )
        chinese = "、".join(one["name"] + (f"（约 {seconds(one['needed'])}）" if one["needed"] else "") for one in slow)
        found.append(
            speak(
                f"Too slow for this budget, on all rows even once: {english}.",
                f"在此预算内用全部行训练一次都来不及：{chinese}。",
            )
        )
    if winner["cut"]:
        found.append(
            speak(
                "The budget ended every training before its time: more of it would help.",
                "预算使每次训练都提前结束：增加预算会有帮助。",
            )
        )
    return found


def _optimism(document: dict[str, Any], speak: Say) -> str:
    """How far the score of the best of many trials can be trusted."""
    trials, validation = len(document["trials"]), document["winner"]["validation"]["value"]
    there = document["test"]["tuned"][document["score"]]["value"]
    apart = document["sign"] * (validation - there)
    return speak(
        f"The validation score of the winner, {validation:.4f}, was picked as the best of {trials} trials and is optimistic for that "
        f"reason; the test rows, asked once, say {there:.4f}"
        + (f" ({100 * apart:.1f} points less)." if apart > 0 else "."),
        f"胜者的验证分数 {validation:.4f} 是从 {trials} 次试验里挑出的最好一次，因此偏乐观；"
        f"只用了一次的测试数据给出 {there:.4f}" + (f"（低 {100 * apart:.1f} 个百分点）。" if apart > 0 else "。"),
    )


def _compared(pair: dict[str, Any], name: str, headline: str, speak: Say) -> str:
    measure = {"accuracy": speak("accuracy", "准确率")}.get(headline, "F1")
    points = f"{100 * pair['difference']:+.1f} [{100 * pair['low']:+.1f}, {100 * pair['high']:+.1f}]"
    luck = f"p = {pair['p_value']:.3f}" if pair["p_value"] >= 0.001 else "p < 0.001"
    if not pair["significant"]:
        return speak(
            f"On the test rows the tuned {name} differs from its defaults by {points} points of {measure}: that may be luck ({luck}).",
            f"在测试数据上，调参后的{name}与默认设置的{measure}相差 {points} 个百分点：可能只是运气（{luck}）。",
        )
    better = pair["difference"] > 0
    return speak(
        f"On the test rows the tuned {name} is {'better' if better else 'worse'} than its defaults: {points} points of {measure} ({luck}).",
        f"在测试数据上，调参后的{name}比默认设置{'好' if better else '差'}：{measure} {points} 个百分点（{luck}）。",
    )


def shown(value: Any) -> str:
    """A setting's value as one types it behind ``--set name=``."""
    if isinstance(value, list | tuple):
        return ",".join(shown(item) for item in value)
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def ranked(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The trials, the best first: those on all rows by score, then the others by how far they came."""

    def key(trial: dict[str, Any]) -> tuple[Any, ...]:
        last = trial["attempts"][-1]
        score = last["value"]
        return (
            last["status"] != "ok",
            -last["rung"],
            score is None,
            -document["sign"] * (score or 0.0),
            trial["trial"],
        )

    return sorted(document["trials"], key=key)


def command(document: dict[str, Any]) -> str:
    """The command line that repeats the search."""
    budget = document["budget_seconds"]
    models = document["models"] if len(document["models"]) < 20 else []
    pieces = ["erya tune", shlex.quote(str(document["data"]["source"]))]
    pieces += [str(one["model"]) for one in models]
    pieces += [f"--budget {budget:g}s"] if budget is not None else []
    pieces += [f"--trials {document['trials_asked']}"] if document["trials_asked"] is not None else []
    frozen = {name: value for one in document["models"] for name, value in one["frozen"].items()}
    sample = str(document["data"]["source"]).startswith("sample:")
    pieces += [
        f"--set {shlex.quote(f'{name}={shown(value)}')}"
        for name, value in sorted(frozen.items())
        if not (sample and name == "tokenizer")
    ]
    pieces += [f"--seed {document['seed']}"] if document["seed"] else []
    pieces += ["--method optuna"] if document.get("method") == "optuna" else []
    return " ".join([*pieces, f"-o {shlex.quote(str(document.get('folder', 'tuned')))}"])
