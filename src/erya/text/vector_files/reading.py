"""``read`` and ``sniff``: the front door of the readers."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from erya.errors import ModelFileError, UsageError, nearest, quoted
from erya.language import say
from erya.text.vector_files import complaints
from erya.text.vector_files.headers import format_of
from erya.text.vector_files.source import Source
from erya.text.vector_files.table import FORMATS, VectorTable
from erya.text.vector_files.words import POLICIES, BadUtf8


def read(
    path: str | Path,
    *,
    format: str | None = None,
    limit: int | None = None,
    bad_utf8: str = "stop",
    counts: str | Path | None = None,
) -> VectorTable:
    """Read word vectors from another program's file, plain or .gz, .xz, .zst.

    Args:
        path: the file; of NumPy's the .npy, whose words stand beside it.
        format: one of ``FORMATS``; None looks at the bytes.
        limit: rows to read at most, the first ones; the rest of the file is not looked at.
        bad_utf8: words that are no UTF-8: "stop" with an error, "replace" their bad bytes by U+FFFD, or "skip" the row
            (counted in ``skipped``).
        counts: a file with a word and its count in every line, as word2vec -save-vocab and gensim's fvocab write it.

    Returns:
        The words and their (V, D) float32, in the order of the file.

    Raises:
        UsageError: there is no such format, policy or limit.
        DataError: the file cannot be opened.
        ModelFileError: it is no vector file, damaged, cut off, or holds what no vector file may; nothing of it is used.
    """
    named = checked(format) if format is not None else None
    if bad_utf8 not in POLICIES:
        raise UsageError(
            "unknown-policy",
            say(f"bad_utf8 is '{quoted(bad_utf8)}'", f"bad_utf8 的值 '{quoted(bad_utf8)}' 无效"),
            help=f"bad_utf8: {', '.join(POLICIES)}",
        )
    if limit is not None and limit < 1:
        raise UsageError(
            "bad-limit",
            say(f"a limit of {limit} rows leaves nothing to read", f"limit 为 {limit}，没有可读的行"),
            help="limit=100000",
        )
    source = Source(Path(path))
    try:
        found = named or format_of(source)
        table = _table(source, found, limit, cast(BadUtf8, bad_utf8))
    finally:
        source.close()
    if counts is not None:
        _add_counts(table, Path(counts))
    return table


def sniff(path: str | Path) -> str | None:
    """Which of ``FORMATS`` a file is in, from its bytes; None: none of them.

    A first line of two whole numbers is word2vec's header, if the next line has as many numbers as its second one says.

    Raises:
        DataError: the file cannot be opened.
    """
    try:
        source = Source(Path(path))
    except ModelFileError:  # a kind of archive that is not read, or a damaged one
        return None
    try:
        return format_of(source)
    except ModelFileError:
        return None
    finally:
        source.close()


def checked(format: str) -> str:
    """The format's name. Raises UsageError where there is none such."""
    if format in FORMATS:
        return format
    guess = nearest(format, FORMATS)
    raise UsageError(
        "unknown-format",
        say(f"there is no vector format '{quoted(format)}'", f"没有名为 '{quoted(format)}' 的词向量格式"),
        help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else ", ".join(FORMATS),
    )


def _table(source: Source, format: str | None, limit: int | None, bad_utf8: BadUtf8) -> VectorTable:
    # imported here: looking at a file needs no kernels
    if format is None:
        raise complaints.empty(source) if source.end == 0 else complaints.unknown_format(source, FORMATS)
    if format == "numpy":
        from erya.text.vector_files.numpy_files import read_numpy

        return read_numpy(source, limit, bad_utf8)
    if format == "word2vec-bin":
        from erya.text.vector_files.binary_reader import read_binary

        return read_binary(source, limit, bad_utf8)
    from erya.text.vector_files.text_reader import read_text

    return read_text(source, format != "glove", limit, bad_utf8)


def _add_counts(table: VectorTable, path: Path) -> None:
    """Counts of a vocabulary file to the table's words."""
    from erya.text.vector_files.numpy_files import lines_of, split_count

    listed = Source(path)
    try:
        lines = lines_of(listed, None)
        pairs = (split_count(listed, n, line, b"\t" if b"\t" in line else b" ") for n, line in enumerate(lines, 1))
        known = {word.decode("utf-8", "replace"): count for word, count in pairs}
    finally:
        listed.close()
    missing = next((word for word in table.words if word not in known), None)
    if missing is not None:
        raise ModelFileError(
            "vectors-counts",
            say(
                f"{listed.name} has no count for the word '{quoted(missing)}'",
                f"{listed.name} 里没有词 '{quoted(missing)}' 的次数",
            ),
            where=listed.name,
            help=listed.show_line(1),
        )
    table.counts = np.array([known[word] for word in table.words], np.int64)
