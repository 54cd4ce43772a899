"""A GPT that classifies as an ONNX graph: the equations of ``network.py`` and ``fine_tuning.py``, without dropout.

Letters as there; T counts the border before a text, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from erya.models.gpt.gelu import CUBE, STEEP
from erya.models.gpt.network import Form
from erya.parts.attention_onnx import self_attention
from erya.parts.onnx_graph import Graph
from erya.text.unit_ids import BORDER

Weights = Mapping[str, NDArray[Any]]
TEXTS_AT_ONCE = 32  # attention takes the square of the units: 32 texts of 512 with 4 heads 134 MB a layer


def logits(graph: Graph, weights: Weights, form: Form) -> str:
    """Adds the network and gives the name of its logits (B, C).

    Args:
        graph: with ``graph.ids``, which have a place behind the longest text, so that the border before it fits in.
        weights: of a ``ClassifyingGPT``, by name.
        form: of its decoder.
    """
    graph.texts_at_once = TEXTS_AT_ONCE
    states = _entered(graph, weights)  # (B, T, D)
    places = graph.places
    # a unit looks at those before it, and at itself: what stands behind a text's end changes nothing within
    allowed = graph.add("LessOrEqual", places, graph.add("Unsqueeze", places, graph.whole(1)))  # (T, T)
    for number in range(form.layers):
        name = f"decoder.layers.{number}"
        asking = _norm(graph, states, f"{name}.norm_attention", weights, form)
        found = self_attention(graph, asking, allowed, f"{name}.attention", weights, form.heads)
        states = graph.add("Add", states, found)
        asked = _norm(graph, states, f"{name}.norm_inner", weights, form)
        states = graph.add("Add", states, _inner(graph, asked, name, weights))
    last = graph.add("Equal", places, graph.add("Unsqueeze", graph.lengths, graph.whole(1)))  # (B, T)
    chosen = graph.add("Where", graph.add("Unsqueeze", last, graph.whole(2)), states, graph.number(0.0))
    state = graph.add("ReduceSum", chosen, graph.whole(1), keepdims=0)  # (B, D)
    state = _norm(graph, state, "decoder.norm", weights, form)
    return graph.affine(state, "output", weights["output"], weights["output_bias"])


def _entered(graph: Graph, weights: Weights) -> str:
    """E[unit] + P[place], (B, T, D), the border first."""
    before = graph.add("Pad", graph.ids, graph.whole(0, 1, 0, 0), graph.scalar(BORDER))
    units = graph.add("Slice", before, graph.whole(0), graph.whole(-1), graph.whole(1))  # (B, T)
    states = graph.add("Gather", graph.constant("embedding", weights["decoder.embedding"]), units)
    known = graph.constant("positions", weights["decoder.positions"])
    # padding may stand where no text has a place
    where = graph.add("Min", graph.places, graph.whole(len(weights["decoder.positions"]) - 1))
    return graph.add("Add", states, graph.add("Gather", known, where))  # (T, D)


def _norm(graph: Graph, states: str, name: str, weights: Weights, form: Form) -> str:
    return graph.normed(states, name, weights[f"{name}.gain"], weights[f"{name}.shift"], form.norm_epsilon)


def _inner(graph: Graph, states: str, name: str, weights: Weights) -> str:
    """gelu(x W₁ + b₁) W₂ + b₂, gelu(a) = a σ(2 √(2/π) (a + 0.044715 a³))."""
    wide = graph.affine(states, f"{name}.widen", weights[f"{name}.widen"], weights[f"{name}.widen_bias"])
    square = graph.add("Mul", wide, wide)
    bent = graph.add("Add", graph.add("Mul", square, graph.number(STEEP * CUBE)), graph.number(STEEP))
    gate = graph.add("Sigmoid", graph.add("Mul", bent, wide))
    return graph.affine(
        graph.add("Mul", wide, gate), f"{name}.narrow", weights[f"{name}.narrow"], weights[f"{name}.narrow_bias"]
    )
