"""Other programs' vector files: what we read is what they wrote, to the last bit, and they read what we write."""

from __future__ import annotations

import gzip
import lzma
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erya.errors import DataError, ModelFileError, UsageError
from erya.text.vector_files import FORMATS, VectorTable, read, sniff, write
from erya.text.vector_files.text_reader import nearest_float32

GOLDEN = Path(__file__).parent / "golden_vectors"
WORDS = ["the", ",", "王", "naïve", "don't", "3.14", "尔雅"]
ENDINGS = {"word2vec-text": ".txt", "word2vec-bin": ".bin", "glove": ".glove", "fasttext-vec": ".vec", "numpy": ".npy"}


def golden() -> np.ndarray:
    return np.load(GOLDEN / "table.npy", allow_pickle=False)


def bits(matrix) -> list:
    assert matrix.dtype == np.float32
    return np.asarray(matrix).view(np.uint32).tolist()


def small() -> VectorTable:
    return VectorTable(list(WORDS), golden(), counts=np.arange(100, 93, -1))


def text(*rows: str, header: str | None = None) -> bytes:
    return "".join(f"{row}\n" for row in ([header] if header else []) + list(rows)).encode()


def binary(rows: list[tuple[bytes, list[float]]], header: str | None = None, end: bytes = b"\n") -> bytes:
    dims = len(rows[0][1])
    return (header or f"{len(rows)} {dims}\n").encode() + b"".join(
        word + b" " + struct.pack(f"<{dims}f", *numbers) + end for word, numbers in rows
    )


@pytest.fixture
def file(tmp_path):
    def make(data: bytes, name: str = "v.vec") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return make


# ---- gensim's files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("word2vec.txt", "word2vec-text"),
        ("word2vec.bin", "word2vec-bin"),
        ("glove.txt", "glove"),
        ("table.npy", "numpy"),
    ],
)
def test_gensims_files_read_to_the_last_bit(name, format):
    assert sniff(GOLDEN / name) == format
    table = read(GOLDEN / name)
    assert table.words == WORDS
    assert bits(table.matrix) == bits(golden())
    assert table.skipped == 0


def test_gensims_binary_is_written_back_byte_by_byte(tmp_path):
    table = read(GOLDEN / "word2vec.bin")
    assert not table.line_ends
    written = write(tmp_path / "v.bin", table, "word2vec-bin")
    assert written.read_bytes() == (GOLDEN / "word2vec.bin").read_bytes()


def test_numpys_files_are_written_back_byte_by_byte(tmp_path):
    write(tmp_path / "table.npy", read(GOLDEN / "table.npy"), "numpy")
    for name in ("table.npy", "table.vocab"):
        assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes()


def test_text_is_shortest_and_close_to_gensims(tmp_path):
    """The same decimals as NumPy's repr, which gensim prints, wherever both are plain."""
    ours = write(tmp_path / "v.txt", read(GOLDEN / "word2vec.txt"), "word2vec-text").read_text("utf-8").split()
    gensims = (GOLDEN / "word2vec.txt").read_text("utf-8").split()
    assert [a for a, b in zip(ours, gensims, strict=True) if a != b] == []


def test_counts_of_gensim(tmp_path):
    table = read(GOLDEN / "word2vec.txt", counts=GOLDEN / "word2vec.counts")
    assert table.counts.tolist() == list(range(100, 93, -1))
    assert read(GOLDEN / "table.npy").counts.tolist() == list(range(100, 93, -1))
    (tmp_path / "c").write_text("the 1\n")
    with pytest.raises(ModelFileError, match="no count for the word ','"):
        read(GOLDEN / "word2vec.txt", counts=tmp_path / "c")


