"""A window of vectors, one hidden layer, a softmax over all units: the first language model that had word vectors.

Bengio, Ducharme, Vincent & Jauvin 2003, "A Neural Probabilistic Language Model", equation 1:

    x = (C(w_{t−1}), …, C(w_{t−n+1}))          the vectors of the n − 1 units before, side by side
    y = b + W x + U tanh(d + H x)              W: the direct connections, which may be absent
    p(w_t | …) = softmax(y)

    symbol   name           shape            what
    C        embedding      (V, D)           a vector for each unit, the same at every place of the window
    H        input          ((n−1)·D, H)     from the window to the hidden layer
    d        hidden_bias    (H,)
    U        output         (V, H)           from the hidden layer to the units
    W        direct         (V, (n−1)·D)     from the window straight to the units
    b        output_bias    (V,)

W and U stand side by side, (V, (n−1)·D + H), and so do x and tanh(…): one product gives y. There is no state: what is carried from batch to
batch are the n − 2 units before it. What lies before a document's border is read as borders.

*Tied*, the units' vectors are also the softmax's (Press & Wolf 2017; Inan, Khosravi & Socher 2017): U = C Pᵀ and W = C Qᵀ, never made.

    y = b + C (Qᵀ x + Pᵀ tanh(d + H x))

    P        narrow           (H, D)           from the hidden layer to the width of a vector
    Q        straight         ((n−1)·D, D)     from the window to that width

The product with V rows, nearly all of the work, is then D wide instead of H + (n−1)·D.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from erya.parts.dropout import dropout
from erya.parts.softmax_loss import log_probabilities, softmax_loss
from erya.parts.stream_batches import IGNORED, StreamBatch
from erya.text.unit_ids import BORDER

Memory = tuple[tuple[torch.Tensor, ...], ...]
ROWS_AT_ONCE = 1 << 14  # windows that are scored together


class Windows(nn.Module):
    """The network.

    Args:
        vocabulary: V; unit 0 is the border between documents.
        dim: D.
        hidden_width: H; 0: no hidden layer, direct connections alone.
        before: n − 1, units that are looked at.
        direct: whether there is W.
        dropout: share of x and of the hidden layer that is dropped while learning.
        over_borders: whether the window looks into the document before.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
    """

    def __init__(
        self,
        vocabulary: int,
        dim: int,
        hidden_width: int,
        before: int,
        direct: bool,
        dropout: float = 0.0,
        over_borders: bool = False,
        generator: torch.Generator | None = None,
        *,
        tied: bool = False,
    ) -> None:
        super().__init__()
        self.before, self.direct, self.dropout, self.over_borders = before, direct, dropout, over_borders
        wide = before * dim
        self.embedding = nn.Parameter(torch.zeros(vocabulary, dim))
        self.input = nn.Parameter(torch.zeros(wide, hidden_width))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden_width))
        self.output = None if tied else nn.Parameter(torch.zeros(vocabulary, hidden_width + direct * wide))
        self.narrow = nn.Parameter(torch.zeros(hidden_width, dim)) if tied else None
        self.straight = nn.Parameter(torch.zeros(wide, dim)) if tied and direct else None
        self.output_bias = nn.Parameter(torch.zeros(vocabulary))
        if generator is not None:
            self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        wide, hidden_width = self.input.shape
        self.embedding.normal_(0, 0.1, generator=generator)
        self.input.normal_(0, wide**-0.5, generator=generator)
        if self.output is not None:
            self.output[:, :hidden_width].normal_(0, 0.1, generator=generator)
        if self.narrow is not None:
            self.narrow.normal_(0, hidden_width**-0.5, generator=generator)

    @property
    def table(self) -> torch.Tensor:
        """What the softmax multiplies with: W and U (V, (n−1)·D + H), tied C (V, D)."""
        return self.embedding if self.output is None else self.output

    @torch.no_grad()
    def begin_with(self, counts: NDArray[np.int64]) -> None:
        """Let the softmax say at first how frequent each of the V units is."""
        shares = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
        self.output_bias.copy_(torch.from_numpy(np.log(shares)))

    def begin(self, rows: int) -> Memory:
        """The n − 2 units before the first one of B rows: borders."""
        return ((torch.full((self.before - 1, rows), BORDER, dtype=torch.int64),),)

    def loss(
        self, batch: StreamBatch, memory: Memory, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, Memory]:
        """The sum of −ln p over the batch's units, divided by its ``share``; and the units behind which the next batch goes on."""
        ((earlier,),) = memory
        units = torch.cat([earlier, batch.inputs])  # (n − 2 + T, B)
        windows = units.unfold(0, self.before, 1).flatten(0, 1)  # (T·B, n − 1)
        targets = batch.targets.flatten()
        there = targets != IGNORED
        states = self.states(windows[there], generator)
        total = softmax_loss(states, self.table, self.output_bias, targets[there])
        return total / batch.share, ((units[len(units) - self.before + 1 :],),)

    def states(self, windows: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """What the softmax is given, of windows (M, n − 1) with the nearest unit last: (M, H) or (M, H + (n−1)·D), tied (M, D)."""
        vectors, hidden = self.layers(windows, generator)
        if self.narrow is None:
            return torch.cat([hidden, vectors], dim=1) if self.direct else hidden
        found = hidden @ self.narrow
        return found if self.straight is None else torch.addmm(found, vectors, self.straight)

    def layers(
        self, windows: torch.Tensor, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of windows (M, n − 1) what x is, (M, (n−1)·D), and the hidden layer, (M, H)."""
        if not self.over_borders:
            windows = _within(windows)
        vectors = functional.embedding(windows, self.embedding).flatten(1)
        vectors = dropout(vectors, self.dropout, generator)
        hidden = torch.tanh(torch.addmm(self.hidden_bias, vectors, self.input))
        return vectors, dropout(hidden, self.dropout, generator)

    def ways(self) -> tuple[torch.Tensor, torch.Tensor]:
        """U (V, H) and W (V, (n−1)·D), of which the latter is 0 where there are no direct connections."""
        none = self.embedding.new_zeros(len(self.embedding), len(self.input))
        if self.output is not None:
            hidden_width = len(self.hidden_bias)
            return self.output[:, :hidden_width], self.output[:, hidden_width:] if self.direct else none
        narrow, straight = self.narrow, self.straight
        assert narrow is not None
        return self.embedding @ narrow.T, none if straight is None else self.embedding @ straight.T

    @torch.no_grad()
    def log_probabilities(self, texts: Sequence[NDArray[np.int32]]) -> list[NDArray[np.float64]]:
        """Ln p of the units of each document and of its end: (T + 1,)."""
        edge = np.full(self.before - 1, BORDER)
        found: list[NDArray[np.float64]] = []
        whole = self._earlier(texts)
        for text, earlier in zip(texts, whole, strict=True):
            inputs = np.concatenate([edge if earlier is None else earlier, [BORDER], text]).astype(np.int64)
            targets = torch.from_numpy(np.append(text, BORDER).astype(np.int64))
            windows = torch.from_numpy(inputs).unfold(0, self.before, 1)
            logs = [
                log_probabilities(self.states(some), self.table, self.output_bias, wanted)
                for some, wanted in zip(
                    torch.split(windows, ROWS_AT_ONCE), torch.split(targets, ROWS_AT_ONCE), strict=True
                )
            ]
            found.append(torch.cat(logs).numpy())
        return found

    def _earlier(self, texts: Sequence[NDArray[np.int32]]) -> list[NDArray[Any] | None]:
        """What stands before each document's border, where windows look over it: the end of the documents before."""
        if not self.over_borders or self.before < 2:
            return [None] * len(texts)
        held, found = np.full(self.before - 1, BORDER), []
        for text in texts:
            found.append(held)
            held = np.concatenate([held, [BORDER], text])[-(self.before - 1) :]
        return list(found)

    def decoder(self) -> _Decoder:
        """Asked step by step."""
        return _Decoder(self)


def _within(windows: torch.Tensor) -> torch.Tensor:
    """Windows (M, n − 1) in which everything before the last border is a border, too."""
    borders = (windows == BORDER).long()
    behind = borders.flip(1).cumsum(1).flip(1) - borders  # borders that stand behind a place
    return torch.where(behind > 0, BORDER, windows)


class _Decoder:
    """See ``decoding.Decoder``; the memory is the window of each row, (B, n − 1)."""

    def __init__(self, network: Windows) -> None:
        self._network = network

    def start(self, prefixes: Sequence[Sequence[int]]) -> tuple[torch.Tensor, NDArray[np.float64]]:
        """The windows behind some prefixes."""
        before = self._network.before
        rows = [[BORDER] * before + list(prefix) for prefix in prefixes]
        windows = torch.tensor([row[-before:] for row in rows], dtype=torch.int64)
        return windows, self._said(windows)

    def step(
        self, memory: torch.Tensor, rows: Sequence[int], ids: Sequence[int]
    ) -> tuple[torch.Tensor, NDArray[np.float64]]:
        """The windows moved by one unit."""
        windows = torch.cat([memory[list(rows)][:, 1:], torch.tensor(ids, dtype=torch.int64)[:, None]], dim=1)
        return windows, self._said(windows)

    @torch.no_grad()
    def _said(self, windows: torch.Tensor) -> NDArray[np.float64]:
        network = self._network
        logits = torch.addmm(network.output_bias, network.states(windows), network.table.T)
        found: NDArray[np.float64] = torch.log_softmax(logits.double(), dim=1).numpy()
        return found
