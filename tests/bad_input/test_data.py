"""Data that cannot be used: the exit code, what and where, a help that works when pasted, and nothing lost."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from .conftest import reviews, write_csv
from .shell import FAST, MODEL, command_in, with_option, with_word


@dataclass
class Case:
    """One way to get it wrong, by the data and the options behind it."""

    code: str
    first: str
    place: str
    help: str
    data: str = "bad.csv"
    options: list[str] = field(default_factory=list)
    content: bytes | None = None
    paste: str = "command"  # what of the help can be pasted: command, option, word
    then: int = 0  # the exit code after that
    exit: int = 3


def table(rows, header="text,label") -> bytes:
    return "\n".join([header, *[",".join(row) for row in rows], ""]).encode()


def jsonl(rows) -> bytes:
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows).encode()


SOUND = reviews(20)
CHECK = "  →  erya check bad.csv"
CASES = {
    "missing file": Case(
        "file-missing",
        "error: there is no file revews.csv",
        "revews.csv",
        "did you mean 'reviews.csv'?  →  reviews.csv",
        data="revews.csv",
        paste="word",
    ),
    "missing file, none alike": Case(
        "file-missing", "error: there is no file quarterly.csv", "quarterly.csv", "ls .", data="quarterly.csv"
    ),
    "empty folder": Case(
        "empty-folder",
        "error: there are no data files in nothing here",
        "nothing here",
        "put train.csv (and dev.csv, test.csv) into it; what is there: ls -A 'nothing here'",
        data="nothing here",
    ),
    "empty file": Case("empty-file", "error: bad.csv is empty", "bad.csv", "ls -l bad.csv", content=b""),
    "header only": Case(
        "no-rows",
        "error: bad.csv has no rows but a header",
        "bad.csv:1",
        "if the first line is data: --no-header",
        content=table([]),
        paste="option",
        then=3,  # one row is too few as well
    ),
    "one row": Case(
        "too-few-rows",
        "error: one row is not enough to learn from",
        "bad.csv",
        "two labels with some rows each are the least" + CHECK,
        content=table(SOUND[:1]),
        then=3,
    ),
    "one class": Case(
        "one-class",
        "error: all 10 rows have the label 'good'",
        "bad.csv   label",
        "a classifier needs two; is this the right column? --label COL" + CHECK,
        content=table(SOUND[::2]),
        then=3,
    ),
    "all rows the same": Case(
        "all-same",
        "error: all 8 rows have the same text",
        "bad.csv   a film",
        "is this the right column? --text COL" + CHECK,
        content=table([("a film", "good"), ("a film", "bad")] * 4),
        then=3,
    ),
    "a label for each row": Case(
        "labels-unique",
        "error: column 'label' has 30 different labels in 30 rows; that is no label",
        "bad.csv   id0, id1, id2",
        "name the right column: --label COL" + CHECK,
        content=table([(text, f"id{row}") for row, (text, _) in enumerate(reviews(30))]),
        then=3,
    ),
    "misspelt column": Case(
        "column-missing",
        "error: column 'lable' is not in reviews.csv",
        "reviews.csv:1   text,label",
        "did you mean 'label'?  →  --label label",
        data="reviews.csv",
        options=["--label", "lable"],
        paste="option",
    ),
    "ragged row": Case(
        "ragged",
        "error: 1 row of bad.csv cannot be read (first: line 22: 3 fields instead of 2)",
        f"bad.csv:22, byte {len(table(SOUND))}   one,two,three",
        "mend the row, or leave such rows out: --bad-rows skip",
        content=table([*SOUND, ("one", "two", "three")]),
        paste="option",
    ),
    "open quote": Case(
        "open-quote",
        "error: 1 row of bad.csv cannot be read (first: line 4: a quote is opened and not closed)",
        f'bad.csv:4, byte {len(table(SOUND[:2]))}   "a film without end,good',
        "mend the row, or leave such rows out: --bad-rows skip",
        content=table([*SOUND[:2], ('"a film without end', "good"), *SOUND[2:]]),
        paste="option",
    ),
    "GB18030": Case(
        "bad-encoding",
        "error: 20 rows of bad.csv are not valid UTF-8 (first: line 2, byte 11: 0xD5 0xE2)",
        "bad.csv:2, byte 11   …",
        "the bytes look like GB18030  →  --encoding gb18030, or leave such rows out: --bad-rows skip",
        content=table([(f"这部电影很{'好看' if n % 2 else '无聊'} {n}", "坏好"[n % 2]) for n in range(20)])
        .decode()
        .encode("gb18030"),
        paste="option",
    ),
    "UTF-16 without a mark": Case(
        "bad-encoding",
        "error: bad.csv looks like UTF-16-LE without a byte order mark (byte 0: 0x74 0x00 0x65 0x00)",
        "bad.csv:1",
        "--encoding utf-16-le",
        content=table(SOUND).decode().encode("utf-16-le"),
        paste="option",
    ),
    "UTF-16 Chinese without a mark": Case(
        "bad-encoding",
        "error: bad.csv looks like UTF-16-LE without a byte order mark (byte 0: 0x74 0x00 0x65 0x00)",
        "bad.csv:1",
        "--encoding utf-16-le",
        content=table([(f"这部电影很{'好看' if n % 2 else '无聊'}，{n}", "坏好"[n % 2]) for n in range(90)])
        .decode()
        .encode("utf-16-le"),
        paste="option",
    ),
    "JSONL with broken lines": Case(
        "bad-json",
        "error: 3 rows of bad.jsonl cannot be read (first: line 4: not valid JSON: Unterminated string starting at (column 10))",
        f'bad.jsonl:4, byte {len(jsonl(SOUND[:3]))}   {{"text": "a film',
        "mend the row, or leave such rows out: --bad-rows skip",
        data="bad.jsonl",
        content=jsonl(SOUND[:3]) + b'{"text": "a film\n[1, 2]\n{"text": NaN, "label": "good"}\n' + jsonl(SOUND[3:]),
        paste="option",
    ),
    "one label left by the split": Case(
        "one-class",
        "error: the split leaves 10 rows to train on (different texts: 1), all with the label 'bad'",
        "bad.csv",
        "erya check bad.csv",
        content=table([("a film", "good"), ("no film", "bad")] * 10),
    ),
    "no label at all": Case(
        "column-missing",
        "error: bad.csv has no column that looks like the label",
        "bad.csv:1   text",
        "add a column and name it: --label COL",
        content=table([(text,) for text, _ in SOUND], "text"),
        paste="",
    ),
    "a name too long": Case(
        "file-unreadable",
        f"error: {'x' * 80}… cannot be read: File name too long",
        f"{'x' * 200}…",
        "ls -ld …",
        data="x" * 300,
        paste="",
    ),
    "a truncated archive": Case(
        "archive-damaged",
        "error: bad.csv.gz is not a sound gzip archive: it ends too soon",
        "bad.csv.gz, after 0 unpacked bytes",
        "copy or download the file again",
        data="bad.csv.gz",
        content=b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
        paste="",
    ),
    "a pattern that matches nothing": Case(
        "file-missing", "error: no file matches part-*.csv", "part-*.csv", "ls .", data="part-*.csv"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_unusable_data(erya, name):
    case = CASES[name]
    (erya.folder / "nothing here").mkdir()
    if case.content is not None:
        (erya.folder / case.data).write_bytes(case.content)
    before = erya.contents()

    arguments = ["train", MODEL, case.data, *case.options, *FAST, "-o", "m.erya"]
    english, chinese = erya(*arguments, "--json"), erya(*arguments, lang="zh")

    assert english.code == chinese.code == case.exit
    assert english.first == case.first
    assert matches(english.place, case.place), english.place
    assert matches(english.help, case.help)
    assert chinese.first.startswith("错误：")
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese.first.removeprefix("错误"))
    assert matches(chinese.place, case.place) or name == "a truncated archive"
    assert chinese.help
    assert english.document == {
        "schema": "erya.error/1",
        "code": case.code,
        "exit": case.exit,
        "error": case.first.removeprefix("error: "),
        "where": english.place,
        "help": english.help,
    }
    assert chinese.out == ""
    assert erya.contents() == before  # the older model too

    english.arguments.remove("--json")
    if case.paste == "command":
        assert erya.paste(command_in(english)) == case.then
    elif case.paste:
        again = with_option(english) if case.paste == "option" else with_word(english, "revews.csv")
        ended = erya(*again, "--dry-run", "--json")
        assert ended.code == case.then, ended.err
        if not ended.code:
            facts = ended.document["data"]
            assert facts["rows_in"] == sum(facts["rows"].values()) + facts["rejected"]  # nothing lost


def matches(found: str, wanted: str) -> bool:
    """Equal, or with anything behind the ellipsis."""
    return found.startswith(wanted.removesuffix("…")) if wanted.endswith("…") else found == wanted


# ---- what is kept of the rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ragged row", "open quote", "JSONL with broken lines"])
def test_a_bad_row_costs_itself_only(erya, name):
    """Skipped rows are counted, kept as they stood, and no sound row goes with them."""
    case = CASES[name]
    (erya.folder / case.data).write_bytes(case.content)
    ended = erya("train", MODEL, case.data, *FAST, "-o", "m.erya", "--bad-rows", "skip", "--json")
    facts = ended.document["data"]
    bad = 3 if "JSONL" in name else 1
    assert (facts["rows_in"], facts["rejected"]) == (20 + bad, bad)
    assert sum(facts["rows"].values()) == 20
    kept = [json.loads(line) for line in (erya.folder / "rejects.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = case.content.decode().splitlines()
    assert [reject["raw"] for reject in kept] == [lines[reject["line"] - 1] for reject in kept]
    assert [reject["code"] for reject in kept] == [case.code] * bad


def test_a_broken_link(erya):
    (erya.folder / "bad.csv").symlink_to("gone.csv")
    ended = erya("train", MODEL, "bad.csv", "-o", "new.erya")
    assert ended.code == 3
    assert ended.first == "error: there is no file bad.csv"
    assert ended.help == "it is a link that leads nowhere: ls -l bad.csv"
    assert erya.paste(command_in(ended)) == 0


def test_utf16_that_says_so_is_read(erya):
    (erya.folder / "bad.csv").write_bytes(table(SOUND).decode().encode("utf-16"))
    ended = erya("train", MODEL, "bad.csv", *FAST, "-o", "m.erya")
    assert ended.code == 0
    assert "bad.csv: UTF-16-LE, as its first bytes say" in ended.err


def test_nul_bytes_are_ordinary_text(erya):
    write_csv(erya.folder / "bad.csv", [*SOUND, ("a\0b \0 superb film", "good"), ("\0", "bad")])
    ended = erya("train", MODEL, "bad.csv", *FAST, "-o", "m.erya", "--json")
    assert ended.code == 0
    facts = ended.document["data"]
    assert (facts["rows_in"], facts["rejected"]) == (22, 0)
    answers = erya("predict", "m.erya", "--jsonl", stdin=b"superb\0film\n\0\n")
    assert [json.loads(line)["row"] for line in answers.out.splitlines()] == [1, 2]


def test_a_line_of_200_mb(erya):
    """Said with its line and size, or skipped, by every verb that reads; memory stays far below the line's length."""
    with (erya.folder / "long.csv").open("wb") as file:
        file.write(table(SOUND))
        for _ in range(200):
            file.write(b"x" * 1_000_000)
        file.write(b",good\nthe last film,bad\n")
    before = erya.contents()
    message = "error: 1 row of long.csv cannot be read (first: line 22: a line of 200,000,005 bytes)"
    for arguments in (["train", MODEL, "long.csv", *FAST, "-o", "m.erya"], ["evaluate", "m.erya", "long.csv"]):
        ended = erya(*arguments, fresh=True)
        assert ended.code == 3
        assert ended.first == message
        assert ended.place.startswith(f"long.csv:22, byte {len(table(SOUND))}   xxxxxxxxxx")
        assert len(ended.err) < 1000
        assert ended.peak < 300e6
    assert erya.contents() == before

    skipped = erya(*with_option(ended), "--json", fresh=True)
    assert skipped.code == 0
    assert skipped.document["rows"] == 21
    assert skipped.peak < 400e6

    answered = erya("predict", "m.erya", "long.csv", "--text", "text", "--jsonl", fresh=True)
    rows = [json.loads(line) for line in answered.out.splitlines()]
    assert [row["row"] for row in rows] == list(range(1, 23))
    assert ["error" in row for row in rows] == [False] * 20 + [True, False]
    assert rows[20]["code"] == "line-too-long"
    assert answered.peak < 300e6


def test_a_long_line_from_a_pipe(erya):
    """Nothing is known of a pipe's length beforehand; the same bounds hold."""
    ended = erya("predict", "m.erya", "--jsonl", fresh=True, stdin=b"superb\n" + b"x" * 200_000_000 + b"\nawful\n")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [row.get("answer", row.get("code")) for row in rows] == ["good", "line-too-long", "bad"]
    assert ended.peak < 300e6
