"""Word vectors against people's judgements of similarity: Spearman's ρ, unknown words counted, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError
from erya.language import say
from erya.scoring import Measure, Score, bootstrap, mean_of
from erya.tasks._analogies import Queries, check_some, folded, several_of
from erya.tasks._word_sets import Pair


@dataclass(frozen=True, slots=True)
class SimilarityScore:
    """How the cosines of one set's pairs agree with people.

    Attributes:
        name: of the set.
        spearman: over the pairs whose words are both known, as papers and gensim report it; None for fewer than two.
        spearman_all: over all pairs, an unknown one taken to have similarity 0: so a small vocabulary costs.
        pairs: in the set.
        known: of these, with two known words.
        missing: the unknown words, in the set's order.
    """

    name: str
    spearman: Score | None
    spearman_all: Score
    pairs: int
    known: int
    missing: tuple[str, ...]

    def to_plain(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "spearman": self.spearman.to_plain() if self.spearman else None,
            "spearman_all": self.spearman_all.to_plain(),
            "pairs": self.pairs,
            "known": self.known,
            "missing": list(self.missing),
        }


def similarity_score(
    queries: Queries | Sequence[Queries],
    pairs: Sequence[Pair],
    *,
    name: str = "",
    restrict: int | None = None,
    case_insensitive: bool = True,
    seed: int = 0,
    resamples: int = 1000,
) -> SimilarityScore:
    """Spearman's ρ (ties averaged) between judgements and cosines.

    Args:
        queries: vectors; or those of one model trained with several seeds: then the mean over the seeds, and a
            resample takes the same pairs from all. A pair counts as known where all of them know it.
        pairs: the set.
        name: the set's.
        restrict: only the first so many words are known.
        case_insensitive: words that differ in case only are one word; the most frequent one's vector is used.
    """
    check_some(pairs)
    several = several_of(queries)
    words = list(dict.fromkeys(word for pair in pairs for word in pair[:2]))
    tables = [unit_vectors(one, words, restrict, case_insensitive) for one in several]
    missing = tuple(word for word in words if not all(word in table for table in tables))
    lost = set(missing)
    known = np.array([not lost & {pair.first, pair.second} for pair in pairs], dtype=np.bool_)
    cosines = np.zeros((len(several), len(pairs)))
    for place in np.flatnonzero(known).tolist():
        first, second, _ = pairs[place]
        cosines[:, place] = [float(table[first] @ table[second]) for table in tables]
    judged = np.array([pair.score for pair in pairs], dtype=np.float64)
    everything = _spearman(judged, cosines, seed, resamples)
    over_known: Score | None = everything
    if missing:
        over_known = _spearman(judged[known], cosines[:, known], seed, resamples) if known.sum() > 1 else None
    return SimilarityScore(name, over_known, everything, len(pairs), int(known.sum()), missing)


def unit_vectors(
    queries: Queries, words: Sequence[str], restrict: int | None, case_insensitive: bool
) -> dict[str, NDArray[np.float64]]:
    """The vectors, at length 1, of those words that have one."""
    fold = folded if case_insensitive else str
    wanted = {fold(word) for word in words}
    row_of: dict[str, int] = {}
    for row, word in enumerate(queries.words_[:restrict]):
        form = fold(word)
        if form in wanted:
            row_of.setdefault(form, row)
    found: dict[str, NDArray[np.float64]] = {}
    for word in words:
        form = fold(word)
        if form in row_of:
            vector = queries.rows(np.array([row_of[form]]))[0].astype(np.float64)
        elif restrict is None and word in queries:
            vector = queries.vector_of(word).astype(np.float64)
        else:
            continue
        length = np.sqrt(vector @ vector)
        found[word] = vector / length if length > 0 else vector
    return found


def _spearman(judged: NDArray[np.float64], cosines: NDArray[np.float64], seed: int, resamples: int) -> Score:
    """The mean over S models of Spearman's ρ between (N,) judgements and (S, N) cosines, with its interval."""
    measure = mean_of([spearman_measure(judged, one) for one in cosines])
    return bootstrap({"spearman": measure}, len(judged), seed, resamples)["spearman"]


def spearman_measure(first: NDArray[Any], second: NDArray[Any]) -> Measure:
    """Spearman's ρ of the chosen rows: Pearson's r of their ranks, ties at their mean rank; 0 where one is constant.

    The values are sorted once; a resample's ranks follow from how often each value was drawn.
    """
    codes = [np.unique(values, return_inverse=True)[1] for values in (first, second)]
    sizes = [int(code.max(initial=-1)) + 1 for code in codes]

    def measure(rows: NDArray[Any]) -> float:
        ranks = []
        for code, size in zip(codes, sizes, strict=True):
            drawn = code[rows]
            counts = np.bincount(drawn, minlength=size)
            middle = np.cumsum(counts) - (counts - 1) / 2  # the mean of the ranks that a value's copies share
            ranks.append(middle[drawn] - (len(rows) + 1) / 2)
        spread = float(np.sqrt((ranks[0] @ ranks[0]) * (ranks[1] @ ranks[1])))
        return float(ranks[0] @ ranks[1]) / spread if spread > 0 else 0.0

    return measure


def gensim_pairs(
    queries: Queries, pairs: Sequence[Pair], *, restrict: int | None, case_insensitive: bool, unknown_is_zero: bool
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """What ``KeyedVectors.evaluate_word_pairs`` returns: Pearson's r and Spearman's ρ with p-values, % of pairs unknown."""
    from scipy import stats

    unit = unit_vectors(queries, [word for pair in pairs for word in pair[:2]], restrict, case_insensitive)
    known = [pair for pair in pairs if pair.first in unit and pair.second in unit]
    cosines = [float(unit[pair.first] @ unit[pair.second]) for pair in known]
    judged = [pair.score for pair in known]
    lost = len(pairs) - len(known)
    if unknown_is_zero:
        judged += [pair.score for pair in pairs if pair.first not in unit or pair.second not in unit]
        cosines += [0.0] * lost
    if len(judged) < 2:
        raise DataError("no-rows", say("fewer than two pairs have known words", "两个词都已知的词对不足两对"))
    found = [test(judged, cosines) for test in (stats.pearsonr, stats.spearmanr)]
    linear, ranked = ((float(one.statistic), float(one.pvalue)) for one in found)
    return linear, ranked, 100 * lost / len(pairs)
