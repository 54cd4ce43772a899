"""The best model under a size, and what a model loses as it gets smaller.

How many bytes a quantized model takes is known before it is made: a row's codes, and a kept word's letters or a kept
n-gram's bucket. So for each way of coding (columns a byte, lengths apart, output coded) the search takes as many rows as fit,
makes the model, and has it scored; the best few are retrained where there is text for it, and scored again – on a small data
set retraining may well do harm. Whatever was tried is in the answer.

``score`` is any function of a model: ``f1_on(lines)`` for classifiers, ``likeness_to(model)`` for word vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erya.errors import Interrupted, UsageError
from erya.language import say
from erya.models.fasttext.answer_kernels import means
from erya.models.fasttext.original import Original
from erya.models.fasttext.quantize import (
    BUCKET_BYTES,
    HEADER_BYTES,
    NAME_BYTES,
    OUTPUT_DSUB,
    Integers,
    Retraining,
    Settings,
    dense_bytes,
    file_bytes,
    quantize,
    ranked,
)
from erya.models.fasttext.quantized import Quantized, quantized_bytes
from erya.progress import Report, quiet

FINALISTS = 3  # tries that are retrained
WORDS_COMPARED = 20_000  # the most frequent ones
HALVINGS = 8  # sizes of a curve

Score = Callable[[Original], float]


@dataclass(frozen=True, slots=True)
class Try:
    """A model that was made.

    Attributes:
        settings: how; None: as it was, not quantized.
        retrained: whether the rows that stayed were trained again.
        bytes: of its file.
        score: what ``score`` says of it.
    """

    settings: Settings | None
    retrained: bool
    bytes: int
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a search.

    Attributes:
        model: the best.
        best: what it is.
        tries: all that were made, in their order.
    """

    model: Original
    best: Try
    tries: list[Try]


# ---- scores -------------------------------------------------------------------------------------------------------


def f1_on(lines: bytes | Path | str, k: int = 1, *, threads: int | None = None) -> Score:
    """The F1 of the k best labels on labelled lines; with one label a line and k = 1: the accuracy.

    Args:
        lines: the text itself, or the path of a file.
        k: labels that a line gets.
        threads: None: those of the machine.
    """
    return lambda model: float(model.test(lines, k, threads=threads).f1())


def likeness_to(original: Original, unseen: float = 0.2) -> Score:
    """How far words still have the vectors that they have in ``original``: mean cosine of the most frequent 20,000; 1: all.

    Args:
        original: word vectors, dense.
        unseen: the share that each word's vector counts as it would be made of n-grams alone, for a word that is not in the
            dictionary: without it, a small model would keep words and hardly any n-gram.
    """
    words = original.dictionary.words[:WORDS_COMPARED]
    directions, made_up = _directions(original.word_vectors(words)), _directions(_by_n_grams(original, words))
    some = made_up.any(axis=1)
    share = unseen if some.any() else 0.0

    def score(model: Original) -> float:
        known = float((_directions(model.word_vectors(words)) * directions).sum(axis=1).mean())
        if not share:
            return known
        guessed = (_directions(_by_n_grams(model, words)) * made_up).sum(axis=1)
        return (1 - share) * known + share * float(guessed[some].mean())

    return score


def _by_n_grams(model: Original, words: list[bytes]) -> NDArray[np.float32]:
    """(M, D) the vectors that words would have if they were not in the dictionary."""
    rows, starts = model.dictionary.rows_of(words)
    pieces = rows >= model.dictionary.size
    rows, starts = rows[pieces], np.concatenate([[0], np.cumsum(pieces)])[starts]
    if isinstance(model.input, Quantized):
        return model.input.mean_of(rows, starts)
    found = np.empty((len(words), model.arguments.dim), dtype=np.float32)
    means(model.input, rows, starts, 0, len(words), found)
    return found


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    lengths = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    found: NDArray[np.float64] = np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0)
    return found


# ---- sizes --------------------------------------------------------------------------------------------------------


