"""Lines of text as rows of the input matrix, and the words of a text counted: Numba functions over bytes.

    bytes → tokens (white space) → 64-bit hash → open addressing → number of the word or label
    a word     its row, and the rows of its character n-grams
    n words    the bucket of their chained hashes
    a label    its number

White space is found 64 bytes at a time, a token is read eight at a time. What the original's hash is needed for (n-grams), is computed
by the byte; known words bring theirs along. Names lie in an arena of bytes with PAD more behind them. ``dictionary.py`` has the words
and the memory; the tests have the same in plain loops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from erya.kernel_cache import inlined, kernel
from erya.parts.simd import prefetch
from erya.text.corpus_eight_kernels import eight, zeros_below

CURSOR, LINES, ROWS, LABELS = range(4)  # places in the state of an encoding
NAMES, ARENA, TOKENS, ENDS, FIRST_END = range(5)  # places in the state of a count
DONE, FULL, LONG = range(3)  # why a kernel stopped
ALL, PRUNED, NONE = range(3)  # which buckets have a row: each, those that are listed, not one
LONGEST_LINE = 1024  # an unsupervised line is cut when it has more known tokens than this
SPREAD = 0x9E3779B1  # an odd number that spreads neighbours
HELD = 128  # tokens that are read before they are looked up
PAD = 72  # bytes behind the last one that a kernel may look at

Bytes = NDArray[np.uint8]
Ids = NDArray[np.int32]
Longs = NDArray[np.int64]
Int = Any  # int64 inside Numba, int where Python calls

_instruction: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic
_FIRST = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xD6E8FEB86659FD93)
_THIRD = np.uint64(0xC2B2AE3D27D4EB4F)
_ONE, _EIGHT, _HALF, _FORTY = np.uint64(1), np.uint64(8), np.uint64(32), np.uint64(40)
_LOW = np.uint64(0xFFFFFFFF)
_FNV_START, _FNV_PRIME = np.uint64(2166136261), np.uint64(16777619)
_CHAIN = np.uint64(116049371)
_END = np.uint64(int.from_bytes(b"</s>", "little"))
END_HASH = -677604519  # the original's hash of "</s>", signed
_LEFT, _RIGHT = np.uint64(ord("<")), np.uint64(ord(">"))


class Names(NamedTuple):
    """Words and labels, and how to find one.

    Attributes:
        slots: uint64 (S, 2), S a power of two; of each slot first 24 bits of the hash, 8 of the length and the number + 1
            (0: free), then the first 8 bytes of the name.
        arena: the bytes of all names, PAD more at the end.
        starts: (M,) where a name begins in the arena.
        lengths: (M,) in bytes.
        hashes: (M,) the original's hash of each, signed.
        prefix: the bytes with which an unknown label begins.
        words: V: names from here on are labels.
        end: the number of ``</s>``, −1 where it is unknown.
    """

    slots: NDArray[np.uint64]
    arena: Bytes
    starts: Longs
    lengths: Ids
    hashes: Ids
    prefix: Bytes
    words: int
    end: int


class Grams(NamedTuple):
    """Which n-grams there are, and the row of each bucket.

    Attributes:
        word_ngrams: most words of an n-gram.
        min_n: fewest characters.
        max_n: most characters; 0: no character n-grams.
        buckets: how many there are.
        kept: ALL, PRUNED or NONE.
        rows: int64 (S,), S a power of two, where ``kept`` is PRUNED: the kept buckets by open addressing, each as
            bucket · 2³² + row + 1, rows counted from V on; 0: free.
    """

    word_ngrams: int
    min_n: int
    max_n: int
    buckets: int
    kept: int
    rows: Longs


class Out(NamedTuple):
    """Room for what an encoding finds."""

    rows: Ids
    starts: Longs
    labels: Ids
    label_starts: Longs
    tokens: Longs
    hashes: Longs  # of the words of one line


class Held(NamedTuple):
    """Tokens that are read and not yet looked up."""

    starts: Longs
    lengths: Longs
    hashes: NDArray[np.uint64]
    firsts: NDArray[np.uint64]  # their first eight bytes
    afters: Longs  # where the line goes on


class Counts(NamedTuple):
    """Room for the names that a count finds."""

    slots: NDArray[np.uint64]
    arena: Bytes
    starts: Longs
    lengths: Ids
    counts: Longs
    firsts: Longs  # where each was met first


# ---- bytes and hashes --------------------------------------------------------------------------------------------


@_instruction
def spaces_of(typing: Any, data: Any, place: Any) -> Any:
    """A bit for each of the 64 bytes from ``place`` on, the first one lowest: whether it separates tokens."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        bytes = ir.VectorType(ir.IntType(8), 64)
        read = builder.load(builder.bitcast(builder.gep(view.data, [arguments[1]]), bytes.as_pointer()))
        read.align = 1
        tab, four, blank, nul = (ir.Constant(bytes, [byte] * 64) for byte in (9, 4, 32, 0))
        line = builder.icmp_unsigned("<=", builder.sub(read, tab), four)
        other = builder.or_(builder.icmp_unsigned("==", read, blank), builder.icmp_unsigned("==", read, nul))
        return builder.bitcast(builder.or_(line, other), ir.IntType(64))

    return types.uint64(data, types.int64), generate


