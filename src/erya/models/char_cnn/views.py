"""The trace of a CNN over characters: how its layers shrink the text, and what each character adds to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from erya.language import say
from erya.models.char_cnn.network import FIRST, POOL, POOLED, WIDTHS, CharCNN
from erya.parts.network_gradients import token_shares
from erya.parts.network_text import OneText
from erya.trace import Table, TokenHeat, Trace, View

POINTS = 16  # of the integral behind the heat


def trace(network: CharCNN, text: OneText) -> Trace:
    """All steps for one text.

    Arrays: layer_1 … layer_6 (P, F), from the text's end to its beginning; full_1 and full_2 (H,); weights (H,) of the answered
    class; contributions (H,) = full_2 · weights; shares (T,) what each character adds to the logit over that of a text
    without any (integrated gradients); logits (C,); probabilities (C,).
    """
    batch, tokens = text.batch, text.tokens
    with torch.no_grad():
        logits = network(batch)[0].double().numpy()
        table = functional.embedding(batch.tokens, network.embedding)
        layers = network.layers(table, network.reversed(batch))
        full = [layers[-1].flatten(1)]  # (1, F·P)
        for weights, bias in zip(network.full, network.full_biases, strict=True):
            full.append(functional.relu(full[-1] @ weights + bias))  # (1, H)
    answer, bars = text.answer(logits)
    chosen = int(logits.argmax())
    weighed = network.output.detach().numpy()[:, chosen]
    shares = np.zeros(0)
    if tokens:
        shares, _ = token_shares(network, ["embedding"], text.corpus.ids[:-1].tolist(), chosen, POINTS)
    arrays: dict[str, NDArray[Any]] = {f"layer_{number}": one[0].T.numpy() for number, one in enumerate(layers, 1)}
    arrays |= {"full_1": full[1][0].numpy(), "full_2": full[2][0].numpy()}
    arrays |= {"weights": weighed, "contributions": arrays["full_2"] * weighed, "shares": shares}
    title = say(f"what each character adds to “{text.names[chosen]}”", f"每个字符对“{text.names[chosen]}”的贡献")
    views: list[View] = [TokenHeat(title, text.shown, text.spans, shares), _sizes(layers)]
    return Trace(text.model, text.shown, arrays | answer, [*views, *bars])


def _sizes(layers: Sequence[torch.Tensor]) -> Table:
    """How many places each layer leaves, how many characters one of them sees, and how much of it is awake."""
    rows, seen, stride = [], 1, 1
    for number, (layer, width) in enumerate(zip(layers, (FIRST, *WIDTHS), strict=True)):
        seen += (width - 1) * stride
        if number in POOLED:
            seen, stride = seen + (POOL - 1) * stride, POOL * stride
        rows.append([number + 1, layer.shape[2], seen, f"{float((layer > 0).float().mean()):.0%}"])
    header = [say("layer", "层"), say("places", "位置数"), say("characters seen", "看到的字符数"), say("not 0", "非零")]
    return Table(say("convolutions", "卷积层"), header, rows)
