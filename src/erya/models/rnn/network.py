"""Elman's recurrent network that classifies: the state of the step before is one more input of the next.

Elman 1990, "Finding Structure in Time" (there with a logistic unit; tanh since). ``cell`` is one step as a textbook has it,
for reading and for the trace; ``ElmanCell`` is the same step with its gradient, for the loop of ``parts/recurrent_layers.py``.
Tests compare both with each other and with torch.nn.RNN. Not here: text, files, the training loop.

    h ← tanh(x W + h W' + b)

The way back from step t to an earlier step k multiplies the gradient t − k times with W'ᵀ, each time shortened by tanh′ ≤ 1:

    ∂h_t/∂h_k = Π_{k < s ≤ t} diag(1 − h_s²) W'ᵀ

so W' begins orthogonal here, times ``recurrent_gain``: all its singular values are that number, and nothing but tanh shortens a
gradient where it is 1 (Saxe, McClelland & Ganguli 2014).

All shapes are in ``parts/recurrent_network.py``, G = 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from erya.parts.recurrent_network import RecurrentNetwork

Tensors = tuple[torch.Tensor, ...]


class ElmanCell:
    """The step and the way back, see ``recurrent_layers.Cell``. State: h. One block."""

    blocks = 1
    states = 1

    def scaled(self, weights: torch.Tensor) -> torch.Tensor:
        """The weights as they are."""
        return weights

    def step(self, sums: torch.Tensor, said: torch.Tensor, before: Tensors, kept: list[torch.Tensor] | None) -> Tensors:
        """The state h after the step, (R, n, H)."""
        new = sums.add_(said).tanh_()
        if kept is not None:
            kept.append(new)
        return (new,)

    def back(
        self, d_after: Tensors, kept: Sequence[torch.Tensor], d_sums: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor | None, ...]]:
        """Derivatives by h W', which are those by the sums; h stands nowhere else."""
        (d_h,), (new,) = d_after, kept
        d_sums.copy_(torch.ops.aten.tanh_backward(d_h, new))  # d_h (1 − h²)
        return d_sums, (None,)


class ElmanNetwork(RecurrentNetwork):
    """Word vectors → layers of readers → strongest, mean or last state → dropout → classes.

    Args:
        vocabulary: V; id 0 is padding.
        dim: D.
        hidden_width: H, of each reader.
        classes: C.
        dropout_rate: share of numbers dropped while learning.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
        layers: one above the other.
        readers: 1: from the left; 2: one from each end.
        pooling: ``"max"``, ``"mean"`` or ``"last"``.
        recurrent_gain: singular values that W' begins with.
    """

    def __init__(
        self,
        vocabulary: int,
        dim: int,
        hidden_width: int,
        classes: int,
        dropout_rate: float = 0.0,
        generator: torch.Generator | None = None,
        *,
        layers: int = 1,
        readers: int = 2,
        pooling: str = "max",
        recurrent_gain: float = 1.0,
    ) -> None:
        self.recurrent_gain = recurrent_gain
        super().__init__(
            ElmanCell(),
            vocabulary,
            dim,
            hidden_width,
            classes,
            layers=layers,
            readers=readers,
            pooling=pooling,
            dropout_rate=dropout_rate,
            generator=generator,
        )

    def start_layer(
        self, into: torch.Tensor, recurrent: torch.Tensor, bias: torch.Tensor, generator: torch.Generator
    ) -> None:
        """See ``first_weights``."""
        first_weights(into, recurrent, generator, self.recurrent_gain)


def first_weights(into: torch.Tensor, recurrent: torch.Tensor, generator: torch.Generator, gain: float = 1.0) -> None:
    """Weights that keep the signal's variance; W' orthogonal times the gain; no bias."""
    into.normal_(0, len(into) ** -0.5, generator=generator)
    for weights in recurrent:
        random = torch.empty_like(weights).normal_(generator=generator)
        weights.copy_(torch.linalg.qr(random)[0] * gain)


def cell(projected: torch.Tensor, hidden: torch.Tensor, recurrent: torch.Tensor) -> torch.Tensor:
    """One step as a textbook has it: the new hidden state, (n, H).

    Args:
        projected: x W + b, (n, H).
        hidden: h of the step before, (n, H).
        recurrent: W', (H, H).
    """
    return torch.tanh(projected + hidden @ recurrent)
