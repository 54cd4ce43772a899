"""Quality against speed and size: which models nothing else beats on all three."""

from __future__ import annotations

from erya.board_table import size
from erya.drawing import plots, scatter
from erya.drawing.markup import Cell, details, figure, percent, table
from erya.report_page.facts import FULL, Facts, Row, capital, listed, section


def tradeoff(facts: Facts) -> str:
    """The Pareto picture; nothing where fewer than two models were timed, or none is worth its price."""
    say = facts.say
    rows = [row for row in facts.scored if row.get("predictions_per_second")]
    if len(rows) < 2 or not facts.document["beats_chance"]:
        return ""
    points = [_point(facts, row) for row in rows]
    on_front = scatter.front(points)
    told = _told(facts, rows, points, on_front)
    tags = facts.document.get("task") == "tag"
    per_second = say("sentences per second", "每秒句数") if tags else say("texts per second", "每秒文本数")
    axes = (per_second, facts.measure)
    measure = capital(facts.measure)
    title = say(f"{measure}, speed and size of each model", f"各模型的{measure}、速度与大小")
    drawing = plots.responsive(
        lambda width: scatter.draw(points, axes, say("better", "更好"), title, told, width), wide=FULL
    )
    columns = [
        say("Model", "模型"),
        measure,
        say("Sentences/s", "句/秒") if tags else say("Texts/s", "条/秒"),
        say("File", "文件"),
        say("On the front", "在前沿上"),
    ]
    lines = [
        [
            Cell(facts.key(row["model"]), header=True),
            Cell(percent(point.quality), "num"),
            Cell(f"{point.speed:,.0f}", "num"),
            Cell(size(point.size), "num"),
            say("yes", "是") if is_front else say("no", "否"),
        ]
        for row, point, is_front in zip(rows, points, on_front, strict=True)
    ]
    caption = say(
        "A bubble's area is the size of the model file, its line the 95% interval. Filled: nothing else is more accurate, "
        "faster and smaller at once. Dashed stairs: nothing is both more accurate and faster.",
        "圆的面积表示模型文件大小，竖线为 95% 区间。实心：没有别的模型同时更准、更快、更小。虚线阶梯：没有模型既更准又更快。",
    )
    missing = [facts.names[row["model"]] for row in facts.scored if row not in rows]
    if missing:
        names = listed(missing, say)
        caption += say(f" Not timed, so not drawn: {names}.", f"未测速度、未画出：{names}。")
    body = figure(drawing, caption, details(say("numbers", "数值"), table(columns, lines)))
    return section("tradeoff", say("Quality, speed, size", "质量、速度与大小"), told, body)


def _point(facts: Facts, row: Row) -> scatter.Point:
    score = facts.score(row)
    name = facts.names[row["model"]]
    bytes_ = row.get("model_bytes")
    return scatter.Point(
        name=name,
        detail="" if bytes_ is None else f" · {size(bytes_)}",
        speed=float(row["predictions_per_second"]),
        quality=score["value"],
        low=score["low"],
        high=score["high"],
        size=bytes_,
        color=facts.colors[row["model"]],
        tip=f"{name}: {percent(score['value'])}, {row['predictions_per_second']:,.0f}/s, {size(bytes_)}",
    )


def _told(facts: Facts, rows: list[Row], points: list[scatter.Point], on_front: list[bool]) -> str:
    """The picture in two sentences."""
    say = facts.say
    kept = [facts.names[row["model"]] for row, is_on in zip(rows, on_front, strict=True) if is_on]
    beaten = [facts.names[row["model"]] for row, is_on in zip(rows, on_front, strict=True) if not is_on]
    if len(kept) == 1:
        return say(
            f"{kept[0]} is the most accurate, the fastest and the smallest: there is nothing to trade.",
            f"{kept[0]}最准、最快，也最小：无需取舍。",
        )
    if not beaten:
        return say(
            "Each is best at something: more accuracy costs speed or size.",
            "各有所长：要更准，就得牺牲速度或大小。",
        )
    names = listed(kept, say)
    sentence = say(
        f"On the front: {names} – nothing here is more accurate, faster and smaller at once.",
        f"处于前沿的有：{names}——没有别的模型同时更准、更快、更小。",
    )
    lost = listed(beaten, say)
    sentence += say(
        f" Beaten on all three: {lost}.",
        f"三方面都不占优的是：{lost}。",
    )
    return sentence
