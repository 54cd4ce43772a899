"""Vector instructions against NumPy, lane by lane."""

from __future__ import annotations

import numpy as np
import pytest

from erya.kernel_cache import kernel
from erya.parts.simd import (
    LANES,
    between,
    fma,
    larger,
    largest,
    load,
    minus,
    over,
    padded,
    plus,
    prefetch,
    spread,
    spread_from,
    store,
    times,
    total,
    totals,
    turn,
    within,
)

Single = np.float32


def rows(number, seed=0):
    """(number, 2 LANES) float32 of very different sizes."""
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(number, 2 * LANES)) * 10.0 ** generator.integers(-3, 4, (number, 1))).astype(Single)


@kernel
def _copy(x, out):
    for row in range(x.shape[0]):
        prefetch(x, row, 0)
        for k in range(0, x.shape[1], LANES):
            store(out, row, k, load(x, row, k))


@kernel
def _shift(x, out):
    store(out, 0, 3, load(x, 1, 5))


@kernel
def _arithmetic(x, out):
    a, b, c = load(x, 0, LANES), load(x, 1, LANES), load(x, 2, LANES)
    store(out, 0, 0, plus(a, b))
    store(out, 1, 0, minus(a, b))
    store(out, 2, 0, times(a, b))
    store(out, 3, 0, over(a, b))
    store(out, 4, 0, fma(a, b, c))


@kernel
def _spread(value, out):
    store(out, 0, 0, spread(np.float32(value)))


@kernel
def _spread_from(x, row, column, out):
    store(out, 0, 0, spread_from(x, row, column))


@kernel
def _between(x, first, last, out):
    store(out, 0, 0, between(load(x, 0, 0), first, last, load(x, 1, 0)))


@kernel
def _larger(x, out):
    store(out, 0, 0, larger(load(x, 0, 0), load(x, 1, 0)))


@kernel
def _largest(x):
    return largest(load(x, 0, 0))


@kernel
def _turn(x, out):
    turn(x, 1, 3, out, 2, 5)


@kernel
def _within(x, low, high, out):
    store(out, 0, 0, within(load(x, 0, 0), spread(np.float32(low)), spread(np.float32(high))))


@kernel
def _total(x):
    return total(load(x, 0, 0))


@kernel
def _totals(x, out):
    store(
        out,
        0,
        0,
        totals(load(x, 0, 0), load(x, 1, 0), load(x, 2, 0), load(x, 3, 0), load(x, 4, 0), load(x, 5, 0)),
    )


def test_load_and_store():
    x = rows(5)
    out = np.zeros_like(x)
    _copy(x, out)
    assert np.array_equal(out, x)


def test_any_column_will_do_and_nothing_else_is_touched():
    x, out = rows(2), np.zeros((2, 2 * LANES), dtype=Single)
    _shift(x, out)
    assert np.array_equal(out[0, 3 : 3 + LANES], x[1, 5 : 5 + LANES])
    out[0, 3 : 3 + LANES] = 0
    assert not out.any()


def test_arithmetic_is_rounded_as_numpy_rounds():
    x, out = rows(3), np.zeros((5, LANES), dtype=Single)
    _arithmetic(x, out)
    a, b = x[:2, LANES:]
    for found, expected in zip(out[:4], (a + b, a - b, a * b, a / b), strict=True):
        assert np.array_equal(found, expected)


def test_fma_is_rounded_once():
    """A float64 product of two float32 is exact; a sum that cancels shows whether it was rounded in between."""
    a = np.full(LANES, 1 + 2.0**-12, dtype=Single)
    x = np.zeros((3, 2 * LANES), dtype=Single)
    x[0, LANES:], x[1, LANES:], x[2, LANES:] = a, a, -(a * a)
    out = np.zeros((5, LANES), dtype=Single)
    _arithmetic(x, out)
    exact = a.astype(float) * a + x[2, LANES:]
    assert np.array_equal(out[4], exact.astype(Single))
    assert out[4].all(), "the part that rounding would have lost"


def test_division_by_zero_and_not_a_number():
    x, out = np.zeros((3, 2 * LANES), dtype=Single), np.zeros((5, LANES), dtype=Single)
    x[0, LANES : LANES + 3] = 1, -1, np.nan
    _arithmetic(x, out)
    assert out[3, :2].tolist() == [np.inf, -np.inf]
    assert np.isnan(out[3, 2:]).all()  # 0 / 0 as well
    assert np.isnan(out[:, 2]).all()


