"""Looking inside a fitted GloVe: what was counted, what the model makes of it, and the ratios of the paper's idea."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError, quoted
from erya.language import say
from erya.parts.word_views import neighbours
from erya.trace import Bars, Table, Trace

if TYPE_CHECKING:
    from erya.models.glove.estimator import GloVe

SHOWN = 12

Floats = NDArray[np.float64]


def trace(model: GloVe, x: Any) -> Trace:
    """One word or two: see ``GloVe.trace``."""
    words = [x] if isinstance(x, str) and x in model else x.split() if isinstance(x, str) else list(x)
    if len(words) == 2:
        return ratios(model, str(words[0]), str(words[1]))
    if len(words) != 1:
        raise UsageError(
            "too-many-words",
            say(
                f"one word or two are looked at, not {len(words)}: '{quoted(x, 40)}'",
                f"每次看一个或两个词，而不是 {len(words)} 个：“{quoted(x, 40)}”",
            ),
            help="trace('ice') · trace('ice steam')",
        )
    return one_word(model, str(words[0]))


def guessed(model: GloVe, row: int, columns: NDArray[Any]) -> Floats:
    """(n,) ln X of one row as the model has it: w · c + b + d."""
    word = model.vectors_[row].astype(np.float64)
    if model.add_contexts:
        word = word - model.contexts_[row]  # the vector is the sum of both
    products = model.contexts_[columns].astype(np.float64) @ word
    answer: Floats = products + model.biases_[0, row] + model.biases_[1, columns]
    return answer


def one_word(model: GloVe, word: str) -> Trace:
    """Arrays: columns (n,), counts (n,), logarithms (n,), guesses (n,), then those of the neighbours."""
    row = model.get_index(word)
    columns, counts = model.cooccurrences_.row(row)
    order = np.argsort(-counts, kind="stable")
    columns, counts = columns[order], counts[order]
    logarithms, guesses = np.log(counts.astype(np.float64)), guessed(model, row, columns)
    near = neighbours(model.id, model, word)
    names = [quoted(model.words_[column], 20) for column in columns[:SHOWN].tolist()]
    shown = quoted(word, 30)
    cells = zip(names, counts.tolist(), logarithms.tolist(), guesses.tolist(), strict=False)
    return Trace(
        model=model.id,
        input=word,
        arrays={
            "columns": columns,  # (n,) numbers of words
            "counts": counts,  # (n,) X
            "logarithms": logarithms,  # (n,) ln X
            "guesses": guesses,  # (n,)
            **near.arrays,
        },
        views=[
            Table(
                say(f"what stands near “{shown}”", f"“{shown}”附近有什么"),
                [say("word", "词"), "X", "ln X", "w · c + b + d"],
                [[name, round(x, 2), round(log, 3), round(guess, 3)] for name, x, log, guess in cells],
                _about(model),
            ),
            *near.views,
        ],
    )


def ratios(model: GloVe, first: str, second: str) -> Trace:
    """P(k | first) / P(k | second) for words k that stand near either: what the vectors' difference has to say.

    Arrays: columns (n,), first (n,) and second (n,) the probabilities (0: not among the counts that are kept), ratios (n,)
    (inf and 0 there), guesses (n,) the model's ratio.
    """
    rows = [model.get_index(first), model.get_index(second)]
    kept = model.cooccurrences_
    for word, row in zip((first, second), rows, strict=True):
        if not kept.sums[row] > 0:
            raise UsageError(
                "no-neighbours",
                say(
                    f"'{quoted(word, 40)}' has no neighbours, so it has no ratios",
                    f"“{quoted(word, 40)}”没有邻居，也就没有比值",
                ),
                help=say("look at it alone, or at another word", "单独看它，或换一个词"),
            )
    columns = np.union1d(*(kept.row(row)[0] for row in rows)).astype(np.int64)
    found = []
    for row in rows:
        some, counts = kept.row(row)
        probabilities = np.zeros(len(columns))
        probabilities[np.searchsorted(columns, some)] = counts / kept.sums[row]
        found.append(probabilities)
    with np.errstate(divide="ignore"):
        measured = found[0] / found[1]
    logs = [guessed(model, row, columns) - np.log(kept.sums[row]) for row in rows]
    difference = logs[0] - logs[1]
    strength = np.maximum(*found) * np.abs(difference)
    chosen = np.sort(np.argsort(-strength, kind="stable")[:SHOWN])
    chosen = chosen[np.argsort(-difference[chosen], kind="stable")]
    names = [quoted(model.words_[column], 20) for column in columns[chosen].tolist()]
    a, b = quoted(first, 20), quoted(second, 20)
    return Trace(
        model=model.id,
        input=f"{first} {second}",
        arrays={
            "columns": columns,
            "first": found[0],
            "second": found[1],
            "ratios": measured,
            "guesses": np.exp(difference),
        },
        views=[
            Table(
                say(f"who stands nearer to “{a}” than to “{b}”", f"谁更常与“{a}”而不是“{b}”为邻"),
                ["k", f"P(k|{a})", f"P(k|{b})", say("ratio", "比值"), say("the model's", "模型的比值")],
                [
                    [name, *(_probability(found[side][at]) for side in (0, 1)), _ratio(measured[at]), _ratio(guess)]
                    for name, at, guess in zip(names, chosen, np.exp(difference[chosen]), strict=True)
                ],
                _about(model),
            ),
            Bars(
                say("ln ratio, from the vectors", "由向量得到的比值的对数"),
                names,
                difference[chosen],
                say(f"right: “{a}”, left: “{b}”", f"右为“{a}”，左为“{b}”"),
            ),
        ],
    )


def _about(model: GloVe) -> str:
    if model.cooccurrences_.whole:
        return ""
    return say("of the counts, the strongest of each word are kept", "只保留了每个词最强的一些计数")


def _probability(value: float) -> str:
    return f"{value:.2e}" if value > 0 else "–"


def _ratio(value: float) -> str:
    return f"{value:.3g}" if 0 < value < np.inf else "–"
