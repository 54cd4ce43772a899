"""A recurrent network that says what comes next, but for its cell: unit → vector → layers → a softmax over all units.

What the language models of Elman's network, the GRU and the LSTM do alike (Mikolov et al. 2010, "Recurrent neural network based language
model"; dropout between the layers and nowhere else as in Zaremba, Sutskever & Vinyals 2014).

    symbol   name         shape              what
    x        embedding    (V, D)             a vector for each unit
    W        input        (D, 1, G·H)        from the vector to the cell's sums; of the layers above (H, 1, G·H)
    W'       recurrent    (1, H, G·H)        from the hidden state to the sums
    b        bias         (1, G·H)
    h        hidden       (T, B, H)          states of the last layer
    P        projection   (H, D)             tied, and H ≠ D: brings h to the width of the vectors, h ← h P
    U        output       (V, H)             tied: U is ``embedding`` (Press & Wolf 2017; Inan, Khosravi & Socher 2017)
    a        output_bias  (V,)               begins with the logarithms of the units' frequencies
    y        logits       (T, B, V)          h Uᵀ + a
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from erya.parts import lstm_fused
from erya.parts.carried_layers import Tensors, carry_on, zeros
from erya.parts.dropout import dropout
from erya.parts.lstm_cell import LSTMCell
from erya.parts.recurrent_layers import Cell
from erya.parts.softmax_loss import SoftmaxLoss
from erya.parts.stream_batches import IGNORED, StreamBatch

Memory = tuple[Tensors, ...]  # of each layer the states (1, B, H)
Start = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Generator], None]


class Form(NamedTuple):
    """What a network looks like.

    Attributes:
        dim: D.
        hidden_width: H, of every layer.
        layers: one above the other.
        tied: whether the softmax uses the units' vectors.
        dropout: share dropped, while learning, of the vectors' numbers, of what a layer hands to the next, and of the last states.
        variational: whether the same numbers are dropped at every step of a batch (Gal & Ghahramani 2016).
        weight_dropout: share of W' that is dropped in a batch (Merity, Keskar & Socher 2018).
        initial_range: all weights begin uniform between minus this and this; None: each kind as the room says.
        over_borders: whether the state is carried from one document to the next.
    """

    dim: int
    hidden_width: int
    layers: int = 1
    tied: bool = False
    dropout: float = 0.0
    variational: bool = False
    weight_dropout: float = 0.0
    initial_range: float | None = None
    over_borders: bool = False


class RecurrentLanguage(nn.Module):
    """A room hands over its cell and how a layer begins.

    Args:
        cell: the equations.
        vocabulary: V; unit 0 is the border between documents.
        form: sizes and dropout.
        start: gives W (D, 1, G·H), W' (1, H, G·H), b (1, G·H) their first values, in place.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(
        self, cell: Cell, vocabulary: int, form: Form, start: Start, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.cell, self.form = cell, form
        self.embedding = nn.Parameter(torch.zeros(vocabulary, form.dim))
        for layer in range(1, form.layers + 1):
            into, width = form.dim if layer == 1 else form.hidden_width, form.hidden_width
            for name, shape in (
                ("input", (into, 1, cell.blocks * width)),
                ("recurrent", (1, width, cell.blocks * width)),
                ("bias", (1, cell.blocks * width)),
            ):
                self.register_parameter(f"{name}_{layer}", nn.Parameter(torch.zeros(shape)))
        narrowed = form.tied and form.hidden_width != form.dim
        self.projection = nn.Parameter(torch.zeros(form.hidden_width, form.dim)) if narrowed else None
        self.output = None if form.tied else nn.Parameter(torch.zeros(vocabulary, form.hidden_width))
        self.output_bias = nn.Parameter(torch.zeros(vocabulary))
        if generator is not None:
            self._start(start, generator)

    @torch.no_grad()
    def _start(self, start: Start, generator: torch.Generator) -> None:
        scope = self.form.initial_range
        if scope is not None:
            for name, values in self.named_parameters():
                if "bias" not in name:
                    values.uniform_(-scope, scope, generator=generator)
            return
        self.embedding.normal_(0, 0.1, generator=generator)
        for layer in range(1, self.form.layers + 1):
            start(*self.weights(layer), generator)
        if self.projection is not None:
            self.projection.normal_(0, len(self.projection) ** -0.5, generator=generator)
        if self.output is not None:
            self.output.normal_(0, 0.1, generator=generator)

    @torch.no_grad()
    def begin_with(self, counts: NDArray[np.int64]) -> None:
        """Let the softmax say at first how frequent each of the V units is, which else takes the first hundred steps."""
        if self.form.initial_range is None:
            shares = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
            self.output_bias.copy_(torch.from_numpy(np.log(shares)))

    def weights(self, layer: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """W, W' and b of a layer; the first is 1."""
        into, recurrent, bias = (getattr(self, f"{name}_{layer}") for name in ("input", "recurrent", "bias"))
        return into, recurrent, bias

    @property
    def table(self) -> torch.Tensor:
        """U (V, H), tied (V, D)."""
        return self.embedding if self.output is None else self.output

    def begin(self, rows: int) -> Memory:
        """The memory of B rows before their first unit."""
        return tuple(zeros(self.cell, rows, self.form.hidden_width) for _ in range(self.form.layers))

    def loss(
        self, batch: StreamBatch, memory: Memory, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, Memory]:
        """The sum of −ln p over the batch's units, divided by its ``share``; and the memory behind it. With a generator, dropout is on.

        Args:
            batch: B rows of T units.
            memory: of the batch before, or of ``begin``.
            generator: of dropout.
        """
        hidden, memory = self.read(batch.inputs, memory, resets=batch.resets, lift=batch.lift, generator=generator)
        hidden, targets = hidden.flatten(0, 1), batch.targets.flatten()
        if batch.units < len(targets):
            there = targets != IGNORED
            hidden, targets = hidden[there], targets[there]
        total: torch.Tensor = SoftmaxLoss.apply(hidden, self.table, self.output_bias, targets)  # type: ignore[no-untyped-call]
        return total / batch.share, memory

    def read(
        self,
        inputs: torch.Tensor,
        memory: Memory,
        *,
        resets: torch.Tensor | None = None,
        lift: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[torch.Tensor, Memory]:
        """What the softmax is given, the last layer's hidden states (T, B, H) or those projected, (T, B, D); and the memory behind them.

        Args:
            inputs: (T, B) units.
            memory: before them.
            resets: (T, B) where the memory is emptied before a unit is read.
            lift: see ``stream_batches.py``.
            generator: of dropout; None: no dropout.
        """
        form = self.form
        units, places = torch.unique(inputs, return_inverse=True)
        vectors = functional.embedding(units, self.embedding, sparse=self.output is not None)  # (U, D)
        if generator is not None and form.dropout:
            vectors, places = self._masked(functional.embedding(places, vectors), generator), None
        found: list[Tensors] = []
        for layer in range(1, form.layers + 1):
            into, recurrent, bias = self.weights(layer)
            weights = (into, dropout(recurrent, form.weight_dropout, generator), bias)
            before = memory[layer - 1]
            if isinstance(self.cell, LSTMCell) and torch.is_grad_enabled() and resets is None and lift == 1:
                # turning the weights costs more than it brings unless there is a way back
                read = vectors if places is None else functional.embedding(places, vectors)
                hidden, states = lstm_fused.carry_on(read, weights, before)
            else:
                hidden, states = carry_on(self.cell, vectors, places, weights, before, resets=resets, lift=lift)
            found.append(states)
            if layer < form.layers:
                vectors, places = self._masked(hidden, generator), None
        if self.projection is not None:
            hidden = hidden @ self.projection
        return self._masked(hidden, generator), tuple(found)

    def _masked(self, values: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        if generator is None or not self.form.dropout:
            return values
        if not self.form.variational:
            return dropout(values, self.form.dropout, generator)
        return values * dropout(torch.ones_like(values[:1]), self.form.dropout, generator)

    def log_probabilities(self, texts: Sequence[NDArray[np.int32]]) -> list[NDArray[np.float64]]:
        """See ``recurrent_scoring.log_probabilities``."""
        from erya.parts import recurrent_scoring

        return recurrent_scoring.log_probabilities(self, texts)

    def decoder(self) -> object:
        """See ``recurrent_scoring.RecurrentDecoder``."""
        from erya.parts import recurrent_scoring

        return recurrent_scoring.RecurrentDecoder(self)


def form_of(model: Any) -> Form:
    """The form of a model whose settings are checked, and have the names that they have in every recurrent room."""
    return Form(
        dim=model.dim,
        hidden_width=model.hidden_width,
        layers=model.layers,
        tied=model.tied,
        dropout=float(model.dropout),
        variational=model.variational,
        weight_dropout=float(model.weight_dropout),
        initial_range=model.initial_range,
        over_borders=model.over_borders,
    )
