"""How probable documents are to a recurrent language model, and how it is asked step by step: its memory is its state.

Documents are read side by side, the longest first, some steps at a time; whoever has ended takes no part in the next steps. What is read
of one is exactly what would be read of it alone; only sums are taken in another order. Where the state is carried over borders, documents
are one stream in the order in which they are given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from erya.parts.recurrent_language import Memory, RecurrentLanguage
from erya.parts.softmax_loss import log_probabilities as of_targets
from erya.text.unit_ids import BORDER

Ids = NDArray[np.int32]
Floats = NDArray[np.float64]
TOGETHER = 128  # documents side by side
STEPS = 64  # that are read at once
_BORDER = np.full(1, BORDER, dtype=np.int32)


@torch.no_grad()
def log_probabilities(network: RecurrentLanguage, texts: Sequence[Ids]) -> list[Floats]:
    """Of each document of T ids the natural logarithms (T + 1,) of the probability of each, and of the end."""
    if network.form.over_borders:
        return _one_stream(network, texts)
    found: list[Floats] = [np.zeros(0)] * len(texts)
    order = sorted(range(len(texts)), key=lambda number: -len(texts[number]))
    for first in range(0, len(order), TOGETHER):
        chosen = order[first : first + TOGETHER]
        for number, logs in zip(chosen, _side_by_side(network, [texts[number] for number in chosen]), strict=True):
            found[number] = logs
    return found


def _side_by_side(network: RecurrentLanguage, texts: Sequence[Ids]) -> list[Floats]:
    """Of documents that become shorter."""
    found = [np.empty(len(text) + 1) for text in texts]
    memory = network.begin(len(texts))
    for start in range(0, len(found[0]), STEPS):
        rows = sum(len(logs) > start for logs in found)
        end = min(start + STEPS, len(found[0]))
        inputs = np.full((end - start, rows), BORDER, dtype=np.int64)
        targets = np.full_like(inputs, BORDER)
        for row, text in enumerate(texts[:rows]):
            before, after = text[max(start - 1, 0) : end - 1], text[start:end]
            inputs[int(start == 0) :, row][: len(before)] = before
            targets[: len(after), row] = after
        memory = tuple(tuple(state[:, :rows] for state in states) for states in memory)
        hidden, memory = network.read(torch.from_numpy(inputs), memory)
        logs = _of(network, hidden, torch.from_numpy(targets))
        for row in range(rows):
            found[row][start:end] = logs[: len(found[row]) - start, row]
    return found


def _one_stream(network: RecurrentLanguage, texts: Sequence[Ids]) -> list[Floats]:
    """Documents behind one another, a border between two."""
    ids = np.concatenate([_BORDER, *(part for text in texts for part in (text, _BORDER))])
    logs, memory = np.empty(len(ids) - 1), network.begin(1)
    for start in range(0, len(logs), STEPS * TOGETHER):
        piece = torch.from_numpy(ids[start : start + STEPS * TOGETHER + 1].astype(np.int64))[:, None]
        hidden, memory = network.read(piece[:-1], memory)
        logs[start : start + len(hidden)] = _of(network, hidden, piece[1:])[:, 0]
    ends = np.cumsum([len(text) + 1 for text in texts])
    return np.split(logs, ends[:-1]) if len(texts) else []


def _of(network: RecurrentLanguage, hidden: torch.Tensor, targets: torch.Tensor) -> Floats:
    """(T, B) ln p of the targets."""
    logs = of_targets(hidden.flatten(0, 1), network.table, network.output_bias, targets.flatten())
    found: Floats = logs.view(targets.shape).numpy()
    return found


class RecurrentDecoder:
    """Asked step by step, see ``decoding.Decoder``. The prefix warms the state up: it is read, and nothing is asked meanwhile."""

    def __init__(self, network: RecurrentLanguage) -> None:
        self.network = network

    @torch.no_grad()
    def start(self, prefixes: Sequence[Sequence[int]]) -> tuple[Memory, Floats]:
        """The states behind B prefixes, and ln p (B, V) of what comes next. Prefixes of one length are read together."""
        places: dict[int, list[int]] = {}
        for place, prefix in enumerate(prefixes):
            places.setdefault(len(prefix), []).append(place)
        memory = self.network.begin(len(prefixes))
        rows = np.empty((len(prefixes), len(self.network.embedding)))
        for chosen in places.values():
            inputs = torch.tensor([[BORDER, *prefixes[place]] for place in chosen]).T
            found, some = self._asked(inputs, self.network.begin(len(chosen)))
            rows[chosen] = some
            for states, new in zip(memory, found, strict=True):
                for state, values in zip(states, new, strict=True):
                    state[:, chosen] = values
        return memory, rows

    @torch.no_grad()
    def step(self, memory: Memory, rows: Sequence[int], ids: Sequence[int]) -> tuple[Memory, Floats]:
        """Go on with some rows of the memory, each with one more unit."""
        chosen = list(rows)
        taken = tuple(tuple(state[:, chosen] for state in states) for states in memory)
        return self._asked(torch.tensor([list(ids)]), taken)

    def _asked(self, inputs: torch.Tensor, memory: Memory) -> tuple[Memory, Floats]:
        hidden, memory = self.network.read(inputs, memory)
        logits = torch.addmm(self.network.output_bias, hidden[-1], self.network.table.T)
        return memory, torch.log_softmax(logits.double(), dim=1).numpy()
