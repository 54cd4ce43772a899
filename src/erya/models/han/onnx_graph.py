"""The hierarchical attention network as an ONNX graph.

Sentences are found by sums: a graph has no loop over tokens. What the tokens of a group share is added up at the group's number and
looked up there again (``_of_groups``). Then the words of all sentences lie in a table, a sentence a row, and are read like texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.models.han.sentences import CLOSING, ENDING
from erya.parts import attention_onnx, recurrent_onnx
from erya.parts.onnx_graph import INT64, Graph

Weights = Mapping[str, NDArray[Any]]
TEXTS_AT_ONCE = 64  # documents are long


class Places(NamedTuple):
    """Where the tokens of B texts stand, by the names in the graph.

    Attributes:
        sentence: (B, T) the number of a token's sentence in its text.
        place: (B, T) its place in the sentence; 0 in the padding.
        counts: (B,) sentences of each text.
    """

    sentence: str
    place: str
    counts: str


def logits(graph: Graph, weights: Weights, most_words: int) -> str:
    """Adds the network and gives the name of its logits (B, C).

    Args:
        graph: with ``graph.ids`` (B, T).
        weights: the network's arrays by name.
        most_words: of a sentence.
    """
    graph.texts_at_once = TEXTS_AT_ONCE
    found = _split(graph, weights["kinds"], most_words)
    one, zero = graph.whole(1), graph.whole(0)
    first = graph.add("CumSum", found.counts, graph.scalar(0), exclusive=1)  # (B,) each text's first sentence
    total = graph.add("ReduceSum", found.counts, zero)  # (1,) S, the number of a row that holds the padding
    numbers = graph.add("Add", found.sentence, graph.add("Unsqueeze", first, one))
    row = graph.add("Where", graph.inside, numbers, total)  # (B, T)
    real = graph.add("Cast", graph.inside, to=INT64)
    rows = graph.add("Add", total, one)  # S + 1
    words = graph.add("Add", graph.add("Squeeze", graph.add("ReduceMax", found.place, keepdims=0)), one)  # W
    two = graph.whole(2)
    where = graph.add("Concat", graph.add("Unsqueeze", row, two), graph.add("Unsqueeze", found.place, two), axis=2)
    empty = graph.add("Expand", zero, graph.add("Concat", rows, words, axis=0))  # (S + 1, W)
    table = graph.add("ScatterND", empty, where, graph.ids, reduction="add")
    none = graph.add("Expand", zero, rows)
    lengths = graph.add("ScatterND", none, graph.add("Unsqueeze", row, two), real, reduction="add")  # (S + 1,)
    vectors = graph.add("Gather", graph.constant("embedding", weights["embedding"]), table)  # x (S + 1, W, D)
    sentences = _read(graph, vectors, lengths, "words", weights)  # s (S + 1, 2H); the last one is zero
    # the sentences of a text stand side by side, so a document is a range of them
    most = graph.add("Max", graph.add("ReduceMax", found.counts), one)  # (1,) sentences of the longest
    steps = graph.upto(most)
    inside = graph.below(steps, found.counts)
    which = graph.add("Where", inside, graph.add("Add", steps, graph.add("Unsqueeze", first, one)), total)
    documents = _read(graph, graph.add("Gather", sentences, which), found.counts, "sentences", weights)  # v (B, 2H)
    return graph.affine(documents, "output", weights["output"], weights["output_bias"])


def _split(graph: Graph, kinds: NDArray[np.float32], most_words: int) -> Places:
    """The sentences of texts, as ``sentences.split`` has them."""
    ends = graph.constant("ends", (kinds == ENDING).astype(np.int64))
    stays = graph.constant("stays", (kinds != CLOSING).astype(np.int64))
    time, one = graph.scalar(1), graph.whole(1)
    # a group: a token that does not close, and those behind it that do. It is at an end if that token ends
    group = graph.add("CumSum", graph.add("Gather", stays, graph.ids), time)  # (B, T)
    at_end = _of_groups(graph, group, graph.add("Gather", ends, graph.ids))
    # a sentence begins where the token before is at an end and this one is not, and with the text
    before = graph.add("Pad", at_end, graph.whole(0, 1, 0, -1))
    begins = graph.add("Mul", before, graph.add("Sub", one, at_end))
    begins = graph.add("Max", begins, graph.add("Cast", graph.add("Equal", graph.places, graph.whole(0)), to=INT64))
    run = graph.add("CumSum", begins, time)
    first = _of_groups(graph, run, graph.add("Mul", begins, graph.places))
    place = graph.add(
        "Mod", graph.add("Sub", graph.places, first), graph.whole(most_words)
    )  # a longer one goes on as another
    new = graph.add("And", graph.add("Equal", place, graph.whole(0)), graph.inside)
    new = graph.add("Cast", new, to=INT64)
    sentence = graph.add("Sub", graph.add("CumSum", new, time), one)
    real = graph.add("Cast", graph.inside, to=INT64)
    return Places(sentence, graph.add("Mul", place, real), graph.add("ReduceSum", new, one, keepdims=0))


def _of_groups(graph: Graph, group: str, values: str) -> str:
    """(B, T) the sum of a group's values, for each of its tokens; groups are numbered from left to right, from 0 or 1."""
    zeros = graph.add("Mul", graph.add("Pad", group, graph.whole(0, 0, 0, 1)), graph.whole(0))  # (B, T + 1)
    sums = graph.add("ScatterElements", zeros, group, values, axis=1, reduction="add")
    return graph.add("GatherElements", sums, group, axis=1)


def _read(graph: Graph, vectors: str, lengths: str, name: str, weights: Weights) -> str:
    """Two GRUs and attention over what they say: sequences of vectors (N, T, D) to vectors (N, 2H); 0 of an empty one."""
    own = (weights[f"{name}.input"], weights[f"{name}.recurrent"], weights[f"{name}.bias"])
    steps, inputs = recurrent_onnx.steps_of(graph, lengths), graph.add("Transpose", vectors, perm=[1, 0, 2])
    read = recurrent_onnx.layer(graph, "GRU", inputs, steps, own, name=f"{name}.")
    states = recurrent_onnx.side_by_side(graph, read.states, 2 * own[1].shape[1])
    states = graph.add("Transpose", states, perm=[1, 0, 2])  # h (N, T, 2H)
    scores = attention_onnx.additive_scores(graph, states, f"{name}.attention", weights)
    return attention_onnx.pooled(graph, states, scores, graph.below(graph.counted(vectors, 1), lengths))