def test_gensim_opens_ours_and_we_open_gensims(tmp_path):
    keyed = pytest.importorskip("gensim.models", reason="needs gensim: pip install gensim").KeyedVectors
    table = small()
    for line_ends in (True, False):
        table.line_ends = line_ends
        write(tmp_path / "v.bin", table, "word2vec-bin")
        opened = keyed.load_word2vec_format(tmp_path / "v.bin", binary=True)
        assert (opened.index_to_key, bits(opened.vectors)) == (WORDS, bits(golden()))
    for format in ("word2vec-text", "fasttext-vec", "glove"):
        path = write(tmp_path / "v.txt.gz", table, format)
        opened = keyed.load_word2vec_format(str(path), no_header=format == "glove")
        assert (opened.index_to_key, bits(opened.vectors)) == (WORDS, bits(golden()))
    many = np.random.default_rng(0).standard_normal((300, 11)).astype(np.float32)
    theirs = keyed(11)
    theirs.add_vectors([f"w{n}" for n in range(300)], many)
    for name, settings in (("t.txt", {}), ("t.bin", {"binary": True}), ("t.glove", {"write_header": False})):
        theirs.save_word2vec_format(str(tmp_path / name), **settings)
        back = read(tmp_path / name)
        assert (back.words, bits(back.matrix)) == (theirs.index_to_key, bits(many))


# ---- round trips ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("packed", ["", ".gz", ".xz"])
def test_written_and_read_again(tmp_path, format, packed):
    first = write(tmp_path / f"a{ENDINGS[format]}{packed}", small(), format)
    assert sniff(first) == format
    table = read(first)
    assert (table.words, bits(table.matrix)) == (WORDS, bits(golden()))
    second = write(tmp_path / f"b{ENDINGS[format]}{packed}", table, format)
    assert second.read_bytes() == first.read_bytes()
    assert not list(tmp_path.glob("*.erya-tmp"))


@pytest.mark.parametrize("end", [b"\n", b""])
def test_binary_keeps_its_line_ends(file, tmp_path, end):
    data = binary([(b"a", [1, 2, 3]), (b"bc", [4, 5, 6])], end=end)
    assert write(tmp_path / "b.bin", read(file(data)), "word2vec-bin").read_bytes() == data


