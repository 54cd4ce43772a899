"""The trace of an LSTM with attention: what both readers knew at each token, and what each token weighed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.language import say
from erya.models.attention_lstm.network import AttentionLSTM
from erya.parts.network_text import OneText
from erya.trace import Lines, TokenHeat, Trace, View


def trace(network: AttentionLSTM, text: OneText) -> Trace:
    """One text.

    Arrays: vectors (T, D); states (T, H), both readers' added; scores (T,) before the softmax; weights (T,), which sum to 1; features (H,);
    alone (T,), the logit of the answered class if that token had all the weight; logits (C,); probabilities (C,).
    """
    batch = text.batch
    with torch.no_grad():
        logits = network(batch)[0].double().numpy()
        vectors = network.embedding[batch.tokens[batch.places[0]]]  # (T, D)
        states = network.states(batch)
        average, weights = network.averaged(states, batch.lengths)
        everyone = (torch.tanh(states[0]) @ network.output + network.output_bias).numpy()  # (T, C)
        scores = torch.tanh(states[0]) @ network.question
    answer, bars = text.answer(logits)
    chosen = int(logits.argmax())
    arrays: dict[str, NDArray[Any]] = {
        "vectors": vectors.numpy(),
        "states": states[0].numpy(),
        "scores": scores.numpy(),
        "weights": weights[0].numpy(),
        "features": np.tanh(average[0].numpy()),
        "alone": everyone[:, chosen],
    }
    title = say("how much each token weighs", "每个词的权重")
    note = say(
        "where the answer was read off, not why it was given: see explain",
        "这是答案从何处读出，而不是为何如此判断：请看 explain",
    )
    views: list[View] = [TokenHeat(title, text.shown, text.spans, arrays["weights"], note)]
    if len(text.tokens):
        name = text.names[chosen]
        series = {
            say("weight", "权重"): arrays["weights"],
            say(f"probability of “{name}” from this token alone", f"仅凭该词得到“{name}”的概率"): np.array(
                [text.probabilities(row)[chosen] for row in everyone.astype(np.float64)]
            ),
        }
        views.append(Lines(say("along the text", "沿着文本"), list(text.tokens), series))
    return Trace(text.model, text.shown, arrays | answer, [*views, *bars])
