"""The trace of a model that chooses a path: the lattice, Viterbi's way through it token by token, and who came second.

The one picture of ``hmm``, ``crf`` and the networks that end in a chain: what they put into it differs, the algebra
is the same (``crf.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.language import say
from erya.parts import crf
from erya.trace import Lattice, Matrix, Table, Trace, View

Floats = NDArray[np.float64]
RUNNERS_UP = 4  # paths behind the best one
STEPS = 60  # tokens written out in the table


def lattice_trace(
    model: str,
    sentence: Sequence[str],
    shown: str,
    classes: Sequence[str],
    emissions: Floats,
    chain: crf.Chain,
    *,
    marginals: bool = True,
    before: dict[str, NDArray[Any]] | None = None,
    views: Sequence[View] = (),
    note: str = "",
) -> Trace:
    """All of one sentence's lattice.

    Arrays: emissions (T, C), transitions (C, C), first (C,), last (C,), viterbi (T, C) the score of the best way to each tag, back
    (T, C) the tag before on it, marginals (T, C) unless there are none, runners_up (n, T), runner_up_scores (n,), path_score (1,),
    path (T,).

    Args:
        model: its id.
        sentence: T tokens.
        shown: the sentence as text.
        classes: C tags.
        emissions: (T, C) what each token says for each tag.
        chain: of the C tags, with the rules that the model decodes by.
        marginals: whether path scores are logarithms of shares, so that p(tag | sentence) means something.
        before: arrays that come first.
        views: what else to show, behind the lattice.
        note: one sentence under the lattice.
    """
    names = [str(name) for name in classes]
    reached, back, path, score = crf.viterbi_steps(emissions, chain)
    ways, scores = crf.n_best(emissions, np.array([0, len(sentence)]), chain, RUNNERS_UP + 1)
    kept = np.flatnonzero((scores[0] > -np.inf) & (scores[0] > score + crf.FORBIDDEN / 2))[1:]
    shares = crf.posterior(emissions, np.array([0, len(sentence)]), chain).tags if marginals else None
    arrays: dict[str, NDArray[Any]] = {
        **(before or {}),
        "emissions": emissions,
        "transitions": chain.transitions,
        "first": chain.first,
        "last": chain.last,
        "viterbi": reached,
        "back": back,
        **({"marginals": shares} if shares is not None else {}),
        "runners_up": ways[kept],
        "runner_up_scores": scores[0][kept],
        "path_score": np.array([score]),
        "path": path,
    }
    lattice = Lattice(
        say("the lattice: every tag at every token, and the best path", "网格：每个词的所有标签，以及最佳路径"),
        [str(token) for token in sentence],
        names,
        np.maximum(emissions, crf.FORBIDDEN),
        path,
        marginals=shares,
        transitions=_finite(chain.transitions),
        runners_up=[(float(scores[0][rank]), ways[rank]) for rank in kept.tolist()],
        note=note,
    )
    steps = viterbi_table(sentence, names, emissions, chain, reached, back, path)
    return Trace(model, shown, arrays, [lattice, steps, *views, transitions_view(names, chain)])


def viterbi_table(
    sentence: Sequence[str],
    names: Sequence[str],
    emissions: Floats,
    chain: crf.Chain,
    reached: Floats,
    back: NDArray[np.int32],
    path: NDArray[np.int64],
) -> Table:
    """The path token by token: what was added, the sum so far, and which tag was second and how far behind on the way."""
    rows: list[list[Any]] = []
    for place in range(min(len(sentence), STEPS)):
        tag = int(path[place])
        step = chain.first[tag] if place == 0 else chain.transitions[int(back[place, tag]), tag]
        others = np.delete(reached[place], tag)
        lead = float(reached[place, tag] - others.max()) if len(others) else np.inf
        rival = int(np.argsort(-reached[place], kind="stable")[0])
        if rival == tag and len(names) > 1:
            rival = int(np.argsort(-reached[place], kind="stable")[1])
        cells = [float(step), float(emissions[place, tag]), float(reached[place, tag])]
        rows.append([str(sentence[place]), names[tag], *[_number(cell) for cell in cells], names[rival], _number(lead)])
    columns = [
        say("token", "词"),
        say("tag", "标签"),
        say("+ transition", "+ 转移"),
        say("+ emission", "+ 发射"),
        say("= best way here", "= 到此最优"),
        say("strongest other", "最强对手"),
        say("lead", "领先"),
    ]
    more = len(sentence) - len(rows)
    note = say(f"{more:,} more tokens", f"另有 {more:,} 个词") if more else ""
    return Table(
        say("Viterbi, step by step along the best path", "维特比算法：沿最佳路径逐步相加"),
        columns,
        rows,
        note or say("a lead below 0: behind here, ahead in the end", "领先为负：此处落后，最后反超"),
    )


def transitions_view(names: Sequence[str], chain: crf.Chain) -> Matrix:
    """Scores from tag (row) to tag (column)."""
    return Matrix(
        say("transitions: from the tag of the row to that of the column", "转移得分：从行标签到列标签"),
        list(names),
        list(names),
        _finite(chain.transitions),
        say("what the rules forbid is drawn as the least", "规则所禁止的转移按最小值画出"),
    )


def _finite(scores: Floats) -> Floats:
    """Prohibitions as the least of the other scores, so that these can be told apart in a picture."""
    sound = scores > crf.FORBIDDEN / 2
    return np.where(sound, scores, scores[sound].min(initial=0.0))


def _number(value: float) -> float | str:
    return round(value, 3) if abs(value) < -crf.FORBIDDEN / 2 else "−∞" if value < 0 else "∞"
