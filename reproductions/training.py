"""One training and its score: what every cell of every grid is."""

from __future__ import annotations

from time import monotonic
from typing import Any

from erya import catalog
from reproductions.sources import Parts


def measured(id: str, preset: str, settings: dict[str, Any], parts: Parts) -> dict[str, Any]:
    """Train a model and score it.

    Args:
        id: of the model.
        preset: of its card.
        settings: what is not as the preset has it.
        parts: training, development and test rows.

    Returns:
        ``accuracy`` in percent, ``minutes``, ``rows`` of training and test, ``seed``; of networks ``epochs`` run; of word vectors
        their ``coverage``.
    """
    began = monotonic()
    (texts, labels), dev, (test, truth) = parts
    model: Any = catalog.model(id, preset, settings)
    model.fit(texts, labels, validation=dev)
    figures = {
        "accuracy": 100 * float(model.score(test, truth)),
        "minutes": (monotonic() - began) / 60,
        "rows": [len(texts), len(test)],
        "seed": settings.get("seed", 0),
    }
    if hasattr(model, "curve_"):
        figures["epochs"] = len(model.curve_)
    if getattr(model, "coverage_", None):
        figures["coverage"] = dict(model.coverage_)
    return figures