@inlined
def mixed(h: Any, chunk: Any) -> Any:
    """The hash of a name after eight more of its bytes."""
    h = (h ^ chunk) * _FIRST
    return h ^ (h >> _HALF)


@inlined
def settled(h: Any, length: Any) -> Any:
    """The hash of a name whose bytes are all in."""
    h = (h ^ (np.uint64(length) * _THIRD)) * _SECOND
    return h ^ (h >> _HALF)


@inlined
def tag_of(h: Any, length: Any) -> Any:
    """What of a hash a slot keeps."""
    return (h >> _FORTY) << _EIGHT | np.uint64(min(length, 255))


@kernel
def some(data: Bytes, i: Int, size: Int) -> Any:
    """``size`` < 8 bytes as a number."""
    return eight(data, i) & ((_ONE << np.uint64(8 * size)) - _ONE)


@inlined
def name_hash(data: Any, start: Any, length: Any) -> Any:
    """64 bits from the name at ``data[start]``, and its first eight bytes."""
    first = eight(data, start)
    if length < 8:
        first &= (_ONE << np.uint64(8 * length)) - _ONE
    h, i, end = mixed(np.uint64(0), first), start + 8, start + length
    while i < end:
        chunk = eight(data, i)
        if i + 8 > end:
            chunk &= (_ONE << np.uint64(8 * (end - i))) - _ONE
        h = mixed(h, chunk)
        i += 8
    return settled(h, length), first


@kernel
def fnv1a(data: Bytes, start: Int, length: Int) -> Any:
    """The original's hash: 32-bit FNV-1a over bytes as signed characters."""
    h = _FNV_START
    for i in range(start, start + length):
        h = ((h ^ (np.uint64(np.int64(np.int8(data[i]))) & _LOW)) * _FNV_PRIME) & _LOW
    return h


@kernel
def same(left: Bytes, i: Int, right: Bytes, j: Int, length: Int) -> Any:
    """Whether two names of the same length are equal."""
    k = 0
    while k + 8 <= length:
        if eight(left, i + k) != eight(right, j + k):
            return False
        k += 8
    return k == length or some(left, i + k, length - k) == some(right, j + k, length - k)


@inlined
def find(
    slots: NDArray[np.uint64],
    arena: Bytes,
    starts: Longs,
    lengths: Ids,
    data: Bytes,
    start: Int,
    length: Int,
    h: Any,
    first: Any,
) -> tuple[Int, Int]:
    """The number of a name, −1: unknown; and its slot, or the free one where it belongs."""
    mask = np.uint64(len(slots) - 1)
    tag = tag_of(h, length)
    slot = h & mask
    number = np.int64(-1)
    while True:
        entry = slots[slot, 0]
        if entry == np.uint64(0):
            break
        if entry >> _HALF == tag and slots[slot, 1] == first:
            number = np.int64(entry & _LOW) - 1
            # the first eight bytes and a length below 255 are known to agree
            if length <= 8:
                break
            there = starts[number]
            if length <= 16:
                if eight(arena, there + length - 8) == eight(data, start + length - 8):
                    break
            elif lengths[number] == length and same(arena, there, data, start, length):
                break
            number = np.int64(-1)
        slot = (slot + _ONE) & mask
    return number, np.int64(slot)


