"""The names of a text, counted by several threads: each has a table of its own, in the end they are merged."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from erya.models.fasttext import line_kernels as kernels
from erya.models.fasttext.line_kernels import ARENA, ENDS, FIRST_END, FULL, NAMES, PAD, TOKENS
from erya.models.fasttext.text_pieces import Piece, padded, pieces_of_bytes, pieces_of_file, share_out

END = b"</s>"


class Table:
    """Names and counts, with room to grow."""

    def __init__(self, names: int = 1 << 12) -> None:
        self.counts = _empty_counts(names, 16 * names)
        self.used = np.zeros(5, dtype=np.int64)
        self.used[FIRST_END] = -1

    @property
    def tokens(self) -> int:
        """How many tokens were counted."""
        return int(self.used[TOKENS])

    def grow(self, need: int) -> None:
        """Room for twice as many names and bytes, and for ``need`` more bytes."""
        old, names, taken = (
            self.counts._replace(slots=self.counts.slots[:1].copy()),
            int(self.used[NAMES]),
            int(self.used[ARENA]),
        )
        self.counts = old  # the old slots are free before the new ones are filled
        larger = _empty_counts(2 * len(old.starts), 2 * len(old.arena) + need)
        larger.arena[:taken] = old.arena[:taken]
        for mine, theirs in ((larger.starts, old.starts), (larger.lengths, old.lengths)):
            mine[:names] = theirs[:names]
        larger.counts[:names], larger.firsts[:names] = old.counts[:names], old.firsts[:names]
        hashes = np.zeros(0, dtype=np.int32)  # not asked for
        kernels.fill_slots(larger.slots, larger.arena, larger.starts[:names], larger.lengths[:names], hashes)
        self.counts = larger

    def count(self, piece: Piece) -> None:
        """Count the tokens of a piece."""
        state = np.zeros(1, dtype=np.int64)
        while kernels.count(piece.data, piece.size, piece.origin, self.counts, self.used, state) == FULL:
            self.grow(piece.size)

    def merge(self, other: Table) -> None:
        """Add what another table has counted."""
        state = np.zeros(1, dtype=np.int64)
        while kernels.merge(other.counts, int(other.used[NAMES]), self.counts, self.used, state) == FULL:
            self.grow(int(other.used[ARENA]))
        self.used[TOKENS] += other.used[TOKENS]
        self.used[ENDS] += other.used[ENDS]
        firsts = [int(table.used[FIRST_END]) for table in (self, other) if table.used[FIRST_END] >= 0]
        self.used[FIRST_END] = min(firsts, default=-1)


def _empty_counts(names: int, size: int) -> kernels.Counts:
    return kernels.Counts(
        np.zeros((power_above(2 * names - 1), 2), dtype=np.uint64),  # half of the slots are taken at most
        np.zeros(size + PAD, dtype=np.uint8),
        np.zeros(names, dtype=np.int64),
        np.zeros(names, dtype=np.int32),
        np.zeros(names, dtype=np.int64),
        np.zeros(names, dtype=np.int64),
    )


def count_names(source: Path | str | bytes, threads: int) -> Table:
    """Count all tokens; line ends count as END.

    Raises:
        DataError: the file cannot be read.
    """
    tables: dict[int, Table] = {}

    def work(piece: Piece) -> None:
        tables.setdefault(threading.get_ident(), Table()).count(piece)

    pieces = pieces_of_bytes(source, threads) if isinstance(source, bytes) else pieces_of_file(Path(source))
    share_out(pieces, threads, work)
    whole = tables.popitem()[1] if tables else Table()
    while tables:  # each is forgotten when it is merged
        whole.merge(tables.popitem()[1])
    ends = int(whole.used[ENDS])
    if ends:  # line ends are counted apart: they are the name </s>, which may also be written out
        extra = Table(4)
        extra.count(Piece(0, int(whole.used[FIRST_END]), padded(END), len(END)))
        extra.counts.counts[0] = ends
        extra.used[TOKENS] = ends
        whole.merge(extra)
    return whole


def power_above(size: int) -> int:
    """A power of two above ``size``."""
    return 1 << max(2, int(size).bit_length())
