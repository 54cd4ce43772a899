"""The pictures of a search: every training over time, and what a setting's value has to do with the score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from erya.drawing import plots, svg
from erya.drawing.markup import Say, percent
from erya.parts.setting_ranges import Choice, Range, space_of
from erya.tuning.wording import shown

HEIGHT = 300.0
OUTLYING = 3.0  # times the distance from the best value to the middle one; what lies further down is drawn at the edge
PANEL, PANEL_HEIGHT = 330.0, 200.0  # CSS pixels of one setting's picture


def over_time(document: Mapping[str, Any], colors: Mapping[str, int], width: float, say: Say) -> str:
    """Every training as a dot when it ended: full on all rows, hollow on a part; the line is the best so far on all rows."""
    dots = [
        (attempt, trial)
        for trial in document["trials"]
        for attempt in trial["attempts"]
        if attempt["value"] is not None
    ]
    if not dots:
        return ""
    top = len(document["rungs"]) - 1
    end = max(attempt["ended_at"] for attempt, _ in dots)
    low, high, _ = _span_of(document, [attempt["value"] for attempt, _ in dots])
    ticks = svg.round_ticks(low, high, 5)
    left = 14 + max(svg.text_width(_tick(document, tick), plots.SMALL) for tick in ticks)
    title = say("Validation score over time", "验证分数随时间的变化")
    canvas = svg.Canvas(width, HEIGHT, title, say(f"{len(dots)} trainings", f"{len(dots)} 次训练"))
    unit, divisor = (say("min", "分"), 60.0) if end > 180 else (say("s", "秒"), 1.0)
    across, up = plots.Scale(0, end, left, width - 14), plots.Scale(low, high, HEIGHT - 34, 12)
    for tick in ticks:
        canvas.add(svg.line(left, up(tick), width - 4, up(tick), "grid"))
        canvas.add(svg.words(left - 8, up(tick) + 4, _tick(document, tick), "t soft", "end"))
    for tick in svg.round_ticks(0, end / divisor, 6):
        canvas.add(svg.words(across(tick * divisor), HEIGHT - 14, f"{svg.compact(tick)} {unit}", "t soft", "middle"))
    canvas.add(svg.path(_staircase(document, top, across, up, end), "frontline"))
    for attempt, trial in sorted(dots, key=lambda dot: dot[0]["rung"]):
        full = attempt["rung"] == top and attempt["status"] == "ok"
        tip = _tip(document, trial, attempt)
        color = plots.color_of(colors[trial["model"]])
        canvas.add(
            svg.dot(
                across(attempt["ended_at"]),
                _held(attempt["value"], up),
                5 if full else 3.5,
                "solid" if full else "bubble",
                color,
                tip,
            )
        )
    return canvas.close()


def _span_of(document: Mapping[str, Any], values: Sequence[float]) -> tuple[float, float, int]:
    """The range of an axis, and how many values lie outside: far worse ones would press all others together."""
    sign = document["sign"]
    good = sorted(sign * value for value in values)
    best, middle = good[-1], good[len(good) // 2]
    floor = best - max(OUTLYING * (best - middle), 0.02)
    kept = [sign * value for value in good if value >= floor]
    low, high = plots.padded(kept, 0.08, 0.02)
    return low, high, len(values) - len(kept)


def _held(value: float, scale: plots.Scale) -> float:
    """Where a value is drawn: at the edge, if it lies outside."""
    return scale(min(scale.high, max(scale.low, value)))


def _staircase(
    document: Mapping[str, Any], top: int, across: plots.Scale, up: plots.Scale, end: float
) -> list[tuple[float, float] | None]:
    """The best finished training on all rows so far, as a line of steps."""
    full = sorted(
        (attempt["ended_at"], attempt["value"])
        for trial in document["trials"]
        for attempt in trial["attempts"]
        if attempt["rung"] == top and attempt["status"] == "ok" and attempt["value"] is not None
    )
    points: list[tuple[float, float] | None] = []
    best = -math.inf
    for moment, value in full:
        if document["sign"] * value > best:
            if points:
                points.append((across(moment), up(document["sign"] * best)))
            best = document["sign"] * value
            points.append((across(moment), up(value)))
    return [*points, (across(end), up(document["sign"] * best))] if points else []


def _tick(document: Mapping[str, Any], value: float) -> str:
    return f"{value:.3g}" if document["sign"] < 0 else f"{100 * value:g}%"


def _tip(document: Mapping[str, Any], trial: Mapping[str, Any], attempt: Mapping[str, Any]) -> str:
    settings = " ".join(f"{name}={shown(value)}" for name, value in trial["settings"].items())
    rows = document["rungs"][attempt["rung"]]["rows"]
    return f"#{trial['trial']} {trial['model']} {attempt['value']:.4f} · {rows:,} · {settings}"


def by_setting(
    document: Mapping[str, Any], model: Mapping[str, Any], setting: str, color: str, say: Say, width: float = PANEL
) -> str:
    """The scores of one model over one of its settings: full dots on all rows, hollow ones on a part, a ring around the winner."""
    span = space_of({setting: model["space"][setting]})[setting]
    top = len(document["rungs"]) - 1
    dots: list[tuple[float, Any, Any]] = []
    for trial in document["trials"]:
        place = _place(span, trial["settings"][setting]) if trial["model"] == model["model"] else None
        if place is not None:
            dots += [
                (place, one, trial) for one in trial["attempts"] if one["value"] is not None and one["status"] == "ok"
            ]
    if not dots:
        return ""
    low, high, _ = _span_of(document, [attempt["value"] for _, attempt, _ in dots])
    ticks = svg.round_ticks(low, high, 3)
    left = 12 + max(svg.text_width(_tick(document, tick), plots.SMALL) for tick in ticks)
    canvas = svg.Canvas(width, PANEL_HEIGHT, say(f"Score over {setting}", f"分数与 {setting}"), model["model"])
    across = plots.Scale(0, 1, left + 8, width - 16)
    up = plots.Scale(low, high, PANEL_HEIGHT - 30, 10)
    for tick in ticks:
        canvas.add(svg.line(left, up(tick), width - 4, up(tick), "grid"))
        canvas.add(svg.words(left - 6, up(tick) + 4, _tick(document, tick), "t soft", "end"))
    for place, name in _marks(span, across.end - across.start):
        canvas.add(svg.words(across(place), PANEL_HEIGHT - 10, name, "t soft", "middle"))
    for place, attempt, trial in sorted(dots, key=lambda dot: dot[1]["rung"]):
        full = attempt["rung"] == top
        x, y = across(place), _held(attempt["value"], up)
        canvas.add(
            svg.dot(x, y, 4.5 if full else 3, "solid" if full else "bubble", color, _tip(document, trial, attempt))
        )
        if full and trial["trial"] == document["winner"]["trial"]:
            canvas.add(f'<circle class="ring" cx="{svg.short(x)}" cy="{svg.short(y)}" r="8.5"/>')
    return canvas.close()


def _place(span: Range | Choice, value: Any) -> float | None:
    try:
        place = span.place(value)
    except (ValueError, TypeError):
        return None
    return place if -1e-9 <= place <= 1 + 1e-9 else None


def _marks(span: Range | Choice, room: float) -> list[tuple[float, str]]:
    """Places and names under a setting's axis."""
    if isinstance(span, Choice):
        names = [svg.fitted(shown(value), plots.SMALL, room / len(span.values) - 2) for value in span.values]
        return [((place + 0.5) / len(names), name) for place, name in enumerate(names)]
    if span.logarithmic:
        ticks: Sequence[float] = svg.log_ticks(span.low, span.high)
    else:
        ticks = svg.round_ticks(span.low, span.high, 5)
        ticks = [tick for tick in ticks if not span.whole or float(tick).is_integer()]
    names = [svg.compact(tick) for tick in ticks]
    every = max(1, math.ceil(sum(svg.text_width(name, plots.SMALL) + 10 for name in names) / room))
    return [(span.place(tick), name) for tick, name in list(zip(ticks, names, strict=True))[::every]]


