"""Which differences between models are more than luck."""

from __future__ import annotations

from erya.drawing.markup import Cell, details, figure, plain, shown, table
from erya.report_page.facts import Facts, Row, listed, section


def differences(facts: Facts) -> str:
    """Every pair as a matrix and in words; nothing for a single model."""
    say, rows = facts.say, facts.scored
    if len(rows) < 2 or not facts.document["pairs"]:
        return ""
    head = "".join(
        f'<th scope="col" title="{plain(facts.names[row["model"]])}">{place}</th>' for place, row in enumerate(rows, 1)
    )
    lines = "".join(
        f'<tr><th scope="row"><span class="place">{place}</span>{facts.key(row["model"])}</th>'
        f"{''.join(_cell(facts, row, other) for other in rows)}</tr>"
        for place, row in enumerate(rows, 1)
    )
    caption = say(
        "Each cell: accuracy of the row's model minus that of the column's, in percentage points. Coloured: significant. "
        "≈: may be luck.",
        "每格为该行模型的准确率减去该列模型的准确率（百分点）。有颜色：差别显著；≈：可能只是运气。",
    )
    if facts.several:
        caption = say(
            "Each cell: how much larger the F1 of a test row is under the row's model than under the column's, on average, "
            "in percentage points. Coloured: significant. ≈: may be luck.",
            "每格为每条测试文本的 F1 在该行模型下比在该列模型下平均高出多少（百分点）。有颜色：差别显著；≈：可能只是运气。",
        )
    if facts.document.get("task") == "tag":
        caption = say(
            f"Each cell: {facts.measure} of the row's model minus that of the column's, in percentage points. Coloured: "
            "significant. ≈: may be luck.",
            f"每格为该行模型的{facts.measure}减去该列模型的（百分点）。有颜色：差别显著；≈：可能只是运气。",
        )
    matrix = f'<div class="scroll"><table class="pairs"><thead><tr><td></td>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
    return section(
        "differences",
        say("Which differences are real?", "哪些差别是真的？"),
        _told(facts),
        figure(matrix, caption, details(say("all tests", "全部检验"), _list(facts))),
    )


def _cell(facts: Facts, row: Row, other: Row) -> str:
    if row is other:
        return '<td class="self">·</td>'
    pair = facts.pair(row["model"], other["model"])
    if pair is None:
        return "<td>–</td>"
    points = _points(pair["difference"])
    if not pair["significant"]:
        return f'<td class="unsure">≈ {points}</td>'
    return f'<td class="{"p3" if pair["difference"] > 0 else "n3"} sure">{points}</td>'


def _told(facts: Facts) -> str:
    say, rows, document = facts.say, facts.scored, facts.document
    count = sum(pair["significant"] for pair in document["pairs"])
    best, equals = rows[0], []
    for row in rows[1:]:
        pair = facts.pair(best["model"], row["model"])
        if pair is not None and not pair["significant"]:
            equals.append(facts.names[row["model"]])
    total = len(document["pairs"])
    name = facts.names[best["model"]]
    if not equals:
        return say(
            f"{name} is significantly better than every other model ({count} of {total} pairs differ significantly).",
            f"{name}显著好于其他所有模型（{total} 对比较中有 {count} 对差别显著）。",
        )
    sentence = say(
        f"On these test rows {name} cannot be told apart from {listed(equals, say)}",
        f"在这份测试数据上，{name}与{listed(equals, say)}分不出高下",
    )
    if count == 0:
        sentence = say(
            "No difference here is significant: on these test rows the models cannot be told apart",
            "这里没有显著差别：在这份测试数据上，各模型分不出高下",
        )
    chosen = facts.recommended
    if chosen is None:
        return sentence + say(".", "。")
    cheapest = facts.names[chosen["model"]]
    return sentence + say(f", so take the cheapest of them: {cheapest}.", f"，所以选其中最省的：{cheapest}。")


def _list(facts: Facts) -> str:
    say = facts.say
    columns = [
        say("First", "模型甲"),
        say("Second", "模型乙"),
        say("Difference, points", "差（百分点）"),
        say("95% interval", "95% 区间"),
        "p",
        "",
    ]
    lines = [
        [
            facts.names[pair["a"]],
            facts.names[pair["b"]],
            Cell(_points(pair["difference"]), "num"),
            Cell(f"[{_points(pair['low'])}, {_points(pair['high'])}]", "num"),
            Cell(_p_value(pair["p_value"]), "num"),
            say("significant", "显著") if pair["significant"] else say("may be luck", "可能是运气"),
        ]
        for pair in facts.document["pairs"]
    ]
    test = (
        say("Randomisation test of the rows' F1", "对各行 F1 做随机化检验")
        if facts.several
        else say("Exact McNemar test", "做精确 McNemar 检验")
    )
    if facts.document.get("task") == "tag":
        test = say("Whole sentences swapped at random", "随机交换整句回答的检验")
    words = say(
        f"{test} on the same test rows, Holm's correction for several pairs at a level of 5%.",
        f"在相同测试行上{test}，按 Holm 法校正多重比较，水平 5%。",
    )
    return table(columns, lines) + f'<p class="foot">{shown(words)}</p>'


def _points(value: float) -> str:
    """A difference in percentage points with its sign; what rounds to nothing has none."""
    return "0.0" if abs(value) < 0.0005 else f"{100 * value:+.1f}"


def _p_value(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "&lt; 0.001"
