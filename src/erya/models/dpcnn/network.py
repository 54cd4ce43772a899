"""DPCNN: convolutions in a pyramid – each block halves the text, so that a few layers of narrow windows see all of it.

Johnson & Zhang 2017, "Deep Pyramid Convolutional Neural Networks for Text Categorization". Not here: their region embeddings that are
trained on unlabelled text (tv-embeddings, section 2.4), text, files, the training loop.

    x_t          = E[token t]                              zeros before the first and behind the last
    z_t          = Σ_j x_{t+j} W[:, j] + b,  j = −1, 0, 1  region embedding: no activation
    pair(z)      = W₂ * σ(W₁ * σ(z) + b₁) + b₂             two convolutions of width 3, σ = relu before each: pre-activation
    z            ← z + pair(z)                             the shortcut is the identity: no matrix, no change of width
    z            ← max of z at 2i, 2i + 1, 2i + 2          half as many places; then the next pair and shortcut
    y            = (max_t z_t) U + a

    symbol   name            shape        what
    E        embedding       (V, D)       word vectors
    W, b     region, …_bias  (D, 3, H)    region embedding
    W₁ W₂    convolutions    (H, H, 3)    two of a block, to, from, position
    z        level           (B, H, L)    L = T, T/2, T/4 …
    U, a     output, …_bias  (H, C)

Shapes: B texts, T tokens, U distinct tokens in the batch, V vocabulary, D word vector, H hidden width, L places of a level, C classes.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from erya.parts.dropout import dropout
from erya.parts.network_loss import mean_loss
from erya.parts.token_batches import TokenBatch

REGION = 3  # tokens of a region, and places of every convolution


class DPCNN(nn.Module):
    """Word vectors → regions → a pair of convolutions, then blocks that each halve and convolve → max → dropout → classes.

    Beyond a text's ends there are zeros at every level, whatever the batch adds as padding, and the number of blocks does not
    depend on the text: one that is down to a single place stays one. An empty text has zeros as features.

    Args:
        vocabulary: V; id 0 is padding.
        dim: D.
        hidden_width: H, the same at every level.
        blocks: how often the text is halved.
        classes: C.
        dropout_rate: share of the features dropped while learning.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(
        self,
        vocabulary: int,
        dim: int,
        hidden_width: int,
        blocks: int,
        classes: int,
        dropout_rate: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.dropout_rate, self.blocks = dropout_rate, blocks
        self.embedding = nn.Parameter(torch.zeros(vocabulary, dim))
        self.region = nn.Parameter(torch.zeros(dim, REGION, hidden_width))
        self.region_bias = nn.Parameter(torch.zeros(hidden_width))
        layers = range(2 * (blocks + 1))
        self.convolutions = nn.ParameterList(torch.zeros(hidden_width, hidden_width, REGION) for _ in layers)
        self.biases = nn.ParameterList(torch.zeros(hidden_width) for _ in layers)
        self.output = nn.Parameter(torch.zeros(hidden_width, classes))
        self.output_bias = nn.Parameter(torch.zeros(classes))
        if generator is not None:
            self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Small random word vectors; weights that keep the signal's variance, less by half on the way around the shortcut."""
        dim, _, hidden_width = self.region.shape
        self.embedding[1:].normal_(0, 0.1, generator=generator)
        self.region.normal_(0, (dim * REGION) ** -0.5, generator=generator)
        for weights in self.convolutions:
            weights.normal_(0, (hidden_width * REGION) ** -0.5, generator=generator)
        self.output.normal_(0, hidden_width**-0.5, generator=generator)

    def loss(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The mean loss of the batch, see ``network_loss.py``. With a generator, dropout is on."""
        return mean_loss(self(batch, generator), batch)

    def forward(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits (B, C)."""
        features = dropout(self.features(batch), self.dropout_rate, generator)  # (B, H)
        return features @ self.output + self.output_bias  # (B, C)

    def features(self, batch: TokenBatch) -> torch.Tensor:
        """Each number's greatest value over the places of the top level, (B, H)."""
        level, lengths = self.regions(batch), batch.lengths
        level = level + self.pair(level, lengths, 0)
        for block in range(1, self.blocks + 1):
            level, lengths = halved(level, lengths)
            level = level + self.pair(level, lengths, block)
        return strongest(level, lengths)

    def levels(self, batch: TokenBatch) -> list[torch.Tensor]:
        """The regions, and what each block makes of them: (B, H, L) each, for looking at."""
        level, lengths = self.regions(batch), batch.lengths
        found = [level, level + self.pair(level, lengths, 0)]
        for block in range(1, self.blocks + 1):
            level, lengths = halved(found[-1], lengths)
            found.append(level + self.pair(level, lengths, block))
        return found

    def regions(self, batch: TokenBatch) -> torch.Tensor:
        """The region embedding, (B, H, T), T ≥ 1: a text without tokens has one place, which is zero."""
        vectors = functional.embedding(batch.tokens, self.embedding, padding_idx=0, sparse=True)  # (U, D)
        # what a token adds to a region as its first, second and third, once per distinct token
        before, here, behind = (vectors @ self.region.flatten(1)).chunk(REGION, dim=1)  # (U, H) each
        places = functional.pad(batch.places, (1, 1 if batch.places.shape[1] else 2))  # (B, T + 2)
        sums = before[places[:, :-2]] + here[places[:, 1:-1]] + behind[places[:, 2:]] + self.region_bias  # (B, T, H)
        return sums.transpose(1, 2) * inside(sums.shape[1], batch.lengths)

    def pair(self, level: torch.Tensor, lengths: torch.Tensor, block: int) -> torch.Tensor:
        """Two convolutions, each behind its activation, (B, H, L); zeros beyond a text's end."""
        within = inside(level.shape[2], lengths)
        for number in (2 * block, 2 * block + 1):
            weights, bias = self.convolutions[number], self.biases[number]
            level = functional.conv1d(functional.relu(level), weights, bias, padding=REGION // 2) * within
        return level


def inside(places: int, lengths: torch.Tensor) -> torch.Tensor:
    """(B, 1, L) true where a text has a place, false behind it."""
    return (torch.arange(places) < lengths[:, None])[:, None]


def halved(level: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Places 2i, 2i + 1 and 2i + 2 become one, their greatest values: (B, H, ⌈L / 2⌉), and the lengths then."""
    outside = ~inside(level.shape[2], lengths)
    padded = functional.pad(level.masked_fill(outside, -torch.inf), (0, 2), value=-torch.inf)
    pooled = functional.max_pool1d(padded, 3, stride=2)
    lengths = (lengths + 1) // 2
    return pooled.masked_fill(~inside(pooled.shape[2], lengths), 0.0), lengths


def strongest(level: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The greatest value over a text's places (B, H); 0 of an empty text."""
    greatest = level.masked_fill(~inside(level.shape[2], lengths), -torch.inf).amax(dim=2)
    return greatest.masked_fill((lengths == 0)[:, None], 0.0)
