"""A bidirectional LSTM whose states are averaged by attention: what each token weighs is learned.

Zhou et al. 2016, "Attention-Based Bidirectional Long Short-Term Memory Networks for Relation Classification", equations 2–12. How the
LSTM is read is in ``parts/recurrent_layers.py``, its equations are in ``parts/lstm_cell.py``. Not here: several layers, text, files, the
training loop; the paper's marks around the two things whose relation is asked for.

    h_t = →h_t + ←h_t                  both readers' states at token t, added
    α   = softmax_t(w · tanh(h_t))     what each token weighs; they sum to 1 over the text
    r   = Σ_t α_t h_t                  their average
    z   = tanh(r)
    y   = z U + a

    symbol    name                     shape           what
    x         vectors                  (U, D)          word vectors of the batch's distinct tokens
    W W' b    input recurrent bias     (D, 2, 4H) (2, H, 4H) (2, 4H)    of both readers, blocks i f o g
    h         states                   (B, T, H)
    w         question                 (H,)
    α         weights                  (B, T)
    z         features                 (B, H)
    U, a      output, output_bias      (H, C) (C,)

Shapes: B texts, T tokens, U distinct tokens in the batch, V vocabulary, D word vector, H hidden width, C classes.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from erya.parts.attention import real_places
from erya.parts.attention_pooling import pooled
from erya.parts.dropout import dropout
from erya.parts.lstm_cell import LSTMCell
from erya.parts.network_loss import mean_loss
from erya.parts.recurrent_layers import Reading, read
from erya.parts.token_batches import TokenBatch


class AttentionLSTM(nn.Module):
    """Word vectors → two readers, added → attention → classes.

    Args:
        vocabulary: V; id 0 is padding.
        dim: D.
        hidden_width: H, of each reader.
        classes: C.
        dropout_rate: share of the word vectors' numbers, of the readers' states and of the features dropped while learning.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(
        self,
        vocabulary: int,
        dim: int,
        hidden_width: int,
        classes: int,
        dropout_rate: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.dropout_rate = dropout_rate
        self.embedding = nn.Parameter(torch.zeros(vocabulary, dim))
        self.input = nn.Parameter(torch.zeros(dim, 2, 4 * hidden_width))
        self.recurrent = nn.Parameter(torch.zeros(2, hidden_width, 4 * hidden_width))
        self.bias = nn.Parameter(torch.zeros(2, 4 * hidden_width))
        self.question = nn.Parameter(torch.zeros(hidden_width))
        self.output = nn.Parameter(torch.zeros(hidden_width, classes))
        self.output_bias = nn.Parameter(torch.zeros(classes))
        if generator is not None:
            self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Weights that keep the signal's variance; forget gates that begin open; a question that prefers nobody much."""
        dim, hidden_width = self.embedding.shape[1], len(self.question)
        self.embedding[1:].normal_(0, 0.1, generator=generator)
        self.input.normal_(0, dim**-0.5, generator=generator)
        self.recurrent.normal_(0, hidden_width**-0.5, generator=generator)
        self.bias[:, hidden_width : 2 * hidden_width] = 1  # Jozefowicz et al. 2015
        self.question.normal_(0, hidden_width**-0.5, generator=generator)
        self.output.normal_(0, hidden_width**-0.5, generator=generator)

    def loss(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The mean loss of the batch, see ``network_loss.py``. With a generator, dropout is on."""
        return mean_loss(self(batch, generator), batch)

    def forward(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits (B, C)."""
        average, _ = self.averaged(self.states(batch, generator), batch.lengths)
        features = dropout(torch.tanh(average), self.dropout_rate, generator)  # z (B, H)
        return features @ self.output + self.output_bias

    def states(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """States h (B, T, H); zeros beyond a text's end."""
        vectors = functional.embedding(batch.tokens, self.embedding, padding_idx=0, sparse=True)  # (U, D)
        vectors = dropout(vectors, self.dropout_rate, generator)
        reading = Reading.of(batch.lengths, readers=2)
        if not reading.counts:
            return vectors.new_zeros(*batch.places.shape, len(self.question))
        packed = read(LSTMCell(), vectors, batch.places, reading, (self.input, self.recurrent, self.bias))
        forward, backward = reading.padded(packed).chunk(2, dim=-1)  # (B, T, H) each
        return dropout(forward + backward, self.dropout_rate, generator)

    def averaged(self, states: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The average r (B, H) and the weights α (B, T) of states (B, T, H); zeros for a text without tokens."""
        scores = torch.tanh(states) @ self.question  # (B, T)
        return pooled(states, scores, real_places(lengths, states.shape[1]))
