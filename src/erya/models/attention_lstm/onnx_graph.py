"""The BiLSTM with attention as an ONNX graph: the equations of ``network.py``, line by line, from the learned weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from erya.parts import attention_onnx, recurrent_onnx
from erya.parts.onnx_graph import Graph


def logits(graph: Graph, weights: Mapping[str, NDArray[Any]]) -> str:
    """Adds the network and gives the name of its logits (B, C).

    Args:
        graph: with ``graph.ids`` (B, T).
        weights: the network's arrays by name.
    """
    vectors = graph.add("Gather", graph.constant("embedding", weights["embedding"]), graph.ids)  # x (B, T, D)
    own = (weights["input"], weights["recurrent"], weights["bias"])
    steps = recurrent_onnx.steps_of(graph, graph.lengths)
    read = recurrent_onnx.layer(graph, "LSTM", graph.add("Transpose", vectors, perm=[1, 0, 2]), steps, own)
    both = graph.add("ReduceSum", read.states, graph.whole(1), keepdims=0)  # h: →h + ←h, (T, B, H)
    states = graph.add("Transpose", both, perm=[1, 0, 2])  # (B, T, H)
    question = graph.constant("question", weights["question"])
    scores = graph.add("MatMul", graph.add("Tanh", states), question)  # w · tanh(h), (B, T)
    average = attention_onnx.pooled(graph, states, scores, graph.inside)  # r (B, H)
    return graph.affine(graph.add("Tanh", average), "output", weights["output"], weights["output_bias"])
