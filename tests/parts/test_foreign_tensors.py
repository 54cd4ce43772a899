"""Safetensors of other programs: what a library wrote is read; mutated files are refused or make sense."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from erya.errors import ModelFileError
from erya.parts import foreign_tensors

GOLDEN = Path(__file__).parents[1] / "golden_gpt2"


def test_halves_are_what_the_library_wrote():
    file = foreign_tensors.opened(GOLDEN / "halves.safetensors")
    np.testing.assert_array_equal(file.read("bf16")[:3], np.array([1.5, -2.0, 3.140625], dtype=np.float32))
    assert file.read("bf16")[3] == pytest.approx(1e-30, rel=2**-8)
    np.testing.assert_array_equal(file.read("f16"), np.array([0.1, -65504.0], dtype=np.float16).astype(np.float32))


def test_the_library_reads_what_is_written(tmp_path):
    load_file = pytest.importorskip("safetensors.numpy").load_file
    arrays = {
        "b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a": np.full(5, -0.5, dtype=np.float32),
        "none": np.zeros((0, 4), dtype=np.float32),
    }
    foreign_tensors.write(tmp_path / "m.safetensors", arrays)
    found = load_file(tmp_path / "m.safetensors")
    ours = foreign_tensors.opened(tmp_path / "m.safetensors")
    assert set(found) == set(ours.entries) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        np.testing.assert_array_equal(ours.read(name), array)


def test_mutated_files_are_refused_or_make_sense(tmp_path):
    dice = random.Random(3)
    whole = (GOLDEN / "halves.safetensors").read_bytes()
    path = tmp_path / "m.safetensors"
    refused = 0
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(dice.choice([1, 1, 2, 8])):
            place = dice.randrange(len(data))
            if dice.random() < 0.3:
                data[place : place + dice.randrange(9)] = dice.choice([b"", b"9", b"99999999", b"-", b"[", b'"'])
            else:
                data[place % len(data)] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        try:
            file = foreign_tensors.opened(path)
            for name in file.entries:
                assert np.isfinite(file.read(name)).all()
        except ModelFileError:
            refused += 1
    assert refused > 50


def test_a_pipe_is_no_file(tmp_path):
    import os

    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    os.mkfifo(tmp_path / "p")
    with pytest.raises(ModelFileError, match="ordinary"):
        foreign_tensors.opened(tmp_path / "p")