def sizes_of(original: Original, settings: Settings, order: Integers) -> Integers:
    """(R + 1,) bytes of the file with the first 0, 1, … R rows of ``order`` kept; the last: with nothing cut."""
    dictionary, dim = original.dictionary, original.arguments.dim
    words = order < dictionary.size
    a_row = quantized_bytes(1, dim, settings.dsub, settings.qnorm) - quantized_bytes(
        0, dim, settings.dsub, settings.qnorm
    )
    letters = np.zeros(len(order), dtype=np.int64)
    letters[words] = dictionary.name_lengths[order[words]]
    costs = a_row + np.where(words, letters + NAME_BYTES, BUCKET_BYTES)
    labels = int(dictionary.name_lengths[dictionary.size :].sum()) + NAME_BYTES * len(dictionary.labels)
    fixed = HEADER_BYTES + labels + 2 + quantized_bytes(0, dim, settings.dsub, settings.qnorm)
    found = np.zeros(len(order) + 1, dtype=np.int64)
    np.cumsum(costs, out=found[1:])
    targets = np.full(len(found), len(original.output), dtype=np.int64)
    if not original.arguments.supervised:
        targets = np.concatenate([[0], np.cumsum(words)])
    coded = quantized_bytes(1, dim, OUTPUT_DSUB, settings.qnorm) - quantized_bytes(0, dim, OUTPUT_DSUB, settings.qnorm)
    plain = dense_bytes(0, dim) + 4 * dim * targets
    if settings.qout:
        plain = np.minimum(plain, quantized_bytes(0, dim, OUTPUT_DSUB, settings.qnorm) + coded * targets)
    found += fixed + plain
    if dictionary.prune_pairs is None:
        found[-1] -= BUCKET_BYTES * int((~words).sum())  # every bucket has its row: none is named
    return found


def largest_cutoff(original: Original, settings: Settings, max_bytes: int, order: Integers | None = None) -> int | None:
    """The most rows that fit into ``max_bytes``; 0: all of them, nothing is to be cut; None: not one.

    Args:
        settings: ``cutoff`` is not looked at.
        order: what ``ranked`` gives, where it is at hand.
    """
    order = ranked(original) if order is None else order
    sizes = sizes_of(original, settings, order)
    if sizes[-1] <= max_bytes:
        return 0
    rows = int(np.searchsorted(sizes[:-1], max_bytes, side="right")) - 1
    return rows if rows >= 1 else None


# ---- searching ----------------------------------------------------------------------------------------------------


def best_under(
    original: Original,
    max_bytes: int,
    score: Score,
    *,
    retraining: Retraining | None = None,
    seed: int = 0,
    threads: int | None = None,
    report: Report = quiet,
) -> Found:
    """The model with the highest score whose file has at most ``max_bytes``; of equals the smallest.

    Args:
        original: a classifier or word vectors, not quantized.
        max_bytes: of the file.
        score: of a model, the higher the better; ``f1_on`` or ``likeness_to``.
        retraining: the text that a classifier was trained on; None: nothing is retrained.
        seed: as for ``quantize``.
        threads: None: those of the machine.
        report: told about every try, asked after each whether to stop: a spent budget ends the search with what there is.

    Raises:
        UsageError: not even a single row fits, or the model is quantized already.
        Interrupted: the report asked for it.
    """
    if isinstance(original.input, Quantized):
        quantize(original)  # says what is wrong
    if file_bytes(original) <= max_bytes:
        as_it_is = Try(None, False, file_bytes(original), score(original))
        return Found(original, as_it_is, [as_it_is])
    order = ranked(original)
    planned = list(_candidates(original, max_bytes, order))
    if not planned:
        raise _too_small(original, max_bytes, order)
    tries: list[Try] = []
    best: Try | None = None
    model = original

    def attempt(settings: Settings, text: Retraining | None) -> None:
        nonlocal best, model
        made = quantize(original, settings, retraining=text, seed=seed, threads=threads, report=_Notes(report))
        tries.append(Try(settings, text is not None, file_bytes(made), score(made)))
        if best is None or _rank(tries[-1]) > _rank(best):
            best, model = tries[-1], made

    again = FINALISTS if retraining is not None and any(settings.cutoff for settings in planned) else 0
    for settings in planned:
        attempt(settings, None)
        if not _goes_on(report, tries, len(planned) + again):
            again = 0
            break
    finalists = sorted((one for one in tries if one.settings and one.settings.cutoff), key=_rank, reverse=True)[:again]
    for finalist in finalists:
        attempt(finalist.settings or Settings(), retraining)
        if not _goes_on(report, tries, len(planned) + len(finalists)):
            break
    assert best is not None
    return Found(model, best, tries)


