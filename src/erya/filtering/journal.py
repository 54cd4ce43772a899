"""The journal of a filter run: which settings, and which shards are done, a line each, so that a killed run continues.

It lies in the output folder. Its first line says by which settings and which model the folder was filled; a folder filled by
others is never added to. A shard is ``begun`` before its output may stand there and ``done`` when it stands whole on the disk:
what was begun and not done is filtered again, into the same file. What is kept of a ``part`` of a large shard lies in a folder of its own
until all parts are there and become the output.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from erya import strict_json
from erya.atomic import remove_strays, write_error
from erya.errors import DataError, ResourceError, UsageError, quoted
from erya.filtering.counts import Tally
from erya.filtering.settings import Settings
from erya.language import say

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
msvcrt: ModuleType | None
try:
    import msvcrt
except ImportError:  # everywhere but on Windows
    msvcrt = None

NAME = "erya-filter.journal"
PARTS = ".erya-filter-parts"
FORMAT = 2
_LOCKED_BYTE = 1 << 40  # far behind the journal's end: Windows lets nobody read a byte that is locked
_MOST_VALUES = 10_000  # in a line
_LARGEST = 1 << 30  # bytes


@dataclass(frozen=True, slots=True)
class Done:
    """A shard, or a part of one, that is finished.

    Attributes:
        source: size and time of change of the input, in bytes and nanoseconds.
        size: bytes of the output.
        tally: of its rows.
    """

    source: tuple[int, int]
    size: int
    tally: Tally


class Journal:
    """The journal of an output folder, owned by one process at a time; a context manager.

    Args:
        folder: the output folder; made where it is not there.
        settings: of this run.
        bad_rows: what this run does with rows that cannot be read.
        restart: forget an earlier run, and delete what it wrote.

    Attributes:
        done: by output name.
        begun: output names that this or an earlier run may have written.
        parts: of shards that are not done, by output name and range of bytes.

    Raises:
        UsageError: the folder was filled by other settings, or is a file.
        DataError: the journal is damaged.
        ResourceError: another process owns it, or the folder cannot be written.
    """

    def __init__(self, folder: Path, settings: Settings, *, bad_rows: str, restart: bool = False) -> None:
        self.folder, self.path = folder, folder / NAME
        self.done: dict[str, Done] = {}
        self.begun: set[str] = set()
        self.parts: dict[str, dict[tuple[int, int], Done]] = {}
        self._file = -1
        self._made = not folder.exists()
        self._open()
        try:
            remove_strays(folder)
            self._begin(settings, bad_rows, restart)
            self._tidy()
        except BaseException:
            self.close()
            raise

    def _begin(self, settings: Settings, bad_rows: str, restart: bool) -> None:
        rows = self._read()
        if rows and restart:
            self._take(rows[1:])
            for name in sorted(self.begun | set(self.done)):
                (self.folder / name).unlink(missing_ok=True)
            self.done, self.begun, self.parts, rows = {}, set(), {}, []
            os.ftruncate(self._file, 0)
        if not rows:
            from erya.artefact import erya_version

            head = {"format": FORMAT, "erya": erya_version(), "bad_rows": bad_rows, "settings": settings.to_plain()}
            self._append(head)
            return
        self._check(rows[0], settings)
        self._take(rows[1:])
        self._check_policy(rows[0], bad_rows)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the lock; the journal stays."""
        if self._file >= 0:
            with contextlib.suppress(OSError):  # it is not there, or not empty
                (self.folder / PARTS).rmdir()
            os.close(self._file)
            self._file = -1

    def discard_unused(self) -> None:
        """Nothing was begun: leave no trace of settings that may have been a mistake."""
        if self.begun or self.done:
            return
        with contextlib.suppress(OSError):
            self.path.unlink()
            if self._made:
                self.folder.rmdir()

    # ---- parts ------------------------------------------------------------------------------------------------

    def part_path(self, name: str, start: int) -> Path:
        """Where what is kept of a part lies until the output stands."""
        return self.folder / PARTS / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}-{start:015d}"

    def usable_parts(self, name: str, source: tuple[int, int]) -> dict[tuple[int, int], Done]:
        """The parts that were made of the very file that is there now, and that are still there."""
        found = {}
        for place, done in self.parts.get(name, {}).items():
            path = self.part_path(name, place[0])
            if done.source == source and path.is_file() and path.stat().st_size == done.size:
                found[place] = done
        return found

    def _tidy(self) -> None:
        """Delete the files of parts that nobody will ask for: a killed run could not."""
        folder = self.folder / PARTS
        if not folder.is_dir():
            return
        wanted = {self.part_path(name, start) for name, parts in self.parts.items() for start, _ in parts}
        for path in folder.iterdir():
            if path not in wanted:
                path.unlink(missing_ok=True)

    # ---- writing ----------------------------------------------------------------------------------------------

    def begin(self, name: str) -> None:
        """From now on the output ``name`` may stand there."""
        if name not in self.begun:
            self.begun.add(name)
            self._append({"begun": name})

    def finish(self, name: str, done: Done) -> None:
        """The output ``name`` stands whole on the disk."""
        self.done[name] = done
        self._append({"done": name, **_plain(done)})
        for start, _ in self.parts.pop(name, {}):
            self.part_path(name, start).unlink(missing_ok=True)

    def finish_part(self, name: str, place: tuple[int, int], done: Done) -> None:
        """What is kept of these bytes of a shard stands whole on the disk, at ``part_path``."""
        self.parts.setdefault(name, {})[place] = done
        self._append({"part": name, "range": list(place), **_plain(done)})

    def _append(self, row: dict[str, Any]) -> None:
        line = strict_json.encode(row, most=_MOST_VALUES) + b"\n"
        try:
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except OSError as error:
            raise write_error(self.path, error) from error

    # ---- reading ----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
            self._file = os.open(self.path, flags, 0o666)
        except FileExistsError:
            raise UsageError(
                "output-not-a-folder",
                say(f"{quoted(self.folder)} is a file, not a folder", f"{quoted(self.folder)} 是文件，不是文件夹"),
                help="-o kept/",
            ) from None
        except OSError as error:
            raise write_error(self.path, error) from error
        try:
            _lock(self._file)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                return  # a file system without locks
            self.close()
            raise ResourceError(
                "filter-locked",
                say(
                    f"another process is filtering into {quoted(self.folder)}",
                    f"另一个进程正在向 {quoted(self.folder)} 写入过滤结果",
                ),
                where=quoted(self.path, 200),
                help=say("wait until it ends, or write elsewhere: -o other/", "等它结束，或换一个输出：-o other/"),
            ) from None

    def _read(self) -> list[Any]:
        """The lines; half a line at the end, which a kill may leave, is cut off."""
        size = os.fstat(self._file).st_size
        if size > _LARGEST:
            raise self._damaged(say("it is too large", "过大"))
        with open(os.dup(self._file), "rb") as stream:  # noqa: PTH123  (a descriptor, not a path)
            stream.seek(0)
            data = stream.read()
        whole = data.rfind(b"\n") + 1
        if whole < size:
            os.ftruncate(self._file, whole)
        try:
            rows = [strict_json.decode(line, most=_MOST_VALUES) for line in data[:whole].splitlines()]
        except ValueError as error:
            raise self._damaged(str(error)) from None
        if not all(isinstance(row, dict) for row in rows):
            raise self._damaged(say("a line is no object", "有一行不是对象"))
        return rows

    def _take(self, rows: list[dict[str, Any]]) -> None:
        """What is begun and done, as the lines say."""
        try:
            for row in rows:
                if "begun" in row:
                    self.begun.add(_name(row["begun"]))
                elif "part" in row:
                    start, end = row["range"]
                    self.parts.setdefault(_name(row["part"]), {})[int(start), int(end)] = _done(row)
                else:
                    self.done[_name(row["done"])] = _done(row)
                    self.parts.pop(row["done"], None)
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(str(error)) from None

    def _check(self, head: dict[str, Any], settings: Settings) -> None:
        """Refuse to mix what different settings keep."""
        if head.get("format") != FORMAT or not isinstance(head.get("settings"), dict):
            raise self._damaged(say("another version of Erya wrote it", "由其他版本的 Erya 写成"))
        old, new = head["settings"], settings.to_plain()
        for name in new:
            if old.get(name) != new[name]:
                raise self._other(name, old.get(name), new[name])

    def _check_policy(self, head: dict[str, Any], bad_rows: str) -> None:
        """Another way with bad rows is fine as long as none was met."""
        old = head.get("bad_rows")
        parts = [done for parts in self.parts.values() for done in parts.values()]
        if old != bad_rows and any(done.tally.bad for done in [*self.done.values(), *parts]):
            raise self._other("bad_rows", old, bad_rows)

    # ---- errors -----------------------------------------------------------------------------------------------

    def _other(self, name: str, old: Any, new: Any) -> UsageError:
        option = f"--{name.replace('_', '-')}"
        what = {
            "digest": say("another model", "另一个模型"),
            "labels": say(f"the label {_listed(old)}", f"标签 {_listed(old)}"),
            "invert": say("the other side of the threshold (--invert)", "阈值的另一侧（--invert）"),
        }.get(name, f"{option} {_number(old)}")
        shown = _listed(new) if name == "labels" else _number(new)
        folder = quoted(self.folder)
        if name in ("digest", "invert"):
            now = ""
        elif new is None:
            now = say(", which is not given now", "，而现在没有给出")
        else:
            now = say(f", not {shown}", f"，而不是 {shown}")
        message = say(f"{folder} was filled with {what}{now}", f"{folder} 中的结果用的是{what}{now}")
        if old is None:
            message = say(
                f"{folder} was filled without {option}, not with {shown}",
                f"{folder} 中的结果没有用 {option}，而现在是 {shown}",
            )
        return UsageError(
            "filter-other",
            message,
            where=quoted(self.path, 200),
            help=say(
                "choose another folder: -o other/, or throw those results away: --restart",
                "换一个文件夹：-o other/，或丢弃那些结果：--restart",
            ),
        )

    def _damaged(self, reason: str) -> DataError:
        return DataError(
            "journal-damaged",
            say(
                f"the journal of {quoted(self.folder)} is damaged: {reason}",
                f"{quoted(self.folder)} 的日志已损坏：{reason}",
            ),
            where=quoted(self.path, 200),
            help=say("choose another folder: -o other/", "换一个文件夹：-o other/"),
        )


def _name(name: Any) -> str:
    """A file name, never a way out of the folder. Raises ValueError."""
    if not isinstance(name, str) or Path(name).name != name or name in ("", ".", "..", NAME, PARTS):
        raise ValueError(f"{name!r} is no file name")
    return name


def _plain(done: Done) -> dict[str, Any]:
    return {"source": list(done.source), "size": done.size, "tally": done.tally.to_plain()}


def _done(row: dict[str, Any]) -> Done:
    """Raises ValueError, KeyError or TypeError where the line makes no sense."""
    size, time = row["source"]
    return Done((int(size), int(time)), int(row["size"]), Tally.from_plain(row["tally"]))


def _listed(labels: Any) -> str:
    return ", ".join(f"'{quoted(label, 40)}'" for label in labels) if isinstance(labels, list) else quoted(labels, 40)


def _number(value: Any) -> str:
    """A setting as it is typed: 30 rather than 30.0."""
    return f"{value:.15g}" if isinstance(value, float) else quoted(value, 40)


def _lock(descriptor: int) -> None:
    """Own a file until it is closed or the process ends. Raises OSError where another process owns it."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    elif msvcrt is not None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
