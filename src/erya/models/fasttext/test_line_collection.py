"""Pieces of lines put together: in memory, in a file, and where no file can be written."""

from __future__ import annotations

import os
import tempfile

import numpy as np
import pytest

from erya.models.fasttext import line_collection as module
from erya.models.fasttext.line_collection import Block, Collection, file_of, read_block
from erya.models.fasttext.lines import Lines


def piece(seed: int, lines: int) -> Lines:
    generator = np.random.default_rng(seed)
    sizes, label_sizes = generator.integers(0, 5, lines), generator.integers(0, 3, lines)
    return Lines(
        generator.integers(0, 1000, sizes.sum()).astype(np.int32),
        np.append(0, np.cumsum(sizes)),
        generator.integers(0, 9, label_sizes.sum()).astype(np.int32),
        np.append(0, np.cumsum(label_sizes)),
        sizes + 1,
    )


def collected(pieces: list[Lines]) -> Lines:
    found = Collection()
    for one in pieces:
        found.append(one)
    return found.whole()


def same(found: Lines, wanted: Lines) -> bool:
    return all(
        np.array_equal(left, right) and left.dtype == right.dtype for left, right in zip(found, wanted, strict=True)
    )


@pytest.fixture
def pieces() -> list[Lines]:
    return [piece(seed, lines) for seed, lines in enumerate([7, 0, 1, 30, 12])]


def wanted_of(pieces: list[Lines]) -> Lines:
    rows, labels = np.concatenate([p.rows for p in pieces]), np.concatenate([p.labels for p in pieces])
    sizes = np.concatenate([np.diff(p.starts) for p in pieces])
    label_sizes = np.concatenate([np.diff(p.label_starts) for p in pieces])
    tokens = np.concatenate([p.tokens for p in pieces])
    return Lines(rows, np.append(0, np.cumsum(sizes)), labels, np.append(0, np.cumsum(label_sizes)), tokens)


def test_nothing():
    assert len(collected([])) == 0


def test_in_memory(pieces):
    assert same(collected(pieces), wanted_of(pieces))
    assert file_of(collected(pieces).rows) is None


def test_what_was_not_so_much_comes_back(pieces, monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD", 10)
    found = collected(pieces)
    assert file_of(found.rows) is None
    assert same(found, wanted_of(pieces))


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="this system cannot read at a place of a file")
@pytest.mark.parametrize("most", [0, 1, 20, 40])
def test_in_a_file(pieces, most, monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD", most)
    monkeypatch.setattr(module, "LARGE", most)
    found = collected(pieces)
    file = file_of(found.rows)
    assert file is not None
    assert file_of(found.rows[2:]) is file
    assert file_of(pieces[0].rows) is None
    assert same(found, wanted_of(pieces))
    found.rows[3] = 77  # training renumbers rows where they lie
    assert found.rows[3] == 77
    assert found.rows[4:].tolist() == wanted_of(pieces).rows[4:].tolist()


@pytest.mark.parametrize("fails_after", [0, 1, 2])
def test_where_no_file_can_be_written(pieces, fails_after, monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD", 10)
    real, calls = module._write, []

    def write(file, rows):
        calls.append(len(rows))
        if len(calls) > fails_after:
            file.write(b"half")
            raise OSError("disk full")
        real(file, rows)

    monkeypatch.setattr(module, "_write", write)
    assert same(collected(pieces), wanted_of(pieces))
    assert len(calls) == fails_after + 1  # not tried again


def test_without_a_folder_for_it(pieces, monkeypatch):
    def refuse(**_):
        raise OSError("no such folder")

    monkeypatch.setattr(module, "MOST_HELD", 10)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert same(collected(pieces), wanted_of(pieces))


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="this system cannot read at a place of a file")
def test_a_block_is_read(pieces, monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD", 0)
    monkeypatch.setattr(module, "LARGE", 0)
    found = collected(pieces)
    file, count = file_of(found.rows), len(found)
    assert file is not None
    room = Block(np.zeros(0, np.int32), np.zeros(count, np.int64), np.zeros(count, np.int64))
    for wanted in ([0], [4, 5, 6, 30, 31, 2, 3], list(range(count)), [count - 1, count - 2]):
        room = read_block(file, found.starts, np.array(wanted, dtype=np.int32), room)
        for line in wanted:
            mine = room.rows[room.starts[line] : room.ends[line]]
            assert mine.tolist() == found.rows[found.starts[line] : found.starts[line + 1]].tolist()
    file.truncate(8)
    with pytest.raises(OSError, match="bytes read"):
        read_block(file, found.starts, np.arange(count, dtype=np.int32), room)
