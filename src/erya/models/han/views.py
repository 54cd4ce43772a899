"""The trace of a hierarchical attention network: the sentences, what each weighed, and each word within its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.language import say
from erya.models.han.network import HierarchicalAttention
from erya.parts.network_text import OneText
from erya.trace import Bars, TokenHeat, Trace, View

MOST_SENTENCES = 20  # in the picture of them
MOST_CHARACTERS = 48  # of a sentence there


def trace(network: HierarchicalAttention, text: OneText) -> Trace:
    """One text of S sentences.

    Arrays: starts (S,) the first token of each; word_weights (T,), which sum to 1 within each sentence; sentence_vectors (S, 2H);
    sentence_weights (S,), which sum to 1; shares (T,) = a word's weight times its sentence's; features (2H,); logits (C,);
    probabilities (C,).
    """
    batch = text.batch
    with torch.no_grad():
        logits = network(batch)[0].double().numpy()
        sentences = network.split(batch)
        words, document = network.weighed(batch, sentences)
    starts, lengths = sentences.start.numpy(), sentences.length.numpy()
    inside = np.arange(words.weights.shape[1]) < lengths[:, None]  # (S, W)
    word_weights = words.weights.numpy()[inside]  # sentence by sentence: the order of the text
    sentence_weights = document.weights.numpy()[0]
    arrays: dict[str, NDArray[Any]] = {
        "starts": starts,
        "word_weights": word_weights,
        "sentence_vectors": words.vectors.numpy(),
        "sentence_weights": sentence_weights,
        "shares": word_weights * np.repeat(sentence_weights, lengths),
        "features": document.vectors.numpy()[0],
    }
    answer, bars = text.answer(logits)
    views: list[View] = [
        TokenHeat(
            say("how much each word weighs in the document", "每个词在整篇文档中的权重"),
            text.shown,
            text.spans,
            arrays["shares"],
            say("its weight in its sentence times its sentence's", "词在句中的权重 × 句子的权重"),
        )
    ]
    if len(starts):
        views += _levels(text, arrays, starts, lengths)
    return Trace(text.model, text.shown, arrays | answer, [*views, *bars])


def _levels(
    text: OneText, arrays: dict[str, NDArray[Any]], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> list[View]:
    """The sentences that weigh most, in the order of the text; and each word within its sentence."""
    weights = arrays["sentence_weights"]
    chosen = np.sort(np.argsort(-weights, kind="stable")[:MOST_SENTENCES])
    names = []
    for number in chosen.tolist():
        first, last = int(starts[number]), int(starts[number] + lengths[number]) - 1
        written = " ".join(text.shown[text.spans[first][0] : text.spans[last][1]].split())
        short = written if len(written) <= MOST_CHARACTERS else written[: MOST_CHARACTERS - 1] + "…"
        names.append(f"{number + 1} {short}")
    title = say("how much each sentence weighs", "每个句子的权重")
    if len(chosen) < len(weights):
        title = say(
            f"the {len(chosen)} of {len(weights)} sentences that weigh most",
            f"{len(weights)} 个句子中权重最大的 {len(chosen)} 个",
        )
    within = say("how much each word weighs within its sentence", "每个词在所属句子中的权重")
    return [
        Bars(title, names, weights[chosen], percent=True),
        TokenHeat(within, text.shown, text.spans, arrays["word_weights"]),
    ]
