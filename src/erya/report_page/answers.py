"""Where the models err: confusion and scores of each label, and the worst mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np

from erya.drawing.markup import Cell, cut, data, details, percent, shown, table
from erya.drawing.palette import step_of
from erya.report_page.facts import Facts, section

SHOWN = 8  # mistakes in sight; the others unfold
MANY = 10  # labels, from which on a confusion matrix is set smaller
BRIEF, LONG = 40, 220  # characters: a word or name; what is in sight of a text


def labels(facts: Facts) -> str:
    """F1 of each label under each model; which label is hard."""
    say = facts.say
    models = [row["model"] for row in facts.scored if row["model"] in facts.document["per_label"]]
    if not models:
        return ""
    per_label = {model: {one["label"]: one for one in facts.document["per_label"][model]} for model in models}
    known = list(dict.fromkeys(label for scores in per_label.values() for label in scores))
    trained = facts.document["data"].get("label_counts", {})
    worst = max(0.15, *(1 - one["f1"] for scores in per_label.values() for one in scores.values()))
    lines = []
    for label in known:
        scores = [per_label[model].get(label) for model in models]
        support = max((one["support"] for one in scores if one), default=0)
        lines.append(
            [
                Cell(data(label), header=True),
                trained.get(label, 0),
                support,
                *(_tinted(score, worst) for score in scores),
            ]
        )
    hardest = min(known, key=lambda label: _mean([per_label[model].get(label, {}).get("f1", 0.0) for model in models]))
    head = [say("Label", "标签"), say("train", "训练"), say("test", "测试"), *(facts.names[model] for model in models)]
    told = say(
        f"F1 of each label: 100 means every row found and none wrongly taken. Hardest: “{hardest}”.",
        f"各标签的 F1：100 表示全部找到且没有误判。最难的是“{hardest}”。",
    )
    return section("labels", say("Which labels are hard?", "哪些标签难分？"), told, table(head, lines, kind="labels"))


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
        f'<div class="tabs">{buttons}<div class="panels">{panels}</div></div><style>{rules}{{display:block}}</style>',
    )


def _panel(facts: Facts, model: str) -> str:
    say = facts.say
    found = facts.document["confusion"][model]
    names, counts = found["labels"], np.asarray(found["counts"], dtype=np.int64)
    upright = max((len(name.encode("utf-8")) for name in names), default=0) > 9 and len(names) > 2
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
    split = "split" if len(names) <= 2 * MANY else "split stacked"
    return f'<div class="{split}"><div>{matrix}</div><div class="aside">{_worst_pairs(facts, names, counts)}</div></div>{listing}'


def _counts(name: str, counts: np.ndarray[Any, Any], row: int) -> str:
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


def _worst_pairs(facts: Facts, names: list[str], counts: np.ndarray[Any, Any]) -> str:
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


def mistakes(facts: Facts) -> str:
    """The rows that are most confidently wrong, with every model's answer."""
    say, found = facts.say, facts.document["mistakes"]
    if not found:
        return ""
    models = [row["model"] for row in facts.scored]
    lead = say(
        "The test rows that the models got wrong most confidently. Read a few: hard texts, or wrong labels?",
        "模型最自信却答错的测试行。读几条看看：是文本难，还是标签标错了？",
    )
    fooled = [
        one for one in found if models and all(one["answers"].get(m, {}).get("label") != one["label"] for m in models)
    ]
    if len(models) > 1 and fooled:
        lead += say(
            f" In {len(fooled)} of these {len(found)} rows no model is right: look at their labels first.",
            f"这 {len(found)} 行里有 {len(fooled)} 行所有模型都答错：先核对它们的标签。",
        )
    top = _mistake_table(found[:SHOWN], models, facts)
    if found[SHOWN:]:
        count = len(found) - SHOWN
        top += details(say(f"{count} more", f"另外 {count} 条"), _mistake_table(found[SHOWN:], models, facts))
    return section("mistakes", say("The worst mistakes", "最严重的错误"), lead, top)


def _mistake_table(found: list[dict[str, Any]], models: list[str], facts: Facts) -> str:
    say, lines = facts.say, []
    look = "quoted" if max(len(str(one["text"])) for one in found) > BRIEF else "quoted brief"
    for one in found:
        row = say(f"row {one['row']}", f"第 {one['row']} 行")
        text = Cell(
            f'<span class="quote" dir="auto">{_text(str(one["text"]))}</span><small class="soft">{row}</small>',
            look,
        )
        lines.append([text, Cell(data(one["label"]), "truth"), Cell(_answers(one, models, facts), "answers")])
    head = [
        say("Text", "文本"),
        say("True label", "真实标签"),
        say("Answers, with their probability", "各模型的回答与概率"),
    ]
    return table(head, lines, kind="mistakes cards")


def _text(text: str) -> str:
    if len(text) <= LONG:
        return shown(text)
    return f"<details class=long><summary>{shown(cut(text, LONG))}</summary>{shown(text)}</details>"


def _answers(one: dict[str, Any], models: list[str], facts: Facts) -> str:
    """The answers of all models, those who agree together."""
    groups: dict[str, str] = {}
    for model in models:
        answer = one["answers"].get(model)
        if answer is not None:
            probability = answer.get("probability")
            written = "" if probability is None else f' <span class="soft">{percent(probability, 0)}</span>'
            groups[answer["label"]] = groups.get(answer["label"], "") + (
                f'<span class="voter">{facts.key(model)}{written}</span>'
            )
    lines = ""
    for label, voters in groups.items():
        is_right = label == one["label"]
        sign, word = ("✓", facts.say("right", "对")) if is_right else ("✗", facts.say("wrong", "错"))
        lines += (
            f'<li class="{"right" if is_right else "wrong"}"><span class="sign" title="{word}">{sign}</span>'
            f'<b>{data(label)}</b><span class="voters">{voters}</span></li>'
        )
    return f"<ul>{lines}</ul>"
