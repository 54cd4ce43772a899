"""What a network makes of a word's spelling: a convolution over its characters, or an LSTM that reads them from both ends.

The convolution is that of Ma & Hovy 2016 (after dos Santos & Zadrozny 2014), the LSTM that of Lample et al. 2016. Both give one
row for each of U words, whatever the company: no window reaches into a neighbour, and padding is never read.

    convolution   c_i = Σ_j x_{i+j} F_j,  j = −(k−1)/2 … (k−1)/2     h = tanh(max over i of c_i + b)
    LSTM          h = the last states of both readers, side by side

Shapes: U words, W characters of the longest, A letters, E width of a letter's vector, F filters, k letters a filter sees.
"""

from __future__ import annotations

import torch

from erya.parts.lstm_cell import LSTMCell
from erya.parts.recurrent_layers import Reading, read


def convolved(
    characters: torch.Tensor, sizes: torch.Tensor, letters: torch.Tensor, filters: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """The strongest answer of each filter to a word, (U, F); zeros for a word without characters.

    Args:
        characters: (U, W) numbers of letters, 0 behind a word's end.
        sizes: (U,) characters of each word.
        letters: (A, E), whose row 0 is zeros.
        filters: (k, E, F), k odd.
        bias: (F,).
    """
    count, width = characters.shape
    span = len(filters)
    if not width:
        return letters.new_zeros(count, filters.shape[2])
    # what a letter says to a filter at each of its k places, once for each letter
    said = torch.einsum("ae,kef->akf", letters, filters).flatten(0, 1)  # (A·k, F)
    around = torch.nn.functional.pad(characters, (span // 2, span // 2))  # (U, W + k − 1)
    windows = around.unfold(1, span, 1) * span + torch.arange(span)  # (U, W, k)
    inside = torch.arange(width) < sizes[:, None]  # (U, W)
    answers = torch.nn.functional.embedding_bag(windows[inside], said, mode="sum")  # (S, F) of S characters in all
    owners = torch.repeat_interleave(torch.arange(count), sizes)[:, None].expand_as(answers)
    lowest = answers.new_full((count, answers.shape[1]), -torch.inf)
    strongest = lowest.scatter_reduce(0, owners, answers, "amax")  # (U, F)
    return torch.tanh(strongest.masked_fill((sizes == 0)[:, None], 0.0) + bias) * (sizes > 0)[:, None]


def spelled_out(
    characters: torch.Tensor,
    sizes: torch.Tensor,
    letters: torch.Tensor,
    weights: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """The last states of both readers, (U, 2H); zeros for a word without characters.

    Args:
        characters: (U, W) numbers of letters, 0 behind a word's end.
        sizes: (U,) characters of each word.
        letters: (A, E).
        weights: W (E, 2, 4H), W' (2, H, 4H), b (2, 4H) of an LSTM.
    """
    order = torch.argsort(sizes, descending=True, stable=True)
    reading = Reading.of(sizes[order], 2)
    states = reading.pooled(read(LSTMCell(), letters, characters[order], reading, weights), "last")  # (U, 2H)
    return torch.zeros_like(states).index_copy(0, order, states)
