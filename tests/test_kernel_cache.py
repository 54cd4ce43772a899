from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from erya import kernel_cache
from erya.kernel_cache import announce, cache_folder, kernel, seconds_compiling, source_hash
from erya.progress import Report


class Noting(Report):
    def __init__(self):
        self.notes = []

    def note(self, sentence):
        self.notes.append(sentence)


@pytest.fixture
def bases(monkeypatch):
    """``bases(path, …)``: look for the cache only there."""

    def use(*paths):
        monkeypatch.setattr(kernel_cache, "_bases", lambda: list(paths))
        cache_folder.cache_clear()

    yield use
    cache_folder.cache_clear()


def test_the_hash_sees_every_kernel_source(tmp_path):
    for name in ("parts/barrier.py", "models/a/kernels.py", "models/b/kernels.py", "models/a/estimator.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    seen = {source_hash(tmp_path)}
    (tmp_path / "models/a/estimator.py").write_text("x = 2\n")  # holds no kernels
    assert {source_hash(tmp_path)} == seen
    for name in ("parts/barrier.py", "models/a/kernels.py", "models/b/kernels.py"):
        (tmp_path / name).write_text("x = 2\n")
        seen.add(source_hash(tmp_path))
    assert len(seen) == 4


def test_without_a_place_for_the_cache_kernels_still_run(bases):
    bases(Path(os.devnull) / "nowhere")
    assert cache_folder() is None

    def double(values):
        return values * 2

    assert kernel(double)(np.arange(3)).tolist() == [0, 2, 4]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX permissions")
def test_a_folder_that_others_can_write_is_not_trusted(bases, tmp_path):
    tmp_path.chmod(0o777)
    bases(tmp_path)
    assert cache_folder() is None
    private = tmp_path / "own"
    bases(tmp_path, private)
    assert cache_folder().is_relative_to(private)


def test_only_a_few_old_caches_stay(bases, tmp_path):
    for number in range(6):
        (tmp_path / "kernels" / f"old{number}").mkdir(parents=True)
        os.utime(tmp_path / "kernels" / f"old{number}", (number, number))
    bases(tmp_path)
    folder = cache_folder()
    assert sorted(path.name for path in (tmp_path / "kernels").iterdir()) == sorted(
        ["old3", "old4", "old5", folder.name]
    )


PROGRAM = """
from erya.parts import lockstep
from erya.kernel_cache import announce
from erya.progress import Report

class Speaking(Report):
    def note(self, sentence): print(sentence)

announce(Speaking(), [lockstep.barrier])
lockstep.barrier(lockstep.control_block(), 1)
announce(Speaking(), [lockstep.barrier])
"""


def test_the_first_process_compiles_and_says_so_the_second_does_neither(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "ERYA_LANG": "en"}
    said = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, check=True, capture_output=True, text=True, timeout=120
        ).stdout
        for _ in range(2)
    ]
    assert said[0].count("compiling") == 1
    assert said[1] == ""


def test_what_is_compiled_is_not_announced():
    def add(a, b):
        return a + b

    compiled, report = kernel(add), Noting()
    compiled(1, 2)
    announce(report, [compiled])
    assert report.notes == []


def test_the_setting_of_other_packages_is_left_alone():
    import numba

    before = numba.config.CACHE_DIR
    kernel(lambda x: x)
    assert before == numba.config.CACHE_DIR


def test_a_kernel_runs_where_the_disk_is_full(monkeypatch):
    """Numba writes what it has compiled; where it cannot, the kernel must run nevertheless."""
    from numba.core.caching import IndexDataCacheFile

    def refuse(*_):
        raise OSError(28, "No space left on device")

    @kernel_cache.kernel
    def twice(x: int) -> int:
        return 2 * x

    monkeypatch.setattr(IndexDataCacheFile, "save", refuse)
    assert twice(21) == 42


def test_what_compiling_takes_is_counted(bases, tmp_path):
    bases(tmp_path)

    @kernel
    def twice(number):
        return 2 * number

    before = seconds_compiling()
    assert twice(3.0) == 6.0
    after = seconds_compiling()
    assert after > before
    assert twice(4.0) == 8.0
    assert seconds_compiling() == after
