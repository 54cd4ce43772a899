"""Making a model small: fewer rows, and a byte for each few numbers of a row.

As the original's ``quantize`` for classifiers: the ``cutoff`` longest rows stay (``</s>`` always), dropped words and n-grams are
as if they had never been seen, the rows that stay may be trained again, then the input (and, with ``qout``, the output) is
product-quantized. Joulin et al. 2016, "FastText.zip".

The original refuses word vectors; here they can be quantized, too. Words go before n-grams, for it is their vectors that are
asked, in the order of the dictionary: the most frequent first. A word's vector is the mean of its own row w and the rows
g of its n-grams. Where n-grams are dropped or coded, w makes up for it:

    w' = (n' + 1) v − Σ g'        v the vector as it was, g' the n' n-grams that are left, as coded

so that of all that is lost on the n-grams nothing reaches a known word; only its own row's code is inexact, and that error
is divided by n' + 1. Not here: which settings fit under a size (``small_models.py``), files (``binary.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.errors import UsageError
from erya.kernel_cache import announce
from erya.language import say
from erya.models.fasttext import quantizer_kernels as kernels
from erya.models.fasttext.dictionary import END, Dictionary
from erya.models.fasttext.mapped_rows import gather, let_go
from erya.models.fasttext.original import Original
from erya.models.fasttext.product_quantizer import CENTROIDS, ROWS_AT_ONCE
from erya.models.fasttext.quantized import Quantized, lengths_of, quantized_bytes
from erya.parts.settings import number, require, whole
from erya.progress import Report, quiet

OUTPUT_DSUB = 2  # the original's, whatever the input's is
HEADER_BYTES = 8 + 56 + 28  # what a file is, settings, sizes of the dictionary
NAME_BYTES = 10  # of a word or label beside its letters: NUL, count, kind
BUCKET_BYTES = 8  # of an n-gram that stays, where others do not
WORDS_AT_ONCE = 1 << 14  # whose vectors are made together

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is made small.

    Attributes:
        dsub: columns that share a byte; 1 is the most exact, the model's width the smallest.
        qnorm: code the rows' lengths apart: one byte more a row.
        qout: code the output matrix, too, two columns a byte – where that makes it smaller.
        cutoff: rows that stay; 0: all.
    """

    dsub: int = 2
    qnorm: bool = False
    qout: bool = False
    cutoff: int = 0


@dataclass(frozen=True, slots=True)
class Retraining:
    """How the rows that stay are trained again, before they are coded.

    Attributes:
        text: lines with labels, as the model was trained on: the text itself, or the path of a file.
        epochs: passes; None: as many as the model was trained for.
        learning_rate: of the first step.
    """

    text: bytes | Path | str
    epochs: int | None = None
    learning_rate: float = 0.1


def quantize(
    original: Original,
    settings: Settings | None = None,
    *,
    retraining: Retraining | None = None,
    seed: int = 0,
    threads: int | None = None,
    report: Report = quiet,
) -> Original:
    """A small copy of a model; ``original`` stays as it is.

    Same model, same settings: same bits, for any number of threads.

    Args:
        original: a classifier or word vectors, not yet quantized.
        settings: None: two columns a byte, all rows.
        retraining: of a classifier whose rows are cut; without a cut nothing is trained, as in the original.
        seed: of k-means and of the training.
        threads: None: those of the machine.
        report: told what is not done, and why.

    Raises:
        UsageError: a model that is quantized already; settings out of range; word vectors that are to be retrained.
        DataError: vectors that are not finite; a text that cannot be read.
    """
    settings = settings or Settings()
    _check(original, settings, retraining)
    threads = threads or machine.threads()
    announce(report, (kernels.gather_distinct, kernels.seed_centroids, kernels.improve_centroids, kernels.nearest))
    small = original
    if 0 < settings.cutoff < len(original.input):
        small = cut(original, ranked(original)[: settings.cutoff])
        if retraining is not None:
            small = _retrained(small, retraining, seed, threads, report)
    assert not isinstance(small.input, Quantized)
    input = Quantized.of(small.input, dsub=settings.dsub, qnorm=settings.qnorm, seed=seed, threads=threads)
    if len(input) < CENTROIDS:
        report.note(
            say(
                f"only {len(input)} rows: they are kept exactly, and take no less room than before",
                f"只有 {len(input)} 行：逐行精确保存，所占空间并不减少",
            )
        )
    output = _output(small, settings, seed, threads, report)
    made = Original(small.arguments, small.dictionary, input, output)
    if not small.arguments.supervised and small.arguments.max_n > 0 and small.dictionary.size:
        words = input.with_rows(_made_up_for(original, made), threads=threads)
        made = Original(small.arguments, small.dictionary, words, output)
    return made


