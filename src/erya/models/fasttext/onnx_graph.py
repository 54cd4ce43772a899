"""fastText's classifier as an ONNX graph: the mean of the rows of a text's words and of its n-grams of words, then the labels.

An n-gram's name is a hash, chained from the hashes of its words, which the graph is given. Which of the kept buckets that is, a binary
search finds, all n-grams of the batch at once. Not here: n-grams of characters, the tree of hierarchical softmax.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.models.fasttext.features import CHAIN, END, Features
from erya.parts.onnx_graph import FLOAT, INT64, Graph
from erya.parts.onnx_inputs import FIRST_TOKEN, signed_hash, vocabulary_of

HALF = 16  # bits: a file's whole numbers are small, see onnx_check.py; larger ones are put together from two halves


def logits(graph: Graph, features: Features, input: NDArray[np.float32], output: NDArray[np.float32]) -> str:
    """Adds the model and gives the name of its scores (B, C). Raises UsageError where the words make no vocabulary.

    Args:
        graph: with ``graph.ids`` (B, T).
        features: which words and buckets have a row; no n-grams of characters among them.
        input: (R, D) the rows.
        output: (C, D) of the labels.
    """
    graph.tokens = vocabulary_of(features.words)
    lengths = graph.add("Unsqueeze", graph.lengths, graph.whole(1))  # (B, 1) and the place of END
    end = graph.add("Equal", graph.places, lengths)
    ids = graph.add("Where", end, graph.whole(features.words.index(END) + FIRST_TOKEN), graph.ids)  # (B, T)
    # rows 0 and 1, of the padding and of unknown words, are zero and do not count
    table = graph.constant("input", np.pad(input, ((FIRST_TOKEN, 0), (0, 0))))
    sums, counts = _summed(graph, table, ids)  # (B, D), (B, 1)
    if features.word_ngrams > 1 and len(features.kept):
        kept = _large(graph, "kept", _filled(features.kept))  # (2ᵐ,)
        given = graph.add("Pad", graph.asked("hashes", "tokens"), graph.whole(0, 0, 0, 1))  # as the ids are padded
        hashes = graph.add("Where", end, _large(graph, "end", np.array([signed_hash(END)])), given)
        chained = hashes
        for size in range(2, features.word_ngrams + 1):
            chained = graph.add("Mul", chained, _large(graph, f"chain_{size}", np.array([CHAIN])))
            chained = graph.add("Add", chained, _later(graph, hashes, size - 1))  # h · 116049371 + next
            places = _searched(graph, kept, _bucket(graph, chained, features.buckets, size), len(features.kept))
            last = graph.add("Add", graph.places, graph.whole(size - 1))
            whole = graph.add("LessOrEqual", last, lengths)  # the n-gram ends with the text, END included
            known = graph.add("And", whole, graph.add("Less", graph.whole(-1), places))
            rows = graph.add("Add", places, graph.whole(FIRST_TOKEN + len(features.words)))
            more, met = _summed(graph, table, graph.add("Mul", rows, _numbers(graph, known)))
            sums, counts = graph.add("Add", sums, more), graph.add("Add", counts, met)
    hidden = graph.add("Div", sums, graph.add("Max", counts, graph.number(1.0)))  # h (B, D)
    return graph.add("MatMul", hidden, graph.constant("output", output.T))


def _summed(graph: Graph, table: str, rows: str) -> tuple[str, str]:
    """The sum (B, D) of the rows that the places (B, T) name, and how many they are, (B, 1); the first two do not count."""
    sums = graph.add("ReduceSum", graph.add("Gather", table, rows), graph.whole(1), keepdims=0)
    met = graph.add("Cast", graph.add("Less", graph.whole(FIRST_TOKEN - 1), rows), to=FLOAT)
    return sums, graph.add("ReduceSum", met, graph.whole(1), keepdims=1)


def _later(graph: Graph, values: str, steps: int) -> str:
    """(B, T) the value so many places further on; 0 behind the last one."""
    longer = graph.add("Pad", values, graph.whole(0, 0, 0, steps))
    return graph.add("Gather", longer, graph.add("Add", graph.places, graph.whole(steps)), axis=1)


def _bucket(graph: Graph, hashes: str, buckets: int, size: int) -> str:
    """Hashes modulo ``buckets``, taken as numbers without a sign: 2⁶⁴ is added to the negative ones."""
    number = _large(graph, f"buckets_{size}", np.array([buckets]))
    rest = _large(graph, f"rest_{size}", np.array([(1 << 64) % buckets]))
    negative = _numbers(graph, graph.add("Less", hashes, graph.whole(0)))
    signed = graph.add("Mod", hashes, number)
    return graph.add("Mod", graph.add("Add", signed, graph.add("Mul", negative, rest)), number)


def _filled(kept: NDArray[np.int64]) -> NDArray[np.int64]:
    """The kept buckets, and behind them what no bucket is, up to a power of 2 that is larger than their number."""
    found = np.full(1 << len(kept).bit_length(), 1 << 31, dtype=np.int64)
    found[: len(kept)] = kept
    return found


def _searched(graph: Graph, kept: str, buckets: str, count: int) -> str:
    """(B, T) the place of each bucket among the kept ones, −1 where it is none of them: binary search, without a branch."""
    place = graph.add("Mul", buckets, graph.whole(0))
    for bit in reversed(range(count.bit_length())):
        further = graph.add("Add", place, graph.whole(1 << bit))
        place = graph.add(
            "Where", graph.add("LessOrEqual", graph.add("Gather", kept, further), buckets), further, place
        )
    return graph.add("Where", graph.add("Equal", graph.add("Gather", kept, place), buckets), place, graph.whole(-1))


def _large(graph: Graph, name: str, values: NDArray[np.int64]) -> str:
    high = graph.constant(f"{name}.high", values >> HALF)
    low = graph.constant(f"{name}.low", values & ((1 << HALF) - 1))
    return graph.add("Add", graph.add("Mul", high, graph.whole(1 << HALF)), low)


def _numbers(graph: Graph, truth: str) -> str:
    return graph.add("Cast", truth, to=INT64)
