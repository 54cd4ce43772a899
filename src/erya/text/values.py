"""Records into inputs, labels and weights; where a value is missing or no such thing, into a reject."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from erya.errors import quoted
from erya.language import say
from erya.text.columns import Plan
from erya.text.dataset import Reject
from erya.text.readers import RAW, Row


def taker(plan: Plan) -> Callable[[Row], tuple[Any, str | None, float | None] | Reject]:
    """A function from a record to input, label and weight."""
    if not plan.columns:
        return _nowhere
    text, text2 = plan.places["text"], plan.places.get("text2")
    label, weight = plan.places.get("label"), plan.places.get("weight")

    def take(row: Row) -> tuple[Any, str | None, float | None] | Reject:
        values = row.values
        get = values.get if isinstance(values, dict) else values.__getitem__
        document: Any = get(text)
        if not isinstance(document, str):
            document = _as_text(document)
        if not document or document.isspace():
            return _no_text(row, get(text), plan.columns["text"])
        if text2 is not None:
            second = _as_text(get(text2))
            if not second or second.isspace():
                return _no_text(row, get(text2), plan.columns["text2"])
            document = (document, second)
        answer: str | None = None
        if label is not None:
            named = _as_label(get(label))
            if not named:
                return _no_label(row, get(label), plan.columns["label"])
            answer = named
        number: float | None = None
        if weight is not None:
            number = _as_weight(get(weight))
            if number is None:
                reason = say(
                    f"'{quoted(get(weight), 20)}' is not a weight", f"'{quoted(get(weight), 20)}' 不能作为权重"
                )
                return _left_out(row, "bad-weight", reason, harmless=False)
        return document, answer, number

    return take


def _nowhere(row: Row) -> Reject:
    return _left_out(row, "empty-text", say("no text", "没有文本"), harmless=True)


def _as_text(value: Any) -> str:
    """A JSON value as text; numbers count as text, nothing else does."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _as_label(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], list):
        return _as_label(value[0])
    return ""


def _as_weight(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _no_text(row: Row, value: Any, column: str) -> Reject:
    if value is None or isinstance(value, str):
        return _left_out(
            row, "empty-text", say(f"no text in '{quoted(column)}'", f"'{quoted(column)}' 为空"), harmless=True
        )
    kind = type(value).__name__
    return _left_out(
        row,
        "bad-value",
        say(f"'{quoted(column)}' holds a {kind}, not text", f"'{quoted(column)}' 不是文本，而是 {kind}"),
        harmless=False,
    )


def _no_label(row: Row, value: Any, column: str) -> Reject:
    if isinstance(value, list) and len(value) > 1:
        reason = say(f"{len(value)} labels in one row", f"一行有 {len(value)} 个标签")
        return _left_out(row, "several-labels", reason, harmless=False)
    if value is None or isinstance(value, str | list):
        return _left_out(
            row,
            "empty-label",
            say(f"no label in '{quoted(column)}'", f"'{quoted(column)}' 为空（缺标签）"),
            harmless=True,
        )
    reason = say(f"'{quoted(column)}' holds an object, not a label", f"'{quoted(column)}' 不是标签，而是对象")
    return _left_out(row, "bad-value", reason, harmless=False)


def _left_out(row: Row, code: str, reason: str, *, harmless: bool) -> Reject:
    return Reject(0, reason, row.raw[:RAW], code, row.line, row.start, harmless=harmless)
