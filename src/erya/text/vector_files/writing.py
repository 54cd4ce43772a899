"""``write``: a table into another program's file, whole or not at all.

Text numbers are the shortest decimals that read back as the same float32. What a format cannot hold (a word with a space in
word2vec's) is refused before a byte is written.
"""

from __future__ import annotations

import gzip
import lzma
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from erya.atomic import atomic_write
from erya.errors import DataError, UsageError, quoted
from erya.language import say
from erya.text.vector_files.reading import checked
from erya.text.vector_files.table import MOST_DIMS, VectorTable

_LONGEST_WORD = 1 << 16  # bytes
_NUMBERS_AT_ONCE = 1 << 18
_SPACE = re.compile(r"[ \t\n\v\f\r]")
_LINE = re.compile(r"[\n\r]|^[ \t\v\f]|[ \t\v\f]$")
_LIST_LINE = re.compile(r"[\t\n\r]")
_LAST_NUMBER = re.compile(  # GloVe text: these last parts would be read as numbers
    r"[ \t\v\f][+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+|nan|inf|infinity)(?:e[+-]?[0-9]+)?(?:\([^ ]*)?$", re.IGNORECASE
)
_MARK = "\ufeff"


def write(path: str | Path, table: VectorTable, format: str) -> Path:
    """Write word vectors in another program's format; packed where the name ends in .gz or .xz.

    Args:
        path: the file; of NumPy's the .npy, its words go to ``name.vocab``.
        table: V words and (V, D) numbers.
        format: one of ``FORMATS``.

    Returns:
        The path.

    Raises:
        UsageError: there is no such format, or the name asks for a packing that is not written.
        DataError: the table is not sound, or the format cannot hold one of its words.
        ResourceError: no space, no permission.
    """
    target, format = Path(path), checked(format)
    if target.suffix.lower() in (".zst", ".bz2", ".zip"):
        raise UsageError(
            "packing-unknown",
            say(f"{quoted(target.name)}: written are .gz and .xz", f"{quoted(target.name)}：只能写 .gz 和 .xz"),
            help=f"{quoted(target.with_suffix('.gz'))}",
        )
    _check_table(table)
    words = _encoded(table.words, format)
    if format == "numpy":
        return _write_numpy(target, table, words)
    pieces = _binary_pieces if format == "word2vec-bin" else partial(_text_pieces, format)
    _write_pieces(target, lambda: pieces(table, words))
    return target


def _check_table(table: VectorTable) -> None:
    """What no format can hold: rows and words that do not match, words twice, numbers that are not finite."""
    count, shape = len(table.words), table.matrix.shape
    if len(shape) != 2 or shape[0] != count or count == 0 or not 0 < shape[1] <= MOST_DIMS:
        raise DataError(
            "vectors-shape",
            say(
                f"{count:,} words and a matrix of {shape} are no table", f"{count:,} 个词与形状为 {shape} 的矩阵不匹配"
            ),
        )
    if table.counts is not None and (table.counts.shape != (count,) or bool((table.counts < 0).any())):
        raise DataError("vectors-shape", say("the counts do not fit the words", "次数与词不匹配"))
    if len(set(table.words)) != count:
        seen: set[str] = set()
        twice = next(word for word in table.words if word in seen or seen.add(word))  # type: ignore[func-returns-value]
        raise DataError(
            "vectors-duplicate", say(f"the word '{quoted(twice)}' stands twice", f"词 '{quoted(twice)}' 出现了两次")
        )
    for start, rows in _blocks(table.matrix):
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            word = table.words[start + int(np.argmin(finite))]
            raise DataError(
                "vectors-nan",
                say(f"the vector of '{quoted(word)}' is not finite", f"'{quoted(word)}' 的向量含有非有限的数"),
            )


def _encoded(words: list[str], format: str) -> list[bytes]:
    """The words as bytes; refuses what the format would read back as something else."""
    bad = {"glove": _LINE, "numpy": _LIST_LINE}.get(format, _SPACE)
    encoded = []
    for word in words:
        try:
            raw = word.encode()
        except UnicodeEncodeError:
            raw = b""
        if not raw or len(raw) > _LONGEST_WORD or bad.search(word) or (format == "glove" and _LAST_NUMBER.search(word)):
            raise _no_such_word(word, format)
        encoded.append(raw)
    if words[0].startswith(_MARK) and format in ("glove", "numpy"):  # at a file's beginning it is no part of the word
        raise _no_such_word(words[0], format)
    return encoded