def test_zst(file):
    zstandard = pytest.importorskip("zstandard", reason="needs zstandard")
    path = file(zstandard.ZstdCompressor().compress((GOLDEN / "word2vec.txt").read_bytes()))
    assert sniff(path) == "word2vec-text"
    assert bits(read(path).matrix) == bits(golden())


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_every_float32_survives_text(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("v") / "v.vec"
    matrix = np.array([numbers], np.float32)
    write(path, VectorTable(["a"], matrix), "fasttext-vec")
    assert bits(read(path).matrix) == bits(matrix)


def test_many_float32_survive_and_are_shortest(tmp_path):
    """All exponents, and the powers of two with their neighbours; no decimal is longer than NumPy's."""
    generator = np.random.default_rng(1)
    drawn = (
        generator.integers(0, 0x7F800000, 20_000, dtype=np.uint32) | generator.integers(0, 2, 20_000, np.uint32) << 31
    )
    powers = np.arange(1, 255, dtype=np.uint32) << 23
    numbers = np.concatenate([drawn, powers, powers - 1, powers + 1, [0, 1, 0x7F7FFFFF, 0x80000000]]).astype(np.uint32)
    matrix = np.resize(numbers.view(np.float32), (300, 70))
    path = write(tmp_path / "v.txt", VectorTable([f"w{n}" for n in range(300)], matrix), "glove")
    assert bits(read(path).matrix) == bits(matrix)
    longer = 0
    for token, number in zip(path.read_text().split()[1:71], matrix[0], strict=True):
        digits = len(token.split("e")[0].replace(".", "").strip("-0"))
        best = len(np.format_float_scientific(number, trim="-").split("e")[0].replace(".", "").strip("-0"))
        longer += digits > best
    assert longer == 0


# ---- numbers --------------------------------------------------------------------------------------------------------


def exactly(decimal: str) -> np.float32:
    """The nearest float32 by exact arithmetic, slowly: among the neighbours of a guess, ties to even."""
    with np.errstate(over="ignore", under="ignore"):
        guess = np.float32(float(decimal))
        near = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    near = [number for number in near if np.isfinite(number)]
    return min(near, key=lambda n: (abs(Fraction(float(n)) - Fraction(decimal)), int(n.view(np.uint32)) & 1))


HARD = [
    "1.000000059604644775390625",  # the middle between 1 and the next float32: to even
    "1.00000005960464477539062500000001",  # a hair above it, which float64 cannot see
    "1.0000001788139343",
    "16777217",
    "16777217.00000000001",
    "7.0064923216240854e-46",  # the middle between 0 and the smallest float32
    "7.0064923216240862e-46",
    "1.1754942807573643e-38",
    "3.4028234663852886e38",
    "3.4028235677973366e38",
    "0.00000000000000000000000000000000000000000000000012345",
    "123456789012345678901234567890",
    "000000000000000000000.5000000000000000000000000",
    "5.e-1",
    ".5",
    "+1E+2",
    "0e9999",
    "1e-9999",
    "-0",
]


def test_numbers_are_rounded_once(file):
    table = read(file(text(*(f"w{n} {number} 1" for n, number in enumerate(HARD))), "v.txt"), format="glove")
    assert bits(table.matrix[:, 0]) == [int(exactly(number).view(np.uint32)) for number in HARD[:-1]] + [0x80000000]
    for number in HARD[:-1]:
        assert nearest_float32(number) == exactly(number)


def test_decimals_of_float64_are_rounded_once(file):
    numbers = [repr(value) for value in np.random.default_rng(2).standard_normal(6000).tolist()]
    rows = [f"w{n} " + " ".join(numbers[6 * n : 6 * n + 6]) for n in range(1000)]
    read_back = read(file(text(*rows, header="1000 6"))).matrix.ravel()
    assert bits(read_back) == [int(exactly(number).view(np.uint32)) for number in numbers]


@pytest.mark.parametrize(
    "number", ["nan", "-NaN", "inf", "-Infinity", "1e39", "3.5e38", "3.4028235677973367e38", "nan(5)"]
)
def test_numbers_that_are_none(file, number):
    with pytest.raises(ModelFileError) as caught:
        read(file(text("a 1 2", f"b 1 {number}", header="2 2")))
    assert caught.value.code == "vectors-nan"
    assert caught.value.where.startswith("v.vec:3")
    assert number in caught.value.message


@pytest.mark.parametrize(
    "number", ["0x10", "1_0", "1d5", "--1", "1e", "e5", ".", "+", "1.2.3", "１", "1" * 200, "nane"]
)
def test_words_where_numbers_belong(file, number):
    with pytest.raises(ModelFileError, match="is not a number"):
        read(file(text("a 1 2 3", f"b 1 {number} 2", header="2 3")))


# ---- which format ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (text("a 1 2", "b 3 4", header="2 2"), "word2vec-text"),
        (text("a 1 2 ", "b 3 4 ", header="2 2"), "fasttext-vec"),
        (text("a 1.5 2", "b 3 4"), "glove"),
        (text("5 3", "7 2", "9 1"), None),  # one number a word: could be anything
        (text("5 3 1", "7 2 1"), "glove"),
        (text("1 2", "a 1 2"), "word2vec-text"),
        (text("-1 2", "a 1 2"), "word2vec-text"),
        (text("9 9", "a 1 2"), "word2vec-text"),  # a wrong header is still one, and refused as such
        (binary([(b"a", [0.1, -0.2, 0.3])]), "word2vec-bin"),
        (binary([(b"a", [struct.unpack("<f", b"\n\x0a\x0b\x3d")[0], -0.5])]), "word2vec-bin"),  # a line end in a number
        (b"\xef\xbb\xbf" + text("a 1 2", header="1 2"), "word2vec-text"),
        (b"", None),
        (b"\n\n", None),
        (b"hello world\nthis is prose\n", None),
        (b"text,label\ngood,1\nbad,0\n", None),
        (b"old\tnew\t1.58\t2.7\nbig\tsmall\t3.1\t1.2\n", None),  # a similarity set
        (bytes(range(256)) * 20, None),
        (b"PK\x03\x04" + bytes(100), None),
        (b"\x1f\x8b\x08\x00 damaged", None),
    ],
)
def test_sniff(file, data, format):
    assert sniff(file(data)) == format


