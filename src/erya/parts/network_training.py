"""One training of a network that classifies: texts to ids, first weights, epochs, thresholds."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.parts import label_thresholds
from erya.parts.answer_shares import independent
from erya.parts.epochs import learn, plan_of
from erya.parts.held_out import Corpora, Reading, corpora
from erya.parts.network_answers import logits
from erya.parts.network_state import Learned
from erya.parts.pretrained_vectors import WordVectors
from erya.parts.token_batches import Corpus, Goals
from erya.progress import Report
from erya.tasks import classify
from erya.text import tokenizers
from erya.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from erya.parts.network_classifier import NetworkClassifier


def trained(
    model: NetworkClassifier,
    examples: classify.Examples,
    validation: Any,
    report: Report,
    before: Learned | None,
    given: WordVectors | None,
    dim: int,
) -> Learned:
    """Learn from examples; the model's settings are checked, and nothing of the model is changed.

    Args:
        model: whose settings and network.
        examples: what from.
        validation: as in ``fit``.
        report: told how it goes.
        before: what to go on from; None: from the beginning.
        given: word vectors to begin with.
        dim: D; of ``before``, its own.
    """
    tokenizer = tokenizers.make(model.tokenizer) if before is None else before.tokenizer
    reading = Reading(
        min_count=model.min_count,
        patience=model.patience,
        seed=model.seed,
        smoothing=float(model.label_smoothing),
        longest=model.most_tokens,
        vocabulary=None if before is None else before.vocabulary,
        vectors=given,
        extra_words=model.extra_words,
        min_coverage=float(model.min_coverage),
    )
    found = corpora(examples, validation, tokenizer, reading, report)
    network = (
        _first(model, found, len(examples.classes), given, dim) if before is None else copy.deepcopy(before.network)
    )
    for name, moves in model._tables().items():
        getattr(network, name).requires_grad_(moves)
    plan = plan_of(model, len(examples.classes))
    curve = learn(network, found.learned, found.listened, plan, report)
    thresholds = _thresholds(network, found.listened, examples, before)
    return Learned(
        network,
        found.vocabulary,
        tokenizer,
        examples.classes,
        examples.kind == "several",
        thresholds,
        dim if before is None else before.dim,
        found.coverage if before is None else before.coverage,
        curve,
    )


def _first(model: NetworkClassifier, found: Corpora, classes: int, given: WordVectors | None, dim: int) -> Any:
    """A network with its first weights."""
    generator = torch.Generator().manual_seed(model.seed)
    network: Any = model._network(len(found.vocabulary), dim, classes, generator)
    model._introduce(network, found.vocabulary)
    if found.learned.goals is not None and found.learned.goals.several and hasattr(network, "output_bias"):
        begin_seldom(network.output_bias, found.learned.goals)
    if given is not None:
        for name in model._tables():
            begin_with(getattr(network, name), given, found.vocabulary)
    return network


@torch.no_grad()
def begin_seldom(bias: torch.Tensor, goals: Goals) -> None:
    """Set the output's biases (C,) so that each label begins as probable as it is frequent.

    Else a network of hundreds of labels answers each of them with 1/2 at first, and spends its first epochs on unlearning that
    (Lin et al. 2017, "Focal loss", section 3.3). One row in doubt keeps the logarithm finite.
    """
    counts = np.bincount(goals.labels, weights=goals.shares, minlength=goals.classes)
    frequent = (counts + 0.5) / (len(goals) + 1)
    bias.copy_(torch.from_numpy(np.log(frequent / (1 - frequent))))


@torch.no_grad()
def begin_with(table: torch.Tensor, given: WordVectors, vocabulary: Vocabulary) -> None:
    """Put vectors into a table (V, D) of random rows.

    Rows of words that have no vector are stretched to the variance of those that have, as Kim 2014 does (section 3.1): the
    network cannot tell from the length which is which.
    """
    ids, vectors = given.table(vocabulary)
    if not len(ids):
        return
    random = np.setdiff1d(np.arange(1, len(vocabulary)), ids)
    spread = float(table[random].std()) if len(random) and table.shape[1] > 1 else 0.0
    if spread > 0:
        table[random] *= float(vectors.std()) / spread
    table[ids] = torch.from_numpy(vectors)


def _thresholds(
    network: Any, listened: Corpus | None, examples: classify.Examples, before: Learned | None
) -> NDArray[np.float64]:
    """(C,) from the held-out texts; where there are none, as they were, or 0.5. (0,) of one label a text."""
    if examples.kind != "several":
        return np.zeros(0)
    if listened is None or listened.goals is None:
        return np.full(len(examples.classes), label_thresholds.DEFAULT) if before is None else before.thresholds
    goals = listened.goals
    found = independent(logits(network, listened, len(examples.classes)))
    return label_thresholds.drawn_together(found, goals.starts, goals.labels)
