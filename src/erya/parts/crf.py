"""The algebra of tag sequences: what a first-order chain – an HMM, a CRF, the head of a network – says about all paths at once.

A path y of tags through a sentence of T tokens has the score

    s(y) = first[y_1] + Σ_t emissions[t, y_t] + Σ_t transitions[y_{t−1}, y_t] + last[y_T]

on the scale of logarithms, and p(y) = exp(s(y)) / Z. Here: Z, marginals, the best path and the n best, entropy, the gradient of the
loss ln Z − s(y), and paths held to rules. Rabiner 1989, "A Tutorial on Hidden Markov Models"; Lafferty, McCallum and Pereira
2001, "Conditional Random Fields"; as semirings: Goodman 1999, "Semiring Parsing".

Sentences lie one after the other: emissions (L, C), sentence n in rows ``starts[n] : starts[n + 1]`` – no padding; ``ragged`` and
``padded`` lead from and to (N, T, C). An empty sentence has one path, of no tags and score 0. A score of −inf is a prohibition.
The numbers are found in float64, whatever comes in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erya.errors import DataError
from erya.language import say
from erya.parts import crf_kernels as kernels
from erya.parts.simd_double import whole

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FORBIDDEN = (
    -1e6
)  # beyond what all other scores of a sentence sum up to, within what float64 adds to them without losing digits


@dataclass(frozen=True, slots=True)
class Chain:
    """What does not depend on the sentence.

    Args:
        transitions: (C, C) score from a tag (row) to the next one (column).
        first: (C,) score of beginning with a tag; None: 0.
        last: (C,) score of ending with it; None: 0.

    Raises:
        ValueError: shapes that do not fit, NaN or +inf.
    """

    transitions: Floats
    first: Floats
    last: Floats

    def __init__(self, transitions: ArrayLike, first: ArrayLike | None = None, last: ArrayLike | None = None) -> None:
        steps = np.ascontiguousarray(transitions, dtype=np.float64)
        ends = [np.zeros(len(steps)) if end is None else np.ascontiguousarray(end, np.float64) for end in (first, last)]
        if steps.ndim != 2 or steps.shape[0] != steps.shape[1] or any(end.shape != steps.shape[:1] for end in ends):
            raise ValueError(f"transitions {steps.shape}, first {ends[0].shape}, last {ends[1].shape} do not fit")
        _scores("transitions, first and last", steps, *ends)
        object.__setattr__(self, "transitions", steps)
        object.__setattr__(self, "first", ends[0])
        object.__setattr__(self, "last", ends[1])

    def __len__(self) -> int:
        return len(self.transitions)

    def held_to(self, first: ArrayLike, following: ArrayLike, last: ArrayLike) -> Chain:
        """The same, with −inf where a rule forbids: ``first`` (C,), ``following`` (C, C) [from, to], ``last`` (C,) are what is allowed."""
        parts = (self.transitions, following), (self.first, first), (self.last, last)
        return Chain(*[np.where(np.asarray(allowed, dtype=bool), scores, -np.inf) for scores, allowed in parts])

    def bent_to(self, first: ArrayLike, following: ArrayLike, last: ArrayLike) -> Chain:
        """As ``held_to``, but for sentences that have no lawful path at all: what is forbidden costs a million instead of being
        impossible, so a rule is broken only where every path breaks one (a word of one letter in a scheme that has no S).
        """
        parts = (self.transitions, following), (self.first, first), (self.last, last)
        return Chain(*[scores + np.where(np.asarray(allowed, dtype=bool), 0.0, FORBIDDEN) for scores, allowed in parts])


@dataclass(frozen=True, slots=True)
class Posterior:
    """What all paths say, weighted by their probabilities.

    Attributes:
        tags: (L, C) probability of each tag at each token; rows sum to 1.
        pairs: (L, C, C) of a token's tag after the tag before it, 0 at first tokens; None unless asked for.
        steps: (C, C) expected number of each transition in all sentences, each times its weight.
        log_partition: (N,) ln Z.
    """

    tags: Floats
    pairs: Floats | None
    steps: Floats
    log_partition: Floats


def log_partition(emissions: ArrayLike, starts: ArrayLike, chain: Chain) -> Floats:
    """(N,) ln Z, Z = Σ exp s(y) over all paths; −inf where every path is forbidden."""
    scores, bounds = _checked(emissions, starts, chain)
    return _sweep(scores, bounds, chain, kernels.LOG, backwards=False)[1]


def forward(emissions: ArrayLike, starts: ArrayLike, chain: Chain) -> Floats:
    """(L, C) ln Σ over the ways from the beginning to a tag, its emission included: α."""
    scores, bounds = _checked(emissions, starts, chain)
    return _sweep(scores, bounds, chain, kernels.LOG, backwards=False)[0] + scores


def backward(emissions: ArrayLike, starts: ArrayLike, chain: Chain) -> Floats:
    """(L, C) ln Σ over the ways from a tag to the end, its emission left out: β. ``forward + backward`` is ln Σ through the tag."""
    scores, bounds = _checked(emissions, starts, chain)
    return _sweep(scores, bounds, chain, kernels.LOG, backwards=True)[0]


def through(emissions: ArrayLike, starts: ArrayLike, chain: Chain) -> Floats:
    """(L, C) the score of the best path through each tag: the max-marginals. The best of a row is the best of all."""
    scores, bounds = _checked(emissions, starts, chain)
    ahead = _sweep(scores, bounds, chain, kernels.BEST, backwards=False)[0]
    return ahead + scores + _sweep(scores, bounds, chain, kernels.BEST, backwards=True)[0]


def posterior(
    emissions: ArrayLike, starts: ArrayLike, chain: Chain, *, weights: ArrayLike | None = None, pairs: bool = False
) -> Posterior:
    """All marginals.

    Args:
        emissions: (L, C).
        starts: (N + 1,).
        chain: of C tags.
        weights: (N,) how often each sentence counts in ``steps``; None: once.
        pairs: whether to return those of each token, too: L · C · C numbers.

    Raises:
        DataError: a sentence without any path.
    """
    scores, bounds = _checked(emissions, starts, chain)
    counted = np.ones(len(bounds) - 1) if weights is None else np.ascontiguousarray(weights, np.float64)
    tags, steps, totals = _scaled(scores, bounds, chain, counted)
    lost = np.flatnonzero(np.isnan(totals))
    for sentence in lost.tolist():  # beyond float64: the same on the scale of logarithms
        rows = slice(bounds[sentence], bounds[sentence + 1])
        tags[rows], one, totals[sentence] = _by_logarithms(scores[rows], chain, sentence)
        steps += one.sum(axis=0) * counted[sentence]
    found = None
    if pairs:
        found = np.zeros((*scores.shape, len(chain)))
        for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            if high > low:
                found[low:high] = _by_logarithms(scores[low:high], chain, 0)[1]
    return Posterior(tags, found, steps, totals)


def entropy(emissions: ArrayLike, starts: ArrayLike, chain: Chain) -> Floats:
    """(N,) −Σ p(y) ln p(y) over all paths, in nats: 0 when one path has it all. As ln Z − E[s(y)] (Mann and McCallum 2007).

    Raises:
        DataError: a sentence without any path.
    """
    scores, bounds = _checked(emissions, starts, chain)
    found = np.zeros(len(bounds) - 1)
    for sentence, (low, high) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        if high == low:
            continue
        tags, pairs, total = _by_logarithms(scores[low:high], chain, sentence)
        inside = _mean(tags, scores[low:high]) + _mean(pairs, chain.transitions)
        found[sentence] = total - inside - _mean(tags[0], chain.first) - _mean(tags[-1], chain.last)
    return np.maximum(found, 0.0)


def path_scores(emissions: ArrayLike, starts: ArrayLike, chain: Chain, tags: ArrayLike) -> Floats:
    """(N,) s(y) of the paths that ``tags`` (L,) are."""
    scores, bounds = _checked(emissions, starts, chain)
    path = np.asarray(tags, dtype=np.int64)
    if path.shape != scores.shape[:1] or (len(path) and not 0 <= path.min() <= path.max() < len(chain)):
        raise ValueError(f"tags {path.shape} do not fit emissions {scores.shape}")
    single = scores[np.arange(len(path)), path]
    full = np.flatnonzero(np.diff(bounds) > 0)
    beginnings, ends = bounds[:-1][full], bounds[1:][full] - 1
    single[beginnings] += chain.first[path[beginnings]]
    inner = np.ones(len(path), dtype=bool)
    inner[beginnings] = False
    places = np.flatnonzero(inner)
    single[places] += chain.transitions[path[places - 1], path[places]]
    single[ends] += chain.last[path[ends]]
    found = np.zeros(len(bounds) - 1)
    if len(full):
        found[full] = np.add.reduceat(single, beginnings)
    return found


@dataclass(frozen=True, slots=True)
class Slope:
    """Loss and gradient of ``Σ_n weight_n (ln Z_n − s(y_n))``: expected minus true counts, of everything that has a score."""

    loss: float
    emissions: Floats  # (L, C)
    transitions: Floats  # (C, C)
    first: Floats  # (C,)
    last: Floats  # (C,)


def slope(
    emissions: ArrayLike, starts: ArrayLike, chain: Chain, tags: ArrayLike, *, weights: ArrayLike | None = None
) -> Slope:
    """Loss and gradient for the true paths ``tags`` (L,).

    Raises:
        DataError: a sentence without any path, or whose true path is forbidden.
    """
    scores, bounds = _checked(emissions, starts, chain)
    counted = np.ones(len(bounds) - 1) if weights is None else np.ascontiguousarray(weights, np.float64)
    truth = path_scores(scores, bounds, chain, tags)
    if not np.isfinite(truth).all():
        raise _impossible(int(np.flatnonzero(~np.isfinite(truth))[0]))
    expected = posterior(scores, bounds, chain, weights=counted)
    path = np.asarray(tags, dtype=np.int64)
    wrong, steps = expected.tags, expected.steps
    wrong[np.arange(len(path)), path] -= 1.0
    wrong *= np.repeat(counted, np.diff(bounds))[:, None]
    full = np.flatnonzero(np.diff(bounds) > 0)
    inner = np.ones(len(path), dtype=bool)
    inner[bounds[:-1][full]] = False
    places = np.flatnonzero(inner)
    np.subtract.at(steps, (path[places - 1], path[places]), np.repeat(counted, np.diff(bounds))[places])
    loss = float(counted @ (expected.log_partition - truth))
    return Slope(loss, wrong, steps, wrong[bounds[:-1][full]].sum(axis=0), wrong[bounds[1:][full] - 1].sum(axis=0))


def viterbi(emissions: ArrayLike, starts: ArrayLike, chain: Chain) -> tuple[Ints, Floats]:
    """The best path of each sentence, (L,), and its score, (N,). Of equals the one whose last different tag has the lower number.

    Raises:
        DataError: a sentence without any path.
    """
    scores, bounds = _checked(emissions, starts, chain)
    longest = int(np.diff(bounds).max(initial=0))
    reached, back = np.empty((longest, len(chain))), np.empty((longest, len(chain)), np.int32)
    paths, found = np.empty(len(scores), np.int64), np.empty(len(bounds) - 1)
    parts = chain.transitions, chain.first, chain.last
    kernels.viterbi(scores, bounds, *parts, reached, back, paths, found)
    possible(found)
    return paths, found


def viterbi_steps(emissions: ArrayLike, chain: Chain) -> tuple[Floats, NDArray[np.int32], Ints, float]:
    """Viterbi over one sentence, to be looked at.

    Returns:
        (T, C) score of the best way to each tag, its emission included; (T, C) the tag before on that way, −1 at the first
        token; (T,) the path; its score.
    """
    scores, bounds = _checked(emissions, np.array([0, len(np.asarray(emissions))]), chain)
    reached, back = np.empty(scores.shape), np.empty(scores.shape, np.int32)
    path, found = np.empty(len(scores), np.int64), np.empty(1)
    kernels.viterbi(scores, bounds, chain.transitions, chain.first, chain.last, reached, back, path, found)
    possible(found)
    return reached, back, path, float(found[0])


def n_best(emissions: ArrayLike, starts: ArrayLike, chain: Chain, n: int) -> tuple[Ints, Floats]:
    """The n best paths of each sentence, (n, L), −1 where it has fewer, and their scores, (N, n), −inf likewise; the best first."""
    scores, bounds = _checked(emissions, starts, chain)
    if n < 1:
        raise ValueError(f"n = {n}")
    longest, count = int(np.diff(bounds).max(initial=0)), len(chain)
    reached, back = np.empty((2, count, n)), np.empty((longest + 1, count, n), np.int32)
    paths, found = np.empty((n, len(scores)), np.int64), np.empty((len(bounds) - 1, n))
    kernels.best_ways(scores, bounds, chain.transitions, chain.first, chain.last, reached, back, paths, found)
    return paths, found


def barred(emissions: ArrayLike, allowed: ArrayLike) -> Floats:
    """(L, C) emissions with −inf where ``allowed`` (L, C) is False: tags that somebody knows, or knows not to be."""
    return np.where(np.asarray(allowed, dtype=bool), np.asarray(emissions, dtype=np.float64), -np.inf)


# ---- shapes -----------------------------------------------------------------------------------------------------------


def ragged(batch: ArrayLike, lengths: ArrayLike) -> tuple[NDArray[np.float64], Ints]:
    """(N, T, …) padded and lengths (N,) → (L, …) one after the other, and starts (N + 1,)."""
    values, sizes = np.asarray(batch), np.asarray(lengths, dtype=np.int64)
    if sizes.shape != values.shape[:1] or (len(sizes) and not 0 <= sizes.min() <= sizes.max() <= values.shape[1]):
        raise ValueError(f"lengths {sizes.shape} do not fit a batch {values.shape}")
    kept = np.arange(values.shape[1])[None, :] < sizes[:, None]
    return values[kept], np.concatenate([[0], np.cumsum(sizes)])


def padded(values: ArrayLike, starts: ArrayLike, fill: float = 0.0) -> NDArray[np.float64]:
    """The inverse: (L, …) → (N, T, …), T the longest, ``fill`` behind the shorter ones."""
    rows, bounds = np.asarray(values), np.asarray(starts, dtype=np.int64)
    sizes = np.diff(bounds)
    found = np.full((len(sizes), int(sizes.max(initial=0)), *rows.shape[1:]), fill, dtype=rows.dtype)
    found[np.arange(found.shape[1])[None, :] < sizes[:, None]] = rows
    return found


# ---- inside -----------------------------------------------------------------------------------------------------------


def _checked(emissions: ArrayLike, starts: ArrayLike, chain: Chain) -> tuple[Floats, Ints]:
    scores, bounds = np.ascontiguousarray(emissions, dtype=np.float64), np.ascontiguousarray(starts, dtype=np.int64)
    if scores.ndim != 2 or scores.shape[1] != len(chain):
        raise ValueError(f"emissions {scores.shape} for {len(chain)} tags")
    if (
        bounds.ndim != 1
        or not len(bounds)
        or bounds[0] != 0
        or bounds[-1] != len(scores)
        or (np.diff(bounds) < 0).any()
    ):
        raise ValueError(f"starts {bounds.shape} do not cut {len(scores)} rows into sentences")
    _scores("emissions", scores)
    return scores, bounds


def _scores(name: str, *arrays: Floats) -> None:
    for array in arrays:
        if array.size and not array.max() < np.inf:  # NaN is no number below infinity either
            raise ValueError(f"{name}: a score is NaN or +inf")


def _sweep(scores: Floats, bounds: Ints, chain: Chain, semiring: int, *, backwards: bool) -> tuple[Floats, Floats]:
    """(L, C) what arrives at each tag, (N,) ⊕ over all paths."""
    arrived, totals = np.empty(scores.shape), np.empty(len(bounds) - 1)
    into, ends = chain.transitions, (chain.first, chain.last)
    if backwards:
        into, ends = np.ascontiguousarray(into.T), ends[::-1]
    kernels.sweep(scores, bounds, into, *ends, semiring, backwards, arrived, totals)
    return arrived, totals


def _by_logarithms(scores: Floats, chain: Chain, sentence: int) -> tuple[Floats, Floats, float]:
    """(T, C) and (T, C, C) marginals of one sentence, and its ln Z."""
    bounds = np.array([0, len(scores)])
    ahead, totals = _sweep(scores, bounds, chain, kernels.LOG, backwards=False)
    behind, _ = _sweep(scores, bounds, chain, kernels.LOG, backwards=True)
    total = float(totals[0])
    if total == -np.inf:
        raise _impossible(sentence)
    tags = _shares(ahead + scores + behind)
    pairs = np.zeros((*scores.shape, len(chain)))
    both = (ahead + scores)[:-1, :, None] + chain.transitions + (scores + behind)[1:, None, :]
    pairs[1:] = _shares(both.reshape(len(both), len(chain) ** 2)).reshape(both.shape)
    return tags, pairs, total


def _shares(scores: Floats) -> Floats:
    """Rows of logarithms as shares of 1. By the row's own sum, not by Z: what rounding took from large scores does not show."""
    found: Floats = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-1e300))
    found /= found.sum(axis=1, keepdims=True)
    return found


