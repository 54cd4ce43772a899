"""A bidirectional LSTM that classifies: two readers, one from each end; what each unit saw at its strongest decides.

Hochreiter & Schmidhuber 1997, "Long Short-Term Memory", with the forget gate of Gers, Schmidhuber & Cummins 2000; two
directions as in Graves & Schmidhuber 2005. ``cell`` is one step as a textbook has it, for reading and for the trace;
``parts/lstm_cell.py`` is the same step with its gradient, fast, and ``parts/recurrent_layers.py`` goes through the texts with
it. Tests compare both with each other and with torch.nn.LSTM. Not here: peepholes, text, files, the training loop.

    i = σ(x W_i + h W_i' + b_i)      how much of the candidate is written
    f = σ(x W_f + h W_f' + b_f)      how much of the cell is kept
    o = σ(x W_o + h W_o' + b_o)      how much of the cell is shown
    g = tanh(x W_g + h W_g' + b_g)   the candidate
    c ← f ∘ c + i ∘ g                the cell: an additive path, along which gradients do not vanish while f ≈ 1
    h ← o ∘ tanh(c)                  the hidden state

The weights W, W' and b hold the four blocks in the order i f o g; all shapes are in ``parts/recurrent_network.py``, G = 4.
"""

from __future__ import annotations

import torch

from erya.parts.lstm_cell import LSTMCell
from erya.parts.recurrent_network import RecurrentNetwork

Tensors = tuple[torch.Tensor, ...]


class BiLSTM(RecurrentNetwork):
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
            LSTMCell(),
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
    """Weights that keep the signal's variance; forget gates that begin open."""
    hidden_width = recurrent.shape[1]
    into.normal_(0, len(into) ** -0.5, generator=generator)
    recurrent.normal_(0, hidden_width**-0.5, generator=generator)
    bias[:, hidden_width : 2 * hidden_width] = 1  # Jozefowicz et al. 2015: remember, until told otherwise


def cell(projected: torch.Tensor, hidden: torch.Tensor, memory: torch.Tensor, recurrent: torch.Tensor) -> Tensors:
    """One step as a textbook has it: gates i f o g, the new cell c and hidden state h; (n, H) each.

    Args:
        projected: x W + b, (n, 4H).
        hidden: h of the step before, (n, H).
        memory: c of the step before, (n, H).
        recurrent: W', (H, 4H).
    """
    i, f, o, g = (projected + hidden @ recurrent).chunk(4, dim=-1)
    i, f, o, g = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o), torch.tanh(g)
    memory = f * memory + i * g
    return i, f, o, g, memory, o * torch.tanh(memory)
