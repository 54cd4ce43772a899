"""A journal: JSON lines that are only appended to, from which work that was broken off goes on.

The first line says what the work is; a journal of other work is refused. A line is on the disk before ``append`` returns, so
that after ``kill -9`` or a power cut at most the line that was being written is lost, and it is cut off on the next opening.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from erya.atomic import write_error
from erya.errors import DataError
from erya.language import say


def opened(path: Path, heading: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows behind the heading; a new journal, where there is none, has none.

    Args:
        path: of the journal.
        heading: JSON data that says what work this is.

    Raises:
        DataError: it belongs to other work, or is no journal.
        ResourceError: it cannot be written.
    """
    if not path.exists():
        append(path, heading)
        return []
    rows = read(path)
    if not rows or rows[0] != json.loads(json.dumps(heading)):
        if rows == [] and path.stat().st_size == 0:  # killed before its first line was whole
            append(path, heading)
            return []
        raise foreign(path)
    return rows[1:]


def read(path: Path) -> list[dict[str, Any]]:
    """All rows, the heading too; a last line without its end is cut off the file.

    Raises:
        DataError: it is no journal.
    """
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    try:
        rows = [json.loads(line) for line in whole.splitlines()]
    except ValueError:
        raise foreign(path) from None
    if not all(isinstance(row, dict) for row in rows):
        raise foreign(path)
    if len(whole) < len(text):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return rows


def append(path: Path, row: Mapping[str, Any]) -> None:
    """One line, on the disk when this returns.

    Raises:
        ResourceError: no space left, or the file cannot be written.
    """
    line = (json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8", "backslashreplace")
    try:
        with path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise write_error(path, error) from error


def foreign(path: Path) -> DataError:
    """The error for a journal of other work."""
    return DataError(
        "another-search",
        say("this journal belongs to another search", "这份记录属于另一次搜索"),
        where=str(path),
        help=say("another file, or remove it", "换一个文件，或删除它"),
    )
