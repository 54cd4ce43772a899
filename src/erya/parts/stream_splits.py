"""A stream of documents in two: one to learn from, and a share that is only listened to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.text.unit_ids import BORDER

Ids = NDArray[np.int32]
_BORDER = np.full(1, BORDER, dtype=np.int32)


def some_documents(ids: Ids, share: float, seed: int) -> tuple[Ids, Ids]:
    """Whole documents, drawn until they hold ``share`` of the units; copies.

    Args:
        ids: int32, a border first and one behind each of two documents or more.
        share: between 0 and 1.
        seed: of the draw.

    Returns:
        The others and those that were drawn, both in their order, with a border first and one behind each document.
    """
    ends = np.flatnonzero(ids == BORDER)  # the first is the beginning
    sizes = np.diff(ends)
    order = np.random.default_rng([seed, 1]).permutation(len(sizes))
    held = np.zeros(len(sizes), dtype=bool)
    most = int(np.searchsorted(np.cumsum(sizes[order]), share * (len(ids) - 1))) + 1
    held[order[: min(most, len(sizes) - 1)]] = True
    listened = np.repeat(held, sizes)
    return np.concatenate([_BORDER, ids[1:][~listened]]), np.concatenate([_BORDER, ids[1:][listened]])


def end_of(ids: Ids, share: float) -> tuple[Ids, Ids]:
    """The end of a stream, without copying its beginning.

    Cut at a border where one lies within the last two shares, else in the middle of a document: its first half then ends there as if it
    were whole (``stream_batches.py`` closes the ring with a border), and the second begins as one.

    Args:
        ids: as above; may be a memory map.
        share: between 0 and 1.
    """
    total = len(ids) - 1
    wanted = max(1, round(total * share))
    earliest = max(1, total - 2 * wanted)
    borders = earliest + np.flatnonzero(ids[earliest:total] == BORDER)
    if len(borders):
        cut = int(borders[np.argmin(np.abs(borders - (total - wanted)))])
        return ids[: cut + 1], ids[cut:]
    cut = total - wanted
    return ids[:cut], np.concatenate([_BORDER, ids[cut:]])
