"""The logistic function of sixteen numbers at once, for kernels."""

from __future__ import annotations

import numpy as np

from erya.kernel_cache import inlined
from erya.parts.simd import fma, over, plus, spread, times, within


@inlined
def sigmoid(x: object) -> object:
    """1 / (1 + e⁻ˣ) of 16 numbers: (1 + tanh(x/2)) / 2, tanh by the first terms of Lambert's continued fraction.

    The error is below 4·10⁻⁶ everywhere; beyond ±18 the answer is that of ±18.
    """
    y = times(within(x, spread(np.float32(-18)), spread(np.float32(18))), spread(np.float32(0.5)))
    q = times(y, y)
    above = plus(q, spread(np.float32(990)))
    above = fma(above, q, spread(np.float32(135135)))
    above = fma(above, q, spread(np.float32(4729725)))
    above = fma(above, q, spread(np.float32(34459425)))
    under = fma(q, spread(np.float32(45)), spread(np.float32(13860)))
    under = fma(under, q, spread(np.float32(945945)))
    under = fma(under, q, spread(np.float32(16216200)))
    under = fma(under, q, spread(np.float32(34459425)))
    tanh = within(over(times(y, above), under), spread(np.float32(-1)), spread(np.float32(1)))
    return fma(tanh, spread(np.float32(0.5)), spread(np.float32(0.5)))
