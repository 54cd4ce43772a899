"""Filtering: the bytes of the rows that stay, every row counted, packed files, bad rows, a killed run."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from erya.errors import DataError, Interrupted, ResourceError, UsageError
from erya.filtering import Settings, Tally, columns_of, digest_of, filter_file, journal, layout, one_piece, pieces, pool
from erya.filtering.journal import NAME, PARTS, Journal
from erya.filtering.pieces import packed, pieces_of, ranges_of
from erya.filtering.process import environment
from erya.filtering.run import Shard, run, shards_of, with_columns
from erya.tasks import classify

MODEL = "classify/naive_bayes"


@pytest.fixture(scope="module")
def model(fitted):
    return fitted(MODEL)


@pytest.fixture
def saved(model, tmp_path) -> Path:
    return model.save(tmp_path / "m.erya")


def settings(**changes) -> Settings:
    return replace(Settings("0" * 64, "food", 0.5, text="text"), **changes)


def json_lines(rows: int, seed: int = 5) -> list[bytes]:
    """Rows as a careless program writes them: odd spaces, escapes, keys in any order, both line ends."""
    lines = []
    for number, text in enumerate(classify.toy(seed=seed, rows=rows)[0]):
        if number % 3 == 0:
            line = json.dumps({"text": text, "id": number}).encode() + b"\n"  # Chinese as escapes
        elif number % 3 == 1:
            line = f'{{ "id":{number} ,"text" :{json.dumps(text, ensure_ascii=False)} }}  \r\n'.encode()
        else:
            line = json.dumps({"id": f"é{number}", "text": text}, ensure_ascii=False).encode() + b"\n"
        lines.append(line)
    return lines


def expected(model, lines: list[bytes], threshold: float = 0.5, *, invert: bool = False) -> list[bytes]:
    """The slow way: one row at a time."""
    column = model.classes_.tolist().index("food")
    return [
        line for line in lines if (model.predict_proba([json.loads(line)["text"]])[0, column] >= threshold) != invert
    ]


def test_kept_rows_keep_their_bytes(model, tmp_path):
    lines = json_lines(300)
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines))
    tally = filter_file(model, settings(), tmp_path / "a.jsonl", tmp_path / "kept.jsonl")
    kept = expected(model, lines)
    assert 0 < len(kept) < len(lines)
    assert (tmp_path / "kept.jsonl").read_bytes() == b"".join(kept)
    assert (tally.rows, tally.kept, tally.dropped, tally.rejected) == (300, len(kept), 300 - len(kept), 0)
    assert tally.bytes == len(b"".join(lines))
    assert tally.kept_bytes == len(b"".join(kept))


def test_invert_keeps_exactly_the_others(model, tmp_path):
    lines = json_lines(200)
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines))
    filter_file(model, settings(), tmp_path / "a.jsonl", tmp_path / "above")
    filter_file(model, settings(invert=True), tmp_path / "a.jsonl", tmp_path / "below")
    above, below = ((tmp_path / name).read_bytes().splitlines(keepends=True) for name in ("above", "below"))
    assert sorted(above + below) == sorted(lines)
    assert below == expected(model, lines, invert=True)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_the_ends_of_the_scale(model, tmp_path, threshold):
    lines = json_lines(60)
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines))
    tally = filter_file(model, settings(min_probability=threshold), tmp_path / "a.jsonl", tmp_path / "kept")
    assert (tmp_path / "kept").read_bytes() == b"".join(expected(model, lines, threshold))
    assert tally.kept == 60 if threshold == 0 else tally.kept < 30


@pytest.mark.parametrize(("kind", "pack"), [("gzip", gzip.compress), ("xz", lzma.compress), ("zstd", None)])
def test_packed_in_packed_out(model, tmp_path, kind, pack):
    if pack is None:
        pack = pytest.importorskip("zstandard").ZstdCompressor().compress
    lines = json_lines(240)
    (tmp_path / "in").mkdir()
    # two archives one behind the other are one file, as cat makes it
    (tmp_path / "in" / "a.jsonl").write_bytes(pack(b"".join(lines[:100])) + pack(b"".join(lines[100:])))
    first = filter_file(model, settings(), tmp_path / "in" / "a.jsonl", tmp_path / "one.jsonl")
    time.sleep(1.1)  # gzip's header has seconds
    filter_file(model, settings(), tmp_path / "in" / "a.jsonl", tmp_path / "two.jsonl")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    from erya.text.files import blocks, packing

    assert packing(tmp_path / "one.jsonl") == kind
    assert b"".join(blocks(tmp_path / "one.jsonl")) == b"".join(expected(model, lines))
    assert first.bytes == len(b"".join(lines))


def test_packing_nothing_is_a_sound_file(tmp_path):
    for kind, unpack in (("gzip", gzip.decompress), ("xz", lzma.decompress), (None, bytes)):
        with (tmp_path / "x").open("wb") as stream, packed(stream, kind):
            pass
        assert unpack((tmp_path / "x").read_bytes()) == b""


def test_plain_lines_marks_and_no_end(model, tmp_path):
    texts = ["soup bread salt", "guitar song", "", "  ", "noodles soup\r", "好吃 面条 汤"]
    data = b"\xef\xbb\xbf" + "\n".join(texts).encode()
    (tmp_path / "a.txt").write_bytes(data)
    tally = filter_file(model, settings(text=None), tmp_path / "a.txt", tmp_path / "kept.txt")
    assert (
        tmp_path / "kept.txt"
    ).read_bytes() == b"\xef\xbb\xbfsoup bread salt\nnoodles soup\r\n" + "好吃 面条 汤".encode()
    assert (tally.rows, tally.kept, tally.dropped, tally.rejected, tally.bad) == (6, 3, 1, 2, 0)
    assert tally.bytes == len(data)
    everything = filter_file(model, settings(text=None, min_probability=0.0), tmp_path / "a.txt", tmp_path / "all.txt")
    assert (everything.kept, everything.dropped) == (4, 0)


def test_an_encoding_that_was_told(model, tmp_path):
    lines = ["好吃 面条 汤\n".encode("gb18030"), "歌曲 吉他\n".encode("gb18030")]
    (tmp_path / "a.txt").write_bytes(b"".join(lines))
    filter_file(model, settings(text=None, encoding="gb18030"), tmp_path / "a.txt", tmp_path / "kept.txt")
    assert (tmp_path / "kept.txt").read_bytes() == lines[0]


def test_labelled_lines_are_scored_without_their_label(model, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"__label__music soup bread noodles\n__label__food guitar song melody\n")
    filter_file(model, settings(text=None), tmp_path / "a.txt", tmp_path / "kept.txt")
    assert (tmp_path / "kept.txt").read_bytes() == b"__label__music soup bread noodles\n"


# ---- bad rows ----------------------------------------------------------------------------------------------------

BAD = [
    b'{"text": "soup", \n',
    b'{"text": "soup \xff\xfe"}\n',
    b'["soup"]\n',
    b'{"text": {"soup": 1}}\n',
    b'{"text": NaN}\n',
]
EMPTY = [b'{"text": ""}\n', b'{"text": null}\n', b'{"id": 1}\n']
GOOD = b'{"text": "soup bread noodles"}\n'


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_row_stops_it_and_nothing_is_written(model, tmp_path, bad):
    (tmp_path / "a.jsonl").write_bytes(GOOD * 3 + bad + GOOD)
    with pytest.raises(DataError, match=r"1 row of a\.jsonl") as caught:
        filter_file(model, settings(), tmp_path / "a.jsonl", tmp_path / "kept.jsonl")
    assert caught.value.where.startswith("a.jsonl:4")
    assert "--bad-rows skip" in caught.value.help
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl"]


def test_bad_rows_skipped_or_kept_are_counted(model, tmp_path):
    music = b'{"text": "guitar song melody"}\n'
    (tmp_path / "a.jsonl").write_bytes(GOOD + b"".join(BAD) + b"\n \n" + music + b"".join(EMPTY) + GOOD)
    skipped = filter_file(model, settings(), tmp_path / "a.jsonl", tmp_path / "s.jsonl", bad_rows="skip")
    assert (tmp_path / "s.jsonl").read_bytes() == GOOD * 2
    assert (skipped.rows, skipped.kept, skipped.dropped, skipped.rejected, skipped.bad) == (11, 2, 1, 8, 5)
    assert sum(skipped.reasons.values()) == 8
    kept = filter_file(model, settings(), tmp_path / "a.jsonl", tmp_path / "k.jsonl", bad_rows="keep")
    assert (tmp_path / "k.jsonl").read_bytes() == GOOD + b"".join(BAD) + GOOD
    assert (kept.kept, kept.dropped, kept.rejected, kept.copied) == (2, 1, 8, 5)


def test_rows_without_text_never_stop_it(model, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(GOOD + b"".join(EMPTY))
    tally = filter_file(model, settings(), tmp_path / "a.jsonl", tmp_path / "kept.jsonl")
    assert (tally.rows, tally.kept, tally.rejected, tally.bad) == (4, 1, 3, 0)


def test_a_line_without_end_is_not_copied_in_part(model, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(GOOD + b'{"text": "' + b"soup " * 1000 + b'"}\n' + GOOD)
    tally = filter_file(
        model, settings(), tmp_path / "a.jsonl", tmp_path / "kept.jsonl", bad_rows="skip", line_limit=1000
    )
    assert (tally.rows, tally.kept, tally.bad) == (3, 2, 1)
    for policy in ("stop", "keep"):
        with pytest.raises(DataError, match="cannot be read"):
            filter_file(model, settings(), tmp_path / "a.jsonl", tmp_path / "kept", bad_rows=policy, line_limit=1000)


def test_a_torn_archive_leaves_the_old_output(model, tmp_path):
    (tmp_path / "kept.jsonl").write_bytes(b"old")
    (tmp_path / "a.jsonl").write_bytes(gzip.compress(b"".join(json_lines(900)))[:-900])
    with pytest.raises(DataError, match="gzip"):
        filter_file(model, settings(), tmp_path / "a.jsonl", tmp_path / "kept.jsonl")
    assert (tmp_path / "kept.jsonl").read_bytes() == b"old"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.csv", b"text,label\nsoup,food\n", "not-lines"),
        ("a.tsv", b"text\tlabel\nsoup\tfood\n", "not-lines"),
        ("a.conll", b"soup\tB\n\n", "not-lines"),
        ("a.txt", "soup\nbread\n".encode("utf-16"), "not-lines"),
        ("a.jsonl", b'{"content": "soup"}\n', "column-missing"),
        ("a.json", b'[{"text": "soup"}]\n', "json-array"),
    ],
)
def test_files_that_are_not_lines_are_refused(model, tmp_path, name, data, code):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        filter_file(model, settings(), tmp_path / name, tmp_path / "kept")
    assert caught.value.code == code
    assert not (tmp_path / "kept").exists()


def test_an_empty_shard_and_one_of_blank_lines(model, tmp_path):
    for data, rows in ((b"", 0), (b"\n\n  \n", 0)):
        (tmp_path / "a.jsonl").write_bytes(data)
        tally = filter_file(model, settings(), tmp_path / "a.jsonl", tmp_path / "kept")
        assert (tally.rows, tally.bytes) == (rows, len(data))
        assert (tmp_path / "kept").read_bytes() == b""


def test_memory_is_bounded_by_batches(model, tmp_path, monkeypatch):
    monkeypatch.setattr(one_piece, "BYTES_AT_ONCE", 2000)
    lines = json_lines(200)
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines))
    sizes = []

    class Watched:
        id, classes_ = model.id, model.classes_
        task = staticmethod(lambda: "classify")

        def predict_proba(self, X):
            sizes.append(sum(map(len, X)))
            return model.predict_proba(X)

    told = []
    filter_file(Watched(), settings(), tmp_path / "a.jsonl", tmp_path / "k", told=lambda tally: told.append(tally.rows))
    assert len(sizes) > 3
    assert max(sizes) < 2500
    assert told == sorted(told)
    assert told[-1] == 200
    assert (tmp_path / "k").read_bytes() == b"".join(expected(model, lines))


def test_pairs(tmp_path):
    from tests.conftest import small_model

    X, y = classify.toy(seed=1)
    pairs = small_model(MODEL).fit([(text, "x") for text in X], y)
    line = b'{"query": "soup bread noodles", "document": "x"}\n'
    (tmp_path / "a.jsonl").write_bytes(line)
    found, _ = with_columns(settings(text=None), [Shard(tmp_path / "a.jsonl", "a.jsonl")])
    assert (found.text, found.text2) == ("query", "document")
    assert filter_file(pairs, found, tmp_path / "a.jsonl", tmp_path / "k").kept == 1


# ---- many shards -------------------------------------------------------------------------------------------------


def shards(folder: Path, count: int = 5, rows: int = 60) -> dict[str, list[bytes]]:
    folder.mkdir()
    made = {}
    for number in range(count):
        made[f"{number}.jsonl.gz"] = json_lines(rows, seed=number)
        (folder / f"{number}.jsonl.gz").write_bytes(gzip.compress(b"".join(made[f"{number}.jsonl.gz"])))
    return made


def go(saved, folder, out, *, processes=2, changes=None, **more):
    """What the command does."""
    found = shards_of([str(folder)], out)
    wanted, _ = with_columns(settings(**{"digest": digest_of(saved), "text": None, **(changes or {})}), found)
    return run(saved, wanted, found, out, processes=processes, **more)


def kept_in(out: Path) -> dict[str, bytes]:
    return {path.name: gzip.decompress(path.read_bytes()) for path in out.iterdir() if path.name.endswith(".gz")}


def test_shards_through_processes(model, saved, tmp_path):
    made = shards(tmp_path / "in")
    seen = []
    outcome = go(saved, tmp_path / "in", tmp_path / "kept", watch=seen.append)
    assert kept_in(tmp_path / "kept") == {name: b"".join(expected(model, lines)) for name, lines in made.items()}
    assert outcome.total.rows == 300 == outcome.total.kept + outcome.total.dropped
    assert outcome.fresh == outcome.total
    assert outcome.gigabytes_per_hour > 0
    assert list(outcome.shards) == sorted(made)
    assert (seen[-1].finished, seen[-1].shards, seen[-1].rows) == (5, 5, 300)
    one = go(saved, tmp_path / "in", tmp_path / "alone", processes=1)
    assert one.total == outcome.total
    for name in made:
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "kept" / name).read_bytes()


def test_a_second_run_does_nothing_and_new_shards_are_added(model, saved, tmp_path):
    shards(tmp_path / "in", count=2)
    first = go(saved, tmp_path / "in", tmp_path / "kept")
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()}
    again = go(saved, tmp_path / "in", tmp_path / "kept")
    assert (again.earlier, again.fresh.rows, again.gigabytes_per_hour) == (2, 0, None)
    assert again.total == first.total
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()} == times
    extra = json_lines(30, seed=77)
    (tmp_path / "in" / "new.jsonl").write_bytes(b"".join(extra))
    more = go(saved, tmp_path / "in", tmp_path / "kept")
    assert (more.earlier, more.fresh.rows, more.total.rows) == (2, 30, 150)
    assert (tmp_path / "kept" / "new.jsonl").read_bytes() == b"".join(expected(model, extra))


def test_a_changed_input_or_a_lost_output_is_done_again(model, saved, tmp_path):
    made = shards(tmp_path / "in", count=3)
    go(saved, tmp_path / "in", tmp_path / "kept")
    whole = kept_in(tmp_path / "kept")
    (tmp_path / "kept" / "0.jsonl.gz").unlink()
    (tmp_path / "kept" / "1.jsonl.gz").write_bytes(b"torn")
    changed = made["2.jsonl.gz"][:30]
    (tmp_path / "in" / "2.jsonl.gz").write_bytes(gzip.compress(b"".join(changed)))
    again = go(saved, tmp_path / "in", tmp_path / "kept")
    assert again.earlier == 0
    assert again.total.rows == 150
    assert kept_in(tmp_path / "kept") == {**whole, "2.jsonl.gz": b"".join(expected(model, changed))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"min_probability": 0.6}, "--min-probability 0.5"),
        ({"labels": ("music",)}, "the label 'food'"),
        ({"invert": True}, "other side"),
        ({"digest": "1" * 64}, "another model"),
        ({"text": "id"}, "--text text"),
    ],
)
def test_other_settings_are_refused(saved, tmp_path, change, message):
    shards(tmp_path / "in", count=1)
    go(saved, tmp_path / "in", tmp_path / "kept")
    before = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    found = shards_of([str(tmp_path / "in")], tmp_path / "kept")
    other = settings(digest=digest_of(saved))
    with pytest.raises(UsageError, match=message) as caught:
        run(saved, replace(other, **change), found, tmp_path / "kept", processes=1)
    assert caught.value.code == "filter-other"
    assert "--restart" in caught.value.help
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before


def test_restart_leaves_nothing_of_the_earlier_run(model, saved, tmp_path):
    made = shards(tmp_path / "in", count=3)
    go(saved, tmp_path / "in", tmp_path / "kept")
    (tmp_path / "kept" / "mine.txt").write_text("not of the filter")
    (tmp_path / "in" / "2.jsonl.gz").unlink()
    outcome = go(saved, tmp_path / "in", tmp_path / "kept", changes={"invert": True}, restart=True)
    assert outcome.earlier == 0
    names = ["0.jsonl.gz", "1.jsonl.gz"]
    assert kept_in(tmp_path / "kept") == {name: b"".join(expected(model, made[name], invert=True)) for name in names}
    assert (tmp_path / "kept" / "mine.txt").exists()


def test_bad_rows_policy_may_change_until_one_was_met(saved, tmp_path):
    shards(tmp_path / "in", count=2)
    (tmp_path / "in" / "9.jsonl").write_bytes(GOOD + BAD[0])
    with pytest.raises(DataError, match="cannot be read"):
        go(saved, tmp_path / "in", tmp_path / "kept", processes=1)
    outcome = go(saved, tmp_path / "in", tmp_path / "kept", bad_rows="skip")
    assert (outcome.earlier, outcome.total.bad) == (2, 1)
    with pytest.raises(UsageError, match="--bad-rows stop"):
        go(saved, tmp_path / "in", tmp_path / "kept", bad_rows="keep")


def test_a_mistake_leaves_no_trace(saved, tmp_path):
    shards(tmp_path / "in", count=1)
    with pytest.raises(UsageError, match="no label 'fod'") as caught:
        go(saved, tmp_path / "in", tmp_path / "kept", changes={"labels": "fod"})
    assert "food" in caught.value.help
    assert not (tmp_path / "kept").exists()
    assert go(saved, tmp_path / "in", tmp_path / "kept").total.rows == 60


def test_other_peoples_files_are_never_replaced(saved, tmp_path):
    shards(tmp_path / "in", count=1)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "0.jsonl.gz").write_bytes(b"mine")
    with pytest.raises(UsageError) as caught:
        go(saved, tmp_path / "in", tmp_path / "kept")
    assert caught.value.code == "output-exists"
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["0.jsonl.gz"]
    with pytest.raises(UsageError) as caught:
        shards_of([str(tmp_path / "in")], tmp_path / "in")
    assert caught.value.code == "output-is-input"


def test_what_the_names_mean(tmp_path):
    shards(tmp_path / "in", count=2)
    (tmp_path / "in" / "notes.pdf").write_bytes(b"x")
    (tmp_path / "in" / ".hidden.jsonl").write_bytes(b"x")
    out = tmp_path / "kept"
    both = ["0.jsonl.gz", "1.jsonl.gz"]
    assert [shard.name for shard in shards_of([str(tmp_path / "in")], out)] == both
    assert [shard.name for shard in shards_of([str(tmp_path / "in" / "*.gz")], out)] == both
    twice = [str(tmp_path / "in" / "1.jsonl.gz"), str(tmp_path / "in")]
    assert [shard.name for shard in shards_of(twice, out)] == both[::-1]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "0.jsonl.gz").write_bytes(b"")
    with pytest.raises(UsageError, match=r"two files are named 0\.jsonl\.gz"):
        shards_of([str(tmp_path / "in"), str(tmp_path / "other")], out)
    (tmp_path / "void").mkdir()
    for missing in ("nowhere.jsonl", "void", "void/*.jsonl"):
        with pytest.raises(DataError):
            shards_of([str(tmp_path / missing)], out)


def test_one_owner_at_a_time(saved, tmp_path):
    pytest.importorskip("fcntl")
    shards(tmp_path / "in", count=1)
    with Journal(tmp_path / "kept", settings(), bad_rows="stop"):
        with pytest.raises(ResourceError, match="another process") as caught:
            go(saved, tmp_path / "in", tmp_path / "kept")
        assert caught.value.code == "filter-locked"


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"done": "../../x", "source": [1, 2], "size": 1, "tally": {}}',
        b'{"begun": "a/b"}',
        b'{"done": "a"}',
        b'{"done": "a", "source": [1, 2], "size": 1, "tally": {"rows": 3, "kept": 1, "dropped": 1, "rejected": 0,'
        b' "bad": 0, "copied": 0, "bytes": 0, "kept_bytes": 0, "reasons": {}, "histogram": [0]}}',
        b'{"part": "a", "range": [0], "source": [1, 2], "size": 1, "tally": {}}',
    ],
)
def test_a_damaged_journal_is_refused(saved, tmp_path, line):
    shards(tmp_path / "in", count=1)
    go(saved, tmp_path / "in", tmp_path / "kept")
    journal = tmp_path / "kept" / NAME
    journal.write_bytes(journal.read_bytes() + line + b"\n")
    with pytest.raises(DataError) as caught:
        go(saved, tmp_path / "in", tmp_path / "kept")
    assert caught.value.code == "journal-damaged"


def test_half_a_line_at_the_end_is_what_a_kill_leaves(saved, tmp_path):
    shards(tmp_path / "in", count=2)
    first = go(saved, tmp_path / "in", tmp_path / "kept", processes=1)
    journal = tmp_path / "kept" / NAME
    whole = journal.read_bytes()
    for cut in (1, 30, 150):
        journal.write_bytes(whole[:-cut])
        again = go(saved, tmp_path / "in", tmp_path / "kept")
        assert again.earlier == 1
        assert again.total == first.total


def test_tally_adds_up():
    tally = Tally(rows=3, kept=1, dropped=1, rejected=1, reasons={"x": 1}, histogram=[1, *[0] * 18, 1])
    tally.add(tally.from_plain(tally.to_plain()))
    assert (tally.rows, tally.reasons) == (6, {"x": 2})
    for wrong in (
        None,
        {},
        {**tally.to_plain(), "rows": 7},
        {**tally.to_plain(), "kept": -1},
        {**tally.to_plain(), "kept": True},
        {**tally.to_plain(), "histogram": [0] * 20},
        {**tally.to_plain(), "histogram": [2]},
    ):
        with pytest.raises(ValueError):
            Tally.from_plain(wrong)


# ---- killed ------------------------------------------------------------------------------------------------------

CALLER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from tests.test_filtering import go
go(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
"""


