"""Adadelta (Zeiler 2012) that leaves alone what a batch did not touch.

Kim 2014 trains with it. It needs no rate: each number's step is as long as its own recent steps were, in units of its own recent
gradients. As in ``adam.py``, of a sparse gradient only its rows are updated, and memory of the others does not fade
meanwhile. Dense gradients are updated as in torch.optim.Adadelta; a test compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from erya.parts.light_optimizer import LightOptimizer

DECAY = 0.95  # ρ and ε are those of the paper's section 4.1
EPSILON = 1e-6


class Adadelta(LightOptimizer):
    """Stochastic gradient descent with steps in the unit of what is learned (Zeiler 2012, "ADADELTA", algorithm 1).

        s ← ρ s + (1 − ρ) g²          mean square of the gradients
        δ = g · √(d + ε) / √(s + ε)
        d ← ρ d + (1 − ρ) δ²          mean square of the steps
        θ ← θ − η δ

    Args:
        parameters: what is learned; a sparse gradient must name each row once.
        learning_rate: η, 1 in the paper.
        weight_decay: θ ← (1 − η · weight_decay) θ before each step, as in ``adam.py``; touched rows only where the gradient is sparse.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], learning_rate: float, *, weight_decay: float = 0.0) -> None:
        super().__init__(parameters, {"lr": learning_rate, "weight_decay": weight_decay})
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = {
                    "square": torch.zeros_like(parameter),
                    "moved": torch.zeros_like(parameter),
                }

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients that are there; forget nothing, clear nothing."""
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                square, moved = self.state[parameter]["square"], self.state[parameter]["moved"]
                if gradient.is_sparse:
                    rows, values = gradient._indices()[0], gradient._values()  # (U,), (U, D)
                    new, some, steps = parameter[rows], square[rows], moved[rows]
                    _step(new, values, some, steps, group)
                    parameter[rows], square[rows], moved[rows] = new, some, steps
                else:
                    _step(parameter, gradient, square, moved, group)


def _step(
    value: torch.Tensor, gradient: torch.Tensor, square: torch.Tensor, moved: torch.Tensor, group: dict[str, Any]
) -> None:
    """Algorithm 1, in place; all four are of one shape."""
    if group["weight_decay"]:
        value.mul_(1 - group["lr"] * group["weight_decay"])
    square.mul_(DECAY).addcmul_(gradient, gradient, value=1 - DECAY)
    change = (moved + EPSILON).sqrt_().div_((square + EPSILON).sqrt_()).mul_(gradient)
    moved.mul_(DECAY).addcmul_(change, change, value=1 - DECAY)
    value.sub_(change, alpha=group["lr"])
