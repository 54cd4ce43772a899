"""The trace of a recurrent language model: every gate and state at every unit, what was expected there, how far back a loss reaches.

The numbers come from the room's ``step``, the equations as a textbook has them, unrolled over the text, and its gradients from torch's
differentiation of those – not from the fast path that learns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.errors import UsageError
from erya.language import say
from erya.parts.recurrent_language import RecurrentLanguage
from erya.parts.recurrent_views import MOST_UNITS, Step, Values
from erya.text.unit_ids import BORDER
from erya.trace import Lines, Matrix, Table, TokenHeat, Trace, View

if TYPE_CHECKING:
    from erya.parts.language_network import NetworkLanguageModel

CANDIDATES = 5  # that are shown at each unit


def trace(model: NetworkLanguageModel, x: Any, step: Step, gates: Mapping[str, str]) -> Trace:
    """All steps over one text; the first reads the border before it, and the last is followed by the end.

    Arrays, of T units: vectors (T + 1, D); for each layer what ``step`` names, (T + 1, H) each, as ``hidden`` – of the layers above the
    first, ``layer2_hidden`` –; ``gradient`` (T + 1,), the length of ∂loss/∂h_t, where the loss is that of the last unit;
    log_probabilities (T + 1, V); bits (T + 1,) of each unit and of the end; candidates (T + 1, K) and their probabilities.

    Args:
        model: fitted.
        x: a text.
        step: sums x W + b (1, G·H), what it gave at the step before (None: there was none) and W' (H, G·H) → named values (1, H),
            ``hidden`` among them.
        gates: which of these are gates, and what to call them.

    Raises:
        UsageError: ``x`` is no text.
    """
    if not isinstance(x, str):
        raise UsageError("not-text", say("one text is looked at at a time", "每次查看一条文本"))
    network: RecurrentLanguage = model.network_
    ids = model.vocabulary_.encode(x, model.units_).astype(np.int64)
    read = np.concatenate([[BORDER], ids])
    with torch.enable_grad():
        vectors = network.embedding.detach()[torch.from_numpy(read)]  # (T + 1, D)
        layers = _unrolled(network, vectors, step)
        logs = _asked(network, layers[-1])  # (T + 1, V)
        wanted = np.append(ids, BORDER)
        # the loss of the last unit; of an empty text that of the end
        lengths = _gradients(layers, -logs[max(len(ids) - 1, 0), int(wanted[max(len(ids) - 1, 0)])])
    arrays: dict[str, NDArray[Any]] = {"vectors": vectors.numpy()}
    for number, (steps, gradient) in enumerate(zip(layers, lengths, strict=True), 1):
        prefix = "" if number == 1 else f"layer{number}_"
        arrays |= {prefix + part: _stacked(steps, part) for part in steps[0]}
        arrays[prefix + "gradient"] = gradient
    arrays |= expected(logs.detach().numpy().astype(np.float64), wanted)
    return Trace(model.id, x, arrays, _pictures(model, x, ids, arrays, gates, len(layers)))


def _unrolled(network: RecurrentLanguage, vectors: torch.Tensor, step: Step) -> list[list[Values]]:
    """What every layer found at each unit."""
    inputs, found = vectors, []
    for layer in range(1, network.form.layers + 1):
        into, recurrent, bias = (weights.detach() for weights in network.weights(layer))
        steps: list[Values] = []
        for row in inputs @ into[:, 0] + bias[0]:
            values = dict(step(row[None], steps[-1] if steps else None, recurrent[0]))
            if not values["hidden"].requires_grad:
                values["hidden"].requires_grad_()  # the first one: nothing before it is differentiated
            steps.append(values)
        found.append(steps)
        inputs = torch.cat([values["hidden"] for values in steps])
    return found


def _asked(network: RecurrentLanguage, steps: Sequence[Values]) -> torch.Tensor:
    hidden = torch.cat([values["hidden"] for values in steps])
    if network.projection is not None:
        hidden = hidden @ network.projection.detach()
    return torch.log_softmax(hidden @ network.table.detach().T + network.output_bias.detach(), dim=1)


def _gradients(layers: Sequence[Sequence[Values]], loss: torch.Tensor) -> list[NDArray[np.float64]]:
    """‖∂loss/∂h_t‖ at every unit, (T + 1,) for each layer, with all that h_t does to later steps; 0 behind the loss."""
    states = [values["hidden"] for steps in layers for values in steps]
    found = torch.autograd.grad(loss, states, allow_unused=True)
    lengths = np.array([0.0 if one is None else float(one.double().norm()) for one in found])
    return list(lengths.reshape(len(layers), -1))


def _stacked(steps: Sequence[Values], part: str) -> NDArray[Any]:
    found: NDArray[Any] = torch.cat([values[part] for values in steps]).detach().numpy()
    return found


def expected(logs: NDArray[np.float64], wanted: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Of ln p (T, V) and the T units that came: bits (T,), the most probable units (T, K) and their probabilities."""
    best = np.argsort(-logs, axis=1, kind="stable")[:, :CANDIDATES]
    return {
        "log_probabilities": logs,
        "bits": -logs[np.arange(len(wanted)), wanted] / math.log(2),
        "candidates": best,
        "probabilities": np.exp(np.take_along_axis(logs, best, axis=1)),
    }