def curve(
    original: Original,
    score: Score,
    sizes: Sequence[int] | None = None,
    *,
    retraining: Retraining | None = None,
    seed: int = 0,
    threads: int | None = None,
    report: Report = quiet,
) -> list[Try]:
    """What the score is at each size: for every one of ``sizes`` the best model under it. Sizes that are too small are left out.

    Args:
        original: not quantized.
        score: see ``best_under``.
        sizes: in bytes; None: half of the file, a quarter, … as long as a model fits.
        retraining: see ``best_under``.
        seed: see ``best_under``.
        threads: see ``best_under``.
        report: see ``best_under``.
    """
    whole = file_bytes(original)
    wanted = [whole >> step for step in range(HALVINGS + 1)] if sizes is None else list(sizes)
    order, rows = ranked(original), list[Try]()
    for size in wanted:
        if size >= whole or next(_candidates(original, size, order), None) is not None:
            found = best_under(original, size, score, retraining=retraining, seed=seed, threads=threads, report=report)
            rows.append(found.best)
    return rows


def _rank(one: Try) -> tuple[float, int]:
    return one.score, -one.bytes


def _candidates(original: Original, max_bytes: int, order: Integers) -> Iterator[Settings]:
    """Every way of coding, each with as many rows as fit; coarser ones only as long as they leave more rows."""
    for qout in (False, True) if _gains_by_qout(original) else (False,):
        for qnorm in (False, True):
            for dsub in _widths(original.arguments.dim):
                cutoff = largest_cutoff(original, Settings(dsub, qnorm, qout), max_bytes, order)
                if cutoff is not None:
                    yield Settings(dsub, qnorm, qout, cutoff)
                    if cutoff == 0:
                        break


def _widths(dim: int) -> list[int]:
    return [width for width in (1, 2, 4, 8, 16) if width < dim] + [dim][: dim <= 16]


def _gains_by_qout(original: Original) -> bool:
    rows, dim = original.output.shape
    return quantized_bytes(rows, dim, OUTPUT_DSUB, False) < dense_bytes(rows, dim)


def _too_small(original: Original, max_bytes: int, order: Integers) -> UsageError:
    least = min(
        int(sizes_of(original, Settings(dsub, False, qout), order)[1])
        for dsub in _widths(original.arguments.dim)
        for qout in (False, True)
    )
    return UsageError(
        "size-impossible",
        say(
            f"no model of this kind fits into {max_bytes} bytes: labels, output and centroids alone take {least}",
            f"{max_bytes} 字节放不下这样的模型：仅标签、输出矩阵和质心就需要 {least} 字节",
        ),
        help=say("allow more bytes, or train with a smaller dim", "请放宽大小上限，或用更小的 dim 重新训练"),
    )


class _Notes(Report):
    """Passes on sentences; progress and stopping belong to the search."""

    def __init__(self, report: Report) -> None:
        self.note = report.note  # type: ignore[method-assign]


def _goes_on(report: Report, tries: list[Try], planned: int) -> bool:
    """Tell about the newest try; false where the search is to end.

    Raises:
        Interrupted: the report asked for it.
    """
    newest = tries[-1]
    report.progress(epoch=len(tries), epochs=planned, done=min(1.0, len(tries) / planned), score=newest.score)
    chosen = newest.settings or Settings()
    report.record(
        {
            "try": len(tries),
            "bytes": newest.bytes,
            "score": newest.score,
            "dsub": chosen.dsub,
            "qnorm": chosen.qnorm,
            "qout": chosen.qout,
            "cutoff": chosen.cutoff,
            "retrained": newest.retrained,
        }
    )
    wish = report.stopping()
    if wish == "interrupt":
        raise Interrupted("interrupted", say("stopped", "已停止"))
    return wish is None