def start(saved, folder, out):
    root = str(Path(__file__).resolve().parents[1])
    command = [sys.executable, "-c", CALLER, str(saved), str(folder), str(out), root]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finished(out: Path) -> int:
    journal = out / NAME
    return journal.read_bytes().count(b'"done"') if journal.exists() else 0


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_killed_and_resumed_without_loss_or_duplicate(model, saved, tmp_path):
    made = shards(tmp_path / "in", count=12, rows=900)
    out = tmp_path / "kept"
    kills = 0
    while kills < 3:
        before = finished(out)
        process = start(saved, tmp_path / "in", out)
        while finished(out) < min(before + 2, 11) and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        kills += 1
        assert all(data.endswith(b"\n") for data in kept_in(out).values())  # sound archives, whatever the moment
    assert 0 < finished(out) < 12
    outcome = go(saved, tmp_path / "in", out)
    assert outcome.earlier >= 3
    assert outcome.total.rows == 12 * 900
    assert not [path.name for path in out.iterdir() if path.name.endswith(".erya-tmp")]
    for name, data in kept_in(out).items():
        column = model.classes_.tolist().index("food")
        probabilities = model.predict_proba([json.loads(line)["text"] for line in made[name]])[:, column]
        kept = [line for line, p in zip(made[name], probabilities, strict=True) if p >= 0.5]
        assert data.splitlines(keepends=True) == kept
        ids = [json.loads(line)["id"] for line in data.splitlines()]
        assert len(set(ids)) == len(ids)
    assert len(kept_in(out)) == 12


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_workers_end_with_their_caller(saved, tmp_path):
    """A worker whose caller was killed hears it at its next word, and leaves its shard to the next run."""
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "erya.filtering.worker"],
        stdin=subprocess.PIPE,
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    os.close(write)
    (tmp_path / "a.jsonl").write_bytes(GOOD * 100)
    job = {"model": str(saved), "settings": settings().to_plain(), "out": str(tmp_path / "out"), "bad_rows": "stop"}
    os.close(read)  # the caller is gone before the first answer
    _, err = process.communicate(json.dumps(job).encode() + b"\n", timeout=60)
    assert (process.returncode, err) == (0, b"")


