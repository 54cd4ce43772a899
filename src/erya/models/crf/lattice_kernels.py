"""Marginals of eight sentences at once: one sentence a lane, so that a vector instruction takes the same step in all of them.

Forward and backward as in ``parts/crf_kernels.scaled`` – scores as factors, scaled to 1 at every token (Rabiner 1989, section V.A) –, but
laid out the other way: a row holds one tag of eight sentences instead of eight tags of one sentence. Nothing has to be added up across
lanes, no lane is wasted when tags are not a multiple of eight, and four tags' sums run side by side instead of one waiting for the next.

Sentences of one group end together. A shorter one begins later: until then its probabilities are 0, and a tag before all tags,
row C, is 1 where it enters; its transitions are the scores of first tags. So nobody asks in which lane a sentence is over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.crf_kernels import EVEN, SMALLEST, WIDEST
from erya.parts.simd import prefetch
from erya.parts.simd_double import (
    EIGHT,
    exponential,
    fma,
    inverted,
    larger,
    load,
    narrowed,
    plus,
    spread,
    store,
    times,
    turned,
    widened,
)

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Rows = NDArray[np.int32]
Ints = NDArray[np.int64]


@kernel
def lattices(
    sums: Singles,
    places: Ints,
    weights: Singles,
    types: Rows,
    joint: Rows,
    begins: Ints,
    sizes: Ints,
    counted: Floats,
    order: Ints,
    steps: Floats,
    last: Floats,
    low: int,
    high: int,
    marginals: Singles,
    totals: Floats,
    pairs: Floats,
) -> None:
    """Marginals of the groups low … high − 1 of eight sentences each.

    Args:
        sums: (O · T, W) of the types, distance after distance.
        places: (O,) distances.
        weights: (R, W), for templates of several parts.
        types: (P,).
        joint: (P, J).
        begins: (N,).
        sizes: (N,), none 0.
        counted: (N,) weights of the sentences.
        order: (N,) sentences; those of a group follow one another.
        steps: (C + 1, C) exp of the transitions, and of the scores of first tags.
        last: (C,) exp of the scores of last tags.
        low: first group.
        high: the one after the last.
        marginals: (P, W), written, each times its sentence's weight.
        totals: (N,), written: ln Z without what was taken from ``steps`` and ``last``; NaN: beyond float64, and then nothing
            of the sentence is in ``pairs``.
        pairs: (C, C), added to: marginals of neighbours' tags times the sentences' weights, without the factor ``steps``.
    """
    count, longest = len(last), 0
    for place in range(EIGHT * low, min(EIGHT * high, len(order))):
        longest = max(longest, sizes[order[place]])
    shares, ways = np.zeros((longest * count + EIGHT, EIGHT)), np.zeros(((longest + 1) * (count + 1), EIGHT))
    scales, come, endings = np.zeros((longest, EIGHT)), np.zeros((2 * count, EIGHT)), np.zeros((1, EIGHT))
    met, all_met = np.zeros((count * count, EIGHT)), np.zeros((count * count, EIGHT))
    tokens, extremes = np.zeros((EIGHT, weights.shape[1])), np.zeros((EIGHT, EIGHT))
    starting, aways, at = np.zeros(EIGHT, np.int64), np.zeros(EIGHT, np.int64), np.zeros(EIGHT, np.int64)
    for group in range(low, high):
        members = order[EIGHT * group : min(EIGHT * (group + 1), len(order))]
        size = 0
        for sentence in members:
            size = max(size, sizes[sentence])
        for row in range(size + 1):
            store(ways, row * (count + 1) + count, 0, spread(0.0))
        aways[:], extremes[:] = size, 0.0
        for lane in range(len(members)):
            aways[lane] = size - sizes[members[lane]]
            starting[lane] = begins[members[lane]] - aways[lane]
            ways[aways[lane] * (count + 1) + count, lane] = 1.0
        for step in range(size):
            _places(starting, aways, step, at)
            _read(sums, places, weights, types, joint, at, tokens, extremes, step * count, count, shares)
        _forward(shares, size, steps, ways, scales)
        _ended(members, sizes, counted, size, last, extremes, ways, scales, shares, totals, endings)
        _backward(shares, size, steps, last, ways, scales, endings, come, met)
        _checked(members, aways, counted, size, count, shares, totals, met)
        for row in range(count * count):
            store(all_met, row, 0, plus(load(all_met, row, 0), load(met, row, 0)))
        for step in range(size):
            _places(starting, aways, step, at)
            _written(shares, step * count, count, at, marginals)
    for before in range(count):
        for tag in range(count):
            for lane in range(EIGHT):
                pairs[before, tag] += all_met[before * count + tag, lane]


@kernel
def _read(
    sums: Singles,
    places: Ints,
    weights: Singles,
    types: Rows,
    joint: Rows,
    at: Ints,
    tokens: Floats,
    extremes: Floats,
    row: int,
    count: int,
    shares: Floats,
) -> None:
    """Emissions of eight tokens, as factors, to the rows from ``row`` on of ``shares``.

    ``at`` (8,) are their places; ``tokens`` (8, W) is scratch; ``extremes`` (8, 8), a lane a row, keeps the largest |score|.
    """
    known, last = len(sums) // len(places), len(types) - 1
    for lane in range(EIGHT):
        place = at[lane]
        if place < 0:
            for column in range(0, count, EIGHT):
                store(tokens, lane, column, spread(0.0))
            continue
        soon = min(place + 1, last)
        for number in range(len(places)):
            prefetch(sums, number * known + types[min(max(soon + places[number], 0), last)], 0)
        for column in range(0, count, EIGHT):
            here = spread(0.0)
            for number in range(len(places)):
                here = plus(here, widened(sums, number * known + types[place + places[number]], column))
            for number in range(joint.shape[1]):
                here = plus(here, widened(weights, joint[place, number], column))
            store(tokens, lane, column, here)
            size = larger(here, times(here, spread(-1.0)))
            store(extremes, lane, 0, larger(size, load(extremes, lane, 0)))
    _turn(tokens, row, count, shares)


@kernel
def _turn(tokens: Floats, row: int, count: int, shares: Floats) -> None:
    """Scores of tags, a token a row (8, W), to factors, a tag a row."""
    for column in range(0, count, EIGHT):
        a, b, c, d, e, f, g, h = turned(
            load(tokens, 0, column),
            load(tokens, 1, column),
            load(tokens, 2, column),
            load(tokens, 3, column),
            load(tokens, 4, column),
            load(tokens, 5, column),
            load(tokens, 6, column),
            load(tokens, 7, column),
        )
        first, rest = row + column, count - column
        store(shares, first, 0, exponential(a))
        if rest > 1:
            store(shares, first + 1, 0, exponential(b))
        if rest > 2:
            store(shares, first + 2, 0, exponential(c))
        if rest > 3:
            store(shares, first + 3, 0, exponential(d))
        if rest > 4:
            store(shares, first + 4, 0, exponential(e))
        if rest > 5:
            store(shares, first + 5, 0, exponential(f))
        if rest > 6:
            store(shares, first + 6, 0, exponential(g))
        if rest > 7:
            store(shares, first + 7, 0, exponential(h))


@kernel
def _written(shares: Floats, row: int, count: int, at: Ints, marginals: Singles) -> None:
    """The rows from ``row`` on, a tag each, to the places ``at`` of eight tokens."""
    for column in range(0, count, EIGHT):
        first = row + column
        a, b, c, d, e, f, g, h = turned(
            load(shares, first, 0),
            load(shares, first + 1, 0),
            load(shares, first + 2, 0),
            load(shares, first + 3, 0),
            load(shares, first + 4, 0),
            load(shares, first + 5, 0),
            load(shares, first + 6, 0),
            load(shares, first + 7, 0),
        )
        if at[0] >= 0:
            narrowed(marginals, at[0], column, a)
        if at[1] >= 0:
            narrowed(marginals, at[1], column, b)
        if at[2] >= 0:
            narrowed(marginals, at[2], column, c)
        if at[3] >= 0:
            narrowed(marginals, at[3], column, d)
        if at[4] >= 0:
            narrowed(marginals, at[4], column, e)
        if at[5] >= 0:
            narrowed(marginals, at[5], column, f)
        if at[6] >= 0:
            narrowed(marginals, at[6], column, g)
        if at[7] >= 0:
            narrowed(marginals, at[7], column, h)


@kernel
def _places(starting: Ints, aways: Ints, step: int, at: Ints) -> None:
    """``at`` (8,): the place of each lane's token at a step; −1 where none stands."""
    for lane in range(EIGHT):
        at[lane] = starting[lane] + step if step >= aways[lane] else -1


