"""Looking inside a classifier in the original's files: the way of one line through it, and what each word and n-gram added.

    hidden = (1/n) Σ rows,   score of label c = hidden · output[c]   ⇒   each row's part of it is  row · output[c] / n

With hierarchical softmax a label has no row of its own but a path: its score is the sum of its nodes' scores, each with the sign
of the side that leads to the label. The parts sum to the score exactly, whatever the loss. Not here: the estimator's views (``views.py``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError, quoted
from erya.language import say
from erya.models.fasttext.dictionary import END, Dictionary
from erya.models.fasttext.features import CHAIN, Place, fnv1a
from erya.models.fasttext.original import Original
from erya.models.fasttext.tree_kernels import label_paths, label_tree
from erya.trace import Bars, Matrix, Table, TokenHeat, Trace

STRONGEST = 12  # features named in an explanation
TOKENS = re.compile("[^ \n\r\t\v\f\0]+")

Floats = NDArray[np.float64]


def places_of(dictionary: Dictionary, text: str) -> tuple[list[Place], list[tuple[int, int]]]:
    """Every row that a line brings along and where in the text it comes from; the spans of the tokens, (T,).

    The end of the line is token T, which is not in the text. A label is a token without a row.

    Args:
        dictionary: of the model.
        text: one line.
    """
    spans = [(found.start(), found.end()) for found in TOKENS.finditer(text)]
    words = [text[first:last].encode("utf-8", "replace") for first, last in spans]
    tokens = [*words, END]
    if END in words:  # as the original reads: what stands behind it is another line
        tokens = tokens[: words.index(END) + 1]
    found, chain, numbers = list[Place](), list[int](), list[int]()
    for number, token in enumerate(tokens):
        if dictionary.is_label(token):
            continue
        for piece, row in zip(*dictionary.subwords(token), strict=True):
            found.append(Place(int(row), piece.decode("utf-8", "replace"), number, number + 1))
        chain.append(_signed(token))
        numbers.append(number)
    return found + _word_grams(dictionary, tokens, chain, numbers), spans


def _signed(token: bytes) -> int:
    """A word's hash as 64 bits: the original keeps it as a signed number of 32 bits."""
    value = fnv1a(token.decode("utf-8", "surrogateescape"))
    return value | 0xFFFFFFFF_00000000 if value & 0x80000000 else value


def _word_grams(dictionary: Dictionary, tokens: Sequence[bytes], chain: list[int], numbers: list[int]) -> list[Place]:
    settings, found = dictionary.arguments, list[Place]()
    if settings.word_ngrams < 2 or settings.buckets < 1:
        return found
    for first in range(len(chain)):
        value = chain[first]
        for last in range(first + 1, min(len(chain), first + settings.word_ngrams)):
            value = (value * CHAIN + chain[last]) & 0xFFFFFFFF_FFFFFFFF
            row = dictionary.bucket_row(value % settings.buckets)
            if row >= 0:
                name = b" ".join(tokens[numbers[place]] for place in range(first, last + 1))
                found.append(Place(row, name.decode("utf-8", "replace"), numbers[first], numbers[last] + 1))
    return found


def score_rows(original: Original) -> Floats:
    """(C, D) what a line's hidden vector is multiplied with to give the labels' scores; of a tree, the signed sums of the paths."""
    output = np.asarray(_dense(original.output), dtype=np.float64)
    if original.arguments.loss != "hs":
        return output
    paths = label_paths(label_tree(np.ascontiguousarray(original.dictionary.label_counts)))
    found = np.zeros_like(output)
    signed = output[paths.nodes] * np.where(paths.codes == 1, 1.0, -1.0)[:, None]
    np.add.at(found, np.repeat(np.arange(len(output)), np.diff(paths.starts)), signed)
    return found


def _dense(matrix: Any) -> Any:
    return matrix if isinstance(matrix, np.ndarray) else matrix.dense()


