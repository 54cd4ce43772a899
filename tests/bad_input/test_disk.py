"""Disks that are full or closed: exit 5, the old file as it was, and the way on that the help names works."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from .conftest import reviews, write_csv
from .shell import FAST, MODEL, command_in, weights_of

# some 6,000 words with 100 numbers each: 2.4 MB, and one pass over them
LARGE = ["--set", "dim=100", "--set", "epochs=1", "--set", "word_ngrams=1"]


@pytest.fixture
def words(erya):
    rows = [(" ".join(f"w{row}x{place}" for place in range(15)), "ab"[row % 2]) for row in range(500)]
    return write_csv(erya.folder / "words.csv", rows)


@pytest.mark.parametrize("checkpoints", [None, "0"])
def test_disk_full(erya, words, small_disk, checkpoints):
    """Whether the checkpoint does not fit or the model: the old model stays, and space is all that is missing."""
    disk, remount = small_disk
    old = (erya.folder / "m.erya").read_bytes()
    (disk / "m.erya").write_bytes(old)
    train = ["train", MODEL, "words.csv", *LARGE, "-o", "disk/m.erya"]
    env = {"ERYA_CHECKPOINT_SECONDS": checkpoints} if checkpoints else {}

    ended = erya(*train, "--json", env=env)
    assert ended.code == 5
    name = "disk/m.erya.run/checkpoint.erya" if checkpoints else "disk/m.erya"
    assert ended.first == f"error: no space left while writing {name}"
    assert ended.place == str(Path(name).parent)
    assert ended.document["code"] == "disk-full"
    assert re.match(r"free some space, then run the same command again; how full: df -h disk\S*$", ended.help)
    assert erya.paste(command_in(ended)) == 0
    assert (disk / "m.erya").read_bytes() == old

    remount("size=40m")
    again = erya(*train, env=env)
    assert again.code == 0, again.err
    assert (disk / "m.erya").read_bytes() != old
    assert sorted(path.name for path in disk.iterdir()) == ["m.erya"]
    whole = erya("train", MODEL, "words.csv", *LARGE, "-o", "whole.erya")
    assert whole.code == 0
    assert (erya.folder / "whole.erya").read_bytes() == (disk / "m.erya").read_bytes()


def test_disk_full_then_resume(erya, words, small_disk):
    disk, remount = small_disk
    train = ["train", MODEL, "words.csv", *LARGE, "-o"]
    assert erya(*train, "disk/m.erya").code == 5
    assert [path.name for path in disk.iterdir()] == ["m.erya.run"]
    remount("size=40m")
    assert erya("resume", "disk/m.erya").code == 0
    assert erya(*train, "whole.erya").code == 0
    assert weights_of(disk / "m.erya") == weights_of(erya.folder / "whole.erya")


def test_the_table_is_seen_though_the_report_finds_no_space(erya, small_disk):
    disk, _ = small_disk
    with (disk / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    ended = erya("compare", "reviews.csv", "m.erya", "-o", "disk/report.html")
    assert ended.code == 5
    assert ended.first == "error: no space left while writing disk/report.html"
    assert "m.erya" in ended.out
    assert "1.0000" in ended.out
    assert [path.name for path in disk.iterdir()] == ["ballast"]


def test_answers_to_a_full_device(erya):
    """Standard output may be a file on a full disk, too."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full on this system")
    script = (
        "import sys; sys.stdout = open('/dev/full', 'w'); from erya.cli.app import run; sys.exit(run(sys.argv[1:]))"
    )
    for arguments in (["list"], ["predict", "m.erya", "reviews.csv"], ["check", "reviews.csv", "--json"]):
        ended = erya(*arguments, program=("-c", script))
        assert ended.code == 5
        assert ended.first == "error: the operating system refused: No space left on device"


@pytest.mark.parametrize("output", ["m.erya", "new.erya"])
def test_read_only_folder(erya, small_disk, output):
    disk, remount = small_disk
    (disk / "m.erya").write_bytes((erya.folder / "m.erya").read_bytes())
    remount("ro")
    before = erya.contents()
    ended = erya("train", MODEL, "reviews.csv", *FAST, "-o", f"disk/{output}", "--json")
    assert ended.code == 5
    assert ended.first == f"error: disk/{output} cannot be written: Read-only file system"
    assert ended.place == "disk"
    assert ended.help == "choose a folder that you may write to; this one: ls -ld disk"
    assert ended.document["code"] == "read-only"
    assert erya.paste(command_in(ended)) == 0
    chinese = erya("train", MODEL, "reviews.csv", *FAST, "-o", f"disk/{output}", lang="zh")
    assert chinese.code == 5
    assert chinese.first.startswith(f"错误：无法写入 disk/{output}")
    assert erya.contents() == before
    elsewhere = erya("train", MODEL, "reviews.csv", *FAST, "-o", output)
    assert elsewhere.code == 0


