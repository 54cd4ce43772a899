"""A model as the original program keeps it: a dictionary and two matrices. It answers as the original does, to the sixth digit.

    lines ─dictionary.encode→ rows ─mean→ hidden (N, D) ─output, loss→ labels and probabilities
    word  → its row and those of its character n-grams ─mean→ vector (D,) → neighbours, analogies

Both matrices may be quantized, and a large input matrix may lie in its file. Nothing here changes a model except
``set_matrices``, so that threads may share one. Not here: training, files (``binary.py``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.errors import ModelFileError, UsageError
from erya.language import say
from erya.models.fasttext import answer_kernels as kernels
from erya.models.fasttext.arguments import Arguments
from erya.models.fasttext.dictionary import Dictionary
from erya.models.fasttext.lines import Lines, Room
from erya.models.fasttext.meter import Answers, Meter
from erya.models.fasttext.quantized import Quantized
from erya.models.fasttext.tree_kernels import Tree, label_tree
from erya.parts.lockstep import run_together

ALL_LABELS = -1  # instead of a number of labels
LINES_AT_ONCE = 1024  # encoded and answered together: what they need stays in the cache
FOLDED_MOST = 64 << 20  # bytes of word sums that are kept to answer faster
WORDS_A_LINE = 16  # so many words for each line that is asked, and their sums are worth making
DECODED_MOST = 64 << 20  # bytes of a quantized matrix that is decoded to answer faster
SIGMOIDS = kernels.sigmoid_table()
WORDS_AT_ONCE = 1 << 14  # whose vectors are made together

Floats = NDArray[np.float32]
Matrix = Floats | Quantized


class Original:
    """A model of the original program.

    Args:
        arguments: the settings.
        dictionary: V words and C labels.
        input: (V + buckets, D), or fewer rows where buckets were cut.
        output: (C, D) for a classifier, else (V, D).

    Raises:
        ValueError: shapes that do not fit one another.
    """

    def __init__(self, arguments: Arguments, dictionary: Dictionary, input: Matrix, output: Matrix) -> None:
        if input.shape[1] != arguments.dim or output.shape[1] != arguments.dim:
            raise ValueError(f"matrices {input.shape} and {output.shape} do not fit dim={arguments.dim}")
        self.arguments, self.dictionary, self.input, self.output = arguments, dictionary, input, output
        self._across: Floats | None = None
        self._kept_reader: Reader | None = None
        self._tree: Tree | None = None
        self._directions: Floats | None = None
        self._label_names: NDArray[np.object_] | None = None

    # ---- what it is -----------------------------------------------------------------------------------------------

    @property
    def quantized(self) -> bool:
        """Whether the input matrix is stored as codes."""
        return isinstance(self.input, Quantized)

    def label_names(self, errors: str = "strict") -> NDArray[np.object_]:
        """(C,) the labels as strings."""
        if self._label_names is None or errors != "strict":
            names = np.empty(len(self.dictionary.labels), dtype=object)
            names[:] = [label.decode("utf-8", errors) for label in self.dictionary.labels]
            if errors != "strict":
                return names
            self._label_names = names
        return self._label_names

    def set_matrices(self, input: Floats, output: Floats) -> None:
        """Put other matrices in place, perhaps of another width.

        Raises:
            UsageError: they do not fit one another or the dictionary.
        """
        input = np.ascontiguousarray(input, dtype=np.float32)
        output = np.ascontiguousarray(output, dtype=np.float32)
        rows, targets = self.input.shape[0], self.output.shape[0]
        if input.ndim != 2 or output.ndim != 2 or input.shape[1] != output.shape[1]:
            raise _bad_shape(f"{input.shape} and {output.shape}", f"{input.shape} 与 {output.shape}")
        if len(input) != rows or len(output) != targets:
            raise _bad_shape(
                f"{len(input)} and {len(output)} rows, not {rows} and {targets}",
                f"行数为 {len(input)} 与 {len(output)}，应为 {rows} 与 {targets}",
            )
        self.arguments = self.arguments.with_dim(input.shape[1])
        self.input, self.output = input, output
        self._across = self._directions = self._kept_reader = None

    # ---- predicting -----------------------------------------------------------------------------------------------

    def predict(
        self, lines: Lines | Sequence[str], k: int = 1, threshold: float = 0.0, *, threads: int | None = None
    ) -> Answers:
        """The best labels of lines.

        Args:
            lines: texts without line ends, or encoded lines. A line without any row has no answer.
            k: how many labels at most; −1: all.
            threshold: least probability.
            threads: None: those of the machine.

        Raises:
            UsageError: no classifier, or k is neither −1 nor ≥ 1.
            ModelFileError: the model's numbers overflow.
        """
        classes = self._check(k)
        most = classes if k == ALL_LABELS else min(k, classes)
        number = len(lines)
        answers = Answers(
            np.zeros((number, most), dtype=np.int32),
            np.zeros((number, most), dtype=np.float32),
            np.zeros(number, dtype=np.int64),
        )
        if not number or not most:
            return answers
        reader = self._reader()
        folded = not isinstance(lines, Lines) and reader.folds(number)

        def block(first: int, last: int, room: Room) -> None:
            if isinstance(lines, Lines):
                some = lines.some(first, last)
            else:
                some = self.dictionary.encode_texts(lines[first:last], folded=folded, room=room)
            self._answer(reader.means(some, folded), some.starts, threshold, answers.some(first, last))

        if number <= LINES_AT_ONCE:
            block(0, number, Room())
        else:
            _in_blocks(block, number, threads or machine.threads())
        return answers

    def _check(self, k: int) -> int:
        if not self.arguments.supervised:
            raise UsageError(
                "not-a-classifier",
                say("Model needs to be supervised for prediction!", "该模型不是分类器，无法预测（supervised）"),
            )
        if k != ALL_LABELS and k < 1:
            raise UsageError("bad-k", say("k needs to be 1 or higher!", "k 应不小于 1（-1 表示全部标签）"), help="k=1")
        return len(self.dictionary.label_counts)

    def _answer(self, hidden: Floats, starts: NDArray[np.int64], threshold: float, answers: Answers) -> None:
        """Fill in the answers of some lines, given the means of their rows."""
        number, most = answers.labels.shape
        places = 0, number, most, np.float32(threshold), answers.probabilities, answers.labels, answers.counts
        if self.arguments.loss == "hs":
            tree = self._label_tree()
            bad = kernels.best_by_tree(hidden, starts, self._dense_output(), tree.left, tree.right, *places)
        else:
            kind = kernels.SOFTMAX if self.arguments.loss == "softmax" else kernels.SIGMOID
            bad = kernels.best(hidden, starts, self._turned_output(), kind, SIGMOIDS, *places)
        if bad >= 0:
            raise _overflow()
        # in float64: NumPy's float32 is off by a digit in the last place, which the printed six digits show now and then
        answers.probabilities[:] = np.exp(answers.probabilities, dtype=np.float64)

    def _reader(self) -> Reader:
        reader = self._kept_reader
        if reader is None:
            reader = self._kept_reader = Reader(self.dictionary, self.input)
        return reader

    def _dense_output(self) -> Floats:
        return self.output.dense() if isinstance(self.output, Quantized) else self.output

    def _turned_output(self) -> Floats:
        across = self._across
        if across is None:
            across = self._across = np.ascontiguousarray(self._dense_output().T)
        return across

    def _label_tree(self) -> Tree:
        tree = self._tree
        if tree is None:
            tree = self._tree = label_tree(np.ascontiguousarray(self.dictionary.label_counts))
        return tree

    # ---- testing --------------------------------------------------------------------------------------------------

    def test(
        self,
        source: Path | str | bytes,
        k: int = 1,
        threshold: float = 0.0,
        *,
        unanswered: bool = False,
        threads: int | None = None,
    ) -> Meter:
        """Predict labelled lines and count what is right; lines without a known label or without any row are left out.

        Args:
            source: the path of a file, or the text itself as bytes.
            k: how many labels a line gets at most; −1: all.
            threshold: least probability of an answer.
            unanswered: for curves: true labels that were not answered count, too.
            threads: None: those of the machine.
        """
        self._check(k)
        meter = Meter(len(self.dictionary.label_counts), unanswered=unanswered)
        threads = threads or machine.threads()
        if isinstance(source, bytes):
            blocks = iter([self.dictionary.encode(source, threads)])  # as rows: the meter is no matter of milliseconds
        else:
            blocks = self.dictionary.blocks(source)
        for lines in blocks:
            useful = (np.diff(lines.starts) > 0) & (np.diff(lines.label_starts) > 0)
            chosen = lines.only(useful)
            meter.add(chosen.labels, chosen.label_starts, self.predict(chosen, k, threshold, threads=threads))
        return meter

    # ---- vectors --------------------------------------------------------------------------------------------------

    def vector_of_row(self, row: int) -> Floats:
        """(D,) one row of the input matrix."""
        found: Floats = self._rows(np.array([row]))[0]
        return found

    def _rows(self, rows: NDArray[Any]) -> Floats:
        if isinstance(self.input, Quantized):
            return self.input.take(rows)
        return np.array(self.input[rows], dtype=np.float32)

    def _means(self, rows: NDArray[np.int32], starts: NDArray[np.int64]) -> Floats:
        if isinstance(self.input, Quantized):
            return self.input.mean_of(rows, starts)
        found = np.empty((len(starts) - 1, self.arguments.dim), dtype=np.float32)
        kernels.means(self.input, rows, starts, 0, len(found), found)
        return found

    def word_vectors(self, words: Sequence[str | bytes]) -> Floats:
        """(M, D) the mean of each word's row and of its character n-grams' rows; zeros where it has none."""
        return self._means(*self.dictionary.rows_of([_bytes(word) for word in words]))

    def word_vector(self, word: str | bytes) -> Floats:
        """(D,) the vector of one word."""
        found: Floats = self.word_vectors([word])[0]
        return found

    def known_vectors(self, first: int = 0, last: int | None = None) -> Floats:
        """(M, D) the vectors of the words with these numbers."""
        last = self.dictionary.size if last is None else last
        found = np.empty((last - first, self.arguments.dim), dtype=np.float32)
        for begin in range(first, last, WORDS_AT_ONCE):
            end = min(last, begin + WORDS_AT_ONCE)
            found[begin - first : end - first] = self._means(*self.dictionary.rows_of_known(begin, end))
        return found

    def sentence_vector(self, text: str | bytes) -> Floats:
        """(D,) of a classifier the mean of all rows of a line; else the mean of its words' vectors at length 1.

        Args:
            text: a line without its end; as bytes, it need not be UTF-8.
        """
        if self.arguments.supervised:
            lines = self.dictionary.encode(_bytes(text) + b"\n", whole=True)
            hidden: Floats = self._means(lines.rows, lines.starts)[0]
            return hidden
        vectors = self.word_vectors([word for word in _bytes(text).split() if word])
        norms = np.sqrt((vectors * vectors).sum(axis=1, dtype=np.float32))
        some = norms > 0
        if not some.any():
            return np.zeros(self.arguments.dim, dtype=np.float32)
        mean: Floats = (vectors[some] / norms[some, None]).sum(axis=0, dtype=np.float32) / np.float32(some.sum())
        return mean

    # ---- neighbours -----------------------------------------------------------------------------------------------

    def directions(self) -> Floats:
        """(V, D) all words' vectors at length 1, made at the first call."""
        found = self._directions
        if found is None:
            found = self.known_vectors()
            norms = np.sqrt((found * found).sum(axis=1, dtype=np.float32))[:, None]
            np.divide(found, norms, out=found, where=norms > 0)
            found[norms[:, 0] == 0] = 0.0
            self._directions = found
        return found

    def nearest(self, word: str, k: int = 10) -> list[tuple[float, bytes]]:
        """The k words most alike, the word itself left out; (cosine, word), the nearest first."""
        return self._nearest(self.word_vector(word), k, [word])

    def analogies(self, a: str, b: str, c: str, k: int = 10) -> list[tuple[float, bytes]]:
        """The k words nearest to a − b + c, these three left out."""
        vectors = self.word_vectors([a, b, c])
        norms = np.sqrt((vectors * vectors).sum(axis=1, dtype=np.float32))
        signs = np.array([1.0, -1.0, 1.0], dtype=np.float32)
        query = ((signs / (norms + np.float32(1e-8)))[:, None] * vectors).sum(axis=0, dtype=np.float32)
        return self._nearest(query, k, [a, b, c])

    def _nearest(self, query: Floats, k: int, banned: Sequence[str]) -> list[tuple[float, bytes]]:
        if k < 1:
            raise UsageError("bad-k", say("k needs to be 1 or higher!", "k 应不小于 1"), help="k=10")
        norm = float(np.sqrt((query * query).sum(dtype=np.float32)))
        if norm < 1e-8:
            norm = 1.0
        scores = self.directions() @ query / np.float32(norm)
        rows = [self.dictionary.row_of(word.encode()) for word in banned]
        scores[[row for row in rows if row >= 0]] = -np.inf
        most = min(k, len(scores))
        best = np.argpartition(-scores, most - 1)[:most] if most else np.zeros(0, dtype=np.int64)
        best = best[np.lexsort((best, -scores[best]))]
        return [(float(scores[row]), self.dictionary.name(row)) for row in best.tolist() if scores[row] > -np.inf]


