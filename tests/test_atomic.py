"""Every write, at every instant at which it can fail: the old bytes or the new ones, and nothing else left behind."""

import errno
import io
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from erya import atomic
from erya.atomic import SUFFIX, atomic_write, remove_strays
from erya.errors import EryaError, ResourceError, UsageError

OLD, NEW = b"old" * 1000, b"new" * 1_500_000  # several buffers
POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and file systems")


def write_new(stream):
    for start in range(0, len(NEW), 700_000):
        stream.write(NEW[start : start + 700_000])


class Faults:
    """Does something at the N-th operation on the file system that atomic.py asks for."""

    def __init__(self, monkeypatch, at, act):
        self.count, self.at, self.act, self.names = 0, at, act, []
        for name in ("open", "fsync", "replace", "close"):
            monkeypatch.setattr(atomic.os, name, self._counted(name, getattr(os, name)))
        faults = self

        class Raw(io.FileIO):
            def write(self, data):
                faults.step("write")
                return super().write(data)

        monkeypatch.setattr(
            atomic.os, "fdopen", lambda descriptor, mode, buffering: io.BufferedWriter(Raw(descriptor, mode), buffering)
        )

    def _counted(self, name, real):
        def call(*arguments, **options):
            self.step(name)
            return real(*arguments, **options)

        return call

    def step(self, name):
        self.names.append(name)
        self.count += 1
        if self.count == self.at:
            self.act()


def fail(number):
    def act():
        raise OSError(number, os.strerror(number))

    return act


def outcome(target):
    """The error of a write, or None."""
    try:
        atomic_write(target, write_new)
    except EryaError as error:
        return error


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_new_file_and_replacement(tmp_path):
    atomic_write(tmp_path / "x", lambda stream: stream.write(OLD))
    assert (tmp_path / "x").read_bytes() == OLD
    atomic_write(str(tmp_path / "x"), write_new)
    assert (tmp_path / "x").read_bytes() == NEW
    assert names(tmp_path) == ["x"]


def test_the_order_that_makes_it_safe(tmp_path, monkeypatch):
    """The bytes are on the disk before the rename, the rename is on the disk before the caller goes on."""
    faults = Faults(monkeypatch, 0, None)
    atomic_write(tmp_path / "x", write_new)
    order = [name for name, _ in itertools.groupby(faults.names)]
    assert order == ["open", "write", "fsync", "replace", "open", "fsync", "close"]


def test_no_gap_between_the_lock_and_the_rename(tmp_path, monkeypatch):
    """A cleaner that comes in the very instant of the rename leaves the file alone."""
    real = os.replace

    def replace(*paths):
        assert remove_strays(tmp_path) == 0
        real(*paths)

    monkeypatch.setattr(atomic.os, "replace", replace)
    atomic_write(tmp_path / "x", write_new)
    assert (tmp_path / "x").read_bytes() == NEW


def test_a_cleaner_between_creation_and_lock(tmp_path, monkeypatch):
    if atomic.fcntl is None:
        pytest.skip("no locks")
    real, calls = atomic.fcntl.flock, []

    def flock(descriptor, how):
        if not calls:  # the first file is taken away before it is locked
            calls.append(1)
            for stray in tmp_path.glob(f".*{SUFFIX}"):
                stray.unlink()
        real(descriptor, how)

    monkeypatch.setattr(atomic.fcntl, "flock", flock)
    atomic_write(tmp_path / "x", write_new)
    assert (tmp_path / "x").read_bytes() == NEW
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_every_operation_fails_once(tmp_path, number):
    target = tmp_path / "x"
    seen = set()
    for at in range(1, 100):
        target.write_bytes(OLD)
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, at, fail(number))
            error = outcome(target)
        if error is None:
            assert target.read_bytes() == NEW
        else:
            assert (type(error), error.exit) == (ResourceError, 5)
            assert error.help
            assert error.where
        if faults.count < at:
            break  # nothing was left to fail
        seen.add(faults.names[-1] if faults.count == at else faults.names[at - 1])
        assert target.read_bytes() in (OLD, NEW)
        assert names(tmp_path) == ["x"]
    assert faults.count < at
    assert {"open", "write", "fsync", "replace"} <= seen


@POSIX
def test_killed_at_every_operation(tmp_path, monkeypatch):
    target = tmp_path / "x"
    killed = 0
    for at in range(1, 100):
        target.write_bytes(OLD)
        child = os.fork()
        if not child:  # dies by its own hand at the operation
            Faults(monkeypatch, at, lambda: os.kill(os.getpid(), signal.SIGKILL))
            atomic_write(target, write_new)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert target.read_bytes() in (OLD, NEW)
        if status == 0:
            break
        killed += 1
        remove_strays(tmp_path)
        assert names(tmp_path) == ["x"]
    assert killed >= 8
    assert target.read_bytes() == NEW


@POSIX
def test_killed_at_random_moments(tmp_path):
    code = f"""
import sys, itertools
from erya.atomic import atomic_write
for turn in itertools.cycle([b"a", b"b"]):
    atomic_write({str(tmp_path / "x")!r}, lambda stream: [stream.write(turn * 100_000) for _ in range(30)])
    print(flush=True)
"""
    clock = random.Random(0)
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment()) as process:
            process.stdout.readline()
            time.sleep(clock.random() * 0.05)
            process.kill()
        data = (tmp_path / "x").read_bytes()
        assert data in (b"a" * 3_000_000, b"b" * 3_000_000)
        remove_strays(tmp_path)
        assert names(tmp_path) == ["x"]


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(atomic.__file__).parents[1])}


