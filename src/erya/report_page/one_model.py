"""The report of one model on labelled rows: its scores, which labels are hard, what is mistaken for what, and the rows worth reading."""

from __future__ import annotations

from typing import Any

from erya import charts
from erya.drawing.markup import Cell, cut, data, percent, shown, table
from erya.drawing.style import rules
from erya.report_page import answers, confidence, errors
from erya.report_page.facts import Facts, Row, section
from erya.report_page.verdict import ways

IN_PERCENT = ("accuracy", "macro_f1", "micro_f1", "exact_match", "precision_at_1", "recall_at_1")


def render(document: dict[str, Any]) -> str:
    """The self-contained HTML page; the same document gives the same bytes.

    Args:
        document: of schema ``erya.evaluate/1``, with ``"language"``, ``"name"`` of the model, ``"bins"`` of its reliability and
            ``"errors"`` as ``error_rows.document`` gives them.
    """
    facts = Facts.of(_compared(document))
    (row,) = facts.rows
    sections = "".join(
        [
            _scores(facts, row),
            errors.errors(facts),
            answers.labels(facts),
            answers.confusion(facts),
            answers.confused(facts),
            confidence.calibration(facts),
            _next(facts, document),
        ]
    )
    foot = facts.say(
        "Made by Erya on this computer; nothing on this page was sent or fetched.",
        "由 Erya 在本机生成；本页没有发送或获取任何数据。",
    )
    head = _header(facts, row, document, sections)
    body = f'<div class="report">{head}<main>{sections}</main><footer class="soft">{shown(foot)}</footer></div>'
    title = facts.say(
        f"{row['name']} on {document['data']['source']} · Erya",
        f"{row['name']}在 {document['data']['source']} 上 · Erya 尔雅",
    )
    return charts.page(title, body, document["language"], style=rules("erya.report_page", "report.css"))


def _compared(document: dict[str, Any]) -> dict[str, Any]:
    """The document as if it were a comparison of one."""
    model, data_of = document["model"], document["data"]
    headline = next(iter(document["scores"]))
    return {
        "language": document["language"],
        "task": "classify",
        "columns": [headline],
        "rows": [{"model": model, "name": document["name"], "status": "ok", "scores": document["scores"]}],
        "data": {**data_of, "target_kind": document["target_kind"], "label_counts": document["label_counts"]},
        "advice": {"recommended": model, "sentences": []},
        "baseline": {"majority": document["baseline"][headline], "label": document["baseline"]["label"]},
        "per_label": {model: document["per_label"]},
        "confusion": {model: document["confusion"]} if "confusion" in document else {},
        "confused": {model: document["confused"]} if "confused" in document else {},
        "calibration": {model: {"bins": document["bins"]}},
        "errors": document["errors"],
    }


def _header(facts: Facts, row: Row, document: dict[str, Any], sections: str) -> str:
    say, score, baseline = facts.say, facts.score(row), document["baseline"]
    part = {"test": say("test part", "测试部分"), "all": say("all rows", "全部行")}[document["data"]["part"]]
    title = facts.names[row["model"]] + say(": ", "：") + f"{facts.measure} {percent(score['value'])}"
    label, chance = cut(str(baseline["label"]), 30), percent(facts.majority)
    lead = say(
        f"95 % interval {percent(score['low'])} to {percent(score['high'])}; always answering “{label}” gives {chance}.",
        f"95% 区间 {percent(score['low'])} 至 {percent(score['high'])}；总是回答“{label}”为 {chance}。",
    )
    about = say(f"{document['rows']:,} rows, {part}", f"{document['rows']:,} 行，{part}")
    return (
        f'<header class="top"><p class="wordmark"><span lang="zh-Hans">尔雅</span> Erya'
        f'<span class="soft"> · {say("one model", "单个模型")}</span></p>'
        f'<p class="about"><b>{data(document["data"]["source"])}</b> · {data(document["path"])} · {shown(about)}</p>'
        f'<h1>{shown(title)}</h1><p class="verdict">{shown(lead)}</p>{ways(facts, sections)}</header>'
    )


def _scores(facts: Facts, row: Row) -> str:
    """All scores with their intervals."""
    say = facts.say
    words = {
        "accuracy": say("accuracy", "准确率"),
        "macro_f1": say("macro F1", "宏平均 F1"),
        "micro_f1": say("micro F1", "微平均 F1"),
        "exact_match": say("exact match", "完全匹配"),
        "precision_at_1": say("precision at 1", "首选精确率"),
        "recall_at_1": say("recall at 1", "首选召回率"),
        "log_loss": say("log loss", "对数损失"),
        "calibration_error": say("calibration error", "校准误差"),
    }
    lines = []
    for name, score in row["scores"].items():
        value, low, high = (
            percent(score[end]) if name in IN_PERCENT else f"{score[end]:.4f}" for end in ("value", "low", "high")
        )
        head = Cell(shown(words.get(name, name)), header=True)
        lines.append([head, Cell(shown(value), "num"), Cell(shown(f"{low} – {high}"), "num")])
    lead = say(
        "Where these rows might as well have been others, the interval says.",
        "区间表示换一批同类数据时分数的波动范围。",
    )
    body = table([say("Score", "指标"), say("value", "数值"), say("95 % interval", "95% 区间")], lines)
    return section("scores", say("Scores", "分数"), lead, body)


def _next(facts: Facts, document: dict[str, Any]) -> str:
    say, path, source = facts.say, document["path"], document["data"]["source"]
    steps = [
        (say("Why is a text answered so?", "为什么这样回答？"), f'erya explain {path} "…"'),
        (say("The same rows in a terminal", "在终端里看同样的行"), f"erya errors {path} {source}"),
        (
            say("Is another model better?", "别的模型会更好吗？"),
            f"erya compare {source} {path} classify -o report.html",
        ),
    ]
    body = "".join(f"<li><p>{shown(words)}</p><pre>{shown(line)}</pre></li>" for words, line in steps)
    lead = say("Click a command to select it whole, then copy it.", "点击命令即可整条选中，然后复制。")
    return section("next", say("Next steps", "下一步"), lead, f'<ol class="steps">{body}</ol>')
