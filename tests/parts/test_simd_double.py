"""Vector instructions on float64 against NumPy, lane by lane."""

from __future__ import annotations

import numpy as np

from erya.kernel_cache import kernel
from erya.parts.simd_double import EIGHT, exponential, inverted, load, narrowed, store, turned, widened


@kernel
def _all(values, singles, out, narrow):
    for row in range(len(values)):
        store(out, row, 0, exponential(load(values, row, 0)))
        store(out, row, EIGHT, inverted(load(values, row, 0)))
        narrowed(narrow, row, EIGHT, widened(singles, row, EIGHT))


@kernel
def _square(x, out):
    a, b, c, d, e, f, g, h = turned(
        load(x, 0, 0),
        load(x, 1, 0),
        load(x, 2, 0),
        load(x, 3, 0),
        load(x, 4, 0),
        load(x, 5, 0),
        load(x, 6, 0),
        load(x, 7, 0),
    )
    store(out, 0, 0, a)
    store(out, 1, 0, b)
    store(out, 2, 0, c)
    store(out, 3, 0, d)
    store(out, 4, 0, e)
    store(out, 5, 0, f)
    store(out, 6, 0, g)
    store(out, 7, 0, h)


def test_exponentials_inverses_and_single_precision():
    random = np.random.default_rng(0)
    values = random.normal(size=(50, EIGHT)) * 10.0 ** random.integers(-3, 3, (50, 1))
    values[0] = [0.0, 1.0, -1.0, 708.9, -707.9, -708.1, 709.1, -1e9]
    singles = random.normal(size=(50, 2 * EIGHT)).astype(np.float32)
    out, narrow = np.zeros((50, 2 * EIGHT)), np.zeros((50, 2 * EIGHT), np.float32)
    _all(values, singles, out, narrow)
    with np.errstate(over="ignore", divide="ignore"):
        wanted = np.where(values < -708, 0.0, np.where(values > 709, np.inf, np.exp(values)))
        np.testing.assert_array_max_ulp(out[:, :EIGHT], wanted, 2)
        assert np.array_equal(out[:, EIGHT:], np.where(values == 0, 0.0, 1 / values))
    assert np.array_equal(narrow[:, EIGHT:], singles[:, EIGHT:])
    assert not narrow[:, :EIGHT].any()


def test_rows_become_columns():
    x, out = np.arange(64.0).reshape(8, 8), np.zeros((8, 8))
    _square(x, out)
    assert np.array_equal(out, x.T)
