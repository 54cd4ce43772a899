"""The trace of a TextCNN: which n-gram each filter chose, and what that added to the answer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from erya.language import say
from erya.models.textcnn.network import ACTIVATIONS, TextCNN
from erya.models.textcnn.pooling import region_bounds
from erya.models.textcnn.windows import window_rows
from erya.parts.network_text import OneText
from erya.trace import Table, TokenHeat, Trace, View

MOST_NGRAMS = 12
NOTHING = "·"  # stands for a place beyond the text's end


def trace(network: TextCNN, text: OneText) -> Trace:
    """All steps for one text.

    Arrays: vectors (T, D), of two channels (T, 2D); for each window w responses (P, F) and pooled, with a single strongest response
    (F,), with K of them or K regions (K, F); place, shaped like pooled, where they are – window i begins at token i − w – but not for
    the mean;
    features (K·ΣF,); weights (K·ΣF,) of the answered class; contributions (K·ΣF,) = features · weights; logits (C,);
    probabilities (C,).
    """
    batch, tokens = text.batch, text.tokens
    with torch.no_grad():
        logits = network(batch)[0].double().numpy()
        features = network.features(batch)[0].numpy()
        vectors = network.vectors(batch.tokens)  # (U, D)
    answer, bars = text.answer(logits)
    chosen = int(logits.argmax())
    weights = network.output.detach().numpy()[:, chosen]
    contributions = features * weights
    arrays: dict[str, NDArray[Any]] = {"vectors": vectors[batch.places[0]].numpy()}
    views: list[View] = []
    heat = np.zeros(len(tokens))
    parts = np.split(contributions, len(network.windows))
    pooled = np.split(features, len(network.windows))
    for number, window in enumerate(network.windows):
        responses = _responses(network, number, vectors, batch.places)  # (P, F)
        shape = (network.kept, responses.shape[1])
        arrays |= {f"responses_{window}": responses, f"pooled_{window}": _squeezed(pooled[number].reshape(shape))}
        if network.pooling != "mean":
            find = _local_places if network.pooling == "local" else _places
            place = find(responses, window, len(tokens), network.kept)  # (K, F)
            arrays[f"place_{window}"] = _squeezed(place)
            added = parts[number].reshape(shape)  # (K, F)
        else:
            place, added = _spread(network, number, responses, parts[number], len(tokens))  # (P', F)
        views.append(_table(window, place.ravel(), added.ravel(), tokens, mean=network.pooling == "mean"))
        _share_out(heat, place.ravel(), added.ravel(), window)
    name = text.names[chosen]
    arrays |= {"features": features, "weights": weights, "contributions": contributions}
    title = say(f"what the chosen n-grams add to “{name}”", f"被选中的 n 元组对“{name}”的贡献")
    views.insert(0, TokenHeat(title, text.shown, text.spans, heat))
    return Trace(text.model, text.shown, arrays | answer, [*views, *bars])


def _squeezed(values: NDArray[Any]) -> NDArray[Any]:
    """(F,) of (1, F); (K, F) as it is."""
    return values[0] if len(values) == 1 else values


def _places(responses: NDArray[np.float32], window: int, tokens: int, kept: int) -> NDArray[np.int64]:
    """(K, F) where each filter's K strongest responses are, in the order of the text; beyond its end if it has fewer."""
    if kept == 1:
        strongest: NDArray[np.int64] = responses.argmax(axis=0)[None]
        return strongest
    touching = responses[1 : tokens + window]  # see ``pooling.windows_behind``
    behind = np.zeros((kept, responses.shape[1]), dtype=responses.dtype)
    order = np.argsort(-np.concatenate([touching, behind]), axis=0, kind="stable")
    found: NDArray[np.int64] = np.sort(order[:kept], axis=0) + 1
    return found


def _local_places(responses: NDArray[np.float32], window: int, tokens: int, regions: int) -> NDArray[np.int64]:
    """(K, F) where each filter is strongest in each region; beyond the text's end where a region has no window."""
    bounds = 1 + region_bounds(torch.tensor([tokens]), window, regions)[0].numpy()  # the first window touches nothing
    found = np.full((regions, responses.shape[1]), tokens + window, dtype=np.int64)
    for region, (start, stop) in enumerate(itertools.pairwise(bounds)):
        if stop > start:
            found[region] = start + responses[start:stop].argmax(axis=0)
    return found


def _spread(
    network: TextCNN, number: int, responses: NDArray[np.float32], parts: NDArray[np.float32], tokens: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Places that touch the text and what each adds for each filter, (T + w − 1, F) both: its share of a mean's part (F,)."""
    touching = responses[1 : tokens + network.windows[number]] if tokens else responses[:0]
    with torch.no_grad():
        bias = network.biases[number]
        active = ACTIVATIONS[network.activation](torch.from_numpy(touching) + bias).numpy()  # (P', F)
    total = active.sum(axis=0)
    shares = np.divide(active, total, out=np.zeros_like(active), where=np.abs(total) > 1e-12)
    place = np.broadcast_to(np.arange(1, 1 + len(active))[:, None], active.shape)
    return place, shares * parts


def _responses(network: TextCNN, number: int, vectors: torch.Tensor, places: torch.Tensor) -> NDArray[np.float32]:
    """(P, F) of one window at all its places, thresholds not added."""
    window = network.windows[number]
    with torch.no_grad():
        shares = vectors @ network.filters[number].flatten(1)  # (U, w·F)
        table = shares.view(len(shares) * window, -1)
        found: NDArray[np.float32] = functional.embedding_bag(window_rows(places, window)[0], table, mode="sum").numpy()
    return found


def _table(
    window: int, place: NDArray[np.int64], mine: NDArray[np.float32], tokens: Sequence[str], *, mean: bool
) -> Table:
    """The n-grams that filters chose, those that weigh most first; of the mean all n-grams, which every filter saw."""
    added = {int(one): (int((place == one).sum()), float(mine[place == one].sum())) for one in np.unique(place)}
    ranked = sorted(added.items(), key=lambda entry: -abs(entry[1][1]))[:MOST_NGRAMS]
    rows = [[_ngram(tokens, one - window, window), count, weight] for one, (count, weight) in ranked]
    if mean:
        title = say(f"{window}-grams in the mean of all filters", f"各滤波器平均响应中的 {window} 元组")
    else:
        title = say(f"{window}-grams that filters chose", f"被滤波器选中的 {window} 元组")
    return Table(
        title,
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
