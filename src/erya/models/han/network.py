"""A hierarchical attention network: words make sentences, sentences make the document, and at both levels attention says what counts.

Yang et al. 2016, "Hierarchical Attention Networks for Document Classification", equations 1–11. The GRU is in ``parts/gru_cell.py``,
additive attention in ``parts/attention_pooling.py``, where sentences end in ``sentences.py``. Not here: how text becomes tokens, files,
the training loop.

    h_it = [→GRU; ←GRU](x_it)                   word t of sentence i, in the light of its sentence
    u_it = tanh(h_it W_w + b_w)
    α_it = softmax_t(u_it · u_w)                what the word weighs in its sentence
    s_i  = Σ_t α_it h_it                        the sentence
    h_i  = [→GRU; ←GRU](s_i)                    in the light of the document
    α_i  = softmax_i(tanh(h_i W_s + b_s) · u_s) what the sentence weighs
    v    = Σ_i α_i h_i                          the document
    y    = v U + a

    symbol        name                    shape                  what
    x             vectors                 (U, D)                 word vectors of the batch's distinct tokens
    GRU           words, sentences        see ``Reader``         two readers at each level
    W b u         attention.matrix …      (2H, I) (I,) (I,)      of either level
    s             vectors of sentences    (S, 2H)
    v             features                (B, 2H)
    U, a          output, output_bias     (2H, C) (C,)

A document of T tokens takes as many steps as its longest sentence has words and then as it has sentences, about 2√T where a flat
network takes T; the sentences of all documents are read side by side. Memory grows with the tokens: a sentence longer than ``most_words``
is read in pieces, so that padding is bounded.

Shapes: B texts, T tokens, S sentences of the whole batch, U distinct tokens, V vocabulary, D word vector, H hidden width, I attention
width, C classes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from erya.models.han.sentences import Sentences, split
from erya.parts.attention import real_places
from erya.parts.attention_pooling import AdditiveAttention, pooled
from erya.parts.dropout import dropout
from erya.parts.gru_cell import GRUCell
from erya.parts.network_loss import mean_loss
from erya.parts.recurrent_layers import Reading, read
from erya.parts.token_batches import TokenBatch


class Form(NamedTuple):
    """What the network looks like.

    Attributes:
        hidden_width: H, of each reader.
        attention_width: I.
        most_words: of a sentence.
        dropout: share of the word vectors' numbers, of the sentence vectors and of the features dropped while learning.
        word_dropout: share of the batch's distinct tokens whose vector is dropped whole, while learning.
    """

    hidden_width: int
    attention_width: int
    most_words: int
    dropout: float = 0.0
    word_dropout: float = 0.0


class Weighed(NamedTuple):
    """Sequences as one vector each.

    Attributes:
        vectors: (N, 2H).
        weights: (N, T) what each element weighed; 0 in the padding.
    """

    vectors: torch.Tensor
    weights: torch.Tensor


class Reader(nn.Module):
    """Two GRUs and attention over what they say: N sequences of vectors to N vectors. Used for words and for sentences."""

    def __init__(self, width: int, form: Form, generator: torch.Generator | None = None) -> None:
        super().__init__()
        hidden_width = form.hidden_width
        self.input = nn.Parameter(torch.zeros(width, 2, 3 * hidden_width))
        self.recurrent = nn.Parameter(torch.zeros(2, hidden_width, 3 * hidden_width))
        self.bias = nn.Parameter(torch.zeros(2, 3 * hidden_width))
        self.attention = AdditiveAttention(2 * hidden_width, form.attention_width, generator)
        if generator is not None:
            with torch.no_grad():
                self.input.normal_(0, width**-0.5, generator=generator)
                self.recurrent.normal_(0, hidden_width**-0.5, generator=generator)

    def forward(self, table: torch.Tensor, places: torch.Tensor, lengths: torch.Tensor) -> Weighed:
        """One vector and the weights of each of N sequences; zeros of an empty one.

        Args:
            table: (M, width) vectors.
            places: (N, T) where in the table each element stands; anything in the padding.
            lengths: (N,) of each sequence, in any order.
        """
        order = torch.argsort(lengths, descending=True, stable=True)
        back = torch.argsort(order)
        reading = Reading.of(lengths[order], readers=2)
        if not reading.counts:
            return Weighed(table.new_zeros(len(lengths), 2 * self.recurrent.shape[1]), table.new_zeros(places.shape))
        packed = read(GRUCell(), table, places[order], reading, (self.input, self.recurrent, self.bias))
        states = reading.padded(packed)  # (N, T, 2H)
        found, weights = pooled(states, self.attention(states), real_places(reading.lengths, states.shape[1]))
        return Weighed(found[back], weights[back])


class HierarchicalAttention(nn.Module):
    """Word vectors → sentences → document → classes.

    Args:
        vocabulary: V; id 0 is padding.
        dim: D.
        classes: C.
        form: see ``Form``.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    of_tokens = ("kinds",)  # what is known of each token besides its vector: integrated gradients keep it

    def __init__(
        self, vocabulary: int, dim: int, classes: int, form: Form, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.form = form
        self.embedding = nn.Parameter(torch.zeros(vocabulary, dim))
        self.kinds = nn.Parameter(
            torch.zeros(vocabulary), requires_grad=False
        )  # see ``sentences.kinds``; never learned
        self.words = Reader(dim, form, generator)
        self.sentences = Reader(2 * form.hidden_width, form, generator)
        self.output = nn.Parameter(torch.zeros(2 * form.hidden_width, classes))
        self.output_bias = nn.Parameter(torch.zeros(classes))
        if generator is not None:
            with torch.no_grad():
                self.embedding[1:].normal_(0, 0.1, generator=generator)
                self.output.normal_(0, len(self.output) ** -0.5, generator=generator)

    @torch.no_grad()
    def know_sentences(self, kinds: NDArray[np.float32]) -> None:
        """Take which tokens end a sentence, (V,), see ``sentences.kinds``."""
        self.kinds.copy_(torch.from_numpy(kinds))

    def loss(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The mean loss of the batch, see ``network_loss.py``. With a generator, dropout is on."""
        return mean_loss(self(batch, generator), batch)

    def forward(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits (B, C)."""
        _, documents = self.weighed(batch, self.split(batch), generator)
        features = dropout(documents.vectors, self.form.dropout, generator)  # (B, 2H)
        return features @ self.output + self.output_bias

    def split(self, batch: TokenBatch) -> Sentences:
        """The sentences of the batch."""
        kinds = self.kinds[batch.tokens][batch.places]  # (B, T)
        return split(kinds, real_places(batch.lengths, batch.places.shape[1]), self.form.most_words)

    def weighed(
        self, batch: TokenBatch, sentences: Sentences, generator: torch.Generator | None = None
    ) -> tuple[Weighed, Weighed]:
        """As vectors with their weights: S sentences of words, B documents of sentences."""
        vectors = functional.embedding(batch.tokens, self.embedding, padding_idx=0, sparse=True)  # (U, D)
        vectors = dropout(vectors, self.form.dropout, generator)
        if generator is not None and self.form.word_dropout:
            kept = torch.rand(len(vectors), 1, generator=generator, dtype=vectors.dtype) >= self.form.word_dropout
            vectors = vectors * kept
        steps = torch.arange(int(sentences.length.max()) if len(sentences.length) else 0)
        inside = steps < sentences.length[:, None]  # (S, W)
        where = torch.where(inside, sentences.start[:, None] + steps, 0)
        words = self.words(vectors, batch.places[sentences.text[:, None], where], sentences.length)
        # the sentences of a text stand side by side, so a document is a range of them
        counts = torch.bincount(sentences.text, minlength=len(batch.lengths))  # (B,)
        steps = torch.arange(int(counts.max()) if len(counts) else 0)
        first = (counts.cumsum(0) - counts)[:, None]
        numbers = torch.where(steps < counts[:, None], first + steps, 0)  # (B, sentences of the longest)
        said = dropout(words.vectors, self.form.dropout, generator)  # (S, 2H)
        return words, self.sentences(said, numbers, counts)