def _no_such_word(word: str, format: str) -> DataError:
    other = "numpy" if format != "numpy" and not _LIST_LINE.search(word) else ".erya"
    return DataError(
        "vectors-word",
        say(
            f"the format {format} cannot hold the word '{quoted(word)}': it is empty, too long, no Unicode, or has white space",
            f"{format} 格式写不下词 '{quoted(word)}'：它为空、过长、不是有效的 Unicode，或含有空白字符",
        ),
        help=say(f"this one can: {other}", f"可改用：{other}"),
    )


def _blocks(matrix: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Rows in portions, as contiguous float32 (copies: a mapped file is read-only), and where each portion starts."""
    at_once = max(1, _NUMBERS_AT_ONCE // matrix.shape[1])
    for start in range(0, len(matrix), at_once):
        with np.errstate(over="ignore"):
            yield start, np.array(matrix[start : start + at_once], np.float32, order="C")


def _write_pieces(path: Path, pieces: Callable[[], Iterator[bytes]]) -> None:
    def fill(stream: BinaryIO) -> None:
        for piece in pieces():
            stream.write(piece)

    def packed(stream: BinaryIO) -> None:
        if path.suffix.lower() == ".gz":
            with gzip.GzipFile("", "wb", 6, stream, mtime=0) as gzipped:  # no name, no time: the same bytes every time
                fill(cast(BinaryIO, gzipped))
        elif path.suffix.lower() == ".xz":
            with lzma.LZMAFile(stream, "wb") as xzipped:
                fill(cast(BinaryIO, xzipped))
        else:
            fill(stream)

    atomic_write(path, packed)


def _text_pieces(format: str, table: VectorTable, words: list[bytes]) -> Iterator[bytes]:
    from erya.text import vector_file_kernels as kernels

    dims = table.matrix.shape[1]
    if format != "glove":
        yield f"{len(words)} {dims}\n".encode()
    for start, rows in _blocks(table.matrix):
        part = words[start : start + len(rows)]
        joined = np.frombuffer(bytearray(b"".join(part)), np.uint8)
        starts = np.cumsum([0, *map(len, part)], dtype=np.int64)
        out = np.empty(len(joined) + len(rows) * (2 + kernels.NUMBER_ROOM * dims), np.uint8)
        size = kernels.put_rows(rows, joined, starts, format == "fasttext-vec", out)
        yield out[:size].tobytes()


def _binary_pieces(table: VectorTable, words: list[bytes]) -> Iterator[bytes]:
    end = b"\n" if table.line_ends else b""
    yield f"{len(words)} {table.matrix.shape[1]}\n".encode()
    for start, rows in _blocks(table.matrix):
        little = rows.astype("<f4", copy=False) if sys.byteorder == "big" else rows
        raw, width = little.tobytes(), 4 * rows.shape[1]
        part = words[start : start + len(rows)]
        yield b"".join(b"%b %b%b" % (word, raw[i * width : (i + 1) * width], end) for i, word in enumerate(part))


def _write_numpy(path: Path, table: VectorTable, words: list[bytes]) -> Path:
    """The words first: a .npy without its words would be worse than words without their .npy."""
    from erya.text.vector_files.numpy_files import LISTS, stem_of

    stem = stem_of(path)
    listed = stem.with_name(stem.name + LISTS[0])
    if listed == path:
        raise UsageError(
            "output-name",
            say(f"{quoted(path.name)} is the name that the words need", f"{quoted(path.name)} 是词表要用的文件名"),
            help=f"{quoted(stem)}.npy",
        )
    counts = None if table.counts is None else table.counts.tolist()

    def lines() -> Iterator[bytes]:
        if counts is None:
            yield from (word + b"\n" for word in words)
        else:
            yield from (b"%b\t%d\n" % (word, count) for word, count in zip(words, counts, strict=True))

    def array() -> Iterator[bytes]:
        head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {table.matrix.shape}, }}"
        padding = -(10 + len(head) + 1) % 64  # the numbers start at a multiple of 64 bytes, as numpy.save has it
        yield b"\x93NUMPY\x01\x00" + (len(head) + padding + 1).to_bytes(2, "little")
        yield (head + " " * padding + "\n").encode()
        for _, rows in _blocks(table.matrix):
            yield rows.astype("<f4", copy=False).tobytes()

    _write_pieces(listed, lines)
    _write_pieces(path, array)
    return path
