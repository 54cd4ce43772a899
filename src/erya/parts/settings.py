"""Checks of hyper-parameters, with the sentence a user needs where one is out of range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from erya.errors import UsageError, quoted
from erya.language import say

LARGEST = 1_000_000


def require(holds: bool, name: str, value: Any, rule: str) -> None:
    """Raises UsageError where ``holds`` is false: ``name=value: must be rule``."""
    if not holds:
        raise UsageError(
            "bad-setting",
            say(f"{name}={quoted(value, 40)}: must be {rule}", f"{name}={quoted(value, 40)}：应满足 {rule}"),
            help=f"--set {name}=…",
        )


def whole(name: str, value: Any, least: int = 1, *, optional: bool = False) -> None:
    """A whole number from ``least`` to a million; None too, where ``optional``."""
    if value is None and optional:
        return
    good = isinstance(value, int | np.integer) and not isinstance(value, bool) and least <= value <= LARGEST
    require(bool(good), name, value, f"≥ {least}, ≤ {LARGEST}")


def number(name: str, value: Any, above: float, below: float, *, closed: bool = True, optional: bool = False) -> None:
    """A finite number between ``above`` and ``below``; ``above`` itself too, where ``closed``."""
    if value is None and optional:
        return
    good = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    good = good and math.isfinite(value) and (above <= value if closed else above < value) and value < below
    require(good, name, value, f"{'≥' if closed else '>'} {above:g}, < {below:g}")


def no_weights(sample_weight: Any, sentence: str) -> None:
    """Raises UsageError with ``sentence`` where texts are given weights that the model has no use for."""
    if sample_weight is not None:
        raise UsageError("no-weights", sentence, help="fit(X)")


def gradient_settings(model: Any) -> None:
    """The settings that every network trained by ``parts.epochs`` has."""
    whole("min_count", model.min_count)
    whole("epochs", model.epochs)
    whole("batch_size", model.batch_size)
    whole("patience", model.patience, optional=True)
    number("learning_rate", model.learning_rate, 0, 1e6, closed=False)
    number("weight_decay", model.weight_decay, 0, 1e6)
    number("dropout", model.dropout, 0, 1)
    number("clip_norm", model.clip_norm, 0, 1e12, closed=False, optional=True)
    good = isinstance(model.seed, int | np.integer) and not isinstance(model.seed, bool) and 0 <= model.seed < 2**63
    require(bool(good), "seed", model.seed, "≥ 0, < 2^63")
