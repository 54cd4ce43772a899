"""Stochastic gradient descent, with momentum or without, or averaged, that leaves alone what a batch did not touch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from erya.parts.light_optimizer import LightOptimizer


class SGD(LightOptimizer):
    """v ← μ v + g, θ ← θ − η v (Polyak 1964; μ = 0: θ ← θ − η g), as torch.optim.SGD has it; a test compares.

    Of a gradient that is sparse (``torch.nn.functional.embedding(…, sparse=True)``) the rows that it has, without momentum: a row
    that comes once in a thousand steps has no direction to keep to.

    Args:
        parameters: what is learned, or groups of it, see ``adam.py``; a sparse gradient must name each row once.
        learning_rate: η.
        weight_decay: λ; g ← g + λ θ before each step; touched rows only where the gradient is sparse.
    """

    momentum = 0.0  # μ

    def __init__(
        self,
        parameters: Iterable[torch.Tensor] | Iterable[dict[str, Any]],
        learning_rate: float,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": learning_rate, "weight_decay": weight_decay})
        for group in self.param_groups if self.momentum else ():
            for parameter in group["params"]:
                self.state[parameter] = {"velocity": torch.zeros_like(parameter)}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients that are there; forget nothing, clear nothing."""
        for group in self.param_groups:
            rate, decay = group["lr"], group["weight_decay"]
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                if gradient.is_sparse:
                    rows, values = gradient._indices()[0], gradient._values()
                    old = parameter[rows]
                    parameter[rows] = old.sub(values.add(old, alpha=decay), alpha=rate)
                    continue
                pushed = gradient.add(parameter, alpha=decay) if decay else gradient
                if self.momentum:
                    pushed = self.state[parameter]["velocity"].mul_(self.momentum).add_(pushed)
                parameter.sub_(pushed, alpha=rate)


class Momentum(SGD):
    """With μ = 0.9."""

    momentum = 0.9


class AveragedSGD(SGD):
    """Whose weights wander about the minimum, and whose result is their mean, from a moment that is told (Polyak & Juditsky 1992).

    Each step after ``begin_averaging`` counts as much as any other: θ̄ ← θ̄ + (θ − θ̄) / n. The steps themselves go on from θ.
    """

    def begin_averaging(self) -> None:
        """From the next step on."""
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = {
                    "mean": torch.zeros_like(parameter),
                    "taken": torch.zeros((), device=parameter.device),
                }

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """As ``SGD``; and into the mean, where one is taken."""
        super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if state:
                    state["taken"] += 1
                    state["mean"].lerp_(parameter, 1 / float(state["taken"]))

    def averaging(self) -> bool:
        """Whether at least one step is in the mean."""
        states = [self.state[parameter] for group in self.param_groups for parameter in group["params"]]
        return any(state and bool(state["taken"]) for state in states)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it the parameters are their means, if there are any."""
        kept: list[tuple[torch.Tensor, torch.Tensor]] = []
        if self.averaging():
            for group in self.param_groups:
                kept += [(parameter, parameter.detach().clone()) for parameter in group["params"]]
            self._put([(parameter, self.state[parameter]["mean"]) for parameter, _ in kept])
        try:
            yield
        finally:
            self._put(kept)

    @staticmethod
    @torch.no_grad()
    def _put(weights: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
        for parameter, values in weights:
            parameter.copy_(values)
