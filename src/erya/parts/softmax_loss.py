"""Softmax over a vocabulary and its cross-entropy, as one layer: the gradient is what the softmax said minus what came.

    logits y = h Uᵀ + a       (M, V)
    p = softmax(y)            loss = Σ_m − ln p_m[target_m]
    d y = p − 1[target]       so d h = d y U,  d U = d yᵀ h,  d a = Σ d y

The derivatives by h, U and a are made on the way forward, while the probabilities are at hand. A block of rows is as large as stays near
the processor; what it says of U waits until a chunk of blocks is together, since a large matrix that is added to again and again is
slower than the product itself. Nothing of size M × V outlives a chunk.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from erya.parts.products import over_rows, product
from erya.parts.turned import turned

BLOCK = 1 << 20  # logits that are worked on at once: as many as lie near the processor
CHUNK = 16 * BLOCK  # logits in memory at once


class SoftmaxLoss(torch.autograd.Function):
    """Σ −ln p of the targets, a number."""

    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, table: torch.Tensor, bias: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """Of h (M, H), U (V, H), a (V,) and M targets."""
        learning = any(ctx.needs_input_grad)
        d_states, d_bias = torch.empty_like(states), torch.zeros_like(bias)
        d_across: torch.Tensor | None = None  # d Uᵀ (H, V): a wide result is found faster than a tall one
        loss = states.new_zeros(())
        for chunk in _blocks(len(states), len(table), CHUNK):
            inside, into = states[chunk], targets[chunk]
            kept = states.new_empty(len(inside), len(table)) if learning else None
            for rows in _blocks(len(inside), len(table)):
                some, wanted = inside[rows], into[rows]
                logits = product(some, table.T, bias)
                greatest, found = logits.amax(dim=1), logits.gather(1, wanted[:, None])[:, 0]
                shares = torch.softmax(logits, dim=1, out=None if kept is None else kept[rows])
                # ln p = y − y_max + ln p_max: the share of the target itself may be too small to have a logarithm
                loss += (greatest - found - shares.amax(dim=1).log()).sum()
                if learning:
                    shares[torch.arange(len(wanted)), wanted] -= 1
                    d_states[chunk][rows] = product(shares, table)
                    d_bias += shares.sum(dim=0)
            if kept is not None:
                more = over_rows(inside, kept)
                d_across = more if d_across is None else d_across.add_(more)
        ctx.save_for_backward(d_states, table.new_zeros(table.T.shape) if d_across is None else d_across, d_bias)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """What was found on the way forward, times the loss's own gradient."""
        (d_loss,) = gradients
        d_states, d_across, d_bias = ctx.saved_tensors
        return d_states * d_loss, turned(d_across).mul_(d_loss), d_bias * d_loss, None


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


def _blocks(rows: int, width: int, numbers: int = BLOCK) -> list[slice]:
    """So many rows together that they are no more than ``numbers`` numbers."""
    size = max(1, numbers // width)
    return [slice(start, start + size) for start in range(0, rows, size)]
