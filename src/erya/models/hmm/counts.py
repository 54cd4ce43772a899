"""What a hidden Markov model counts, and the probabilities that counts become.

    p(y' | y) = ( c(y, y') + k · prior(y') ) / ( c(y, ·) + k )                     a tag, or the end, after a tag
    p(w | y)  = ( c(w, y) + k · guess(y | w) ) / ( c(y) + k · Σ_w guess(y | w) )     a word from a tag

``guess`` knows no words but what they look like: their shape and their last one, two, three letters, in the words that training saw
rarely, each longer ending leaning on the shorter one (as in Brants 2000, "TnT", section 2.3; there with a weight for all endings, here
with one by how often an ending was seen). It is a prior (Dirichlet), so a word seen often is believed, one seen once half believed,
and one never seen has its guess alone.

Untagged text adds expected counts – what the model thinks it would have counted –, again and again: Baum and Welch's
algorithm (Baum et al. 1970), here with the tagged counts and the prior held: no round makes the posterior of the parameters smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erya.parts import crf
from erya.parts.token_features import shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LONGEST = 3  # letters of an ending


@dataclass(frozen=True, slots=True)
class Counts:
    """How often things were seen, for V words and C tags; whole numbers but for weights and expectations.

    Attributes:
        words: (V, C) a word with a tag.
        steps: (C, C) a tag (column) after a tag (row).
        first: (C,) a tag at the beginning.
        last: (C,) at the end.
    """

    words: Floats
    steps: Floats
    first: Floats
    last: Floats

    @classmethod
    def nothing(cls, words: int, classes: int) -> Counts:
        """All 0."""
        return cls(*[np.zeros(shape) for shape in ((words, classes), (classes, classes), classes, classes)])

    @classmethod
    def of(cls, ids: Ints, tags: Ints, starts: Ints, weights: Floats, words: int, classes: int) -> Counts:
        """From tagged text: ``ids`` and ``tags`` (L,), ``starts`` (N + 1,) of sentences that are not empty, ``weights`` (N,)."""
        per_token = np.repeat(weights, np.diff(starts))
        found = _tallied(ids * classes + tags, per_token, words * classes)
        inner = np.ones(len(ids), dtype=bool)
        inner[starts[:-1]] = False
        places = np.flatnonzero(inner)
        pairs = tags[places - 1] * classes + tags[places]
        steps = _tallied(pairs, per_token[places], classes * classes)
        first, last = (
            np.bincount(tags[at], weights=weights, minlength=classes).astype(np.float64)
            for at in (starts[:-1], starts[1:] - 1)
        )
        parts: list[Floats] = [found.reshape(words, classes), steps.reshape(classes, classes), first, last]
        return cls(*parts)

    def plus(self, other: Counts, weight: float = 1.0) -> Counts:
        """These and ``weight`` times the others; rows of words that one of them lacks are 0 there."""
        words = np.zeros((max(len(self.words), len(other.words)), len(self.first)))
        words[: len(self.words)] += self.words
        words[: len(other.words)] += weight * other.words
        parts = (self.steps, other.steps), (self.first, other.first), (self.last, other.last)
        return Counts(words, *[mine + weight * theirs for mine, theirs in parts])


def _tallied(places: Ints, weights: Floats, size: int) -> Floats:
    """(size,) the sum of the weights by place."""
    return np.asarray(np.bincount(places, weights=weights, minlength=size), dtype=np.float64)


class Guess:
    """Tags by the looks of a word.

    Attributes:
        looks: shapes, and shapes with endings, that rare words have.
        counts: (K, C) of the tags of rare words with this look; the first row: all rare words.
        back_off: how many sightings the shorter ending is worth.
    """

    def __init__(self, looks: Sequence[str], counts: Floats, back_off: float) -> None:
        self.looks, self.counts, self.back_off = list(looks), counts, back_off
        self._places = {look: place for place, look in enumerate(self.looks)}
        self._known: dict[str, Floats] = {}

    @classmethod
    def of(cls, words: Sequence[str], counts: Floats, rare: int, back_off: float) -> Guess:
        """From words (V) and how often each had each tag (V, C), of those seen ``rare`` times at most."""
        totals = counts.sum(axis=1)
        places: dict[str, int] = {"": 0}
        rows: list[Floats] = [np.zeros(counts.shape[1])]
        chosen = np.flatnonzero((totals > 0) & (totals <= rare))
        if not len(chosen):
            chosen = np.flatnonzero(totals > 0)
        for place in chosen.tolist():
            for look in _looks(words[place]):
                if look not in places:
                    places[look] = len(rows)
                    rows.append(np.zeros(counts.shape[1]))
                rows[places[look]] += counts[place]
        return cls(list(places), np.array(rows), back_off)

    def __call__(self, word: str) -> Floats:
        """(C,) shares of the tags."""
        share: Floats = (self.counts[0] + 1.0) / (self.counts[0] + 1.0).sum()
        for look in _looks(word)[1:]:
            if look not in self._known:
                place = self._places.get(look)
                if place is None:
                    break
                seen = self.counts[place]
                self._known[look] = (seen + self.back_off * share) / (seen.sum() + self.back_off)
            share = self._known[look]
        return share

    def table(self, words: Iterable[str]) -> Floats:
        """(n, C) for n words."""
        rows = [self(word) for word in words]
        return np.array(rows).reshape(len(rows), self.counts.shape[1])


def _looks(word: str) -> list[str]:
    """From what all words share to the longest ending."""
    looks, lower = ["", shape(word) or "-"], word.lower()
    looks += [f"{looks[1]} {lower[-size:]}" for size in range(1, min(LONGEST, len(lower)) + 1)]
    return looks


@dataclass(frozen=True, slots=True)
class Parameters:
    """Logarithms of probabilities.

    Attributes:
        words: (V, C) ln p(word | tag).
        floor: (C,) what is taken from ln (k · guess) of a word that is not among the V.
        chain: first, transitions and last.
    """

    words: Floats
    floor: Floats
    chain: crf.Chain


def parameters(counts: Counts, guesses: Floats, smoothing: float) -> Parameters:
    """The formulas above.

    Args:
        counts: of V words and C tags.
        guesses: (V, C) shares.
        smoothing: k.
    """
    tags = counts.words.sum(axis=0)
    bottom = tags + smoothing * guesses.sum(axis=0)
    words = np.log(counts.words + smoothing * guesses) - np.log(bottom)
    inside, ending, beginning = _prior(counts)
    below = counts.steps.sum(axis=1) + counts.last + smoothing
    steps = np.log(counts.steps + smoothing * inside) - np.log(below)[:, None]
    last = np.log(counts.last + smoothing * ending) - np.log(below)
    first = np.log(counts.first + smoothing * beginning) - np.log(counts.first.sum() + smoothing)
    return Parameters(words, np.log(bottom) - np.log(smoothing), crf.Chain(steps, first, last))


def _prior(counts: Counts) -> tuple[Floats, float, Floats]:
    """What is expected after any tag: each tag (C,), the end; and at the beginning (C,). All tags alike: held, not learned."""
    classes = len(counts.first)
    return np.full(classes, 1.0 / (classes + 1)), 1.0 / (classes + 1), np.full(classes, 1.0 / classes)


def expected(ids: Ints, starts: Ints, model: Parameters, weights: Floats, words: int) -> tuple[Counts, float]:
    """What the model would count in untagged text, and Σ weight · ln p(sentence).

    Args:
        ids: (L,) words.
        starts: (N + 1,) of sentences that are not empty.
        model: the parameters.
        weights: (N,).
        words: V.
    """
    classes = len(model.chain)
    told = crf.posterior(model.words[ids], starts, model.chain, weights=weights)
    shares = told.tags * np.repeat(weights, np.diff(starts))[:, None]
    found = np.zeros((words, classes))
    for tag in range(classes):
        found[:, tag] = _tallied(ids, shares[:, tag], words)
    ends = [shares[at].sum(axis=0) for at in (starts[:-1], starts[1:] - 1)]
    return Counts(found, told.steps, *ends), float(weights @ told.log_partition)


def log_posterior(counts: Counts, guesses: Floats, smoothing: float, model: Parameters) -> float:
    """Σ counts · ln p, those of the prior too: what Baum and Welch's rounds never make smaller, but for ln p of the untagged text."""
    inside, ending, beginning = _prior(counts)
    total = float(((counts.words + smoothing * guesses) * model.words).sum())
    total += float(((counts.steps + smoothing * inside) * model.chain.transitions).sum())
    total += float(((counts.last + smoothing * ending) * model.chain.last).sum())
    return total + float(((counts.first + smoothing * beginning) * model.chain.first).sum())
