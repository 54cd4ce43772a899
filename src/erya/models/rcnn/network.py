"""RCNN: every word is read with all that stands left and all that stands right of it; the maximum over the words answers.

Lai, Xu, Liu & Zhao 2015, "Recurrent Convolutional Neural Networks for Text Classification". A window of a convolution is a fixed
number of words; here the recurrence makes a window of everything. Not here: text, files, the training loop.

    l_1     the same learned vector for every text's beginning, r_T one for its end
    l_t     = tanh(l_{t−1} W_l + x_{t−1} S_l)          left context: all words before t, not t itself   (equation 1)
    r_t     = tanh(r_{t+1} W_r + x_{t+1} S_r)          right context                                    (equation 2)
    h_t     = tanh([l_t ; x_t ; r_t] W + b)            latent vector of a word in its context           (equations 3 and 4)
    z       = max_t h_t                                what matters most, wherever it stands            (equation 5)
    y       = z U + a                                                                                   (equation 6)

    symbol    name        shape          what
    x         vectors     (U, D)         word vectors of the batch's distinct tokens
    S_l S_r   inward      (D, 2, H)      from word vector to context
    W_l W_r   recurrent   (2, H, H)      from context to context
    l_1 r_T   first       (2, H)         contexts where there is nothing
    W, b      latent, …_bias             (2H + D, L)
    h_t       latents     (B, T, L)
    z         features    (B, L)
    U, a      output, …_bias             (L, C)

Shapes: B texts, T tokens, U distinct tokens in the batch, V vocabulary, D word vector, H context, L latent width, C classes.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from erya.parts.dropout import dropout
from erya.parts.network_loss import mean_loss
from erya.parts.token_batches import TokenBatch


class RCNN(nn.Module):
    """Word vectors → contexts from both sides → latent vectors → max over the words → dropout → classes.

    Each reader begins at a text's own end, so padding is read last and seen by no word. An empty text has zeros as features.

    Args:
        vocabulary: V; id 0 is padding.
        dim: D.
        context_width: H, of each side.
        hidden_width: L.
        classes: C.
        dropout_rate: share of the features dropped while learning.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(
        self,
        vocabulary: int,
        dim: int,
        context_width: int,
        hidden_width: int,
        classes: int,
        dropout_rate: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.dropout_rate = dropout_rate
        self.embedding = nn.Parameter(torch.zeros(vocabulary, dim))
        self.inward = nn.Parameter(torch.zeros(dim, 2, context_width))
        self.recurrent = nn.Parameter(torch.zeros(2, context_width, context_width))
        self.first = nn.Parameter(torch.zeros(2, context_width))
        self.latent = nn.Parameter(torch.zeros(2 * context_width + dim, hidden_width))
        self.latent_bias = nn.Parameter(torch.zeros(hidden_width))
        self.output = nn.Parameter(torch.zeros(hidden_width, classes))
        self.output_bias = nn.Parameter(torch.zeros(classes))
        if generator is not None:
            self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Small random word vectors, and weights of a size that keeps the signal's variance."""
        self.embedding[1:].normal_(0, 0.1, generator=generator)
        for weights in (self.inward, self.recurrent, self.latent, self.output):
            width = weights.shape[1] if weights.ndim == 3 and weights is self.recurrent else weights.shape[0]
            weights.normal_(0, width**-0.5, generator=generator)

    def loss(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The mean loss of the batch, see ``network_loss.py``. With a generator, dropout is on."""
        return mean_loss(self(batch, generator), batch)

    def forward(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits (B, C)."""
        features = dropout(self.features(batch), self.dropout_rate, generator)  # (B, L)
        return features @ self.output + self.output_bias  # (B, C)

    def features(self, batch: TokenBatch) -> torch.Tensor:
        """z: each latent number's greatest value over a text's words, (B, L)."""
        if not batch.places.shape[1]:
            return self.output.new_zeros(len(batch.lengths), len(self.output))
        outside = torch.arange(batch.places.shape[1]) >= batch.lengths[:, None]  # (B, T)
        _, latents = self.latents(batch)
        greatest = latents.masked_fill(outside[:, :, None], -1.0).amax(dim=1)  # tanh is nowhere below −1
        return greatest.masked_fill((batch.lengths == 0)[:, None], 0.0)

    def latents(self, batch: TokenBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Contexts (B, T, 2H), left beside right, and h (B, T, L); beyond a text's end they mean nothing."""
        vectors = functional.embedding(batch.tokens, self.embedding, padding_idx=0, sparse=True)  # (U, D)
        contexts = self.contexts(vectors, batch)  # (B, T, 2H)
        width = self.first.shape[1]
        left, right = contexts.chunk(2, dim=2)
        before, here, behind = torch.split(self.latent, [width, len(self.latent) - 2 * width, width])
        # [l ; x ; r] W in three parts: that of the word itself once per distinct token
        own = (vectors @ here + self.latent_bias)[batch.places]  # (B, T, L)
        return contexts, torch.tanh(left @ before + own + right @ behind)

    def contexts(self, vectors: torch.Tensor, batch: TokenBatch) -> torch.Tensor:
        """Both contexts of every word, l beside r, (B, T, 2H), from the vectors (U, D) of the batch's distinct tokens."""
        places, steps = batch.places, torch.arange(batch.places.shape[1])
        backward = (batch.lengths[:, None] - 1 - steps).clamp(
            min=0
        )  # (B, T) which word the right-hand reader reads at a step
        told = (vectors @ self.inward.flatten(1)).view(len(vectors), 2, -1)  # (U, 2, H)
        read = torch.stack([told[places, 0], told[places.gather(1, backward), 1]])  # (2, B, T, H)
        context = self.first[:, None].expand(-1, len(places), -1)  # (2, B, H)
        found = []
        for step in range(len(steps)):
            found.append(context)  # what is known before the word of this step is read
            context = torch.tanh(torch.baddbmm(read[:, :, step], context, self.recurrent))
        left, right = torch.stack(found, dim=2)  # (B, T, H) each, in the order of reading
        return torch.cat([left, right.gather(1, backward[:, :, None].expand_as(right))], dim=2)
