"""Whether probabilities can be believed, and how training went."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from erya.drawing import plots
from erya.drawing.markup import Cell, details, figure, number, percent, shown, table
from erya.report_page.facts import Facts, Row, section

SIDE = 192  # CSS pixels of a small plot
STEPS = ("epoch", "iteration", "step")
SLIGHT, STRONG = 0.02, 0.05  # mean gap between confidence and accuracy


def calibration(facts: Facts) -> str:
    """A reliability plot for each model."""
    say = facts.say
    models = [row for row in facts.scored if facts.document["calibration"].get(row["model"], {}).get("bins")]
    if not models:
        return ""
    axes = (say("how sure the model is, %", "模型的把握（%）"), say("how often it is right, %", "实际正确率（%）"))
    figures, lines = "", []
    for row in models:
        bins = facts.document["calibration"][row["model"]]["bins"]
        name, color = facts.names[row["model"]], plots.color_of(facts.colors[row["model"]])
        title = say(f"Reliability of {name}", f"{name}的可靠性")
        error = row["scores"].get("calibration_error", {}).get("value")
        figures += (
            f'<figure class="card"><h3>{facts.key(row["model"])}</h3>'
            f"{plots.reliability(bins, title, axes, color, SIDE)}<figcaption>{shown(_judged(facts, bins, error))}</figcaption></figure>"
        )
        lines += [
            [name, Cell(percent(b["confidence"]), "num"), Cell(percent(b["accuracy"]), "num"), int(b["count"])]
            for b in bins
        ]
    columns = [say("Model", "模型"), say("Sure", "把握"), say("Right", "正确率"), say("Rows", "行数")]
    lead = say(
        "When a model says 90%, is it right nine times in ten? On the diagonal it is; below it promises too much.",
        "模型说有九成把握时，是不是十次里对九次？在对角线上就是；在线下则是言过其实。",
    )
    body = f'<div class="gallery">{figures}</div>{details(say("numbers", "数值"), table(columns, lines))}'
    return section("calibration", say("Can the probabilities be believed?", "概率可信吗？"), lead, body)


def _judged(facts: Facts, bins: list[dict[str, Any]], error: float | None) -> str:
    """The calibration error, and in which direction it goes."""
    rows = sum(b["count"] for b in bins) or 1
    gap = sum((b["confidence"] - b["accuracy"]) * b["count"] for b in bins) / rows
    told = facts.say("about right", "大致可信")
    if gap > SLIGHT:
        told = (
            facts.say("too sure of itself", "过于自信") if gap > STRONG else facts.say("a little too sure", "略微自信")
        )
    elif gap < -SLIGHT:
        told = facts.say("too modest", "过于保守") if gap < -STRONG else facts.say("a little too modest", "略微保守")
    if error is None:
        return told
    return facts.say(f"off by {100 * error:.1f} points: {told}", f"平均相差 {100 * error:.1f} 个百分点：{told}")


def curves(facts: Facts) -> str:
    """Loss and validation scores of the models that learn step by step."""
    say = facts.say
    rows = [row for row in facts.scored if len(row.get("curve") or []) > 1]
    panels = "".join(_curve(facts, row) for row in rows)
    if not panels:
        return ""
    lead = say(
        "Falling training loss with rising validation loss is overfitting; a loss still falling at the end asks for more epochs.",
        "训练损失下降而验证损失上升，是过拟合；结束时损失仍在下降，说明还可以多训练几轮。",
    )
    return section("curves", say("How training went", "训练过程"), lead, f'<div class="gallery two">{panels}</div>')


def _curve(facts: Facts, row: Row) -> str:
    curve: list[dict[str, Any]] = row["curve"]
    across = next((name for name in STEPS if _ascending([point.get(name) for point in curve])), None)
    x = [float(point[across]) for point in curve] if across else [float(place) for place in range(1, len(curve) + 1)]
    numeric = [
        name
        for name in dict.fromkeys(name for point in curve for name in point)
        if name not in STEPS and any(_is_number(point.get(name)) for point in curve)
    ]
    losses = [name for name in numeric if "loss" in name]
    qualities = [name for name in numeric if any(word in name for word in ("accuracy", "f1", "score"))]
    drawings = ""
    for names in (losses, qualities):
        if names:
            series = {_word(facts, name): [_number(point.get(name)) for point in curve] for name in names}
            title = f"{facts.names[row['model']]}: {', '.join(series)}"
            drawings += plots.lines(title, x, series, 330, 180, name_single=True)
    if not drawings:
        return ""
    listed = [name for name in (across, *losses, *qualities) if name]
    rows = [[Cell(number(point.get(name)), "num") for name in listed] for point in curve]
    numbers = details(facts.say("numbers", "数值"), table([_word(facts, name) for name in listed], rows))
    return f'<div class="card"><h3>{facts.key(row["model"])}</h3>{figure(drawings, beside=numbers)}</div>'


def _word(facts: Facts, name: str) -> str:
    """A column of the curve in words."""
    say = facts.say
    known = {
        "epoch": say("epoch", "轮次"),
        "step": say("step", "步"),
        "iteration": say("iteration", "迭代"),
        "loss": say("training loss", "训练损失"),
        "validation_loss": say("validation loss", "验证损失"),
        "validation_accuracy": say("validation accuracy", "验证准确率"),
        "validation_micro_f1": say("validation micro F1", "验证 Micro F1"),
        "gradient_norm": say("gradient length", "梯度范数"),
        "gradient_norm_max": say("longest gradient", "最大梯度范数"),
        "clipped": say("steps clipped", "被裁剪的步数"),
        "validation_macro_f1": say("validation macro F1", "验证宏 F1"),
    }
    return known.get(name, name.replace("_", " "))


def _ascending(values: list[Any]) -> bool:
    return all(_is_number(value) for value in values) and all(a < b for a, b in pairwise(values))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float:
    return float(value) if _is_number(value) else math.nan
