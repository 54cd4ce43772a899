"""The CNN over characters as an ONNX graph: the first convolution is a sum of looked-up rows, the others are ``Conv``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from erya.parts.onnx_graph import Graph

NUMBERS_AT_ONCE = 1 << 22  # of the first layer's responses, bounds the memory


def logits(
    graph: Graph, weights: Mapping[str, NDArray[Any]], length: int, first: int, pool: int, pooled: Sequence[int]
) -> str:
    """Adds the network and gives the name of its logits (B, C).

    Args:
        graph: with ``graph.ids`` (B, T), T ≤ ``length`` but for the padding.
        weights: the network's arrays by name.
        length: characters that the network reads.
        first: width of the first convolution.
        pool: places that become one.
        pooled: which of the convolutions are followed by that.
    """
    table = weights["embedding"].reshape(len(weights["embedding"]), first, -1)  # (V, 7, F)
    graph.texts_at_once = min(graph.texts_at_once, max(1, NUMBERS_AT_ONCE // (length * table.shape[2])))
    places = length - first + 1
    turned = _turned(graph, length)  # (B, length)
    values = ""  # what the characters of a window add, each at its own position: (B, places, F)
    for position in range(first):
        seen = graph.add("Slice", turned, graph.whole(position), graph.whole(position + places), graph.whole(1))
        rows = graph.add("Gather", graph.constant(f"embedding.{position}", table[:, position]), seen)
        values = graph.add("Add", values, rows) if values else rows
    values = graph.add("Add", values, graph.constant("biases.0", weights["biases.0"]))
    values = graph.add("Relu", graph.add("Transpose", values, perm=[0, 2, 1]))  # (B, F, places)
    for number in range(sum(name.startswith("biases.") for name in weights)):
        if number:
            kernel = graph.constant(f"convolutions.{number - 1}", weights[f"convolutions.{number - 1}"])
            bias = graph.constant(f"biases.{number}", weights[f"biases.{number}"])
            values = graph.add("Relu", graph.add("Conv", values, kernel, bias))
        if number in pooled:
            values = graph.add("MaxPool", values, kernel_shape=[pool], strides=[pool])
    values = graph.add("Flatten", values, axis=1)  # (B, F·P)
    for number in range(sum(name.startswith("full.") for name in weights)):
        values = graph.affine(values, f"full.{number}", weights[f"full.{number}"], weights[f"full_biases.{number}"])
        values = graph.add("Relu", values)  # (B, H)
    return graph.affine(values, "output", weights["output"], weights["output_bias"])


def _turned(graph: Graph, length: int) -> str:
    """(B, length): each text's characters from the last to the first, then 0."""
    backward = graph.add("ReverseSequence", graph.ids, graph.lengths, batch_axis=0, time_axis=1)
    longer = graph.add("Pad", backward, graph.whole(0, 0, 0, length))
    return graph.add("Slice", longer, graph.whole(0), graph.whole(length), graph.whole(1))
