"""What a filter keeps of its responses, where that is not the strongest one alone: the K strongest, those of K regions, or their mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from erya.models.textcnn.windows import PLACES_AT_ONCE, window_rows
from erya.parts.token_batches import TokenBatch


class KStrongest(torch.autograd.Function):
    """The K strongest responses of each filter in the order of the text: k-max pooling (Kalchbrenner et al. 2014, section 3.2).

    Of equal responses the earlier ones are kept. A text that has fewer than K windows is followed by empty ones, whose response
    is 0: as many as are asked for, whatever the batch. As for the single strongest, the gradient reaches the winners only.
    """

    @staticmethod
    def forward(ctx: Any, shares: torch.Tensor, places: torch.Tensor, window: int, kept: int) -> torch.Tensor:
        """(B, K, F) from shares (U, w·F), whose row 0 is zero, and places (B, T)."""
        table = shares.view(len(shares) * window, -1)  # (U·w, F)
        windows = windows_behind(places, window, kept)  # (B, P, w)
        texts, filters = len(windows), table.shape[1]
        values = shares.new_zeros(texts, 0, filters)
        place = torch.zeros(texts, 0, filters, dtype=torch.int64)
        for start in range(0, windows.shape[1], PLACES_AT_ONCE):
            some = windows[:, start : start + PLACES_AT_ONCE]
            found = functional.embedding_bag(some.flatten(0, 1), table, mode="sum").view(*some.shape[:2], -1)
            there = torch.arange(start, start + some.shape[1])[:, None].expand(texts, -1, filters)
            values, place = strongest_in_order(torch.cat([values, found], 1), torch.cat([place, there], 1), kept)
        ctx.save_for_backward(windows, place)
        ctx.shape = shares.shape
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient of each winner's response is that of each of its w shares."""
        windows, place = ctx.saved_tensors
        return winners_gradient(gradients[0], windows, place, ctx.shape), None, None, None


class RegionStrongest(torch.autograd.Function):
    """Each filter's strongest response in each of K equal regions of the text: local max pooling (Boureau et al. 2011 of images;
    Zhang & Wallace 2015 of text, where all regions have one size; here all texts have one number of them).

    Of the c = length + w − 1 windows that touch a text, region k has those from ⌊k c / K⌋ to before ⌊(k + 1) c / K⌋, whatever the
    batch. A region without any – of a text shorter than K – responds with 0, as a window of nothing does. Of equal responses the
    earlier is kept.
    """

    @staticmethod
    def forward(
        ctx: Any, shares: torch.Tensor, places: torch.Tensor, lengths: torch.Tensor, window: int, regions: int
    ) -> torch.Tensor:
        """(B, K, F) from shares (U, w·F), whose row 0 is zero, places (B, T) and lengths (B,)."""
        table = shares.view(len(shares) * window, -1)  # (U·w, F)
        windows = windows_behind(places, window, 1)  # (B, P, w); the last one is empty
        bounds = region_bounds(lengths, window, regions)  # (B, K + 1)
        values = shares.new_full((len(windows), regions, table.shape[1]), -torch.inf)
        place = torch.full(values.shape, windows.shape[1] - 1)
        for start in range(0, windows.shape[1], PLACES_AT_ONCE):
            some = windows[:, start : start + PLACES_AT_ONCE]
            found = functional.embedding_bag(some.flatten(0, 1), table, mode="sum").view(*some.shape[:2], -1)
            at = torch.arange(start, start + some.shape[1])
            for region in range(regions):
                inside = (at >= bounds[:, region, None]) & (at < bounds[:, region + 1, None])  # (B, P)
                best, there = found.masked_fill(~inside[:, :, None], -torch.inf).max(dim=1)  # (B, F)
                place[:, region] = torch.where(best > values[:, region], there + start, place[:, region])
                values[:, region] = torch.maximum(values[:, region], best)
        ctx.save_for_backward(windows, place)
        ctx.shape = shares.shape
        return values.masked_fill(values == -torch.inf, 0)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient of each winner's response is that of each of its w shares."""
        windows, place = ctx.saved_tensors
        return winners_gradient(gradients[0], windows, place, ctx.shape), None, None, None, None


def winners_gradient(
    gradient: torch.Tensor, windows: torch.Tensor, place: torch.Tensor, shape: torch.Size
) -> torch.Tensor:
    """The shares' gradient (U, w·F) from that of the kept responses (B, K, F), which stand at ``place`` of ``windows`` (B, P, w)."""
    window = windows.shape[2]
    result = gradient.new_zeros(shape)
    table = result.view(shape[0] * window, -1)  # (U·w, F)
    rows = gradient.flatten(0, 1)  # (B·K, F)
    for position in range(window):
        table.scatter_add_(0, windows[:, :, position].gather(1, place.flatten(1)).view(rows.shape), rows)
    return result


def region_bounds(lengths: torch.Tensor, window: int, regions: int) -> torch.Tensor:
    """(B, K + 1): region k of a text begins at window k of these and ends before window k + 1; lengths (B,)."""
    counts = torch.where(lengths > 0, lengths + window - 1, 0)  # (B,)
    return counts[:, None] * torch.arange(regions + 1) // regions


def windows_behind(places: torch.Tensor, window: int, kept: int) -> torch.Tensor:
    """(B, P, w), P = T + w − 1 + K: the windows that can touch a text (B, T), and K empty ones behind them.

    None before it: among equals the earlier is kept, so an empty window has to stand at the same end of every text. The window
    at place i here begins at token i − w + 1.
    """
    return window_rows(functional.pad(places, (0, kept - 1)), window)[:, 1:]


def strongest_in_order(values: torch.Tensor, place: torch.Tensor, kept: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The greatest ``kept`` of the values (B, P, F) along P, and their ``place`` (B, P, F, ascending along P), by place."""
    chosen = values.sort(dim=1, descending=True, stable=True).indices[:, :kept].sort(dim=1).values
    return values.gather(1, chosen), place.gather(1, chosen)


def mean_response(
    shares: torch.Tensor,
    bias: torch.Tensor,
    window: int,
    batch: TokenBatch,
    activation: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """The mean over the length + w − 1 windows that touch a text of activation(response + bias), (B, F); 0 of an empty text.

    Args:
        shares: (U, w·F), row 0 is zero.
        bias: (F,).
        window: w.
        batch: the texts.
        activation: one of ``network.ACTIVATIONS``.
    """
    if not batch.places.shape[1]:
        return bias.new_zeros(len(batch.places), len(bias))
    rows = window_rows(batch.places, window)[:, 1:-1]  # (B, T + w − 1, w)
    table = shares.view(len(shares) * window, -1)  # (U·w, F)
    responses = functional.embedding_bag(rows.flatten(0, 1), table, mode="sum").view(*rows.shape[:2], -1)
    counts = torch.where(batch.lengths > 0, batch.lengths + window - 1, 0)  # (B,)
    inside = torch.arange(rows.shape[1]) < counts[:, None]  # (B, T + w − 1)
    active = activation(responses + bias) * inside[:, :, None]
    return active.sum(dim=1) / counts.clamp(min=1)[:, None]