def legend(document: Mapping[str, Any], say: Say) -> str:
    """How dots are to be read."""
    rows = [f"{rung['rows']:,}" for rung in document["rungs"]]
    parts, parts_zh, whole = " or ".join(rows[:-1]), "或 ".join(rows[:-1]), rows[-1]
    told = say(
        f"Each dot is one training, when it ended: full dots on all {whole} rows, hollow ones on {parts}. The line is the best so far "
        "on all rows. Rest the pointer on a dot for its settings.",
        f"每个点是一次训练，横轴是结束的时间：实心点用全部 {whole} 行，空心点只用 {parts_zh} 行；折线是到那时为止用全部行得到的"
        "最好分数。把鼠标停在点上可看设置。",
    )
    if len(rows) == 1:
        told = say(
            "Each dot is one training, when it ended; the line is the best so far. Rest the pointer on a dot for its settings.",
            "每个点是一次训练，横轴是结束的时间；折线是到那时为止的最好分数。把鼠标停在点上可看设置。",
        )
    values = [one["value"] for trial in document["trials"] for one in trial["attempts"] if one["value"] is not None]
    below = _span_of(document, values)[2]
    return told + (
        say(f" {below} much worse ones lie at the edge.", f"另有 {below} 次差得多，画在边缘。") if below else ""
    )


def judged(document: Mapping[str, Any], width: float, say: Say) -> str:
    """Tuned and default settings with their intervals on the test rows, and the most frequent label as a line."""
    test = document["test"]
    rows = []
    tuned = say("default", "默认") if document["winner"]["is_default"] else say("tuned", "调参后")
    for name, scores in ((tuned, test["tuned"]), (say("default", "默认"), test["default"])):
        if scores is not None:
            score = scores[test["headline"]]
            rows.append((name, score["low"], score["value"], score["high"]))
    majority = test["baseline"]["majority"]
    ends = [end for row in rows for end in (row[1], row[3])]
    low, high = plots.padded(ends, 0.25, 0.04)
    low, high = max(0.0, low), min(1.0, high)
    left, step, top = 74.0, 34.0, 8.0
    height = top + step * len(rows) + 24
    scale = plots.Scale(low, high, left, width - 60)
    title = say("Scores on the test rows", "测试数据上的分数")
    canvas = svg.Canvas(width, height, title, "; ".join(f"{row[0]} {percent(row[2])}" for row in rows))
    for tick in svg.round_ticks(low, high, 5):
        canvas.add(svg.line(scale(tick), top, scale(tick), height - 22, "grid"))
        canvas.add(svg.words(scale(tick), height - 6, f"{100 * tick:g}%", "t soft", "middle"))
    if low <= majority <= high:
        canvas.add(svg.line(scale(majority), top, scale(majority), height - 22, "reference", "4 3"))
    for place, (name, start, value, stop) in enumerate(rows):
        y, color = top + step * (place + 0.5), plots.color_of(place)
        canvas.add(
            svg.words(left - 14, y + 4.5, name, "t name", "end"),
            f'<rect class="interval" style="--c:var(--{color})" x="{svg.short(scale(start))}" y="{svg.short(y - 4)}" '
            f'width="{svg.short(max(2, scale(stop) - scale(start)))}" height="8" rx="4"/>',
            svg.dot(scale(value), y, 5, "solid", color, f"{name} {percent(value)}"),
            svg.words(width, y + 4.5, percent(value), "t", "end"),
        )
    return canvas.close()
