"""From counts to probabilities: how much of each context is kept for what it was never seen with.

Every way here ends as a back-off model: the n-grams that are there have a probability, a context has a weight by which the
probability of the shorter context is multiplied for all others. Then one walk serves them all, ARPA files too.

Modified Kneser-Ney: Chen and Goodman 1998, section 4.1.6 – three discounts for counts of one, two, three and more; lower
orders count in how many contexts an n-gram was seen, not how often (Kneser and Ney 1995); all interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from erya.models.ngram import kernels
from erya.models.ngram.counting import Order

Floats = NDArray[np.float64]
FALLBACK = (0.5, 1.0, 1.5)  # discounts where counts of counts give none: small or strange texts


@dataclass(slots=True)
class Smoothed:
    """Probabilities of one order.

    Attributes:
        probability: (N,) of the last unit behind the others.
        back_off: (M,) of the M contexts.
        kept: (N,) which n-grams stay.
        discounts: the three, where there are any.
    """

    probability: Floats
    back_off: Floats
    kept: NDArray[np.bool_]
    discounts: tuple[float, float, float] | None = None


def discounts_of(counts: NDArray[np.int64]) -> tuple[float, float, float]:
    """D₁, D₂, D₃₊ from how many n-grams were counted one to four times (Chen and Goodman 1998, equation 26)."""
    _, once, twice, thrice, four, _ = np.bincount(np.minimum(counts, 5), minlength=6).tolist()
    if not once or not twice or not thrice:
        return FALLBACK
    share = once / (once + 2 * twice)
    found = (1 - 2 * share * twice / once, 2 - 3 * share * thrice / twice, 3 - 4 * share * four / thrice)
    if all(0 < discount <= times for times, discount in enumerate(found, 1)):
        return found
    return FALLBACK


def adjusted(orders: Sequence[Order]) -> list[NDArray[np.int64]]:
    """What Kneser-Ney counts: of the highest order occurrences, below how many different units stood before an n-gram – or
    occurrences, of those that begin a document, before which nothing stands.
    """
    found = []
    for lower, higher in pairwise(orders):
        before = np.bincount(higher.suffix, minlength=len(lower))
        found.append(np.where(lower.first, lower.count, before))
    return [*found, orders[-1].count]


def kneser_ney(orders: Sequence[Order], prune: Sequence[int] = ()) -> list[Smoothed]:
    """Interpolated modified Kneser-Ney.

    Args:
        orders: counts of all orders.
        prune: of each order from the first on: n-grams seen no more often than this are left out; the last one holds for all
            higher orders. Thresholds never fall, so that what stays has its context and its suffix; unigrams all stay. What an n-gram
            had goes to the shorter context.
    """
    found: list[Smoothed] = []
    lower = np.full(1, 1 / len(orders[0]))  # the uniform guess behind the unigrams
    for place, (order, counts) in enumerate(zip(orders, adjusted(orders), strict=True)):
        discounts = discounts_of(counts)
        least = prune[min(place, len(prune) - 1)] if len(prune) and place else -1
        one = Smoothed(
            np.empty(len(order)), np.empty(len(order.begin) - 1), np.empty(len(order), dtype=bool), discounts
        )
        kernels.discount(
            order.count,
            counts,
            order.begin,
            order.suffix,
            lower,
            np.array(discounts),
            least,
            one.probability,
            one.back_off,
            one.kept,
        )
        found.append(one)
        lower = one.probability
    return found


def add_k(orders: Sequence[Order], k: float) -> list[Smoothed]:
    """Lidstone: k is added to the count of every unit behind every context. Contexts that were never seen say the uniform guess.

    As a back-off model: only contexts of full length and those that begin a document count; what lies between is uniform.
    """
    units, last = len(orders[0]), len(orders) - 1
    found = []
    for place, order in enumerate(orders):
        context, size = order.context(), len(order.begin) - 1
        counts = np.full(size, place == last)
        if place == 1:
            counts[0] = True
        elif place:
            counts |= orders[place - 1].first
        total = np.bincount(context, weights=order.count, minlength=size) + k * units
        own = np.where(counts[context], (order.count + k) / total[context], 1 / units)
        back_off = np.where(counts, k * units / total, 1.0)
        found.append(Smoothed(own, back_off, np.ones(len(order), dtype=bool)))
    return found


def mle(orders: Sequence[Order]) -> list[Smoothed]:
    """Shares of counts, nothing kept for what was not seen: impossible is what was never read. A context that was never seen gives
    way to the longest that was.
    """
    found = []
    for order in orders:
        context, size = order.context(), len(order.begin) - 1
        total = np.bincount(context, weights=order.count, minlength=size)
        probability = np.divide(order.count, total[context], out=np.zeros(len(order)), where=total[context] > 0)
        found.append(Smoothed(probability, np.where(total > 0, 0.0, 1.0), np.ones(len(order), dtype=bool)))
    return found
