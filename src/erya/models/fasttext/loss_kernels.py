"""The four losses of fastText for one line of text, as Numba functions.

    hidden   h = mean of the line's input rows           (D,)
    score    s_t = output row t · h                      for the targets t of the loss
    error    e_t = η w (goal_t − p_t)                    the gradient of the log likelihood, times the step
    steps    u_t += e_t h        every input row += 1/n Σ_t e_t u_t

softmax       all C labels are targets, p = softmax(s); of several labels of the line one is drawn
one-vs-all    all C labels are targets, p = σ(s), each a question of its own; several may be right
negative      the target is one of the line's labels (drawn), others are drawn as √count; p = σ(s)
hierarchical  the inner nodes on the path of one of the line's labels (drawn), goals are the turns; p = σ(s)

After Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification", and Mikolov et al. 2013. ``train_reference.py`` says
the same in plain NumPy; how threads come about: ``train_kernels.py``. Widths are multiples of LANES.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined
from erya.models.fasttext.tree_kernels import LabelPaths
from erya.parts.chance import AliasTable, below, draw, mixed
from erya.parts.simd import (
    LANES,
    fma,
    load,
    minus,
    over,
    plus,
    prefetch,
    prefetch_to_write,
    spread,
    store,
    times,
    total,
    totals,
    within,
)

HIERARCHICAL, NEGATIVE, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4  # as numbered in the original's files
GROUP = 6  # scores that are summed at once
LARGEST = 1e12  # of squared scores and hidden vectors; training that works stays billions of times below
TRIES = 64  # draws of a label that is not the right one, before the next one is taken
LOWEST = -1e30  # the score of no label

Floats = NDArray[np.float32]


class Data(NamedTuple):
    """N lines, and the order in which this epoch sees them."""

    rows: NDArray[np.int32]  # input rows of all lines, or of a block's
    starts: NDArray[np.int64]  # (N,) line i owns rows[starts[i]:ends[i]]
    ends: NDArray[np.int64]  # (N,)
    labels: NDArray[np.int32]
    label_starts: NDArray[np.int64]  # (N + 1,)
    shares: Floats  # (labels,) how much of a line each of its labels gets, or empty: one label is drawn
    weights: Floats  # (N,) of the lines, or empty
    order: NDArray[np.int32]  # (N,)
    done: NDArray[np.int64]  # (N + 1,) tokens of the lines before, in this order


class Parameters(NamedTuple):
    """What is learned."""

    input: Floats  # (R, D), LANES more numbers behind it
    output: Floats  # (C + GROUP, width); the last rows stay 0


class Targets(NamedTuple):
    """What the losses need to know of the labels."""

    paths: LabelPaths  # hierarchical softmax
    noise: AliasTable  # negative sampling


class Settings(NamedTuple):
    """What does not change while training."""

    loss: int
    classes: int  # C
    negative: int
    free: int  # input rows from here on stay as they are
    rows: int  # R
    batch: int  # B, lines whose gradients are taken at the same parameters (in step)
    listen: int  # the loss is measured at every so many lines
    seed: int


class Desks(NamedTuple):
    """Room for B lines between the two halves of a step. M: the most targets of a line."""

    hidden: Floats  # (B, width)
    gradient: Floats  # (B, width) what is added to each input row
    errors: Floats  # (B, M + some) scores, then errors times the step
    targets: NDArray[np.int64]  # (B, M + GROUP) output rows; (1, C + GROUP) 0, 1, 2 … where all are targets
    stream: NDArray[np.uint64]  # (B, 16) [0]: the line's random numbers
    counts: NDArray[np.int64]  # (B, 16) [0]: how many targets; 0: nothing to learn; −1: beyond all sense
    losses: NDArray[np.float64]  # (B, 16) [0]: loss, nan: not measured; [1]: weight
    owned: NDArray[np.int32]  # (threads, 2, most rows of a batch) rows that a thread will change, and their desks


@inlined
def exponential(x: object) -> object:
    """eˣ of 16 numbers: Taylor's first terms at x/256, squared eight times. Relative error below 3·10⁻⁵; |x| is cut at 87."""
    y = times(within(x, spread(np.float32(-87)), spread(np.float32(87))), spread(np.float32(1 / 256)))
    found = fma(y, spread(np.float32(1 / 5040)), spread(np.float32(1 / 720)))
    found = fma(found, y, spread(np.float32(1 / 120)))
    found = fma(found, y, spread(np.float32(1 / 24)))
    found = fma(found, y, spread(np.float32(1 / 6)))
    found = fma(found, y, spread(np.float32(0.5)))
    found = fma(found, y, spread(np.float32(1)))
    found = fma(found, y, spread(np.float32(1)))
    found = times(found, found)
    found = times(found, found)
    found = times(found, found)
    found = times(found, found)
    found = times(found, found)
    found = times(found, found)
    found = times(found, found)
    return times(found, found)


