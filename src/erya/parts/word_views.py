"""What a trace of word vectors shows: a word's vector and its neighbours."""

from __future__ import annotations

import numpy as np

from erya.errors import quoted
from erya.language import say
from erya.parts.word_queries import WordQueries
from erya.trace import Bars, Trace


def neighbours(id: str, vectors: WordQueries, word: str, count: int = 10) -> Trace:
    """The way from a word to its nearest words.

    Args:
        id: the model's.
        vectors: whom to ask.
        word: the word.
        count: neighbours shown.

    Returns:
        arrays: row (1,), vector (D,), unit (D,), neighbours (n,) their rows, cosines (n,).
    """
    found = vectors.most_similar(word, topn=count)
    names = [name for name, _ in found]
    arrays = {
        "row": np.array([vectors.get_index(word, -1)]),
        "vector": np.asarray(vectors.get_vector(word)),
        "unit": np.asarray(vectors.get_vector(word, norm=True)),
        "neighbours": np.array([vectors.get_index(name) for name in names], dtype=np.int64),
        "cosines": np.array([cosine for _, cosine in found]),
    }
    title = say(f"The words nearest to {quoted(word, 30)}", f"与“{quoted(word, 30)}”最近的词")
    note = say("Cosine of the two vectors.", "数值为两个词向量的余弦。")
    return Trace(id, word, arrays, [Bars(title, names, arrays["cosines"], note)])
