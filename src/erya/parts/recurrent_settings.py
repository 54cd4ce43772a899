"""Checks of the settings that the recurrent rooms share."""

from __future__ import annotations

from typing import Any

from erya.parts.settings import require, whole

MOST_LAYERS = 64
POOLINGS = ("max", "mean", "last")


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
