"""Eight float64 at once: vector registers in Numba kernels whose sums are long or whose answers must agree to ten digits.

The same idea as ``simd.py`` with its sixteen float32: what lies in registers is said, not hoped for. LLVM maps 8 lanes to one
register (AVX-512), two (AVX) or four (SSE, NEON). Arrays are C-contiguous matrices whose width is a multiple of EIGHT: float64, or
float32 for ``widened`` and ``narrowed``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

EIGHT = 8

_cgutils: Any = cgutils
_instruction: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic
_VECTOR: Any = ir.VectorType(ir.DoubleType(), EIGHT)
_SINGLES: Any = ir.VectorType(ir.FloatType(), EIGHT)


class Octet(types.Type):
    """Numba's name for 8 float64 in registers."""

    def __init__(self) -> None:
        super().__init__(name="Octet")


octet = Octet()


@register_model(Octet)
class OctetModel(PrimitiveModel):
    """How LLVM sees them."""

    def __init__(self, manager: Any, type: Any) -> None:
        super().__init__(manager, type, _VECTOR)  # type: ignore[no-untyped-call]


def whole(width: int) -> int:
    """The least multiple of EIGHT that is not below ``width``."""
    return -(-width // EIGHT) * EIGHT


def _place(context: Any, builder: Any, kind: Any, array: Any, row: Any, column: Any, *, vector: Any = _VECTOR) -> Any:
    """The address of ``array[row, column]``, as that of eight numbers."""
    view = context.make_array(kind)(context, builder, array)
    width = builder.extract_value(view.shape, 1)
    place = builder.gep(view.data, [builder.add(builder.mul(row, width), column)])
    return builder.bitcast(place, vector.as_pointer())


@_instruction
def load(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """``array[row, column : column + 8]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_place(context, builder, signature.args[0], *arguments), align=8, typ=_VECTOR)

    return octet(array, types.intp, types.intp), generate


@_instruction
def store(typing: Any, array: Any, row: Any, column: Any, values: Any) -> Any:
    """``array[row, column : column + 8] = values``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[3], _place(context, builder, signature.args[0], *arguments[:3]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, octet), generate


@_instruction
def widened(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """``array[row, column : column + 8]`` of a float32 matrix."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, row, column = arguments
        place = _place(context, builder, signature.args[0], array, row, column, vector=_SINGLES)
        return builder.fpext(builder.load(place, align=4, typ=_SINGLES), _VECTOR)

    return octet(array, types.intp, types.intp), generate


@_instruction
def narrowed(typing: Any, array: Any, row: Any, column: Any, values: Any) -> Any:
    """``array[row, column : column + 8] = values``, rounded to float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, row, column, values = arguments
        place = _place(context, builder, signature.args[0], array, row, column, vector=_SINGLES)
        builder.store(builder.fptrunc(values, _SINGLES), place, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, octet), generate


@_instruction
def spread(typing: Any, value: Any) -> Any:
    """Eight times the same number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), arguments[0], ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), EIGHT), [0] * EIGHT)
        return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), zeros)

    return octet(types.float64), generate


@_instruction
def fma(typing: Any, left: Any, right: Any, sum: Any) -> Any:
    """``left * right + sum``, lane by lane, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        return builder.call(_cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{EIGHT}f64"), arguments)

    return octet(octet, octet, octet), generate


@_instruction
def plus(typing: Any, left: Any, right: Any) -> Any:
    """``left + right``, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return octet(octet, octet), generate


@_instruction
def times(typing: Any, left: Any, right: Any) -> Any:
    """``left * right``, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fmul(*arguments)

    return octet(octet, octet), generate


@_instruction
def larger(typing: Any, left: Any, right: Any) -> Any:
    """The larger of two, lane by lane; ``right`` where one is NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right = arguments
        return builder.select(builder.fcmp_ordered(">", left, right), left, right)

    return octet(octet, octet), generate


@_instruction
def inverted(typing: Any, values: Any) -> Any:
    """``1 / values`` lane by lane, and 0 where a value is 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        nothing, one = ir.Constant(_VECTOR, [0.0] * EIGHT), ir.Constant(_VECTOR, [1.0] * EIGHT)
        there = builder.fcmp_ordered("!=", arguments[0], nothing)
        return builder.select(there, builder.fdiv(one, arguments[0]), nothing)

    return octet(octet), generate


@_instruction
def exponential(typing: Any, values: Any) -> Any:
    """e^x lane by lane, within 2 units of the last place; below −708 it is 0, above 709 infinite.

    x = k ln 2 + r, e^x = 2^k (1 + r + r²/2! + … + r^12/12!): no call of a library and no branch.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        fused = _cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{EIGHT}f64"
        )
        words = ir.VectorType(ir.IntType(64), EIGHT)

        def constant(value: float) -> Any:
            return ir.Constant(_VECTOR, [value] * EIGHT)

        given = arguments[0]
        low, high = (builder.fcmp_ordered(sign, given, constant(end)) for sign, end in (("<", -708.0), (">", 709.0)))
        value = builder.select(low, constant(-708.0), builder.select(high, constant(709.0), given))
        # 1.5 · 2^52: added and taken away again, it leaves the nearest whole number
        near = constant(6755399441055744.0)
        number = builder.fsub(builder.call(fused, [value, constant(1.4426950408889634), near]), near)
        rest = builder.call(fused, [number, constant(-0.6931471803691238), value])
        rest = builder.call(fused, [number, constant(-1.9082149292705877e-10), rest])
        sum = constant(1 / math.factorial(12))
        for degree in range(11, -1, -1):
            sum = builder.call(fused, [sum, rest, constant(1 / math.factorial(degree))])
        whole = builder.add(builder.fptosi(number, words), ir.Constant(words, [1023] * EIGHT))
        power = builder.bitcast(builder.shl(whole, ir.Constant(words, [52] * EIGHT)), _VECTOR)
        found = builder.select(low, constant(0.0), builder.fmul(sum, power))
        return builder.select(high, constant(float("inf")), found)

    return octet(octet), generate


@_instruction
def turned(typing: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:
    """Eight vectors as the rows of a square: its eight columns."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def mixed(left: Any, right: Any, size: int, side: int) -> Any:
            """Blocks of ``size`` lanes: those of ``left`` and of ``right`` on one side of each pair of blocks."""
            picked = []
            for lane in range(EIGHT):
                block, inside = divmod(lane, size)
                pair, second = divmod(block, 2)
                picked.append(second * EIGHT + (2 * pair + side) * size + inside)
            return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(ir.IntType(32), EIGHT), picked))

        rows, size = list(arguments), 1
        while size < EIGHT:
            new = [None] * EIGHT
            for row in range(EIGHT):
                if not row & size:
                    new[row] = mixed(rows[row], rows[row | size], size, 0)
                    new[row | size] = mixed(rows[row], rows[row | size], size, 1)
            rows, size = new, 2 * size
        return context.make_tuple(builder, signature.return_type, rows)

    eight: Any = types.UniTuple
    return eight(octet, EIGHT)(*[octet] * EIGHT), generate


@_instruction
def total(typing: Any, values: Any) -> Any:
    """The sum of the eight: halves added to halves, always in the same order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, taken = arguments[0], EIGHT
        places = ir.VectorType(ir.IntType(32), EIGHT)
        while taken > 1:
            half = taken // 2
            high = [(lane + half) % taken if lane < taken else lane for lane in range(EIGHT)]
            vector = builder.fadd(vector, builder.shuffle_vector(vector, vector, ir.Constant(places, high)))
            taken = half
        return builder.extract_element(vector, ir.IntType(32)(0))

    return types.float64(octet), generate