def _scaled(scores: Floats, bounds: Ints, chain: Chain, counted: Floats) -> tuple[Floats, Floats, Floats]:
    """(L, C) and (C, C) marginals by scaled probabilities, (N,) ln Z; NaN, and no marginals, where that was impossible."""
    count, width = len(chain), whole(len(chain))
    factors, heights = kernels.factors_of(chain.transitions, chain.first, chain.last)
    shares = np.zeros((len(scores), width))
    tops = np.maximum(scores.max(axis=1, initial=-np.inf), -1e300)  # a row of −inf stays one
    np.exp(scores - tops[:, None], out=shares[:, :count])
    totals, pairs = np.empty(len(bounds) - 1), np.zeros((width, width))
    sizes = np.diff(bounds)
    wide = _wide(scores, tops, sizes, chain)
    kernels.posteriors(shares, bounds, factors, count, np.where(wide, 0.0, counted), totals, pairs)
    totals[wide] = np.nan
    above = np.concatenate([[0.0], np.cumsum(tops)])
    totals += np.where(sizes > 0, above[bounds[1:]] - above[bounds[:-1]] + heights[0] + (sizes - 1) * heights[1], 0.0)
    steps = pairs[:count, :count] * factors[:count, :count]
    return np.ascontiguousarray(shares[:, :count]), steps, totals


