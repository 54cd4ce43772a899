"""A file of text and the original's settings become a model: count, encode, train, put together.

The losses and the loops are elsewhere (``supervised.py``, ``subword_loop.py``). What the original does otherwise, and Erya does not:
rows of n-grams that never occurred are zeros in word vectors instead of chance, and no row is left as the memory was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.errors import DataError, UsageError
from erya.language import say
from erya.models.fasttext.arguments import LABEL_PREFIX, LOSSES, MODELS, Arguments
from erya.models.fasttext.binary import MAGIC, read
from erya.models.fasttext.dictionary import Dictionary
from erya.models.fasttext.line_collection import return_freed
from erya.models.fasttext.mapped_rows import forget, zeros
from erya.models.fasttext.original import Original
from erya.models.fasttext.quantized import Quantized
from erya.parts import settings
from erya.progress import Report, quiet

if TYPE_CHECKING:
    from erya.models.fasttext.subword_loop import Run

Floats = NDArray[np.float32]
MOST_BUCKETS = 2**31 - 1
ROWS_AT_ONCE = 1 << 12
LINES_AT_ONCE = 1 << 10


@dataclass(frozen=True, slots=True)
class How:
    """What is asked of a training and does not stand in the model's file.

    Attributes:
        learning_rate: of the first step; falls linearly.
        min_count_label: a label seen less often is no label.
        label_prefix: with which labels begin.
        seed: fixes everything that is drawn.
        threads: None: those of the machine, and never more.
        deterministic: same seed, same bits, for any number of threads.
        pretrained: vectors to begin with, in any format, also a model's ``.bin``.
        freeze: they stay as they are.
    """

    learning_rate: float = 0.1
    min_count_label: int = 0
    label_prefix: str = LABEL_PREFIX
    seed: int = 0
    threads: int | None = None
    deterministic: bool = True
    pretrained: Path | None = None
    freeze: bool = False

    @property
    def workers(self) -> int:
        """Threads to use."""
        here = machine.threads()
        return here if self.threads is None else max(1, min(here, self.threads))


def train(path: Path | str, arguments: Arguments, how: How, report: Report = quiet) -> Original:
    """Train a classifier or word vectors on a file.

    Raises:
        UsageError: a setting out of its range.
        DataError: the file cannot be read, or there is nothing in it to learn.
        DivergedError: no learning rate was low enough.
        Interrupted: the report asked for it.
    """
    _check(arguments, how)
    dictionary = Dictionary.learn(path, arguments, how.min_count_label, how.label_prefix, how.workers)
    return_freed()
    if arguments.supervised:
        return _supervised(Path(path), dictionary, how, report)
    return _unsupervised(Path(path), dictionary, how, report)


def _check(arguments: Arguments, how: How) -> None:
    for name in ("dim", "window", "epochs"):
        settings.whole(name, getattr(arguments, name))
    for name in ("min_count", "negative", "min_n", "max_n"):
        settings.whole(name, getattr(arguments, name), 0)
    settings.whole("word_ngrams", arguments.word_ngrams)
    settings.require(arguments.loss in LOSSES, "loss", arguments.loss, " | ".join(LOSSES))
    settings.require(arguments.model in MODELS, "model", arguments.model, " | ".join(MODELS))
    settings.require(0 <= arguments.buckets <= MOST_BUCKETS, "bucket", arguments.buckets, f"≥ 0, ≤ {MOST_BUCKETS}")
    for name in ("word_ngrams", "min_n", "max_n"):
        settings.require(getattr(arguments, name) <= 1000, name, getattr(arguments, name), "≤ 1000")
    settings.number("lr", how.learning_rate, 0.0, 1e6, closed=False)
    settings.number("t", arguments.sample, 0.0, 1e6)
    settings.whole("seed", how.seed, 0)


# ---- classifiers -------------------------------------------------------------------------------------------------


def _supervised(path: Path, dictionary: Dictionary, how: How, report: Report) -> Original:
    from erya.models.fasttext.supervised import Plan, Start
    from erya.models.fasttext.supervised import train as learn

    start = None
    if how.pretrained is not None:
        words, vectors = pretrained(how.pretrained)
        dictionary = with_words(dictionary, words).with_arguments(dictionary.arguments.with_dim(vectors.shape[1]))
        rows = np.array([dictionary.row_of(word) for word in words], dtype=np.int64)
        start = Start(rows[rows >= 0], vectors[rows >= 0])
    arguments = dictionary.arguments
    plan = Plan(
        dim=arguments.dim,
        epochs=arguments.epochs,
        learning_rate=how.learning_rate,
        loss=arguments.loss,
        negative=arguments.negative,
        seed=how.seed,
        deterministic=how.deterministic,
        threads=how.workers,
        freeze=how.freeze,
    )
    lines = dictionary.encode_file(path, how.workers)
    dictionary.rest()
    return_freed()
    size = dictionary.rows, len(dictionary.label_counts)
    input, output = learn(lines, *size, dictionary.label_counts, plan, report, start)
    return Original(arguments, dictionary, np.ascontiguousarray(input), np.ascontiguousarray(output))


def pretrained(path: Path) -> tuple[list[bytes], Floats]:
    """The words and vectors (V, D) of a file in any format: ``.vec``, word2vec, GloVe, NumPy, the original's ``.bin``."""
    from erya.text import vector_files

    with path.open("rb") as file:
        is_model = file.read(4) == MAGIC.to_bytes(4, "little")
    if is_model:
        model = read(path)
        return model.dictionary.words, model.known_vectors()
    table = vector_files.read(path, bad_utf8="skip")
    return [word.encode() for word in table.words], table.matrix


