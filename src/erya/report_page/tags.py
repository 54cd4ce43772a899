"""The report of a comparison of taggers: ranking, what differs, which types are hard, what kind of mistakes, hard sentences."""

from __future__ import annotations

import shlex
from typing import Any

from erya.board_table import guess, score_title, seconds, size
from erya.drawing import plots
from erya.drawing.markup import Cell, cut, data, details, figure, percent, plain, shown, table
from erya.drawing.palette import step_of
from erya.report_page import answers, closing, confidence
from erya.report_page.differences import differences
from erya.report_page.facts import FULL, Facts, Row, capital, section
from erya.report_page.tradeoff import tradeoff
from erya.report_page.verdict import closed_up, ways
from erya.tasks import tag
from erya.text.sentences import joined

BAR = 150  # CSS pixels of an interval in the table
MISTAKES = 12  # sentences in sight
LISTED = 14  # pairs of confused types
KINDS = ("type", "boundary", "both", "added", "missed")


def page(facts: Facts) -> tuple[str, str]:
    """Head and sections."""
    sections = "".join(
        [
            _ranking(facts),
            tradeoff(facts),
            differences(facts),
            _chance(facts),
            answers.labels(facts),
            _kinds(facts),
            _sentences(facts),
            confidence.curves(facts),
            closing.about_data(facts),
            _next_steps(facts),
            closing.environment(facts, _glossary(facts)),
        ]
    )
    return _header(facts, sections), sections


def _header(facts: Facts, sections: str) -> str:
    say, found = facts.say, facts.document["data"]
    sentences = [closed_up(sentence) for sentence in facts.document["advice"]["sentences"]] or [""]
    row = facts.recommended
    title = say(f"Take {facts.names[row['model']]}", f"推荐{facts.names[row['model']]}") if row else ""
    title = title or say("No model stands out", "没有明显更好的模型")
    reasons = "".join(f"<li>{shown(sentence)}</li>" for sentence in sentences[1:])
    models, tokens = len(facts.rows), found["tokens"]["train"]
    about = say(
        f"{models} model{'s' if models != 1 else ''} · trained on {found['rows']['train']:,} sentences ({tokens:,} tokens), "
        f"scored on {found['rows']['test']:,}",
        f"{models} 个模型 · 训练 {found['rows']['train']:,} 句（{tokens:,} 词），测试 {found['rows']['test']:,} 句",
    )
    shown_row = row or (facts.scored[0] if facts.scored else None)
    return (
        f'<header class="top"><p class="wordmark"><span lang="zh-Hans">尔雅</span> Erya'
        f'<span class="soft"> · {say("taggers compared", "序列标注模型比较")}</span></p>'
        f'<p class="about"><b>{data(found["source"])}</b> · {shown(about)}</p>'
        f'<h1>{shown(title)}</h1><p class="verdict">{shown(sentences[0])}</p>'
        f"{f'<ul class=reasons>{reasons}</ul>' if reasons else ''}{_tiles(facts, shown_row) if shown_row else ''}"
        f"{ways(facts, sections)}</header>"
    )


def _tiles(facts: Facts, row: Row) -> str:
    say, score, speed = facts.say, facts.score(row), row.get("predictions_per_second")
    tiles = [
        (capital(facts.measure), percent(score["value"]), _interval(score)),
        (say("training", "训练"), seconds(row.get("train_seconds")), ""),
        (say("first answer", "首次回答"), seconds(row.get("first_answer_seconds")), say("cold start", "冷启动")),
        (say("sentences per second", "每秒句数"), "–" if speed is None else f"{speed:,.0f}", ""),
        (say("file size", "文件大小"), size(row.get("model_bytes")), ""),
    ]
    told = "".join(
        f"<div><dt>{shown(label)}</dt><dd>{shown(value)}</dd><dd class=soft>{shown(note)}</dd></div>"
        for label, value, note in tiles
    )
    return f'<dl class="tiles" aria-label="{plain(facts.names[row["model"]])}">{told}</dl>'


def _interval(score: dict[str, float]) -> str:
    return f"{percent(score['low'])} – {percent(score['high'])}"