def _check(original: Original, settings: Settings, retraining: Retraining | None) -> None:
    if isinstance(original.input, Quantized) or isinstance(original.output, Quantized):
        raise UsageError(
            "already-quantized",
            say("this model is quantized already", "该模型已经量化过"),
            help=say("quantize the .bin file that it was made of", "请对量化之前的 .bin 文件进行量化"),
        )
    whole("dsub", settings.dsub)
    require(isinstance(settings.cutoff, int) and settings.cutoff >= 0, "cutoff", settings.cutoff, "≥ 0")
    if retraining is None:
        return
    if not original.arguments.supervised:
        raise UsageError(
            "cannot-retrain",
            say(
                "only classifiers can be retrained; these are word vectors", "只有分类器可以重新训练，而这是词向量模型"
            ),
            help=say("leave out retrain", "去掉 retrain 选项"),
        )
    whole("epochs", retraining.epochs, optional=True)
    number("learning_rate", retraining.learning_rate, 0, 1e6, closed=False)


def _output(small: Original, settings: Settings, seed: int, threads: int, report: Report) -> Floats | Quantized:
    output = small.output
    if not settings.qout or isinstance(output, Quantized):
        return output
    if quantized_bytes(len(output), output.shape[1], OUTPUT_DSUB, settings.qnorm) < dense_bytes(*output.shape):
        return Quantized.of(output, dsub=OUTPUT_DSUB, qnorm=settings.qnorm, seed=seed, threads=threads)
    report.note(
        say(
            f"the output matrix stays as it is: quantized, its {len(output)} rows would take more room",
            f"输出矩阵保持不变：它只有 {len(output)} 行，量化后反而更大",
        )
    )
    return output


# ---- which rows stay ----------------------------------------------------------------------------------------------


def ranked(original: Original) -> Integers:
    """(R,) all input rows, those first that should stay.

    Of a classifier: ``</s>``, then by length, the longest first. Of word vectors: the words in the dictionary's order, then
    n-grams by length.
    """
    assert not isinstance(original.input, Quantized)
    lengths = lengths_of(original.input)
    end = original.dictionary.row_of(END)
    if not original.arguments.supervised:
        lengths[: original.dictionary.size] = np.inf
    elif end >= 0:
        lengths[end] = np.inf
    np.negative(lengths, out=lengths)
    return np.argsort(lengths, kind="stable")


def cut(original: Original, kept: Integers) -> Original:
    """A copy that knows only the rows ``kept``: words in the dictionary's order, then n-grams in the order given.

    Known words of a model of word vectors keep their vectors, also where n-grams of theirs are dropped.
    """
    assert not isinstance(original.input, Quantized)
    assert not isinstance(original.output, Quantized)
    size = original.dictionary.size
    words, buckets = np.sort(kept[kept < size]), kept[kept >= size] - size
    input = gather(original.input, np.concatenate([words, buckets + size]), ROWS_AT_ONCE)
    dictionary = _pruned(original.dictionary, words, buckets)
    if original.arguments.supervised:
        return Original(original.arguments, dictionary, input, original.output)
    # a row a word; with the loss "hs" a row a turn of the tree, which is another one now: it serves nothing any more
    output = np.ascontiguousarray(original.output[words if original.arguments.loss != "hs" else slice(len(words))])
    small = Original(original.arguments, dictionary, input, output)
    if original.arguments.max_n > 0:
        input[: len(words)] = _made_up_for(original, small)
    return small


