"""Records into inputs, labels and weights; where a value is missing or no such thing, into a reject."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from erya.errors import quoted
from erya.language import say
from erya.text.columns import Plan
from erya.text.dataset import Reject, Target
from erya.text.readers import RAW, Row

Taken = tuple[Any, Target | None, float | None]


def taker(plan: Plan, separator: str | None = None) -> Callable[[Row], Taken | Reject]:
    """A function from a record to input, label and weight.

    Args:
        plan: where they are.
        separator: what stands between labels in one field; None: a field is one label.
    """
    if not plan.columns:
        return _nowhere
    text, text2 = plan.places["text"], plan.places.get("text2")
    label, weight = plan.places.get("label"), plan.places.get("weight")

    def take(row: Row) -> Taken | Reject:
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
        answer: Target | None = None
        if label is not None:
            answer = _as_target(get(label), separator)
            if answer is None:
                return _no_label(row, get(label), plan.columns["label"])
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


def _as_target(value: Any, separator: str | None) -> Target | None:
    """One label, a tuple of several or none (``[]`` says that there is none), or shares; None where it is no such thing."""
    if isinstance(value, dict):
        return _as_shares(value)
    if separator is not None and isinstance(value, str):
        return _as_several([piece for piece in value.split(separator) if piece.strip()])
    if isinstance(value, list) and len(value) != 1:
        return _as_several(value)
    label = _as_label(value)
    if separator is not None and label:
        return (label,)
    return label or None


def _as_several(values: list[Any]) -> tuple[str, ...] | None:
    labels = ["" if isinstance(value, list) else _as_label(value) for value in values]
    return tuple(dict.fromkeys(labels)) if all(labels) else None


def _as_shares(value: dict[str, Any]) -> dict[str, float] | None:
    shares = {_as_label(label): _as_weight(share) for label, share in value.items()}
    sound = {label: share for label, share in shares.items() if label and share is not None}
    if len(sound) < len(value) or not 0 < sum(sound.values()) < math.inf:
        return None
    return sound


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
    name = quoted(column)
    if value is None or isinstance(value, str) or value == [] or value == [""]:
        return no_label(row, column)
    if isinstance(value, dict):
        reason = say(
            f'\'{name}\' holds an object that is no shares of labels, as in {{"a": 0.7, "b": 0.3}}',
            f'\'{name}\' 里的对象不是标签份额，应形如 {{"a": 0.7, "b": 0.3}}',
        )
    else:
        reason = say(f"'{name}' holds something that is no label", f"'{name}' 里有不能作为标签的值")
    return _left_out(row, "bad-value", reason, harmless=False)


def no_label(row: Row, column: str) -> Reject:
    """The reject for a row that has no label, among rows of one label each."""
    name = quoted(column)
    return _left_out(row, "empty-label", say(f"no label in '{name}'", f"'{name}' 为空（缺标签）"), harmless=True)


def _left_out(row: Row, code: str, reason: str, *, harmless: bool) -> Reject:
    return Reject(0, reason, row.raw[:RAW], code, row.line, row.start, harmless=harmless)
