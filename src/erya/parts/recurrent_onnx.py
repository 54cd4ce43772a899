"""The networks of ``recurrent_network.py`` as an ONNX graph, with the operators that ONNX has for their cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.parts.onnx_graph import Graph

# the operator's blocks, by their place among ours
BLOCKS = {"LSTM": (0, 2, 1, 3)}  # ours i f o g, ONNX's i o f c


def logits(
    graph: Graph, weights: Mapping[str, NDArray[Any]], operator: str, *, layers: int, readers: int, pooling: str
) -> str:
    """Adds the network and gives the name of its logits (B, C).

    A text without tokens is read as one of a padding token, and its features are then set to zero, as in ``Reading.pooled``.

    Args:
        graph: with ``graph.ids`` (B, T).
        weights: the network's arrays by name.
        operator: one of ``BLOCKS``.
        layers: one above the other.
        readers: R.
        pooling: ``"max"`` or ``"mean"``.
    """
    blocks, hidden_width = BLOCKS[operator], weights["recurrent"].shape[1]
    one = graph.constant("one_more", np.array([0, 0, 0, 1]))
    ids = graph.add("Pad", graph.ids, one)  # (B, T + 1): never without a step
    steps = graph.add(
        "CumSum", graph.add("Cast", graph.add("Equal", ids, ids), to=7), graph.constant("time", np.array(1))
    )
    lengths = graph.add("Max", graph.lengths, graph.constant("least", np.array([1])))  # (B,)
    vectors = graph.add("Gather", graph.constant("embedding", weights["embedding"]), ids)  # (B, T + 1, D)
    states = graph.add("Transpose", vectors, perm=[1, 0, 2])  # (T + 1, B, D)
    short = graph.add("Cast", lengths, to=6)  # int32
    for layer in range(1, layers + 1):
        names = [name if layer == 1 else f"{name}_{layer}" for name in ("input", "recurrent", "bias")]
        into, recurrent, bias = (weights[name] for name in names)
        arrays = {
            names[0]: _blocks(into.transpose(1, 2, 0), blocks, hidden_width),  # (R, G·H, D)
            names[1]: _blocks(recurrent.transpose(0, 2, 1), blocks, hidden_width),  # (R, G·H, H)
            names[2]: np.concatenate([_blocks(bias, blocks, hidden_width), np.zeros_like(bias)], axis=1),
        }
        constants = [graph.constant(name, array) for name, array in arrays.items()]
        direction = "bidirectional" if readers == 2 else "forward"
        read = graph.add(operator, states, *constants, short, hidden_size=hidden_width, direction=direction)
        # (T + 1, R, B, H) → (T + 1, B, R·H)
        shape = graph.constant(f"shape_{layer}", np.array([0, 0, readers * hidden_width]))
        states = graph.add("Reshape", graph.add("Transpose", read, perm=[0, 2, 1, 3]), shape)
    by_text = graph.add("Transpose", states, perm=[1, 0, 2])  # (B, T + 1, R·H)
    two = graph.constant("two", np.array([2]))
    inside = graph.add("LessOrEqual", steps, graph.add("Unsqueeze", lengths, graph.constant("last", np.array([1]))))
    mask = graph.add("Unsqueeze", inside, two)  # (B, T + 1, 1)
    axis = graph.constant("over_time", np.array([1]))
    if pooling == "max":
        lowest = graph.constant("lowest", np.array(-1.0, dtype=np.float32))  # no hidden state is below −1
        pooled = graph.add("ReduceMax", graph.add("Where", mask, by_text, lowest), axis, keepdims=0)
    else:
        sums = graph.add("ReduceSum", graph.add("Mul", by_text, graph.add("Cast", mask, to=1)), axis, keepdims=0)
        counts = graph.add("Unsqueeze", graph.add("Cast", lengths, to=1), axis)
        pooled = graph.add("Div", sums, counts)
    full = graph.add("Cast", graph.add("LessOrEqual", graph.constant("some", np.array([1])), graph.lengths), to=1)
    features = graph.add("Mul", pooled, graph.add("Unsqueeze", full, axis))  # zeros for an empty text
    scores = graph.add("MatMul", features, graph.constant("output", weights["output"]))
    return graph.add("Add", scores, graph.constant("output_bias", weights["output_bias"]))


def _blocks(array: NDArray[Any], order: tuple[int, ...], hidden_width: int) -> NDArray[Any]:
    """(R, G·H, …) with the blocks of H in another order."""
    shape = array.shape
    found: NDArray[Any] = array.reshape(shape[0], len(order), hidden_width, *shape[2:])[:, list(order)].reshape(shape)
    return found
