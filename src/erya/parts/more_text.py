"""Text beside the first: what a fitted model of words goes on with, and what is held out to be listened to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError
from erya.language import say
from erya.progress import Report
from erya.text.corpus import Encoded, encode
from erya.text.tokenizers import Tokenizer

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Grown:
    """A vocabulary that more text has made larger.

    Attributes:
        encoded: the new text as ids, of all words, most frequent first.
        counts: (V',) how often each was seen, before and now.
        order: (V',) for each word its row of before; new ones count on from there, in the order of the text's vocabulary.
        fresh: how many are new.
    """

    encoded: Encoded
    counts: Integers
    order: Integers
    fresh: int


def grown(
    X: Any, words: list[str], counts: Integers | None, tokenizer: Tokenizer, min_count: int, report: Report
) -> Grown:
    """Read more text: words seen ``min_count`` times in it join those that are known; counts are added up.

    Args:
        X: a Path to text, an iterable of texts or of token lists; one that can be read only once is kept in memory.
        words: V words that are known.
        counts: (V,) how often each was seen; None: not known, as if never.
        tokenizer: the one the model was trained with.
        min_count: of a new word.
        report: told about the reading.

    Raises:
        DataError: no text, or no word that is known or frequent enough.
    """
    X = list(X) if hasattr(X, "__next__") else X
    with_all = encode(X, tokenizer=tokenizer, min_count=1, report=report)
    seen = dict(zip(with_all.words, with_all.counts.tolist(), strict=True))
    with_all.close()
    known = set(words)
    fresh = [word for word in with_all.words if word not in known and seen[word] >= min_count]
    before = [0] * len(words) if counts is None else counts.tolist()
    summed = np.array(
        [count + seen.get(word, 0) for word, count in zip(words, before, strict=True)] + [seen[word] for word in fresh],
        dtype=np.int64,
    )
    names = [*words, *fresh]
    order = np.array(sorted(range(len(names)), key=lambda row: (-summed[row], names[row])), dtype=np.int64)
    encoded = encode(X, tokenizer=tokenizer, vocabulary=[names[row] for row in order.tolist()], report=report)
    return Grown(encoded, summed[order], order, len(fresh))


def held_out_ids(validation: Any, words: list[str], tokenizer: Tokenizer) -> NDArray[np.int32] | None:
    """Held-out text, as ``X`` or as ``(X, None)``, in the numbers of ``words``; None: none.

    Raises:
        DataError: it holds no known word.
    """
    if validation is None:
        return None
    text = validation[0] if isinstance(validation, tuple) and len(validation) == 2 else validation
    encoded = encode(text, tokenizer=tokenizer, vocabulary=words)
    try:
        if not (encoded.ids >= 0).any():
            raise DataError(
                "validation-unknown",
                say("the validation text holds no known word", "验证文本里没有一个已知的词"),
                help="fit(X, validation=…)",
            )
        return np.array(encoded.ids)
    finally:
        encoded.close()
