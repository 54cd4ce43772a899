"""The report of a comparison of word vectors: ranking, what each kind of question gives, what differs, how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from erya.board_table import score_title, seconds, size
from erya.drawing import plots
from erya.drawing.markup import Cell, data, percent, plain, shown, table
from erya.drawing.palette import step_of
from erya.report_page import closing, confidence
from erya.report_page.facts import Facts, Row, listed, section
from erya.report_page.verdict import closed_up, ways

BAR = 150  # CSS pixels of an interval in the table


def page(facts: Facts) -> tuple[str, str]:
    """Head and sections."""
    sections = "".join(
        [
            _ranking(facts),
            _questions(facts),
            _similarity(facts),
            _pairs(facts),
            confidence.curves(facts),
            _data(facts),
            _next_steps(facts),
            closing.environment(facts, _glossary(facts)),
        ]
    )
    return _header(facts, sections), sections


def _trained(facts: Facts) -> list[Row]:
    """The rows whose vectors could be asked, scored or not."""
    return [row for row in facts.rows if row["model"] in facts.document["words"]]


# ---- the top ----------------------------------------------------------------------------------------------------


def _header(facts: Facts, sections: str) -> str:
    say, found = facts.say, facts.document["data"]
    sentences = [closed_up(sentence) for sentence in facts.document["advice"]["sentences"]] or [""]
    row = facts.recommended
    title = say("No model stands out", "没有明显更好的模型")
    if row is not None:
        name = facts.names[row["model"]]
        title = say(f"Take {name}", f"推荐{name}")
    reasons = "".join(f"<li>{shown(sentence)}</li>" for sentence in sentences[1:])
    models = len(facts.rows)
    about = say(
        f"{models} model{'s' if models != 1 else ''} · {size(found['bytes'])} of text",
        f"{models} 个模型 · 文本 {size(found['bytes'])}",
    )
    return (
        f'<header class="top"><p class="wordmark"><span lang="zh-Hans">尔雅</span> Erya'
        f'<span class="soft"> · {say("word vectors compared", "词向量比较")}</span></p>'
        f'<p class="about"><b>{data(found["source"])}</b> · {shown(about)}</p>'
        f'<h1>{shown(title)}</h1><p class="verdict">{shown(sentences[0])}</p>'
        f"{f'<ul class=reasons>{reasons}</ul>' if reasons else ''}{_tiles(facts, row) if row else ''}"
        f"{ways(facts, sections)}</header>"
    )


def _tiles(facts: Facts, row: Row) -> str:
    say, words = facts.say, facts.document["words"][row["model"]]
    tiles = [
        (score_title(name), _written(name, row["scores"][name]["value"]), _interval(name, row["scores"][name]))
        for name in facts.document["columns"]
        if name in row["scores"]
    ][:2]
    if len(tiles) < 2:
        tiles.append((say("words", "词数"), f"{words['vocabulary']:,}", f"× {words['dim']}"))
    speed = row.get("predictions_per_second")
    tiles += [
        (say("training", "训练"), seconds(row.get("train_seconds")), ""),
        (say("queries per second", "每秒查询"), "–" if speed is None else f"{speed:,.0f}", ""),
        (say("file size", "文件大小"), size(row.get("model_bytes")), ""),
    ]
    told = "".join(
        f"<div><dt>{shown(label)}</dt><dd>{shown(value)}</dd><dd class=soft>{shown(note)}</dd></div>"
        for label, value, note in tiles
    )
    return f'<dl class="tiles" aria-label="{plain(facts.names[row["model"]])}">{told}</dl>'


def _written(name: str, value: float) -> str:
    """Shares as percentages, correlations as they are."""
    return f"{value:.3f}" if name.startswith("spearman") else percent(value)


def _interval(name: str, score: dict[str, float]) -> str:
    return f"{_written(name, score['low'])} – {_written(name, score['high'])}"


# ---- the table --------------------------------------------------------------------------------------------------


def _ranking(facts: Facts) -> str:
    say, names = facts.say, facts.document["columns"]
    columns = [
        say("Model", "模型"),
        *(f"{score_title(name)}" for name in names),
        say("Training", "训练"),
        say("First answer", "首次回答"),
        say("Queries/s", "查询/秒"),
        say("File", "文件"),
        say("Peak memory", "峰值内存"),
    ]
    head = "".join(
        f'<th scope="col"{" class=num" if index > 1 else ""}>{shown(column)}</th>'
        for index, column in enumerate(columns)
    )
    scale = _scale(facts, names[0])
    lines = "".join(_line(facts, row, place, columns, scale) for place, row in enumerate(facts.rows, 1))
    body = (
        f'<div class="scroll"><table class="ranking cards"><thead><tr>{head}</tr></thead>'
        f'<tbody>{lines}</tbody></table></div><p class="foot">{shown(_notes(facts))}</p>'
    )
    lead = say(
        "Bars show 95% intervals over the questions or pairs; bold marks the best of a column.",
        "横条为对题目或词对重采样得到的 95% 区间；粗体为该列最好的数值。",
    )
    return section("ranking", say("Every model, ranked", "全部模型排名"), lead, body)


def _scale(facts: Facts, name: str) -> plots.Scale:
    scores = [row["scores"][name] for row in facts.scored if name in row["scores"]]
    ends = [score["low"] for score in scores] + [score["high"] for score in scores]
    low, high = plots.padded(ends or [0.0, 1.0], 0.04, 0.01)
    return plots.Scale(max(-1.0, low), min(1.0, high), 6, BAR - 6)


def _line(facts: Facts, row: Row, place: int, columns: list[str], scale: plots.Scale) -> str:
    is_choice = row["model"] == facts.document["advice"]["recommended"]
    chips = f'<span class="chip good">{facts.say("take this", "推荐")}</span>' if is_choice else ""
    if row["status"] != "ok":
        chips += f'<span class="chip bad">{shown(_status(facts, row))}</span>'
    kind = row["model"] if row["model"] != facts.names[row["model"]] else ""
    words = facts.document["words"].get(row["model"])
    if words is not None:
        kind += (" · " if kind else "") + f"{words['vocabulary']:,} × {words['dim']}"
    name = (
        f'<th scope="row"><div class="model"><span class="place">{place}</span>'
        f'<span class="who">{facts.key(row["model"])} {chips}<small class="mono">{data(kind)}</small></span></div></th>'
    )
    if words is None:
        return f'<tr class="lost">{name}<td colspan="{len(columns) - 1}">{data(row.get("error") or "–")}</td></tr>'
    first, *others = facts.document["columns"]
    numbers = [_plain_score(facts, row, name) for name in others]
    numbers += [_cost(facts, row, *measure) for measure in _costs()]
    cells = "".join(
        f'<td class="num" data-label="{shown(column)}">{number}</td>'
        for column, number in zip(columns[2:], numbers, strict=True)
    )
    return (
        f"<tr{' class=choice' if is_choice else ''}>{name}{_scored(facts, row, first, columns[1], scale)}{cells}</tr>"
    )


def _scored(facts: Facts, row: Row, name: str, column: str, scale: plots.Scale) -> str:
    score = row["scores"].get(name)
    if score is None:
        return f'<td class="accuracy" data-label="{shown(column)}">–</td>'
    color = plots.color_of(facts.colors[row["model"]])
    bar = plots.interval_bar(
        score["low"], score["value"], score["high"], scale, color=color, written=lambda value: _written(name, value)
    )
    return (
        f'<td class="accuracy" data-label="{shown(column)}"><span class="bar">{bar}</span>'
        f'<span class="value">{_written(name, score["value"])}</span> <span class="soft">[{_interval(name, score)}]</span></td>'
    )


def _plain_score(facts: Facts, row: Row, name: str) -> str:
    """A further score as a number; its interval stands in the section on similarity."""
    value = row["scores"].get(name, {}).get("value")
    values = [other["scores"][name]["value"] for other in facts.scored if name in other["scores"]]
    if value is None:
        return "–"
    is_best = len(values) > 1 and value == max(values)
    return f"<b>{_written(name, value)}</b>" if is_best else _written(name, value)


Cost = tuple[str, Callable[[float | None], str], bool]


def _costs() -> list[Cost]:
    """What was measured, how it is written, and whether more is better."""
    return [
        ("train_seconds", seconds, False),
        ("first_answer_seconds", seconds, False),
        ("predictions_per_second", lambda value: "–" if value is None else f"{value:,.0f}", True),
        ("model_bytes", size, False),
        ("peak_rss_bytes", size, False),
    ]


def _cost(facts: Facts, row: Row, name: str, written: Callable[[float | None], str], largest: bool) -> str:
    values = [other[name] for other in _trained(facts) if other.get(name) is not None]
    value = row.get(name)
    is_best = value is not None and len(values) > 1 and value == (max(values) if largest else min(values))
    return f"<b>{shown(written(value))}</b>" if is_best else shown(written(value))


def _status(facts: Facts, row: Row) -> str:
    known = {
        "failed": facts.say("failed", "失败"),
        "skipped": facts.say("skipped", "跳过"),
        "budget": facts.say("stopped by the budget", "预算用完而停止"),
    }
    return known.get(row["status"], str(row["status"]))


def _notes(facts: Facts) -> str:
    return facts.say(
        "Analogies: share of the questions with known words that are answered right (3CosAdd, among the 30,000 most frequent "
        "words). Others: Spearman's ρ between people and cosines. Peak memory: of the process that trained.",
        "类比：词都认识的题目中答对的比例（3CosAdd，在最高频的 3 万个词中作答）。其余：人工评分与余弦的 Spearman ρ。"
        "峰值内存：训练进程的最大内存。",
    )


# ---- questions and pairs ------------------------------------------------------------------------------------------


def _questions(facts: Facts) -> str:
    """Accuracy on every section, for every model."""
    say = facts.say
    reports = {row["model"]: facts.document["words"][row["model"]]["analogies"] for row in _trained(facts)}
    if not any(report["total"]["known"] for report in reports.values()):
        return ""
    first = next(iter(reports.values()))
    most = max(one["accuracy"]["value"] for report in reports.values() for one in report["sections"] if one["accuracy"])
    lines = []
    for name, place in [*((one["name"], index) for index, one in enumerate(first["sections"])), ("", -1)]:
        scores = [report["sections"][place] if name else report["total"] for report in reports.values()]
        if any(score["known"] for score in scores):
            label = name or say("all together", "合计")
            known = sorted({score["known"] for score in scores})  # models of other texts know other words
            asked = (
                f"{'–'.join(f'{count:,}' for count in (known[0], known[-1])[: len(known)])} / {scores[0]['asked']:,}"
            )
            cells = [_tinted(score, most) for score in scores]
            lines.append([Cell(data(label), header=True), Cell(asked, "num"), *cells])
    head = [say("Section", "小节"), say("known", "已知"), *(facts.names[model] for model in reports)]
    lead = say(
        "Which relations the vectors hold: the share of questions answered right, over those whose words are known.",
        "词向量学到了哪些关系：在词都认识的题目中答对的比例。",
    )
    body = table(head, lines, kind="labels questions")
    return section("questions", say("Analogies by section", "各小节的类比"), lead, body)


def _tinted(score: dict[str, Any], most: float) -> Cell:
    """One accuracy, the deeper in colour the nearer to the best on the page."""
    if score["accuracy"] is None:
        return Cell("–", "num")
    value = score["accuracy"]["value"]
    return Cell(percent(value), f"num {step_of(0.5 * value / (most or 1.0), 1.0)}")


def _similarity(facts: Facts) -> str:
    """Every similarity set with known pairs, and what is unknown."""
    say, rows = facts.say, _trained(facts)
    sets = facts.document["data"].get("similarity") or {}
    if not sets:
        return ""
    lines = []
    for place, (name, pairs) in enumerate(sets.items()):
        for row in rows:
            score = facts.document["words"][row["model"]]["similarity"][place]
            known = score["spearman"]
            lines.append(
                [
                    Cell(data(name), header=True),
                    Cell(facts.key(row["model"])),
                    Cell("–" if known is None else f"{known['value']:.3f}", "num"),
                    Cell("" if known is None else f"[{known['low']:.3f}, {known['high']:.3f}]", "num"),
                    Cell(f"{score['spearman_all']['value']:.3f}", "num"),
                    Cell(f"{score['known']:,} / {pairs:,}", "num"),
                ]
            )
    head = [
        say("Set", "数据集"),
        say("Model", "模型"),
        "Spearman",
        say("95% interval", "95% 区间"),
        say("unknown as 0", "未知计 0"),
        say("known pairs", "已知词对"),
    ]
    lead = say("Do words that people find similar lie near one another?", "人觉得相似的词，在向量空间里也相近吗？")
    return section("similarity", say("Similarity judgements", "相似度判断"), lead, table(head, lines))


def _pairs(facts: Facts) -> str:
    say, pairs = facts.say, facts.document["pairs"]
    if not pairs:
        return ""
    lines = [
        [
            facts.names[pair["a"]],
            facts.names[pair["b"]],
            Cell(f"{100 * pair['difference']:+.1f}", "num"),
            Cell(f"[{100 * pair['low']:+.1f}, {100 * pair['high']:+.1f}]", "num"),
            Cell(f"{pair['questions']:,}", "num"),
            say("significant", "显著") if pair["significant"] else say("may be luck", "可能是运气"),
        ]
        for pair in pairs
    ]
    head = [
        say("First", "模型甲"),
        say("Second", "模型乙"),
        say("Difference, points", "差（百分点）"),
        say("95% interval", "95% 区间"),
        say("Questions", "题数"),
        "",
    ]
    lead = say(
        "Analogies that both models know, answered by both: exact McNemar test, Holm's correction at a level of 5%.",
        "两个模型都认识的类比题：精确 McNemar 检验，按 Holm 法校正，水平 5%。",
    )
    return section("differences", say("Which differences are real?", "哪些差别是真的？"), lead, table(head, lines))


# ---- the end ----------------------------------------------------------------------------------------------------


def _data(facts: Facts) -> str:
    say, found = facts.say, facts.document["data"]
    items = [
        (say("Source", "来源"), str(found["source"])),
        (say("Files", "文件数"), f"{found['files']:,}" if found.get("files") else ""),
        (say("Size", "大小"), size(found["bytes"])),
        (say("Similarity sets", "相似度数据"), listed(list(found.get("similarity") or {}), say)),
        ("SHA-256", str(found.get("digest") or "")),
    ]
    lead = say("What the models learned from.", "模型学习所用的文本。")
    return section("data", say("The data", "数据"), lead, closing.pairs(items))


def _next_steps(facts: Facts) -> str:
    say, rows = facts.say, _trained(facts)
    if not rows:
        return ""
    row = facts.recommended or rows[0]
    source, path = shlex.quote(str(facts.document["data"]["source"])), "v.erya"
    steps = []
    if row["kind"] == "id":
        words = say(
            f"Train {facts.names[row['model']]} and keep it as one file.",
            f"训练{facts.names[row['model']]}，存成一个文件。",
        )
        steps.append((words, f"erya train {shlex.quote(row['model'])} {source} -o {path}"))
    else:
        path = shlex.quote(str(row["model"]))
    word = shlex.quote(say("king", "北京"))
    steps += [
        (
            say("Look at neighbours of words that you know well.", "看看你熟悉的词的近邻。"),
            f"erya show {path} near {word}",
        ),
        (say("Take it to another program.", "拿到别的程序里用。"), f"erya convert {path} v.bin"),
    ]
    items = "".join(f"<li><p>{shown(words)}</p><pre>{shown(command)}</pre></li>" for words, command in steps)
    lead = say("Click a command to select it whole, then copy it.", "点击命令即可整条选中，然后复制。")
    return section("next", say("What to do next", "下一步"), lead, f'<ol class="steps">{items}</ol>')


def _glossary(facts: Facts) -> list[tuple[str, str]]:
    say = facts.say
    return [
        (
            say("analogies", "类比"),
            say(
                "man is to king as woman is to …: right if the nearest word to king − man + woman is queen.",
                "man 之于 king，如同 woman 之于……：离 king − man + woman 最近的词若是 queen，即为答对。",
            ),
        ),
        (
            "Spearman ρ",
            say(
                "whether pairs of words are in the same order for people and for the vectors: 1 the same, 0 unrelated.",
                "按相似程度给词对排序，人与向量的次序是否一致：1 为完全一致，0 为无关。",
            ),
        ),
        (
            say("95% interval", "95% 区间"),
            say(
                "where the score would probably lie with other questions of the same kind (bootstrap).",
                "换一批同类题目，分数大概会落在这个范围内（自助法）。",
            ),
        ),
    ]
