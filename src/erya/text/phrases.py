"""Phrases: words that stand together far more often than chance would have it, as one token: new york → new_york.

Two scores of neighbours a b, with counts c:

    original   (c(a b) − min_count) · N / (c(a) c(b))          N words and candidates that differ
    npmi       ln(p(a b) / (p(a) p(b))) / −ln p(a b)           p = c / tokens, from −1 to 1

After Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality" (section 4) and Bouma
2009, "Normalized (Pointwise) Mutual Information in Collocation Extraction". Longer phrases come of a second pass over a
corpus that was encoded with the first phrases.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.errors import Interrupted, UsageError, quoted
from erya.kernel_cache import announce
from erya.language import say
from erya.progress import Report, quiet
from erya.text import phrases_kernels as kernels
from erya.text.corpus import Encoded, encode
from erya.text.phrases_kernels import BETWEEN
from erya.text.tokenizers import Tokenizer

_SHARDS = 16  # candidates are dealt to so many tables, whatever the number of threads
_SPAN = 1 << 21  # candidates between two looks at the clock
_MOST = 40_000_000  # candidates held at once; beyond, the rarest are forgotten

_Table = tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Phrases:
    """Words to join.

    Attributes:
        words: the words of each phrase, two or more (common ones within); the best phrase first.
        scores: of each phrase.
        delimiter: what stands between the words of the joined token.
        common_words: words that may stand inside a phrase, never at its ends ("of", "the").
    """

    words: tuple[tuple[str, ...], ...]
    scores: tuple[float, ...]
    delimiter: str = "_"
    common_words: frozenset[str] = frozenset()
    _known: frozenset[tuple[str, ...]] = field(default=frozenset(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.words) != len(self.scores):
            raise ValueError("every phrase needs a score")
        object.__setattr__(self, "_known", frozenset(self.words))

    def __len__(self) -> int:
        return len(self.words)

    def apply(self, tokens: Iterable[str]) -> list[str]:
        """The tokens of one line with phrases joined, from left to right; a word belongs to one phrase only."""
        given = list(tokens)
        out: list[str] = []
        place = 0
        while place < len(given):
            end = self._end(given, place)
            out.append(self.delimiter.join(given[place:end]) if end else given[place])
            place = end or place + 1
        return out

    def _end(self, tokens: list[str], place: int) -> int:
        """Where the phrase that begins at ``place`` ends, or 0."""
        if tokens[place] in self.common_words:
            return 0
        for end in range(place + 1, min(place + BETWEEN + 2, len(tokens))):
            if tokens[end] not in self.common_words:
                return end + 1 if tuple(tokens[place : end + 1]) in self._known else 0
        return 0

    def to_plain(self) -> dict[str, Any]:
        """As JSON data; ``from_plain`` is the inverse."""
        return {
            "phrases": [list(phrase) for phrase in self.words],
            "scores": list(self.scores),
            "delimiter": self.delimiter,
            "common_words": sorted(self.common_words),
        }

    @classmethod
    def from_plain(cls, plain: Any) -> Phrases:
        """The inverse of ``to_plain``. What it reads may come from a hostile file.

        Raises:
            ValueError: not the data of phrases.
        """
        if not isinstance(plain, Mapping) or set(plain) != {"phrases", "scores", "delimiter", "common_words"}:
            raise ValueError("phrases must be an object of phrases, scores, delimiter and common_words")
        phrases, scores, common = plain["phrases"], plain["scores"], plain["common_words"]
        if (
            not isinstance(phrases, list)
            or not all(isinstance(phrase, list) and len(phrase) > 1 and _all_str(phrase) for phrase in phrases)
            or not isinstance(scores, list)
            or not all(isinstance(score, float | int) for score in scores)
            or not isinstance(common, list)
            or not _all_str(common)
            or not isinstance(plain["delimiter"], str)
        ):
            raise ValueError("phrases: wrong types")
        return cls(tuple(map(tuple, phrases)), tuple(map(float, scores)), plain["delimiter"], frozenset(common))


def _all_str(items: list[Any]) -> bool:
    return all(isinstance(item, str) for item in items)


def learn_phrases(
    X: Any,
    *,
    min_count: int = 5,
    threshold: float = 10.0,
    scoring: Literal["original", "npmi"] = "original",
    common_words: Iterable[str] = (),
    delimiter: str = "_",
    tokenizer: str | Tokenizer = "auto",
    threads: int | None = None,
    report: Report = quiet,
) -> Phrases:
    """Find phrases in a corpus.

    Args:
        X: what ``encode`` takes, or an ``Encoded``. Words that one left out for being rare are not seen: neighbours on either
            side of them count as neighbours. Encode with ``min_count=1`` where that matters.
        min_count: rarer candidates are no phrases; ``original`` discounts counts by it.
        threshold: the score that a phrase must exceed; 10 is usual for ``original``, 0.5 for ``npmi``.
        scoring: ``"original"`` or ``"npmi"``.
        common_words: words that may stand inside a phrase, at most six in a row, and not at its ends.
        delimiter: what joins the words.
        tokenizer: as in ``encode``.
        threads: None: as many as this process may use. The result is the same for any number.
        report: told how far it is, and asked whether to stop.

    Raises:
        UsageError: a setting makes no sense.
        DataError: as ``encode``.
        Interrupted: the report wished so.
    """
    if scoring not in ("original", "npmi"):
        raise UsageError(
            "bad-setting",
            say(f"there is no scoring {quoted(scoring)}", f"没有名为 {quoted(scoring)} 的评分"),
            help="original npmi",
        )
    if min_count < 1 or not delimiter:
        raise UsageError("bad-setting", say("min_count or delimiter makes no sense", "min_count 或 delimiter 无效"))
    own = not isinstance(X, Encoded)
    corpus = encode(X, tokenizer=tokenizer, min_count=1, threads=threads, report=report) if own else X
    try:
        inside = frozenset(common_words)
        common = np.array([word in inside for word in corpus.words], dtype=np.bool_)
        places, counts, different = _counted(corpus, common, threads or machine.threads(), min_count, report)
        found = [_candidate(corpus.ids, common, place) for place in places.tolist()]
        ends = np.array([(phrase[0], phrase[-1]) for phrase in found], dtype=np.int64).reshape(-1, 2)
        scores = _scores(corpus, counts, ends, different + int((~common).sum()), min_count, scoring)
        named = [(float(score), phrase) for score, phrase in zip(scores, found, strict=True) if score > threshold]
        words = [(score, tuple(corpus.words[number] for number in phrase)) for score, phrase in named]
    finally:
        if own:
            corpus.close()
    words.sort(key=lambda entry: (-entry[0], entry[1]))
    return Phrases(tuple(phrase for _, phrase in words), tuple(score for score, _ in words), delimiter, inside)


def _candidate(ids: NDArray[np.int32], common: NDArray[np.bool_], place: int) -> list[int]:
    """The ids of the candidate that begins at ``place``."""
    end = next(end for end in itertools.count(place + 1) if not common[ids[end]])
    return list(map(int, ids[place : end + 1]))


def _scores(
    corpus: Encoded, counts: NDArray[np.int64], ends: NDArray[np.int64], different: int, min_count: int, scoring: str
) -> NDArray[np.float64]:
    """(P,) the score of each candidate."""
    first = corpus.counts[ends[:, 0]].astype(np.float64)
    last = corpus.counts[ends[:, 1]].astype(np.float64)
    if scoring == "original":
        return (counts - min_count) / first / last * different
    both = counts / corpus.tokens
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.log(both / (first / corpus.tokens * (last / corpus.tokens))) / -np.log(both)
    return np.where(both < 1, scores, 1.0)


# ---- counting ----------------------------------------------------------------------------------------------------


def _counted(
    corpus: Encoded, common: NDArray[np.bool_], threads: int, min_count: int, report: Report
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Where each candidate of at least ``min_count`` was first seen, its count, and how many candidates differ."""
    announce(report, [kernels.count_pairs])
    ids = np.asarray(corpus.ids)
    shards = [_Shard(number) for number in range(_SHARDS)]
    with ThreadPoolExecutor(min(threads, _SHARDS)) as pool:
        for begin in range(0, len(ids), _SPAN):
            span = (begin, min(begin + _SPAN, len(ids)))
            for future in [pool.submit(shard.count, ids, common, span) for shard in shards]:
                future.result()
            report.progress(epoch=1, epochs=1, done=span[1] / len(ids))
            if report.stopping() == "interrupt":
                raise Interrupted("interrupted", say("stopped while counting phrases", "已在统计短语时停止"))
    kept = [
        (shard.table[2][enough], shard.table[1][enough]) for shard in shards for enough in [shard.table[1] >= min_count]
    ]
    places = np.concatenate([place for place, _ in kept])
    counts = np.concatenate([count for _, count in kept])
    return places, counts, sum(shard.different for shard in shards)


class _Shard:
    """The candidates of one shard.

    Attributes:
        table: keys, counts and places.
        different: how many candidates there are, or were when the rarest were forgotten.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.table = _empty(1 << 12)
        self._forgotten = 0
        self._state = np.zeros(2, dtype=np.int64)

    @property
    def different(self) -> int:
        return int(self._state[1]) + self._forgotten

    def count(self, ids: NDArray[np.int32], common: NDArray[np.bool_], span: tuple[int, int]) -> None:
        """Count the candidates that begin in ``span``."""
        self._state[0] = span[0]
        while kernels.count_pairs(ids, common, span, (self.number, _SHARDS), *self.table, self._state) == kernels.FULL:
            least, size = 1, 2 * len(self.table[0])
            if self._state[1] > _MOST // _SHARDS:  # as word2phrase.c does
                size, least = len(self.table[0]), 2
                while int((self.table[1] >= least).sum()) > _MOST // _SHARDS // 2:
                    least += 1
            new, before = _empty(size), int(self._state[1])
            self._state[1] = kernels.move_pairs(self.table, new, least)
            self._forgotten += before - int(self._state[1])
            self.table = new


def _empty(size: int) -> _Table:
    return np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
