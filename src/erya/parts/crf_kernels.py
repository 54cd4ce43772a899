"""The sweeps over a lattice of tags: one algorithm over a semiring, and the same in probabilities where that pays.

Many sentences lie one after the other: ``emissions`` (L, C) are the scores of C tags at L tokens, sentence n has the rows
``starts[n] : starts[n + 1]``. ``transitions`` (C, C) is the score from a tag (row) to the next (column), ``first`` and ``last`` (C,)
those of beginning and ending with a tag; −inf: never. The score of a path is the sum of what it passes.

``sweep`` is the general one, on the scale of logarithms: a path's score is the product ⊗ = + of its parts, and what is made of all paths is
⊕: ln Σ exp (LOG) or max (BEST). It does not mind −inf. ``posterior`` does what is asked most – all marginals – with probabilities that
are scaled to a sum of 1 at every token (Rabiner 1989, section V.A): one exponential a score instead of C, and additions and
products that a compiler lays side by side. Where numbers leave the range of float64 it says so, and ``crf.py`` takes the general one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined, kernel
from erya.parts.simd_double import fma, load, plus, spread, store, times, total, whole

LOG, BEST = 0, 1  # the semirings: (ln Σ exp, +) and (max, +)
SMALLEST = 1e-200  # a sum of scaled probabilities below this, and the numbers are not to be trusted

Floats = NDArray[np.float64]


@inlined
def _together(values: Floats, count: int, semiring: int) -> float:
    """⊕ of the first ``count`` values."""
    best = -np.inf
    for place in range(count):
        best = max(best, values[place])
    if semiring == 1 or best == -np.inf:
        return best
    total = 0.0
    for place in range(count):
        total += np.exp(values[place] - best)
    return float(best + np.log(total))


@kernel
def sweep(
    emissions: Floats,
    starts: NDArray[np.int64],
    into: Floats,
    begin: Floats,
    end: Floats,
    semiring: int,
    backwards: bool,
    arrived: Floats,
    totals: Floats,
) -> None:
    """What all paths bring to every tag of every token, without the token's own emission.

    Forwards that is ⊕ over the tags before; backwards – with the transitions turned over and ``begin`` and ``end`` exchanged – over those
    after. So ``arrived forwards + emission + arrived backwards`` is ⊕ over all paths through a tag.

    Args:
        emissions: (L, C).
        starts: (N + 1,).
        into: (C, C), from the tag visited before to the one visited next.
        begin: (C,) score of the tag visited first.
        end: (C,) likewise last.
        semiring: LOG or BEST.
        backwards: whether sentences are walked from their end.
        arrived: (L, C), written.
        totals: (N,), written: ⊕ over all paths; 0 of an empty sentence, which has one path of no tags.
    """
    count = emissions.shape[1]
    left, terms = np.empty(count), np.empty(count)
    for sentence in range(len(starts) - 1):
        low, high = starts[sentence], starts[sentence + 1]
        if low == high:
            totals[sentence] = 0.0
            continue
        for step in range(high - low):
            row = high - 1 - step if backwards else low + step
            for tag in range(count):
                if step == 0:
                    arrived[row, tag] = begin[tag]
                    continue
                for before in range(count):
                    terms[before] = left[before] + into[before, tag]
                arrived[row, tag] = _together(terms, count, semiring)
            for tag in range(count):
                left[tag] = arrived[row, tag] + emissions[row, tag]
        for tag in range(count):
            terms[tag] = left[tag] + end[tag]
        totals[sentence] = _together(terms, count, semiring)


@kernel
def viterbi(
    emissions: Floats,
    starts: NDArray[np.int64],
    transitions: Floats,
    first: Floats,
    last: Floats,
    reached: Floats,
    back: NDArray[np.int32],
    paths: NDArray[np.int64],
    scores: Floats,
) -> None:
    """The best path of every sentence; of equals the one whose last tag, then the one before it, … has the lowest number.

    Args:
        emissions: (L, C).
        starts: (N + 1,).
        transitions: (C, C).
        first: (C,).
        last: (C,).
        reached: (L, C), or (T, C) of the longest sentence where nobody looks at it: written, the score of the best way to each
            tag, its emission included.
        back: likewise, the tag before on that way; −1 at a first token.
        paths: (L,), written.
        scores: (N,), written: −inf where there is no path.
    """
    count = emissions.shape[1]
    whole_text = len(back) == len(emissions)
    best, arg = np.empty(count), np.empty(count, np.int32)
    for sentence in range(len(starts) - 1):
        low, high = starts[sentence], starts[sentence + 1]
        if low == high:
            scores[sentence] = 0.0
            continue
        away = 0 if whole_text else low  # rows of the scratch begin anew with every sentence
        for tag in range(count):
            reached[low - away, tag] = first[tag] + emissions[low, tag]
            back[low - away, tag] = -1
        for row in range(low + 1, high):
            here = row - away
            for tag in range(count):
                best[tag] = reached[here - 1, 0] + transitions[0, tag]
                arg[tag] = 0
            for before in range(1, count):
                score = reached[here - 1, before]
                for tag in range(count):
                    value = score + transitions[before, tag]
                    better = value > best[tag]
                    best[tag] = value if better else best[tag]
                    arg[tag] = before if better else arg[tag]
            for tag in range(count):
                reached[here, tag] = best[tag] + emissions[row, tag]
                back[here, tag] = arg[tag]
        winner = 0
        for tag in range(count):
            best[tag] = reached[high - 1 - away, tag] + last[tag]
            if best[tag] > best[winner]:
                winner = tag
        scores[sentence] = best[winner]
        for row in range(high - 1, low - 1, -1):
            paths[row] = winner
            winner = back[row - away, winner]


@kernel
def best_ways(
    emissions: Floats,
    starts: NDArray[np.int64],
    transitions: Floats,
    first: Floats,
    last: Floats,
    reached: Floats,
    back: NDArray[np.int32],
    paths: NDArray[np.int64],
    scores: Floats,
) -> None:
    """The n best paths of every sentence: Viterbi with the n best ways to every tag instead of one.

    The ways to a tag are the ways to the tags before, merged: C sorted lists whose heads are compared n times.

    Args:
        emissions: (L, C).
        starts: (N + 1,).
        transitions: (C, C).
        first: (C,).
        last: (C,).
        reached: (2, C, n), scratch: scores of the ways to each tag, best first, −inf where there are fewer.
        back: (T, C, n), scratch: of each way ``tag before · n + rank before``; T tokens of the longest sentence.
        paths: (n, L), written: −1 where there are fewer paths.
        scores: (N, n), written: −inf likewise.
    """
    count, n = emissions.shape[1], len(paths)
    heads, none = np.empty(count, np.int64), np.zeros(count)
    for sentence in range(len(starts) - 1):
        low, high = starts[sentence], starts[sentence + 1]
        if low == high:
            scores[sentence] = -np.inf
            scores[sentence, 0] = 0.0
            continue
        reached[0] = -np.inf
        for tag in range(count):
            reached[0, tag, 0] = first[tag] + emissions[low, tag]
            back[0, tag] = -1
        for row in range(low + 1, high):
            old, new = (row - low + 1) % 2, (row - low) % 2
            for tag in range(count):
                _merge(reached[old], transitions[:, tag], heads, reached[new, tag], back[row - low, tag])
                for rank in range(n):
                    reached[new, tag, rank] += emissions[row, tag]
        final = (high - low - 1) % 2
        for tag in range(count):
            none[tag] = last[tag]
        _merge(reached[final], none, heads, scores[sentence], back[len(back) - 1, 0])
        for rank in range(n):
            way = back[len(back) - 1, 0, rank]
            for row in range(high - 1, low - 1, -1):
                paths[rank, row] = way // n if way >= 0 else -1
                way = back[row - low, way // n, way % n] if way >= 0 else -1


@kernel
def _merge(
    reached: Floats, steps: Floats, heads: NDArray[np.int64], scores: Floats, origins: NDArray[np.int32]
) -> None:
    """The n best of C sorted lists ``reached`` (C, n), each shifted by its ``steps`` (C,)."""
    count, n = reached.shape
    heads[:] = 0
    for rank in range(n):
        best, origin = -np.inf, -1
        for tag in range(count):
            if heads[tag] < n and reached[tag, heads[tag]] + steps[tag] > best:
                best, origin = reached[tag, heads[tag]] + steps[tag], tag
        scores[rank] = best
        origins[rank] = -1
        if origin >= 0:
            origins[rank] = origin * n + heads[origin]
            heads[origin] += 1


# ---- scaled probabilities -------------------------------------------------------------------------------------------

WIDEST = 340.0  # of a score below the best one: two such factors, multiplied, are still far from the least of float64
EVEN = 1e-6  # by how much the marginals of a token may sum up to something else than 1
LANES = 8  # scaled rows are as wide as the next multiple of this: whole vector registers, no remainders
_LOG2E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10
_ROUND = 6755399441055744.0  # 1.5 · 2^52: added and taken away again, it leaves the nearest whole number
_TAYLOR = tuple(
    1.0 / factorial for factorial in (479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2, 1, 1)
)


@kernel
def exponentials(values: Floats, powers: NDArray[np.int64]) -> None:
    """``values`` (n,) → their exponentials, in place, within 3 units of the last place; below −708 it is 0, above 709 infinite.

    x = k ln 2 + r, e^x = 2^k (1 + r + r²/2! + … + r^12/12!): no call of a library and no branch, so eight lie side by side.

    Args:
        values: (n,) numbers, not NaN.
        powers: (n,) scratch.
    """
    for place in range(len(values)):
        value = min(max(values[place], -708.5), 709.5)
        whole = (value * _LOG2E + _ROUND) - _ROUND
        rest = (value - whole * _LN2_HIGH) - whole * _LN2_LOW
        total = _TAYLOR[0]
        for factor in _TAYLOR[1:]:
            total = total * rest + factor
        total = 0.0 if values[place] < -708.0 else total
        values[place] = np.inf if values[place] > 709.0 else total
        powers[place] = (np.int64(whole) + 1023) << 52
    doubled = powers.view(np.float64)
    for place in range(len(values)):
        values[place] *= doubled[place]


@kernel
def scaled(
    shares: Floats,
    low: int,
    high: int,
    steps: Floats,
    turned: Floats,
    ends: Floats,
    count: int,
    ways: Floats,
    scales: Floats,
    weight: float,
    pairs: Floats,
    met: Floats,
) -> float:
    """Forward and backward over one sentence, all scores as factors instead of logarithms.

    ``ways[t]`` are the probabilities of the tags at token t after the tokens up to it, alone; what it was divided by is kept,
    and the sum of its logarithms is the log partition. Backwards what has been read is multiplied with what comes.

    Args:
        shares: (L, W): exp of the emissions, columns ≥ C anything finite; on leaving the marginals, those columns 0.
        low: first row of the sentence.
        high: the row after its last.
        steps: (W, W) exp of the transitions, 0 beyond C.
        turned: its transpose, contiguous.
        ends: (2, W) exp of the scores of a first and of a last tag, 0 beyond C.
        count: C.
        ways: (T + 2, W), scratch.
        scales: (T,), scratch.
        weight: how often the sentence counts in ``pairs``.
        pairs: (W, W): added to, marginals of neighbours' tags without the factor ``steps``.
        met: (W, W), scratch.

    Returns:
        The log partition; NaN where the numbers left their range, and then ``pairs`` is as it was. That may be so although no sum is
        small: a way that has become 0 may be the only one that ends well. Backwards it is met again, and the marginals of the
        first token are no longer shares of 1.
    """
    width, size = shares.shape[1], high - low
    logarithm, product = 0.0, 1.0
    for step in range(size):
        row, sums = low + step, spread(0.0)
        for column in range(0, width, 8):
            if step == 0:
                here = load(ends, 0, column)
            else:
                here, other = spread(0.0), spread(0.0)
                for before in range(0, count - 1, 2):
                    here = fma(spread(ways[step - 1, before]), load(steps, before, column), here)
                    other = fma(spread(ways[step - 1, before + 1]), load(steps, before + 1, column), other)
                if count % 2:
                    here = fma(spread(ways[step - 1, count - 1]), load(steps, count - 1, column), here)
                here = plus(here, other)
            here = times(here, load(shares, row, column))
            store(ways, step, column, here)
            sums = plus(sums, here)
        found = total(sums)
        if not SMALLEST < found < 1 / SMALLEST:
            return np.nan
        scales[step] = 1.0 / found
        scale = spread(scales[step])
        for column in range(0, width, 8):
            store(ways, step, column, times(load(ways, step, column), scale))
        product *= found
        if not 1e-60 < product < 1e60:
            logarithm += np.log(product)
            product = 1.0
    sums = spread(0.0)
    for column in range(0, width, 8):
        sums = fma(load(ways, size - 1, column), load(ends, 1, column), sums)
    found = total(sums)
    if not SMALLEST < found < 1 / SMALLEST:
        return np.nan
    _backwards(shares, low, size, turned, ends, count, ways, scales, 1.0 / found, weight, met)
    if not _even(shares, low, count, met, pairs):
        return np.nan
    return float(logarithm + np.log(product) + np.log(found))


@kernel
def _backwards(
    shares: Floats,
    low: int,
    size: int,
    turned: Floats,
    ends: Floats,
    count: int,
    ways: Floats,
    scales: Floats,
    ending: float,
    weight: float,
    pairs: Floats,
) -> None:
    """The second half of ``scaled``; ``pairs`` is written.

    In the last rows of ``ways``: what comes after a token, by its tag; the same with the token's own share.
    """
    width, come = shares.shape[1], len(ways) - 2
    read = come + 1
    for tag in range(count):
        for column in range(0, width, 8):
            store(pairs, tag, column, spread(0.0))
    for column in range(0, width, 8):
        store(ways, come, column, times(load(ends, 1, column), spread(ending)))
    for step in range(size - 1, -1, -1):
        row, scale = low + step, spread(scales[step])
        for column in range(0, width, 8):
            after = load(ways, come, column)
            store(ways, read, column, times(times(load(shares, row, column), after), scale))
            store(shares, row, column, times(load(ways, step, column), after))
        if step == 0:
            return
        for column in range(0, width, 8):
            here, other, now = spread(0.0), spread(0.0), load(ways, read, column)
            for tag in range(0, count - 1, 2):
                here = fma(spread(ways[read, tag]), load(turned, tag, column), here)
                other = fma(spread(ways[read, tag + 1]), load(turned, tag + 1, column), other)
            if count % 2:
                here = fma(spread(ways[read, count - 1]), load(turned, count - 1, column), here)
            store(ways, come, column, plus(here, other))
            for tag in range(count):
                share = spread(ways[step - 1, tag] * weight)
                store(pairs, tag, column, fma(share, now, load(pairs, tag, column)))


@kernel
def _even(shares: Floats, low: int, count: int, met: Floats, pairs: Floats) -> bool:
    """Whether the marginals of a sentence's first token are shares of 1; if so, ``met`` is added to ``pairs``."""
    width, sums = shares.shape[1], spread(0.0)
    for column in range(0, width, 8):
        sums = plus(sums, load(shares, low, column))
    if not abs(total(sums) - 1.0) < EVEN:
        return False
    for tag in range(count):
        for column in range(0, width, 8):
            store(pairs, tag, column, plus(load(pairs, tag, column), load(met, tag, column)))
    return True


