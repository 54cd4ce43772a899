"""The task ``vectors``: a vector for every word, so that words used alike lie near one another.

Owns how word vectors are scored: by similarity judgements (Spearman's ρ between people and cosines) and by analogy
questions (3CosAdd, 3CosMul, by section), both with intervals and with unknown words counted; and a toy corpus on which
any model of vectors must put the words of one topic nearer to one another than to those of the other.

Intervals are percentile bootstraps over pairs or questions. Questions of a section share words, so that they are not
quite independent: the interval says how the score would move with other questions of this kind, not with other words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError
from erya.language import say
from erya.scoring import Measure, Score, bootstrap, mean_of
from erya.tasks._analogies import METHODS, Queries, Solved, folded, solve
from erya.tasks._word_sets import Pair, Question, bundled_analogies, read_analogies, read_pairs, set_name

__all__ = [
    "HEADLINE",
    "LOWER_IS_BETTER",
    "SCORE_NAMES",
    "AnalogyReport",
    "AnalogyScore",
    "Pair",
    "Queries",
    "Question",
    "SimilarityScore",
    "analogy_scores",
    "bundled_analogies",
    "gensim_analogies",
    "gensim_pairs",
    "headline",
    "language_of",
    "read_analogies",
    "read_pairs",
    "scores",
    "set_name",
    "similarity_score",
    "sklearn_tags",
    "toy",
    "toy_check",
]

INPUT = "corpus"  # of running text
FIRST_USE = "erya show FILE.erya near WORD"
HEADLINE = "analogy_accuracy"
SCORE_NAMES = ("analogy_accuracy", "analogy_accuracy_mul")  # and "spearman_<set>" for every similarity set given
LOWER_IS_BETTER: tuple[str, ...] = ()
RESTRICT = 30_000  # the most frequent words, among which analogies are answered
TOY_TOPICS = {
    "kitchen": ("soup", "bread", "salt", "noodles", "pepper", "butter", "rice", "onion"),
    "weather": ("rain", "cloud", "storm", "wind", "sunny", "snow", "fog", "thunder"),
}


# ---- similarity -----------------------------------------------------------------------------------------------------


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
    _check_some(pairs)
    several = _several(queries)
    words = list(dict.fromkeys(word for pair in pairs for word in pair[:2]))
    tables = [_unit_vectors(one, words, restrict, case_insensitive) for one in several]
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


def _check_some(items: Sequence[Any]) -> None:
    if not len(items):
        raise DataError("no-rows", say("there is nothing to score: no rows", "没有可供评分的数据行"))


def _several(queries: Queries | Sequence[Queries]) -> list[Queries]:
    return list(queries) if isinstance(queries, list | tuple) else [queries]  # type: ignore[list-item]


def _unit_vectors(
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


# ---- analogies ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AnalogyScore:
    """How many questions of a section, a group or the whole were answered right.

    Attributes:
        name: of the section or group; "total".
        accuracy: over the questions whose four words are known; None where there is none.
        accuracy_all: over all questions, one with an unknown word counted as wrong.
        asked: questions in the file.
        known: of these, with four known words.
        right: of these, answered right (a mean, where there are several models).
    """

    name: str
    accuracy: Score | None
    accuracy_all: Score
    asked: int
    known: int
    right: float

    def to_plain(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "accuracy": self.accuracy.to_plain() if self.accuracy else None,
            "accuracy_all": self.accuracy_all.to_plain(),
            "asked": self.asked,
            "known": self.known,
            "right": self.right,
        }


@dataclass(frozen=True, slots=True)
class AnalogyReport:
    """The answers to a set of questions by one method.

    Attributes:
        method: "add" (3CosAdd) or "mul" (3CosMul).
        restrict: how many of the most frequent words were known and could be answers.
        total: over all questions.
        groups: "semantic", "syntactic", …
        sections: in the file's order.
    """

    method: str
    restrict: int | None
    total: AnalogyScore
    groups: tuple[AnalogyScore, ...]
    sections: tuple[AnalogyScore, ...]

    def to_plain(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "restrict": self.restrict,
            "total": self.total.to_plain(),
            "groups": [score.to_plain() for score in self.groups],
            "sections": [score.to_plain() for score in self.sections],
        }


def analogy_scores(
    queries: Queries | Sequence[Queries],
    questions: Sequence[Question] | None = None,
    *,
    restrict: int | None = RESTRICT,
    methods: Sequence[str] = METHODS,
    case_insensitive: bool = True,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, AnalogyReport]:
    """Accuracy on analogy questions by section, by group and in total, for each method.

    Args:
        queries: vectors; or those of one model trained with several seeds: then means over the seeds.
        questions: None: those that come with Erya for the vectors' language.
        restrict: only the first so many words are known and may be answers; None: all.
        methods: "add", "mul"; both cost little more than one.
        case_insensitive: words that differ in case only are one word, as compute-accuracy and gensim have it.

    Returns:
        by method.
    """
    several = _several(queries)
    questions = bundled_analogies(language_of(several[0])) if questions is None else list(questions)
    _check_some(questions)
    solved = [
        solve(one, questions, restrict=restrict, methods=methods, case_insensitive=case_insensitive) for one in several
    ]
    known = np.logical_and.reduce([one.known for one in solved])
    return {
        method: _report(method, restrict, questions, known, _mean_right(solved, method, known), seed, resamples)
        for method in methods
    }


def _mean_right(solved: Sequence[Solved], method: str, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean([one.right[method] for one in solved], axis=0)
    return np.where(known, mean, 0.0)


def _report(
    method: str,
    restrict: int | None,
    questions: Sequence[Question],
    known: NDArray[np.bool_],
    right: NDArray[np.float64],
    seed: int,
    resamples: int,
) -> AnalogyReport:
    generator = np.random.default_rng(seed)

    def scored(name: str, chosen: NDArray[np.bool_]) -> AnalogyScore:
        inside = right[chosen & known]
        return AnalogyScore(
            name,
            _share(inside, generator, resamples) if len(inside) else None,
            _share(right[chosen], generator, resamples),
            int(chosen.sum()),
            len(inside),
            float(inside.sum()),
        )

    everything = np.ones(len(questions), dtype=np.bool_)
    groups = np.array([question.group for question in questions])
    sections = np.array([f"{question.group}/{question.section}" for question in questions])
    return AnalogyReport(
        method,
        restrict,
        scored("total", everything),
        tuple(scored(name, groups == name) for name in dict.fromkeys(groups.tolist())),
        tuple(scored(name.split("/", 1)[1], sections == name) for name in dict.fromkeys(sections.tolist())),
    )


def _share(right: NDArray[np.float64], generator: np.random.Generator, resamples: int) -> Score:
    """The mean and its bootstrap interval. There are few distinct values, so that a resample is a multinomial draw of
    how often each of them occurs: the same distribution as drawing the questions, thousands of times faster.
    """
    values, counts = np.unique(right, return_counts=True)
    draws = generator.multinomial(len(right), counts / len(right), size=resamples)  # (resamples, distinct values)
    low, high = np.percentile(draws @ values / len(right), [2.5, 97.5])
    return Score(float(right.mean()), float(low), float(high))


# ---- in gensim's form -----------------------------------------------------------------------------------------------


def gensim_analogies(
    queries: Queries,
    analogies: str | Path | None,
    *,
    restrict: int | None,
    case_insensitive: bool,
    unknown_is_wrong: bool,
    method: str,
) -> tuple[float, list[dict[str, Any]]]:
    """What ``KeyedVectors.evaluate_word_analogies`` returns: accuracy, and the questions by section, the total last."""
    questions = bundled_analogies(language_of(queries)) if analogies is None else read_analogies(analogies)
    solved = solve(queries, questions, restrict=restrict, methods=(method,), case_insensitive=case_insensitive)
    fold = folded if case_insensitive else str
    sections: dict[str, dict[str, Any]] = {}
    total: dict[str, Any] = {"section": "Total accuracy", "correct": [], "incorrect": []}
    for question, known, right in zip(questions, solved.known.tolist(), solved.right[method].tolist(), strict=True):
        name = question.section
        section = sections.setdefault(name, {"section": name, "correct": [], "incorrect": []})
        if known or unknown_is_wrong:
            verdict = "correct" if right else "incorrect"
            four = tuple(fold(word) for word in question[2:])
            section[verdict].append(four)
            total[verdict].append(four)
    asked = len(total["correct"]) + len(total["incorrect"])
    return (len(total["correct"]) / asked if asked else 0.0), [*sections.values(), total]


def gensim_pairs(
    queries: Queries, pairs: Sequence[Pair], *, restrict: int | None, case_insensitive: bool, unknown_is_zero: bool
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """What ``KeyedVectors.evaluate_word_pairs`` returns: Pearson's r and Spearman's ρ with p-values, % of pairs unknown."""
    from scipy import stats

    unit = _unit_vectors(queries, [word for pair in pairs for word in pair[:2]], restrict, case_insensitive)
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


# ---- all scores of a model ------------------------------------------------------------------------------------------


def scores(
    queries: Queries | Sequence[Queries],
    *,
    similarity: Mapping[str, Sequence[Pair]] | None = None,
    analogies: Sequence[Question] | None = None,
    restrict: int | None = RESTRICT,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, Score]:
    """Every score of the task with its interval.

    Args:
        queries: vectors; or those of one model trained with several seeds: then each score is the mean over the seeds.
        similarity: sets by name, e.g. ``{set_name(path): read_pairs(path)}``.
        analogies: questions; None: those that come with Erya for the vectors' language; empty: none.
        restrict: how many of the most frequent words take part in analogies.

    Returns:
        by name: analogy_accuracy (3CosAdd) and analogy_accuracy_mul (3CosMul), over the questions whose words are all
        known; spearman_<set> over the pairs whose words are both known, and, only where some are not,
        spearman_<set>_all with these at similarity 0. A score that nothing is known for is absent.
    """
    found: dict[str, Score] = {}
    if analogies is None or len(analogies):
        reports = analogy_scores(queries, analogies, restrict=restrict, seed=seed, resamples=resamples)
        for name, method in zip(SCORE_NAMES, METHODS, strict=True):
            accuracy = reports[method].total.accuracy
            if accuracy is not None:
                found[name] = accuracy
    for name, pairs in (similarity or {}).items():
        score = similarity_score(queries, pairs, name=name, seed=seed, resamples=resamples)
        if score.spearman is not None:
            found[f"spearman_{name}"] = score.spearman
        if score.known < score.pairs:
            found[f"spearman_{name}_all"] = score.spearman_all
    return found


def language_of(queries: Queries) -> str:
    """Chinese ("zh") where most of the 2,000 most frequent words have Chinese characters, else English ("en")."""
    some = queries.words_[:2000]
    chinese = sum(any("\u4e00" <= character <= "\u9fff" for character in word) for word in some)
    return "zh" if 2 * chinese > len(some) else "en"


def headline(targets: Any, predictions: Any, sample_weight: Any = None) -> float:
    """The share of answers that are the expected words, weighted where weights are given."""
    hits = [str(expected) == str(answer) for expected, answer in zip(targets, predictions, strict=True)]
    return float(np.average(hits, weights=sample_weight))


# ---- what scikit-learn and the battery ask --------------------------------------------------------------------------


def sklearn_tags() -> Any:
    """A transformer from words to vectors, without targets."""
    from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

    return Tags(
        estimator_type=None,
        target_tags=TargetTags(required=False),
        transformer_tags=TransformerTags(preserves_dtype=[]),
        input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
    )


def toy(seed: int = 0, rows: int = 600) -> tuple[list[str], None]:
    """Short texts of two topics, each with words of its own between fillers that both share: see ``toy_check``."""
    generator = np.random.default_rng(seed)
    filler = ["the", "a", "today", "very", "is", "really", "and", "with", "again", "some"]
    topics = list(TOY_TOPICS.values())
    texts = []
    for number in range(rows):
        chosen = [*generator.choice(topics[number % len(topics)], 5, replace=False), *generator.choice(filler, 4)]
        generator.shuffle(chosen)
        texts.append(" ".join(chosen))
    return texts, None


def toy_check(model: Queries) -> float:
    """By how much the words of ``toy`` are nearer to their own topic than to the other: of every word the mean cosine
    to its topic's other words, less that to the other topic's words; of these the smallest. Vectors that learned
    something have it above 0.
    """
    unit = _unit_vectors(model, [word for words in TOY_TOPICS.values() for word in words], None, False)
    margins = []
    for topic, words in TOY_TOPICS.items():
        strangers = [word for other, theirs in TOY_TOPICS.items() if other != topic for word in theirs]
        for word in words:
            own = [float(unit[word] @ unit[friend]) for friend in words if friend != word]
            far = [float(unit[word] @ unit[stranger]) for stranger in strangers]
            margins.append(float(np.mean(own)) - float(np.mean(far)))
    return min(margins)
