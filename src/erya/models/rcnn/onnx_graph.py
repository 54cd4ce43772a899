"""RCNN as an ONNX graph. The operator ``RNN`` gives the state *behind* each word; a context is that of the word before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.parts import recurrent_onnx
from erya.parts.onnx_graph import FLOAT, Graph


def logits(graph: Graph, weights: Mapping[str, NDArray[Any]]) -> str:
    """Adds the network and gives the name of its logits (B, C).

    Args:
        graph: with ``graph.ids`` (B, T).
        weights: the network's arrays by name.
    """
    vectors = graph.add("Gather", graph.constant("embedding", weights["embedding"]), graph.ids)  # x (B, T, D)
    left, right = _contexts(graph, vectors, weights)  # l and r, (B, T, H)
    words = graph.add("Concat", left, vectors, right, axis=2)  # [l ; x ; r], (B, T, 2H + D)
    latents = graph.add("Tanh", graph.affine(words, "latent", weights["latent"], weights["latent_bias"]))
    real = graph.add("Unsqueeze", graph.inside, graph.whole(2))  # (B, T, 1)
    among = graph.add("Where", real, latents, graph.number(-1.0))  # tanh is nowhere below −1
    greatest = graph.add("ReduceMax", among, graph.whole(1), keepdims=0)  # z (B, L)
    some = graph.add("Cast", graph.add("Less", graph.whole(0), graph.lengths), to=FLOAT)
    features = graph.add("Mul", greatest, graph.add("Unsqueeze", some, graph.whole(1)))  # zeros for an empty text
    return graph.affine(features, "output", weights["output"], weights["output_bias"])


def _contexts(graph: Graph, vectors: str, weights: Mapping[str, NDArray[Any]]) -> tuple[str, str]:
    """What stands left and what stands right of each word, (B, T, H) both."""
    width = weights["first"].shape[1]
    first = graph.constant("first", weights["first"][:, None])  # (2, 1, H)
    shape = graph.add("Concat", graph.whole(2), graph.size(graph.ids, 0), graph.whole(width), axis=0)
    begin = graph.add("Expand", first, shape)  # (2, B, H): l_1 and r_T of every text
    own = (weights["inward"], weights["recurrent"], np.zeros_like(weights["first"]))
    steps = recurrent_onnx.steps_of(graph, graph.lengths)
    read = recurrent_onnx.layer(graph, "RNN", graph.add("Transpose", vectors, perm=[1, 0, 2]), steps, own, first=begin)
    states = graph.add("Transpose", read.states, perm=[1, 2, 0, 3])  # (2, B, T, H)
    begins = graph.add("Unsqueeze", begin, graph.whole(2))  # (2, B, 1, H)
    forward, backward = (graph.add("Gather", states, graph.scalar(reader)) for reader in (0, 1))  # (B, T, H)
    before, behind = (graph.add("Gather", begins, graph.scalar(reader)) for reader in (0, 1))  # (B, 1, H)
    one = graph.whole(1)
    # left of word t: what the forward reader knew behind word t − 1
    earlier = graph.add("Slice", forward, graph.whole(0), graph.whole(-1), one)
    left = graph.add("Concat", before, earlier, axis=1)
    # right of word t: what the backward reader knew behind word t + 1; nothing, behind the last one
    later = graph.add("Concat", graph.add("Slice", backward, one, graph.size(backward, 1), one), behind, axis=1)
    last = graph.add("Equal", graph.places, graph.add("Unsqueeze", graph.add("Sub", graph.lengths, one), one))
    right = graph.add("Where", graph.add("Unsqueeze", last, graph.whole(2)), behind, later)
    return left, right
