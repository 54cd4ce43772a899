"""The report of a search: one page that stands alone, drawn from the ``erya.tune/1`` document."""

from __future__ import annotations

import json
import shlex
from typing import Any

from erya import charts
from erya.board_table import score_title, seconds, size
from erya.drawing import plots
from erya.drawing.markup import Cell, Say, data, details, figure, percent, plain, shown, speaker, table
from erya.drawing.style import rules
from erya.report_page.closing import pairs
from erya.report_page.facts import section
from erya.tuning import pictures
from erya.tuning.wording import command, ranked, verdict
from erya.tuning.wording import shown as typed

TRIALS = 15  # in sight; the others unfold
STYLE = ".erya .ring{fill:none;stroke:var(--ink);stroke-width:1.5}.erya .settings{font-size:12.5px}"
STYLE += ".erya #trials th,.erya #trials td:nth-child(2),.erya #settings th{white-space:nowrap}"
Document = dict[str, Any]


def render(document: Document) -> str:
    """The self-contained HTML page; the same document gives the same bytes.

    Args:
        document: of schema ``erya.tune/1``; its ``language`` is the page's.
    """
    say = speaker(document.get("language", "en"))
    colors = {one["model"]: place for place, one in enumerate(document["models"])}
    sections = "".join(
        [
            _judged(document, say),
            _settings(document, say),
            _search(document, colors, say),
            _mattered(document, colors, say),
            _models(document, colors, say),
            _trials(document, colors, say),
            _next(document, say),
            _repeat(document, say),
        ]
    )
    foot = say(
        "Made by Erya on this computer; nothing on this page was sent or fetched.",
        "由 Erya 在本机生成；本页没有发送或获取任何数据。",
    )
    body = (
        f'<div class="report">{_top(document, sections, say)}<main>{sections}</main>'
        f'<footer class="soft">{shown(foot)}</footer></div>'
    )
    source = document["data"]["source"]
    title = say(f"Settings searched on {source} · Erya", f"{source} 调参报告 · Erya 尔雅")
    style = rules("erya.report_page", "report.css") + STYLE
    return charts.page(title, body, document.get("language", "en"), style=style)


# ---- the top ----------------------------------------------------------------------------------------------------


def _top(document: Document, sections: str, say: Say) -> str:
    found, winner = document["data"], document["winner"]
    trials, models = len(document["trials"]), len(document["models"])
    took = seconds(document["seconds"])
    about = say(
        f"{trials} trials of {models} model{'s' if models > 1 else ''} in {took} · trained on {found['rows']['train']:,} "
        f"rows, chosen by {found['rows']['dev']:,}, judged by {found['rows']['test']:,}",
        f"{models} 个模型，{trials} 次试验，用时 {took} · 训练 {found['rows']['train']:,} 行，"
        f"挑选 {found['rows']['dev']:,} 行，评判 {found['rows']['test']:,} 行",
    )
    name = winner["name"]
    pair = document["test"]["pair"]
    title = say(f"{name}, with other settings", f"{name}，换了设置")
    if winner["is_default"]:
        title = say(f"Keep the defaults of {name}", f"保留{name}的默认设置")
    elif pair is not None and not pair["significant"]:
        title = say(f"{name}: tuning changed little", f"{name}：调参收效不大")
    elif pair is not None:
        title = (
            say(f"{name}: better than its defaults", f"{name}：胜过默认设置")
            if pair["difference"] > 0
            else say(f"{name}: the defaults are better", f"{name}：默认设置更好")
        )
    first, *rest = verdict(document, say)
    reasons = "".join(f"<li>{shown(sentence)}</li>" for sentence in rest)
    return (
        f'<header class="top"><p class="wordmark"><span lang="zh-Hans">尔雅</span> Erya'
        f'<span class="soft"> · {say("search for settings", "调参")}</span></p>'
        f'<p class="about"><b>{data(found["source"])}</b> · {shown(about)}</p><h1>{shown(title)}</h1>'
        f'<p class="verdict">{shown(first)}</p>{f"<ul class=reasons>{reasons}</ul>" if reasons else ""}'
        f"{_tiles(document, say)}{_ways(sections, say)}</header>"
    )