@inlined
def average(data: Data, input: Floats, line: int, coming: int, desks: Desks, slot: int, steps: bool) -> None:
    """The mean of the line's rows, into ``hidden``.

    Meanwhile asks for rows of line ``coming`` (−1: none): where ``steps`` follow at once, for the first half, to be written.
    """
    first, last = data.starts[line], data.ends[line]
    share = spread(np.float32(1.0 / (last - first)))
    begin, end = 0, 0
    if coming >= 0:
        begin, end = data.starts[coming], data.ends[coming]
        if steps:
            end = begin + (end - begin) // 2
    whole = first + (last - first) // 4 * 4
    for k in range(0, input.shape[1], LANES):
        a = spread(np.float32(0))
        b, c, d = a, a, a
        ahead = begin
        for place in range(first, whole, 4):
            a = plus(a, load(input, data.rows[place], k))
            b = plus(b, load(input, data.rows[place + 1], k))
            c = plus(c, load(input, data.rows[place + 2], k))
            d = plus(d, load(input, data.rows[place + 3], k))
            if ahead + 4 <= end:
                if steps:
                    prefetch_to_write(input, data.rows[ahead], k)
                    prefetch_to_write(input, data.rows[ahead + 1], k)
                    ahead += 2
                else:
                    prefetch(input, data.rows[ahead], k)
                    prefetch(input, data.rows[ahead + 1], k)
                    prefetch(input, data.rows[ahead + 2], k)
                    prefetch(input, data.rows[ahead + 3], k)
                    ahead += 4
        for place in range(whole, last):
            a = plus(a, load(input, data.rows[place], k))
        store(desks.hidden, slot, k, times(plus(plus(a, b), plus(c, d)), share))
        for place in range(ahead, end):
            prefetch_to_write(input, data.rows[place], k)
    for k in range(input.shape[1], desks.hidden.shape[1]):  # the next row's numbers
        desks.hidden[slot, k] = 0.0


@inlined
def choose(data: Data, line: int, epoch: int, targets: Targets, settings: Settings, desks: Desks, slot: int) -> int:
    """Which label is learned (−1: all, by their shares), and the output rows for it; sets ``counts``."""
    first = data.label_starts[line]
    several = data.label_starts[line + 1] - first
    stream, chosen = desks.stream[slot], data.labels[first]
    if several > 1 or settings.loss == NEGATIVE:
        state = mixed(np.uint64(settings.seed) + np.uint64(0x9E3779B97F4A7C15))
        stream[0] = mixed(state ^ ((np.uint64(epoch) << np.uint64(40)) + np.uint64(line)))
    if several > 1:
        chosen = data.labels[first + below(stream, several)]
    if settings.loss == HIERARCHICAL:
        begin, count = targets.paths.starts[chosen], 0
        for place in range(begin, targets.paths.starts[chosen + 1]):
            desks.targets[slot, count] = targets.paths.nodes[place]
            count += 1
        desks.counts[slot, 0] = count
    elif settings.loss == NEGATIVE:
        desks.targets[slot, 0] = chosen
        count = 1
        while count <= settings.negative and settings.classes > 1:
            other, tries = draw(targets.noise, stream), 1
            while other == chosen and tries < TRIES:
                other = draw(targets.noise, stream)
                tries += 1
            desks.targets[slot, count] = other if other != chosen else (other + 1) % settings.classes
            count += 1
        desks.counts[slot, 0] = count
    else:
        desks.counts[slot, 0] = settings.classes
    if settings.loss == HIERARCHICAL or settings.loss == NEGATIVE:
        for place in range(count, count + GROUP):
            desks.targets[slot, place] = settings.classes  # a row of zeros
    return int(chosen)


