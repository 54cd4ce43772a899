"""Which rows of a file a classifier keeps: those that it gives one label with enough probability, byte for byte as they stood.

Here is the work on one file, and what is counted of it; ``filter_run`` puts many files through several processes, and
``filter_journal`` remembers what is done. Rows in = kept + dropped + rejected, always.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from erya.atomic import atomic_write
from erya.errors import ResourceError, UsageError, nearest, quoted
from erya.language import say
from erya.text.complaints import stopped
from erya.text.dataset import Reject
from erya.text.files import packing, unreadable
from erya.text.formats import Opened
from erya.text.read import row_lines

ROWS_AT_ONCE = 4096
BYTES_AT_ONCE = 8 << 20  # of rows held at once, so that long ones do not fill the memory
BAD_ROWS = ("stop", "skip", "keep")
_MOST_REASONS = 50  # different ones that are counted apart

RowLine = tuple[Any, bytes]  # a document or a Reject, and its line


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides which rows are kept: two runs with equal settings keep the same ones.

    Attributes:
        digest: SHA-256 of the model file.
        label: one of the model's classes.
        min_probability: a row is kept from this p(label) up.
        invert: keep what stays below instead.
        text: the JSON field with the text; None: one text a line.
        text2: the field of the second text, for models of pairs.
        encoding: None: UTF-8.
        format: ``"jsonl" "txt" "labels"``; None: by name and content.
    """

    digest: str
    label: str
    min_probability: float
    invert: bool = False
    text: str | None = None
    text2: str | None = None
    encoding: str | None = None
    format: str | None = None

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Tally:
    """What became of the rows of one file, or of many. ``rows == kept + dropped + rejected``.

    Attributes:
        rejected: rows without a text that could be scored.
        bad: those of the rejected that could not be read at all, or hold something other than text.
        copied: those of the bad that were copied unscored, as was asked for.
        bytes: of the file, unpacked.
        kept_bytes: of what was written, before packing.
        reasons: how many rows were rejected for which reason.
    """

    rows: int = 0
    kept: int = 0
    dropped: int = 0
    rejected: int = 0
    bad: int = 0
    copied: int = 0
    bytes: int = 0
    kept_bytes: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Count another file in."""
        for name in ("rows", "kept", "dropped", "rejected", "bad", "copied", "bytes", "kept_bytes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.reasons.items():
            self._because(reason, count)

    def reject(self, reject: Reject) -> None:
        """Count a row that could not be scored."""
        self.rejected += 1
        self.bad += not reject.harmless
        self._because(reject.summary or reject.reason, 1)

    def _because(self, reason: str, count: int) -> None:
        known = reason if reason in self.reasons or len(self.reasons) < _MOST_REASONS else "…"
        self.reasons[known] = self.reasons.get(known, 0) + count

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_plain(cls, data: Any) -> Tally:
        """The inverse of ``to_plain``. Raises ValueError where the numbers make no sense."""
        if not isinstance(data, dict) or set(data) != set(cls().to_plain()) or not isinstance(data["reasons"], dict):
            raise ValueError("this is no tally")
        tally = cls(**data)
        counts = [value for name, value in data.items() if name != "reasons"] + list(tally.reasons.values())
        if any(type(count) is not int or count < 0 for count in counts):
            raise ValueError("a count makes no sense")
        if tally.rows != tally.kept + tally.dropped + tally.rejected:
            raise ValueError("rows were lost")
        return tally


# ---- the model ---------------------------------------------------------------------------------------------------


def digest_of(path: Path) -> str:
    """SHA-256 of a file. Raises DataError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def column_of(model: Any, label: str) -> int:
    """The place of a label among the model's classes.

    Raises:
        UsageError: this is no classifier, or it has no such label; the nearest is named.
    """
    if model.task() != "classify":
        raise UsageError(
            "other-task",
            say(f"{model.id} is no classifier: it has no labels", f"{model.id} 不是分类模型，没有标签"),
            help="erya train classify/fasttext DATA -o m.erya",
        )
    labels = [str(name) for name in model.classes_.tolist()]
    for name in (label, label.removeprefix("__label__")):
        if name in labels:
            return labels.index(name)
    guess = nearest(label, labels)
    shown = quoted(", ".join(labels), 200)
    raise UsageError(
        "unknown-label",
        say(f"the model has no label '{quoted(label, 40)}'", f"模型没有标签 '{quoted(label, 40)}'"),
        help=say(f"did you mean '{quoted(guess)}'?", f"是不是 '{quoted(guess)}'？")
        if guess
        else say(f"its labels: {shown}", f"现有标签：{shown}"),
    )


