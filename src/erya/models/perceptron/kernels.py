"""Answer, compare, correct: the structured perceptron over a block of sentences.

The weights after sentence 1, 2, …, n are averaged without being added up each time: a change d in sentence i of n stays in the weights
for the last n − i + 1 of them, so ``late`` takes d · (i − 1) and the average is ``weights − late / n`` (Daumé 2006, section 2.2.1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.crf_kernels import viterbi

Floats = NDArray[np.float64]
Rows = NDArray[np.int32]
Ints = NDArray[np.int64]


@kernel
def read(
    weights: Floats,
    unit_rows: Rows,
    bounds: Ints,
    places: Ints,
    types: Rows,
    joint: Rows,
    begin: int,
    size: int,
    scores: Floats,
) -> None:
    """(T, C) scores of one sentence: the sum of the rows of all its features.

    Args:
        weights: (R, C).
        unit_rows: (T, U) of ``feature_table.FeatureTable``.
        bounds: (O + 1,).
        places: (O,).
        types: (P,).
        joint: (P, J).
        begin: the sentence's first place.
        size: T.
        scores: at least (T, C), written.
    """
    for step in range(size):
        for tag in range(weights.shape[1]):
            scores[step, tag] = 0.0
        for number in range(len(places)):
            kind = types[begin + step + places[number]]
            for template in range(bounds[number], bounds[number + 1]):
                row = unit_rows[kind, template]
                for tag in range(weights.shape[1]):
                    scores[step, tag] += weights[row, tag]  # of row 0 they are 0
        for number in range(joint.shape[1]):
            for tag in range(weights.shape[1]):
                scores[step, tag] += weights[joint[begin + step, number], tag]


@kernel
def vote(
    weights: Floats,
    late: Floats,
    unit_rows: Rows,
    bounds: Ints,
    places: Ints,
    types: Rows,
    joint: Rows,
    place: int,
    tag: int,
    amount: float,
    passed: float,
) -> None:
    """Add ``amount`` to the weights of one token's features for one tag; ``passed``: sentences before this one."""
    for number in range(len(places)):
        kind = types[place + places[number]]
        for template in range(bounds[number], bounds[number + 1]):
            row = unit_rows[kind, template]
            if row:
                weights[row, tag] += amount
                late[row, tag] += amount * passed
    for number in range(joint.shape[1]):
        row = joint[place, number]
        if row:
            weights[row, tag] += amount
            late[row, tag] += amount * passed


@kernel
def learn(
    weights: Floats,
    late: Floats,
    steps: Floats,
    late_steps: Floats,
    rules: Floats,
    unit_rows: Rows,
    bounds: Ints,
    places: Ints,
    types: Rows,
    joint: Rows,
    begins: Ints,
    sizes: Ints,
    starts: Ints,
    tags: Ints,
    amounts: Floats,
    order: Ints,
    passed: int,
) -> int:
    """The sentences of ``order``, one after the other; returns how many tokens were answered wrongly.

    Args:
        weights: (R, C), changed.
        late: (R, C), changed; see above.
        steps: (C, C) transitions, changed.
        late_steps: (C, C), changed.
        rules: (C + 2, C) 0 or what a forbidden transition, beginning or end costs.
        unit_rows: (T, U).
        bounds: (O + 1,).
        places: (O,).
        types: (P,).
        joint: (P, J).
        begins: (N,).
        sizes: (N,).
        starts: (N + 1,) of sentences in ``tags``.
        tags: (L,) the true ones.
        amounts: (N,) what a mistake in a sentence weighs.
        order: sentences.
        passed: sentences before these.
    """
    count, wrong = weights.shape[1], 0
    first, last = rules[count], rules[count + 1]
    for sentence in order:
        begin, size, at = begins[sentence], sizes[sentence], starts[sentence]
        scores, reached = np.empty((size, count)), np.empty((size, count))
        back, path, best = np.empty((size, count), np.int32), np.empty(size, np.int64), np.empty(1)
        cut = np.array([0, size])
        read(weights, unit_rows, bounds, places, types, joint, begin, size, scores)
        viterbi(scores, cut, steps + rules[:count], first, last, reached, back, path, best)
        amount, seen = amounts[sentence], float(passed)
        for step in range(size):
            true, said = tags[at + step], path[step]
            if true != said:
                wrong += 1
                vote(weights, late, unit_rows, bounds, places, types, joint, begin + step, true, amount, seen)
                vote(weights, late, unit_rows, bounds, places, types, joint, begin + step, said, -amount, seen)
            if step > 0 and (true != said or tags[at + step - 1] != path[step - 1]):
                before, other = tags[at + step - 1], path[step - 1]
                steps[before, true] += amount
                late_steps[before, true] += amount * seen
                steps[other, said] -= amount
                late_steps[other, said] -= amount * seen
        passed += 1
    return wrong
