"""Attention as an ONNX graph: the softmax over what may be looked at, additive attention as pooling, and several heads.

The same equations as in ``attention.py`` and ``attention_pooling.py``, from the same weights. Letters as there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from erya.parts.onnx_graph import LOWEST, Graph

Weights = Mapping[str, NDArray[Any]]


def masked_softmax(graph: Graph, scores: str, allowed: str) -> str:
    """Softmax over the last axis, among what is allowed; what is not has exactly 0. Where nothing is, all are 0.

    Args:
        graph: that takes the nodes.
        scores: (…, S).
        allowed: true or false, of a shape that broadcasts to that of ``scores``.
    """
    shares = graph.add("Softmax", graph.add("Where", allowed, scores, graph.number(LOWEST)), axis=-1)
    return graph.add("Where", allowed, shares, graph.number(0.0))


def pooled(graph: Graph, vectors: str, scores: str, real: str) -> str:
    """The average (N, H) of vectors (N, T, H) by the softmax of their scores (N, T), where ``real`` (N, T); 0 where nothing is."""
    weights = graph.add("Unsqueeze", masked_softmax(graph, scores, real), graph.whole(1))  # (N, 1, T)
    return graph.add("Squeeze", graph.add("MatMul", weights, vectors), graph.whole(1))


def additive_scores(graph: Graph, vectors: str, name: str, weights: Weights) -> str:
    """tanh(v W + b) · c of each vector, (N, T) from (N, T, H).

    Args:
        graph: that takes the nodes.
        vectors: (N, T, H).
        name: the module's name among the weights.
        weights: ``NAME.matrix`` (H, I), ``NAME.bias`` (I,) and ``NAME.question`` (I,), besides others.
    """
    said = graph.affine(vectors, f"{name}.matrix", weights[f"{name}.matrix"], weights[f"{name}.bias"])
    return graph.add("MatMul", graph.add("Tanh", said), graph.constant(f"{name}.question", weights[f"{name}.question"]))


def self_attention(graph: Graph, states: str, allowed: str, name: str, weights: Weights, heads: int) -> str:
    """What the heads of a ``MultiHeadAttention`` find, (B, T, H), when all states (B, T, H) ask all.

    Args:
        graph: that takes the nodes.
        states: (B, T, H).
        allowed: broadcasts to (B, A, T, T).
        name: the module's name among the weights.
        weights: of the module, besides others.
        heads: A.
    """
    own = {kind: weights[f"{name}.{kind}"] for kind in ("query", "query_bias", "key_value", "key_value_bias")}
    inner = own["query"].shape[1]  # A·K
    # 1 / √K goes into the queries
    scale = 1 / math.sqrt(inner // heads)
    query = graph.affine(states, f"{name}.query", own["query"] * scale, own["query_bias"] * scale)
    kinds = [query]
    for kind, first in (("key", 0), ("value", inner)):
        some = slice(first, first + inner)
        kinds.append(
            graph.affine(states, f"{name}.{kind}", own["key_value"][:, some], own["key_value_bias"][some])
        )  # (B, T, A·K)
    split = [graph.add("Reshape", kind, graph.whole(0, 0, heads, inner // heads)) for kind in kinds]
    queries, values = (graph.add("Transpose", split[place], perm=[0, 2, 1, 3]) for place in (0, 2))  # (B, A, T, K)
    keys = graph.add("Transpose", split[1], perm=[0, 2, 3, 1])  # (B, A, K, T)
    shares = masked_softmax(graph, graph.add("MatMul", queries, keys), allowed)  # (B, A, T, T)
    found = graph.add("Transpose", graph.add("MatMul", shares, values), perm=[0, 2, 1, 3])
    context = graph.add("Reshape", found, graph.whole(0, 0, inner))  # (B, T, A·K)
    return graph.affine(context, f"{name}.output", weights[f"{name}.output"], weights[f"{name}.output_bias"])
