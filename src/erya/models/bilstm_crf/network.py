"""A bidirectional LSTM with a conditional random field on top: the tags of a sentence are chosen together.

Huang, Xu & Yu 2015, "Bidirectional LSTM-CRF Models for Sequence Tagging", equation 5; Lample et al. 2016, equations 1–3. The body –
words, characters, readers – is ``parts/tagging_network.py``, the algebra of paths ``parts/crf.py`` and, for
learning, ``parts/crf_torch.py``.

    s(x, y) = f[y_1] + Σ_t e_t[y_t] + Σ_t A[y_{t−1}, y_t] + l[y_T]        p(y | x) = exp s(x, y) / Σ over all paths exp s(x, y')

    A  transitions (C, C)  from a tag (row) to the next (column)
    f  first (C,)          score of beginning with a tag
    l  last (C,)           score of ending with it

When answering, paths that the tags' scheme forbids (I-PER behind B-LOC) are out of the question. Not here: text, files, the
training loop.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from erya.parts import crf, crf_torch
from erya.parts.tag_batches import TagBatch
from erya.parts.tagging_network import Body, TaggingNetwork

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class CRFTagger(TaggingNetwork):
    """The emissions (M, C) are scores of a chain.

    Args:
        body: its sizes, and which sequences of tags are sound.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(self, body: Body, generator: torch.Generator | None = None) -> None:
        super().__init__(body, generator)
        # all sequences begin equally likely
        self.transitions = nn.Parameter(torch.zeros(body.classes, body.classes))
        self.first = nn.Parameter(torch.zeros(body.classes))
        self.last = nn.Parameter(torch.zeros(body.classes))

    def loss(self, batch: TagBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """What the true path lacks, ln Z − s(x, y); the mean over B sentences, weighted. With a generator, dropout is on."""
        assert batch.tags is not None
        assert batch.weights is not None
        scores, chain = self(batch, generator), crf_torch.Chain(self.transitions, self.first, self.last)
        if not all(bool(torch.isfinite(part).all()) for part in (scores, *chain)):
            undefined: torch.Tensor = scores.sum() * torch.nan
            return undefined  # the training loop stops at that and says so
        return crf_torch.loss(scores, batch.starts, chain, batch.tags, weights=batch.weights) / len(batch.lengths)

    def chain(self) -> crf.Chain:
        """What was learned of neighbouring tags, held to the rules: broken only where they leave no path at all."""
        rules = self.rules
        scores = (weights.detach().double().numpy() for weights in (self.transitions, self.first, self.last))
        return crf.Chain(*scores).bent_to(rules.first, rules.following, rules.last)

    def decoded(self, emissions: Floats, starts: Ints) -> Ints:
        """(L,) the best path of each sentence."""
        return crf.viterbi(emissions, starts, self.chain())[0]

    def marginals(self, emissions: Floats, starts: Ints) -> Floats:
        """(L, C) the probability that the path leads through a tag."""
        return crf.posterior(emissions, starts, self.chain()).tags

    def losses(self, emissions: Floats, starts: Ints, tags: Ints) -> Floats:
        """(N,) ln Z − s(x, y) of each sentence."""
        chain = self.chain()
        return crf.log_partition(emissions, starts, chain) - crf.path_scores(emissions, starts, chain, tags)
