"""``erya.read``: what is found out, what is refused and how, and that no row is ever lost."""

from __future__ import annotations

import codecs
import gzip
import json
import lzma
import subprocess
import sys
import time

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.errors import DataError, EryaError, UsageError
from erya.text import read, stream

ROWS = [("good food", "pos"), ("bad food", "neg"), ("很好", "pos"), ("太差了", "neg"), ("fine", "pos")]
REVIEWS = "text,label,source\n" + "".join(f"{text},{label},web\n" for text, label in ROWS)


@pytest.fixture
def write(tmp_path):
    def put(name: str, content: str | bytes):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


def refused(path, **options) -> EryaError:
    with pytest.raises(EryaError) as caught:
        read(path, **options)
    error = caught.value
    assert error.code
    assert error.message
    assert error.help, "every error offers a step that helps"
    assert "Traceback" not in str(error)
    return error


# ---- what is found out -------------------------------------------------------------------------------------------


def test_csv(write):
    data = read(write("reviews.csv", REVIEWS))
    assert data.train.inputs == ["good food", "bad food", "很好", "太差了", "fine"]
    assert data.train.targets == ["pos", "neg", "pos", "neg", "pos"]
    assert data.train.weights is None
    assert data.train.rows == [1, 2, 3, 4, 5]
    assert data.dev is None
    assert data.test is None
    assert data.columns == {"text": "text", "label": "label"}
    assert (data.reading.format, data.reading.encoding) == ("csv", "utf-8")
    assert (data.reading.rows_in, data.reading.used, data.reading.rejected) == (5, 5, 0)
    assert data.languages == {"zh": 0.4, "en": 0.6, "other": 0.0}
    assert any("guessed" in note for note in data.reading.notes)
    assert not any(
        "guessed" in note for note in read(write("r.csv", REVIEWS), text="text", label="label").reading.notes
    )


@pytest.mark.parametrize(
    "pack", [gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress], ids=["gz", "xz", "zst"]
)
def test_packed_files_are_the_same_data(write, pack):
    plain = read(write("reviews.csv", REVIEWS))
    assert read(write("reviews.csv.packed", pack(REVIEWS.encode())), format="csv").digest == plain.digest
    assert read(write("reviews.csv.gz", pack(REVIEWS.encode()))).digest == plain.digest


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", REVIEWS.replace(",", "\t")),
        ("semicolon.csv", REVIEWS.replace(",", ";")),
        ("a.jsonl", "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS)),
        ("a.txt", "".join(f"__label__{label} {text}\n" for text, label in ROWS)),
        ("tabs.txt", REVIEWS.replace(",", "\t")),
        ("crlf.csv", REVIEWS.replace("\n", "\r\n")),
        ("mixed.csv", REVIEWS.replace("\n", "\r\n", 2).replace("web\n", "web\r", 1)),
        ("no-newline-at-the-end.csv", REVIEWS.rstrip("\n")),
        ("blank-lines.csv", REVIEWS.replace("web\n", "web\n\n\n")),
        ("chinese-names.csv", REVIEWS.replace("text,label,source", "评论,标签,来源")),
        ("no-header.csv", REVIEWS.partition("\n")[2]),
    ],
)  # fmt: skip
def test_every_format_gives_the_same_data(write, name, content):
    assert read(write(name, content)).digest == read(write("reviews.csv", REVIEWS)).digest


@pytest.mark.parametrize(
    ("content", "options", "encoding"),
    [
        (codecs.BOM_UTF8 + REVIEWS.encode(), {}, "utf-8"),
        (codecs.BOM_UTF16_LE + REVIEWS.encode("utf-16-le"), {}, "utf-16-le"),
        (codecs.BOM_UTF16_BE + REVIEWS.encode("utf-16-be"), {}, "utf-16-be"),
        (codecs.BOM_UTF32_LE + REVIEWS.encode("utf-32-le"), {}, "utf-32-le"),
        (REVIEWS.encode("gb18030"), {"encoding": "gb18030"}, "gb18030"),
        (REVIEWS.encode("utf-16-le"), {"encoding": "utf-16-le"}, "utf-16-le"),
        (REVIEWS.encode("utf-16"), {"encoding": "utf-16"}, None),
        (codecs.BOM_UTF8 + REVIEWS.encode(), {"encoding": "utf-8"}, "utf-8"),
    ],
)
def test_encodings(write, content, options, encoding):
    data = read(write("reviews.csv", content), **options)
    assert data.digest == read(write("plain.csv", REVIEWS)).digest
    assert encoding is None or data.reading.encoding == encoding
    if encoding and encoding.startswith("utf-16") and not options:
        assert any("UTF-16" in note for note in data.reading.notes), "what was taken is said"