def test_an_interrupt_says_how_far_it_came(saved, tmp_path, monkeypatch):
    shards(tmp_path / "in", count=4)

    def watch(standing):
        if standing.finished >= 1:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="of 4 files are done") as caught:
        go(saved, tmp_path / "in", tmp_path / "kept", watch=watch)
    assert "same command" in caught.value.help
    assert go(saved, tmp_path / "in", tmp_path / "kept").earlier >= 1


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_worker_that_dies_is_an_error(saved, tmp_path):
    shards(tmp_path / "in", count=3, rows=900)
    victims = []

    def watch(standing):
        if not victims:
            me = os.getpid()
            children = Path(f"/proc/{me}/task/{me}/children")
            if not children.exists():
                pytest.skip("needs /proc")
            workers = [int(pid) for pid in children.read_text().split() if b"filtering.worker" in _command(int(pid))]
            victims.extend(workers)  # not the children that other tests have left
            if victims:
                os.kill(victims[0], signal.SIGKILL)

    with pytest.raises(ResourceError) as caught:
        go(saved, tmp_path / "in", tmp_path / "kept", processes=1, watch=watch)
    assert caught.value.code == "worker-died"
    assert go(saved, tmp_path / "in", tmp_path / "kept").total.rows == 2700


def test_float_probabilities_are_compared_as_they_are(tmp_path):
    """A row exactly at the threshold stays."""

    class Exact:
        id = "classify/exact"
        classes_ = np.array(["food", "music"])
        task = staticmethod(lambda: "classify")

        def predict_proba(self, X):
            return np.array([[float(text), 1 - float(text)] for text in X])

    (tmp_path / "a.txt").write_bytes(b"0.9\n0.8999999999999999\n0.9000000000000001\n")
    filter_file(Exact(), settings(text=None, min_probability=0.9), tmp_path / "a.txt", tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == b"0.9\n0.9000000000000001\n"


# ---- pieces ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [7, 64, 1000])
def test_pieces_are_the_file_cut_at_line_ends(tmp_path, end, size):
    data = end.join(b"x" * (number * 37 % 23) for number in range(60))
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    for step in (1, 5, 10_000):  # however the bytes come
        found = list(pieces_of((data[at : at + step] for at in range(0, len(data), step)), size=size))
        assert b"".join(piece.data for piece in found) == data
        assert [(piece.start, piece.end) for piece in found] == list(ranges_of(path, size=size))
        assert all(piece.data.endswith(b"\n") for piece in found[:-1])
        if end != b"\r" and size < 1000:
            assert len(found) > 5
    for start, stop in ranges_of(path, size=size):
        assert pieces.piece_at(path, start, stop).data == data[start:stop]


def test_a_piece_of_an_endless_line_is_short():
    data = b"a\n" + b"x" * 100_000 + b"\n" + b"b" * 50 + b"\r\nc"
    for step in (10, 999, 200_000):
        found = list(pieces_of((data[at : at + step] for at in range(0, len(data), step)), size=1000, limit=60))
        assert b"".join(piece.data for piece in found) == b"a\n" + b"x" * 61 + b"\n" + b"b" * 50 + b"\r\nc"
        assert (found[0].start, found[-1].end) == (0, len(data))


def large(tmp_path, name, lines, pack=None):
    """A shard of its own in a folder."""
    (tmp_path / "in").mkdir(exist_ok=True)
    data = b"".join(lines)
    (tmp_path / "in" / name).write_bytes(pack(data) if pack else data)
    return tmp_path / "in"


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of 4 kB, in the processes, too."""
    for module in (pieces, pool):
        monkeypatch.setattr(module, "PIECE", 4096)
    monkeypatch.setattr(pool, "_WORTH_SHARING", 100)
    monkeypatch.setattr("erya.filtering.process._MODULE", "tests.small_pieces")
    root = str(Path(__file__).resolve().parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))


@pytest.mark.parametrize("kind", ["", ".gz", ".xz", ".zst"])
def test_a_large_file_is_shared_and_has_the_same_bytes(model, saved, tmp_path, small_pieces, kind):
    pack = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}.get(kind)
    if pack is None:
        pack = pytest.importorskip("zstandard").ZstdCompressor().compress
    lines = [b"\xef\xbb\xbf" + json_lines(1)[0], *json_lines(1500)]
    folder = large(tmp_path, f"a.jsonl{kind}", lines, pack)
    name = f"a.jsonl{kind}"
    outcomes = []
    for processes in (1, 2, 3):
        outcomes.append(go(saved, folder, tmp_path / f"kept{processes}", processes=processes))
        assert sorted(path.name for path in (tmp_path / f"kept{processes}").iterdir()) == sorted([name, NAME])
    filter_file(model, settings(), folder / name, tmp_path / "alone")
    bodies = {(tmp_path / f"kept{processes}" / name).read_bytes() for processes in (1, 2, 3)}
    assert bodies == {(tmp_path / "alone").read_bytes()}
    from erya.text.files import blocks

    lines[0] = lines[0][3:]
    assert b"".join(blocks(tmp_path / "alone")) == b"\xef\xbb\xbf" + b"".join(expected(model, lines))
    assert outcomes[0].total == outcomes[1].total == outcomes[2].total
    assert outcomes[0].total.bytes == sum(map(len, lines)) + 3
    journal = (tmp_path / "kept2" / NAME).read_bytes()
    assert journal.count(b'"part"') > 20


def test_several_archives_and_files_of_all_sizes(model, saved, tmp_path, small_pieces):
    made = {}
    for number, rows in enumerate((0, 1, 400, 5, 300)):
        made[f"{number}.jsonl"] = json_lines(rows, seed=number) if rows else []
        large(tmp_path, f"{number}.jsonl", made[f"{number}.jsonl"])
        made[f"{number}.jsonl.gz"] = json_lines(200 + rows, seed=number)
        large(tmp_path, f"{number}.jsonl.gz", made[f"{number}.jsonl.gz"], gzip.compress)
    outcome = go(saved, tmp_path / "in", tmp_path / "kept", processes=3)
    for name, lines in made.items():
        found = (tmp_path / "kept" / name).read_bytes()
        assert (gzip.decompress(found) if name.endswith("gz") else found) == b"".join(expected(model, lines)), name
        assert outcome.shards[name].rows == len(lines)
    assert not (tmp_path / "kept" / PARTS).exists()


@pytest.mark.parametrize("kind", ["", ".gz"])
def test_a_bad_row_deep_in_a_shared_file_is_named_by_its_line(saved, tmp_path, small_pieces, kind):
    lines = json_lines(900)
    lines[700] = BAD[0]
    folder = large(tmp_path, f"a.jsonl{kind}", lines, gzip.compress if kind else None)
    with pytest.raises(DataError) as caught:
        go(saved, folder, tmp_path / "kept", processes=2)
    assert caught.value.where.startswith(f"a.jsonl{kind}:701,")
    assert f"byte {sum(map(len, lines[:700])):,} " in caught.value.where
    skipped = go(saved, folder, tmp_path / "kept", processes=2, bad_rows="skip")
    assert (skipped.total.rows, skipped.total.bad) == (900, 1)


@pytest.mark.parametrize("kind", ["", ".gz"])
def test_pieces_of_an_earlier_run_are_not_done_again(model, saved, tmp_path, small_pieces, kind):
    lines = json_lines(900)
    folder = large(tmp_path, f"a.jsonl{kind}", lines, gzip.compress if kind else None)

    def watch(standing):
        if standing.rows > 300:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="0 of 1 file"):
        go(saved, folder, tmp_path / "kept", watch=watch)
    parts = sorted((tmp_path / "kept" / PARTS).iterdir())
    assert parts
    (tmp_path / "kept" / PARTS / "of-nobody").write_bytes(b"x")
    parts[0].write_bytes(b"torn, and of another length")
    outcome = go(saved, folder, tmp_path / "kept")
    assert 0 < outcome.fresh.rows < 900 == outcome.total.rows
    found = (tmp_path / "kept" / f"a.jsonl{kind}").read_bytes()
    assert (gzip.decompress(found) if kind else found) == b"".join(expected(model, lines))
    assert not (tmp_path / "kept" / PARTS).exists()


def test_pieces_of_a_file_that_changed_are_not_used(model, saved, tmp_path, small_pieces):
    folder = large(tmp_path, "a.jsonl", json_lines(900))

    def watch(standing):
        if standing.rows > 300:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        go(saved, folder, tmp_path / "kept", watch=watch)
    lines = json_lines(900, seed=8)
    large(tmp_path, "a.jsonl", lines)
    assert go(saved, folder, tmp_path / "kept").fresh.rows == 900
    assert (tmp_path / "kept" / "a.jsonl").read_bytes() == b"".join(expected(model, lines))


def test_restart_throws_pieces_away(saved, tmp_path, small_pieces):
    folder = large(tmp_path, "a.jsonl", json_lines(900))

    def watch(standing):
        if standing.rows > 300:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        go(saved, folder, tmp_path / "kept", watch=watch)
    outcome = go(saved, folder, tmp_path / "kept", changes={"invert": True}, restart=True)
    assert outcome.fresh.rows == 900


SHARED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from erya.filtering import pieces, pool, process
pieces.PIECE = pool.PIECE = 4096
pool._WORTH_SHARING = 100
process._MODULE = "tests.small_pieces"
os.environ["PYTHONPATH"] = os.pathsep.join([sys.argv[4], os.environ.get("PYTHONPATH", "")])
from tests.test_filtering import go
go(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("kind", ["", ".gz"])
def test_a_shared_file_killed_at_many_moments(model, saved, tmp_path, kind):
    lines = json_lines(6000)
    folder = large(tmp_path, f"a.jsonl{kind}", lines, gzip.compress if kind else None)
    filter_file(model, settings(), folder / f"a.jsonl{kind}", tmp_path / "whole")
    out, root = tmp_path / "kept", str(Path(__file__).resolve().parents[1])

    def parts() -> int:
        return (out / NAME).read_bytes().count(b'"part"') if (out / NAME).exists() else 0

    kills, process = 0, None
    for kill in range(6):
        before = parts()
        command = [sys.executable, "-c", SHARED, str(saved), str(folder), str(out), root]
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while parts() < before + 3 + kill and process.poll() is None:
            time.sleep(0.001)
        time.sleep(0.003 * kill)
        process.kill()
        err = process.communicate()[1]
        assert process.returncode in (0, -signal.SIGKILL), err
        kills += process.returncode != 0
    assert kills >= 2
    assert parts() > 10
    process = subprocess.run(command, env=environment(), capture_output=True, check=False)
    assert process.returncode == 0, process.stderr
    assert sorted(path.name for path in out.iterdir()) == sorted([f"a.jsonl{kind}", NAME])
    unpack = gzip.decompress if kind else bytes
    pieces_apart = unpack((out / f"a.jsonl{kind}").read_bytes())  # pieces of 16 MiB there, of 4 kB here
    assert pieces_apart == unpack((tmp_path / "whole").read_bytes())


# ---- other choices -----------------------------------------------------------------------------------------------


class Exact:
    """Says what its texts say: ``0.9 0.1``."""

    id = "classify/exact"
    classes_ = np.array(["a", "b", "c"])
    task = staticmethod(lambda: "classify")

    def predict_proba(self, X):
        return np.array([[float(number) for number in text.split()] for text in X])


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"labels": ("a", "b"), "min_probability": 0.5}, [0, 1, 3]),
        ({"labels": ("a",), "min_probability": 0.5}, [0, 3]),
        ({"labels": ("a", "b"), "min_probability": 0.0, "max_probability": 0.2}, [2]),
        ({"labels": ("a", "b"), "min_probability": 0.5, "max_probability": 0.7}, [1, 3]),
        ({"labels": ("a", "b"), "min_probability": 0.5, "max_probability": 0.7, "invert": True}, [0, 2]),
    ],
)
def test_several_labels_and_both_limits(tmp_path, changes, kept):
    lines = [b"0.9 0.1 0.0\n", b"0.3 0.7 0.0\n", b"0.1 0.2 0.7\n", b"0.5 0.5 0.0\n"]
    (tmp_path / "a.txt").write_bytes(b"".join(lines))
    tally = filter_file(Exact(), settings(text=None, **changes), tmp_path / "a.txt", tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == b"".join(lines[number] for number in kept)
    assert sum(tally.histogram) == 4


def test_the_histogram(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"0 0 0\n0.049 0 0\n0.05 0 0\n0.999 0 0\n1.0 0 0\n\n")
    tally = filter_file(Exact(), settings(text=None, labels="a"), tmp_path / "a.txt", tmp_path / "k")
    assert tally.histogram == [2, 1, *[0] * 17, 2]
    assert tally.rejected == 1


class Speaks:
    """A language model for which a text costs the bits that it names."""

    id = "generate/speaks"
    task = staticmethod(lambda: "generate")

    def surprisals(self, X):
        return [SimpleNamespace(bits_per_character=float(text)) for text in X]


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"max_bits": 30.0}, [0, 1, 2]),
        ({"max_bits": 20.0}, [0, 1]),
        ({"min_bits": 25.0}, [2, 3, 4]),
        ({"min_bits": 0.3, "max_bits": 40.0}, [0, 1, 2, 3]),
        ({"max_bits": 30.0, "invert": True}, [3, 4]),
        ({"min_bits": 1e6}, [4]),
    ],
)
def test_limits_in_bits_have_no_ceiling(tmp_path, changes, kept):
    lines = [b"0.3\n", b"19.9\n", b"25\n", b"35\n", b"1e6\n"]
    (tmp_path / "a.txt").write_bytes(b"".join(lines))
    wanted = replace(Settings("0" * 64, ()), **changes)
    tally = filter_file(Speaks(), wanted, tmp_path / "a.txt", tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == b"".join(lines[number] for number in kept)
    assert (tally.histogram[6], tally.histogram[398], tally.histogram[500], tally.histogram[700]) == (1, 1, 1, 1)
    assert (sum(tally.histogram), tally.histogram[-1], len(tally.histogram)) == (5, 1, 2000)
    both = Tally.from_plain(tally.to_plain())
    both.add(Tally())
    assert both == tally


def test_limits_on_the_other_scale_are_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"0.3\n")
    for model, changes in (
        (Speaks(), {"labels": (), "min_probability": 0.5}),
        (Speaks(), {"labels": (), "max_probability": 0.5}),
        (Speaks(), {"min_probability": 0.0}),
        (Exact(), {"labels": "a", "min_probability": 0.0, "max_bits": 3.0}),
    ):
        wanted = replace(Settings("0" * 64, "a"), **changes)
        with pytest.raises(UsageError) as caught:
            filter_file(model, wanted, tmp_path / "a.txt", tmp_path / "k")
        assert caught.value.code == "other-task"


NESTED = [
    b'{"meta": {"text": "guitar song"}, "body": {"text": "soup bread noodles", "parts": [{"t": "soup"}]}}\n',
    b'{"body": {"text": "guitar song melody", "parts": [{"t": "song"}]}}\n',
    b'{"body": {"text": ""}}\n',
    b'{"body": ["soup"]}\n',
    b'{"other": 1}\n',
]


@pytest.mark.parametrize("name", ["body.text", "body.parts.0.t"])
def test_a_field_inside_objects(saved, tmp_path, name):
    folder = large(tmp_path, "a.jsonl", NESTED)
    outcome = go(saved, folder, tmp_path / "kept", changes={"text": name})
    assert (tmp_path / "kept" / "a.jsonl").read_bytes() == NESTED[0]
    assert (outcome.total.rows, outcome.total.kept, outcome.total.rejected) == (5, 1, 3)


def test_a_field_with_a_dot_in_its_name_comes_first(model, tmp_path):
    line = b'{"body.text": "soup bread noodles", "body": {"text": "guitar song"}}\n'
    (tmp_path / "a.jsonl").write_bytes(line)
    filter_file(model, settings(text="body.text"), tmp_path / "a.jsonl", tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == line
    for name in ("body.txt", "bdy.text", "body.text.x"):
        with pytest.raises(DataError) as caught:
            layout.layout_of(tmp_path / "a.jsonl", settings(text=name))
        assert caught.value.code == "column-missing"


def test_the_short_way_reads_what_the_long_way_reads(tmp_path, monkeypatch):
    lines = [
        *json_lines(30),
        *BAD,
        *EMPTY,
        b"\n",
        b"  \r\n",
        GOOD.replace(b"\n", b"\r"),
        b'{"text": 12}\n',
        b' {"text": "x"}\n',
        '{"text": "x"}\u3000\n'.encode(),
        b'{"text": "x"} y\n',
        b"12\n",
        b"nul\n",
        b'{"text": "a\tb"}\n',
        b'{"text": "x"}',
    ]
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines))
    (tmp_path / "a.txt").write_bytes(b"".join(lines))
    for name, text in (("a.jsonl", "text"), ("a.txt", None)):
        found, _ = layout.layout_of(tmp_path / name, settings(text=text))
        short = list(layout.PieceRows(found, b"".join(lines), 0))
        with monkeypatch.context() as patch:
            patch.setattr(layout.PieceRows, "_short_way", lambda self: lambda raw: None)
            long = list(layout.PieceRows(found, b"".join(lines), 0))
        assert short == long
        assert len(short) == (len(lines) - 2 if text else len(lines))


def test_a_lock_as_windows_has_it(saved, tmp_path, monkeypatch):
    """Without flock, msvcrt locks one byte far behind the end, and the journal can still be read and written."""
    import errno
    import types

    held: dict[tuple[int, int], int] = {}

    def locking(descriptor, mode, count):
        place = (os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR))
        assert (mode, count) == (2, 1)
        assert place[1] > 1 << 32
        if held.setdefault(place, descriptor) != descriptor:
            raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(journal, "fcntl", None)
    monkeypatch.setattr(journal, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    shards(tmp_path / "in", count=1)
    with Journal(tmp_path / "kept", settings(), bad_rows="stop"):
        with pytest.raises(ResourceError) as caught:
            go(saved, tmp_path / "in", tmp_path / "kept")
        assert caught.value.code == "filter-locked"
    held.clear()  # as closing the file does there
    assert go(saved, tmp_path / "in", tmp_path / "other").total.rows == 60


# ---- between pipes -----------------------------------------------------------------------------------------------


def piped(saved, data, *, processes=2, changes=None, **more):
    import io

    from erya.filtering.stream import filter_stream

    written = []
    wanted = settings(digest=digest_of(saved), text=None, **(changes or {}))
    outcome = filter_stream(saved, wanted, io.BytesIO(data), written.append, processes=processes, **more)
    return b"".join(written), outcome


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_from_pipe_to_pipe_in_order(model, saved, tmp_path, monkeypatch, pack):
    from erya.filtering import stream

    monkeypatch.setattr(stream, "STREAM_PIECE", 3000)
    lines = json_lines(700)
    kept = b"".join(expected(model, lines))
    notes = []
    for processes in (1, 3):
        found, outcome = piped(saved, pack(b"".join(lines)), processes=processes, noted=notes.append)
        assert found == kept
        assert (outcome.total.rows, outcome.total.bytes) == (700, len(b"".join(lines)))
    assert any("text = text" in note for note in notes)


@pytest.mark.parametrize(("data", "kept"), [(b"", b""), (b"\n\n", b""), (b"soup bread noodles", b"soup bread noodles")])
def test_little_comes_through_a_pipe(saved, data, kept):
    found, outcome = piped(saved, data)
    assert found == kept
    assert outcome.total.bytes == len(data)


def test_a_bad_row_in_a_pipe_is_named_by_its_line(saved, monkeypatch):
    from erya.filtering import stream

    monkeypatch.setattr(stream, "STREAM_PIECE", 3000)
    lines = json_lines(700)
    lines[500] = BAD[1]
    with pytest.raises(DataError) as caught:
        piped(saved, b"".join(lines))
    assert "line 501" in caught.value.message
    assert piped(saved, b"".join(lines), bad_rows="skip")[1].total.bad == 1


def test_files_to_a_pipe(model, saved, tmp_path):
    from erya.filtering.stream import filter_stream

    made = shards(tmp_path / "in", count=3)
    found = shards_of([str(tmp_path / "in")], None)
    written = []
    outcome = filter_stream(saved, settings(digest=digest_of(saved)), found, written.append, processes=2)
    assert b"".join(written) == b"".join(line for lines in made.values() for line in expected(model, lines))
    assert list(outcome.shards) == list(made)


# ---- a look before ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["", ".gz"])
def test_a_sample_shows_what_would_be_kept(model, saved, tmp_path, kind):
    from erya.filtering.sample import sampled

    lines = json_lines(20_000)
    folder = large(tmp_path, f"a.jsonl{kind}", lines, gzip.compress if kind else None)
    large(tmp_path, f"b.jsonl{kind}", [*lines[:50], *BAD], gzip.compress if kind else None)
    found = shards_of([str(folder)], None)
    wanted, _ = with_columns(settings(digest=digest_of(saved), text=None), found)
    before = sorted(tmp_path.rglob("*"))
    seen = sampled(saved, wanted, found, 400)
    assert sorted(tmp_path.rglob("*")) == before
    assert 200 < seen.tally.rows <= 400
    whole = len(expected(model, lines[:500])) / 500
    assert abs(seen.tally.kept / seen.tally.rows - whole) < 0.1
    assert seen.tally.rows == seen.tally.kept + seen.tally.dropped + seen.tally.rejected
    assert (seen.shards, seen.beginnings) == (2, 2 if kind else 0)
    assert [p for p, _, _ in seen.nearest] == sorted((p for p, _, _ in seen.nearest), reverse=True)
    assert {kept for _, kept, _ in seen.nearest} == {True, False}
    again = sampled(saved, wanted, found, 400)
    assert (again.tally, again.nearest) == (seen.tally, seen.nearest)


# ---- the original's files ----------------------------------------------------------------------------------------

GOLDEN = Path(__file__).parent / "golden_fasttext"


@pytest.mark.parametrize("name", ["softmax-bigrams.bin", "hs-bigrams.bin", "ova-pieces.bin", "plain.ftz"])
def test_models_of_the_original_filter(tmp_path, name, monkeypatch):
    from erya import foreign_classifier
    from erya.foreign_classifier import open_classifier

    model = open_classifier(GOLDEN / name)
    original = model.original_
    words = [word.decode() for word in original.dictionary.words[1:40]]
    texts = [" ".join(words[start : start + 4]) for start in range(36)]
    label = original.dictionary.labels[0].decode()
    answers = original.predict(texts, k=-1)
    expected = []
    for line in range(len(texts)):
        given = slice(0, answers.counts[line])
        found = dict(
            zip(answers.labels[line][given].tolist(), answers.probabilities[line][given].tolist(), strict=True)
        )
        expected.append(min(1.0, found.get(0, 0.0)))
    threshold = sorted(expected)[30]
    (tmp_path / "a.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    wanted = settings(text=None, labels=label, min_probability=threshold, format="txt")
    monkeypatch.setattr(foreign_classifier, "_ANSWERS_AT_ONCE", 7 * len(model.classes_))  # several blocks
    filter_file(model, wanted, tmp_path / "a.txt", tmp_path / "k.txt")
    kept = [text for text, p in zip(texts, expected, strict=True) if p >= threshold]
    assert 0 < len(kept) < len(texts)
    assert (tmp_path / "k.txt").read_text(encoding="utf-8").splitlines() == kept
    bare = label.removeprefix("__label__")
    assert columns_of(model, (bare,)) == columns_of(model, (label,)) == columns_of(model, (bare, label))
    column = columns_of(model, (bare,))[0]
    odd = ["", "\ud800", "one\ntwo", "zzzzzz qqqqq"]
    assert np.isfinite(model.probability_of(column, odd)).all()
    broken = texts[0].replace(" ", "\n")
    assert model.probability_of(column, [broken])[0] == model.probability_of(column, [texts[0]])[0]
    with pytest.raises(UsageError, match="not two"):
        model.probability_of(column, [("a", "b")])


def test_word_vectors_of_the_original_do_not(tmp_path):
    from erya.foreign_classifier import open_classifier

    with pytest.raises(UsageError, match="word vectors"):
        open_classifier(GOLDEN / "skipgram.bin")


def test_a_model_of_the_original_through_processes(tmp_path):
    from erya.foreign_classifier import open_classifier

    made = shards(tmp_path / "in", count=2)
    path = GOLDEN / "softmax-plain.bin"
    label = open_classifier(path).classes_[0]
    outcome = go(path, tmp_path / "in", tmp_path / "kept", changes={"labels": label, "min_probability": 0.0})
    assert outcome.total.kept == 120
    assert kept_in(tmp_path / "kept") == {name: b"".join(lines) for name, lines in made.items()}