def test_error_of_the_writer_leaves_the_old_file(tmp_path):
    target = tmp_path / "x"
    target.write_bytes(OLD)

    def interrupted(stream):
        stream.write(NEW)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic_write(target, interrupted)
    assert target.read_bytes() == OLD
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "disk-full"), (errno.EROFS, "read-only"), (errno.EACCES, "read-only"), (errno.EIO, "write-failed")],
)
def test_messages(monkeypatch, number, code, lang):
    monkeypatch.setenv("ERYA_LANG", lang)
    error = atomic.write_error(Path("folder/m.erya"), OSError(number, os.strerror(number)))
    assert error.code == code
    assert "m.erya" in error.message
    assert error.help


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(ResourceError) as caught:
        atomic_write(tmp_path / "no" / "x", write_new)
    assert caught.value.code == "folder-missing"
    assert "mkdir" in caught.value.help


@POSIX
def test_no_device_pipe_or_folder_is_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for target in ("/dev/null", tmp_path / "folder", tmp_path / "pipe"):
        with pytest.raises(UsageError):
            atomic_write(target, write_new)
    assert Path("/dev/null").is_char_device()


@POSIX
def test_links_and_permissions_stay(tmp_path):
    (tmp_path / "real").write_bytes(OLD)
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    atomic_write(tmp_path / "link", write_new)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == NEW
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640


def test_strays_of_the_living_stay(tmp_path):
    (tmp_path / f".x.0{SUFFIX}").write_bytes(b"half")
    (tmp_path / ".hidden").write_bytes(b"the user's")
    (tmp_path / f"visible{SUFFIX}").write_bytes(b"the user's")
    removed = []

    def write(stream):
        stream.write(NEW)
        removed.append(remove_strays(tmp_path))

    atomic_write(tmp_path / "x", write)
    assert removed == [1]
    assert (tmp_path / "x").read_bytes() == NEW
    assert names(tmp_path) == [".hidden", f"visible{SUFFIX}", "x"]
    assert remove_strays(tmp_path / "no such folder") == 0


@POSIX
def test_a_stray_that_is_a_link_or_pipe_does_no_harm(tmp_path):
    (tmp_path / "precious").write_bytes(OLD)
    (tmp_path / f".a{SUFFIX}").symlink_to("precious")
    os.mkfifo(tmp_path / f".b{SUFFIX}")
    remove_strays(tmp_path)
    assert (tmp_path / "precious").read_bytes() == OLD


def test_many_writers_of_one_file(tmp_path):
    texts = [bytes([65 + number]) * 300_000 for number in range(4)]

    finished = []

    def work(text):
        for _ in range(10):
            atomic_write(tmp_path / "x", lambda stream: stream.write(text))
            remove_strays(tmp_path)
        finished.append(text)

    threads = [threading.Thread(target=work, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "x").exists():
            assert (tmp_path / "x").read_bytes() in texts
    for thread in threads:
        thread.join()
    assert sorted(finished) == texts
    assert names(tmp_path) == ["x"]


def test_without_posix(tmp_path, monkeypatch):
    """The steps that only POSIX has are left out; the promise about the target stays."""
    monkeypatch.setattr(atomic, "fcntl", None)
    monkeypatch.delattr(atomic.os, "fchmod", raising=False)
    monkeypatch.setattr(atomic, "_folder_to_disk", lambda folder: None)
    atomic_write(tmp_path / "x", write_new)
    assert (tmp_path / "x").read_bytes() == NEW
    assert names(tmp_path) == ["x"]
    check_that_only_old_strays_go(tmp_path)


def check_that_only_old_strays_go(folder):
    fresh, stale = folder / f".a{SUFFIX}", folder / f".b{SUFFIX}"
    fresh.write_bytes(b"")
    stale.write_bytes(b"")
    os.utime(stale, (0, 0))
    assert remove_strays(folder) == 1
    assert fresh.exists()


def test_a_file_system_without_locks_or_folder_fsync(tmp_path, monkeypatch):
    if atomic.fcntl is None:
        pytest.skip("no locks anyway")
    monkeypatch.setattr(atomic.fcntl, "flock", lambda *_: fail(errno.ENOLCK)())
    real = os.fsync

    def fsync(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
            raise OSError(errno.EINVAL, "no")
        real(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    atomic_write(tmp_path / "x", write_new)
    assert (tmp_path / "x").read_bytes() == NEW
    check_that_only_old_strays_go(tmp_path)


@POSIX
def test_a_full_disk(tmp_path):
    """A real limit of the system: no file of this process may grow beyond 2 MB."""
    code = """
import resource, signal, sys
from erya.atomic import atomic_write
from erya.errors import ResourceError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
try:
    atomic_write(sys.argv[1], lambda stream: stream.write(bytes(5 << 20)))
except ResourceError as error:
    print(error.code)
    sys.exit(error.exit)
"""
    (tmp_path / "x").write_bytes(OLD)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, "disk-full\n"), done.stderr
    assert (tmp_path / "x").read_bytes() == OLD
    assert names(tmp_path) == ["x"]


@POSIX
def test_a_small_disk(tmp_path):
    """A tmpfs of 2 MB, where mounting is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True, check=False)  # fmt: skip
    if mounted.returncode:
        pytest.skip("may not mount here")
    try:
        atomic_write(disk / "x", lambda stream: stream.write(OLD))
        with pytest.raises(ResourceError) as caught:
            atomic_write(disk / "x", write_new)
        assert caught.value.code == "disk-full"
        assert (disk / "x").read_bytes() == OLD
        assert names(disk) == ["x"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
