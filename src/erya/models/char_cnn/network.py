"""A CNN over characters: six convolutions and three full layers read a text letter by letter, and know no word.

Zhang, Zhao & LeCun 2015, "Character-level Convolutional Networks for Text Classification". Not here: their augmentation by a thesaurus,
text, files, the training loop.

    one-hot   a character is 1 at its own place of V; its share of a filter is then one row of the filter: a look-up
    layer     width  pooling      places left of length = 1014
    1         7      3            336
    2         7      3            110
    3 4 5     3                   108 106 104
    6         3      3            34
    7 8 9     full layers, relu and dropout behind the first two

    symbol   name           shape            what
    W₁       embedding      (V, 7·F)         the first convolution: of each character what it adds at each of 7 positions
    W₂ … W₆  convolutions   (F, F, 7 or 3)
    W₇ W₈    full           (F·P, H), (H, H)
    U, a     output, …_bias (H, C)

Characters stand in reverse order, as in the paper: a text's end, where it has its say, is always in the same place, and what
lies behind its beginning is zero. Every text is as long as ``length``, so padding by the batch changes nothing.

Shapes: B texts, T characters, U distinct ones in the batch, V alphabet, F filters, P places behind the last convolution, H hidden width,
C classes.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from erya.parts.dropout import dropout
from erya.parts.network_loss import mean_loss
from erya.parts.token_batches import TokenBatch

FIRST = 7  # width of the first convolution
WIDTHS = (7, 3, 3, 3, 3)  # of the others
POOL = 3
POOLED = (0, 1, 5)  # which of the six convolutions are pooled
NUMBERS_AT_ONCE = 2**25  # of the first layer's responses, bounds the memory


class CharCNN(nn.Module):
    """Characters → six convolutions, three of them pooled → two full layers with dropout → classes.

    Args:
        vocabulary: V; id 0 is padding.
        length: characters that are read; a batch must not have more.
        filters: F.
        hidden_width: H.
        classes: C.
        dropout_rate: share of the full layers' numbers dropped while learning.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(
        self,
        vocabulary: int,
        length: int,
        filters: int,
        hidden_width: int,
        classes: int,
        dropout_rate: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.dropout_rate, self.length = dropout_rate, length
        self.embedding = nn.Parameter(torch.zeros(vocabulary, FIRST * filters))
        self.convolutions = nn.ParameterList(torch.zeros(filters, filters, width) for width in WIDTHS)
        self.biases = nn.ParameterList(torch.zeros(filters) for _ in range(1 + len(WIDTHS)))
        sizes = (filters * places_left(length)[-1], hidden_width)
        self.full = nn.ParameterList(torch.zeros(size, hidden_width) for size in sizes)
        self.full_biases = nn.ParameterList(torch.zeros(hidden_width) for _ in sizes)
        self.output = nn.Parameter(torch.zeros(hidden_width, classes))
        self.output_bias = nn.Parameter(torch.zeros(classes))
        if generator is not None:
            self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Weights that keep the signal's variance behind a relu (He et al. 2015); the paper's are of one size for all layers."""
        self.embedding[1:].normal_(0, (2 / FIRST) ** 0.5, generator=generator)
        for weights in self.convolutions:
            weights.normal_(0, (2 / (weights.shape[1] * weights.shape[2])) ** 0.5, generator=generator)
        for weights in self.full:
            weights.normal_(0, (2 / len(weights)) ** 0.5, generator=generator)
        self.output.normal_(0, len(self.output) ** -0.5, generator=generator)

    def loss(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The mean loss of the batch, see ``network_loss.py``. With a generator, dropout is on."""
        return mean_loss(self(batch, generator), batch)

    def forward(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits (B, C)."""
        values = self.features(batch)  # (B, F·P)
        for weights, bias in zip(self.full, self.full_biases, strict=True):
            values = dropout(functional.relu(values @ weights + bias), self.dropout_rate, generator)  # (B, H)
        return values @ self.output + self.output_bias  # (B, C)

    def features(self, batch: TokenBatch) -> torch.Tensor:
        """What six convolutions leave of each text, (B, F·P)."""
        some = max(1, NUMBERS_AT_ONCE // (self.length * len(self.biases[0])))  # texts at once
        table = functional.embedding(batch.tokens, self.embedding, padding_idx=0, sparse=True)  # (U, 7·F)
        return torch.cat([self.layers(table, rows)[-1].flatten(1) for rows in torch.split(self.reversed(batch), some)])

    def layers(self, table: torch.Tensor, rows: torch.Tensor) -> list[torch.Tensor]:
        """What each of the six convolutions gives, pooled where it is, (B, F, …) each.

        Args:
            table: (U, 7·F) the batch's rows of ``embedding``.
            rows: (B, length) which row each place has.
        """
        windows = rows.unfold(1, FIRST, 1) * FIRST + torch.arange(FIRST)  # (B, length − 6, 7)
        sums = functional.embedding_bag(windows.flatten(0, 1), table.view(len(table) * FIRST, -1), mode="sum")
        values = sums.view(*windows.shape[:2], -1).transpose(1, 2) + self.biases[0][:, None]  # (B, F, length − 6)
        found = [functional.max_pool1d(functional.relu(values), POOL)]
        for number, (weights, bias) in enumerate(zip(self.convolutions, list(self.biases)[1:], strict=True), 1):
            values = functional.relu(functional.conv1d(found[-1], weights, bias))
            found.append(functional.max_pool1d(values, POOL) if number in POOLED else values)
        return found

    def reversed(self, batch: TokenBatch) -> torch.Tensor:
        """(B, length): each text's places from its last character to its first, then 0."""
        steps = torch.arange(batch.places.shape[1])
        backward = batch.lengths[:, None] - 1 - steps  # (B, T)
        turned = batch.places.gather(1, backward.clamp(min=0)).masked_fill(backward < 0, 0)
        return functional.pad(turned, (0, self.length - len(steps)))


def places_left(length: int) -> list[int]:
    """How many places each of the six convolutions leaves, pooling included; the paper has l₆ = (l₀ − 96) / 27."""
    found = []
    for number, width in enumerate((FIRST, *WIDTHS)):
        length -= width - 1
        length = length // POOL if number in POOLED else length
        found.append(length)
    return found
