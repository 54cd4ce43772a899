"""Safetensors files of other programs, read array by array and written; nothing in them is believed.

The format is a length (8 bytes), a JSON header, and the arrays one after another without a gap. Files that Erya writes for itself are
read in place by ``tensors.py``, which asks for more: aligned data, entries in order. Here entries may come in any order, and there may be
``__metadata__``; numbers are widened to float32.
"""

from __future__ import annotations

import math
import os
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from erya import strict_json
from erya.atomic import atomic_write
from erya.errors import ModelFileError, quoted
from erya.language import say

SIZES = {"F32": 4, "F16": 2, "BF16": 2}  # bytes of one number, of the kinds that are read
OTHERS = {"F64": 8, "I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1}
MOST_ARRAYS = 10_000
LARGEST_HEADER = 4 << 20
METADATA = "__metadata__"
_MOST_VALUES = 200_000
_MOST_DIMENSIONS = 8
_LARGEST = 1 << 48  # of a length or an offset


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an array lies: its kind of numbers, its shape, and its first byte in the file."""

    kind: str
    shape: tuple[int, ...]
    start: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TensorFile:
    """An open directory of arrays. Make one with ``opened``.

    Attributes:
        path: the file.
        entries: by name.
    """

    path: Path
    entries: dict[str, Entry]

    def read(self, name: str) -> NDArray[np.float32]:
        """One array, as float32. Raises ModelFileError where its numbers are none, not finite, or the file has shrunk."""
        entry = self.entries[name]
        if entry.kind not in SIZES:
            raise damaged(
                self.path,
                say(
                    f"'{quoted(name)}' holds {entry.kind}, not floats", f"'{quoted(name)}' 是 {entry.kind}，不是浮点数"
                ),
            )
        with self.path.open("rb") as stream:
            stream.seek(entry.start)
            data = stream.read(entry.bytes)
        if len(data) != entry.bytes:
            raise damaged(self.path, say("it became shorter while it was read", "读取过程中文件变短了"))
        found = _widened(data, entry.kind).reshape(entry.shape)
        if not np.isfinite(found).all():
            raise damaged(
                self.path, say(f"'{quoted(name)}' holds NaN or infinity", f"'{quoted(name)}' 含有 NaN 或无穷大")
            )
        return found


def opened(path: Path) -> TensorFile:
    """The arrays of a file, none of them read yet.

    Raises:
        ModelFileError: no ordinary file, or a header that lies: its length, kinds, huge shapes, overlaps, gaps, places outside.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise damaged(path, say("it is not an ordinary file", "不是普通文件"))
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            header, begin = _header(path, stream, size)
    except OSError as error:
        raise unreadable(path, error) from error
    if not isinstance(header, dict) or len(header) > MOST_ARRAYS:
        raise damaged(path, say("its header is not a table of arrays", "头部不是数组目录"))
    entries = {name: _entry(path, name, entry, begin) for name, entry in header.items() if name != METADATA}
    position = begin
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].bytes)):
        if entry.start != position:
            raise _bad(path, name, say("it overlaps another, or leaves a gap", "与其他数组重叠，或留有空隙"))
        position += entry.bytes
    if position != size:
        raise damaged(
            path,
            say(f"its arrays need {position:,} bytes, it has {size:,}", f"数组共需 {position:,} 字节，文件有 {size:,}"),
        )
    return TensorFile(path, entries)


def write(path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Write arrays of float32 in the order of their names, atomically. Raises ResourceError or UsageError as ``atomic_write``."""
    header: dict[str, Any] = {METADATA: {"format": "pt"}}
    position = 0
    for name in sorted(arrays):
        end = position + 4 * arrays[name].size
        header[name] = {"dtype": "F32", "shape": list(arrays[name].shape), "data_offsets": [position, end]}
        position = end
    text = strict_json.encode(header, most=_MOST_VALUES)
    text += b" " * (-len(text) % 8)
    atomic_write(path, partial(_put, struct.pack("<Q", len(text)) + text, arrays))


def damaged(path: Path, reason: str) -> ModelFileError:
    """The error for a file of another program that is not what it should be."""
    return ModelFileError(
        "model-damaged",
        say(f"{quoted(path)} cannot be used: {reason}", f"{quoted(path)} 无法使用：{reason}"),
        where=quoted(path, 200),
        help=say("download or write it again", "请重新下载或生成"),
    )


def unreadable(path: Path, error: OSError) -> ModelFileError:
    """The error for a file that is not there or that the system does not give."""
    reason = error.strerror or str(error)
    return ModelFileError(
        "model-unreadable",
        say(f"{quoted(path)} cannot be read: {reason}", f"无法读取 {quoted(path)}：{reason}"),
        where=quoted(path.parent, 200),
    )


def _bad(path: Path, name: str, reason: str) -> ModelFileError:
    return damaged(path, say(f"array '{quoted(name)}': {reason}", f"数组 '{quoted(name)}'：{reason}"))


def _header(path: Path, stream: BinaryIO, size: int) -> tuple[Any, int]:
    """The header, parsed, and where the arrays begin."""
    first = stream.read(8)
    length = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
    if not 2 <= length <= min(size - 8, LARGEST_HEADER):
        raise damaged(path, say("the length of its header is wrong", "头部长度不对"))
    try:
        return strict_json.decode(stream.read(length), most=_MOST_VALUES), 8 + length
    except ValueError as error:
        raise damaged(path, say(f"its header: {error}", f"头部：{error}")) from None


def _entry(path: Path, name: str, told: Any, begin: int) -> Entry:
    if not isinstance(told, dict) or set(told) != {"dtype", "shape", "data_offsets"}:
        raise _bad(path, name, say("its entry is not complete", "条目不完整"))
    kind, shape, offsets = told["dtype"], told["shape"], told["data_offsets"]
    if not isinstance(kind, str) or kind not in {**SIZES, **OTHERS}:
        raise _bad(path, name, say(f"its type is unknown: {quoted(kind, 20)}", f"类型未知：{quoted(kind, 20)}"))
    if not _lengths(shape) or len(shape) > _MOST_DIMENSIONS:
        raise _bad(path, name, say("its shape makes no sense", "形状不合理"))
    if not _lengths(offsets) or len(offsets) != 2:
        raise _bad(path, name, say("its place makes no sense", "位置不合理"))
    size = math.prod(shape) * {**SIZES, **OTHERS}[kind]
    if offsets[1] - offsets[0] != size:
        raise _bad(path, name, say("its place does not fit its shape", "位置与形状不符"))
    return Entry(kind, tuple(shape), begin + offsets[0], size)


def _lengths(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) is int and 0 <= number < _LARGEST for number in value)


def _widened(data: bytes, kind: str) -> NDArray[np.float32]:
    if kind == "F32":
        return np.frombuffer(data, dtype="<f4").astype(np.float32)
    if kind == "F16":
        return np.frombuffer(data, dtype="<f2").astype(np.float32)
    # the upper half of a float32
    return (np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16).view(np.float32)


def _put(header: bytes, arrays: Mapping[str, NDArray[np.float32]], stream: BinaryIO) -> None:
    stream.write(header)
    for name in sorted(arrays):
        stream.write(np.ascontiguousarray(arrays[name], dtype="<f4").data)
