"""Sixteen numbers at once: vector registers in Numba kernels.

A compiler turns a plain loop into vector instructions only where it may; a sum it may not reorder, and what lies in
registers it decides alone. Kernels that touch the same few rows again and again say it themselves: ``load`` 16 floats of a row, ``fma``
them, ``store`` them. LLVM maps 16 lanes to one register (AVX-512), two (AVX) or four (SSE, NEON). The order of
additions is fixed by the code, so the same source gives the same bits.

All arrays are C-contiguous float32 matrices whose width is a multiple of LANES (see ``padded``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model
from numpy.typing import NDArray

LANES = 16
CACHE_LINE = 16  # floats
APART = 128  # bytes; processors fetch lines in pairs

_cgutils: Any = cgutils
_instruction: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic
_VECTOR: Any = ir.VectorType(ir.FloatType(), LANES)


def padded(width: int) -> int:
    """The least multiple of LANES that is not below ``width``."""
    return -(-width // LANES) * LANES


def aligned(rows: int, width: int) -> NDArray[np.float32]:
    """Zeros (rows, width) that begin at a cache line."""
    raw = np.zeros(rows * width + CACHE_LINE, dtype=np.float32)
    offset = -(raw.ctypes.data // raw.itemsize) % CACHE_LINE
    return raw[offset : offset + rows * width].reshape(rows, width)


def apart(size: int, dtype: type[np.generic]) -> NDArray[Any]:
    """Zeros (size,) on cache lines of their own, so that threads that write into their neighbours do not slow each other."""
    raw = np.zeros(size * np.dtype(dtype).itemsize + 4 * APART, dtype=np.uint8)
    offset = APART + -raw.ctypes.data % APART
    return raw[offset : offset + size * np.dtype(dtype).itemsize].view(dtype)


class Lanes(types.Type):
    """Numba's name for 16 float32 in registers."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes = Lanes()


@register_model(Lanes)
class LanesModel(PrimitiveModel):
    """How LLVM sees them."""

    def __init__(self, manager: Any, type: Any) -> None:
        super().__init__(manager, type, _VECTOR)  # type: ignore[no-untyped-call]


def _place(context: Any, builder: Any, kind: Any, array: Any, row: Any, column: Any) -> Any:
    """The address of ``array[row, column]``."""
    view = context.make_array(kind)(context, builder, array)
    width = builder.extract_value(view.shape, 1)
    return builder.gep(view.data, [builder.add(builder.mul(row, width), column)])


