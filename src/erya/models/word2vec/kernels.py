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
from erya.parts.simd import LANES, fma, load, minus, plus, spread, store, times, total, totals
from erya.parts.squash import sigmoid

GROUP = 6  # targets that are multiplied at once: the word and five noise words
SPARE, HIDDEN, GRADIENT, SIDE = 0, 1, 2, 3  # an arena's first rows: zeros, h, its gradient, the contexts as they were
LARGEST = 1e12  # of squared scores, and of a turn's squared step; training that works stays billions of times below

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


class Hands(NamedTuple):
    """Each thread's room. G: target groups."""

    contexts: Places  # (2 window + 1,) arena rows; the last one's place is only written to
    old: Places  # (2 window,) arena rows of the contexts as they were
    one: Places  # (1,) that of CBOW's hidden vector
    targets: Places  # (6 G + 1,) arena rows, and a place that is only written to
    slots: Places  # (6 G,) each target's column of scores and goals
    scores: Floats  # (2 window, 16 G), then the errors times the rate
    goals: NDArray[np.float32]  # (3, 16 G) labels, offsets, 1 where there is a target
    owned: Places  # (rows,) rows of the arena that the thread will add
    side: int  # where the thread's side rows begin: SPARE, HIDDEN …
    stream: NDArray[np.uint64]  # (1,)


# ---- one word and its contexts ------------------------------------------------------------------------------------


@inlined
def score(arena: Floats, rows: Places, size: int, targets: Places, group: int, scores: Floats) -> None:
    """``scores[i, 16 group + j]`` = arena[rows[i]] · arena[targets[6 group + j]], j < 6, for the first ``size`` rows.

    Two rows at a time, so that what is loaded of the targets serves both.
    """
    first = GROUP * group
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    t3, t4, t5 = targets[first + 3], targets[first + 4], targets[first + 5]
    for i in range(0, size - 1, 2):
        a, b = rows[i], rows[i + 1]
        a0 = spread(np.float32(0))
        a1, a2, a3, a4, a5 = a0, a0, a0, a0, a0
        b0, b1, b2, b3, b4, b5 = a0, a0, a0, a0, a0, a0
        for k in range(0, arena.shape[1], LANES):
            g, h, u = load(arena, a, k), load(arena, b, k), load(arena, t0, k)
            a0, b0, u = fma(g, u, a0), fma(h, u, b0), load(arena, t1, k)
            a1, b1, u = fma(g, u, a1), fma(h, u, b1), load(arena, t2, k)
            a2, b2, u = fma(g, u, a2), fma(h, u, b2), load(arena, t3, k)
            a3, b3, u = fma(g, u, a3), fma(h, u, b3), load(arena, t4, k)
            a4, b4, u = fma(g, u, a4), fma(h, u, b4), load(arena, t5, k)
            a5, b5 = fma(g, u, a5), fma(h, u, b5)
        store(scores, i, LANES * group, totals(a0, a1, a2, a3, a4, a5))
        store(scores, i + 1, LANES * group, totals(b0, b1, b2, b3, b4, b5))
    if size % 2 == 1:
        a = rows[size - 1]
        a0 = spread(np.float32(0))
        a1, a2, a3, a4, a5 = a0, a0, a0, a0, a0
        for k in range(0, arena.shape[1], LANES):
            h = load(arena, a, k)
            a0, a1 = fma(h, load(arena, t0, k), a0), fma(h, load(arena, t1, k), a1)
            a2, a3 = fma(h, load(arena, t2, k), a2), fma(h, load(arena, t3, k), a3)
            a4, a5 = fma(h, load(arena, t4, k), a4), fma(h, load(arena, t5, k), a5)
        store(scores, size - 1, LANES * group, totals(a0, a1, a2, a3, a4, a5))


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
def score_half(arena: Floats, rows: Places, size: int, targets: Places, group: int, scores: Floats) -> None:
    """``score`` for a last group of at most three targets."""
    first = GROUP * group
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    zeros = spread(np.float32(0))
    for i in range(size):
        row = rows[i]
        s0, s1, s2 = zeros, zeros, zeros
        for k in range(0, arena.shape[1], LANES):
            h = load(arena, row, k)
            s0, s1 = fma(h, load(arena, t0, k), s0), fma(h, load(arena, t1, k), s1)
            s2 = fma(h, load(arena, t2, k), s2)
        store(scores, i, LANES * group, totals(s0, s1, s2, zeros, zeros, zeros))


@inlined
def step_half(
    arena: Floats, rows: Places, into: Places, size: int, targets: Places, group: int, errors: Floats
) -> None:
    """``step`` for a last group of at most three targets."""
    first, column = GROUP * group, LANES * group
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    for k in range(0, arena.shape[1], LANES):
        u0, u1, u2 = load(arena, t0, k), load(arena, t1, k), load(arena, t2, k)
        n0, n1, n2 = u0, u1, u2
        for i in range(size):
            h, e0, e1 = load(arena, rows[i], k), spread(errors[i, column]), spread(errors[i, column + 1])
            e2 = spread(errors[i, column + 2])
            n0, n1, n2 = fma(e0, h, n0), fma(e1, h, n1), fma(e2, h, n2)
            moved = fma(e2, u2, fma(e1, u1, fma(e0, u0, load(arena, into[i], k))))
            store(arena, into[i], k, moved)
        store(arena, t0, k, n0)
        store(arena, t1, k, n1)
        store(arena, t2, k, n2)


