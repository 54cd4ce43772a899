"""The rows that are most confidently wrong, with every model's answer."""

from __future__ import annotations

from typing import Any

from erya.drawing.markup import Cell, cut, data, details, percent, shown, table
from erya.report_page.facts import Facts, section

SHOWN = 8  # mistakes in sight; the others unfold
BRIEF, LONG = 40, 220  # characters: a word or name; what is in sight of a text
WHOLE = 4000  # characters of a text that the page carries


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
        say("True labels", "真实标签") if facts.several else say("True label", "真实标签"),
        say("Answers, with their probability", "各模型的回答与概率"),
    ]
    return table(head, lines, kind="mistakes cards")


def _text(text: str) -> str:
    if len(text) <= LONG:
        return shown(text)
    return f"<details class=long><summary>{shown(cut(text, LONG))}</summary>{shown(cut(text, WHOLE))}</details>"


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
