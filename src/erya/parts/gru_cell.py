"""The fast step of a GRU and the way back through it, for ``recurrent_layers.py``.

    r = σ(x W_r + h W'_r + b_r)     u = σ(x W_u + h W'_u + b_u)
    k = tanh(x W_k + r ∘ (h W'_k) + b_k)
    h ← u ∘ h + (1 − u) ∘ k

Cho et al. 2014, equations 5 to 8 (their z is u, their h̃ is k). One thing differs: they reset h before the product,
(r ∘ h) W'_k; here, as in cuDNN and torch, after it, so that one product serves all three blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

Tensors = tuple[torch.Tensor, ...]


class GRUCell:
    """State: h. Blocks: r u k."""

    blocks = 3
    states = 1

    def scaled(self, weights: torch.Tensor) -> torch.Tensor:
        """The weights as they are."""
        return weights

    def step(
        self, sums: torch.Tensor, before: Tensors, recurrent: torch.Tensor, kept: list[torch.Tensor] | None
    ) -> Tensors:
        """The state h after the step, (R, n, H); see ``recurrent_layers.Cell``."""
        (h,), width = before, before[0].shape[-1]
        said = torch.bmm(h, recurrent)  # (R, n, 3H)
        gates = sums[..., : 2 * width].add_(said[..., : 2 * width]).sigmoid_()  # (R, n, 2H)
        r, u = gates.chunk(2, dim=-1)
        memory = said[..., 2 * width :]
        k = torch.addcmul(sums[..., 2 * width :], r, memory).tanh_()
        if kept is not None:
            kept += [gates, memory, k, h]
        return (torch.lerp(k, h, u),)  # k + u (h − k)

    def back(
        self, d_after: Tensors, kept: Sequence[torch.Tensor], recurrent: torch.Tensor, d_recurrent: torch.Tensor
    ) -> tuple[torch.Tensor, Tensors]:
        """Derivatives by the sums (R, n, 3H) and by h before the step."""
        (d_h,), (gates, memory, k, h) = d_after, kept
        r, u = gates.chunk(2, dim=-1)
        d_before = d_h * u
        d_k = torch.ops.aten.tanh_backward(d_h - d_before, k)  # by the sum within k
        d_gates = torch.cat([d_k * memory, d_h * (h - k)], dim=-1)
        d_gates = torch.ops.aten.sigmoid_backward(d_gates, gates)
        d_said = torch.cat([d_gates, d_k * r], dim=-1)  # by h W'
        d_recurrent.baddbmm_(h.transpose(1, 2), d_said)
        d_before = d_before.baddbmm_(d_said, recurrent.transpose(1, 2))
        return torch.cat([d_gates, d_k], dim=-1), (d_before,)
