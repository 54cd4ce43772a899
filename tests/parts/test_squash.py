from __future__ import annotations

import numpy as np

from erya.kernel_cache import kernel
from erya.parts.squash import logistic


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
