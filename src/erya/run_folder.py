"""``m.erya.run/``: all that is needed to continue a training that did not end, owned by one process at a time.

run.json         what to do again: model id, parameters, the data's arguments and digest, threads, versions, budget
log.jsonl        what happened, line by line: curve, notes, checkpoints, with seconds; only appended to
checkpoint.erya  where to continue, in the format of a model file, replaced atomically
lock             held by the owner; the system lets go of it when the owner dies, however it dies
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any

from erya import artefact, nested, strict_json
from erya.atomic import atomic_write, remove_strays, write_error
from erya.errors import ModelFileError, ResourceError, UsageError, nearest, quoted, typed
from erya.language import say
from erya.state import Arrays

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

SUFFIX = ".run"
_MOST_VALUES = 100_000
_LARGEST = 4 << 20  # bytes of run.json
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "format": int,
    "id": str,
    "params": dict,
    "how": dict,
    "absolute": dict,
    "digest": str,
    "threads": int,
    "device": str,
    "versions": dict,
    "budget_seconds": (int, float, NoneType),
    "budget_steps": (int, NoneType),
    "budget_plan": (list, NoneType),
    "ended": (str, NoneType),
}


class RunFolder:
    """The folder beside the artefact that a training writes to; a context manager holds its lock.

    Args:
        path: the artefact, ``m.erya``, or the folder itself, ``m.erya.run``.

    Raises:
        UsageError: a path without a name, such as ``.``.
    """

    def __init__(self, path: str | Path) -> None:
        given = Path(path)
        if given.name in ("", ".."):
            raise UsageError(
                "output-not-a-file",
                say(f"{quoted(given)} is a folder, not a model file", f"{quoted(given)} 是文件夹，不是模型文件"),
                help=say("name the model file: m.erya", "请写出模型文件名：m.erya"),
            )
        if given.name.endswith(SUFFIX) and given.name != SUFFIX:
            given = given.with_name(given.name.removesuffix(SUFFIX))
        self.artefact = given
        self.path = given.with_name(given.name + SUFFIX)
        self._lock: int | None = None
        self._log: int | None = None

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.erya"

    @property
    def resume_command(self) -> str:
        """What a user types to continue."""
        return f"erya resume {typed(self.artefact)}"

    # ---- whose it is ------------------------------------------------------------------------------------------

    def acquire(self, *, create: bool) -> None:
        """Take the lock, and clear away what a killed owner left half written.

        Raises:
            UsageError: there is no such run and it is not to be created.
            ResourceError: another process owns it, or the folder cannot be written.
        """
        while self._lock is None:
            if create:
                try:
                    self.path.mkdir(exist_ok=True)
                except OSError as error:
                    raise write_error(self.artefact, error) from error
            elif not (self.path / "run.json").is_file():
                raise self._nothing_to_resume()
            self._lock = self._try_lock()
        remove_strays(self.path)
        remove_strays(self.artefact.parent)

    def release(self) -> None:
        """Let go of the lock; the folder stays."""
        for descriptor in (self._log, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._log = self._lock = None

    def remove(self) -> None:
        """Delete the run, the checkpoint first and the lock last, and let go of it."""
        for name in ("checkpoint.erya", "run.json", "log.jsonl"):
            if name == "log.jsonl" and self._log is not None:
                os.close(self._log)
                self._log = None
            with contextlib.suppress(OSError):
                (self.path / name).unlink()
        nested.remove_files(self.path)
        remove_strays(self.path)
        if fcntl is None:  # Windows deletes no open file
            self.release()
        with contextlib.suppress(OSError):  # a user's own file in there, or the next owner, keeps the folder
            (self.path / "lock").unlink()
            self.path.rmdir()
        self.release()

    def clear(self) -> None:
        """Forget what an earlier training left here."""
        for path in (self.checkpoint, self.path / "log.jsonl"):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def _try_lock(self) -> int | None:
        """The lock's descriptor; None when the folder was removed in this instant and all begins anew."""
        path = self.path / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise write_error(self.artefact, error) from error
        if not _flock(descriptor):
            owner = os.read(descriptor, 20).decode("ascii", "replace") if fcntl is not None else ""
            os.close(descriptor)
            raise self._owned(quoted(owner.strip(), 20))
        with contextlib.suppress(OSError):
            if fcntl is not None and path.stat().st_ino == os.fstat(descriptor).st_ino:
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
                return descriptor
        if fcntl is None:
            return descriptor
        os.close(descriptor)
        return None

    # ---- what lies in it --------------------------------------------------------------------------------------

    def read(self) -> dict[str, Any]:
        """run.json. Raises ModelFileError (code ``run-damaged``) where it is not what ``write`` wrote."""
        path = self.path / "run.json"
        try:
            with path.open("rb") as stream:
                run = strict_json.decode(stream.read(_LARGEST), most=_MOST_VALUES)
            run = nested.put_back(run, nested.read_files(self.path))
        except FileNotFoundError:
            raise self._nothing_to_resume() from None
        except (OSError, ValueError) as error:
            raise self._damaged(str(error)) from None
        if not isinstance(run, dict) or any(not isinstance(run.get(name), kind) for name, kind in _FIELDS.items()):
            raise self._damaged(say("fields are missing", "缺少字段"))
        plan = run.get("budget_plan")
        if plan is not None and (len(plan) != 2 or any(type(step) is not int or step < 1 for step in plan)):
            raise self._damaged("budget_plan")
        if run["format"] != artefact.FORMAT:
            raise self._damaged(say("another version of Erya wrote it", "由其他版本的 Erya 写成"))
        return run

    def write(self, run: dict[str, Any]) -> None:
        """Replace run.json, atomically."""
        files: Arrays = {}
        data = strict_json.encode(nested.taken_out(run, files), most=_MOST_VALUES, indent=1)
        nested.write_files(self.path, files)
        atomic_write(self.path / "run.json", lambda stream: stream.write(data))

    def load_checkpoint(self) -> artefact.Content | None:
        """Where to continue, or None. Raises ModelFileError where the file is damaged."""
        if not self.checkpoint.exists():
            return None
        try:
            return artefact.load(self.checkpoint, kind="checkpoint")
        except ModelFileError as error:
            error.help = say(
                f"delete {quoted(self.checkpoint)}, then start over with: {self.resume_command}",
                f"删除 {quoted(self.checkpoint)}，然后用 {self.resume_command} 从头开始",
            )
            raise

    def append(self, row: dict[str, Any]) -> None:
        """One line to log.jsonl.

        Raises:
            ResourceError: no space left.
        """
        line = strict_json.encode(row, most=_MOST_VALUES) + b"\n"
        path = self.path / "log.jsonl"
        try:
            if self._log is None:
                self._log = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
                _cut_torn_line(self._log)
            while line:
                line = line[os.write(self._log, line) :]
        except OSError as error:
            raise write_error(path, error) from error

    # ---- errors -----------------------------------------------------------------------------------------------

    def _owned(self, owner: str) -> ResourceError:
        name = quoted(self.artefact)
        who = say(f"process {owner}", f"进程 {owner}") if owner else say("another process", "另一个进程")
        return ResourceError(
            "run-locked",
            say(f"{name} is being trained by {who}", f"{name} 正由{who}训练"),
            where=quoted(self.path),
            help=say(
                "wait until it ends, or write elsewhere: -o other.erya",
                "等它结束，或换一个输出：-o other.erya",
            ),
        )

    def _nothing_to_resume(self) -> UsageError:
        name = quoted(self.artefact)
        if self.artefact.exists():
            return UsageError(
                "nothing-to-resume",
                say(f"the training of {name} has ended; nothing is left to do", f"{name} 的训练已经完成，无需继续"),
                help=say(f"use it: erya evaluate {name} DATA", f"直接使用：erya evaluate {name} DATA"),
            )
        with contextlib.suppress(OSError):
            runs = [found.name.removesuffix(SUFFIX) for found in self.artefact.parent.glob(f"*{SUFFIX}")]
            guess = nearest(self.artefact.name, runs)
            if guess:
                mend = f"erya resume {quoted(self.artefact.with_name(guess))}"
                return UsageError("nothing-to-resume", self._no_run(), help=mend)
        return UsageError("nothing-to-resume", self._no_run(), help=f"erya train TASK/MODEL DATA -o {name}")

    def _no_run(self) -> str:
        name = quoted(self.artefact)
        return say(f"there is no unfinished training of {name}", f"没有 {name} 的未完成训练")

    def _damaged(self, reason: str) -> ModelFileError:
        return ModelFileError(
            "run-damaged",
            say(f"{quoted(self.path)} cannot be continued: {reason}", f"{quoted(self.path)} 无法继续：{reason}"),
            where="run.json",
            help=say("start over with erya train … --restart", "用 erya train … --restart 重新开始"),
        )


def _flock(descriptor: int) -> bool:
    """Take the lock without waiting; False when another holds it. Where there are no locks, everybody gets it."""
    if fcntl is None:
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
    return True


def _cut_torn_line(descriptor: int) -> None:
    """A killed owner may have left half a line at the end."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - (1 << 16))
    os.lseek(descriptor, start, os.SEEK_SET)
    tail = os.read(descriptor, 1 << 16)
    if tail and not tail.endswith(b"\n"):
        os.ftruncate(descriptor, start + tail.rfind(b"\n") + 1)
