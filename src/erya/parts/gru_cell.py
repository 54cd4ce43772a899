"""The fast step of a GRU and the way back through it, for ``recurrent_layers.py`` and ``carried_layers.py``.

    r = σ(x W_r + h W'_r + b_r)     u = σ(x W_u + h W'_u + b_u)
    k = tanh(x W_k + r ∘ (h W'_k) + b_k)
    h ← u ∘ h + (1 − u) ∘ k

Cho et al. 2014, equations 5 to 8 (their z is u, their h̃ is k). One thing differs: they reset h before the product,
(r ∘ h) W'_k; here, as in cuDNN and torch, after it, so that one product serves all three blocks. Of float32 on a processor each way is
one pass, ``gru_kernels.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from erya.parts import gru_kernels
from erya.parts.products import in_one_pass

Tensors = tuple[torch.Tensor, ...]


class GRUCell:
    """State: h. Blocks: r u k."""

    blocks = 3
    states = 1

    def scaled(self, weights: torch.Tensor) -> torch.Tensor:
        """The weights as they are."""
        return weights

    def step(self, sums: torch.Tensor, said: torch.Tensor, before: Tensors, kept: list[torch.Tensor] | None) -> Tensors:
        """The state h after the step, (R, n, H); see ``recurrent_layers.Cell``."""
        (h,), width = before, before[0].shape[-1]
        if in_one_pass(sums, said, h):
            new = torch.empty_like(h)
            gru_kernels.step(sums.numpy(), said.numpy(), h.numpy(), new.numpy())
        else:
            gates = sums[..., : 2 * width].add_(said[..., : 2 * width]).sigmoid_()  # (R, n, 2H)
            r, u = gates.chunk(2, dim=-1)
            k = sums[..., 2 * width :].addcmul_(r, said[..., 2 * width :]).tanh_()
            new = torch.lerp(k, h, u)  # k + u (h − k)
        if kept is not None:
            kept += [sums, said, h]
        return (new,)

    def back(
        self, d_after: Tensors, kept: Sequence[torch.Tensor], d_sums: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor | None, ...]]:
        """Derivatives by h W', (R, n, 3H), and by the h that is taken over."""
        (d_h,), (found, said, h) = d_after, kept
        if in_one_pass(d_h, found, said, h, d_sums):
            d_said, d_before = torch.empty_like(said), torch.empty_like(h)
            given = (d_h, found, said, h, d_sums, d_said, d_before)
            gru_kernels.back(*(values.numpy() for values in given))
            return d_said, (d_before,)
        width = h.shape[-1]
        gates, k, memory = found[..., : 2 * width], found[..., 2 * width :], said[..., 2 * width :]
        r, u = gates.chunk(2, dim=-1)
        d_before = d_h * u
        d_k = torch.ops.aten.tanh_backward(d_h - d_before, k)  # by the sum within k
        d_gates = torch.cat([d_k * memory, d_h * (h - k)], dim=-1)
        d_gates = torch.ops.aten.sigmoid_backward(d_gates, gates)
        torch.cat([d_gates, d_k], dim=-1, out=d_sums)
        return torch.cat([d_gates, d_k * r], dim=-1), (d_before,)
