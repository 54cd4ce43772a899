"""The trace of a Transformer's encoder: each layer's vectors, who looks at whom in each head, what each token brought.

The weights come from ``attention_weights``, the formula as it is written, not from the fused kernel that gave the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.language import say
from erya.models.transformer_classifier.network import TransformerEncoder
from erya.parts.network_text import OneText
from erya.trace import Matrix, TokenHeat, Trace, View

MOST_TOKENS = 32  # in a picture
MOST_PICTURES = 16  # of heads

Floats = NDArray[Any]


def trace(network: TransformerEncoder, text: OneText) -> Trace:
    """All layers for one text.

    Arrays: states_0 (T, D) before the first layer; of each layer l from 1: attention_l (A, T, T), states_l (T, D); features (D,);
    contributions (T,) to the logit of the answered class, where the tokens are averaged or their strongest taken: with
    the output's bias they sum to it; logits (C,); probabilities (C,). With ``pooling="cls"`` T counts [CLS], which comes first.
    """
    batch = text.batch
    arrays: dict[str, Floats] = {}
    with torch.no_grad():
        logits = network(batch)[0].double().numpy()
        states, allowed = network.entered(batch)
        arrays["states_0"] = states[0].numpy()
        seen: list[Floats] = []
        for number, layer in enumerate(network.steps(), 1):
            weights = layer.weights(states, allowed)[0].numpy()  # (A, T, T)
            states = layer(states, allowed) if states.shape[1] else states
            seen.append(weights)
            arrays |= {f"attention_{number}": weights, f"states_{number}": states[0].numpy()}
        arrays["features"] = network.pooled(states, batch.lengths)[0].numpy()
        finished = network.finished(states)[0].numpy()  # (T, D)
    answer, bars = text.answer(logits)
    chosen = int(logits.argmax())
    name, pooling = text.names[chosen], network.form.pooling
    tokens = [*(["[CLS]"] if pooling == "cls" else []), *text.tokens]
    views: list[View] = []
    if pooling == "cls":
        title = say("what [CLS] looks at in the last layer", "最后一层中 [CLS] 所关注的词")
        views.append(TokenHeat(title, text.shown, text.spans, seen[-1].mean(axis=0)[0, 1:]))
    else:
        weights = network.output.detach().numpy()[:, chosen]
        arrays["contributions"] = _brought(finished, arrays["features"], weights, pooling)
        title = say(f"what each token brings to “{name}”", f"每个词对“{name}”的贡献")
        views.append(TokenHeat(title, text.shown, text.spans, arrays["contributions"]))
    return Trace(text.model, text.shown, arrays | answer, [*views, *_heads(tokens, seen), *bars])


def _brought(finished: Floats, features: Floats, weights: Floats, pooling: str) -> Floats:
    """(T,) of the sum z · w: an equal part of each token's own, or each unit's at the token where it was strongest."""
    tokens = len(finished)
    if pooling == "mean" or not tokens:
        shares: Floats = finished @ weights / max(1, tokens)
        return shares
    return np.bincount(finished.argmax(axis=0), weights=features * weights, minlength=tokens)


def _heads(tokens: Sequence[str], seen: Sequence[Floats]) -> list[View]:
    """A picture for each head; of many heads one for each layer, their mean."""
    shown = list(tokens[:MOST_TOKENS])
    if not shown:
        return []
    note = say("row: who looks; column: at whom; a row sums to 1", "行：谁在看；列：看谁；每行之和为 1")
    if len(tokens) > len(shown):
        note += say(
            f" over all {len(tokens)} tokens, of which the first {len(shown)} are shown",
            f"（共 {len(tokens)} 个词，只画出前 {len(shown)} 个）",
        )
    pictures: list[View] = []
    every = sum(len(weights) for weights in seen) <= MOST_PICTURES
    for layer, weights in enumerate(seen, 1):
        some = weights[:, : len(shown), : len(shown)]
        if not every:
            title = say(f"layer {layer}: mean of {len(weights)} heads", f"第 {layer} 层：{len(weights)} 个头的平均")
            pictures.append(Matrix(title, shown, shown, some.mean(axis=0), note))
            continue
        for head, values in enumerate(some, 1):
            title = say(f"attention, layer {layer}, head {head}", f"注意力：第 {layer} 层第 {head} 个头")
            pictures.append(Matrix(title, shown, shown, values, note))
    return pictures
