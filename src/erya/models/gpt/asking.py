"""How probable documents are to a GPT, and how it is asked step by step, with what it has read kept.

No unit sees more than C others, itself counted. A longer document is read in windows of C that overlap by half: the first one answers
for all its places, each other one for its second half. So whatever is asked, a unit's probability depends on the same units before it:

    place t < C: window from 0           else from h · (⌊(t − C) / h⌋ + 1),   h = ⌊C / 2⌋, at least 1

Writing goes on where it stopped: keys and values of every unit are kept, one more is made at each step (*cache*). Where a window is full,
its second half is read anew as the beginning of the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from erya.models.gpt.network import GPT, Past
from erya.parts.softmax_loss import log_probabilities as of_targets
from erya.text.unit_ids import BORDER

Ids = NDArray[np.int32]
Floats = NDArray[np.float64]
AT_ONCE = 1 << 14  # units, padding counted


def window_start(place: int, context: int) -> int:
    """Where the window begins that answers for a place."""
    half = max(1, context // 2)
    return 0 if place < context else half * ((place - context) // half + 1)


class Window(NamedTuple):
    """Places ``start`` … ``end`` − 1 of a text are read; ``answers`` is the first that is answered for."""

    text: int
    start: int
    answers: int
    end: int


def windows(lengths: Sequence[int], context: int) -> list[Window]:
    """All windows of texts of these lengths."""
    found = []
    for text, length in enumerate(lengths):
        end = 0
        while end < length:
            start, answers = window_start(end, context), end
            end = min(start + context, length)
            found.append(Window(text, start, answers, end))
    return found


@torch.no_grad()
def log_probabilities(network: GPT, texts: Sequence[Ids]) -> list[Floats]:
    """Of each document of T ids the natural logarithms (T + 1,) of the probability of each, and of the end."""
    ids = [np.concatenate([[BORDER], text, [BORDER]]).astype(np.int64) for text in texts]
    found = [np.empty(len(text) + 1) for text in texts]
    todo = sorted(windows([len(logs) for logs in found], network.form.context), key=lambda one: one.start - one.end)
    while todo:
        longest = todo[0].end - todo[0].start
        some, todo = todo[: max(1, AT_ONCE // longest)], todo[max(1, AT_ONCE // longest) :]
        inputs = np.full((len(some), longest), BORDER, dtype=np.int64)
        targets = np.full_like(inputs, BORDER)
        for row, one in enumerate(some):
            inputs[row, : one.end - one.start] = ids[one.text][one.start : one.end]
            targets[row, : one.end - one.start] = ids[one.text][one.start + 1 : one.end + 1]
        states = network(torch.from_numpy(inputs)).flatten(0, 1)
        logs = of_targets(states, network.embedding, network.bias(), torch.from_numpy(targets).flatten())
        for row, one in enumerate(some):
            found[one.text][one.answers : one.end] = logs.view(inputs.shape)[
                row, one.answers - one.start : one.end - one.start
            ].numpy()
    return found


class Cache(NamedTuple):
    """What was read of B texts.

    Attributes:
        ids: of each the units, the border first.
        starts: where the window of each begins.
        layers: keys and values of each layer, (B, A, C, K) both; of a text the first ``len(ids) − start`` places hold some.
    """

    ids: list[list[int]]
    starts: list[int]
    layers: list[Past]


class CachingDecoder:
    """Asked step by step, see ``decoding.Decoder``. A memory is used up by the step that goes on with it.

    Args:
        network: with its weights.
        keeping: whether keys and values are kept; else everything is read anew at every step – to see what keeping them brings.
    """

    def __init__(self, network: GPT, *, keeping: bool = True) -> None:
        self.network, self.keeping = network, keeping

    @torch.no_grad()
    def start(self, prefixes: Sequence[Sequence[int]]) -> tuple[Cache, Floats]:
        """Read B prefixes; ln p (B, V) of what comes next."""
        form = self.network.form
        attention = self.network.steps()[0].attention
        shape = (len(prefixes), attention.heads, form.context, attention.head_width)
        ids = [[BORDER, *prefix] for prefix in prefixes]
        cache = Cache(ids, [0] * len(ids), [(torch.zeros(shape), torch.zeros(shape)) for _ in range(form.layers)])
        return cache, self._read(cache, list(range(len(ids))))

    @torch.no_grad()
    def step(self, memory: Cache, rows: Sequence[int], ids: Sequence[int]) -> tuple[Cache, Floats]:
        """Go on with some rows of the memory, each with one more unit."""
        chosen, layers = list(rows), memory.layers
        if chosen != list(range(len(memory.ids))):
            layers = [(keys[chosen], values[chosen]) for keys, values in layers]
        longer = [[*memory.ids[row], unit] for row, unit in zip(chosen, ids, strict=True)]
        cache = Cache(longer, [memory.starts[row] for row in chosen], layers)
        context = self.network.form.context
        full = [
            row
            for row, (units, start) in enumerate(zip(longer, cache.starts, strict=True))
            if len(units) - start > context or not self.keeping
        ]
        logs = np.empty((len(longer), len(self.network.embedding)))
        if full:
            logs[full] = self._read(cache, full)
        others = [row for row in range(len(longer)) if row not in set(full)]
        if others:
            logs[others] = self._one_more(cache, others)
        return cache, logs

    def _read(self, cache: Cache, rows: list[int]) -> Floats:
        """Fill the cache of some rows from the beginning of their windows."""
        context = self.network.form.context
        for row in rows:
            cache.starts[row] = window_start(len(cache.ids[row]) - 1, context)
        parts = [cache.ids[row][cache.starts[row] :] for row in rows]
        longest = max(len(part) for part in parts)
        inputs = torch.tensor([part + [BORDER] * (longest - len(part)) for part in parts])
        states = self.network.entered(inputs, torch.arange(longest))
        for layer, (keys, values) in zip(self.network.steps(), cache.layers, strict=True):
            new = layer.attention.keys_and_values(layer.norm_attention(states))
            keys[rows, :, :longest], values[rows, :, :longest] = new
            states = layer(states, None)
        last = torch.tensor([len(part) - 1 for part in parts])
        return self._answer(states[torch.arange(len(rows)), last])

    def _one_more(self, cache: Cache, rows: list[int]) -> Floats:
        """The last unit of some rows, which looks at what is kept."""
        places = torch.tensor([len(cache.ids[row]) - 1 - cache.starts[row] for row in rows])
        inputs = torch.tensor([[cache.ids[row][-1]] for row in rows])
        longest = int(places.max()) + 1
        everybody = rows == list(range(len(cache.ids)))
        even = bool((places == places[0]).all())
        allowed = None if even else (torch.arange(longest) <= places[:, None])[:, None, None]
        states = self.network.entered(inputs, places[:, None])
        for layer, kept in zip(self.network.steps(), cache.layers, strict=True):
            asking = layer.norm_attention(states)
            for table, new in zip(kept, layer.attention.keys_and_values(asking), strict=True):
                if even and everybody:
                    table[:, :, longest - 1] = new[:, :, 0]
                else:
                    table[rows, :, places] = new[:, :, 0]
            past = kept if everybody else (kept[0][rows], kept[1][rows])
            states = states + layer.looked(asking, (past[0][:, :, :longest], past[1][:, :, :longest]), allowed)
            states = states + layer.inner(layer.norm_inner(states))
        return self._answer(states[:, 0])

    def _answer(self, states: torch.Tensor) -> Floats:
        logits = self.network.logits(self.network.norm(states))
        found: Floats = torch.log_softmax(logits.double(), dim=1).numpy()
        return found
