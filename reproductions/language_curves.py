"""The picture of the trainings on the Penn Treebank: held-out perplexity against minutes, from ``results/language_models.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from erya.artefact import atomic_write
from erya.drawing import plots, style, svg

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
WIDTH, HEIGHT, TOP, LEFT = 760.0, 320.0, 56.0, 52.0  # CSS pixels
TITLE = ("The Penn Treebank on one core", "单核训练宾州树库")
AXES = (
    "held-out perplexity after each epoch (logarithmic), against minutes of the processor",
    "每遍之后的验证困惑度（对数刻度），横轴为处理器分钟",
)
TICKS = (70, 80, 100, 120, 150, 200, 300, 500, 800)
Curve = Sequence[Mapping[str, float]]


def write(curves: Mapping[str, Curve]) -> list[Path]:
    """Draw the trainings that are measured, in both languages; none: nothing is written."""
    if not curves:
        return []
    FOLDER.mkdir(exist_ok=True)
    found = []
    for place, name in enumerate(("treebank_curves.svg", "treebank_curves.zh.svg")):
        drawn = draw(curves, place).encode("utf-8")
        path = FOLDER / name
        atomic_write(path, lambda file, drawn=drawn: file.write(drawn))  # type: ignore[misc]
        found.append(path)
    return found


def draw(curves: Mapping[str, Curve], lang: int) -> str:
    """A line for each training, a dot for each epoch; a training of one row, which has no epochs, is a level line.

    Args:
        curves: name → rows with ``minutes`` and ``validation_loss``, nats a unit.
        lang: 0: English; 1: Chinese.
    """
    canvas = svg.Canvas(WIDTH, TOP + HEIGHT + 52, TITLE[lang], AXES[lang])
    canvas.add(svg.rectangle(0, 0, WIDTH, TOP + HEIGHT + 52, "paper"), svg.words(8, 20, TITLE[lang]))
    last = max(row["minutes"] for rows in curves.values() for row in rows)
    across = plots.Scale(0, last, LEFT, WIDTH - 16)
    losses = [row["validation_loss"] for rows in curves.values() for row in rows]
    low, high = plots.padded(losses, 0.05)
    up = plots.Scale(low, high, TOP + HEIGHT, TOP)
    for tick in TICKS:
        if low <= math.log(tick) <= high:
            y = up(math.log(tick))
            canvas.add(svg.line(LEFT, y, WIDTH - 16, y, "grid"), svg.words(LEFT - 8, y + 4, str(tick), "t soft", "end"))
    for tick in svg.round_ticks(0, last, 8):
        canvas.add(svg.words(across(tick), TOP + HEIGHT + 20, f"{tick:g}", "t soft", "middle"))
    x = 8.0
    for index, (name, rows) in enumerate(curves.items()):
        color, dash = plots.color_of(index), plots.dash_of(index)
        points = [(across(row["minutes"]), up(row["validation_loss"])) for row in rows]
        if len(points) == 1:
            canvas.add(svg.path([(LEFT, points[0][1]), (WIDTH - 16, points[0][1])], "series", dash, color))
        else:
            canvas.add(svg.path(points, "series", dash, color))
            canvas.add(*(svg.dot(*point, 2.8, "solid", color) for point in points))
        canvas.add(svg.path([(x, 40), (x + 28, 40)], "series", dash, color), svg.words(x + 34, 44, name))
        x += 34 + svg.text_width(name, plots.SMALL) + 22
    canvas.add(svg.words(8, TOP + HEIGHT + 42, AXES[lang], "t soft"))
    return style.alone(canvas.close())
