"""The two halves of a GPT's layer, with the way back written out: what is learned with, where a batch is not too long.

The equations are those of ``DecoderLayer`` in ``network.py``; tests compare values and derivatives. Written out, numbers that are no longer
needed are overwritten, and each half is one step for torch to remember instead of twenty.

    attention   x + mask ∘ (softmax(q kᵀ / √K + hidden) v O + o)        q, k, v of N(x)
    inner       x + mask ∘ (gelu(N(x) W₁ + b₁) W₂ + b₂)

The weights of the attention are kept for the way back, (B, A, T, T): of a few dozen units that is faster than making them again, of
thousands it is too much memory.

Shapes: B rows, T units, M = B · T, D width, A heads, K width of a head, I inner width. ``d_…`` is the derivative of the loss by ….
"""

from __future__ import annotations

from typing import Any

import torch

from erya.models.gpt.gelu import bend
from erya.parts.products import product

LONGEST = 256  # units of a row
Gradients = tuple[torch.Tensor | None, ...]


class Attended(torch.autograd.Function):
    """The first half."""

    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        hidden: torch.Tensor,
        mask: torch.Tensor | None,
        sizes: tuple[int, int, float],
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
            hidden: what is added to the scores, (T, T) or (B, 1, T, T): 0, or −∞ where nobody may look.
            mask: (M, D) of dropout; None: none.
            sizes: T, A, ε.
        """
        tokens, heads, epsilon = sizes
        normed, mean, spread = torch.native_layer_norm(states, gain.shape, gain, shift, epsilon)
        into = torch.cat([query, key_value], dim=1)  # (D, 3 · A · K)
        parts = _apart(product(normed, into, torch.cat([query_bias, key_value_bias])), tokens, heads, 3)
        queries, keys, values = parts  # (B · A, T, K)
        scale = queries.shape[-1] ** -0.5
        if hidden.dim() == 2:
            scores = torch.baddbmm(hidden, queries, keys.transpose(1, 2), alpha=scale)
        else:
            scores = torch.bmm(queries, keys.transpose(1, 2)).mul_(scale)
            scores.view(-1, heads, tokens, tokens).add_(hidden)
        weights = torch.softmax(scores, dim=-1)
        context = _together(torch.bmm(weights, values)[None], heads)  # (M, A · K)
        found = product(context, output, output_bias)
        if mask is not None:
            found.mul_(mask)
        kept = (normed, mean, spread, parts, weights, context)
        ctx.save_for_backward(states, mask, gain, shift, into, output, *kept)
        ctx.heads = heads
        return found.add_(states)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Gradients:
        """From the output to x."""
        (d_after,) = gradients
        states, mask, gain, shift, into, output, normed, mean, spread, parts, weights, context = ctx.saved_tensors
        queries, keys, values = parts
        d_found = d_after if mask is None else d_after * mask
        tokens, heads, width = queries.shape[1], ctx.heads, context.shape[1]
        (d_context,) = _apart(product(d_found, output.T), tokens, heads, 1)
        d_weights = torch.bmm(d_context, values.transpose(1, 2))
        # of a softmax: p (d − Σ p d)
        d_scores = torch._softmax_backward_data(d_weights, weights, -1, weights.dtype).mul_(queries.shape[-1] ** -0.5)
        d_parts = torch.empty_like(parts)
        torch.bmm(d_scores, keys, out=d_parts[0])
        torch.bmm(d_scores.transpose(1, 2), queries, out=d_parts[1])
        torch.bmm(weights.transpose(1, 2), d_context, out=d_parts[2])
        d_sums = _together(d_parts, heads)  # (M, 3 · A · K)
        d_normed = product(d_sums, into.T)
        d_states, d_gain, d_shift = torch.ops.aten.native_layer_norm_backward(
            d_normed, states, gain.shape, mean, spread, gain, shift, [True, True, True]
        )
        sizes = [width, 2 * width]
        by_query, by_key_value = zip(
            torch.split_with_sizes(_over_rows(normed, d_sums), sizes, 1),
            torch.split_with_sizes(d_sums.sum(0), sizes),
            strict=True,
        )
        by_output = _over_rows(context, d_found), d_found.sum(0)
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
        by_widen = _over_rows(normed, d_bent), d_bent.sum(0)
        by_narrow = _over_rows(bent, d_found), d_found.sum(0)
        return d_states.add_(d_after), None, None, d_gain, d_shift, *by_widen, *by_narrow


def _over_rows(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """leftᵀ right, (K, N) of (M, K) and (M, N): a wide result is found faster than a tall one."""
    if left.shape[1] > right.shape[1]:
        return product(right.T, left).T.contiguous()
    return product(left.T, right)


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
