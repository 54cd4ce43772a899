"""Pieces of lines put together: in memory, in a file, and where no file can be written."""

from __future__ import annotations

import mmap
import tempfile

import numpy as np
import pytest

from erya.models.fasttext import line_collection as module
from erya.models.fasttext.line_collection import Collection, give_back
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


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="this system cannot give back pages of a map")
@pytest.mark.parametrize("most", [0, 1, 20, 40])
def test_in_a_file(pieces, most, monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD", most)
    found = collected(pieces)
    assert isinstance(found.rows.base, mmap.mmap | memoryview)
    assert same(found, wanted_of(pieces))
    found.rows[3] = 77  # training renumbers rows where they lie
    give_back(found.rows)
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