def _tiles(document: Document, say: Say) -> str:
    test, winner, refit = document["test"], document["winner"], document["refit"]
    headline = test["headline"]
    score, default = test["tuned"][headline], (test["default"] or {}).get(headline)
    measure = {
        "accuracy": say("accuracy on test rows", "测试准确率"),
        "f1": say("F1 on test sentences", "测试 F1"),
    }.get(headline, say("micro F1 on test rows", "测试微平均 F1"))
    speed = refit["texts_per_second"]
    beside = say(f"defaults: {percent(default['value'])}", f"默认设置：{percent(default['value'])}") if default else ""
    tiles = [
        (
            measure,
            percent(score["value"]),
            f"{percent(score['low'])} – {percent(score['high'])}{' · ' if beside else ''}{beside}",
        ),
        (say("on validation rows", "验证分数"), _value(document, winner["validation"]), say("optimistic", "偏乐观")),
        (say("training", "训练"), seconds(refit["seconds"]), say(f"{refit['rows']:,} rows", f"{refit['rows']:,} 行")),
        (say("texts per second", "每秒文本数"), "–" if speed is None else f"{speed:,.0f}", ""),
        (say("file size", "文件大小"), size(refit["bytes"]), ""),
    ]
    told = "".join(
        f"<div><dt>{shown(label)}</dt><dd>{shown(value)}</dd><dd class=soft>{shown(note)}</dd></div>"
        for label, value, note in tiles
    )
    return f'<dl class="tiles" aria-label="{plain(winner["name"])}">{told}</dl>'


def _ways(sections: str, say: Say) -> str:
    ways = [
        ("judged", say("Judged", "评判")),
        ("settings", say("Settings", "设置")),
        ("search", say("Search", "搜索过程")),
        ("mattered", say("What mattered", "影响大小")),
        ("models", say("Models", "模型")),
        ("trials", say("Trials", "各次试验")),
        ("next", say("Next steps", "下一步")),
        ("repeat", say("Repeat", "重现")),
    ]
    links = "".join(f'<a href="#{name}">{shown(word)}</a>' for name, word in ways if f'id="{name}"' in sections)
    return f'<nav class="ways" aria-label="{say("Sections", "各节")}">{links}</nav>'


def _value(document: Document, score: dict[str, Any] | None) -> str:
    if score is None or score.get("value") is None:
        return "–"
    return f"{score['value']:.4f}" if document["sign"] < 0 else percent(score["value"])


# ---- sections ---------------------------------------------------------------------------------------------------


def _judged(document: Document, say: Say) -> str:
    test = document["test"]
    names = list(test["tuned"])
    lines = []
    tuned = say("default", "默认") if document["winner"]["is_default"] else say("tuned", "调参后")
    for who, scores in ((tuned, test["tuned"]), (say("default", "默认"), test["default"])):
        if scores is not None:
            cells = [
                f"{scores[name]['value']:.4f} [{scores[name]['low']:.4f}, {scores[name]['high']:.4f}]" for name in names
            ]
            lines.append([Cell(shown(who), header=True), *(Cell(cell, "num") for cell in cells)])
    drawing = plots.responsive(lambda width: pictures.judged(document, width, say))
    with_dev, rows = "dev" in document["refit"]["parts"], f"{document['refit']['rows']:,}"
    parts = say("training and validation rows", "训练与验证数据") if with_dev else say("training rows", "训练数据")
    lead = say(
        f"Both were trained on the same {rows} {parts}; {test['rows']:,} test rows were asked once, after the search.",
        f"两者都用同样的 {rows} 行{parts}训练；{test['rows']:,} 行测试数据只在搜索结束后用过一次。",
    )
    if document["winner"]["is_default"]:
        lead = say(
            f"Trained on {rows} {parts}; {test['rows']:,} test rows were asked once, after the search.",
            f"用 {rows} 行{parts}训练；{test['rows']:,} 行测试数据只在搜索结束后用过一次。",
        )
    body = figure(drawing, beside=details(say("all scores", "全部分数"), table(["", *names], lines)))
    return section("judged", say("How good is it?", "结果如何？"), lead, body)


