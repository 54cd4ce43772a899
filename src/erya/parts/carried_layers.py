"""A recurrent layer over rows that go on: it begins with the states that it is given, and gives those that it ends with.

Where ``recurrent_layers.py`` reads whole texts, here B rows of a stream are read for T steps: the states come from the batch before,
without their gradient (*truncated* backpropagation through time: Williams & Peng 1990), and begin anew where a document does. The
equations are a cell's, see ``recurrent_layers.Cell``, ``lstm_cell.py``, ``gru_cell.py``.

    sums    x W + b                 (T, 1, B, G·H)   all steps in one product; without dropout each distinct unit once
    step t  states ← cell(sums_t, h W', states · keep_t)
    back    d states · keep_t · lift                 lift: see ``stream_batches.py``

Shapes: B rows, T steps, N vectors that are read, D their width, H hidden width, G blocks of H in a cell's sums. The reader's dimension of
the cells is 1: the future is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from erya.parts.products import Multiplier, over_rows, product
from erya.parts.recurrent_layers import Cell, through

Tensors = tuple[torch.Tensor, ...]


def zeros(cell: Cell, rows: int, width: int) -> Tensors:
    """The states before the first unit, (1, B, H) each."""
    return tuple(torch.zeros(1, rows, width) for _ in range(cell.states))


def carry_on(
    cell: Cell,
    inputs: torch.Tensor,
    places: torch.Tensor | None,
    weights: Sequence[torch.Tensor],
    states: Tensors,
    *,
    resets: torch.Tensor | None = None,
    lift: float = 1.0,
) -> tuple[torch.Tensor, Tensors]:
    """One layer: hidden states (T, B, H), differentiable by ``inputs`` and ``weights``, and the last states, which are not.

    Args:
        cell: the equations.
        inputs: (N, D), or (T, B, D).
        places: (T, B) which of the N vectors each step of each row reads; None: each its own.
        weights: W (D, 1, G·H), W' (1, H, G·H), b (1, G·H).
        states: (1, B, H) each.
        resets: (T, B) where the states are 0 before the step; None: nowhere.
        lift: what the gradient by the states is multiplied with at every step back.
    """
    into, recurrent, bias = weights
    hidden, *last = Carried.apply(  # type: ignore[no-untyped-call]
        cell,
        inputs,
        places,
        cell.scaled(into)[:, 0],
        cell.scaled(recurrent),
        cell.scaled(bias)[0],
        resets,
        lift,
        *states,
    )
    return hidden, tuple(last)


class Carried(torch.autograd.Function):
    """A cell from the first step of a batch to the last, and the way back."""

    @staticmethod
    def forward(
        ctx: Any,
        cell: Cell,
        inputs: torch.Tensor,
        places: torch.Tensor | None,
        into: torch.Tensor,
        recurrent: torch.Tensor,
        bias: torch.Tensor,
        resets: torch.Tensor | None,
        lift: float,
        *states: torch.Tensor,
    ) -> Tensors:
        """(T, B, H) and the last states, (1, B, H) each; see ``carry_on``."""
        (steps, rows), width = (inputs if places is None else places).shape[:2], recurrent.shape[1]
        learning = any(ctx.needs_input_grad)
        kept: list[torch.Tensor] = []
        sums = product(inputs.flatten(0, -2), into, bias)  # (N, G·H)
        if places is not None:
            sums = sums.index_select(0, places.flatten())
        sums = sums.view(steps, 1, rows, -1)
        said = Multiplier(recurrent[0], rows)
        keep, anew = _keeping(resets, steps, sums.dtype)
        begin, result = states[0][0], sums.new_empty(steps, rows, width)
        for step in range(steps):
            if anew[step]:
                states = tuple(state * keep[step] for state in states)
            states = cell.step(sums[step], said(states[0][0])[None], states, kept if learning else None)
            result[step] = states[0][0]
        ctx.save_for_backward(inputs, places, into, recurrent, keep, begin, result, *kept)
        ctx.cell, ctx.lift, ctx.anew = cell, lift, anew
        last = tuple(state.clone() for state in states)
        ctx.mark_non_differentiable(*last)
        return result, *last

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """From the last step to the first; ``d_…`` is the derivative of the loss by …."""
        inputs, places, into, recurrent, keep, begin, hidden, *kept = ctx.saved_tensors
        d_hidden, *_ = gradients
        steps, rows, width = d_hidden.shape
        each = len(kept) // steps
        d_sums = d_hidden.new_empty(steps, 1, rows, into.shape[1])
        d_said: list[torch.Tensor] = []
        by_state = Multiplier(recurrent[0].T, rows)
        d_states: Tensors = tuple(d_hidden.new_zeros(1, rows, width) for _ in range(ctx.cell.states))
        for step in range(steps - 1, -1, -1):
            d_after, *d_more = d_states
            by_said, d_before = ctx.cell.back(
                (d_after + d_hidden[step], *d_more), kept[each * step : each * (step + 1)], d_sums[step]
            )
            d_states = through(by_state(by_said[0])[None], d_before)
            d_said.append(by_said)
            if ctx.anew[step]:
                d_states = tuple(values * keep[step] for values in d_states)
            if ctx.lift != 1:
                d_states = tuple(values * ctx.lift for values in d_states)
        d_projected = d_sums.view(steps * rows, -1)
        if places is not None:
            d_projected = d_sums.new_zeros(len(inputs), into.shape[1]).index_add_(0, places.flatten(), d_projected)
        d_inputs = product(d_projected, into.T).view(inputs.shape) if ctx.needs_input_grad[1] else None
        others = (None,) * (2 + ctx.cell.states)
        d_into = over_rows(inputs.flatten(0, -2), d_projected)
        before = torch.cat([begin[None], hidden[:-1]])  # (T, B, H): what W' was multiplied with
        if any(ctx.anew):
            before *= keep[:, 0]
        # W' stands in every step: one product of all its inputs and derivatives, instead of a sum of T
        d_recurrent = over_rows(before.flatten(0, 1), torch.cat(d_said[::-1], dim=1)[0])[None]
        return None, d_inputs, None, d_into, d_recurrent, d_projected.sum(0), *others


def _keeping(resets: torch.Tensor | None, steps: int, kind: torch.dtype) -> tuple[torch.Tensor, list[bool]]:
    """(T, 1, B, 1): 0 where the states begin anew, else 1; and at which steps that is so anywhere."""
    if resets is None:
        return torch.zeros(0, dtype=kind), [False] * steps
    return (~resets).to(kind)[:, None, :, None], resets.any(dim=1).tolist()
