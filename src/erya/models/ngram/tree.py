"""An n-gram model as arrays: nodes of all orders one after the other, the unigrams first, see ``kernels.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.models.ngram import kernels
from erya.models.ngram.counting import MOST, Order
from erya.models.ngram.smoothing import Smoothed
from erya.state import Arrays

Floats = NDArray[np.float64]
LOGARITHMS = ("log_probability", "log_back_off")
NEVER = -1e30  # a logarithm of 0 in a file


@dataclass(slots=True)
class Tree:
    """A back-off model.

    Attributes:
        sizes: int64 (n,) nodes of each order.
        word: int32 (N,) the last unit of each n-gram.
        suffix: int32 (N,) the longest n-gram that it ends in, another than itself; −1: there is none.
        begin: int64 (I + 1,) where the children of each node begin; I: nodes below the highest order.
        log_probability: float64 (N,) natural.
        log_back_off: float64 (I,) natural.
    """

    sizes: NDArray[np.int64]
    word: NDArray[np.int32]
    suffix: NDArray[np.int32]
    begin: NDArray[np.int64]
    log_probability: Floats
    log_back_off: Floats

    @property
    def inner(self) -> int:
        """I, nodes below the highest order."""
        return int(self.sizes[:-1].sum())

    def score(self, ids: NDArray[np.int32]) -> tuple[Floats, NDArray[np.int64]]:
        """Ln p of each unit of a stream but its first border, and the node of the n-gram that said it: (L − 1,) each."""
        logs = np.empty(len(ids) - 1, dtype=np.float64)
        said = np.empty(len(ids) - 1, dtype=np.int64)
        kernels.score(
            np.ascontiguousarray(ids),
            self.begin,
            self.word,
            self.suffix,
            self.log_probability,
            self.log_back_off,
            self.inner,
            logs,
            said,
        )
        return logs, said

    def order_of(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many units some n-grams have."""
        return np.searchsorted(np.cumsum(self.sizes), nodes, side="right") + 1

    def child(self, state: int, unit: int) -> int | None:
        """The n-gram of a context and one more unit, where there is one."""
        if state == kernels.ROOT:
            return unit
        low, high = self.begin[state : state + 2].tolist()
        place = low + int(np.searchsorted(self.word[low:high], unit))
        return place if place < high and self.word[place] == unit else None

    def chain(self, state: int) -> list[int]:
        """A context and the shorter ones behind it, down to none (−1)."""
        found = [state]
        while found[-1] != kernels.ROOT:
            found.append(int(self.suffix[found[-1]]))
        return found

    def start(self) -> int:
        """The context at the beginning of a document."""
        return 0 if self.inner else kernels.ROOT

    def walk(self, state: int, ids: Sequence[int]) -> int:
        """The context behind some more units."""
        units = np.asarray(ids, dtype=np.int32)
        return int(kernels.walk(units, state, self.begin, self.word, self.suffix, self.inner))

    def distributions(self, states: Sequence[int]) -> Floats:
        """Ln p of all V units behind each of B contexts: (B, V)."""
        rows = np.empty((len(states), int(self.sizes[0])), dtype=np.float64)
        for row, state in zip(rows, states, strict=True):
            kernels.distribution(
                state, self.begin, self.word, self.suffix, self.log_probability, self.log_back_off, row
            )
        return rows

    def units(self, node: int) -> list[int]:
        """The units of an n-gram, found by going up."""
        found: list[int] = []
        while node >= self.sizes[0]:
            found.append(int(self.word[node]))
            node = int(np.searchsorted(self.begin, node, side="right")) - 1
        return [node, *reversed(found)]

    def arrays(self) -> Arrays:
        """For ``State``, which holds no infinity: what is impossible is ``NEVER`` there."""
        return {
            "sizes": self.sizes,
            "word": self.word,
            "suffix": self.suffix,
            "begin": self.begin,
            "log_probability": _stored(self.log_probability),
            "log_back_off": _stored(self.log_back_off),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, units: int) -> Tree:
        """The inverse of ``arrays``.

        Raises:
            ValueError: they are no tree of that many units; whoever walks through them would leave them.
        """
        tree = cls(*(arrays[name] for name in cls.__slots__))
        _check(tree, units)
        for name in LOGARITHMS:
            values = getattr(tree, name)
            if (values <= NEVER).any():
                setattr(tree, name, np.where(values <= NEVER, -np.inf, values))
        return tree


