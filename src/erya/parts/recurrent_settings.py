"""Checks of the settings that the recurrent rooms share."""

from __future__ import annotations

from typing import Any

from erya.language import say
from erya.parts.settings import number, require, whole

MOST_LAYERS = 64
POOLINGS = ("max", "mean", "last")
TRUNCATIONS = ("regular", "varied", "random")  # of the gradient through time, see stream_batches.py


def recurrent_settings(model: Any) -> None:
    """Raises UsageError where ``hidden_width``, ``layers``, ``directions`` or ``pooling`` is out of range."""
    whole("hidden_width", model.hidden_width)
    whole("layers", model.layers)
    require(model.layers <= MOST_LAYERS, "layers", model.layers, f"≤ {MOST_LAYERS}")
    whole("directions", model.directions)
    require(model.directions <= 2, "directions", model.directions, "1 | 2")
    require(
        isinstance(model.pooling, str) and model.pooling in POOLINGS, "pooling", model.pooling, " | ".join(POOLINGS)
    )


def writing_settings(model: Any) -> None:
    """Raises UsageError where a setting of a recurrent language model is out of range."""
    for name in ("dim", "hidden_width", "layers"):
        whole(name, getattr(model, name))
    require(model.layers <= MOST_LAYERS, "layers", model.layers, f"≤ {MOST_LAYERS}")
    for name in ("tied", "variational"):
        require(isinstance(getattr(model, name), bool), name, getattr(model, name), "True | False")
    whole("last_width", model.last_width, optional=True)
    for name in ("weight_dropout", "embedding_dropout", "layer_dropout"):
        number(name, getattr(model, name), 0, 1, optional=name == "layer_dropout")
    for name in ("activation_penalty", "change_penalty"):
        number(name, getattr(model, name), 0, 1e6)
    number("initial_range", model.initial_range, 0, 1e6, closed=False, optional=True)
    cut = model.truncation
    require(isinstance(cut, str) and cut in TRUNCATIONS, "truncation", cut, " | ".join(TRUNCATIONS))
    together = cut == "regular" or model.sampling == "sequential"
    require(together, "truncation", cut, say("regular where sampling=random", "sampling=random 时只能是 regular"))
