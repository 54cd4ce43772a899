"""Looking inside a fitted word2vec: neighbours, what is predicted, the way through Huffman's tree, vectors as they moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError, quoted
from erya.language import say
from erya.models.word2vec.answers import hidden, turn_probabilities
from erya.parts.huffman import Paths, huffman
from erya.parts.projection import principal
from erya.parts.word_views import neighbours
from erya.trace import Bars, Lines, Points, Table, Trace, View

if TYPE_CHECKING:
    from erya.models.word2vec.estimator import Word2Vec

SHOWN = 10
SAMPLES = 3  # words named below a branch of the tree
MOVING = 6  # watched words drawn

Doubles = NDArray[np.float64]


def trace(model: Word2Vec, x: Any) -> Trace:
    """See ``Word2Vec.trace``. Arrays: contexts (n,), hidden (D,), then path and turns or scores; the target's vector, neighbours."""
    words = [x] if isinstance(x, str) and x in model else x.split() if isinstance(x, str) else [str(one) for one in x]
    if not words:
        raise UsageError("no-word", say("no word was given", "没有给出词"), help=f"trace({model.words_[0]!r})")
    target = model.get_index(words[-1])
    near = neighbours(model.id, model, words[-1])
    if len(words) == 1:
        nearest = near.arrays["neighbours"]
        contexts = [int(nearest[0])] if len(nearest) else [target]
    else:
        contexts = [model.get_index(word) for word in words[:-1]]
    h = hidden(model, contexts)
    arrays: dict[str, NDArray[Any]] = {"contexts": np.array(contexts), "hidden": h}
    from_words = ", ".join(quoted(model.words_[row], 20) for row in contexts)
    if model.loss == "hierarchical_softmax":
        views = _path(model, target, h, from_words, arrays)
    else:
        views = _scores(model, target, h, from_words, arrays)
    return Trace(model.id, " ".join(words), {**arrays, **near.arrays}, [*near.views, *views, *_moved(model)])


# ---- negative sampling --------------------------------------------------------------------------------------------


def _scores(model: Word2Vec, target: int, h: Doubles, from_words: str, arrays: dict[str, NDArray[Any]]) -> list[View]:
    """The words with the highest scores, and the one asked for."""
    scores = model.targets_ @ h
    order = np.argsort(-scores, kind="stable")
    rank = int(np.flatnonzero(order == target)[0]) + 1
    shown = order[:SHOWN].tolist()
    if target not in shown:
        shown.append(target)
    arrays["scores"] = scores  # (V,)
    word = quoted(model.words_[target], 30)
    return [
        Bars(
            say(f"σ(h · u): from {from_words}, what is no noise?", f"σ(h · u)：由 {from_words} 预测，哪些不是噪声？"),
            [quoted(model.words_[row], 20) for row in shown],
            1 / (1 + np.exp(-scores[shown])),
            say(
                f"“{word}” is number {rank:,} of {len(scores):,}.", f"“{word}”排第 {rank:,}，共 {len(scores):,} 个词。"
            ),
            percent=True,
        )
    ]


# ---- hierarchical softmax -----------------------------------------------------------------------------------------


def _path(model: Word2Vec, target: int, h: Doubles, from_words: str, arrays: dict[str, NDArray[Any]]) -> list[View]:
    """The turns from the root to the word, and the part of the tree they pass."""
    paths = huffman(np.asarray(model.counts_))
    nodes, probabilities = turn_probabilities(model, paths, target, h)
    turns = paths.turns[paths.starts[target] : paths.starts[target + 1]]
    arrays |= {"nodes": nodes, "code": turns, "turns": probabilities, "probability": probabilities.prod()[None]}
    word, product = quoted(model.words_[target], 30), 1.0
    rows = []
    for number, (node, turn, probability) in enumerate(zip(nodes.tolist(), turns.tolist(), probabilities, strict=True)):
        product *= float(probability)
        where = _below(model, paths, target, number + 1)
        rows.append([number + 1, node, int(turn), f"{probability:.4f}", f"{product:.3g}", where])
    code = "".join(str(int(turn)) for turn in turns)
    return [
        Table(
            say(f"the way to “{word}”, from {from_words}", f"由 {from_words} 走向“{word}”的路"),
            [
                say("turn", "步"),
                say("node", "结点"),
                say("code", "码"),
                say("probability", "概率"),
                say("so far", "累积"),
                say("below it now", "此后之下"),
            ],
            rows,
            say(
                f"Code {code}: {len(code)} turns; the most frequent word has {_length(paths, 0)}, the rarest "
                f"{_length(paths, len(model.words_) - 1)}.",
                f"编码 {code}，共 {len(code)} 步；最常见的词 {_length(paths, 0)} 步，最罕见的 {_length(paths, len(model.words_) - 1)} 步。",
            ),
        ),
        _tree(model, paths, target),
    ]


