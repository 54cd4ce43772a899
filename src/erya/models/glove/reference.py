"""GloVe in plain Python and NumPy: the same steps as the fast version, one entry at a time, in double precision.

Read this first. ``kernels.py`` takes the same steps in machine code, ``tiles.py`` says in which order; ``test_glove.py``
proves that they agree, and that the gradients are those of the loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Parameters:
    """What is learned, and the sums of squared gradients that AdaGrad keeps."""

    words: Floats  # (V, D)
    contexts: Floats  # (V, D)
    word_biases: Floats  # (V,)
    context_biases: Floats  # (V,)
    word_squares: Floats  # (V, D), all 1 at first, as the three others
    context_squares: Floats  # (V, D)
    word_bias_squares: Floats  # (V,)
    context_bias_squares: Floats  # (V,)


def weight(x: float, *, x_max: float, alpha: float) -> float:
    """f(x): how much an entry counts."""
    return min(1.0, float((x / x_max) ** alpha))


def error(p: Parameters, i: int, j: int, x: float) -> float:
    """By how much the model's guess of ln x is too high."""
    return float(p.words[i] @ p.contexts[j] + p.word_biases[i] + p.context_biases[j] - np.log(x))


def loss(p: Parameters, i: int, j: int, x: float, *, x_max: float, alpha: float) -> float:
    """½ f(x) error²."""
    return 0.5 * weight(x, x_max=x_max, alpha=alpha) * error(p, i, j, x) ** 2


def gradients(p: Parameters, i: int, j: int, x: float, *, x_max: float, alpha: float) -> tuple[Floats, Floats, float]:
    """Of the loss: for ``words[i]`` (D,), for ``contexts[j]`` (D,), for each of the two biases."""
    g = weight(x, x_max=x_max, alpha=alpha) * error(p, i, j, x)
    return g * p.contexts[j], g * p.words[i], g


def step(
    p: Parameters, i: int, j: int, x: float, *, learning_rate: float, x_max: float, alpha: float, clip: float = 100.0
) -> float:
    """One AdaGrad step for one entry; changes ``p`` and returns the loss before it.

    The sum of squares holds the steps *with* their rate, that of the biases without: so it is in the original program
    (which does not clip the biases' part; a g of 100 is far from any training that works).
    """
    before = loss(p, i, j, x, x_max=x_max, alpha=alpha)
    for_word, for_context, for_bias = gradients(p, i, j, x, x_max=x_max, alpha=alpha)
    for_word = learning_rate * np.clip(for_word, -clip, clip)
    for_context = learning_rate * np.clip(for_context, -clip, clip)

    p.words[i] -= for_word / np.sqrt(p.word_squares[i])
    p.contexts[j] -= for_context / np.sqrt(p.context_squares[j])
    p.word_squares[i] += for_word**2
    p.context_squares[j] += for_context**2

    for_bias = min(max(for_bias, -clip), clip)
    p.word_biases[i] -= for_bias / np.sqrt(p.word_bias_squares[i])
    p.context_biases[j] -= for_bias / np.sqrt(p.context_bias_squares[j])
    p.word_bias_squares[i] += for_bias**2
    p.context_bias_squares[j] += for_bias**2
    return before


def train_epoch(
    p: Parameters, entries: Iterable[tuple[int, int, float]], *, learning_rate: float, x_max: float, alpha: float
) -> float:
    """One pass over entries ``(i, j, x)`` in the order given; returns the mean loss."""
    losses = [step(p, i, j, x, learning_rate=learning_rate, x_max=x_max, alpha=alpha) for i, j, x in entries]
    return sum(losses) / len(losses)
