"""The top of the report: what to take, why, and the five numbers that matter."""

from __future__ import annotations

import re

from erya.board_table import seconds, size
from erya.drawing.markup import data, percent, plain, shown
from erya.report_page.facts import Facts, Row


def header(facts: Facts, sections: str) -> str:
    """Headline, reasons, key numbers and the way to those sections that there are."""
    title, lead, rest = _sentences(facts)
    reasons = "".join(f"<li>{shown(sentence)}</li>" for sentence in rest)
    row = facts.recommended or (facts.scored[0] if facts.scored else None)
    return (
        f'<header class="top"><p class="wordmark"><span lang="zh-Hans">尔雅</span> Erya'
        f'<span class="soft"> · {facts.say("model comparison", "模型比较")}</span></p>'
        f'<p class="about">{_about(facts)}</p><h1>{shown(title)}</h1><p class="verdict">{shown(lead)}</p>'
        f"{f'<ul class=reasons>{reasons}</ul>' if reasons else ''}"
        f"{_tiles(facts, row) if row else ''}{ways(facts, sections)}</header>"
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
    sentences = [closed_up(sentence) for sentence in facts.document["advice"]["sentences"]] or [""]
    first, say = sentences[0], facts.say
    row = facts.recommended
    if row is None:
        if not facts.scored:
            return (
                say("No model finished", "没有模型完成训练"),
                say("What went wrong stands in the table below.", "出错的原因见下表。"),
                [],
            )
        if not facts.document["beats_chance"]:
            title = say("No model beats guessing", "没有模型好于总猜同一标签")
        else:
            title = say("No model stands out", "没有明显更好的模型")
        return title, first, sentences[1:]
    name = facts.names[row["model"]]
    for colon in (": ", "："):
        before, found, after = first.partition(colon)
        if found and name in before and len(before) < len(name) + 30:
            return before, after[:1].upper() + after[1:], sentences[1:]
    return say(f"Take {name}", f"推荐{name}"), first, sentences[1:]


def closed_up(sentence: str) -> str:
    """Chinese without spaces between its characters, as where a Chinese name was put into a sentence."""
    return re.sub(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", sentence)


def _tiles(facts: Facts, row: Row) -> str:
    say, score = facts.say, facts.score(row)
    interval = f"{percent(score['low'])} – {percent(score['high'])}"
    better = say(f"guessing: {percent(facts.majority)}", f"总猜同一标签：{percent(facts.majority)}")
    speed = row.get("predictions_per_second")
    name = facts.names[row["model"]]
    measure = facts.measure
    if facts.recommended is None:
        measure = say(f"{measure} of the best, {name}", f"最好的{name}的{measure}")
    tiles = [
        (measure, percent(score["value"]), f"{interval} · {better}"),
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
    return f'<dl class="tiles" aria-label="{plain(name)}">{told}</dl>'


def _rank(facts: Facts, row: Row, name: str, largest_first: bool) -> str:
    """Which place this row takes in one cost."""
    values = [other[name] for other in facts.scored if other.get(name) is not None]
    if row.get(name) is None or len(values) < 2:
        return ""
    place = 1 + sum(value > row[name] if largest_first else value < row[name] for value in values)
    say = facts.say
    if place == 1:
        return say(f"best of {len(values)}", f"{len(values)} 个中最好")
    return say(f"place {place} of {len(values)}", f"{len(values)} 个中排第 {place}")


def ways(facts: Facts, sections: str) -> str:
    """Links to the sections that a reader looks for."""
    say = facts.say
    ways = [
        ("ranking", say("Ranking", "排名")),
        ("questions", say("Analogies", "类比")),
        ("similarity", say("Similarity", "相似度")),
        ("tradeoff", say("Trade-offs", "取舍")),
        ("differences", say("Significance", "显著性")),
        ("labels", say("Labels", "标签")),
        ("confusion", say("Confusion", "混淆")),
        ("confused", say("Missed and added", "漏掉与误给")),
        ("mistakes", say("Mistakes", "错误")),
        ("errors", say("Error browser", "错误浏览")),
        ("calibration", say("Probabilities", "概率")),
        ("data", say("Data", "数据")),
        ("next", say("Next steps", "下一步")),
        ("repeat", say("Repeat", "重现")),
    ]
    links = "".join(f'<a href="#{name}">{shown(word)}</a>' for name, word in ways if f'id="{name}"' in sections)
    return f'<nav class="ways" aria-label="{say("Sections", "各节")}">{links}</nav>'
