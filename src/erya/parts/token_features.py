"""What a tagger sees of a token and its neighbours: feature templates as plain data.

A template names what is looked at and where: ``suffix3[0]`` is the last three letters of the token itself, ``lower[-1]`` the token
before in small letters, ``word[-1]|word[0]`` both together. For every value that a template takes in training, a tagger learns
how much it speaks for each tag. What a token shows depends on the token alone, so it is found once for each different token.

    word      the token                          lower     in small letters              bias     always the same
    prefixN   its first N letters, small         suffixN   its last N                    (no feature where it has fewer)
    shape     kinds of letters, runs as one: McX-07 → XxX-d       long_shape   the same letter by letter
    kind      one word for the whole token: Capital, UPPER, lower, digits, mixed, han, kana, mark, …
    digits    the token with every digit as 0
    pattern   the names of those ``patterns`` that match the whole token
    listed    the names of those ``lists`` with an entry that begins with the token (``name:B``) or has it inside (``name:I``)

Beyond an end of the sentence every one of them has the value "outside". Not here: what needs the whole document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from erya.errors import UsageError, nearest, quoted
from erya.language import say
from erya.text.tokenizers import HAN

FARTHEST = 8  # tokens to either side
NAMES = ("word", "lower", "shape", "long_shape", "kind", "digits", "pattern", "listed", "bias")
AFFIXES = ("prefix", "suffix")

_AROUND = ("lower[-2]", "lower[-1]", "lower[1]", "lower[2]", "shape[-1]", "shape[1]")
_AFFIXES = tuple(f"{side}{size}[0]" for side in AFFIXES for size in (1, 2, 3, 4))
WORDS = ("bias[0]", "word[0]", "lower[0]", "shape[0]", *_AFFIXES, *_AROUND)
CHARACTERS = (
    "bias[0]",
    *(f"word[{place}]" for place in (-2, -1, 0, 1, 2)),
    *("word[-2]|word[-1]", "word[-1]|word[0]", "word[0]|word[1]", "word[1]|word[2]", "word[-1]|word[1]"),
    *("kind[-1]", "kind[0]", "kind[1]", "kind[-1]|kind[0]|kind[1]"),
)
CHUNKS = (  # of words whose parts of speech nobody says: pairs of neighbours, and their endings
    *WORDS,
    *("lower[-1]|lower[0]", "lower[0]|lower[1]"),
    *("suffix2[-1]", "suffix3[-1]", "suffix2[1]", "suffix3[1]"),
    *("suffix3[-1]|suffix3[0]", "suffix3[0]|suffix3[1]"),
)
SETS = {"words": WORDS, "characters": CHARACTERS, "chunks": CHUNKS}

_TEMPLATE = re.compile(r"([a-z_]+?)([1-9]?)\[([+-]?\d{1,2})\]")
_RUNS = re.compile(r"(.)\1+")
_ONE_HAN = re.compile(f"[{HAN}]")
_KANA = re.compile("[\u3040-\u30ff]+")
_ALL_HAN = re.compile(f"[{HAN}]+")

Part = tuple[int, str]  # where, and what is looked at


@dataclass(frozen=True, slots=True)
class Template:
    """One or more values read together.

    Attributes:
        name: as written, brought to one form.
        parts: ``(place, function)``, in the order of places.
    """

    name: str
    parts: tuple[Part, ...]


def parsed(templates: Iterable[str]) -> tuple[Template, ...]:
    """Templates from what a user wrote; single ones by place first, then those of several parts.

    Raises:
        UsageError: none, one twice, or one that cannot be read; the message names the nearest function.
    """
    found: dict[str, Template] = {}
    for text in templates:
        parts = tuple(sorted({_part(piece, text) for piece in str(text).split("|")}))
        name = "|".join(f"{function}[{place}]" for place, function in parts)
        if name in found:
            raise _bad(text, say("it is there twice", "重复出现"))
        found[name] = Template(name, parts)
    if not found:
        raise _bad("", say("there are no templates", "没有给出模板"))
    return tuple(sorted(found.values(), key=lambda template: (len(template.parts) > 1, template.parts)))


def _part(piece: str, text: str) -> Part:
    match = _TEMPLATE.fullmatch(piece.strip())
    if match is None:
        raise _bad(
            text, say("a template looks like suffix3[0] or word[-1]|word[0]", "写法如 suffix3[0] 或 word[-1]|word[0]")
        )
    name, size, place = match[1], match[2], int(match[3])
    known = AFFIXES if size else NAMES
    if name not in known:
        guess = nearest(name + size, (*NAMES, *(f"{side}{number}" for side in AFFIXES for number in (1, 2, 3, 4))))
        raise _bad(
            text,
            say(f"nothing is called '{quoted(name + size, 20)}'", f"没有名为 '{quoted(name + size, 20)}' 的函数"),
            guess,
        )
    if abs(place) > FARTHEST:
        raise _bad(text, say(f"at most {FARTHEST} tokens away", f"最远 {FARTHEST} 个词"))
    return place, name + size


def _bad(text: object, reason: str, guess: str | None = None) -> UsageError:
    return UsageError(
        "bad-template",
        say(f"template '{quoted(text, 40)}': {reason}", f"模板 '{quoted(text, 40)}'：{reason}"),
        help=guess or "templates=('word[0]', 'suffix3[0]', 'word[-1]|word[0]')",
    )


def chosen(templates: str | Sequence[str], sentences: Iterable[Sequence[str]]) -> tuple[Template, ...]:
    """The templates that a setting means: a set's name, ``"auto"`` – by what the tokens are –, or a list of templates.

    Raises:
        UsageError: no such set, or a template that cannot be read.
    """
    if not isinstance(templates, str):
        return parsed(templates)
    if templates == "auto":
        return parsed(SETS["characters" if _are_characters(sentences) else "words"])
    if templates not in SETS:
        raise UsageError(
            "unknown-templates",
            say(f"there are no templates called '{quoted(templates)}'", f"没有名为 '{quoted(templates)}' 的模板组"),
            help=say(
                "auto, words, characters, chunks, or a list of templates",
                "可选 auto、words、characters、chunks，或模板列表",
            ),
        )
    return parsed(SETS[templates])


def _are_characters(sentences: Iterable[Sequence[str]]) -> bool:
    """Whether most tokens of the first sentences are single Chinese characters."""
    single = seen = 0
    for _, sentence in zip(range(1000), sentences, strict=False):
        seen += len(sentence)
        single += sum(len(token) == 1 and _ONE_HAN.match(token) is not None for token in sentence)
    return 2 * single > seen


# ---- what a token shows -------------------------------------------------------------------------------------------


def long_shape(token: str) -> str:
    """Capitals as X, small letters as x, digits as d; other characters are what they are."""
    return "".join([_letter(character) for character in token])


@lru_cache(maxsize=65536)
def _letter(character: str) -> str:
    if character.isdigit():
        return "d"
    if character.isupper() or character.istitle():
        return "X"
    if character.islower():
        return "x"
    return "c" if character.isalpha() else character


def shape(token: str) -> str:
    """``long_shape`` with every run of equals as one: at most as long as the token has changes."""
    if token.isascii() and token.isalpha():  # most words
        if token.islower():
            return "x"
        if token.isupper():
            return "X"
        if token[1:].islower():
            return "Xx"
    return _RUNS.sub(r"\1", long_shape(token))


def kind(token: str) -> str:
    """One word for the whole token."""
    if _ALL_HAN.fullmatch(token):
        return "han"
    if token.isdigit():
        return "digits"
    if _KANA.fullmatch(token):
        return "kana"
    if not any(character.isalnum() for character in token):
        return "mark"
    if any(character.isdigit() for character in token):
        return "mixed"
    if token.isupper():
        return "UPPER" if len(token) > 1 else "Capital"
    if token.islower():
        return "lower"
    return "Capital" if token[:1].isupper() else "mixed" if token.isalpha() and token != token.lower() else "other"


def digits(token: str) -> str:
    """Every digit as 0."""
    return "".join(["0" if character.isdigit() else character for character in token])


class Looker:
    """What the functions of some templates find in a token.

    Args:
        functions: F names, e.g. ``("word", "suffix3")``.
        lists: name → entries, each of one or more words divided by spaces.
        patterns: name → regular expression, to match a whole token.

    Raises:
        UsageError: a pattern that is none, or lists and patterns that are not tables of strings.
    """

    def __init__(
        self,
        functions: Sequence[str],
        lists: Mapping[str, Sequence[str]] | None = None,
        patterns: Mapping[str, str] | None = None,
    ) -> None:
        self.functions = tuple(functions)
        self._listed = _entries(lists or {})
        self._patterns = [(name, _pattern(name, text)) for name, text in sorted((patterns or {}).items())]
        self._asked = [self._function(name) for name in self.functions]
        self._given = (self.functions, dict(lists or {}), dict(patterns or {}))

    def __reduce__(self) -> tuple[object, ...]:  # functions in functions do not travel
        return Looker, self._given

    def values(self, token: str) -> list[str | None]:
        """F values; None: this function finds nothing."""
        lower = token.lower()
        return [ask(token, lower) for ask in self._asked]

    def _function(self, name: str) -> Callable[[str, str], str | None]:
        plain: dict[str, Callable[[str, str], str | None]] = {
            "word": lambda token, lower: token,
            "lower": lambda token, lower: lower,
            "shape": lambda token, lower: shape(token),
            "long_shape": lambda token, lower: long_shape(token),
            "kind": lambda token, lower: kind(token),
            "digits": lambda token, lower: digits(token),
            "bias": lambda token, lower: "",
            "listed": lambda token, lower: self._listed.get(token),
            "pattern": lambda token, lower: self._matching(token),
        }
        if name in plain:
            return plain[name]
        size = int(name[-1])
        if name.startswith("prefix"):
            return lambda token, lower: lower[:size] if len(lower) >= size else None
        return lambda token, lower: lower[-size:] if len(lower) >= size else None

    def _matching(self, token: str) -> str | None:
        return " ".join(name for name, pattern in self._patterns if pattern.fullmatch(token)) or None


def _entries(lists: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Token → the lists that have it, with its place in them."""
    found: dict[str, set[str]] = {}
    for name, entries in lists.items():
        if isinstance(entries, str) or not all(isinstance(entry, str) for entry in entries):
            raise UsageError(
                "bad-list",
                say(f"lists: '{quoted(name)}' is a list of strings", f"lists：'{quoted(name)}' 应为字符串列表"),
                help='lists={"city": ["Paris", "New York"]}',
            )
        for entry in entries:
            tokens = [entry] if " " not in entry else entry.split()
            for place, token in enumerate(tokens):
                found.setdefault(token, set()).add(f"{name}:{'I' if place else 'B'}")
    return {token: " ".join(sorted(names)) for token, names in found.items()}


def _pattern(name: str, text: Any) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, TypeError) as problem:
        raise UsageError(
            "bad-pattern",
            say(
                f"patterns: '{quoted(name)}' is no regular expression: {problem}",
                f"patterns：'{quoted(name)}' 不是合法的正则表达式：{problem}",
            ),
            help='patterns={"money": "[$€]\\\\d+"}',
        ) from problem
