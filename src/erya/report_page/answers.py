"""Which labels are hard, and what is mistaken for what."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.drawing.markup import Cell, cut, data, details, percent, shown, table
from erya.drawing.palette import step_of
from erya.drawing.svg import text_width
from erya.report_page.facts import Facts, section

Counts = NDArray[np.int64]

LISTED = 40  # labels in sight; the others unfold
DRAWN = 30  # labels of a confusion matrix
MOST_CONFUSED = 10  # lines of a table of labels that were missed or added
MANY = 10  # labels, from which on it is set smaller


def labels(facts: Facts) -> str:
    """F1 of each label under each model; which label is hard."""
    say = facts.say
    models = [row["model"] for row in facts.scored if row["model"] in facts.document["per_label"]]
    if not models:
        return ""
    per_label = {model: {one["label"]: one for one in facts.document["per_label"][model]} for model in models}
    known = list(dict.fromkeys(label for scores in per_label.values() for label in scores))
    trained = facts.document["data"].get("label_counts", {})
    worst = max([0.15, *(1 - one["f1"] for scores in per_label.values() for one in scores.values())])
    mean = {label: _mean([per_label[model].get(label, {}).get("f1", 0.0) for model in models]) for label in known}
    hardest = min(known, key=lambda label: mean[label])
    if len(known) > LISTED:
        known = sorted(known, key=lambda label: mean[label])
    lines = []
    for label in known:
        scores = [per_label[model].get(label) for model in models]
        support = max((one["support"] for one in scores if one), default=0)
        lines.append(
            [
                Cell(data(cut(label, 40)), header=True),
                trained.get(label, 0),
                support,
                *(_tinted(score, worst) for score in scores),
            ]
        )
    head = [say("Label", "标签"), say("train", "训练"), say("test", "测试"), *(facts.names[model] for model in models)]
    told = say(
        f"F1 of each label: 100 means every row found and none wrongly taken. Hardest: “{cut(hardest, 40)}”.",
        f"各标签的 F1：100 表示全部找到且没有误判。最难的是“{cut(hardest, 40)}”。",
    )
    body = table(head, lines[:LISTED], kind="labels")
    if lines[LISTED:]:
        count = len(lines) - LISTED
        easier = say(f"{count} easier labels", f"另外 {count} 个较易的标签")
        body += details(easier, table(head, lines[LISTED:], kind="labels"))
    return section("labels", say("Which labels are hard?", "哪些标签难分？"), told, body)


def _tinted(score: dict[str, Any] | None, worst: float) -> Cell:
    """One F1, the deeper in colour the more is lost, against the worst on the page."""
    if score is None:
        return Cell("–", "num")
    lost = (1 - score["f1"]) / worst
    tip = f"P {percent(score['precision'])} R {percent(score['recall'])}"
    return Cell(f'<span title="{tip}">{100 * score["f1"]:.1f}</span>', f"num {step_of(-lost * 0.5, 1.0)}")


def _mean(values: list[float]) -> float:
    return sum(values) / max(1, len(values))


def confusion(facts: Facts) -> str:
    """One panel a model, switched by radio buttons: the style sheet does it, no script."""
    say = facts.say
    models = [row["model"] for row in facts.scored if row["model"] in facts.document["confusion"]]
    if not models:
        return ""
    chosen = facts.document["advice"]["recommended"]
    first = models.index(chosen) if chosen in models else 0
    buttons, panels = "", ""
    for index, model in enumerate(models):
        checked = " checked" if index == first else ""
        buttons += (
            f'<input type="radio" name="confusion" id="confusion-{index}"{checked}>'
            f'<label for="confusion-{index}">{facts.key(model)}</label>'
        )
        panels += f'<div class="panel panel-{index}">{_panel(facts, model)}</div>'
    rules = ",".join(f".erya #confusion-{index}:checked~.panels>.panel-{index}" for index in range(len(models)))
    return section(
        "confusion",
        say("What is mistaken for what?", "什么被误认成什么？"),
        say(
            "Each row is what a text truly is, each column what the model answered; the diagonal is right.",
            "行是真实标签，列是模型的回答；对角线上是答对的。",
        ),
        f'<div class="tabs" role="group" aria-labelledby="confusion-title">{buttons}<div class="panels">{panels}</div></div>'
        f"<style>{rules}{{display:block}}</style>",
    )


def confused(facts: Facts) -> str:
    """Where rows have several labels: which are missed, which are wrongly given, and which in place of which."""
    say, found = facts.say, facts.document.get("confused") or {}
    models = [row["model"] for row in facts.scored if row["model"] in found]
    if not models:
        return ""
    chosen = facts.document["advice"]["recommended"]
    first = chosen if chosen in models else models[0]
    body = _confused_tables(facts, found[first])
    for model in models:
        if model != first:
            body += details(facts.names[model], _confused_tables(facts, found[model]))
    lead = say(
        f"How often {facts.names[first]} left a true label out, gave a false one, and did both on one row.",
        f"{facts.names[first]}漏掉真实标签、给出错误标签，以及在同一行里既漏又错的次数。",
    )
    return section("confused", say("What is missed, what is added?", "漏掉了什么，多给了什么？"), lead, body)


def _confused_tables(facts: Facts, found: dict[str, list[dict[str, Any]]]) -> str:
    say, rows = facts.say, facts.say("Rows", "行数")
    tables = ""
    for name, head in (("missed", say("Missed", "漏掉")), ("added", say("Wrongly given", "误给"))):
        lines = [[Cell(data(cut(one["label"], 40)), header=True), one["count"]] for one in found[name][:MOST_CONFUSED]]
        tables += f"<div>{table([head, rows], lines)}</div>" if lines else ""
    pairs = [
        [Cell(data(cut(one["label"], 40)), header=True), Cell(data(cut(one["answer"], 40))), one["count"]]
        for one in found["instead"][:MOST_CONFUSED]
    ]
    if pairs:
        columns = [say("Missed", "漏掉"), say("Given instead", "却给了"), rows]
        return f'<div class="gallery two">{tables}</div>{table(columns, pairs)}'
    return (
        f'<div class="gallery two">{tables}</div>' if tables else f"<p>{shown(say('No mistakes.', '没有答错。'))}</p>"
    )


def _panel(facts: Facts, model: str) -> str:
    say = facts.say
    found = facts.document["confusion"][model]
    all_names, all_counts = found["labels"], np.asarray(found["counts"], dtype=np.int64)
    names, counts = _most_confused(all_names, all_counts)
    upright = max((text_width(name, 13) for name in names), default=0) > 64 and len(names) > 2
    head = "".join(f'<th scope="col"><span>{data(cut(name, 24))}</span></th>' for name in names)
    lines = "".join(_counts(name, counts[row], row) for row, name in enumerate(names))
    look = "confusion" + (" upright" if upright else "") + (" dense" if len(names) > MANY else "")
    matrix = (
        f'<div class="scroll"><table class="{look}"><thead>'
        f"<tr><td></td>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
    scores = table(
        [say("Label", "标签"), say("Precision", "精确率"), say("Recall", "召回率"), "F1", say("Rows", "行数")],
        [
            [
                Cell(data(one["label"]), header=True),
                *(Cell(f"{100 * one[key]:.1f}", "num") for key in ("precision", "recall", "f1")),
                one["support"],
            ]
            for one in facts.document["per_label"].get(model, [])
        ],
    )
    listing = details(say("precision, recall and F1 of each label", "各标签的精确率、召回率与 F1"), scores)
    note = ""
    if len(names) < len(all_names):
        told = say(
            f"The {len(names)} of {len(all_names)} labels with the most errors.",
            f"{len(all_names)} 个标签中错误最多的 {len(names)} 个。",
        )
        note = f'<p class="foot">{shown(told)}</p>'
    split = "split" if len(names) <= 2 * MANY else "split stacked"
    pairs = _worst_pairs(facts, all_names, all_counts)
    return f'<div class="{split}"><div>{matrix}</div><div class="aside">{pairs}</div></div>{note}{listing}'


def _most_confused(names: list[str], counts: Counts) -> tuple[list[str], Counts]:
    """The labels with the most errors, where there are more than a page can show."""
    if len(names) <= DRAWN:
        return names, counts
    errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    kept = np.sort(np.argsort(-errors, kind="stable")[:DRAWN])
    return [names[index] for index in kept.tolist()], counts[np.ix_(kept, kept)]


def _counts(name: str, counts: Counts, row: int) -> str:
    total = max(1, int(counts.sum()))
    cells = ""
    for column, count in enumerate(counts.tolist()):
        share = count / total
        if column == row:
            look = f"hit {step_of(share * 0.55, 1.0)}"
        else:
            look = step_of(-min(1.0, share * 2.5), 1.0) if count else "zero"
            look = "n1" if count and look == "p0" else look
        cells += f'<td class="{look}">{count if count else "·"}</td>'
    return f'<tr><th scope="row">{data(cut(name, 24))}</th>{cells}</tr>'


def _worst_pairs(facts: Facts, names: list[str], counts: Counts) -> str:
    say = facts.say
    errors = counts.copy()
    np.fill_diagonal(errors, 0)
    total, wrong = int(counts.sum()), int(errors.sum())
    told = say(
        f"{wrong:,} of {total:,} answers are wrong.",
        f"{total:,} 个回答中有 {wrong:,} 个错误。",
    )
    if not wrong:
        return f"<p>{shown(told)}</p>"
    order = np.argsort(-errors, axis=None, kind="stable")[:5]
    items = ""
    for place in order.tolist():
        row, column = divmod(place, len(names))
        count = int(errors[row, column])
        if count:
            items += (
                f"<li><b>{data(cut(names[row], 30))}</b> {shown(say('taken for', '误作'))} <b>{data(cut(names[column], 30))}</b> "
                f'<span class="soft">{shown(say(f"{count:,}×", f"{count:,} 次"))}</span></li>'
            )
    heading = say("Most frequent mistakes", "最常见的错误")
    return f'<p>{shown(told)}</p><h3>{shown(heading)}</h3><ol class="worst">{items}</ol>'
