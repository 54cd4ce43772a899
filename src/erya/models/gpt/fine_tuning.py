"""A GPT that classifies: one matrix more, on the state of a text's last unit; the language model goes on learning beside it.

Radford et al. 2018, sections 3.2 and 3.3: of labelled texts x₁ … x_m with label y

    h   = the decoder's state behind x_m, see ``network.py``
    y   = h U + a
    L   = L_classify + λ L_language          λ = 0.5 in the paper

L_language is what each unit of the same texts, and their ends, cost the decoder: it keeps what was learned before, and on few texts it
is most of what there is to learn from. Not here: the delimiters of questions of several parts, but for one between two texts.

    symbol    name                 shape
    h         states               (B, T + 1, D)   the border before the text, then the text
    U, a      output, output_bias  (D, C) (C,)

Shapes: B texts, T units, D width, C classes (in ``network.py`` the context).
"""

from __future__ import annotations

import torch
from torch import nn

from erya.models.gpt.network import FIRST, GPT, Form
from erya.parts.dropout import dropout
from erya.parts.network_loss import mean_loss
from erya.parts.softmax_loss import softmax_loss
from erya.parts.token_batches import TokenBatch
from erya.text.unit_ids import BORDER


class ClassifyingGPT(nn.Module):
    """Units and places → layers → the last state → classes.

    Args:
        vocabulary: V; id 0 is the border and the padding, id 1 the unknown unit.
        classes: C.
        form: of the decoder.
        closed: see ``network.GPT``.
        auxiliary: λ.
        frozen: of so many layers, and of the vectors below them, the weights stay; of all layers: the matrix on top alone learns.
        generator: where the first weights come from; None: none, for weights that are loaded.
    """

    def __init__(
        self,
        vocabulary: int,
        classes: int,
        form: Form,
        *,
        closed: bool = False,
        auxiliary: float = 0.0,
        frozen: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.auxiliary = auxiliary
        self.decoder = GPT(vocabulary, form, generator, closed=closed)
        self.output = nn.Parameter(torch.zeros(form.dim, classes))
        self.output_bias = nn.Parameter(torch.zeros(classes))
        if generator is not None:
            with torch.no_grad():
                self.output.normal_(0, FIRST, generator=generator)
        self.freeze(frozen)

    def freeze(self, layers: int) -> None:
        """Hold the weights of the first layers, with all below; of all layers that of the last norm, too."""
        below: list[nn.Parameter] = []
        if layers:
            below = [self.decoder.embedding, self.decoder.positions]
        for layer in self.decoder.steps()[:layers]:
            below += layer.parameters()
        if layers >= self.decoder.form.layers:
            below += self.decoder.norm.parameters()
        for parameter in below:
            parameter.requires_grad_(False)

    def forward(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits (B, C). With a generator, dropout is on."""
        states, _ = self.read(batch, generator)
        return self.classified(states, batch.lengths, generator)

    def loss(self, batch: TokenBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """L: the mean over the texts, weighted, and λ times the mean over their units."""
        states, ids = self.read(batch, generator)
        found = mean_loss(self.classified(states, batch.lengths, generator), batch)
        if not self.auxiliary or not states.requires_grad:
            return found
        there = torch.arange(ids.shape[1]) <= batch.lengths[:, None]  # (B, T + 1)
        targets = torch.roll(
            ids, -1, dims=1
        )  # behind the last unit stands padding, which is a border; behind that the first one
        embedding, bias = self.decoder.embedding, self.decoder.bias()
        language = softmax_loss(states[there], embedding, bias, targets[there])
        return found + self.auxiliary * language / there.sum()

    def read(self, batch: TokenBatch, generator: torch.Generator | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """The states (B, T + 1, D) and the units that they read (B, T + 1), the border first."""
        ids = torch.nn.functional.pad(batch.tokens[batch.places], (1, 0), value=BORDER)
        states: torch.Tensor = self.decoder(ids, None, generator)
        return states, ids

    def classified(
        self, states: torch.Tensor, lengths: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Logits (B, C) from the states (B, T + 1, D) of texts of so many units (B,)."""
        last = states[torch.arange(len(states)), lengths]  # (B, D)
        return dropout(last, self.decoder.form.dropout, generator) @ self.output + self.output_bias
