"""DPCNN as an ONNX graph: the same pyramid, written with the operators ``Conv`` and ``MaxPool``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from erya.parts.onnx_graph import FLOAT, LOWEST, Graph

Weights = Mapping[str, NDArray[Any]]


def logits(graph: Graph, weights: Weights, blocks: int) -> str:
    """Adds the network and gives the name of its logits (B, C).

    Args:
        graph: with ``graph.ids`` (B, T).
        weights: the network's arrays by name.
        blocks: how often the text is halved.
    """
    vectors = graph.add("Gather", graph.constant("embedding", weights["embedding"]), graph.ids)
    vectors = graph.add("Transpose", vectors, perm=[0, 2, 1])  # x (B, D, T), zeros beyond a text's end
    lengths, within = graph.lengths, _within(graph, vectors, graph.lengths)
    region = graph.constant("region", weights["region"].transpose(2, 0, 1))  # (H, D, 3)
    bias = graph.constant("region_bias", weights["region_bias"])
    level = graph.add("Mul", graph.add("Conv", vectors, region, bias, pads=[1, 1]), _numbers(graph, within))
    level = graph.add("Add", level, _pair(graph, level, within, weights, 0))  # z ← z + pair(z), (B, H, T)
    for block in range(1, blocks + 1):
        level, lengths, within = _halved(graph, level, lengths, within)
        level = graph.add("Add", level, _pair(graph, level, within, weights, block))
    greatest = graph.add(
        "ReduceMax", graph.add("Where", within, level, graph.number(LOWEST)), graph.whole(2), keepdims=0
    )
    some = graph.add("Unsqueeze", graph.add("Less", graph.whole(0), graph.lengths), graph.whole(1))
    features = graph.add("Where", some, greatest, graph.number(0.0))  # (B, H), zeros for an empty text
    return graph.affine(features, "output", weights["output"], weights["output_bias"])


def _pair(graph: Graph, level: str, within: str, weights: Weights, block: int) -> str:
    """Two convolutions, each behind its activation, (B, H, L); zeros beyond a text's end."""
    for number in (2 * block, 2 * block + 1):
        kernel = graph.constant(f"convolutions.{number}", weights[f"convolutions.{number}"])
        bias = graph.constant(f"biases.{number}", weights[f"biases.{number}"])
        level = graph.add("Conv", graph.add("Relu", level), kernel, bias, pads=[1, 1])
        level = graph.add("Mul", level, _numbers(graph, within))
    return level


def _halved(graph: Graph, level: str, lengths: str, within: str) -> tuple[str, str, str]:
    """Places 2i, 2i + 1 and 2i + 2 become one, their greatest values: (B, H, ⌈L / 2⌉); the lengths then, and what is within them."""
    padded = graph.add("Where", within, level, graph.number(LOWEST))
    pooled = graph.add("MaxPool", padded, kernel_shape=[3], strides=[2], pads=[0, 2])
    lengths = graph.add("Div", graph.add("Add", lengths, graph.whole(1)), graph.whole(2))
    within = _within(graph, pooled, lengths)
    return graph.add("Where", within, pooled, graph.number(0.0)), lengths, within


def _within(graph: Graph, level: str, lengths: str) -> str:
    """(B, 1, L) true where a text has a place, false behind it."""
    return graph.add("Unsqueeze", graph.below(graph.counted(level, 2), lengths), graph.whole(1))


def _numbers(graph: Graph, within: str) -> str:
    return graph.add("Cast", within, to=FLOAT)
