"""Erya 尔雅 – every classic language model, from counts to BERT: train it, compare it, look inside it, ship it.

The front door: ``erya.read``, ``erya.compare``, ``erya.tune``, ``erya.learning_curve``, ``erya.self_train``,
``erya.model``, ``erya.load`` and one lazy module per task
(``erya.classify.FastText``, ``erya.vectors.Word2Vec``, ``erya.tag``). Nothing is imported before it is named.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from erya import classify as classify
    from erya import tag as tag
    from erya import vectors as vectors
    from erya.catalog import load as load
    from erya.catalog import model as model
    from erya.curves import learning_curve as learning_curve
    from erya.leaderboard import compare as compare
    from erya.self_training import self_train as self_train
    from erya.text.read import read as read
    from erya.tuning import tune as tune

__version__ = "0.1.0"

_WHERE = {
    "read": "erya.text.read",
    "load": "erya.catalog",
    "model": "erya.catalog",
    "compare": "erya.leaderboard",
    "tune": "erya.tuning",
    "learning_curve": "erya.curves",
    "self_train": "erya.self_training",
}

__all__ = [
    "__version__",
    "classify",
    "compare",
    "learning_curve",
    "load",
    "model",
    "read",
    "self_train",
    "tag",
    "tune",
    "vectors",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if not name.startswith("_") and find_spec(f"erya.{name}") is not None:
        return importlib.import_module(f"erya.{name}")
    raise AttributeError(f"module 'erya' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
