"""What a model has learned, as arrays and plain data: the only shape in which it is saved, checkpointed and sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@dataclass(slots=True)
class State:
    """Arrays by name, and data that JSON can hold (str, int, float, bool, None, lists, dicts with str keys)."""

    arrays: Arrays = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


def pack_strings(name: str, strings: Sequence[str]) -> Arrays:
    """Strings as UTF-8 bytes and offsets, since a token may hold any character, a newline too.

    Returns:
        ``{name.bytes: uint8 (total,), name.offsets: int64 (len + 1,)}``. Lone surrogates survive.
    """
    pieces = [string.encode("utf-8", "surrogatepass") for string in strings]
    offsets = np.zeros(len(pieces) + 1, dtype=np.int64)
    np.cumsum([len(piece) for piece in pieces], out=offsets[1:])
    return {f"{name}.bytes": np.frombuffer(b"".join(pieces), dtype=np.uint8), f"{name}.offsets": offsets}


def unpack_strings(name: str, arrays: Arrays) -> list[str]:
    """The inverse of ``pack_strings``. Raises ValueError where the offsets do not fit the bytes."""
    data, offsets = arrays[f"{name}.bytes"], arrays[f"{name}.offsets"]
    ends = offsets.tolist()
    if data.dtype != np.uint8 or offsets.dtype != np.int64 or not ends or ends[0] != 0 or ends[-1] != len(data):
        raise ValueError(f"{name}: offsets do not fit the bytes")
    if bool((np.diff(offsets) < 0).any()):
        raise ValueError(f"{name}: offsets go backwards")
    raw = data.tobytes()
    return [raw[start:end].decode("utf-8", "surrogatepass") for start, end in pairwise(ends)]
