"""The word vectors, imported when they are first named: ``from erya.vectors import Word2Vec, KeyedVectors``."""

from __future__ import annotations

from typing import Any

from erya import catalog


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    if name == "KeyedVectors":  # ready-made vectors: no room, nothing is trained
        from erya.parts.keyed_vectors import KeyedVectors

        return KeyedVectors
    return catalog.lazy_class("vectors", name)


def __dir__() -> list[str]:
    return sorted([*catalog.class_names("vectors"), "KeyedVectors"])