@kernel
def look_up(names: Names, data: Bytes, start: Int, length: Int) -> Int:
    """The number of one name, −1: unknown."""
    h, first = name_hash(data, start, length)
    return find(names.slots, names.arena, names.starts, names.lengths, data, start, length, h, first)[0]


@kernel
def fill_slots(slots: NDArray[np.uint64], arena: Bytes, starts: Longs, lengths: Ids, hashes: Ids) -> Int:
    """Enter all names into empty slots and hash them, where there is room for hashes; −1, or the number of a name that is there already."""
    for number in range(len(starts)):
        start, length = starts[number], np.int64(lengths[number])
        h, first = name_hash(arena, start, length)
        found, slot = find(slots, arena, starts, lengths, arena, start, length, h, first)
        if found >= 0:
            return np.int64(number)
        slots[slot, 0] = tag_of(h, length) << _HALF | np.uint64(number + 1)
        slots[slot, 1] = first
        if len(hashes):
            hashes[number] = np.int32(np.uint32(fnv1a(arena, start, length)))
    return np.int64(-1)


# ---- n-grams -----------------------------------------------------------------------------------------------------


@inlined
def row_of_bucket(bucket: Any, kept: Any, rows: Any, words: Any) -> Any:
    """The row of a bucket, −1 where it has none."""
    row = np.int64(-1)
    if kept == ALL:
        row = np.int64(words) + np.int64(bucket)
    elif kept == PRUNED:
        mask = np.int64(len(rows) - 1)
        slot = (np.int64(bucket) * SPREAD) & mask
        while rows[slot] != 0:
            if rows[slot] >> 32 == bucket:
                row = np.int64(words) + (rows[slot] & 0xFFFFFFFF) - 1
                break
            slot = (slot + 1) & mask
    return row


@kernel
def most_pieces(length: Int, min_n: Int, max_n: Int) -> Int:
    """No word of ``length`` bytes has more character n-grams."""
    return (length + 2) * min(length + 2, max(0, max_n - max(1, min_n) + 1))


@kernel
def pieces(data: Bytes, start: Int, length: Int, grams: Grams, words: Int, out: Ids, at: Int) -> Int:
    """Write the rows of the character n-grams of ``<word>`` to ``out`` from ``at`` on; where they end."""
    size = length + 2
    buckets = np.uint64(grams.buckets)
    if grams.buckets <= 0 or grams.kept == NONE:
        return at
    for i in range(size):
        if 0 < i <= length and data[start + i - 1] & 0xC0 == 0x80:
            continue
        h, j, n = _FNV_START, i, 1
        while j < size and n <= grams.max_n:
            follows = True
            while follows:  # one code point
                if j == 0:
                    byte = _LEFT
                elif j > length:
                    byte = _RIGHT
                else:
                    byte = np.uint64(np.int64(np.int8(data[start + j - 1]))) & _LOW
                h = ((h ^ byte) * _FNV_PRIME) & _LOW
                j += 1
                follows = j <= length and data[start + j - 1] & 0xC0 == 0x80
            if n >= grams.min_n and not (n == 1 and (i == 0 or j == size)):
                row = row_of_bucket(np.int64(h % buckets), grams.kept, grams.rows, words)
                if row >= 0:
                    out[at] = row
                    at += 1
            n += 1
    return at


@kernel
def rows_of_names(
    data: Bytes, starts: Longs, lengths: Ids, numbers: Longs, grams: Grams, words: Int, out: Ids, ends: Longs
) -> None:
    """The rows of words as ``getSubwords`` has them: the word's own, where it has one, then its character n-grams.

    Args:
        data: bytes of the words.
        starts: (M,) where they begin.
        lengths: (M,) in bytes.
        numbers: (M,) the row of each, −1: unknown.
        grams: which n-grams there are.
        words: V.
        out: the rows; it must have room.
        ends: (M + 1,) word i owns out[ends[i]:ends[i + 1]].
    """
    at = np.int64(0)
    for i in range(len(starts)):
        ends[i] = at
        if numbers[i] >= 0:
            out[at] = numbers[i]
            at += 1
        length = np.int64(lengths[i])
        is_end = length == 4 and some(data, starts[i], 4) == _END
        if grams.max_n > 0 and not is_end:
            at = pieces(data, starts[i], length, grams, words, out, at)
    ends[len(starts)] = at


