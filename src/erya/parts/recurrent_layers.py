"""Recurrent layers over texts of different lengths, given a cell: reading, backpropagation through time, what is kept of it.

No step is computed for padding, and nothing is as long as the longest text: the hidden states of a batch are *packed*. Texts
stand longest first, so those that have not ended before step t are the first n_t, and the states of a step are n_t rows.

    token table   x W + b                       (N, R, G·H)   what a token says to the gates; each distinct token once
    step t        states ← cell(table[rows_t] , states W')    of R readers × n_t texts
    packed        hidden states, step by step   (M·R, H)      M tokens of the batch; within a step reader by reader

Both readers begin at step 0, the backward one at each text's own last token, so that one product serves both. The loop and
its gradient are here, and know no equations: these are the cell's. See ``lstm_cell.py`` and ``gru_cell.py``.

Shapes: B texts, T steps, U distinct tokens, D width of the input, H hidden width, R readers (1: forward; 2: and backward),
G blocks of H in a cell's sums, n texts not yet finished at a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch

from erya.parts.products import products

Tensors = tuple[torch.Tensor, ...]


class Cell(Protocol):
    """One step of a recurrent layer and the way back through it. Holds no weights: their products are the loop's."""

    blocks: int  # G: how many sums of width H a step takes
    states: int  # what is handed on from step to step: the hidden state, for an LSTM the memory too

    def scaled(self, weights: torch.Tensor) -> torch.Tensor:
        """Weights (…, G·H) as ``step`` wants their products."""

    def step(self, sums: torch.Tensor, said: torch.Tensor, before: Tensors, kept: list[torch.Tensor] | None) -> Tensors:
        """The states after a step, (R, n, H) each, the hidden state first.

        Args:
            sums: x W + b, (R, n, G·H), the cell's own: it may write into it.
            said: h W', (R, n, G·H), the cell's own.
            before: the states before, (R, n, H) each.
            kept: takes what ``back`` needs, as many tensors at every step.
        """

    def back(
        self, d_after: Tensors, kept: Sequence[torch.Tensor], d_sums: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor | None, ...]]:
        """The way back through the step.

        Args:
            d_after: by the states after it, (R, n, H) each.
            kept: what ``step`` kept.
            d_sums: takes the derivative by the sums, (R, n, G·H).

        Returns:
            The derivatives by h W', (R, n, G·H), which may be ``d_sums`` itself, and by the states before the step, but for what
            reaches h through that product; None: nothing else does.
        """


@dataclass(frozen=True, slots=True)
class Reading:
    """In which order R readers go through a batch.

    Attributes:
        lengths: (B,) tokens of each text, descending.
        counts: n_t of each of the T steps.
        readers: R.
    """

    lengths: torch.Tensor
    counts: list[int]
    readers: int

    @classmethod
    def of(cls, lengths: torch.Tensor, readers: int) -> Self:
        """Of texts with these lengths (B,), longest first."""
        steps = int(lengths[0]) if len(lengths) else 0
        return cls(lengths, unfinished(lengths, steps), readers)

    def rows(self, places: torch.Tensor) -> list[torch.Tensor]:
        """Which rows of a token table each step reads, (R·n,) each.

        Args:
            places: (B, T) the table's token at each place of each text.
        """
        order = reading_order(places, self.lengths, self.readers)
        return [some[:, :count].flatten() for some, count in zip(order, self.counts, strict=False)]

    def _starts(self) -> torch.Tensor:
        """(T + 1,) the first packed row of each step."""
        counts = torch.tensor([0, *self.counts])
        return counts.cumsum(0) * self.readers

    def numbers(self) -> torch.Tensor:
        """(B, T) the number of each token, counted text by text: ``places`` for a layer that reads ``in_text_order``."""
        first = self.lengths.cumsum(0) - self.lengths
        steps = torch.arange(len(self.counts))
        return torch.where(steps < self.lengths[:, None], first[:, None] + steps, 0)

    def in_text_order(self, packed: torch.Tensor) -> torch.Tensor:
        """(M, R·H): the hidden states of both readers side by side, token by token, text by text."""
        lengths = self.lengths
        text = torch.repeat_interleave(torch.arange(len(lengths)), lengths)  # (M,)
        place = torch.arange(len(text)) - (lengths.cumsum(0) - lengths)[text]
        counts, starts = torch.tensor([*self.counts, 0]), self._starts()
        steps = (place, lengths[text] - 1 - place)[: self.readers]
        rows = [starts[step] + reader * counts[step] + text for reader, step in enumerate(steps)]
        return packed[torch.stack(rows, dim=1)].flatten(1)

    def padded(self, packed: torch.Tensor) -> torch.Tensor:
        """(B, T, R·H): the same with zeros beyond a text's end."""
        width = self.readers * packed.shape[1]
        inside = torch.arange(len(self.counts)) < self.lengths[:, None]  # (B, T)
        result = packed.new_zeros(len(self.lengths), len(self.counts), width)
        return result.masked_scatter(inside[..., None], self.in_text_order(packed))

    def pooled(self, packed: torch.Tensor, pooling: str) -> torch.Tensor:
        """What is kept of each text, (B, R·H); zeros for a text without tokens.

        Args:
            packed: (M·R, H).
            pooling: ``"max"``: each unit at its strongest; ``"mean"``: its mean; ``"last"``: each reader's last state, which
                for the backward one is that at the text's first token.
        """
        texts, width = len(self.lengths), packed.shape[1]
        if not self.counts:
            return packed.new_zeros(texts, self.readers * width)
        if pooling == "max":
            found = Strongest.apply(packed, self.counts, texts, self.readers)  # type: ignore[no-untyped-call]
        elif pooling == "mean":
            owners = [torch.arange(self.readers)[:, None] * texts + torch.arange(count) for count in self.counts]
            owner = torch.cat([some.flatten() for some in owners])  # (M·R,)
            total = packed.new_zeros(self.readers * texts, width).index_add(0, owner, packed)
            found = total.view(self.readers, texts, width) / self.lengths.clamp(min=1)[:, None]
        else:
            counts, steps = torch.tensor(self.counts), (self.lengths - 1).clamp(min=0)
            first = self._starts()[steps] + torch.arange(texts)
            rows = first + torch.arange(self.readers)[:, None] * counts[steps]  # (R, B)
            # a text without tokens has no row: any will do, it is cleared below
            found = packed[rows.clamp(max=len(packed) - 1)]
        cleared: torch.Tensor = found.masked_fill((self.lengths == 0)[:, None], 0.0)
        return cleared.transpose(0, 1).flatten(1)


