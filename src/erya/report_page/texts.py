"""The report of a comparison of language models: ranking, the ladder over time, what each writes, what differs."""

from __future__ import annotations

import shlex
from typing import Any

from erya.board_table import guess, score_title, seconds, size
from erya.drawing import plots
from erya.drawing.markup import Cell, data, figure, plain, shown, table
from erya.report_page import closing, confidence
from erya.report_page.facts import FULL, Facts, Row, section
from erya.report_page.verdict import closed_up, ways

BAR = 150  # CSS pixels of an interval in the table
SHOWN = 400  # characters of what a model wrote


def page(facts: Facts) -> tuple[str, str]:
    """Head and sections."""
    sections = "".join(
        [
            _ranking(facts),
            _ladder(facts),
            _written(facts),
            _pairs(facts),
            confidence.curves(facts),
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
    models, test = len(facts.rows), found["test"]
    about = say(
        f"{models} model{'s' if models != 1 else ''} · {size(found['bytes'])} to learn from, scored on {test['documents']:,} "
        f"document{'s' if test['documents'] != 1 else ''} ({test['characters']:,} characters)",
        f"{models} 个模型 · 训练文本 {size(found['bytes'])}，测试 {test['documents']:,} 篇（{test['characters']:,} 字符）",
    )
    return (
        f'<header class="top"><p class="wordmark"><span lang="zh-Hans">尔雅</span> Erya'
        f'<span class="soft"> · {say("language models compared", "语言模型比较")}</span></p>'
        f'<p class="about"><b>{data(found["source"])}</b> · {shown(about)}</p>'
        f'<h1>{shown(title)}</h1><p class="verdict">{shown(sentences[0])}</p>'
        f"{f'<ul class=reasons>{reasons}</ul>' if reasons else ''}{_tiles(facts, row) if row else ''}"
        f"{ways(facts, sections)}</header>"
    )


def _tiles(facts: Facts, row: Row) -> str:
    say, score, told = facts.say, facts.score(row), facts.document["texts"][row["model"]]
    perplexity = row["scores"]["perplexity"]
    tiles = [
        (say("bits a character", "每字符比特"), f"{score['value']:.3f}", _interval(score)),
        (say("perplexity", "困惑度"), f"{perplexity['value']:,.1f}", _units(facts, told)),
        (say("training", "训练"), seconds(row.get("train_seconds")), ""),
        (say("first answer", "首次回答"), seconds(row.get("first_answer_seconds")), say("cold start", "冷启动")),
        (say("file size", "文件大小"), size(row.get("model_bytes")), ""),
    ]
    items = "".join(
        f"<div><dt>{shown(label)}</dt><dd>{shown(value)}</dd><dd class=soft>{shown(note)}</dd></div>"
        for label, value, note in tiles
    )
    return f'<dl class="tiles" aria-label="{plain(facts.names[row["model"]])}">{items}</dl>'


def _units(facts: Facts, told: dict[str, Any]) -> str:
    say = facts.say
    kinds = {
        "characters": say("characters", "字符"),
        "words": say("words", "词"),
        "whitespace": say("words", "词"),
        "bpe": say("pieces of bytes", "字节片段"),
    }
    kind = kinds.get(told["units"], told["units"])
    return say(f"of {told['vocabulary']:,} {kind}", f"{told['vocabulary']:,} 种{kind}")


def _interval(score: dict[str, float]) -> str:
    return f"{score['low']:.3f} – {score['high']:.3f}"


# ---- the table --------------------------------------------------------------------------------------------------


def _ranking(facts: Facts) -> str:
    say = facts.say
    heads = [
        say("Model", "模型"),
        say("Bits a character, 95% interval", "每字符比特与 95% 区间"),
        score_title("perplexity"),
        say("Units", "单元"),
        say("Parameters", "参数"),
        say("Training", "训练"),
        say("First answer", "首次回答"),
        say("Documents/s", "篇/秒"),
        say("File", "文件"),
        say("Peak memory", "峰值内存"),
    ]
    ends = [facts.score(row)[end] for row in facts.scored for end in ("low", "high")]
    low, high = plots.padded(ends or [0.0, 1.0], 0.04, 0.01)
    scale = plots.Scale(max(0.0, low), high, 6, BAR - 6)
    lines = [_line(facts, row, scale, len(heads)) for row in facts.rows]
    letters = [Cell(shown(guess(facts.document)), header=True), Cell(f"<b>{facts.majority:.3f}</b>")]
    lines.append([*letters, *[Cell("")] * (len(heads) - 2)])
    lead = say(
        "Fewer bits are better: what a perfect packer would need for each character of the test, if it believed the model. "
        "Perplexity is of each model's own units.",
        "比特越少越好：若完全相信模型，最好的压缩程序为测试文本每个字符要写多少比特。困惑度以各模型自己的单元计。",
    )
    return section("ranking", say("Every model, ranked", "全部模型排名"), lead, table(heads, lines, kind="ranking"))


def _line(facts: Facts, row: Row, scale: plots.Scale, width: int) -> list[Cell]:
    is_choice = row["model"] == facts.document["advice"]["recommended"]
    chip = f' <span class="chip good">{facts.say("take this", "推荐")}</span>' if is_choice else ""
    name = Cell(f'{facts.key(row["model"])}{chip} <small class="mono">{data(row["model"])}</small>', header=True)
    if not row.get("scores"):
        return [name, Cell(data(row.get("error") or "–")), *[Cell("–", "num")] * (width - 2)]
    score = facts.score(row)
    color = plots.color_of(facts.colors[row["model"]])
    bar = plots.interval_bar(score["low"], score["value"], score["high"], scale, color=color, written="{:.3f}".format)
    speed = row.get("predictions_per_second")
    costs = [
        f"{row['scores']['perplexity']['value']:,.1f}",
        _units(facts, facts.document["texts"][row["model"]]),
        "–" if row.get("parameters") is None else f"{row['parameters']:,.0f}",
        seconds(row.get("train_seconds")) + (" ◷" if row["status"] == "budget" else ""),
        seconds(row.get("first_answer_seconds")),
        "–" if speed is None else f"{speed:,.0f}",
        size(row.get("model_bytes")),
        size(row.get("peak_rss_bytes")),
    ]
    return [
        name,
        Cell(
            f'<span class="bar">{bar}</span> <b>{score["value"]:.3f}</b> <span class="soft">{_interval(score)}</span>'
        ),
        *(Cell(shown(cost), "num") for cost in costs),
    ]


def _ladder(facts: Facts) -> str:
    """The rungs, from the one that knows least: what each of them bought."""
    say = facts.say
    rows = [row for row in facts.scored if row.get("train_seconds")]
    if len(rows) < 2:
        return ""
    rows.sort(key=lambda row: -float(facts.score(row)["value"]))
    names = [str(row["model"]).partition("/")[2] for row in rows]
    series = {say("bits a character", "每字符比特"): [float(facts.score(row)["value"]) for row in rows]}
    title = say("Bits a character, rung by rung", "逐级下降的每字符比特")
    drawing = plots.responsive(lambda width: plots.lines(title, names, series, width, 240), wide=FULL)
    told = say(
        "From the model that knows least to the one that knows most; what each took stands in the table.",
        "从懂得最少的到懂得最多的；各自花了多少时间与参数，见上表。",
    )
    return section("ladder", say("What each rung bought", "每一级换来了什么"), told, figure(drawing))


def _written(facts: Facts) -> str:
    """What every model makes of the same beginnings."""
    say, found = facts.say, facts.document["texts"]
    rows = [row for row in facts.scored if row["model"] in found]
    if not rows:
        return ""
    items = []
    for place, (prompt, _) in enumerate(found[rows[0]["model"]]["written"]):
        told = "".join(
            f'<p class="meta"><span class="soft">{facts.key(row["model"])}</span> '
            f"{_text(found[row['model']]['written'][place])}</p>"
            for row in rows
        )
        begin = data(prompt) if prompt else shown(say("(the beginning of a document)", "（文档开头）"))
        items.append(f'<li><span class="quote" dir="auto">{begin}</span>{told}</li>')
    lead = say(
        "The same beginnings, the same seed; temperature 0.8, of the units that have 95% of the probability together.",
        "相同的开头，相同的种子；温度 0.8，只在概率合计 95% 的单元中抽取。",
    )
    return section("written", say("What they write", "它们写的"), lead, f'<ol class="found">{"".join(items)}</ol>')


def _text(pair: list[str]) -> str:
    prompt, text = pair
    new = text[len(prompt) :] if text.startswith(prompt) else text
    return f"{data(prompt)}<b>{'<br>'.join(data(line) for line in new[:SHOWN].splitlines())}</b>"


def _pairs(facts: Facts) -> str:
    say, pairs = facts.say, facts.document["pairs"]
    if not pairs:
        return ""
    lines = [
        [
            facts.names[pair["a"]],
            facts.names[pair["b"]],
            Cell(f"{pair['difference']:+.3f}", "num"),
            Cell(f"[{pair['low']:+.3f}, {pair['high']:+.3f}]", "num"),
            say("significant", "显著") if pair["significant"] else say("may be luck", "可能是运气"),
        ]
        for pair in pairs
    ]
    head = [
        say("First", "模型甲"),
        say("Second", "模型乙"),
        say("Difference, bits a character", "差（每字符比特）"),
        say("95% interval", "95% 区间"),
        "",
    ]
    lead = say(
        "On the same documents: randomisation test, Holm's correction at a level of 5%. One document alone decides nothing.",
        "在相同的文档上：随机化检验，按 Holm 法校正，水平 5%。只有一篇文档时无法判定。",
    )
    return section("differences", say("Which differences are real?", "哪些差别是真的？"), lead, table(head, lines))


# ---- the end ----------------------------------------------------------------------------------------------------


def _next_steps(facts: Facts) -> str:
    say = facts.say
    row = facts.recommended or (facts.scored[0] if facts.scored else None)
    if row is None:
        return ""
    source, path = shlex.quote(str(facts.document["data"]["source"])), "lm.erya"
    steps = []
    if row["kind"] == "id":
        name = facts.names[row["model"]]
        words = say(f"Train {name} and keep it as one file.", f"训练{name}，存成一个文件。")
        steps.append((words, f"erya train {shlex.quote(row['model'])} {source} -o {path}"))
    else:
        path = shlex.quote(str(row["model"]))
    text = shlex.quote(say("your text", "你的文本"))
    steps += [
        (say("Let it go on with a text.", "让它接着写。"), f"erya predict {path} --input {text}"),
        (say("See which words surprise it.", "看哪些字词出乎它的意料。"), f"erya explain {path} {text}"),
    ]
    items = "".join(f"<li><p>{shown(words)}</p><pre>{shown(command)}</pre></li>" for words, command in steps)
    lead = say("Click a command to select it whole, then copy it.", "点击命令即可整条选中，然后复制。")
    return section("next", say("What to do next", "下一步"), lead, f'<ol class="steps">{items}</ol>')


def _glossary(facts: Facts) -> list[tuple[str, str]]:
    say = facts.say
    return [
        (
            say("bits a character", "每字符比特"),
            say(
                "−log2 of the probability of the whole test, by its characters; ends of documents count, and so does the spelling of "
                "what a model does not know.",
                "整份测试文本概率的 −log2 除以字符数；文档结尾计入，模型不认识的单元按拼写计入。",
            ),
        ),
        (
            say("perplexity", "困惑度"),
            say(
                "among how many equally probable units a model seems to choose each time: 1 at best, the vocabulary for the uniform guess.",
                "模型每次好像在多少个等可能的单元中选择：最好为 1，均匀猜测则等于词表大小。",
            ),
        ),
        (
            say("95% interval", "95% 区间"),
            say(
                "where the score would probably lie on other documents of the same kind (bootstrap).",
                "换一批同类文档，分数大概会落在这个范围内（自助法）。",
            ),
        ),
    ]
