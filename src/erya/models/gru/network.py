"""A gated recurrent network that classifies: one state, and two gates that decide what of it is replaced.

Cho et al. 2014, "Learning Phrase Representations using RNN Encoder–Decoder for Statistical Machine Translation", equations
5 to 8. ``cell`` is one step as a textbook has it, for reading and for the trace; ``parts/gru_cell.py`` is the same step with
its gradient, fast, and ``parts/recurrent_layers.py`` goes through the texts with it. Tests compare both with each other and
with torch.nn.GRU. Not here: text, files, the training loop.

    r = σ(x W_r + h W_r' + b_r)            reset: how much of the past the candidate may see
    u = σ(x W_u + h W_u' + b_u)            update: how much of the state is kept
    k = tanh(x W_k + r ∘ (h W_k') + b_k)   the candidate
    h ← u ∘ h + (1 − u) ∘ k                a convex sum: what is written replaces what was there

In the paper u is z, k is h̃, and the reset comes before the product, (r ∘ h) W_k'. Here it comes after it, as in cuDNN and torch:
one product then serves all three blocks.

The weights W, W' and b hold the three blocks in the order r u k; all shapes are in ``parts/recurrent_network.py``, G = 3.
"""

from __future__ import annotations

import torch

from erya.parts.gru_cell import GRUCell
from erya.parts.recurrent_network import RecurrentNetwork

Tensors = tuple[torch.Tensor, ...]


class GatedNetwork(RecurrentNetwork):
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
    ) -> None:
        super().__init__(
            GRUCell(),
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
        first_weights(into, recurrent, bias, generator)


def first_weights(into: torch.Tensor, recurrent: torch.Tensor, bias: torch.Tensor, generator: torch.Generator) -> None:
    """Weights that keep the signal's variance; update gates that begin on the side of keeping."""
    hidden_width = recurrent.shape[1]
    into.normal_(0, len(into) ** -0.5, generator=generator)
    recurrent.normal_(0, hidden_width**-0.5, generator=generator)
    bias[:, hidden_width : 2 * hidden_width] = 1


def cell(projected: torch.Tensor, hidden: torch.Tensor, recurrent: torch.Tensor) -> Tensors:
    """One step as a textbook has it: gates r u, the candidate k and the new hidden state h; (n, H) each.

    Args:
        projected: x W + b, (n, 3H).
        hidden: h of the step before, (n, H).
        recurrent: W', (H, 3H).
    """
    (x_r, x_u, x_k), (h_r, h_u, h_k) = projected.chunk(3, dim=-1), (hidden @ recurrent).chunk(3, dim=-1)
    r, u = torch.sigmoid(x_r + h_r), torch.sigmoid(x_u + h_u)
    k = torch.tanh(x_k + r * h_k)
    return r, u, k, u * hidden + (1 - u) * k
