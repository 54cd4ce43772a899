"""The trace of an RCNN: what stands left and right of every word, and which word each feature was taken from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.language import say
from erya.models.rcnn.network import RCNN
from erya.parts.network_text import OneText
from erya.trace import Lines, Table, TokenHeat, Trace, View

MOST_WORDS = 12
AROUND = 2  # words shown on either side of a chosen one


def trace(network: RCNN, text: OneText) -> Trace:
    """All steps for one text.

    Arrays: vectors (T, D); left and right (T, H); latents (T, L); place (L,) which word each feature was taken from, empty for an
    empty text; features (L,); weights (L,) of the answered class; contributions (L,) = features · weights; logits (C,);
    probabilities (C,).
    """
    batch, tokens = text.batch, text.tokens
    width, latent = network.first.shape[1], len(network.output)
    left = right = np.zeros((0, width), dtype=np.float32)
    latents = np.zeros((0, latent), dtype=np.float32)
    with torch.no_grad():
        logits = network(batch)[0].double().numpy()
        features = network.features(batch)[0].numpy()
        vectors = network.embedding[batch.tokens[batch.places[0]]].numpy()  # (T, D)
        if tokens:
            contexts, found = network.latents(batch)
            left, right, latents = contexts[0, :, :width].numpy(), contexts[0, :, width:].numpy(), found[0].numpy()
    answer, bars = text.answer(logits)
    chosen = int(logits.argmax())
    weights = network.output.detach().numpy()[:, chosen]
    contributions = features * weights
    place = latents.argmax(axis=0) if tokens else np.zeros(0, dtype=np.int64)
    heat = np.bincount(place, weights=contributions if tokens else None, minlength=len(tokens)).astype(np.float64)
    arrays: dict[str, NDArray[Any]] = {"vectors": vectors, "left": left, "right": right, "latents": latents}
    arrays |= {"place": place, "features": features, "weights": weights, "contributions": contributions}
    name = text.names[chosen]
    title = say(f"from which words the features for “{name}” come", f"支持“{name}”的特征取自哪些词")
    views: list[View] = [TokenHeat(title, text.shown, text.spans, heat)]
    if tokens:
        views += [_words(tokens, place, contributions), _lengths(tokens, left, right)]
    return Trace(text.model, text.shown, arrays | answer, [*views, *bars])


def _words(tokens: Sequence[str], place: NDArray[np.int64], mine: NDArray[np.float32]) -> Table:
    """The words that features were taken from, with their neighbours, those that weigh most first."""
    added = {int(one): (int((place == one).sum()), float(mine[place == one].sum())) for one in np.unique(place)}
    ranked = sorted(added.items(), key=lambda entry: -abs(entry[1][1]))[:MOST_WORDS]
    rows = []
    for one, (count, weight) in ranked:
        before = " ".join(tokens[max(0, one - AROUND) : one])
        behind = " ".join(tokens[one + 1 : one + 1 + AROUND])
        rows.append([f"{before} [{tokens[one]}] {behind}".strip(), count, weight])
    return Table(
        say("words that features were taken from", "特征取自这些词"),
        [say("word", "词"), say("features", "特征数"), say("part of the logit", "对得分的贡献")],
        rows,
    )


def _lengths(tokens: Sequence[str], left: NDArray[np.float32], right: NDArray[np.float32]) -> Lines:
    """How strongly each side is felt at each word: the root mean square of its context."""
    series = {
        say("left context", "左上下文"): np.sqrt((left**2).mean(axis=1)),
        say("right context", "右上下文"): np.sqrt((right**2).mean(axis=1)),
    }
    return Lines(say("strength of the contexts", "上下文的强度"), list(tokens), series)
