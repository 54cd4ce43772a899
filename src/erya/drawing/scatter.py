"""Quality against speed, size as area: bubbles, the front of those that nothing beats, and labels that never overlap."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from erya.drawing import svg
from erya.drawing.markup import percent
from erya.drawing.plots import Scale, color_of

FONT = 13.0
SMALLEST, LARGEST = 5.0, 26.0  # radius of a bubble
ROOMY = 500  # CSS pixels
GAP = 6.0


@dataclass(frozen=True, slots=True)
class Point:
    """One bubble: better is up, right and small.

    Args:
        name: its label.
        detail: follows the name where there is room.
        speed: x, > 0, drawn on a logarithmic axis.
        quality: y, a share of 1.
        low: lower end of the quality's interval.
        high: upper end.
        size: area of the bubble; None where it is not known.
        color: number of its series.
        tip: what the pointer shows.
    """

    name: str
    detail: str
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


def place_labels(texts: Sequence[str], bubbles: Sequence[Box], frame: Box, lines: Sequence[Box] = ()) -> list[Box]:
    """A place for each label: near its bubble, inside the frame, on no other label, and – where there is room – on no mark.

    Where every near place is taken, places further out are tried; the drawing then leads a line to it.

    Args:
        texts: n labels.
        bubbles: n boxes that they belong to.
        frame: where all must stay.
        lines: thin boxes that had better be left free, too.
    """
    placed: dict[int, Box] = {}
    for index in sorted(range(len(texts)), key=lambda index: bubbles[index].top):
        placed[index] = _best(texts[index], bubbles[index], list(placed.values()), bubbles, frame, lines)[0]
    return [placed[index] for index in range(len(texts))]


def near_labels(
    texts: Sequence[str], bubbles: Sequence[Box], frame: Box, lines: Sequence[Box] = (), reach: float = 2 * GAP
) -> list[Box | None]:
    """As `place_labels`, for many points: a label that finds no free place within ``reach`` pixels has none.

    ``bubbles`` may go on after those of the labels: more marks to keep free.
    """
    placed: dict[int, Box] = {}
    for index, text in enumerate(texts):
        box, is_free = _best(text, bubbles[index], list(placed.values()), bubbles, frame, lines, reach)
        if is_free:
            placed[index] = box
    return [placed.get(index) for index in range(len(texts))]


def _best(
    text: str,
    bubble: Box,
    labels: Sequence[Box],
    bubbles: Sequence[Box],
    frame: Box,
    lines: Sequence[Box],
    reach: float = math.inf,
) -> tuple[Box, bool]:
    """The least bad place for one label, and whether it covers neither another label nor a bubble."""
    wide, high = svg.text_width(text, FONT), FONT * 1.35
    best, least, is_free = bubble, math.inf, False
    for rank, box in enumerate(_candidates(bubble, wide, high, frame, reach)):
        on_labels = sum(box.overlap(other) for other in labels)
        on_bubbles = sum(box.overlap(other) for other in bubbles)
        on_lines = min(20.0, 0.15 * sum(box.overlap(other) for other in lines))  # worth a way of two rings at most
        cost = 1000 * on_labels + 20 * on_bubbles + on_lines + rank
        if cost < least:
            best, least, is_free = box, cost, on_labels + on_bubbles == 0
        if cost == rank:  # free, and all that follow are further away
            break
    return best, is_free


def _candidates(bubble: Box, wide: float, high: float, frame: Box, reach: float = math.inf) -> Iterator[Box]:
    """Boxes around a bubble, nearest first and none further than ``reach``, each pushed into the frame."""
    middle_x, middle_y = (bubble.left + bubble.right) / 2, (bubble.top + bubble.bottom) / 2
    for distance in (GAP, *range(14, 200, 10)):
        if distance > reach:
            return
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
    height = 430.0 if width > ROOMY else 400.0
    canvas = svg.Canvas(width, height, title, told)
    frame = Box(52, 26, width - 10, height - 50)
    across, up = _scales(points, frame)
    _axes(canvas, across, up, frame, axes, better)
    radii = _radii(points, LARGEST if width > ROOMY else LARGEST * 0.7)
    on_front = front(points)
    stairs = _stairs(points, across, up, frame)
    canvas.add(svg.path(stairs, "frontline", "5 4"))
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
    texts = [point.name + point.detail if width > ROOMY else point.name for point in points]
    texts = [svg.fitted(text, FONT, (frame.right - frame.left) * 0.6) for text in texts]
    inner = replace(frame, left=frame.left + 4, top=frame.top + 2, right=frame.right - 4, bottom=frame.bottom - 2)
    places = place_labels(texts, bubbles, inner, list(_thin_boxes(points, stairs, across, up)))
    for text, box, bubble, is_front in zip(texts, places, bubbles, on_front, strict=True):
        canvas.add(*_label(text, box, bubble, is_front))
    return canvas.close()


def _scales(points: Sequence[Point], frame: Box) -> tuple[Scale, Scale]:
    slow, fast = min(point.speed for point in points), max(point.speed for point in points)
    wide = frame.right - frame.left
    left, right = 0.08 * wide, min(190.0, 0.22 * wide)  # room for bubbles, and for the names on their right
    margin = max(fast / slow, 2.0) ** (1 / (wide - left - right))  # by which a pixel is faster
    low, high = min(point.low for point in points), max(point.high for point in points)
    extra = max((high - low) * 0.12, 0.005)
    return (
        Scale(slow / margin**left, fast * margin**right, frame.left, frame.right, logarithmic=True),
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


def _radii(points: Sequence[Point], largest: float) -> list[float]:
    """Radii whose areas go with the sizes, as far as the smallest can still be seen."""
    most = max((point.size or 0.0 for point in points), default=0.0) or 1.0
    return [max(SMALLEST, largest * math.sqrt((point.size or 0.0) / most)) for point in points]


def _bubble_box(point: Point, radius: float, across: Scale, up: Scale) -> Box:
    x, y = across(point.speed), up(point.quality)
    return Box(x - radius, y - radius, x + radius, y + radius)


def _stairs(points: Sequence[Point], across: Scale, up: Scale, frame: Box) -> list[tuple[float, float]]:
    """Corners of the line through those that no other beats in quality and speed, whatever their size."""
    flat = front([replace(point, size=None) for point in points])
    steps = sorted((point for point, is_on in zip(points, flat, strict=True) if is_on), key=lambda point: point.speed)
    if len(steps) < 2:
        return []
    corners = [(frame.left, up(steps[0].quality))]
    for point, following in pairwise(steps):
        x = across(point.speed)
        corners += [(x, up(point.quality)), (x, up(following.quality))]
    return [*corners, (across(steps[-1].speed), up(steps[-1].quality))]


def _thin_boxes(
    points: Sequence[Point], stairs: Sequence[tuple[float, float]], across: Scale, up: Scale
) -> Iterator[Box]:
    """The intervals and the stairs as obstacles for labels."""
    for point in points:
        x = across(point.speed)
        yield Box(x - 2, up(point.high), x + 2, up(point.low))
    for (x1, y1), (x2, y2) in pairwise(stairs):
        yield Box(min(x1, x2) - 2, min(y1, y2) - 2, max(x1, x2) + 2, max(y1, y2) + 2)


def _label(text: str, box: Box, bubble: Box, is_front: bool) -> list[str]:
    """The name, with a leader line where it stands away from its bubble."""
    marks = leader(box, bubble)
    marks.append(svg.words(box.left, box.bottom - FONT * 0.35, text, "t label strong" if is_front else "t label"))
    return marks


def leader(box: Box, bubble: Box) -> list[str]:
    """A line from a bubble to its label, where that stands away from it."""
    x = min(max((bubble.left + bubble.right) / 2, box.left), box.right)
    y = min(max((bubble.top + bubble.bottom) / 2, box.top), box.bottom)
    middle_x, middle_y = (bubble.left + bubble.right) / 2, (bubble.top + bubble.bottom) / 2
    radius, far = (bubble.right - bubble.left) / 2, math.hypot(x - middle_x, y - middle_y)
    if far > radius + 2 * GAP:
        edge_x = middle_x + (x - middle_x) * radius / far
        edge_y = middle_y + (y - middle_y) * radius / far
        return [svg.line(edge_x, edge_y, x, y, "leader")]
    return []