@kernel
def _forward(shares: Floats, size: int, steps: Floats, ways: Floats, scales: Floats) -> None:
    """``ways[t + 1]`` (C + 1, 8): probabilities of the tags at token t after the tokens up to it; ``scales[t]`` what made them 1."""
    count = steps.shape[1]
    for step in range(size):
        before, here, share = step * (count + 1), (step + 1) * (count + 1), step * count
        sums = spread(0.0)
        for tag in range(0, count - 3, 4):
            a, b, c, d = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
            for other in range(count + 1):
                way = load(ways, before + other, 0)
                a = fma(way, spread(steps[other, tag]), a)
                b = fma(way, spread(steps[other, tag + 1]), b)
                c = fma(way, spread(steps[other, tag + 2]), c)
                d = fma(way, spread(steps[other, tag + 3]), d)
            a, b = times(a, load(shares, share + tag, 0)), times(b, load(shares, share + tag + 1, 0))
            c, d = times(c, load(shares, share + tag + 2, 0)), times(d, load(shares, share + tag + 3, 0))
            store(ways, here + tag, 0, a)
            store(ways, here + tag + 1, 0, b)
            store(ways, here + tag + 2, 0, c)
            store(ways, here + tag + 3, 0, d)
            sums = plus(sums, plus(plus(a, b), plus(c, d)))
        for tag in range(count - count % 4, count):
            a, b = spread(0.0), spread(0.0)
            for other in range(0, count, 2):
                a = fma(load(ways, before + other, 0), spread(steps[other, tag]), a)
                b = fma(load(ways, before + other + 1, 0), spread(steps[other + 1, tag]), b)
            if count % 2 == 0:
                a = fma(load(ways, before + count, 0), spread(steps[count, tag]), a)
            a = times(plus(a, b), load(shares, share + tag, 0))
            store(ways, here + tag, 0, a)
            sums = plus(sums, a)
        scale = inverted(sums)
        store(scales, step, 0, scale)
        for tag in range(count):
            store(ways, here + tag, 0, times(load(ways, here + tag, 0), scale))


