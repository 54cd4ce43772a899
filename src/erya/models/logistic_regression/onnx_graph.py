"""Logistic regression as an ONNX graph: the operator ``TfIdfVectorizer`` counts n-grams of words, and of characters inside words.

The rest of tf-idf is written out, as in ``parts/tfidf.py``. The counts are dense here, a number for each feature of each text: the graph
is exact, and slower than the sparse counting of the room by how many features a text lacks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from erya.parts.ngrams import Ngrams
from erya.parts.onnx_graph import Graph
from erya.parts.onnx_inputs import END, FIRST_CHARACTER, FIRST_TOKEN, MARKS, START, vocabulary_of

NUMBERS_AT_ONCE = 1 << 24  # counts, bounds the memory
Gram = tuple[int, ...]  # ids
Floats = NDArray[np.floating]


def logits(graph: Graph, ngrams: Ngrams, idf: Floats, weights: Floats, bias: Floats, character_weight: float) -> str:
    """Adds the model and gives the name of its logits (B, C). Raises UsageError where the words make no vocabulary.

    Args:
        graph: with ``graph.ids`` (B, T).
        ngrams: the V features.
        idf: (V,).
        weights: (C, V).
        bias: (C,).
        character_weight: the length of a text's pieces, where its words have length 1.
    """
    graph.tokens = vocabulary_of(ngrams.words)
    graph.texts_at_once = max(1, min(graph.texts_at_once, NUMBERS_AT_ONCE // max(1, len(ngrams))))
    halves = []
    if ngrams.words:
        halves.append((_counted(graph, graph.ids, _word_grams(ngrams)), "words", slice(0, ngrams.first_piece), 1.0))
    if ngrams.pieces:
        alphabet = sorted({character for piece in ngrams.pieces for character in piece})
        graph.lists["characters"] = [*MARKS, *alphabet]
        characters = graph.asked("characters", "symbols")
        counts = _counted(graph, characters, _piece_grams(ngrams.pieces, alphabet))
        halves.append((counts, "pieces", slice(ngrams.first_piece, len(ngrams)), character_weight))
    answer = graph.constant("bias", bias.astype(np.float32))
    for counts, name, some, length in halves:
        half = _scores(graph, counts, name, idf[some], np.ascontiguousarray(weights[:, some].T), length)
        answer = graph.add("Add", half, answer)  # (B, C)
    return answer


def _scores(graph: Graph, counts: str, name: str, idf: Floats, weights: Floats, length: float) -> str:
    """(B, C) what one half of the features says, from its counts (B, F): x W with x = tf · idf / ‖tf · idf‖."""
    one, zero = graph.number(1.0), graph.number(0.0)
    frequencies = graph.add("Add", graph.add("Log", graph.add("Max", counts, one)), one)  # tf = 1 + ln n
    weighted = graph.add("Mul", frequencies, graph.constant(f"{name}.idf", idf.astype(np.float32)))
    values = graph.add("Where", graph.add("Less", zero, counts), weighted, zero)  # (B, F)
    sums = graph.add("MatMul", values, graph.constant(f"{name}.weights", weights.astype(np.float32)))
    norms = graph.add("ReduceL2", values, graph.whole(1), keepdims=1)  # (B, 1); no number but 0 is below the least idf
    norms = graph.add("Max", norms, graph.number(float(idf.min()) / 2))
    return graph.add("Div", graph.add("Mul", sums, graph.number(length)), norms)


def _counted(graph: Graph, ids: str, grams: Sequence[tuple[Gram, int]]) -> str:
    """(B, F) how often each feature stands in the ids (B, …).

    Args:
        graph: that takes the node.
        ids: of words or characters.
        grams: ids in a row, and the feature that they are; several may be one feature.
    """
    by_length: dict[int, list[tuple[Gram, int]]] = defaultdict(list)
    for gram, feature in grams:
        by_length[len(gram)].append((gram, feature))
    longest = max(by_length)
    ordered = [by_length[length] for length in range(1, longest + 1)]
    sizes = [length * len(some) for length, some in enumerate(ordered, 1)]
    return graph.add(
        "TfIdfVectorizer",
        ids,
        mode="TF",
        min_gram_length=min(by_length),
        max_gram_length=longest,
        max_skip_count=0,
        ngram_counts=[sum(sizes[:place]) for place in range(longest)],  # where the grams of each length begin
        ngram_indexes=[feature for some in ordered for _, feature in some],
        pool_int64s=[number for some in ordered for gram, _ in some for number in gram],
    )


def _word_grams(ngrams: Ngrams) -> list[tuple[Gram, int]]:
    """The words and their n-grams; an n-gram is kept as a shorter one and one more word, see ``parts/ngrams.py``."""
    found: list[Gram] = [(number + FIRST_TOKEN,) for number in range(len(ngrams.words))]
    shorter = found
    for keys in ngrams.keys:
        pairs = [divmod(key, len(ngrams.words)) for key in keys.tolist()]
        shorter = [(*shorter[prefix], word + FIRST_TOKEN) for prefix, word in pairs]
        found = [*found, *shorter]
    return [(gram, feature) for feature, gram in enumerate(found)]


def _piece_grams(pieces: Sequence[str], alphabet: Sequence[str]) -> list[tuple[Gram, int]]:
    """The pieces. Where one begins with "<" or ends with ">", that may be a word's end or the character itself, never both ends."""
    places = {character: place for place, character in enumerate(alphabet, FIRST_CHARACTER)}
    found: list[tuple[Gram, int]] = []
    for feature, piece in enumerate(pieces):
        gram = tuple(places[character] for character in piece)
        found.append((gram, feature))
        if len(piece) > 1 and piece[0] == "<":
            found.append(((START, *gram[1:]), feature))
        if len(piece) > 1 and piece[-1] == ">":
            found.append(((*gram[:-1], END), feature))
    return found