@kernel
def word_grams(hashes: Longs, count: Int, grams: Grams, words: Int, out: Ids, at: Int) -> Int:
    """Write the rows of the n-grams of a line's ``count`` words; where they end."""
    if grams.buckets <= 0 or grams.kept == NONE:
        return at
    buckets = np.uint64(grams.buckets)
    if grams.word_ngrams == 2 and grams.kept == ALL:
        for i in range(count - 1):
            h = np.uint64(hashes[i]) * _CHAIN + np.uint64(hashes[i + 1])
            out[at + i] = words + np.int64(h % buckets)
        return at + max(0, count - 1)
    for i in range(count):
        h = np.uint64(hashes[i])
        for j in range(i + 1, min(count, i + grams.word_ngrams)):
            h = h * _CHAIN + np.uint64(hashes[j])
            row = row_of_bucket(np.int64(h % buckets), grams.kept, grams.rows, words)
            if row >= 0:
                out[at] = row
                at += 1
    return at


# ---- lines -------------------------------------------------------------------------------------------------------


@inlined
def room_for_tokens() -> Any:
    """Room for what ``scan`` reads."""
    numbers, hashes = np.empty((3, HELD), dtype=np.int64), np.empty((2, HELD), dtype=np.uint64)
    return Held(numbers[0], numbers[1], hashes[0], hashes[1], numbers[2])


@kernel
def scan(data: Bytes, i: Int, last: Int, whole: bool, slots: NDArray[np.uint64], held: Held) -> tuple[Int, Int]:
    """Read tokens until ``held`` is full, and ask for their slots, which are far apart: by the time they are looked up, they are here.

    White space is found 64 bytes at a time.

    Returns:
        where to go on, and how many tokens there are; one of length 0 is the end of a line.
    """
    mask, most, size = np.uint64(len(slots) - 1), len(held.starts), 0
    begins, lengths, hashes, firsts, afters = held.starts, held.lengths, held.hashes, held.firsts, held.afters
    base, spaces = i, spaces_of(data, i)
    while i < last and size < most:
        if i >= base + 64:
            base, spaces = i, spaces_of(data, i)
        ahead = spaces >> np.uint64(i - base)
        if ahead & _ONE:
            i += 1
            if data[i - 1] == 10:
                lengths[size], afters[size] = 0, i
                size += 1
            continue
        start = i
        while ahead == np.uint64(0):
            base = i = base + 64
            ahead = spaces = spaces_of(data, base) if base < last else _ONE
        i = min(last, i + np.int64(zeros_below(ahead)))
        length = i - start
        h, first = name_hash(data, start, length)
        prefetch(slots, np.int64(h & mask), 0)
        begins[size], lengths[size], hashes[size], firsts[size] = start, length, h, first
        if length == 4 and first == _END:
            if whole:
                while i < last and data[i] != 10:
                    i += 1
                i = min(i + 1, last)
            elif i < last and data[i] != 10:
                i += 1  # the original takes the blank behind a word with it, so that it begins no line
        afters[size] = i
        size += 1
    return i, size