# ---- the table --------------------------------------------------------------------------------------------------


def _ranking(facts: Facts) -> str:
    say = facts.say
    first, *others = facts.document["columns"]
    heads = [
        say("Model", "模型"),
        say(f"{score_title(first)}, 95% interval", f"{score_title(first)}与 95% 区间"),
        *(capital(score_title(name)) for name in others),
        say("Training", "训练"),
        say("First answer", "首次回答"),
        say("Sentences/s", "句/秒"),
        say("File", "文件"),
        say("Peak memory", "峰值内存"),
    ]
    ends = [facts.score(row)[end] for row in facts.scored for end in ("low", "high")]
    low, high = plots.padded(ends or [0.0, 1.0], 0.04, 0.01)
    scale = plots.Scale(max(0.0, low), min(1.0, high), 6, BAR - 6)
    head = "".join(
        f'<th scope="col"{" class=num" if place > 1 else ""}>{shown(name)}</th>' for place, name in enumerate(heads)
    )
    lines = "".join(_line(facts, row, place, others, scale, heads) for place, row in enumerate(facts.rows, 1))
    rule = [percent(facts.document["baseline"]["scores"].get(name)) for name in others]
    lines += (
        f'<tr class="baseline">{_who("", shown(guess(facts.document)))}'
        f'<td class="accuracy" data-label="{plain(heads[1])}">'
        f'<span class="value">{percent(facts.majority)}</span></td>'
        f'{_numbers(rule, heads[2:])}<td colspan="5"></td></tr>'
    )
    lead = say(
        f"Bars show where the true {facts.measure} lies with 95% confidence, from resampled sentences.",
        f"横条表示真实{facts.measure}的 95% 置信区间（对句子重采样）。",
    )
    body = f'<div class="scroll"><table class="ranking cards"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
    return section("ranking", say("Every model, ranked", "全部模型排名"), lead, body)


def _who(place: str, markup: str) -> str:
    return f'<th scope="row"><div class="model"><span class="place">{place}</span><span class="who">{markup}</span></div></th>'


def _numbers(cells: list[str], heads: list[str]) -> str:
    return "".join(
        f'<td class="num" data-label="{plain(head)}">{shown(cell)}</td>'
        for cell, head in zip(cells, heads, strict=False)
    )


def _line(facts: Facts, row: Row, place: int, others: list[str], scale: plots.Scale, heads: list[str]) -> str:
    is_choice = row["model"] == facts.document["advice"]["recommended"]
    chip = f' <span class="chip good">{facts.say("take this", "推荐")}</span>' if is_choice else ""
    kind = f'<small class="mono">{data(row["model"])}</small>' if row["model"] != facts.names[row["model"]] else ""
    name = _who(str(place) if row.get("scores") else "–", f"{facts.key(row['model'])}{chip}{kind}")
    if not row.get("scores"):
        return f'<tr class="lost">{name}<td colspan="{len(heads) - 1}">{data(row.get("error") or "–")}</td></tr>'
    score = facts.score(row)
    color = plots.color_of(facts.colors[row["model"]])
    bar = plots.interval_bar(score["low"], score["value"], score["high"], scale, color=color)
    speed = row.get("predictions_per_second")
    cells = [
        *(percent(row["scores"][other]["value"]) if other in row["scores"] else "–" for other in others),
        seconds(row.get("train_seconds")) + (" ◷" if row["status"] == "budget" else ""),
        seconds(row.get("first_answer_seconds")),
        "–" if speed is None else f"{speed:,.0f}",
        size(row.get("model_bytes")),
        size(row.get("peak_rss_bytes")),
    ]
    interval = f"[{100 * score['low']:.1f}, {100 * score['high']:.1f}]"
    return (
        f'<tr{" class=choice" if is_choice else ""}>{name}<td class="accuracy" data-label="{plain(heads[1])}">'
        f'<span class="bar">{bar}</span><br><span class="value">{percent(score["value"])}</span> '
        f'<span class="soft">{interval}</span></td>{_numbers(cells, heads[2:])}</tr>'
    )


