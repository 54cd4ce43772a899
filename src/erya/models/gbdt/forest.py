"""Trees as arrays, and how a text falls through all of them at once. NumPy only: this is what predicting needs.

M nodes of T trees lie one after another. An inner node asks "is feature f of the text at most the threshold?" – yes: ``left``, no:
``right``. A leaf holds a number for one label. What all trees of a label say is added to where that label starts:

    logit_c  =  start_c + Σ_{trees t of c} value of the leaf in which the text ends

Exact explanations (Palczewska et al. 2013, "Interpreting random forest models using a feature contribution method"): the mean of a
node is that of the training texts below it. On its way from the root to the leaf a text passes from mean to mean; each step belongs
to the feature that was asked. All steps, and the means of the roots, add up to the logit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.state import Arrays

Floats = NDArray[np.float64]

CELLS_AT_ONCE = 1 << 22  # texts × trees: bounds the memory
KINDS = {
    "feature": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "value": np.float64,
    "cover": np.float64,
    "roots": np.int64,
    "labels": np.int32,
    "start": np.float64,
}


@dataclass(frozen=True, slots=True)
class Forest:
    """T trees for C labels over F features.

    Attributes:
        feature: (M,) which feature a node asks; −1 in a leaf.
        threshold: (M,)
        left: (M,) number of the node for "at most the threshold"; greater than the node's own.
        right: (M,) of the other.
        value: (M,) of a leaf what it adds; of an inner node the mean of what is below it.
        cover: (M,) how many training texts came by.
        roots: (T,)
        labels: (T,) for which label a tree speaks.
        start: (C,)
    """

    feature: NDArray[np.int32]
    threshold: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: Floats
    cover: Floats
    roots: NDArray[np.int64]
    labels: NDArray[np.int32]
    start: Floats

    def logits(self, X: Floats) -> Floats:
        """(N, C) of texts (N, F)."""
        found = np.tile(self.start, (len(X), 1))
        some = max(1, CELLS_AT_ONCE // max(1, len(self.roots)))
        for first in range(0, len(X), some):
            values = self.value[self._leaves(X[first : first + some])]  # (n, T)
            for label in range(len(self.start)):
                found[first : first + some, label] += values[:, self.labels == label].sum(axis=1)
        return found

    def _leaves(self, X: Floats) -> NDArray[np.int64]:
        """(n, T) the leaf in which each text ends in each tree."""
        nodes = np.tile(self.roots, (len(X), 1))
        rows = np.arange(len(X))[:, None]
        while True:
            asked = self.feature[nodes]  # (n, T)
            inner = asked >= 0
            if not inner.any():
                return nodes
            goes_left = X[rows, asked] <= self.threshold[nodes]
            nodes = np.where(inner, np.where(goes_left, self.left[nodes], self.right[nodes]), nodes)

    def contributions(self, x: Floats) -> tuple[Floats, Floats]:
        """(F, C) what each feature of one text (F,) adds to each logit, and (C,) what is there before: they sum to the logits."""
        found = np.zeros((len(x), len(self.start)))
        before = self.start.copy()
        np.add.at(before, self.labels, self.value[self.roots])
        nodes = self.roots.copy()
        while True:
            inner = np.flatnonzero(self.feature[nodes] >= 0)
            if not len(inner):
                return found, before
            here = nodes[inner]
            asked = self.feature[here]
            following = np.where(x[asked] <= self.threshold[here], self.left[here], self.right[here])
            np.add.at(found, (asked, self.labels[inner]), self.value[following] - self.value[here])
            nodes[inner] = following

    # ---- plain arrays -----------------------------------------------------------------------------------------

    def arrays(self) -> Arrays:
        """By name; ``from_arrays`` is the inverse."""
        return {f"forest.{name}": getattr(self, name) for name in KINDS}

    @classmethod
    def from_arrays(cls, arrays: Arrays, features: int, classes: int) -> Forest:
        """A forest from a file.

        Raises:
            KeyError: an array is missing.
            ValueError: a tree that is none: nodes that point outside or back, features or labels that do not exist.
        """
        found = {name: arrays[f"forest.{name}"] for name in KINDS}
        for name, kind in KINDS.items():
            if found[name].dtype != kind or found[name].ndim != 1 or not np.isfinite(found[name]).all():
                raise ValueError(f"forest.{name}: not finite, or of another kind")
        feature, left, right, roots, labels = (found[name] for name in ("feature", "left", "right", "roots", "labels"))
        nodes = len(feature)
        if any(len(found[name]) != nodes for name in ("threshold", "left", "right", "value", "cover")):
            raise ValueError("the arrays of the trees do not fit one another")
        if len(roots) != len(labels) or found["start"].shape != (classes,):
            raise ValueError("the trees do not fit the classes")
        inner = np.flatnonzero(feature >= 0)
        forward = (left[inner] > inner) & (left[inner] < nodes) & (right[inner] > inner) & (right[inner] < nodes)
        if not forward.all() or not _within(feature, -1, features) or not _within(roots, 0, nodes):
            raise ValueError("a node points to where there is none: the trees do not fit")
        if not _within(labels, 0, classes):
            raise ValueError("the trees do not fit the classes")
        return cls(**found)


def _within(numbers: NDArray[Any], least: int, below: int) -> bool:
    return bool(((numbers >= least) & (numbers < below)).all())


def joined(parts: list[tuple[Forest, NDArray[np.int64]]], start: Floats) -> Forest:
    """Forests one after another; each with the numbers that its labels have in the whole."""
    offsets = np.cumsum([0, *(len(part.feature) for part, _ in parts)])[:-1].tolist()
    pieces: dict[str, list[NDArray[Any]]] = {name: [] for name in KINDS}
    for (part, names), offset in zip(parts, offsets, strict=True):
        for name in ("feature", "threshold", "value", "cover"):
            pieces[name].append(getattr(part, name))
        pieces["left"].append(part.left + np.int32(offset))
        pieces["right"].append(part.right + np.int32(offset))
        pieces["roots"].append(part.roots + offset)
        pieces["labels"].append(names[part.labels].astype(np.int32))
    empty = {name: np.zeros(0, kind) for name, kind in KINDS.items()}
    arrays = {name: np.concatenate([empty[name], *pieces[name]]) for name in KINDS if name != "start"}
    return Forest(**arrays, start=start)
