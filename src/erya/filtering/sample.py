"""What a filter would keep, seen on a few rows before hours are spent on all: nothing is written."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erya.filtering.counts import Tally
from erya.filtering.layout import Layout, PieceRows, layout_of
from erya.filtering.one_piece import PieceFilter, batched
from erya.filtering.pieces import Piece, pieces_of
from erya.filtering.pool import Shard
from erya.filtering.settings import Settings
from erya.foreign_classifier import open_classifier
from erya.text.dataset import Reject
from erya.text.files import LINE_LIMIT, blocks, packing, unreadable

_SHARDS = 20  # that are looked at
_SPOTS = 8  # in an unpacked shard
_STRETCH = 1 << 18  # bytes read at a spot
_SHOWN = 5  # rows next to each limit


@dataclass(slots=True)
class Sampled:
    """What became of a sample.

    Attributes:
        tally: of its rows; ``bytes`` are those of the sampled lines.
        seconds: that reading and scoring took, on one process.
        shards: how many were looked at.
        beginnings: of how many only the beginning was seen, because they are packed.
        total_bytes: of all shards, as they lie on the disk.
        nearest: ``(p, kept, text)`` of rows around the limits, by p, the largest first; of language models
            ``(bits, kept, text)``, the fewest first.
    """

    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    shards: int = 0
    beginnings: int = 0
    total_bytes: int = 0
    nearest: list[tuple[float, bool, str]] = field(default_factory=list)

    @property
    def gigabytes_per_hour(self) -> float | None:
        """Of the sampled lines, on one process; None where there were none."""
        return self.tally.bytes / 1e9 / self.seconds * 3600 if self.tally.bytes and self.seconds else None


def sampled(model: Path, settings: Settings, shards: Sequence[Shard], count: int) -> Sampled:
    """Score about ``count`` rows, the same ones each time: from up to 20 shards, spread over each where it is not packed.

    Args:
        model: the model file.
        settings: which rows would be kept.
        shards: from ``shards_of``.
        count: rows. Those that cannot be read are counted and never stop it.

    Raises:
        DataError: a file cannot be read.
        UsageError: the model has no such label.
    """
    filter = PieceFilter(open_classifier(model), settings, "skip")
    filter.scores(["warm" if settings.text2 is None else ("warm", "up")])  # what only the first call costs
    step = max(1.0, len(shards) / _SHARDS)
    chosen = [shards[int(place * step)] for place in range(min(len(shards), _SHARDS))]
    found = Sampled(shards=len(chosen), total_bytes=sum(shard.source.stat().st_size for shard in shards))
    scored: list[tuple[float, bool, str]] = []
    for number, shard in enumerate(chosen):
        wanted = count * (number + 1) // len(chosen) - count * number // len(chosen)
        layout, _ = layout_of(shard.source, settings)
        found.beginnings += packing(shard.source) is not None
        started = time.monotonic()
        scored += _scored(filter, layout, _rows(shard.source, layout, wanted), found.tally)
        found.seconds += time.monotonic() - started
    found.nearest = _nearest(scored, settings, filter.in_bits)
    return found


def _rows(source: Path, layout: Layout, wanted: int) -> list[tuple[Any, bytes]]:
    """Some rows of a shard, in its order."""
    spots = _spots(source)
    rows: list[tuple[Any, bytes]] = []
    for number, piece in enumerate(spots):
        most = wanted * (number + 1) // len(spots) - wanted * number // len(spots)
        found = list(PieceRows(layout, piece.data, piece.start))
        places = sorted(random.Random(piece.start).sample(range(len(found)), min(most, len(found))))
        rows += [found[place] for place in places]
    return rows


def _spots(source: Path) -> list[Piece]:
    """Some stretches of whole lines: from all over the file, or from its beginning where it is packed."""
    if packing(source) is not None:
        found: Iterator[Piece] = pieces_of(blocks(source), size=_STRETCH)
        return [piece for _, piece in zip(range(_SPOTS), found, strict=False)]
    length = source.stat().st_size
    if length <= _SPOTS * _STRETCH:
        return list(pieces_of(blocks(source), size=_STRETCH))
    return [_stretch(source, length * number // _SPOTS) for number in range(_SPOTS)]


def _stretch(source: Path, place: int) -> Piece:
    """Whole lines from the first that begins at or behind ``place``."""
    try:
        with source.open("rb") as file:
            file.seek(max(0, place - 1))
            if place:
                file.readline(LINE_LIMIT)  # the line that is in the middle of it, or the end of the one before
            start = file.tell()
            data = file.read(_STRETCH) + file.readline(LINE_LIMIT)
    except OSError as error:
        raise unreadable(source, error) from error
    return Piece(start, start + len(data), data)


def _scored(
    filter: PieceFilter, layout: Layout, rows: list[tuple[Any, bytes]], tally: Tally
) -> list[tuple[float, bool, str]]:
    """Count rows, and give those that have a text: ``(score, kept, text)``."""
    found: list[tuple[float, bool, str]] = []
    for batch in batched(rows):
        good = [(item, raw) for item, raw in batch if not isinstance(item, Reject)]
        for item, _ in batch:
            if isinstance(item, Reject):
                tally.reject(item)
        if good:
            scores = filter.scores([item for item, _ in good])
            passed = filter.passes(scores).tolist()
            tally.score(scores, bits=filter.in_bits)
            tally.kept += sum(passed)
            tally.dropped += len(good) - sum(passed)
            tally.kept_bytes += sum(len(raw) for (_, raw), stays in zip(good, passed, strict=True) if stays)
            texts = [item if isinstance(item, str) else " ↔ ".join(item) for item, _ in good]
            found += zip(scores.tolist(), passed, texts, strict=True)
        tally.rows += len(batch)
        tally.bytes += sum(len(raw) for _, raw in batch)
    return found


def _nearest(scored: list[tuple[float, bool, str]], settings: Settings, bits: bool) -> list[tuple[float, bool, str]]:
    """The kept and the dropped rows that are nearest to a limit: there a threshold shows whether it is the right one."""
    if bits:
        limits = [limit for limit in (settings.min_bits, settings.max_bits) if limit is not None] or [0.0]
    else:
        limits = [limit for limit in (settings.min_probability, settings.max_probability) if 0 < limit < 1] or [0.5]
    chosen: list[tuple[float, bool, str]] = []
    for stays in (True, False):
        side = [row for row in scored if row[1] is stays]
        side.sort(key=lambda row: min(abs(row[0] - limit) for limit in limits))
        chosen += side[:_SHOWN]
    return sorted(chosen, key=lambda row: row[0] if bits else -row[0])
