"""Vectors of words and n-grams in plain Python and NumPy: the same draws and the same steps as the fast version, one at a time.

Read this first: ``gradients`` is the model, ``pieces_of`` (in ``features.py``) says what a word is made of, ``train_block`` is the
training. ``test_vectors.py`` compares ``gradients`` with differences of the loss, and ``train_block`` with the kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erya.parts.chance_reference import Stream, around

Doubles = NDArray[np.float64]


# ---- the model ----------------------------------------------------------------------------------------------------


def sigmoid(x: Doubles) -> Doubles:
    """1 / (1 + e⁻ˣ)."""
    return np.asarray(np.exp(-np.logaddexp(0, -x)))


def gradients(rows: Doubles, u: Doubles, y: Doubles, m: Doubles) -> tuple[float, Doubles, Doubles]:
    """Loss of what some rows predict, and its gradients.

    Args:
        rows: (n, D) of a word and its n-grams (skip-gram), or of all words around (CBOW): their mean h predicts.
        u: (T, D) the targets' vectors.
        y: (T,) how many predictions of a target are true.
        m: (T,) for how many predictions it stands.

    Returns:
        −Σ (y ln σ(h·u) + (m − y) ln σ(−h·u)), its gradients for h (D,) and for u (T, D). The gradient for a row is an n-th of that
        for h; the training, as the original program's, takes n times that step: h then moves as far as if it were a row.
    """
    h = rows.mean(axis=0)
    s = u @ h  # (T,)
    loss = float((y * np.logaddexp(0, -s) + (m - y) * np.logaddexp(0, s)).sum())
    error = m * sigmoid(s) - y  # d loss / d s
    return loss, error @ u, np.outer(error, h)


# ---- training -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """What ``train_block`` needs to know.

    Attributes:
        window, negative, noise, pool, chunk, shards, cbow, seed: as in ``subword_kernels.Settings``.
        pieces: the rows of every word.
        keep, other: the noise distribution's alias table, (V,) each.
        paths: of every word the inner nodes and the turns; used where ``noise`` is 0.
    """

    window: int
    negative: int
    noise: int
    pool: int
    chunk: int
    shards: int
    cbow: bool
    seed: int
    pieces: Sequence[Sequence[int]]
    keep: NDArray[np.uint32]
    other: NDArray[np.int32]
    paths: Sequence[tuple[Sequence[int], Sequence[int]]]


Moves = list[tuple[int, Doubles]]


def train_block(
    kept: Sequence[int], input: Doubles, targets: Doubles, task: Task, block: int, rates: tuple[float, float]
) -> None:
    """One block of text, in rounds: all turns of a round see the same parameters, then all rows move.

    Args:
        kept: word numbers after subsampling, −1 between lines.
        input: (V + K, D), changed in place.
        targets: (V, D) or (V − 1, D), changed in place.
        task: the settings.
        block: its number, which decides what is drawn.
        rates: the learning rate at its beginning and at its end.
    """
    words = task.shards * task.chunk  # of a round
    for begin in range(0, len(kept), words):
        rate = rates[0] + (rates[1] - rates[0]) * begin / len(kept)
        moves = []
        for first in range(begin, min(len(kept), begin + words), task.chunk):
            last = min(len(kept), first + task.chunk)
            moves.append(take_turn(kept, first, last, input, targets, task, block, rate))
        for moves_of_input, moves_of_targets in moves:
            for row, move in moves_of_input:
                input[row] += move
            for row, move in moves_of_targets:
                targets[row] += move


def take_turn(
    kept: Sequence[int],
    first: int,
    last: int,
    input: Doubles,
    targets: Doubles,
    task: Task,
    block: int,
    rate: float,
) -> tuple[Moves, Moves]:
    """The words ``kept[first:last]``. Returns rows and by how much they must move.

    Rows stand still, but for one thing: in CBOW, what a word of the text has learned in a window is seen by the next window.
    """
    stream = Stream(task.seed, block, first)
    pool = [stream.draw(task.keep, task.other) for _ in range(task.pool)]
    turn = 0  # whose it is in the pool
    moved: dict[int, Doubles] = {}  # by place of the text: the move of all rows of the word there
    for_input: Moves = []
    for_targets: Moves = []
    for place in range(first, last):
        contexts = around(kept, place, 1 + stream.below(task.window)) if kept[place] >= 0 else []
        if not contexts:
            continue
        answers = [kept[place]] if task.cbow else [kept[context] for context in contexts]
        noise = [pool[(turn + number) % task.pool] for number in range(task.noise)]
        turn += task.noise
        chosen = targets_of(answers, noise, task)
        if not chosen:
            continue
        places = contexts if task.cbow else [place]
        rows = np.array([input[row] + moved.get(one, 0) for one in places for row in task.pieces[kept[one]]])
        y, m = np.array(list(chosen.values())).T
        _, for_h, for_u = gradients(rows, targets[list(chosen)], y, m)
        for one in places:
            moved[one] = moved.get(one, 0) - rate * for_h
        for_targets += [(target, -rate * change) for target, change in zip(chosen, for_u, strict=True)]
    for place, move in moved.items():
        for_input += [(row, move) for row in task.pieces[kept[place]]]
    return for_input, for_targets


def targets_of(answers: Sequence[int], noise: Sequence[int], task: Task) -> dict[int, list[float]]:
    """Of each target y, how many predictions of it are true, and m, for how many it stands."""
    chosen: dict[int, list[float]] = {}
    for word in answers:
        true = [(word, 1.0)]
        if not task.noise:  # the turns on the word's way; 0 is left
            true = [(node, 1.0 - turn) for node, turn in zip(*task.paths[word], strict=True)]
        for target, y in true:
            entry = chosen.setdefault(target, [0.0, 0.0])
            entry[0], entry[1] = entry[0] + y, entry[1] + 1
    for word in noise:  # each stands for a part of the K noise words of every prediction, but where it is the answer
        share = len(answers) * task.negative / task.noise
        entry = chosen.setdefault(word, [0.0, 0.0])
        entry[1] += share * (len(answers) - entry[0]) / len(answers)
    return chosen
