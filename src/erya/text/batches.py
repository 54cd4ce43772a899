"""Sequences of ids into batches of like length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erya.errors import UsageError
from erya.language import say


def bucketed(
    lengths: ArrayLike, batch_size: int, generator: np.random.Generator | None, *, max_tokens: int | None = None
) -> list[NDArray[np.int64]]:
    """The indices of each batch: sequences of like length together, every index in exactly one batch.

    Args:
        lengths: (N,) tokens in each sequence.
        batch_size: the greatest number of sequences in a batch.
        generator: mixes sequences of equal length and the order of the batches; None: shortest first, nothing mixed.
        max_tokens: the greatest number of tokens in a batch, padding counted; a longer sequence is alone in its batch.

    Returns:
        Batches of indices, int64 (B,).

    Raises:
        UsageError: ``batch_size`` or ``max_tokens`` below 1.
    """
    if batch_size < 1 or (max_tokens is not None and max_tokens < 1):
        raise UsageError("bad-setting", say("batch_size must be at least 1", "batch_size 至少为 1"))
    sizes = np.asarray(lengths, dtype=np.int64)
    mixed = np.arange(len(sizes), dtype=np.int64) if generator is None else generator.permutation(len(sizes))
    order = mixed[np.argsort(sizes[mixed], kind="stable")].astype(np.int64)
    if max_tokens is None:
        cuts = list(range(0, len(order), batch_size))
    else:
        cuts = _cuts(sizes[order].tolist(), batch_size, max_tokens)
    batches = [order[start:end] for start, end in zip(cuts, [*cuts[1:], len(order)], strict=True)] if cuts else []
    if generator is None:
        return batches
    return [batches[number] for number in generator.permutation(len(batches))]


def _cuts(sizes: list[int], batch_size: int, max_tokens: int) -> list[int]:
    """Where batches begin, for sizes in ascending order: the last one of a batch sets its width."""
    cuts = [0] if sizes else []
    for place, size in enumerate(sizes):
        count = place - cuts[-1] + 1
        if count > 1 and (count > batch_size or count * size > max_tokens):
            cuts.append(place)
    return cuts


def padded(
    sequences: Sequence[Sequence[int]], pad: int = 0, *, width: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sequences as one array.

    Args:
        sequences: B lists of ids.
        pad: the id that fills up.
        width: the least T.

    Returns:
        ids int64 (B, T) with T the greatest length, and the lengths int64 (B,).
    """
    lengths = np.fromiter((len(sequence) for sequence in sequences), dtype=np.int64, count=len(sequences))
    longest = max(width, int(lengths.max(initial=0)))
    ids = np.full((len(sequences), longest), pad, dtype=np.int64)
    if len(sequences):
        flat = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
        ids[mask(lengths, longest)] = np.concatenate(flat)
    return ids, lengths


def mask(lengths: ArrayLike, width: int) -> NDArray[np.bool_]:
    """True where a token stands and False where padding does, bool (B, T) for lengths (B,) and T = ``width``."""
    counts = np.asarray(lengths, dtype=np.int64)
    return np.arange(width)[None, :] < counts[:, None]  # (B, T)