@inlined
def step_of_one(arena: Floats, row: int, into: int, targets: Places, group: int, errors: Floats) -> None:
    """``step`` for a single row."""
    first, column = GROUP * group, LANES * group
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    t3, t4, t5 = targets[first + 3], targets[first + 4], targets[first + 5]
    e0, e1, e2 = spread(errors[0, column]), spread(errors[0, column + 1]), spread(errors[0, column + 2])
    e3, e4, e5 = spread(errors[0, column + 3]), spread(errors[0, column + 4]), spread(errors[0, column + 5])
    for k in range(0, arena.shape[1], LANES):
        u0, u1, u2 = load(arena, t0, k), load(arena, t1, k), load(arena, t2, k)
        u3, u4, u5 = load(arena, t3, k), load(arena, t4, k), load(arena, t5, k)
        h = load(arena, row, k)
        even = fma(e4, u4, fma(e2, u2, fma(e0, u0, load(arena, into, k))))
        odd = fma(e5, u5, fma(e3, u3, times(e1, u1)))
        store(arena, t0, k, fma(e0, h, u0))
        store(arena, t1, k, fma(e1, h, u1))
        store(arena, t2, k, fma(e2, h, u2))
        store(arena, t3, k, fma(e3, h, u3))
        store(arena, t4, k, fma(e4, h, u4))
        store(arena, t5, k, fma(e5, h, u5))
        store(arena, into, k, plus(even, odd))


@inlined
def to_errors(hands: Hands, size: int, groups: int, rate: float) -> bool:
    """From scores to rate × (label − σ(score − offset)), 0 where there is no target. False: a score is beyond all sense."""
    largest = spread(np.float32(0))
    for group in range(groups):
        column = LANES * group
        labels, offsets = load(hands.goals, 0, column), load(hands.goals, 1, column)
        factor = times(load(hands.goals, 2, column), spread(np.float32(rate)))
        for i in range(size):
            found = load(hands.scores, i, column)
            largest = fma(found, found, largest)
            store(hands.scores, i, column, times(factor, minus(labels, sigmoid(minus(found, offsets)))))
    return bool(total(largest) < LARGEST)  # false for nan, too


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
    """Each of ``size`` contexts predicts ``count`` targets. Returns the mean loss of a context where ``listen``;
    nan, and no step was taken, where a score is beyond all sense.
    """
    contexts, rows, loss = hands.contexts, hands.contexts, 0.0
    groups, whole = (count + GROUP - 1) // GROUP, (count + GROUP // 2 - 1) // GROUP
    if groups > 1:  # the later groups must see the contexts as they were
        rows = hands.old
        for i in range(size):
            rows[i] = hands.side + SIDE + i
            for k in range(0, arena.shape[1], LANES):
                store(arena, rows[i], k, load(arena, contexts[i], k))
    for group in range(whole):
        score(arena, rows, size, hands.targets, group, hands.scores)
    if whole < groups:
        score_half(arena, rows, size, hands.targets, whole, hands.scores)
    if listen:
        loss = loss_of(hands, size, count) / size
    if not to_errors(hands, size, groups, rate):
        return np.nan
    for group in range(whole):
        step(arena, rows, contexts, size, hands.targets, group, hands.scores)
    if whole < groups:
        step_half(arena, rows, contexts, size, hands.targets, whole, hands.scores)
    return loss


@inlined
def cbow(arena: Floats, hands: Hands, size: int, count: int, mean: bool, rate: float, listen: bool) -> float:
    """``size`` contexts together predict ``count`` targets. Returns the loss where ``listen``; nan as ``skip_gram``."""
    contexts, loss = hands.contexts, 0.0
    groups, whole = (count + GROUP - 1) // GROUP, (count + GROUP // 2 - 1) // GROUP
    hidden, gradient = hands.side + HIDDEN, hands.side + GRADIENT
    share = np.float32(1.0 / size if mean else 1.0)
    for k in range(0, arena.shape[1], LANES):
        gathered = spread(np.float32(0))
        for i in range(size):
            gathered = plus(gathered, load(arena, contexts[i], k))
        store(arena, hidden, k, times(gathered, spread(share)))
        store(arena, gradient, k, spread(np.float32(0)))
    hands.one[0] = hidden
    for group in range(whole):
        score(arena, hands.one[:1], 1, hands.targets, group, hands.scores)
    if whole < groups:
        score_half(arena, hands.one[:1], 1, hands.targets, whole, hands.scores)
    if listen:
        loss = loss_of(hands, 1, count)
    if not to_errors(hands, 1, groups, rate):
        return np.nan
    for group in range(groups):
        step_of_one(arena, hidden, gradient, hands.targets, group, hands.scores)
    for k in range(0, arena.shape[1], LANES):
        moved = times(load(arena, gradient, k), spread(share))  # the mean's gradient: each context has its share of it
        for i in range(size):
            store(arena, contexts[i], k, plus(load(arena, contexts[i], k), moved))
    return loss