def with_words(dictionary: Dictionary, words: list[bytes]) -> Dictionary:
    """The dictionary with more words, each met once more than before, in the original's order again."""
    prefix = dictionary.label_prefix
    counts = dict(zip(dictionary.words, dictionary.counts.tolist(), strict=True))
    labels = dict(zip(dictionary.labels, dictionary.label_counts.tolist(), strict=True))
    for word in words:
        if not word.startswith(prefix):
            counts[word] = counts.get(word, 0) + 1
    ranked = sorted(counts, key=lambda word: -counts[word])
    return Dictionary.of(
        ranked,
        [counts[word] for word in ranked],
        list(labels),
        list(labels.values()),
        dictionary.arguments,
        tokens=dictionary.tokens + len(words),
        label_prefix=prefix,
    )


# ---- word vectors ------------------------------------------------------------------------------------------------


def _unsupervised(path: Path, dictionary: Dictionary, how: How, report: Report) -> Original:
    from erya.models.fasttext.subword_kernels import SHARDS
    from erya.models.fasttext.subword_loop import Plan, Run, Start, Subwords

    start = None
    if how.pretrained is not None:
        names, vectors = pretrained(how.pretrained)
        dictionary = with_words(dictionary, names).with_arguments(dictionary.arguments.with_dim(vectors.shape[1]))
        rows = np.array([dictionary.row_of(name) for name in names], dtype=np.int64)
        start = Start(rows[rows >= 0], vectors[rows >= 0])
    arguments = dictionary.arguments
    if arguments.loss not in ("ns", "hs"):
        raise UsageError(
            "bad-setting",
            say(f"word vectors have no loss {arguments.loss}", f"词向量没有损失函数 {arguments.loss}"),
            help="-loss ns | hs",
        )
    if not dictionary.size:
        raise DataError(
            "no-words",
            say(
                f"no word occurs {arguments.min_count:,} times or more; labels are no words",
                f"没有一个词出现 {arguments.min_count:,} 次以上；标签不算词",
            ),
            help="-minCount 1",
        )
    lines = dictionary.encode_file(path, how.workers)
    ids = np.full(len(lines.rows) + len(lines), -1, dtype=np.int32)
    ids[np.arange(len(lines.rows)) + np.repeat(np.arange(len(lines)), np.diff(lines.starts))] = lines.rows
    del lines
    words = [word.decode("utf-8", "surrogateescape") for word in dictionary.words]
    max_n = arguments.max_n if arguments.buckets else 0
    subwords = Subwords.of(words, dictionary.counts, arguments.min_n, max_n, max(1, arguments.buckets))
    plan = Plan(
        dim=arguments.dim,
        window=arguments.window,
        negative=0 if arguments.loss == "hs" else max(1, arguments.negative),
        cbow=arguments.model == "cbow",
        sample=arguments.sample,
        epochs=arguments.epochs,
        learning_rate=how.learning_rate,
        seed=how.seed,
        deterministic=how.deterministic,
        threads=min(how.workers, SHARDS) if how.deterministic else how.workers,
    )
    run = Run(ids, dictionary.counts, subwords, plan, start=start)
    del ids, words, start
    run.finish(report)
    return Original(arguments, dictionary, *_spread(run, dictionary.size, dictionary.rows))


def _spread(run: Run, words: int, rows: int) -> tuple[Floats, Floats]:
    """(R, D) the input rows where the original looks for them, and (V, D) the output rows. Takes the run's parameters apart."""
    run.ids = run.ids[:0].copy()  # the text has done its duty
    output = np.zeros((words, run.plan.dim), dtype=np.float32)
    output[: len(run.targets)] = run.targets  # of a tree there is a node less than words
    forget(run.parameters[run.settings.inputs :])
    input = zeros(rows, run.plan.dim)
    places = np.concatenate([np.arange(words), words + run.subwords.kept])
    for first in range(0, len(places), ROWS_AT_ONCE):
        block = slice(first, min(len(places), first + ROWS_AT_ONCE))
        input[places[block]] = run.input[block]
        forget(run.parameters[block])  # never both of them whole
    return input, output


# ---- text files of vectors -----------------------------------------------------------------------------------------


def vec_lines(model: Original, *, output: bool = False) -> Iterator[bytes]:
    """A ``.vec`` file line by line, numbers with five digits as the original writes them.

    Args:
        model: of words, or of what is predicted.
        output: the vectors of labels (or words, for word vectors) as what is predicted.

    Raises:
        UsageError: ``output``, and the model is quantized.
    """
    dictionary = model.dictionary
    if output and (isinstance(model.input, Quantized) or isinstance(model.output, Quantized)):
        raise UsageError(
            "quantized",
            say("Option -saveOutput is not supported for quantized models.", "量化过的模型不支持 -saveOutput。"),
        )
    names = dictionary.labels if output and model.arguments.supervised else dictionary.words
    return _vec_lines(model, names, output)


def _vec_lines(model: Original, names: Sequence[bytes], output: bool) -> Iterator[bytes]:
    width = model.arguments.dim
    yield f"{len(names)} {width}".encode()
    form = "%.5g " * width
    for first in range(0, len(names), LINES_AT_ONCE):
        last = min(len(names), first + LINES_AT_ONCE)
        if output:
            assert not isinstance(model.output, Quantized)
            matrix = model.output[first:last]
        else:
            matrix = model.known_vectors(first, last)
        for name, row in zip(names[first:last], matrix.tolist(), strict=True):
            yield name + b" " + (form % tuple(row)).encode()
