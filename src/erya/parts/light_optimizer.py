"""An optimizer that does not bring torch's compiler along."""

from __future__ import annotations

import inspect
from typing import Any

import torch


class LightOptimizer(torch.optim.Optimizer):
    """torch's base of optimizers without what torch wraps around two of its methods.

    The wrapping imports its compiler at the first call, which takes 0.8 s and is of no use here.
    """

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As in torch."""
        inspect.unwrap(torch.optim.Optimizer.add_param_group)(self, param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As in torch."""
        inspect.unwrap(torch.optim.Optimizer.zero_grad)(self, set_to_none)
