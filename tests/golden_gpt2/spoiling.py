"""How tests of GPT-2 folders spoil a copy: values of a JSON file, the header and the numbers of a safetensors file."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any


def change(path: Path, **values: Any) -> None:
    """Other values in a JSON object."""
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**told, **values}), encoding="utf-8")


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    """What a safetensors file says of its arrays, and their bytes."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def put(path: Path, header: dict[str, Any], body: bytes) -> None:
    """The inverse."""
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
