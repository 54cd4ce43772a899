"""The TextCNN and the LSTM that one writes first, with the weights of ours: what the classifier benchmarks compare with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from erya.parts.token_batches import Corpus


class PlainCNN(nn.Module):
    """``nn.Embedding``, ``nn.Conv1d``, maximum, ``nn.Linear``; the weights of a ``textcnn`` network of the default settings."""

    def __init__(self, peer: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(peer.embedding.detach().clone(), freeze=False, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(filters.shape[0], filters.shape[2], window, padding=window)
            for window, filters in zip(peer.windows, peer.filters, strict=True)
        )
        self.dropout = nn.Dropout(peer.dropout_rate)
        self.output = nn.Linear(*peer.output.shape)
        with torch.no_grad():
            for layer, filters, bias in zip(self.convolutions, peer.filters, peer.biases, strict=True):
                layer.weight.copy_(filters.permute(2, 0, 1))
                layer.bias.copy_(bias)
            self.output.weight.copy_(peer.output.T)
            self.output.bias.copy_(peer.output_bias)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        vectors = self.embedding(ids).transpose(1, 2)  # (B, D, T)
        pooled = [functional.relu(layer(vectors)).amax(dim=2) for layer in self.convolutions]
        return self.output(self.dropout(torch.cat(pooled, dim=1)))


class PlainLSTM(nn.Module):
    """``nn.Embedding``, ``nn.LSTM``, masked maximum, ``nn.Linear``; the weights of an ``lstm`` network of one layer, two readers.

    As such loops do, it does not pack: the reader from the right begins in the padding.
    """

    def __init__(self, peer: Any) -> None:
        super().__init__()
        _, width, _ = peer.recurrent.shape
        self.embedding = nn.Embedding.from_pretrained(peer.embedding.detach().clone(), freeze=False, padding_idx=0)
        self.lstm = nn.LSTM(len(peer.input), width, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(peer.dropout_rate)
        self.output = nn.Linear(*peer.output.shape)
        order = torch.cat(  # ours i f o g, torch's i f g o
            [torch.arange(2 * width), torch.arange(3 * width, 4 * width), torch.arange(2 * width, 3 * width)]
        )
        with torch.no_grad():
            for direction, suffix in enumerate(("_l0", "_l0_reverse")):
                getattr(self.lstm, f"weight_ih{suffix}").copy_(peer.input[:, direction].T[order])
                getattr(self.lstm, f"weight_hh{suffix}").copy_(peer.recurrent[direction].T[order])
                getattr(self.lstm, f"bias_ih{suffix}").copy_(peer.bias[direction][order])
                getattr(self.lstm, f"bias_hh{suffix}").zero_()
            self.output.weight.copy_(peer.output.T)
            self.output.bias.copy_(peer.output_bias)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.lstm(self.dropout(self.embedding(ids)))  # (B, T, 2H)
        outside = torch.arange(ids.shape[1])[None, :] >= lengths[:, None]  # (B, T)
        return self.output(self.dropout(hidden.masked_fill(outside[:, :, None], -1.0).amax(dim=1)))


def plain_network(peer: Any) -> nn.Module:
    """The plain twin of a network of ours."""
    return PlainCNN(peer) if hasattr(peer, "filters") else PlainLSTM(peer)


def matrix(corpus: Corpus) -> tuple[torch.Tensor, torch.Tensor]:
    """All texts in one padded matrix (N, T), and their lengths (N,)."""
    ids = np.zeros((len(corpus), int(corpus.lengths.max())), dtype=np.int64)
    for row, (start, length) in enumerate(zip(corpus.starts[:-1], corpus.lengths, strict=True)):
        ids[row, :length] = corpus.ids[start : start + length]
    return torch.from_numpy(ids), torch.from_numpy(corpus.lengths)


def plain_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    ids: torch.Tensor,
    lengths: torch.Tensor,
    targets: torch.Tensor,
    *,
    batch_size: int,
    clip_norm: float | None,
    cut: bool,
) -> None:
    """One epoch over random batches of a padded matrix (N, T). ``cut``: to the longest text of each batch."""
    for rows in torch.randperm(len(ids)).split(batch_size):
        width = int(lengths[rows].max()) if cut else ids.shape[1]
        loss = functional.cross_entropy(network(ids[rows, :width], lengths[rows]), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
        optimizer.step()