# ---- one file ----------------------------------------------------------------------------------------------------


def filter_file(
    model: Any,
    settings: Settings,
    source: Path,
    target: Path,
    *,
    bad_rows: str = "stop",
    told: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Write the rows of ``source`` that are kept to ``target``, packed as ``source`` is: whole, or not at all.

    Args:
        model: a classifier.
        settings: which rows.
        source: a jsonl or txt file.
        target: replaced only when the new file stands whole; the same rows give the same bytes.
        bad_rows: ``"stop"`` at rows that cannot be read, ``"skip"`` them, or ``"keep"`` them unscored. Rows without text are
            left out and counted whatever this says.
        told: called after every batch with the tally so far.

    Raises:
        DataError: the file or a row cannot be read.
        UsageError: the model has no such label.
        ResourceError: the target cannot be written.
    """
    column, tally = column_of(model, settings.label), Tally()

    def write(stream: BinaryIO) -> None:
        rows = row_lines(
            source, text=settings.text, text2=settings.text2, encoding=settings.encoding, format=settings.format
        )
        with packed(stream, packing(source)) as out:
            out.write(rows.opened.mark)
            for batch in _batches(rows):
                kept = _kept(batch, _passed(model, column, settings, batch), tally, bad_rows, rows.opened)
                out.write(kept)
                tally.kept_bytes += len(kept)
                tally.bytes = _position(rows.opened)
                told(tally)
        tally.bytes = _position(rows.opened)

    atomic_write(target, write)
    assert tally.rows == tally.kept + tally.dropped + tally.rejected, "rows were lost"
    return tally


def _batches(rows: Iterable[RowLine]) -> Iterator[list[RowLine]]:
    """Rows in batches that depend on nothing but the file, so that a second run scores them in the same company."""
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


def _passed(model: Any, column: int, settings: Settings, batch: list[RowLine]) -> Iterator[bool]:
    """Whether each row that can be scored is to be kept."""
    documents = [item for item, _ in batch if not isinstance(item, Reject)]
    if not documents:
        return iter(())
    if hasattr(model, "probability_of"):  # one label asked for among very many
        sure = model.probability_of(column, documents)
    else:
        sure = model.predict_proba(documents)[:, column]
    enough = sure >= settings.min_probability
    passed: list[bool] = (enough != settings.invert).tolist()
    return iter(passed)


def _kept(batch: list[RowLine], passed: Iterator[bool], tally: Tally, bad_rows: str, opened: Opened) -> bytes:
    """The lines of a batch that stay, all rows of it counted."""
    lines: list[bytes] = []
    for item, raw in batch:
        tally.rows += 1
        if isinstance(item, Reject):
            held = item.code != "line-too-long"  # of a line over the limit there are no bytes to copy
            if not item.harmless and (bad_rows == "stop" or (bad_rows == "keep" and not held)):
                raise stopped(opened, [item])
            tally.reject(item)
            if bad_rows == "keep" and not item.harmless:
                tally.copied += 1
                lines.append(raw)
        elif next(passed):
            tally.kept += 1
            lines.append(raw)
        else:
            tally.dropped += 1
    return b"".join(lines)


def _position(opened: Opened) -> int:
    """Bytes of the unpacked file that have been read."""
    line = opened.line
    return len(opened.mark) if line is None else line.start + line.size + len(line.end)


@contextmanager
def packed(stream: BinaryIO, kind: str | None) -> Iterator[BinaryIO]:
    """A stream whose bytes go packed into ``stream``; no name and no time in it, so that equal bytes give equal bytes.

    Args:
        stream: stays open.
        kind: what ``files.packing`` tells: ``"gzip" "xz" "zstd"``, or None: not packed.

    Raises:
        ResourceError: zstd, and no library for it.
    """
    if kind == "gzip":
        with gzip.GzipFile("", "wb", 6, stream, mtime=0) as file:
            yield cast(BinaryIO, file)
    elif kind == "xz":
        with lzma.LZMAFile(stream, "wb") as file:
            yield cast(BinaryIO, file)
    elif kind == "zstd":
        with _zstd_writer(stream) as file:
            yield file
    else:
        yield stream


def _zstd_writer(stream: BinaryIO) -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdFile(stream, "wb")
    try:
        import zstandard
    except ImportError as error:
        raise ResourceError(
            "zstandard-missing",
            say("writing .zst files needs the package zstandard", "写入 .zst 文件需要 zstandard 包"),
            help="pip install zstandard",
        ) from error
    return zstandard.ZstdCompressor().stream_writer(stream, closefd=False)
