"""Text into tokens, with the place of each token in the text.

``tokens(text)`` gives the forms that a model counts (lower-cased where asked); ``spans(text)`` gives, for the same tokens in
the same order, the character offsets in the text as it came, so that ``text[start:end]`` is the token as it was written.
No character is lost but white space, whatever the text holds: NUL, lone surrogates, zero-width marks, 4-byte Han.

This file does not normalise (no NFKC, no traditional → simplified) and does not stem.
"""

from __future__ import annotations

import functools
import importlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from erya.errors import UsageError, nearest, quoted
from erya.language import say
from erya.text.subwords import Subwords

SEPARATOR = "[SEP]"  # between the two texts of a pair; no tokenizer here makes this token out of text
HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # as the inside of a character class

Span = tuple[int, int]
Document = str | tuple[str, str]


@runtime_checkable
class Tokenizer(Protocol):
    """What a model asks of a tokenizer. Tokenizers never change once made, and compare by value."""

    @property
    def name(self) -> str:
        """Its kind, as ``make`` takes it."""

    def tokens(self, text: str) -> list[str]:
        """The forms to count."""

    def spans(self, text: str) -> list[Span]:
        """Character offsets ``(start, end)`` of the same tokens in ``text``."""

    def to_plain(self) -> dict[str, Any]:
        """As JSON data; ``from_plain`` is the inverse."""


# ---- the patterns ------------------------------------------------------------------------------------------------


@functools.cache
def marks() -> tuple[str, str]:
    """All combining marks as the insides of two character classes (below and above U+FFFF), looked up, since ``re`` cannot
    name the category. Two, since ``re`` tests the lower by a bit map and walks through the upper range by range.
    """
    halves: list[str] = []
    for codes in (range(0x300, 0x10000), (*range(0x10000, 0x20000), *range(0xE0100, 0xE01F0))):  # none elsewhere
        marks = [code for code in codes if unicodedata.category(chr(code))[0] == "M"]
        starts = [code for code in marks if unicodedata.category(chr(code - 1))[0] != "M"]
        ends = [code for code in marks if unicodedata.category(chr(code + 1))[0] != "M"]
        halves.append("".join(f"\\U{start:08x}-\\U{end:08x}" for start, end in zip(starts, ends, strict=True)))
    return halves[0], halves[1]


def _one_of_marks(more: str = "") -> str:
    """A group that matches one mark, or one character of ``more``."""
    low, high = marks()
    return f"(?:[{low}{more}]|(?![\\x00-\\uffff])[{high}])"


