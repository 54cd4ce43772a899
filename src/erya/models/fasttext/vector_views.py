"""Looking inside fitted vectors: a word's neighbours, and what its n-grams add to its vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from erya.errors import quoted
from erya.language import say
from erya.parts.word_views import neighbours
from erya.trace import Bars, Trace

if TYPE_CHECKING:
    from erya.models.fasttext.vectors import FastTextVectors

SHOWN = 20  # n-grams


def trace(model: FastTextVectors, x: Any) -> Trace:
    """See ``FastTextVectors.trace``.

    Returns:
        besides the neighbours' arrays: pieces (n,) rows of the n-grams that have one, shares (n,) what each adds to the vector's
        length; with the word's own row they sum to that length.
    """
    word = str(x)
    near = neighbours(model.id, model, word)
    names, rows = model.ngrams(word)
    known = np.flatnonzero(rows >= 0)
    own = model.get_index(word, -1)
    vector = model.vector_of(word).astype(np.float64)
    unit = vector / max(float(np.linalg.norm(vector)), 1e-30)
    all_rows = [*([own] if own >= 0 else []), *rows[known].tolist()]
    labels = [*([say("the word itself", "词本身")] if own >= 0 else []), *(quoted(names[place], 20) for place in known)]
    shares = model.input_[all_rows].astype(np.float64) @ unit / len(all_rows)
    order = np.argsort(-np.abs(shares), kind="stable")[:SHOWN]
    note = say(
        f"{len(known)} of {len(names)} n-grams have a vector; the parts sum to the vector's length, {shares.sum():.3g}.",
        f"{len(names)} 个 n 元组中有 {len(known)} 个有向量；各部分之和即词向量的长度 {shares.sum():.3g}。",
    )
    title = say(f"What makes up “{quoted(word, 30)}”", f"“{quoted(word, 30)}”由什么组成")
    parts = Bars(title, [labels[place] for place in order.tolist()], shares[order], note)
    arrays = {**near.arrays, "pieces": rows[known], "shares": shares}
    return Trace(model.id, word, arrays, [*near.views, parts])
