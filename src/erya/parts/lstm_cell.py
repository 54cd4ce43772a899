"""The fast step of an LSTM and the way back through it, for ``recurrent_layers.py`` and ``carried_layers.py``.

    i, f, o = σ(x W_ifo + h W'_ifo + b)     g = tanh(x W_g + h W'_g + b)
    c ← f ∘ c + i ∘ g                       h ← o ∘ tanh(c)

Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000. Candidate and cell are squashed as
tanh(a) = 2σ(2a) − 1: with the candidate's weights doubled, one σ serves all four blocks. s and q are these σ: g = 2s − 1,
tanh(c) = 2q − 1. No peepholes. Of float32 on a processor each way is one pass, ``lstm_kernels.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from erya.parts import lstm_kernels
from erya.parts.products import in_one_pass

Tensors = tuple[torch.Tensor, ...]


class LSTMCell:
    """States: h and c. Blocks: i f o g."""

    blocks = 4
    states = 2

    def scaled(self, weights: torch.Tensor) -> torch.Tensor:
        """The candidate's columns doubled, (…, 4H)."""
        double = weights.new_ones(weights.shape[-1])
        double[len(double) // 4 * 3 :] = 2
        return weights * double

    def step(self, sums: torch.Tensor, said: torch.Tensor, before: Tensors, kept: list[torch.Tensor] | None) -> Tensors:
        """The states h and c after the step, (R, n, H); see ``recurrent_layers.Cell``."""
        c = before[1]
        if in_one_pass(sums, said, c):
            h, new, q = (torch.empty_like(c) for _ in range(3))
            lstm_kernels.step(sums.numpy(), said.numpy(), c.numpy(), new.numpy(), q.numpy(), h.numpy())
            gates = sums
        else:
            gates = sums.add_(said).sigmoid_()  # (R, n, 4H)
            i, f, o, s = gates.chunk(4, dim=-1)
            new = (f * c).addcmul_(i, s, value=2).sub_(i)  # f c + i (2s − 1)
            q = (new * 2).sigmoid_()
            h = (o * q).mul_(2).sub_(o)  # o (2q − 1)
        if kept is not None:
            kept += [gates, c, q]
        return h, new

    def back(
        self, d_after: Tensors, kept: Sequence[torch.Tensor], d_sums: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor | None, ...]]:
        """Derivatives by h W', which are those by the sums, and by c before the step; h stands in the sums alone."""
        (d_h, d_c), (gates, c, q) = d_after, kept
        if in_one_pass(d_h, d_c, gates, c, q, d_sums):
            d_before = torch.empty_like(c)
            given = (d_h, d_c, gates, c, q, d_sums, d_before)
            lstm_kernels.back(*(values.numpy() for values in given))
            return d_sums, (None, d_before)
        i, f, o, s = gates.chunk(4, dim=-1)
        # h = o (2q − 1), q = σ(2c):  dh/dc = 4 o q (1 − q)
        d_c = d_c.add(torch.ops.aten.sigmoid_backward(d_h * o, q), alpha=4)
        squashed = torch.empty_like(gates)  # by i, f, o and s themselves
        d_i, d_f, d_o, d_s = squashed.chunk(4, dim=-1)
        torch.mul(d_c, s, out=d_i)
        d_i.mul_(2).sub_(d_c)  # by i: d_c (2s − 1)
        torch.mul(d_c, c, out=d_f)
        torch.mul(d_h, q, out=d_o)
        d_o.mul_(2).sub_(d_h)  # by o: d_h (2q − 1)
        torch.mul(d_c, i, out=d_s)
        d_s.mul_(2)
        d_sums.copy_(torch.ops.aten.sigmoid_backward(squashed, gates))
        return d_sums, (None, d_c * f)
