"""Which training texts are most like this one: an inverted index, read like the one at the back of a book.

Cosine of two tf-idf vectors, both of length 1, is a sum over the features that they share:

    cos(q, x_n)  =  Σ_f q_f · x_nf

So for each feature of the question only those texts are touched that have it, too: ``rows`` and ``values`` between ``starts[f]``
and ``starts[f + 1]`` (Zobel and Moffat 2006, "Inverted files for text search engines"). Texts that share nothing have cosine 0
and are nobody's neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erya.parts.ngrams import Counts

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def unit(counts: Counts, values: Floats) -> Floats:
    """(entries,) the values, each document's brought to length 1."""
    documents = counts.documents()
    lengths = np.sqrt(np.bincount(documents, weights=values * values, minlength=len(counts)))
    found: Floats = values / np.where(lengths > 0, lengths, 1.0)[documents]
    return found


@dataclass(frozen=True, slots=True)
class Index:
    """N texts, by feature.

    Attributes:
        starts: (V + 1,) int64: feature f has the postings ``starts[f]`` to ``starts[f + 1]``.
        rows: (entries,) int32: which text has it, ascending within a feature.
        values: (entries,) float32: how much of it, in vectors of length 1.
        size: N.
    """

    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    values: NDArray[np.float32]
    size: int

    @classmethod
    def of(cls, counts: Counts, values: Floats) -> Index:
        """The index of documents whose vectors have length 1."""
        order = np.argsort(counts.features, kind="stable")
        starts = np.zeros(counts.width + 1, dtype=np.int64)
        np.cumsum(np.bincount(counts.features, minlength=counts.width), out=starts[1:])
        rows = counts.documents()[order].astype(np.int32)
        return cls(starts, rows, values[order].astype(np.float32), len(counts))

    def and_more(self, places: Rows, other: Index) -> Index:
        """The texts of this index, then those of ``other``, which has more features: ``places`` (V,) are those of this one in it."""
        lengths: Rows = np.zeros(len(other.starts) - 1, dtype=np.int64)
        lengths[places] = np.diff(self.starts)
        features = np.concatenate(
            [np.repeat(places, np.diff(self.starts)), np.repeat(np.arange(len(lengths)), np.diff(other.starts))]
        )
        rows = np.concatenate([self.rows, other.rows + np.int32(self.size)])
        values = np.concatenate([self.values, other.values])
        order = np.lexsort((rows, features))
        starts = np.concatenate([[0], np.cumsum(lengths + np.diff(other.starts))]).astype(np.int64)
        return Index(starts, rows[order], values[order], self.size + other.size)

    def cosines(self, features: Rows, values: Floats) -> Floats:
        """(N,) of one question with m features (m,) of length 1."""
        found = np.zeros(self.size)
        spans = [slice(*self.starts[feature : feature + 2].tolist()) for feature in features.tolist()]
        if spans:
            rows = np.concatenate([self.rows[span] for span in spans])
            lengths = [span.stop - span.start for span in spans]
            parts = np.concatenate([self.values[span] for span in spans]) * np.repeat(values, lengths)
            found += np.bincount(rows, weights=parts, minlength=self.size)
        return found

    def vector(self, row: int, features: Rows) -> Floats:
        """(m,) what one text has of the features."""
        found = np.zeros(len(features))
        for place, feature in enumerate(features.tolist()):
            first, last = self.starts[feature : feature + 2].tolist()
            at = first + int(np.searchsorted(self.rows[first:last], row))
            if at < last and self.rows[at] == row:
                found[place] = self.values[at]
        return found


def nearest(cosines: Floats, count: int) -> Rows:
    """The rows of the largest cosines, at most ``count``, the largest first, of equal ones the first row first; none of cosine 0."""
    rows = np.flatnonzero(cosines > 0)
    if len(rows) > count:
        least = np.partition(cosines[rows], len(rows) - count)[len(rows) - count]
        rows = rows[cosines[rows] >= least]
    return rows[np.lexsort((rows, -cosines[rows]))][:count]


def voices(cosines: Floats, weighting: str) -> Floats:
    """(k,) what each neighbour's vote counts: 1, or the inverse of its distance 1 − cos; who is the same text speaks alone."""
    if weighting == "uniform":
        return np.ones(len(cosines))
    distances = np.maximum(1.0 - cosines, 0.0)
    same = distances < 1e-6  # vectors are kept as float32
    return same.astype(np.float64) if same.any() else 1.0 / distances
