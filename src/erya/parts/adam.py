"""Adam (Kingma & Ba 2015) that leaves alone what a batch did not touch.

A batch touches a few hundred rows of an embedding of tens of thousands. Plain Adam walks through all of them at every step –
more work than a small network's own. Here a gradient that is sparse (``torch.nn.functional.embedding(…, sparse=True)``)
updates its rows only, and each row has a clock of its own: a word seen for the third time is corrected for bias as at step 3,
whatever step the others are at. Dense gradients are updated as in torch.optim.AdamW; a test compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from erya.parts.light_optimizer import LightOptimizer


class Adam(LightOptimizer):
    """Stochastic gradient descent, each number at its own pace: mean gradient over root mean square gradient.

        m ← β₁ m + (1 − β₁) g          v ← β₂ v + (1 − β₂) g²
        θ ← θ − η · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)

    Args:
        parameters: what is learned, or groups of it (dicts with ``params``, and with ``weight_decay`` where it is another one); contiguous.
            A sparse gradient must name each row once.
        learning_rate: η.
        weight_decay: θ ← (1 − η · weight_decay) θ before each step (Loshchilov & Hutter 2019); touched rows only where
            the gradient is sparse.
        beta2: β₂; β₁ is 0.9.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor] | Iterable[dict[str, Any]],
        learning_rate: float,
        *,
        weight_decay: float = 0.0,
        beta2: float = 0.999,
    ) -> None:
        super().__init__(
            parameters, {"lr": learning_rate, "weight_decay": weight_decay, "betas": (0.9, beta2), "eps": 1e-8}
        )
        for group in self.param_groups:
            for parameter in group["params"]:
                if not parameter.is_contiguous():
                    raise ValueError(f"a parameter of shape {tuple(parameter.shape)} is not contiguous")
                self.state[parameter] = {
                    "mean": torch.zeros_like(parameter),
                    "square": torch.zeros_like(parameter),
                    "clock": torch.zeros(len(parameter), device=parameter.device),  # steps that each row has taken
                }

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients that are there; forget nothing, clear nothing."""
        for group in self.param_groups:
            whole = []
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.grad.is_sparse:
                    _step_rows(parameter, parameter.grad, self.state[parameter], group)
                else:
                    whole.append(parameter)
            if whole:
                _step_all(whole, [self.state[parameter] for parameter in whole], group)


def _step_all(parameters: list[torch.Tensor], states: list[dict[str, Any]], group: dict[str, Any]) -> None:
    """All numbers of these, by torch's kernel, which passes over them once: op by op it takes four times as long."""
    (beta1, beta2), rate = group["betas"], group["lr"]
    torch._foreach_add_([state["clock"] for state in states], 1)
    torch._fused_adamw_(
        parameters,
        [parameter.grad.contiguous() for parameter in parameters if parameter.grad is not None],
        [state["mean"] for state in states],
        [state["square"] for state in states],
        [],
        [state["clock"][0] for state in states],
        lr=rate,
        beta1=beta1,
        beta2=beta2,
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        amsgrad=False,
        maximize=False,
    )


def _step_rows(parameter: torch.Tensor, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    (beta1, beta2), rate = group["betas"], group["lr"]
    rows, values = gradient._indices()[0], gradient._values()  # (U,), (U, D)
    clock = state["clock"][rows] + 1  # (U,)
    mean = state["mean"][rows].lerp_(values, 1 - beta1)  # (U, D)
    square = state["square"][rows].mul_(beta2).addcmul_(values, values, value=1 - beta2)  # (U, D)
    state["clock"][rows], state["mean"][rows], state["square"][rows] = clock, mean, square
    time = clock.double()[:, None]
    root = square.div(1 - beta2**time).sqrt_().add_(group["eps"])
    new = parameter[rows]
    if group["weight_decay"]:
        new.mul_(1 - rate * group["weight_decay"])
    parameter[rows] = new.sub_(mean.div_(1 - beta1**time).div_(root), alpha=rate)
