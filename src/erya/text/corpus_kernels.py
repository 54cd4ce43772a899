"""The scan of a corpus as Numba functions: bytes in, numbers of words out.

    bytes → forms (``corpus_forms.py``) → tokens → 64-bit hash → open addressing → number of the word, count + 1

A token is gathered eight bytes at a time into registers; words of up to eight bytes (most tokens) are compared within the
slot itself. The words lie one after the other in an arena of 64-bit integers, each padded with zeros.

Every function works on at most some megabytes, keeps its place in ``state`` and stops where a table is full, so that the
caller can make room and go on. Not here: files, threads, the order of the vocabulary (``corpus_scan.py``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.text.corpus_eight_kernels import ascii_until, blanks, eight, letters, zeros_below

SEPARATOR, LINE_END, CODE_POINT = 256, 257, 258  # signs beyond any byte
OTHER, LETTER, HAN_LETTER, MARK, JOINER, SIGMA = range(6)  # kinds of code points
BY_BYTE, BY_LETTERS, BY_BLANKS = range(3)
DOTTED = 0x1FFFFF  # stands for the lower case of İ, the only one of two code points
CURSOR, WRITTEN, TOKENS, LINES = range(4)  # places in ``state``
DONE, FULL, HARD = range(3)  # why a scan stopped
WORDS, ARENA = range(2)  # places in ``Table.used``
ABSENT = -2  # a word that has no number (−1 ends a line)

Bytes = NDArray[np.uint8]
Ids = NDArray[np.int32]
Int = Any  # int64 inside Numba, int where Python calls

_ONE = np.uint64(1)
_EIGHT = np.uint64(8)
_WHOLE = np.uint64(56)  # bits of whole bytes
_FULL = np.uint64(64)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_LENGTH = np.int64(255)
FIRST = np.uint64(0x9E3779B97F4A7C15)
SECOND = np.uint64(0xD6E8FEB86659FD93)
THIRD = np.uint64(0xC2B2AE3D27D4EB4F)


class Forms(NamedTuple):
    """How to read bytes as tokens.

    Attributes:
        bytes: uint16 (256,), the byte to count, or SEPARATOR, LINE_END, CODE_POINT.
        pages: uint16 (4352,), for each 256 code points where their page begins, in pages.
        points: uint32, pages of 256: the kind in the highest byte, the lower case below.
        joined: letters make words; False: each is a token.
        swift: BY_LETTERS, BY_BLANKS: eight bytes at once give the same as ``bytes``; BY_BYTE: they do not.
    """

    bytes: NDArray[np.uint16]
    pages: NDArray[np.uint16]
    points: NDArray[np.uint32]
    joined: bool
    swift: int


class Table(NamedTuple):
    """Words by number and numbers by word.

    Attributes:
        slots: uint64 (2 S,), S a power of two; of each slot first 24 bits of the hash, 8 of the length and the number + 1
            (0: the slot is free), then the first 8 bytes of the word.
        arena: uint64, the bytes of all words.
        bytes: uint8, the same memory.
        starts: int64 (C,) where a word begins in the arena.
        lengths: int32 (C,) in bytes.
        counts: int64 (C,).
        used: int64 (2,) how many words there are, how much of the arena is taken.
    """

    slots: NDArray[np.uint64]
    arena: NDArray[np.uint64]
    bytes: Bytes
    starts: NDArray[np.int64]
    lengths: Ids
    counts: NDArray[np.int64]
    used: NDArray[np.int64]


@kernel
def hash_of(source: NDArray[np.uint64], base: Int, length: Int) -> Int:
    """64 bits from the word of ``length`` bytes that lies at ``source[base]``, padded with zeros."""
    h = (source[base] ^ (np.uint64(length) * THIRD)) * FIRST
    h ^= h >> _HALF
    for place in range(base + 1, base + ((length + 7) >> 3)):
        h = (h ^ source[place]) * FIRST
        h ^= h >> _HALF
    h *= SECOND
    return h ^ (h >> _HALF)


@kernel
def find(
    slots: NDArray[np.uint64],
    arena: NDArray[np.uint64],
    starts: NDArray[np.int64],
    lengths: Ids,
    source: NDArray[np.uint64],
    base: Int,
    length: Int,
) -> tuple[Int, Int, Int]:
    """The number of a word (−1: it is new), its slot or the free slot where it belongs, and its tag.

    It takes the arrays of ``Table`` one by one, since handing over the tuple would cost as much as the work.
    """
    mask = np.uint64(len(slots) // 2 - 1)
    h = hash_of(source, base, length)
    tag = (h >> np.uint64(40)) << _EIGHT | np.uint64(min(length, _LENGTH))
    first, end = source[base], base + ((length + 7) >> 3)
    slot = h & mask
    while True:
        entry = slots[slot << _ONE]
        if entry == np.uint64(0):
            return np.int64(-1), slot, tag
        if entry >> _HALF == tag and slots[(slot << _ONE) | _ONE] == first:
            number = np.int64(entry & _LOW) - 1
            if length <= 8:
                return number, slot, tag
            k, other = base + 1, starts[number] - base
            while k < end and arena[other + k] == source[k]:
                k += 1
            if k == end and lengths[number] == length:
                return number, slot, tag
        slot = (slot + _ONE) & mask


@kernel
def enter(table: Table, slot: Int, tag: Int, base: Int, length: Int) -> Int:
    """Give the next number to the word that lies at the end of the arena. There must be room."""
    number = table.used[WORDS]
    table.slots[slot << _ONE] = tag << _HALF | np.uint64(number + 1)
    table.slots[(slot << _ONE) | _ONE] = table.arena[base]
    table.starts[number] = base
    table.lengths[number] = length
    table.counts[number] = 0
    table.used[WORDS] = number + 1
    table.used[ARENA] = base + ((length + 7) >> 3)
    return number


@kernel
def rehash(table: Table) -> None:
    """Fill the empty slots of ``table`` from its words."""
    for number in range(table.used[WORDS]):
        base, length = table.starts[number], np.int64(table.lengths[number])
        mask = np.int64(len(table.slots) // 2 - 1)
        h = hash_of(table.arena, base, length)
        slot = np.int64(h & np.uint64(mask))
        while table.slots[2 * slot] != np.uint64(0):
            slot = (slot + 1) & mask
        tag = (h >> np.uint64(40)) << _EIGHT | np.uint64(min(length, _LENGTH))
        table.slots[2 * slot] = tag << _HALF | np.uint64(number + 1)
        table.slots[2 * slot + 1] = table.arena[base]


@kernel
def add(table: Table, word: Bytes) -> Int:
    """The number of one word, given if need be. There must be room."""
    base, length = table.used[ARENA], len(word)
    table.arena[base + (length >> 3)] = np.uint64(0)
    for k in range(length):
        table.bytes[8 * base + k] = word[k]
    number, slot, tag = find(table.slots, table.arena, table.starts, table.lengths, table.arena, base, length)
    return enter(table, slot, tag, base, length) if number < 0 else number


@kernel
def has_room(table: Table, reserve: Int) -> Any:
    """Whether one more word of up to ``reserve`` times 8 bytes has room; at most half of the slots are taken."""
    words = table.used[WORDS]
    return (
        words < len(table.starts) and 4 * words < len(table.slots) and table.used[ARENA] + reserve <= len(table.arena)
    )


# ---- code points -------------------------------------------------------------------------------------------------


@kernel
def decoded(data: Bytes, i: Int) -> tuple[Int, Int]:
    """The code point that begins at ``data[i]``, not ASCII and valid, and how many bytes it takes."""
    lead = np.int64(data[i])
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | (np.int64(data[i + 1]) & 0x3F), 2
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | (np.int64(data[i + 1]) & 0x3F) << 6 | (np.int64(data[i + 2]) & 0x3F), 3
    return (
        (lead & 0x07) << 18
        | (np.int64(data[i + 1]) & 0x3F) << 12
        | (np.int64(data[i + 2]) & 0x3F) << 6
        | (np.int64(data[i + 3]) & 0x3F),
        4,
    )


@kernel
def encoded(bytes: Bytes, at: Int, code: Int) -> Int:
    """Write a code point as UTF-8 at ``bytes[at]``; where it ends."""
    if code < 0x80:
        bytes[at] = code
        return at + 1
    if code < 0x800:
        bytes[at] = 0xC0 | code >> 6
        bytes[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        bytes[at] = 0xE0 | code >> 12
        bytes[at + 1] = 0x80 | code >> 6 & 0x3F
        bytes[at + 2] = 0x80 | code & 0x3F
        return at + 3
    bytes[at] = 0xF0 | code >> 18
    bytes[at + 1] = 0x80 | code >> 12 & 0x3F
    bytes[at + 2] = 0x80 | code >> 6 & 0x3F
    bytes[at + 3] = 0x80 | code & 0x3F
    return at + 4


@kernel
def point_at(data: Bytes, i: Int, forms: Forms) -> tuple[Int, Int, Int]:
    """Kind, lower case and size in bytes of the code point at ``data[i]``."""
    code, size = decoded(data, i)
    point = np.int64(forms.points[np.int64(forms.pages[code >> 8]) * 256 + (code & 255)])
    return point >> 24, point & 0xFFFFFF, size


@kernel
def wide(
    data: Bytes, i: Int, head: Int, forms: Forms, bytes: Bytes, begin: Int, length: Int, limit: Int
) -> tuple[Int, Int]:
    """Go on with a token that holds code points beyond ASCII.

    Args:
        data: the chunk.
        i: where to go on.
        head: the kind of the token's first code point.
        forms: how to read.
        bytes: where the token is gathered, from ``begin`` on.
        begin: see ``bytes``.
        length: how many bytes of it are there already; 0: the first is taken unseen.
        limit: no more bytes than this are gathered, about.

    Returns:
        Where the token ends in ``data``, and its length in bytes; −1: a Σ makes its lower case a matter for Python.
    """
    words = forms.joined and head != HAN_LETTER
    at = begin + length
    while True:
        form = np.int64(forms.bytes[data[i]])
        if form < SEPARATOR:
            if not words:
                break
            bytes[at] = form
            at += 1
            i += 1
        elif form == CODE_POINT:
            kind, code, size = point_at(data, i, forms)
            if at > begin and kind != MARK and not (words and (kind in (LETTER, JOINER, SIGMA))):
                break
            if kind == SIGMA:
                return i, -1
            if code == DOTTED:
                bytes[at] = 0x69
                at += 1
                code = 0x307
            at = encoded(bytes, at, code)
            i += size
        else:
            break
        at = min(at, begin + limit)
    length = at - begin
    while at & 7:  # pad with zeros
        bytes[at] = 0
        at += 1
    return i, length


# ---- the scan ----------------------------------------------------------------------------------------------------


@kernel
def scan(  # noqa: C901  (one loop: a call for each token would take as long as the rest)
    data: Bytes, forms: Forms, longest: Int, table: Table, out: Ids, state: NDArray[np.int64]
) -> Int:
    """Tokens of one chunk as numbers of words; words that are new get one.

    Args:
        data: whole tokens of valid UTF-8; the last byte separates tokens or ends a line.
        forms: how to read them.
        longest: a token of more bytes is counted and left out.
        table: the words; it grows.
        out: int32 of at least the length of ``data``: numbers, and −1 where a line ends.
        state: int64 (4,), CURSOR WRITTEN TOKENS LINES, where to go on and what came of it.

    Returns:
        DONE; FULL: the table wants room; HARD: the token at the cursor wants Python.
    """
    bytes_, joined, swift = forms.bytes, forms.joined, forms.swift
    slots, arena, counts, starts, lengths = table.slots, table.arena, table.counts, table.starts, table.lengths
    i, written, tokens, lines = state[CURSOR], state[WRITTEN], state[TOKENS], state[LINES]
    size, reserve = len(data), 3 * longest // 16 + 8  # a lower case may be half as long again
    mask = np.uint64(len(slots) // 2 - 1)
    base = table.used[ARENA]
    room = has_room(table, reserve)
    status = DONE
    while i < size:
        form = bytes_[data[i]]
        if form == SEPARATOR:
            i += 1
            continue
        if form == LINE_END:
            if data[i] != 10 or i == 0 or data[i - 1] != 13:
                lines += 1
                out[written] = -1
                written += 1
            i += 1
            continue
        if not room:
            status = FULL
            break
        start = i
        gathered, shift, place = np.uint64(0), np.uint64(0), base
        head = LETTER
        if form == CODE_POINT:
            head, _, step = point_at(data, i, forms)
            if head in (OTHER, MARK, JOINER):
                i += step
                continue
        while swift != BY_BYTE and form < SEPARATOR and i <= size - 8:
            if swift == BY_LETTERS:
                gathered, stops = letters(eight(data, i))
            else:
                gathered = eight(data, i)
                stops = blanks(gathered)
            if stops != np.uint64(0):
                shift = zeros_below(stops) & _WHOLE
                gathered &= (_ONE << shift) - _ONE
                i += np.int64(shift >> np.uint64(3))
                form = bytes_[data[i]]
                break
            arena[place] = gathered
            gathered = np.uint64(0)
            place = min(place + 1, base + reserve - 2)
            i += 8
            form = bytes_[data[i]] if i < size else SEPARATOR
        while form < SEPARATOR:
            gathered |= np.uint64(form) << shift
            shift += _EIGHT
            i += 1
            form = bytes_[data[i]]
            if shift == _FULL:
                arena[place] = gathered
                gathered, shift = np.uint64(0), np.uint64(0)
                place = min(place + 1, base + reserve - 2)
            if not joined:
                break
        length = (place - base) * 8 + np.int64(shift >> np.uint64(3))
        arena[place] = gathered
        if form == CODE_POINT:
            i, length = wide(data, i, head, forms, table.bytes, 8 * base, length, 8 * reserve - 16)
            if length < 0:
                i = start
                status = HARD
                break
            gathered = arena[base]
        tokens += 1
        if i - start > longest:
            continue
        # the same as ``find``
        number = np.int64(-1)
        first = gathered if place == base else arena[base]
        h = (first ^ (np.uint64(length) * THIRD)) * FIRST
        h ^= h >> _HALF
        end = base + ((length + 7) >> 3)
        for k in range(base + 1, end):
            h = (h ^ arena[k]) * FIRST
            h ^= h >> _HALF
        h *= SECOND
        h ^= h >> _HALF
        tag = (h >> np.uint64(40)) << _EIGHT | np.uint64(min(length, _LENGTH))
        slot = h & mask
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
        if number < 0:
            number = enter(table, slot, tag, base, length)
            base = table.used[ARENA]
            room = has_room(table, reserve)
        counts[number] += 1
        out[written] = number
        written += 1
    state[CURSOR], state[WRITTEN], state[TOKENS], state[LINES] = i, written, tokens, lines
    return status


# ---- many tables into one ----------------------------------------------------------------------------------------


@kernel
def merge(local: Table, into: Table, numbers: Ids, frozen: bool, reserve: Int, state: NDArray[np.int64]) -> Int:
    """Move the counts of ``local`` to ``into``.

    Args:
        local: the words of one thread; their counts are set to 0.
        into: the words of all.
        numbers: int32 (C,) the number in ``into`` of each word in ``local``; −1: not looked up yet; ABSENT: it has none.
        frozen: words that ``into`` lacks are left out.
        reserve: 8 bytes times this is more than any word.
        state: the CURSOR, where to go on.

    Returns:
        DONE; FULL: ``into`` wants room.
    """
    for word in range(state[CURSOR], local.used[WORDS]):
        count: Any = local.counts[word]
        if count == 0:
            continue
        number = np.int64(numbers[word])
        if number == -1:
            base, length = local.starts[word], np.int64(local.lengths[word])
            number, slot, tag = find(into.slots, into.arena, into.starts, into.lengths, local.arena, base, length)
            if number < 0 and frozen:
                number = np.int64(ABSENT)
            elif number < 0:
                if not has_room(into, reserve):
                    state[CURSOR] = word
                    return FULL
                end = into.used[ARENA]
                for k in range((length + 7) >> 3):
                    into.arena[end + k] = local.arena[base + k]
                number = enter(into, slot, tag, end, length)
            numbers[word] = number
        if number >= 0:
            into.counts[number] += count
        local.counts[word] = 0
    state[CURSOR] = local.used[WORDS]
    return DONE


@kernel
def translate(ids: Ids, numbers: Ids) -> None:
    """Numbers of one table into those of another, in place; −1 stays."""
    for place in range(len(ids)):
        if ids[place] >= 0:
            ids[place] = numbers[ids[place]]


@kernel
def compact(ids: Ids, numbers: Ids, last: Int, out: Ids) -> Int:
    """Last numbers for provisional ones; words without one are left out, and so are lines without a word.

    Args:
        ids: int32 (n,) provisional; −1 ends a line, ABSENT is left out.
        numbers: int32 (V',) for each provisional number the last one, or below 0.
        last: the id before the first; −1 where a line begins.
        out: int32 (n,) or ``ids`` itself.

    Returns:
        How many were written.
    """
    written = 0
    for place in range(len(ids)):
        number = ids[place]
        if number >= 0:
            number = numbers[number]
            if number < 0:
                continue
        elif number != -1 or last == -1:
            continue
        out[written] = number
        written += 1
        last = number
    return written


# ---- where bytes may be cut --------------------------------------------------------------------------------------


@kernel
def first_invalid(data: Bytes) -> Int:
    """The offset of the first byte that is not valid UTF-8 (RFC 3629), or −1."""
    i, size = ascii_until(data, 0), len(data)
    while i < size:
        lead = data[i]
        if lead < 0x80:
            i = ascii_until(data, i + 1)
            continue
        low, high = 0x80, 0xBF
        if 0xC2 <= lead <= 0xDF:
            more = 1
        elif 0xE0 <= lead <= 0xEF:
            more = 2
            low = 0xA0 if lead == 0xE0 else 0x80  # no overlong forms
            high = 0x9F if lead == 0xED else 0xBF  # no surrogates
        elif 0xF0 <= lead <= 0xF4:
            more = 3
            low = 0x90 if lead == 0xF0 else 0x80
            high = 0x8F if lead == 0xF4 else 0xBF
        else:
            return i
        if i + more >= size or data[i + 1] < low or data[i + 1] > high:
            return i
        for k in range(2, more + 1):
            if data[i + k] < 0x80 or data[i + k] > 0xBF:
                return i
        i += more + 1
    return -1


@kernel
def last_cut(data: Bytes, forms: Forms) -> Int:
    """The last place in ``data`` where it may be cut: what stands on either side, read alone, gives the same tokens.

    It may be cut after what separates tokens, and before a character that begins one whatever stands before it.
    """
    for i in range(len(data) - 1, -1, -1):
        form = np.int64(forms.bytes[data[i]])
        if form == SEPARATOR:
            return i + 1
        if form == LINE_END:
            if data[i] != 13 or (i + 1 < len(data) and data[i + 1] != 10):  # a \n may follow this \r
                return i + 1
        elif form == CODE_POINT:
            kind, size = kind_at(data, i, forms)
            if kind == OTHER:
                return i + size
            if kind == HAN_LETTER or (kind == LETTER and not forms.joined):
                return i
        elif not forms.joined:
            return i
    return 0


@kernel
def kind_at(data: Bytes, i: Int, forms: Forms) -> tuple[Int, Int]:
    """Kind and size of the code point at ``data[i]``; size 0 where none begins or it is not whole."""
    lead = data[i]
    if lead < 0xC2 or lead > 0xF4:
        return MARK, 0
    size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    if i + size > len(data):
        return MARK, 0
    code, _ = decoded(data, i)
    if code >= 0x110000:
        return MARK, 0
    return np.int64(forms.points[np.int64(forms.pages[code >> 8]) * 256 + (code & 255)]) >> 24, size


@kernel
def token_end(data: Bytes, head: Int, forms: Forms) -> tuple[Int, Int]:
    """The kind of a token's first character, and where the token ends; the end of ``data`` where it may go on.

    A mark or joiner stands here for the run of those that it begins, which is no token.

    Args:
        data: how the token begins or goes on.
        head: the kind of its first character; −1: it begins here.
        forms: how to read.
    """
    i = 0
    while i < len(data):
        form = np.int64(forms.bytes[data[i]])
        if form in (SEPARATOR, LINE_END):
            break
        kind, size = LETTER, 1
        if form == CODE_POINT:
            kind, size = kind_at(data, i, forms)
            if size == 0:
                if len(data) - i < 4:  # the rest of it may come
                    break
                size = 1  # not valid: somebody else will say so
        if head == -1:
            head = kind
        elif head in (MARK, JOINER):
            if kind != MARK and kind != JOINER:
                break
        elif head == HAN_LETTER or not forms.joined:
            if kind != MARK:
                break
        elif kind in (OTHER, HAN_LETTER):
            break
        i += size
    return head, i


@kernel
def squeeze(
    arena: NDArray[np.uint64],
    old: NDArray[np.int64],
    kept: NDArray[np.int64],
    sizes: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> None:
    """Move the words that stay to the front of the arena, each to ``starts``; numbers rise, so none is overwritten."""
    for place in range(len(kept)):
        base = old[kept[place]]
        for k in range(sizes[place]):
            arena[starts[place] + k] = arena[base + k]
