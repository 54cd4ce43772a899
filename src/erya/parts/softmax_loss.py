"""Softmax over a vocabulary and its cross-entropy, as one layer: the gradient is what the softmax said minus what came.

    logits y = h Uᵀ + a       (M, V)
    p = softmax(y)            loss = Σ_m − ln p_m[target_m]
    d y = p − 1[target]       so d h = d y U,  d U = d yᵀ h,  d a = Σ d y

Nothing of size M × V outlives a block of rows: the derivatives by h, U and a are made on the way
forward, while the probabilities are at hand.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from erya.parts.products import product

BLOCK = 1 << 20  # logits in memory at once: as many as lie near the processor


class SoftmaxLoss(torch.autograd.Function):
    """Σ −ln p of the targets, a number."""

    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, table: torch.Tensor, bias: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """Of h (M, H), U (V, H), a (V,) and M targets."""
        learning = any(ctx.needs_input_grad)
        d_states, d_table, d_bias = torch.empty_like(states), torch.zeros_like(table), torch.zeros_like(bias)
        loss = states.new_zeros(())
        for rows in _blocks(len(states), len(table)):
            some, wanted = states[rows], targets[rows]
            logits = product(some, table.T, bias)
            greatest, found = logits.amax(dim=1), logits.gather(1, wanted[:, None])[:, 0]
            shares = torch.softmax(logits, dim=1)
            # ln p = y − y_max + ln p_max: the share of the target itself may be too small to have a logarithm
            loss += (greatest - found - shares.amax(dim=1).log()).sum()
            if learning:
                shares[torch.arange(len(wanted)), wanted] -= 1
                d_states[rows] = product(shares, table)
                d_table.addmm_(shares.T, some)
                d_bias += shares.sum(dim=0)
        ctx.save_for_backward(d_states, d_table, d_bias)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """What was found on the way forward, times the loss's own gradient."""
        (d_loss,) = gradients
        return *(found * d_loss for found in ctx.saved_tensors), None


def softmax_loss(states: torch.Tensor, table: torch.Tensor, bias: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """``SoftmaxLoss``; within torch's autocast, where products of matrices are of half precision, torch's own, whose sums are not."""
    if torch.is_autocast_enabled(states.device.type):
        return functional.cross_entropy(functional.linear(states, table, bias).float(), targets, reduction="sum")
    if not torch.is_grad_enabled():  # torch tells a layer of its own what has a gradient, not whether one is wanted
        states, table, bias = states.detach(), table.detach(), bias.detach()
    total: torch.Tensor = SoftmaxLoss.apply(states, table, bias, targets)  # type: ignore[no-untyped-call]
    return total


def log_probabilities(
    states: torch.Tensor, table: torch.Tensor, bias: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Ln p of M targets, double (M,)."""
    found = torch.empty(len(states), dtype=torch.double)
    for rows in _blocks(len(states), len(table)):
        logits = product(states[rows], table.T, bias)
        found[rows] = logits.gather(1, targets[rows, None])[:, 0].double() - torch.logsumexp(logits, dim=1).double()
    return found


def _blocks(rows: int, width: int) -> list[slice]:
    size = max(1, BLOCK // width)
    return [slice(start, start + size) for start in range(0, rows, size)]
