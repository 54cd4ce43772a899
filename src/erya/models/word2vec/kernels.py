"""word2vec's training steps as Numba functions: arrays in, arrays out. ``reference.py`` says the same in plain NumPy.

For a word, its contexts c (the words up to ``window`` away) and its targets t with labels y:

    score    s = h · u_t − offset         h = v_c for each context (skip-gram), or the contexts' mean or sum (CBOW)
    error    e = y − σ(s)                 the gradient of ln σ(s) for y = 1, of ln σ(−s) for y = 0
    steps    h += η Σ_t e u_t             u_t += η Σ_h e h

Targets are the word itself (y = 1) and words drawn as noise (y = 0), or the turns on the word's path in Huffman's tree.
With noise-contrastive estimation the offset is ln(K q(t)); otherwise it is 0. Mikolov et al. 2013; Gutmann & Hyvärinen 2012.

How turns, arenas and threads come about: ``shard_kernels.py``. Widths are multiples of LANES.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined
from erya.parts.simd import LANES, fma, load, minus, over, plus, spread, store, times, totals, within

GROUP = 6  # targets that are multiplied at once: the word and five noise words
SPARE, HIDDEN, GRADIENT, SIDE = 0, 1, 2, 3  # an arena's first rows: zeros, h, its gradient, the contexts' gradients

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


class Hands(NamedTuple):
    """Each thread's room. G: target groups."""

    contexts: Places  # (2 window,) arena rows
    into: Places  # (2 window,) arena rows that take the contexts' gradients
    one: Places  # (2,) those of CBOW's hidden vector and of its gradient
    targets: Places  # (6 G,) arena rows
    scores: Floats  # (2 window, 16 G), then the errors times the rate
    goals: NDArray[np.float32]  # (3, 16 G) labels, offsets, 1 where there is a target
    owned: Places  # (rows,) rows of the arena that the thread will add
    stream: NDArray[np.uint64]  # (1,)


# ---- one word and its contexts ------------------------------------------------------------------------------------


@inlined
def sigmoid(x: object) -> object:
    """1 / (1 + e⁻ˣ) of 16 numbers: (1 + tanh(x/2)) / 2, tanh by the first terms of Lambert's continued fraction.

    The error is below 4·10⁻⁶ everywhere; beyond ±18 the answer is that of ±18.
    """
    y = times(within(x, spread(np.float32(-18)), spread(np.float32(18))), spread(np.float32(0.5)))
    q = times(y, y)
    above = plus(q, spread(np.float32(990)))
    above = fma(above, q, spread(np.float32(135135)))
    above = fma(above, q, spread(np.float32(4729725)))
    above = fma(above, q, spread(np.float32(34459425)))
    under = fma(q, spread(np.float32(45)), spread(np.float32(13860)))
    under = fma(under, q, spread(np.float32(945945)))
    under = fma(under, q, spread(np.float32(16216200)))
    under = fma(under, q, spread(np.float32(34459425)))
    tanh = within(over(times(y, above), under), spread(np.float32(-1)), spread(np.float32(1)))
    return fma(tanh, spread(np.float32(0.5)), spread(np.float32(0.5)))


@inlined
def score(arena: Floats, rows: Places, size: int, targets: Places, group: int, scores: Floats) -> None:
    """``scores[i, 16 group + j]`` = arena[rows[i]] · arena[targets[6 group + j]], j < 6, for the first ``size`` rows."""
    first = GROUP * group
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    t3, t4, t5 = targets[first + 3], targets[first + 4], targets[first + 5]
    for i in range(size):
        s0 = spread(np.float32(0))
        s1, s2, s3, s4, s5 = s0, s0, s0, s0, s0
        for k in range(0, arena.shape[1], LANES):
            h = load(arena, rows[i], k)
            s0 = fma(h, load(arena, t0, k), s0)
            s1 = fma(h, load(arena, t1, k), s1)
            s2 = fma(h, load(arena, t2, k), s2)
            s3 = fma(h, load(arena, t3, k), s3)
            s4 = fma(h, load(arena, t4, k), s4)
            s5 = fma(h, load(arena, t5, k), s5)
        store(scores, i, LANES * group, totals(s0, s1, s2, s3, s4, s5))


