"""Named points of the plane, with arrows: as SVG with labels that do not overlap, and as characters in a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from erya.drawing import plots, svg
from erya.drawing.markup import Say, cut, details, figure, table
from erya.drawing.scatter import FONT, Box, leader, near_labels, place_labels
from erya.errors import quoted
from erya.trace import Points

Floats = NDArray[np.float64]

RADIUS, HEAD = 3.5, 8.0  # CSS pixels of a point and of an arrow's head
LABELLED = 150  # points that get a name in the picture, where it has room; the table names all
ALL_LABELLED = 30  # so many names all get a place, further off with a line to their points
NAME = 40  # characters
LINES = 22  # of a terminal picture; half of it for a few points
FEW = 8


def picture(view: Points, say: Say) -> str:
    """The picture and the table beside it."""
    points = np.asarray(view.points, dtype=np.float64).reshape(-1, 2)
    left_out: list[int] = []  # names without room, in the wide drawing and in the narrow one

    def draw(width: float) -> str:
        drawing, nameless = _draw(view, points, width)
        left_out.append(nameless)
        return drawing

    drawing = plots.responsive(draw) if len(points) else ""
    across, up = view.axes[0] or "x", view.axes[1] or "y"
    rows = [[name, *point] for name, point in zip(view.labels, points.tolist(), strict=True)]
    words = say(
        "Not every name has room: rest the pointer on a point, or open the numbers.",
        "有些点旁放不下名称：把鼠标停在点上，或展开数值。",
    )
    numbers = details(say("numbers", "数值"), table([say("word", "词"), across, up], rows))
    return figure(drawing, words if any(left_out) else "", numbers)


def _draw(view: Points, points: Floats, width: float) -> tuple[str, int]:
    """SVG, and how many names are left out of it; one unit is as long across as it is up."""
    low, high = points.min(axis=0), points.max(axis=0)
    wide, tall = np.maximum(high - low, 1e-9)
    height = min(max(width * 0.7, 220.0), max(220.0, width * 0.75 * tall / wide + 80))
    frame = Box(8, 8, width - 8, height - 24)
    unit = min((frame.right - frame.left - 120) / wide, (frame.bottom - frame.top - 40) / tall)
    middle = (low + high) / 2
    x = (frame.left + frame.right) / 2 + (points[:, 0] - middle[0]) * unit
    y = (frame.top + frame.bottom) / 2 - (points[:, 1] - middle[1]) * unit
    canvas = svg.Canvas(width, height, view.title, view.note)
    places = list(zip(x.tolist(), y.tolist(), strict=True))
    for start, end in view.arrows:
        canvas.add(*_arrow(places[start], places[end]))
    for place, name in zip(places, view.labels, strict=True):
        canvas.add(svg.dot(*place, RADIUS, "solid", "s0", name))
    drawn, nameless = _names(view, places, frame)
    canvas.add(*drawn)
    if view.axes[0]:
        canvas.add(svg.words(frame.right, height - 6, f"{view.axes[0]} →", "t axis", "end"))
        canvas.add(svg.words(frame.left, height - 6, f"↑ {view.axes[1]}", "t axis"))
    return canvas.close(), nameless


def _names(view: Points, places: list[tuple[float, float]], frame: Box) -> tuple[list[str], int]:
    """The labels, each beside its point or with a line to it, and how many found no room.

    Among many points a label far from its own stands beside another's and would be read as that one's: it is left out.
    """
    named = [index for index, name in enumerate(view.labels) if name]  # a way has points without a name
    chosen = named[:LABELLED]
    names = [svg.fitted(cut(view.labels[index], NAME), FONT, 180) for index in chosen]
    lines = [box for start, end in view.arrows for box in _thin(places[start], places[end])]
    boxes: list[Box | None]
    if len(named) <= ALL_LABELLED:
        boxes = [*place_labels(names, [_around(*places[index]) for index in chosen], frame, lines)]
    else:
        first = {index: None for index in [*chosen, *range(len(places))]}  # all points are kept free, labelled or not
        boxes = near_labels(names, [_around(*places[index]) for index in first], frame, lines)
    drawn = []
    for index, name, box in zip(chosen, names, boxes, strict=True):
        if box is not None:
            drawn += leader(box, _around(*places[index]))
            drawn.append(svg.words(box.left, box.bottom - FONT * 0.35, name, "t label"))
    return drawn, len(named) - sum(box is not None for box in boxes)


def _around(x: float, y: float) -> Box:
    return Box(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS)


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> list[str]:
    """A line from point to point with a head before the second."""
    length = math.hypot(end[0] - start[0], end[1] - start[1])
    if length < 3 * RADIUS:
        return []
    along = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    tip = end[0] - along[0] * RADIUS * 1.5, end[1] - along[1] * RADIUS * 1.5
    back = tip[0] - along[0] * HEAD, tip[1] - along[1] * HEAD
    wings = [(back[0] + side * along[1] * HEAD / 2, back[1] - side * along[0] * HEAD / 2) for side in (1, -1)]
    return [
        svg.path([start, tip], "series thin", color="s1"),
        svg.path([wings[0], tip, wings[1]], "series thin", color="s1"),
    ]


def _thin(start: tuple[float, float], end: tuple[float, float]) -> list[Box]:
    """A slanted line as a chain of small boxes, for the labels to keep away from."""
    steps = [
        (start[0] + (end[0] - start[0]) * share / 8, start[1] + (end[1] - start[1]) * share / 8) for share in range(9)
    ]
    return [Box(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])) for a, b in pairwise(steps)]


# ---- in a terminal --------------------------------------------------------------------------------------------


def rows(view: Points, width: int) -> list[str]:
    """Lines of characters: a dot for every point, its name where there is room for it; arrows as a list below."""
    points = np.asarray(view.points, dtype=np.float64).reshape(-1, 2)
    if not len(points):
        return []
    names = [quoted(name, 20) for name in view.labels]
    height = LINES if len(points) > FEW else LINES // 2
    grid = _Grid(width, height)
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.maximum(high - low, 1e-9)
    shares = (points - low) / span  # 0 … 1 across and up
    places = [(round((1 - up) * (height - 1)), round(across * (width - 1))) for across, up in shares.tolist()]
    for line, column in places:
        grid.put(line, column, "•")
    for (line, column), name in zip(places, names, strict=True):
        if name:
            grid.name(line, column, name)
    arrows = ", ".join(f"{names[start]} → {names[end]}" for start, end in view.arrows if names[start] and names[end])
    return [*grid.lines(), *([arrows] if arrows else [])]


class _Grid:
    """Cells of a terminal; a wide character takes two."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.cells: list[list[str]] = [[" "] * width for _ in range(height)]

    def put(self, line: int, column: int, character: str) -> None:
        self.cells[line][column] = character

    def name(self, line: int, column: int, name: str) -> None:
        """Write a name right or left of its dot, above or below, where nothing stands yet; else not at all."""
        size = cell_len(name)
        middle = min(max(0, column - size // 2), max(0, self.width - size))
        beside = [(line, column + 2), (line, column - 1 - size), (line - 1, middle), (line + 1, middle)]
        for row, start in beside:
            inside = 0 <= row < len(self.cells) and start >= 0 and start + size <= self.width
            if inside and self._is_free(row, start - 1, start + size + 1):
                place = start
                for character in name:
                    self.cells[row][place] = character
                    wide = cell_len(character)
                    for hidden in range(place + 1, place + wide):
                        self.cells[row][hidden] = ""
                    place += wide
                return

    def _is_free(self, line: int, start: int, stop: int) -> bool:
        return all(cell == " " for cell in self.cells[line][max(0, start) : min(self.width, stop)])

    def lines(self) -> Sequence[str]:
        return ["".join(line).rstrip() for line in self.cells]
