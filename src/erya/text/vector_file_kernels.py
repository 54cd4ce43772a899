"""Rows of vector files as Numba functions: bytes in, float32 out, and back. Arrays in, arrays out; no file is opened here.

A number of a text file becomes the nearest float32, to the last bit: up to 18 digits are read as an integer m, and
m · 10^e in float64 is off by less than 2^-50 of itself. Where both ends of that interval round to the same float32,
this is the right one (Clinger 1990, "How to read floating point numbers accurately", with float64 as the wider format).
The others, about one in ten million, are left to the caller, who has exact arithmetic.

A float32 becomes the shortest decimal that reads back as the same bits: 6 digits are tried, then 7, 8 and 9, which always
suffice (Steele and White 1990 asked the question; trying is enough here, since float64 says at once whether digits do).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel

LONGEST_WORD = 1 << 16  # bytes
LONGEST_NUMBER = 128  # bytes
NUMBER_ROOM = 20  # bytes that a written number and the space before it never exceed
_DIGITS = 18  # of these an int64 always has room
_SLACK = 2.0**-50  # relative; more than two float64 roundings and the digits beyond the 18th can be off

POWERS = np.array([float(f"1e{exponent}") for exponent in range(309)])  # float() rounds each of them correctly

# How a call ended; everything from SHORT on is an error in the line or row that starts at state[PLACE].
DONE, FULL, SHORT, LONG, NO_NUMBER, NOT_FINITE, NO_WORD, WORD_TOO_LONG, NO_LINE_END = range(9)
# Places in ``state``: where the next row starts, its line (1-based), rows read, slow numbers, the error's row and field.
AT, LINE, ROWS, SLOW, PLACE, FIELD = range(6)
_EXACT, _SLOW, _NOT_NUMBER, _NOT_FINITE = range(4)


@kernel
def _is_space(byte: int) -> bool:
    return bool(byte == 32 or 11 <= byte <= 13 or byte == 9)


@kernel
def _spells_no_number(data: NDArray[np.uint8], start: int, stop: int) -> bool:
    """``nan``, ``inf``, ``infinity`` or ``nan(…)``, in any case."""
    size = stop - start
    if size < 3 or (size != 3 and size != 8 and data[start + 3] != 40):
        return False
    first, second, third = data[start] | 32, data[start + 1] | 32, data[start + 2] | 32
    return bool((first == 110 and second == 97 and third == 110) or (first == 105 and second == 110 and third == 102))


@kernel
def _power(data: NDArray[np.uint8], start: int, stop: int) -> tuple[int, bool]:
    """What ``e-07`` says, within ±100,000, and whether it is spelt like that."""
    place = start + 1
    sign = 1
    if place < stop and (data[place] == 45 or data[place] == 43):
        sign = -1 if data[place] == 45 else 1
        place += 1
    if data[start] | 32 != 101 or place == stop:  # e
        return 0, False
    told = 0
    while place < stop:
        if data[place] < 48 or data[place] > 57:
            return 0, False
        told = told * 10 + (int(data[place]) - 48)
        if told > 100_000:
            told = 100_000
        place += 1
    return sign * told, True


@kernel
def _decimal(data: NDArray[np.uint8], start: int, stop: int) -> tuple[float, int]:
    """The number that ``data[start:stop]`` spells, as float64 within 2^-50, and whether float32 can be sure of it."""
    if stop - start > LONGEST_NUMBER:
        return 0.0, _NOT_NUMBER
    place = start
    negative = data[place] == 45
    if data[place] == 45 or data[place] == 43:
        place += 1
    if _spells_no_number(data, place, stop):
        return 0.0, _NOT_FINITE
    mantissa, digits, seen, exponent, after_point = 0, 0, 0, 0, 0
    while place < stop:
        byte = data[place]
        if 48 <= byte <= 57:
            seen += 1
            if digits < _DIGITS:
                mantissa = mantissa * 10 + (int(byte) - 48)
                digits += 1 if mantissa > 0 else 0
                exponent -= after_point
            else:
                exponent += 1 - after_point
        elif byte == 46 and after_point == 0:
            after_point = 1
        else:
            break
        place += 1
    if seen == 0:
        return 0.0, _NOT_NUMBER
    if place < stop:
        told, sound = _power(data, place, stop)
        if not sound:
            return 0.0, _NOT_NUMBER
        exponent += told
    value = 0.0
    if mantissa > 0:
        if exponent > 308 or exponent < -308:
            return 0.0, _SLOW
        value = mantissa * POWERS[exponent] if exponent >= 0 else mantissa / POWERS[-exponent]
    low, high = np.float32(value * (1.0 - _SLACK)), np.float32(value * (1.0 + _SLACK))
    kind = _SLOW if low != high else (_NOT_FINITE if np.isinf(low) else _EXACT)
    return (-value if negative else value), kind


@kernel
def text_rows(
    data: NDArray[np.uint8],
    end: int,
    matrix: NDArray[np.float32],
    first: int,
    most: int,
    spans: NDArray[np.int64],
    slow: NDArray[np.int64],
    state: NDArray[np.int64],
) -> int:
    r"""Lines ``word number … number`` into rows of ``matrix``: a line's last D fields are its numbers, the rest its word.

    Args:
        data: bytes; ``data[state[AT]:end]`` are whole lines, each with its ``\n``.
        end: one past the last ``\n``.
        matrix: (R, D); the rows from ``first`` on are written.
        first: where the first line's row goes.
        most: rows to read at most, ≤ R − first.
        spans: (S, 3); of each row the start and end of its word in ``data``, and its line.
        slow: (at least D, 4); of each number that needs exact arithmetic the row, column, start and end.
        state: AT, LINE, ROWS, SLOW, PLACE, FIELD; the first two go on from call to call.

    Returns:
        DONE (all lines read), FULL (``most``, S or the room for slow numbers is reached) or an error.
    """
    width = matrix.shape[1]
    at, line, rows, slow_count = state[AT], state[LINE], 0, 0
    outcome = DONE
    field = 0
    while at < end:
        if rows >= most or rows >= len(spans) or slow_count + width > len(slow):
            outcome = FULL
            break
        newline = at
        while data[newline] != 10:
            newline += 1
        place = newline
        while place > at and _is_space(data[place - 1]):
            place -= 1
        if place == at:  # an empty line
            at = newline + 1
            line += 1
            continue
        for column in range(width - 1, -1, -1):
            field_end = place
            while place > at and not _is_space(data[place - 1]):
                place -= 1
            if place == at:
                outcome = SHORT
                break
            value, kind = _decimal(data, place, field_end)
            if kind >= _NOT_NUMBER:
                outcome = NO_NUMBER if kind == _NOT_NUMBER else NOT_FINITE
                field = place
                break
            if kind == _SLOW:
                slow[slow_count, 0] = first + rows
                slow[slow_count, 1] = column
                slow[slow_count, 2] = place
                slow[slow_count, 3] = field_end
                slow_count += 1
            matrix[first + rows, column] = value
            while place > at and _is_space(data[place - 1]):
                place -= 1
        if outcome == DONE:
            outcome = _check_word(data, at, place)
        if outcome != DONE:
            break
        spans[rows, 0] = at
        spans[rows, 1] = place
        spans[rows, 2] = line
        rows += 1
        at = newline + 1
        line += 1
    state[AT], state[LINE], state[ROWS], state[SLOW], state[PLACE], state[FIELD] = at, line, rows, slow_count, at, field
    return outcome


@kernel
def _check_word(data: NDArray[np.uint8], start: int, stop: int) -> int:
    """A word may hold spaces (GloVe 840B has ". . ."), but its last part is no number: that would be one number too many."""
    if stop == start or _is_space(data[start]):
        return NO_WORD
    if stop - start > LONGEST_WORD:
        return WORD_TOO_LONG
    place = stop
    while place > start and not _is_space(data[place - 1]):
        place -= 1
    if place > start:
        _, kind = _decimal(data, place, stop)
        if kind != _NOT_NUMBER:
            return LONG
    return DONE


@kernel
def binary_rows(
    data: NDArray[np.uint8],
    end: int,
    rows_bytes: NDArray[np.uint8],
    first: int,
    most: int,
    line_ends: bool,
    spans: NDArray[np.int64],
    state: NDArray[np.int64],
) -> int:
    r"""Rows ``word space D·float32 [\n]`` into rows of ``rows_bytes`` (R, 4·D), as they stand.

    Args:
        data: bytes; ``data[state[AT]:end]`` begins with a row.
        end: one past the last byte that has come; the last row may be cut off there, and is left for the next call.
        rows_bytes: the matrix, seen as bytes.
        first: where the first row goes.
        most: rows to read at most.
        line_ends: rows end in ``\n``; that of the very last may be missing, which the caller looks at.
        spans: (S, 3); of each row the start and end of its word.
        state: as for ``text_rows``; LINE is not used.
    """
    width = rows_bytes.shape[1]
    at, rows = state[AT], 0
    outcome = DONE
    while at < end:
        if rows >= most or rows >= len(spans):
            outcome = FULL
            break
        space = at
        while space < end and data[space] != 32 and data[space] != 10 and space - at <= LONGEST_WORD:
            space += 1
        if space == end:
            break
        if space - at > LONGEST_WORD:
            outcome = WORD_TOO_LONG
            break
        if space == at or data[space] == 10:
            outcome = NO_WORD
            break
        stop = space + 1 + width
        if stop + (1 if line_ends else 0) > end:
            break
        if line_ends and data[stop] != 10:
            outcome = NO_LINE_END
            break
        for index in range(width):
            rows_bytes[first + rows, index] = data[space + 1 + index]
        spans[rows, 0] = at
        spans[rows, 1] = space
        rows += 1
        at = stop + (1 if line_ends else 0)
    state[AT], state[ROWS], state[PLACE] = at, rows, at
    return outcome


# ---- writing -------------------------------------------------------------------------------------------------------


@kernel
def _digits_of(value: float) -> tuple[int, int, int]:
    """A positive float32 as m, p, e with value = m · 10^(e−p+1), m of p digits: the fewest from 6 on that read back."""
    wanted = np.float32(value)
    power = int(np.floor(np.log10(value)))
    fewest = 6 if value >= 1.1754943508222875e-38 else 9  # where float32 has fewer bits, 9 digits say it all
    for digits in range(fewest, 10):
        shift = digits - 1 - power
        scaled = value * POWERS[shift] if shift >= 0 else value / POWERS[-shift]
        mantissa = int(np.floor(scaled + 0.5))
        if mantissa >= int(POWERS[digits]):  # the logarithm, or the rounding, went one power too low
            power += 1
            shift -= 1
            scaled = value * POWERS[shift] if shift >= 0 else value / POWERS[-shift]
            mantissa = int(np.floor(scaled + 0.5))
        elif mantissa < int(POWERS[digits - 1]):
            power -= 1
            shift += 1
            scaled = value * POWERS[shift] if shift >= 0 else value / POWERS[-shift]
            mantissa = int(np.floor(scaled + 0.5))
        back = mantissa / POWERS[shift] if shift >= 0 else mantissa * POWERS[-shift]
        sure = np.float32(back * (1.0 - _SLACK)) == wanted and np.float32(back * (1.0 + _SLACK)) == wanted
        if sure or digits == 9:
            return mantissa, digits, power
    return 0, 1, 0


@kernel
def _put_number(number: float, out: NDArray[np.uint8], place: int) -> int:
    """Write one float32, as Python would: 0.0125, 3.0, 1.5e-07. The place after it."""
    if np.signbit(number):
        out[place] = 45
        place += 1
    value = abs(float(number))
    mantissa, digits, power = 0, 1, 0
    if value > 0:
        mantissa, digits, power = _digits_of(value)
        while digits > 1 and mantissa % 10 == 0:
            mantissa //= 10
            digits -= 1
    plain = -5 < power < 9
    point = power if plain else 0  # digits before the point, less one
    if point < 0:
        for character in (48, 46):
            out[place] = character
            place += 1
        for _ in range(-point - 1):
            out[place] = 48
            place += 1
    divisor = int(POWERS[digits - 1])
    for index in range(max(digits, point + 1)):
        out[place] = 48 + (mantissa // divisor % 10 if divisor > 0 else 0)
        divisor //= 10
        place += 1
        if index == point and (plain or digits > 1):
            out[place] = 46
            place += 1
            if index + 1 >= digits:  # "3.0": a number, never taken for a count
                out[place] = 48
                place += 1
    if not plain:
        out[place] = 101
        out[place + 1] = 45 if power < 0 else 43
        out[place + 2] = 48 + abs(power) // 10
        out[place + 3] = 48 + abs(power) % 10
        place += 4
    return place


@kernel
def put_rows(
    matrix: NDArray[np.float32],
    words: NDArray[np.uint8],
    starts: NDArray[np.int64],
    trailing_space: bool,
    out: NDArray[np.uint8],
) -> int:
    """Rows as lines ``word number … number``.

    Args:
        matrix: (N, D).
        words: the bytes of all words, one after another.
        starts: (N + 1), where each begins; the last entry is where the last ends.
        trailing_space: a space stands before the line end too, as fastText writes it.
        out: at least ``len(words) + N · (2 + NUMBER_ROOM · D)`` bytes.

    Returns:
        How many bytes of ``out`` were written.
    """
    place = 0
    for row in range(len(matrix)):
        for index in range(starts[row], starts[row + 1]):
            out[place] = words[index]
            place += 1
        for column in range(matrix.shape[1]):
            out[place] = 32
            place = _put_number(matrix[row, column], out, place + 1)
        if trailing_space:
            out[place] = 32
            place += 1
        out[place] = 10
        place += 1
    return place