@inlined
def step(arena: Floats, rows: Places, into: Places, size: int, targets: Places, group: int, errors: Floats) -> None:
    """Both steps for six targets: rows ``into`` += Σ_t e u_t, and u_t += Σ_i e_i h_i; all from before the step."""
    first, column = GROUP * group, LANES * group
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    t3, t4, t5 = targets[first + 3], targets[first + 4], targets[first + 5]
    for k in range(0, arena.shape[1], LANES):
        u0, u1, u2 = load(arena, t0, k), load(arena, t1, k), load(arena, t2, k)
        u3, u4, u5 = load(arena, t3, k), load(arena, t4, k), load(arena, t5, k)
        n0, n1, n2, n3, n4, n5 = u0, u1, u2, u3, u4, u5
        for i in range(size):
            h, e0, e1 = load(arena, rows[i], k), spread(errors[i, column]), spread(errors[i, column + 1])
            e2, e3 = spread(errors[i, column + 2]), spread(errors[i, column + 3])
            e4, e5 = spread(errors[i, column + 4]), spread(errors[i, column + 5])
            n0, n1, n2 = fma(e0, h, n0), fma(e1, h, n1), fma(e2, h, n2)
            n3, n4, n5 = fma(e3, h, n3), fma(e4, h, n4), fma(e5, h, n5)
            even = fma(e4, u4, fma(e2, u2, fma(e0, u0, load(arena, into[i], k))))
            odd = fma(e5, u5, fma(e3, u3, times(e1, u1)))
            store(arena, into[i], k, plus(even, odd))
        store(arena, t0, k, n0)
        store(arena, t1, k, n1)
        store(arena, t2, k, n2)
        store(arena, t3, k, n3)
        store(arena, t4, k, n4)
        store(arena, t5, k, n5)


@inlined
def to_errors(hands: Hands, size: int, groups: int, rate: float) -> None:
    """From scores to rate × (label − σ(score − offset)), 0 where there is no target."""
    for group in range(groups):
        column = LANES * group
        labels, offsets = load(hands.goals, 0, column), load(hands.goals, 1, column)
        factor = times(load(hands.goals, 2, column), spread(np.float32(rate)))
        for i in range(size):
            answer = sigmoid(minus(load(hands.scores, i, column), offsets))
            store(hands.scores, i, column, times(factor, minus(labels, answer)))


@inlined
def loss_of(hands: Hands, size: int, count: int) -> float:
    """−Σ ln σ(±(score − offset)) over all rows and ``count`` targets, in nats."""
    loss = 0.0
    for i in range(size):
        for j in range(count):
            place = LANES * (j // GROUP) + j % GROUP
            s = np.float64(hands.scores[i, place]) - hands.goals[1, place]
            x = s if hands.goals[0, place] > 0 else -s
            loss += hands.goals[2, place] * (max(-x, 0.0) + np.log1p(np.exp(-abs(x))))
    return loss


@inlined
def skip_gram(arena: Floats, hands: Hands, size: int, count: int, rate: float, listen: bool) -> float:
    """Each of ``size`` contexts predicts ``count`` targets. Returns the mean loss of a context where ``listen``."""
    contexts, into, groups, loss = hands.contexts, hands.contexts, (count + GROUP - 1) // GROUP, 0.0
    for group in range(groups):
        score(arena, contexts, size, hands.targets, group, hands.scores)
    if listen:
        loss = loss_of(hands, size, count) / size
    to_errors(hands, size, groups, rate)
    if groups > 1:  # the later groups must see the contexts as they were
        into = hands.into
        for i in range(size):
            into[i] = SIDE + i
            for k in range(0, arena.shape[1], LANES):
                store(arena, SIDE + i, k, spread(np.float32(0)))
    for group in range(groups):
        step(arena, contexts, into, size, hands.targets, group, hands.scores)
    if groups > 1:
        for i in range(size):
            for k in range(0, arena.shape[1], LANES):
                store(arena, contexts[i], k, plus(load(arena, contexts[i], k), load(arena, SIDE + i, k)))
    return loss


@inlined
def cbow(arena: Floats, hands: Hands, size: int, count: int, mean: bool, rate: float, listen: bool) -> float:
    """``size`` contexts together predict ``count`` targets. Returns the loss where ``listen``."""
    contexts, groups, loss = hands.contexts, (count + GROUP - 1) // GROUP, 0.0
    share = np.float32(1.0 / size if mean else 1.0)
    for k in range(0, arena.shape[1], LANES):
        gathered = spread(np.float32(0))
        for i in range(size):
            gathered = plus(gathered, load(arena, contexts[i], k))
        store(arena, HIDDEN, k, times(gathered, spread(share)))
        store(arena, GRADIENT, k, spread(np.float32(0)))
    hands.one[0], hands.one[1] = HIDDEN, GRADIENT
    for group in range(groups):
        score(arena, hands.one[:1], 1, hands.targets, group, hands.scores)
    if listen:
        loss = loss_of(hands, 1, count)
    to_errors(hands, 1, groups, rate)
    for group in range(groups):
        step(arena, hands.one[:1], hands.one[1:], 1, hands.targets, group, hands.scores)
    for i in range(size):  # the mean's gradient, so that each context has its share of it
        for k in range(0, arena.shape[1], LANES):
            moved = fma(load(arena, GRADIENT, k), spread(share), load(arena, contexts[i], k))
            store(arena, contexts[i], k, moved)
    return loss
