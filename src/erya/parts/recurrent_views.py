"""The trace of a recurrent network: every gate and state at every token, and how far back the loss reaches.

The numbers come from the room's ``cell``, the equations as a textbook has them, unrolled over the text, and its gradients
from torch's differentiation of those – not from the fast path that gave the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from erya.language import say
from erya.parts.network_text import OneText
from erya.parts.recurrent_network import RecurrentNetwork
from erya.trace import Lines, Matrix, TokenHeat, Trace, View

MOST_UNITS = 16  # rows of the picture of hidden states
READERS = ("forward", "backward")
Values = Mapping[str, torch.Tensor]
Step = Callable[[torch.Tensor, Values | None, torch.Tensor], Values]


def trace(network: RecurrentNetwork, text: OneText, step: Step, gates: Mapping[str, str]) -> Trace:
    """All steps for one text, in the order of the text for every reader.

    Arrays: vectors (T, D); for each layer and reader what ``step`` names, (T, H) each, as ``forward_hidden`` – of the layers
    above the first, ``layer2_forward_hidden`` –, and ``forward_gradient`` (T,), the length of ∂loss/∂h_t, where the loss is that
    of the answer given; features (R·H,); weights (R·H,) of the answered class; contributions (R·H,); unless the mean is
    taken, place (R·H,): the token each feature comes from; logits (C,); probabilities (C,).

    Args:
        network: with its weights.
        text: T tokens.
        step: sums x W + b (1, G·H), what it gave at the step before (None: there was none) and W' (H, G·H) → named
            values (1, H), ``hidden`` among them.
        gates: which of these are gates, and what to call them.
    """
    batch, tokens = text.batch, text.tokens
    with torch.no_grad():
        fast = network(batch)[0].double().numpy()
    chosen = int(fast.argmax())
    with torch.enable_grad():
        vectors = network.embedding.detach()[batch.tokens[batch.places[0]]]  # (T, D)
        found, features = _unrolled(network, vectors, step)
        lengths = _gradients(network, found, features, chosen, text.several)
    arrays: dict[str, NDArray[Any]] = {"vectors": vectors.numpy()}
    for name, steps in found.items():
        arrays |= {f"{name}_{part}": values for part, values in _stacked(network, steps, step).items()}
        arrays[f"{name}_gradient"] = lengths[name]
    pooled, weights = features.detach().numpy(), network.output.detach().numpy()[:, chosen]
    contributions = pooled * weights
    arrays |= {"features": pooled, "weights": weights, "contributions": contributions}
    top = [arrays[f"{_reader(network.layers, number)}_hidden"] for number in range(network.readers)]
    hidden = np.concatenate(top, axis=1)  # (T, R·H)
    place = _places(hidden, network.pooling, network.readers)
    if place is not None:
        arrays["place"] = place
    heat = _heat(hidden, weights, contributions, place)
    answer, bars = text.answer(fast)
    title = say(f"where “{text.names[chosen]}” was read", f"“{text.names[chosen]}”是在何处读出的")
    views: list[View] = [TokenHeat(title, text.shown, text.spans, heat)]
    if tokens:
        views += _pictures(tokens, arrays, list(found), gates)
        views.append(_units(tokens, hidden, contributions, network.readers))
    return Trace(text.model, text.shown, arrays | answer, [*views, *bars])


def _reader(layer: int, number: int) -> str:
    return READERS[number] if layer == 1 else f"layer{layer}_{READERS[number]}"


def _unrolled(
    network: RecurrentNetwork, vectors: torch.Tensor, step: Step
) -> tuple[dict[str, list[Values]], torch.Tensor]:
    """What every reader of every layer found at each token, by the text's order, and the features (R·H,)."""
    found: dict[str, list[Values]] = {}
    inputs = vectors
    for layer in range(1, network.layers + 1):
        into, recurrent, bias = (weights.detach() for weights in network.weights(layer))
        sides = []
        for number in range(network.readers):
            sums = inputs @ into[:, number] + bias[number]  # (T, G·H)
            steps: list[Values] = []
            for row in sums.flip(0) if number else sums:
                values = dict(step(row[None], steps[-1] if steps else None, recurrent[number]))
                if not values["hidden"].requires_grad:
                    values["hidden"].requires_grad_()  # the first one: nothing before it is differentiated
                steps.append(values)
            steps = steps[::-1] if number else steps
            found[_reader(layer, number)] = steps
            none = vectors.new_zeros(0, recurrent.shape[1])
            sides.append(torch.cat([values["hidden"] for values in steps]) if steps else none)
        inputs = torch.cat(sides, dim=1)  # (T, R·H)
    if not len(inputs):
        return found, network.output.new_zeros(len(network.output))
    if network.pooling == "mean":
        return found, inputs.mean(dim=0)
    if network.pooling == "max":
        return found, inputs.amax(dim=0)
    return found, torch.cat([side[0] if number else side[-1] for number, side in enumerate(sides)])


