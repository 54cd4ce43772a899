"""The scan of a corpus on several threads: one pass that counts words and writes provisional numbers at once.

A round is some pieces of the corpus. In a round each thread counts in a table of its own; between two rounds the tables are put
together, so that what is found (and what is forgotten, where there are too many words) depends on the text alone, not on
how many threads read it. ``finish`` then gives the words their last numbers, by count, and rewrites the ids.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.errors import Interrupted
from erya.kernel_cache import announce
from erya.language import say
from erya.progress import Report
from erya.text import corpus_kernels as kernels
from erya.text.corpus_ids import IdStore
from erya.text.corpus_kernels import CURSOR, FULL, HARD, LINES, TOKENS, WRITTEN, Forms
from erya.text.corpus_reading import Limits, Piece, check
from erya.text.corpus_table import WordTable
from erya.text.tokenizers import word_at_start

_FIRST_WORDS = 1 << 15


class _Scanned(NamedTuple):
    ids: NDArray[np.int32]
    worker: int
    tokens: int
    lines: int


class _Worker:
    """One thread's table, and the number of each of its words in the table of all."""

    def __init__(self, forms: Forms, limits: Limits, reserve: int) -> None:
        self.forms, self.limits = forms, limits
        self.words = WordTable(_FIRST_WORDS, reserve)
        self.numbers = np.full(0, -1, dtype=np.int32)
        self._out = np.zeros(0, dtype=np.int32)

    def scan(self, piece: Piece) -> tuple[NDArray[np.int32], int, int]:
        """The ids of a piece by this thread's numbers, tokens and lines."""
        if piece.skip or not piece.data:
            return np.zeros(0, dtype=np.int32), piece.extra, 0
        data = np.frombuffer(piece.data, dtype=np.uint8)
        if len(self._out) < len(data):
            self._out = np.empty(len(data), dtype=np.int32)
        out = self._out
        state = np.zeros(4, dtype=np.int64)
        while status := kernels.scan(data, self.forms, self.limits.longest, self.words.table, out, state):
            if status == FULL:
                self.words.grow()
            elif status == HARD:
                self._by_python(piece.data, out, state)
        return out[: state[WRITTEN]].copy(), int(state[TOKENS]) + piece.extra, int(state[LINES])

    def _by_python(self, data: bytes, out: NDArray[np.int32], state: NDArray[np.int64]) -> None:
        """One token whose lower case looks at its neighbours."""
        start = int(state[CURSOR])
        word, size = word_at_start(data, start)
        state[CURSOR] += size
        state[TOKENS] += 1
        if size <= self.limits.longest:
            number = self.words.add(word)
            self.words.table.counts[number] += 1
            out[state[WRITTEN]] = number
            state[WRITTEN] += 1

    def look(self) -> NDArray[np.int32]:
        """The numbers, one for each word that there is now."""
        new = len(self.words) - len(self.numbers)
        if new > 0:
            self.numbers = np.concatenate([self.numbers, np.full(new, -1, dtype=np.int32)])
        return self.numbers

    def forget(self) -> None:
        """Begin with an empty table."""
        self.words.clear()
        self.numbers = np.full(0, -1, dtype=np.int32)