@kernel
def posteriors(
    shares: Floats,
    starts: NDArray[np.int64],
    factors: Floats,
    count: int,
    weights: Floats,
    totals: Floats,
    pairs: Floats,
) -> None:
    """``scaled`` over all sentences.

    Args:
        shares: (L, W) exp of the emissions, on leaving the marginals.
        starts: (N + 1,).
        factors: (2 W + 2, W) from ``factors_of``.
        count: C.
        weights: (N,).
        totals: (N,), written: log partitions; NaN where the numbers left their range.
        pairs: (W, W), added to.
    """
    width, longest = shares.shape[1], 0
    for sentence in range(len(starts) - 1):
        longest = max(longest, starts[sentence + 1] - starts[sentence])
    steps, turned, ends = factors[:width], factors[width : 2 * width], factors[2 * width :]
    ways, scales, met = np.zeros((longest + 2, width)), np.zeros(longest), np.zeros((width, width))
    for sentence in range(len(starts) - 1):
        low, high = starts[sentence], starts[sentence + 1]
        totals[sentence] = 0.0
        if low < high:
            totals[sentence] = scaled(
                shares, low, high, steps, turned, ends, count, ways, scales, weights[sentence], pairs, met
            )


def factors_of(transitions: Floats, first: Floats, last: Floats) -> tuple[Floats, tuple[float, float]]:
    """Scores of a chain of C tags as factors, W wide: exp of the transitions, their transpose, exp of first and last.

    The largest transition becomes 1, and the largest of first and of last; ln Z lacks what was taken away: once the first number
    returned, and the second for every step from one token to the next.
    """
    count, width = len(transitions), whole(len(transitions))
    found = np.zeros((2 * width + 2, width))
    high = [max(float(scores.max(initial=-np.inf)), -1e300) for scores in (transitions, first, last)]
    found[:count, :count] = np.exp(transitions - high[0])
    found[width : width + count, :count] = found[:count, :count].T
    found[2 * width, :count] = np.exp(first - high[1])
    found[2 * width + 1, :count] = np.exp(last - high[2])
    return found, (high[1] + high[2], high[0])
