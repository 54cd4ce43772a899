"""Encoded lines, one behind the other, and the room in which an encoding writes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.models.fasttext import line_kernels as kernels

Ids = NDArray[np.int32]
Longs = NDArray[np.int64]


class Lines(NamedTuple):
    """N lines, one behind the other.

    Attributes:
        rows: int32, input rows: words, character n-grams of words, then word n-grams, line by line.
        starts: (N + 1,) line i owns rows[starts[i]:starts[i + 1]].
        labels: int32, numbers of known labels.
        label_starts: (N + 1,) likewise.
        tokens: (N,) tokens of each line, as the original counts them.
    """

    rows: Ids
    starts: Longs
    labels: Ids
    label_starts: Longs
    tokens: Longs

    def __len__(self) -> int:
        return len(self.tokens)

    def some(self, first: int, last: int) -> Lines:
        """The lines from ``first`` to ``last``, exclusive."""
        begin, label = self.starts[first], self.label_starts[first]
        return Lines(
            self.rows[begin : self.starts[last]],
            self.starts[first : last + 1] - begin,
            self.labels[label : self.label_starts[last]],
            self.label_starts[first : last + 1] - label,
            self.tokens[first:last],
        )

    def copy(self) -> Lines:
        """The same lines in memory of their own."""
        return Lines(
            self.rows.copy(), self.starts.copy(), self.labels.copy(), self.label_starts.copy(), self.tokens.copy()
        )

    def only(self, chosen: NDArray[np.bool_]) -> Lines:
        """Some of the lines.

        Args:
            chosen: (N,) which.
        """
        if chosen.all():
            return self
        sizes, label_sizes = np.diff(self.starts), np.diff(self.label_starts)
        return Lines(
            self.rows[np.repeat(chosen, sizes)],
            np.append(0, np.cumsum(sizes[chosen])),
            self.labels[np.repeat(chosen, label_sizes)],
            np.append(0, np.cumsum(label_sizes[chosen])),
            self.tokens[chosen],
        )


class Room:
    """Where an encoding writes.

    Kept from one encoding to the next it spares the system's fresh pages, which cost as much as filling them.
    """

    def __init__(self) -> None:
        self.out = _room(0, 0, 0, 0)

    def suit(self, tokens: int, ngrams: int) -> None:
        """Room for so many tokens, each with the rows of ``ngrams`` n-grams of words; it may turn out too small."""
        rows, rest = tokens * ngrams + 64, tokens // 8 + 16
        if len(self.out.rows) < rows or len(self.out.tokens) < rest:
            self.out = _room(rows, rest, rest, 1024)

    def double(self, only_hashes: bool) -> None:
        """Twice the room, for everything or for the words of one line; what is written stays."""
        old = self.out
        if only_hashes:
            self.out = old._replace(hashes=np.zeros(2 * len(old.hashes), dtype=np.int64))
            return
        self.out = _room(2 * len(old.rows), 2 * len(old.labels), 2 * len(old.starts), len(old.hashes))
        for name in kernels.Out._fields:
            before: NDArray[np.generic] = getattr(old, name)
            getattr(self.out, name)[: len(before)] = before

    def lines(self, state: Longs) -> Lines:
        """What is written: views of the room."""
        lines, rows, labels = int(state[kernels.LINES]), int(state[kernels.ROWS]), int(state[kernels.LABELS])
        out = self.out
        return Lines(
            out.rows[:rows],
            out.starts[: lines + 1],
            out.labels[:labels],
            out.label_starts[: lines + 1],
            out.tokens[:lines],
        )


def _room(rows: int, labels: int, lines: int, hashes: int) -> kernels.Out:
    return kernels.Out(
        np.empty(rows, dtype=np.int32),
        np.zeros(lines, dtype=np.int64),
        np.empty(labels, dtype=np.int32),
        np.zeros(lines, dtype=np.int64),
        np.zeros(lines, dtype=np.int64),
        np.zeros(hashes, dtype=np.int64),
    )
