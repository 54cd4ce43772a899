"""How the trees grow – scikit-learn's HistGradientBoostingClassifier – and how they become arrays. Only training comes here.

Friedman 2001: the loss −ln p(y) is a function of the logits; its slope at each text is [c = y] − p_c, what the label still lacks.
A tree for each label is fitted to these slopes, and a small part of it (``learning_rate``) is added to the logits; again and again.
The trees look at 255 bins of a feature instead of its values (Ke et al. 2017, LightGBM).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.models.gbdt.forest import Forest, joined
from erya.parts.ngram_evidence import interrupted
from erya.progress import Report

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

ROUNDS_AT_ONCE = 10  # between two looks at the clock
BARELY = 5.0  # logit by which a label without texts lies below the rarest


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings of ``GBDT`` that growing needs, by their names there."""

    steps: int
    learning_rate: float
    leaves: int
    min_leaf: int
    l2: float


def telling(X: Any, truth: Floats, weights: Floats, most: int) -> Numbers:
    """The features that tell most about the labels, ascending: those of the largest χ² between feature and label.

    Args:
        X: (N, V) sparse, not negative.
        truth: (N, C) shares of labels.
        weights: (N,)
        most: how many.
    """
    weighted = truth * weights[:, None]
    observed = np.asarray((X.T @ weighted).T)  # (C, V)
    shares = weighted.sum(axis=0) / max(weights.sum(), 1e-300)  # (C,) of several labels they do not sum to 1
    whole = np.asarray(X.T @ weights)  # (V,)
    expected = shares[:, None] * whole
    distance = np.divide((observed - expected) ** 2, expected, out=np.zeros_like(observed), where=expected > 0)
    scores = distance.sum(axis=0)
    return np.sort(np.argsort(-scores, kind="stable")[:most])


def grow(
    X: Floats, rows: Numbers, labels: Numbers, weights: Floats, classes: int, plan: Plan, report: Report
) -> tuple[Forest, Floats]:
    """A forest whose softmax is the answer, and (F,) how much each feature lowered the loss.

    Args:
        X: (N, F)
        rows: (L,) rows of X, one repeated for each of its labels.
        labels: (L,) their labels.
        weights: (L,) their weights, all > 0.
        classes: C.
        plan: settings.
        report: asked after every ten rounds whether to stop.

    Raises:
        Interrupted: the report asked for it.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    present, codes = np.unique(labels, return_inverse=True)
    start = np.full(classes, -BARELY)
    if len(present) < 2 or not X.shape[1]:
        shares = np.bincount(labels, weights, classes) / weights.sum()
        start[present] = np.log(shares[present])
        return joined([], np.maximum(start, start.max() - 2 * BARELY)), np.zeros(X.shape[1])
    learner = HistGradientBoostingClassifier(
        learning_rate=plan.learning_rate,
        max_leaf_nodes=plan.leaves,
        min_samples_leaf=plan.min_leaf,
        l2_regularization=plan.l2,
        early_stopping=False,
        random_state=0,
        warm_start=True,
        max_iter=min(ROUNDS_AT_ONCE, plan.steps),
    )
    repeated = X[rows]
    while True:
        learner.fit(repeated, codes, sample_weight=weights)
        report.progress(epoch=learner.n_iter_, epochs=plan.steps, done=learner.n_iter_ / plan.steps)
        asked = report.stopping()
        if asked == "interrupt":
            raise interrupted()
        if asked == "budget" or learner.n_iter_ >= plan.steps:
            break
        learner.set_params(max_iter=min(plan.steps, learner.n_iter_ + ROUNDS_AT_ONCE))
    return _taken_over(learner, present, start, X.shape[1])


def _taken_over(learner: Any, present: Numbers, start: Floats, features: int) -> tuple[Forest, Floats]:
    """scikit-learn's trees as arrays; of two labels it grows trees for the second alone, and the first one's logit is 0."""
    base = np.asarray(learner._baseline_prediction).ravel()
    names = present if len(base) == len(present) else present[1:]
    if len(names) < len(present):
        start[present[0]] = 0.0
    start[names] = base
    start[np.setdiff1d(np.arange(len(start)), present)] = start[present].min() - BARELY
    importance = np.zeros(features)
    parts = []
    for trees in learner._predictors:
        for place, tree in enumerate(trees):
            nodes = tree.nodes
            inner = nodes["is_leaf"] == 0
            np.add.at(importance, nodes["feature_idx"][inner], nodes["gain"][inner])
            parts.append((_tree(nodes), names[place : place + 1].astype(np.int64)))
    return joined(parts, start), importance


def _tree(nodes: NDArray[Any]) -> Forest:
    """One tree; children come after their parents, so that backwards every child's mean is there before it is needed."""
    leaf = nodes["is_leaf"] == 1
    value, cover = nodes["value"].astype(np.float64), nodes["count"].astype(np.float64)
    left, right = nodes["left"].astype(np.int32), nodes["right"].astype(np.int32)
    for node in np.flatnonzero(~leaf)[::-1].tolist():
        a, b = left[node], right[node]
        value[node] = (value[a] * cover[a] + value[b] * cover[b]) / (cover[a] + cover[b])
    return Forest(
        np.where(leaf, -1, nodes["feature_idx"]).astype(np.int32),
        np.where(leaf, 0.0, nodes["num_threshold"]),
        np.where(leaf, 0, left).astype(np.int32),
        np.where(leaf, 0, right).astype(np.int32),
        value,
        cover,
        np.zeros(1, dtype=np.int64),
        np.zeros(1, dtype=np.int32),
        np.zeros(1),
    )
