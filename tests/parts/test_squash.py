from __future__ import annotations

import numpy as np

from erya.kernel_cache import kernel
from erya.parts.simd import LANES, load, store
from erya.parts.squash import logistic, power_of_two


@kernel
def squashed(values, found):
    for place in range(len(values)):
        found[place] = logistic(values[place])


def test_the_logistic_function():
    values = np.concatenate([np.linspace(-50, 50, 20001), [np.inf, -np.inf, np.nan]]).astype(np.float32)
    found = np.empty_like(values)
    squashed(values, found)
    exact = 1 / (1 + np.exp(-values.astype(np.float64)))
    np.testing.assert_allclose(found[:-1], exact[:-1], atol=4e-7, rtol=0)
    assert np.isnan(found[-1])


@kernel
def raised(values, found):
    for column in range(0, values.shape[1], LANES):
        store(found, 0, column, power_of_two(load(values, 0, column)))


def test_powers_of_two():
    values = np.concatenate([np.linspace(-126, 126, 4096), np.arange(-126, 127), [0, 0, 0]]).astype(np.float32)[None]
    assert values.shape[1] % LANES == 0
    found = np.empty_like(values)
    raised(values, found)
    np.testing.assert_allclose(found, np.exp2(values.astype(np.float64)), rtol=2e-7)
    whole = values == np.round(values)
    assert np.array_equal(found[whole], np.exp2(values[whole])), "exact where nothing is rounded"


def test_powers_of_two_at_the_ends():
    values = np.array([[np.inf, -np.inf, 200, -200, -0.0, np.nan, -np.nan, 1] * 2], dtype=np.float32)
    values.view(np.uint32)[0, 5] = 0x7F800001  # a NaN whose digits are not those of most
    found = np.empty_like(values)
    raised(values, found)
    assert found[0, :5].tolist() == [2.0**126, 2.0**-126, 2.0**126, 2.0**-126, 1]
    assert np.isnan(found[0, 5:7]).all()
