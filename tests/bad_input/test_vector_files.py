"""10,000 mutated vector files: each is refused in time, with a place and a help line, or read as something that makes sense."""

from __future__ import annotations

import gzip
import lzma
import random
import resource
import time
import tracemalloc

import numpy as np
import pytest

from erya.errors import EryaError, ModelFileError
from erya.text.vector_files import VectorTable, read, sniff, write

MUTATIONS = 10_000
SECONDS = 1.0  # a file may take
MEMORY = 64 << 20  # bytes above the baseline, beside twice the file
WORDS = ["the", ",", "王", "naïve", "don't", "3.14", "尔雅", "x" * 30, "-", "0"]
KINDS = {
    "text": ("v.txt", "word2vec-text"),
    "vec": ("v.vec", "fasttext-vec"),
    "glove": ("v.glove", "glove"),
    "bin": ("v.bin", "word2vec-bin"),
    "bin without line ends": ("v.bin", "word2vec-bin"),
    "npy": ("v.npy", "numpy"),
    "word list": ("v.npy", "numpy"),
    "gz": ("v.vec", "fasttext-vec"),
    "xz": ("v.bin", "word2vec-bin"),
}
NUMBERS = [
    b"0",
    b"-1",
    b"1",
    b"9",
    b"11",
    b"4096",
    b"1e9",
    b"2147483647",
    b"4294967296",
    b"9223372036854775808",
    b"nan",
    b" ",
]


def flipped(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice([1, 1, 1, 3, 20])):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def cut(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(len(data)) :]


def shortened(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    del data[start : start + dice.choice([1, 1, 2, 4, 20, 100])]


def lengthened(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data) + 1)
    data[start:start] = dice.choice(
        [b"\n", b" ", b"\0", b"\xff", b"nan ", b"1 ", bytes(200), dice.randbytes(7), data[start : start + 50]]
    )


def renumbered(data: bytearray, dice: random.Random) -> None:
    """Another number in the first line (of .npy, in the shape)."""
    line = bytes(data).split(b"\n")[0]
    start = line.rfind(b"shape") + 1
    digits = [place for place in range(start, len(line)) if line[place : place + 1].isdigit()]
    place = dice.choice(digits) if digits else 0
    data[place : place + 1] = dice.choice(NUMBERS)


CHANGES = (flipped, cut, shortened, lengthened, renumbered)


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, tuple[bytes, bytes]]:
    """Of each kind a sound file, and the word list beside it."""
    folder = tmp_path_factory.mktemp("sound")
    matrix = np.random.default_rng(0).standard_normal((len(WORDS), 6)).astype(np.float32)
    found = {}
    for kind, (name, format) in KINDS.items():
        table = VectorTable(WORDS, matrix, counts=np.arange(10), line_ends="without" not in kind)
        data = write(folder / name, table, format).read_bytes()
        data = gzip.compress(data, mtime=0) if kind == "gz" else lzma.compress(data) if kind == "xz" else data
        found[kind] = (data, (folder / "v.vocab").read_bytes() if format == "numpy" else b"")
    return found


def test_mutated_files(originals, tmp_path):
    dice = random.Random(20)
    outcomes = {"read": 0, "refused": 0}
    paths = {kind: tmp_path / str(number) for number, kind in enumerate(KINDS)}
    for kind, path in paths.items():
        path.mkdir()
        paths[kind] = path / KINDS[kind][0]
        data, words = originals[kind]
        paths[kind].write_bytes(data)
        if words:
            path.joinpath("v.vocab").write_bytes(words)
        assert read(paths[kind]).words == WORDS  # what is refused below is refused for what was changed
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(MUTATIONS):
        kind = list(KINDS)[number % len(KINDS)]
        path = paths[kind].with_name("v.vocab") if kind == "word list" else paths[kind]
        data = bytearray(originals[kind][kind == "word list"])
        change = CHANGES[dice.randrange(len(CHANGES))]
        change(data, dice)
        path.unlink()  # a new file each time: cutting an old one short makes some file systems wait for the disk
        path.write_bytes(data)
        start = time.perf_counter()
        outcomes[outcome(paths[kind], None if dice.random() < 0.7 else KINDS[kind][1])] += 1
        assert time.perf_counter() - start < SECONDS, (kind, change.__name__, bytes(data))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < MEMORY  # macOS counts bytes, which only makes this stricter
    assert outcomes["refused"] > MUTATIONS // 2
    assert outcomes["read"] > MUTATIONS // 20  # a bit of a number flipped, a letter of a word: still a table