def _pictures(
    model: NetworkLanguageModel,
    x: str,
    ids: NDArray[np.int64],
    arrays: Mapping[str, NDArray[Any]],
    gates: Mapping[str, str],
    layers: int,
) -> list[View]:
    units = [model.vocabulary_.units[number] for number in ids.tolist()]
    read = [say("(start)", "（开头）"), *units]
    heat = TokenHeat(
        say("Surprisal in bits", "惊异度（比特）"),
        x,
        model.units_.spans(x),
        arrays["bits"][:-1],
        meaning=say("bits", "比特"),
    )
    views: list[View] = [heat, candidates_table(model, [*units, say("(end)", "（结尾）")], arrays)]
    for layer in range(1, layers + 1):
        prefix, called = ("", "") if layer == 1 else (f"layer{layer}_", say(f", layer {layer}", f"，第 {layer} 层"))
        if gates:
            series = {shown: arrays[prefix + part].mean(axis=1) for part, shown in gates.items()}
            views.append(Lines(say("gates", "门") + called, read, series))
    views.append(_reach(arrays, layers, max(len(ids), 1)))
    last = "hidden" if layers == 1 else f"layer{layers}_hidden"
    hidden = arrays[last]
    moved = np.argsort(-hidden.std(axis=0), kind="stable")[:MOST_UNITS].tolist()
    title = say("hidden states of the units that move most", "变化最大的单元的隐藏状态")
    views.append(Matrix(title, [str(unit) for unit in moved], read, hidden[:, moved].T))
    return views


def _reach(arrays: Mapping[str, NDArray[Any]], layers: int, steps: int) -> Lines:
    """The gradient's length against the distance to the unit whose loss it is of."""
    series = {}
    for layer in range(1, layers + 1):
        lengths = arrays["gradient" if layer == 1 else f"layer{layer}_gradient"][:steps][::-1]
        with np.errstate(divide="ignore"):
            logs = np.log10(lengths)
        series[say(f"layer {layer}", f"第 {layer} 层")] = np.where(np.isfinite(logs), logs, np.nan)
    return Lines(
        say(
            "how far back the last unit's loss reaches: log10 ‖∂loss/∂h‖",
            "最后一个单元的损失能回溯多远：log10 ‖∂损失/∂h‖",
        ),
        list(range(steps)),
        series,
        say("steps back; one less is a tenth of the gradient", "往回的步数；每低 1，梯度只剩十分之一"),
    )


def candidates_table(model: NetworkLanguageModel, units: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> Table:
    """What was expected at each unit.

    Args:
        model: fitted.
        units: those that came, as they are shown.
        arrays: of ``expected``.
    """
    rows = []
    for unit, bits, best, shares in zip(
        units, arrays["bits"].tolist(), arrays["candidates"].tolist(), arrays["probabilities"].tolist(), strict=True
    ):
        names = [say("(end)", "（结尾）") if one == BORDER else model.vocabulary_.units[one] for one in best]
        rows.append([unit, f"{bits:.2f}", *(f"{name} {share:.0%}" for name, share in zip(names, shares, strict=True))])
    width = len(rows[0]) - 2
    columns = [say("came", "实际"), say("bits", "比特"), *(f"{place}" for place in range(1, width + 1))]
    return Table(say("what was expected", "模型的预期"), columns, rows)
