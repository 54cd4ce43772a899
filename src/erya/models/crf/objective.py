"""What the CRF's training makes small: Σ_n weight_n (ln Z_n − s_n(y_n)) + l2/2 · ‖w‖², and its gradient.

The gradient of a weight is how often its feature is expected with its tag minus how often it was counted – Lafferty, McCallum and
Pereira 2001; features × tags as in Sha and Pereira 2003, "Shallow Parsing with Conditional Random Fields".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from erya.models.crf import kernels, lattice_kernels
from erya.parts import crf, feature_kernels
from erya.parts.crf_kernels import WIDEST
from erya.parts.feature_table import Encoded, FeatureTable
from erya.parts.simd import aligned
from erya.parts.simd_double import EIGHT, whole

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CHUNKS = 16  # of sentences, and of rows: fixed, so that sums over them do not know the number of threads


class Objective:
    """Loss and gradient over N sentences, at any weights.

    The weights are one array: ``size`` of features with tags – those seen together, or all –, then (C, C) transitions.

    Attributes:
        ends: (R + 1,) the weights of feature r are ``ends[r] : ends[r + 1]``.
        tags: (size,) int16, the tag of each weight.
        size: number of weights of features.
        counted: (size + C · C,) how often each was seen in the true tags.
    """

    def __init__(
        self, table: FeatureTable, encoded: Encoded, tags: Ints, weights: Floats, classes: int, *, all_pairs: bool
    ) -> None:
        """``tags`` (L,) are the true ones, ``weights`` (N,) those of the sentences."""
        self.encoded, self.classes, self.width = encoded, classes, whole(classes)
        self.places, self.bounds, self.sentence_weights = table.places, table.bounds, weights
        self.unit_rows, self.rows = table.unit_rows, table.rows
        self.single_rows = int(self.unit_rows.max(initial=0)) + 1 if table.bits is None else self.rows
        self._inverted()
        if len(self.places) == 0:  # templates of several parts alone: one distance that nobody has features at
            self.places, self.bounds = np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64)
        units = len(self.places) * len(self.unit_rows)
        self._weights, self._marginals = aligned(self.rows, self.width), aligned(len(encoded.types), self.width)
        self._sums, self._units = aligned(units, self.width), aligned(units, self.width)  # (O · T, W)
        self._order: Ints = np.argsort(-encoded.sizes, kind="stable").astype(
            np.int64
        )  # eight of like length make a group
        groups = np.add.reduceat(encoded.sizes[self._order], np.arange(0, len(self._order), EIGHT))
        self._chunks = _even(groups, CHUNKS)
        self._pool: ThreadPoolExecutor | None = None
        self._threads = 1
        self._count(tags, all_pairs)

    def _inverted(self) -> None:
        """Which types and tokens show a feature; where each type stands."""
        encoded, types = self.encoded, len(self.unit_rows)
        self._type_ends, self._tokens = (
            np.zeros(types + 1, dtype=np.int64),
            np.zeros(len(encoded.types), dtype=np.int32),
        )
        kernels.sorted_by(encoded.types, np.arange(len(encoded.types), dtype=np.int32), self._type_ends, self._tokens)
        place_of = np.repeat(np.arange(len(self.places)), np.diff(self.bounds))
        units = (place_of[None, :] * types + np.arange(types)[:, None]).astype(np.int32)
        inside = encoded.places
        joint = encoded.joint[inside]
        sources = np.broadcast_to(inside[:, None], joint.shape).astype(np.int32)
        if (
            self.single_rows == self.rows and joint.size
        ):  # hashed: a row may have both kinds; tokens are numbered after units
            sources = sources + np.int32(len(self.places) * types)
        keys = np.concatenate([self.unit_rows.ravel(), joint.ravel()])
        values = np.concatenate([units.ravel(), sources.ravel()])
        used = keys > 0
        self._source_ends, self._sources = np.zeros(self.rows + 1, dtype=np.int64), np.zeros(int(used.sum()), np.int32)
        kernels.sorted_by(keys[used], values[used], self._source_ends, self._sources)

    def _count(self, tags: Ints, all_pairs: bool) -> None:
        """How often features and transitions were seen with the true tags; which weights there are."""
        encoded, classes = self.encoded, self.classes
        per_token = np.repeat(self.sentence_weights, encoded.sizes)
        self._marginals[encoded.places, tags] = per_token
        everything = np.tile(np.arange(classes, dtype=np.int16), self.rows)
        counts = np.zeros(self.rows * classes)
        with self.threads(1):
            ends = np.arange(self.rows + 1, dtype=np.int64) * classes
            self._expected(ends, everything, np.zeros(len(counts)), np.zeros(len(counts)), 0.0, counts)
        self._marginals[:] = 0.0
        grid = counts.reshape(self.rows, classes)
        kept = grid > 0
        if all_pairs:
            kept = np.broadcast_to(kept.any(axis=1, keepdims=True), kept.shape)
        self.ends = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
        self.tags = np.nonzero(kept)[1].astype(np.int16)
        self.size = len(self.tags)
        steps = np.zeros((classes, classes))
        inner = np.ones(len(tags), dtype=bool)
        inner[encoded.starts[:-1]] = False
        places = np.flatnonzero(inner)
        np.add.at(steps, (tags[places - 1], tags[places]), per_token[places])
        self.counted = np.concatenate([grid[kept], steps.ravel()])

    # ---- one evaluation ---------------------------------------------------------------------------------------------

    @contextmanager
    def threads(self, number: int) -> Iterator[None]:
        """How many threads evaluations inside use; their number changes no bit."""
        with ThreadPoolExecutor(max_workers=number) as pool:
            self._pool, self._threads = (pool, number) if number > 1 else (None, 1)
            try:
                yield
            finally:
                self._pool, self._threads = None, 1

    def each(self, work: Callable[[int, int], None], cuts: Ints) -> None:
        """Do ``work`` between every two ``cuts``: thread k of n takes the parts k, k + n, …"""
        ranges = [(low, high) for low, high in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True) if high > low]

        def some(first: int) -> None:
            for low, high in ranges[first :: self._threads]:
                work(low, high)

        if self._pool is None:
            some(0)
        else:
            list(self._pool.map(some, range(self._threads)))

    def chain(self, weights: Floats) -> crf.Chain:
        """The transitions of ``weights`` (size + C · C,)."""
        return crf.Chain(weights[self.size :].reshape(self.classes, self.classes))

    def weight_rows(self, weights: Floats) -> NDArray[np.float32]:
        """(R, W) float32, W ≥ C columns: every feature's weights; not to be kept, the next call writes it anew."""
        return self._spread(weights)[0]

    def _spread(self, weights: Floats) -> tuple[NDArray[np.float32], float, float]:
        """The rows of weights; Σ weight · counted and Σ weight², transitions included."""
        sums, cuts = np.zeros((CHUNKS, 2)), _cuts(self.rows)
        number_of = {low: number for number, low in enumerate(cuts[:-1].tolist())}

        def one(low: int, high: int) -> None:
            found = sums[number_of[low]]
            kernels.spread_out(weights, self.counted, self.ends, self.tags, low, high, self._weights, found)

        self.each(one, cuts)
        steps = weights[self.size :]
        along, square = sums.sum(axis=0).tolist()
        along += float((steps * self.counted[self.size :]).sum())
        return self._weights, along, square + float((steps * steps).sum())

    def curvature(self, l2: float) -> Floats:
        """(size + C · C,) roughly how curved the loss is along each weight, up to a factor.

        A feature seen n times with its tag brings n · p (1 − p), p the share that the model gives the tag there, less where features
        speak together. That p (1 − p) is about a tenth, and the power below 1, are what took the fewest steps in trials.
        """
        return np.asarray((l2 + 0.1 * (self.counted + 1.0)) ** 0.75)

    def __call__(self, weights: Floats, l2: float) -> tuple[float, Floats]:
        """Loss and gradient (size + C · C,), with the penalty l2/2 · ‖w‖²."""
        rows, along, square = self._spread(weights)
        encoded, chain = self.encoded, self.chain(weights)
        sums, types = feature_kernels.unit_sums, len(self.unit_rows)
        grid = self._sums.reshape(len(self.places), types, self.width)
        self.each(lambda low, high: sums(rows, self.unit_rows, self.bounds, low, high, grid), _cuts(types))
        factors, last, (at_ends, at_steps) = _factors(chain)
        totals = np.zeros(len(encoded.sizes))
        pairs = np.zeros((len(self._chunks), self.classes, self.classes))
        number_of = {low: number for number, low in enumerate(self._chunks[:-1].tolist())}

        def one(low: int, high: int) -> None:
            lattice_kernels.lattices(
                self._sums,
                self.places,
                rows,
                encoded.types,
                encoded.joint,
                encoded.begins,
                encoded.sizes,
                self.sentence_weights,
                self._order,
                factors,
                last,
                low,
                high,
                self._marginals,
                totals,
                pairs[number_of[low]],
            )

        self.each(one, self._chunks)
        totals += at_ends + (encoded.sizes - 1) * at_steps
        expected = pairs.sum(axis=0) * factors[: self.classes]
        self._mended(rows, chain, totals, expected)
        gradient = np.empty_like(weights)
        self._expected(self.ends, self.tags, weights, self.counted, l2, gradient)
        steps = weights[self.size :]
        gradient[self.size :] = expected.ravel() - self.counted[self.size :] + l2 * steps
        return float((self.sentence_weights * totals).sum()) - along + 0.5 * l2 * square, gradient

    def _expected(
        self, ends: Ints, tags: NDArray[np.int16], weights: Floats, counted: Floats, l2: float, found: Floats
    ) -> None:
        """The gradient by feature and tag into ``found``, from the marginals."""
        gather, types = kernels.gather, len(self.unit_rows)
        marginals, flat = self._marginals, self._units
        self.each(
            lambda low, high: gather(marginals, self.places, self._type_ends, self._tokens, low, high, flat),
            _cuts(types),
        )
        if self.single_rows == self.rows and self.encoded.joint.size:  # hashed, see _inverted
            flat = np.concatenate([flat, marginals])
        where = self._source_ends, self._sources, self.single_rows
        self.each(
            lambda low, high: kernels.slopes(
                flat, marginals, *where, ends, tags, weights, counted, l2, low, high, found
            ),
            _cuts(self.rows),
        )

    def _mended(self, rows: NDArray[np.float32], chain: crf.Chain, totals: Floats, expected: Floats) -> None:
        """Sentences whose scores left float64 as factors, by logarithms."""
        encoded = self.encoded
        for sentence in np.flatnonzero(np.isnan(totals)).tolist():
            begin, size = int(encoded.begins[sentence]), int(encoded.sizes[sentence])
            scores = np.zeros((size, self.classes))
            bounds = np.array([begin]), np.array([size])
            grid = self._sums.reshape(len(self.places), -1, self.width)
            feature_kernels.emissions(
                grid, grid[:, :0], self.places, rows, encoded.types, encoded.joint, *bounds, scores
            )
            told = crf.posterior(
                scores, np.array([0, size]), chain, weights=self.sentence_weights[sentence : sentence + 1]
            )
            self._marginals[begin : begin + size, : self.classes] = told.tags * self.sentence_weights[sentence]
            totals[sentence] = told.log_partition[0]
            expected += told.steps