@_instruction
def load(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """``array[row, column : column + LANES]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments)
        return builder.load(builder.bitcast(place, _VECTOR.as_pointer()), align=4, typ=_VECTOR)

    return lanes(array, types.intp, types.intp), generate


@_instruction
def store(typing: Any, array: Any, row: Any, column: Any, values: Any) -> Any:
    """``array[row, column : column + LANES] = values``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments[:3])
        builder.store(arguments[3], builder.bitcast(place, _VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, lanes), generate


@_instruction
def turn(typing: Any, source: Any, row: Any, column: Any, into: Any, line: Any, place: Any) -> Any:
    """``into[line + j, place + i] = source[row + i, column + j]`` for i, j < LANES.

    Halves of rows are exchanged between rows that are half as far apart each time: log₂ LANES rounds.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, row, column, into, line, place = arguments
        at = [builder.add(row, row.type(number)) for number in range(LANES)]
        places = [_place(context, builder, signature.args[0], source, one, column) for one in at]
        rows = [builder.load(builder.bitcast(one, _VECTOR.as_pointer()), align=4, typ=_VECTOR) for one in places]
        distance = LANES // 2
        while distance:
            low = [lane if not lane & distance else LANES + lane - distance for lane in range(LANES)]
            high = [lane + distance if not lane & distance else LANES + lane for lane in range(LANES)]
            for number in (number for number in range(LANES) if not number & distance):
                pair = rows[number], rows[number + distance]
                rows[number] = _shuffled(builder, *pair, low)
                rows[number + distance] = _shuffled(builder, *pair, high)
            distance //= 2
        for number, values in enumerate(rows):
            goal = _place(context, builder, signature.args[3], into, builder.add(line, line.type(number)), place)
            builder.store(values, builder.bitcast(goal, _VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, into, types.intp, types.intp), generate


@_instruction
def spread(typing: Any, value: Any) -> Any:
    """16 times the same number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _spread(builder, arguments[0])

    return lanes(types.float32), generate


def _spread(builder: Any, number: Any) -> Any:
    nothing = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    one = builder.insert_element(nothing, number, ir.IntType(32)(0))
    return _shuffled(builder, one, one, [0] * LANES)


@_instruction
def spread_from(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """16 times ``array[row, column]``, which must be there: unlike an index, the place is not looked at."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = builder.load(_place(context, builder, signature.args[0], *arguments))
        return _spread(builder, number)

    return lanes(array, types.intp, types.intp), generate


@_instruction
def fma(typing: Any, left: Any, right: Any, sum: Any) -> Any:
    """``left * right + sum``, lane by lane, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        name = f"llvm.fma.v{LANES}f32"
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        return builder.call(_cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    return lanes(lanes, lanes, lanes), generate


@_instruction
def plus(typing: Any, left: Any, right: Any) -> Any:
    """``left + right``, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return lanes(lanes, lanes), generate


@_instruction
def minus(typing: Any, left: Any, right: Any) -> Any:
    """``left - right``, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fsub(*arguments)

    return lanes(lanes, lanes), generate


@_instruction
def times(typing: Any, left: Any, right: Any) -> Any:
    """``left * right``, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fmul(*arguments)

    return lanes(lanes, lanes), generate


@_instruction
def over(typing: Any, left: Any, right: Any) -> Any:
    """``left / right``, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fdiv(*arguments)

    return lanes(lanes, lanes), generate


@_instruction
def within(typing: Any, values: Any, low: Any, high: Any) -> Any:
    """``values`` brought into [low, high], lane by lane; NaN stays NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, low, high = arguments
        raised = builder.select(builder.fcmp_ordered("<", values, low), low, values)
        return builder.select(builder.fcmp_ordered(">", raised, high), high, raised)

    return lanes(lanes, lanes, lanes), generate


@_instruction
def between(typing: Any, values: Any, first: Any, last: Any, otherwise: Any) -> Any:
    """``values`` in the lanes ``first`` … ``last``, ``otherwise`` in the others; either may lie outside of 0 … 15."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, first, last, otherwise = arguments
        number = ir.IntType(64)
        places = ir.Constant(ir.VectorType(number, LANES), list(range(LANES)))
        above = builder.icmp_signed(">=", places, _spread(builder, first))
        below = builder.icmp_signed("<=", places, _spread(builder, last))
        return builder.select(builder.and_(above, below), values, otherwise)

    return lanes(lanes, types.int64, types.int64, lanes), generate


@_instruction
def larger(typing: Any, left: Any, right: Any) -> Any:
    """The larger of two, lane by lane; ``right`` where one is NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right = arguments
        return builder.select(builder.fcmp_ordered(">", left, right), left, right)

    return lanes(lanes, lanes), generate


@_instruction
def totals(typing: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    """The sums of six vectors, in the first six lanes; the order of additions is always the same.

    Neighbours are laid side by side and their halves added: 16 lanes a sum become 8, 4, 2 and 1.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        nothing = ir.Constant(_VECTOR, [0.0] * LANES)
        vectors, taken = [*arguments, nothing, nothing], LANES
        while taken > 1:
            half = taken // 2
            pairs = list(zip(vectors[::2], vectors[1::2], strict=False)) or [(vectors[0], nothing)]
            low = [
                LANES * side + group + lane
                for side in (0, 1)
                for group in range(0, LANES, taken)
                for lane in range(half)
            ]
            high = [place + half for place in low]
            vectors = [
                builder.fadd(_shuffled(builder, left, right, low), _shuffled(builder, left, right, high))
                for left, right in pairs
            ]
            taken = half
        return vectors[0]

    return lanes(lanes, lanes, lanes, lanes, lanes, lanes), generate


def _shuffled(builder: Any, left: Any, right: Any, places: list[int]) -> Any:
    """Lanes of two vectors by place; those of ``right`` are numbered from LANES on."""
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(ir.IntType(32), LANES), places))


@_instruction
def total(typing: Any, values: Any) -> Any:
    """The sum of the 16: halves added to halves, always in the same order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, taken = arguments[0], LANES
        while taken > 1:
            half = taken // 2
            high = [(lane + half) % taken if lane < taken else lane for lane in range(LANES)]
            vector = builder.fadd(vector, _shuffled(builder, vector, vector, high))
            taken = half
        return builder.extract_element(vector, ir.IntType(32)(0))

    return types.float32(lanes), generate


@_instruction
def largest(typing: Any, values: Any) -> Any:
    """The largest of the 16; where there is a NaN, which one it is stays open."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, taken = arguments[0], LANES
        while taken > 1:
            taken //= 2
            turned = _shuffled(builder, vector, vector, [(lane + taken) % LANES for lane in range(LANES)])
            vector = builder.select(builder.fcmp_ordered(">", vector, turned), vector, turned)
        return builder.extract_element(vector, ir.IntType(32)(0))

    return types.float32(lanes), generate


@_instruction
def raised(typing: Any, rounding: Any) -> Any:
    """2ⁿ of n that stand in the last digits of ``rounding``, n + 1.5 · 2²³: in −126 … 127."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = ir.VectorType(ir.IntType(32), LANES)
        exponents = builder.shl(builder.bitcast(arguments[0], whole), ir.Constant(whole, [23] * LANES))
        return builder.bitcast(builder.add(exponents, ir.Constant(whole, [127 << 23] * LANES)), _VECTOR)

    return lanes(lanes), generate


def _asking(builder: Any, place: Any, to_write: bool) -> None:
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    function = _cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [builder.bitcast(place, byte), number(int(to_write)), number(3), number(1)])


@_instruction
def prefetch(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """Ask for the cache line of ``array[row, column]``, to be there when it is read."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _asking(builder, _place(context, builder, signature.args[0], *arguments), False)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), generate


@_instruction
def prefetch_to_write(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """As ``prefetch``, for a line that will be changed: it is taken away from the other cores at once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _asking(builder, _place(context, builder, signature.args[0], *arguments), True)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), generate
