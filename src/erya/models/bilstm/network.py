"""A bidirectional LSTM that tags: every token is answered by itself, with a softmax over the tags.

The LSTM as in Hochreiter & Schmidhuber 1997, two directions as in Graves & Schmidhuber 2005; for parts of speech Wang et al.
2015 and Plank, Søgaard & Goldberg 2016. The body – words, characters, readers – is ``parts/tagging_network.py``.

    p(y_t | x) = softmax(e_t)[y_t]          p(y | x) = Π_t p(y_t | x)

Each token's reader states know the whole sentence, but the answers do not know one another: nothing keeps I-PER from following
B-LOC. That is what ``bilstm_crf`` mends. Not here: text, files, the training loop.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from erya.parts.answer_shares import log_softmax, probabilities
from erya.parts.tag_batches import TagBatch
from erya.parts.tagging_network import TaggingNetwork

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SoftmaxTagger(TaggingNetwork):
    """The emissions (M, C) are logits, and that is all."""

    def loss(self, batch: TagBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """−Σ ln p(y_t) of each sentence; the mean over B sentences, weighted. With a generator, dropout is on."""
        assert batch.tags is not None
        assert batch.weights is not None
        costs = torch.nn.functional.cross_entropy(
            self(batch, generator), torch.from_numpy(batch.tags), reduction="none"
        )  # (M,)
        weights = np.repeat(batch.weights, np.diff(batch.starts)).astype(np.float32)
        return (costs * torch.from_numpy(weights)).sum() / len(batch.lengths)

    def decoded(self, emissions: Floats, starts: Ints) -> Ints:
        """(L,) the most probable tag of each token."""
        best: Ints = emissions.argmax(axis=1)
        return best

    def marginals(self, emissions: Floats, starts: Ints) -> Floats:
        """(L, C) softmax of each row."""
        return probabilities(emissions)

    def losses(self, emissions: Floats, starts: Ints, tags: Ints) -> Floats:
        """(N,) −Σ ln p(y_t) of each sentence."""
        costs = -log_softmax(emissions)[np.arange(len(tags)), tags]
        totals = np.concatenate([[0.0], np.cumsum(costs)])
        return np.asarray(totals[starts[1:]] - totals[starts[:-1]])
