"""An LSTM's layer by torch's own kernel for a GPU, where a step of ours would be a dozen calls; the same equations as ``lstm_cell.py``.

It cannot let a state begin anew in the middle of a batch, nor weight the gradient on its way back. A test compares.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

Tensors = tuple[torch.Tensor, ...]


def carry_on(inputs: torch.Tensor, weights: Sequence[torch.Tensor], states: Tensors) -> tuple[torch.Tensor, Tensors]:
    """As ``carried_layers.carry_on``: hidden states (T, B, H) and the last states, without their gradient.

    Args:
        inputs: (T, B, D).
        weights: W (D, 1, 4H), W' (1, H, 4H), b (1, 4H), of the blocks i f o g.
        states: h and c before, (1, B, H).
    """
    into, recurrent, bias = weights
    turned = [_turned(into[:, 0]), _turned(recurrent[0]), _turned(bias[0]), torch.zeros_like(bias[0])]
    hidden, *last = torch.lstm(inputs, states, turned, True, 1, 0.0, True, False, False)
    return hidden, tuple(state.detach() for state in last)


def _turned(weights: torch.Tensor) -> torch.Tensor:
    """(…, 4H) of the blocks i f o g as torch wants it, (4H, …) of i f g o."""
    i, f, o, g = weights.chunk(4, dim=-1)
    return torch.cat([i, f, g, o], dim=-1).movedim(-1, 0).contiguous()
