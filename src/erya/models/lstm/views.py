"""The trace of a BiLSTM: gates, cells and hidden states at every token, and which token each unit was strongest at.

The gates come from ``network.cell``, the equations as a textbook has them, not from the fast path that gave the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.language import say
from erya.models.lstm.network import BiLSTM, cell
from erya.parts.network_text import OneText
from erya.trace import Lines, Matrix, TokenHeat, Trace, View

MOST_UNITS = 16  # rows of the picture of hidden states
NAMES = ("input", "forget", "output", "candidate", "cell", "hidden")


def trace(network: BiLSTM, text: OneText) -> Trace:
    """All steps for one text, in the order of the text for both readers.

    Arrays: vectors (T, D); for each direction input, forget, output, candidate, cell and hidden (T, H); place (2H,) the token at
    which each unit was strongest; features (2H,); weights (2H,) of the answered class; contributions (2H,); logits (C,);
    probabilities (C,).
    """
    batch, tokens = text.batch, text.tokens
    with torch.no_grad():
        logits = network(batch)[0].double().numpy()
        vectors = network.embedding[batch.tokens[batch.places[0]]]  # (T, D)
        readers = [_read(network, vectors, direction) for direction in (0, 1)]
    answer, bars = text.answer(logits)
    chosen = int(logits.argmax())
    arrays: dict[str, NDArray[Any]] = {"vectors": vectors.numpy()}
    for direction, reader in zip(("forward", "backward"), readers, strict=True):
        arrays |= {f"{direction}_{name}": values for name, values in zip(NAMES, reader, strict=True)}
    hidden = np.concatenate([readers[0][-1], readers[1][-1]], axis=1)  # (T, 2H)
    weights = network.output.detach().numpy()[:, chosen]
    empty = len(tokens) == 0
    place = np.zeros(0, dtype=np.int64) if empty else hidden.argmax(axis=0)
    features = np.zeros(hidden.shape[1], dtype=np.float32) if empty else hidden.max(axis=0)
    contributions = features * weights
    heat = np.bincount(place, weights=None if empty else contributions, minlength=len(tokens)).astype(np.float64)
    arrays |= {"place": place, "features": features, "weights": weights, "contributions": contributions}
    name = text.names[chosen]
    title = say(f"where the units that decide for “{name}” were strongest", f"决定“{name}”的单元在何处最强")
    views: list[View] = [TokenHeat(title, text.shown, text.spans, heat)]
    if not empty:
        views += _gates(tokens, readers)
        views.append(_units(tokens, hidden, contributions))
    return Trace(text.model, text.shown, arrays | answer, [*views, *bars])


def _read(network: BiLSTM, vectors: torch.Tensor, direction: int) -> list[NDArray[np.float32]]:
    """The gates i f o g, c and h of one reader, (T, H) each, in the order of the text."""
    width = network.recurrent.shape[1]
    ordered = vectors.flip(0) if direction else vectors
    projected = ordered @ network.input[:, direction] + network.bias[direction]  # (T, 4H)
    hidden = memory = torch.zeros(1, width)
    found: list[torch.Tensor] = []
    for row in projected:
        step = cell(row[None], hidden, memory, network.recurrent[direction])
        memory, hidden = step[4], step[5]
        found.append(torch.cat(step))  # (6, H)
    steps = torch.stack(found) if found else torch.zeros(0, 6, width)  # (T, 6, H)
    steps = steps.flip(0) if direction else steps
    return [steps[:, number].numpy() for number in range(6)]


def _gates(tokens: Sequence[str], readers: Sequence[Sequence[NDArray[np.float32]]]) -> list[View]:
    """The mean opening of the three gates at each token, for both readers."""
    names = (say("input", "输入门"), say("forget", "遗忘门"), say("output", "输出门"))
    titles = (say("gates, reading forwards", "门（正向阅读）"), say("gates, reading backwards", "门（反向阅读）"))
    return [
        Lines(title, list(tokens), {name: gate.mean(axis=1) for name, gate in zip(names, reader[:3], strict=True)})
        for title, reader in zip(titles, readers, strict=True)
    ]


def _units(tokens: Sequence[str], hidden: NDArray[np.float32], contributions: NDArray[np.float32]) -> Matrix:
    """The hidden states of the units that matter most to the answer."""
    width = hidden.shape[1] // 2
    units = np.argsort(-np.abs(contributions), kind="stable")[:MOST_UNITS].tolist()
    names = [f"{'→' if unit < width else '←'} {unit % width}" for unit in units]
    return Matrix(
        say("hidden states of the units that matter most", "最重要的单元的隐藏状态"),
        names,
        list(tokens),
        hidden[:, units].T,
    )