def table_or_error(path, format=None) -> VectorTable | EryaError:
    try:
        return read(path, format=format)
    except EryaError as error:
        return error


def outcome(path, format) -> str:
    """Read the file; what came must make sense."""
    table = table_or_error(path, format)
    if isinstance(table, EryaError):
        assert table.exit == 4, (table.code, path.read_bytes())
        assert table.where, table.code
        assert table.help, table.code
        return "refused"
    count = len(table.words)
    assert table.matrix.dtype == np.float32
    assert table.matrix.shape[0] == count == len(set(table.words))
    assert table.matrix.shape[1] >= 1
    assert np.isfinite(table.matrix).all()
    assert all(table.words)
    assert table.counts is None or (table.counts.shape == (count,) and (table.counts >= 0).all())
    return "read"


def test_no_row_is_lost_silently(originals, tmp_path):
    """One line less, one line more, one number less: never read as if nothing had happened (GloVe has no header to hold
    the lines against)."""
    for kind in ("text", "vec"):
        lines = originals[kind][0].splitlines(keepends=True)
        path = tmp_path / "v.txt"
        for place in range(1, len(lines)):
            for changed in (
                lines[:place] + lines[place + 1 :],
                [*lines[:place], lines[place].replace(b" ", b"! ", 1), *lines[place:]],
                [*lines[:place], lines[place].rstrip().rpartition(b" ")[0] + b"\n", *lines[place + 1 :]],
                [*lines[:place], lines[place].rstrip() + b" 1.0\n", *lines[place + 1 :]],
            ):
                path.write_bytes(b"".join(changed))
                with pytest.raises(ModelFileError):
                    read(path)
    for kind in ("text", "vec", "bin", "bin without line ends", "npy", "gz", "xz"):
        data = originals[kind][0]
        path = tmp_path / KINDS[kind][0]
        if kind == "npy":
            path.with_name("v.vocab").write_bytes(originals[kind][1])
        for size in range(len(data) - 2):  # a missing line end loses nothing
            path.write_bytes(data[:size])
            with pytest.raises(ModelFileError):
                read(path)


HOSTILE = {
    "dims that fill the memory": b"2 131072\na 1 2\n",
    "words that fill the memory": b"2147483647 1\na 1\n",
    "words that fill the memory, binary": b"2147483647 1\na \0\0\0\0b \0\0\0\0",
    "both": b"2147483647 131072\na 1 2\n",
    "a line without end": b"2 2\n" + b"a" * (3 << 20),
    "a line without end, binary": b"2 2\n" + b"\x01" * (3 << 20),
    "numbers without end": b"a " + b"1 " * (2 << 20),
    "one long number": b"1 2\na 1 " + b"0" * (3 << 20) + b"\n",
    "spaces": b"1 2\na" + b" " * (3 << 20) + b"1 2\n",
    "empty lines": b"2 2\n" + b"\n" * (3 << 20),
    "binary rows of nothing": b"1000000 2\n" + b" " * (3 << 20),
    "a slow number in every place": b"50000 3\n" + b"a 7.0064923216240854e-46 1e-40 1e-42\n" * 20_000,
    "zeros": bytes(3 << 20),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path, name, packed):
    """Refused within a second, and memory follows what the file holds, not what it says."""
    path = tmp_path / "v.vec"
    path.write_bytes(gzip.compress(HOSTILE[name]) if packed else HOSTILE[name])
    sniff(path)
    tracemalloc.start()
    try:
        start = time.perf_counter()
        table = table_or_error(path)
        assert time.perf_counter() - start < SECONDS
        assert tracemalloc.get_traced_memory()[1] < 2 * len(HOSTILE[name]) + MEMORY
    finally:
        tracemalloc.stop()
    if name == "spaces":
        assert table.matrix.tolist() == [[1, 2]]
    else:
        assert isinstance(table, ModelFileError)
        assert table.help


def test_a_bomb(tmp_path):
    """An archive that unpacks to a thousand times its size is no vectors; nobody waits for its end."""
    path = tmp_path / "v.vec.gz"
    with gzip.open(path, "wb", 9) as file:
        file.write(b"100000000 2\n")
        for _ in range(100):
            file.write(bytes(1 << 20))
    start = time.perf_counter()
    with pytest.raises(ModelFileError):
        read(path)
    assert time.perf_counter() - start < SECONDS
