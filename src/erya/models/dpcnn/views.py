"""The trace of a DPCNN: the levels of its pyramid over the text, and what each token adds to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.language import say
from erya.models.dpcnn.network import DPCNN
from erya.parts.network_gradients import token_shares
from erya.parts.network_text import OneText
from erya.trace import Matrix, Table, TokenHeat, Trace, View

POINTS = 16  # of the integral behind the heat


def trace(network: DPCNN, text: OneText) -> Trace:
    """All steps for one text.

    Arrays: vectors (T, D); regions (L, H), L = T, 1 for an empty text; level_0, level_1 … (L, H), L halved from each to the next;
    features (H,); weights (H,) of the answered class; contributions (H,) = features · weights; shares (T,) what each token adds to
    the logit over that of a text of zero vectors (integrated gradients); logits (C,); probabilities (C,).
    """
    batch, tokens = text.batch, text.tokens
    with torch.no_grad():
        logits = network(batch)[0].double().numpy()
        features = network.features(batch)[0].numpy()
        vectors = network.embedding[batch.tokens[batch.places[0]]].numpy()  # (T, D)
        levels = [level[0].T.numpy() for level in network.levels(batch)]  # (L, H) each
    answer, bars = text.answer(logits)
    chosen = int(logits.argmax())
    weights = network.output.detach().numpy()[:, chosen]
    shares = np.zeros(0)
    if tokens:
        shares, _ = token_shares(network, ["embedding"], text.corpus.ids[:-1].tolist(), chosen, POINTS)
    arrays: dict[str, NDArray[Any]] = {"vectors": vectors, "regions": levels[0]}
    arrays |= {f"level_{number}": level for number, level in enumerate(levels[1:])}
    arrays |= {"features": features, "weights": weights, "contributions": features * weights, "shares": shares}
    title = say(f"what each token adds to “{text.names[chosen]}”", f"每个词元对“{text.names[chosen]}”的贡献")
    views: list[View] = [TokenHeat(title, text.shown, text.spans, shares)]
    if tokens:
        views += [_pyramid(tokens, levels[1:]), _sizes(levels[1:])]
    return Trace(text.model, text.shown, arrays | answer, [*views, *bars])


def _pyramid(tokens: Sequence[str], levels: Sequence[NDArray[np.float32]]) -> Matrix:
    """How strong the place above each token is at each level, the top level first."""
    rows = [np.sqrt((level**2).mean(axis=1)) for level in levels]
    over = np.arange(len(tokens))
    values = np.array([row[np.minimum(over >> number, len(row) - 1)] for number, row in enumerate(rows)])
    names = [say(f"level {number}", f"第 {number} 层") for number in range(len(rows))]
    title = say("the pyramid: strength of the place above each token", "金字塔：每个词元上方位置的强度")
    return Matrix(title, names[::-1], list(tokens), values[::-1])


def _sizes(levels: Sequence[NDArray[np.float32]]) -> Table:
    """How many places each level has, and how many tokens one of them sees."""
    rows, seen, stride = [], 3, 1
    for number, level in enumerate(levels):
        if number:
            seen, stride = seen + 2 * stride, 2 * stride  # three places become one
        seen += 4 * stride  # two convolutions of width 3
        rows.append([number, len(level), seen])
    return Table(
        say("levels", "各层"),
        [say("level", "层"), say("places", "位置数"), say("tokens that a place sees", "每个位置看到的词元数")],
        rows,
    )