def _settings(document: Document, say: Say) -> str:
    winner = document["winner"]
    model = next(one for one in document["models"] if one["model"] == winner["model"])
    lines = []
    for name, value in sorted(winner["settings"].items()):
        default, is_changed = model["default"][name], name in winner["changed"]
        told = f"<b>{shown(typed(value))}</b>" if is_changed else shown(typed(value))
        lines.append(
            [
                Cell(f'<code class="mono">{shown(name)}</code>', header=True),
                Cell(told, "num"),
                Cell(shown(typed(default)), "num"),
                Cell(shown(_span(model["space"][name], say))),
            ]
        )
    lines += [
        [
            Cell(f'<code class="mono">{shown(name)}</code>', header=True),
            Cell(shown(typed(value)), "num"),
            Cell("–", "num"),
            Cell(shown(say("fixed", "固定"))),
        ]
        for name, value in sorted(winner["frozen"].items())
    ]
    head = [say("Setting", "设置"), say("found", "找到的值"), say("default", "默认值"), say("searched", "搜索范围")]
    lead = say(
        "Bold where it differs from the default; all other settings are the defaults.",
        "粗体表示与默认不同；其他设置均为默认值。",
    )
    return section("settings", say("The settings", "设置"), lead, table(head, lines))


def _span(told: dict[str, Any], say: Say) -> str:
    """A range or a choice in words."""
    if "choice" in told:
        return " · ".join(typed(value) for value in told["choice"])
    scale = {
        "log": say("by magnitude", "对数"),
        "linear": say("evenly", "均匀"),
        "integer": say("whole numbers", "整数"),
    }
    return f"{told['low']:g} – {told['high']:g}, {scale[told['scale']]}"


def _search(document: Document, colors: dict[str, int], say: Say) -> str:
    drawing = plots.responsive(lambda width: pictures.over_time(document, colors, width, say), plots.WIDE + 240)
    keys = " ".join(f'<span class="voter">{_key(document, one["model"], colors)}</span>' for one in document["models"])
    lead = say(
        f"Every training by its {score_title(document['score'])} on the validation rows.",
        f"每次训练在验证数据上的{score_title(document['score'])}。",
    )
    body = f"<p>{keys}</p>{figure(drawing, pictures.legend(document, say))}"
    return section("search", say("How the search went", "搜索过程"), lead, body)


def _key(document: Document, model: str, colors: dict[str, int]) -> str:
    name = next(one["name"] for one in document["models"] if one["model"] == model)
    return f'<span class="key" style="--c:var(--s{colors[model] % 8})"></span>{data(name)}'


