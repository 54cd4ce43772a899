"""n-grams as one writes them down: dictionaries from contexts to counts. Read this first.

The same numbers as ``counting.py``, ``smoothing.py`` and ``tree.py`` give, a thousand times slower; a test compares them. 0 is the
border: it stands before the first unit of a document and is predicted behind the last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

Context = tuple[int, ...]
BORDER = 0
FALLBACK = (0.5, 1.0, 1.5)


class Counts(NamedTuple):
    """What was seen.

    Attributes:
        units: V.
        order: n.
        after: for each context of 0 … n − 1 units how often each unit came behind it.
    """

    units: int
    order: int
    after: dict[Context, Counter[int]]


def count(documents: Sequence[Sequence[int]], units: int, order: int) -> Counts:
    """All n-grams up to ``order`` of documents of ids."""
    after: dict[Context, Counter[int]] = defaultdict(Counter)
    for document in documents:
        said = [BORDER, *document, BORDER]
        for place in range(1, len(said)):
            for length in range(min(order - 1, place) + 1):
                after[tuple(said[place - length : place])][said[place]] += 1
    return Counts(units, order, dict(after))


def mle(counts: Counts, context: Context, unit: int) -> float:
    """c(h w) / c(h), of the longest end of the context that was seen."""
    while context not in counts.after:
        context = context[1:]
    seen = counts.after[context]
    return seen[unit] / seen.total()


def add_k(counts: Counts, context: Context, unit: int, k: float) -> float:
    """(c(h w) + k) / (c(h) + k V)."""
    seen = counts.after.get(context, Counter())
    return (seen[unit] + k) / (seen.total() + k * counts.units)


class KneserNey:
    """Interpolated modified Kneser-Ney, Chen and Goodman 1998, section 4.1.6.

    Args:
        counts: what was seen.
        prune: for each order: n-grams seen no more often are forgotten once the discounts stand.
    """

    def __init__(self, counts: Counts, prune: Sequence[int] = ()) -> None:
        self.counts = counts
        self.prune = [0 if order == 0 else prune[min(order, len(prune) - 1)] if prune else 0 for order in range(99)]
        before: dict[tuple[Context, int], set[int]] = defaultdict(set)
        for context, seen in counts.after.items():
            for unit in seen:
                if context:
                    before[context[1:], unit].add(context[0])
        self.adjusted: dict[Context, dict[int, int]] = {}
        for context, seen in counts.after.items():
            as_seen = len(context) == counts.order - 1 or context[:1] == (BORDER,)
            self.adjusted[context] = {
                unit: times if as_seen else len(before[context, unit]) for unit, times in seen.items()
            }
        self.discounts = [self._discounts(length) for length in range(counts.order)]

    def _discounts(self, length: int) -> tuple[float, float, float]:
        """D₁, D₂, D₃₊ of the n-grams with contexts of this length."""
        times = Counter(
            number for context, seen in self.adjusted.items() if len(context) == length for number in seen.values()
        )
        if not (times[1] and times[2] and times[3]):
            return FALLBACK
        share = times[1] / (times[1] + 2 * times[2])
        found = tuple(i - (i + 1) * share * times[i + 1] / times[i] for i in (1, 2, 3))
        return found if all(0 < found[i] <= i + 1 for i in range(3)) else FALLBACK  # type: ignore[return-value]

    def probability(self, context: Context, unit: int) -> float:
        """P(unit | context) = (c − D(c)) / c(h) + γ(h) P(unit | shorter context)."""
        lower = self.probability(context[1:], unit) if context else 1 / self.counts.units
        seen = self.adjusted.get(context)
        if not seen:
            return lower
        total = sum(seen.values())
        least = self.prune[len(context)]
        kept = {one: times for one, times in seen.items() if self.counts.after[context][one] > least}
        own = kept.get(unit, 0)
        taken = sum(self._discount(len(context), times) if one in kept else times for one, times in seen.items())
        return (own - self._discount(len(context), own)) / total + taken / total * lower

    def _discount(self, length: int, times: int) -> float:
        return self.discounts[length][min(times, 3) - 1] if times else 0.0