@functools.cache
def _patterns(run: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The patterns of ``Words`` for pure ASCII and for all text.

    Every repetition is possessive: a million marks in a row cost a million steps, not their square.

    Args:
        run: "" for Han characters alone, "++" for runs of them.
    """
    letter, extend = f"[^\\W_{HAN}]", _one_of_marks("\u200c\u200d")  # joiners: Persian and Indic words
    word = f"{letter}++(?:{extend}++{letter}*+)*+"
    tone = f"(?:{_one_of_marks()}|[\U0001f3fb-\U0001f3ff])*+"  # marks and skin tones
    # a flag is two letters; Han that this Python's Unicode does not know yet is no emoji all the same
    other = f"[\U0001f1e6-\U0001f1ff]{{2}}|\\S{tone}(?:\u200d[^\\w\\s{HAN}]{tone})*+"
    han = f"[{HAN}]{run}" if run else f"[{HAN}]{_one_of_marks()}*+"
    return re.compile(r"[A-Za-z0-9]++|\S"), re.compile(f"{han}|{word}|{other}")


@functools.cache
def _characters() -> re.Pattern[str]:
    return re.compile(f"\\s++|\\S{_one_of_marks()}*+")


@functools.cache
def _any_mark() -> re.Pattern[str]:
    return re.compile(_one_of_marks())


def _lowered(pattern: re.Pattern[str], text: str) -> list[str]:
    """Tokens of ``text`` in lower case. Lowering the whole text first is the fast way, and the same but for Σ, whose
    lower case looks at its neighbours.
    """
    if "\u03a3" in text:
        return [token.lower() for token in pattern.findall(text)]
    return pattern.findall(text.lower())


@functools.cache
def _spoken() -> re.Pattern[str]:
    return re.compile(f"[^\\W_]|[{HAN}]")


def spoken(token: str) -> bool:
    """Whether there is a letter, a digit or a Han character in it."""
    return _spoken().search(token) is not None


def _without_punctuation(tokens: list[str]) -> list[str]:
    """The tokens that begin with a letter, a digit or a Han character: no other token of these tokenizers has any."""
    match = _spoken().match
    return [token for token in tokens if match(token)]


def _spans_without_punctuation(text: str, spans: list[Span]) -> list[Span]:
    match = _spoken().match
    return [span for span in spans if match(text, span[0])]


def _plain(kind: str, lower: bool, punctuation: bool) -> dict[str, Any]:
    """What tokenizers with punctuation are written as has not changed since there were others."""
    return {"kind": kind, "lower": lower} if punctuation else {"kind": kind, "lower": lower, "punctuation": False}


# ---- the five tokenizers -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Words:
    """Runs of letters, digits and combining marks; each Han character, each punctuation mark, each emoji alone.

    One default for English, Chinese and mixed text.

    Args:
        lower: whether tokens are lower-cased.
        punctuation: False: tokens without a letter, digit or Han character (marks, emoji, "_", " ") are left out.
    """

    lower: bool = True
    punctuation: bool = True

    @property
    def name(self) -> str:
        """``"words"``."""
        return "words"

    def tokens(self, text: str) -> list[str]:
        """The tokens of ``text``, lower-cased if ``lower``."""
        pattern = _patterns("")[0 if text.isascii() else 1]
        found = _lowered(pattern, text) if self.lower else pattern.findall(text)
        return found if self.punctuation else _without_punctuation(found)

    def spans(self, text: str) -> list[Span]:
        """Where they stand in ``text``."""
        found = [match.span() for match in _patterns("")[0 if text.isascii() else 1].finditer(text)]
        return found if self.punctuation else _spans_without_punctuation(text, found)

    def to_plain(self) -> dict[str, Any]:
        """``{"kind": "words", "lower": …}``."""
        return _plain("words", self.lower, self.punctuation)


@dataclass(frozen=True, slots=True)
class Characters:
    """Each character with its combining marks; a run of white space inside the text is one token ``" "``.

    Args:
        lower: whether tokens are lower-cased.
        punctuation: False: tokens without a letter, digit or Han character (marks, emoji, "_", " ") are left out.
    """

    lower: bool = True
    punctuation: bool = True

    @property
    def name(self) -> str:
        """``"characters"``."""
        return "characters"

    def tokens(self, text: str) -> list[str]:
        """The characters of ``text``, lower-cased if ``lower``; none for white space at either end."""
        found = self._all(text)
        return found if self.punctuation else _without_punctuation(found)

    def _all(self, text: str) -> list[str]:
        text = " ".join(text.split())
        if text.isascii() or not _any_mark().search(text):
            if self.lower and "\u0130" not in text and "\u03a3" not in text:  # İ becomes two characters
                text = text.lower()
            elif self.lower:
                return [character.lower() for character in text]
            return list(text)
        found = _characters().findall(text)
        return [token.lower() for token in found] if self.lower else found

    def spans(self, text: str) -> list[Span]:
        """Where they stand in ``text``; the span of ``" "`` covers the whole run of white space."""
        start = len(text) - len(text.lstrip())
        found = [match.span() for match in _characters().finditer(text, start, max(start, len(text.rstrip())))]
        return found if self.punctuation else _spans_without_punctuation(text, found)

    def to_plain(self) -> dict[str, Any]:
        """``{"kind": "characters", "lower": …}``."""
        return _plain("characters", self.lower, self.punctuation)


@dataclass(frozen=True, slots=True)
class ChineseWords:
    """Han characters joined to words by a segmenter (rjieba: jieba's dictionary and HMM, in Rust); the rest as ``Words``.

    Args:
        lower: whether tokens are lower-cased.
        punctuation: False: tokens without a letter, digit or Han character (marks, emoji, "_", " ") are left out.
    """

    lower: bool = True
    punctuation: bool = True

    @property
    def name(self) -> str:
        """``"chinese_words"``."""
        return "chinese_words"

    def tokens(self, text: str) -> list[str]:
        """The words of ``text``, lower-cased if ``lower``."""
        if text.isascii():
            return Words(self.lower, self.punctuation).tokens(text)
        cut, pattern = _segmenter(), _patterns("++")[1]
        found: list[str] = []
        for token in _lowered(pattern, text) if self.lower else pattern.findall(text):
            if len(token) > 1 and _is_han(token[0]):
                found.extend(cut(token))
            else:
                found.append(token)
        return found if self.punctuation else _without_punctuation(found)

    def spans(self, text: str) -> list[Span]:
        """Where they stand in ``text``."""
        if text.isascii():
            return Words(self.lower, self.punctuation).spans(text)
        cut = _segmenter()
        found: list[Span] = []
        for match in _patterns("++")[1].finditer(text):
            start, end = match.span()
            if end - start > 1 and _is_han(text[start]):
                for word in cut(match.group()):
                    found.append((start, start + len(word)))
                    start += len(word)
            else:
                found.append((start, end))
        return found if self.punctuation else _spans_without_punctuation(text, found)

    def to_plain(self) -> dict[str, Any]:
        """``{"kind": "chinese_words", "lower": …}``."""
        return _plain("chinese_words", self.lower, self.punctuation)


@dataclass(frozen=True, slots=True)
class Whitespace:
    """What stands between ASCII white space (blank, tab, line ends, vertical tab, form feed), untouched.

    For text that is tokenised already: what word2vec.c reads. A no-break space or U+3000 is part of a token.
    """

    @property
    def name(self) -> str:
        """``"whitespace"``."""
        return "whitespace"

    def tokens(self, text: str) -> list[str]:
        """The tokens of ``text``."""
        return _between_blanks().findall(text)

    def spans(self, text: str) -> list[Span]:
        """Where they stand in ``text``."""
        return [match.span() for match in _between_blanks().finditer(text)]

    def to_plain(self) -> dict[str, Any]:
        """``{"kind": "whitespace"}``."""
        return {"kind": "whitespace"}


@functools.cache
def _between_blanks() -> re.Pattern[str]:
    return re.compile(r"[^ \t\n\v\f\r]++")


def word_at_start(data: bytes, start: int) -> tuple[bytes, int]:
    """The word of letters that begins at ``data[start]``, in lower case, and how many bytes it takes there."""
    pattern, size = _patterns("")[1], 256
    while True:
        text = data[start : start + size].decode(
            "utf-8", "replace"
        )  # what ends a text there is no UTF-8: it parts words
        match = pattern.match(text)
        assert match is not None
        if match.end() < len(text) - 1 or start + size >= len(data):
            word = match.group()
            return word.lower().encode(), len(word.encode())
        size *= 16


def _is_han(character: str) -> bool:
    return re.match(f"[{HAN}]", character) is not None


@functools.cache
def _segmenter() -> Any:
    import rjieba  # its dictionary takes a moment to load: only when Chinese words are asked for

    return rjieba.Jieba().cut  # of our own: words added to the shared one elsewhere must not change a model's answers


# ---- by name, and as data ----------------------------------------------------------------------------------------

NAMES = ("auto", "words", "characters", "chinese_words", "whitespace")
TEXTS_AT_ONCE = 1024  # for tokenizers that are quicker with many
_UNITS = "erya.text.unit_tokens"  # they are made of what is here
_TAGGERS = "erya.segmenter"  # opens models, so it stands far above this file and is named here, not imported


def make(tokenizer: Any) -> Tokenizer:
    """A tokenizer by name; one that is a tokenizer already comes back as it is.

    Args:
        tokenizer: ``"auto"`` and ``"words"`` (``Words``), ``"characters"``, ``"chinese_words"``,
            ``"whitespace"``, or an object; or a trained tagger that finds words (``erya.load("seg.erya")``).

    Raises:
        UsageError: no such name, or a model that finds no words.
    """
    if not isinstance(tokenizer, str):
        if isinstance(tokenizer, Tokenizer):
            return tokenizer
        if hasattr(tokenizer, "predict") and hasattr(tokenizer, "state_version"):
            made: Tokenizer = importlib.import_module(_TAGGERS).Segmenter.of(tokenizer)
            return made
        raise UsageError(
            "unknown-tokenizer",
            say(f"a {type(tokenizer).__name__} is not a tokenizer", f"{type(tokenizer).__name__} 不是分词器"),
            help=" ".join(NAMES),
        )
    if tokenizer in ("auto", "words"):
        return Words()
    if tokenizer == "characters":
        return Characters()
    if tokenizer == "chinese_words":
        return ChineseWords()
    if tokenizer == "whitespace":
        return Whitespace()
    guess = nearest(tokenizer, NAMES)
    raise UsageError(
        "unknown-tokenizer",
        say(f"there is no tokenizer '{quoted(tokenizer)}'", f"没有名为 '{quoted(tokenizer)}' 的分词器"),
        help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else " ".join(NAMES),
    )


def from_plain(plain: Any) -> Tokenizer:
    """The inverse of ``to_plain``. What it reads may come from a hostile file.

    Raises:
        ValueError: not the data of a tokenizer that this version knows.
    """
    if not isinstance(plain, dict):
        raise ValueError("a tokenizer must be an object")
    kind = plain.get("kind")
    if kind == "subwords":
        return Subwords.from_plain(plain)
    if kind == "tagger":
        opened: Tokenizer = importlib.import_module(_TAGGERS).Segmenter.from_plain(plain)
        return opened
    if kind == "units":
        made: Tokenizer = importlib.import_module(_UNITS).UnitTokens.from_plain(plain)
        return made
    if plain == {"kind": "whitespace"}:
        return Whitespace()
    simple: dict[str, type[Words] | type[Characters] | type[ChineseWords]] = {
        "words": Words,
        "characters": Characters,
        "chinese_words": ChineseWords,
    }
    if (
        not isinstance(kind, str)
        or kind not in simple
        or set(plain) not in ({"kind", "lower"}, {"kind", "lower", "punctuation"})
        or not isinstance(plain["lower"], bool)
        or plain.get("punctuation", False) is not False
    ):
        raise ValueError(f"unknown tokenizer: {quoted(plain)}")
    return simple[kind](lower=plain["lower"], punctuation="punctuation" not in plain)


# ---- one text or a pair ------------------------------------------------------------------------------------------


def tokens_of(tokenizer: Tokenizer, document: Document) -> list[str]:
    """The tokens of a text, or of both texts of a pair with ``SEPARATOR`` between them."""
    if isinstance(document, str):
        return tokenizer.tokens(document)
    first, second = document
    return [*tokenizer.tokens(first), SEPARATOR, *tokenizer.tokens(second)]


def token_lists(tokenizer: Tokenizer, documents: Iterable[Document]) -> Iterator[list[str]]:
    """``tokens_of`` each of many documents, in their order; a tokenizer that is quicker with many texts gets them so."""
    many = getattr(tokenizer, "tokens_of_texts", None)
    rest = iter(documents)
    while many is not None and (some := list(islice(rest, TEXTS_AT_ONCE))):
        texts = [text for document in some for text in ([document] if isinstance(document, str) else document)]
        found = iter(many(texts))
        for document in some:
            first = next(found)
            yield first if isinstance(document, str) else [*first, SEPARATOR, *next(found)]
    for document in rest:
        yield tokens_of(tokenizer, document)


def located(tokenizer: Tokenizer, document: Document) -> tuple[str, list[str], list[Span]]:
    """One text to show, the tokens of ``tokens_of`` and the place of each in that text (a pair is shown as "a [SEP] b")."""
    if isinstance(document, str):
        return document, tokenizer.tokens(document), tokenizer.spans(document)
    first, second = document
    shown = f"{first} {SEPARATOR} {second}"
    middle = len(first) + 1
    shift = middle + len(SEPARATOR) + 1
    spans = [
        *tokenizer.spans(first),
        (middle, middle + len(SEPARATOR)),
        *((start + shift, end + shift) for start, end in tokenizer.spans(second)),
    ]
    return shown, tokens_of(tokenizer, document), spans