class Reader:
    """How lines become hidden vectors fast.

    A known word always brings the same n-grams along: where many lines are asked and there is room, their sum is kept, and a line
    adds one row a word instead of a dozen. A small quantized matrix is decoded once.

    Attributes:
        input: (R, D), or quantized.
        words: (V, D) the sum of each word's rows, once they were worth making.
        sizes: (V,) how many rows they are.
    """

    def __init__(self, dictionary: Dictionary, input: Matrix) -> None:
        if isinstance(input, Quantized) and 4 * input.rows * input.columns <= DECODED_MOST:
            input = input.dense()
        self.dictionary, self.input = dictionary, input
        self.words: Floats | None = None
        self.sizes = np.zeros(0, dtype=np.int32)
        self.lock = threading.Lock()

    def folds(self, lines: int) -> bool:
        """Whether so many lines are read by the sums of words. It depends on nothing else, so that answers do not, either."""
        dictionary, width = self.dictionary, self.input.shape[1]
        if isinstance(self.input, Quantized) or dictionary.arguments.max_n < 1:
            return False
        if WORDS_A_LINE * lines < dictionary.size or 4 * dictionary.size * width > FOLDED_MOST:
            return False
        with self.lock:
            if self.words is None:
                self.words = self._sums(self.input)
        return True

    def _sums(self, input: Floats) -> Floats:
        size = self.dictionary.size
        words, self.sizes = np.empty((size, input.shape[1]), dtype=np.float32), np.empty(size, dtype=np.int32)
        for first in range(0, size, WORDS_AT_ONCE):
            last = min(size, first + WORDS_AT_ONCE)
            rows, starts = self.dictionary.rows_of_known(first, last)
            kernels.sums(input, rows, starts, words[first:last])
            self.sizes[first:last] = np.diff(starts)
        return words

    def means(self, lines: Lines, folded: bool) -> Floats:
        """(N, D) the mean of each line's rows; ``folded``: known words stand for their n-grams."""
        if isinstance(self.input, Quantized):
            return self.input.mean_of(lines.rows, lines.starts, threads=1)
        hidden = np.empty((len(lines), self.input.shape[1]), dtype=np.float32)
        if folded and self.words is not None:
            given = self.input, self.words, self.sizes
            kernels.folded_means(*given, lines.rows, lines.starts, 0, len(lines), hidden)
        else:
            kernels.means(self.input, lines.rows, lines.starts, 0, len(lines), hidden)
        return hidden


def _in_blocks(block: Callable[[int, int, Room], None], number: int, threads: int) -> None:
    """Call ``block(first, last, room)`` for all lines, some at a time; each thread takes the next ones as soon as it is free."""
    firsts, lock = iter(range(0, number, LINES_AT_ONCE)), threading.Lock()

    def work(_thread: int, _control: NDArray[np.int64]) -> None:
        room = Room()
        while True:
            with lock:
                first = next(firsts, None)
            if first is None:
                return
            block(first, min(number, first + LINES_AT_ONCE), room)

    run_together(work, min(threads, -(-number // LINES_AT_ONCE)))


def _bytes(word: str | bytes) -> bytes:
    return word.encode() if isinstance(word, str) else word


def _bad_shape(en: str, zh: str) -> UsageError:
    return UsageError("bad-shape", say(f"the matrices do not fit: {en}", f"矩阵形状不符：{zh}"))


def _overflow() -> ModelFileError:
    return ModelFileError(
        "model-not-finite",
        say(
            "the model's numbers are so large that a score is not finite; it was not trained to its end",
            "模型中的数过大，得分不是有限数；该模型没有训练好",
        ),
        help=say("train it again with a smaller learning rate", "请用更小的学习率重新训练"),
    )
