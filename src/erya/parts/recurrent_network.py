"""A recurrent network that classifies, but for its cell: word vectors → layers of readers → one row a text → classes.

What the rooms of Elman's network, the GRU and the LSTM do alike. The equations are the cell's; how a layer is read without
padding is in ``recurrent_layers.py``.

    symbol        name         shape                      what
    x             vectors      (U, D)                     word vectors of the batch's distinct tokens
    W             input        (D, R, G·H)                from the word vector to the cell's sums, by reader
    W'            recurrent    (R, H, G·H)                from the hidden state to the sums
    b             bias         (R, G·H)
    h             packed       (M·R, H)                   hidden states at all M tokens
    z             features     (B, R·H)                   ``pooling`` of them
    y             logits       (B, C)                     z ``output`` + ``output_bias``

A second layer reads what both readers of the first one said at each token, W then is ``input_2`` (R·H, R, G·H), and so on.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from erya.parts.dropout import dropout
from erya.parts.network_loss import mean_loss
from erya.parts.recurrent_layers import Cell, Reading, read
from erya.parts.token_batches import TokenBatch

Weights = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class RecurrentNetwork(nn.Module):
    """A room's network gives ``start_layer`` its first weights and hands the cell over.

    Args:
        cell: the equations.
        vocabulary: V; id 0 is padding.
        dim: D.
        hidden_width: H, of each reader.
        classes: C.
        layers: one above the other.
        readers: R; 1: from the left; 2: one from each end.
        pooling: ``"max"``, ``"mean"`` or ``"last"``, see ``Reading.pooled``.
        dropout_rate: share dropped, while learning, of the word vectors' numbers, of what a layer hands to the next, and of
            the features.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(
        self,
        cell: Cell,
        vocabulary: int,
        dim: int,
        hidden_width: int,
        classes: int,
        *,
        layers: int = 1,
        readers: int = 2,
        pooling: str = "max",
        dropout_rate: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.cell, self.layers, self.readers = cell, layers, readers
        self.pooling, self.dropout_rate = pooling, dropout_rate
        sums = cell.blocks * hidden_width
        self.embedding = nn.Parameter(torch.zeros(vocabulary, dim))
        for layer in range(1, layers + 1):
            into = dim if layer == 1 else readers * hidden_width
            for name, shape in (
                ("input", (into, readers, sums)),
                ("recurrent", (readers, hidden_width, sums)),
                ("bias", (readers, sums)),
            ):
                self.register_parameter(_name(name, layer), nn.Parameter(torch.zeros(shape)))
        self.output = nn.Parameter(torch.zeros(readers * hidden_width, classes))
        self.output_bias = nn.Parameter(torch.zeros(classes))
        if generator is not None:
            self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Small random word vectors, weights that keep the signal's variance."""
        self.embedding[1:].normal_(0, 0.1, generator=generator)
        for layer in range(1, self.layers + 1):
            self.start_layer(*self.weights(layer), generator)
        self.output.normal_(0, len(self.output) ** -0.5, generator=generator)

    def start_layer(
        self, into: torch.Tensor, recurrent: torch.Tensor, bias: torch.Tensor, generator: torch.Generator
    ) -> None:
        """First weights of a layer, in place: W (D, R, G·H), W' (R, H, G·H), b (R, G·H)."""
        raise NotImplementedError

    def weights(self, layer: int) -> Weights:
        """W, W' and b of a layer; the first is 1."""
        into, recurrent, bias = (getattr(self, _name(name, layer)) for name in ("input", "recurrent", "bias"))
        return into, recurrent, bias

    def loss(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The mean loss of the batch, see ``network_loss.py``. With a generator, dropout is on."""
        return mean_loss(self(batch, generator), batch)

    def forward(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits (B, C)."""
        reading = Reading.of(batch.lengths, self.readers)
        features = reading.pooled(self.packed(batch, reading, generator), self.pooling)  # (B, R·H)
        return dropout(features, self.dropout_rate, generator) @ self.output + self.output_bias  # (B, C)

    def packed(self, batch: TokenBatch, reading: Reading, generator: torch.Generator | None = None) -> torch.Tensor:
        """The last layer's hidden states, (M·R, H)."""
        vectors = functional.embedding(batch.tokens, self.embedding, padding_idx=0, sparse=True)  # (U, D)
        inputs = dropout(vectors, self.dropout_rate, generator)
        packed = read(self.cell, inputs, batch.places, reading, self.weights(1))
        for layer in range(2, self.layers + 1):
            inputs = dropout(reading.in_text_order(packed), self.dropout_rate, generator)  # (M, R·H)
            packed = read(self.cell, inputs, reading.numbers(), reading, self.weights(layer))
        return packed


def _name(name: str, layer: int) -> str:
    return name if layer == 1 else f"{name}_{layer}"
