"""The one way in which Erya writes a file: whole, or not at all.

A temporary file in the same folder, its bytes on the disk, then one rename, then the folder's entry on the disk.
Whoever opens the target finds the old bytes or the new ones, whatever happens in between. The temporary file is locked
while it is written, so that ``remove_strays`` can tell what a killed process left behind from what a live one needs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from erya.errors import EryaError, ResourceError, UsageError, quoted, typed
from erya.language import say

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

SUFFIX = ".erya-tmp"
_BUFFER = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
# What file systems answer that cannot flush a folder or lock a file; the write itself is as good as it gets there.
_UNSUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EPERM, errno.EBADF, errno.ENOLCK)


def atomic_write(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that ``path`` holds the old bytes or the new ones, never a mixture.

    Args:
        path: the target; a symbolic link stays and the file it names is replaced.
        write: called once with the open temporary file.

    Raises:
        UsageError: ``path`` is a folder, a device or a pipe.
        ResourceError: no space, no permission, an I/O error. No temporary file stays behind.
    """
    shown, target = Path(path), Path(os.path.realpath(path))
    check_target(shown)
    temporary: Path | None = None
    try:
        descriptor, temporary = _temporary(target)
        with os.fdopen(descriptor, "wb", buffering=_BUFFER) as stream:
            write(stream)
            stream.flush()
            _to_disk(stream.fileno())
            _keep_mode(target, stream.fileno())
            if fcntl is not None:  # under the lock, or remove_strays might take it for a stray
                temporary.replace(target)
                temporary = None
        if temporary is not None:
            _rename_closed(temporary, target)
            temporary = None
        _folder_to_disk(target.parent)
    except OSError as error:
        raise write_error(shown, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):  # the next start tries again
                temporary.unlink()


def remove_strays(folder: str | Path) -> int:
    """Delete the temporary files that killed processes left in ``folder``; those of live processes stay.

    Returns:
        How many were deleted.
    """
    removed = 0
    try:
        names = [name for name in os.listdir(folder) if name.startswith(".") and name.endswith(SUFFIX)]  # noqa: PTH208
    except OSError:
        return 0
    for name in names:
        removed += _remove_stray(Path(folder, name))
    return removed


def write_error(path: Path, error: OSError) -> EryaError:
    """What failed while writing ``path``, as the error that a user reads."""
    name, folder = quoted(path), quoted(path.parent)
    if error.errno in _FULL:
        return ResourceError(
            "disk-full",
            say(f"no space left while writing {name}", f"写入 {name} 时磁盘空间不足"),
            where=folder,
            help=say(
                f"free some space, then run the same command again; how full: df -h {typed(path.parent)}",
                f"腾出空间后重新运行同一条命令；查看用量：df -h {typed(path.parent)}",
            ),
        )
    if error.errno in _CLOSED:
        return ResourceError(
            "read-only",
            say(f"{name} cannot be written: {error.strerror}", f"无法写入 {name}：{error.strerror}"),
            where=folder,
            help=say(
                f"choose a folder that you may write to; this one: ls -ld {typed(path.parent)}",
                f"请换一个可以写入的文件夹；查看这一个：ls -ld {typed(path.parent)}",
            ),
        )
    if error.errno == errno.ENOTDIR:
        return ResourceError(
            "folder-missing",
            say(f"{folder} is a file, not a folder", f"{folder} 是文件，不是文件夹"),
            where=folder,
            help=f"ls -ld {typed(path.parent)}",
        )
    if error.errno == errno.ENOENT and not path.parent.is_dir():
        return ResourceError(
            "folder-missing",
            say(f"the folder {folder} does not exist", f"文件夹 {folder} 不存在"),
            where=folder,
            help=f"mkdir -p {typed(path.parent)}",
        )
    reason = error.strerror or str(error)
    return ResourceError(
        "write-failed",
        say(f"writing {name} failed: {reason}", f"写入 {name} 失败：{reason}"),
        where=folder,
        help=say("choose another disk or folder", "请换一个磁盘或文件夹"),
    )


def check_target(shown: Path) -> None:
    """Replacing a folder, a device such as /dev/null or a pipe by a file is never meant: UsageError."""
    try:
        mode = shown.stat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode):
        raise UsageError(
            "output-not-a-file",
            say(f"{quoted(shown)} exists and is not an ordinary file", f"{quoted(shown)} 已存在，且不是普通文件"),
            help=say("choose another name for the output", "请换一个输出文件名"),
        )


def _temporary(target: Path) -> tuple[int, Path]:
    """A new, locked file next to ``target``."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    while True:
        path = target.parent / f".{target.name[:32]}.{os.urandom(16).hex()}{SUFFIX}"
        descriptor = os.open(path, flags, 0o666)
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    os.close(descriptor)
                    path.unlink(missing_ok=True)
                    raise
        if os.name == "nt" or os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)  # remove_strays took it in the instant before it was locked


def _remove_stray(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return 0
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            return 1
    except BlockingIOError:
        return 0
    except OSError:
        pass
    finally:
        age = time.time() - os.fstat(descriptor).st_mtime
        os.close(descriptor)
    if age > 3600:  # no locks on this system: what nobody has touched for an hour
        with contextlib.suppress(OSError):
            path.unlink()
            return 1
    return 0


def _to_disk(descriptor: int) -> None:
    """The file's bytes to the disk. macOS keeps them in the drive's cache unless asked more firmly."""
    if fcntl is not None and hasattr(fcntl, "F_FULLFSYNC"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def _keep_mode(target: Path, descriptor: int) -> None:
    """The new file may be read by whom the old one was."""
    if hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))


def _rename_closed(temporary: Path, target: Path) -> None:
    """Windows: an open file cannot be renamed, and a virus scanner may hold the target for a moment."""
    for attempt in range(5):
        try:
            temporary.replace(target)
            return
        except PermissionError:
            if attempt == 4:
                raise
            time.sleep(0.05)


def _folder_to_disk(folder: Path) -> None:
    """The rename itself to the disk, where the system can do that (Windows cannot open a folder)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)
