"""What a search found, for a terminal: the verdict, the settings, what mattered, and the best trials."""

from __future__ import annotations

from typing import Any

from erya.board_table import seconds, width_of
from erya.language import say
from erya.tuning.wording import ranked, shown, verdict

TRIALS = 10
MATTERED = 6
BAR = 20  # cells of the longest bar
LEAST_SHARE = 0.02  # of the variance, below which a setting is not named


def plain_table(document: dict[str, Any], width: int | None = None) -> str:
    """All of it as text; lines of trials are cut to ``width`` terminal cells where that is given."""
    winner, test = document["winner"], document["test"]
    headline = test["headline"]
    lines = [*verdict(document), ""]
    settings = " ".join(f"{name}={shown(value)}" for name, value in winner["settings"].items())
    lines += [f"{winner['model']}  {settings}"]
    tuned = say("default", "默认") if winner["is_default"] else say("tuned", "调参后")
    rows = [
        ["", say("validation", "验证"), say("test", "测试"), "95 %"],
        [tuned, _value(winner["validation"]), *_interval(test["tuned"].get(headline))],
    ]
    if not winner["is_default"]:
        rows.append(
            [
                say("default", "默认"),
                _value(winner["default_validation"]),
                *_interval((test["default"] or {}).get(headline)),
            ]
        )
    always = say("always", "总猜") + f" “{test['baseline']['label']}”"
    if test["baseline"]["label"] is None:
        always = say("each token's most frequent tag", "每个词最常见的标签")
    rows.append([always, "–", f"{test['baseline']['majority']:.4f}", ""])
    lines += ["", *_columns(rows, numbers=range(1, 4))]
    lines += _mattered(document)
    lines += ["", *_trials(document, width)]
    return "\n".join(lines)


def _value(score: dict[str, Any] | None) -> str:
    return "–" if score is None or score["value"] is None else f"{score['value']:.4f}"


def _interval(score: dict[str, Any] | None) -> list[str]:
    return ["–", ""] if score is None else [f"{score['value']:.4f}", f"[{score['low']:.4f}, {score['high']:.4f}]"]


def _mattered(document: dict[str, Any]) -> list[str]:
    """The settings that explain most, with bars."""
    several = len(document["models"]) > 1
    told = [one for one in document["mattered"] if one["share"] >= LEAST_SHARE][:MATTERED]
    if not told:
        return []
    rows = [
        [
            (f"{one['model']} " if several else "") + one["setting"],
            f"{100 * one['share']:.0f} %",
            "█" * max(1, round(BAR * one["share"])),
        ]
        for one in told
    ]
    heading = say("what mattered (share of the scores' variance)", "影响大小（占分数方差的比例）")
    return ["", heading, *_columns(rows, numbers=[1])]


def _trials(document: dict[str, Any], width: int | None) -> list[str]:
    several = len(document["models"]) > 1
    rows = [
        [say("trial", "试验"), document["score"], say("rows", "行数"), say("time", "用时"), say("settings", "设置")]
    ]
    order = ranked(document)
    for trial in order[:TRIALS]:
        last = trial["attempts"][-1]
        settings = " ".join(f"{name}={shown(value)}" for name, value in trial["settings"].items())
        told = f"{trial['model']} " if several else ""
        if trial["is_default"]:
            told += say("(default)", "（默认）")
        else:
            told += settings
        if last["status"] == "failed":
            told = f"{told}  ✗ {last['error']}"
        rows.append(
            [
                str(trial["trial"]),
                _value(last) + ("◷" if last["status"] == "cut" else ""),
                f"{document['rungs'][last['rung']]['rows']:,}",
                seconds(last["seconds"]),
                told,
            ]
        )
    lines = _columns(rows, numbers=range(4))
    if width is not None:
        lines = [_cut(line, width) for line in lines]
    rest, failed = len(order) - TRIALS, sum(trial["attempts"][-1]["status"] == "failed" for trial in order)
    if rest > 0:
        lines.append(say(f"… and {rest} more", f"……另有 {rest} 次"))
    if failed:
        lines.append(say(f"{failed} trials failed", f"{failed} 次试验失败"))
    if any(trial["attempts"][-1]["status"] == "cut" for trial in order):
        lines.append(say("◷ ended by the budget", "◷ 因预算而提前结束"))
    return lines


def _columns(rows: list[list[str]], numbers: Any) -> list[str]:
    """Aligned columns, two spaces apart; those of ``numbers`` to the right."""
    right = set(numbers)
    widths = [max(width_of(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            " " * (width - width_of(cell)) + cell if place in right else cell + " " * (width - width_of(cell))
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _cut(line: str, width: int) -> str:
    if width_of(line) <= width:
        return line
    while line and width_of(line) > width - 1:
        line = line[:-1]
    return line + "…"
