"""Training texts as ids, and the texts that early stopping listens to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError
from erya.language import say
from erya.parts import pretrained_vectors
from erya.parts.pretrained_vectors import WordVectors
from erya.parts.token_batches import Corpus, Goals
from erya.progress import Report
from erya.tasks import classify
from erya.text.tokenizers import Tokenizer, token_lists
from erya.text.vocabulary import PADDING, UNKNOWN, Vocabulary

SHARE = 0.1  # of the training rows
FEWEST_ROWS = 100  # of fewer rows a tenth says nothing
LONGEST = 16_384  # tokens; a longer text is learned from in several pieces of equal weight


@dataclass(frozen=True, slots=True)
class Reading:
    """How training texts are read.

    Attributes:
        min_count: rarer tokens have no id of their own.
        patience: None: nothing is held out.
        seed: of what is held out.
        smoothing: of the labels that are learned from, see ``token_batches.Goals``; those listened to stay as they are.
        longest: tokens of a piece.
        vocabulary: the one to read with; None: made from what is learned from.
        vectors: whose words have an id however rare they are.
        extra_words: so many of the first words of ``vectors`` have an id though no text has them, if the tokenizer can make them.
        min_coverage: share of the running tokens that ``vectors`` must know.
    """

    min_count: int
    patience: int | None
    seed: int
    smoothing: float = 0.0
    longest: int | None = None
    vocabulary: Vocabulary | None = None
    vectors: WordVectors | None = None
    extra_words: int = 0
    min_coverage: float = 0.0


class Corpora(NamedTuple):
    """Texts as ids.

    Attributes:
        vocabulary: of V tokens.
        learned: what is learned from.
        listened: what early stopping listens to, if anything.
        coverage: what the vectors know of what is learned from, see ``pretrained_vectors.coverage``; empty: no vectors.
    """

    vocabulary: Vocabulary
    learned: Corpus
    listened: Corpus | None
    coverage: dict[str, float]


def corpora(
    examples: classify.Examples, validation: Any, tokenizer: Tokenizer, reading: Reading, report: Report
) -> Corpora:
    """The vocabulary, what is learned from, and what is listened to.

    Without ``validation``, where ``patience`` asks for early stopping and there are 100 rows or more, a tenth is held out of
    the training, drawn by ``seed``: of each class's rows where a text has one label, else of all rows. The vocabulary knows
    only what is learned from.

    Raises:
        UsageError: ``validation`` is not ``(X, y)``, or its targets are of another kind.
        DataError: the vectors know too little of the text.
    """
    documents = list(token_lists(tokenizer, examples.documents))
    held = np.zeros(len(documents), dtype=bool)
    if validation is None and reading.patience is not None and len(documents) >= FEWEST_ROWS:
        held = _drawn(examples, reading.seed)
        report.note(
            say(
                f"{int(held.sum())} of {len(held)} rows are held out for early stopping; patience=None uses them all",
                f"从 {len(held)} 行中留出 {int(held.sum())} 行用于早停；设 patience=None 则全部用于训练",
            )
        )
    learned = np.flatnonzero(~held).tolist()
    vocabulary, coverage = reading.vocabulary, {}
    if vocabulary is None and reading.vectors is not None:
        counts = Counter(token for row in learned for token in documents[row])
        coverage = pretrained_vectors.coverage(reading.vectors, counts)
        report.note(pretrained_vectors.said(coverage))
        pretrained_vectors.check_coverage(reading.vectors, coverage, reading.min_coverage)
        more = _usable(reading.vectors.words[: reading.extra_words], tokenizer)
        vocabulary = _vocabulary(counts, reading.min_count, reading.vectors, more)
    elif vocabulary is None:
        vocabulary = Vocabulary.build((documents[row] for row in learned), min_count=reading.min_count)
    longest = LONGEST if reading.longest is None else min(LONGEST, reading.longest)
    long = sum(len(documents[row]) > longest for row in learned)
    if long:
        report.note(
            say(
                f"{'1 text' if long == 1 else f'{long:,} texts'} of more than {longest:,} tokens: learned from in pieces",
                f"{long} 条文本超过 {longest:,} 个词，将分段学习",
            )
        )
    ids = [vocabulary.ids(document) for document in documents]
    everything = reading.longest or max(map(len, documents)) + 1
    listened: Corpus | None = None
    if held.any():
        listened = _some(examples, ids, np.flatnonzero(held), len(vocabulary), everything, 0.0)
    if validation is not None:
        listened = _given(validation, tokenizer, vocabulary, examples, everything)
    corpus = _some(examples, ids, np.flatnonzero(~held), len(vocabulary), longest, reading.smoothing)
    return Corpora(vocabulary, corpus, listened, coverage)


def pieces(ids: list[int], longest: int) -> list[list[int]]:
    """The ids in pieces of at most ``longest``; those of an empty text are one empty piece."""
    return [ids[start : start + longest] for start in range(0, max(1, len(ids)), longest)]


def _usable(words: Sequence[str], tokenizer: Tokenizer) -> list[str]:
    """The words that a tokenizer can ever make: ``Apple`` is none where all is in lower case."""
    return [word for word in words if tokenizer.tokens(word) == [word]]


def _vocabulary(counts: Counter[str], min_count: int, vectors: WordVectors, extra: Sequence[str]) -> Vocabulary:
    """As ``Vocabulary.build``, and behind the tokens of the text, words that it lacks and the vectors have."""
    specials = (PADDING, UNKNOWN)
    kept = [
        (token, count)
        for token, count in counts.items()
        if token not in specials and (count >= min_count or token in vectors.rows)
    ]
    kept.sort(key=lambda entry: (-entry[1], entry[0]))
    known = {*specials, *counts}
    more = [word for word in extra if word not in known]
    numbers = [0, 0, *(count for _, count in kept), *[0] * len(more)]
    return Vocabulary([*specials, *(token for token, _ in kept), *more], specials=2, counts=numbers)


def _some(
    examples: classify.Examples,
    ids: Sequence[list[int]],
    rows: NDArray[np.int64],
    vocabulary: int,
    longest: int,
    smoothing: float,
) -> Corpus:
    """Some rows as a corpus; the pieces of a long text share its weight."""
    cut = [(row, piece) for row in rows.tolist() for piece in pieces(ids[row], longest)]
    origins = np.array([row for row, _ in cut], dtype=np.int64)
    shares = np.bincount(origins, minlength=len(ids))[origins]  # pieces of the same text
    weights = examples.weights[origins] / shares
    sequences = [piece for _, piece in cut]
    if examples.kind == "one" and not smoothing:
        return Corpus(sequences, vocabulary, examples.targets[origins], weights)
    goals = Goals(
        examples.starts,
        examples.labels,
        examples.shares,
        len(examples.classes),
        several=examples.kind == "several",
        smoothing=smoothing,
    )
    return Corpus(sequences, vocabulary, None, weights, goals.chosen(origins))


def _drawn(examples: classify.Examples, seed: int) -> NDArray[np.bool_]:
    """True for a tenth of the rows of each class; a class of fewer than ten rows keeps them all.

    Where a text has shares of labels or several of them: for a tenth of all rows.
    """
    generator = np.random.default_rng([seed, 1])
    held = np.zeros(len(examples), dtype=bool)
    if examples.kind != "one":
        held[generator.permutation(len(held))[: int(len(held) * SHARE)]] = True
        return held
    for number in range(int(examples.targets.max()) + 1):
        rows = np.flatnonzero(examples.targets == number)
        held[generator.permutation(rows)[: int(len(rows) * SHARE)]] = True
    return held


# ---- validation data that was given ------------------------------------------------------------------------------


def _given(
    validation: Any, tokenizer: Tokenizer, vocabulary: Vocabulary, examples: classify.Examples, longest: int
) -> Corpus | None:
    if not (isinstance(validation, tuple | list) and len(validation) == 2):
        raise UsageError(
            "bad-validation",
            say("validation must be a pair (X, y)", "validation 应为一对 (X, y)"),
            help="fit(X, y, validation=(X_dev, y_dev))",
        )
    documents = classify.documents(validation[0])
    labels = validation[1].tolist() if hasattr(validation[1], "tolist") else list(validation[1])
    if len(labels) != len(documents):
        raise UsageError(
            "bad-validation",
            say(
                f"validation: {len(documents)} texts but {len(labels)} labels",
                f"validation：{len(documents)} 条文本，却有 {len(labels)} 个标签",
            ),
        )
    if not documents:
        return None
    _check_kind(labels, examples)
    ids = [vocabulary.ids(tokens) for tokens in token_lists(tokenizer, documents)]
    cut = [(row, piece) for row, text in enumerate(ids) for piece in pieces(text, longest)]
    origins = np.array([row for row, _ in cut], dtype=np.int64)
    sequences = [piece for _, piece in cut]
    numbers = {str(label): number for number, label in enumerate(examples.classes.tolist())}
    if examples.kind == "one":
        targets = np.array([numbers.get(str(label), -1) for label in labels], dtype=np.int64)
        return Corpus(sequences, len(vocabulary), targets[origins])
    goals = _goals(labels, numbers, several=examples.kind == "several")
    return Corpus(sequences, len(vocabulary), None, None, goals.chosen(origins))


def _check_kind(labels: list[Any], examples: classify.Examples) -> None:
    """One label counts as a share of 1 and as a set of one; what says more than the training's targets is refused."""
    kind = classify.kind_of(labels)
    if kind not in ("one", examples.kind):
        raise UsageError(
            "bad-validation",
            say(
                "validation: the targets are of another kind than those of the training",
                "validation：目标的类型与训练数据不同",
            ),
            help="fit(X, y, validation=(X_dev, y_dev))",
        )


def _goals(labels: list[Any], numbers: dict[str, int], *, several: bool) -> Goals:
    found: list[dict[int, float]] = []
    missing = 0
    for target in labels:
        shares = target if isinstance(target, dict) else dict.fromkeys(_listed(target), 1.0)
        total = 1.0 if several else sum(shares.values()) or 1.0
        mine: dict[int, float] = {}
        for label, share in shares.items():
            number = numbers.get(str(label))
            if number is None:
                missing += 1
            elif share > 0:
                mine[number] = mine.get(number, 0.0) + share / total
        found.append(mine)
    starts = np.concatenate([[0], np.cumsum([len(mine) for mine in found])]).astype(np.int64)
    places = np.array([number for mine in found for number in sorted(mine)], dtype=np.int64)
    parts = np.array([mine[number] for mine in found for number in sorted(mine)], dtype=np.float64)
    return Goals(starts, places, np.minimum(parts, 1.0), len(numbers), several=several, missing=missing)


def _listed(target: Any) -> list[Any]:
    if isinstance(target, list | tuple | set | frozenset | np.ndarray):
        return list(target.tolist() if hasattr(target, "tolist") else target)
    return [target]
