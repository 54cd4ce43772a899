"""What a setting may be while good ones are searched for: numbers between two ends, evenly or by magnitude; a few values.

A card writes it as TOML, ``learning_rate = { low = 0.0003, high = 0.01, scale = "log" }``; ``space_of`` reads and checks that.
Every value has a place from 0 to 1, in which a draw is uniform and a picture is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from erya.language import say

SCALES = ("log", "linear", "integer")


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``.

    Attributes:
        low: least value.
        high: greatest.
        logarithmic: even by orders of magnitude.
        whole: whole numbers only.
    """

    low: float
    high: float
    logarithmic: bool = True
    whole: bool = True

    def place(self, value: float) -> float:
        """Where ``value`` lies between low and high: 0 … 1."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def value(self, place: float) -> float:
        """The inverse of ``place``, which is brought between 0 and 1; four digits of it, or the nearest whole number."""
        place = min(1.0, max(0.0, place))
        exact = (
            self.low * (self.high / self.low) ** place
            if self.logarithmic
            else self.low + place * (self.high - self.low)
        )
        return round(exact) if self.whole else float(f"{exact:.4g}")

    def drawn(self, place: float) -> float:
        """The value of a uniform draw from 0 to 1: of whole numbers on a straight scale each is as likely as any other."""
        if self.whole and not self.logarithmic:
            return int(min(self.high, self.low + math.floor(place * (self.high - self.low + 1))))
        return self.value(place)

    def plain(self) -> dict[str, Any]:
        """As a card writes it."""
        scale = "log" if self.logarithmic else "integer" if self.whole else "linear"
        return {"low": self.low, "high": self.high, "scale": scale}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values, in no order."""

    values: tuple[Any, ...]

    def place(self, value: Any) -> float:
        """The middle of the value's share of 0 … 1.

        Raises:
            ValueError: it is none of the values.
        """
        return (self.values.index(_hashable(value)) + 0.5) / len(self.values)

    def drawn(self, place: float) -> Any:
        """The value of a uniform draw from 0 to 1."""
        return self.values[min(len(self.values) - 1, int(place * len(self.values)))]

    def plain(self) -> dict[str, Any]:
        """As a card writes it."""
        return {"choice": [list(value) if isinstance(value, tuple) else value for value in self.values]}


Space = Mapping[str, Range | Choice]


def space_of(table: Mapping[str, Any]) -> dict[str, Range | Choice]:
    """A card's ``space`` table.

    Args:
        table: by setting ``{low, high, scale}`` or ``{choice}``. ``scale`` is ``"log"`` (whole numbers where both ends are
            written as such), ``"linear"`` or ``"integer"``.

    Raises:
        ValueError: an entry that is neither, ends in the wrong order, a logarithm of what is not positive.
    """
    if not isinstance(table, Mapping):
        raise ValueError(say("space is a table of settings", "space 应是各项设置的表"))
    return {name: _entry(name, told) for name, told in table.items()}


def _entry(name: str, told: Any) -> Range | Choice:
    if isinstance(told, Mapping) and set(told) == {"choice"}:
        return _choice(name, told["choice"])
    if not isinstance(told, Mapping) or set(told) != {"low", "high", "scale"}:
        raise _bad(name, say("low, high and scale, or choice", "应给出 low、high 和 scale，或给出 choice"))
    low, high, scale = told["low"], told["high"], told["scale"]
    if any(isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end) for end in (low, high)):
        raise _bad(name, say("low and high are numbers", "low 与 high 应是数"))
    if scale not in SCALES:
        raise _bad(name, say(f"scale is one of {', '.join(SCALES)}", f"scale 可选 {'、'.join(SCALES)}"))
    if not low < high:
        raise _bad(name, say("low is less than high", "low 应小于 high"))
    whole = isinstance(low, int) and isinstance(high, int)
    if scale == "integer" and not whole:
        raise _bad(name, say("low and high are whole numbers", "low 与 high 应是整数"))
    if scale == "log" and low <= 0:
        raise _bad(name, say("on a logarithmic scale low is more than 0", "对数尺度的 low 应大于 0"))
    return Range(low, high, logarithmic=scale == "log", whole=scale == "integer" or (scale == "log" and whole))


def _choice(name: str, values: Any) -> Choice:
    found = tuple(map(_hashable, values)) if isinstance(values, list) else ()
    if len(found) < 2 or len({repr(value) for value in found}) != len(found):
        raise _bad(name, say("choice lists two different values or more", "choice 至少列出两个不同的值"))
    return Choice(found)


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _bad(name: str, rule: str) -> ValueError:
    return ValueError(f"space.{name}: {rule}")
