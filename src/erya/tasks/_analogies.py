"""Analogy questions solved in matrix blocks: ``a`` is to ``b`` as ``c`` is to which word of the vocabulary?

3CosAdd takes the word nearest to b − a + c (Mikolov, Yih and Zweig 2013); 3CosMul the one with the largest
cos(b)·cos(c) / (cos(a) + ε), cosines moved to 0 … 1 (Levy and Goldberg 2014, equation 4). With unit
vectors both need only the cosines between the given words and the vocabulary: one product of matrices, then sums or
products of its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError
from erya.language import say
from erya.tasks._word_sets import Question

METHODS = ("add", "mul")
EPSILON = 1e-6  # keeps 3CosMul's denominator from 0; gensim's value, the paper's is 0.001
_COLUMNS = 1024  # vocabulary rows at once: the cosines of a block stay in the processor's cache
_QUESTIONS = 256
_COSINES = 1 << 24  # float32 numbers of a block: 64 MiB

Floats = NDArray[np.float32]


class Queries(Protocol):
    """What scoring asks of word vectors; ``parts.word_queries.WordQueries`` has it."""

    words_: list[str]

    def rows(self, ids: Any) -> NDArray[np.float32]:
        """(n, D) the vectors with these numbers (an array or a slice)."""
        ...

    def vector_of(self, word: str) -> NDArray[np.float32]:
        """(D,) the vector of a word, one built from its parts too."""
        ...

    def __contains__(self, word: object) -> bool: ...


@dataclass(frozen=True, slots=True)
class Solved:
    """Answers to N questions.

    Attributes:
        known: (N,) whether all four words are in the vocabulary; the others were not asked.
        answers: by method, (N,) the row of the chosen word; −1 where not asked.
        right: by method, (N,) whether it is the expected one; False where not asked.
    """

    known: NDArray[np.bool_]
    answers: dict[str, NDArray[np.int64]]
    right: dict[str, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The K questions whose words are known, as numbers.

    Attributes:
        places: (K,) their numbers among all.
        given: (W,) rows of the words that occur as a, b or c.
        parts: (K, 3) a, b, c as indices into ``given``.
        excluded: two arrays, a question (0 … K−1) and a row that may not be its answer; by row.
        expected: (K,) number of the right answer's form.
        form_of: (V,) number of each row's form; −1 where no question needs it.
    """

    places: NDArray[np.int64]
    given: NDArray[np.int64]
    parts: NDArray[np.int64]
    excluded: tuple[NDArray[np.int64], NDArray[np.int64]]
    expected: NDArray[np.int64]
    form_of: NDArray[np.int64]


def solve(
    queries: Queries,
    questions: Sequence[Question],
    *,
    restrict: int | None = 30_000,
    methods: Sequence[str] = METHODS,
    case_insensitive: bool = True,
) -> Solved:
    """Answer every question whose four words are known.

    Args:
        queries: V vectors, most frequent words first.
        questions: N questions.
        restrict: only the first so many words are known and may be answers, as in word2vec's compute-accuracy.
        methods: "add" (3CosAdd), "mul" (3CosMul) or both; the cosines are computed once.
        case_insensitive: words that differ in case only are one word; the most frequent one's vector is used.

    The given words, in any case, are never the answer. Of equally good words the more frequent one is taken.
    """
    asked = _numbered(queries.words_[:restrict], questions, case_insensitive)
    known = np.zeros(len(questions), dtype=np.bool_)
    known[asked.places] = True
    best = _best(queries, asked, len(asked.form_of), methods)
    answers = {method: np.full(len(questions), -1, dtype=np.int64) for method in methods}
    right = {method: np.zeros(len(questions), dtype=np.bool_) for method in methods}
    for method in methods:
        answers[method][asked.places] = best[method]
        found = np.where(best[method] >= 0, asked.form_of[best[method]], -1) if len(asked.form_of) else best[method]
        right[method][asked.places] = found == asked.expected
    return Solved(known, answers, right)


def folded(word: str) -> str:
    """A word's form where case does not count: upper case, as compute-accuracy and gensim have it."""
    return word.upper()


