"""``@kernel``: a Numba function without the GIL, compiled once per machine and kept on disk.

Numba's own cache looks only at the file a function stands in; a change in an imported helper would go unseen. Here the
folder's name is a hash of every kernel source of the package, so a change anywhere compiles afresh. Where no private
folder can be written, kernels are compiled in memory, in every process.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba.core import event

from erya.language import say
from erya.progress import Report

PACKAGE = Path(__file__).resolve().parent
KEPT = 3  # caches of other versions that stay beside ours; older ones go
_lock = threading.Lock()
_config: Any = numba.config
_events: Any = event
_compiling = _events.TimingListener()
_events.register("numba:compile", _compiling)

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` for arrays: releases the GIL, never raises (division by zero gives inf or nan, as in NumPy).

    No fast-math: the same source gives the same bits on every run.
    """
    folder = cache_folder()
    # Numba asks for its folder when a function is decorated, and only then; the setting belongs to the whole process
    with _lock:
        before = _config.CACHE_DIR
        try:
            if folder is not None:
                _config.CACHE_DIR = str(folder)
            compiled = numba.njit(nogil=True, error_model="numpy", cache=folder is not None)(function)
            if folder is not None:
                _keep_if_possible(compiled)
            return cast(Callable[P, R], compiled)
        finally:
            _config.CACHE_DIR = before


def _keep_if_possible(compiled: Any) -> None:
    """A full disk, or a limit on files, keeps a kernel from the disk; it must not keep it from running."""
    save = compiled._cache.save_overload

    def save_or_not(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    compiled._cache.save_overload = save_or_not


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """As ``kernel``, for what is called a million times a second: written into its callers, so that no call remains.

    Passing a dozen arrays costs as much as a small loop over them. Not kept on disk by itself: its callers are.
    """
    return cast(Callable[P, R], numba.njit(nogil=True, error_model="numpy", inline="always")(function))


def announce(report: Report, kernels: Sequence[Any]) -> None:
    """Say so where calling ``kernels`` will first have to compile one of them."""
    if not all(_compiled(kernel) for kernel in kernels):
        report.note(
            say(
                "compiling the kernels for this machine, once (some seconds)",
                "正在为这台机器编译计算内核，只需一次（几秒钟）",
            )
        )


def seconds_compiling() -> float:
    """Seconds that this process has spent on compiling kernels: what a measurement of training is not about."""
    return float(_compiling.duration) if _compiling.done else 0.0


def _compiled(kernel: Any) -> bool:
    if not hasattr(kernel, "signatures") or kernel.signatures:  # Numba is switched off, or the kernel has run
        return True
    folder = kernel.stats.cache_path
    return folder is not None and any(Path(folder).glob(f"*.{kernel.py_func.__name__}-*.nbi"))


@lru_cache(maxsize=1)
def cache_folder() -> Path | None:
    """The folder for compiled kernels, made if need be: under NUMBA_CACHE_DIR, the user's cache or the temporary folder.

    None where none of them can be written, or where another user could write (compiled code is run as it is found).
    """
    for base in _bases():
        folder = base / "kernels" / source_hash()
        try:
            made = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError:
            continue
        if _private(base) and _private(folder):
            if made:
                _forget_old(folder)
            return folder
    return None


def _bases() -> list[Path]:
    if os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(os.environ["NUMBA_CACHE_DIR"]) / "erya"]
    user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return [_user_cache() / "erya", Path(tempfile.gettempdir()) / f"erya-{user}"]


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local").expanduser()
    if sys.platform == "darwin":
        return Path("~/Library/Caches").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def _private(folder: Path) -> bool:
    if not hasattr(os, "getuid"):
        return True
    found = folder.stat()
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def source_hash(package: Path = PACKAGE) -> str:
    """Hash of all files of the package that hold kernels, of the compiler and of the kind of machine: 16 hex digits."""
    compiler = (numba.__version__, version("llvmlite"), np.__version__, sys.version, platform.machine())
    digest = hashlib.sha256(repr(compiler).encode())
    for path in sorted(
        [*package.glob("parts/*.py"), *package.glob("text/*kernels.py"), *package.glob("models/*/*kernels.py")]
    ):
        source = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(source)} ".encode())
        digest.update(source)
    return digest.hexdigest()[:16]


def _forget_old(folder: Path) -> None:
    """Remove the caches of earlier versions, but for the newest few, which another environment may be using."""
    others = [other for other in folder.parent.iterdir() if other != folder and other.is_dir()]
    others.sort(key=lambda other: other.stat().st_mtime, reverse=True)
    for other in others[KEPT:]:
        shutil.rmtree(other, ignore_errors=True)
