"""The top of the report: what to take, why, and the five numbers that matter."""

from __future__ import annotations

from erya.board_table import seconds, size
from erya.drawing.markup import data, percent, shown
from erya.report_page.facts import Facts, Row


def header(facts: Facts) -> str:
    """Headline, reasons, key numbers and the way to the sections."""
    title, lead, rest = _sentences(facts)
    reasons = "".join(f"<li>{shown(sentence)}</li>" for sentence in rest)
    row = facts.recommended or (facts.scored[0] if facts.scored else None)
    return (
        f'<header class="top"><p class="wordmark"><span lang="zh-Hans">尔雅</span> Erya'
        f'<span class="soft"> · {facts.say("model comparison", "模型比较")}</span></p>'
        f'<p class="about">{_about(facts)}</p><h1>{shown(title)}</h1><p class="verdict">{shown(lead)}</p>'
        f"{f'<ul class=reasons>{reasons}</ul>' if reasons else ''}{_tiles(facts, row) if row else ''}</header>"
    )


def _about(facts: Facts) -> str:
    facts_of_data = facts.document["data"]
    train, test = facts_of_data["rows"]["train"], facts_of_data["rows"]["test"]
    models, labels = len(facts.rows), len(facts_of_data["labels"])
    count = facts.say(
        f"{models} model{'s' if models != 1 else ''} · {labels} labels · trained on {train:,} rows, scored on {test:,}",
        f"{models} 个模型 · {labels} 个标签 · 训练 {train:,} 行，测试 {test:,} 行",
    )
    return f"<b>{data(facts_of_data['source'])}</b> · {shown(count)}"


def _sentences(facts: Facts) -> tuple[str, str, list[str]]:
    """Headline, first sentence, the others: “Take X: because …” is cut at its colon."""
    sentences = list(facts.document["advice"]["sentences"]) or [""]
    first, say = sentences[0], facts.say
    row = facts.recommended
    if row is None:
        if not facts.scored:
            title = say("No model finished", "没有模型完成训练")
        elif not facts.document["beats_chance"]:
            title = say("No model beats guessing", "没有模型好于总猜同一标签")
        else:
            title = say("No model stands out", "没有明显更好的模型")
        return title, first, sentences[1:]
    name = facts.names[row["model"]]
    for colon in (": ", "："):
        before, found, after = first.partition(colon)
        if found and name in before and len(before) < len(name) + 30:
            return before, after[:1].upper() + after[1:], sentences[1:]
    return say(f"Take {name}", f"推荐 {name}"), first, sentences[1:]


def _tiles(facts: Facts, row: Row) -> str:
    say, score = facts.say, facts.score(row)
    interval = f"{percent(score['low'])} – {percent(score['high'])}"
    better = say(f"guessing: {percent(facts.majority)}", f"总猜同一标签：{percent(facts.majority)}")
    speed = row.get("predictions_per_second")
    tiles = [
        (say("accuracy", "准确率"), percent(score["value"]), f"{interval} · {better}"),
        (say("training", "训练"), seconds(row.get("train_seconds")), _rank(facts, row, "train_seconds", False)),
        (
            say("first answer", "首次回答"),
            seconds(row.get("first_answer_seconds")),
            say("from a cold start", "从冷启动算起"),
        ),
        (
            say("texts per second", "每秒文本数"),
            "–" if speed is None else f"{speed:,.0f}",
            _rank(facts, row, "predictions_per_second", True),
        ),
        (say("file size", "文件大小"), size(row.get("model_bytes")), _rank(facts, row, "model_bytes", False)),
    ]
    told = "".join(
        f"<div><dt>{shown(label)}</dt><dd>{shown(value)}</dd><dd class=soft>{shown(note)}</dd></div>"
        for label, value, note in tiles
    )
    name = data(facts.names[row["model"]])
    return f'<dl class="tiles" aria-label="{name if "<" not in name else ""}">{told}</dl>'


def _rank(facts: Facts, row: Row, name: str, largest_first: bool) -> str:
    """Which place this row takes in one cost."""
    values = [other[name] for other in facts.scored if other.get(name) is not None]
    if row.get(name) is None or len(values) < 2:
        return ""
    place = 1 + sum(value > row[name] if largest_first else value < row[name] for value in values)
    say = facts.say
    if place == 1:
        return say(f"best of {len(values)}", f"{len(values)} 个中最好")
    return say(f"place {place} of {len(values)}", f"{len(values)} 个中第 {place}")
