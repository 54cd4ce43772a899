"""word2vec in plain Python and NumPy: the same draws and the same steps as the fast version, one thing at a time.

Read this first: ``gradients`` is the model, ``skip_gram`` and ``cbow`` are its two uses, ``train_block`` is the training.
``test_word2vec.py`` compares ``gradients`` with differences of the loss, and ``train_block`` with the kernels.
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


def gradients(h: Doubles, u: Doubles, y: Doubles, offset: Doubles) -> tuple[float, Doubles, Doubles]:
    """Loss of one prediction, and its gradients.

    Args:
        h: (D,) what predicts.
        u: (T, D) the targets' vectors.
        y: (T,) 1 for what is there, 0 for noise; or the turns of a path.
        offset: (T,) ln(K q(t)) for noise-contrastive estimation, else 0.

    Returns:
        −Σ ln σ(±s), and its gradients for h (D,) and for u (T, D).
    """
    s = u @ h - offset  # (T,)
    loss = float(np.logaddexp(0, -np.where(y == 1, s, -s)).sum())
    error = sigmoid(s) - y  # d loss / d s: for y = 1 it is σ(s) − 1, for y = 0 it is σ(s)
    return loss, error @ u, np.outer(error, h)


def skip_gram(
    vectors: Doubles, contexts: Sequence[int], u: Doubles, y: Doubles, offset: Doubles, rate: float
) -> Doubles:
    """Every context predicts the targets by itself. Changes ``vectors[contexts]``; returns the change of ``u``."""
    change = np.zeros_like(u)
    for context in contexts:  # against targets that stand still
        _, for_h, for_u = gradients(vectors[context], u, y, offset)
        change -= rate * for_u
        vectors[context] -= rate * for_h
    return change


def cbow(
    vectors: Doubles, contexts: Sequence[int], u: Doubles, y: Doubles, offset: Doubles, rate: float, mean: bool
) -> Doubles:
    """The contexts' mean (or sum) predicts the targets. Changes ``vectors[contexts]``; returns the change of ``u``."""
    share = 1 / len(contexts) if mean else 1.0
    h = share * sum(vectors[context] for context in contexts)
    _, for_h, for_u = gradients(np.asarray(h), u, y, offset)
    for context in contexts:  # h is the mean of n contexts, so that each has an n-th part in it
        vectors[context] -= rate * share * for_h
    return -rate * for_u


# ---- training -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """What ``train_block`` needs to know.

    Attributes:
        window, negative, pool, chunk, cbow, mean, shrink, seed: as in ``shard_kernels.Settings``.
        shards: S, turns of a round.
        keep, other: the noise distribution's alias table, (V,) each.
        offsets: (V,).
        paths: of every word the inner nodes and the turns; used where ``negative`` is 0.
    """

    window: int
    negative: int
    pool: int
    chunk: int
    cbow: bool
    mean: bool
    shrink: bool
    seed: int
    shards: int
    keep: NDArray[np.uint32]
    other: NDArray[np.int32]
    offsets: Doubles
    paths: Sequence[tuple[Sequence[int], Sequence[int]]]


def train_block(
    kept: Sequence[int], vectors: Doubles, targets: Doubles, task: Task, block: int, rates: tuple[float, float]
) -> None:
    """One block of text, in rounds: all turns of a round see the same parameters, then their changes are added.

    Args:
        kept: word numbers after subsampling, −1 between lines.
        vectors: (V, D), changed in place.
        targets: (V, D) or (V − 1, D), changed in place.
        task: the settings.
        block: its number, which decides what is drawn.
        rates: the learning rate at its beginning and at its end.
    """
    words = task.shards * task.chunk  # of a round
    for begin in range(0, len(kept), words):
        rate = rates[0] + (rates[1] - rates[0]) * begin / len(kept)
        all_changes = []
        for first in range(begin, min(len(kept), begin + words), task.chunk):
            last = min(len(kept), first + task.chunk)
            all_changes.append(take_turn(kept, first, last, vectors, targets, task, block, rate))
        for changes_of_vectors, changes_of_targets in all_changes:
            for row, change in changes_of_vectors:
                vectors[row] += change
            for row, change in changes_of_targets:
                targets[row] += change


Changes = list[tuple[int, Doubles]]


def take_turn(
    kept: Sequence[int],
    first: int,
    last: int,
    vectors: Doubles,
    targets: Doubles,
    task: Task,
    block: int,
    rate: float,
) -> tuple[Changes, Changes]:
    """The words ``kept[first:last]``, one after the other, on copies. Returns rows and what changed in them.

    Every place of the text has copies of its own, even where a word stands twice; and so has every word of the pool of noise.
    """
    stream = Stream(task.seed, block, first)
    pool = [stream.draw(task.keep, task.other) for _ in range(task.pool)] if task.negative else []
    low, high = max(0, first - task.window), min(len(kept), last + task.window)
    near = {place: vectors[kept[place]].copy() for place in range(low, high) if kept[place] >= 0}
    mine: dict[object, Doubles] = {}  # targets: by place, by place in the pool, by inner node
    row_of: dict[object, int] = {}

    def my_copy(name: object, row: int) -> Doubles:
        if name not in mine:
            mine[name], row_of[name] = targets[row].copy(), row
        return mine[name]

    for number, row in enumerate(pool):
        my_copy(("noise", number), row)
    turn = 0
    for place in range(first, last):
        word = kept[place]
        contexts = _contexts(kept, place, stream, task) if word >= 0 else []
        if not contexts:
            continue
        if task.negative:
            my_copy(("place", place), word)
            chosen: list[object] = [("place", place)]
            for _ in pool:  # in turn, each place of the pool at most once, and never the word itself
                if len(chosen) > task.negative:
                    break
                if pool[turn] != word:
                    chosen.append(("noise", turn))
                turn = (turn + 1) % len(pool)
            y = np.array([1.0] + [0.0] * (len(chosen) - 1))
            offset = np.array([task.offsets[row_of[name]] for name in chosen])
        else:
            nodes, turns = task.paths[word]
            chosen = [("node", node) for node in nodes]
            for node in nodes:
                my_copy(("node", node), node)
            y, offset = 1.0 - np.array(turns), np.zeros(len(nodes))
        u = np.array([mine[name] for name in chosen])
        hs = np.array([near[context] for context in contexts])
        if task.cbow:
            change = cbow(hs, range(len(hs)), u, y, offset, rate, task.mean)
        else:
            change = skip_gram(hs, range(len(hs)), u, y, offset, rate)
        for context, h in zip(contexts, hs, strict=True):
            near[context] = h
        for name, one in zip(chosen, change, strict=True):
            mine[name] = mine[name] + one
    return (
        [(kept[place], copy - vectors[kept[place]]) for place, copy in near.items()],
        [(row_of[name], copy - targets[row_of[name]]) for name, copy in mine.items()],
    )


def _contexts(kept: Sequence[int], place: int, stream: Stream, task: Task) -> list[int]:
    """The places around, as far as a width that is drawn and no further than the line."""
    return around(kept, place, 1 + stream.below(task.window) if task.shrink else task.window)