def _length(paths: Paths, row: int) -> int:
    return int(paths.starts[row + 1] - paths.starts[row])


def _below(model: Word2Vec, paths: Paths, target: int, turns: int, *, other: bool = False) -> str:
    """The most frequent words below the branch that ``target`` takes at its last turn (or the ``other`` one)."""
    start = int(paths.starts[target])
    code = paths.turns[start : start + turns].copy()
    if other:
        code[-1] = 1 - code[-1]
    found = []
    for row in range(min(len(model.words_), 20_000)):
        first = int(paths.starts[row])
        if _length(paths, row) >= turns and np.array_equal(paths.turns[first : first + turns], code):
            found.append(quoted(model.words_[row], 12))
            if len(found) == SAMPLES:
                break
    return " ".join(found)


def _tree(model: Word2Vec, paths: Paths, target: int) -> View:
    """The path and the branches not taken, as points: down is deeper, left is turn 0."""
    points, labels, arrows = [(0.0, 0.0)], [say("root", "根")], []
    start, length = int(paths.starts[target]), _length(paths, target)
    here, x = 0, 0.0
    for depth in range(length):
        side = -1 if paths.turns[start + depth] == 0 else 1
        points.append((x - side, -(depth + 1.0)))
        labels.append(_below(model, paths, target, depth + 1, other=True) or "…")
        arrows.append((here, len(points) - 1))
        x += side
        points.append((x, -(depth + 1.0)))
        labels.append(quoted(model.words_[target], 20) if depth == length - 1 else "")
        arrows.append((here, len(points) - 1))
        here = len(points) - 1
    word = quoted(model.words_[target], 30)
    note = say(
        "Beside the path: the most frequent words of the branches not taken.", "路旁：没走的分枝之下最常见的词。"
    )
    title = say(f"Huffman's tree down to “{word}”", f"霍夫曼树：到“{word}”为止")
    return Points(title, labels, np.array(points), arrows, note=note)


# ---- while it learned ---------------------------------------------------------------------------------------------


def _moved(model: Word2Vec) -> list[View]:
    """The watched words' vectors from moment to moment, in the plane of their last positions; and the loss."""
    views: list[View] = []
    words = model.watched_[:MOVING]
    moments = len(model.moments_)
    if moments > 1 and len(words) > 1:
        some = model.snapshots_[:, : len(words)].astype(np.float64)  # (moments, words, D)
        plane = principal(some.reshape(moments * len(words), -1)).points.reshape(moments, len(words), 2)
        labels = [quoted(word, 20) if moment == moments - 1 else "" for moment in range(moments) for word in words]
        arrows = [
            (moment * len(words) + place, (moment + 1) * len(words) + place)
            for moment in range(moments - 1)
            for place in range(len(words))
        ]
        note = say(
            "From random beginnings to their places; moments evenly on a logarithmic scale of steps.",
            "从随机的起点走到各自的位置；各时刻按步数的对数均匀选取。",
        )
        points = plane.reshape(-1, 2)
        views.append(
            Points(say("vectors moving during training", "训练中移动的向量"), labels, points, arrows, note=note)
        )
    losses = [row["loss"] for row in model.curve_ if row.get("loss") is not None]
    if len(losses) > 1:
        series = {say("loss", "损失"): losses}
        held_out = [row.get("validation_loss") for row in model.curve_]
        if all(value is not None for value in held_out):
            series[say("held out", "留出")] = held_out
        views.append(Lines(say("loss by epoch", "各轮损失"), [row["epoch"] for row in model.curve_], series))
    return views