def _mattered(document: Document, colors: dict[str, int], say: Say) -> str:
    shares = {(one["model"], one["setting"]): one for one in document["mattered"]}
    blocks = ""
    order = sorted(document["models"], key=lambda one: one["model"] != document["winner"]["model"])
    for model in order:
        panels = ""
        names = sorted(model["space"], key=lambda name: -shares.get((model["model"], name), {"share": -1.0})["share"])
        for name in names:
            drawing = pictures.by_setting(document, model, name, plots.color_of(colors[model["model"]]), say)
            share = shares.get((model["model"], name))
            told = (
                "–"
                if share is None
                else say(f"{percent(share['share'], 0)} of the variance", f"方差的 {percent(share['share'], 0)}")
            )
            heading = f'<h3><code class="mono">{shown(name)}</code> <span class="soft">{shown(told)}</span></h3>'
            panels += f'<div class="card">{heading}{drawing}</div>' if drawing else ""
        if not panels:
            continue
        gallery = f'<div class="gallery two">{panels}</div>'
        if model is order[0]:
            title = f"<h3>{_key(document, model['model'], colors)}</h3>" if len(order) > 1 else ""
            blocks += title + gallery
        else:
            blocks += details(model["name"], gallery)
    if not blocks:
        return ""
    lead = say(
        "The share of the variance of the scores that each setting explains by itself, beyond what chance would: a parabola over a "
        "range, a mean for each choice. Settings were drawn together, so that this is a hint, no proof.",
        "每项设置单独能解释分数方差的多少（已扣除纯属偶然的部分）：范围用抛物线，选项用各自的平均。各项设置是同时抽取的，所以这只是线索，不是证明。",
    )
    return section("mattered", say("What mattered?", "哪些设置有影响？"), lead, blocks)


def _models(document: Document, colors: dict[str, int], say: Say) -> str:
    if len(document["models"]) + len(document["left_out"]) < 2:
        return ""
    lines = [
        [
            Cell(_key(document, one["model"], colors), header=True),
            one["trials"],
            Cell(_value(document, one["default_score"]), "num"),
            Cell(_value(document, one["best_score"]), "num"),
            Cell(seconds(one["seconds"]), "num"),
            one["failed"],
        ]
        for one in sorted(
            document["models"],
            key=lambda one: -document["sign"] * one["best_score"]["value"] if one["best_score"] else float("inf"),
        )
    ]
    head = [
        say("Model", "模型"),
        say("Trials", "试验"),
        say("Default", "默认"),
        say("Best", "最好"),
        say("Time", "用时"),
        say("Failed", "失败"),
    ]
    left_out = "".join(f"<li>{data(one['model'])}: {shown(one['reason'])}</li>" for one in document["left_out"])
    body = table(head, lines)
    if left_out:
        body += f'<p class="foot">{shown(say("Left out:", "未参加："))}</p><ul class="foot">{left_out}</ul>'
    lead = say(
        "On all training rows, by the validation rows. A model that did well is drawn more often.",
        "使用全部训练行，在验证数据上的分数。表现好的模型被抽到的次数更多。",
    )
    return section("models", say("The models", "各个模型"), lead, body)


def _trials(document: Document, colors: dict[str, int], say: Say) -> str:
    head = [
        say("Trial", "试验"),
        say("Model", "模型"),
        say("Score", "分数"),
        say("Rows", "行数"),
        say("Time", "用时"),
        say("Settings", "设置"),
    ]
    lines = []
    for trial in ranked(document):
        last = trial["attempts"][-1]
        settings = " ".join(f"{name}={typed(value)}" for name, value in trial["settings"].items())
        told = f'<code class="settings">{shown(settings)}</code>'
        if trial["is_default"]:
            told = f"{shown(say('the defaults', '默认设置'))} {told}"
        if last["status"] == "failed":
            told += f'<br><span class="chip bad">{shown(say("failed", "失败"))}</span> {data(last["error"])}'
        elif last["status"] == "cut":
            told += f' <span class="chip bad">{shown(say("ended by the budget", "因预算而提前结束"))}</span>'
        chip = (
            f' <span class="chip good">{shown(say("winner", "胜者"))}</span>'
            if trial["trial"] == document["winner"]["trial"]
            else ""
        )
        lines.append(
            [
                Cell(f"{trial['trial']}{chip}", header=True),
                Cell(_key(document, trial["model"], colors)),
                Cell(_value(document, last), "num"),
                Cell(f"{document['rungs'][last['rung']]['rows']:,}", "num"),
                Cell(seconds(last["seconds"]), "num"),
                Cell(told),
            ]
        )
    body = table(head, lines[:TRIALS])
    if lines[TRIALS:]:
        count = len(lines) - TRIALS
        body += details(say(f"{count} more trials", f"另外 {count} 次试验"), table(head, lines[TRIALS:]))
    rungs = say(", ", "、").join(f"{rung['rows']:,}" for rung in document["rungs"])
    lead = say(
        f"Trials begin on few rows, and the better third of them goes on to more: {rungs}. Each is shown with the most rows it reached.",
        f"试验先用较少的行，较好的三分之一再用更多的行：{rungs}。每次试验按它用过的最多行数显示。",
    )
    if len(document["rungs"]) == 1:
        lead = say("Every trial learned from all training rows.", "每次试验都用了全部训练行。")
    return section("trials", say("Every trial", "各次试验"), lead, body)


