"""A model with the methods of the original's ``_FastText``, and its curves of precision and recall.

The mathematics is ``erya.models.fasttext.original``'s. Not here: training (``training.py``), what works on models (``util.py``).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.atomic import atomic_write
from erya.errors import ModelFileError, ResourceError, UsageError, quoted
from erya.language import say
from erya.models.fasttext import binary, making
from erya.models.fasttext.arguments import Arguments
from erya.models.fasttext.autotune import Trial
from erya.models.fasttext.dictionary import END, tokens_of
from erya.models.fasttext.making import How
from erya.models.fasttext.meter import Meter, general_lines, label_lines
from erya.models.fasttext.original import Original
from erya.models.fasttext.quantized import Quantized
from erya.models.fasttext.small_models import Try
from erya.progress import Report, quiet
from erya.text.files import unreadable

if TYPE_CHECKING:
    from erya.models.fasttext.lines import Lines

DEFAULT_RATE = 0.05  # of a model that was loaded: its file does not say

Floats = NDArray[np.float32]

_DUMPED_LOSSES = {"ova": "one-vs-all"}
_DUMPED_MODELS = {"cbow": "cbow", "skipgram": "sg", "supervised": "sup"}


class BadModelFile(ModelFileError, ValueError):
    """A model file that cannot be used; a ValueError, as in the original."""


class BadPlace(ResourceError, ValueError):
    """A place where no model can be written; a ValueError, as in the original."""


# ---- models --------------------------------------------------------------------------------------------------------


class FastTextModel:
    """A model, with the methods of the original's ``_FastText``.

    Several threads may ask one model at once. ``quantize`` and ``set_matrices`` change it.

    Args:
        model_path: a ``.bin`` or ``.ftz``; None: ``original`` is given.
        original: the model itself.
        settings: how it was trained, by the original's names.

    Attributes:
        best_params_: after autotuning: the settings that were found.
        trials_: likewise: everything that was tried.
        what_mattered_: likewise: (setting, share of the scores' variance that it explains), the largest first.
    """

    best_params_: dict[str, Any]
    trials_: list[Trial]
    what_mattered_: list[tuple[str, float]]

    def __init__(
        self,
        model_path: str | Path | None = None,
        original: Original | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if (model_path is None) == (original is None):
            raise UsageError("no-model", say("a path or a model is needed", "需要模型文件的路径或模型"))
        try:
            self.original = original if original is not None else binary.read(Path(str(model_path)))
        except ModelFileError as error:
            raise BadModelFile(error.code, error.message, where=error.where, help=error.help) from error
        self._settings = dict(settings or {})
        self._lists: dict[str, list[str]] = {}

    def __getattr__(self, name: str) -> Any:
        """Settings of the training by the original's names: ``model.lr``, ``model.wordNgrams``."""
        found = self.__dict__.get("_settings", {})
        if name in found:
            return found[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def f(self) -> SimpleNamespace:
        """What programs ask of the original's inner object: ``model.f.getArgs()``."""
        return SimpleNamespace(getArgs=lambda: SimpleNamespace(**self._arguments()), isQuant=self.is_quantized)

    def _arguments(self) -> dict[str, Any]:
        arguments = self.original.arguments
        return self._settings | {
            "dim": arguments.dim,
            "ws": arguments.window,
            "epoch": arguments.epochs,
            "minCount": arguments.min_count,
            "neg": arguments.negative,
            "wordNgrams": arguments.word_ngrams,
            "loss": arguments.loss,
            "model": arguments.model,
            "bucket": arguments.buckets,
            "minn": arguments.min_n,
            "maxn": arguments.max_n,
            "lrUpdateRate": arguments.update_rate,
            "t": arguments.sample,
        }

    # ---- what it is -----------------------------------------------------------------------------------------------

    def is_quantized(self) -> bool:
        """Whether the input matrix is stored as codes."""
        return self.original.quantized

    def get_dimension(self) -> int:
        """The width of all vectors."""
        return self.original.arguments.dim

    def get_words(self, include_freq: bool = False, on_unicode_error: str = "strict") -> Any:
        """All words, most frequent first; with ``include_freq`` also how often each was seen."""
        dictionary = self.original.dictionary
        words = [word.decode("utf-8", on_unicode_error) for word in dictionary.words]
        return (words, dictionary.counts.copy()) if include_freq else words

    def get_labels(self, include_freq: bool = False, on_unicode_error: str = "strict") -> Any:
        """All labels, likewise; the words of a model that has no labels."""
        dictionary = self.original.dictionary
        if not self.original.arguments.supervised:
            return self.get_words(include_freq, on_unicode_error)
        labels = self.original.label_names(on_unicode_error).tolist()
        return (labels, dictionary.label_counts.copy()) if include_freq else labels

    @property
    def words(self) -> list[str]:
        """All words."""
        if "words" not in self._lists:
            self._lists["words"] = self.get_words()
        return self._lists["words"]

    @property
    def labels(self) -> list[str]:
        """All labels."""
        if "labels" not in self._lists:
            self._lists["labels"] = self.get_labels()
        return self._lists["labels"]

    def __contains__(self, word: str) -> bool:
        """Whether the word is in the vocabulary."""
        return self.original.dictionary.row_of(word.encode()) >= 0

    def __getitem__(self, word: str) -> Floats:
        """The vector of a word."""
        return self.get_word_vector(word)

    def get_word_id(self, word: str) -> int:
        """The number of a word; −1: unknown."""
        return self.original.dictionary.number_of(word.encode())

    def get_label_id(self, label: str) -> int:
        """The number of a label; −1: unknown."""
        return self.original.dictionary.label_number(label.encode())

    def get_subword_id(self, subword: str) -> int:
        """The row of the input matrix that a subword falls to."""
        dictionary = self.original.dictionary
        if not dictionary.arguments.buckets:
            raise UsageError("no-buckets", say("this model has no subwords", "该模型没有子词"))
        return dictionary.size + dictionary.bucket_of(subword.encode())

    def get_subwords(self, word: str, on_unicode_error: str = "strict") -> tuple[list[str], NDArray[np.int32]]:
        """The subwords of a word, itself first where it is known, and their rows."""
        texts, rows = self.original.dictionary.subwords(word.encode())
        return [text.decode("utf-8", on_unicode_error) for text in texts], rows

    def get_line(self, text: str | list[str], on_unicode_error: str = "strict") -> Any:
        """The words and the known labels of a line, or of each of several."""
        if isinstance(text, list):
            pairs = [self.get_line(line, on_unicode_error) for line in text]
            return [words for words, _ in pairs], [labels for _, labels in pairs]
        _one_line(text, "get_line")
        dictionary, words, labels = self.original.dictionary, list[str](), list[str]()
        for token in tokens_of(text.encode() + b"\n"):
            if not dictionary.is_label(token):
                words.append(token.decode("utf-8", on_unicode_error))
            elif dictionary.label_number(token) >= 0:
                labels.append(token.decode("utf-8", on_unicode_error))
            if token == END:
                break
        return words, labels

    # ---- vectors --------------------------------------------------------------------------------------------------

    def get_word_vector(self, word: str) -> Floats:
        """(D,) the vector of a word, known or not."""
        return self.original.word_vector(word)

    def get_sentence_vector(self, text: str) -> Floats:
        """(D,) the vector of one line."""
        _one_line(text, "predict")
        return self.original.sentence_vector(text)

    def get_input_vector(self, ind: int) -> Floats:
        """(D,) a row of the input matrix."""
        rows = self.original.input.shape[0]
        if not 0 <= ind < rows:
            raise UsageError("bad-row", say(f"there is no row {ind} of {rows}", f"没有第 {ind} 行（共 {rows} 行）"))
        return self.original.vector_of_row(ind)

    def get_input_matrix(self) -> Floats:
        """(V + buckets, D) a copy of the input matrix."""
        return np.array(_dense(self.original.input))

    def get_output_matrix(self) -> Floats:
        """A copy of the output matrix."""
        _dense(self.original.input)
        return np.array(_dense(self.original.output))

    def set_matrices(self, input_matrix: NDArray[Any], output_matrix: NDArray[Any]) -> None:
        """Put other matrices in place, perhaps of another width."""
        old = self.original
        changed = Original(old.arguments, old.dictionary, old.input, old.output)
        changed.set_matrices(np.array(input_matrix, dtype=np.float32), np.array(output_matrix, dtype=np.float32))
        self.original = changed

    def get_nearest_neighbors(
        self, word: str, k: int = 10, on_unicode_error: str = "strict"
    ) -> list[tuple[float, str]]:
        """The k words most alike, with their cosine."""
        return [(score, found.decode("utf-8", on_unicode_error)) for score, found in self.original.nearest(word, k)]

    def get_analogies(
        self, wordA: str, wordB: str, wordC: str, k: int = 10, on_unicode_error: str = "strict"
    ) -> list[tuple[float, str]]:
        """The k words nearest to A − B + C."""
        found = self.original.analogies(wordA, wordB, wordC, k)
        return [(score, word.decode("utf-8", on_unicode_error)) for score, word in found]

    # ---- predicting -----------------------------------------------------------------------------------------------

    def predict(
        self, text: str | list[str], k: int = 1, threshold: float = 0.0, on_unicode_error: str = "strict"
    ) -> tuple[Any, Any]:
        """The best labels of a line and their probabilities, or of each of several lines.

        Args:
            text: one line, or a list of lines.
            k: how many labels at most; −1: all.
            threshold: least probability.
            on_unicode_error: what to do with labels that are not UTF-8.

        Returns:
            For a string a tuple of labels and an array; for a list a list of lists and a list of arrays.

        Raises:
            ValueError: a line end within a line, a model that is no classifier, or k = 0.
        """
        if not isinstance(text, list):
            _one_line(text, "predict")
            answers = self.original.predict([text], k, threshold)
            names, count = self.original.label_names(on_unicode_error), int(answers.counts[0])
            return tuple([names[i] for i in answers.labels[0, :count].tolist()]), answers.probabilities[0, :count]
        return self._predict(text, k, threshold, on_unicode_error)

    def predict_bytes(self, lines: list[bytes], k: int = 1, threshold: float = 0.0) -> tuple[Any, Any]:
        """``predict`` of lines as they lie in a file, without their ends, whatever their bytes.

        Labels that are not UTF-8 are shown with replacement characters.
        """
        try:
            return self._predict([line.decode() for line in lines], k, threshold, "replace")
        except UnicodeDecodeError:  # words are bytes, and hashed as such
            data = b"\n".join([*lines, b""])
            return self._predict(self.original.dictionary.encode(data, whole=True), k, threshold, "replace")

    def _predict(
        self, texts: list[str] | Lines, k: int, threshold: float, errors: str
    ) -> tuple[list[list[str]], list[Floats]]:
        answers = self.original.predict(texts, k, threshold)
        names = self.original.label_names(errors)
        if not len(names):
            return [[] for _ in texts], [np.zeros(0, dtype=np.float32) for _ in texts]
        with without_collecting():
            labels, probabilities = names[answers.labels].tolist(), list(answers.probabilities)
        for place in np.flatnonzero(answers.counts < answers.labels.shape[1]).tolist():
            count = int(answers.counts[place])
            labels[place], probabilities[place] = labels[place][:count], probabilities[place][:count]
        return labels, probabilities

    # ---- testing --------------------------------------------------------------------------------------------------

    def test(self, path: str | Path, k: int = 1, threshold: float = 0.0) -> tuple[int, float, float]:
        """How many lines of a labelled file were counted, precision at k and recall at k."""
        meter = self.original.test(Path(path), k, threshold)
        return meter.examples, meter.precision(), meter.recall()

    def test_label(self, path: str | Path, k: int = 1, threshold: float = 0.0) -> dict[str, dict[str, float]]:
        """Precision, recall and f1 of each label."""
        meter = self.original.test(Path(path), k, threshold)
        return {
            label: {"precision": meter.precision(i), "recall": meter.recall(i), "f1score": meter.f1(i)}
            for i, label in enumerate(self.get_labels(on_unicode_error="replace"))
        }

    def get_meter(self, path: str | Path, k: int = -1) -> FastTextMeter:
        """Curves of precision and recall on a labelled file."""
        return FastTextMeter(self, self.original.test(Path(path), k, unanswered=True))

    def test_text(self, source: str | Path | bytes, k: int = 1, threshold: float = 0.0) -> str:
        """The three lines that ``fasttext test`` prints, of a file or of the text itself as bytes."""
        return "\n".join(general_lines(self.original.test(source, k, threshold), k))

    def test_label_lines(self, source: str | Path | bytes, k: int = 1, threshold: float = 0.0) -> list[str]:
        """The lines that ``fasttext test-label`` prints, likewise."""
        meter = self.original.test(source, k, threshold)
        return label_lines(meter, self.get_labels(on_unicode_error="replace")) + general_lines(meter, k, fixed=True)

    # ---- files ----------------------------------------------------------------------------------------------------

    def save_model(self, path: str | Path) -> None:
        """Write the model so that the original reads it, too; whole or not at all.

        Raises:
            ValueError: there is no such folder, no space, no permission.
        """
        try:
            binary.write(Path(path), self.original)
        except ResourceError as error:
            raise BadPlace(error.code, error.message, where=error.where, help=error.help) from error

    def save_vectors(self, path: str | Path) -> None:
        """Write all words' vectors as text (``.vec``)."""
        lines = making.vec_lines(self.original)
        atomic_write(path, lambda stream: stream.writelines(line + b"\n" for line in lines))

    def save_output(self, path: str | Path) -> None:
        """Write the output matrix as text."""
        lines = making.vec_lines(self.original, output=True)
        atomic_write(path, lambda stream: stream.writelines(line + b"\n" for line in lines))

    def dump_lines(self, what: str) -> Iterator[str]:
        """The lines that ``fasttext dump`` prints.

        Args:
            what: "args", "dict", "input" or "output".

        Raises:
            UsageError: the matrix is quantized, or there is nothing of that name.
        """
        if what == "args":
            yield from _dumped_arguments(self.original.arguments)
        elif what == "dict":
            dictionary = self.original.dictionary
            yield str(len(dictionary))
            names = [*dictionary.words, *dictionary.labels]
            for number, (name, count) in enumerate(zip(names, dictionary.all_counts.tolist(), strict=True)):
                kind = "word" if number < dictionary.size else "label"
                yield f"{name.decode('utf-8', 'replace')} {count} {kind}"
        elif what in ("input", "output"):
            matrix = _dense(self.original.input)
            matrix = matrix if what == "input" else _dense(self.original.output)
            yield f"{matrix.shape[0]} {matrix.shape[1]}"
            form = " ".join(["%.6g"] * matrix.shape[1])
            for row in matrix:
                yield form % tuple(row.tolist())
        else:
            raise UsageError(
                "bad-argument", say(f"dump {quoted(what, 20)}: unknown", f"dump {quoted(what, 20)}：无法识别")
            )

    def quantize(
        self,
        input: str | Path | None = None,
        qout: bool = False,
        cutoff: int = 0,
        retrain: bool = False,
        epoch: int | None = None,
        lr: float | None = None,
        thread: int | None = None,
        verbose: int | None = None,
        dsub: int = 2,
        qnorm: bool = False,
    ) -> None:
        """Make the model small: product quantization, perhaps of a part of the rows that is trained once more.

        Args:
            input: the training file; needed for ``retrain``.
            qout: also the output matrix.
            cutoff: how many rows stay; 0: all.
            retrain: train the rows that stay once more.
            epoch: passes of that; None: as the model was trained.
            lr: its learning rate; None: likewise.
            thread: how many at most.
            verbose: accepted.
            dsub: columns that share a byte.
            qnorm: code the rows' lengths apart.
        """
        from erya.models.fasttext.quantize import Retraining, Settings, quantize

        if retrain and not input:
            raise UsageError(
                "no-input", say("Need input file path if retraining", "再训练需要训练文件（input）"), help="input=…"
            )
        retraining = None
        if retrain and input:
            rate = lr or self._settings.get("lr") or DEFAULT_RATE
            retraining = Retraining(bytes_of_file(Path(input)), epoch or None, float(rate))
        chosen = Settings(dsub=dsub, qnorm=qnorm, qout=qout, cutoff=cutoff)
        threads = How(threads=thread).workers
        self.original = quantize(self.original, chosen, retraining=retraining, threads=threads)

    def quantize_under(
        self,
        size: str | int,
        validation: str | Path | None = None,
        input: str | Path | None = None,
        report: Report = quiet,
    ) -> list[Try]:
        """Make the model so small that its file has at most ``size`` bytes, as well as it can be done.

        Args:
            size: bytes, or ``"1M"``, ``"500k"``.
            validation: labelled lines by which a classifier is chosen: F1 of the first answer. Word vectors need none: they are to
                stay as near as possible to what they were.
            input: the training file; the rows that stay are trained once more.
            report: told about every try.

        Returns:
            Everything that was tried: settings, size and score.

        Raises:
            ValueError: it cannot be made so small, or a classifier without ``validation``.
        """
        from erya.models.fasttext.quantize import Retraining
        from erya.models.fasttext.small_models import best_under, f1_on, likeness_to
        from erya.models.fasttext.tuning import bytes_of

        most = bytes_of(str(size))
        if most is None or (self.original.arguments.supervised and validation is None):
            raise UsageError(
                "no-validation",
                say("a classifier is chosen by labelled lines: a file is needed", "选择分类器需要带标签的验证文件"),
                help="quantize_under('1M', 'valid.txt') · -max-size 1M -autotune-validation valid.txt",
            )
        score = likeness_to(self.original) if validation is None else f1_on(Path(validation))
        retraining = None if input is None else Retraining(bytes_of_file(Path(input)))
        found = best_under(self.original, most, score, retraining=retraining, report=report)
        self.original = found.model
        return found.tries


class FastTextMeter:
    """Curves of precision and recall, of one label or of all."""

    def __init__(self, model: FastTextModel, meter: Meter) -> None:
        self.model, self.meter = model, meter

    def _number(self, label: str | None) -> int | None:
        return self.model.get_label_id(label) if label else None

    def score_vs_true(self, label: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The scores of a label's answers, and whether each was right."""
        return self.meter.scores_and_truth(self._number(label))

    def precision_recall_curve(self, label: str | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Precision and recall over the threshold."""
        return self.meter.curve(self._number(label))

    def precision_at_recall(self, recall: float, label: str | None = None) -> float:
        """The best precision with at least this recall."""
        return self.meter.precision_at_recall(recall, self._number(label))

    def recall_at_precision(self, precision: float, label: str | None = None) -> float:
        """The best recall with at least this precision."""
        return self.meter.recall_at_precision(precision, self._number(label))


# ---- functions -----------------------------------------------------------------------------------------------------


def load_model(path: str | Path) -> FastTextModel:
    """The model in a ``.bin`` or ``.ftz``.

    Raises:
        ValueError: it cannot be opened or is damaged.
    """
    return FastTextModel(model_path=path)


def tokenize(text: str) -> list[str]:
    """The tokens of a text, ``</s>`` for each line end."""
    return [token.decode() for token in tokens_of(text.encode())]


# ---- helpers -------------------------------------------------------------------------------------------------------


@contextmanager
def without_collecting() -> Iterator[None]:
    """While many small lists are made, of which none is garbage: the collector would look through the whole program meanwhile."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _one_line(text: str, who: str) -> None:
    if "\n" in text:
        raise UsageError(
            "line-end",
            say(f"{who} processes one line at a time (remove '\\n')", f"{who} 每次只处理一行（请去掉 '\\n'）"),
            help="text.replace('\\n', ' ')",
        )


def bytes_of_file(path: Path) -> bytes:
    """A file whole. Raises DataError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def _dense(matrix: Floats | Quantized) -> Floats:
    if isinstance(matrix, Quantized):
        raise UsageError("quantized", say("Can't get quantized Matrix", "量化过的矩阵无法取出"))
    return matrix


def _dumped_arguments(arguments: Arguments) -> Iterator[str]:
    yield f"dim {arguments.dim}"
    yield f"ws {arguments.window}"
    yield f"epoch {arguments.epochs}"
    yield f"minCount {arguments.min_count}"
    yield f"neg {arguments.negative}"
    yield f"wordNgrams {arguments.word_ngrams}"
    yield f"loss {_DUMPED_LOSSES.get(arguments.loss, arguments.loss)}"
    yield f"model {_DUMPED_MODELS[arguments.model]}"
    yield f"bucket {arguments.buckets}"
    yield f"minn {arguments.min_n}"
    yield f"maxn {arguments.max_n}"
    yield f"lrUpdateRate {arguments.update_rate}"
    yield f"t {arguments.sample:.6g}"