def _chance(facts: Facts) -> str:
    """Every model beside the rule that reads no context."""
    say = facts.say
    if not facts.scored:
        return ""
    scores = [(facts.names[row["model"]], facts.score(row)) for row in facts.scored]
    bars = [(name, score["low"], score["value"], score["high"]) for name, score in scores]
    colors = [facts.colors[row["model"]] for row in facts.scored]
    rule = (guess(facts.document), facts.majority)
    title = say(
        f"{facts.measure} against each token's most frequent tag", f"{facts.measure}与“每个词最常见的标签”的比较"
    )
    drawing = plots.responsive(lambda width: plots.intervals(bars, colors, rule, width, title), wide=FULL)
    lead = say(
        f"Each token's most frequent tag, whatever stands around it, gets {percent(facts.majority)}: "
        "what lies beyond that is context.",
        f"不看上下文、给每个词最常见的标签，可得 {percent(facts.majority)}；超出的部分来自上下文。",
    )
    return section("chance", say("What does context add?", "上下文带来了多少？"), lead, figure(drawing))


# ---- mistakes -----------------------------------------------------------------------------------------------------


def _kinds(facts: Facts) -> str:
    """What is wrong with the spans that are wrong."""
    say, found = facts.say, facts.document["kinds"]
    models = [row["model"] for row in facts.scored if row["model"] in found]
    if not models:
        return ""
    titles = [
        say("wrong type", "类型错"),
        say("wrong boundary", "边界错"),
        say("both wrong", "都错"),
        say("nothing there", "无中生有"),
        say("missed", "漏掉"),
    ]
    most = max([1, *(found[model][name] for model in models for name in KINDS)])
    lines = [
        [
            Cell(facts.key(model), header=True),
            Cell(f"{found[model]['right']:,}", "num"),
            *(
                Cell(f"{found[model][name]:,}", f"num {step_of(-0.5 * found[model][name] / most, 1.0)}")
                for name in KINDS
            ),
        ]
        for model in models
    ]
    body = table([say("Model", "模型"), say("right", "正确"), *titles], lines, kind="labels")
    chosen = facts.document["advice"]["recommended"]
    for model in sorted(models, key=lambda model: model != chosen):
        pairs = [[one["label"], one["answer"], one["count"]] for one in found[model]["confused"][:LISTED]]
        if pairs:
            heads = [say("True type", "实际类型"), say("Answered", "回答"), say("Spans", "片段数")]
            body += details(facts.names[model], table(heads, pairs), is_open=model == chosen)
    lead = say(
        "A span counts only where its ends and its type are right. Here is what the others get wrong.",
        "片段的两端和类型都对才算对。这里是其余片段错在哪里。",
    )
    return section("confused", say("What kind of mistakes?", "错在哪里？"), lead, body)


def _sentences(facts: Facts) -> str:
    """The sentences that the models together get most wrong."""
    say, found = facts.say, facts.document["mistakes"]
    if not found:
        return ""
    items = [_item(facts, one) for one in found]
    body = f'<ol class="found">{"".join(items[:MISTAKES])}</ol>'
    if items[MISTAKES:]:
        rest = f'<ol class="found">{"".join(items[MISTAKES:])}</ol>'
        body += details(say(f"{len(items) - MISTAKES} more", f"另外 {len(items) - MISTAKES} 句"), rest)
    lead = say(
        "Hard sentences, or tags that are wrong in the data: the first line is what the data says.",
        "难句，或是数据里标错的句子：第一行是数据的标注。",
    )
    return section("mistakes", say("Sentences worth reading", "值得一读的句子"), lead, body)


def _item(facts: Facts, one: dict[str, Any]) -> str:
    """A sentence with its true spans, and how each model answered it; what is wrong of that is marked."""
    say = facts.say
    tokens: list[str] = one.get("tokens") or one["text"].split(" ")
    given = {model: tags for model, tags in one["answers"].items() if model in facts.names}
    true, *answered = _pieces(tokens, [one["tags"], *given.values()], facts.document["kinds"])
    lines = [(say("data", "数据"), true, set(true))]
    lines += [(facts.names[model], found, set(true)) for model, found in zip(given, answered, strict=True)]
    told = "".join(
        f'<p class="meta"><span class="soft">{shown(cut(name, 40))}</span> {_marked(found, right)}</p>'
        for name, found, right in lines
    )
    row = say(f"sentence {one['row']}", f"第 {one['row']} 句")
    text = joined(tokens)[0]
    return f'<li><span class="quote" dir="auto">{shown(text)}</span> <span class="small soft">{shown(row)}</span>{told}</li>'


