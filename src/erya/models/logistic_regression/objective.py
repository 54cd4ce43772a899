"""What logistic regression minimises, and the slope of it: the whole mathematics of the model, in two dozen lines.

With a document's features x (V,), the weights W (V, C) and the bias b (C,)

    logits  z = x W + b                                     (C,)
    model   p(c | x) = exp(z_c) / Σ_k exp(z_k)
    loss    L(W, b) = Σ_i weight_i · −ln p(y_i | x_i)  +  l2/2 · Σ W²

L is convex, and strictly so in W: one valley, whatever the start. Its slope is a residual seen through the features,

    ∂L/∂W = Xᵀ R + l2 · W,     ∂L/∂b = Σ_i R_i,     R_ic = weight_i · (p(c | x_i) − [c = y_i])

The bias is not punished: how frequent a label is costs nothing to say. (Same objective as scikit-learn's with
C = 1 / l2; for two labels, which scikit-learn describes by one weight vector, not two, with C = 2 / l2.)

Shares of labels t_ic, which sum to 1, take the place of [c = y_i], and −Σ_c t_ic ln p(c | x_i) that of −ln p(y_i | x_i). Where
a text may have several labels, each is a question of its own, and the slope looks the same once more:

    p(c | x) = 1 / (1 + exp(−z_c)),     loss  −Σ_c [t_ic ln p + (1 − t_ic) ln(1 − p)],     R_ic = weight_i · (p(c | x_i) − t_ic)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]


def softmax(logits: Floats) -> tuple[Floats, Floats]:
    """Probabilities and their logarithms, both (N, C); shifted by the row's largest logit, so nothing overflows."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    totals = exponentials.sum(axis=1, keepdims=True)
    return exponentials / totals, shifted - np.log(totals)


def objective(
    theta: Floats, X: csr_matrix, X_transposed: csr_matrix, targets: NDArray[np.int64], weights: Floats, l2: float
) -> tuple[float, Floats]:
    """The loss L and its gradient.

    Args:
        theta: (V + 1, C) flattened: the rows of W, then b.
        X: (N, V) features, sparse by rows.
        X_transposed: (V, N) the same, sparse by rows again: a product with it is as fast as one with X.
        targets: (N,) number of each document's label.
        weights: (N,) weight of each document.
        l2: strength of the penalty on W.
    """
    parameters = theta.reshape(X.shape[1] + 1, -1)  # (V + 1, C)
    W, b = parameters[:-1], parameters[-1]
    probabilities, logarithms = softmax(X @ W + b)  # (N, C)
    rows = np.arange(len(targets))
    loss = -float(weights @ logarithms[rows, targets]) + 0.5 * l2 * float(np.vdot(W, W))
    residuals = probabilities  # becomes R (N, C)
    residuals[rows, targets] -= 1.0
    residuals *= weights[:, None]
    gradient = np.empty_like(parameters)  # (V + 1, C)
    gradient[:-1] = X_transposed @ residuals + l2 * W
    gradient[-1] = residuals.sum(axis=0)
    return loss, gradient.ravel()


def sigmoid(logits: Floats) -> Floats:
    """(N, C) the probability of each label by itself; never overflows."""
    found: Floats = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return found


def objective_of_shares(
    theta: Floats,
    X: csr_matrix,
    X_transposed: csr_matrix,
    shares: Floats,
    weights: Floats,
    l2: float,
    *,
    several: bool,
) -> tuple[float, Floats]:
    """The loss and its gradient for shares of labels, or for several labels.

    Args:
        theta: as ``objective``, likewise the others.
        shares: (N, C) of each label; rows sum to 1, or where there are several labels hold 0 and 1.
        several: each label is a question of its own.
    """
    parameters = theta.reshape(X.shape[1] + 1, -1)  # (V + 1, C)
    W, b = parameters[:-1], parameters[-1]
    logits = X @ W + b  # (N, C)
    if several:
        row_losses = (np.logaddexp(0.0, logits) - shares * logits).sum(axis=1)
        probabilities = sigmoid(logits)
    else:
        probabilities, logarithms = softmax(logits)
        row_losses = -(shares * logarithms).sum(axis=1)
    residuals = weights[:, None] * (probabilities - shares)  # R (N, C)
    gradient = np.empty_like(parameters)  # (V + 1, C)
    gradient[:-1] = X_transposed @ residuals + l2 * W
    gradient[-1] = residuals.sum(axis=0)
    return float(weights @ row_losses) + 0.5 * l2 * float(np.vdot(W, W)), gradient.ravel()
