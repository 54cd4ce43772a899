"""A Transformer's encoder that classifies: every token looks at every other, some layers deep; the average of what they found decides.

Vaswani et al. 2017, "Attention Is All You Need", sections 3.1–3.5: the encoder alone. Normalisation before each sublayer is
that of Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture"; GELU is Hendrycks & Gimpel 2016. Attention itself is in
``parts/attention.py``. Not here: text, files, the training loop; a decoder, a warm-up of the learning rate (with the norm before the
sublayers none is needed).

    x_t = √D · E[token t] + P[t]                         word vector and position
    of each layer, norm before (pre):                    norm behind (post, as published):
        x ← x + Attention(N(x))                              x ← N(x + Attention(x))
        x ← x + φ(N(x) W₁ + b₁) W₂ + b₂                      x ← N(x + φ(x W₁ + b₁) W₂ + b₂)
    z   = mean or max over t of N(x_t), or N(x) of [CLS]     the last norm only where it stands before
    y   = z U + a
    N(x) = γ (x − mean) / √(variance + 10⁻⁵) + β         of each vector's own D numbers

    symbol    name            shape        what
    E         embedding       (V, D)       word vectors
    P         positions       (T, D)       sines of 2πt/wavelength, or learned
    x         states          (B, T, D)    one vector a token, in every layer
    W₁ W₂     widen, narrow   (D, I) (I, D)
    γ β       gain, shift     (D,)
    z         features        (B, D)
    U, a      output, …_bias  (D, C) (C,)

Shapes: B texts, T tokens, U distinct tokens in the batch, V vocabulary, D width, A heads, I inner width, C classes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from erya.parts.attention import MultiHeadAttention, real_places
from erya.parts.dropout import dropout
from erya.parts.network_loss import mean_loss
from erya.parts.token_batches import TokenBatch

MOST_TOKENS = 512  # that are read at once: attention costs their square


class Form(NamedTuple):
    """What the encoder looks like.

    Attributes:
        layers: how many.
        heads: A, of each layer.
        inner_width: I.
        norm: ``"pre"`` or ``"post"``.
        positions: ``"sinusoidal"``, ``"learned"`` or ``"none"``.
        activation: φ, ``"gelu"`` or ``"relu"``.
        pooling: ``"mean"``, ``"max"`` or ``"cls"``.
        dropout: share of the numbers dropped behind each sublayer, of the word vectors and of the features, while learning.
        word_dropout: share of the tokens whose word vector is dropped whole, while learning.
    """

    layers: int
    heads: int
    inner_width: int
    norm: str = "pre"
    positions: str = "sinusoidal"
    activation: str = "gelu"
    pooling: str = "mean"
    dropout: float = 0.0
    word_dropout: float = 0.0


class Norm(nn.Module):
    """N above (Ba, Kiros & Hinton 2016): each vector brought to mean 0 and variance 1, then stretched and moved as learned."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """(…, D) → (…, D)."""
        return functional.layer_norm(vectors, self.gain.shape, self.gain, self.shift)


class EncoderLayer(nn.Module):
    """Attention, then two matrices with φ between them for each token alone; around both a residual path and a norm."""

    def __init__(self, width: int, form: Form, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.form = form
        self.attention = MultiHeadAttention(width, form.heads, generator)
        self.widen = nn.Parameter(torch.zeros(width, form.inner_width))
        self.widen_bias = nn.Parameter(torch.zeros(form.inner_width))
        self.narrow = nn.Parameter(torch.zeros(form.inner_width, width))
        self.narrow_bias = nn.Parameter(torch.zeros(width))
        self.norm_attention = Norm(width)
        self.norm_inner = Norm(width)
        if generator is not None:
            spread = math.sqrt(2 / (width + form.inner_width))  # Glorot & Bengio 2010
            with torch.no_grad():
                self.widen.normal_(0, spread, generator=generator)
                self.narrow.normal_(0, spread, generator=generator)

    def forward(
        self, states: torch.Tensor, allowed: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """(B, T, D) → (B, T, D).

        Args:
            states: x.
            allowed: (B, 1, 1, T) which tokens may be looked at.
            generator: of dropout; None: no dropout.
        """
        rate = self.form.dropout
        if self.form.norm == "pre":
            states = states + dropout(self._attended(self.norm_attention(states), allowed), rate, generator)
            return states + dropout(self._inner(self.norm_inner(states)), rate, generator)
        states = self.norm_attention(states + dropout(self._attended(states, allowed), rate, generator))
        found: torch.Tensor = self.norm_inner(states + dropout(self._inner(states), rate, generator))
        return found

    def weights(self, states: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
        """(B, A, T, T): how much each token looks at each, in every head, when the layer is given ``states``."""
        asking = self.norm_attention(states) if self.form.norm == "pre" else states
        found: torch.Tensor = self.attention.weights(asking, asking, allowed)
        return found

    def _attended(self, states: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.attention(states, self.attention.keys_and_values(states), allowed)
        return found

    def _inner(self, states: torch.Tensor) -> torch.Tensor:
        bend = functional.gelu if self.form.activation == "gelu" else functional.relu
        found: torch.Tensor = bend(states @ self.widen + self.widen_bias) @ self.narrow + self.narrow_bias
        return found


def sinusoids(tokens: int, width: int) -> torch.Tensor:
    """P (T, D), section 3.5: sin in the even columns, cos in the odd ones, wavelengths from 2π to 10000·2π.

    P[t + k] is P[t] turned by an angle that depends on k alone, so a head can learn to look k tokens back.
    """
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))  # (⌈D/2⌉,)
    angles = torch.arange(tokens)[:, None] * rates  # (T, ⌈D/2⌉)
    return torch.stack([torch.sin(angles), torch.cos(angles)], dim=-1).flatten(1)[:, :width]


class TransformerEncoder(nn.Module):
    """Word vectors and positions → layers → one vector a text → classes.

    Args:
        vocabulary: V; id 0 is padding.
        dim: D.
        classes: C.
        form: see ``Form``.
        generator: where the first weights come from; None: none, for weights that are loaded.
    """

    def __init__(
        self, vocabulary: int, dim: int, classes: int, form: Form, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.form = form
        self.embedding = nn.Parameter(torch.zeros(vocabulary, dim))
        first = form.pooling == "cls"
        self.cls = nn.Parameter(torch.zeros(dim)) if first else None
        learned = form.positions == "learned"
        self.positions = nn.Parameter(torch.zeros(MOST_TOKENS + first, dim)) if learned else None
        self.layers = nn.ModuleList(EncoderLayer(dim, form, generator) for _ in range(form.layers))
        self.norm = Norm(dim) if form.norm == "pre" else None
        self.output = nn.Parameter(torch.zeros(dim, classes))
        self.output_bias = nn.Parameter(torch.zeros(classes))
        if generator is not None:
            self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Word vectors that have variance 1 once they are multiplied by √D; as much for what is learned beside them."""
        dim = self.embedding.shape[1]
        self.embedding[1:].normal_(0, dim**-0.5, generator=generator)
        if self.cls is not None:
            self.cls.normal_(0, 1, generator=generator)
        if self.positions is not None:
            self.positions.normal_(0, 0.5, generator=generator)
        self.output.normal_(0, dim**-0.5, generator=generator)

    def loss(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The mean loss of the batch, see ``network_loss.py``. With a generator, dropout is on."""
        return mean_loss(self(batch, generator), batch)

    def forward(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits (B, C)."""
        states, allowed = self.entered(batch, generator)
        if states.shape[1]:
            for layer in self.steps():
                states = layer(states, allowed, generator)
        features = dropout(self.pooled(states, batch.lengths), self.form.dropout, generator)  # (B, D)
        return features @ self.output + self.output_bias

    def entered(self, batch: TokenBatch, generator: torch.Generator | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Before the first layer: x (B, T, D), and which tokens may be looked at (B, 1, 1, T). T counts [CLS], where there is one."""
        vectors = functional.embedding(batch.tokens, self.embedding, padding_idx=0, sparse=True)  # (U, D)
        states = functional.embedding(batch.places, vectors * math.sqrt(vectors.shape[1]))  # (B, T, D)
        if generator is not None and self.form.word_dropout:
            kept = torch.rand(states.shape[:2], generator=generator, dtype=states.dtype) >= self.form.word_dropout
            states = states * kept[:, :, None]
        lengths = batch.lengths
        if self.cls is not None:
            states = torch.cat([self.cls.expand(len(states), 1, -1), states], dim=1)
            lengths = lengths + 1
        tokens, dim = states.shape[1:]
        if self.positions is not None:
            states = states + self.positions[:tokens]
        elif self.form.positions == "sinusoidal":
            states = states + sinusoids(tokens, dim).to(states.dtype)
        return dropout(states, self.form.dropout, generator), real_places(lengths, tokens)[:, None, None, :]

    def steps(self) -> list[EncoderLayer]:
        """The layers, from the first one."""
        return [layer for layer in self.layers if isinstance(layer, EncoderLayer)]

    def finished(self, states: torch.Tensor) -> torch.Tensor:
        """(B, T, D) behind the last norm, where the last layer has none."""
        return states if self.norm is None else self.norm(states)

    def pooled(self, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Features z (B, D) of what the last layer gave, (B, T, D); zeros for a text without tokens, unless [CLS] stands there."""
        if self.form.pooling == "cls":
            return self.finished(states[:, 0])
        real = real_places(lengths, states.shape[1])[:, :, None]  # (B, T, 1)
        states = self.finished(states)
        if self.form.pooling == "mean":
            return states.masked_fill(~real, 0.0).sum(dim=1) / lengths.clamp(min=1)[:, None]
        if not states.shape[1]:
            return states.new_zeros(states.shape[0], states.shape[2])
        strongest = states.masked_fill(~real, -torch.inf).amax(dim=1)
        return strongest.masked_fill((lengths == 0)[:, None], 0.0)
