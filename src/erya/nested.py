"""Model files inside other models: what a tokenizer that is a trained tagger brings along.

In plain data such a file is text, ``{"kind": "tagger", …, "file": "<base64>"}``, so that it travels through JSON wherever settings do.
In an ``.erya`` file its bytes are an array, ``nested/<sha256>``, once however often it is named; plain data then names the hash. In a run
folder it stands beside ``run.json``.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from erya.atomic import atomic_write
from erya.language import say
from erya.state import Arrays

KIND = "tagger"
PREFIX = "nested/"
LARGEST = 256 << 20  # bytes of one
_FILE, _HASH = "file", "sha256"
_BESIDE = "nested-"


def encoded(data: bytes) -> str:
    """Bytes as text."""
    return base64.b64encode(data).decode("ascii")


def decoded(text: Any) -> bytes:
    """The inverse. Raises ValueError where it is none."""
    if not isinstance(text, str):
        raise ValueError(say("a file inside a model is missing", "模型里缺少内嵌的文件"))
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError(say("a file inside a model is damaged", "模型里内嵌的文件已损坏")) from None


def taken_out(value: Any, files: Arrays) -> Any:
    """Plain data with the hash of each file in its place; the files are added to ``files``."""
    if isinstance(value, dict):
        if _is_nested(value, _FILE):
            data = decoded(value[_FILE])
            name = hashlib.sha256(data).hexdigest()
            files[PREFIX + name] = np.frombuffer(data, dtype=np.uint8)
            return {**{key: item for key, item in value.items() if key != _FILE}, _HASH: name}
        return {key: taken_out(item, files) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [taken_out(item, files) for item in value]
    return value


def put_back(value: Any, arrays: Arrays) -> Any:
    """The inverse, from all arrays of a file. Raises ValueError for a hash that no file there has."""
    if isinstance(value, dict):
        if _is_nested(value, _HASH):
            found = arrays.get(f"{PREFIX}{value[_HASH]}")
            data = b"" if found is None else found.tobytes()
            if found is None or found.dtype != np.uint8 or hashlib.sha256(data).hexdigest() != value[_HASH]:
                raise ValueError(say("a file inside the model is missing or damaged", "模型里内嵌的文件缺失或已损坏"))
            return {**{key: item for key, item in value.items() if key != _HASH}, _FILE: encoded(data)}
        return {key: put_back(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [put_back(item, arrays) for item in value]
    return value


def shortened(value: Any) -> Any:
    """Plain data for people and reports: a hash where a file is."""
    return taken_out(value, {})


def has_files(arrays: Arrays) -> bool:
    """Whether there are such files among the arrays of a file."""
    return any(name.startswith(PREFIX) for name in arrays)


def without_files(arrays: Arrays) -> Arrays:
    """The arrays that are a model's own."""
    return {name: array for name, array in arrays.items() if not name.startswith(PREFIX)}


# ---- beside a JSON file -----------------------------------------------------------------------------------------------


def write_files(folder: Path, files: Arrays) -> None:
    """Each under a name of its hash, atomically; those that stand there already are not written again."""
    for name, data in files.items():
        path = folder / f"{_BESIDE}{name.removeprefix(PREFIX)}"
        if not path.is_file():
            atomic_write(path, partial(_put, data))


def _put(data: NDArray[np.uint8], file: BinaryIO) -> None:
    file.write(data.data)


def read_files(folder: Path) -> Arrays:
    """What ``write_files`` wrote; ``put_back`` compares the hashes. Raises ValueError where one is too large."""
    found: Arrays = {}
    for path in sorted(folder.glob(f"{_BESIDE}*")):
        if path.stat().st_size > LARGEST:
            raise ValueError(say("a file inside the model is too large", "模型里内嵌的文件过大"))
        found[PREFIX + path.name.removeprefix(_BESIDE)] = np.fromfile(path, dtype=np.uint8)
    return found


def remove_files(folder: Path) -> None:
    """Take away what ``write_files`` wrote."""
    for path in folder.glob(f"{_BESIDE}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def _is_nested(value: dict[str, Any], key: str) -> bool:
    return value.get("kind") == KIND and isinstance(value.get(key), str)
