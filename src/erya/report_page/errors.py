"""The error browser: each model's confident mistakes, likely label errors, test texts that training has seen; by label."""

from __future__ import annotations

from typing import Any

from erya.drawing.markup import cut, data, details, percent, plain, shown
from erya.report_page.facts import Facts, section

LABELS = 30  # that have a button
BRIEF = 280  # characters of a text in sight


def errors(facts: Facts) -> str:
    """The section; a radio button a label, which the style sheet obeys: no script."""
    found, say = facts.document.get("errors"), facts.say
    if not found:
        return ""
    confident = {row["model"]: found["confident"].get(row["model"], []) for row in facts.scored}
    doubles = found["duplicates"] or {"rows": [], "count": 0, "near": 0, "all": True}
    every = [one for rows in (*confident.values(), found["suspects"], doubles["rows"]) for one in rows]
    if not every:
        return ""
    counts: dict[str, int] = {}
    for one in every:
        for label in one["labels"]:
            counts[label] = counts.get(label, 0) + 1
    names = sorted(counts, key=lambda label: (-counts[label], label))[:LABELS]
    places = {label: number for number, label in enumerate(names)}
    parts = [_confident(facts, confident, places), _suspects(facts, found, places), _doubles(facts, doubles, places)]
    lead = say(
        "What to read before the next training. Choose a true label to see its rows alone.",
        "下一次训练之前值得一读的行。选一个真实标签，只看它的行。",
    )
    title = say("Error browser", "错误浏览")
    return section("errors", title, lead, _filtered(facts, names, "".join(parts)))


def _filtered(facts: Facts, names: list[str], body: str) -> str:
    """Buttons for the labels, and the rules that hide the rows of all others."""
    buttons = '<input type="radio" name="errors" id="errors-all" checked><label for="errors-all">'
    buttons += f"{shown(facts.say('all labels', '全部标签'))}</label>"
    rules = ""
    for number, name in enumerate(names):
        buttons += f'<input type="radio" name="errors" id="errors-{number}">'
        buttons += f'<label for="errors-{number}">{data(cut(name, 30))}</label>'
        rules += f".erya #errors-{number}:checked~.browser .found>li:not(.is-{number}){{display:none}}"
    return (
        f'<div class="tabs" role="group" aria-labelledby="errors-title">{buttons}<div class="browser">{body}</div></div>'
        f"<style>{rules}</style>"
    )


def _item(facts: Facts, one: dict[str, Any], places: dict[str, int], said: str) -> str:
    """One row: its text, where it stands, what is true, and what is to be said of it."""
    classes = " ".join(f"is-{places[label]}" for label in one["labels"] if label in places)
    row = shown(facts.say(f"row {one['row']}", f"第 {one['row']} 行"))
    return (
        f'<li class="{plain(classes)}">{_quote(str(one["text"]))}'
        f'<p class="meta"><span class="soft">{row}</span> <b>{data(one["label"])}</b> {said}</p></li>'
    )


def _quote(text: str) -> str:
    if len(text) <= BRIEF:
        return f'<span class="quote" dir="auto">{shown(text)}</span>'
    short = shown(cut(text, BRIEF))
    return (
        f'<details class="long"><summary>{short}</summary><span class="quote" dir="auto">{shown(text)}</span></details>'
    )


def _listed(items: list[str]) -> str:
    return f'<ol class="found">{"".join(items)}</ol>'


def _confident(facts: Facts, confident: dict[str, list[dict[str, Any]]], places: dict[str, int]) -> str:
    say, body = facts.say, ""
    chosen = facts.document["advice"]["recommended"]
    for model in sorted(confident, key=lambda model: model != chosen):
        items = []
        for one in confident[model]:
            sure = "" if one["probability"] is None else f' <span class="soft">{percent(one["probability"], 0)}</span>'
            items.append(_item(facts, one, places, f'<span class="off">→ {data(one["answer"])}</span>{sure}'))
        if items:
            body += details(facts.names[model], _listed(items), is_open=model == chosen)
    if not body:
        return ""
    told = say(
        "Answered wrongly with the highest probability, model by model.", "各模型把握最大却答错的行，按模型分列。"
    )
    return f"<h3>{shown(say('Confident mistakes', '自信的错误'))}</h3><p>{shown(told)}</p>{body}"


def _suspects(facts: Facts, found: dict[str, Any], places: dict[str, int]) -> str:
    say, items = facts.say, []
    for one in found["suspects"]:
        models = len(one["models"])
        who = say(f"{models} of {found['models_asked']} models", f"{found['models_asked']} 个模型中的 {models} 个")
        given = say(f"given label: {percent(one['probability'], 0)}", f"原标签概率 {percent(one['probability'], 0)}")
        said = f'<span class="off">→ {data(one["instead"])}?</span> <span class="soft">{shown(who)} · {shown(given)}</span>'
        items.append(_item(facts, one, places, said))
    if not items:
        return ""
    told = say(
        "Models that did not learn from these rows are sure of another label (confident learning, Northcutt et al. 2021). "
        "Left the label in the data, right what the models would say.",
        "没有用这些行训练过的模型确信应是另一个标签（置信学习，Northcutt 等 2021）。左边是数据里的标签，右边是模型的看法。",
    )
    top, rest = _listed(items[:10]), items[10:]
    more = details(say(f"{len(rest)} more", f"另外 {len(rest)} 条"), _listed(rest)) if rest else ""
    return f"<h3>{shown(say('Likely label errors', '可能标错的行'))}</h3><p>{shown(told)}</p>{top}{more}"


def _doubles(facts: Facts, doubles: dict[str, Any], places: dict[str, int]) -> str:
    say, items = facts.say, []
    for one in doubles["rows"]:
        alike = (
            say("the same", "相同")
            if one["resemblance"] == 1
            else percent(one["resemblance"], 0) + say(" alike", " 相似")
        )
        where = say(f"training row {one['train_row']}", f"训练集第 {one['train_row']} 行")
        look = "off" if one["train_label"] != one["label"] else "soft"
        said = f'<span class="soft">{shown(alike)} · {shown(where)}</span> <span class="{look}">{data(one["train_label"])}</span>'
        twin = "" if one["resemblance"] == 1 else _quote(str(one["train_text"]))
        items.append(_item(facts, one, places, said + twin))
    if not items:
        return ""
    told = say(
        f"{doubles['count']:,} test texts stand in the training part, too (but for case, marks and spaces), {doubles['near']:,} more "
        "nearly so: scores on them show memory, not understanding. Those with another label come first.",
        f"测试集中有 {doubles['count']:,} 条文本在训练集里也有（不计大小写、标点和空格），另有 {doubles['near']:,} 条几乎一样："
        "在它们上面得的分说明记性，不说明理解。标签不一致的排在前面。",
    )
    if not doubles["all"]:
        told += say(" Of very many texts only the first were looked at.", "文本太多，只查看了前面的一部分。")
    top, rest = _listed(items[:10]), items[10:]
    more = details(say(f"{len(rest)} more", f"另外 {len(rest)} 条"), _listed(rest)) if rest else ""
    return f"<h3>{shown(say('Seen in training', '训练时见过的文本'))}</h3><p>{shown(told)}</p>{top}{more}"
