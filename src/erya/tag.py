"""The taggers, imported when they are first named: ``from erya.tag import CRF``."""

from __future__ import annotations

from typing import Any

from erya import catalog


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    return catalog.lazy_class("tag", name)


def __dir__() -> list[str]:
    return sorted(catalog.class_names("tag"))
