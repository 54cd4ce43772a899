"""The units of a language model and their numbers; a corpus as one stream of them.

0 is the border between two documents, 1 stands for every unknown unit; then by count, descending, and by the unit itself. A stream
begins with a border and has one behind each document.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, quoted
from erya.language import say
from erya.progress import Report, quiet
from erya.state import Arrays, pack_strings, unpack_strings
from erya.text.corpus_ids import IdStore
from erya.text.documents import Piece
from erya.text.units import CharacterUnits, Units

BORDER, UNKNOWN = 0, 1
SPECIALS = ("<border>", "<unknown>")
IN_MEMORY = 1 << 26  # ids; longer streams lie in a temporary file
_CODE_POINTS = 0x110000


class UnitVocabulary:
    """V units by number: the border, the unknown unit, and those of the training.

    Args:
        units: the V − 2 units of the training, by count, descending.
        counts: (V − 2,) how often each was seen.
        alphabet: the characters in which unknown units are spelled: those of all units of the training, left out or not.

    Attributes:
        units: V strings, the two special ones first.
        counts: (V,) int64; of the border the documents, of the unknown unit those left out.
        alphabet: a set of characters.
    """

    def __init__(
        self, units: Sequence[str], counts: Sequence[int], alphabet: Iterable[str], documents: int, unknown: int
    ) -> None:
        self.units = [*SPECIALS, *units]
        self.counts = np.array([documents, unknown, *counts], dtype=np.int64)
        self.alphabet = frozenset(alphabet)
        self._index = {unit: number for number, unit in enumerate(units, len(SPECIALS))}
        if len(self._index) != len(units) or len(self.counts) != len(self.units):
            raise ValueError("a unit occurs twice in the vocabulary, or the counts do not fit it")
        self._table: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.units)

    def ids(self, units: Sequence[str]) -> NDArray[np.int32]:
        """int32 (T,), ``UNKNOWN`` for what is not here."""
        return np.fromiter(map(self._index.get, units, repeat(UNKNOWN)), dtype=np.int32, count=len(units))

    def encode(self, text: str, cutter: Units) -> NDArray[np.int32]:
        """int32 (T,) of a text; of characters by a table."""
        if not isinstance(cutter, CharacterUnits):
            return self.ids(cutter.cut(text))
        if self._table is None:
            self._table = np.full(_CODE_POINTS, UNKNOWN, dtype=np.int32)
            for unit, number in self._index.items():
                if len(unit) == 1:
                    self._table[ord(unit)] = number
        return self._table[_code_points(text)]

    def words(self, ids: Iterable[int]) -> list[str]:
        """The units behind some ids; a border is no text, an unknown unit is U+FFFD."""
        return ["\ufffd" if number == UNKNOWN else self.units[number] for number in ids if number != BORDER]

    def arrays(self) -> Arrays:
        """For ``State``; ``from_arrays`` is the inverse."""
        return {
            **pack_strings("units", self.units[len(SPECIALS) :]),
            **pack_strings("alphabet", sorted(self.alphabet)),
            "unit_counts": self.counts,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> UnitVocabulary:
        """Raises ValueError where they do not fit each other."""
        counts = arrays["unit_counts"]
        if counts.dtype != np.int64 or counts.ndim != 1 or len(counts) < len(SPECIALS) or (counts < 0).any():
            raise ValueError("the counts of the units are none")
        documents, unknown, *others = counts.tolist()
        return cls(unpack_strings("units", arrays), others, unpack_strings("alphabet", arrays), documents, unknown)


@dataclass(slots=True, weakref_slot=True, eq=False)
class Stream:
    """A corpus as numbers.

    Attributes:
        ids: int32 (L,) with a border first and one behind each document; a read-only memory map where it is long.
        documents: how many.
        characters: of all documents, and one for each end.
        unknown: ids that are ``UNKNOWN``.
    """

    ids: NDArray[np.int32]
    documents: int
    characters: int
    unknown: int
    _store: IdStore | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self._store is not None:
            weakref.finalize(self, self._store.close)

    def __len__(self) -> int:
        """Units, ends of documents counted: what there is to predict."""
        return len(self.ids) - 1


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


class _Numbers(dict[str, int]):
    """Gives every new key the next number."""

    def __init__(self) -> None:
        super().__init__()
        self._next = count(len(SPECIALS)).__next__

    def __missing__(self, key: str) -> int:
        number = self[key] = self._next()
        return number


def learn(
    source: Iterable[Piece],
    cutter: Units,
    *,
    min_count: int = 1,
    max_size: int | None = None,
    report: Report = quiet,
    folder: Path | None = None,
) -> tuple[UnitVocabulary, Stream]:
    """Read a corpus once: its vocabulary, and the corpus in its numbers.

    Args:
        source: the documents, see ``documents.pieces``.
        cutter: what cuts them.
        min_count: rarer units become the unknown one.
        max_size: the greatest number of units that are known; the rarest fall out.
        report: told nothing yet; asked nothing.
        folder: where the temporary file of a long stream is made.

    Raises:
        DataError: no text; nothing reaches ``min_count``.
        ResourceError: the disk is full.
    """
    store = IdStore(IN_MEMORY, folder)
    try:
        words, counts, alphabet, documents, characters = _numbered(source, cutter, store)
        if not words:
            raise DataError(
                "empty-corpus",
                say("the corpus holds no text", "语料里没有文本"),
                help=say("check that it is the right file", "请检查文件是否正确"),
            )
        order = sorted(range(len(words)), key=lambda place: (-counts[place], words[place]))
        kept = [place for place in order if counts[place] >= min_count][:max_size]
        if not kept:
            raise DataError(
                "min-count",
                say(f"no unit occurs {min_count:,} times", f"没有一个单元出现 {min_count:,} 次"),
                where=say(
                    f"most frequent: {quoted(words[order[0]], 20)} {counts[order[0]]:,}",
                    f"最常见：{quoted(words[order[0]], 20)} {counts[order[0]]:,}",
                ),
                help=f"--set min_count={max(1, int(counts[order[0]]) // 2)}",
            )
        last = np.full(len(words) + len(SPECIALS), UNKNOWN, dtype=np.int32)
        last[BORDER] = BORDER
        last[np.array(kept) + len(SPECIALS)] = np.arange(len(SPECIALS), len(kept) + len(SPECIALS), dtype=np.int32)
        store.rewrite(last[part] for _, part in store.parts())
    except BaseException:
        store.close()
        raise
    unknown = int(sum(counts) - sum(counts[place] for place in kept))
    vocabulary = UnitVocabulary(
        [words[place] for place in kept], [counts[place] for place in kept], alphabet, documents, unknown
    )
    return vocabulary, Stream(store.array(), documents, characters, unknown, store)


def _numbered(
    source: Iterable[Piece], cutter: Units, store: IdStore
) -> tuple[list[str], list[int], set[str], int, int]:
    """Units in the order in which they came, their counts, the characters; the ids go to the store."""
    store.append(np.zeros(1, dtype=np.int32))
    documents = characters = 0
    if isinstance(cutter, CharacterUnits):
        table, words, counted = _characters(source, store)
        documents, characters = counted
        return words, table, set(words), documents, characters
    numbers, counts = _Numbers(), np.zeros(1024, dtype=np.int64)
    for block in _blocks(source):
        held: list[int] = []
        for text, ends in block:
            held.extend(map(numbers.__getitem__, cutter.cut(text)))
            if ends:
                held.append(BORDER)
        ended = sum(piece.ends for piece in block)
        documents += ended
        characters += sum(len(piece.text) for piece in block) + ended
        ids = np.fromiter(held, dtype=np.int32, count=len(held))
        if len(numbers) + len(SPECIALS) > len(counts):
            counts = np.concatenate([counts, np.zeros(len(numbers) + len(counts), dtype=np.int64)])
        found = np.bincount(ids)
        counts[: len(found)] += found
        store.append(ids)
    words, last = list(numbers), len(SPECIALS) + len(numbers)
    return words, counts[len(SPECIALS) : last].tolist(), set().union(*words), documents, characters


def _characters(source: Iterable[Piece], store: IdStore) -> tuple[list[int], list[str], tuple[int, int]]:
    """The same of characters, through a table of all code points."""
    table = np.zeros(_CODE_POINTS, dtype=np.int32)
    counts = np.zeros(_CODE_POINTS, dtype=np.int64)
    words: list[str] = []
    documents = characters = 0
    for block in _blocks(source):
        codes = _code_points("".join(piece.text for piece in block))
        found, times = np.unique(codes, return_counts=True)
        new = found[table[found] == 0]
        table[new] = np.arange(len(words), len(words) + len(new)) + len(SPECIALS)
        words.extend(chr(code) for code in new.tolist())
        counts[found] += times
        ends = _ends(block)
        store.append(np.insert(table[codes], ends, BORDER))
        documents += len(ends)
        characters += len(codes) + len(ends)
    return [int(counts[ord(word)]) for word in words], words, (documents, characters)


def _blocks(source: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Many short documents at once."""
    held: list[Piece] = []
    size = 0
    for piece in source:
        held.append(piece)
        size += len(piece.text)
        if size > 1 << 20 or len(held) >= 10_000:
            yield held
            held, size = [], 0
    if held:
        yield held


