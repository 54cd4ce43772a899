"""fastText's training steps as Numba functions: arrays in, arrays out. ``reference.py`` says the same in plain NumPy.

    hidden = mean of the document's rows        h = 1/n Σ A[r]          (D,)
    answer = softmax of the output rows · h     p = softmax(B h)        (C,)
    loss   = −w ln p[target]                    δ = p − t               (C,)
    steps  B −= η w δ hᵀ        A[r] −= η w/n Bᵀδ for each row r of the document

A is ``input`` (R, D), B is ``output`` (C, D), η the rate, w the document's weight. After Joulin et al. 2016,
"Bag of Tricks for Efficient Text Classification". Not here: encoding text, epochs, validation (``estimator.py``).

Two ways to use several threads:

``train_in_step``  (the default) takes the documents in small batches. Against parameters that stand still, the threads
    share out the batch's documents; then each adds up the steps of the rows it owns, in the order of the documents.
    Which thread does what changes neither a sum nor its order: the same bits for any number of threads.
``train_lock_free``  every thread steps through documents of its own and writes when it likes (Hogwild, Niu et al. 2011).
    Faster, and no two runs alike.

Both look at the loss and at the size of a step *before* taking it: where one is not finite, or larger than any sense, they
stop, and the parameters are those of the last good step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.lockstep import ABORT, atomic_load, atomic_store, barrier

SHARDS = 64  # rows are dealt to this many owners, whatever the number of threads; a power of two
LANES = 8  # partial sums of a dot product: fixed here, so that no compiler may choose another order
LARGEST = 1e12  # squared length of a hidden vector or gradient; training that works stays billions of times below

Floats = NDArray[np.float32]


class Corpus(NamedTuple):
    """N encoded documents, one after the other, and the order in which this epoch sees them."""

    rows: NDArray[np.int32]  # input rows of all documents
    starts: NDArray[np.int64]  # (N + 1,) document i owns rows[starts[i]:starts[i + 1]]
    targets: NDArray[np.int64]  # (N,) class numbers
    weights: Floats  # (N,)
    order: NDArray[np.int64]  # (N,) document numbers, shuffled


class Parameters(NamedTuple):
    """What is learned."""

    input: Floats  # (R, D) a row per word and n-gram
    output: Floats  # (C, D) a row per class


class Scratch(NamedTuple):
    """Room for B documents between the two phases of a step."""

    hidden: Floats  # (B, D)
    error: Floats  # (B, C) δ = p − t
    gradient: Floats  # (B, D) Bᵀδ
    loss: NDArray[np.float64]  # (B,) −ln p[target], without the weight
    owned: NDArray[np.int32]  # (threads, most rows in a document)


class Schedule(NamedTuple):
    """Where in the training this call stands, which fixes the rate: it falls linearly, to 0 at the end."""

    epoch: int  # from 0
    epochs: int
    learning_rate: float


@kernel
def rate_at(schedule: Schedule, position: int, documents: int) -> float:
    """The learning rate when ``position`` documents of this epoch are done."""
    done = (schedule.epoch * documents + position) / (schedule.epochs * documents)
    return schedule.learning_rate * (1.0 - done)


@kernel
def dot(left: Floats, i: int, right: Floats, j: int) -> np.float32:
    """``left[i] · right[j]`` for rows whose width is a multiple of LANES."""
    a = b = c = d = e = f = g = h = np.float32(0.0)
    for k in range(0, left.shape[1], LANES):
        a += left[i, k] * right[j, k]
        b += left[i, k + 1] * right[j, k + 1]
        c += left[i, k + 2] * right[j, k + 2]
        d += left[i, k + 3] * right[j, k + 3]
        e += left[i, k + 4] * right[j, k + 4]
        f += left[i, k + 5] * right[j, k + 5]
        g += left[i, k + 6] * right[j, k + 6]
        h += left[i, k + 7] * right[j, k + 7]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@kernel
def forward_backward(corpus: Corpus, parameters: Parameters, scratch: Scratch, document: int, slot: int) -> None:
    """Loss and gradients of one document, into ``scratch`` at ``slot``; reads the parameters and writes none."""
    input, output = parameters.input, parameters.output
    hidden, error, gradient = scratch.hidden, scratch.error, scratch.gradient
    width, classes = input.shape[1], output.shape[0]
    first, last = corpus.starts[document], corpus.starts[document + 1]

    for k in range(width):
        hidden[slot, k] = 0.0
        gradient[slot, k] = 0.0
    for place in range(first, last):
        row = corpus.rows[place]
        for k in range(width):
            hidden[slot, k] += input[row, k]
    share = np.float32(1.0 / max(1, last - first))
    for k in range(width):
        hidden[slot, k] *= share

    largest = -np.inf  # taken out of the exponents, so that none overflows
    for c in range(classes):
        error[slot, c] = dot(output, c, hidden, slot)  # for now the logit
        largest = max(largest, error[slot, c])
    target = corpus.targets[document]
    target_logit, total = error[slot, target], 0.0
    for c in range(classes):
        error[slot, c] = np.exp(error[slot, c] - largest)
        total += error[slot, c]
    scratch.loss[slot] = np.log(total) + largest - target_logit

    for c in range(classes):
        error[slot, c] = error[slot, c] / total - (1.0 if c == target else 0.0)
        for k in range(width):
            gradient[slot, k] += error[slot, c] * output[c, k]


@kernel
def is_sound(scratch: Scratch, slot: int) -> bool:
    """Whether a step from here may be taken: the loss is finite, hidden vector and gradient are of a sensible size."""
    size = dot(scratch.hidden, slot, scratch.hidden, slot) + dot(scratch.gradient, slot, scratch.gradient, slot)
    return bool(np.isfinite(scratch.loss[slot]) and size < LARGEST)  # false for nan, too


@kernel
def step_output(parameters: Parameters, scratch: Scratch, slot: int, c: int, rate: float) -> None:
    """One document's step for the row of class ``c``."""
    step = np.float32(rate * scratch.error[slot, c])
    for k in range(parameters.output.shape[1]):
        parameters.output[c, k] -= step * scratch.hidden[slot, k]


