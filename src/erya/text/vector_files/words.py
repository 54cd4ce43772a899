"""Bytes of words into strings, by one of three policies for those that are no UTF-8."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from erya.text.vector_files import complaints
from erya.text.vector_files.source import Source
from erya.text.vector_files.table import Growing

BadUtf8 = Literal["stop", "replace", "skip"]
POLICIES = ("stop", "replace", "skip")


def take(
    rows: Growing,
    source: Source,
    raws: Sequence[bytes | memoryview],
    bad_utf8: BadUtf8,
    place: Callable[[int], str],
    once: str | None = None,
) -> NDArray[np.bool_]:
    """Add the rows that stand behind ``rows`` with their words.

    Args:
        rows: gets the words; its matrix has the numbers already.
        source: the file with the words.
        raws: R words as bytes.
        bad_utf8: what to do with a word that is no UTF-8.
        place: where the row with this number in ``raws`` stands, for messages.
        once: the awk pattern that leaves each word's first line of this file, and makes a file that can be read.

    Returns:
        (R,) False for the rows that were left out.

    Raises:
        ModelFileError: a word is no UTF-8 (with "stop"), or stands twice.
    """
    words: list[str | None] = []
    replaced: set[str] = set()
    for number, raw in enumerate(raws):
        try:
            words.append(str(raw, "utf-8"))
        except UnicodeDecodeError as error:
            if bad_utf8 == "stop":
                raise complaints.not_utf8(source, place(number), bytes(raw)) from error
            word = str(raw, "utf-8", "replace")
            if bad_utf8 == "skip" or word in rows.seen or word in replaced:  # two bad words may now look alike
                words.append(None)
            else:
                words.append(word)
                replaced.add(word)
    twice = rows.take(words)
    if twice is not None:
        raise complaints.duplicate(source, place(twice), words[twice] or "", once)
    return np.array([word is not None for word in words], np.bool_)
