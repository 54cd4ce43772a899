"""What the values of options mean: numbers, durations, words. They arrive as text, so every complaint is in the user's language."""

from __future__ import annotations

import math

from erya.errors import UsageError, nearest, quoted
from erya.language import say


def whole(name: str, text: str | None, *, default: int, least: int = 0) -> int:
    """A whole number of at least ``least``. Raises UsageError."""
    if text is None:
        return default
    try:
        number = int(text.replace("_", ""))
    except ValueError:
        number = least - 1
    if number < least:
        raise UsageError(
            "bad-value",
            say(
                f"{name} {quoted(text, 40)}: a whole number from {least} up is needed",
                f"{name} {quoted(text, 40)}：需要不小于 {least} 的整数",
            ),
            help=f"{name} {max(default, least)}",
        )
    return number


def probability(name: str, text: str) -> float:
    """A number from 0 to 1. Raises UsageError."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(
            "bad-value",
            say(
                f"{name} {quoted(text, 40)}: a number from 0 to 1 is needed",
                f"{name} {quoted(text, 40)}：需要 0 到 1 之间的数",
            ),
            help=f"{name} 0.9",
        )
    return value


def number(name: str, text: str) -> float:
    """A number of an option. Raises UsageError where it is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(
            "bad-number",
            say(f"{name}: '{quoted(text)}' is not a number", f"{name}：'{quoted(text)}' 不是数字"),
            help=f"{name} 0.8",
        )
    return value


def seconds(name: str, text: str | None) -> float | None:
    """A duration such as ``90``, ``90s``, ``5m`` or ``1.5h``, in seconds. Raises UsageError."""
    if text is None:
        return None
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:].lower())
    try:
        value = float(text[:-1] if unit else text) * (unit or 1)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise UsageError(
            "bad-value",
            say(f"{name} {quoted(text, 40)} is no duration", f"{name} {quoted(text, 40)} 不是时长"),
            help=f"{name} 90s · {name} 5m · {name} 1h",
        )
    return value


def chosen(name: str, value: str, among: list[str]) -> str:
    """One of a few words. Raises UsageError with the nearest."""
    if value in among:
        return value
    guess = nearest(value, among)
    raise UsageError(
        "bad-value",
        say(
            f"{name} {quoted(value, 40)}: use one of {', '.join(among)}",
            f"{name} {quoted(value, 40)}：可选 {'、'.join(among)}",
        ),
        help=f"{name} {guess or among[0]}",
    )