def _stored(logarithms: Floats) -> Floats:
    return np.maximum(logarithms, NEVER) if (logarithms < NEVER).any() else logarithms


def _check(tree: Tree, units: int) -> None:
    kinds = {"sizes": np.int64, "word": np.int32, "suffix": np.int32, "begin": np.int64}
    for name in Tree.__slots__:
        array = getattr(tree, name)
        if array.ndim != 1 or array.dtype != kinds.get(name, np.float64):
            raise ValueError(f"{name} has the wrong shape or type")
    sizes = tree.sizes
    if (
        not 1 <= len(sizes) <= 255
        or (sizes < 0).any()
        or (sizes > MOST).any()
        or sizes.sum() > MOST
        or sizes[0] != units
    ):
        raise ValueError("the sizes of the orders make no sense")
    total, inner = int(sizes.sum()), tree.inner
    shapes = (len(tree.word), len(tree.suffix), len(tree.log_probability)) == (total, total, total)
    if not shapes or len(tree.log_back_off) != inner or len(tree.begin) != inner + 1:
        raise ValueError("the arrays of the n-grams do not fit each other")
    if inner and (tree.begin[0] != units or tree.begin[-1] != total or (np.diff(tree.begin) < 0).any()):
        raise ValueError("the children of the n-grams lie outside")
    ends = np.cumsum(sizes)
    if inner and not np.array_equal(tree.begin[np.concatenate([[0], ends[:-2]])], ends[:-1]):
        raise ValueError("the orders overlap")
    below = np.repeat(np.concatenate([[0], ends[:-1]]), sizes)
    if (tree.word < 0).any() or (tree.word >= units).any():
        raise ValueError("a unit lies outside of the vocabulary")
    if not np.array_equal(tree.word[:units], np.arange(units)) or (tree.suffix[:units] != kernels.ROOT).any():
        raise ValueError("the unigrams are none")
    if (tree.suffix[units:] < 0).any() or (tree.suffix >= below)[units:].any():
        raise ValueError("a suffix is no shorter n-gram")
    rises = np.diff(tree.word.astype(np.int64)) > 0
    borders = tree.begin  # one several times where a node has no children: no matter
    rises[borders[(borders > 0) & (borders < total)] - 1] = True
    if not rises[units - 1 :].all():
        raise ValueError("the children of an n-gram are out of order")
    for name in LOGARITHMS:
        values = getattr(tree, name)
        if np.isnan(values).any() or (values == np.inf).any():
            raise ValueError(f"{name} holds what is no number")
    if (tree.log_probability > 1e-9).any():
        raise ValueError("a probability is above 1")


def build(orders: Sequence[Order], smoothed: Sequence[Smoothed]) -> Tree:
    """The tree of what is kept.

    A kept n-gram has its context and its suffix kept, since those were seen at least as often.
    """
    sizes = np.array([int(one.kept.sum()) for one in smoothed], dtype=np.int64)
    while len(sizes) > 1 and not sizes[-1]:
        sizes = sizes[:-1]
    starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    total, inner = starts[-1], starts[-2]
    word, suffix = (np.empty(total, dtype=np.int32) for _ in range(2))
    begin = np.full(inner + 1, total if inner else 0, dtype=np.int64)
    log_probability, log_back_off = np.empty(total), np.empty(inner)
    lower = None  # which n-grams of the order below stay; None: all
    with np.errstate(divide="ignore"):
        for place in range(len(sizes)):
            order, one, own = orders[place], smoothed[place], slice(starts[place], starts[place + 1])
            kept = None if one.kept.all() else one.kept
            word[own] = _some(order.word, kept)
            np.log(_some(one.probability, kept), out=log_probability[own])
            suffix[own] = _some(order.suffix, kept)
            if place:
                if lower is not None:
                    suffix[own] = (np.cumsum(lower) - 1)[suffix[own]]
                suffix[own] += starts[place - 1]  # numbers within the order become numbers of nodes
                below = slice(starts[place - 1], starts[place])
                first = order.begin[:-1] if kept is None else np.concatenate([[0], np.cumsum(kept)])[order.begin[:-1]]
                np.add(_some(first, lower), starts[place], out=begin[below])
                np.log(_some(one.back_off, lower), out=log_back_off[below])
            lower = kept
    return Tree(sizes, word, suffix, begin, log_probability, log_back_off)


def _some(array: NDArray[Any], kept: NDArray[np.bool_] | None) -> NDArray[Any]:
    return array if kept is None else array[kept]
