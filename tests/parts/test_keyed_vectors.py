"""Ready-made vectors: taken over without copying, stored small, kept and opened with the same bits."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from erya import artefact, vectors
from erya.contract import NotFittedError
from erya.errors import DataError, UsageError
from erya.parts.keyed_vectors import KeyedVectors
from erya.state import State, pack_strings

STORAGES = ("float32", "float16", "int8")


def made(storage="float32", size=53, width=5):
    generator = np.random.default_rng(0)
    words = [f"w{number}" for number in range(size - 3)] + ["a\nb", " ", "\ud800"]
    return KeyedVectors.of(words, generator.normal(size=(size, width)), np.arange(size, 0, -1), storage=storage)


def test_a_matrix_is_taken_as_it_is():
    matrix = np.ones((3, 2), dtype=np.float32)
    table = KeyedVectors.of(["a", "b", "c"], matrix)
    assert table.vectors_ is matrix
    assert np.shares_memory(table.vectors, matrix)
    assert table.counts_ is None
    assert vectors.KeyedVectors is KeyedVectors
    assert KeyedVectors().fit(made()).fingerprint() == made().fingerprint()


def test_int8_has_a_scale_a_row_and_rounds_half_to_even():
    matrix = np.array([[127, 2.5, -3.5], [0, 0, 0], [-1, 0.5, 0.25], [1e-42, 0, 0]], dtype=np.float32)
    table = KeyedVectors.of(["a", "b", "c", "d"], matrix, storage="int8")
    assert table.vectors_.dtype == np.int8
    assert table.vectors_.tolist() == [[127, 2, -4], [0, 0, 0], [-127, 64, 32], [0, 0, 0]]
    np.testing.assert_array_equal(table.scales_, np.array([1, 0, 1 / 127, 0], dtype=np.float32))
    np.testing.assert_allclose(table["a"], [127, 2, -4])
    assert table.most_similar("b", topn=1)[0][1] == 0.0


@pytest.mark.parametrize(("storage", "most"), [("float16", 1e-3), ("int8", 0.5 / 127 + 1e-6)])
def test_what_a_storage_loses(storage, most):
    whole, small = made(), made().quantized(storage)
    largest = np.abs(whole.vectors).max(axis=1, keepdims=True)
    assert (np.abs(whole.vectors - small.vectors) <= most * largest).all()
    assert small.storage == storage
    assert small.words_ == whole.words_
    assert small.vectors_.nbytes == whole.vectors_.nbytes // (2 if storage == "float16" else 4)
    np.testing.assert_array_equal(small.counts_, whole.counts_)
    again = small.quantized(storage)
    np.testing.assert_array_equal(again.vectors_, small.vectors_)


@pytest.mark.parametrize("storage", STORAGES)
def test_kept_and_opened_with_the_same_bits(storage, tmp_path):
    table = made(storage)
    content = artefact.load(table.save(tmp_path / "v.erya"))
    assert content.model == "vectors/keyed"
    opened = KeyedVectors.restore(content.params, content.state)
    assert opened.fingerprint() == table.fingerprint()
    assert opened.words_ == table.words_
    assert opened.most_similar("w3") == table.most_similar("w3")
    assert opened.vectors_ is content.state.arrays["vectors"]
    assert KeyedVectors.of(["a"], np.ones((1, 2))).state().arrays.keys() == {"vectors", "words.bytes", "words.offsets"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot replace a mapped file, so nothing is mapped there")
def test_a_large_file_is_mapped_not_read(tmp_path):
    size, width = 60_000, 300  # 69 MiB
    table = KeyedVectors.of([f"w{number}" for number in range(size)], np.ones((size, width), dtype=np.float32))
    path = table.save(tmp_path / "large.erya")
    script = """
import sys
from erya import artefact
from erya.parts.keyed_vectors import KeyedVectors

content = artefact.load(sys.argv[1])
table = KeyedVectors.restore(content.params, content.state)
assert table.most_similar("w7", topn=3, restrict_vocab=100)[0][0] == "w0"
memory = table.vectors_
while getattr(memory, "base", None) is not None:
    memory = memory.base
