"""Answers to analogy questions, counted: accuracy by section, by group and in total, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.scoring import Score
from erya.tasks._analogies import METHODS, Queries, Solved, check_some, folded, several_of, solve
from erya.tasks._word_sets import Question, bundled_analogies, read_analogies

RESTRICT = 30_000  # the most frequent words, among which analogies are answered


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
    several = several_of(queries)
    questions = bundled_analogies(language_of(several[0])) if questions is None else list(questions)
    check_some(questions)
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


def language_of(queries: Queries) -> str:
    """Chinese ("zh") where most of the 2,000 most frequent words have Chinese characters, else English ("en")."""
    some = queries.words_[:2000]
    chinese = sum(any("\u4e00" <= character <= "\u9fff" for character in word) for word in some)
    return "zh" if 2 * chinese > len(some) else "en"
