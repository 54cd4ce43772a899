"""Language models, imported when they are first named: ``from erya.generate import NGram``."""

from __future__ import annotations

from typing import Any

from erya import catalog


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    return catalog.lazy_class("generate", name)


def __dir__() -> list[str]:
    return sorted(catalog.class_names("generate"))
