"""filter through the real command line: stopped, killed with all its processes, on a full disk – and run again."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

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


@pytest.mark.parametrize("packed", [False, True])
def test_one_large_file_killed_and_continued(erya, packed):
    """Several pieces of 16 MiB: what is done of them is not done again."""
    rows = "".join(json.dumps({"text": text, "id": number}) + "\n" for number, (text, _) in enumerate(reviews(4000)))
    (erya.folder / "small.jsonl").write_text(rows, encoding="utf-8")
    assert erya("filter", "m.erya", "small.jsonl", *OPTIONS, "-o", "small").code == 0
    times = (40 << 20) // len(rows)
    data = rows.encode() * times
    name = "large.jsonl.gz" if packed else "large.jsonl"
    (erya.folder / name).write_bytes(gzip.compress(data, 1) if packed else data)
    command = ["filter", "m.erya", name, *OPTIONS, "-o", "kept"]
    out, journal = erya.folder / "kept", erya.folder / "kept" / "erya-filter.journal"
    process = erya.start(*command, env=TWO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    while not journal.exists() or (journal.read_bytes().count(b'"part"') < 1 and process.poll() is None):
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (out / name).exists()
    before = journal.read_bytes()
    ended = erya(*command, "--json", env=TWO)
    assert ended.code == 0, ended.err
    assert journal.read_bytes().startswith(before)
    assert journal.read_bytes().count(b'"part"') == 3
    kept_data = (out / name).read_bytes()
    kept_data = gzip.decompress(kept_data) if packed else kept_data
    assert kept_data == (erya.folder / "small" / "small.jsonl").read_bytes() * times
    assert sorted(path.name for path in out.iterdir()) == sorted([name, "erya-filter.journal"])


def test_between_pipes(erya):
    """What nobody reads any more ends it quietly; a full disk behind it is an error."""
    rows = "".join(json.dumps({"text": text}) + "\n" for text, _ in reviews(20_000))
    (erya.folder / "rows.jsonl").write_text(rows, encoding="utf-8")
    command = ["filter", "m.erya", "-", *OPTIONS, "-o", "-"]
    with (erya.folder / "rows.jsonl").open("rb") as source:
        process = erya.start(*command, env=TWO, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()
        assert process.wait(30) == 0, err
    assert first.decode() in rows.splitlines(keepends=True)[:20]
    assert "error" not in err
    with (erya.folder / "rows.jsonl").open("rb") as source, Path("/dev/full").open("wb") as full:
        process = erya.start(*command, env=TWO, stdin=source, stdout=full, stderr=subprocess.PIPE)
        err = process.communicate()[1].decode()
    assert process.returncode == 5
    assert "no space left" in err.lower()


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
