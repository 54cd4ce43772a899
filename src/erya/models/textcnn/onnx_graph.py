"""TextCNN as an ONNX graph: the same convolution, written with the operators ``Conv`` and ``ReduceMax``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.parts.onnx_graph import Graph

OPERATORS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softplus": "Softplus"}


def logits(graph: Graph, weights: Mapping[str, NDArray[Any]], activation: str) -> str:
    """Adds the network and gives the name of its logits (B, C).

    Each text lies between as many zero vectors as the widest window has tokens, so that every window hangs over both ends, and one
    lies outside: in ``network.py`` they do, too.

    Args:
        graph: with ``graph.ids``, (B, T), 0 behind a text's end.
        weights: the network's arrays by name.
        activation: one of ``folded.ACTIVATIONS``.
    """
    windows = range(sum(name.startswith("filters.") for name in weights))
    filters = [weights[f"filters.{place}"] for place in windows]  # (D, w, F)
    biases = [weights[f"biases.{place}"] for place in windows]
    widest = max(one.shape[1] for one in filters)
    table = [weights[name] for name in ("embedding", "fixed") if name in weights]
    embedding = graph.constant("embedding", np.concatenate(table, axis=1))  # (V, D)
    edges = graph.constant("edges", np.array([0, widest, 0, widest], dtype=np.int64))
    ids = graph.add("Pad", graph.ids, edges)  # (B, T + 2w)
    vectors = graph.add("Transpose", graph.add("Gather", embedding, ids), perm=[0, 2, 1])  # (B, D, T + 2w)
    pooled = []
    for place, (one, bias) in enumerate(zip(filters, biases, strict=True)):
        kernel = graph.constant(f"filters_{place}", np.ascontiguousarray(one.transpose(2, 0, 1)))  # (F, D, w)
        responses = graph.add("Conv", vectors, kernel, graph.constant(f"biases_{place}", bias))  # (B, F, P)
        pooled.append(graph.add("ReduceMax", responses, graph.constant(f"axis_{place}", np.array([2])), keepdims=0))
    features = graph.add("Concat", *pooled, axis=1)  # (B, ΣF)
    features = _active(graph, features, activation)
    scores = graph.add("MatMul", features, graph.constant("output", weights["output"]))
    return graph.add("Add", scores, graph.constant("output_bias", weights["output_bias"]))


def _active(graph: Graph, features: str, activation: str) -> str:
    if activation in OPERATORS:
        return graph.add(OPERATORS[activation], features)
    if activation == "identity":
        return features
    cube = graph.add("Mul", features, graph.add("Mul", features, features))
    return cube if activation == "cube" else graph.add("Tanh", graph.add("Add", cube, features))
