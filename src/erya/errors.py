"""Errors that a user caused or can mend: what, where, and one command that helps. Never a traceback.

An ``EryaError`` carries a stable ``code`` (for programs) and sentences in the user's language (for people).
The command line turns it into one block on stderr and the exit code; in Python it is an ordinary exception.
"""

from __future__ import annotations

import difflib
import re
import shlex
import unicodedata
from collections.abc import Iterable


class EryaError(Exception):
    """Base of all foreseen errors.

    Args:
        code: stable name in kebab case, e.g. ``"column-missing"``; part of the ``--json`` document.
        message: what went wrong, in the user's own words and language.
        where: file:line, byte offset or part of an archive, where that is known.
        help: one command or step that mends it.
    """

    exit: int = 70

    def __init__(self, code: str, message: str, *, where: str | None = None, help: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.help = help

    def __reduce__(self) -> tuple[object, ...]:  # keyword-only arguments do not survive the default pickling
        return _rebuild, (type(self), self.code, self.message, self.where, self.help)

    def __str__(self) -> str:
        lines = [self.message]
        if self.where:
            lines.append(f"  --> {self.where}")
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)


def _rebuild(kind: type[EryaError], code: str, message: str, where: str | None, help: str | None) -> EryaError:
    return kind(code, message, where=where, help=help)


class UsageError(EryaError, ValueError):
    """The call itself is wrong: unknown option, model id or setting; a bare string for a list. Exit 2."""

    exit = 2


class DataError(EryaError, ValueError):
    """The data cannot be used: missing file or column, bad bytes, one class. Exit 3."""

    exit = 3


class ModelFileError(EryaError):
    """A model file is missing, damaged, hostile or from a newer Erya; nothing of it was used. Exit 4."""

    exit = 4


class ResourceError(EryaError):
    """Memory, disk, device or an extra that is not installed. Exit 5."""

    exit = 5


class DivergedError(EryaError):
    """A loss or gradient stopped being finite; the weights are those of the last good step. Exit 6."""

    exit = 6


class Interrupted(EryaError):
    """Ctrl-C or SIGTERM: the step was finished and the state saved. Exit 130."""

    exit = 130


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` that ``name`` was probably meant to be, or None."""
    known = list(names)
    folded = {candidate.casefold(): candidate for candidate in reversed(known)}
    found = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.5)
    return folded[found[0]] if found else None


def nearest_file(name: str, names: Iterable[str]) -> str | None:
    """The file that ``name`` was probably meant to be: alike also without the ending, which most files share."""
    guess = nearest(name, (candidate for candidate in names if candidate != name))
    return guess if guess and nearest(name.rpartition(".")[0] or name, [guess.rpartition(".")[0] or guess]) else None


def quoted(text: object, cells: int = 80) -> str:
    """Text that came from data, safe to print: control and bidi characters escaped, cut to ``cells`` terminal cells."""
    shown: list[str] = []
    width = 0
    for character in str(text):
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
            piece = character.encode("unicode_escape", "backslashreplace").decode("ascii")
            size = len(piece)
        else:
            piece = character
            size = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if width + size > cells:
            shown.append("…")
            break
        shown.append(piece)
        width += size
    return "".join(shown)


def typed(path: object) -> str:
    """A path as one would type it into a shell, so that a command in a message can be pasted."""
    text = str(path)
    return quoted(text if re.fullmatch(r"[\w./:@%+=,~·-]+", text) and text[0] != "~" else shlex.quote(text), 4096)
