"""GPT's bend, with its derivative: a gate that is nearly 0 far below zero and nearly 1 far above.

Hendrycks & Gimpel 2016, "Gaussian Error Linear Units", in the approximation that GPT uses. With tanh(a) = 2σ(2a) − 1

    gelu(x) = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))) = x s        s = σ(2 √(2/π) (x + 0.044715 x³))
    gelu'(x) = s + x s (1 − s) · 2 √(2/π) (1 + 3 · 0.044715 x²)

a σ and a few products, which a processor does in half the time of a tanh and its derivative. A test compares with torch's own.
"""

from __future__ import annotations

import math

import torch

STEEP = 2 * math.sqrt(2 / math.pi)
CUBE = 0.044715


def bend(values: torch.Tensor) -> torch.Tensor:
    """Make gelu(x) of each number x, in place; the derivatives gelu'(x) are answered.

    Args:
        values: of any shape.
    """
    slopes = values * values
    gates = (slopes * (STEEP * CUBE)).add_(STEEP).mul_(values).sigmoid_()  # s
    values.mul_(gates)
    slopes.mul_(3 * STEEP * CUBE).add_(STEEP).mul_(values)  # x s · 2 √(2/π) (1 + …)
    return slopes.addcmul_(slopes, gates, value=-1).add_(gates)
