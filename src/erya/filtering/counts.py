"""What became of rows: counted so that none is lost. Rows in = kept + dropped + rejected, always."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.text.dataset import Reject

BINS = 20  # of the histogram of p, and of that of bits a character for each bit
MOST_BITS = 100  # what costs more is counted in the histogram's last bin
_MOST_REASONS = 50  # different ones that are counted apart
_COUNTS = ("rows", "kept", "dropped", "rejected", "bad", "copied", "bytes", "kept_bytes")


@dataclass(slots=True)
class Tally:
    """What became of the rows of one file, of a part of it, or of many. ``rows == kept + dropped + rejected``.

    Attributes:
        rejected: rows without a text that could be scored.
        bad: those of the rejected that could not be read at all, or hold something other than text.
        copied: those of the bad that were copied unscored, as was asked for.
        bytes: of the file, unpacked.
        kept_bytes: of what was written, before packing.
        reasons: how many rows were rejected for which reason.
        histogram: how many of the scored rows have a p in each of ``BINS`` equal parts of 0 … 1. Of language models: how many have
            so many bits a character, in steps of 1/``BINS`` from 0 to the most that were seen, at most ``MOST_BITS``.
    """

    rows: int = 0
    kept: int = 0
    dropped: int = 0
    rejected: int = 0
    bad: int = 0
    copied: int = 0
    bytes: int = 0
    kept_bytes: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)

    def add(self, other: Tally) -> None:
        """Count another file in."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.reasons.items():
            self._because(reason, count)
        self._count_in(other.histogram)

    def reject(self, reject: Reject) -> None:
        """Count a row that could not be scored."""
        self.rejected += 1
        self.bad += not reject.harmless
        self._because(reject.summary or reject.reason, 1)

    def score(self, scores: NDArray[np.floating[Any]], *, bits: bool = False) -> None:
        """Count (N,) probabilities, or bits a character, into the histogram."""
        places = np.clip((scores * BINS).astype(np.int64), 0, BINS * (MOST_BITS if bits else 1) - 1)
        self._count_in(np.bincount(places, minlength=BINS).tolist())

    def _count_in(self, histogram: list[int]) -> None:
        pairs = zip_longest(self.histogram, histogram, fillvalue=0)
        self.histogram = [mine + its for mine, its in pairs]

    def _because(self, reason: str, count: int) -> None:
        known = reason if reason in self.reasons or len(self.reasons) < _MOST_REASONS else "…"
        self.reasons[known] = self.reasons.get(known, 0) + count

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_plain(cls, data: Any) -> Tally:
        """The inverse of ``to_plain``. Raises ValueError where the numbers make no sense."""
        if not isinstance(data, dict) or set(data) != set(cls().to_plain()) or not isinstance(data["reasons"], dict):
            raise ValueError("this is no tally")
        if not isinstance(data["histogram"], list) or not BINS <= len(data["histogram"]) <= BINS * MOST_BITS:
            raise ValueError("this is no histogram")
        tally = cls(**data)
        counts = [*(data[name] for name in _COUNTS), *tally.reasons.values(), *tally.histogram]
        if any(type(count) is not int or count < 0 for count in counts):
            raise ValueError("a count makes no sense")
        if tally.rows != tally.kept + tally.dropped + tally.rejected:
            raise ValueError("rows were lost")
        if sum(tally.histogram) != tally.kept + tally.dropped:
            raise ValueError("scores were lost")
        return tally
