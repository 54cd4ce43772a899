"""TextCNN: filters slide over a text's word vectors, each keeps its strongest response, a softmax over those answers.

Kim 2014, "Convolutional Neural Networks for Sentence Classification", in all four variants: what the word vectors begin with is put into
``embedding`` from outside (rand, static, non-static), and with two channels (multichannel) ``fixed`` holds a second copy that never moves.
The choices that Zhang & Wallace 2015, "A Sensitivity Analysis of (and Practitioners' Guide to) Convolutional Neural Networks for Sentence
Classification", vary are arguments: windows, filters, activation, pooling, dropout, max norm. Not here: text, files, the training loop.

    symbol   name         shape         what
    k        dim          D             width of a word vector; of two channels 2D, one behind the other
    n        lengths      T             tokens of a text
    h        window       w             tokens that a filter sees
    w        filters      (D, w, F)     F filters of one window
    b        bias         (F,)          their thresholds
    c_i      responses    (B, P, F)     a filter's response at each of P places
    ĉ        pooled       (B, F)        its strongest response; of K > 1 kept ones (``strongest``, or one for each region) (B, K, F)
    z        features     (B, K·ΣF)     pooled responses of all windows
    y        logits       (B, C)        scores of the classes
    s        max_norm                   what the norm of a class's output weights is held down to

Shapes: B texts, T tokens, U distinct tokens in the batch, V vocabulary, D word vector, F filters of a window, K responses kept, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from erya.models.textcnn.pooling import KStrongest, RegionStrongest, mean_response
from erya.models.textcnn.windows import PLACES_AT_ONCE, window_rows
from erya.parts.dropout import dropout
from erya.parts.network_loss import mean_loss
from erya.parts.token_batches import TokenBatch

Activation = Callable[[torch.Tensor], torch.Tensor]

# All of them rise with their argument, so it is the same whether the strongest response is chosen before or after.
ACTIVATIONS: dict[str, Activation] = {
    "relu": functional.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": functional.softplus,
    "cube": lambda values: values**3,
    "tanh_cube": lambda values: torch.tanh(values**3 + values),  # Pei, Ge & Chang 2015
    "identity": lambda values: values,
}


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
        activation: one of ``ACTIVATIONS``.
        pooling: ``"max"``; ``"local"``: a maximum for each region of the text; or ``"mean"`` over the windows that hold at least one
            token (0 of an empty text).
        strongest: K, how many of its responses a filter keeps, in the order of the text (k-max pooling, Kalchbrenner 2014).
        regions: K of ``"local"``, see ``pooling.RegionStrongest``.
        channels: 1; or 2: beside the vectors that learn stands a copy that does not.
        max_norm: s; None: the output weights may be as long as they like.
        optimizer: which one ``parts/epochs.py`` shall take.
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
        *,
        activation: str = "relu",
        pooling: str = "max",
        strongest: int = 1,
        regions: int = 1,
        channels: int = 1,
        max_norm: float | None = None,
        optimizer: str = "adam",
    ) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.windows = tuple(windows)
        self.dropout_rate, self.max_norm = dropout_rate, max_norm
        self.activation, self.pooling, self.channels = activation, pooling, channels
        self.kept = regions if pooling == "local" else strongest
        self.embedding = nn.Parameter(torch.zeros(vocabulary, dim))
        if channels == 2:
            self.fixed = nn.Parameter(torch.zeros(vocabulary, dim))
        self.filters = nn.ParameterList(torch.zeros(channels * dim, window, filters) for window in self.windows)
        self.biases = nn.ParameterList(torch.zeros(filters) for _ in self.windows)
        self.output = nn.Parameter(torch.zeros(self.kept * filters * len(self.windows), classes))
        self.output_bias = nn.Parameter(torch.zeros(classes))
        if generator is not None:
            self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Small random word vectors, and weights of a size that keeps the signal's variance; the padding stays zero."""
        self.embedding[1:].normal_(0, 0.1, generator=generator)
        if self.channels == 2:
            self.fixed.copy_(self.embedding)
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

    @torch.no_grad()
    def after_step(self) -> None:
        """Shorten each class's output weights to ``max_norm`` where they have grown longer (Kim 2014, section 2.1; s = 3 there)."""
        if self.max_norm is not None:
            norms = self.output.norm(dim=0)  # (C,)
            self.output.mul_((self.max_norm / norms.clamp(min=1e-12)).clamp(max=1))

    def features(self, batch: TokenBatch) -> torch.Tensor:
        """z: every filter's K strongest responses, those of K regions, or its mean response, in each text, (B, K·ΣF)."""
        vectors = self.vectors(batch.tokens)  # (U, D)
        pooled = []
        for window, filters, bias in zip(self.windows, self.filters, self.biases, strict=True):
            # what each token adds to each filter at each of its w positions, once per distinct token
            shares = vectors @ filters.flatten(1)  # (U, w·F)
            pooled.append(self._pooled(shares, bias, window, batch))
        return torch.cat(pooled, dim=1)  # (B, K·ΣF)

    def vectors(self, tokens: torch.Tensor) -> torch.Tensor:
        """Word vectors of the ids ``tokens`` (U,): (U, D); of two channels (U, 2D), those that learn first."""
        learning = functional.embedding(tokens, self.embedding, padding_idx=0, sparse=True)  # (U, D)
        if self.channels == 1:
            return learning
        return torch.cat([learning, functional.embedding(tokens, self.fixed, padding_idx=0)], dim=1)  # (U, 2D)

    def _pooled(self, shares: torch.Tensor, bias: torch.Tensor, window: int, batch: TokenBatch) -> torch.Tensor:
        """(B, K·F) of one window; K responses stand one behind the other, each of F filters."""
        activation = ACTIVATIONS[self.activation]
        if self.pooling == "mean":
            return mean_response(shares, bias, window, batch, activation)
        if self.pooling == "local":
            local: torch.Tensor = RegionStrongest.apply(shares, batch.places, batch.lengths, window, self.kept)  # type: ignore[no-untyped-call]
            return activation(local + bias).flatten(1)
        if self.kept == 1:
            strongest: torch.Tensor = StrongestResponse.apply(shares, batch.places, window)  # type: ignore[no-untyped-call]  # (B, F)
            return activation(strongest + bias)
        kept: torch.Tensor = KStrongest.apply(shares, batch.places, window, self.kept)  # type: ignore[no-untyped-call]
        return activation(kept + bias).flatten(1)


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
