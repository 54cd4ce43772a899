"""GloVe's steps as Numba functions: arrays in, arrays out. ``reference.py`` says the same in plain NumPy.

    error = w_i · c_j + b_i + d_j − ln X_ij        loss = ½ f(X_ij) error²        g = f(X_ij) error
    w_i −= η g c_j / √(1 + Σ(η g c_j)²)            c_j −= η g w_i / √(1 + Σ(η g w_i)²)      (element by element)
    b_i −= g / √(1 + Σg²)                          d_j −= g / √(1 + Σg²)                    (Σ over earlier steps)

After Pennington, Socher and Manning 2014, equation 8, with the AdaGrad and the clipping of their program. Not here: counting,
epochs (``loop.py``).

**One row, one line of thought.** η/√(1 + Σ(ηg)²) = 1/√(1/η² + Σg²): the rate is nothing but the first value of the sum of
squares, 1/η² for vectors, 1 for biases. So a word's row holds its vector, its bias and a 1, a context's row its vector, a 1
and its bias, and one loop does all:

    words     [ w_1 … w_D   b   1   0 … ]          contexts  [ c_1 … c_D   1   d   0 … ]

Their product is w·c + b + d; the gradient of b is g times the 1 beside it. The 1 must not move: its sum of squares is
``FIXED`` from the beginning, so that its steps are too small for a float32. Behind each row, in the same stretch of memory, stand
its sums of squares.

**Tiles.** Words and contexts are dealt to P groups each; the entries of X fall into P × P tiles. P tiles of a *round* (a
diagonal) share neither a word nor a context, so threads take them in any order and at the same time, and the bits are
those of one thread (Gemulla, Nijkamp, Haas and Sismanis 2011, "Large-Scale Matrix Factorization with Distributed SGD"). In a
tile the entries of one word follow one another: its row stays in the fastest cache.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.models.glove.lanes_kernels import clipped, inverse_root, total
from erya.parts.lockstep import ABORT, atomic_add, atomic_load, atomic_store, barrier
from erya.parts.simd import LANES, fma, load, prefetch_to_write, spread, store

FIXED = 1e30  # a sum of squares after which nothing moves
LARGEST = 1e6  # of an error; training that works stays below 100

AHEAD = 3  # entries whose context's row is asked for in advance
LINE = 16  # floats in a cache line
STRIDES = (
    2654435761,
    2246822519,
    3266489917,
    668265263,
)  # primes above any vocabulary: a walk that visits every word once

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


class Entries(NamedTuple):
    """X, sorted by tile, then by word. E entries, P groups, R words in a group."""

    starts: (
        Integers  # (P · P · R + 1,) tile t, word number r of its group: entries starts[t·R + r] to starts[t·R + r + 1]
    )
    columns: NDArray[np.int32]  # (E,)
    logarithms: Floats  # (E,) ln X
    weights: Floats  # (E,) f(X)


class Parameters(NamedTuple):
    """What is learned: W columns, then W columns with the sums of their squared gradients."""

    words: Floats  # (V, 2 W)
    contexts: Floats  # (V, 2 W)


class Settings(NamedTuple):
    """What a call needs to know besides."""

    groups: int  # P
    size: int  # R
    epoch: int  # from 0
    clip: float  # no component of a gradient is further from 0


@kernel
def product(words: Floats, i: int, contexts: Floats, j: int) -> np.float32:
    """The product of two rows, without their sums of squares."""
    sums = spread(np.float32(0))
    for k in range(0, words.shape[1] // 2, LANES):
        sums = fma(load(words, i, k), load(contexts, j, k), sums)
    found: np.float32 = total(sums)
    return found


@kernel
def step(words: Floats, i: int, contexts: Floats, j: int, gradient: np.float32, clip: np.float32) -> None:
    """One AdaGrad step of a word's and a context's row, each along the other, against the gradient."""
    width = words.shape[1] // 2
    zero, limit, along = spread(np.float32(0)), spread(clip), spread(-gradient)
    for k in range(0, width, LANES):
        word, context = load(words, i, k), load(contexts, j, k)
        for_word = clipped(fma(along, context, zero), limit)
        for_context = clipped(fma(along, word, zero), limit)
        squares = load(words, i, width + k)
        store(words, i, k, fma(for_word, inverse_root(squares), word))
        store(words, i, width + k, fma(for_word, for_word, squares))
        squares = load(contexts, j, width + k)
        store(contexts, j, k, fma(for_context, inverse_root(squares), context))
        store(contexts, j, width + k, fma(for_context, for_context, squares))


@kernel
def mixed(value: int) -> int:
    """A number below 2³¹ that looks random and depends on nothing but ``value`` (SplitMix64, Steele et al. 2014)."""
    x = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return int((x ^ (x >> np.uint64(31))) >> np.uint64(33))


@kernel
def train_tile(
    entries: Entries, parameters: Parameters, settings: Settings, group: int, other: int, control: Integers
) -> float:
    """All entries of one tile, word by word in an order of this epoch's own; returns their loss, or −1: stop.

    An error that is not finite, or larger than any sense, is noticed before its step is taken.
    """
    words, contexts, clip = parameters.words, parameters.contexts, np.float32(settings.clip)
    groups, size = settings.groups, settings.size
    rows = (len(words) - group + groups - 1) // groups  # words of this group
    tile, final = group * groups + other, len(entries.columns) - 1
    turn = mixed((settings.epoch * groups + group) * groups + other)
    stride, loss = STRIDES[turn % len(STRIDES)], 0.0
    for number in range(rows):
        row = (stride * number + turn) % rows
        word = row * groups + group
        first, last = entries.starts[tile * size + row], entries.starts[tile * size + row + 1]
        for place in range(first, last):
            ahead = entries.columns[min(place + AHEAD, final)]
            for k in range(0, words.shape[1], LINE):
                prefetch_to_write(contexts, ahead, k)
            context = entries.columns[place]
            error = product(words, word, contexts, context) - entries.logarithms[place]
            if not abs(error) < LARGEST:
                atomic_store(control, ABORT, 1)
                return -1.0
            gradient = entries.weights[place] * error
            loss += 0.5 * gradient * error
            step(words, word, contexts, context, gradient, clip)
    return loss


@kernel
def train_in_step(
    entries: Entries,
    parameters: Parameters,
    settings: Settings,
    losses: NDArray[np.float64],
    tickets: Integers,
    first: int,
    last: int,
    control: Integers,
    thread: int,
    threads: int,
) -> None:
    """Rounds ``first`` to ``last``, together with the other threads.

    ``losses`` (P, P) takes each tile's loss; ``tickets`` (P,), zeros, says for each round which tile is the next to take.
    """
    groups = settings.groups
    for turn in range(first, last):
        while atomic_load(control, ABORT) == 0:
            group = atomic_add(tickets, turn, 1)
            if group >= groups:
                break
            other = (group + turn + settings.epoch) % groups
            losses[group, other] = train_tile(entries, parameters, settings, group, other, control)
        if not barrier(control, threads):
            return


@kernel
def train_lock_free(
    entries: Entries,
    parameters: Parameters,
    settings: Settings,
    losses: NDArray[np.float64],
    tickets: Integers,
    first: int,
    last: int,
    control: Integers,
    thread: int,
    threads: int,
) -> None:
    """The same tiles without waiting at the end of a round: two threads may write one row (Hogwild, Niu et al. 2011)."""
    groups = settings.groups
    while atomic_load(control, ABORT) == 0:
        number = first * groups + atomic_add(tickets, first, 1)
        if number >= last * groups:
            break
        group = number % groups
        other = (group + number // groups + settings.epoch) % groups
        losses[group, other] = train_tile(entries, parameters, settings, group, other, control)


# ---- dealing the entries out --------------------------------------------------------------------------------------


@kernel
def measure(
    starts: Integers, columns: NDArray[np.int32], group: int, groups: int, size: int, lengths: Integers
) -> None:
    """How many entries each word of ``group`` has in each tile, into ``lengths`` (P · P · R,)."""
    for row in range(size):
        word = row * groups + group
        if word < len(starts) - 1:
            for place in range(starts[word], starts[word + 1]):
                lengths[(group * groups + columns[place] % groups) * size + row] += 1


@kernel
def deal(
    starts: Integers,
    columns: NDArray[np.int32],
    values: NDArray[Any],
    group: int,
    groups: int,
    size: int,
    seed: int,
    entries: Entries,
    cursor: Integers,
) -> None:
    """Write the entries of ``group``'s words to their places; those of one word in one tile are shuffled.

    Into ``logarithms`` goes X itself, for now. ``cursor`` (P,) is scratch.
    """
    for row in range(size):
        word = row * groups + group
        if word >= len(starts) - 1:
            continue
        for other in range(groups):
            cursor[other] = entries.starts[(group * groups + other) * size + row]
        for place in range(starts[word], starts[word + 1]):
            other = columns[place] % groups
            target = cursor[other]
            cursor[other] += 1
            # inside-out shuffle (Fisher and Yates): the newcomer takes a place at random, who sat there goes to the end
            first = entries.starts[(group * groups + other) * size + row]
            chosen = first + mixed(seed + place) % (target - first + 1)
            entries.columns[target] = entries.columns[chosen]
            entries.logarithms[target] = entries.logarithms[chosen]
            entries.columns[chosen] = columns[place]
            entries.logarithms[chosen] = values[place]
