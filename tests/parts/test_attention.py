"""Attention: the formula, torch's own, gradients, and what may not be looked at."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from erya.parts.attention import MultiHeadAttention, attend, attention_weights, masked_softmax, real_places
from erya.parts.attention_pooling import AdditiveAttention, pooled

B, A, T, S, K = 3, 2, 5, 7, 4
WIDTH = A * K


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def asked():
    return numbers(B, A, T, K, seed=1), numbers(B, A, S, K, seed=2), numbers(B, A, S, K, seed=3)


MASKS = {
    "everything": None,
    "padding": real_places(torch.tensor([S, 4, 1]), S)[:, None, None],
    "one text is empty": real_places(torch.tensor([S, 4, 0]), S)[:, None, None],
    "from left to right": torch.ones(T, S, dtype=torch.bool).tril(),
}


def test_real_places():
    assert real_places(torch.tensor([2, 0]), 3).tolist() == [[True, True, False], [False, False, False]]


def test_the_weights_by_hand():
    queries, keys = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    allowed = torch.tensor([True, True, False])
    loud = [math.exp(3 / math.sqrt(2)), math.exp(2 / math.sqrt(2))]
    expected = torch.tensor([[loud[0] / sum(loud), loud[1] / sum(loud), 0.0]])
    torch.testing.assert_close(attention_weights(queries, keys, allowed), expected)


@pytest.mark.parametrize("mask", MASKS)
def test_the_fused_kernel_does_what_the_formula_says(mask):
    """Values to 1e-12 and gradients to 1e-10 in float64; values to 1e-5 in float32."""
    allowed, tensors = MASKS[mask], asked()
    queries, keys, values = tensors
    written = attention_weights(queries, keys, allowed) @ values
    fused = attend(queries, keys, values, allowed)
    torch.testing.assert_close(fused, written, atol=1e-12, rtol=0)
    towards = numbers(B, A, T, K, seed=4).detach()
    mine = torch.autograd.grad((written * towards).sum(), tensors)
    theirs = torch.autograd.grad((fused * towards).sum(), tensors)
    for one, other in zip(mine, theirs, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)
    small = [tensor.detach().float() for tensor in tensors]
    torch.testing.assert_close(attend(*small, allowed).double(), written.detach(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mask", MASKS)
def test_gradients_are_those_of_finite_differences(mask):
    allowed = MASKS[mask]
    assert torch.autograd.gradcheck(lambda q, k, v: attention_weights(q, k, allowed) @ v, asked(), fast_mode=True)
    assert torch.autograd.gradcheck(lambda q, k, v: attend(q, k, v, allowed), asked(), fast_mode=True)


def test_nobody_looks_where_it_is_not_allowed():
    queries, keys, _ = asked()
    weights = attention_weights(queries, keys, MASKS["one text is empty"])
    assert (weights[1, ..., 4:] == 0).all(), "exactly 0"
    assert (weights[2] == 0).all(), "nothing to look at"
    torch.testing.assert_close(weights[:2].sum(-1), torch.ones(2, A, T, dtype=torch.double))
    forward = attention_weights(queries, keys, MASKS["from left to right"])
    assert (forward.triu(1)[..., :T] == 0).all()


def twin(mine):
    """torch.nn.MultiheadAttention with the same weights."""
    theirs = torch.nn.MultiheadAttention(WIDTH, A, batch_first=True, dtype=torch.double)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([mine.query, mine.key_value], dim=1).T)
        theirs.in_proj_bias.copy_(torch.cat([mine.query_bias, mine.key_value_bias]))
        theirs.out_proj.weight.copy_(mine.output.T)
        theirs.out_proj.bias.copy_(mine.output_bias)
    return theirs


def test_several_heads_are_those_of_torch():
    mine = MultiHeadAttention(WIDTH, A, torch.Generator().manual_seed(5)).double()
    with torch.no_grad():
        for bias in (mine.query_bias, mine.key_value_bias, mine.output_bias):
            bias.normal_(generator=torch.Generator().manual_seed(len(bias)))
    asking, others = numbers(B, T, WIDTH, seed=6), numbers(B, S, WIDTH, seed=7)
    real = real_places(torch.tensor([S, 4, 1]), S)
    found = mine(asking, mine.keys_and_values(others), real[:, None, None])
    expected, weights = twin(mine)(asking, others, others, key_padding_mask=~real, average_attn_weights=False)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(mine.weights(asking, others, real[:, None, None]), weights, atol=1e-12, rtol=0)


def test_keys_that_are_kept_answer_the_next_query():
    """What a decoder does: keys and values of the tokens so far, one more query, no mask."""
    mine = MultiHeadAttention(WIDTH, A, torch.Generator().manual_seed(8)).double()
    text = numbers(B, T, WIDTH, seed=9).detach()
    whole = mine(text, mine.keys_and_values(text), torch.ones(T, T, dtype=torch.bool).tril())
    for step in range(T):
        kept = mine.keys_and_values(text[:, : step + 1])
        torch.testing.assert_close(mine(text[:, step : step + 1], kept)[:, 0], whole[:, step], atol=1e-12, rtol=0)


def test_heads_that_do_not_divide_the_width():
    mine = MultiHeadAttention(7, 3, torch.Generator().manual_seed(1))
    text = torch.randn(2, 4, 7, generator=torch.Generator().manual_seed(2))
    assert mine.head_width == 2
    assert mine(text, mine.keys_and_values(text)).shape == (2, 4, 7)
    assert MultiHeadAttention(2, 3).head_width == 1


def test_pooling_is_a_weighted_average_of_what_is_real():
    vectors, scores = numbers(B, S, 4, seed=1), numbers(B, S, seed=2)
    real = real_places(torch.tensor([S, 3, 0]), S)
    found, weights = pooled(vectors, scores, real)
    shares = functional.softmax(scores[1, :3], dim=0)
    torch.testing.assert_close(weights[1, :3], shares)
    torch.testing.assert_close(found[1], shares @ vectors[1, :3])
    assert (weights[1, 3:] == 0).all()
    assert (found[2] == 0).all()
    assert torch.autograd.gradcheck(lambda v, s: pooled(v, s, real)[0], (vectors, scores))


def test_additive_scores_and_their_gradients():
    mine = AdditiveAttention(4, 3, torch.Generator().manual_seed(3)).double()
    vectors = numbers(B, S, 4, seed=4)
    by_hand = sum(
        mine.question[unit] * math.tanh(float((vectors[1, 2] @ mine.matrix[:, unit] + mine.bias[unit]).detach()))
        for unit in range(3)
    )
    assert float(mine(vectors)[1, 2].detach()) == pytest.approx(float(by_hand.detach()), abs=1e-12)
    assert torch.autograd.gradcheck(mine, (vectors,))


def test_softmax_of_nothing():
    assert masked_softmax(torch.zeros(2, 0), torch.zeros(2, 0, dtype=torch.bool)).shape == (2, 0)