def unfinished(lengths: torch.Tensor, steps: int) -> list[int]:
    """How many texts are longer than t, for each step t that any text reaches. ``lengths`` descend."""
    if len(lengths) == 0 or steps == 0:
        return []
    ended = torch.bincount(lengths, minlength=steps + 1).cumsum(0)[:steps]  # texts of t tokens or fewer
    counts: list[int] = (len(lengths) - ended).tolist()
    return [count for count in counts if count]


def reading_order(places: torch.Tensor, lengths: torch.Tensor, readers: int = 2) -> torch.Tensor:
    """Which row of a token table (N·R, …) each reader takes at each step, (T, R, B): row R·u is token u for the forward
    reader, R·u + 1 for the backward one. Both begin at step 0, so padding comes last for both, and is never read.
    """
    steps = torch.arange(places.shape[1])
    ways = [places]
    if readers == 2:
        backward = (lengths[:, None] - 1 - steps).clamp(min=0)  # (B, T)
        ways.append(places.gather(1, backward))
    return torch.stack(ways).permute(2, 0, 1) * readers + torch.arange(readers)[:, None]  # (T, R, B)


def read(
    cell: Cell,
    inputs: torch.Tensor,
    places: torch.Tensor,
    reading: Reading,
    weights: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """One layer: the packed hidden states (M·R, H). Differentiable by ``inputs`` and ``weights``.

    Args:
        cell: the equations.
        inputs: (N, D): the vectors of the batch's distinct tokens, or for a layer above another ``in_text_order`` of it.
        places: (B, T) where in ``inputs`` each token stands: ``batch.places``, or for a layer above ``reading.numbers()``.
        reading: of the batch.
        weights: W (D, R, G·H), W' (R, H, G·H), b (R, G·H).
    """
    into, recurrent, bias = weights
    # what a token says to the gates is the same wherever it stands: once per distinct token
    projected = inputs @ cell.scaled(into).flatten(1) + cell.scaled(bias).flatten()  # (N, R·G·H)
    projected = projected.view(-1, bias.shape[1])
    rows = reading.rows(places) if reading.counts else []
    found: torch.Tensor = Recurrence.apply(  # type: ignore[no-untyped-call]
        cell, projected, cell.scaled(recurrent), rows, reading.counts, len(reading.lengths)
    )
    return found


class Recurrence(torch.autograd.Function):
    """A cell from the first step to the last, and backpropagation through time."""

    @staticmethod
    def forward(
        ctx: Any,
        cell: Cell,
        projected: torch.Tensor,
        recurrent: torch.Tensor,
        rows: Sequence[torch.Tensor],
        counts: Sequence[int],
        texts: int,
    ) -> torch.Tensor:
        """Packed hidden states (M·R, H).

        Args:
            cell: the equations.
            projected: the token table, (N·R, G·H).
            recurrent: W' (R, H, G·H).
            rows: of each step the rows of ``projected`` that are read, (R·n,).
            counts: n of each step.
            texts: B.
        """
        readers, width, _ = recurrent.shape
        learning = any(ctx.needs_input_grad)
        kept: list[torch.Tensor] = []
        before: list[torch.Tensor] = []  # h at the beginning of each step
        states = (projected.new_zeros(readers, texts, width),) * cell.states
        result = projected.new_empty(readers * sum(counts), width)
        end = 0
        for chosen, n in zip(rows, counts, strict=True):
            sums = projected.index_select(0, chosen).view(readers, n, -1)
            states = tuple(_first(state, n) for state in states)
            if learning:
                before.append(states[0])
            states = cell.step(sums, products(states[0], recurrent), states, kept if learning else None)
            start, end = end, end + readers * n
            result[start:end].view(readers, n, width).copy_(states[0])
        ctx.save_for_backward(recurrent, *rows, *before, *kept)
        ctx.cell, ctx.counts, ctx.shape = cell, counts, projected.shape
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """From the last step to the first; ``d_…`` is the derivative of the loss by …."""
        recurrent, *others = ctx.saved_tensors
        cell, counts, (d_result,) = ctx.cell, ctx.counts, gradients
        rows, before, kept = others[: len(counts)], others[len(counts) : 2 * len(counts)], others[2 * len(counts) :]
        each = len(kept) // max(len(counts), 1)
        readers, width, _ = recurrent.shape
        d_projected = d_result.new_zeros(ctx.shape)
        d_said: list[torch.Tensor] = []
        turned = recurrent.transpose(1, 2).contiguous()  # read once a step
        d_states: Tensors = (d_result.new_zeros(readers, 0, width),) * cell.states
        end = len(d_result)
        for step in range(len(counts) - 1, -1, -1):
            n = counts[step]
            start, end = end - readers * n, end
            # texts that end here have nothing behind this step: their gradients begin as zeros
            d_hidden, *d_more = (_widened(values, n) for values in d_states)
            d_hidden = d_hidden + d_result[start:end].view(readers, n, width)
            d_sums = d_result.new_empty(readers, n, ctx.shape[1])
            by_said, d_before = cell.back((d_hidden, *d_more), kept[each * step : each * (step + 1)], d_sums)
            d_states = through(products(by_said, turned), d_before)
            d_projected.index_add_(0, rows[step], d_sums.view(readers * n, -1))
            d_said.append(by_said)
            end = start
        if not d_said:
            return None, d_projected, torch.zeros_like(recurrent), None, None, None
        # W' stands in every step: one product of all its inputs and derivatives, instead of a sum of as many as there are steps
        d_recurrent = products(torch.cat(before, dim=1).transpose(1, 2), torch.cat(d_said[::-1], dim=1))
        return None, d_projected, d_recurrent, None, None, None


def through(d_h: torch.Tensor, d_before: Sequence[torch.Tensor | None]) -> Tensors:
    """The derivatives by the states before a step, (R, n, H) each, given that by h through the product and those of ``Cell.back``."""
    direct, *others = d_before
    return (d_h if direct is None else d_h.add_(direct), *(values for values in others if values is not None))


def _first(values: torch.Tensor, n: int) -> torch.Tensor:
    """(R, n, H) of (R, m, H), contiguous."""
    return values if values.shape[1] == n else values[:, :n].contiguous()


class Strongest(torch.autograd.Function):
    """Each unit's greatest value over a text's own steps; where several steps share it, so do they the gradient."""

    @staticmethod
    def forward(ctx: Any, packed: torch.Tensor, counts: Sequence[int], texts: int, readers: int) -> torch.Tensor:
        """(R, B, H) of packed states (M·R, H); −1, which no hidden state is below, for a text without tokens."""
        found = packed.new_full((readers, texts, packed.shape[1]), -1.0)
        end = 0
        for n in counts:
            start, end = end, end + readers * n
            some = found[:, :n]
            torch.maximum(some, packed[start:end].view(readers, n, -1), out=some)
        ctx.save_for_backward(packed, found)
        ctx.counts, ctx.readers = counts, readers
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """To the steps that hold the maximum."""
        packed, found = ctx.saved_tensors
        shares, end = torch.zeros_like(found), 0
        equal: list[torch.Tensor] = []
        for n in ctx.counts:
            start, end = end, end + ctx.readers * n
            equal.append(packed[start:end].view(ctx.readers, n, -1) == found[:, :n])
            shares[:, :n] += equal[-1]
        d_found = gradients[0] / shares
        d_packed, end = torch.empty_like(packed), 0
        for n, same in zip(ctx.counts, equal, strict=True):
            start, end = end, end + ctx.readers * n
            torch.mul(d_found[:, :n], same, out=d_packed[start:end].view(ctx.readers, n, -1))
        return d_packed, None, None, None


def _widened(values: torch.Tensor, n: int) -> torch.Tensor:
    """(R, n, H): values (R, m, H) and n − m rows of zeros."""
    return torch.nn.functional.pad(values, (0, 0, 0, n - values.shape[1])) if values.shape[1] < n else values
