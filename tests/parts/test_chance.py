"""Random numbers: the published sequence, uniform numbers, and alias tables that are exactly their distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erya.kernel_cache import kernel
from erya.parts.chance import AliasTable, alias_table, below, draw, next_number


@kernel
def _belows(stream, end, out):
    for place in range(len(out)):
        out[place] = below(stream, end)


@kernel
def _draws(table, stream, out):
    for place in range(len(out)):
        out[place] = draw(table, stream)


def numbers(seed, how_many):
    stream = np.array([seed], dtype=np.uint64)
    return [int(next_number(stream)) for _ in range(how_many)]


def chi_square(counts, expected):
    return float(((counts - expected) ** 2 / expected).sum())


def limit(free):
    """What chi-square with ``free`` degrees of freedom exceeds about once in a million times (Wilson & Hilferty 1931)."""
    return free * (1 - 2 / (9 * free) + 4.75 * np.sqrt(2 / (9 * free))) ** 3


def shares_of(table):
    """The distribution that the table stands for, by its columns: what each keeps, and what it gives to its other answer."""
    keep = table.keep.astype(np.float64) / 2.0**32
    shares = keep.copy()
    np.add.at(shares, table.other, 1 - keep)
    return shares / len(keep)


def test_published_numbers():
    """Of the reference implementation, for seed 1234567."""
    assert numbers(1234567, 5) == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_whoever_knows_the_seed_knows_the_stream():
    assert numbers(7, 4) == numbers(7, 4) != numbers(8, 4)


@pytest.mark.parametrize("end", [1, 2, 7, 100, 1000])
def test_below_is_uniform(end):
    found = np.empty(200_000, dtype=np.int64)
    _belows(np.array([5], dtype=np.uint64), end, found)
    assert found.min() >= 0
    assert found.max() < end
    counts = np.bincount(found, minlength=end)
    assert chi_square(counts, len(found) / end) <= (limit(end - 1) if end > 1 else 0)


def test_below_reaches_as_far_as_it_may():
    found = np.empty(1000, dtype=np.int64)
    _belows(np.array([5], dtype=np.uint64), 2**32, found)
    assert 0 <= found.min() < 2**26
    assert 2**32 - 2**26 < found.max() < 2**32


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200).filter(lambda weights: sum(weights) > 1e-3))
def test_a_table_is_exactly_its_distribution(weights):
    weights = np.array(weights)
    np.testing.assert_allclose(shares_of(alias_table(weights)), weights / weights.sum(), atol=1e-6)


def test_a_large_table_is_exactly_its_distribution():
    weights = 1 / np.arange(1, 200_001) ** 0.75
    np.testing.assert_allclose(shares_of(alias_table(weights)), weights / weights.sum(), atol=1e-9)


def test_draws_follow_the_weights():
    weights = np.array([1000.0, 400, 0, 90, 31, 30, 7, 2, 0])
    found = np.empty(400_000, dtype=np.int64)
    _draws(alias_table(weights), np.array([11], dtype=np.uint64), found)
    counts = np.bincount(found, minlength=len(weights))
    assert counts[weights == 0].tolist() == [0, 0]
    some = weights > 0
    assert chi_square(counts[some], (weights / weights.sum() * len(found))[some]) < limit(some.sum() - 1)


def test_one_word_is_always_drawn():
    found = np.empty(1000, dtype=np.int64)
    table = alias_table(np.array([3.0]))
    assert isinstance(table, AliasTable)
    _draws(table, np.array([1], dtype=np.uint64), found)
    assert not found.any()
