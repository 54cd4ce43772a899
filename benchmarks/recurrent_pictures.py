"""The pictures of the recurrent rooms' notes, from ``results/recurrent_language.json``: SVG files that stand alone, in two languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from erya.artefact import atomic_write
from erya.drawing import plots, style, svg
from erya.drawing.markup import number

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
WIDTH, HEIGHT, GAP = 380.0, 280.0, 20.0  # CSS pixels of a panel, and between two
CELLS = {
    "rnn": ("Elman's network", "Elman 网络"),
    "rnn_2": ("the same, singular values of 2", "同上，奇异值为 2"),
    "gru": ("GRU", "GRU"),
    "lstm": ("LSTM", "LSTM"),
}
WHEN = {"before": ("before learning", "训练之前"), "after": ("after learning", "训练之后")}


def write(figures: Mapping[str, Any]) -> list[Path]:
    """Draw what is measured."""
    if "cells" not in figures:
        return []
    FOLDER.mkdir(exist_ok=True)
    found = []
    for place, name in enumerate(("recurrent_reach.svg", "recurrent_reach.zh.svg")):
        drawn = reach(figures["cells"]["reach"], place).encode("utf-8")
        path = FOLDER / name
        atomic_write(path, lambda file, drawn=drawn: file.write(drawn))  # type: ignore[misc]
        found.append(path)
    return found


def reach(rows: Sequence[Mapping[str, Any]], lang: int) -> str:
    """How far back the loss of a character reaches, in each cell, before and after learning."""
    title = ("How far back a loss reaches", "损失能回溯多远")[lang]
    told = (
        "log10 of the gradient's length by the hidden state, so many steps back, relative to the last step",
        "梯度（对隐藏状态）长度的 log10，相对于最后一步；横轴为往回的步数",
    )[lang]
    canvas = svg.Canvas(2 * WIDTH + GAP, HEIGHT + 76, title, told)
    canvas.add(svg.rectangle(0, 0, 2 * WIDTH + GAP, HEIGHT + 76, "paper"), _legend(lang))
    values = [value for row in rows for value in row["log10"]]
    low, high = plots.padded(values, 0.05)
    for panel, when in enumerate(WHEN):
        left = panel * (WIDTH + GAP) + 40
        chosen = {row["cell"]: row["log10"] for row in rows if row["when"] == when}
        steps = len(next(iter(chosen.values()))) - 1
        across = plots.Scale(0, steps, left, left + WIDTH - 52)
        up = plots.Scale(low, high, HEIGHT + 20, 56)
        canvas.add(svg.words((across.start + across.end) / 2, 48, WHEN[when][lang], "t", "middle"))
        for tick in svg.round_ticks(low, high, 7):
            canvas.add(svg.line(left, up(tick), across.end, up(tick), "grid"))
            canvas.add(svg.words(left - 6, up(tick) + 4, number(tick), "t soft", "end"))
        for tick in svg.round_ticks(0, steps, 6):
            canvas.add(svg.words(across(tick), HEIGHT + 40, f"{tick:g}", "t soft", "middle"))
        for index, cell in enumerate(CELLS):
            points = [(across(step), up(value)) for step, value in enumerate(chosen[cell])]
            canvas.add(svg.path(points, "series", plots.dash_of(index), plots.color_of(index)))
    canvas.add(svg.words(8, HEIGHT + 66, told, "t soft"))
    return style.alone(canvas.close())


def _legend(lang: int) -> str:
    found, x = [], 8.0
    for index, names in enumerate(CELLS.values()):
        found.append(svg.path([(x, 14), (x + 28, 14)], "series", plots.dash_of(index), plots.color_of(index)))
        found.append(svg.words(x + 34, 18, names[lang]))
        x += 34 + svg.text_width(names[lang], plots.SMALL) + 22
    return "".join(found)
