"""Training texts as ids, and the texts that early stopping listens to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError
from erya.language import say
from erya.parts.token_batches import Corpus
from erya.progress import Report
from erya.tasks import classify
from erya.text.tokenizers import Tokenizer, tokens_of
from erya.text.vocabulary import Vocabulary

SHARE = 0.1  # of the training rows
FEWEST_ROWS = 100  # of fewer rows a tenth says nothing
LONGEST = 16_384  # tokens; a longer text is learned from in several pieces of equal weight


def corpora(
    examples: classify.Examples,
    validation: Any,
    tokenizer: Tokenizer,
    *,
    min_count: int,
    patience: int | None,
    seed: int,
    report: Report,
) -> tuple[Vocabulary, Corpus, Corpus | None]:
    """The vocabulary, what is learned from, and what is listened to.

    Without ``validation``, where ``patience`` asks for early stopping and there are 100 rows or more, a tenth of each
    class's rows is held out of the training, drawn by ``seed``. The vocabulary knows only what is learned from.

    Raises:
        UsageError: ``validation`` is not ``(X, y)``.
    """
    documents = [tokens_of(tokenizer, document) for document in examples.documents]
    held = np.zeros(len(documents), dtype=bool)
    if validation is None and patience is not None and len(documents) >= FEWEST_ROWS:
        held = _drawn(examples.targets, seed)
        report.note(
            say(
                f"{int(held.sum())} of {len(held)} rows are held out for early stopping; patience=None uses them all",
                f"从 {len(held)} 行中留出 {int(held.sum())} 行用于早停；设 patience=None 则全部用于训练",
            )
        )
    learned = np.flatnonzero(~held).tolist()
    vocabulary = Vocabulary.build((documents[row] for row in learned), min_count=min_count)

    def some(rows: NDArray[np.int64], longest: int) -> Corpus:
        pieces = [(row, piece) for row in rows.tolist() for piece in _pieces(vocabulary.ids(documents[row]), longest)]
        origins = np.array([row for row, _ in pieces], dtype=np.int64)
        shares = np.bincount(origins, minlength=len(documents))[origins]  # pieces of the same text
        weights = examples.weights[origins] / shares
        return Corpus([piece for _, piece in pieces], len(vocabulary), examples.targets[origins], weights)

    long = sum(len(documents[row]) > LONGEST for row in learned)
    if long:
        report.note(
            say(
                f"{long} texts of more than {LONGEST:,} tokens are learned from in pieces",
                f"{long} 条文本超过 {LONGEST:,} 个词，将分段学习",
            )
        )
    everything = max(map(len, documents)) + 1
    listened: Corpus | None = some(np.flatnonzero(held), everything) if held.any() else None
    if validation is not None:
        listened = _given(validation, tokenizer, vocabulary, examples.classes)
    return vocabulary, some(np.flatnonzero(~held), LONGEST), listened


def _pieces(ids: list[int], longest: int) -> list[list[int]]:
    """The ids in pieces of at most ``longest``; those of an empty text are one empty piece."""
    return [ids[start : start + longest] for start in range(0, max(1, len(ids)), longest)]


def _drawn(targets: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """True for a tenth of the rows of each class; a class of fewer than ten rows keeps them all."""
    generator = np.random.default_rng([seed, 1])
    held = np.zeros(len(targets), dtype=bool)
    for number in range(int(targets.max()) + 1):
        rows = np.flatnonzero(targets == number)
        held[generator.permutation(rows)[: int(len(rows) * SHARE)]] = True
    return held


def _given(validation: Any, tokenizer: Tokenizer, vocabulary: Vocabulary, classes: classify.Labels) -> Corpus | None:
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
    numbers = {str(label): number for number, label in enumerate(classes.tolist())}
    targets = np.array([numbers.get(str(label), -1) for label in labels], dtype=np.int64)
    sequences = [vocabulary.ids(tokens_of(tokenizer, document)) for document in documents]
    return Corpus(sequences, len(vocabulary), targets)
