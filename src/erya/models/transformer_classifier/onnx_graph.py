"""A Transformer's encoder as an ONNX graph: the equations of ``network.py`` for a norm before the sublayers or behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.models.transformer_classifier.network import MOST_TOKENS, sinusoids
from erya.parts.attention_onnx import self_attention
from erya.parts.onnx_graph import FLOAT, LOWEST, Graph

Weights = Mapping[str, NDArray[Any]]
TEXTS_AT_ONCE = 32  # attention takes the square of the tokens: 32 texts of 512 with 4 heads 134 MB a step


def logits(
    graph: Graph, weights: Weights, *, layers: int, heads: int, positions: str, activation: str, pooling: str
) -> str:
    """Adds the network and gives the name of its logits (B, C).

    Args:
        graph: with ``graph.ids`` (B, T).
        weights: the network's arrays by name; a last ``norm`` among them where the norm stands before the sublayers.
        layers: of the encoder.
        heads: A.
        positions: ``"sinusoidal"``, ``"learned"`` or ``"none"``.
        activation: ``"gelu"`` or ``"relu"``.
        pooling: ``"mean"``, ``"max"`` or ``"cls"``.
    """
    graph.texts_at_once = TEXTS_AT_ONCE
    states, real = _entered(graph, weights, positions)  # (B, T, D), (B, T)
    allowed = graph.add("Unsqueeze", real, graph.whole(1, 2))  # (B, 1, 1, T)
    before = "norm.gain" in weights
    for number in range(layers):
        name = f"layers.{number}"
        asking = _norm(graph, states, f"{name}.norm_attention", weights) if before else states
        states = graph.add("Add", states, self_attention(graph, asking, allowed, f"{name}.attention", weights, heads))
        asked = _norm(graph, states, f"{name}.norm_{'inner' if before else 'attention'}", weights)
        states = graph.add("Add", states if before else asked, _inner(graph, asked, name, weights, activation))
        states = states if before else _norm(graph, states, f"{name}.norm_inner", weights)
    states = _norm(graph, states, "norm", weights) if before else states
    features = _pooled(graph, states, real, pooling)  # z (B, D)
    return graph.affine(features, "output", weights["output"], weights["output_bias"])


def _entered(graph: Graph, weights: Weights, positions: str) -> tuple[str, str]:
    """The states before the first layer, (B, T, D), and which tokens are real, (B, T); T counts [CLS], where there is one."""
    dim, most = weights["embedding"].shape[1], MOST_TOKENS + ("cls" in weights)
    table = graph.constant("embedding", weights["embedding"] * np.float32(math.sqrt(dim)))
    states, real = graph.add("Gather", table, graph.ids), graph.inside
    if "cls" in weights:
        each = graph.add("Concat", graph.size(graph.ids, 0), graph.whole(1, dim), axis=0)
        first = graph.add("Expand", graph.constant("cls", weights["cls"]), each)  # (B, 1, D)
        states = graph.add("Concat", first, states, axis=1)
        lengths = graph.add("Add", graph.lengths, graph.whole(1))
        real = graph.below(graph.counted(states, 1), lengths)
    if positions == "none":
        return states, real
    rows = weights["positions"] if positions == "learned" else sinusoids(most, dim).numpy()  # P (most, D)
    # a last row for the padding that a graph always has
    known = graph.constant("positions", np.pad(rows, ((0, 1), (0, 0))).astype(np.float32))
    where = graph.add("Slice", known, graph.whole(0), graph.size(states, 1), graph.whole(0))  # (T, D)
    return graph.add("Add", states, where), real


def _norm(graph: Graph, states: str, name: str, weights: Weights) -> str:
    return graph.normed(states, name, weights[f"{name}.gain"], weights[f"{name}.shift"])


def _inner(graph: Graph, states: str, name: str, weights: Weights, activation: str) -> str:
    """φ(x W₁ + b₁) W₂ + b₂."""
    wide = graph.affine(states, f"{name}.widen", weights[f"{name}.widen"], weights[f"{name}.widen_bias"])
    if activation == "relu":
        bent = graph.add("Relu", wide)
    else:  # a Φ(a), Φ(a) = (1 + erf(a / √2)) / 2
        error = graph.add("Erf", graph.add("Mul", wide, graph.number(math.sqrt(0.5))))
        share = graph.add("Mul", graph.add("Add", error, graph.number(1.0)), graph.number(0.5))
        bent = graph.add("Mul", wide, share)
    return graph.affine(bent, f"{name}.narrow", weights[f"{name}.narrow"], weights[f"{name}.narrow_bias"])


def _pooled(graph: Graph, states: str, real: str, pooling: str) -> str:
    """(B, D) of states (B, T, D); zeros for a text without tokens, unless [CLS] stands there."""
    if pooling == "cls":
        return graph.add("Gather", states, graph.scalar(0), axis=1)
    time, mask = graph.whole(1), graph.add("Unsqueeze", real, graph.whole(2))  # (B, T, 1)
    if pooling == "mean":
        sums = graph.add("ReduceSum", graph.add("Where", mask, states, graph.number(0.0)), time, keepdims=0)
        counts = graph.add("Cast", graph.add("Max", graph.lengths, graph.whole(1)), to=FLOAT)
        return graph.add("Div", sums, graph.add("Unsqueeze", counts, time))
    among = graph.add("Where", mask, states, graph.number(LOWEST))
    strongest = graph.add("ReduceMax", among, time, keepdims=0)
    some = graph.add("Unsqueeze", graph.add("Less", graph.whole(0), graph.lengths), time)
    return graph.add("Where", some, strongest, graph.number(0.0))
