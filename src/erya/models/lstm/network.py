"""A bidirectional LSTM that classifies: two readers, one from each end; what each unit saw at its strongest decides.

Hochreiter & Schmidhuber 1997, "Long Short-Term Memory", with the forget gate of Gers, Schmidhuber & Cummins 2000; two
directions as in Graves & Schmidhuber 2005. Forward and backward pass are written out, from the equations: see
``read`` and ``Recurrence``. ``cell`` is the same step as a textbook has it, for reading and for the trace; tests compare both with
torch.nn.LSTM. Not here: several layers, peepholes, text, files, the training loop.

    i = σ(x W_i + h W_i' + b_i)      how much of the candidate is written
    f = σ(x W_f + h W_f' + b_f)      how much of the cell is kept
    o = σ(x W_o + h W_o' + b_o)      how much of the cell is shown
    g = tanh(x W_g + h W_g' + b_g)   the candidate
    c ← f ∘ c + i ∘ g                the cell: an additive path, along which gradients do not vanish while f ≈ 1
    h ← o ∘ tanh(c)                  the hidden state

    symbol        name        shape          what
    x_t           vectors     (U, D)         word vectors of the batch's distinct tokens
    W             input       (D, 2, 4H)     from word vector to the gates i f o g, by direction
    W'            recurrent   (2, H, 4H)     from hidden state to the gates
    b             bias        (2, 4H)
    i f o g       gates       (2, n, 4H)     of the n texts not yet finished at a step
    c_t           cell        (2, n, H)
    h_t           hidden      (T, 2, B, H)   all steps
    max_t h_t     features    (B, 2H)        each unit at its strongest
    y             logits      (B, C)         scores of the classes

Shapes: B texts, T tokens, U distinct tokens in the batch, V vocabulary, D word vector, H hidden width, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from erya.parts.dropout import dropout
from erya.parts.network_loss import mean_loss
from erya.parts.token_batches import TokenBatch

Tensors = tuple[torch.Tensor, ...]

STEPS_AT_ONCE = 1024  # when predicting


class BiLSTM(nn.Module):
    """Word vectors → a forward and a backward reader → max over time → dropout → classes.

    Args:
        vocabulary: V; id 0 is padding.
        dim: D.
        hidden_width: H, of each direction.
        classes: C.
        dropout_rate: share of the word vectors' numbers and of the features dropped while learning.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(
        self,
        vocabulary: int,
        dim: int,
        hidden_width: int,
        classes: int,
        dropout_rate: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.dropout_rate = dropout_rate
        self.embedding = nn.Parameter(torch.zeros(vocabulary, dim))
        self.input = nn.Parameter(torch.zeros(dim, 2, 4 * hidden_width))
        self.recurrent = nn.Parameter(torch.zeros(2, hidden_width, 4 * hidden_width))
        self.bias = nn.Parameter(torch.zeros(2, 4 * hidden_width))
        self.output = nn.Parameter(torch.zeros(2 * hidden_width, classes))
        self.output_bias = nn.Parameter(torch.zeros(classes))
        if generator is not None:
            self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Small random word vectors; weights that keep the signal's variance; forget gates that begin open."""
        dim, hidden_width = len(self.embedding[0]), self.recurrent.shape[1]
        self.embedding[1:].normal_(0, 0.1, generator=generator)
        self.input.normal_(0, dim**-0.5, generator=generator)
        self.recurrent.normal_(0, hidden_width**-0.5, generator=generator)
        self.bias[:, hidden_width : 2 * hidden_width] = 1  # Jozefowicz et al. 2015: remember, until told otherwise
        self.output.normal_(0, len(self.output) ** -0.5, generator=generator)

    def loss(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The mean loss of the batch, see ``network_loss.py``. With a generator, dropout is on."""
        return mean_loss(self(batch, generator), batch)

    def forward(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits (B, C)."""
        features = dropout(self.features(batch, generator), self.dropout_rate, generator)  # (B, 2H)
        return features @ self.output + self.output_bias  # (B, C)

    def features(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Each unit's greatest value over a text's own steps, (B, 2H); zeros for a text without tokens."""
        if torch.is_grad_enabled():
            pooled = strongest(self.hidden(batch, generator), batch.lengths)  # (2, B, H)
        else:
            pooled = self._strongest_in_pieces(batch)
        pooled = pooled.masked_fill((batch.lengths == 0)[:, None], 0.0)
        return pooled.transpose(0, 1).flatten(1)

    def hidden(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """h_t of both readers in the order they read, (T, 2, B, H): the backward one's first step is a text's last token.

        Zeros where a text has ended.
        """
        projected, recurrent = self._projected(batch, generator)
        counts = unfinished(batch.lengths, batch.places.shape[1])
        if not counts:
            return projected.new_zeros(0, 2, len(batch.lengths), self.recurrent.shape[1])
        steps = rows_of_steps(reading_order(batch.places, batch.lengths), counts)
        found: torch.Tensor = Recurrence.apply(  # type: ignore[no-untyped-call]
            projected, recurrent, steps, counts, len(batch.lengths)
        )
        return found

    def _strongest_in_pieces(self, batch: TokenBatch) -> torch.Tensor:
        """The same maximum (2, B, H) for predicting: memory is that of some steps, however long the text."""
        projected, recurrent = self._projected(batch, None)
        counts = unfinished(batch.lengths, batch.places.shape[1])
        order = reading_order(batch.places, batch.lengths)
        h = projected.new_zeros(2, len(batch.lengths), self.recurrent.shape[1])
        c, pooled = h, torch.full_like(h, -1.0)
        for start in range(0, len(counts), STEPS_AT_ONCE):
            some = counts[start : start + STEPS_AT_ONCE]
            steps = rows_of_steps(order[start : start + STEPS_AT_ONCE], some)
            n = some[0]  # texts that reach this piece
            hidden, h, c = read(projected, recurrent, steps, some, h[:, :n], c[:, :n], None)
            found = strongest(hidden, batch.lengths[:n] - start)
            pooled[:, :n] = torch.maximum(pooled[:, :n], found)
        return pooled

    def _projected(self, batch: TokenBatch, generator: torch.Generator | None) -> tuple[torch.Tensor, torch.Tensor]:
        """The sums x W + b of the batch's distinct tokens, (2U, 4H), and W' (2, H, 4H), both with the candidate doubled."""
        vectors = functional.embedding(batch.tokens, self.embedding, padding_idx=0, sparse=True)  # (U, D)
        vectors = dropout(vectors, self.dropout_rate, generator)
        hidden_width = self.recurrent.shape[1]
        # tanh(a) = 2σ(2a) − 1: with the candidate's weights doubled, one σ serves all four gates
        double = torch.ones(4 * hidden_width, dtype=vectors.dtype)
        double[3 * hidden_width :] = 2
        # what a token says to the gates is the same wherever it stands: once per distinct token
        projected = vectors @ (self.input * double).flatten(1) + (self.bias * double).flatten()  # (U, 2·4H)
        return projected.view(-1, 4 * hidden_width), self.recurrent * double


def unfinished(lengths: torch.Tensor, steps: int) -> list[int]:
    """How many texts are longer than t, for each step t that any text reaches. ``lengths`` descend."""
    counts = (lengths[:, None] > torch.arange(steps)).sum(dim=0)  # (T,)
    return [int(count) for count in counts if count]


def reading_order(places: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Which row of the projections each reader takes at each step, (T, 2, B): row 2u is token u for the forward reader,
    2u + 1 for the backward one. Both begin at step 0, so padding comes last for both, and is never read.
    """
    steps = torch.arange(places.shape[1])
    backward = (lengths[:, None] - 1 - steps).clamp(min=0)  # (B, T)
    both = torch.stack([places, places.gather(1, backward)])  # (2, B, T)
    return both.permute(2, 0, 1) * 2 + torch.arange(2)[:, None]  # (T, 2, B)


def rows_of_steps(order: torch.Tensor, counts: Sequence[int]) -> list[torch.Tensor]:
    """Of each step the rows that are read, (2n,): those of the n texts that have not ended."""
    return [rows[:, :count].flatten() for rows, count in zip(order, counts, strict=False)]


def strongest(hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Each unit's greatest value over a text's own steps, (2, B, H); −1 for a text that has none of these steps."""
    if len(hidden) == 0:
        return hidden.new_full(hidden.shape[1:], -1.0)
    outside = lengths <= torch.arange(len(hidden))[:, None]  # (T, B)
    return hidden.masked_fill(outside[:, None, :, None], -1.0).amax(dim=0)  # no hidden state is below −1


def cell(projected: torch.Tensor, hidden: torch.Tensor, memory: torch.Tensor, recurrent: torch.Tensor) -> Tensors:
    """One step as a textbook has it: gates i f o g, the new cell c and hidden state h; (n, H) each.

    Args:
        projected: x W + b, (n, 4H), not doubled.
        hidden: h of the step before, (n, H).
        memory: c of the step before, (n, H).
        recurrent: W', (H, 4H).
    """
    i, f, o, g = (projected + hidden @ recurrent).chunk(4, dim=-1)
    i, f, o, g = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o), torch.tanh(g)
    memory = f * memory + i * g
    return i, f, o, g, memory, o * torch.tanh(memory)


def read(
    projected: torch.Tensor,
    recurrent: torch.Tensor,
    steps: Sequence[torch.Tensor],
    counts: Sequence[int],
    h: torch.Tensor,
    c: torch.Tensor,
    kept: list[torch.Tensor] | None,
) -> Tensors:
    """Both readers over some steps: hidden states (T, 2, B, H), and h and c after the last one, (2, n, H).

    The candidate and the cell are squashed as tanh(a) = 2σ(2a) − 1; s and q below are these σ: g = 2s − 1, tanh(c) = 2q − 1.

    Args:
        projected: (2U, 4H), the candidate's part doubled.
        recurrent: W' (2, H, 4H), likewise.
        steps: of each step the rows of ``projected`` that are read, (2n,).
        counts: n of each step; texts stand longest first, so these are the first n.
        h, c: before the first step, (2, B, H).
        kept: takes what the backward pass needs of each step: gates, the cell before, q, h before.
    """
    hidden_width = recurrent.shape[1]
    result = projected.new_zeros(len(counts), *h.shape)
    for step, (rows, n) in enumerate(zip(steps, counts, strict=True)):
        h, c = h[:, :n], c[:, :n]
        gates = projected.index_select(0, rows).view(2, n, 4 * hidden_width)
        gates.baddbmm_(h, recurrent).sigmoid_()  # (2, n, 4H)
        i, f, o, s = gates.chunk(4, dim=-1)
        before = c
        c = (f * before).addcmul_(i, s, value=2).sub_(i)  # f c + i (2s − 1)
        q = (c * 2).sigmoid_()
        if kept is not None:
            kept += [gates, before, q, h]
        h = (o * q).mul_(2).sub_(o)  # o (2q − 1)
        result[step, :, :n] = h
    return result, h, c


class Recurrence(torch.autograd.Function):
    """``read`` from the first step to the last, and backpropagation through time, by hand."""

    @staticmethod
    def forward(
        ctx: Any,
        projected: torch.Tensor,
        recurrent: torch.Tensor,
        steps: Sequence[torch.Tensor],
        counts: Sequence[int],
        texts: int,
    ) -> torch.Tensor:
        """Hidden states (T, 2, B, H); see ``read``."""
        kept: list[torch.Tensor] = []
        zeros = projected.new_zeros(2, texts, recurrent.shape[1])
        result, _, _ = read(projected, recurrent, steps, counts, zeros, zeros, kept)
        ctx.save_for_backward(recurrent, *steps, *kept)
        ctx.counts, ctx.shape = counts, projected.shape
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """From the last step to the first; ``d_…`` is the derivative of the loss by …, before a gate's σ: ``d_gates``."""
        recurrent, *others = ctx.saved_tensors
        counts, (d_result,) = ctx.counts, gradients
        steps, kept = others[: len(counts)], others[len(counts) :]
        d_projected = d_result.new_zeros(ctx.shape)
        d_recurrent = torch.zeros_like(recurrent)
        d_h = d_c = d_result.new_zeros(2, 0, recurrent.shape[1])
        for step in range(len(counts) - 1, -1, -1):
            n, (gates, before, q, h) = counts[step], kept[4 * step : 4 * step + 4]
            # texts that end here have nothing behind this step: their gradients begin as zeros
            d_h, d_c = _widened(d_h, n) + d_result[step, :, :n], _widened(d_c, n)
            d_gates, d_c = _through_cell(d_h, d_c, gates, before, q)
            d_recurrent.baddbmm_(h.transpose(1, 2), d_gates)
            d_projected.index_add_(0, steps[step], d_gates.view(2 * n, -1))
            d_h = torch.bmm(d_gates, recurrent.transpose(1, 2))
        return d_projected, d_recurrent, None, None, None


def _through_cell(
    d_h: torch.Tensor, d_c: torch.Tensor, gates: torch.Tensor, before: torch.Tensor, q: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Derivatives by the gates' sums (2, n, 4H) and by the cell of the step before (2, n, H)."""
    i, f, o, s = gates.chunk(4, dim=-1)
    # h = o (2q − 1), q = σ(2c):  dh/dc = 4 o q (1 − q)
    d_c = d_c.add(torch.ops.aten.sigmoid_backward(d_h * o, q), alpha=4)
    squashed = torch.empty_like(gates)  # by i, f, o and s themselves
    d_i, d_f, d_o, d_s = squashed.chunk(4, dim=-1)
    torch.mul(d_c, s, out=d_i)
    d_i.mul_(2).sub_(d_c)  # by i: d_c (2s − 1)
    torch.mul(d_c, before, out=d_f)
    torch.mul(d_h, q, out=d_o)
    d_o.mul_(2).sub_(d_h)  # by o: d_h (2q − 1)
    torch.mul(d_c, i, out=d_s)
    d_s.mul_(2)
    return torch.ops.aten.sigmoid_backward(squashed, gates), d_c * f


def _widened(values: torch.Tensor, n: int) -> torch.Tensor:
    """(2, n, H): values (2, m, H) and n − m rows of zeros."""
    return functional.pad(values, (0, 0, 0, n - values.shape[1])) if values.shape[1] < n else values
