"""Charts out of primitives: lines over x, intervals in a row, the reliability plot. Each takes a width in CSS pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from erya.drawing import svg
from erya.drawing.markup import number, percent
from erya.drawing.palette import DASHES, LIGHT_SERIES

WIDE, NARROW = 760, 360
HUGE = 1e300  # a number beyond it is drawn as a gap: differences of such numbers overflow
FEW = 5  # rows of a bin; fewer say little, and are drawn so
SMALL = 12.0  # font size of axis text; the style sheet says the same


def responsive(draw: Callable[[float], str], wide: float = WIDE, narrow: float = NARROW) -> str:
    """The same drawing for a desk and for a phone: text keeps its size, the style sheet shows the one that fits."""
    return f'<div class="wide">{draw(wide)}</div><div class="narrow">{draw(narrow)}</div>'


def color_of(index: int) -> str:
    """The custom property of the n-th series' colour."""
    return f"s{index % len(LIGHT_SERIES)}"


def dash_of(index: int) -> str:
    """The dashes of the n-th series: each of the first few differs, so that colour is not needed."""
    return DASHES[(index + index // len(LIGHT_SERIES)) % len(DASHES)]


@dataclass(frozen=True, slots=True)
class Scale:
    """Values to pixels, straight or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        share = 0.5 if high == low else (value - low) / (high - low)
        return self.start + share * (self.end - self.start)


def padded(values: Sequence[float], share: float = 0.08, least: float = 0.0) -> tuple[float, float]:
    """The range of the values and a little more, at least ``least`` wide."""
    low, high = min(values), max(values)
    extra = max((high - low) * share, (least - (high - low)) / 2, 1e-9 if low == high == 0 else abs(low) * 1e-6)
    return low - extra, high + extra


def interval_bar(
    low: float, value: float, high: float, scale: Scale, *, color: str, written: Callable[[float], str] = percent
) -> str:
    """One interval as a bar with a dot, for a table cell; ``written`` says a value in the score's own unit."""
    title = f"{written(value)} [{written(low)}, {written(high)}]"
    canvas = svg.Canvas(scale.start + scale.end, 22, title)  # equal margins
    canvas.add(svg.line(scale.start, 11, scale.end, 11, "hair"))
    left, right = scale(low), scale(high)
    canvas.add(
        f'<rect class="interval" style="--c:var(--{color})" x="{svg.short(left)}" y="8" '
        f'width="{svg.short(max(2, right - left))}" height="6" rx="3"/>',
        svg.dot(scale(value), 11, 4.5, "solid", color),
    )
    return canvas.close()


def intervals(
    rows: Sequence[tuple[str, float, float, float]],
    colors: Sequence[int],
    reference: tuple[str, float],
    width: float,
    title: str,
) -> str:
    """Intervals of several rows over one axis from 0 to 1, with the reference as a line through all.

    Args:
        rows: name, low, value, high.
        colors: number of each row's series.
        reference: its name and its value.
        width: CSS pixels.
        title: for screen readers.
    """
    names = max((svg.text_width(row[0], 13) for row in rows), default=0)
    left = min(names + 14, width * 0.42)
    top, step = 30, 30
    height = top + step * len(rows) + 26
    scale = Scale(0, 1, left, width - 48)
    canvas = svg.Canvas(width, height, title, "; ".join(f"{name} {percent(value)}" for name, _, value, _ in rows))
    for tick in (0, 0.25, 0.5, 0.75, 1):
        canvas.add(svg.line(scale(tick), top - 6, scale(tick), height - 24, "grid"))
        canvas.add(svg.words(scale(tick), height - 8, percent(tick, 0), "t soft", "middle"))
    x = scale(reference[1])
    canvas.add(svg.line(x, top - 6, x, height - 24, "reference", "4 3"))
    words = f"{reference[0]} {percent(reference[1])}"
    half = svg.text_width(words, SMALL) / 2
    canvas.add(svg.words(min(max(x, half), width - half), top - 13, words, "t warn", "middle"))
    for index, (name, low, value, high) in enumerate(rows):
        y = top + step * index + step / 2
        color = color_of(colors[index])
        canvas.add(
            svg.words(left - 12, y + 4.5, svg.fitted(name, 13, left - 14), "t name", "end"),
            f'<rect class="interval" style="--c:var(--{color})" x="{svg.short(scale(low))}" y="{svg.short(y - 4)}" '
            f'width="{svg.short(max(2, scale(high) - scale(low)))}" height="8" rx="4"/>',
            svg.dot(scale(value), y, 5, "solid", color, f"{name} {percent(value)}"),
            svg.words(width, y + 4.5, percent(value), "t", "end"),
        )
    return canvas.close()


def lines(
    title: str,
    x: Sequence[float] | Sequence[str],
    series: Mapping[str, Sequence[float]],
    width: float,
    height: float,
    *,
    name_single: bool = False,
) -> str:
    """Series over a common x; each ends in its name where there is room, else a legend stands above.

    Args:
        title: for screen readers.
        x: n numbers, or n names at equal distances.
        series: name → n numbers; NaN leaves a gap.
        width: CSS pixels.
        height: CSS pixels of the plot without its legend.
        name_single: a legend for a single series, too.
    """
    named = any(isinstance(value, str) for value in x)
    places = [float(index) for index in range(len(x))] if named else [float(value) for value in x]
    series = {name: [float(v) if abs(v) < HUGE else math.nan for v in values] for name, values in series.items()}
    finite = [value for values in series.values() for value in values if math.isfinite(value)]
    if not places or not finite:
        return ""
    legend, top = _legend(list(series), width) if len(series) > 1 or name_single else ("", 12.0)
    low, high = padded(finite, 0.06)
    ticks = svg.round_ticks(low, high, 4)
    left = 12 + max(svg.text_width(number(tick), SMALL) for tick in ticks)
    canvas = svg.Canvas(width, top + height, title, ", ".join(series))
    across = Scale(min(places), max(places), left, width - 12)
    up = Scale(low, high, top + height - 30, top)
    for tick in ticks:
        canvas.add(svg.line(left, up(tick), width - 4, up(tick), "grid"))
        canvas.add(svg.words(left - 8, up(tick) + 4, number(tick), "t soft", "end"))
    canvas.add(legend, *_across(x, places, across, named, top + height - 10))
    for index, values in enumerate(series.values()):
        points = [
            (across(place), up(float(value))) if math.isfinite(value) else None
            for place, value in zip(places, values, strict=True)
        ]
        canvas.add(svg.path(points, "series", dash_of(index) if len(series) > 1 else "", color_of(index)))
        if len(points) <= 40:
            canvas.add(*(svg.dot(*point, 2.8, "solid", color_of(index)) for point in points if point))
    return canvas.close()


def _across(x: Sequence[object], places: Sequence[float], scale: Scale, named: bool, y: float) -> list[str]:
    """The text under the x axis: names where they fit, else every second, third … of them; or round numbers."""
    if not named:
        whole = all(float(place).is_integer() for place in places)
        ticks = svg.round_ticks(min(places), max(places), 6)
        ticks = [tick for tick in ticks if not whole or float(tick).is_integer()]
        return [svg.words(scale(tick), y, svg.compact(tick), "t soft", "middle") for tick in ticks]
    widest = max(svg.text_width(str(name), SMALL) for name in x) + 8
    room = (scale.end - scale.start) / max(1, len(x) - 1)
    every = max(1, math.ceil(min(widest, 90) / max(room, 1e-9)))
    return [
        svg.words(scale(places[index]), y, svg.fitted(str(x[index]), SMALL, 84), "t soft", "middle")
        for index in range(0, len(x), every)
    ]


def _legend(names: Sequence[str], width: float) -> tuple[str, float]:
    """Names of series with a piece of their line, in as many rows as they need; and how high that is."""
    pieces, x, y = [], 0.0, 12.0
    for index, name in enumerate(names):
        name = svg.fitted(name, SMALL, width - 40)
        wide = 36 + svg.text_width(name, SMALL) + 12
        if x and x + wide > width:
            x, y = 0.0, y + 20
        points = [(x, y - 4), (x + 28, y - 4)]
        pieces.append(svg.path(points, "series", dash_of(index), color_of(index)) + svg.words(x + 34, y, name))
        x += wide
    return "".join(pieces), y + 18


def reliability(bins: Sequence[Mapping[str, float]], title: str, axes: tuple[str, str], color: str, side: float) -> str:
    """How often a model is right (up) when it is this sure (across); a perfect one stays on the diagonal.

    Args:
        bins: ``confidence``, ``accuracy`` and ``count`` of each.
        title: for screen readers.
        axes: what stands across and up.
        color: the custom property of the model.
        side: CSS pixels of the whole square.
    """
    scale_x, scale_y = Scale(0, 1, 38, side - 8), Scale(0, 1, side - 40, 8)
    told = "; ".join(f"{percent(b['confidence'], 0)} → {percent(b['accuracy'], 0)} ({b['count']:.0f})" for b in bins)
    canvas = svg.Canvas(side, side, title, told)
    for tick in (0, 0.5, 1):
        canvas.add(
            svg.line(scale_x(0), scale_y(tick), scale_x(1), scale_y(tick), "grid"),
            svg.line(scale_x(tick), scale_y(0), scale_x(tick), scale_y(1), "grid"),
            svg.words(32, scale_y(tick) + 4, percent(tick, 0).rstrip("%"), "t soft", "end"),
            svg.words(scale_x(tick), side - 24, percent(tick, 0).rstrip("%"), "t soft", "middle"),
        )
    canvas.add(
        svg.words((scale_x(0) + scale_x(1)) / 2, side - 7, axes[0], "t soft", "middle"),
        svg.words(10, (scale_y(0) + scale_y(1)) / 2, axes[1], "t soft", "middle", -90),
        svg.line(scale_x(0), scale_y(0), scale_x(1), scale_y(1), "reference", "4 3"),
    )
    points = [(scale_x(b["confidence"]), scale_y(b["accuracy"])) for b in bins]
    most = max((b["count"] for b in bins), default=1)
    for (x, y), b in zip(points, bins, strict=True):
        look = " faint" if b["count"] < FEW else ""
        ends = _ends(x, scale_y(b["confidence"]), x, y)
        canvas.add(f'<line class="whisker{look}" style="--c:var(--{color})" {ends}/>')
        tip = f"{percent(b['confidence'])} → {percent(b['accuracy'])}, n = {b['count']:.0f}"
        canvas.add(svg.dot(x, y, 2 + 6.5 * math.sqrt(b["count"] / most), f"bubble{look}", color, tip))
    return canvas.close()


def _ends(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'x1="{svg.short(x1)}" y1="{svg.short(y1)}" x2="{svg.short(x2)}" y2="{svg.short(y2)}"'