@kernel
def encode(  # noqa: C901  (one loop: a call for each token would take as long as the rest)
    data: Bytes, last: Int, names: Names, grams: Grams, whole: bool, folded: bool, out: Out, state: Longs
) -> Int:
    """Lines for a classifier, labels and rows apart.

    Args:
        data: the text, PAD more bytes behind ``last``.
        last: where to stop: behind a line's end, or at the end of all.
        names: words and labels.
        grams: which n-grams there are.
        whole: what follows a ``</s>`` that is written out is skipped to the line's end; False: it is a line of its own.
        folded: a known word gives its own row alone, its character n-grams are left to the reader.
        out: room.
        state: int64 (4,) CURSOR LINES ROWS LABELS.

    Returns:
        DONE; FULL: the line at the cursor wants more room; LONG: it has more words than there is room for their hashes.
    """
    slots, arena, starts, lengths, known = names.slots, names.arena, names.starts, names.lengths, names.hashes
    prefix, words, end = names.prefix, np.int64(names.words), np.int64(names.end)
    rows, labels, hashes = out.rows, out.labels, out.hashes
    max_n, word_ngrams = np.int64(grams.max_n), np.int64(grams.word_ngrams)
    held = room_for_tokens()
    line, written, found = state[LINES], state[ROWS], state[LABELS]
    i = begin = state[CURSOR]
    plain = folded or max_n == 0  # a known word is one row: most tokens are
    row, label, tokens, said = written, found, np.int64(0), np.int64(0)
    while begin < last:
        i, size = scan(data, i, last, whole, slots, held)
        for place in range(size + (i >= last)):
            if line + 2 > len(out.starts):
                state[CURSOR] = begin
                return FULL
            ended = final = place == size
            if not final:
                start, length, first = held.starts[place], held.lengths[place], held.firsts[place]
                if length == 0:
                    number, ended, length = end, True, np.int64(4)
                else:
                    number, _ = find(slots, arena, starts, lengths, data, start, length, held.hashes[place], first)
                    ended = length == 4 and first == _END
                    if plain and 0 <= number < words and not ended and said < len(hashes) and row < len(rows):
                        rows[row], hashes[said] = number, known[number]
                        row, said, tokens = row + 1, said + 1, tokens + 1
                        continue
                tokens += 1
                if number >= words:
                    if label >= len(labels):
                        state[CURSOR] = begin
                        return FULL
                    labels[label] = number - words
                    label += 1
                    if not ended:
                        continue
                else:
                    if number < 0 and len(prefix) <= length and not ended:
                        k = 0
                        while k < len(prefix) and data[start + k] == prefix[k]:
                            k += 1
                        if k == len(prefix):
                            continue  # a label that is not known
                    cut = max_n > 0 and not ended and not (folded and number >= 0)
                    need = most_pieces(length, grams.min_n, max_n) if cut else 0
                    if said >= len(hashes) or row + 1 + need > len(rows):
                        state[CURSOR] = begin
                        return LONG if said >= len(hashes) else FULL
                    if number >= 0:
                        rows[row] = number
                        row += 1
                    if cut:
                        row = pieces(data, start, length, grams, words, rows, row)
                    if word_ngrams > 1:
                        if ended:
                            hashes[said] = END_HASH
                        elif number >= 0:
                            hashes[said] = known[number]
                        else:
                            hashes[said] = np.int64(np.int32(np.uint32(fnv1a(data, start, length))))
                        said += 1
                if not ended:
                    continue
            elif begin >= last:
                break
            if word_ngrams > 1:
                if row + said * min(word_ngrams - 1, said) > len(rows):
                    state[CURSOR] = begin
                    return FULL
                row = word_grams(hashes, said, grams, words, rows, row)
            line, written, found = line + 1, row, label
            out.starts[line], out.label_starts[line], out.tokens[line - 1] = written, found, tokens
            begin = last if final else held.afters[place]
            tokens = said = np.int64(0)
            state[CURSOR], state[LINES], state[ROWS], state[LABELS] = begin, line, written, found
    return DONE


