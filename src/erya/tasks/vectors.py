"""The task ``vectors``: a vector for every word, so that words used alike lie near one another.

Owns how word vectors are scored: by similarity judgements (Spearman's ρ between people and cosines) and by analogy
questions (3CosAdd, 3CosMul, by section), both with intervals and with unknown words counted; and a toy corpus on which
any model of vectors must put the words of one topic nearer to one another than to those of the other.

Intervals are percentile bootstraps over pairs or questions. Questions of a section share words, so that they are not
quite independent: the interval says how the score would move with other questions of this kind, not with other words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from erya.scoring import Score
from erya.tasks._analogies import METHODS, Queries, Solved, solve
from erya.tasks._analogy_scores import (
    RESTRICT,
    AnalogyReport,
    AnalogyScore,
    analogy_scores,
    gensim_analogies,
    language_of,
)
from erya.tasks._similarity import SimilarityScore, gensim_pairs, similarity_score, spearman_measure, unit_vectors
from erya.tasks._word_sets import Pair, Question, bundled_analogies, read_analogies, read_pairs, set_name

__all__ = [
    "HEADLINE",
    "LOWER_IS_BETTER",
    "RESTRICT",
    "SCORE_NAMES",
    "AnalogyReport",
    "AnalogyScore",
    "Pair",
    "Queries",
    "Question",
    "SimilarityScore",
    "Solved",
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
    "solve",
    "spearman_measure",
    "toy",
    "toy_check",
]

INPUT = "corpus"  # of running text
FIRST_USE = "erya show FILE.erya near WORD"
HEADLINE = "analogy_accuracy"
SCORE_NAMES = ("analogy_accuracy", "analogy_accuracy_mul")  # and "spearman_<set>" for every similarity set given
LOWER_IS_BETTER: tuple[str, ...] = ()
TOY_TOPICS = {
    "kitchen": ("soup", "bread", "salt", "noodles", "pepper", "butter", "rice", "onion"),
    "weather": ("rain", "cloud", "storm", "wind", "sunny", "snow", "fog", "thunder"),
}


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
    unit = unit_vectors(model, [word for words in TOY_TOPICS.values() for word in words], None, False)
    margins = []
    for topic, words in TOY_TOPICS.items():
        strangers = [word for other, theirs in TOY_TOPICS.items() if other != topic for word in theirs]
        for word in words:
            own = [float(unit[word] @ unit[friend]) for friend in words if friend != word]
            far = [float(unit[word] @ unit[stranger]) for stranger in strangers]
            margins.append(float(np.mean(own)) - float(np.mean(far)))
    return min(margins)