def _wide(scores: Floats, tops: Floats, sizes: Ints, chain: Chain) -> NDArray[np.bool_]:
    """(N,) sentences with scores so far below the best one that their factors may be lost. What ``bent_to`` forbids is not meant."""
    if any(_far(part, part.max(initial=-np.inf)).any() for part in (chain.transitions, chain.first, chain.last)):
        return np.ones(len(sizes), dtype=bool)
    found = np.zeros(len(sizes), dtype=bool)
    lost = _far(scores, tops[:, None])
    if lost.any():
        found[np.repeat(np.arange(len(sizes)), sizes)[lost.any(axis=1)]] = True
    return found


def _far(scores: Floats, top: Any) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):  # a row of −inf
        below = top - scores
    far: NDArray[np.bool_] = (below > kernels.WIDEST) & (below < -FORBIDDEN / 2)
    return far


def _mean(shares: Floats, scores: Floats) -> float:
    """Σ share · score, where what never happens counts nothing, even if its score is −inf."""
    return float(np.where(shares > 0, shares * np.where(np.isfinite(scores), scores, 0.0), 0.0).sum())


def possible(scores: Floats) -> None:
    """Raise a DataError where a sentence's score (N,) is that of no path at all."""
    lost = np.flatnonzero(~(scores > -np.inf))
    if len(lost):
        raise _impossible(int(lost[0]))


def _impossible(sentence: int) -> DataError:
    return DataError(
        "no-tag-sequence",
        say(
            f"sentence {sentence + 1}: the rules leave no sequence of tags",
            f"第 {sentence + 1} 句：在给定的约束下没有任何可行的标签序列",
        ),
        help=say(
            "allow at least one tag at every token that may follow the one before",
            "每个位置至少留一个能接在前一个标签之后的标签",
        ),
    )
