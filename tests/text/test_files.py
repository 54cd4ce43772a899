"""Files as bytes and lines: archives whole, damaged and hostile, line ends, and memory that does not grow."""

from __future__ import annotations

import gzip
import io
import itertools
import lzma
import os
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from erya.errors import DataError
from erya.text.files import blocks, lines

PACK = {"gz": gzip.compress, "xz": lzma.compress, "zst": zstandard.ZstdCompressor().compress}


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(
    st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"\0", b"\xc3\xa9", b"bc", b"\x85", b"\x0b"])),
    st.lists(st.integers(0, 100)),
)
def test_lines_are_pythons_universal_lines_however_the_blocks_fall(parts, cuts):
    data = b"".join(parts)
    found = list(lines(iter(pieces_of(data, cuts))))
    assert [line.raw for line in found] == data.splitlines()
    assert b"".join(line.raw + line.end for line in found) == data
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    assert all(data[line.start :].startswith(line.raw) and line.size == len(line.raw) for line in found)
    assert all(line.whole for line in found)


@given(st.lists(st.integers(0, 50), max_size=8), st.lists(st.integers(0, 200)), st.integers(1, 30))
def test_longer_lines_than_the_limit_are_not_held(sizes, cuts, limit):
    data = b"".join(b"x" * size + b"\n" for size in sizes)
    found = list(lines(iter(pieces_of(data, cuts)), limit=limit))
    assert [line.size for line in found] == sizes
    assert [line.whole for line in found] == [size <= limit for size in sizes]
    assert all(line.raw == b"x" * line.size for line in found if line.whole)
    assert [line.start for line in found] == [sum(sizes[:place]) + place for place in range(len(sizes))]


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("size", [0, 1, 5, 100_000])
def test_archives_are_told_by_their_bytes(tmp_path, kind, size):
    data = os.urandom(size // 2) + b"a" * (size - size // 2)
    path = tmp_path / "name-says-nothing.txt"
    path.write_bytes(PACK[kind](data))
    assert b"".join(blocks(path)) == data
    path.write_bytes(PACK[kind](data) + PACK[kind](b"more"))
    assert b"".join(blocks(path)) == data + b"more"


@pytest.mark.parametrize("kind", PACK)
def test_every_cut_of_an_archive_is_noticed(tmp_path, kind):
    packed = PACK[kind](b"some text, and more of it\n" * 50)
    path = tmp_path / "cut"
    for size in range(6, len(packed)):
        path.write_bytes(packed[:size])
        with pytest.raises(DataError) as caught:
            list(blocks(path))
        assert caught.value.code == "archive-damaged"
        assert caught.value.help


@pytest.mark.parametrize("kind", PACK)
def test_damage_never_passes_in_silence_or_as_another_error(tmp_path, kind):
    text = b"some text, and more of it\n" * 50
    packed = PACK[kind](text) if kind != "zst" else zstandard.ZstdCompressor(write_checksum=True).compress(text)
    path = tmp_path / "damaged"
    refused = []
    for place in range(6, len(packed)):
        path.write_bytes(packed[:place] + bytes([packed[place] ^ 0x55]) + packed[place + 1 :])
        try:
            assert b"".join(blocks(path)) == text  # a byte that means nothing, such as gzip's time stamp
        except DataError as error:
            refused.append(error.code)
    assert set(refused) == {"archive-damaged"}
    assert len(refused) > 0.7 * len(packed)


@pytest.mark.parametrize("kind", PACK)
def test_what_follows_an_archive_is_noticed(tmp_path, kind):
    path = tmp_path / "trailing"
    path.write_bytes(PACK[kind](b"text\n") + b"something else")
    with pytest.raises(DataError, match="something else"):
        list(blocks(path))


def test_padding_after_an_archive_is_none_of_our_business(tmp_path):
    path = tmp_path / "padded.gz"
    path.write_bytes(gzip.compress(b"text\n") + b"\0" * 200_000)
    assert b"".join(blocks(path)) == b"text\n"


@pytest.mark.parametrize("kind", PACK)
def test_a_bomb_is_refused_and_memory_stays_small(tmp_path, kind):
    bomb = PACK[kind](b"\0" * (64 << 20))
    path = tmp_path / "bomb"
    path.write_bytes(bomb)
    tracemalloc.start()
    with pytest.raises(DataError) as caught:
        for _ in blocks(path, bomb_size=32 << 20):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.code == "archive-bomb"
    assert peak < 48 << 20
    assert sum(map(len, blocks(path))) == 64 << 20  # below the bound it is just a file


def test_xz_that_asks_for_gigabytes_is_refused(tmp_path):
    filters = [
        {"id": lzma.FILTER_LZMA2, "dict_size": 1536 << 20, "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3, "nice_len": 10}
    ]
    try:
        packed = lzma.compress(b"text", filters=filters)
    except MemoryError:
        pytest.skip("not enough memory to make the file")
    path = tmp_path / "greedy.xz"
    path.write_bytes(packed)
    with pytest.raises(DataError, match="greedy"):
        list(blocks(path))


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b"BZh9", b"7z\xbc\xaf\x27\x1c"])
def test_archives_that_are_not_read_are_named(tmp_path, magic):
    path = tmp_path / "data.csv"
    path.write_bytes(magic + b"rest")
    with pytest.raises(DataError) as caught:
        list(blocks(path))
    assert caught.value.code == "archive-unknown"


def test_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "reviews.csv").write_text("text,label\n")
    with pytest.raises(DataError, match=r"review\.csv") as caught:
        list(blocks(tmp_path / "review.csv"))
    assert caught.value.code == "file-missing"
    assert caught.value.exit == 3
    assert "reviews.csv" in caught.value.help
    with pytest.raises(DataError) as caught:
        list(blocks(tmp_path / "no" / "such"))
    assert str(tmp_path / "no") in caught.value.help


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(DataError) as caught:
        list(blocks(tmp_path))
    assert caught.value.code == "file-unreadable"


def test_an_open_file_is_read_and_left_open():
    file = io.BytesIO(gzip.compress(b"a\nb\n"))
    assert [line.raw for line in lines(blocks(file))] == [b"a", b"b"]
    assert not file.closed
