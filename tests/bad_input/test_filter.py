"""filter through the real command line: stopped, killed with all its processes, on a full disk – and run again."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import time

import pytest

from .conftest import reviews

OPTIONS = ["--label", "good", "--min-probability", "0.5"]
TWO = {"ERYA_THREADS": "2"}


@pytest.fixture
def shards(erya):
    """Nine files of several thousand rows each, so that a moment in the middle of one is easily met."""
    folder = erya.folder / "shards"
    folder.mkdir()
    for shard in range(9):
        rows = [
            json.dumps({"text": text, "id": f"{shard}-{number}"}) + "\n"
            for number, (text, _) in enumerate(reviews(4000, seed=shard))
        ]
        (folder / f"{shard}.jsonl.gz").write_bytes(gzip.compress("".join(rows).encode(), 1))
    return folder


def kept(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.gz"))}


def done(folder) -> int:
    journal = folder / "erya-filter.journal"
    return journal.read_bytes().count(b'"done"') if journal.exists() else 0


def test_killed_with_everything_at_random_moments(erya, shards):
    assert erya("filter", "m.erya", "shards", *OPTIONS, "-o", "whole").code == 0
    command = ["filter", "m.erya", "shards", *OPTIONS, "-o", "kept"]
    generator = random.Random(4)
    out = erya.folder / "kept"
    for how in ("group", "alone", "group"):
        before = done(out)
        process = erya.start(*command, env=TWO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        while not out.exists() or (done(out) <= before and process.poll() is None):
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.1))
        if how == "group":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        err = process.communicate()[1].decode()
        assert process.returncode == -signal.SIGKILL, f"it ended too soon: {err}"
        for name, data in kept(out).items():
            assert data == (erya.folder / "whole" / name).read_bytes()
    assert 3 <= done(out) < 9
    ended = erya(*command, "--json", env=TWO)
    assert ended.code == 0, ended.err
    assert ended.document["rows"] == 36_000 == ended.document["kept"] + ended.document["dropped"]
    assert ended.document["files_done_before"] >= 3
    assert kept(out) == kept(erya.folder / "whole")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_by_a_signal(erya, shards, number):
    command = ["filter", "m.erya", "shards", *OPTIONS, "-o", "kept"]
    out = erya.folder / "kept"
    process = erya.start(*command, env=TWO, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while done(out) < 1:
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.002)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"of 9 files are done" in err
    assert b"the same command continues" in err
    erya.check_no_strays()
    assert erya(*command).code == 0


def test_disk_full(erya, shards, small_disk):
    disk, remount = small_disk
    (erya.folder / "shards" / "7.txt").write_text("a good and lovely film\n" * 200_000, encoding="utf-8")  # 4.6 MB stay
    command = ["filter", "m.erya", "shards", "--text", "text", *OPTIONS, "-o", "disk/kept"]
    ended = erya(*command, "--json", env=TWO)
    assert ended.code == 5
    assert ended.document["code"] == "disk-full"
    assert not (disk / "kept" / "7.txt").exists()
    remount("size=40m")
    again = erya(*command, "--json", env=TWO)
    assert again.code == 0, again.err
    assert again.document["rows"] == 236_000
    assert (disk / "kept" / "7.txt").read_bytes() == (erya.folder / "shards" / "7.txt").read_bytes()