def _numbered(words: Sequence[str], questions: Sequence[Question], case_insensitive: bool) -> _Asked:
    fold = folded if case_insensitive else str
    four = [[fold(word) for word in question[2:]] for question in questions]
    needed = {form for forms in four for form in forms}
    rows_of: dict[str, list[int]] = {}
    form_of = np.full(len(words), -1, dtype=np.int64)
    for row, word in enumerate(words):
        form = fold(word)
        if form in needed:
            rows_of.setdefault(form, []).append(row)
    number = {form: index for index, form in enumerate(rows_of)}
    for form, rows in rows_of.items():
        form_of[rows] = number[form]
    places = [place for place, forms in enumerate(four) if all(form in rows_of for form in forms)]
    first = [[rows_of[form][0] for form in four[place][:3]] for place in places]
    given, parts = np.unique(np.array(first, dtype=np.int64).reshape(-1, 3), return_inverse=True)
    pairs = [(row, k) for k, place in enumerate(places) for form in four[place][:3] for row in rows_of[form]]
    pairs.sort()
    flat = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return _Asked(
        places=np.array(places, dtype=np.int64),
        given=given,
        parts=parts.reshape(-1, 3).astype(np.int64),
        excluded=(flat[:, 1], flat[:, 0]),
        expected=np.array([number[four[place][3]] for place in places], dtype=np.int64),
        form_of=form_of,
    )


def _best(queries: Queries, asked: _Asked, size: int, methods: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """By method, (K,) the row of the best word; −1 where every word is excluded."""
    count = len(asked.places)
    best = {method: np.full(count, -1, dtype=np.int64) for method in methods}
    value = {method: np.full(count, -np.inf, dtype=np.float32) for method in methods}
    if not count:
        return best
    given = unit(queries.rows(asked.given))  # (W, D)
    columns = max(32, min(_COLUMNS, _COSINES // len(given)))
    buffer = np.empty((2, min(_QUESTIONS, count), columns), dtype=np.float32)
    for start in range(0, size, columns):
        stop = min(start + columns, size)
        cosines = given @ unit(queries.rows(slice(start, stop))).T  # (W, n)
        factors = _factors(cosines) if "mul" in methods else (cosines, cosines)
        for low in range(0, count, _QUESTIONS):
            high = min(low + _QUESTIONS, count)
            banned = _banned(asked, low, high, start, stop)
            for method in methods:
                sides = factors if method == "mul" else (cosines, cosines)
                scores = _combined(method, sides, asked.parts[low:high], buffer[:, : high - low, : stop - start])
                scores[banned] = -np.inf
                place = scores.argmax(axis=1)  # the first of equals
                found = scores[np.arange(high - low), place]
                better = found > value[method][low:high]
                value[method][low:high][better] = found[better]
                best[method][low:high][better] = start + place[better]
    return best


def _factors(cosines: Floats) -> tuple[Floats, Floats]:
    moved: Floats = (cosines + np.float32(1)) * np.float32(0.5)
    inverse: Floats = np.reciprocal(moved + np.float32(EPSILON))
    return moved, inverse


def _combined(method: str, sides: tuple[Floats, Floats], parts: NDArray[np.int64], buffer: Floats) -> Floats:
    """(q, n) how well each word of a block answers each question: b − a + c, or b · c / a."""
    above, below = sides
    scores: Floats = buffer[0]
    other: Floats = buffer[1]
    merge = np.multiply if method == "mul" else np.add
    np.take(above, parts[:, 1], axis=0, out=scores, mode="clip")
    np.take(above, parts[:, 2], axis=0, out=other, mode="clip")
    merge(scores, other, out=scores)
    np.take(below, parts[:, 0], axis=0, out=other, mode="clip")
    (np.multiply if method == "mul" else np.subtract)(scores, other, out=scores)
    return scores


def _banned(asked: _Asked, low: int, high: int, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index arrays of what may not be answered among questions low … high and rows start … stop."""
    question, row = asked.excluded
    part = slice(int(np.searchsorted(row, start)), int(np.searchsorted(row, stop)))
    inside = (question[part] >= low) & (question[part] < high)
    return question[part][inside] - low, row[part][inside] - start


def unit(rows: Floats) -> Floats:
    """(n, D) every row at length 1; a row of zeros stays so."""
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    found: Floats = (rows * (1 / np.where(lengths > 0, lengths, 1))[:, None]).astype(np.float32)
    return found


def check_some(items: Sequence[Any]) -> None:
    if not len(items):
        raise DataError("no-rows", say("there is nothing to score: no rows", "没有可供评分的数据行"))


def several_of(queries: Queries | Sequence[Queries]) -> list[Queries]:
    return list(queries) if isinstance(queries, list | tuple) else [queries]  # type: ignore[list-item]