@kernel
def _ended(
    members: Ints,
    sizes: Ints,
    counted: Floats,
    size: int,
    last: Floats,
    extremes: Floats,
    ways: Floats,
    scales: Floats,
    shares: Floats,
    totals: Floats,
    endings: Floats,
) -> None:
    """The ln Z of each lane's sentence into ``totals``, weight / (what its ends sum up to) into ``endings`` (1, 8).

    A lane whose numbers left their range is emptied, so that it adds nothing to anything.
    """
    count = len(last)
    for lane in range(EIGHT):
        endings[0, lane] = 0.0
        if lane >= len(members):
            continue
        sentence = members[lane]
        found = 0.0
        for tag in range(count):
            found += ways[size * (count + 1) + tag, lane] * last[tag]
        logarithm, product, lost = 0.0, 1.0, not SMALLEST < found < 1 / SMALLEST
        for column in range(EIGHT):
            lost = lost or not extremes[lane, column] < WIDEST
        for step in range(size - sizes[sentence], size):
            scale = scales[step, lane]
            lost = lost or not SMALLEST < scale < 1 / SMALLEST
            product *= scale
            if not 1e-60 < product < 1e60:
                logarithm -= np.log(product)
                product = 1.0
        totals[sentence] = np.nan if lost else logarithm - np.log(product) + np.log(found)
        endings[0, lane] = 0.0 if lost else counted[sentence] / found
        if lost:
            for row in range((size + 1) * (count + 1)):
                ways[row, lane] = 0.0
            for row in range(size * count):
                shares[row, lane] = 0.0
            for step in range(size):
                scales[step, lane] = 0.0