def _gradients(
    network: RecurrentNetwork, found: Mapping[str, list[Values]], features: torch.Tensor, chosen: int, several: bool
) -> dict[str, NDArray[np.float64]]:
    """‖∂loss/∂h_t‖ at every token, (T,) for each reader: with all that h_t does to later steps."""
    states = [values["hidden"] for steps in found.values() for values in steps]
    if not states:
        return {name: np.zeros(0) for name in found}
    logits = features @ network.output.detach() + network.output_bias.detach()  # (C,)
    loss = functional.softplus(-logits[chosen]) if several else -torch.log_softmax(logits, dim=0)[chosen]
    lengths = [float(gradient.double().norm()) for gradient in torch.autograd.grad(loss, states)]
    size = len(states) // len(found)
    return {name: np.array(lengths[size * number : size * (number + 1)]) for number, name in enumerate(found)}


def _stacked(network: RecurrentNetwork, steps: Sequence[Values], step: Step) -> dict[str, NDArray[Any]]:
    """Each named value at all tokens, (T, H)."""
    if steps:
        return {part: torch.cat([values[part] for values in steps]).detach().numpy() for part in steps[0]}
    _, recurrent, bias = (weights.detach() for weights in network.weights(1))
    return {part: np.zeros((0, len(recurrent[0])), dtype=np.float32) for part in step(bias[:1], None, recurrent[0])}


def _places(hidden: NDArray[Any], pooling: str, readers: int) -> NDArray[np.int64] | None:
    """(R·H,) the token that each feature was taken from."""
    steps, width = hidden.shape
    if pooling == "mean":
        return None
    if not steps:
        return np.zeros(0, dtype=np.int64)
    if pooling == "max":
        strongest: NDArray[np.int64] = hidden.argmax(axis=0)
        return strongest
    return np.repeat(np.array([steps - 1, 0])[:readers], width // readers)


def _heat(
    hidden: NDArray[Any], weights: NDArray[Any], contributions: NDArray[Any], place: NDArray[np.int64] | None
) -> NDArray[np.float64]:
    """(T,) what was read at each token for the answer: the contributions of the features that come from there."""
    if len(hidden) == 0:
        return np.zeros(0)
    if place is None:
        return np.asarray(hidden @ weights / len(hidden), dtype=np.float64)
    return np.bincount(place, weights=contributions, minlength=len(hidden)).astype(np.float64)


def _pictures(
    tokens: Sequence[str], arrays: Mapping[str, NDArray[Any]], names: Sequence[str], gates: Mapping[str, str]
) -> list[View]:
    """The mean opening of the gates of each reader; the gradient's length through time of all of them."""
    views: list[View] = []
    for name in names if gates else ():
        title = say("gates: ", "门：") + _called(name)
        series = {shown: arrays[f"{name}_{part}"].mean(axis=1) for part, shown in gates.items()}
        views.append(Lines(title, list(tokens), series))
    with np.errstate(divide="ignore"):
        lengths = {_called(name): np.log10(arrays[f"{name}_gradient"]) for name in names}
    lengths = {name: np.where(np.isfinite(values), values, np.nan) for name, values in lengths.items()}
    views.append(
        Lines(
            say("how far back the loss reaches: log10 ‖∂loss/∂h‖", "损失能回溯多远：log10 ‖∂损失/∂h‖"),
            list(tokens),
            lengths,
            say("one less is a tenth of the gradient", "每低 1，梯度只剩十分之一"),
        )
    )
    return views


def _called(name: str) -> str:
    """A reader's name as it is shown."""
    side = say("reading forwards", "正向阅读") if name.endswith("forward") else say("reading backwards", "反向阅读")
    if "_" not in name:
        return side
    layer = name.split("_")[0].removeprefix("layer")
    return side + say(f", layer {layer}", f"，第 {layer} 层")


def _units(tokens: Sequence[str], hidden: NDArray[Any], contributions: NDArray[Any], readers: int) -> Matrix:
    """The hidden states of the units that matter most to the answer."""
    width = hidden.shape[1] // readers
    units = np.argsort(-np.abs(contributions), kind="stable")[:MOST_UNITS].tolist()
    names = [f"{'→' if unit < width else '←'} {unit % width}" for unit in units]
    title = say("hidden states of the units that matter most", "最重要的单元的隐藏状态")
    return Matrix(title, names, list(tokens), hidden[:, units].T)