def test_sniff_leaves_the_kernels_alone(file):
    script = "import sys\nfrom erya.text.vector_files import sniff\nsniff(sys.argv[1])\nprint('numba' in sys.modules)"
    path = file(text("a 1 2", header="1 2"))
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_words_of_all_kinds(file):
    words = ["\u00a0", "a\u3000b", "\u2028", "3.14", "1e5", "nan", "\x00", "\u200b", "😀", "a" * 60_000, "-"]
    table = read(file(text(*(f"{word} 1 2" for word in words), header=f"{len(words)} 2")))
    assert table.words == words
    glove = text(". . . 1 2", "a 3 4", "b 3 4", "c 3 4", "at name@domain.com 5 6")
    assert read(file(glove)).words == [". . .", "a", "b", "c", "at name@domain.com"]


def test_lines_of_all_kinds(file):
    expected = [[1.0, 2.0], [3.0, 4.0]]
    for data in (
        b"2 2\r\na 1 2\r\nb 3 4\r\n",
        b"2 2 \n\na\t1\t2\n\n\nb  3  4 \n\n",
        b"\xef\xbb\xbfa 1 2\nb 3 4\n",
        b"2 2\na 1 2 \nb 3 4 ",  # no last line end, but the space behind the number shows that it is whole
    ):
        table = read(file(data))
        assert (table.words, table.matrix.tolist()) == (["a", "b"], expected)


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8", ">f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numpy_kinds(tmp_path, kind, order):
    matrix = np.random.default_rng(0).standard_normal((7, 3)).astype(kind)
    np.save(tmp_path / "v.npy", np.asarray(matrix, order=order))
    (tmp_path / "v.txt").write_text("".join(f"w{n} x\n" for n in range(7)))
    table = read(tmp_path / "v.npy")
    assert bits(table.matrix) == bits(matrix.astype(np.float32))
    assert table.words[3] == "w3 x"
    assert bits(read(tmp_path / "v.npy", limit=2).matrix) == bits(matrix[:2].astype(np.float32))


# ---- limits and policies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_limit(tmp_path, format):
    path = write(tmp_path / f"v{ENDINGS[format]}", small(), format)
    table = read(path, limit=3)
    assert (table.words, bits(table.matrix)) == (WORDS[:3], bits(golden()[:3]))
    assert read(path, limit=100).words == WORDS
    if format in ("word2vec-text", "fasttext-vec", "word2vec-bin"):
        path.write_bytes(path.read_bytes().replace(b"7 5\n", b"999999999 5\n")[:160])
        assert len(read(path, limit=2).words) == 2
        with pytest.raises(ModelFileError, match="999,999,999"):
            read(path)


