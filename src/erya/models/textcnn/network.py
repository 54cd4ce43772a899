"""TextCNN: filters slide over a text's word vectors, each keeps its strongest response, a softmax over those answers.

Kim 2014, "Convolutional Neural Networks for Sentence Classification" – the variant CNN-rand, whose word vectors begin random.
Not here: static and multichannel vectors, the norm constraint on the output weights, text, files, the training loop.

    symbol   name         shape         what
    k        dim          D             width of a word vector
    n        lengths      T             tokens of a text
    h        window       w             tokens that a filter sees
    w        filters      (D, w, F)     F filters of one window
    b        bias         (F,)          their thresholds
    c_i      responses    (B, P, F)     a filter's response at each of P places
    ĉ        pooled       (B, F)        its strongest response
    z        features     (B, ΣF)       pooled responses of all windows
    y        logits       (B, C)        scores of the classes

Shapes: B texts, T tokens, U distinct tokens in the batch, V vocabulary, D word vector, F filters of a window, C classes.
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

PLACES_AT_ONCE = 16_384  # bounds the memory of a long text


class TextCNN(nn.Module):
    """Word vectors → filters → max over time → dropout → classes.

    A text lies in an endless row of zero vectors: every filter also sees windows that hang over either end, and one
    that holds nothing at all, whose response is its bias. So padding changes no answer, and an empty text has one.

    Args:
        vocabulary: V; id 0 is padding.
        dim: D.
        windows: the widths w, in tokens.
        filters: F, of each width.
        classes: C.
        dropout_rate: share of the features dropped while learning.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(
        self,
        vocabulary: int,
        dim: int,
        windows: Sequence[int],
        filters: int,
        classes: int,
        dropout_rate: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.windows = tuple(windows)
        self.dropout_rate = dropout_rate
        self.embedding = nn.Parameter(torch.zeros(vocabulary, dim))
        self.filters = nn.ParameterList(torch.zeros(dim, window, filters) for window in self.windows)
        self.biases = nn.ParameterList(torch.zeros(filters) for _ in self.windows)
        self.output = nn.Parameter(torch.zeros(filters * len(self.windows), classes))
        self.output_bias = nn.Parameter(torch.zeros(classes))
        if generator is not None:
            self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Small random word vectors, and weights of a size that keeps the signal's variance; the padding stays zero."""
        self.embedding[1:].normal_(0, 0.1, generator=generator)
        for filters in self.filters:
            dim, window, _ = filters.shape
            filters.normal_(0, (dim * window) ** -0.5, generator=generator)
        self.output.normal_(0, len(self.output) ** -0.5, generator=generator)

    def loss(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The mean loss of the batch, see ``network_loss.py``. With a generator, dropout is on."""
        return mean_loss(self(batch, generator), batch)

    def forward(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits (B, C)."""
        features = dropout(self.features(batch), self.dropout_rate, generator)  # (B, ΣF)
        return features @ self.output + self.output_bias  # (B, C)

    def features(self, batch: TokenBatch) -> torch.Tensor:
        """z: every filter's strongest response in each text, (B, ΣF)."""
        vectors = functional.embedding(batch.tokens, self.embedding, padding_idx=0, sparse=True)  # (U, D)
        pooled = []
        for window, filters, bias in zip(self.windows, self.filters, self.biases, strict=True):
            # what each token adds to each filter at each of its w positions, once per distinct token
            shares = vectors @ filters.flatten(1)  # (U, w·F)
            strongest: torch.Tensor = StrongestResponse.apply(shares, batch.places, window)  # type: ignore[no-untyped-call]  # (B, F)
            pooled.append(functional.relu(strongest + bias))
        return torch.cat(pooled, dim=1)  # (B, ΣF)


class StrongestResponse(torch.autograd.Function):
    """max over places i of Σⱼ share of the token at i + j for position j: convolution and pooling in one.

    The gradient reaches only what won: for each text and filter, the w tokens of one window. Plain autograd would carry
    zeros through every other window.
    """

    @staticmethod
    def forward(ctx: Any, shares: torch.Tensor, places: torch.Tensor, window: int) -> torch.Tensor:
        """(B, F) from shares (U, w·F), whose row 0 is zero, and places (B, T)."""
        table = shares.view(len(shares) * window, -1)  # (U·w, F): row u·w + j is token u at position j
        windows = window_rows(places, window)  # (B, P, w)
        strongest, place = _strongest(table, windows[:, :PLACES_AT_ONCE])  # (B, F) both
        for start in range(PLACES_AT_ONCE, windows.shape[1], PLACES_AT_ONCE):  # texts so long are rare
            more, there = _strongest(table, windows[:, start : start + PLACES_AT_ONCE])
            place = torch.where(more > strongest, there + start, place)
            strongest = torch.maximum(strongest, more)
        ctx.save_for_backward(windows, place)
        ctx.shape = shares.shape
        return strongest

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """The gradient of each winner's response is that of each of its w shares."""
        windows, place = ctx.saved_tensors
        (gradient,) = gradients  # (B, F)
        window = windows.shape[2]
        result = gradient.new_zeros(ctx.shape)  # (U, w·F)
        table = result.view(ctx.shape[0] * window, -1)  # (U·w, F)
        for position in range(window):
            table.scatter_add_(0, windows[:, :, position].gather(1, place), gradient)
        return result, None, None


def _strongest(table: torch.Tensor, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The greatest response over these windows (B, P, w) and its place, (B, F) both."""
    responses = functional.embedding_bag(windows.flatten(0, 1), table, mode="sum")  # (B·P, F)
    strongest, place = responses.view(*windows.shape[:2], -1).max(dim=1)
    return strongest, place


def window_rows(places: torch.Tensor, window: int) -> torch.Tensor:
    """Which rows of the table of shares each window adds up, (B, P, w) with P = T + w + 1.

    The text is laid between w zeros on either side, so that the first and the last window hold nothing but padding.
    """
    padded = functional.pad(places, (window, window))  # (B, T + 2w)
    return padded.unfold(1, window, 1) * window + torch.arange(window)  # (B, P, w)
