"""Quality against speed, size as area: bubbles, the front of those that nothing beats, and labels that never overlap."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from erya.drawing import svg
from erya.drawing.markup import percent
from erya.drawing.plots import Scale, color_of

FONT = 13.0
SMALLEST, LARGEST = 5.0, 26.0  # radius of a bubble
GAP = 6.0


@dataclass(frozen=True, slots=True)
class Point:
    """One bubble: better is up, right and small.

    Args:
        name: its label.
        speed: x, > 0, drawn on a logarithmic axis.
        quality: y, a share of 1.
        low: lower end of the quality's interval.
        high: upper end.
        size: area of the bubble; None where it is not known.
        color: number of its series.
        tip: what the pointer shows.
    """

    name: str
    speed: float
    quality: float
    low: float
    high: float
    size: float | None
    color: int
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the canvas."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, wide) * max(0.0, high)


def front(points: Sequence[Point]) -> list[bool]:
    """Whether each is on the Pareto front: no other is at least as good in quality, speed and size, and better in one."""

    def goods(point: Point) -> tuple[float, float, float]:
        return point.quality, point.speed, -math.inf if point.size is None else -point.size

    def beats(one: Point, other: Point) -> bool:
        pairs = list(zip(goods(one), goods(other), strict=True))
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)

    return [not any(beats(other, point) for other in points) for point in points]


def place_labels(texts: Sequence[str], bubbles: Sequence[Box], frame: Box) -> list[Box]:
    """A place for each label: near its bubble, inside the frame, on no other label and – where there is room – on no bubble.

    Where every near place is taken, rings further out are tried; the drawing then leads a line to it.
    """
    placed: list[Box] = []
    for text, bubble in sorted(zip(texts, bubbles, strict=True), key=lambda pair: pair[1].top):
        wide, high = svg.text_width(text, FONT), FONT * 1.35
        best, least = None, math.inf
        for rank, box in enumerate(_candidates(bubble, wide, high, frame)):
            cost = 1000 * sum(box.overlap(other) for other in placed) + rank
            cost += 20 * sum(box.overlap(other) for other in bubbles)
            if cost < least:
                best, least = box, cost
            if cost == rank:
                break
        placed.append(best or Box(bubble.right, bubble.top, bubble.right + wide, bubble.top + high))
    order = sorted(range(len(texts)), key=lambda index: bubbles[index].top)
    return [placed[order.index(index)] for index in range(len(texts))]


def _candidates(bubble: Box, wide: float, high: float, frame: Box) -> Iterator[Box]:
    """Boxes around a bubble, nearest first, each pushed into the frame."""
    middle_x, middle_y = (bubble.left + bubble.right) / 2, (bubble.top + bubble.bottom) / 2
    for distance in (GAP, *range(14, 200, 10)):
        right, left = bubble.right + distance, bubble.left - distance - wide
        above, below = bubble.top - distance - high, bubble.bottom + distance
        for x, y in (
            (right, middle_y - high / 2),
            (left, middle_y - high / 2),
            (middle_x - wide / 2, above),
            (middle_x - wide / 2, below),
            (right, above),
            (right, below),
            (left, above),
            (left, below),
        ):
            x = min(max(x, frame.left), frame.right - wide)
            y = min(max(y, frame.top), frame.bottom - high)
            yield Box(x, y, x + wide, y + high)


def draw(points: Sequence[Point], axes: tuple[str, str], better: str, title: str, told: str, width: float) -> str:
    """The picture.

    Args:
        points: at least one.
        axes: what stands across and up.
        better: the words at the corner where one would like to be.
        title: for screen readers.
        told: the picture in sentences, for screen readers.
        width: CSS pixels.
    """
    height = 430.0 if width > 500 else 400.0
    canvas = svg.Canvas(width, height, title, told)
    frame = Box(52, 26, width - 10, height - 50)
    across, up = _scales(points, frame)
    _axes(canvas, across, up, frame, axes, better)
    radii = _radii(points)
    on_front = front(points)
    _front_line(canvas, points, across, up, frame)
    for point in points:
        x, color = across(point.speed), color_of(point.color)
        canvas.add(
            f'<line class="whisker" style="--c:var(--{color})" x1="{svg.short(x)}" x2="{svg.short(x)}" '
            f'y1="{svg.short(up(point.low))}" y2="{svg.short(up(point.high))}"/>'
        )
    for index in sorted(range(len(points)), key=lambda index: -radii[index]):
        point = points[index]
        kind = "bubble front" if on_front[index] else "bubble beaten"
        canvas.add(
            svg.dot(across(point.speed), up(point.quality), radii[index], kind, color_of(point.color), point.tip)
        )
        canvas.add(svg.dot(across(point.speed), up(point.quality), 2, "solid", color_of(point.color)))
    bubbles = [_bubble_box(point, radius, across, up) for point, radius in zip(points, radii, strict=True)]
    texts = [svg.fitted(point.name, FONT, (frame.right - frame.left) * 0.6) for point in points]
    inner = replace(frame, left=frame.left + 4, top=frame.top + 2, right=frame.right - 4, bottom=frame.bottom - 2)
    for text, box, bubble, is_front in zip(texts, place_labels(texts, bubbles, inner), bubbles, on_front, strict=True):
        canvas.add(*_label(text, box, bubble, is_front))
    return canvas.close()


def _scales(points: Sequence[Point], frame: Box) -> tuple[Scale, Scale]:
    slow, fast = min(point.speed for point in points), max(point.speed for point in points)
    margin = max((fast / slow) ** 0.16, 2.0)
    low, high = min(point.low for point in points), max(point.high for point in points)
    extra = max((high - low) * 0.12, 0.005)
    return (
        Scale(slow / margin, fast * margin, frame.left, frame.right, logarithmic=True),
        Scale(max(0.0, low - extra), min(1.0 + extra / 3, high + extra), frame.bottom, frame.top),
    )


def _axes(canvas: svg.Canvas, across: Scale, up: Scale, frame: Box, axes: tuple[str, str], better: str) -> None:
    ticks = [tick for tick in svg.round_ticks(up.low, up.high, 6) if tick <= 1]
    digits = 0 if all(abs(tick * 100 - round(tick * 100)) < 1e-6 for tick in ticks) else 1
    for tick in ticks:
        canvas.add(svg.line(frame.left, up(tick), frame.right, up(tick), "grid"))
        canvas.add(svg.words(frame.left - 8, up(tick) + 4, percent(tick, digits), "t soft", "end"))
    for tick in svg.log_ticks(across.low, across.high):
        canvas.add(svg.line(across(tick), frame.bottom, across(tick), frame.bottom + 5, "tick"))
        canvas.add(svg.words(across(tick), frame.bottom + 19, svg.compact(tick), "t soft", "middle"))
    canvas.add(
        svg.line(frame.left, frame.bottom, frame.right, frame.bottom, "tick"),
        svg.words(frame.right, canvas.height - 8, f"{axes[0]} →", "t axis", "end"),
        svg.words(0, 13, f"↑ {axes[1]}", "t axis"),
        svg.words(frame.right, 13, f"{better} ↗", "t better", "end"),
    )


def _radii(points: Sequence[Point]) -> list[float]:
    """Radii whose areas go with the sizes, as far as the smallest can still be seen."""
    most = max((point.size or 0.0 for point in points), default=0.0) or 1.0
    return [max(SMALLEST, LARGEST * math.sqrt((point.size or 0.0) / most)) for point in points]


def _bubble_box(point: Point, radius: float, across: Scale, up: Scale) -> Box:
    x, y = across(point.speed), up(point.quality)
    return Box(x - radius, y - radius, x + radius, y + radius)


def _front_line(canvas: svg.Canvas, points: Sequence[Point], across: Scale, up: Scale, frame: Box) -> None:
    """Stairs through those that no other beats in quality and speed, whatever their size."""
    flat = front([replace(point, size=None) for point in points])
    steps = sorted((point for point, is_on in zip(points, flat, strict=True) if is_on), key=lambda point: point.speed)
    if len(steps) < 2:
        return
    corners: list[tuple[float, float] | None] = [(frame.left, up(steps[0].quality))]
    for index, point in enumerate(steps):
        x, y = across(point.speed), up(point.quality)
        corners.append((x, y))
        corners.append((x, up(steps[index + 1].quality) if index + 1 < len(steps) else frame.bottom))
    canvas.add(svg.path(corners, "frontline", "5 4"))


def _label(text: str, box: Box, bubble: Box, is_front: bool) -> list[str]:
    """The name, with a leader line where it stands away from its bubble."""
    marks = []
    x = min(max((bubble.left + bubble.right) / 2, box.left), box.right)
    y = min(max((bubble.top + bubble.bottom) / 2, box.top), box.bottom)
    middle_x, middle_y = (bubble.left + bubble.right) / 2, (bubble.top + bubble.bottom) / 2
    radius, far = (bubble.right - bubble.left) / 2, math.hypot(x - middle_x, y - middle_y)
    if far > radius + 2 * GAP:
        edge_x = middle_x + (x - middle_x) * radius / far
        edge_y = middle_y + (y - middle_y) * radius / far
        marks.append(svg.line(edge_x, edge_y, x, y, "leader"))
    marks.append(svg.words(box.left, box.bottom - FONT * 0.35, text, "t label strong" if is_front else "t label"))
    return marks
