"""Eight float64 at once: vector registers in Numba kernels whose sums are long or whose answers must agree to ten digits.

The same idea as ``simd.py`` with its sixteen float32: what lies in registers is said, not hoped for. LLVM maps 8 lanes to one
register (AVX-512), two (AVX) or four (SSE, NEON). Arrays are C-contiguous float64 matrices whose width is a multiple of EIGHT.
"""

from __future__ import annotations

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


def _place(context: Any, builder: Any, kind: Any, array: Any, row: Any, column: Any) -> Any:
    """The address of ``array[row, column]``, as that of eight numbers."""
    view = context.make_array(kind)(context, builder, array)
    width = builder.extract_value(view.shape, 1)
    place = builder.gep(view.data, [builder.add(builder.mul(row, width), column)])
    return builder.bitcast(place, _VECTOR.as_pointer())


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