@inlined
def score(output: Floats, desks: Desks, slot: int, mine: int, count: int) -> float:
    """All scores, into ``errors``; returns the sum of their squares and of the hidden vector's."""
    for j in range(0, count, GROUP):
        t0, t1, t2 = desks.targets[mine, j], desks.targets[mine, j + 1], desks.targets[mine, j + 2]
        t3, t4, t5 = desks.targets[mine, j + 3], desks.targets[mine, j + 4], desks.targets[mine, j + 5]
        a0 = spread(np.float32(0))
        a1, a2, a3, a4, a5 = a0, a0, a0, a0, a0
        for k in range(0, output.shape[1], LANES):
            h = load(desks.hidden, slot, k)
            a0, a1 = fma(h, load(output, t0, k), a0), fma(h, load(output, t1, k), a1)
            a2, a3 = fma(h, load(output, t2, k), a2), fma(h, load(output, t3, k), a3)
            a4, a5 = fma(h, load(output, t4, k), a4), fma(h, load(output, t5, k), a5)
        store(desks.errors, slot, j, totals(a0, a1, a2, a3, a4, a5))
    for j in range(count, (count + LANES - 1) // LANES * LANES):
        desks.errors[slot, j] = 0.0
    size = spread(np.float32(0))
    for j in range(0, count, LANES):
        found = load(desks.errors, slot, j)
        size = fma(found, found, size)
    for k in range(0, output.shape[1], LANES):
        h = load(desks.hidden, slot, k)
        size = fma(h, h, size)
    return np.float64(total(size))


@inlined
def softmax_errors(
    data: Data, line: int, chosen: int, settings: Settings, desks: Desks, slot: int, count: int, rate: float
) -> float:
    """From scores to rate × (goal − softmax); returns the loss."""
    largest = desks.errors[slot, 0]
    for j in range(1, count):
        largest = max(largest, desks.errors[slot, j])
    loss = 0.0
    if len(data.shares) > 0:
        for place in range(data.label_starts[line], data.label_starts[line + 1]):
            loss -= data.shares[place] * (desks.errors[slot, data.labels[place]] - largest)
    else:
        loss = np.float64(largest - desks.errors[slot, chosen])
    for j in range(count, (count + LANES - 1) // LANES * LANES):
        desks.errors[slot, j] = LOWEST
    summed, shift = spread(np.float32(0)), spread(largest)
    for j in range(0, count, LANES):
        found = exponential(minus(load(desks.errors, slot, j), shift))
        summed = plus(summed, found)
        store(desks.errors, slot, j, found)
    whole = total(summed)
    factor = spread(np.float32(-rate / whole))
    for j in range(0, count, LANES):
        store(desks.errors, slot, j, times(load(desks.errors, slot, j), factor))
    if len(data.shares) > 0:
        for place in range(data.label_starts[line], data.label_starts[line + 1]):
            desks.errors[slot, data.labels[place]] += np.float32(rate * data.shares[place])
    else:
        desks.errors[slot, chosen] += np.float32(rate)
    return float(loss + np.log(np.float64(whole)))


@inlined
def goal_of(data: Data, first: int, place: int) -> float:
    """What one-vs-all wants at label ``place`` of a line whose labels begin at ``first``: its share; else 1, once."""
    goal = 1.0
    if len(data.shares) > 0:
        goal = float(data.shares[place])
    else:
        for before in range(first, place):
            if data.labels[before] == data.labels[place]:
                goal = 0.0
    return goal


@inlined
def sigmoid_errors(
    data: Data,
    line: int,
    chosen: int,
    targets: Targets,
    settings: Settings,
    desks: Desks,
    slot: int,
    count: int,
    rate: float,
    heard: bool,
) -> float:
    """From scores to rate × (goal − σ); returns the loss, nan where it is not ``heard``.

    ln(1 + eˢ) − goal s and −rate σ + rate goal: what belongs to no goal first, for all targets alike.
    """
    loss = np.nan
    if heard:
        loss = 0.0
        for j in range(count):
            s = np.float64(desks.errors[slot, j])
            loss += max(s, 0.0) + np.log1p(np.exp(-abs(s)))
    first, last = data.label_starts[line], data.label_starts[line + 1]
    begin = targets.paths.starts[chosen] if settings.loss == HIERARCHICAL else 0
    if heard:
        if settings.loss == ONE_VS_ALL:
            for place in range(first, last):
                loss -= goal_of(data, first, place) * desks.errors[slot, data.labels[place]]
        elif settings.loss == NEGATIVE:
            loss -= desks.errors[slot, 0]
        else:
            for j in range(count):
                loss -= targets.paths.codes[begin + j] * desks.errors[slot, j]
    step = np.float32(rate)
    one, factor, nothing = spread(np.float32(1)), spread(-step), spread(np.float32(0))
    for j in range(0, count, LANES):
        found = exponential(minus(nothing, load(desks.errors, slot, j)))
        store(desks.errors, slot, j, over(factor, plus(one, found)))
    if settings.loss == ONE_VS_ALL:
        for place in range(first, last):
            desks.errors[slot, data.labels[place]] += np.float32(goal_of(data, first, place)) * step
    elif settings.loss == NEGATIVE:
        desks.errors[slot, 0] += step
    else:
        for j in range(count):
            desks.errors[slot, j] += targets.paths.codes[begin + j] * step
    return loss


@inlined
def learn_output(output: Floats, desks: Desks, slot: int, mine: int, count: int, share: float, steps: bool) -> None:
    """``gradient`` = share × Σ e u; where ``steps``, also the output rows' steps, u += e h."""
    for k in range(0, output.shape[1], LANES):
        h = load(desks.hidden, slot, k)
        even = spread(np.float32(0))
        odd = even
        if steps:
            for j in range(count):
                row, e = desks.targets[mine, j], spread(desks.errors[slot, j])
                u = load(output, row, k)
                even = fma(e, u, even)
                store(output, row, k, fma(e, h, u))
        else:
            for j in range(0, count - 1, 2):
                even = fma(spread(desks.errors[slot, j]), load(output, desks.targets[mine, j], k), even)
                odd = fma(spread(desks.errors[slot, j + 1]), load(output, desks.targets[mine, j + 1], k), odd)
            if count % 2 == 1:
                even = fma(spread(desks.errors[slot, count - 1]), load(output, desks.targets[mine, count - 1], k), even)
        store(desks.gradient, slot, k, times(plus(even, odd), spread(np.float32(share))))


@inlined
def forward(
    data: Data,
    line: int,
    coming: int,
    epoch: int,
    targets: Targets,
    parameters: Parameters,
    settings: Settings,
    desks: Desks,
    slot: int,
    rate: float,
    heard: bool,
    steps: bool,
) -> None:
    """One line's answer, errors and gradient, into desk ``slot``; where ``steps``, also the output rows' steps.

    ``counts`` is 0 where there is nothing to learn, −1 where a score is beyond all sense: no step was taken.
    """
    count = 0
    desks.losses[slot, 0] = np.nan
    rows = data.ends[line] - data.starts[line]
    if rows > 0 and data.label_starts[line + 1] > data.label_starts[line]:
        average(data, parameters.input, line, coming, desks, slot, steps)
        chosen = choose(data, line, epoch, targets, settings, desks, slot)
        count = desks.counts[slot, 0]
        mine = slot if len(desks.targets) > 1 else 0
        step = rate
        if len(data.weights) > 0:
            step *= data.weights[line]
            desks.losses[slot, 1] = data.weights[line]
        else:
            desks.losses[slot, 1] = 1.0
        size = score(parameters.output, desks, slot, mine, count)
        if size < LARGEST:
            if settings.loss == SOFTMAX:
                desks.losses[slot, 0] = softmax_errors(data, line, chosen, settings, desks, slot, count, step)
            else:
                desks.losses[slot, 0] = sigmoid_errors(
                    data, line, chosen, targets, settings, desks, slot, count, step, heard
                )
            learn_output(parameters.output, desks, slot, mine, count, 1.0 / rows, steps)
        else:
            count = -1
    desks.counts[slot, 0] = count
