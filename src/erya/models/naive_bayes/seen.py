"""What naive Bayes has counted: all that it learns from texts. Logarithms of shares are made of it, and more texts are added to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.parts.going_on import wider
from erya.parts.integers import Integers
from erya.state import Arrays

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """Weighted counts of N texts over C labels and V features.

    Attributes:
        totals: (C, V) how often each feature stands in the texts of each label.
        labels: (C,) the weight of the texts of each label.
        whole: (V,) how often in all texts; (0,) where every text has one label, and ``totals`` tell it.
        weight: of all texts.
        rows: N; 0 where every text has one label, and nobody asks.
    """

    totals: Floats
    labels: Floats
    whole: Floats
    weight: float
    rows: int = 0

    def and_more(self, other: Seen, places: Integers) -> Seen:
        """Both together. ``places`` (V,): where the features of this one are among those of the other, which are more."""
        width = other.totals.shape[1]
        whole = wider(self.whole, places, width) + other.whole if len(other.whole) else self.whole
        return Seen(
            wider(self.totals, places, width) + other.totals,
            self.labels + other.labels,
            whole,
            self.weight + other.weight,
            self.rows + other.rows,
        )

    # ---- in a file: most features stand in the texts of few labels ------------------------------------------------

    def arrays(self) -> Arrays:
        """The counts that are not 0, label by label; what is counted in all texts as a last row of its own."""
        table = np.vstack([self.totals, self.whole]) if len(self.whole) else self.totals
        rows, features = np.nonzero(table)
        values = table[rows, features]
        small = values.astype(np.float32)
        starts = np.searchsorted(rows, np.arange(len(table) + 1)).astype(np.int64)
        return {
            "seen.starts": starts,
            "seen.features": features.astype(np.int32),
            "seen.values": small if np.array_equal(small, values) else values,
            "seen.labels": self.labels,
        }

    def data(self) -> dict[str, Any]:
        """The two numbers."""
        return {"weight": self.weight, "rows": self.rows}

    @classmethod
    def of(cls, arrays: Arrays, data: dict[str, Any], classes: int, width: int, several: bool) -> Seen:
        """The inverse of ``arrays`` and ``data``.

        Raises:
            KeyError: something is missing.
            ValueError: arrays that do not fit one another, or counts that are none.
        """
        starts, features, values, labels = (
            arrays[f"seen.{name}"] for name in ("starts", "features", "values", "labels")
        )
        height = classes + several
        if starts.dtype != np.int64 or features.dtype != np.int32 or values.dtype.kind != "f" or values.ndim != 1:
            raise ValueError("the counts do not fit: arrays of another kind")
        if (
            starts.shape != (height + 1,)
            or starts[0] != 0
            or (np.diff(starts) < 0).any()
            or starts[-1] != len(features)
        ):
            raise ValueError("the counts do not fit the classes")
        if features.shape != values.shape or (len(features) and not 0 <= features.min() <= features.max() < width):
            raise ValueError("the counts do not fit the features")
        if labels.shape != (classes,) or labels.dtype != np.float64 or type(data["rows"]) is not int:
            raise ValueError("the counts do not fit the classes")
        numbers = np.concatenate([values.astype(np.float64), labels, [float(data["weight"]), float(data["rows"])]])
        if not (np.isfinite(numbers) & (numbers >= 0)).all():
            raise ValueError("there are counts that are not finite")
        table: Floats = np.zeros((height, width))
        table[np.repeat(np.arange(height), np.diff(starts)), features] = values
        whole = table[classes] if several else np.zeros(0)
        return cls(table[:classes], labels, whole, float(data["weight"]), int(data["rows"]))
