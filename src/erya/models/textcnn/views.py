"""The trace of a TextCNN: which n-gram each filter chose, and what that added to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from erya.language import say
from erya.models.textcnn.network import TextCNN, window_rows
from erya.parts.network_text import OneText
from erya.trace import Table, TokenHeat, Trace, View

MOST_NGRAMS = 12
NOTHING = "·"  # stands for a place beyond the text's end


def trace(network: TextCNN, text: OneText) -> Trace:
    """All steps for one text.

    Arrays: vectors (T, D); for each window w responses (P, F), place (F,) and pooled (F,); features (ΣF,); weights (ΣF,)
    of the answered class; contributions (ΣF,) = features · weights; logits (C,); probabilities (C,).
    """
    batch, tokens = text.batch, text.tokens
    with torch.no_grad():
        logits = network(batch)[0].double().numpy()
        features = network.features(batch)[0].numpy()
        vectors = network.embedding[batch.tokens]  # (U, D)
    answer, bars = text.answer(logits)
    chosen = int(logits.argmax())
    weights = network.output.detach().numpy()[:, chosen]
    contributions = features * weights
    arrays: dict[str, NDArray[Any]] = {"vectors": vectors[batch.places[0]].numpy()}
    views: list[View] = []
    heat = np.zeros(len(tokens))
    for number, window in enumerate(network.windows):
        responses = _responses(network, number, vectors, batch.places)  # (P, F)
        place = responses.argmax(axis=0)  # (F,)
        count = responses.shape[1]
        mine = contributions[number * count : (number + 1) * count]
        arrays |= {f"responses_{window}": responses, f"place_{window}": place}
        arrays[f"pooled_{window}"] = features[number * count : (number + 1) * count]
        views.append(_table(window, place, mine, tokens))
        _share_out(heat, place, mine, window)
    name = text.names[chosen]
    arrays |= {"features": features, "weights": weights, "contributions": contributions}
    title = say(f"what the chosen n-grams add to “{name}”", f"被选中的 n 元组对“{name}”的贡献")
    views.insert(0, TokenHeat(title, text.shown, text.spans, heat))
    return Trace(text.model, text.shown, arrays | answer, [*views, *bars])


def _responses(network: TextCNN, number: int, vectors: torch.Tensor, places: torch.Tensor) -> NDArray[np.float32]:
    """(P, F) of one window at all its places, thresholds not added."""
    window = network.windows[number]
    with torch.no_grad():
        shares = vectors @ network.filters[number].flatten(1)  # (U, w·F)
        table = shares.view(len(shares) * window, -1)
        found: NDArray[np.float32] = functional.embedding_bag(window_rows(places, window)[0], table, mode="sum").numpy()
    return found


def _table(window: int, place: NDArray[np.int64], mine: NDArray[np.float32], tokens: Sequence[str]) -> Table:
    """The n-grams that filters chose, those that weigh most first."""
    added = {int(one): (int((place == one).sum()), float(mine[place == one].sum())) for one in np.unique(place)}
    ranked = sorted(added.items(), key=lambda entry: -abs(entry[1][1]))[:MOST_NGRAMS]
    rows = [[_ngram(tokens, one - window, window), count, weight] for one, (count, weight) in ranked]
    return Table(
        say(f"{window}-grams that filters chose", f"被滤波器选中的 {window} 元组"),
        [say("n-gram", "n 元组"), say("filters", "滤波器数"), say("part of the logit", "对得分的贡献")],
        rows,
    )


def _ngram(tokens: Sequence[str], start: int, window: int) -> str:
    inside = (tokens[at] if 0 <= at < len(tokens) else NOTHING for at in range(start, start + window))
    return " ".join(inside)


def _share_out(heat: NDArray[np.float64], place: NDArray[np.int64], mine: NDArray[np.float32], window: int) -> None:
    """Add each filter's part in equal shares to the tokens of the window it chose."""
    for one, part in zip(place.tolist(), mine.tolist(), strict=True):
        first, last = max(0, one - window), min(len(heat), one)
        if last > first:
            heat[first:last] += part / (last - first)
