"""Text into the units that a language model predicts, and back: nothing is lowered, nothing is dropped.

A classifier may forget white space; a model that writes must not. ``glue(cut(text)) == text`` for every kind but ``"whitespace"``,
whose texts are tokenised already and come back with one blank between two units.

    characters   every code point
    words        " the" with the blank before it, " 2", ","; each Han character alone
    whitespace   what stands between white space: for closed vocabularies such as that of the Penn Treebank
    bpe          pieces of bytes, learned from the text (``Subwords``)
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from erya.errors import UsageError, nearest, quoted
from erya.language import say
from erya.text.subwords import Subwords
from erya.text.tokenizers import HAN, Span, marks

NAMES = ("auto", "characters", "words", "whitespace", "bpe")
PIECES = 8000  # that ``"bpe"`` learns


@runtime_checkable
class Units(Protocol):
    """What a language model asks of its units. They never change once made, and compare by value."""

    @property
    def name(self) -> str:
        """The kind, as ``make`` takes it."""

    def cut(self, text: str) -> list[str]:
        """The units of ``text``, in order."""

    def spans(self, text: str) -> list[Span]:
        """Character offsets ``(start, end)`` of the same units in ``text``."""

    def glue(self, units: Sequence[str]) -> str:
        """The text that units make."""

    def to_plain(self) -> dict[str, Any]:
        """As JSON data; ``from_plain`` is the inverse."""


def _one_after_the_other(units: Iterable[str]) -> list[Span]:
    place, found = 0, []
    for unit in units:
        found.append((place, place + len(unit)))
        place += len(unit)
    return found


@dataclass(frozen=True, slots=True)
class CharacterUnits:
    """Every code point is a unit, line ends too."""

    @property
    def name(self) -> str:
        """``"characters"``."""
        return "characters"

    def cut(self, text: str) -> list[str]:
        """The characters of ``text``."""
        return list(text)

    def spans(self, text: str) -> list[Span]:
        """Each is one character wide."""
        return [(place, place + 1) for place in range(len(text))]

    def glue(self, units: Sequence[str]) -> str:
        """One after the other."""
        return "".join(units)

    def to_plain(self) -> dict[str, Any]:
        """``{"units": "characters"}``."""
        return {"units": "characters"}


@functools.cache
def _words() -> re.Pattern[str]:
    """A blank belongs to the word or the sign that it stands before; every other white space is a unit of its own."""
    low, high = marks()
    inside = f"(?:[^\\W_{HAN}]|[{low}{high}\u200c\u200d])"
    return re.compile(f" ?(?:[^\\W_{HAN}]{inside}*+|[^\\s])|\\s")


@dataclass(frozen=True, slots=True)
class WordUnits:
    """A word, a sign or a Han character, with the blank before it."""

    @property
    def name(self) -> str:
        """``"words"``."""
        return "words"

    def cut(self, text: str) -> list[str]:
        """The units of ``text``."""
        return _words().findall(text)

    def spans(self, text: str) -> list[Span]:
        """Where they stand; nothing lies between two."""
        return _one_after_the_other(self.cut(text))

    def glue(self, units: Sequence[str]) -> str:
        """One after the other."""
        return "".join(units)

    def to_plain(self) -> dict[str, Any]:
        """``{"units": "words"}``."""
        return {"units": "words"}


@dataclass(frozen=True, slots=True)
class SpacedUnits:
    """What stands between white space, for text that is tokenised already."""

    @property
    def name(self) -> str:
        """``"whitespace"``."""
        return "whitespace"

    def cut(self, text: str) -> list[str]:
        """The units of ``text``."""
        return text.split()

    def spans(self, text: str) -> list[Span]:
        """Where they stand."""
        return [match.span() for match in re.finditer(r"\S+", text)]

    def glue(self, units: Sequence[str]) -> str:
        """With a blank between two."""
        return " ".join(units)

    def to_plain(self) -> dict[str, Any]:
        """``{"units": "whitespace"}``."""
        return {"units": "whitespace"}


@functools.cache
def _bytes_of() -> dict[str, int]:
    """The byte behind each letter of GPT-2's printable alphabet (Radford et al. 2019): the printable ones stand for themselves,
    the others for code points from 256 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(rest)}


