"""Powers and the logistic function for kernels: of sixteen numbers at once, or of one, in loops that a compiler turns to vectors."""

from __future__ import annotations

import numpy as np

from erya.kernel_cache import inlined
from erya.parts.simd import fma, minus, over, plus, raised, spread, times, within

ROUNDING = np.float32(1.5 * 2**23)  # a float32 this large has no digits behind the point


@inlined
def power_of_two(x: object) -> object:
    """2ˣ of 16 numbers, within 2·10⁻⁷ of it; below −126 the answer is that of −126, above 126 that of 126. NaN stays NaN.

    x = n + r, n whole: 2ⁿ is an exponent of a float, 2ʳ the first terms of its Taylor series, |r| ≤ ½.
    """
    x = within(x, spread(np.float32(-126)), spread(np.float32(126)))
    rounded = plus(x, spread(ROUNDING))
    r = minus(x, minus(rounded, spread(ROUNDING)))
    power = fma(r, spread(np.float32(1.5403530e-4)), spread(np.float32(1.3333558e-3)))  # (ln 2)ᵏ / k!
    power = fma(power, r, spread(np.float32(9.6181291e-3)))
    power = fma(power, r, spread(np.float32(5.5504109e-2)))
    power = fma(power, r, spread(np.float32(2.4022651e-1)))
    power = fma(power, r, spread(np.float32(6.9314718e-1)))
    power = fma(power, r, spread(np.float32(1)))
    return times(power, raised(rounded))


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


@inlined
def logistic(x: np.float32) -> np.float32:
    """1 / (1 + e⁻ˣ) of a float32, within 4·10⁻⁷; beyond ±18 the answer is that of ±18. NaN stays NaN.

    (1 + t)² / (2 (1 + t²)) with t = tanh(x/4) = n/b by the first terms of Lambert's continued fraction, which is exact where its
    argument is small: hence the quarter.
    """
    y = min(max(x * np.float32(0.25), np.float32(-4.5)), np.float32(4.5))
    q = y * y
    n = y * (((q + np.float32(378)) * q + np.float32(17325)) * q + np.float32(135135))
    b = ((np.float32(28) * q + np.float32(3150)) * q + np.float32(62370)) * q + np.float32(135135)
    whole = n + b
    return np.float32(0.5) * (whole * whole) / (b * b + n * n)
