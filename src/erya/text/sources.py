"""What the user calls the data – a file, a folder, a pattern – as files for each part."""

from __future__ import annotations

import glob
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from erya.errors import DataError, quoted, typed
from erya.language import say
from erya.text.files import missing, unreadable
from erya.text.formats import FORMATS, format_of

_PART = re.compile(r"(train|training|dev|devel|valid|validation|val|test)(?=[-_.0-9]|$)", re.IGNORECASE)
_NAMES = {"training": "train", "devel": "dev", "valid": "dev", "validation": "dev", "val": "dev"}
_MOST_FILES = 100_000


@dataclass(slots=True)
class Files:
    """Files by part (``"train"`` at least), and what was noticed on the way."""

    parts: dict[str, list[Path]]
    notes: list[str] = field(default_factory=list)


def find(source: Path, *, tagged: bool = False) -> Files:
    """The files behind a path or pattern.

    Args:
        source: a file, a folder with train, dev and test files, or a pattern such as ``data/part-*.csv``.
        tagged: whether CoNLL files are wanted rather than the others.

    Raises:
        DataError: nothing is there, or a folder whose files say nothing about their parts.
    """
    try:
        if source.is_dir():
            return _folder(source, tagged)
        if source.exists():
            return Files({"train": [source]})
    except OSError as error:  # a name too long, a folder that may not be entered
        raise unreadable(source, error) from error
    if re.search(r"[*?\[]", str(source)):
        found = sorted(Path(name) for name in glob.glob(str(source), recursive=True))  # noqa: PTH207  (absolute patterns)
        files = [path for path in found if path.is_file()][:_MOST_FILES]
        if files:
            return Files({"train": files})
        raise DataError(
            "file-missing",
            say(f"no file matches {quoted(source)}", f"没有匹配 {quoted(source)} 的文件"),
            where=quoted(source, 200),
            help=f"ls {typed(source.parent)}",
        )
    raise missing(source)


def _folder(folder: Path, tagged: bool) -> Files:
    try:
        names = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")) and path.is_file())
    except OSError as error:
        raise unreadable(folder, error) from error
    files = [path for path in names if format_of(path) is not None]
    if not files:
        seen, name = ", ".join(path.name for path in names[:5]), quoted(folder.name or folder)
        raise DataError(
            "empty-folder",
            say(f"there are no data files in {name}", f"文件夹 {name} 里没有数据文件"),
            where=quoted(folder, 200) + (f"   {quoted(seen)}" if seen else ""),
            help=say(
                f"put train.csv (and dev.csv, test.csv) into it; what is there: ls -A {typed(folder)}",
                f"放入 train.csv（可再加 dev.csv、test.csv）；查看现有文件：ls -A {typed(folder)}",
            ),
        )
    parts: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in files:
        match = _PART.match(path.name)
        if match:
            name = match[1].lower()
            parts[_NAMES.get(name, name)][format_of(path) or ""].append(path)
    if not parts:
        return _without_parts(folder, files, tagged)
    if "train" not in parts:
        raise DataError(
            "no-train",
            say(f"{quoted(folder.name)} has no train file", f"{quoted(folder.name)} 里没有 train 文件"),
            where=quoted(folder, 200) + "   " + quoted(", ".join(path.name for path in files[:5])),
            help=say(
                "name it train.csv, or name one file instead of the folder", "命名为 train.csv，或直接给出一个文件"
            ),
        )
    format = min(parts["train"], key=lambda name: _rank(name, tagged))
    chosen: dict[str, list[Path]] = {}
    for part, by_format in parts.items():
        best = format if format in by_format else min(by_format, key=lambda name: _rank(name, tagged))
        chosen[part] = by_format[best]
    shown = ", ".join(path.name for part in ("train", "dev", "test") for path in chosen.get(part, [])[:3])
    return Files(chosen, [say(f"read: {quoted(shown, 120)}", f"读取：{quoted(shown, 120)}")])


def _rank(format: str, tagged: bool) -> int:
    """Which format to take where a folder has the same part in several."""
    order = ["conll", "jsonl", "csv", "tsv"] if tagged else ["jsonl", "csv", "tsv", "txt"]
    return order.index(format) if format in order else len(order) + FORMATS.index(format)


def _without_parts(folder: Path, files: list[Path], tagged: bool) -> Files:
    """A folder of one file, or of pieces of one format, is one part."""
    formats = sorted({format_of(path) or "" for path in files}, key=lambda name: _rank(name, tagged))
    if len(formats) == 1:
        note = say(f"{len(files):,} files read as one", f"{len(files):,} 个文件合为一份读取")
        return Files({"train": files}, [note] if len(files) > 1 else [])
    raise DataError(
        "folder-unclear",
        say(
            f"{quoted(folder.name)} has files of several kinds and none is named train",
            f"{quoted(folder.name)} 里有多种格式的文件，且没有一个叫 train",
        ),
        where=quoted(folder, 200) + "   " + quoted(", ".join(path.name for path in files[:5])),
        help=quoted(folder / f"*.{formats[0]}*", 200),
    )