def byte_letters() -> list[str]:
    """The letter of each of the 256 bytes in that alphabet."""
    return sorted(_bytes_of(), key=_bytes_of().__getitem__)


@dataclass(frozen=True, slots=True)
class ByteUnits:
    """Pieces of bytes that were learned from text; a unit is written in GPT-2's alphabet, a blank is ``Ġ``."""

    subwords: Subwords

    @property
    def name(self) -> str:
        """``"bpe"``."""
        return "bpe"

    def cut(self, text: str) -> list[str]:
        """The pieces of ``text``."""
        return self.subwords.tokens(text)

    def spans(self, text: str) -> list[Span]:
        """Where they stand; the pieces of one character share its span."""
        return self.subwords.spans(text)

    def glue(self, units: Sequence[str]) -> str:
        """The text behind the pieces; bytes that are no UTF-8 – half a character at the end – become U+FFFD."""
        known = _bytes_of()
        return bytes(known[letter] for unit in units for letter in unit if letter in known).decode("utf-8", "replace")

    def to_plain(self) -> dict[str, Any]:
        """``{"units": "bpe", "subwords": …}``."""
        return {"units": "bpe", "subwords": self.subwords.to_plain()}


def make(units: str | Units, texts: Iterable[str]) -> Units:
    """Units by name; an object comes back as it is.

    Args:
        units: ``"auto"`` – characters where half of the letters are Han, white space where the text is tokenised already, else
            words –, ``"characters"``, ``"words"``, ``"whitespace"``, ``"bpe"`` (8,000 pieces, learned here), or an object: ``Units``, or
            BPE ``Subwords`` that keep capitals.
        texts: of the training, for ``"auto"`` and ``"bpe"``.

    Raises:
        UsageError: no such name, or an object that is none.
        DataError: ``"bpe"`` of empty texts.
    """
    if isinstance(units, Subwords) and units.kind == "bpe" and not units.lower:
        return ByteUnits(units)
    if not isinstance(units, str):
        if isinstance(units, Units):
            return units
        raise UsageError(
            "unknown-tokenizer",
            say(f"a {type(units).__name__} does not cut text without loss", f"{type(units).__name__} 不能无损切分文本"),
            help=" ".join(NAMES),
        )
    if units == "auto":
        units = _guessed(texts)
    if units == "bpe":
        return ByteUnits(Subwords.train(texts, "bpe", PIECES, lower=False))
    simple: dict[str, Units] = {
        "characters": CharacterUnits(),
        "words": WordUnits(),
        "whitespace": SpacedUnits(),
    }
    if units not in simple:
        guess = nearest(units, NAMES)
        raise UsageError(
            "unknown-tokenizer",
            say(
                f"a language model has no tokenizer '{quoted(units)}'", f"语言模型没有名为 '{quoted(units)}' 的切分方式"
            ),
            help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else " ".join(NAMES),
        )
    return simple[units]


def _guessed(texts: Iterable[str]) -> str:
    sample, size = [], 0
    for text in texts:
        sample.append(text[:100_000])
        size += len(sample[-1])
        if size >= 100_000:
            break
    text = "\n".join(sample)
    han = len(re.findall(f"[{HAN}]", text))
    if 2 * han > len(re.findall(r"[^\W_]", text)):
        return "characters"
    # signs that stand apart, and none that leans on a word: somebody has tokenised this
    apart, leaning = len(re.findall(r"(?<!\S)[.,;:!?'](?!\S)", text)), len(re.findall(r"\w[.,;:!?](?!\w)", text))
    if "<unk>" in text or apart > 20 * (leaning + 1):
        return "whitespace"
    return "words"


def from_plain(plain: Any) -> Units:
    """The inverse of ``to_plain``. What it reads may come from a hostile file.

    Raises:
        ValueError: not the data of units that this version knows.
    """
    if isinstance(plain, dict) and plain.get("units") == "bpe" and set(plain) == {"units", "subwords"}:
        subwords = Subwords.from_plain(plain["subwords"]) if isinstance(plain["subwords"], dict) else None
        if subwords is not None and subwords.kind == "bpe" and not subwords.lower:
            return ByteUnits(subwords)
    for units in (CharacterUnits(), WordUnits(), SpacedUnits()):
        if plain == units.to_plain():
            return units
    raise ValueError(f"unknown units: {quoted(plain)}")
