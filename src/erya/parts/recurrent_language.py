"""A recurrent network that says what comes next, but for its cell: unit → vector → layers → a softmax over all units.

What the language models of Elman's network, the GRU and the LSTM do alike (Mikolov et al. 2010, "Recurrent neural network based language
model"; dropout between the layers and nowhere else as in Zaremba, Sutskever & Vinyals 2014; the other ways to hold a network back as in
Merity, Keskar & Socher 2018, "Regularizing and Optimizing LSTM Language Models", sections 4 and 5).

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

    loss = −Σ ln p + α · mean over H of m∘h_t² + β · mean over H of (h_t − h_{t−1})², summed over all t

m∘h is what the softmax is given, dropout's zeros in it; the second term wants a state to be small, the third to change slowly (section
4.4 there). Each layer has the width H but the last, which may have another: of the softmax's vectors, so that nothing stands between.
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
from erya.parts.softmax_loss import softmax_loss
from erya.parts.stream_batches import IGNORED, StreamBatch

Memory = tuple[Tensors, ...]  # of each layer the states (1, B, H)
Start = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Generator], None]


class Form(NamedTuple):
    """What a network looks like.

    Attributes:
        dim: D.
        hidden_width: H, of every layer.
        layers: one above the other.
        last_width: H of the last layer; None: as the others.
        tied: whether the softmax uses the units' vectors.
        dropout: share dropped, while learning, of the vectors' numbers, of what a layer hands to the next, and of the last states.
        layer_dropout: of what a layer hands to the next; None: ``dropout``.
        embedding_dropout: share of the units whose vectors are 0 for a whole batch, when they are read (Gal & Ghahramani 2016).
        variational: whether the same numbers are dropped at every step of a batch (Gal & Ghahramani 2016).
        weight_dropout: share of W' that is dropped in a batch.
        activation_penalty: α.
        change_penalty: β.
        initial_range: all weights begin uniform between minus this and this; None: each kind as the room says.
        over_borders: whether the state is carried from one document to the next.
    """

    dim: int
    hidden_width: int
    layers: int = 1
    last_width: int | None = None
    tied: bool = False
    dropout: float = 0.0
    layer_dropout: float | None = None
    embedding_dropout: float = 0.0
    variational: bool = False
    weight_dropout: float = 0.0
    activation_penalty: float = 0.0
    change_penalty: float = 0.0
    initial_range: float | None = None
    over_borders: bool = False

    def width(self, layer: int) -> int:
        """H of a layer; the first is 1."""
        return self.last_width if layer == self.layers and self.last_width is not None else self.hidden_width

    def between(self) -> float:
        """What is dropped between two layers."""
        return self.dropout if self.layer_dropout is None else self.layer_dropout


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
            into, width = form.dim if layer == 1 else form.width(layer - 1), form.width(layer)
            for name, shape in (
                ("input", (into, 1, cell.blocks * width)),
                ("recurrent", (1, width, cell.blocks * width)),
                ("bias", (1, cell.blocks * width)),
            ):
                self.register_parameter(f"{name}_{layer}", nn.Parameter(torch.zeros(shape)))
        last = form.width(form.layers)
        narrowed = form.tied and last != form.dim
        self.projection = nn.Parameter(torch.zeros(last, form.dim)) if narrowed else None
        self.output = None if form.tied else nn.Parameter(torch.zeros(vocabulary, last))
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
        return tuple(zeros(self.cell, rows, self.form.width(layer)) for layer in range(1, self.form.layers + 1))

    def loss(
        self, batch: StreamBatch, memory: Memory, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, Memory]:
        """The sum of −ln p over the batch's units, divided by its ``share``; and the memory behind it. With a generator there is
        dropout, and the penalties are added.

        Args:
            batch: B rows of T units.
            memory: of the batch before, or of ``begin``.
            generator: of dropout.
        """
        states, given, memory = self._passed(batch.inputs, memory, batch.resets, batch.lift, generator)
        extra = None if generator is None else self._penalty(states, given, batch.resets)
        hidden, targets = given.flatten(0, 1), batch.targets.flatten()
        if batch.units < len(targets):
            there = targets != IGNORED
            hidden, targets = hidden[there], targets[there]
        total = softmax_loss(hidden, self.table, self.output_bias, targets)
        return (total if extra is None else total + extra) / batch.share, memory

    def _penalty(
        self, states: torch.Tensor, given: torch.Tensor, resets: torch.Tensor | None = None
    ) -> torch.Tensor | None:
        """What is added to −Σ ln p: of the last layer's states (T, B, H), and of what the softmax was given of them."""
        form, found = self.form, []
        if form.activation_penalty:
            found.append(form.activation_penalty * given.square().sum() / given.shape[2])
        if form.change_penalty and len(states) > 1:
            changes = states[1:] - states[:-1]
            if resets is not None:  # a state that begins anew does not change
                changes = changes[~resets[1:]]
            found.append(form.change_penalty * changes.square().sum() / states.shape[2])
        return sum(found[1:], found[0]) if found else None

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
        _, given, memory = self._passed(inputs, memory, resets, lift, generator)
        return given, memory

    def _passed(
        self,
        inputs: torch.Tensor,
        memory: Memory,
        resets: torch.Tensor | None,
        lift: float,
        generator: torch.Generator | None,
    ) -> tuple[torch.Tensor, torch.Tensor, Memory]:
        """See ``read``; before its answers the last layer's hidden states, nothing dropped."""
        form = self.form
        units, places = torch.unique(inputs, return_inverse=True)
        vectors = functional.embedding(units, self.embedding, sparse=self.output is not None)  # (U, D)
        if generator is not None and form.embedding_dropout:
            vectors = vectors * dropout(vectors.new_ones(len(units), 1), form.embedding_dropout, generator)
        if generator is not None and form.dropout:
            vectors, places = self._masked(functional.embedding(places, vectors), form.dropout, generator), None
        found: list[Tensors] = []
        for layer in range(1, form.layers + 1):
            into, recurrent, bias = self.weights(layer)
            weights = (into, dropout(recurrent, form.weight_dropout, generator), bias)
            before = memory[layer - 1]
            if isinstance(self.cell, LSTMCell) and vectors.is_cuda and resets is None and lift == 1:
                read = vectors if places is None else functional.embedding(places, vectors)
                hidden, states = lstm_fused.carry_on(read, weights, before)
            else:
                hidden, states = carry_on(self.cell, vectors, places, weights, before, resets=resets, lift=lift)
            found.append(states)
            if layer < form.layers:
                vectors, places = self._masked(hidden, form.between(), generator), None
        given = hidden if self.projection is None else hidden @ self.projection
        return hidden, self._masked(given, form.dropout, generator), tuple(found)

    def _masked(self, values: torch.Tensor, share: float, generator: torch.Generator | None) -> torch.Tensor:
        if generator is None or not share:
            return values
        if not self.form.variational:
            return dropout(values, share, generator)
        return values * dropout(torch.ones_like(values[:1]), share, generator)

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
        last_width=model.last_width,
        tied=model.tied,
        dropout=float(model.dropout),
        layer_dropout=model.layer_dropout,
        embedding_dropout=float(model.embedding_dropout),
        variational=model.variational,
        weight_dropout=float(model.weight_dropout),
        activation_penalty=float(model.activation_penalty),
        change_penalty=float(model.change_penalty),
        initial_range=model.initial_range,
        over_borders=model.over_borders,
    )