BROKEN = {
    "text": text("a 1 2", "b 3 4", "c 5 6", header="3 2").replace(b"b", b"b\xff"),
    "binary": binary([(b"a", [1, 2]), (b"b\xff", [3, 4]), (b"c", [5, 6])]),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_bad_utf8(file, kind):
    path = file(BROKEN[kind])
    with pytest.raises(ModelFileError) as caught:
        read(path)
    assert caught.value.code == "vectors-utf8"
    assert caught.value.where == ("v.vec:3" if kind == "text" else "v.vec, byte 15")
    skipped = read(path, bad_utf8="skip")
    assert (skipped.words, skipped.matrix.tolist(), skipped.skipped) == (["a", "c"], [[1, 2], [5, 6]], 1)
    assert read(path, bad_utf8="replace").words == ["a", "b\ufffd", "c"]
    two = BROKEN[kind].replace(b"a", b"b\xfe") if kind == "text" else BROKEN[kind].replace(b"\na ", b"\nb\xfe ")
    replaced = read(file(two), bad_utf8="replace")  # both bad words would now be the same
    assert (replaced.words, replaced.skipped, replaced.matrix.tolist()) == (["b\ufffd", "c"], 1, [[1, 2], [5, 6]])


def test_bad_utf8_in_a_word_list(tmp_path):
    np.save(tmp_path / "v.npy", np.arange(6, dtype=np.float32).reshape(3, 2))
    (tmp_path / "v.vocab").write_bytes(b"a\t3\n\xff\t2\nc\t1\n")
    with pytest.raises(ModelFileError) as caught:
        read(tmp_path / "v.npy")
    assert caught.value.where == "v.vocab:2"
    table = read(tmp_path / "v.npy", bad_utf8="skip")
    assert (table.words, table.counts.tolist(), table.matrix.tolist()) == (["a", "c"], [3, 1], [[0, 1], [4, 5]])


def test_calls_that_make_no_sense(file):
    path = file(text("a 1 2", header="1 2"))
    with pytest.raises(UsageError, match="word2vec_bin") as caught:
        read(path, format="word2vec_bin")
    assert "word2vec-bin" in caught.value.help
    with pytest.raises(UsageError):
        read(path, bad_utf8="ignore")
    with pytest.raises(UsageError):
        read(path, limit=0)
    with pytest.raises(UsageError):
        write(path.with_name("v.zst"), small(), "glove")
    with pytest.raises(DataError) as caught:
        read(path.with_name("v.vex"))
    assert caught.value.code == "file-missing"


# ---- what is refused ------------------------------------------------------------------------------------------------

HUGE = 2**63
REFUSED = {
    "one row too few": (text("a 1 2", header="2 2"), "vectors-short", "v.vec:1"),
    "rows too few": (text("a 1.25 2.25", "b 1.25 2.25", header="3 2"), "vectors-short", "v.vec:4"),
    "rows too many": (text("a 1 2", "b 1 2", header="1 2"), "vectors-header", "v.vec:3"),
    "a short row": (text("a 1.25 2", "b 1", header="2 2"), "vectors-row", "v.vec:3   b 1"),
    "a long row": (text("a 1 2", "b 1 2 3", header="2 2"), "vectors-row", "v.vec:3   b 1 2 3"),
    "a row without a word": (text("a 1 2", " 1 2", header="2 2"), "vectors-row", "v.vec:3    1 2"),
    "a word twice": (text("a 1 2", "b 3 4", "a 1 2", header="3 2"), "vectors-duplicate", "v.vec:4"),
    "a word twice without header": (text("a 1 2", "b 3 4", "a 1 2"), "vectors-duplicate", "v.vec:3"),
    "no words": (text(header="0 2"), "vectors-empty", "v.vec:1"),
    "negative words": (text("a 1 2", header="-1 2"), "vectors-header", "v.vec:1"),
    "negative dims": (text("a 1 2", header="1 -2"), "vectors-header", "v.vec:1"),
    "2^63 words": (text("a 1 2", header=f"{HUGE} 2"), "vectors-too-large", "v.vec:1"),
    "2^63 dims": (text("a 1 2", header=f"1 {HUGE}"), "vectors-too-large", "v.vec:1"),
    "many words": (text("a 1 2", header="2000000000 2"), "vectors-short", "v.vec:1"),
    "a long word": (text("a" * 70_000 + " 1 2", header="1 2"), "vectors-too-large", None),
    "cut in a number": (text("a 1 2", "b 3 4.25", header="2 2")[:-2], "vectors-short", "v.vec:3"),
    "empty": (b"", "vectors-empty", "v.vec:1"),
    "garbage": (bytes(range(256)) * 100, "vectors-unknown-format", "v.vec:1"),
    "an unknown archive": (b"BZh91AY" + bytes(100), "archive-unknown", "v.vec"),
    "a cut archive": (gzip.compress(text("a 1 2", header="1 2"))[:-9], "archive-damaged", None),
    "binary, too few": (binary([(b"a", [0.1, 0.2])], "2 2\n"), "vectors-short", "v.vec:1"),
    "binary, too many": (binary([(b"a", [0.1, 0.2]), (b"b", [0.1, 0.2])], "1 2\n"), "vectors-header", "v.vec, byte 15"),
    "binary, nan": (binary([(b"a", [0.1, np.nan])]), "vectors-nan", "v.vec, byte 4"),
    "binary, twice": (binary([(b"a", [0.1, 0.2]), (b"a", [0.1, 0.2])]), "vectors-duplicate", "v.vec, byte 15"),
    "binary, 2^63": (binary([(b"a", [0.1, 0.2])], f"{HUGE} 2\n"), "vectors-too-large", "v.vec:1"),
    "binary, negative": (binary([(b"a", [0.1, 0.2])], "-1 2\n"), "vectors-header", "v.vec:1"),
    "binary, other dims": (binary([(b"a", [0.1, 0.2]), (b"b", [0.1, 0.2])], "2 1\n"), "vectors-row", None),
    "binary, a byte too many": (
        binary([(b"a", [0.1, 0.2]), (b"b", [0.1, 0.2])]).replace(b"\nb", b"\n\x01\x02b")[:-2],
        "vectors-short",
        None,
    ),
    "binary, no word": (
        binary([(b"a", [0.1, 0.2]), (b"", [0.1, 0.2]), (b"c", [1, 2])]),
        "vectors-row",
        "v.vec, byte 15",
    ),
    "binary, a long word": (binary([(b"a", [0.1, 0.2]), (b"b" * 70_000, [0.1, 0.2])]), "vectors-too-large", None),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", REFUSED)
def test_refused(file, name, packed):
    data, code, where = REFUSED[name]
    if packed and (code.startswith("archive") or name == "cut in a number"):
        pytest.skip("an archive already, or one whose check sum says that it is whole")
    with pytest.raises(ModelFileError) as caught:
        read(file(lzma.compress(data) if packed else data))
    assert caught.value.exit == 4
    assert caught.value.help
    if not packed:
        assert caught.value.code == code
        assert where is None or caught.value.where == where


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808, 2), }\n", "vectors-short"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 9223372036854775808), }\n", "vectors-short"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", "vectors-short"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", "vectors-header"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }\n", "vectors-header"),
        ("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 2), }\n", "vectors-header"),
        ("{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (2, 2), }\n", "vectors-header"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }\n", "vectors-header"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }\n", "vectors-header"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0), }\n", "vectors-empty"),
    ],
)
def test_refused_numpy(tmp_path, header, code):
    (tmp_path / "v.npy").write_bytes(
        b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header.encode() + bytes(16)
    )
    (tmp_path / "v.vocab").write_text("a\nb\n")
    with pytest.raises(ModelFileError) as caught:
        read(tmp_path / "v.npy")
    assert caught.value.code == code


