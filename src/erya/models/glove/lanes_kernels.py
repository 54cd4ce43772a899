"""Three more things to do with sixteen numbers at once, which GloVe's step needs (see ``parts/simd.py`` for the others)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from erya.parts.simd import LANES, lanes

_cgutils: Any = cgutils
_instruction: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic
_VECTOR: Any = ir.VectorType(ir.FloatType(), LANES)
_WHOLE: Any = ir.VectorType(ir.IntType(32), LANES)
MAGIC = 0x5F375A86  # Lomont 2003, "Fast inverse square root"


def _all(kind: Any, value: Any) -> Any:
    return ir.Constant(kind, [value] * LANES)


@_instruction
def inverse_root(typing: Any, values: Any) -> Any:
    """1/√x of positive numbers to five digits: a guess from the exponent's bits, and two steps of Newton's method.

    Nothing but shifts, subtractions and products, which round alike on every machine; a square root and a division would take
    longer than all the rest of a step.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (x,) = arguments
        halved = builder.lshr(builder.bitcast(x, _WHOLE), _all(_WHOLE, 1))
        y = builder.bitcast(builder.sub(_all(_WHOLE, MAGIC), halved), _VECTOR)
        half = builder.fmul(x, _all(_VECTOR, 0.5))
        for _ in range(2):  # y ← y (3/2 − x/2 y²)
            square = builder.fmul(builder.fmul(half, y), y)
            y = builder.fmul(y, builder.fsub(_all(_VECTOR, 1.5), square))
        return y

    return lanes(lanes), generate


@_instruction
def clipped(typing: Any, values: Any, limits: Any) -> Any:
    """``values``, none further from 0 than its limit."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, above = arguments
        below = builder.fsub(_all(_VECTOR, -0.0), above)
        values = builder.select(builder.fcmp_ordered("<", values, above), values, above)
        return builder.select(builder.fcmp_ordered(">", values, below), values, below)

    return lanes(lanes, lanes), generate


@_instruction
def total(typing: Any, values: Any) -> Any:
    """The sum of the sixteen, halves added to halves: always in the same order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, size = arguments[0], LANES
        while size > 1:
            half = size // 2
            nothing = ir.Constant(ir.VectorType(ir.FloatType(), size), ir.Undefined)
            kind = ir.VectorType(ir.IntType(32), half)
            low = builder.shuffle_vector(vector, nothing, ir.Constant(kind, list(range(half))))
            high = builder.shuffle_vector(vector, nothing, ir.Constant(kind, list(range(half, size))))
            vector, size = builder.fadd(low, high), half
        return builder.extract_element(vector, ir.IntType(32)(0))

    return types.float32(lanes), generate
