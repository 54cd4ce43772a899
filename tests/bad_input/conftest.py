"""A folder with sound data, an older model in it, and the command line."""

from __future__ import annotations

import csv
import random
import shutil
import subprocess
import sys

import pytest

from .shell import FAST, MODEL, Shell, environment
from .warm import Warm

if sys.platform == "win32":
    collect_ignore_glob = ["test_*.py"]  # signals, mounts and shells of POSIX


def reviews(count: int = 60, seed: int = 0) -> list[tuple[str, str]]:
    """Short texts that a small model learns at once, half of them good."""
    generator = random.Random(seed)
    words = {"good": ["good", "great", "lovely", "superb"], "bad": ["bad", "awful", "dull", "boring"]}
    rows = []
    for number in range(count):
        label = ("good", "bad")[number % 2]
        text = generator.choices(["the", "film", "was", "and", "story", "with", "actor"], k=5) + generator.choices(
            words[label], k=2
        )
        rows.append((" ".join(text) + f" {number}", label))
    return rows


def write_csv(path, rows, header=("text", "label")):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A small model file, trained by the command line once a session."""
    folder = tmp_path_factory.mktemp("trained")
    home = tmp_path_factory.mktemp("home")
    write_csv(folder / "reviews.csv", reviews())
    ended = Shell(folder, home)("train", MODEL, "reviews.csv", *FAST, "-o", "m.erya", "-q")
    assert ended.code == 0, ended.err
    return folder / "m.erya"


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    """What the processes of most tests are forked from."""
    if sys.platform != "linux":
        return None
    return Warm(environment(tmp_path_factory.mktemp("warm")))


@pytest.fixture
def erya(tmp_path, trained, warm):
    """``erya("train", …)`` in a folder that holds reviews.csv and an older m.erya."""
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    write_csv(folder / "reviews.csv", reviews())
    shutil.copy(trained, folder / "m.erya")
    return Shell(folder, home, warm)


@pytest.fixture
def small_disk(erya):
    """A disk of 2 MB, mounted at disk/ in the folder; ``remount(options)`` changes it."""
    place = erya.folder / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "erya-test", place], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this needs the right to mount a tmpfs: {done.stderr.decode(errors='replace').strip()}")

    def remount(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)

    place_and_remount = place, remount
    yield place_and_remount
    subprocess.run(["umount", "-l", place], check=True)