@kernel
def encode_words(data: Bytes, last: Int, names: Names, out: Out, state: Longs) -> Int:
    """Lines for word vectors: the numbers of known words; a line of more than LONGEST_LINE known tokens is cut.

    Args and return value as for ``encode``.
    """
    slots, arena, starts, lengths = names.slots, names.arena, names.starts, names.lengths
    words, end = np.int64(names.words), np.int64(names.end)
    held = room_for_tokens()
    line, written = state[LINES], state[ROWS]
    i = begin = state[CURSOR]
    row, tokens = written, np.int64(0)
    while begin < last:
        i, size = scan(data, i, last, False, slots, held)
        for place in range(size + (i >= last)):
            ended = place == size
            after = last
            if ended and begin >= last:
                break
            if not ended:
                length, first, after = held.lengths[place], held.firsts[place], held.afters[place]
                if length == 0:
                    number, ended = end, bool(end >= 0)
                else:
                    h = held.hashes[place]
                    number, _ = find(slots, arena, starts, lengths, data, held.starts[place], length, h, first)
                    ended = number >= 0 and length == 4 and first == _END
                if number < 0:
                    continue
                tokens += 1
                if number < words:
                    if row >= len(out.rows):
                        state[CURSOR] = begin
                        return FULL
                    out.rows[row] = number
                    row += 1
                if tokens > LONGEST_LINE:
                    ended = True
            if ended:
                if line + 2 > len(out.starts):
                    state[CURSOR] = begin
                    return FULL
                line, written, begin = line + 1, row, after
                out.starts[line], out.label_starts[line], out.tokens[line - 1] = written, 0, tokens
                tokens = np.int64(0)
                state[CURSOR], state[LINES], state[ROWS] = begin, line, written
    return DONE


# ---- counting ----------------------------------------------------------------------------------------------------


@kernel
def count(data: Bytes, last: Int, origin: Int, table: Counts, used: Longs, state: Longs) -> Int:
    """Count the tokens of a text; a name that is new gets a number.

    Args:
        data: the text, PAD more bytes behind ``last``.
        last: where to stop, between two tokens.
        origin: where ``data[0]`` stands in the whole text.
        table: the names so far.
        used: int64 (5,) NAMES ARENA TOKENS ENDS FIRST_END.
        state: int64 (1,) CURSOR.

    Returns:
        DONE; FULL: the table wants room.
    """
    slots, arena, starts, lengths, counts = table.slots, table.arena, table.starts, table.lengths, table.counts
    i, names, taken = state[CURSOR], used[NAMES], used[ARENA]
    tokens, ends = np.int64(0), np.int64(0)
    held = room_for_tokens()
    while i < last:
        i, size = scan(data, i, last, False, slots, held)
        for place in range(size):
            start, length = held.starts[place], held.lengths[place]
            if length == 0:
                if used[FIRST_END] < 0:
                    used[FIRST_END] = origin + held.afters[place] - 1
                ends += 1
                continue
            h, first = held.hashes[place], held.firsts[place]
            number, slot = find(slots, arena, starts, lengths, data, start, length, h, first)
            if number < 0:
                if names >= len(starts) or 2 * names >= len(slots) or taken + length + PAD > len(arena):
                    state[CURSOR], used[NAMES], used[ARENA] = start, names, taken
                    used[TOKENS] += tokens
                    used[ENDS] += ends
                    return FULL
                slots[slot, 0] = tag_of(h, length) << _HALF | np.uint64(names + 1)
                slots[slot, 1] = first
                for k in range(length):
                    arena[taken + k] = data[start + k]
                starts[names], lengths[names], counts[names] = taken, length, 0
                table.firsts[names] = origin + start
                number, names, taken = names, names + 1, taken + length
            counts[number] += 1
            tokens += 1
    state[CURSOR], used[NAMES], used[ARENA] = i, names, taken
    used[TOKENS] += tokens
    used[ENDS] += ends
    return DONE


@kernel
def merge(local: Counts, names: Int, into: Counts, used: Longs, state: Longs) -> Int:
    """Add the counts of another table; FULL: it wants room, go on where ``state`` says."""
    for number in range(state[CURSOR], names):
        start, length = local.starts[number], np.int64(local.lengths[number])
        h, first = name_hash(local.arena, start, length)
        found, slot = find(into.slots, into.arena, into.starts, into.lengths, local.arena, start, length, h, first)
        if found < 0:
            fresh, taken = used[NAMES], used[ARENA]
            if fresh >= len(into.starts) or 2 * fresh >= len(into.slots) or taken + length + PAD > len(into.arena):
                state[CURSOR] = number
                return FULL
            into.slots[slot, 0] = tag_of(h, length) << _HALF | np.uint64(fresh + 1)
            into.slots[slot, 1] = first
            for k in range(length):
                into.arena[taken + k] = local.arena[start + k]
            into.starts[fresh], into.lengths[fresh], into.counts[fresh] = taken, length, 0
            into.firsts[fresh] = local.firsts[number]
            used[NAMES], used[ARENA] = fresh + 1, taken + length
            found = fresh
        into.counts[found] += local.counts[number]
        into.firsts[found] = min(into.firsts[found], local.firsts[number])
    return DONE