@pytest.mark.parametrize("value", [0.0, -1.5, 0.1, np.inf])
def test_spread(value):
    out = np.zeros((1, LANES), dtype=Single)
    _spread(value, out)
    assert (out == Single(value)).all()


def test_spread_from():
    x, out = rows(3), np.zeros((1, LANES), dtype=Single)
    for row, column in ((0, 0), (2, 7), (1, 2 * LANES - 1)):
        _spread_from(x, row, column, out)
        assert (out == x[row, column]).all()


@pytest.mark.parametrize(("first", "last"), [(0, 15), (3, 3), (5, 4), (-20, 2), (12, 99), (-5, -1), (16, 40)])
def test_between(first, last):
    x, out = rows(2), np.zeros((1, LANES), dtype=Single)
    _between(x, first, last, out)
    lanes = np.arange(LANES)
    inside = (lanes >= first) & (lanes <= last)
    assert np.array_equal(out[0], np.where(inside, x[0, :LANES], x[1, :LANES]))


def test_larger_and_largest():
    x, out = rows(2), np.zeros((1, LANES), dtype=Single)
    _larger(x, out)
    assert np.array_equal(out[0], np.maximum(x[0, :LANES], x[1, :LANES]))
    for place in range(LANES):
        whole = -np.arange(1, LANES + 1, dtype=Single)[None]
        whole[0, place] = 3
        assert _largest(whole) == 3


def test_turn():
    x = np.random.default_rng(6).normal(size=(20, 40)).astype(Single)
    out = np.zeros((30, 25), dtype=Single)
    _turn(x, out)
    assert np.array_equal(out[2 : 2 + LANES, 5 : 5 + LANES], x[1 : 1 + LANES, 3 : 3 + LANES].T)
    out[2 : 2 + LANES, 5 : 5 + LANES] = 0
    assert not out.any()


def test_within():
    x, out = np.linspace(-4, 4, LANES, dtype=Single)[None, :].copy(), np.zeros((1, LANES), dtype=Single)
    x[0, 5:8] = np.nan, np.inf, -np.inf
    _within(x, -1.5, 2.0, out)
    assert np.array_equal(out, np.clip(x, Single(-1.5), Single(2)), equal_nan=True)
    assert np.isnan(out[0, 5])


def test_total():
    x = rows(1)
    assert _total(x) == pytest.approx(float(x[0, :LANES].astype(float).sum()), rel=1e-5)
    whole = np.arange(LANES, dtype=Single)[None, :].copy()
    assert _total(whole) == LANES * (LANES - 1) / 2


def test_the_order_of_additions_is_that_of_halves():
    x = rows(1, seed=3)[:, :LANES].copy()
    halves = x[0].copy()
    while len(halves) > 1:
        halves = halves[: len(halves) // 2] + halves[len(halves) // 2 :]
    assert _total(x) == halves[0]


def test_totals():
    x = np.random.default_rng(4).integers(-1000, 1000, (6, LANES)).astype(Single)  # whole numbers: every order is exact
    out = np.full((1, LANES), 7, dtype=Single)
    _totals(x, out)
    assert np.array_equal(out[0, :6], x.sum(axis=1))
    x[2, 9] = np.nan
    _totals(x, out)
    assert np.isnan(out[0, :6]).tolist() == [False, False, True, False, False, False]


def test_totals_give_the_same_bits_whatever_stands_beside():
    x = np.ascontiguousarray(rows(6, seed=5)[:, :LANES])
    first, second = np.zeros((1, LANES), dtype=Single), np.zeros((1, LANES), dtype=Single)
    _totals(x, first)
    np.testing.assert_allclose(first[0, :6], x.astype(float).sum(axis=1), rtol=1e-5, atol=1e-4)
    _totals(np.ascontiguousarray(x[[0, 3, 3, 0, 1, 1]]), second)
    assert second[0, :6].tolist() == first[0, [0, 3, 3, 0, 1, 1]].tolist()


@pytest.mark.parametrize(("width", "expected"), [(0, 0), (1, 16), (15, 16), (16, 16), (17, 32), (100, 112), (300, 304)])
def test_padded(width, expected):
    assert padded(width) == expected