def encode(source: Iterable[Piece], cutter: Units, vocabulary: UnitVocabulary, *, folder: Path | None = None) -> Stream:
    """A corpus in the numbers of a vocabulary that is known. Raises DataError where there is no text."""
    store = IdStore(IN_MEMORY, folder)
    documents = characters = unknown = 0
    try:
        store.append(np.zeros(1, dtype=np.int32))
        for block in _blocks(source):
            ids = _encoded(block, cutter, vocabulary)
            unknown += int((ids == UNKNOWN).sum())
            store.append(ids)
            ended = sum(piece.ends for piece in block)
            documents += ended
            characters += sum(len(piece.text) for piece in block) + ended
        if not documents:
            raise DataError("empty-corpus", say("the corpus holds no text", "语料里没有文本"))
    except BaseException:
        store.close()
        raise
    return Stream(store.array(), documents, characters, unknown, store)


def _encoded(block: list[Piece], cutter: Units, vocabulary: UnitVocabulary) -> NDArray[np.int32]:
    """A block of pieces, borders behind the last ones of documents."""
    if isinstance(cutter, CharacterUnits):
        ids = vocabulary.encode("".join(piece.text for piece in block), cutter)
        return np.insert(ids, _ends(block), BORDER)
    held: list[str] = []
    ends = []
    for text, ended in block:
        held += cutter.cut(text)
        if ended:
            ends.append(len(held))
    return np.insert(vocabulary.ids(held), ends, BORDER)


def _ends(block: list[Piece]) -> NDArray[np.int64]:
    """Where documents end in the joined text of a block."""
    ends = np.cumsum([len(piece.text) for piece in block])
    return np.asarray(ends[[piece.ends for piece in block]], dtype=np.int64)
