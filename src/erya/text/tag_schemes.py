"""Spans as tags, one a token: IOB2 (BIO), IOB1, BIOES, BMES and BILOU, read, written, converted, mended.

In all of them a tag is ``O`` or a letter, a hyphen and the span's type; where spans have no type, as in word segmentation,
the letter alone. One reading serves all: a span begins at ``B`` or ``S``, and at an inside or end tag that has nothing to go
on with; it ends at ``E`` or ``S``, where another begins, and before ``O``. That is how the program conlleval of the CoNLL
shared tasks reads broken sequences, too (Tjong Kim Sang and Buchholz 2000). ``M`` is an ``I``, ``L`` an ``E``, ``U`` an ``S``.

Many sentences are handled at once: L tags one after the other as numbers into a list of tag names, and N+1 starts.
Types are compared to the letter; spans neither nest nor overlap, as no scheme of tags could say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Scheme = Literal["iob2", "iob1", "bioes", "bmes", "bilou", "none"]
Integers = NDArray[np.int64]

OUTSIDE, BEGIN, INSIDE, END, SINGLE = range(5)
_ROLES = {"B": BEGIN, "I": INSIDE, "M": INSIDE, "E": END, "L": END, "S": SINGLE, "U": SINGLE}
_LETTERS: dict[str, str] = {"iob2": "OBIIB", "iob1": "OIIII", "bioes": "OBIES", "bmes": "OBMES", "bilou": "OBILU"}
SCHEMES: tuple[str, ...] = (*_LETTERS, "none")


@dataclass(frozen=True, slots=True)
class Flat:
    """Tags of N sentences, one after the other.

    Attributes:
        codes: (L,) indices into ``names``.
        starts: (N+1,) sentence n has ``codes[starts[n]:starts[n + 1]]``.
        names: the different tags.
    """

    codes: Integers
    starts: Integers
    names: list[str]

    @classmethod
    def of(cls, sequences: Iterable[Sequence[Any]]) -> Flat:
        """Tags of each sentence; what is no string becomes one."""
        listed = list(sequences)
        tags: list[Any] = list(chain.from_iterable(listed))
        if not set(map(type, tags)) <= {str}:
            tags = list(map(str, tags))
        places = {name: place for place, name in enumerate(dict.fromkeys(tags))}
        codes = np.fromiter(map(places.__getitem__, tags), np.int64, len(tags))
        starts = np.zeros(len(listed) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, listed), np.int64, len(listed)), out=starts[1:])
        return cls(codes, starts, list(places))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def lists(self) -> list[list[str]]:
        """Each sentence's tags."""
        names = np.array(self.names, dtype=object)
        tags = names[self.codes].tolist() if len(self.codes) else []
        return [tags[start:end] for start, end in zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class Spans:
    """S spans of N sentences in their order.

    Attributes:
        sentences: (S,) which sentence.
        firsts: (S,) the flat place of the first token.
        ends: (S,) the flat place behind the last token.
        kinds: (S,) indices into ``names``.
        names: the types; ``""`` of spans without one.
    """

    sentences: Integers
    firsts: Integers
    ends: Integers
    kinds: Integers
    names: list[str]

    def __len__(self) -> int:
        return len(self.firsts)

    def of_sentence(self, starts: Integers) -> list[list[tuple[int, int, str]]]:
        """For each sentence ``(first, end, type)`` in tokens from its start."""
        found: list[list[tuple[int, int, str]]] = [[] for _ in range(len(starts) - 1)]
        base = starts[self.sentences] if len(self) else self.firsts
        rows = (self.sentences, self.firsts - base, self.ends - base, self.kinds)
        for sentence, first, end, kind in zip(*(row.tolist() for row in rows), strict=True):
            found[sentence].append((first, end, self.names[kind]))
        return found


def parsed(tag: str) -> tuple[int, str]:
    """A tag of any of the schemes as its role and its type; of what is none of theirs ``(-1, tag)``."""
    if tag == "O":
        return OUTSIDE, ""
    if tag[:1] in _ROLES and (len(tag) == 1 or (tag[1] == "-" and len(tag) > 2)):
        return _ROLES[tag[0]], tag[2:]
    return -1, tag


# ---- reading ---------------------------------------------------------------------------------------------------------


def _roles(names: Sequence[str]) -> tuple[NDArray[np.int8], Integers, list[str]]:
    """Of each tag its role (C,) and its type (C,), and the types' names. What is no tag of spans counts as ``O``."""
    kinds: dict[str, int] = {}
    roles, types = np.zeros(len(names), np.int8), np.zeros(len(names), np.int64)
    for place, name in enumerate(names):
        role, kind = parsed(name)
        roles[place] = max(role, OUTSIDE)
        types[place] = kinds.setdefault(kind, len(kinds)) if role > OUTSIDE else -1
    return roles, types, list(kinds)


def _begins(flat: Flat, roles: NDArray[np.int8], types: Integers) -> NDArray[np.bool_]:
    """(L,) whether a span begins at the tag."""
    role, kind = roles[flat.codes], types[flat.codes]
    before, kind_before = np.roll(role, 1), np.roll(kind, 1)
    alone = np.zeros(len(role), dtype=bool)  # nothing before it that it could go on with
    alone[flat.starts[:-1][np.diff(flat.starts) > 0]] = True
    alone |= (before == OUTSIDE) | (before == END) | (before == SINGLE) | (kind_before != kind)
    return np.asarray((role == BEGIN) | (role == SINGLE) | (((role == INSIDE) | (role == END)) & alone))


def spans(flat: Flat) -> Spans:
    """All spans, as conlleval reads them."""
    roles, types, names = _roles(flat.names)
    role = roles[flat.codes]
    begins = _begins(flat, roles, types)
    last = np.zeros(len(role) + 1, dtype=bool)
    last[flat.starts[1:]] = True  # the place behind a sentence's last token
    following = np.append(begins | (role == OUTSIDE), True)[1:] | last[1:]
    ends = (role != OUTSIDE) & (following | (role == END) | (role == SINGLE))
    firsts, behind = np.flatnonzero(begins), np.flatnonzero(ends) + 1
    sentences = np.searchsorted(flat.starts, firsts, side="right") - 1
    return Spans(sentences, firsts, behind, types[flat.codes[firsts]], names)


def detect(flat: Flat) -> Scheme:
    """Which scheme the tags are in, by their letters; ``"none"`` where they tell no spans (parts of speech).

    Tags of ``B`` and ``I`` alone are IOB1 where spans begin with ``I`` and each ``B`` parts two spans of one type, else IOB2.
    """
    used = [flat.names[code] for code in np.unique(flat.codes).tolist()]
    both = [parsed(name) for name in used]
    if any(role < 0 for role, _ in both):
        return "none"
    inside = [(name[0], kind) for name, (role, kind) in zip(used, both, strict=True) if role != OUTSIDE]
    letters = {letter for letter, _ in inside}
    bare = bool(inside) and all(not kind for _, kind in inside)
    if any(not kind for _, kind in inside) and not bare:
        return "none"  # B among B-PER: not one scheme
    if bare and not letters & {"B", "S", "U"}:
        return "none"  # a part of speech that happens to be called I
    if letters <= set("BI"):
        return _iob(flat)
    if letters <= set("BIES") and not (bare and letters <= set("BES")):
        return "bioes"
    if letters <= set("BMES"):
        return "bmes"
    return "bilou" if letters <= set("BILU") else "none"


def _iob(flat: Flat) -> Scheme:
    roles, types, _ = _roles(flat.names)
    role, kind = roles[flat.codes], types[flat.codes]
    begun = (role == INSIDE) & _begins(flat, roles, types)
    if not begun.any():
        return "iob2"
    before = np.roll(kind, 1)
    before[flat.starts[:-1][np.diff(flat.starts) > 0]] = -2
    return "iob1" if bool((before == kind)[role == BEGIN].all()) else "iob2"


# ---- writing ---------------------------------------------------------------------------------------------------------


def encoded(found: Spans, starts: Integers, scheme: Scheme) -> Flat:
    """Spans as tags of a scheme, ``O`` where there are none."""
    sizes = found.ends - found.firsts
    owners = np.repeat(np.arange(len(found)), sizes)
    steps = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # within its span
    size = sizes[owners]
    role = np.where(steps == size - 1, END, np.where(steps == 0, BEGIN, INSIDE))
    role[size == 1] = SINGLE
    letters = np.array([ord(letter) for letter in _LETTERS[scheme]])[role]
    if scheme == "iob1":
        touching = np.zeros(len(found), dtype=bool)
        touching[1:] = (
            (found.firsts[1:] == found.ends[:-1])
            & (found.kinds[1:] == found.kinds[:-1])
            & (found.sentences[1:] == found.sentences[:-1])
        )
        letters[(steps == 0) & touching[owners]] = ord("B")
    marks = np.zeros(int(starts[-1]), dtype=np.int64)  # 0: O
    marks[found.firsts[owners] + steps] = (found.kinds[owners] + 1) * 128 + letters
    used, codes = np.unique(marks, return_inverse=True)
    return Flat(codes.reshape(-1).astype(np.int64), starts, [_tag(mark, found.names) for mark in used.tolist()])


def _tag(mark: int, kinds: list[str]) -> str:
    if not mark:
        return "O"
    kind, letter = kinds[mark // 128 - 1], chr(mark % 128)
    return f"{letter}-{kind}" if kind else letter


def converted(flat: Flat, scheme: Scheme) -> Flat:
    """The same spans in another scheme; broken sequences come out mended, ``"none"`` comes out as it is."""
    return flat if scheme == "none" else encoded(spans(flat), flat.starts, scheme)


def mended(flat: Flat, scheme: Scheme) -> tuple[Flat, Integers]:
    """The tags as their own scheme would write the spans that conlleval reads, and the flat places that changed."""
    if scheme == "none":
        return flat, np.zeros(0, dtype=np.int64)
    written = converted(flat, scheme)
    places = {name: place for place, name in enumerate(flat.names)}
    own = np.array([places.get(name, -1) for name in written.names], dtype=np.int64)
    return written, np.flatnonzero(own[written.codes] != flat.codes) if len(flat.codes) else flat.codes


def fits(flat: Flat, scheme: Scheme) -> bool:
    """Whether the tags use no letter but those of the scheme."""
    used = (flat.names[code] for code in np.unique(flat.codes).tolist())
    letters = set(_LETTERS.get(scheme, "")) | set("B" if scheme == "iob1" else "")
    return scheme == "none" or all(parsed(name)[0] >= OUTSIDE and name[0] in letters for name in used)


def convert(sequences: Iterable[Sequence[str]], scheme: Scheme) -> list[list[str]]:
    """Tags of each sentence in another scheme: ``convert([["B-PER", "I-PER"]], "bioes") == [["B-PER", "E-PER"]]``.

    Whatever scheme valid tags are in, there and back gives the same tags.
    """
    return converted(Flat.of(sequences), scheme).lists()


# ---- what may follow what ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which sequences of C tags are sound.

    Attributes:
        first: (C,) whether a sentence may begin with the tag.
        following: (C, C) whether the second tag may stand behind the first one.
        last: (C,) whether a sentence may end with the tag.
    """

    first: NDArray[np.bool_]
    following: NDArray[np.bool_]
    last: NDArray[np.bool_]


def allowed(names: Sequence[str], scheme: str) -> Allowed:
    """What a scheme allows among these tags; ``"none"`` allows all. No more than that: where only some tags were ever
    seen, there may be lengths for which no sound sequence exists.
    """
    count = len(names)
    if scheme == "none":
        return Allowed(np.ones(count, bool), np.ones((count, count), bool), np.ones(count, bool))
    role, kind, _ = _roles([str(name) for name in names])
    same = kind[:, None] == kind[None, :]
    open_, closing = (role == BEGIN) | (role == INSIDE), (role == INSIDE) | (role == END)
    if scheme == "iob2":
        following = (role != INSIDE)[None, :] | (same & open_[:, None])
        return Allowed(role != INSIDE, following, np.ones(count, bool))
    if scheme == "iob1":
        following = (role != BEGIN)[None, :] | (same & open_[:, None])
        return Allowed(role != BEGIN, following, np.ones(count, bool))
    following = np.where(open_[:, None], same & closing[None, :], ~closing[None, :])
    return Allowed(~closing, following, ~open_)
