"""A classifier in a file of the original fastText (.bin, .ftz), asked for probabilities as any classifier of Erya is."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya import catalog, machine
from erya.errors import UsageError
from erya.language import say

PREFIX = "__label__"
_MAGIC = struct.pack("<i", 793_712_314)
_ANSWERS_AT_ONCE = 1 << 22  # lines × labels


def is_fasttext(path: Path) -> bool:
    """Whether a file begins like a model of the original program."""
    try:
        with path.open("rb") as file:
            return file.read(4) == _MAGIC
    except OSError:
        return False


def open_classifier(path: Path) -> Any:
    """A classifier from an ``.erya`` file, or from a file of the original.

    Raises:
        ModelFileError: missing, damaged, or neither.
        UsageError: the original's file holds word vectors.
    """
    return FastTextFile(path) if is_fasttext(path) else catalog.load(path)


class FastTextFile:
    """The part of the contract that answering needs, over the original's model. Computes as the original does, in float32.

    Args:
        path: a .bin or .ftz file.

    Attributes:
        classes_: (C,) its labels without ``__label__``, in its own order.
    """

    id = "classify/fasttext"

    def __init__(self, path: Path) -> None:
        from erya.models.fasttext import binary

        self._original = binary.read(path)
        if not self._original.arguments.supervised:
            raise UsageError(
                "other-task",
                say(f"{path.name} holds word vectors, no classifier", f"{path.name} 是词向量，不是分类模型"),
                help="erya train classify/fasttext DATA -o m.erya",
            )
        names = [str(name).removeprefix(PREFIX) for name in self._original.label_names("backslashreplace").tolist()]
        self.classes_ = np.array(names)

    @staticmethod
    def task() -> str:
        """As models of Erya say it."""
        return "classify"

    def probability_of(self, column: int, X: list[Any]) -> NDArray[np.float64]:
        """(N,) the probability of one label; 0 for a text without a known word.

        Line ends inside a text count as spaces, since the original knows only lines.
        """
        lines = [_line(text) for text in X]
        found = np.zeros(len(lines))
        block = max(1, _ANSWERS_AT_ONCE // len(self.classes_))
        for first in range(0, len(lines), block):
            answers = self._original.predict(lines[first : first + block], k=-1, threads=machine.threads())
            filled = np.arange(answers.labels.shape[1])[None, :] < answers.counts[:, None]
            line, place = np.nonzero(filled & (answers.labels == column))
            found[first + line] = np.minimum(answers.probabilities[line, place], 1.0)
        return found


def _line(text: Any) -> str:
    if not isinstance(text, str):
        raise UsageError(
            "not-text",
            say("this model takes one text, not two", "这个模型只接受一段文本，不接受文本对"),
            help=say("name the field of the text: --text FIELD", "指明文本字段：--text 字段"),
        )
    return text.replace("\n", " ").encode("utf-8", "replace").decode("utf-8")