@kernel
def _backward(
    shares: Floats,
    size: int,
    steps: Floats,
    last: Floats,
    ways: Floats,
    scales: Floats,
    endings: Floats,
    come: Floats,
    met: Floats,
) -> None:
    """Marginals times weights into ``shares``; ``met`` (C · C, 8) is written.

    ``come`` (2 C, 8): what comes after a token, by its tag; below, the same with the token's own share.
    """
    count = len(last)
    ending = load(endings, 0, 0)
    for row in range(count * count):
        store(met, row, 0, spread(0.0))
    for tag in range(count):
        store(come, tag, 0, times(spread(last[tag]), ending))
    for step in range(size - 1, -1, -1):
        before, here, share = step * (count + 1), (step + 1) * (count + 1), step * count
        scale = load(scales, step, 0)
        for tag in range(count):
            after = load(come, tag, 0)
            store(come, count + tag, 0, times(times(load(shares, share + tag, 0), after), scale))
            store(shares, share + tag, 0, times(load(ways, here + tag, 0), after))
        for tag in range(0, count - 3, 4):
            a, b, c, d = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
            p, q = load(ways, before + tag, 0), load(ways, before + tag + 1, 0)
            r, s = load(ways, before + tag + 2, 0), load(ways, before + tag + 3, 0)
            for other in range(count):
                now = load(come, count + other, 0)
                row = tag * count + other
                a = fma(now, spread(steps[tag, other]), a)
                b = fma(now, spread(steps[tag + 1, other]), b)
                c = fma(now, spread(steps[tag + 2, other]), c)
                d = fma(now, spread(steps[tag + 3, other]), d)
                store(met, row, 0, fma(p, now, load(met, row, 0)))
                store(met, row + count, 0, fma(q, now, load(met, row + count, 0)))
                store(met, row + 2 * count, 0, fma(r, now, load(met, row + 2 * count, 0)))
                store(met, row + 3 * count, 0, fma(s, now, load(met, row + 3 * count, 0)))
            store(come, tag, 0, a)
            store(come, tag + 1, 0, b)
            store(come, tag + 2, 0, c)
            store(come, tag + 3, 0, d)
        for tag in range(count - count % 4, count):
            a, p = spread(0.0), load(ways, before + tag, 0)
            for other in range(count):
                now, row = load(come, count + other, 0), tag * count + other
                a = fma(now, spread(steps[tag, other]), a)
                store(met, row, 0, fma(p, now, load(met, row, 0)))
            store(come, tag, 0, a)


@kernel
def _checked(
    members: Ints, aways: Ints, counted: Floats, size: int, count: int, shares: Floats, totals: Floats, met: Floats
) -> None:
    """Whether the marginals of first tokens are shares of 1; where not, see ``crf_kernels.scaled``, the lane is emptied."""
    for lane in range(len(members)):
        sentence, found = members[lane], 0.0
        for tag in range(count):
            found += shares[aways[lane] * count + tag, lane]
        if np.isnan(totals[sentence]) or abs(found - counted[sentence]) < EVEN * counted[sentence]:
            continue
        totals[sentence] = np.nan
        for row in range(size * count):
            shares[row, lane] = 0.0
        for row in range(count * count):
            met[row, lane] = 0.0
