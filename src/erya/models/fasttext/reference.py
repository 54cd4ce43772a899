"""fastText in plain Python and NumPy: the same features and the same gradients as the fast version, one thing at a time.

Read this first. ``features.py`` says the first half for many texts at once, ``reading.py`` for very many; ``train_reference.py`` goes on
with epochs and the other losses, ``loss_kernels.py`` says it in machine code. Tests prove that they agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# ---- a text as features ---------------------------------------------------------------------------------------


def hash_of(text: str) -> int:
    """FNV-1a, 32 bits: mix in a byte, multiply by a prime, go on. Bytes from 128 on count as negative numbers."""
    value = 2166136261
    for byte in text.encode("utf-8", "surrogatepass"):
        signed = byte - 256 if byte >= 128 else byte
        value = ((value ^ (signed % 2**32)) * 16777619) % 2**32
    return value


def features_of(words: Sequence[str], *, word_ngrams: int, min_n: int, max_n: int, buckets: int) -> list[str | int]:
    """The features of one document: words by name, n-grams by the number of their bucket."""
    found: list[str | int] = list(words)
    for size in range(2, word_ngrams + 1):
        for start in range(len(words) - size + 1):
            value = 0
            for word in words[start : start + size]:
                number = hash_of(word)
                signed = number - 2**32 if number >= 2**31 else number
                value = (value * 116049371 + signed) % 2**64
            found.append(value % buckets)
    for word in words:
        if word != "</s>":
            marked = f"<{word}>"
            for start in range(len(marked)):
                for size in range(max(1, min_n), max_n + 1):
                    piece = marked[start : start + size]
                    if len(piece) == size and not (size == 1 and start in (0, len(marked) - 1)):
                        found.append(hash_of(piece) % buckets)
    return found


# ---- learning -------------------------------------------------------------------------------------------------


def gradients(
    rows: NDArray[np.int32], target: int, input: NDArray[np.float32], output: NDArray[np.float32]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Loss of one document, and its gradients.

    Args:
        rows: (n,) the document's features.
        target: its class.
        input: A, (R, D).
        output: B, (C, D).

    Returns:
        the loss −ln p[target]; its gradient for ``output``, (C, D); its gradient for *each* of the document's rows, (D,).
    """
    hidden = input[rows].mean(axis=0).astype(np.float64)  # (D,)
    logits = output @ hidden  # (C,)
    exponents = np.exp(logits - logits.max())
    p = exponents / exponents.sum()
    error = p - (np.arange(len(p)) == target)  # δ = p − t: softmax and cross-entropy have this gradient together
    for_output = np.outer(error, hidden)  # logits = B h
    for_hidden = error @ output
    for_each_row = for_hidden / len(rows)  # h is the mean of n rows, so a row has an n-th part in it
    return float(-np.log(p[target])), for_output, for_each_row