def trace(original: Original, id: str, text: str, labels: Sequence[str], answer: Floats) -> Trace:
    """Rows, their vectors, the mean, scores, probabilities.

    Args:
        original: the model.
        id: what the model is called.
        text: one line.
        labels: C names in the file's order.
        answer: (C,) their probabilities.
    """
    places, _ = places_of(original.dictionary, text)
    vectors, parts = _parts(original, places)
    hidden, scores = _mean(vectors), parts.sum(axis=0)
    names = [_readable(place.name) for place in places]
    columns = [str(column + 1) for column in range(original.arguments.dim)]
    return Trace(
        model=id,
        input=text,
        arrays={
            "rows": np.array([place.row for place in places], dtype=np.int32),  # (n,)
            "vectors": vectors,  # (n, D)
            "hidden": hidden,  # (D,)
            "scores": scores,  # (C,)
            "probabilities": answer,  # (C,)
        },
        views=[
            Matrix(
                say("vectors of the features, and their mean", "各特征的向量及其平均"),
                [*names, say("mean", "平均")],
                columns,
                np.vstack([vectors, hidden[None]]),
            ),
            Bars(say("scores", "得分"), list(labels), scores),
            Bars(say("probabilities", "概率"), list(labels), answer, percent=True),
        ],
    )


def explain(
    original: Original, id: str, text: str, labels: Sequence[str], answer: Floats, label: str | None = None
) -> Trace:
    """What each word and n-gram added to the score of a label; ``label`` None: the most probable one. See ``trace``.

    In the coloured text an n-gram's part is shared out equally among its words.

    Raises:
        UsageError: no such label.
    """
    if label is not None and label not in labels:
        raise UsageError(
            "unknown-label",
            say(f"there is no label '{quoted(label, 40)}'", f"没有标签“{quoted(label, 40)}”"),
            help=" · ".join(quoted(name, 30) for name in labels[:20]),
        )
    places, spans = places_of(original.dictionary, text)
    _, parts = _parts(original, places)
    chosen = int(answer.argmax()) if label is None else list(labels).index(label)
    mine, heat = parts[:, chosen], np.zeros(len(spans) + 1)
    for place, part in zip(places, mine.tolist(), strict=True):
        within = range(place.first, min(place.last, len(spans))) or range(place.first, place.last)
        heat[list(within)] += part / len(within)
    strongest = np.argsort(-np.abs(mine), kind="stable")[:STRONGEST].tolist()
    name = quoted(labels[chosen], 30)
    return Trace(
        model=id,
        input=text,
        arrays={
            "rows": np.array([place.row for place in places], dtype=np.int32),  # (n,)
            "contributions": parts,  # (n, C)
            "token_contributions": heat,  # (T + 1,) to the label explained; the end of the line last
            "scores": parts.sum(axis=0),  # (C,)
            "probabilities": answer,  # (C,)
        },
        views=[
            TokenHeat(
                say(f"what speaks for “{name}”", f"支持“{name}”的依据"),
                text,
                spans,
                heat[: len(spans)],
                _note(original),
            ),
            Bars(say("probabilities", "概率"), list(labels), answer, percent=True),
            Table(
                say("strongest features", "影响最大的特征"),
                [say("feature", "特征"), say("added to the score", "对得分的贡献")],
                [[_readable(places[place].name), float(mine[place])] for place in strongest],
            ),
        ],
    )


def _note(original: Original) -> str:
    if original.arguments.loss != "hs":
        return ""
    return say("the score: the sum along the label's path in the tree", "得分：标签在树上路径的各节点之和")


def _parts(original: Original, places: Sequence[Place]) -> tuple[NDArray[np.float32], Floats]:
    """(n, D) the rows' vectors; (n, C) what each adds to each label's score."""
    rows = np.array([place.row for place in places], dtype=np.int64)
    vectors = np.array([original.vector_of_row(int(row)) for row in rows], dtype=np.float32)
    vectors = vectors.reshape(len(rows), original.arguments.dim)
    return vectors, vectors.astype(np.float64) @ score_rows(original).T / max(1, len(rows))


def _mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    if not len(vectors):
        return np.zeros(vectors.shape[1], dtype=np.float32)
    mean: NDArray[np.float32] = vectors.mean(axis=0, dtype=np.float32)
    return mean


def _readable(name: str) -> str:
    return name.replace(END.decode(), say("⟨end⟩", "⟨结尾⟩"))
