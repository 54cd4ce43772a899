"""Where the command line writes: refused before anything long begins, if it cannot be written or is somebody's other file."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from erya.cli import output
from erya.errors import UsageError, quoted, typed
from erya.language import say

if TYPE_CHECKING:
    from erya.cli.options import Manner
    from erya.text.dataset import Reading

REJECTS = "rejects.jsonl"


class Kind(NamedTuple):
    """A kind of output: the endings that its files have, and how they begin."""

    name: tuple[str, str]  # English, Chinese
    endings: tuple[str, ...]
    beginnings: tuple[bytes, ...]


MODEL_FILE = Kind(("model file", "模型文件"), (".erya",), (b"pk\x03\x04",))
PAGE = Kind(("report", "报告"), (".html", ".htm", ".json"), (b"<!doctype html", b"{"))
ROWS = Kind(("file of rows", "数据行文件"), (".jsonl", ".json"), (b"{",))


def check_output(path: Path, kind: Kind, inputs: Sequence[str | None] = ()) -> None:
    """Refuse an output that cannot be written, or would destroy something else, before anything long begins.

    Args:
        path: what stands behind ``-o``.
        kind: what will be written.
        inputs: what the command reads.

    Raises:
        ResourceError: its folder is not there or not writable.
        UsageError: it is a folder or a device, an input, or an existing file of another kind.
    """
    from erya.atomic import check_target, write_error

    if path.is_file() and path.stat().st_size:
        name, free = quoted(path), f"-o {typed(path.with_name(path.stem + '-new' + kind.endings[0]))}"
        if _is_one_of(path, inputs):
            message = say(
                f"{name} is read by this command; it would be overwritten", f"{name} 是本命令的输入，会被覆盖"
            )
            raise UsageError("output-is-input", message, help=free)
        if not path.name.lower().endswith(kind.endings) and not _begins_with(path, kind.beginnings):
            message = say(
                f"{name} is there and is no {kind.name[0]}; it would be overwritten",
                f"{name} 已存在，而且不是{kind.name[1]}，会被覆盖",
            )
            raise UsageError("output-in-the-way", message, help=free)
    folder = path.parent
    if not folder.is_dir():
        number = errno.ENOTDIR if folder.exists() else errno.ENOENT
        raise write_error(path, OSError(number, os.strerror(number)))
    if not os.access(folder, os.W_OK):
        closed = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
        number = errno.EROFS if closed else errno.EACCES
        raise write_error(path, OSError(number, os.strerror(number)))
    check_target(path)


def write_rejects(reading: Reading, beside: Path, manner: Manner, inputs: Sequence[str | None]) -> Path | None:
    """Keep the rejected rows in rejects.jsonl in the folder of ``beside``; None where there are none.

    A file of that name is replaced if it is such a list, and if it is not one of the ``inputs``: whoever mends rejected rows
    will train on them. Else the name gets a number.
    """
    if not reading.rejects:
        return None
    from erya.atomic import atomic_write

    number, path = 1, beside.parent / REJECTS
    while path.exists() and (_is_one_of(path, inputs) or not _begins_with(path, (b'{"file": ',))):
        number += 1
        path = path.with_name(f"rejects-{number}.jsonl")
    lines = "".join(json.dumps(reject.to_plain(), ensure_ascii=False) + "\n" for reject in reading.rejects).encode()
    atomic_write(path, lambda file: file.write(lines) and None)
    manner.talk(output.fact("", say(f"rejected rows: {quoted(path)}", f"被拒收的行：{quoted(path)}")))
    return path


def _begins_with(path: Path, beginnings: tuple[bytes, ...]) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(64).lower().startswith(beginnings)
    except OSError:
        return False


def _is_one_of(path: Path, inputs: Sequence[str | None]) -> bool:
    for given in inputs:
        try:
            if given is not None and path.samefile(given):
                return True
        except OSError:  # sample:NAME, a pattern, a file that is missing
            continue
    return False