def _pruned(dictionary: Dictionary, words: Integers, buckets: Integers) -> Dictionary:
    """The dictionary of the given words; of the buckets only those named, in this order."""
    if dictionary.prune_pairs is not None:  # was cut before: rows are numbered by their place, not by their bucket
        back = np.empty(len(dictionary.prune_pairs[0]), dtype=np.int64)
        back[dictionary.prune_pairs[1]] = dictionary.prune_pairs[0]
        buckets = back[buckets]
    names = dictionary.words
    return Dictionary.of(
        [names[word] for word in words.tolist()],
        dictionary.counts[words],
        dictionary.labels,
        dictionary.label_counts,
        dictionary.arguments,
        tokens=dictionary.tokens,
        prune={bucket: place for place, bucket in enumerate(buckets.tolist())},
        label_prefix=dictionary.label_prefix,
    )


def _made_up_for(original: Original, small: Original) -> Floats:
    """(V', D) the rows that the words of ``small`` need for the vectors that they have in ``original``.

    With n rows the mean is off by v − v'; n times as much added to the word's own row sets it right.
    """
    assert not isinstance(original.input, Quantized)
    names, size = small.dictionary.words, small.dictionary.size
    rows = np.empty((size, small.arguments.dim), dtype=np.float32)
    for first in range(0, size, WORDS_AT_ONCE):
        last = min(size, first + WORDS_AT_ONCE)
        own = small.input.take(slice(first, last)) if isinstance(small.input, Quantized) else small.input[first:last]
        shares = np.diff(small.dictionary.rows_of_known(first, last)[1])[:, None].astype(np.float32)
        missing = original.word_vectors(names[first:last]) - small.known_vectors(first, last)
        rows[first:last] = own + shares * missing
        let_go(original.input)
    return rows


def _retrained(small: Original, retraining: Retraining, seed: int, threads: int, report: Report) -> Original:
    """The rows that stayed, trained further on the same text."""
    from erya.models.fasttext.supervised import Plan, Start, train

    arguments, dictionary = small.arguments, small.dictionary
    plan = Plan(
        dim=arguments.dim,
        epochs=arguments.epochs if retraining.epochs is None else retraining.epochs,
        learning_rate=retraining.learning_rate,
        loss=arguments.loss,
        negative=arguments.negative,
        seed=seed,
        threads=threads,
    )
    assert not isinstance(small.input, Quantized)
    assert not isinstance(small.output, Quantized)
    start = Start(np.arange(len(small.input)), small.input, small.output)
    text = retraining.text
    lines = dictionary.encode(text, threads) if isinstance(text, bytes) else dictionary.encode_file(text, threads)
    size = len(small.input), len(dictionary.labels)
    input, output = train(lines, *size, dictionary.label_counts, plan, report, start=start)
    return Original(arguments, dictionary, input, output)


# ---- sizes --------------------------------------------------------------------------------------------------------


def dense_bytes(rows: int, columns: int) -> int:
    """Bytes that a matrix of float32 takes in a file, without the flag that says whether it is quantized."""
    return 16 + 4 * rows * columns


def file_bytes(original: Original) -> int:
    """Bytes of the file that a model makes."""
    dictionary = original.dictionary
    names = int(dictionary.name_lengths.sum()) + NAME_BYTES * len(dictionary)
    buckets = 0 if dictionary.prune_pairs is None else BUCKET_BYTES * len(dictionary.prune_pairs[0])
    matrices = sum(
        1 + (matrix.nbytes if isinstance(matrix, Quantized) else dense_bytes(*matrix.shape))
        for matrix in (original.input, original.output)
    )
    return HEADER_BYTES + names + buckets + matrices