class Scan:
    """Words, counts and provisional ids of a corpus.

    Args:
        forms: how bytes are read.
        threads: how many scan at once.
        limits: sizes.
        vocabulary: the words to look for; None: all.
        folder: for the temporary file.

    Attributes:
        words: the table of all words.
        ids: the store of provisional ids.
        tokens: how many there were.
        lines: how many there were.
        forgotten: how often the rarest words were forgotten.
    """

    def __init__(
        self, forms: Forms, threads: int, limits: Limits, vocabulary: list[bytes] | None, folder: Path | None
    ) -> None:
        self.limits, self.frozen = limits, vocabulary is not None
        longest_known = max(map(len, vocabulary), default=0) if vocabulary else 0
        self.reserve = 3 * max(limits.longest, longest_known) // 16 + 8
        self.words = WordTable(_FIRST_WORDS, self.reserve)
        for word in vocabulary or []:
            self.words.add(word)
        self.ids = IdStore(limits.spill, folder)
        self.tokens = self.lines = self.forgotten = 0
        self._workers = [_Worker(forms, limits, self.reserve) for _ in range(threads)]
        self._cuts: list[tuple[int, NDArray[np.int32]]] = []  # ids before this place have older numbers

    def run(self, pieces: Iterator[Piece], report: Report) -> None:
        """Scan all pieces; reading and scanning go on side by side.

        Raises:
            DataError: a piece is not valid UTF-8.
            Interrupted: the report wishes so.
        """
        announce(report, [kernels.scan])
        with ThreadPoolExecutor(len(self._workers)) as pool:
            for held in ahead(pieces, self.limits.round):
                self._round(held, pool)
                report.progress(epoch=1, epochs=1, done=held[-1].done)
                if report.stopping() == "interrupt":
                    raise Interrupted("interrupted", say("stopped while reading the corpus", "已在读取语料时停止"))

    def _round(self, held: list[Piece], pool: ThreadPoolExecutor) -> None:
        count = len(self._workers)
        work = [pool.submit(self._some, number, held[number::count]) for number in range(count)]
        results = [future.result() for future in work]
        scanned: list[_Scanned] = []
        for place, piece in enumerate(held):
            found = results[place % count][place // count]
            if found is None:
                check(piece, self.lines + sum(earlier.lines for earlier in scanned))
                raise AssertionError("a piece was refused and is valid")
            scanned.append(found)
        for worker in self._workers:
            self._merge(worker)
        translations = [
            pool.submit(kernels.translate, found.ids, self._workers[found.worker].numbers) for found in scanned
        ]
        for found, translation in zip(scanned, translations, strict=True):
            translation.result()
            self.ids.append(found.ids)
            self.tokens += found.tokens
            self.lines += found.lines
        if len(self.words) > self.limits.most and not self.frozen:
            self._forget_rare()
        for worker in self._workers:
            if len(worker.words) > self.limits.local:
                worker.forget()

    def _some(self, number: int, pieces: list[Piece]) -> list[_Scanned | None]:
        """One thread's share of a round; None for a piece that is not valid."""
        worker, found = self._workers[number], list[_Scanned | None]()
        for piece in pieces:
            valid = piece.name is None or kernels.first_invalid(np.frombuffer(piece.data, dtype=np.uint8)) < 0
            ids, tokens, lines = worker.scan(piece) if valid else (np.zeros(0, dtype=np.int32), 0, 0)
            found.append(_Scanned(ids, number, tokens, lines) if valid else None)
        return found

    def _merge(self, worker: _Worker) -> None:
        state = np.zeros(1, dtype=np.int64)
        numbers = worker.look()
        while kernels.merge(worker.words.table, self.words.table, numbers, self.frozen, self.reserve, state) == FULL:
            self.words.grow()

    def _forget_rare(self) -> None:
        """Too many words: forget those seen least, as word2vec.c does, until half of the room is free."""
        counts = self.words.counts()
        rare = 1
        while int((counts > rare).sum()) > self.limits.most // 2:
            rare += 1
        self._cuts.append((self.ids.size, self.words.keep(counts > rare)))
        self.forgotten += 1
        for worker in self._workers:
            worker.forget()

    def settle(self) -> None:
        """Rewrite ids from before words were forgotten, so that all ids are numbers in ``words``."""
        if self._cuts:
            self.finish(np.arange(len(self.words), dtype=np.int32))
            self._cuts = []

    def finish(self, last: NDArray[np.int32]) -> None:
        """Rewrite the ids.

        Args:
            last: (V',) the last number of each word in the table, or below 0 for words that are left out.
        """
        maps = [last]  # of the last stretch of ids, then of those before
        for _, numbers in reversed(self._cuts):
            later = maps[-1]
            maps.append(np.where(numbers >= 0, later[np.maximum(numbers, 0)], kernels.ABSENT).astype(np.int32))
        maps.reverse()
        self.ids.rewrite(self._rewritten([place for place, _ in self._cuts], maps))

    def _rewritten(self, ends: list[int], maps: list[NDArray[np.int32]]) -> Iterator[NDArray[np.int32]]:
        before = -1
        for begin, part in self.ids.parts():
            bounds = [begin, *(end for end in ends if begin < end < begin + len(part)), begin + len(part)]
            for first, end in itertools.pairwise(bounds):
                some = part[first - begin : end - begin]
                numbers = maps[sum(place <= first for place in ends)]
                written = int(kernels.compact(some, numbers, before, some))
                if written:
                    before = int(some[written - 1])
                    yield some[:written]


def ahead(pieces: Iterator[Piece], size: int) -> Iterator[list[Piece]]:
    """Pieces in rounds of ``size``, read by a thread of their own, one round ahead."""
    rounds: queue.Queue[list[Piece] | BaseException | None] = queue.Queue(1)
    stop = threading.Event()

    def put(item: list[Piece] | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                rounds.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            while held := list(itertools.islice(pieces, size)):
                if not put(held):
                    return
            put(None)
        except BaseException as error:  # raised again where it is awaited
            put(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        while (item := rounds.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        reader.join()
