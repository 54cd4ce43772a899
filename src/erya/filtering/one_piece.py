"""The work itself: the rows of one piece that are kept; and a whole file piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from erya.atomic import atomic_write
from erya.filtering.counts import Tally
from erya.filtering.layout import Layout, PieceRows, RowLine, layout_of
from erya.filtering.pieces import Piece, line_ends, pack, pieces_of
from erya.filtering.settings import Settings, check_limits, columns_of
from erya.text.complaints import stopped
from erya.text.dataset import Reject
from erya.text.files import LINE_LIMIT, blocks, packing
from erya.text.formats import Opened

ROWS_AT_ONCE = 4096
BYTES_AT_ONCE = 8 << 20  # of rows held at once, so that long ones do not fill the memory
BAD_ROWS = ("stop", "skip", "keep")

Told = Callable[[Tally], None]


def filter_file(
    model: Any,
    settings: Settings,
    source: Path,
    target: Path,
    *,
    bad_rows: str = "stop",
    line_limit: int = LINE_LIMIT,
    told: Told = lambda tally: None,
) -> Tally:
    """Write the rows of ``source`` that are kept to ``target``, packed as ``source`` is: whole, or not at all.

    Args:
        model: a classifier.
        settings: which rows.
        source: a jsonl or txt file.
        target: replaced only when the new file stands whole; the same rows give the same bytes.
        bad_rows: ``"stop"`` at rows that cannot be read, ``"skip"`` them, or ``"keep"`` them unscored. Rows without text are
            left out and counted whatever this says.
        line_limit: bytes of the longest line.
        told: called after every batch with the tally so far.

    Raises:
        DataError: the file or a row cannot be read.
        UsageError: the model has no such label.
        ResourceError: the target cannot be written.
    """
    worker = PieceFilter(model, settings, bad_rows, line_limit=line_limit)
    layout, _ = layout_of(source, settings)
    kind, tally = packing(source), Tally()

    def write(stream: BinaryIO) -> None:
        nothing, line = True, 0
        for piece in pieces_of(blocks(source), limit=line_limit):
            before = line
            kept = worker.kept_of(layout, piece, tally, told=told, lines_before=lambda: before)  # noqa: B023
            line += line_ends(piece.data)
            if kept:
                nothing = False
                stream.write(pack(kept, kind))
        if nothing:
            stream.write(pack(b"", kind))  # an empty archive is sound, an empty file is none

    atomic_write(target, write)
    assert tally.rows == tally.kept + tally.dropped + tally.rejected, "rows were lost"
    return tally


class PieceFilter:
    """A classifier that says which rows of a piece are kept.

    Args:
        model: a classifier, or a language model.
        settings: which rows.
        bad_rows: see ``filter_file``.
        line_limit: bytes of the longest line.

    Raises:
        UsageError: the model has no such label, or no such limits.
    """

    def __init__(self, model: Any, settings: Settings, bad_rows: str, *, line_limit: int = LINE_LIMIT) -> None:
        self.model, self.settings, self.bad_rows, self.line_limit = model, settings, bad_rows, line_limit
        self.columns = columns_of(model, settings.labels)
        check_limits(model, settings)
        self.in_bits = model.task() == "generate"

    def kept_of(
        self, layout: Layout, piece: Piece, tally: Tally, *, told: Told, lines_before: Callable[[], int]
    ) -> bytes:
        """The lines of a piece that stay, with the byte order mark before them where the piece has one.

        Args:
            layout: of the file.
            piece: some lines of it.
            tally: gets all rows counted.
            told: called after every batch.
            lines_before: how many lines of the file come before; asked only for an error.

        Raises:
            DataError: a row cannot be read, and ``bad_rows`` says to stop.
        """
        rows = PieceRows(layout, piece.data, piece.start, limit=self.line_limit)
        kept = [rows.opened.mark]
        bytes_before = tally.bytes
        tally.kept_bytes += len(rows.opened.mark)
        for batch in batched(rows):
            found = self._kept(batch, tally, rows.opened, lines_before)
            tally.kept_bytes += sum(map(len, found))
            tally.bytes = min(bytes_before + piece.end - piece.start, tally.bytes + sum(len(raw) for _, raw in batch))
            kept.extend(found)
            told(tally)
        tally.bytes = bytes_before + piece.end - piece.start
        return b"".join(kept)

    def scores(self, documents: list[Any]) -> NDArray[np.floating[Any]]:
        """(N,) for each document the largest of the labels' probabilities; of a language model its bits a character."""
        if self.in_bits:
            return np.array([one.bits_per_character for one in self.model.surprisals(documents)], dtype=np.float64)
        if hasattr(self.model, "probability_of"):  # some labels asked for among very many
            sure = self.model.probability_of(self.columns[0], documents)
            for column in self.columns[1:]:
                sure = np.maximum(sure, self.model.probability_of(column, documents))
        else:
            sure = self.model.predict_proba(documents)[:, self.columns].max(axis=1)
        return np.asarray(sure)

    def passes(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """(N,) whether rows with these scores are kept."""
        least, most = self.settings.min_probability, self.settings.max_probability
        if self.in_bits:
            least = 0.0 if self.settings.min_bits is None else self.settings.min_bits
            most = np.inf if self.settings.max_bits is None else self.settings.max_bits
        between = (scores >= least) & (scores <= most)
        return np.asarray(between != self.settings.invert)

    def _kept(self, batch: list[RowLine], tally: Tally, opened: Opened, lines_before: Callable[[], int]) -> list[bytes]:
        """The lines of a batch that stay, all rows of it counted."""
        documents = [item for item, _ in batch if type(item) is not Reject]
        passed: list[bool] = []
        if documents:
            scores = self.scores(documents)
            tally.score(scores, bits=self.in_bits)
            passed = self.passes(scores).tolist()
        staying = sum(passed)
        tally.rows += len(documents)
        tally.kept += staying
        tally.dropped += len(documents) - staying
        if len(documents) == len(batch):
            return [raw for (_, raw), stays in zip(batch, passed, strict=True) if stays]
        answers, found = iter(passed), []
        for item, raw in batch:
            if type(item) is Reject:
                stays = self._rejected(item, tally, opened, lines_before)
            else:
                stays = next(answers)
            if stays:
                found.append(raw)
        return found

    def _rejected(self, reject: Reject, tally: Tally, opened: Opened, lines_before: Callable[[], int]) -> bool:
        """Whether the line of a row that cannot be scored is copied all the same. Raises DataError where such rows stop it."""
        held = reject.code != "line-too-long"  # of a line over the limit there are no bytes to copy
        if not reject.harmless and (self.bad_rows == "stop" or (self.bad_rows == "keep" and not held)):
            reject.line += lines_before()
            raise stopped(opened, [reject])
        tally.rows += 1
        tally.reject(reject)
        copied = self.bad_rows == "keep" and not reject.harmless
        tally.copied += copied
        return copied


def batched(rows: Iterable[RowLine]) -> Iterator[list[RowLine]]:
    """Rows in batches that depend on nothing but the piece, so that a second run scores them in the same company."""
    batch: list[RowLine] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row[1])
        if len(batch) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
