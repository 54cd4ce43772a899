"""Dropout whose randomness is an argument: with a generator numbers are dropped, without one nothing happens.

No ``train()`` and ``eval()``: whether a network is learning is said by the caller in each call, and the generator's state
can be saved and continued (torch's own dropout draws from one generator that the whole process shares).
"""

from __future__ import annotations

import torch


def dropout(values: torch.Tensor, rate: float, generator: torch.Generator | None) -> torch.Tensor:
    """Each number becomes 0 with probability ``rate``; the others are divided by 1 − rate, so that the mean stays.

    Srivastava et al. 2014, "Dropout", in the inverted form: nothing is to be rescaled when predicting.

    Args:
        values: any shape.
        rate: 0 ≤ rate < 1.
        generator: where the choice is drawn from; None: ``values`` come back as they are.
    """
    if generator is None or rate == 0:
        return values
    kept = torch.empty_like(values, requires_grad=False).bernoulli_(1 - rate, generator=generator)
    return values * kept.mul_(1 / (1 - rate))
