"""NumPy: ``name.npy`` with a (V, D) array, and beside it ``name.vocab`` (or .txt) with a word a line, if need be a tab and a count.

The header of a .npy file is a Python literal; here it is matched against the one shape it can have, and never evaluated.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.errors import ModelFileError, quoted, typed
from erya.language import say
from erya.text.vector_files import complaints, words
from erya.text.vector_files.headers import MARK, NUMPY
from erya.text.vector_files.source import LONGEST_ROW, Source
from erya.text.vector_files.table import MOST_WORDS, Growing, VectorTable
from erya.text.vector_files.words import BadUtf8

PACKED = (".gz", ".xz", ".zst")
LISTS = (".vocab", ".txt")
_HEADER = re.compile(
    r"\{'descr': '([<>|=])f([248])', 'fortran_order': (True|False), 'shape': \((\d{1,20}), (\d{1,20})\), \} *\n"
)
_COUNT = re.compile(rb"[0-9]{1,18}")
_BLOCK = 4 << 20  # bytes


class _Array(NamedTuple):
    """What the header of a .npy file says."""

    kind: np.dtype[np.floating]
    by_columns: bool
    words: int
    dims: int


def stem_of(path: Path) -> Path:
    """``name`` of ``name.npy`` or ``name.npy.gz``."""
    inner = path.with_suffix("") if path.suffix.lower() in PACKED else path
    return inner.with_suffix("")


def read_numpy(source: Source, limit: int | None, bad_utf8: BadUtf8) -> VectorTable:
    """The table of a .npy file and the word list beside it; float16 and float64 become float32.

    Args:
        source: the .npy file, at its beginning.
        limit: rows to read at most.
        bad_utf8: what to do with a word that is no UTF-8.

    Raises:
        ModelFileError: a file is damaged, the two do not fit together, or the word list is not there.
    """
    array = _header(source)
    listed = Source(_word_list(source))
    try:
        raws, counts = _words_of(listed, limit)
    finally:
        listed.close()
    wanted = array.words if limit is None else min(limit, array.words)
    if len(raws) != wanted:
        raise ModelFileError(
            "vectors-header",
            say(
                f"{source.name} has {array.words:,} rows, but {listed.name} has {len(raws):,} words",
                f"{source.name} 有 {array.words:,} 行，而 {listed.name} 有 {len(raws):,} 个词",
            ),
            where=f"{listed.name}:{len(raws)}",
            help=f"wc -l {typed(listed.path)}",
        )
    if array.by_columns:
        wanted = array.dims  # the file holds (D, V), and the rows wanted are a part of each of its lines
    rows, kept = _rows_of(source, array, wanted, listed, raws, bad_utf8)
    if source.at < source.end and limit is None:
        raise complaints.too_many(source, array.words, None)
    table = rows.table()
    table.counts = None if counts is None else counts[kept]
    return table


def _header(source: Source) -> _Array:
    head = source.piece(0, min(source.end, 1 << 16))
    size = {1: 2, 2: 4, 3: 4}.get(head[6] if len(head) > 8 else 0, 0)
    stop = 8 + size + int.from_bytes(head[8 : 8 + size], "little")
    match = _HEADER.fullmatch(head[8 + size : stop].decode("latin-1")) if size and head.startswith(NUMPY) else None
    if not match:
        raise complaints.header(
            source, say("its header is not that of a two-dimensional array of floats", "文件头不是二维浮点数组")
        )
    order = "<" if match[1] in "|=" else match[1]
    array = _Array(np.dtype(f"{order}f{match[2]}"), match[3] == "True", int(match[4]), int(match[5]))
    source.at = stop
    needed, unread = array.words * array.dims * array.kind.itemsize, source.unread()
    shape = f"({array.words:,}, {array.dims:,})"
    if unread is not None and needed > unread:
        raise complaints.header(
            source,
            say(
                f"an array of {shape} takes {needed:,} bytes; {unread:,} follow",
                f"形状为 {shape} 的数组需要 {needed:,} 字节，其后却只有 {unread:,} 字节",
            ),
            "vectors-short",
        )
    if array.words > MOST_WORDS or array.dims * array.kind.itemsize > LONGEST_ROW:
        raise complaints.header(
            source, say(f"an array of {shape} is too large", f"形状为 {shape} 的数组太大"), "vectors-too-large"
        )
    if array.words < 1 or array.dims < 1:
        raise complaints.empty(source)
    return array


def _rows_of(
    source: Source, array: _Array, wanted: int, listed: Source, raws: list[bytes], bad_utf8: BadUtf8
) -> tuple[Growing, NDArray[np.bool_]]:
    """All rows with their words, and which ones were kept."""
    width = array.words if array.by_columns else array.dims
    rows = Growing(array.dims, len(raws) if source.size is not None else 0)
    kept: list[NDArray[np.bool_]] = []
    read = 0
    if array.by_columns:
        numbers = _numbers(source, array, array.words * array.dims, 0).reshape(array.dims, width)
        rows.reserve(len(raws))
        rows.matrix[: len(raws)] = numbers.T[: len(raws)]
        kept.append(_take(rows, listed, raws, 0, bad_utf8))
        return rows, kept[0]
    at_once = max(1, _BLOCK // (width * array.kind.itemsize))
    while read < wanted:
        count = min(at_once, wanted - read)
        numbers = _numbers(source, array, count * width, read)
        rows.reserve(count)
        rows.matrix[len(rows) : len(rows) + count] = numbers.reshape(count, width)
        kept.append(_take(rows, listed, raws[read : read + count], read, bad_utf8))
        read += count
    return rows, np.concatenate(kept)


def _take(rows: Growing, listed: Source, raws: list[bytes], first: int, bad_utf8: BadUtf8) -> NDArray[np.bool_]:
    return words.take(rows, listed, raws, bad_utf8, lambda row: f"{listed.name}:{first + row + 1}")


def _numbers(source: Source, array: _Array, count: int, row: int) -> NDArray[np.float32]:
    """The next ``count`` numbers, as float32."""
    numbers: NDArray[np.float32] = np.empty(min(count, _BLOCK) if source.size is None else count, np.float32)
    size, done = array.kind.itemsize, 0
    while done < count:
        have = min((source.end - source.at) // size, count - done)
        if have == 0 and source.ended:
            raise complaints.too_few(source, array.words, row + done // array.dims, None)
        start = source.at
        with np.errstate(over="ignore", under="ignore"):
            part = source.data[start : start + have * size].view(array.kind).astype(np.float32)
        finite = np.isfinite(part)
        if not finite.all():
            raise _not_finite(source, start + int(np.argmin(finite)) * size)
        if done + have > len(numbers):
            numbers.resize(min(count, max(done + have, len(numbers) + len(numbers) // 4)), refcheck=False)
        numbers[done : done + have] = part
        done += have
        source.at += have * size
        if source.end - source.at < size:
            source.fill()
    return numbers


def _not_finite(source: Source, place: int) -> ModelFileError:
    return ModelFileError(
        "vectors-nan",
        say(
            f"{source.name}: a number is not finite, or too large for 32 bits",
            f"{source.name}：含有非有限的数，或超出 32 位浮点数的范围",
        ),
        where=complaints.at_byte(source, place),
        help=source.show_bytes(source.passed + place),
    )


# ---- the word list -------------------------------------------------------------------------------------------------


def _word_list(source: Source) -> Path:
    """The file with the words: name.vocab or name.txt, plain or packed."""
    stem = stem_of(source.path)
    names = [stem.with_name(stem.name + ending) for ending in LISTS]
    found = [path.with_name(path.name + packed) for path in names for packed in ("", *PACKED)]
    for path in found:
        if path.is_file() and path != source.path:
            return path
    raise ModelFileError(
        "vectors-words-missing",
        say(
            f"the words of {source.name} are missing: there is no {quoted(names[0].name)} or {quoted(names[1].name)} beside it",
            f"缺少 {source.name} 的词表：旁边没有 {quoted(names[0].name)}，也没有 {quoted(names[1].name)}",
        ),
        where=source.name,
        help=f"ls {typed(source.path.parent)}",
    )


def _words_of(listed: Source, limit: int | None) -> tuple[list[bytes], NDArray[np.int64] | None]:
    """The words, and their counts where the first line has one."""
    lines = lines_of(listed, limit)
    if not lines or b"\t" not in lines[0]:
        for number, line in enumerate(lines, 1):
            if not line or b"\t" in line:
                raise bad_line(listed, number, line)
        return lines, None
    pairs = [split_count(listed, number, line, b"\t") for number, line in enumerate(lines, 1)]
    return [word for word, _ in pairs], np.array([count for _, count in pairs], np.int64)


def lines_of(listed: Source, limit: int | None) -> list[bytes]:
    """The lines of a word list without their line ends."""
    if listed.piece(0, len(MARK)) == MARK:
        listed.at = len(MARK)
    lines: list[bytes] = []
    while (limit is None or len(lines) < limit) and (listed.at < listed.end or not listed.ended):
        window = listed.piece(listed.at, listed.end)
        size = len(window) if listed.ended else window.rfind(b"\n") + 1
        if not size and len(window) > LONGEST_ROW:
            raise complaints.line_too_long(listed, len(lines) + 1, LONGEST_ROW)
        if size:
            lines += [line.removesuffix(b"\r") for line in window[:size].removesuffix(b"\n").split(b"\n")]
            listed.at += size
        listed.fill()
    return lines if limit is None else lines[:limit]


def split_count(listed: Source, number: int, line: bytes, separator: bytes) -> tuple[bytes, int]:
    """A line's word and its count. Raises ModelFileError where there is none."""
    word, _, count = line.rpartition(separator)
    if not word or not _COUNT.fullmatch(count):
        raise bad_line(listed, number, line)
    return word, int(count)


def bad_line(listed: Source, number: int, line: bytes) -> ModelFileError:
    """The error for a line of a word list that is no word, or no word and count like the others."""
    return ModelFileError(
        "vectors-row",
        say(
            f"{listed.name}: line {number:,} is not a word, or not a word and its count as the others are",
            f"{listed.name}：第 {number:,} 行不是一个词，或不像其他行那样是词加次数",
        ),
        where=f"{listed.name}:{number}   {quoted(line[:100].decode('utf-8', 'replace'), 60)}",
        help=listed.show_line(number),
    )
