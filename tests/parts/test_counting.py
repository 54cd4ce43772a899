"""Co-occurrence counting against a brute-force count, for any window, any number of threads and any memory."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.errors import Interrupted, UsageError
from erya.parts import counting
from erya.parts.counting import count, whole_weights
from erya.progress import Report


def brute_force(ids, window, sides, weighting):
    """All pairs, one by one, with exact fractions."""
    found = Counter()
    for place, word in enumerate(ids):
        for step in (-1, 1):
            if word < 0 or (step == -1 and sides == "right") or (step == 1 and sides == "left"):
                continue
            for distance in range(1, window + 1):
                other = place + step * distance
                if not 0 <= other < len(ids) or ids[other] < 0:
                    break
                found[word, ids[other]] += Fraction(1, distance if weighting == "distance" else 1)
    return found


def as_dict(store):
    rows = np.repeat(np.arange(len(store)), np.diff(store.starts))
    return {
        (row, column): value
        for row, column, value in zip(rows.tolist(), store.columns.tolist(), store.values.tolist(), strict=True)
    }


def ids_of(*, size=7, length=60):
    return st.lists(st.integers(-1, size - 1), max_size=length)


@given(
    ids_of(),
    st.integers(1, 12),
    st.sampled_from(counting.SIDES),
    st.sampled_from(counting.WEIGHTINGS),
    st.sampled_from([1, 40, 400, counting.MEMORY]),
    st.integers(1, 3),
)
@settings(max_examples=150, deadline=None)
def test_equals_brute_force(ids, window, sides, weighting, memory_bytes, threads):
    store = count(
        np.array(ids, dtype=np.int32),
        7,
        window=window,
        sides=sides,
        weighting=weighting,
        dtype=np.float64,
        memory_bytes=memory_bytes,
        threads=threads,
    )
    expected = brute_force(ids, window, sides, weighting)
    found = as_dict(store)
    assert set(found) == set(expected)
    for pair, value in expected.items():
        assert found[pair] == pytest.approx(float(value), rel=1e-14)
    for number in range(7):
        assert (np.diff(store.row(number)[0]) > 0).all(), "columns ascend"
    store.close()


def zipf_text(tokens=40_000, size=5_000, seed=0):
    generator = np.random.default_rng(seed)
    ids = np.minimum(generator.zipf(1.3, tokens) - 1, size - 1).astype(np.int32)
    ids[generator.random(tokens) < 0.05] = -1
    return ids


@pytest.mark.parametrize("weighting", counting.WEIGHTINGS)
def test_same_bits_for_any_threads_and_memory(weighting, tmp_path, monkeypatch):
    ids = zipf_text()
    whole = count(ids, 5_000, window=9, weighting=weighting, threads=1)
    assert len(whole.columns) > 50_000
    monkeypatch.setattr(counting, "ENTRIES_AT_ONCE", 10_000)
    monkeypatch.setattr(counting, "NEIGHBOURS_AT_ONCE", 9_000)
    monkeypatch.setattr(counting, "TOKENS_AT_ONCE", 999)
    for threads, memory_bytes in [(2, counting.MEMORY), (3, 50_000), (5, 3_000)]:
        other = count(
            ids, 5_000, window=9, weighting=weighting, threads=threads, memory_bytes=memory_bytes, folder=tmp_path
        )
        assert isinstance(other.columns, np.memmap) == (memory_bytes < counting.MEMORY)
        assert np.array_equal(whole.starts, other.starts)
        assert np.array_equal(whole.columns, other.columns)
        assert whole.values.tobytes() == other.values.tobytes()
        other.close()
        assert list(tmp_path.iterdir()) == []


def test_symmetric_and_sides_add_up():
    ids = zipf_text(3_000, 200)
    both, left, right = (count(ids, 200, window=5, sides=sides, dtype=np.float64) for sides in counting.SIDES)
    dense = {}
    for name, store in (("both", both), ("left", left), ("right", right)):
        dense[name] = np.zeros((200, 200))
        for (row, column), value in as_dict(store).items():
            dense[name][row, column] = value
    assert np.array_equal(dense["both"], dense["both"].T)
    assert np.array_equal(dense["left"], dense["right"].T)
    np.testing.assert_allclose(dense["left"] + dense["right"], dense["both"], rtol=1e-12)
    assert both.get(0, 1) == dense["both"][0, 1]
    assert both.get(199, 199) == dense["both"][199, 199]


@pytest.mark.parametrize("window", [1, 10, 22, 23, 300, 100_000])
def test_whole_weights_are_the_fractions(window):
    weights, unit = whole_weights(window, "distance")
    assert weights[1:] * unit == pytest.approx([1 / d for d in range(1, window + 1)], abs=1.2e-10)
    assert int(weights.max()) <= 2**32, "two thousand million neighbours fit into 63 bits"
    if window <= 22:
        assert all(Fraction(int(weights[d]), int(weights[1])) == Fraction(1, d) for d in range(1, window + 1))


def test_a_window_wider_than_the_text():
    store = count(np.array([0, 1, 2], dtype=np.int32), 3, window=10**6, dtype=np.float64)
    assert as_dict(store) == {(0, 1): 1, (0, 2): 0.5, (1, 0): 1, (1, 2): 1, (2, 0): 0.5, (2, 1): 1}


@pytest.mark.parametrize("ids", [[], [-1, -1], [4]])
def test_nothing_to_count(ids):
    store = count(np.array(ids, dtype=np.int32), 5, window=2)
    assert len(store) == 5
    assert as_dict(store) == {}


def test_bad_settings():
    ids = np.zeros(3, dtype=np.int32)
    for wrong in ({"window": 0}, {"window": 1, "sides": "up"}, {"window": 1, "weighting": "square"}):
        with pytest.raises(UsageError):
            count(ids, 1, **wrong)


def test_stopping_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "ENTRIES_AT_ONCE", 1_000)

    class Stop(Report):
        calls = 0

        def stopping(self):
            self.calls += 1
            return "interrupt" if self.calls == 6 else None

    with pytest.raises(Interrupted):
        count(zipf_text(), 5_000, window=5, memory_bytes=4_000, threads=2, report=Stop(), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
