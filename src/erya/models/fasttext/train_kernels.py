"""Training of fastText's classifier on several threads; one line's mathematics is in ``loss_kernels.py``.

``train_lock_free``  every thread goes through lines of its own, in order, and changes the parameters themselves whatever the others
    do meanwhile (Hogwild, Niu et al. 2011), as the original does. No two runs are alike. While a line is learned the next
    line's rows are asked for, half while its mean is taken and half while its rows are changed.
``train_in_step``  takes lines in small batches. Against parameters that stand still, the threads share out the batch's lines; then
    each changes the rows that it owns, in the order of the lines. Which thread does what changes neither a sum nor its
    order: the same bits for any number of threads.

Both look whether a step is sound *before* taking it (scores are finite and of a sensible size), and stop where it is not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined, kernel
from erya.models.fasttext.loss_kernels import (
    HIERARCHICAL,
    NEGATIVE,
    Data,
    Desks,
    Floats,
    Parameters,
    Settings,
    Targets,
    forward,
)
from erya.parts.chance import mixed
from erya.parts.lockstep import ABORT, atomic_load, atomic_store, barrier
from erya.parts.simd import LANES, fma, load, plus, prefetch_to_write, spread, store

OWNERS = 64  # rows are dealt to this many, whatever the number of threads; a power of two
DEALT = 3  # bits: eight input rows that stand side by side have the same owner
AHEAD = 12  # rows that are asked for before they are changed


class Schedule(NamedTuple):
    """Where in the training a block stands, which fixes the rate: it falls linearly with the tokens, to 0 at the end."""

    epoch: int  # from 0
    epochs: int
    learning_rate: float


@inlined
def rate_at(schedule: Schedule, data: Data, position: int) -> float:
    """The learning rate when ``position`` lines of this epoch are done."""
    tokens = data.done[len(data.done) - 1]
    done = (schedule.epoch * tokens + data.done[position]) / (schedule.epochs * tokens)
    return float(schedule.learning_rate * (1.0 - done))


# ---- lock-free ----------------------------------------------------------------------------------------------------


@inlined
def learn_input(data: Data, input: Floats, line: int, coming: int, free: int, desks: Desks, slot: int) -> None:
    """Add the gradient to the line's rows; meanwhile asks for the second half of the rows of line ``coming``."""
    first, last = data.starts[line], data.ends[line]
    ahead, end = 0, 0
    if coming >= 0:
        end = data.ends[coming]
        ahead = data.starts[coming] + (end - data.starts[coming]) // 2
    begin = ahead
    for k in range(0, input.shape[1], LANES):
        moved = load(desks.gradient, slot, k)
        ahead = begin
        for place in range(first, last):
            row = data.rows[place]
            if row < free:
                store(input, row, k, plus(load(input, row, k), moved))
            if ahead < end:
                prefetch_to_write(input, data.rows[ahead], k)
                ahead += 1
        for place in range(ahead, end):
            prefetch_to_write(input, data.rows[place], k)


@kernel
def train_lock_free(
    data: Data,
    targets: Targets,
    parameters: Parameters,
    settings: Settings,
    schedule: Schedule,
    desks: Desks,
    totals_: NDArray[np.float64],
    bounds: NDArray[np.int64],
    control: NDArray[np.int64],
    thread: int,
    threads: int,
) -> int:
    """Lines ``order[bounds[thread]:bounds[thread + 1]]``, each step taken at once. Returns the position reached.

    ``totals_`` (threads, 16): weighted loss and weight, added to.
    """
    last = bounds[thread + 1]
    for position in range(bounds[thread], last):
        line = data.order[position]
        coming = data.order[position + 1] if position + 1 < last else -1
        heard = position % settings.listen == 0
        rate = rate_at(schedule, data, position)
        forward(
            data, line, coming, schedule.epoch, targets, parameters, settings, desks, thread, rate, heard, True
        )  # fmt: skip
        if desks.counts[thread, 0] < 0:
            atomic_store(control, ABORT, 1)
        if atomic_load(control, ABORT) != 0:
            return int(position)
        if desks.counts[thread, 0] > 0:
            learn_input(data, parameters.input, line, coming, settings.free, desks, thread)
            if not np.isnan(desks.losses[thread, 0]):
                totals_[thread, 0] += desks.losses[thread, 0] * desks.losses[thread, 1]
                totals_[thread, 1] += desks.losses[thread, 1]
    return int(last)


# ---- in step ------------------------------------------------------------------------------------------------------


@inlined
def step_all_output(output: Floats, desks: Desks, size: int, first: int, last: int) -> None:
    """The steps of ``size`` lines for output rows ``first`` to ``last`` − 1, where every row is a target of every line."""
    for row in range(first, last):
        for k in range(0, output.shape[1], LANES):
            u = load(output, row, k)
            for slot in range(size):
                if desks.counts[slot, 0] > 0:
                    u = fma(spread(desks.errors[slot, row]), load(desks.hidden, slot, k), u)
            store(output, row, k, u)


@inlined
def step_owned_output(output: Floats, desks: Desks, size: int, low: int, high: int) -> None:
    """The steps of ``size`` lines for those of their targets whose owners are ``low`` to ``high`` − 1."""
    for slot in range(size):
        for j in range(desks.counts[slot, 0]):
            row = desks.targets[slot, j]
            owner = row & (OWNERS - 1)
            if low <= owner and owner < high:
                e = spread(desks.errors[slot, j])
                for k in range(0, output.shape[1], LANES):
                    store(output, row, k, fma(e, load(desks.hidden, slot, k), load(output, row, k)))