@pytest.mark.parametrize(
    "words", ["a\n", "a\nb\nc\n", "a\na\n", "a\n\n", "a\t1\nb\n", "a\nb\t1\n", "a\t1\nb\t-1\n", "a\t1\nb\tx\n", ""]
)
def test_refused_word_lists(tmp_path, words):
    np.save(tmp_path / "v.npy", np.ones((2, 2), np.float32))
    with pytest.raises(ModelFileError, match="missing"):
        read(tmp_path / "v.npy")
    (tmp_path / "v.vocab").write_text(words)
    with pytest.raises(ModelFileError):
        read(tmp_path / "v.npy")


@pytest.mark.parametrize(
    ("word", "formats"),
    [
        ("two words", {"glove", "numpy"}),
        (" lead", {"numpy"}),
        ("year 1999", {"numpy"}),  # GloVe's readers would take 1999 for a number
        ("a\tb", {"glove"}),
        ("a\nb", set()),
        ("", set()),
        ("\ud800", set()),
        ("x" * 70_000, set()),
        ("\ufeffx", {"word2vec-text", "word2vec-bin", "fasttext-vec"}),
        ("\u00a0", set(FORMATS)),
        ("1999", set(FORMATS)),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_words_that_a_format_cannot_hold(tmp_path, word, formats, format):
    path = tmp_path / f"v{ENDINGS[format]}"
    table = VectorTable([word, "b", "c"], np.arange(9, dtype=np.float32).reshape(3, 3) + 0.5)
    if format in formats:
        assert read(write(path, table, format)).words == table.words
    else:
        with pytest.raises(DataError) as caught:
            write(path, table, format)
        assert caught.value.code == "vectors-word"
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_matrices_of_other_kinds(tmp_path, kind):
    """What an artefact holds: float16, or a mapped file that cannot be written to, or every second column of it."""
    np.save(tmp_path / "m.npy", golden().clip(-9, 9).astype(kind))
    matrix = np.load(tmp_path / "m.npy", mmap_mode="r", allow_pickle=False)[:, ::2]
    for format in FORMATS:
        path = write(tmp_path / f"v{ENDINGS[format]}", VectorTable(WORDS, matrix), format)
        assert bits(read(path).matrix) == bits(matrix.astype(np.float32))


def test_duplicates_can_be_mended(file):
    for data in (text("a 1 2", "b 3 4", "a 1 2", header="3 2"), text("a 1 2", "b 3 4", "a 1 2")):
        path = file(data)
        with pytest.raises(ModelFileError) as caught:
            read(path)
        subprocess.run(caught.value.help.partition(": ")[2], shell=True, check=True)
        assert read(path.with_name("v.once.txt")).words == ["a", "b"]


def test_tables_that_are_none(tmp_path):
    good = np.ones((2, 2), np.float32)
    for table, code in [
        (VectorTable(["a"], good), "vectors-shape"),
        (VectorTable(["a", "b"], good[0]), "vectors-shape"),
        (VectorTable([], good[:0]), "vectors-shape"),
        (VectorTable(["a", "a"], good), "vectors-duplicate"),
        (VectorTable(["a", "b"], good * np.nan), "vectors-nan"),
        (VectorTable(["a", "b"], good, counts=np.array([1])), "vectors-shape"),
    ]:
        with pytest.raises(DataError) as caught:
            write(tmp_path / "v.bin", table, "word2vec-bin")
        assert caught.value.code == code
        assert not list(tmp_path.iterdir())


def test_larger_than_the_window(tmp_path, monkeypatch):
    """Rows and words cross the borders of windows and blocks; the kernels go on where they stopped."""
    from erya.text.vector_files import source

    monkeypatch.setattr(source, "WINDOW", 1 << 10)
    words = [f"word-{n}-尔雅" for n in range(40_000)]
    matrix = np.random.default_rng(5).standard_normal((40_000, 13)).astype(np.float32)
    for format in FORMATS:
        path = write(tmp_path / f"v{ENDINGS[format]}", VectorTable(words, matrix), format)
        table = read(path)
        assert table.words == words
        assert bits(table.matrix) == bits(matrix)
    packed = tmp_path / "v.gz"
    packed.write_bytes(gzip.compress((tmp_path / "v.glove").read_bytes(), 1))
    assert bits(read(packed).matrix) == bits(matrix)