@pytest.mark.parametrize(
    "verb", [["compare", "reviews.csv", "m.erya"], ["data", "snips"], ["show", "m.erya", "superb"]]
)
def test_read_only_folder_for_every_verb_that_writes(erya, small_disk, verb):
    _, remount = small_disk
    remount("ro")
    ended = erya(*verb, "-o", "disk/out.html")
    assert ended.code == 5
    assert ended.first == "error: disk/out.html cannot be written: Read-only file system"


@pytest.mark.parametrize("folder", ["/proc", "/sys"])
def test_folders_of_the_kernel(erya, folder):
    """Read-only without any mounting."""
    if not Path(folder).is_dir():
        pytest.skip(f"there is no {folder} on this system")
    before = erya.contents()
    ended = erya("train", MODEL, "reviews.csv", *FAST, "-o", f"{folder}/m.erya")
    assert ended.code == 5
    assert ended.first.startswith(f"error: {folder}/m.erya cannot be written: ") or ended.first.startswith(
        f"error: writing {folder}/m.erya failed: "
    )
    assert erya.contents() == before


def test_a_folder_that_is_not_there(erya):
    ended = erya("train", MODEL, "reviews.csv", *FAST, "-o", "models of mine/m.erya", "--json")
    assert ended.code == 5
    assert ended.first == "error: the folder models of mine does not exist"
    assert ended.help == "mkdir -p 'models of mine'"
    assert ended.document["code"] == "folder-missing"
    assert erya.paste(ended.help) == 0
    ended.arguments.remove("--json")
    assert erya(*ended.arguments).code == 0
    assert (erya.folder / "models of mine" / "m.erya").is_file()


def test_a_folder_that_is_a_file(erya):
    ended = erya("train", MODEL, "reviews.csv", *FAST, "-o", "m.erya/m.erya")
    assert ended.code == 5
    assert ended.first == "error: m.erya is a file, not a folder"


@pytest.mark.parametrize(
    ("arguments", "first", "help"),
    [
        (
            ["train", MODEL, "reviews.csv", "-o", "reviews.csv"],
            "error: reviews.csv is read by this command; it would be overwritten",
            "-o reviews-new.erya",
        ),
        (
            ["compare", "reviews.csv", "m.erya", "-o", "m.erya"],
            "error: m.erya is read by this command; it would be overwritten",
            "-o m-new.html",
        ),
        (
            ["train", MODEL, "sample:names", "-o", "reviews.csv"],
            "error: reviews.csv is there and is no model file; it would be overwritten",
            "-o reviews-new.erya",
        ),
        (
            ["show", "m.erya", "a superb film", "-o", "m.erya"],
            "error: m.erya is there and is no report; it would be overwritten",
            "-o m-new.html",
        ),
        (
            ["data", "snips", "-o", "m.erya"],
            "error: m.erya is there and is no file of rows; it would be overwritten",
            "-o m-new.jsonl",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_there_is_not_destroyed(erya, arguments, first, help):
    """A slip behind -o must not cost data or a model of another kind."""
    before = erya.contents()
    ended = erya(*arguments)
    assert (ended.code, ended.first, ended.help) == (2, first, help)
    assert erya.contents() == before


def test_rejects_that_are_mended_are_not_overwritten(erya):
    """Whoever trains on rejects.jsonl keeps it; a list of an earlier run is replaced, anything else is not."""
    rows = [f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in reviews(20)]
    (erya.folder / "rejects.jsonl").write_text("".join(rows) + "[1]\n", encoding="utf-8")
    mine = (erya.folder / "rejects.jsonl").read_bytes()
    train = ["train", MODEL, "rejects.jsonl", "--bad-rows", "skip", *FAST, "-o", "m.erya"]
    for _ in range(2):
        assert erya(*train).code == 0
        assert (erya.folder / "rejects.jsonl").read_bytes() == mine
        assert sorted(path.name for path in erya.folder.glob("rejects*")) == ["rejects-2.jsonl", "rejects.jsonl"]
