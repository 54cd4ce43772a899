"""The tokens of many texts as numbers of words, as Numba functions: what ``text/tokenizers.py`` says, punctuation included.

    bytes → kind and lower case of each code point → tokens → number of the word (``corpus_kernels.find``)

The scan of a corpus counts words alone; here every token counts, and each text keeps its own. Code points whose tokens depend on
more than their neighbour (flags, skin tones, joined emoji, Σ and İ in lower case) make a text *hard*: it is left to Python. Not
here: which code point is of which kind (``token_numbers.py``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import inlined, kernel
from erya.text.corpus_kernels import (
    ARENA,
    DONE,
    FIRST,
    FULL,
    SECOND,
    THIRD,
    Bytes,
    Ids,
    Int,
    Table,
    decoded,
    encoded,
    enter,
    has_room,
)

OTHER, LETTER, HAN_LETTER, MARK, JOINER, HARD_POINT, SPACE, BEYOND = range(8)  # HARD_POINT: Σ, among others
NOTHING = 8  # no token is open
TEXT, WRITTEN = range(2)  # places in ``state``

_ONE, _HALF, _LOW = np.uint64(1), np.uint64(32), np.uint64(0xFFFFFFFF)


class Kinds(NamedTuple):
    """What bytes and code points mean.

    Attributes:
        bytes: uint16 (256,) kind · 256 + the byte to write in its place.
        pages: uint16 (4352,) for each 256 code points where their page begins, in pages.
        points: uint32, pages of 256: the kind in the highest byte, the lower case below.
        joined: letters make words; False: each is a token, and white space between tokens is one, too.
        others: tokens that begin with neither a letter nor a Han character count.
        blank: the number of the token " ", or −1.
        longest: a text with a token of more bytes is hard.
    """

    bytes: NDArray[np.uint16]
    pages: NDArray[np.uint16]
    points: NDArray[np.uint32]
    joined: bool
    others: bool
    blank: int
    longest: int


@inlined
def point_of(data: Bytes, i: Int, kinds: Kinds) -> tuple[Int, Int, Int]:
    """Kind, code point to write and size in bytes of what begins at ``data[i]``."""
    form = np.int64(kinds.bytes[data[i]])
    kind, code, size = form >> 8, form & 255, np.int64(1)
    if kind == BEYOND:
        code, size = decoded(data, i)
        point = np.int64(kinds.points[np.int64(kinds.pages[code >> 8]) * 256 + (code & 255)])
        kind, code = point >> 24, point & 0xFFFFFF
    return kind, code, size


@inlined
def number_of(
    slots: NDArray[np.uint64],
    arena: NDArray[np.uint64],
    bytes: Bytes,
    starts: NDArray[np.int64],
    lengths: Ids,
    base: Int,
    length: Int,
) -> tuple[Int, Int, Int]:
    """What ``find`` gives for the token of ``length`` bytes that lies at the end of the arena: written into the loop, where
    a call that hands over seven arrays would cost more than the work.
    """
    at = 8 * base + length
    while at & 7:  # pad with zeros
        bytes[at] = 0
        at += 1
    first = arena[base]
    h = (first ^ (np.uint64(length) * THIRD)) * FIRST
    h ^= h >> _HALF
    end = base + ((length + 7) >> 3)
    for place in range(base + 1, end):
        h = (h ^ arena[place]) * FIRST
        h ^= h >> _HALF
    h *= SECOND
    h ^= h >> _HALF
    tag = (h >> np.uint64(40)) << np.uint64(8) | np.uint64(min(length, np.int64(255)))
    mask = np.uint64(len(slots) // 2 - 1)
    slot, number = h & mask, np.int64(-1)
    while True:
        entry = slots[slot << _ONE]
        if entry == np.uint64(0):
            break
        if entry >> _HALF == tag and slots[(slot << _ONE) | _ONE] == first:
            number = np.int64(entry & _LOW) - 1
            if length <= 8:
                break
            k, other = base + 1, starts[number] - base
            while k < end and arena[k] == arena[other + k]:
                k += 1
            if k == end and lengths[number] == length:
                break
            number = np.int64(-1)
        slot = (slot + _ONE) & mask
    return number, slot, tag


@kernel
def tokenize(  # noqa: C901  (one loop over code points: a call for each would take as long as the rest)
    data: Bytes,
    begins: NDArray[np.int64],
    closing: Ids,
    kinds: Kinds,
    table: Table,
    ids: Ids,
    ends: NDArray[np.int64],
    hard: NDArray[np.bool_],
    state: NDArray[np.int64],
) -> int:
    """Number the tokens of texts.

    Args:
        data: the texts in UTF-8, one after the other; four bytes more.
        begins: (N + 1,) where each begins.
        closing: (N,) the number of a token that is written after each text.
        kinds: how to read.
        table: the words; it grows.
        ids: of at least as many places as there are bytes and texts.
        ends: (N,) filled in, where the tokens of each text end in ``ids``.
        hard: (N,) set for texts that are left to Python; nothing of theirs is written.
        state: (2,) TEXT and WRITTEN, where to go on.

    Returns:
        DONE, or FULL: the table wants room.
    """
    reserve = kinds.longest // 8 + 4
    joined, others, forms = kinds.joined, kinds.others, kinds.bytes
    slots, arena, bytes_, starts, lengths = table.slots, table.arena, table.bytes, table.starts, table.lengths
    written = state[WRITTEN]
    for text in range(state[TEXT], len(closing)):
        first, i, end = written, begins[text], begins[text + 1]
        held, length, gap, difficult = NOTHING, np.int64(0), False, False
        begin = 8 * table.used[ARENA]
        if not has_room(table, reserve):
            state[TEXT], state[WRITTEN] = text, written
            return FULL
        while True:
            kind, code, size = SPACE, np.int64(0), np.int64(1)
            if i < end:
                kind, code, size = point_of(data, i, kinds)
            goes_on = held != NOTHING and (kind == MARK or (joined and held == LETTER and kind in (LETTER, JOINER)))
            if held != NOTHING and not goes_on:
                if others or held != OTHER:
                    number, slot, tag = number_of(slots, arena, bytes_, starts, lengths, begin >> 3, length)
                    if number < 0:
                        number = enter(table, slot, tag, begin >> 3, length)
                        begin = 8 * table.used[ARENA]
                        if not has_room(table, reserve):
                            state[TEXT], state[WRITTEN] = text, first
                            return FULL
                    ids[written] = number
                    written += 1
                held = NOTHING
            if i >= end:
                break
            if kind == HARD_POINT or (kind == JOINER and not goes_on) or length > kinds.longest:
                difficult = True
                break
            i += size
            if kind == SPACE:
                gap = written > first
                continue
            if not goes_on:
                if gap and kinds.blank >= 0:
                    ids[written] = kinds.blank
                    written += 1
                gap = False
                held, length = OTHER if kind == MARK else kind, np.int64(0)
            if size == 1:
                bytes_[begin + length] = code
                length += 1
                if joined and kind == LETTER:  # the letters that follow, without a second look
                    last = min(end, i + kinds.longest - length)
                    while i < last:
                        form = forms[data[i]]
                        if form >> 8 != LETTER:
                            break
                        bytes_[begin + length] = form & 255
                        length += 1
                        i += 1
            else:
                length = encoded(bytes_, begin + length, code) - begin
        if difficult:
            hard[text] = True
            written = first
        else:
            ids[written] = closing[text]
            written += 1
        ends[text] = written
    state[TEXT], state[WRITTEN] = len(closing), written
    return DONE
