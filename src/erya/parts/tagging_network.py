"""The body of a network that tags: what is known of each token → readers from both ends → a score for every tag.

Collobert et al. 2011, "Natural Language Processing (Almost) from Scratch"; with LSTMs Huang, Xu & Yu 2015, with characters
Lample et al. 2016 and Ma & Hovy 2016. Whether the scores of neighbouring tokens are weighed together is the rooms' matter:
each gives the body its ``loss`` and says what the scores decide.

    symbol   name                shape          what
    w        embedding           (V, D)         word vectors
    a        letters             (A, E)         vectors of characters → ``characters`` features a word, see character_layers.py
    s        case_embedding      (9, 8)         what the capitals say
    n        pair_embedding      (P, N)         vectors of a token with its right neighbour
    x        features            (U, I)         these four side by side, for each of the batch's U units
    h        hidden              (M, 2H)        states of both readers of the last layer, at each of M tokens
    e        emissions           (M, C)         h ``output`` + ``output_bias``

While learning, the same numbers are dropped at all tokens of a sentence; when answering, what a unit says to the first layer is
worked out once. Not here: text, files, the training loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from erya.parts.character_layers import convolved, spelled_out
from erya.parts.dropout import dropout
from erya.parts.lstm_cell import LSTMCell
from erya.parts.recurrent_layers import Reading, read
from erya.parts.tag_batches import TagBatch
from erya.parts.token_units import CASES
from erya.tasks.tag import Allowed

CASE_DIM = 8
UNKNOWN_WORD = 1
SPELLINGS = ("cnn", "lstm", "none")
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Body:
    """The sizes of a network.

    Attributes:
        words: V.
        dim: D.
        classes: C.
        hidden_width: H, of each reader.
        layers: of readers, one above the other.
        spelling: ``"cnn"``, ``"lstm"`` or ``"none"``: how characters are read.
        letters: A.
        character_dim: E.
        character_width: filters, or the units of both readers together.
        character_window: k, letters that a filter sees.
        case_features: whether the capitals are told.
        pairs: P.
        pair_dim: N; 0: pairs are not read.
        dropout: share of numbers dropped while learning.
        optimizer: that it wants, see ``epochs.py``.
        rules: which sequences of tags are sound.
    """

    words: int
    dim: int
    classes: int
    hidden_width: int
    layers: int
    spelling: str
    letters: int
    character_dim: int
    character_width: int
    character_window: int
    case_features: bool
    pairs: int
    pair_dim: int
    dropout: float
    optimizer: str
    rules: Allowed


class TaggingNetwork(nn.Module):
    """A room's network adds ``loss``, ``decoded``, ``marginals`` and ``losses``.

    Args:
        body: its sizes.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(self, body: Body, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.body, self.optimizer, self.rules = body, body.optimizer, body.rules
        self.embedding = _zeros(body.words, body.dim)
        width = body.dim
        if body.spelling != "none":
            self.letters = _zeros(body.letters, body.character_dim)
            width += body.character_width
        if body.spelling == "cnn":
            self.filters = _zeros(body.character_window, body.character_dim, body.character_width)
            self.filter_bias = _zeros(body.character_width)
        if body.spelling == "lstm":
            self._layer("character_", body.character_dim, body.character_width // 2)
        if body.case_features:
            self.case_embedding = _zeros(len(CASES), CASE_DIM)
            width += CASE_DIM
        if body.pair_dim:
            self.pair_embedding = _zeros(body.pairs, body.pair_dim)
            width += body.pair_dim
        for layer in range(1, body.layers + 1):
            self._layer(f"layer{layer}_", width if layer == 1 else 2 * body.hidden_width, body.hidden_width)
        self.output = _zeros(2 * body.hidden_width, body.classes)
        self.output_bias = _zeros(body.classes)
        if generator is not None:
            self._start(generator)

    def _layer(self, prefix: str, into: int, units: int) -> None:
        """The weights of two readers: W (I, 2, 4H), W' (2, H, 4H), b (2, 4H)."""
        for name, shape in (
            ("input", (into, 2, 4 * units)),
            ("recurrent", (2, units, 4 * units)),
            ("bias", (2, 4 * units)),
        ):
            self.register_parameter(prefix + name, _zeros(*shape))

    def weights(self, prefix: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """W, W' and b of the readers ``layer1_``, ``layer2_`` …, or of those of the characters, ``character_``."""
        into, recurrent, bias = (getattr(self, prefix + name) for name in ("input", "recurrent", "bias"))
        return into, recurrent, bias

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Small random vectors, weights that keep the signal's variance, forget gates that begin open."""
        for name, weights in self.named_parameters():
            if name in ("embedding", "letters", "case_embedding", "pair_embedding"):
                weights[1:].normal_(0, 0.1, generator=generator)
            elif name.endswith("recurrent"):
                weights.normal_(0, weights.shape[1] ** -0.5, generator=generator)
            elif name.endswith("input") or name == "output":
                weights.normal_(0, len(weights) ** -0.5, generator=generator)
            elif name == "filters":
                weights.normal_(0, (weights.shape[0] * weights.shape[1]) ** -0.5, generator=generator)
            elif name.endswith("_bias") and weights.dim() == 2:
                units = weights.shape[1] // 4
                weights[:, units : 2 * units] = 1  # Jozefowicz et al. 2015: remember, until told otherwise

    # ---- scores ---------------------------------------------------------------------------------------------------

    def forward(self, batch: TagBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Emissions (M, C), one sentence after the other. With a generator, dropout is on."""
        return self.hidden(batch, generator) @ self.output + self.output_bias

    def hidden(self, batch: TagBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """What both readers of the last layer say at each token, (M, 2H)."""
        reading = Reading.of(batch.lengths, 2)
        found, places = self.features(batch, generator), batch.places  # (U, I), (B, T)
        if generator is not None:
            found, places = self._dropped(found[batch.flat_places], batch, generator), reading.numbers()  # (M, I)
        for layer in range(1, self.body.layers + 1):
            packed = read(LSTMCell(), found, places, reading, self.weights(f"layer{layer}_"))
            found, places = self._dropped(reading.in_text_order(packed), batch, generator), reading.numbers()  # (M, 2H)
        return found

    def _dropped(self, values: torch.Tensor, batch: TagBatch, generator: torch.Generator | None) -> torch.Tensor:
        """Values (M, I) with the same columns dropped at all tokens of a sentence (Gal & Ghahramani 2016)."""
        rate = self.body.dropout
        if generator is None or rate == 0:
            return values
        kept = dropout(values.new_ones(len(batch.lengths), values.shape[1]), rate, generator)  # (B, I)
        return values * kept.repeat_interleave(batch.lengths, dim=0)

    def features(self, batch: TagBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """What is known of each unit, (U, I). With a generator, rare words become unknown now and then."""
        words = batch.words
        if generator is not None:
            words = words.masked_fill(torch.rand(len(words), generator=generator) < batch.doubts, UNKNOWN_WORD)
        columns = [_rows(self.embedding, words)]
        if self.body.spelling == "cnn":
            columns.append(convolved(batch.characters, batch.sizes, self._letters(), self.filters, self.filter_bias))
        if self.body.spelling == "lstm":
            columns.append(spelled_out(batch.characters, batch.sizes, self._letters(), self.weights("character_")))
        if self.body.case_features:
            columns.append(self.case_embedding[batch.cases])
        if self.body.pair_dim:
            columns.append(_rows(self.pair_embedding, batch.pairs))
        return torch.cat(columns, dim=1)

    def _letters(self) -> torch.Tensor:
        """(A, E), the padding held at zero."""
        return torch.cat([torch.zeros_like(self.letters[:1]), self.letters[1:]])

    # ---- what a room writes ------------------------------------------------------------------------------------------

    def loss(self, batch: TagBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The number to bring down: the mean over the sentences, weighted, of what their true tags cost, in nats."""
        raise NotImplementedError

    def decoded(self, emissions: Floats, starts: Ints) -> Ints:
        """(L,) the answered tags.

        Args:
            emissions: (L, C) of N sentences, one after the other.
            starts: (N + 1,) where each begins.
        """
        raise NotImplementedError

    def marginals(self, emissions: Floats, starts: Ints) -> Floats:
        """(L, C) the probability of each tag at each token; rows sum to 1."""
        raise NotImplementedError

    def losses(self, emissions: Floats, starts: Ints, tags: Ints) -> Floats:
        """(N,) what the true tags (L,) cost, in nats."""
        raise NotImplementedError


def _zeros(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape))


def _rows(table: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """Rows of a table, (U, D). Its gradient is sparse and names each row once, as ``Adam`` wants it."""
    distinct, where = torch.unique(numbers, return_inverse=True)
    found: Any = functional.embedding(distinct, table, sparse=True)
    rows: torch.Tensor = found[where]
    return rows
