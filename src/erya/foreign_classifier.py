"""A classifier in a file of the original fastText (.bin, .ftz), which answers, explains itself and is kept as any classifier of Erya.

It computes as the original does, in float32, whatever the loss and whether the matrices are quantized. Saved as ``.erya`` it loses
nothing and can be written back. Not a room: nothing is trained here. Files are the matter of ``models/fasttext/binary.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from erya import catalog, machine
from erya.contract import Model
from erya.errors import UsageError
from erya.language import say
from erya.progress import Report, quiet
from erya.state import State

if TYPE_CHECKING:
    from erya.models.fasttext.original import Original
    from erya.trace import Trace

PREFIX = "__label__"
SHARED = ("softmax", "hs")  # losses whose probabilities sum to 1; the others answer for each label by itself
_ADDED = 1e-5  # the original adds it to every probability before the logarithm
_ANSWERS_AT_ONCE = 1 << 22  # lines × labels


def is_fasttext(path: Path) -> bool:
    """Whether a file begins like a model of the original program."""
    return catalog.fasttext_task(path) is not None


def open_classifier(path: Path) -> Any:
    """A classifier from an ``.erya`` file, or from a file of the original.

    Raises:
        ModelFileError: missing, damaged, or neither.
        UsageError: the original's file holds word vectors.
    """
    return FastTextFile.open(path) if is_fasttext(path) else catalog.load(path)


class FastTextFile(Model):
    """A classifier of the original program. Made by ``FastTextFile.open``, ``erya.load("m.bin")`` or ``erya convert``.

    Attributes:
        classes_: (C,) its labels without ``__label__``, sorted.
        original_: the model as it stands in the file.

    Example:
        >>> erya.load("lid.176.ftz").predict(["which language is this"])  # doctest: +SKIP
        array(['en'], dtype='<U7')
    """

    id: ClassVar[str] = "classify/fasttext_file"

    def __init__(self) -> None:
        pass

    @classmethod
    def open(cls, path: Path) -> Self:
        """The classifier in a file of the original.

        Raises:
            ModelFileError: missing or damaged.
            UsageError: the file holds word vectors.
        """
        from erya.models.fasttext import binary

        original = binary.read(path)
        if not original.arguments.supervised:
            raise UsageError(
                "other-task",
                say(f"{path.name} holds word vectors, no classifier", f"{path.name} 是词向量，不是分类模型"),
                help="erya train classify/fasttext DATA -o m.erya",
            )
        return cls.of(original)

    @classmethod
    def of(cls, original: Original) -> Self:
        """A classifier from the original's model, which must be one."""
        made = cls()
        made._take(original)
        return made

    def _take(self, original: Original) -> None:
        self.original_ = original
        whole = [str(name) for name in original.label_names("backslashreplace").tolist()]
        short = [name.removeprefix(PREFIX) for name in whole]
        names: NDArray[Any] = np.array(short if len(set(short)) == len(short) else whole, dtype=str)
        self._order: NDArray[np.int64] = np.argsort(names, kind="stable")  # column → number in the file
        self.classes_: NDArray[Any] = names[self._order]

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> NoReturn:
        """There is nothing to train: UsageError."""
        raise UsageError(
            "not-trained",
            say("a file of fastText is trained already", "fastText 文件里的模型已经训练好了"),
            help="erya train classify/fasttext DATA -o m.erya",
        )

    # ---- answering --------------------------------------------------------------------------------------------

    @property
    def shares_out(self) -> bool:
        """Whether the probabilities of a text sum to 1; else each label is answered for by itself (ova, ns)."""
        return self.original_.arguments.loss in SHARED

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) the probability of each class.

        As the original's, but where it answers with one label (softmax, hs) without the 10⁻⁵ that it adds to each, and rows sum to
        1; a text without a known word gets equal shares. With ova and ns every label has a probability of its own.
        """
        self._check_fitted()
        lines, classes = _lines(X), len(self.classes_)
        found = np.zeros((len(lines), classes))
        block = max(1, _ANSWERS_AT_ONCE // max(1, classes))
        for first in range(0, len(lines), block):
            answers = self.original_.predict(lines[first : first + block], k=-1, threads=machine.threads())
            filled = np.arange(answers.labels.shape[1])[None, :] < answers.counts[:, None]
            line, _ = np.nonzero(filled)
            found[first + line, answers.labels[filled]] = answers.probabilities[filled]
        found = found[:, self._order]
        if not self.shares_out:
            return np.minimum(found, 1.0)
        found = np.maximum(found - _ADDED, 0.0)
        totals = found.sum(axis=1, keepdims=True)
        return np.where(totals > 0, found / np.where(totals > 0, totals, 1.0), 1.0 / max(1, classes))

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable class of each text."""
        answers: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return answers

    def probability_of(self, column: int, X: list[Any]) -> NDArray[np.float64]:
        """(N,) the probability of one class as the original gives it; 0 for a text without a known word."""
        lines, number = _lines(X), int(self._order[column])
        found = np.zeros(len(lines))
        block = max(1, _ANSWERS_AT_ONCE // len(self.classes_))
        for first in range(0, len(lines), block):
            answers = self.original_.predict(lines[first : first + block], k=-1, threads=machine.threads())
            filled = np.arange(answers.labels.shape[1])[None, :] < answers.counts[:, None]
            line, place = np.nonzero(filled & (answers.labels == number))
            found[first + line] = np.minimum(answers.probabilities[line, place], 1.0)
        return found

    # ---- looking inside ---------------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """What the file says of itself: sizes and settings by Erya's names."""
        from dataclasses import asdict

        self._check_fitted()
        settings = asdict(self.original_.arguments)
        del settings["model"]
        counts = {"words": self.original_.dictionary.size, "labels": len(self.classes_)}
        return {**counts, "quantized": self.original_.quantized, **settings}

    def trace(self, x: Any) -> Trace:
        """The way of one text through the model: rows (n,), vectors (n, D), hidden (D,), scores (C,), probabilities (C,)."""
        from erya.models.fasttext import original_views

        return original_views.trace(self.original_, self.id, *self._asked(x))

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label: what each word and n-gram added to its score. Exact: the parts sum to the score.

        Raises:
            UsageError: no such label.
        """
        from erya.models.fasttext import original_views

        name = None if label is None else str(label)
        return original_views.explain(self.original_, self.id, *self._asked(x), name)

    def _asked(self, x: Any) -> tuple[str, list[str], NDArray[np.float64]]:
        """A line, the labels in the file's order and their probabilities."""
        self._check_fitted()
        labels, answer = np.empty_like(self.classes_), np.zeros(len(self.classes_))
        labels[self._order], answer[self._order] = self.classes_, self.predict_proba([x])[0]
        return _line(x), labels.tolist(), answer

    # ---- what was learned -------------------------------------------------------------------------------------

    def to_original(self) -> Original:
        """The model as the original's, to be written as ``.bin`` or ``.ftz``."""
        self._check_fitted()
        return self.original_

    def state(self) -> State:
        """Names, counts and both matrices, quantized or not."""
        from erya.models.fasttext.original_state import state_of

        self._check_fitted()
        return state_of(self.original_)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another; word vectors.
        """
        from erya.models.fasttext.original_state import original_of

        original = original_of(state)
        if not original.arguments.supervised:
            raise ValueError("this is no classifier")
        self._take(original)


def write_original(path: Path, model: Any) -> list[str]:
    """Write a model that can be told in the original's format as ``.bin``, or ``.ftz``.

    Returns:
        What the file does not hold, in words.

    Raises:
        UsageError: the model cuts text otherwise than the original, or is none that the format knows.
        DataError: a word, label or matrix that the format cannot hold.
    """
    from erya.models.fasttext import binary

    if hasattr(model, "to_original"):
        binary.write(path, model.to_original())
        return []
    if model.id != "classify/fasttext":
        raise UsageError(
            "other-task",
            say(f"{model.id} cannot be told in fastText's format", f"{model.id} 无法写成 fastText 的格式"),
            help="--to fasttext-vec"
            if model.task() == "vectors"
            else "erya train classify/fasttext DATA --set tokenizer=whitespace -o m.erya",
        )
    from erya.models.fasttext.classifier_exchange import to_original

    small = path.suffix.lower() == ".ftz"
    binary.write(path, to_original(model, pruned=small))
    lost = [say("settings and training record", "设置与训练记录")]
    if model.several_:
        lost.append(say("the labels' own thresholds", "各标签自己的阈值"))
    if small:
        lost.append(say("precision (a byte a number)", "精度（每个数一个字节）"))
    elif len(model.features_.kept):
        lost.append(say("some certainty, where n-grams were never learned", "遇到没学过的 n 元组时，把握会偏低"))
    return lost


def _lines(X: Any) -> list[str]:
    from erya.tasks import classify

    return [_line(text) for text in classify.documents(X)]


def _line(text: Any) -> str:
    """A text as one line: line ends inside it count as spaces, since the original knows only lines."""
    if not isinstance(text, str):
        raise UsageError(
            "not-text",
            say("this model takes one text, not two", "这个模型只接受一段文本，不接受文本对"),
            help=say("name the field of the text: --text FIELD", "指明文本字段：--text 字段"),
        )
    return text.replace("\n", " ").encode("utf-8", "replace").decode("utf-8")