@kernel
def step_input(
    corpus: Corpus,
    parameters: Parameters,
    scratch: Scratch,
    document: int,
    slot: int,
    rate: float,
    thread: int,
    threads: int,
) -> None:
    """One document's step for those of its rows that ``thread`` owns."""
    first, last = corpus.starts[document], corpus.starts[document + 1]
    low, high = SHARDS * thread // threads, SHARDS * (thread + 1) // threads
    found = 0
    for place in range(first, last):  # collected without a branch, which the processor could not foresee
        shard = corpus.rows[place] & (SHARDS - 1)
        scratch.owned[thread, found] = corpus.rows[place]
        found += (low <= shard) & (shard < high)
    step = np.float32(rate / max(1, last - first))
    for place in range(found):
        row = scratch.owned[thread, place]
        for k in range(parameters.input.shape[1]):
            parameters.input[row, k] -= step * scratch.gradient[slot, k]


@kernel
def train_in_step(
    corpus: Corpus,
    parameters: Parameters,
    scratch: Scratch,
    schedule: Schedule,
    totals: NDArray[np.float64],
    first: int,
    last: int,
    control: NDArray[np.int64],
    thread: int,
    threads: int,
) -> int:
    """Documents ``order[first:last]`` in batches of B, together with the other threads.

    ``totals`` (2,): weighted loss and weight of this epoch so far. Returns the position reached: ``last``, or the first
    document of the batch whose step would not have been finite (nothing of that batch was applied).
    """
    documents, batch = len(corpus.order), scratch.loss.shape[0]
    for start in range(first, last, batch):
        size = min(batch, last - start)
        for slot in range(thread, size, threads):
            forward_backward(corpus, parameters, scratch, corpus.order[start + slot], slot)
        if not barrier(control, threads):
            return start
        for slot in range(size):  # every thread looks at all of them and comes to the same decision
            if not is_sound(scratch, slot):
                return start

        rate = rate_at(schedule, start, documents)
        for c in range(thread, parameters.output.shape[0], threads):
            for slot in range(size):
                step_output(parameters, scratch, slot, c, rate * corpus.weights[corpus.order[start + slot]])
        for slot in range(size):
            document = corpus.order[start + slot]
            weight = corpus.weights[document]
            step_input(corpus, parameters, scratch, document, slot, rate * weight, thread, threads)
            if thread == 0:
                totals[0] += weight * scratch.loss[slot]
                totals[1] += weight
        if not barrier(control, threads):
            return start
    return last


@kernel
def train_lock_free(
    corpus: Corpus,
    parameters: Parameters,
    scratch: Scratch,
    schedule: Schedule,
    totals: NDArray[np.float64],
    first: int,
    last: int,
    control: NDArray[np.int64],
    thread: int,
    threads: int,
) -> int:
    """Every ``threads``-th document of ``order[first:last]``, each step taken at once; ``totals`` is the thread's own."""
    documents = len(corpus.order)
    for position in range(first + thread, last, threads):
        document = corpus.order[position]
        forward_backward(corpus, parameters, scratch, document, thread)
        if not is_sound(scratch, thread):
            atomic_store(control, ABORT, 1)
        if atomic_load(control, ABORT) != 0:
            return position
        weight = corpus.weights[document]
        rate = rate_at(schedule, position, documents) * weight
        for c in range(parameters.output.shape[0]):
            step_output(parameters, scratch, thread, c, rate)
        step_input(corpus, parameters, scratch, document, thread, rate, 0, 1)
        totals[0] += weight * scratch.loss[thread]
        totals[1] += weight
    return last