def test_columns_as_told(write):
    path = write("r.csv", "id,review,stars,trust\n1,good,5,1.5\n2,bad,1,0\n3,ok,3,2\n4,ok too,3,1e-3\n")
    data = read(path, text="review", label="stars", weight="trust")
    assert data.train.inputs == ["good", "bad", "ok", "ok too"]
    assert data.train.targets == ["5", "1", "3", "3"]
    assert data.train.weights == [1.5, 0.0, 2.0, 0.001]
    assert data.columns == {"text": "review", "label": "stars", "weight": "trust"}


def test_columns_are_guessed_by_what_they_hold(write):
    rows = "".join(f"{number},a longer text number {number},{'xy'[number % 2]}\n" for number in range(50))
    named = read(write("r.csv", "nr,was,art\n" + rows))
    assert named.columns == {"text": "was", "label": "art"}
    assert len(named.train) == 50
    assert any("header" in note for note in named.reading.notes)
    bare = read(write("b.csv", rows))
    assert bare.columns == {"text": "2", "label": "3"}
    assert bare.digest == named.digest
    assert any("first line is taken as data" in note for note in bare.reading.notes)


def test_header_as_told(write):
    path = write("r.csv", "text,label\ngood,pos\nbad,neg\nworse,neg\n")
    assert len(read(path, header=False, text="1", label="2").train) == 4
    assert len(read(path, header=True).train) == 3
    assert read(path, text="1", label="2").digest == read(path).digest  # by number, header or not


@pytest.mark.parametrize("names", [("text_a", "text_b"), ("sentence1", "sentence2"), ("premise", "hypothesis")])
def test_pairs(write, names):
    first, second = names
    path = write(
        "p.jsonl", "".join(json.dumps({first: f"a{n}", second: f"b{n}", "label": n % 2}) + "\n" for n in range(4))
    )
    data = read(path)
    assert data.train.inputs[0] == ("a0", "b0")
    assert data.train.targets == ["0", "1", "0", "1"]
    assert list(data.columns) == ["text", "text2", "label"]
    assert read(path, text=first, text2=second).digest == data.digest


