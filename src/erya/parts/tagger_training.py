"""One training of a network that tags: sentences to numbers, first weights, epochs."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.errors import UsageError
from erya.language import say
from erya.parts import pretrained_vectors
from erya.parts.epochs import learn, plan_of
from erya.parts.network_training import begin_with
from erya.parts.pretrained_vectors import WordVectors
from erya.parts.tag_batches import LONGEST, LONGEST_LEARNED, TagCorpus
from erya.parts.tagger_answers import Judge
from erya.parts.tagger_state import Learned
from erya.parts.token_units import Lexicon, with_lower_case, word_counts
from erya.progress import Report
from erya.tasks import tag
from erya.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from erya.parts.network_tagger import NetworkTagger

SHARE = 0.1  # of the training sentences is held out for early stopping
FEWEST = 100  # of fewer sentences a tenth says nothing


def trained(
    model: NetworkTagger,
    examples: tag.Examples,
    tokenizer: Tokenizer,
    validation: Any,
    report: Report,
    before: Learned | None,
    given: WordVectors | None,
) -> Learned:
    """Learn from examples; the model's settings are checked, and nothing of the model is changed.

    Args:
        model: whose settings and network.
        examples: what from.
        tokenizer: cuts the texts of ``validation``.
        validation: as in ``fit``.
        report: told how it goes.
        before: what to go on from; None: from the beginning.
        given: word vectors to begin with.
    """
    learned, held = _parted(model, examples, validation, report)
    sentences = [examples.sentences[row] for row in learned.tolist()]
    coverage: dict[str, float] = {} if before is None else before.coverage
    if before is not None:
        lexicon, dim, network = before.lexicon, before.dim, copy.deepcopy(before.network)
    else:
        if given is not None:
            given, coverage = _covered(model, sentences, given, report)
        lexicon, dim = _lexicon(model, sentences, given), model.default_dim
        dim = model.dim or dim if given is None else pretrained_vectors.width(given, model.dim)
        network = model._built(
            lexicon, dim, examples.classes, examples.scheme, torch.Generator().manual_seed(model.seed)
        )
        if given is not None:
            begin_with(network.embedding, given, lexicon.words)
    network.embedding.requires_grad_(model.vectors_mode != "static")
    corpus = _corpus(examples, learned, lexicon, model.word_dropout, LONGEST_LEARNED)
    listened = _corpus(examples, held, lexicon) if len(held) else _given(examples, validation, tokenizer, lexicon)
    judge = Judge(examples.classes, examples.scheme)
    curve = learn(network, corpus, listened, plan_of(model, len(examples.classes)), report, judge)
    data_scheme = examples.data_scheme if before is None else before.data_scheme
    return Learned(network, lexicon, tokenizer, examples.classes, examples.scheme, data_scheme, dim, coverage, curve)


def _parted(
    model: NetworkTagger, examples: tag.Examples, validation: Any, report: Report
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sentences that are learned from and those that are held out, in their order."""
    rows = np.arange(len(examples))
    if validation is not None or model.patience is None or len(rows) < FEWEST:
        return rows, rows[:0]
    held = np.zeros(len(rows), dtype=bool)
    held[np.random.default_rng([model.seed, 1]).permutation(rows)[: int(len(rows) * SHARE)]] = True
    report.note(
        say(
            f"{int(held.sum()):,} of {len(rows):,} sentences are held out for early stopping; patience=None uses them all",
            f"从 {len(rows):,} 个句子中留出 {int(held.sum()):,} 个用于早停；设 patience=None 则全部用于训练",
        )
    )
    return rows[~held], rows[held]


def _covered(
    model: NetworkTagger, sentences: list[Any], given: WordVectors, report: Report
) -> tuple[WordVectors, dict[str, float]]:
    """The vectors, found in lower case too, and what they know of the text: said, and an error where it is too little."""
    counts = word_counts(sentences, lower_case=model.lower_case)
    given = with_lower_case(given, counts)
    coverage = pretrained_vectors.coverage(given, counts)
    report.note(pretrained_vectors.said(coverage))
    pretrained_vectors.check_coverage(given, coverage, float(model.min_coverage))
    return given, coverage


def _lexicon(model: NetworkTagger, sentences: list[Any], given: WordVectors | None) -> Lexicon:
    return Lexicon.of(
        sentences,
        min_count=model.min_count,
        lower_case=model.lower_case,
        paired=model.pair_dim > 0,
        spelled=model.characters != "none",
        vectors=given,
        extra_words=model.extra_words,
    )


def _corpus(
    examples: tag.Examples,
    rows: NDArray[np.int64],
    lexicon: Lexicon,
    word_dropout: float = 0.0,
    longest: int = LONGEST,
) -> TagCorpus:
    """Some of the sentences."""
    starts = examples.starts
    tags = [examples.tags[starts[row] : starts[row + 1]] for row in rows.tolist()]
    sentences = [examples.sentences[row] for row in rows.tolist()]
    return TagCorpus(sentences, lexicon, np.concatenate(tags), examples.weights[rows], float(word_dropout), longest)


def _given(examples: tag.Examples, validation: Any, tokenizer: Tokenizer, lexicon: Lexicon) -> TagCorpus | None:
    """The validation sentences that were handed over."""
    if validation is None:
        return None
    if not (isinstance(validation, tuple | list) and len(validation) == 2):
        raise UsageError(
            "bad-validation",
            say("validation must be a pair (X, y)", "validation 应为一对 (X, y)"),
            help="fit(X, y, validation=(X_dev, y_dev))",
        )
    if not len(validation[0]):
        return None
    found = tag.examples(*validation, tokenizer=tokenizer, scheme=examples.scheme, classes=examples.classes)
    return TagCorpus(found.sentences, lexicon, found.tags)
