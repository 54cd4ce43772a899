"""Arrays in the safetensors format, read in place: the views point into the bytes they were given.

The format is a length (8 bytes), a JSON header, and the arrays one after another without a gap. Written here: sorted
by item size and name, the header padded so that the data begins at a multiple of 64 bytes. The safetensors library
reads what this writes; but it copies, and cannot read inside another file, so a page of code stands here instead.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya import strict_json
from erya.errors import quoted
from erya.language import say
from erya.state import Arrays

ALIGNMENT = 64
MOST_ARRAYS = 10_000
_LARGEST_HEADER = 4 << 20
_MOST_VALUES = 200_000  # in the header's JSON: an array needs about a dozen
_MOST_DIMENSIONS = 8
_BLOCK = 1 << 20
_TYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}


class NotFiniteError(ValueError):
    """An array holds NaN or infinity."""


def encode(arrays: Arrays) -> list[memoryview]:
    """The pieces of one safetensors file, to be written one after another; contiguous arrays are not copied.

    Raises:
        ValueError: a type the format does not know, too many arrays or dimensions; NotFiniteError for NaN or infinity.
    """
    if len(arrays) > MOST_ARRAYS:
        raise ValueError(say(f"more than {MOST_ARRAYS:,} arrays", f"数组超过 {MOST_ARRAYS:,} 个"))
    whole = {name: _writable(name, np.asarray(array)) for name, array in arrays.items()}
    header: dict[str, Any] = {}
    pieces: list[memoryview] = []
    position = 0
    for name, array in sorted(whole.items(), key=lambda item: (-item[1].itemsize, item[0])):
        end = position + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [position, end]}
        pieces.append(array.reshape(-1).view(np.uint8).data)
        position = end
    text = strict_json.encode(header, most=_MOST_VALUES)
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return [memoryview(struct.pack("<Q", len(text)) + text), *pieces]


def decode(data: memoryview) -> Arrays:
    """Read-only arrays over ``data``, which stays alive as long as one of them.

    Raises:
        ValueError: the header lies (lengths, overlaps, gaps, types, huge dimensions) or a value is NaN or infinite.
    """
    if len(data) < 8:
        raise ValueError(say("it is too short", "内容过短"))
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(len(data) - 8, _LARGEST_HEADER) or (8 + length) % ALIGNMENT:
        raise ValueError(say("the length of its header is wrong", "头部长度不对"))
    header = strict_json.decode(bytes(data[8 : 8 + length]), most=_MOST_VALUES)
    if not isinstance(header, dict) or len(header) > MOST_ARRAYS:
        raise ValueError(say("its header is not a table of arrays", "头部不是数组目录"))
    body = data[8 + length :].toreadonly()
    arrays: Arrays = {}
    position = 0
    for name, entry in header.items():
        arrays[name], position = _array(name, entry, body, position)
    if position != len(body):
        raise ValueError(say("bytes stand there that belong to no array", "有不属于任何数组的字节"))
    return arrays


def _writable(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The array as it will stand in the file: little-endian, in C order."""
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _NAMES:
        raise ValueError(say(f"array '{name}' has the type {array.dtype}", f"数组 '{name}' 的类型是 {array.dtype}"))
    if array.ndim > _MOST_DIMENSIONS:
        raise ValueError(say(f"array '{name}' has {array.ndim} dimensions", f"数组 '{name}' 有 {array.ndim} 维"))
    whole = np.asarray(array, dtype=dtype, order="C")
    _check_values(name, whole)
    return whole


def _array(name: str, entry: Any, body: memoryview, position: int) -> tuple[NDArray[Any], int]:
    """One array at ``position`` and where the next must begin."""
    dtype, shape, start, end = _entry(name, entry)
    size = math.prod(shape) * dtype.itemsize
    if start != position or end != start + size or end > len(body):
        raise _bad(name, say("its place does not fit the file", "位置与文件不符"))
    if start % dtype.itemsize:
        raise _bad(name, say("it is not aligned", "没有对齐"))
    if size == 0:
        if math.prod(length for length in shape if length) > 1 << 31:
            raise _bad(name, say("its shape is too large", "形状过大"))
        array = np.empty(shape, dtype)
        array.flags.writeable = False
    else:
        array = np.frombuffer(body[start:end], dtype).reshape(shape)
    _check_values(name, array)
    return array, end


def _entry(name: str, entry: Any) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _bad(name, say("its entry is not complete", "条目不完整"))
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in _TYPES:
        raise _bad(name, say("its type is unknown", "类型未知"))
    if not _lengths(shape) or len(shape) > _MOST_DIMENSIONS:
        raise _bad(name, say("its shape makes no sense", "形状不合理"))
    if not _lengths(offsets) or len(offsets) != 2:
        raise _bad(name, say("its place makes no sense", "位置不合理"))
    dtype: np.dtype[Any] = _TYPES[kind]
    return dtype, tuple(shape), offsets[0], offsets[1]


def _lengths(value: Any) -> bool:
    """Whether this is a list of whole numbers that a file could really have."""
    return isinstance(value, list) and all(type(number) is int and 0 <= number < 1 << 48 for number in value)


def _check_values(name: str, array: NDArray[Any]) -> None:
    """Floats are finite, booleans 0 or 1; in blocks, so that no second array of this size is needed."""
    flat = array.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        if block.dtype.kind == "f" and not np.isfinite(block).all():
            raise NotFiniteError(
                say(f"array '{quoted(name)}' holds NaN or infinity", f"数组 '{quoted(name)}' 含有 NaN 或无穷大")
            )
        if block.dtype.kind == "b" and block.view(np.uint8).max() > 1:
            raise _bad(name, say("it holds a boolean that is neither 0 nor 1", "含有既非 0 也非 1 的布尔值"))


def _bad(name: str, reason: str) -> ValueError:
    return ValueError(say(f"array '{quoted(name)}': {reason}", f"数组 '{quoted(name)}'：{reason}"))
