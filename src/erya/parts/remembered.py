"""Earlier texts as a bowl around the weights that they gave: what linear models keep of them when they go on with others.

Near its minimum a loss looks like a parabola, so that for weights θ near θ₀, which N texts gave,

    Σ_i loss_i(θ)  ≈  constant + ½ Σ_v s_v (θ_v − θ₀_v)²         s_v = Σ_i weight_i · h_i · x_iv²

with h_i the second derivative of text i's loss along its score: p (1 − p) for a logistic loss, 2 within the margin of a squared hinge.
Only the diagonal of the curvature is kept, and one number for all labels: a float a feature, as the idf is. ``s`` begins at the
penalty on the weights and grows with each portion, so what many texts have told is firm, and what none has told is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError
from erya.language import say
from erya.parts.integers import Integers

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]


def nothing(features: int, l2: float, *, bias: float = 0.0) -> Floats:
    """(V + 1,) before any text: the penalty on the weights, and that on the biases."""
    found: Floats = np.full(features + 1, l2)
    found[-1] = bias
    return found


def stiffened(before: NDArray[Any], X: csr_matrix, doubt: Floats) -> NDArray[np.float32]:
    """(V + 1,) with more texts in it.

    Args:
        before: (V + 1,)
        X: (N, V) features.
        doubt: (N,) each text's weight × second derivative.
    """
    squares = X.copy()
    squares.data = squares.data**2
    return np.append(before[:-1] + squares.T @ doubt, before[-1] + doubt.sum()).astype(np.float32)


def wider(before: NDArray[np.float32], places: Integers, width: int, l2: float) -> Floats:
    """(V + 1,) → (W + 1,): each feature where it belongs now; the new ones are held by the penalty alone."""
    found: Floats = np.full(width + 1, l2)
    found[places], found[-1] = before[:-1], before[-1]
    return found


def check(stiffness: NDArray[np.float32]) -> None:
    """Raises UsageError where a file told nothing of how firm the weights are."""
    if not len(stiffness):
        raise UsageError(
            "no-stiffness",
            say(
                "this model was saved without what it needs to go on: how firmly its texts held each weight",
                "这个模型保存时没有留下继续学习所需的信息：各个权重有多稳固",
            ),
            help=say("fit(X, y) on all texts, once", "用全部文本重新 fit(X, y) 一次"),
        )


def checked(stiffness: NDArray[Any], features: int) -> NDArray[np.float32]:
    """What a file holds. Raises ValueError where it does not fit the features, or is no such thing."""
    if stiffness.dtype != np.float32 or stiffness.shape not in ((features + 1,), (0,)):
        raise ValueError("the stiffness does not fit the features")
    if not np.isfinite(stiffness).all() or (stiffness < 0).any():
        raise ValueError("there are values that are not finite")
    return stiffness
