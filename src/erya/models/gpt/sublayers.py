"""The two halves of a GPT's layer, with the way back written out: what is learned with, where a batch is not too long.

The equations are those of ``DecoderLayer`` in ``network.py``; tests compare values and derivatives. Written out, numbers that are no longer
needed are overwritten, and each half is one step for torch to remember instead of twenty.

    attention   x + mask ∘ (softmax(q kᵀ / √K + hidden) v O + o)        q, k, v of N(x)
    inner       x + mask ∘ (gelu(N(x) W₁ + b₁) W₂ + b₂)

The weights of the attention are kept for the way back, (B, A, T, T): of a few dozen units that is faster than making them again, of
thousands it is too much memory. Of float32, heads of whole registers are looked through by ``attention_kernels.py``.

Shapes: B rows, T units, M = B · T, D width, A heads, K width of a head, I inner width. ``d_…`` is the derivative of the loss by ….
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from erya.models.gpt import attention_kernels
from erya.models.gpt.gelu import bend
from erya.parts.products import in_one_pass, over_rows, product
from erya.parts.simd import LANES, padded

LONGEST = 256  # units of a row
Gradients = tuple[torch.Tensor | None, ...]


class Sight(NamedTuple):
    """Who looks at whom.

    Attributes:
        tokens: T.
        heads: A.
        begins: (M,) the first unit of its row that a unit sees; the last one is itself.
    """

    tokens: int
    heads: int
    begins: torch.Tensor


class Attended(torch.autograd.Function):
    """The first half."""

    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        mask: torch.Tensor | None,
        epsilon: float,
        sight: Sight,
        gain: torch.Tensor,
        shift: torch.Tensor,
        query: torch.Tensor,
        query_bias: torch.Tensor,
        key_value: torch.Tensor,
        key_value_bias: torch.Tensor,
        output: torch.Tensor,
        output_bias: torch.Tensor,
    ) -> torch.Tensor:
        """(M, D) of x (M, D).

        Args:
            mask: (M, D) of dropout; None: none.
            epsilon: ε.
            sight: who looks at whom.
        """
        normed, mean, spread = torch.native_layer_norm(states, gain.shape, gain, shift, epsilon)
        into = torch.cat([query, key_value], dim=1)  # (D, 3 · A · K)
        sums = product(normed, into, torch.cat([query_bias, key_value_bias]))
        context, weights = _look(sums, sight)
        found = product(context, output, output_bias)
        if mask is not None:
            found.mul_(mask)
        ctx.save_for_backward(states, mask, gain, shift, into, output, normed, mean, spread, sums, weights, context)
        ctx.sight = sight
        return found.add_(states)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Gradients:
        """From the output to x."""
        (d_after,) = gradients
        states, mask, gain, shift, into, output, normed, mean, spread, sums, weights, context = ctx.saved_tensors
        width = context.shape[1]
        d_found = d_after if mask is None else d_after * mask
        d_sums = _look_back(sums, ctx.sight, weights, product(d_found, output.T))  # (M, 3 · A · K)
        d_states, d_gain, d_shift = torch.ops.aten.native_layer_norm_backward(
            product(d_sums, into.T), states, gain.shape, mean, spread, gain, shift, [True, True, True]
        )
        sizes = [width, 2 * width]
        by_query, by_key_value = zip(
            torch.split_with_sizes(over_rows(normed, d_sums), sizes, 1),
            torch.split_with_sizes(d_sums.sum(0), sizes),
            strict=True,
        )
        by_output = over_rows(context, d_found), d_found.sum(0)
        return d_states.add_(d_after), None, None, None, d_gain, d_shift, *by_query, *by_key_value, *by_output


class Bent(torch.autograd.Function):
    """The second half."""

    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        mask: torch.Tensor | None,
        epsilon: float,
        gain: torch.Tensor,
        shift: torch.Tensor,
        widen: torch.Tensor,
        widen_bias: torch.Tensor,
        narrow: torch.Tensor,
        narrow_bias: torch.Tensor,
    ) -> torch.Tensor:
        """(M, D) of x (M, D).

        Args:
            mask: (M, D) of dropout; None: none.
            epsilon: ε.
        """
        normed, mean, spread = torch.native_layer_norm(states, gain.shape, gain, shift, epsilon)
        bent = product(normed, widen, widen_bias)  # (M, I)
        slopes = bend(bent)
        found = product(bent, narrow, narrow_bias)
        if mask is not None:
            found.mul_(mask)
        ctx.save_for_backward(states, mask, gain, shift, widen, narrow, normed, mean, spread, bent, slopes)
        return found.add_(states)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Gradients:
        """From the output to x."""
        (d_after,) = gradients
        states, mask, gain, shift, widen, narrow, normed, mean, spread, bent, slopes = ctx.saved_tensors
        d_found = d_after if mask is None else d_after * mask
        d_bent = product(d_found, narrow.T).mul_(slopes)
        d_states, d_gain, d_shift = torch.ops.aten.native_layer_norm_backward(
            product(d_bent, widen.T), states, gain.shape, mean, spread, gain, shift, [True, True, True]
        )
        by_widen = over_rows(normed, d_bent), d_bent.sum(0)
        by_narrow = over_rows(bent, d_found), d_found.sum(0)
        return d_states.add_(d_after), None, None, d_gain, d_shift, *by_widen, *by_narrow


def _look(sums: torch.Tensor, sight: Sight) -> tuple[torch.Tensor, torch.Tensor]:
    """What the heads find, (M, A · K), and how much each unit looks at each, of queries, keys and values (M, 3 · A · K)."""
    tokens, heads, begins = sight
    width = sums.shape[1] // 3 // heads
    if _of_registers(sums, width):
        weights = sums.new_empty(len(sums) * heads, padded(tokens))
        context = sums.new_empty(len(sums), heads * width)
        across = sums.new_zeros(width, padded(tokens))
        attention_kernels.look(
            sums.numpy(), begins.numpy(), tokens, heads, weights.numpy(), context.numpy(), across.numpy()
        )
        return context, weights
    queries, keys, values = _apart(sums, tokens, heads, 3)  # (B · A, T, K)
    scores = torch.bmm(queries, keys.transpose(1, 2)).mul_(width**-0.5)
    places = torch.arange(tokens)
    seen = (begins.view(-1, tokens, 1) <= places) & (places <= places[:, None])  # (B, T, T)
    scores.view(-1, heads, tokens, tokens).masked_fill_(~seen[:, None], -torch.inf)
    weights = torch.softmax(scores, dim=-1)
    return _together(torch.bmm(weights, values)[None], heads), weights


def _look_back(sums: torch.Tensor, sight: Sight, weights: torch.Tensor, d_context: torch.Tensor) -> torch.Tensor:
    """The way back of ``_look``: the derivative by ``sums``."""
    tokens, heads, begins = sight
    width = sums.shape[1] // 3 // heads
    if _of_registers(sums, width):
        d_sums = torch.empty_like(sums)
        across = sums.new_zeros(width, padded(tokens))
        d_scores = sums.new_empty(tokens, padded(tokens))
        attention_kernels.look_back(
            sums.numpy(), begins.numpy(), tokens, heads, weights.numpy(), d_context.numpy(),
            d_sums.numpy(), across.numpy(), d_scores.numpy(),
        )  # fmt: skip
        return d_sums
    queries, keys, values = _apart(sums, tokens, heads, 3)
    (d_found,) = _apart(d_context, tokens, heads, 1)
    # of a softmax: p (d − Σ p d)
    d_weights = torch.bmm(d_found, values.transpose(1, 2))
    d_products = torch._softmax_backward_data(d_weights, weights, -1, weights.dtype).mul_(width**-0.5)
    by_query, by_key = torch.bmm(d_products, keys), torch.bmm(d_products.transpose(1, 2), queries)
    return _together(torch.stack([by_query, by_key, torch.bmm(weights.transpose(1, 2), d_found)]), heads)


def _of_registers(sums: torch.Tensor, width: int) -> bool:
    """Whether the kernels may look."""
    return in_one_pass(sums) and width % LANES == 0


def _apart(vectors: torch.Tensor, tokens: int, heads: int, parts: int) -> torch.Tensor:
    """(M, parts · A · K) to (parts, B · A, T, K)."""
    width = vectors.shape[1] // parts // heads
    placed = vectors.view(-1, tokens, parts, heads, width).permute(2, 0, 3, 1, 4)
    return placed.reshape(parts, -1, tokens, width)


def _together(vectors: torch.Tensor, heads: int) -> torch.Tensor:
    """(parts, B · A, T, K) to (M, parts · A · K)."""
    parts, _, tokens, width = vectors.shape
    placed = vectors.view(parts, -1, heads, tokens, width).permute(1, 3, 0, 2, 4)
    return placed.reshape(-1, parts * heads * width)
