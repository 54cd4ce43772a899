"""The fast step of an LSTM and the way back through it, for ``recurrent_layers.py``.

    i, f, o = σ(x W_ifo + h W'_ifo + b)     g = tanh(x W_g + h W'_g + b)
    c ← f ∘ c + i ∘ g                       h ← o ∘ tanh(c)

Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000. Candidate and cell are squashed as
tanh(a) = 2σ(2a) − 1: with the candidate's weights doubled, one σ serves all four blocks. s and q are these σ: g = 2s − 1,
tanh(c) = 2q − 1. No peepholes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

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

    def step(
        self, sums: torch.Tensor, before: Tensors, recurrent: torch.Tensor, kept: list[torch.Tensor] | None
    ) -> Tensors:
        """The states h and c after the step, (R, n, H); see ``recurrent_layers.Cell``."""
        h, c = before
        gates = sums.baddbmm_(h, recurrent).sigmoid_()  # (R, n, 4H)
        i, f, o, s = gates.chunk(4, dim=-1)
        new = (f * c).addcmul_(i, s, value=2).sub_(i)  # f c + i (2s − 1)
        q = (new * 2).sigmoid_()
        if kept is not None:
            kept += [gates, c, q, h]
        return (o * q).mul_(2).sub_(o), new  # o (2q − 1)

    def back(
        self, d_after: Tensors, kept: Sequence[torch.Tensor], recurrent: torch.Tensor, d_recurrent: torch.Tensor
    ) -> tuple[torch.Tensor, Tensors]:
        """Derivatives by the sums (R, n, 4H) and by h and c before the step."""
        (d_h, d_c), (gates, c, q, h) = d_after, kept
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
        d_sums = torch.ops.aten.sigmoid_backward(squashed, gates)
        d_recurrent.baddbmm_(h.transpose(1, 2), d_sums)
        return d_sums, (torch.bmm(d_sums, recurrent.transpose(1, 2)), d_c * f)