@kernel
def keep_buckets(buckets: Longs, rows: Longs, slots: Longs) -> Int:
    """Enter kept buckets into empty slots; −1, or the place of one that is there already."""
    mask = np.int64(len(slots) - 1)
    for place in range(len(buckets)):
        slot = (buckets[place] * SPREAD) & mask
        while slots[slot] != 0:
            if slots[slot] >> 32 == buckets[place]:
                return np.int64(place)
            slot = (slot + 1) & mask
        slots[slot] = buckets[place] << 32 | (rows[place] + 1)
    return np.int64(-1)


@kernel
def begin_with(arena: Bytes, starts: Longs, lengths: Ids, prefix: Bytes, answers: NDArray[np.bool_]) -> None:
    """Which names begin with ``prefix``."""
    for number in range(len(starts)):
        k = 0
        while k < len(prefix) and k < lengths[number] and arena[starts[number] + k] == prefix[k]:
            k += 1
        answers[number] = k == len(prefix)


@kernel
def gather(arena: Bytes, starts: Longs, lengths: Ids, chosen: Longs, out: Bytes, out_starts: Longs) -> None:
    """Copy the chosen names, one behind the other."""
    at = np.int64(0)
    for place in range(len(chosen)):
        out_starts[place] = at
        start = starts[chosen[place]]
        for k in range(lengths[chosen[place]]):
            out[at + k] = arena[start + k]
        at += lengths[chosen[place]]


# ---- names as they lie in a file -----------------------------------------------------------------------------------

SHORT, EMPTY, KIND, COUNT = range(1, 5)  # what can be wrong with one
_MOST_COUNT = np.uint64(10**15)


@kernel
def entries(data: Bytes, last: Int, words: Int, starts: Longs, lengths: Ids, counts: Longs, state: Longs) -> None:
    """Find the names: bytes, NUL, int64 count, int8 kind.

    Args:
        data: from the first name on, PAD more bytes behind ``last``.
        last: how many bytes there are.
        words: how many of them are words; labels follow.
        starts: (M,) where each begins, filled in.
        lengths: (M,) filled in.
        counts: (M,) filled in.
        state: int64 (3,): how many are found, where the next one begins, what is wrong with it.
    """
    at = np.int64(0)
    state[2] = 0
    for number in range(len(starts)):
        state[0], state[1] = number, at
        end = at
        while end < last and data[end] != 0:
            end += 1
        if end + 10 > last or end - at > 0x7FFFFFF0:
            state[2] = SHORT
            return
        if end == at:
            state[2] = EMPTY
            return
        count = eight(data, end + 1)
        if count > _MOST_COUNT:
            state[2] = COUNT
            return
        if data[end + 9] != (0 if number < words else 1):
            state[2] = KIND
            return
        starts[number], lengths[number], counts[number] = at, end - at, np.int64(count)
        at = end + 10
    state[0], state[1] = len(starts), at


@kernel
def write_entries(arena: Bytes, starts: Longs, lengths: Ids, counts: Longs, words: Int, out: Bytes) -> None:
    """The inverse of ``entries``; ``out`` is zeros."""
    at = np.int64(0)
    for number in range(len(starts)):
        for k in range(lengths[number]):
            out[at + k] = arena[starts[number] + k]
        at += lengths[number] + 1
        for k in range(8):
            out[at + k] = (counts[number] >> (8 * k)) & 0xFF
        out[at + 8] = 0 if number < words else 1
        at += 9


@kernel
def all_finite(bits: NDArray[np.uint32], size: Int) -> Any:
    """Whether the first ``size`` float32, given as their bits, are neither infinite nor nan."""
    worst = np.uint32(0)
    for i in range(size):
        worst = max(worst, bits[i] & np.uint32(0x7FFFFFFF))
    return worst < np.uint32(0x7F800000)
