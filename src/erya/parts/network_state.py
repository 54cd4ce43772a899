"""What a network that classifies text has learned, as a State, and the checks when it comes back from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.parts.settings import LARGEST
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers
from erya.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Learned:
    """All that a fitted classifier is, besides its settings.

    Attributes:
        network: with its weights; or the weights alone as arrays by name, where nobody has asked for more yet.
        vocabulary: of V tokens; padding is 0, the unknown token 1.
        tokenizer: how text becomes tokens.
        classes: (C,) labels, sorted.
        several: whether a text has several labels.
        thresholds: (C,) where it has; else (0,).
        dim: D, width of a word vector.
        coverage: what the vectors that it began with knew of the text; empty: it began at random.
        curve: one row an epoch.
    """

    network: Any
    vocabulary: Vocabulary
    tokenizer: tokenizers.Tokenizer
    classes: classify.Labels
    several: bool
    thresholds: NDArray[np.float64]
    dim: int
    coverage: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)


def to_state(learned: Learned) -> State:
    """Weights, vocabulary and thresholds as arrays; the rest as data."""
    network = learned.network
    if isinstance(network, Mapping):
        weights = {f"network.{name}": array for name, array in network.items()}
    else:
        from erya.parts.network_answers import weights_of

        weights = weights_of(network)
    return State(
        {
            **weights,
            **learned.vocabulary.to_arrays("vocabulary"),
            "thresholds": learned.thresholds,
        },
        {
            "classes": learned.classes.tolist(),
            "tokenizer": learned.tokenizer.to_plain(),
            "several": learned.several,
            "dim": learned.dim,
            "coverage": dict(learned.coverage),
            "curve": [dict(row) for row in learned.curve],
        },
    )


def from_state(state: State, build: Callable[[int, int, int], torch.nn.Module]) -> Learned:
    """The inverse of ``to_state``.

    Args:
        build: V, D and C → a network without weights; called on torch's ``meta`` device, where any size costs nothing, so that
            a hostile file's sizes are compared before memory is taken.

    Raises:
        KeyError: something is missing.
        ValueError: shapes, numbers or values that do not fit one another.
    """

    def network(vocabulary: int, dim: int, classes: int) -> torch.nn.Module:
        return network_of(state, lambda: build(vocabulary, dim, classes))

    return learned_of(state, network)


def learned_of(state: State, network: Callable[[int, int, int], Any]) -> Learned:
    """As ``from_state``, whatever the network is, without torch.

    Args:
        network: V, D and C → what ``Learned.network`` shall be.
    """
    data = state.data
    classes = np.array(data["classes"])
    if classes.ndim != 1 or len(classes) < 2 or classes.tolist() != np.unique(classes).tolist():
        raise ValueError("the classes are not two or more sorted labels")
    vocabulary = Vocabulary.from_arrays("vocabulary", state.arrays)
    if vocabulary.specials != 2 or vocabulary.unknown != 1:
        raise ValueError("the vocabulary does not begin with padding and the unknown token")
    several, dim, thresholds = data["several"], data["dim"], state.arrays["thresholds"]
    if type(several) is not bool or type(dim) is not int or not 1 <= dim <= LARGEST:
        raise ValueError("several and dim are a truth value and a width")
    if thresholds.dtype != np.float64 or thresholds.shape != ((len(classes),) if several else (0,)):
        raise ValueError("the thresholds do not fit the labels")
    if not np.isfinite(thresholds).all():
        raise ValueError("a threshold is not finite")
    coverage = {str(name): float(share) for name, share in data["coverage"].items()}
    curve = [dict(row) for row in data["curve"]]
    tokenizer = tokenizers.from_plain(data["tokenizer"])
    made = network(len(vocabulary), dim, len(classes))
    return Learned(made, vocabulary, tokenizer, classes, several, thresholds, dim, coverage, curve)


def checked_weights(state: State, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """The weights by name, without torch.

    Args:
        shapes: of each.

    Raises:
        KeyError: one is missing.
        ValueError: a shape or type does not fit, or a number is not finite.
    """
    found = {}
    for name, shape in shapes.items():
        array = state.arrays[f"network.{name}"]
        if array.dtype != np.float32 or array.shape != shape:
            raise ValueError(f"{name}: {array.dtype} {array.shape} does not fit {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds numbers that are not finite")
        found[name] = array
    return found


def network_of(state: State, build: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """The network with its weights. ``build`` is called on torch's ``meta`` device. Raises as ``from_state`` does."""
    import torch

    from erya.parts.network_answers import set_weights

    try:
        with torch.device("meta"):
            network = build()
    except RuntimeError as problem:  # a size that torch cannot even write down
        raise ValueError(str(problem)) from problem
    set_weights(network, state.arrays)
    return network


def upgraded(state: State) -> State:
    """The state of version 1, which knew one label a text and vectors that begin random, as one of today's."""
    dim = int(state.arrays["network.embedding"].shape[1])
    data = {"several": False, "dim": dim, "coverage": {}, **state.data}
    return State({**state.arrays, "thresholds": np.zeros(0)}, data)