print(type(memory.obj).__name__, not table.vectors_.flags.writeable)
print(*[name for name in ("numba", "scipy", "sklearn", "torch", "usearch") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["mmap True", ""]


@pytest.mark.parametrize(
    "change",
    [
        {"vectors": np.ones((3, 2), dtype=np.float64)},
        {"vectors": np.ones((2, 2), dtype=np.float32)},
        {"vectors": np.ones((3, 0), dtype=np.float32)},
        {"vectors": np.ones(3, dtype=np.float32)},
        {"vectors": np.full((3, 2), np.nan, dtype=np.float32)},
        {"scales": np.ones(3, dtype=np.float32)},
        {"counts": np.ones(2, dtype=np.int64)},
        {"counts": np.array([1, -1, 1])},
        {"counts": np.ones(3, dtype=np.float32)},
        pack_strings("words", ["a", "b", "a"]),
        pack_strings("words", []),
        {"vectors": None},
    ],
)
def test_nonsense_is_refused(change):
    table = KeyedVectors.of(["a", "b", "c"], np.ones((3, 2)))
    arrays = {name: array for name, array in {**table.state().arrays, **change}.items() if array is not None}
    with pytest.raises((ValueError, KeyError)):
        KeyedVectors().set_state(State(arrays))


def test_int8_needs_its_scales():
    arrays = made("int8").state().arrays
    for scales in (None, np.full(53, -1, dtype=np.float32), np.ones(52, dtype=np.float32)):
        changed = {name: array for name, array in {**arrays, "scales": scales}.items() if array is not None}
        with pytest.raises(ValueError, match="scales"):
            KeyedVectors(storage="int8").set_state(State(changed))
    with pytest.raises(ValueError, match="storage"):
        KeyedVectors(storage="int4").set_state(State(arrays))


@pytest.mark.parametrize(
    ("X", "code"),
    [
        ((["a", "a"], np.ones((2, 2))), "duplicate-word"),
        ((["a", "b"], np.ones((3, 2))), "vectors-do-not-fit"),
        ((["a", "b"], np.ones(2)), "vectors-do-not-fit"),
        (([], np.ones((0, 2))), "vectors-do-not-fit"),
        ((["a", 3], np.ones((2, 2))), "vectors-do-not-fit"),
        ((["a", "b"], np.array([[1, np.inf], [0, 0]])), "not-finite"),
        ((["a", "b"], np.ones((2, 2)), np.array([1, 2, 3])), "vectors-do-not-fit"),
        ((["a", "b"], np.ones((2, 2)), np.array([1, -2])), "vectors-do-not-fit"),
    ],
)
def test_bad_tables_are_refused(X, code):
    with pytest.raises(DataError) as caught:
        KeyedVectors().fit(X)
    assert caught.value.code == code


def test_bad_calls():
    with pytest.raises(UsageError, match="float16"):
        KeyedVectors(storage="int4").fit((["a"], np.ones((1, 2))))
    with pytest.raises(UsageError, match="vectors come as"):
        KeyedVectors().fit("vectors.txt")
    with pytest.raises(DataError, match="too large for float16"):
        KeyedVectors.of(["a"], np.full((1, 2), 1e6), storage="float16")
    for storage in STORAGES:
        with pytest.raises(DataError, match=f"too large for {storage}"):
            KeyedVectors.of(["a"], np.full((1, 2), 1e300), storage=storage)
    for ask in (lambda table: table.words_, lambda table: table["a"], lambda table: table.state(), len):
        with pytest.raises(NotFittedError):
            ask(KeyedVectors())


def test_a_foreign_file_is_taken_over(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("2 3\nking 1 2 3\nqueen 1 2 4\n", encoding="utf-8")
    table = KeyedVectors(storage="float16").fit(path)
    assert table.words_ == ["king", "queen"]
    np.testing.assert_array_equal(table["queen"], [1, 2, 4])


@pytest.mark.parametrize("storage", STORAGES)
def test_adding_and_taking_over(storage):
    table = made(storage)
    before = table.most_similar("w1")
    assert table.add_vector("new", np.arange(5)) == 53
    np.testing.assert_allclose(table["new"], np.arange(5), atol=0.02)
    assert (len(table), table.get_vecattr("new", "count"), table.get_vecattr("w0", "count")) == (54, 0, 53)
    table.add_vectors(["w1", "newer"], np.ones((2, 5)))
    assert table.most_similar("w1", topn=1) != before
    assert "newer" in table
    assert table["w1"].std() > 0.1  # was there already, and stays
    table.add_vector("w1", np.ones(5))
    np.testing.assert_allclose(table["w1"], 1, atol=0.01)
    other = KeyedVectors.of(["w2", "elsewhere", "w3"], np.full((3, 5), 3.0))
    assert table.intersect(other) == 2
    np.testing.assert_allclose(table[["w2", "w3"]], 3, atol=0.02)
    assert "elsewhere" not in table
    with pytest.raises(DataError, match="width"):
        table.add_vector("wide", np.ones(6))


def test_a_trace_shows_vector_and_neighbours():
    table = made()
    trace = table.trace("w1")
    np.testing.assert_array_equal(trace.arrays["vector"], table["w1"])
    assert trace.arrays["neighbours"].tolist() == [table.get_index(word) for word, _ in table.most_similar("w1")]
    assert "w1" in trace.text()


def test_scikit_learn_can_copy_it():
    from sklearn.base import clone

    table = made("int8")
    assert clone(table).storage == "int8"
    assert table.__sklearn_tags__().transformer_tags is not None
