"""Supervised training in plain NumPy, one line after the other: what ``loss_kernels.py`` and ``train_kernels.py`` do fast.

float64, no threads, no draws: a line's label is given, and so are the labels that serve as noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def tree_paths(counts: Sequence[int]) -> list[list[tuple[int, int]]]:
    """For each label (inner node, code) from the leaf up; labels stand most frequent first."""
    size = len(counts)
    leaves = list(range(size))  # the last one is looked at
    inner: list[int] = []  # the first one is looked at
    weights = list(counts)
    above: dict[int, tuple[int, int]] = {}
    for made in range(size, 2 * size - 1):
        weights.append(0)
        for side in (0, 1):
            leaf_first = leaves and (not inner or weights[leaves[-1]] < weights[inner[0]])
            node = leaves.pop() if leaf_first else inner.pop(0)
            above[node] = made, side
            weights[made] += weights[node]
        inner.append(made)
    paths = []
    for label in range(size):
        path, node = list[tuple[int, int]](), label
        while node in above:
            node, side = above[node]
            path.append((node - size, side))
        paths.append(path)
    return paths


def goals_of(
    loss: str, labels: Sequence[int], classes: int, counts: Sequence[int], noise: Sequence[int]
) -> tuple[list[int], list[float]]:
    """The output rows that a line's loss looks at, and what each should answer."""
    if loss == "hs":
        path = tree_paths(counts)[labels[0]]
        return [node for node, _ in path], [float(code) for _, code in path]
    if loss == "ns":
        return [labels[0], *noise], [1.0] + [0.0] * len(noise)
    wanted = labels[:1] if loss == "softmax" else labels
    return list(range(classes)), [float(label in wanted) for label in range(classes)]


def line_loss(
    loss: str, rows: NDArray[np.int32], targets: list[int], goals: list[float], input: Floats, output: Floats
) -> float:
    """−ln likelihood of one line."""
    scores = output[targets] @ input[rows].mean(axis=0)
    if loss == "softmax":
        return float(np.log(np.exp(scores).sum()) - scores @ np.array(goals))
    return float(np.logaddexp(0, scores).sum() - scores @ np.array(goals))


def line_step(
    loss: str, rows: NDArray[np.int32], targets: list[int], goals: list[float], input: Floats, output: Floats
) -> tuple[Floats, Floats, Floats]:
    """Errors (M,) of the targets, hidden (D,), and what is added to each of the rows (D,), for a learning rate of 1."""
    hidden = input[rows].mean(axis=0)
    scores = output[targets] @ hidden
    found = np.exp(scores - scores.max())
    found = found / found.sum() if loss == "softmax" else 1 / (1 + np.exp(-scores))
    errors = np.array(goals) - found
    return errors, hidden, errors @ output[targets] / len(rows)


def train(
    loss: str,
    lines: Sequence[tuple[NDArray[np.int32], list[int], list[int]]],
    counts: Sequence[int],
    input: Floats,
    output: Floats,
    *,
    learning_rate: float,
    epochs: int,
    batch: int,
) -> None:
    """Epochs over lines (rows, labels, noise labels), in order; changes ``input`` (R, D) and ``output`` (C, D)."""
    tokens = sum(len(rows) for rows, _, _ in lines)
    done = 0
    for _ in range(epochs):
        for start in range(0, len(lines), batch):
            steps = []
            for rows, labels, noise in lines[start : start + batch]:
                rate = learning_rate * (1 - done / (epochs * tokens))
                done += len(rows)
                if len(rows) and labels:
                    targets, goals = goals_of(loss, labels, len(counts), counts, noise)
                    steps.append((rate, rows, targets, *line_step(loss, rows, targets, goals, input, output)))
            for rate, rows, targets, errors, hidden, moved in steps:
                np.add.at(output, targets, rate * np.outer(errors, hidden))
                np.add.at(input, rows, rate * moved)
