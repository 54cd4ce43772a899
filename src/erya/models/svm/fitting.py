"""How the borders are found, and how a distance from a border becomes a probability. Only training comes here.

The borders, one for each label against all others (Rifkin and Klautau 2004, "In defense of one-vs-all classification"):

    min  λ/2 · ‖w_c‖²  +  λ/2 · b_c²  +  Σ_i weight_i · max(0, 1 − t_ic (w_c x_i + b_c))²       t_ic = 1 for the label, −1 without

scikit-learn's LinearSVC (liblinear, Fan et al. 2008; dual coordinate descent, Hsieh et al. 2008) does that, with C = 1/λ; it
punishes the bias as if it were the weight of a feature that is always 1.

A margin m_c = w_c x + b_c says on which side a text lies, not how sure one may be. So a few numbers are learned on margins of
texts that the border's maker had not seen (each third of the texts by borders of the other two thirds):

    one label a text     p_c = exp(s m_c) / Σ_k exp(s m_k)       one slope s for all labels: the order of the labels stays
    several labels       p_c = 1 / (1 + exp(−(s_c m_c + o_c)))   slope and offset a label (Platt 1999; targets as in Lin, Lin, Weng 2007)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]

SMALLEST_SLOPE, LARGEST_SLOPE = 1e-2, 1e3  # a slope of 0 would forget the order of the labels
STEPS = 100  # of the searches below


def borders(X: csr_matrix, truth: Floats, weights: Floats, *, l2: float, steps: int, tolerance: float) -> Floats:
    """(C, V + 1) the weights of each label and its bias, by scikit-learn's LinearSVC.

    Args:
        X: (N, V) tf-idf.
        truth: (N, C) 1 where a row has the label, else 0; where C is 2 and the labels exclude each other one border serves both.
        weights: (N,).
        l2: λ.
        steps: most rounds of the solver.
        tolerance: the solver's.
    """
    classes = truth.shape[1]
    mirrored = classes == 2 and bool((truth.sum(axis=1) == 1).all())
    found = np.zeros((classes, X.shape[1] + 1))
    for label in range(1 if mirrored else 0, classes):
        found[label] = _border(X, truth[:, label] > 0, weights, l2, steps, tolerance)
    if mirrored:
        found[0] = -found[1]
    return found


def _border(X: csr_matrix, has: NDArray[np.bool_], weights: Floats, l2: float, steps: int, tolerance: float) -> Floats:
    """(V + 1,) one label against the rest; a constant where all rows, or none, have it."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    found = np.zeros(X.shape[1] + 1)
    if has.all() or not has.any() or not X.shape[1]:
        found[-1] = np.sign(2.0 * (weights @ has) / weights.sum() - 1.0)
        return found
    solver = LinearSVC(C=1.0 / l2, tol=tolerance, max_iter=steps, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as good as the steps allow; the tests know how good
        solver.fit(X, has, sample_weight=weights)
    found[:-1], found[-1] = solver.coef_[0], solver.intercept_[0]
    return found


def margins(X: csr_matrix, found: Floats) -> Floats:
    """(N, C) how far each text lies on the side of each label."""
    scores: Floats = X @ found[:, :-1].T + found[:, -1]
    return scores


# ---- from margins to probabilities ----------------------------------------------------------------------------------


def slope_of_softmax(scores: Floats, targets: NDArray[np.int64], weights: Floats) -> float:
    """The s > 0 with the smallest Σ weight · −ln softmax(s · m)[y]. Convex in s: its derivative is searched for its zero.

    Args:
        scores: (N, C) held-out margins.
        targets: (N,) numbers of the true labels.
        weights: (N,).
    """
    right = scores[np.arange(len(targets)), targets]

    def slope(s: float) -> float:
        shifted = s * (scores - scores.max(axis=1, keepdims=True))
        shares = np.exp(shifted)
        expected = (shares * scores).sum(axis=1) / shares.sum(axis=1)
        return float(weights @ (expected - right))

    low, high = np.log(SMALLEST_SLOPE), np.log(LARGEST_SLOPE)
    if slope(SMALLEST_SLOPE) >= 0:
        return SMALLEST_SLOPE
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(float(np.exp(middle))) < 0 else (low, middle)
    return float(np.exp(low))


def sigmoid_of(scores: Floats, has: NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Slope s ≥ 0 and offset o with the smallest cross-entropy of σ(s m + o) against Platt's softened targets, by Newton's steps.

    Args:
        scores: (N,) held-out margins of one label.
        has: (N,) which rows have it.
        weights: (N,).
    """
    positive, negative = float(weights @ has), float(weights @ ~has)
    goals = np.where(has, (positive + 1) / (positive + 2), 1 / (negative + 2))
    design = np.column_stack([scores, np.ones(len(scores))])  # (N, 2)
    theta = np.array([1.0, np.log((positive + 1) / (negative + 1))])

    def loss(at: Floats) -> float:
        z = design @ at
        return float(weights @ (np.logaddexp(0, z) - goals * z))

    for _ in range(STEPS):
        p = 0.5 * (1 + np.tanh(design @ theta / 2))
        gradient = design.T @ (weights * (p - goals))
        hessian = (design * (weights * p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        step, length = np.linalg.solve(hessian, gradient), 1.0
        while length > 1e-8 and loss(theta - length * step) > loss(theta):
            length /= 2
        theta = theta - length * step
        if np.abs(length * step).max() < 1e-10:
            break
    if theta[0] >= SMALLEST_SLOPE:
        return float(min(theta[0], LARGEST_SLOPE)), float(theta[1])
    share = goals @ weights / weights.sum()  # the margins are of no use: the label's frequency, in the margins' order
    return SMALLEST_SLOPE, float(np.log(share / (1 - share)))


# ---- going on with other texts ----------------------------------------------------------------------------------------


def within(X: csr_matrix, truth: Floats, found: Floats) -> Floats:
    """(N,) how much each text bends the loss: twice the number of labels within whose margin it lies, halved as for two labels.

    Args:
        X: (N, V).
        truth: (N, C) 1 where a row has the label.
        found: (C, V + 1) the borders.
    """
    sides = np.where(truth > 0, 1.0, -1.0)
    return np.asarray((sides * margins(X, found) < 1).sum(axis=1), dtype=np.float64)


def moved(
    X: csr_matrix, truth: Floats, weights: Floats, anchor: Floats, stiffness: Floats, *, steps: int, tolerance: float
) -> Floats:
    """(C, V + 1) borders that stay near others and obey new texts, by SciPy's L-BFGS, label by label:

        min  ½ Σ_v s_v (w_v − w⁰_v)²  +  Σ_i weight_i · max(0, 1 − t_i (w x_i + b))²

    Args:
        X: (N, V) tf-idf.
        truth: (N, C) 1 where a row has the label, else 0.
        weights: (N,).
        anchor: (C, V + 1) the borders so far.
        stiffness: (V + 1,) s.
        steps: most steps of the solver.
        tolerance: it is done when no component of the slope, a text, is larger.
    """
    from scipy.optimize import minimize

    transposed, total = X.T.tocsr(), float(weights.sum())

    def objective(theta: Floats, sides: Floats, near: Floats) -> tuple[float, Floats]:
        away = theta - near
        lacking = np.maximum(0.0, 1.0 - sides * (X @ theta[:-1] + theta[-1]))  # (N,)
        slopes = -2.0 * weights * sides * lacking
        gradient = stiffness * away + np.append(transposed @ slopes, slopes.sum())
        loss = 0.5 * float(stiffness @ (away * away)) + float(weights @ (lacking * lacking))
        return loss / total, gradient / total

    found = np.empty_like(anchor)
    options = {"maxiter": steps, "maxfun": 20 * steps, "gtol": tolerance}
    for label in range(len(anchor)):
        sides = np.where(truth[:, label] > 0, 1.0, -1.0)
        solved = minimize(
            objective, anchor[label], args=(sides, anchor[label]), jac=True, method="L-BFGS-B", options=options
        )
        found[label] = solved.x
    return found
