"""The ranked table, and whether anything is better than guessing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from erya.board_table import seconds, size
from erya.drawing import plots
from erya.drawing.markup import data, figure, percent, shown
from erya.report_page.facts import FULL, Facts, Row, capital, listed, section

BAR = 150  # CSS pixels of an interval in the table


def ranking(facts: Facts) -> str:
    """Every model with everything that was measured."""
    say = facts.say
    columns = [
        say("Model", "模型"),
        say(f"{capital(facts.measure)}, 95% interval", f"{facts.measure}与 95% 区间"),
        say("Macro F1", "宏 F1"),
        say("Training", "训练"),
        say("First answer", "首次回答"),
        say("Texts/s", "条/秒"),
        say("File", "文件"),
        say("Peak memory", "峰值内存"),
    ]
    scale = _scale(facts)
    ends = (
        f'<span class="ends"><span>{percent(scale.low)}</span><span>{percent(scale.high)}</span></span>'
        if facts.scored
        else ""
    )
    head = "".join(
        f'<th scope="col"{" class=num" if index > 1 else ""}>{shown(column)}{ends if index == 1 else ""}</th>'
        for index, column in enumerate(columns)
    )
    lines = "".join(_line(facts, row, place, columns, scale) for place, row in enumerate(facts.rows, 1))
    body = (
        f'<div class="scroll"><table class="ranking cards"><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}{_baseline(facts, columns)}</tbody></table></div>{_notes(facts)}"
    )
    return section(
        "ranking",
        say("Every model, ranked", "全部模型排名"),
        say(
            f"Bars show where the true {facts.measure} lies with 95% confidence; bold marks the best of a column.",
            f"横条表示真实{facts.measure}的 95% 置信区间；粗体为该列最好的数值。",
        ),
        body,
    )


def _scale(facts: Facts) -> plots.Scale:
    scores = [facts.score(row) for row in facts.scored]
    ends = [score["low"] for score in scores] + [score["high"] for score in scores]
    low, high = plots.padded(ends or [0.0, 1.0], 0.04, 0.01)
    return plots.Scale(max(0.0, low), min(1.0, high), 6, BAR - 6)


def _line(facts: Facts, row: Row, place: int, columns: list[str], scale: plots.Scale) -> str:
    is_choice = row["model"] == facts.document["advice"]["recommended"]
    chips = f'<span class="chip good">{facts.say("take this", "推荐")}</span>' if is_choice else ""
    if row["status"] != "ok":
        chips += f'<span class="chip bad">{shown(_status(facts, row))}</span>'
    kind = row["model"] if row["model"] != facts.names[row["model"]] else ""
    name = (
        f'<th scope="row"><div class="model"><span class="place">{place if row.get("scores") else "–"}</span>'
        f'<span class="who">{facts.key(row["model"])} {chips}<small class="mono">{data(kind)}</small></span></div></th>'
    )
    if not row.get("scores"):
        return f'<tr class="lost">{name}<td colspan="{len(columns) - 1}">{data(row.get("error") or "–")}</td></tr>'
    score = facts.score(row)
    bar = plots.interval_bar(
        score["low"], score["value"], score["high"], scale, color=plots.color_of(facts.colors[row["model"]])
    )
    interval = f"[{100 * score['low']:.1f}, {100 * score['high']:.1f}]"
    accuracy = (
        f'<td class="accuracy" data-label="{shown(columns[1])}"><span class="bar">{bar}</span>'
        f'<span class="value">{percent(score["value"])}</span> <span class="soft">{interval}</span>{_seeds(facts, row)}</td>'
    )
    rest = "".join(
        f'<td class="num" data-label="{shown(column)}">{_best(facts, row, read, written(read(row)), largest)}</td>'
        for column, (read, written, largest) in zip(columns[2:], _measures(), strict=True)
    )
    return f"<tr{' class=choice' if is_choice else ''}>{name}{accuracy}{rest}</tr>"


Measure = tuple[Callable[[Row], float | None], Callable[[float | None], str], bool]


def _measures() -> list[Measure]:
    """How each numeric column is read from a row and written, and whether more is better."""

    def cost(name: str) -> Callable[[Row], float | None]:
        return lambda row: row.get(name)

    return [
        (lambda row: row["scores"].get("macro_f1", {}).get("value"), percent, True),
        (cost("train_seconds"), seconds, False),
        (cost("first_answer_seconds"), seconds, False),
        (cost("predictions_per_second"), lambda value: "–" if value is None else f"{value:,.0f}", True),
        (cost("model_bytes"), size, False),
        (cost("peak_rss_bytes"), size, False),
    ]


def _best(facts: Facts, row: Row, read: Callable[[Row], float | None], written: str, largest: bool) -> str:
    values = [value for value in map(read, facts.scored) if value is not None]
    value = read(row)
    is_best = value is not None and len(values) > 1 and value == (max(values) if largest else min(values))
    return f"<b>{shown(written)}</b>" if is_best else shown(written)


def _seeds(facts: Facts, row: Row) -> str:
    """The score of each seed, where there are several."""
    each = row["scores"][facts.headline].get("per_seed") or []
    if len(each) < 2:
        return ""
    numbers = " · ".join(percent(value) for value in each)
    return f'<small class="soft">{facts.say("seeds", "各随机种子")} {numbers}</small>'


def _status(facts: Facts, row: Row) -> str:
    if row["status"] == "budget" and row.get("scores"):
        step = row.get("stopped_at_step")
        if step:
            return facts.say(f"stopped by the budget at step {step:,}", f"预算用完，停在第 {step:,} 步")
        return facts.say("stopped by the budget", "预算用完而停止")
    known = {
        "failed": facts.say("failed", "失败"),
        "skipped": facts.say("skipped", "跳过"),
        "refused": facts.say("refused", "不适用"),
        "budget": facts.say("out of budget", "超出预算"),
    }
    return known.get(row["status"], str(row["status"]))


def _baseline(facts: Facts, columns: list[str]) -> str:
    label = facts.document["baseline"]["label"]
    words = facts.say("Guessing: always ", "总猜")
    return (
        f'<tr class="baseline"><th scope="row"><div class="model"><span class="place"></span><span class="who">{shown(words)}'
        f'“{data(label)}”</span></div></th><td class="accuracy" data-label="{shown(columns[1])}"><span class="bar"></span>'
        f'<span class="value">{percent(facts.majority)}</span></td><td colspan="{len(columns) - 2}"></td></tr>'
    )


def _notes(facts: Facts) -> str:
    say = facts.say
    notes = [
        say(
            "First answer: a new process loads the file and answers one text. Peak memory: of the process that trained.",
            "首次回答：新进程加载文件并回答一条文本的时间。峰值内存：训练进程的最大内存。",
        ),
    ]
    if any(row["status"] == "budget" and row.get("scores") for row in facts.rows):
        notes.append(
            say(
                "What the budget stopped may score higher with more time.",
                "因预算用完而停止的模型，多给些时间分数可能更高。",
            )
        )
    seeds: list[Any] = max((row.get("seeds") or [] for row in facts.rows), key=len, default=[])
    if len(seeds) > 1:
        notes.append(
            say(
                f"Scores are means over {len(seeds)} seeds; interval and tests see the sampling of test rows only.",
                f"分数为 {len(seeds)} 个随机种子的平均；区间只反映测试行的抽样误差。",
            )
        )
    return f'<p class="foot">{shown(say(" ", "").join(notes))}</p>'


def chance(facts: Facts) -> str:
    """Whether anything beats always giving the most frequent answer."""
    say, scored = facts.say, facts.scored
    if not scored:
        return ""
    scores = [(facts.names[row["model"]], facts.score(row)) for row in scored]
    bars = [(name, score["low"], score["value"], score["high"]) for name, score in scores]
    colors = [facts.colors[row["model"]] for row in scored]
    guess = (say("guessing", "总猜同一标签"), facts.majority)
    title = say(f"{capital(facts.measure)} against guessing", f"{facts.measure}与总猜同一标签的比较")
    drawing = plots.responsive(lambda width: plots.intervals(bars, colors, guess, width, title), wide=FULL)
    return section(
        "chance",
        say("Is it better than guessing?", "真的学到东西了吗？"),
        _chance_told(facts),
        figure(drawing),
    )


def _chance_told(facts: Facts) -> str:
    say, scored = facts.say, facts.scored
    surely = [row for row in scored if facts.score(row)["low"] > facts.majority]
    unsure = listed([facts.names[row["model"]] for row in scored if row not in surely], say)
    label = facts.document["baseline"]["label"]
    guess = say(
        f"always answering “{label}” ({percent(facts.majority)})", f"总是回答“{label}”（{percent(facts.majority)}）"
    )
    if not surely:
        return say(
            f"No. Nothing here is surely better than {guess}. Look at the labels and the rows before any model.",
            f"没有。没有一个模型明显好于{guess}。先检查标签和数据，再谈模型。",
        )
    if unsure:
        return say(
            f"Some are: {len(surely)} of {len(scored)} models are surely better than {guess}; {unsure} may not be.",
            f"部分学到了：{len(scored)} 个模型中有 {len(surely)} 个明显好于{guess}；{unsure}则不能确定。",
        )
    if len(scored) == 1:
        return say(f"Yes: the model is surely better than {guess}.", f"学到了：模型明显好于{guess}。")
    return say(f"Yes: every model is surely better than {guess}.", f"学到了：每个模型都明显好于{guess}。")
