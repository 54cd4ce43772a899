"""Additive attention as pooling: a weighted average of vectors, in which one small network says what each of them weighs.

Bahdanau, Cho & Bengio 2015, "Neural Machine Translation by Jointly Learning to Align and Translate", section 3.1, with a learned
question in place of a decoder's state; so in Yang et al. 2016, equations 5–7:

    u_t = tanh(h_t W + b)              what is said about place t, (I,)
    α_t = softmax_t(u_t · c)           its share, among the places that are real
    s   = Σ_t α_t h_t

A sum of two vectors before the tanh works for queries and keys of different widths; here the query is the same for every text and
has gone into c. Not here: what the vectors are, and what is done with s.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from erya.parts.attention import masked_softmax


def pooled(vectors: torch.Tensor, scores: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The average (B, H) and its weights (B, T), which sum to 1; both are 0 for a text without tokens.

    Args:
        vectors: (B, T, H).
        scores: (B, T), higher weighs more.
        real: (B, T) false in the padding, whose weights are 0.
    """
    weights = masked_softmax(scores, real)
    return torch.einsum("bt,bth->bh", weights, vectors), weights


class AdditiveAttention(nn.Module):
    """The scores u_t · c of each place.

    Args:
        width: H, of the vectors.
        inner: I, of u and c.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(self, width: int, inner: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.zeros(width, inner))
        self.bias = nn.Parameter(torch.zeros(inner))
        self.question = nn.Parameter(torch.zeros(inner))
        if generator is not None:
            with torch.no_grad():
                self.matrix.normal_(0, math.sqrt(1 / width), generator=generator)
                self.question.normal_(0, math.sqrt(1 / inner), generator=generator)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Scores (…,) of vectors (…, H)."""
        return torch.tanh(vectors @ self.matrix + self.bias) @ self.question
