"""What a network that tags answers to sentences, in groups that bound the memory, and how good that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.parts.tag_batches import TagCorpus
from erya.parts.token_units import Lexicon
from erya.tasks import tag

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SENTENCES_AT_ONCE = 256
TOKENS_AT_ONCE = 16_384  # padding counted
TOKENS_A_GROUP = 262_144  # whose scores are kept together


def emissions(network: Any, corpus: TagCorpus) -> Floats:
    """(L, C) in the order of the corpus, computed in batches of like length."""
    found = np.zeros((int(corpus.starts[-1]), network.body.classes))
    with torch.no_grad():
        for batch in corpus.in_order(SENTENCES_AT_ONCE, TOKENS_AT_ONCE):
            found[batch.tokens] = network(batch).double().numpy()
    return found


def groups(sentences: Sequence[Sequence[str]], lexicon: Lexicon) -> Iterator[TagCorpus]:
    """Sentences one group after the other, of no more than ``TOKENS_A_GROUP`` tokens unless a sentence is longer."""
    begin = tokens = 0
    for place, sentence in enumerate(sentences):
        if tokens and tokens + len(sentence) > TOKENS_A_GROUP:
            yield TagCorpus(sentences[begin:place], lexicon)
            begin, tokens = place, 0
        tokens += len(sentence)
    if begin < len(sentences):
        yield TagCorpus(sentences[begin:], lexicon)


def paths(network: Any, sentences: Sequence[Sequence[str]], lexicon: Lexicon) -> Ints:
    """(L,) the answered tags, one sentence after the other."""
    found = [network.decoded(emissions(network, group), group.starts) for group in groups(sentences, lexicon)]
    return np.concatenate([np.zeros(0, dtype=np.int64), *found])


def marginals(network: Any, sentences: Sequence[Sequence[str]], lexicon: Lexicon) -> list[Floats]:
    """N arrays (T, C)."""
    found: list[Floats] = []
    for group in groups(sentences, lexicon):
        shares = network.marginals(emissions(network, group), group.starts)
        found += [shares[low:high] for low, high in zip(group.starts[:-1], group.starts[1:], strict=True)]
    return found


class Judge:
    """Scores for early stopping: strict span F1 where tags tell spans, accuracy, and the loss in nats a token.

    Args:
        classes: (C,) tags.
        scheme: that they are in.
    """

    def __init__(self, classes: NDArray[Any], scheme: str) -> None:
        self._names = [
            *classes.tolist(),
            "?" if scheme == "none" else "B-?",
        ]  # the last one: a tag that training never showed
        self._spans = scheme != "none"

    def __call__(self, network: Any, listened: TagCorpus) -> dict[str, float]:
        """``validation_f1`` (unless tags tell no spans), ``validation_accuracy`` and ``validation_loss``, the latter of the sentences
        whose tags were all seen in training.
        """
        assert listened.tags is not None
        scores, starts, tags = emissions(network, listened), listened.starts, listened.tags
        answered = network.decoded(scores, starts)
        known = np.add.reduceat(tags < 0, starts[:-1]) == 0 if len(starts) > 1 else np.zeros(0, dtype=bool)
        losses = network.losses(scores, starts, np.maximum(tags, 0))[known]
        found = {
            "validation_accuracy": float((answered == tags).mean()),
            "validation_loss": float(losses.sum() / max(1, np.diff(starts)[known].sum())),
        }
        if self._spans:
            found = {"validation_f1": tag.headline(self._lists(tags, starts), self._lists(answered, starts)), **found}
        return found

    def _lists(self, tags: Ints, starts: Ints) -> list[list[str]]:
        names = [self._names[place] for place in tags.tolist()]
        return [names[low:high] for low, high in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)]