@inlined
def step_owned_input(
    data: Data, input: Floats, free: int, desks: Desks, start: int, size: int, low: int, high: int, thread: int
) -> None:
    """The steps of ``size`` lines from ``start`` for those of their rows whose owners are ``low`` to ``high`` − 1."""
    count = 0
    for slot in range(size):
        line = data.order[start + slot]
        if desks.counts[slot, 0] > 0:
            for place in range(data.starts[line], data.ends[line]):  # collected without a branch
                row = data.rows[place]
                owner = (row >> DEALT) & (OWNERS - 1)
                desks.owned[thread, 0, count] = row
                desks.owned[thread, 1, count] = slot
                count += (low <= owner) & (owner < high) & (row < free)
    for number in range(min(AHEAD, count)):
        for k in range(0, input.shape[1], LANES):
            prefetch_to_write(input, desks.owned[thread, 0, number], k)
    width = input.shape[1]
    whole = width // LANES * LANES
    for number in range(count):
        row, slot = desks.owned[thread, 0, number], desks.owned[thread, 1, number]
        for k in range(0, width, LANES):
            if number + AHEAD < count:
                prefetch_to_write(input, desks.owned[thread, 0, number + AHEAD], k)
        # the last group reaches into the next row and leaves it as it is – unless another owner changes it meanwhile
        mine = (row & ((1 << DEALT) - 1)) < (1 << DEALT) - 1
        for k in range(0, width if mine else whole, LANES):
            store(input, row, k, plus(load(input, row, k), load(desks.gradient, slot, k)))
        if not mine:
            for k in range(whole, width):
                input[row, k] += desks.gradient[slot, k]


@kernel
def train_in_step(
    data: Data,
    targets: Targets,
    parameters: Parameters,
    settings: Settings,
    schedule: Schedule,
    desks: Desks,
    totals_: NDArray[np.float64],
    bounds: NDArray[np.int64],
    control: NDArray[np.int64],
    thread: int,
    threads: int,
) -> int:
    """Lines ``order[bounds[0]:bounds[-1]]`` in batches of B, together with the other threads; thread 0 keeps the totals.

    Returns the position reached: the last, or the first line of the batch that was beyond all sense (nothing of it was applied).
    """
    low, high = OWNERS * thread // threads, OWNERS * (thread + 1) // threads
    first_row, last_row = settings.classes * thread // threads, settings.classes * (thread + 1) // threads
    few = settings.loss == HIERARCHICAL or settings.loss == NEGATIVE
    last = bounds[len(bounds) - 1]
    for start in range(bounds[0], last, settings.batch):
        size = min(settings.batch, last - start)
        for slot in range(thread, size, threads):
            position = start + slot
            line = data.order[position]
            coming = data.order[position + threads] if position + threads < last else -1
            heard = position % settings.listen == 0
            rate = rate_at(schedule, data, position)
            forward(
                data, line, coming, schedule.epoch, targets, parameters, settings, desks, slot, rate, heard, False
            )  # fmt: skip
        if not barrier(control, threads):
            return int(start)
        for slot in range(size):  # every thread looks at all of them and comes to the same decision
            if desks.counts[slot, 0] < 0:
                return int(start)
        if few:
            step_owned_output(parameters.output, desks, size, low, high)
        else:
            step_all_output(parameters.output, desks, size, first_row, last_row)
        step_owned_input(data, parameters.input, settings.free, desks, start, size, low, high, thread)
        if thread == 0:
            for slot in range(size):
                if desks.counts[slot, 0] > 0 and not np.isnan(desks.losses[slot, 0]):
                    totals_[0, 0] += desks.losses[slot, 0] * desks.losses[slot, 1]
                    totals_[0, 1] += desks.losses[slot, 1]
        if not barrier(control, threads):
            return int(start)
    return int(last)


# ---- before and after ---------------------------------------------------------------------------------------------


@kernel
def number_rows(rows: NDArray[np.int32], number: NDArray[np.int32], found: NDArray[np.int32]) -> int:
    """Give every row the number of its first occurrence, in place; ``number`` (R,) is −1 at first, ``found`` gets the rows.

    Frequent rows occur early, so that they lie together; rows that occur once lie as they are read. Returns how many.
    """
    count = 0
    for place in range(len(rows)):
        row = rows[place]
        if number[row] < 0:
            number[row] = count
            found[count] = row
            count += 1
        rows[place] = number[row]
    return count


@kernel
def draw_rows(
    matrix: Floats, dim: int, rows: NDArray[np.int32], first: int, last: int, seed: int, met: NDArray[np.int32]
) -> None:
    """Fill rows ``first`` to ``last`` − 1 with what chance gives to each of them, uniform in ±1/D.

    Row r of the matrix is row ``rows[r]`` of the model (r itself where ``rows`` is empty); a row that ``met`` (R,) gives a number ≥ 0
    is left alone (none, where it is empty).
    """
    start, scale = mixed(np.uint64(seed) ^ np.uint64(0x5851F42D4C957F2D)), 2.0 / dim / 16777216.0
    pairs = (dim + 1) // 2
    for r in range(first, last):
        if len(met) > 0 and met[r] >= 0:
            continue
        row = rows[r] if len(rows) > 0 else r
        for pair in range(pairs):
            bits = mixed(start + np.uint64(row * pairs + pair) * np.uint64(0x9E3779B97F4A7C15))
            matrix[r, 2 * pair] = (bits >> np.uint64(40)) * scale - 1.0 / dim
            if 2 * pair + 1 < dim:
                matrix[r, 2 * pair + 1] = ((bits >> np.uint64(16)) & np.uint64(0xFFFFFF)) * scale - 1.0 / dim
