"""SVG primitives: a canvas with a title and a description, marks, text with an estimated width, round ticks.

Coordinates are CSS pixels of a drawing that is shown at its own width; colours are the page's custom properties, so that
one drawing serves light and dark.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from erya.drawing.markup import plain

_NARROW = frozenset("iljtfrI.,:;'|!()[]{}1 ·-")
_WIDE = frozenset("mwMW@%—…")


@dataclass(slots=True)
class Canvas:
    """A drawing under way: ``add`` marks, then ``close``.

    Args:
        width: CSS pixels.
        height: CSS pixels.
        title: what a screen reader says first.
        description: the drawing in a sentence or two.
    """

    width: float
    height: float
    title: str
    description: str = ""
    marks: list[str] = field(default_factory=list)

    def add(self, *marks: str) -> None:
        """Draw these on top of what is there."""
        self.marks.extend(marks)

    def close(self) -> str:
        """The finished ``<svg>``; narrower screens shrink it."""
        description = f"<desc>{plain(self.description)}</desc>" if self.description else ""
        return (
            f'<svg role="img" viewBox="0 0 {short(self.width)} {short(self.height)}" width="{short(self.width)}" '
            f'height="{short(self.height)}"><title>{plain(self.title)}</title>{description}{"".join(self.marks)}</svg>'
        )


def short(value: float) -> str:
    """A coordinate with at most one decimal: a tenth of a pixel is enough for any eye."""
    return "0" if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")


def line(x1: float, y1: float, x2: float, y2: float, kind: str, dash: str = "") -> str:
    """A straight line with the look of a class."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line class="{kind}" x1="{short(x1)}" y1="{short(y1)}" x2="{short(x2)}" y2="{short(y2)}"{dashes}/>'


def path(points: Sequence[tuple[float, float] | None], kind: str, dash: str = "", color: str = "") -> str:
    """A line through points; None lifts the pen."""
    pieces, down = [], False
    for point in points:
        if point is not None:
            pieces.append(f"{'L' if down else 'M'}{short(point[0])} {short(point[1])}")
        down = point is not None
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    style = f' style="stroke:var(--{color})"' if color else ""
    return f'<path class="{kind}" d="{"".join(pieces)}"{dashes}{style}/>'


def dot(x: float, y: float, radius: float, kind: str, color: str = "", tip: str = "") -> str:
    """A disc; ``color`` names a custom property, ``tip`` is shown under the pointer."""
    style = f' style="--c:var(--{color})"' if color else ""
    inside = f"<title>{plain(tip)}</title>" if tip else ""
    return f'<circle class="{kind}" cx="{short(x)}" cy="{short(y)}" r="{short(radius)}"{style}>{inside}</circle>'


def rectangle(x: float, y: float, width: float, height: float, kind: str, tip: str = "", radius: float = 0) -> str:
    """A rectangle with the look of a class."""
    inside = f"<title>{plain(tip)}</title>" if tip else ""
    round_ = f' rx="{short(radius)}"' if radius else ""
    return (
        f'<rect class="{kind}" x="{short(x)}" y="{short(y)}" width="{short(width)}" '
        f'height="{short(height)}"{round_}>{inside}</rect>'
    )


def words(x: float, y: float, text: str, kind: str = "t", anchor: str = "start", turn: float = 0) -> str:
    """Text on one line; ``turn`` in degrees around its anchor."""
    turned = f' transform="rotate({short(turn)} {short(x)} {short(y)})"' if turn else ""
    where = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text class="{kind}" x="{short(x)}" y="{short(y)}"{where}{turned}>{plain(text)}</text>'


def text_width(text: str, size: float) -> float:
    """About how wide a text is at a font size, generously: fonts differ, and labels must not touch."""
    total = 0.0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
            continue
        if unicodedata.east_asian_width(character) in "WF":
            total += 1.0
        elif character in _NARROW:
            total += 0.4
        elif character in _WIDE:
            total += 0.95
        else:
            total += 0.72 if character.isupper() else 0.62
    return total * size


def fitted(text: str, size: float, width: float) -> str:
    """The text, or as much of it as the width takes, and an ellipsis."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def round_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Ticks at 1, 2 or 5 times a power of ten that lie within ``low`` and ``high``."""
    raw = (high - low) / max(1, about)
    if not 1e-300 < raw < 1e300:
        return [low]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: powers of ten, with 2 and 5 between where there is room for them."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
        if len(inside) >= 3:
            break
    return inside


def compact(value: float) -> str:
    """A tick's number: 1,200 as 1.2k, 3,000,000 as 3M."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"
