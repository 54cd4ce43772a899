"""The trace of a GPT: who looks at whom in each head, each layer's vectors, what was expected at each unit.

The weights come from ``attention_weights``, the formula as it is written, not from the fused kernel that gave the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.errors import UsageError
from erya.language import say
from erya.models.gpt.network import GPT, seen
from erya.parts.language_views import candidates_table, expected
from erya.text.unit_ids import BORDER
from erya.trace import Matrix, TokenHeat, Trace, View

if TYPE_CHECKING:
    from erya.models.gpt import estimator

MOST_UNITS = 32  # in a picture
MOST_PICTURES = 16  # of heads
Floats = NDArray[Any]


def trace(model: estimator.GPT, x: Any) -> Trace:
    """All layers over one text; the first place reads the border before it, the last is followed by the end.

    Arrays, of T units of which at most C − 1 are read: states_0 (T + 1, D) before the first layer; of each layer l from 1: attention_l
    (A, T + 1, T + 1), states_l (T + 1, D); log_probabilities (T + 1, V); bits (T + 1,); candidates (T + 1, K) and their probabilities.

    Raises:
        UsageError: ``x`` is no text.
    """
    if not isinstance(x, str):
        raise UsageError("not-text", say("one text is looked at at a time", "每次查看一条文本"))
    network = model.network_
    ids = model.vocabulary_.encode(x, model.units_).astype(np.int64)
    cut = max(0, len(ids) + 1 - network.form.context)
    read, wanted = np.concatenate([[BORDER], ids])[cut:], np.append(ids, BORDER)[cut:]
    arrays, weights, states = walked(network, torch.from_numpy(read))
    with torch.no_grad():
        logs = torch.log_softmax(network.logits(network.norm(states)).double(), dim=1).numpy()
    arrays |= expected(logs, wanted)
    units = [model.vocabulary_.units[number] for number in ids.tolist()]
    shown = [say("(start)", "（开头）"), *units][cut:]
    heat = np.zeros(len(units))
    heat[cut:] = arrays["bits"][:-1]
    note = say(f"the first {cut} units are not read", f"未读最前面的 {cut} 个单元") if cut else ""
    views: list[View] = [
        TokenHeat(
            say("Surprisal in bits", "惊异度（比特）"),
            x,
            model.units_.spans(x),
            heat,
            note,
            meaning=say("bits", "比特"),
        ),
        candidates_table(model, [*units, say("(end)", "（结尾）")][cut:], arrays),
    ]
    return Trace(model.id, x, arrays, [*views, *heads(shown, weights)])


@torch.no_grad()
def walked(network: GPT, ids: torch.Tensor) -> tuple[dict[str, Floats], list[Floats], torch.Tensor]:
    """All layers over units (T,): states and attention as arrays by name, the latter again in order, (A, T, T) each, and the last
    layer's states (T, D).
    """
    arrays: dict[str, Floats] = {}
    weights: list[Floats] = []
    places, _ = seen(len(ids), None)
    before = places[:, None] >= places
    states = network.entered(ids[None], places)
    arrays["states_0"] = states[0].numpy()
    for number, layer in enumerate(network.steps(), 1):
        asking = layer.norm_attention(states)
        weights.append(layer.attention.weights(asking, asking, before)[0].numpy())  # (A, T, T)
        states = layer(states, None)
        arrays |= {f"attention_{number}": weights[-1], f"states_{number}": states[0].numpy()}
    return arrays, weights, states[0]


def heads(units: Sequence[str], weights: Sequence[Floats]) -> list[View]:
    """A picture for each head; of many heads one for each layer, their mean."""
    shown = list(units[:MOST_UNITS])
    note = say("row: who looks; column: at whom; a row sums to 1", "行：谁在看；列：看谁；每行之和为 1")
    every = sum(len(some) for some in weights) <= MOST_PICTURES
    pictures: list[View] = []
    for layer, some in enumerate(weights, 1):
        part = some[:, : len(shown), : len(shown)]
        if not every:
            title = say(f"layer {layer}: mean of {len(part)} heads", f"第 {layer} 层：{len(part)} 个头的平均")
            pictures.append(Matrix(title, shown, shown, part.mean(axis=0), note))
            continue
        for head, values in enumerate(part, 1):
            title = say(f"attention, layer {layer}, head {head}", f"注意力：第 {layer} 层第 {head} 个头")
            pictures.append(Matrix(title, shown, shown, values, note))
    return pictures
