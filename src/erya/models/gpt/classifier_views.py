"""The trace of a GPT that classifies: who looks at whom, and what the last unit, whose state decides, looks at.

The weights come from ``attention_weights``, the formula as it is written, not from the fused kernel that gave the answer.
"""

from __future__ import annotations

import torch

from erya.language import say
from erya.models.gpt.fine_tuning import ClassifyingGPT
from erya.models.gpt.views import heads, walked
from erya.parts.network_text import OneText
from erya.trace import TokenHeat, Trace, View


@torch.no_grad()
def trace(network: ClassifyingGPT, text: OneText) -> Trace:
    """One text of T units; place 0 is the border before it.

    Arrays: states_0 (T + 1, D) before the first layer; of each layer l from 1: attention_l (A, T + 1, T + 1), states_l (T + 1, D); feature
    (D,), the state that decides; logits (C,), probabilities (C,).
    """
    states, ids = network.read(text.batch)
    arrays, weights, _ = walked(network.decoder, ids[0])
    arrays["feature"] = states[0, -1].numpy()
    logits = network.classified(states, text.batch.lengths)[0].double().numpy()
    answer, bars = text.answer(logits)
    title = say(
        "what the last unit looks at in the last layer, mean of the heads", "最后一层中末尾单元所关注的位置（各头平均）"
    )
    views: list[View] = [TokenHeat(title, text.shown, text.spans, weights[-1].mean(axis=0)[-1, 1:])]
    units = [say("(start)", "（开头）"), *text.tokens]
    return Trace(text.model, text.shown, arrays | answer, [*views, *bars, *heads(units, weights)])
