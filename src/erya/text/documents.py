"""The documents of a corpus, whole: what a language model reads from the first character to the end.

A list of texts is a list of documents. What a document of a file is, ``kind`` says: each ``"line"``, each ``"paragraph"`` (lines up to a
blank one, as Wikipedia's articles come), or the ``"file"``. Long ones come in pieces, so that a line of a gigabyte is read like any other.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from erya.errors import DataError, UsageError, nearest, quoted
from erya.language import say
from erya.text import files
from erya.text.corpus_reading import files_of

KINDS = ("auto", "line", "paragraph", "file")
PIECE = 1 << 20  # characters of a document that come at once
LOOK = 1 << 16  # characters of a file that ``"auto"`` looks at
FEW = 40  # lines: a shorter file is one document


class Piece(NamedTuple):
    """Text of a document; ``ends``: whether it is the document's last."""

    text: str
    ends: bool


def pieces(X: Any, kind: str = "auto") -> Iterator[Piece]:
    """All documents, one after another, in pieces.

    Args:
        X: a Path, a list of Paths, or an iterable of texts.
        kind: of the documents of files. ``"auto"``, for each file: paragraphs where it has lines and blank ones between some of
            them as between articles (lines longer than 200 characters), lines where it has no blank ones, else the whole file.

    Raises:
        UsageError: X is one string, holds something else than texts, or there is no such kind.
        DataError: a file cannot be read, or is not UTF-8.
    """
    check_kind(kind)
    paths = paths_of(X)
    if paths is None:
        for text in X:
            if not isinstance(text, str):
                raise UsageError(
                    "not-text",
                    say(
                        f"a document is a text, not a {type(text).__name__}",
                        f"文档应为字符串，而不是 {type(text).__name__}",
                    ),
                )
            yield from _cut(text)
        return
    for path in files_of(paths):
        yield from _of_file(path, kind)


def check_kind(kind: str) -> None:
    """Raises UsageError where there is no such kind of documents."""
    if kind not in KINDS:
        guess = nearest(kind, KINDS)
        raise UsageError(
            "bad-setting",
            say(f"documents cannot be '{quoted(kind)}'", f"documents 不能是 '{quoted(kind)}'"),
            help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else " ".join(KINDS),
        )


def paths_of(X: Any, forms: str = "X: [text, …]") -> list[Path] | None:
    """The paths that X is, or None where it is texts. Raises UsageError, with ``forms`` as its help, where it is neither."""
    if isinstance(X, str | bytes):
        raise UsageError(
            "bare-string",
            say("X is one string; a corpus is a path or a list of texts", "X 是单个字符串；语料应为路径或文本列表"),
            help=say("a file: Path(…); one text: [text]", "文件：Path(…)；一篇文本：[text]"),
        )
    if isinstance(X, Path):
        return [X]
    if isinstance(X, list | tuple) and X and all(isinstance(item, Path) for item in X):
        return list(X)
    if not isinstance(X, Iterable):
        raise UsageError(
            "not-text",
            say(f"a {type(X).__name__} is not a corpus", f"{type(X).__name__} 不是语料"),
            help=forms,
        )
    return None


def _cut(text: str) -> Iterator[Piece]:
    """One document in pieces, cut before a blank or behind a line end where there is one."""
    start = 0
    while len(text) - start > PIECE:
        end = start + PIECE
        at = max(text.rfind(" ", start + 1, end), text.rfind("\n", start, end) + 1)
        end = at if at > start + PIECE // 2 else end
        yield Piece(text[start:end], ends=False)
        start = end
    yield Piece(text[start:], ends=True)


def _of_file(path: Path, kind: str) -> Iterator[Piece]:
    text = _decoded(path)
    if kind == "auto":
        head = list(_until(text, LOOK))
        kind = _guessed("".join(head))
        text = chain(head, text)
    if kind == "file":
        yield from _whole(text)
    else:
        yield from _parts(text, "\n" if kind == "line" else "\n\n")


def _until(text: Iterator[str], size: int) -> Iterator[str]:
    for block in text:
        yield block
        size -= len(block)
        if size <= 0:
            return


def _guessed(head: str) -> str:
    lines = head.split("\n")
    if len(lines) < FEW:
        return "file"
    if not any(not line.strip() for line in lines[:-1]):
        return "line"
    written = [len(line) for line in lines if line.strip()]
    return "paragraph" if sum(written) > 200 * len(written) else "file"


def _decoded(path: Path) -> Iterator[str]:
    r"""The text of a file, ``\r\n`` and ``\r`` as ``\n``. Raises DataError where it is not UTF-8."""
    decoder, done, kept = codecs.getincrementaldecoder("utf-8")("strict"), 0, ""
    fresh = True
    for block in chain(files.blocks(path), [b""]):
        waiting = len(decoder.getstate()[0])  # bytes of a character whose end has not come yet
        try:
            text = kept + decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise DataError(
                "not-utf8",
                say(f"{quoted(path.name)} is not UTF-8", f"{quoted(path.name)} 不是 UTF-8 编码"),
                where=say(f"byte {done - waiting + error.start:,}", f"第 {done - waiting + error.start:,} 字节"),
                help=f"iconv -f GB18030 -t UTF-8 {quoted(path.name)}",
            ) from error
        if fresh and text:
            text, fresh = text.removeprefix("\ufeff"), False
        done += len(block)
        kept = "\r" if block and text.endswith("\r") else ""
        text = text[:-1] if kept else text
        if text:
            yield text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _whole(text: Iterator[str]) -> Iterator[Piece]:
    """All of a file as one document; the line end behind the last line is the file's, not the text's."""
    kept, inside = "", False
    for block in text:
        kept += block
        while len(kept) > 2 * PIECE:
            *most, last = _cut(kept)
            yield from (Piece(piece.text, ends=False) for piece in most)
            kept, inside = last.text, True
    kept = kept.removesuffix("\n")
    if kept or inside:
        yield from _cut(kept)


def _parts(text: Iterator[str], between: str) -> Iterator[Piece]:
    """Documents with one or more line ends between them; those without a character are none."""
    kept, inside = "", False
    for block in chain(text, [None]):
        if block is None:
            found, kept = [*kept.split(between)], ""
        else:
            *found, kept = (kept + block).split(between)
        for document in found:
            stripped = document.strip("\n")
            if not (stripped or inside):
                continue
            inside = False
            if len(stripped) <= PIECE:
                yield Piece(stripped, True)
            else:
                yield from _cut(stripped)
        if len(kept) > 2 * PIECE:  # a line of a gigabyte
            *most, last = _cut(kept)
            yield from (Piece(piece.text, ends=False) for piece in most)
            kept, inside = last.text, True


def sample_of(X: Any, kind: str, characters: int = 200_000) -> list[str]:
    """The first texts of a corpus that can be read twice: what ``"auto"`` settings look at."""
    found, size = [], 0
    for piece in islice(pieces(X, kind), 10_000):
        found.append(piece.text)
        size += len(piece.text)
        if size >= characters:
            break
    return found
