"""Eight bytes at once: which of them belong to a word, and their lower case, without a branch.

A 64-bit register holds eight bytes; sums that do not carry from one byte to the next compare all of them with a bound
(Lamport 1975, "Multiple byte processing with full-word instructions"). The first byte is the lowest (little-endian).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from erya.kernel_cache import kernel

_cgutils: Any = cgutils
_instruction: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic

HIGH = np.uint64(0x8080808080808080)
_LOW7 = np.uint64(0x7F7F7F7F7F7F7F7F)
_CASE = np.uint64(0x2020202020202020)  # the bit in which a and A differ
_EVERY = 0x0101010101010101
_FROM_A, _PAST_Z = np.uint64((0x80 - 0x61) * _EVERY), np.uint64((0x80 - 0x7B) * _EVERY)
_FROM_0, _PAST_9 = np.uint64((0x80 - 0x30) * _EVERY), np.uint64((0x80 - 0x3A) * _EVERY)
_FROM_TAB, _PAST_CR = np.uint64((0x80 - 0x09) * _EVERY), np.uint64((0x80 - 0x0E) * _EVERY)
_FROM_BLANK, _PAST_BLANK = np.uint64((0x80 - 0x20) * _EVERY), np.uint64((0x80 - 0x21) * _EVERY)
_TWO = np.uint64(2)


@_instruction
def eight(typing: Any, data: Any, place: Any) -> Any:
    """``data[place:place + 8]`` as one number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(view.data, [arguments[1]])
        value = builder.load(builder.bitcast(pointer, context.get_value_type(types.uint64).as_pointer()))
        value.align = 1
        return value

    return types.uint64(data, types.int64), generate


@_instruction
def zeros_below(typing: Any, number: Any) -> Any:
    """How many of the lowest bits are 0; 64 for the number 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], _cgutils.false_bit)

    return types.uint64(types.uint64), generate


@kernel
def letters(x: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The eight bytes with A–Z in lower case, and the highest bit of each byte that is no ASCII letter or digit."""
    low = x & _LOW7
    alphabetic = (((low | _CASE) + _FROM_A) & ~((low | _CASE) + _PAST_Z)) & ~x & HIGH
    digits = ((low + _FROM_0) & ~(low + _PAST_9)) & ~x & HIGH
    return x | (alphabetic >> _TWO), (alphabetic | digits) ^ HIGH


@kernel
def blanks(x: np.uint64) -> np.uint64:
    """The highest bit of each byte that is ASCII white space."""
    low = x & _LOW7
    line = (low + _FROM_TAB) & ~(low + _PAST_CR)
    blank = (low + _FROM_BLANK) & ~(low + _PAST_BLANK)
    return (line | blank) & ~x & HIGH


@kernel
def ascii_until(data: NDArray[np.uint8], i: int) -> int:
    """The first place from ``i`` on where a byte is not ASCII, or up to seven before it."""
    last = len(data) - 8
    while i <= last and eight(data, i) & HIGH == np.uint64(0):
        i += 8
    return i
