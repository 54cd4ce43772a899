"""A model that is as good as its dial is set, and rows for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import erya
from erya import catalog
from erya.tasks import classify
from erya.text.dataset import Dataset, Part

ROOMS = Path(__file__).parent / "rooms"


@pytest.fixture
def rooms(monkeypatch):
    """``classify/dial`` is a model."""
    monkeypatch.setenv("ERYA_ROOMS", str(ROOMS))
    monkeypatch.setenv("ERYA_LANG", "en")
    catalog._cards.cache_clear()
    yield ROOMS
    if str(ROOMS) in erya.models.__path__:
        erya.models.__path__.remove(str(ROOMS))
    for name in [name for name in sys.modules if name.startswith("erya.models.dial")]:
        del sys.modules[name]
    catalog._cards.cache_clear()


def dataset_of(rows: int = 300, several: bool = False) -> Dataset:
    """Texts of the task's toy set, half of them for training."""
    inputs, targets = classify.toy_several(3, rows) if several else classify.toy(3, rows)
    inputs = [f"{text} n{number}" for number, text in enumerate(inputs)]
    whole = Part(inputs, list(targets), None, list(range(1, rows + 1)))
    half, quarter = rows // 2, rows // 4
    return Dataset(
        whole.take(range(half)),
        whole.take(range(half, half + quarter)),
        whole.take(range(half + quarter, rows)),
        source="toy",
    )
