"""What a network that classifies text has learned, as a State, and the checks when it comes back from a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from erya.parts.network_answers import set_weights, weights_of
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers
from erya.text.vocabulary import Vocabulary


def to_state(
    network: torch.nn.Module,
    vocabulary: Vocabulary,
    tokenizer: tokenizers.Tokenizer,
    classes: classify.Labels,
    curve: list[dict[str, Any]],
) -> State:
    """Weights and vocabulary as arrays; classes, tokenizer and curve as data."""
    return State(
        {**weights_of(network), **vocabulary.to_arrays("vocabulary")},
        {"classes": classes.tolist(), "tokenizer": tokenizer.to_plain(), "curve": [dict(row) for row in curve]},
    )


def from_state(
    state: State, build: Callable[[int, int], torch.nn.Module]
) -> tuple[Any, Vocabulary, tokenizers.Tokenizer, classify.Labels, list[dict[str, Any]]]:
    """The inverse of ``to_state``.

    Args:
        build: V and C → a network without weights; called on torch's ``meta`` device, where any size costs nothing, so that
            a hostile file's sizes are compared before memory is taken.

    Raises:
        KeyError: something is missing.
        ValueError: shapes, numbers or values that do not fit one another.
    """
    classes = np.array(state.data["classes"])
    if classes.ndim != 1 or len(classes) < 2 or classes.tolist() != np.unique(classes).tolist():
        raise ValueError("the classes are not two or more sorted labels")
    vocabulary = Vocabulary.from_arrays("vocabulary", state.arrays)
    if vocabulary.specials != 2 or vocabulary.unknown != 1:
        raise ValueError("the vocabulary does not begin with padding and the unknown token")
    try:
        with torch.device("meta"):
            network = build(len(vocabulary), len(classes))
    except RuntimeError as problem:  # a size that torch cannot even write down
        raise ValueError(str(problem)) from problem
    set_weights(network, state.arrays)
    tokenizer = tokenizers.from_plain(state.data["tokenizer"])
    return network, vocabulary, tokenizer, classes, [dict(row) for row in state.data["curve"]]
