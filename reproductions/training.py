"""One training and its score: what every cell of every grid is."""

from __future__ import annotations

from time import monotonic
from typing import Any

from erya import catalog
from erya.tasks import tag
from reproductions.sources import Parts


def measured(id: str, preset: str, settings: dict[str, Any], parts: Parts) -> dict[str, Any]:
    """Train a model and score it.

    Args:
        id: of the model.
        preset: of its card.
        settings: what is not as the preset has it.
        parts: training, development and test rows.

    Returns:
        ``accuracy`` in percent (of taggers whose tags tell spans ``f1``), ``minutes`` from rows to score, ``rows`` of training and test,
        ``rows_per_second`` of the test, ``seed``; of networks ``epochs`` run; of word vectors their ``coverage``.
    """
    began = monotonic()
    name = "f1" if id.startswith("tag/") and tag.scheme_of(parts[0][1]) != "none" else "accuracy"
    (texts, labels), dev, (test, truth) = parts
    model: Any = catalog.model(id, preset, settings)
    model.fit(texts, labels, validation=dev)
    asked = monotonic()
    score = 100 * float(model.score(test, truth))
    figures = {
        name: score,
        "minutes": (monotonic() - began) / 60,
        "rows": [len(texts), len(test)],
        "rows_per_second": round(len(test) / (monotonic() - asked)),
        "seed": settings.get("seed", 0),
    }
    if hasattr(model, "curve_"):
        figures["epochs"] = len(model.curve_)
    if getattr(model, "coverage_", None):
        figures["coverage"] = dict(model.coverage_)
    return figures