def _factors(chain: crf.Chain) -> tuple[Floats, Floats, tuple[float, float]]:
    """What ``lattices`` calls steps (C + 1, C) and last (C,), each with 1 as its largest.

    ln Z lacks what was taken away: once the first number returned last, and the second for every step from one token to the next.
    """
    parts = chain.transitions, chain.first, chain.last
    step, first, last = (float(scores.max()) for scores in parts)
    if (
        max(float(np.ptp(scores)) for scores in parts) > WIDEST
    ):  # too far apart for factors: every sentence by logarithms
        return np.zeros((len(chain) + 1, len(chain))), np.zeros(len(chain)), (0.0, 0.0)
    factors = np.vstack([np.exp(chain.transitions - step), np.exp(chain.first - first)])
    return factors, np.exp(chain.last - last), (first + last, step)


def _cuts(count: int) -> Ints:
    """``count`` things in equal parts."""
    return np.linspace(0, count, CHUNKS + 1).astype(np.int64)


def _even(sizes: Ints, parts: int) -> Ints:
    """Cuts (parts + 1,) of sentences, so that each part has about as many tokens."""
    ends = np.concatenate([[0], np.cumsum(sizes)])
    cuts = np.searchsorted(ends, np.linspace(0, ends[-1], parts + 1))
    cuts[0], cuts[-1] = 0, len(sizes)
    return np.unique(cuts).astype(np.int64)