def _next(document: Document, say: Say) -> str:
    winner, source = document["winner"], shlex.quote(str(document["data"]["source"]))
    model = shlex.quote(f"{document['folder']}/model.erya")
    sets = {**winner["frozen"], **winner["settings"]}
    if str(document["data"]["source"]).startswith("sample:"):
        sets.pop("tokenizer", None)
    settings = " ".join(f"--set {shlex.quote(f'{name}={typed(value)}')}" for name, value in sorted(sets.items()))
    steps = [
        (
            say("Ask the model for an answer.", "让模型回答一条文本。"),
            f"erya predict {model} --input TEXT --top 3",
        ),
        (
            say("Score it on data it has never seen.", "在它没见过的数据上评分。"),
            f"erya evaluate {model} new.csv",
        ),
        (
            say("Train with these settings on other data.", "用这些设置在别的数据上训练。"),
            f"erya train {winner['model']} {source} {settings} -o m.erya",
        ),
        (
            say(
                "Search on where this search ended: the same folder, a larger budget.",
                "从这次结束的地方接着搜索：同一文件夹，更大的预算。",
            ),
            command(
                {
                    **document,
                    "budget_seconds": 2 * (document["budget_seconds"] or document["seconds"]),
                    "trials_asked": None,
                }
            ),
        ),
    ]
    told = "".join(f"<li><p>{shown(words)}</p><pre>{shown(line)}</pre></li>" for words, line in steps)
    lead = say("Click a command to select it whole, then copy it.", "点击命令即可整条选中，然后复制。")
    return section("next", say("What to do next", "下一步"), lead, f'<ol class="steps">{told}</ol>')


def _repeat(document: Document, say: Say) -> str:
    found = document["environment"]
    names = {"erya": "Erya", "python": "Python", "numpy": "NumPy", "torch": "PyTorch", "optuna": "Optuna"}
    drawn = say("by Optuna's estimate (TPE)", "由 Optuna 估计（TPE）")
    if document.get("method", "random") == "random":
        drawn = say("at random, half of them near the best", "随机，其中一半在最佳附近")
    items = [(say("Trials drawn", "试验取样"), drawn)]
    items += [(names[key], str(found[key])) for key in names if found.get(key)]
    items += [
        (say("Processor", "处理器"), str(found.get("processor") or "")),
        (say("Threads", "线程"), str(found.get("threads") or "")),
        (say("System", "系统"), str(found.get("platform") or "")),
        ("SHA-256", str(document["data"].get("digest") or "")),
    ]
    spaces = {one["model"]: one["space"] for one in document["models"]}
    space = f"<pre>{shown(json.dumps(spaces, ensure_ascii=False, indent=1))}</pre>"
    lead = say(
        "The same seed and number of trials give the same search; a budget in seconds ends where the clock says.",
        "种子与试验次数相同，搜索就相同；以时间为预算时，结束在哪里由时钟决定。",
    )
    body = (
        f'<div class="columns">{pairs(items)}</div><pre>{shown(command(document))}</pre>'
        f"{details(say('search spaces', '搜索空间'), space)}"
    )
    return section("repeat", say("How to repeat this", "如何重现"), lead, body)
