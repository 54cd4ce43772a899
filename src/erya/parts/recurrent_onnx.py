"""Recurrent layers as an ONNX graph, with the operators that ONNX has for their cells, and the networks of ``recurrent_network.py``.

https://onnx.ai/onnx/operators: ``RNN``, ``GRU`` and ``LSTM`` are the equations of the rooms, their blocks stand in another order. They
go through a padded batch and are told where each text ends; the backward reader begins there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.parts.onnx_graph import FLOAT, INT32, Graph

# the operator's blocks, by their place among ours
BLOCKS = {
    "RNN": (0,),
    "GRU": (1, 0, 2),  # ours r u k, ONNX's z r h, where z is u
    "LSTM": (0, 2, 1, 3),  # ours i f o g, ONNX's i o f c
}
Weights = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


class Layer(NamedTuple):
    """What R readers gave, by the names in the graph.

    Attributes:
        states: (T, R, B, H) hidden states; zeros beyond a sequence's end.
        last: (R, B, H) each reader's last one: the backward reader's is that at the first place.
    """

    states: str
    last: str


def layer(
    graph: Graph, operator: str, inputs: str, lengths: str, weights: Weights, *, name: str = "", first: str = ""
) -> Layer:
    """One layer of R readers, 1 or 2.

    Args:
        graph: that takes the nodes.
        operator: one of ``BLOCKS``.
        inputs: (T, B, D).
        lengths: (B,) int32, 1 and more.
        weights: W (D, R, G·H), W' (R, H, G·H), b (R, G·H), as in ``recurrent_layers.py``.
        name: what to put before the names of the constants.
        first: hidden states (R, B, H) to begin with; "": zeros.
    """
    into, recurrent, bias = weights
    readers, hidden_width = recurrent.shape[:2]
    arrays = {
        "input": _blocks(into.transpose(1, 2, 0), operator, hidden_width),  # (R, G·H, D)
        "recurrent": _blocks(recurrent.transpose(0, 2, 1), operator, hidden_width),  # (R, G·H, H)
        "bias": np.concatenate([_blocks(bias, operator, hidden_width), np.zeros_like(bias)], axis=1),
    }
    constants = [graph.constant(name + kind, array) for kind, array in arrays.items()]
    direction = "bidirectional" if readers == 2 else "forward"
    form: dict[str, Any] = {"hidden_size": hidden_width, "direction": direction}
    if operator == "GRU":
        form["linear_before_reset"] = 1  # the reset comes behind the product
    return Layer(*graph.add_all(operator, inputs, *constants, lengths, first, outputs=2, **form))


def steps_of(graph: Graph, lengths: str) -> str:
    """Lengths (B,) as ``layer`` takes them: int32, a sequence without elements as one of a single element."""
    return graph.add("Cast", graph.add("Max", lengths, graph.whole(1)), to=INT32)


def side_by_side(graph: Graph, states: str, width: int) -> str:
    """(T, B, R·H) from states (T, R, B, H); ``width`` is R·H."""
    return graph.add("Reshape", graph.add("Transpose", states, perm=[0, 2, 1, 3]), graph.whole(0, 0, width))


def logits(graph: Graph, weights: Mapping[str, NDArray[Any]], operator: str, *, layers: int, pooling: str) -> str:
    """Adds the network and gives the name of its logits (B, C).

    A text without tokens is read as one of a padding token, and its features are then set to zero, as in ``Reading.pooled``.

    Args:
        graph: with ``graph.ids`` (B, T).
        weights: the network's arrays by name.
        operator: one of ``BLOCKS``.
        layers: one above the other.
        pooling: ``"max"``, ``"mean"`` or ``"last"``.
    """
    readers, hidden_width = weights["recurrent"].shape[:2]
    vectors = graph.add("Gather", graph.constant("embedding", weights["embedding"]), graph.ids)  # (B, T, D)
    inputs, steps = graph.add("Transpose", vectors, perm=[1, 0, 2]), steps_of(graph, graph.lengths)
    for number in range(1, layers + 1):
        behind = "" if number == 1 else f"_{number}"
        own = (weights[f"input{behind}"], weights[f"recurrent{behind}"], weights[f"bias{behind}"])
        read = layer(graph, operator, inputs, steps, own, name=f"layer_{number}_")
        inputs = side_by_side(graph, read.states, readers * hidden_width)  # (T, B, R·H)
    if pooling == "last":
        last = graph.add("Transpose", read.last, perm=[1, 0, 2])  # (B, R, H)
        pooled = graph.add("Reshape", last, graph.whole(0, readers * hidden_width))
    else:
        pooled = _pooled(graph, graph.add("Transpose", inputs, perm=[1, 0, 2]), pooling)
    some = graph.add("Cast", graph.add("Less", graph.whole(0), graph.lengths), to=FLOAT)
    features = graph.add(
        "Mul", pooled, graph.add("Unsqueeze", some, graph.whole(1))
    )  # (B, R·H), zeros for an empty text
    return graph.affine(features, "output", weights["output"], weights["output_bias"])


def _pooled(graph: Graph, states: str, pooling: str) -> str:
    """(B, H) the greatest or the mean of states (B, T, H) of each text's own places."""
    mask, time = graph.add("Unsqueeze", graph.inside, graph.whole(2)), graph.whole(1)  # (B, T, 1)
    if pooling == "max":  # no hidden state is below −1
        return graph.add("ReduceMax", graph.add("Where", mask, states, graph.number(-1.0)), time, keepdims=0)
    sums = graph.add("ReduceSum", graph.add("Mul", states, graph.add("Cast", mask, to=FLOAT)), time, keepdims=0)
    counts = graph.add("Cast", graph.add("Max", graph.lengths, graph.whole(1)), to=FLOAT)
    return graph.add("Div", sums, graph.add("Unsqueeze", counts, time))


def _blocks(array: NDArray[Any], operator: str, hidden_width: int) -> NDArray[Any]:
    """(R, G·H, …) with the blocks of H in the operator's order."""
    shape, order = array.shape, BLOCKS[operator]
    found: NDArray[Any] = array.reshape(shape[0], len(order), hidden_width, *shape[2:])[:, list(order)].reshape(shape)
    return found
