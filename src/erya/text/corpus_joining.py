"""Phrases in a corpus that is read: the ids of their words become one id, and the counts follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from erya.text import phrases_kernels as kernels
from erya.text.corpus_scan import Scan
from erya.text.corpus_table import WordTable
from erya.text.phrases_kernels import LONGEST


class Joins(Protocol):
    """What is asked of phrases (``phrases.Phrases``)."""

    @property
    def words(self) -> tuple[tuple[str, ...], ...]:
        """The words of each phrase."""

    @property
    def common_words(self) -> frozenset[str]:
        """Words that stand inside of phrases only."""

    @property
    def delimiter(self) -> str:
        """What joins the words."""


def join(scan: Scan, phrases: Joins) -> None:
    """Rewrite the ids of ``scan`` with phrases joined, from left to right."""
    table = scan.words
    known = {word: _number(table, word) for phrase in phrases.words for word in phrase}
    chosen = [phrase for phrase in phrases.words if len(phrase) <= LONGEST and all(known[word] >= 0 for word in phrase)]
    if not chosen:
        return
    common = [number for word in phrases.common_words if (number := _number(table, word)) >= 0]
    flat = np.array([known[word] for phrase in chosen for word in phrase], dtype=np.int32)
    starts = np.zeros(len(chosen) + 1, dtype=np.int64)
    np.cumsum([len(phrase) for phrase in chosen], out=starts[1:])
    size = 4
    while size < 2 * len(chosen):
        size *= 2
    keys, slots = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.int32)
    kernels.enter_phrases(flat, starts, keys, slots)
    joined = [phrases.delimiter.join(phrase).encode("utf-8", "surrogatepass") for phrase in chosen]
    numbers = np.array([table.add(word) for word in joined], dtype=np.int32)
    flags = np.zeros(len(table), dtype=np.bool_)
    flags[common] = True
    scan.ids.rewrite(_joined(scan, flags, (flat, starts, keys, slots, numbers)))


def _number(table: WordTable, word: str) -> int:
    return table.number(word.encode("utf-8", "surrogatepass"))


def _joined(
    scan: Scan,
    flags: NDArray[np.bool_],
    phrases: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint64], NDArray[np.int32], NDArray[np.int32]],
) -> Iterator[NDArray[np.int32]]:
    counts = scan.words.counts()
    rest = np.zeros(0, dtype=np.int32)
    for _, part in scan.ids.parts():
        some = np.concatenate([rest, part])
        out = np.empty_like(some)
        used, written = kernels.join(some, flags, phrases, False, counts, out)
        rest = some[used:].copy()
        yield out[:written]
    out = np.empty_like(rest)
    _, written = kernels.join(rest, flags, phrases, True, counts, out)
    yield out[:written]
