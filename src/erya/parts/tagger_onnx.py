"""A network that tags as one ONNX file: its emissions are the graph, and what makes tags of them stands beside it.

    ids         (B, T)      each token's word
    lengths     (B,)        tokens of each sentence
    characters  (B, T, W)   of each token the numbers of its characters, 0 behind the last one; where the network reads them
    cases       (B, T)      how each token is capitalised, an index into ``token_units.CASES``; likewise
    pairs       (B, T)      each token with its right neighbour; likewise
    emissions   (B, T, C)   out: the score of every tag; beyond a sentence's end they mean nothing

In the metadata: ``erya`` (JSON: tags, their schemes, the chain of a network that ends in one, the tokenizer, …) and the lists of words,
characters and pairs. ``docs/export.md`` has the program that answers with NumPy and onnxruntime alone.

Shapes: B sentences, T tokens of the longest, W characters of the longest token, C tags, I what is known of a token, H hidden width.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from erya import __version__
from erya.atomic import atomic_write
from erya.errors import UsageError
from erya.language import say
from erya.parts.onnx_graph import FLOAT, INT64, LOWEST, Graph, need_onnx, weights_of
from erya.parts.recurrent_onnx import layer, side_by_side, steps_of
from erya.parts.tag_batches import LONGEST
from erya.parts.token_pattern import token_pattern
from erya.parts.token_units import CASES, LETTERS
from erya.text.tag_schemes import convert

FORMAT = 1


def write(path: Path, model: Any) -> None:
    """Write a fitted tagger as an ONNX file, atomically.

    Raises:
        UsageError: a tagger that is no network.
        ResourceError: ``onnx`` is not installed; the disk is full.
    """
    if not hasattr(model, "network_"):
        model._check_fitted()
        raise UsageError(
            "other-format",
            say(
                f"{model.id} cannot be written as ONNX: it has no graph. Its .erya answers without torch",
                f"{model.id} 无法写成 ONNX：它没有计算图。它的 .erya 不需要 torch 就能预测",
            ),
            help="erya predict m.erya FILE",
        )
    need_onnx("onnx")
    graph, network, lexicon = Graph(), model.network_, model.lexicon_
    scores = emissions(graph, network)
    lists = {"vocabulary": lexicon.words.tokens, "characters": lexicon.characters.tokens, "pairs": lexicon.pairs.tokens}
    # ASCII alone: JSON's escapes hold lone surrogates, which UTF-8 does not
    metadata = {"erya": json.dumps(_head(model))} | {f"erya.{name}": json.dumps(words) for name, words in lists.items()}
    data = graph.file({"emissions": (scores, ["texts", "tokens", len(model.classes_)])}, metadata)
    atomic_write(path, lambda file: file.write(data) and None)


def _head(model: Any) -> dict[str, Any]:
    """What the file says of the model."""
    network, lexicon, tokenizer = model.network_, model.lexicon_, model.tokenizer_
    plain = tokenizer.to_plain()
    chain = None
    if hasattr(network, "chain"):
        held = network.chain()
        chain = {name: getattr(held, name).tolist() for name in ("transitions", "first", "last")}
    return {
        "format": FORMAT,
        "erya": __version__,
        "task": "tag",
        "model": model.id,
        "tags": model.classes_.tolist(),
        "scheme": model.scheme_,
        "data_scheme": model.data_scheme_,
        "letters": _letters(model.data_scheme_),
        "chain": chain,
        "lower_case": lexicon.lower_case,
        "cases": list(CASES),
        "most_characters": LETTERS,
        "most_tokens": LONGEST,
        "tokenizer": plain if plain["kind"] != "tagger" else {"kind": "tagger"},
        "token_pattern": token_pattern(tokenizer),
    }


def _letters(scheme: Any) -> dict[str, str] | None:
    """How the data's scheme writes a span's tags; None where tags tell no spans."""
    if scheme == "none":
        return None
    names = ["single", "outside", "begin", "inside", "end"]
    (written,) = convert([["B-x", "O", "B-x", "I-x", "I-x"]], scheme)
    return {name: tag[0] for name, tag in zip(names, written, strict=True)}


# ---- the graph --------------------------------------------------------------------------------------------------------


def emissions(graph: Graph, network: Any) -> str:
    """Adds the network, and gives the name of its emissions (B, T, C)."""
    body, weights = network.body, weights_of(network)
    columns = [graph.add("Gather", graph.constant("embedding", weights["embedding"]), graph.ids)]  # (B, T + 1, D)
    if body.spelling != "none":
        columns.append(_spelled(graph, network, weights))
    if body.case_features:
        columns.append(_looked_up(graph, "cases", "case_embedding", weights))
    if body.pair_dim:
        columns.append(_looked_up(graph, "pairs", "pair_embedding", weights))
    known = graph.add("Concat", *columns, axis=2) if len(columns) > 1 else columns[0]  # (B, T + 1, I)
    states, steps = graph.add("Transpose", known, perm=[1, 0, 2]), steps_of(graph, graph.lengths)
    for number in range(1, body.layers + 1):
        own = tuple(weights[f"layer{number}_{kind}"] for kind in ("input", "recurrent", "bias"))
        found = layer(graph, "LSTM", states, steps, own, name=f"layer_{number}_")  # type: ignore[arg-type]
        states = side_by_side(graph, found.states, 2 * body.hidden_width)  # (T + 1, B, 2H)
    scores = graph.affine(
        graph.add("Transpose", states, perm=[1, 0, 2]), "output", weights["output"], weights["output_bias"]
    )
    # the graph reads one place more than there are tokens, so that it never reads nothing
    return graph.add("Slice", scores, graph.whole(0), graph.whole(-1), graph.whole(1))


def _looked_up(graph: Graph, name: str, table: str, weights: dict[str, Any]) -> str:
    """(B, T + 1, …) the rows of a table for one more input."""
    numbers = graph.add("Pad", graph.asked(name, "tokens"), graph.whole(0, 0, 0, 1))
    return graph.add("Gather", graph.constant(table, weights[table]), numbers)


def _spelled(graph: Graph, network: Any, weights: dict[str, Any]) -> str:
    """(B, T + 1, F) what the spelling of each token says, see ``character_layers.py``; zeros for one without characters."""
    body = network.body
    given = graph.add("Pad", graph.asked("characters", "tokens", "symbols"), graph.whole(0, 0, 0, 0, 1, 1))
    width = graph.size(given, 2)
    flat = graph.add("Reshape", given, graph.add("Concat", graph.whole(-1), width, axis=0))  # (B · (T + 1), W + 1)
    sizes = graph.add(
        "ReduceSum", graph.add("Cast", graph.add("Less", graph.whole(0), flat), to=INT64), graph.whole(1), keepdims=0
    )
    letters = weights["letters"].copy()
    letters[0] = 0
    vectors = graph.add("Gather", graph.constant("letters", letters), flat)  # (B · (T + 1), W + 1, E)
    if body.spelling == "cnn":
        told = _convolved(graph, vectors, flat, weights)
    else:
        own = tuple(weights[f"character_{kind}"] for kind in ("input", "recurrent", "bias"))
        turned = graph.add("Transpose", vectors, perm=[1, 0, 2])
        last = layer(graph, "LSTM", turned, steps_of(graph, sizes), own, name="character_").last
        told = graph.add("Reshape", graph.add("Transpose", last, perm=[1, 0, 2]), graph.whole(-1, body.character_width))
    some = graph.add("Cast", graph.add("Less", graph.whole(0), sizes), to=FLOAT)
    told = graph.add("Mul", told, graph.add("Unsqueeze", some, graph.whole(1)))
    shape = graph.add("Concat", graph.add("Shape", graph.ids), graph.whole(body.character_width), axis=0)
    return graph.add("Reshape", told, shape)


def _convolved(graph: Graph, vectors: str, flat: str, weights: dict[str, Any]) -> str:
    """(N, F) the strongest answer of each filter to letters (N, W, E)."""
    filters = weights["filters"]  # (k, E, F)
    answers = graph.add(
        "Conv",
        graph.add("Transpose", vectors, perm=[0, 2, 1]),
        graph.constant("filters", filters.transpose(2, 1, 0)),
        pads=[len(filters) // 2] * 2,
    )  # (N, F, W)
    inside = graph.add("Unsqueeze", graph.add("Less", graph.whole(0), flat), graph.whole(1))  # (N, 1, W)
    within = graph.add("Where", inside, answers, graph.number(LOWEST))
    strongest = graph.add("ReduceMax", within, graph.whole(2), keepdims=0)
    return graph.add("Tanh", graph.add("Add", strongest, graph.constant("filter_bias", weights["filter_bias"])))
