"""Scaled dot-product attention and several heads of it, written out.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2. Each query asks all keys; where a key answers loudly, its value counts:

    weights = softmax(Q Kᵀ / √K)       over the keys that this query may look at      (…, T, S)
    context = weights V                an average of the values                       (…, T, K)

A query and a key whose K numbers have mean 0 and variance 1 have a dot product of variance K; divided by √K the softmax is not
saturated from the start, and its gradient lives.

What may be looked at is an argument, ``allowed``, true where a query may see a key, of any shape that broadcasts to (B, A, T, S):
padding is (B, 1, 1, S), see ``real_places``; a text that is read from left to right gives a lower triangle (T, S). Weights that are not
allowed are exactly 0. Keys and values come from ``MultiHeadAttention.keys_and_values`` apart from the queries, so that a decoder can
keep those of tokens that it has already read.

Letters: B texts, T queries, S keys, A heads, K width of a head, H width of the vectors that come in and go out.
Not here: residuals, normalisation, positions, dropout – a block is each room's own.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional


def real_places(lengths: torch.Tensor, tokens: int) -> torch.Tensor:
    """(B, S) true where a text of that length has a token, false in the padding behind it.

    Args:
        lengths: (B,).
        tokens: S.
    """
    return torch.arange(tokens) < lengths[:, None]


def masked_softmax(scores: torch.Tensor, allowed: torch.Tensor | None) -> torch.Tensor:
    """Softmax over the last dimension, among what is allowed; what is not has exactly 0. Where nothing is, all are 0.

    Args:
        scores: (…, S).
        allowed: true or false, of a shape that broadcasts to that of ``scores``; None: everything.
    """
    if allowed is None:
        return torch.softmax(scores, dim=-1)
    lowest = torch.finfo(scores.dtype).min  # −∞ would give NaN where nothing is allowed
    return torch.softmax(scores.masked_fill(~allowed, lowest), dim=-1).masked_fill(~allowed, 0.0)


def attention_weights(queries: torch.Tensor, keys: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
    """softmax(Q Kᵀ / √K), (…, T, S): how much each query looks at each key. A row sums to 1, or to 0 where nothing is allowed.

    Args:
        queries: (…, T, K).
        keys: (…, S, K).
        allowed: broadcasts to (…, T, S); None: everything.
    """
    scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])  # (…, T, S)
    return masked_softmax(scores, allowed)


def attend(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, allowed: torch.Tensor | None = None
) -> torch.Tensor:
    """The average of the values by ``attention_weights``, (B, A, T, K), by torch's fused kernel: weights are never in memory whole.

    Where a query may look at nothing, it comes back as 0. The written-out twin is ``attention_weights(…) @ values``; tests compare
    both, with their gradients.

    Args:
        queries: (B, A, T, K).
        keys: (B, A, S, K).
        values: (B, A, S, K).
        allowed: broadcasts to (B, A, T, S); None: everything.
    """
    if allowed is None:
        return functional.scaled_dot_product_attention(queries, keys, values)
    # the fused kernel divides by zero where nothing is allowed: such queries look at everything, and are then set to 0
    nothing = ~allowed.any(dim=-1, keepdim=True)  # (…, T, 1)
    found = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=allowed | nothing)
    return found.masked_fill(nothing, 0.0)


class MultiHeadAttention(nn.Module):
    """A heads, each with queries, keys and values of its own; what they find stands side by side and goes through one matrix.

        head a   = attend(x Qₐ, y Kₐ, y Vₐ)                Qₐ, Kₐ, Vₐ: (H, K)
        answer   = [head 1; …; head A] O + o               O: (A·K, H)

    K = ⌊H / A⌋, and 1 at least: of a width that the heads do not divide, the rest is left out.

    Args:
        width: H.
        heads: A.
        generator: where the first weights come from (Glorot & Bengio 2010); None: zeros, for weights that are loaded.
    """

    def __init__(self, width: int, heads: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.head_width = max(1, width // heads)
        inner = heads * self.head_width  # A·K
        self.query = nn.Parameter(torch.zeros(width, inner))
        self.query_bias = nn.Parameter(torch.zeros(inner))
        self.key_value = nn.Parameter(torch.zeros(width, 2 * inner))
        self.key_value_bias = nn.Parameter(torch.zeros(2 * inner))
        self.output = nn.Parameter(torch.zeros(inner, width))
        self.output_bias = nn.Parameter(torch.zeros(width))
        if generator is not None:
            spread = math.sqrt(2 / (width + inner))
            with torch.no_grad():
                for weights in (self.query, self.key_value, self.output):
                    weights.normal_(0, spread, generator=generator)

    def forward(
        self,
        asking: torch.Tensor,
        keys_and_values: tuple[torch.Tensor, torch.Tensor],
        allowed: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(B, T, H).

        Args:
            asking: (B, T, H), each a query to every head.
            keys_and_values: (B, A, S, K) both, from the method of this name; of the same vectors: self-attention.
            allowed: broadcasts to (B, A, T, S); None: everything.
        """
        keys, values = keys_and_values
        context = attend(self.queries(asking), keys, values, allowed)  # (B, A, T, K)
        return context.transpose(1, 2).flatten(2) @ self.output + self.output_bias

    def queries(self, asking: torch.Tensor) -> torch.Tensor:
        """(B, A, T, K) from (B, T, H)."""
        return self._split(asking @ self.query + self.query_bias)

    def keys_and_values(self, asked: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, A, S, K) both, from (B, S, H)."""
        keys, values = (asked @ self.key_value + self.key_value_bias).chunk(2, dim=-1)
        return self._split(keys), self._split(values)

    def weights(self, asking: torch.Tensor, asked: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """How much each head of each query looks at each key, (B, A, T, S): what ``forward`` does, to be looked at."""
        keys, _ = self.keys_and_values(asked)
        return attention_weights(self.queries(asking), keys, allowed)

    def _split(self, vectors: torch.Tensor) -> torch.Tensor:
        """(B, T, A·K) to (B, A, T, K)."""
        return vectors.reshape(*vectors.shape[:-1], self.heads, self.head_width).transpose(1, 2)