def test_labels_are_strings_whatever_the_file_holds(write):
    rows = [{"text": f"t{n}", "label": label} for n, label in enumerate([1, 1, 2.5, True, True, "x", [3], 0])]
    data = read(write("l.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    assert data.train.targets == ["1", "1", "2.5", "true", "true", "x", "3", "0"]


def test_nul_and_other_odd_characters_are_ordinary_text(write):
    odd = "a\0b \u202e\u200b\ufeff \x1c \x85 \u2028 𠮷"
    data = read(write("o.csv", f"text,label\n{odd},x\nb,y\n\0,x\n"))
    assert data.train.inputs == [odd, "b", "\0"]
    lone = read(write("o.jsonl", '{"text": "\\ud800", "label": "x"}\n{"text": "b\\u0000", "label": "y"}\n'))
    assert lone.train.inputs == ["\ud800", "b\0"]
    assert len(lone.digest) == 64


def test_a_folder(write, tmp_path):
    for part in ("train", "valid", "test"):
        write(f"d/{part}.csv", REVIEWS.replace("good", part))
    write("d/README.md", "not data")
    data = read(tmp_path / "d")
    assert [part.inputs[0] for _, part in data.parts()] == ["train food", "valid food", "test food"]
    assert data.reading.rows_in == 15
    write("d/train.conll", "a O\n")
    assert read(tmp_path / "d").digest == data.digest


def test_a_pattern_and_its_pieces(write, tmp_path):
    write("s/part-0.csv", REVIEWS)
    write("s/part-1.csv", REVIEWS.replace("good", "nice"))
    data = read(tmp_path / "s" / "part-*.csv")
    assert len(data.train) == 10
    assert data.train.rows == list(range(1, 11))
    assert read(tmp_path / "s").digest == data.digest


def test_parts_of_their_own(write):
    train, dev = write("a.csv", REVIEWS), write("b.jsonl", '{"content": "new", "label": "pos"}\n')
    data = read(train, validation=dev, test=dev)
    assert data.dev.inputs == data.test.inputs == ["new"]
    assert data.dev.targets == ["pos"]


def test_unlabelled(write):
    data = read(write("t.txt", "one\n\ntwo\n"), unlabelled=True)
    assert data.train.inputs == ["one", "two"]
    assert data.train.rows == [1, 3]
    assert data.train.targets is None
    assert (data.reading.rows_in, data.reading.rejected) == (3, 1)
    assert read(write("r.csv", REVIEWS), unlabelled=True).train.targets is None


def test_stream_is_read_reduced_to_texts(write, tmp_path):
    path = write("r.csv", REVIEWS + '"",pos,web\n')
    items = list(stream(path))
    assert items[:2] == [(1, "good food"), (2, "bad food")]
    assert (items[5].row, items[5].code) == (6, "empty-text")
    with path.open("rb") as file:
        assert list(stream(file, format="csv"))[:5] == items[:5]
    assert list(stream(str(write("a.txt", "x\n")))) == [(1, "x")]


# ---- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "options", "code"),
    [
        ("a.csv", "", {}, "empty-file"),
        ("a.csv", codecs.BOM_UTF8, {}, "empty-file"),
        ("a.jsonl", "", {}, "empty-file"),
        ("a.csv", "text,label\n", {}, "no-rows"),
        ("a.csv", "text,label", {}, "no-rows"),
        ("a.csv", "text,label\n,\n,x\n", {}, "no-rows"),
        ("a.csv", "text,label\nonly,one\n", {}, "too-few-rows"),
        ("a.csv", "text,label\na,x\nb,x\nc,x\n", {}, "one-class"),
        ("a.csv", "text,label\na,x\na,y\na,x\n", {}, "all-same"),
        ("a.csv", "text,label\na,x\na,x\n", {}, "all-same"),
        ("a.csv", "text,label\n" + "".join(f"t{n},{n}\n" for n in range(30)), {}, "labels-unique"),
        ("a.csv", "text,label\n" + "".join(f"t{n},{n % 27}\n" for n in range(30)), {}, "labels-unique"),
        ("a.csv", "text,label\na,x\nb,y\nc,z\n", {}, "labels-unique"),
        ("a.csv", REVIEWS, {"label": "lable"}, "column-missing"),
        ("a.csv", REVIEWS, {"text": "txt"}, "column-missing"),
        ("a.csv", REVIEWS, {"weight": "sauce"}, "column-missing"),
        ("a.csv", "text,label\na,x\nb\n", {}, "ragged"),
        ("a.csv", 'text,label\n"a,x\nb,y\n', {}, "open-quote"),
        ("a.csv", REVIEWS.encode("gb18030"), {}, "bad-encoding"),
        ("a.csv", "评论,标签\n很好,好\n太差,坏\n".encode("gb18030"), {}, "bad-encoding"),
        ("a.csv", "评论,标签\n很好,好\n太差,坏\n".encode("gb18030"), {"text": "评论", "bad_rows": "skip"}, "bad-encoding"),
        ("a.csv", REVIEWS.encode("utf-16-le"), {}, "bad-encoding"),
        ("a.csv", "评论,标签\n很好,好\n太差,坏\n".encode("utf-16-le"), {}, "bad-encoding"),
        ("a.jsonl", '{"text": "a", "label": "x"}\n{"text": "b", "label": "y"\n', {}, "bad-json"),
        ("a.jsonl", "not json\nat all\n", {}, "bad-json"),
        ("a.jsonl", '{"text": "a", "label": ["x", ["y"]]}\n{"text": "b", "label": ["y"]}\n', {}, "bad-value"),
        ("a.jsonl", '{"text": "a", "label": {"x": 1}}\n{"text": "b", "label": {"y": -1}}\n', {}, "bad-value"),
        ("a.jsonl", '{"text": "a", "label": {"x": 1}}\n{"text": "b", "label": ["x", "y"]}\n', {}, "mixed-targets"),
        ("a.jsonl", '{"text": "a", "label": {"x": 1}}\n{"text": "b", "label": []}\n', {}, "mixed-targets"),
        ("a.jsonl", '{"text": "a", "label": []}\n{"text": "b", "label": []}\n', {}, "labels-empty"),
        ("a.jsonl", '{"text": "a", "label": ["x"]}\n{"text": "b", "label": []}\n', {"label_separator": ";"}, "one-class"),
        ("a.jsonl", '{"text": {"a": 1}, "label": "x"}\n{"text": "b", "label": "y"}\n', {}, "bad-value"),
        ("a.json", '[{"text": "a"}]', {}, "json-array"),
        ("a.csv", "text,label,w\na,x,1\nb,y,-1\n", {"weight": "w"}, "bad-weight"),
        ("a.csv", "text,label,w\na,x,nan\nb,y,1\n", {"weight": "w"}, "bad-weight"),
        ("a.txt", "no labels\nhere\n", {}, "no-labels"),
        ("a.txt", "a\nb\n", {"text": "text", "label": "label"}, "column-missing"),
        ("a.conll", "a O\nb O\n", {}, "wrong-format"),
        ("a.csv.gz", gzip.compress(REVIEWS.encode(), mtime=0)[:-9], {}, "archive-damaged"),
        ("a.csv", "text,label\n" + "x" * 500 + ",y\nb,c\n", {"line_limit": 400}, "line-too-long"),
    ],
)  # fmt: skip
def test_bad_data_is_refused_with_exit_3(write, name, content, options, code):
    error = refused(write(name, content), **options)
    assert isinstance(error, DataError)
    assert error.exit == 3
    assert error.code == code
    assert error.where
    assert error.where.startswith(name) or name in error.where


def test_missing_files_and_folders(tmp_path, write):
    write("d/reviews.csv", REVIEWS)
    (tmp_path / "empty").mkdir()
    write("only-test/test.csv", REVIEWS)
    write("unclear/a.csv", REVIEWS)
    write("unclear/b.jsonl", "{}\n")
    assert refused(tmp_path / "d" / "review.csv").code == "file-missing"
    assert refused(tmp_path / "d" / "*.tsv").code == "file-missing"
    assert refused(tmp_path / "empty").code == "empty-folder"
    assert refused(tmp_path / "only-test").code == "no-train"
    assert refused(tmp_path / "unclear").code == "folder-unclear"
    assert refused("sample:snip").code == "sample-missing"
    assert "sample:snips" in refused("sample:snip").help


def test_messages_say_where_and_what_to_do(write):
    error = refused(write("reviews.csv", REVIEWS), label="lable")
    assert error.message == "column 'lable' is not in reviews.csv"
    assert error.where == "reviews.csv:1   text,label,source"
    assert error.help.endswith("--label label")

    raw = REVIEWS.encode("gb18030")
    error = refused(write("reviews.csv", raw))
    assert error.message.startswith("2 rows of reviews.csv are not valid UTF-8 (first: line 4, byte ")
    assert f"byte {raw.index('很'.encode('gb18030')):,}" in error.message
    assert "GB18030" in error.help
    assert "--encoding gb18030" in error.help
    assert "--bad-rows skip" in error.help

    shown = " ".join(f"0x{byte:02X}" for byte in "很".encode("gb18030"))
    assert error.message.endswith(f": {shown})")

    error = refused(write("ragged.csv", "text,label\na,x\nb\nc,y\nd,e,f\n"))
    assert error.message == "2 rows of ragged.csv cannot be read (first: line 3: 1 field instead of 2)"
    assert error.where.startswith("ragged.csv:3")

    error = refused(write("evil.csv", "text,label\na\x1b[31m\u202e\n"))
    assert "\x1b" not in str(error)
    assert "\u202e" not in str(error)


def test_messages_in_chinese(write, monkeypatch):
    monkeypatch.setenv("ERYA_LANG", "zh")
    error = refused(write("reviews.csv", REVIEWS), label="lable")
    assert error.message == "reviews.csv 中没有列 'lable'"
    assert "是不是 'label'" in error.help


def test_the_wrong_encoding_told(write):
    error = refused(write("a.csv", REVIEWS), encoding="ascii")
    assert error.code == "bad-encoding"
    assert "--encoding utf-8" in error.help
    mixed = REVIEWS.encode("gb18030") + b"\xff\xff,pos,web\n"
    assert "look like" not in refused(write("b.csv", mixed), encoding="gb18030").help


def test_counting_bad_rows_ends_somewhere(write):
    error = refused(write("a.csv", "text,label\n" + "x\n" * 5000))
    assert error.message.startswith("at least 1,000 rows")


@pytest.mark.parametrize("options", [{"bad_rows": "skp"}, {"encoding": "gb18O30"}, {"format": "cvs"}, {"task": "tags"}])
def test_options_that_mean_nothing(write, options):
    error = refused(write("a.csv", REVIEWS), **options)
    assert isinstance(error, UsageError)
    assert error.exit == 2


@pytest.mark.parametrize("source", ["", None, 3, ["a.csv"]])
def test_sources_that_are_none(source):
    assert refused(source).code == "bad-source"


def test_very_many_columns_are_no_trouble(write):
    keys = {f"k{n}": "v" for n in range(20_000)}
    rows = [json.dumps({**keys, "text": f"t{n}", "label": n % 2}) for n in range(60)]
    begin = time.perf_counter()
    data = read(write("wide.jsonl", "\n".join(rows)))
    assert data.columns == {"text": "text", "label": "label"}
    assert time.perf_counter() - begin < 5


def test_many_rejects_are_counted_and_the_first_are_listed(write, monkeypatch):
    monkeypatch.setattr(sys.modules["erya.text.read"], "KEPT_REJECTS", 10)
    data = read(write("a.csv", REVIEWS + "x\n" * 30), bad_rows="skip")
    assert data.reading.rejected == 30
    assert len(data.reading.rejects) == 10
    assert any("first 10" in note for note in data.reading.notes)


def test_strict(write):
    train, test = write("a.csv", REVIEWS), write("b.csv", "text,label,source\ngood food,pos,x\n")
    assert any("more than one part" in note for note in read(train, test=test).reading.notes)
    assert refused(train, test=test, strict=True).code == "leakage"
    unseen = write("c.csv", "text,label,source\nnew,other,x\n")
    assert any("never occur" in note for note in read(train, test=unseen).reading.notes)
    assert refused(train, test=unseen, strict=True).code == "label-unseen"


def test_data_to_score_on_may_have_one_row(write):
    assert len(read(write("a.csv", "text,label\nonly,one\n"), check=False).train) == 1


# ---- nothing is lost ---------------------------------------------------------------------------------------------


def test_skipping_keeps_an_account(write):
    content = b"text,label\ngood,pos\n\xb0\xa1,neg\nragged\n,pos\nbad,\nfine,neg\n" + b'"open,pos\nlast,neg\n'
    data = read(write("a.csv", content), bad_rows="skip")
    assert data.train.inputs == ["good", "fine", "last"]
    assert data.train.rows == [1, 6, 8]
    reading = data.reading
    assert (reading.rows_in, reading.used, reading.rejected) == (8, 3, 5)
    assert [(reject.row, reject.line, reject.code) for reject in reading.rejects] == [
        (2, 3, "bad-encoding"),
        (3, 4, "ragged"),
        (4, 5, "empty-text"),
        (5, 6, "empty-label"),
        (7, 8, "open-quote"),
    ]
    for reject in reading.rejects:
        assert reject.file == "a.csv"
        assert json.loads(json.dumps(reject.to_plain()))["raw"] in (
            r"\xb0\xa1,neg",
            "ragged",
            ",pos",
            "bad,",
            '"open,pos',
        )


def test_equal_reasons_are_counted_together(write):
    content = b"text,label\na,x\nb,y\nc,y\n\xb0\xa1,x\n\xb0\xa2,x\nd\ne\nf\n"
    reading = read(write("a.csv", content), bad_rows="skip").reading
    assert reading.reasons() == {"1 field instead of 2": 3, "not valid UTF-8": 2}


def test_where_nothing_is_left_the_reason_is_said(write):
    error = refused(write("a.csv", "评论,标签\n很好,好\n太差,坏\n".encode("gb18030")), bad_rows="skip")
    assert error.code == "bad-encoding"
    assert "--encoding gb18030" in error.help
    assert "--bad-rows" not in error.help


def test_rows_without_text_or_label_never_stop(write):
    data = read(write("a.csv", REVIEWS + "  ,pos,web\nx,,web\n"))
    assert (data.reading.rows_in, data.reading.used, data.reading.rejected) == (7, 5, 2)


PIECES = [
    b"a,x",
    b"b\ty",
    b'"q,x',
    b'"a\nb",x',
    b'{"text":"a","label":"x"}',
    b"\xb0\xa1,x",
    b"__label__x y",
    b",",
    b"a\0,x",
    b'5",x',
]


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(st.one_of(st.binary(max_size=12), st.sampled_from(PIECES)), max_size=12),
    format=st.sampled_from(["csv", "tsv", "jsonl", "labels"]),
    encoding=st.sampled_from([None, "gb18030", "utf-16-le", "latin-1"]),
)
def test_conservation_under_any_bytes(tmp_path_factory, parts, format, encoding):
    path = tmp_path_factory.mktemp("bytes") / "any.data"
    sound = {"csv": b"text,label\na,x\n", "tsv": b"text\tlabel\na\tx\n", "jsonl": b'{"text":"a","label":"x"}\n'}
    first = sound.get(format, b"__label__x a\n").decode().encode(encoding or "utf-8")
    path.write_bytes(first + b"\n".join(parts))
    data = read(path, format=format, encoding=encoding, bad_rows="skip", check=False)
    reading = data.reading
    assert reading.rows_in == reading.used + reading.rejected
    assert reading.used == len(data.train) == len(data.train.targets) == len(data.train.rows)
    assert reading.rejected == len(reading.rejects)
    assert sorted([*data.train.rows, *(reject.row for reject in reading.rejects)]) == list(
        range(1, reading.rows_in + 1)
    )


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read the POSIX way")
@pytest.mark.parametrize("name", ["one-line.csv", "one-line.txt", "one-line.jsonl", "one-line.tsv"])
def test_a_single_line_of_200_megabytes(tmp_path, name):
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(b"text,label\n" if name.endswith("csv") else b"text\tlabel\n" if name.endswith("tsv") else b"")
        for _ in range(200):
            file.write(b"a word " * 149797)
    before = time.perf_counter()
    code = (
        "import sys, resource, pathlib\nfrom erya.errors import DataError\nfrom erya.text import read\n"
        "for policy in ('stop', 'skip'):\n"
        "    try:\n        read(sys.argv[1], bad_rows=policy, unlabelled=sys.argv[1].endswith('txt'))\n"
        "    except DataError as error:\n        print(error.code, error.where)\n"
        # ru_maxrss begins at what the parent process used; VmHWM does not, where there is one.
        "status = pathlib.Path('/proc/self/status')\n"
        "marks = [line for line in status.read_text().splitlines() if 'VmHWM' in line] if status.exists() else []\n"
        "print(marks[0].split()[1] if marks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    path.unlink()
    assert "one-line" in answer[0]
    assert answer[0].split()[0] == "line-too-long"
    assert "byte" in answer[0]
    assert int(answer[2]) < 600_000 * (1024 if sys.platform == "darwin" else 1)  # kilobytes
    assert time.perf_counter() - before < 20


def test_a_line_below_the_limit_is_a_text(write):
    data = read(write("a.csv", "text,label\n" + "long " * 400_000 + ",x\nshort,y\n"))
    assert len(data.train.inputs[0]) == 2_000_000


def test_reading_is_light():
    heavy = "{'tokenizers', 'rjieba', 'jieba', 'charset_normalizer', 'zstandard', 'scipy', 'numba', 'sklearn', 'torch', 'pandas'}"
    code = f"import sys, erya.text; print({heavy} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "set()"
    )