Piece = tuple[int, int, str, str]  # first token, the one behind the last, what they are called, their text


def _pieces(tokens: list[str], sequences: list[list[str]], has_spans: Any) -> list[list[Piece]]:
    """Of each sequence of tags the spans; of tags that tell none the tokens on which the sequences differ."""
    if has_spans:
        return [
            [
                (first, end, label, joined(tokens[first:end])[0])
                for first, end, label in tag.token_spans([tags], "iob2")[0]
            ]
            for tags in sequences
        ]
    apart = [at for at in range(len(tokens)) if len({tags[at] for tags in sequences if at < len(tags)}) > 1]
    return [[(at, at + 1, tags[at], tokens[at]) for at in apart if at < len(tags)] for tags in sequences]


def _marked(found: list[Piece], right: set[Piece]) -> str:
    """Texts with what they were called."""
    told = [
        f"<span{'' if piece in right else ' class=off'}>{data(piece[3])}{f' <b>{data(piece[2])}</b>' if piece[2] else ''}</span>"
        for piece in found
    ]
    return " · ".join(told) or "–"


# ---- the end ------------------------------------------------------------------------------------------------------


def _next_steps(facts: Facts) -> str:
    say = facts.say
    row = facts.recommended or (facts.scored[0] if facts.scored else None)
    if row is None:
        return ""
    source, path = shlex.quote(str(facts.document["data"]["source"])), "t.erya"
    steps = []
    if row["kind"] == "id":
        name = facts.names[row["model"]]
        words = say(f"Train {name} and keep it as one file.", f"训练{name}，存成一个文件。")
        steps.append((words, f"erya train {shlex.quote(row['model'])} {source} -o {path}"))
    else:
        path = shlex.quote(str(row["model"]))
    text = shlex.quote(say("your text", "你的文本"))
    steps += [
        (say("Ask it for the spans of a text.", "让它标出一段文本里的片段。"), f"erya predict {path} --input {text}"),
        (say("See what it weighed up.", "看它在哪些标签之间权衡。"), f"erya show {path} lattice {text}"),
        (say("Look for slips in the tags.", "检查标注里的疏漏。"), f"erya check {source} --task tag"),
    ]
    items = "".join(f"<li><p>{shown(words)}</p><pre>{shown(command)}</pre></li>" for words, command in steps)
    lead = say("Click a command to select it whole, then copy it.", "点击命令即可整条选中，然后复制。")
    return section("next", say("What to do next", "下一步"), lead, f'<ol class="steps">{items}</ol>')


def _glossary(facts: Facts) -> list[tuple[str, str]]:
    say = facts.say
    return [
        (
            say("precision, recall, F1", "精确率、召回率、F1"),
            say(
                "of the spans that were answered, how many are right; of the true spans, how many were found; the balance of both. "
                "A span is right only with both ends and its type (conlleval).",
                "回答的片段中有多少是对的；真实片段中找到了多少；二者的调和平均。片段两端与类型都对才算对（conlleval）。",
            ),
        ),
        (say("accuracy", "准确率"), say("share of tokens whose tag is right.", "标签正确的词所占比例。")),
        (
            say("95% interval", "95% 区间"),
            say(
                "where the score would probably lie on other sentences of the same kind (bootstrap).",
                "换一批同类句子，分数大概会落在这个范围内（自助法）。",
            ),
        ),
        (
            say("significant", "显著"),
            say(
                "so large a difference would arise by luck in fewer than 5% of cases, all pairs taken together (answers to whole "
                "sentences are swapped at random).",
                "把所有比较合在一起看，这么大的差别纯属运气的可能不到 5%（随机交换整句的回答）。",
            ),
        ),
    ]
