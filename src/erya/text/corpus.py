"""A corpus as ids: files or texts → tokens → counts → int32, in one pass, with memory bounded by the vocabulary.

``encode`` takes files of any size (plain, .gz, .xz, .zst), texts or token lists, and gives the words by count and the ids of
all tokens in order; −1 ends a line, and windows must not cross it. What is a token is what ``text.tokenizers`` says; the scan
(``corpus_scan.py``, ``corpus_kernels.py``) does the same some twenty times faster. Not here: reading labelled data (``read``).
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.errors import DataError, UsageError, quoted
from erya.language import say
from erya.progress import Report, quiet
from erya.text import files, tokenizers
from erya.text.corpus_forms import FILE_ENDS, TEXT_END, UNIT, between, forms_of
from erya.text.corpus_ids import IdStore
from erya.text.corpus_joining import Joins, join
from erya.text.corpus_kernels import Forms
from erya.text.corpus_reading import (
    Digest,
    Limits,
    Piece,
    cut,
    file_pieces,
    files_of,
    text_blocks,
    text_of,
    token_pieces,
)
from erya.text.corpus_scan import Scan
from erya.text.corpus_segmenting import tokenized
from erya.text.documents import paths_of
from erya.text.tokenizers import HAN, Tokenizer, Whitespace, Words

_LOOK = 1 << 20  # bytes or characters that "auto" looks at


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Encoded:
    """A corpus as ids.

    Attributes:
        words: V words, by count descending, then by code points; or as ``order`` or ``vocabulary`` asked.
        counts: int64 (V,) how often each occurs.
        ids: int32 (T,) ids of the words in order; −1 ends a line. Rarer words are left out, so that windows close over
            them (as in word2vec.c, gensim and GloVe), and so are lines without a word. A read-only memory map where large.
        tokens: tokens read, before ``min_count``; punctuation does not count.
        lines: lines, texts or token lists read, empty ones too.
        tokenizer: the one that was used.
        digest: SHA-256 of what was read, 64 hex digits; of files their unpacked bytes, so that packing changes nothing.
    """

    words: list[str]
    counts: NDArray[np.int64]
    ids: NDArray[np.int32]
    tokens: int
    lines: int
    tokenizer: Tokenizer
    digest: str
    _store: IdStore | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self._store is not None:
            weakref.finalize(self, self._store.close)

    def close(self) -> None:
        """Remove the temporary file, if there is one; also done when the object goes."""
        if self._store is not None:
            self._store.close()


def encode(
    X: Any,
    *,
    tokenizer: str | Tokenizer = "auto",
    min_count: int = 5,
    max_size: int | None = None,
    order: Literal["count", "word"] = "count",
    vocabulary: list[str] | None = None,
    phrases: Joins | Sequence[Joins] | None = None,
    threads: int | None = None,
    report: Report = quiet,
    folder: Path | None = None,
    _limits: Limits | None = None,
) -> Encoded:
    """Read a corpus.

    Args:
        X: a Path (a file, packed or not; a folder, of which the training part is read; a pattern), a list of Paths, or an
            iterable of texts or of token lists. One line, text or token list is one unit.
        tokenizer: ``"auto"`` (mostly Han in the first megabyte: ``"chinese_words"``, else ``"words"``), ``"words"``,
            ``"characters"``, ``"chinese_words"``, ``"whitespace"``, or an object. Of the first three tokens without a letter,
            digit or Han character are left out. Token lists are taken as they are. A token of more than 64 KiB is counted and
            never becomes a word; a line without a break for a megabyte may be cut for segmenters.
        min_count: rarer words are left out.
        max_size: the greatest V.
        order: ``"count"``, or ``"word"`` for alphabetical.
        vocabulary: the words to look for, in their order; nothing is learned then.
        phrases: ``Phrases`` to join, or several to join one after the other; with a ``vocabulary`` its words must include them.
        threads: None: as many as this process may use. The result is the same for any number.
        report: told how far reading is, and asked whether to stop.
        folder: where the temporary file of a large corpus is made; None: the system's.

    Raises:
        UsageError: X is one string, or holds something else than texts; a bad setting.
        DataError: a file cannot be read or is not UTF-8; no token; no word reaches ``min_count``.
        ResourceError: the disk is full.
        Interrupted: the report wished so.
    """
    _check_settings(min_count, max_size, order, vocabulary, threads)
    limits, digest = _limits or Limits(), Digest()
    used, pieces, forms = _opened(X, tokenizer, limits, digest, threads)
    all_joins = [] if phrases is None else list(phrases) if isinstance(phrases, Sequence) else [phrases]
    wanted = None if vocabulary is None else _wanted(vocabulary, all_joins)
    scan = Scan(forms, threads or machine.threads(), limits, wanted, folder)
    try:
        scan.run(pieces, report)
        if scan.forgotten:
            report.note(
                say(
                    f"more than {limits.most:,} different words: the rarest were forgotten on the way",
                    f"不同的词超过 {limits.most:,} 个：已沿途舍去最少见的词",
                )
            )
        for joins in all_joins:
            scan.settle()
            join(scan, joins)
        words, counts = _settled(scan, min_count, max_size, order, vocabulary)
        array = scan.ids.array()
    except BaseException:
        scan.ids.close()
        raise
    return Encoded(words, counts, array, scan.tokens, scan.lines, used, digest.hex(), scan.ids)


def lines_of(X: Any) -> Iterator[str | list[str]]:
    """The units of a corpus one after another: the lines of files, the texts or the token lists; none is left out.

    Raises:
        UsageError: as ``encode``.
        DataError: a file cannot be read, or a line is longer than 64 MiB; bytes that are not UTF-8 become U+FFFD here.
    """
    paths = _paths(X)
    if paths is None:
        for item in X:
            text = text_of(item)
            yield list(item) if text is None else text
        return
    for path in files_of(paths):
        for line in files.lines(files.blocks(path)):
            if not line.whole:
                raise DataError(
                    "line-too-long",
                    say(f"a line of {line.size:,} bytes", f"一行长达 {line.size:,} 字节"),
                    where=f"{quoted(path.name)}:{line.number}",
                    help=say("break the line", "请拆分这一行"),
                )
            yield line.raw.decode("utf-8-sig" if line.number == 1 else "utf-8", "replace")


# ---- what is read, and how ---------------------------------------------------------------------------------------


def _check_settings(
    min_count: int, max_size: int | None, order: str, vocabulary: list[str] | None, threads: int | None
) -> None:
    for name, value in (("min_count", min_count), ("max_size", max_size), ("threads", threads)):
        if value is not None and value < 1:
            raise UsageError("bad-setting", say(f"{name} must be at least 1", f"{name} 至少为 1"))
    if order not in ("count", "word"):
        raise UsageError(
            "bad-setting",
            say(f"order is 'count' or 'word', not {order!r}", f"order 应为 'count' 或 'word'，而不是 {order!r}"),
        )
    if vocabulary is not None and len(set(vocabulary)) != len(vocabulary):
        raise UsageError("bad-setting", say("the vocabulary holds a word twice", "词表里有重复的词"))


def _paths(X: Any) -> list[Path] | None:
    """The paths that X is, or None where it is texts."""
    return paths_of(
        X, say("X: a path, a list of texts, or a list of lists of str", "X：路径、文本列表，或字符串列表的列表")
    )


def _opened(
    X: Any, tokenizer: str | Tokenizer, limits: Limits, digest: Digest, threads: int | None
) -> tuple[Tokenizer, Iterator[Piece], Forms]:
    """The tokenizer to use, the corpus in pieces, and the forms to scan them with."""
    paths = _paths(X)
    if paths is not None:
        found = files_of(paths)
        used = _chosen(tokenizer, lambda: _beginning(found))
        ends = FILE_ENDS
        pieces = file_pieces(found, _cutting(used, ends), limits, digest)
    else:
        items = iter(X)
        first = list(itertools.islice(items, 1))
        if first and text_of(first[0]) is None:
            lists = (_tokens_checked(item) for item in itertools.chain(first, items))
            return Whitespace(), token_pieces(lists, limits, digest), between(UNIT, TEXT_END)
        head = first + list(_until(items, _LOOK)) if tokenizer == "auto" else first
        used = _chosen(tokenizer, lambda: "".join(map(_text_checked, head))[:_LOOK])
        texts = map(_text_checked, itertools.chain(head, items))
        ends = TEXT_END
        data = digest.watch(text_blocks(texts))
        pieces = cut(data, _cutting(used, ends), limits, name=None, start=0, line_end=TEXT_END)
    forms = forms_of(used, ends)
    if forms is not None:
        return used, pieces, forms
    return (
        used,
        tokenized(pieces, used, by_text=paths is None, processes=threads or machine.threads()),
        between(UNIT, TEXT_END),
    )


def _cutting(tokenizer: Tokenizer, ends: bytes) -> Forms:
    """Forms that say where text may be cut for a tokenizer; those of words for one that the scan does not know."""
    forms = forms_of(tokenizer, ends) or forms_of(Words(punctuation=False), ends)
    assert forms is not None
    return forms


def _chosen(tokenizer: str | Tokenizer, beginning: Any) -> Tokenizer:
    """The tokenizer meant, which drops punctuation."""
    if tokenizer == "auto":
        text = beginning()
        han = len(re.findall(f"[{HAN}]", text))
        tokenizer = "chinese_words" if 2 * han > len(re.findall(r"[^\W_]", text)) else "words"
    made: Any = tokenizers.make(tokenizer)
    used: Tokenizer = dataclasses.replace(made, punctuation=False) if hasattr(made, "punctuation") else made
    return used


def _beginning(paths: list[Path]) -> str:
    """The first megabyte of the files."""
    held, size = [], 0
    for block in itertools.chain.from_iterable(map(files.blocks, paths)):
        held.append(block)
        size += len(block)
        if size >= _LOOK:
            break
    return b"".join(held)[:_LOOK].decode("utf-8", "ignore")


def _until(items: Iterator[Any], size: int) -> Iterator[Any]:
    for item in items:
        yield item
        size -= len(item) if isinstance(item, str) else 0
        if size <= 0:
            return


def _text_checked(item: Any) -> str:
    text = text_of(item)
    if text is None:
        raise _mixed()
    return text


def _tokens_checked(item: Any) -> list[str]:
    if text_of(item) is not None:
        raise _mixed()
    return list(item)


def _mixed() -> UsageError:
    return UsageError("not-text", say("X mixes texts and token lists", "X 里混有文本和词的列表"))


def _wanted(vocabulary: list[str], all_joins: list[Joins]) -> list[bytes]:
    """The words to look for: the vocabulary first, then what phrases are made of."""
    words = dict.fromkeys(vocabulary)
    for joins in all_joins:
        words.update(dict.fromkeys(word for phrase in joins.words for word in phrase))
        words.update(dict.fromkeys(joins.common_words))
    return [word.encode("utf-8", "surrogatepass") for word in words]


# ---- the vocabulary ----------------------------------------------------------------------------------------------


def _settled(
    scan: Scan, min_count: int, max_size: int | None, order: str, vocabulary: list[str] | None
) -> tuple[list[str], NDArray[np.int64]]:
    """The words and counts, and the ids rewritten in their numbers."""
    counts = scan.words.counts().copy()
    last = np.full(len(counts), -2, dtype=np.int32)
    if vocabulary is not None:
        last[: len(vocabulary)] = np.arange(len(vocabulary))
        scan.finish(last)
        return list(vocabulary), counts[: len(vocabulary)]
    kept = np.flatnonzero(counts >= min_count)
    if not len(kept):
        raise _nothing(scan, counts, min_count)
    found = scan.words.words(kept)
    alphabetical = np.array(sorted(range(len(found)), key=found.__getitem__), dtype=np.int64)  # bytes: by code points
    by_count = alphabetical[np.argsort(-counts[kept][alphabetical], kind="stable")][:max_size]
    chosen = by_count
    if order == "word":
        place = np.empty(len(found), dtype=np.int64)
        place[alphabetical] = np.arange(len(found))
        chosen = by_count[np.argsort(place[by_count], kind="stable")]
    last[kept[chosen]] = np.arange(len(chosen), dtype=np.int32)
    scan.finish(last)
    words = [found[number].decode("utf-8", "surrogatepass") for number in chosen.tolist()]
    return words, counts[kept[chosen]]


def _nothing(scan: Scan, counts: NDArray[np.int64], min_count: int) -> DataError:
    if not scan.tokens:
        return DataError(
            "empty-corpus",
            say("the corpus holds no word", "语料里没有词"),
            where=say(f"{scan.lines:,} lines read", f"读了 {scan.lines:,} 行"),
            help=say("check that it is the right file", "请检查文件是否正确"),
        )
    if not len(counts):
        return DataError(
            "empty-corpus",
            say(
                f"every token of the corpus is longer than {Limits().longest:,} bytes; such are left out",
                f"语料里的每个词都超过 {Limits().longest:,} 字节，这样的词不收",
            ),
            where=say(f"lines read: {scan.lines:,}", f"读了 {scan.lines:,} 行"),
            help=say("check that it is text with words in it", "请检查文件里是不是成词的文本"),
        )
    most = np.argsort(-counts, kind="stable")[:5]
    shown = ", ".join(
        f"{quoted(word.decode('utf-8', 'replace'), 20)} {count:,}"
        for word, count in zip(scan.words.words(most), counts[most].tolist(), strict=True)
    )
    return DataError(
        "min-count",
        say(
            f"none of {len(counts):,} words occurs {min_count:,} times",
            f"{len(counts):,} 个词里没有一个出现 {min_count:,} 次",
        ),
        where=say(f"most frequent: {shown}", f"最常见的词：{shown}"),
        help=f"--set min_count={max(1, int(counts.max(initial=1)) // 2)}",
    )
