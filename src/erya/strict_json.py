"""JSON in and out of files that strangers may have written: bounded, finite, every key once."""

from __future__ import annotations

import json
import math
from typing import Any

from erya.language import say

DEEPEST = 64


def encode(value: Any, *, most: int, indent: int | None = None) -> bytes:
    """Plain data as UTF-8 JSON, in the order of its dicts; equal data gives equal bytes.

    Args:
        value: str, int, float, bool, None, lists, tuples and dicts with str keys.
        most: what ``decode`` will be called with: what could not be read back is not written.
        indent: for files that people open.

    Raises:
        ValueError: other types, other keys, NaN or infinity, nested too deeply, too many values.
    """
    _check_plain(value)
    separators = (",", ": ") if indent is not None else (",", ":")
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: only escaped can it stand in UTF-8
        text = json.dumps(value, ensure_ascii=True, allow_nan=False, indent=indent, separators=separators)
        data = text.encode("ascii")
    _check_count(data, most)
    return data


def decode(data: bytes, *, most: int) -> Any:
    """The inverse of ``encode``; time and memory are bounded by ``len(data)`` and ``most``.

    Args:
        data: UTF-8.
        most: bound on the values, counted before anything is parsed (by brackets, commas and colons).

    Raises:
        ValueError: not JSON, not UTF-8, a key twice, NaN, infinity or ``1e999``, nested too deeply, too many values.
    """
    _check_count(data, most)
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
    except RecursionError:
        raise ValueError(_too_deep()) from None
    except UnicodeDecodeError:
        raise ValueError(say("it is not UTF-8", "不是 UTF-8 文本")) from None
    except json.JSONDecodeError as error:
        raise ValueError(
            say(f"it is not JSON (byte {error.pos:,})", f"不是合法的 JSON（第 {error.pos:,} 个字符处）")
        ) from None
    if _deeper_than(value, DEEPEST):
        raise ValueError(_too_deep())
    return value


def _check_count(data: bytes, most: int) -> None:
    # Each value but the outermost stands behind one of these four, so their number bounds the objects to be made.
    if sum(data.count(mark) for mark in (b"[", b"{", b",", b":")) > most:
        raise ValueError(say(f"it holds more than {most:,} values", f"其中的值超过 {most:,} 个"))


def _too_deep() -> str:
    return say(f"it is nested deeper than {DEEPEST} levels", f"嵌套超过 {DEEPEST} 层")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(say("a key stands there twice", "有重复的键"))
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(say(f"{name} is not a number that JSON knows", f"{name} 不是 JSON 允许的数"))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(say("a number is too large", "有数值过大"))
    return number


def _deeper_than(value: Any, deepest: int) -> bool:
    """Whether containers are nested deeper than that; level by level, since recursion is what must not run away."""
    level = [value]
    for _ in range(deepest + 1):
        level = [
            child
            for item in level
            if isinstance(item, dict | list | tuple)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def _check_plain(value: Any) -> None:
    if _deeper_than(value, DEEPEST):  # also a list that holds itself
        raise ValueError(_too_deep())
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            for key in item:
                if not isinstance(key, str):
                    raise ValueError(say(f"the key {key!r} is not a string", f"键 {key!r} 不是字符串"))
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif isinstance(item, float):
            if not math.isfinite(item):
                raise ValueError(say(f"{item} is not finite", f"{item} 不是有限数"))
        elif item is not None and not isinstance(item, str | int):
            kind = type(item).__name__
            raise ValueError(say(f"a {kind} is not plain data", f"{kind} 不是普通数据"))
