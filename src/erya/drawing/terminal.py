"""The views of a trace in a terminal: ANSI colours or, without them, marks; aligned by cells, so that Chinese lines up."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, chop_cells

from erya.drawing import lattice, plane
from erya.drawing.markup import aligned, number, percent
from erya.errors import quoted
from erya.language import say
from erya.trace import Bars, Lattice, Lines, Matrix, Points, Table, TokenHeat, Trace, View

ANSI = re.compile(r"(\x1b\[[0-9;]*m)")
EIGHTHS = " ▏▎▍▌▋▊▉█"
LEVELS = "▁▂▃▄▅▆▇█"
SHADES = " ░▒▓█"
# Steps of xterm's 256 colours from quiet to strong, each with the text colour that can be read on it.
FOR = ((153, 16), (111, 16), (68, 16), (25, 231))
AGAINST = ((223, 16), (215, 16), (208, 16), (130, 231))
EVERYTHING = 10**9
ROOMY = 60  # cells


def draw(trace: Trace, width: int, color: bool) -> str:
    """All views, one below the other; no line is wider than ``width`` cells."""
    width = max(width, 24)
    head = [_bold(quoted(trace.model, width - 1), color), quoted(trace.input, width - 1)]
    blocks = [head, *(_view(view, width, color) for view in trace.views)]
    return "\n\n".join("\n".join(_clipped(line, width) for line in block) for block in blocks)


def _view(view: View, width: int, color: bool) -> list[str]:
    lines = [_bold(quoted(view.title, width - 1), color)]
    lines += [_dim(line, color) for line in _wrapped(quoted(view.note, EVERYTHING), width)]
    if isinstance(view, TokenHeat):
        return lines + _token_heat(view, width, color)
    if isinstance(view, Bars):
        return lines + _bars(view, width, color)
    if isinstance(view, Matrix):
        return lines + _matrix(view, width, color)
    if isinstance(view, Lines):
        return lines + _lines(view, width)
    if isinstance(view, Points):
        return lines + plane.rows(view, width)
    if isinstance(view, Lattice):
        return lines + lattice.rows(view, width, color)
    return lines + _table(view, width)


# ---- one kind each --------------------------------------------------------------------------------------------


def _token_heat(view: TokenHeat, width: int, color: bool) -> list[str]:
    values = np.asarray(view.values, dtype=np.float64)
    largest = _largest(values)
    pieces: list[tuple[str, float | None]] = []
    reached = 0
    for (start, end), value in zip(view.spans, values.tolist(), strict=True):
        if start < reached:
            continue
        pieces += [(view.text[reached:start], None), (view.text[start:end], value)]
        reached = end
    pieces.append((view.text[reached:], None))
    lines: list[str] = []
    for row in _flowed(pieces, width):
        if color:
            lines.append("".join(_painted(text, value, largest) for text, value in row).rstrip())
        else:
            lines.append("".join(text for text, _ in row).rstrip())
            marks = "".join(_mark(value, largest) * cell_len(text) for text, value in row)
            lines.append(marks.rstrip())
    return [*lines, _dim(_heat_legend(largest, color, view.meaning, signed=bool((values < 0).any())), color)]


def _heat_legend(largest: float, color: bool, meaning: str, *, signed: bool) -> str:
    if color:
        speaks = _painted(f" +{number(largest)} ", largest, largest)
        against = _painted(f" -{number(largest)} ", -largest, largest)
    else:
        speaks, against = f"▂▄▆█ +{number(largest)}", f"░▒▓ -{number(largest)}"
    words = f"{speaks} {meaning or say('for', '支持')}"
    return f"{words}   {against} {say('against', '反对')}" if signed else words


def _bars(view: Bars, width: int, color: bool) -> list[str]:
    values = np.asarray(view.values, dtype=np.float64).tolist()
    finite = [value for value in values if math.isfinite(value)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    if view.percent and low == 0:
        high = max(high, 1.0)
    written = [percent(value) for value in values] if view.percent else aligned(values)
    names = [quoted(label, max(8, width // 3)) for label in view.labels]
    name_cells, number_cells = max(map(cell_len, names), default=0), max(map(len, written), default=0)
    room = max(4, width - name_cells - number_cells - 4)
    left = round(room * -low / (high - low)) if high > low else 0
    lines = []
    for name, value, text in zip(names, values, written, strict=True):
        share = abs(value) / (high - low) * room if high > low and math.isfinite(value) else 0.0
        if value < 0:
            bar = " " * max(0, left - round(share)) + _ink("▒" * min(left, round(share)), AGAINST, color)
            bar += " " * (room - left)
        else:
            blocks = _blocks(share, room - left)
            bar = " " * left + _ink(blocks, FOR, color) + " " * (room - left - len(blocks))
        lines.append(f"{_left(name, name_cells)}  {bar}  {text.rjust(number_cells)}".rstrip())
    return lines


def _matrix(view: Matrix, width: int, color: bool) -> list[str]:
    """Numbers where all columns fit, else shades two cells wide, in as many blocks of columns as it takes."""
    values = np.asarray(view.values, dtype=np.float64)
    names = [quoted(name, max(6, width // 4)) for name in view.rows]
    name_cells = max(map(cell_len, names), default=0)
    heads = [quoted(name, 10) for name in view.columns]
    flat = aligned(values.ravel().tolist())
    written = [flat[start : start + len(heads)] for start in range(0, len(flat), max(1, len(heads)))]
    cells = max([*map(cell_len, heads), *(len(text) for row in written for text in row), 0]) + 2
    if name_cells + cells * len(heads) <= width:
        lines = [" " * name_cells + "".join(_right(head, cells) for head in heads)]
        return lines + [
            _left(name, name_cells) + "".join(text.rjust(cells) for text in row)
            for name, row in zip(names, written, strict=True)
        ]
    largest, lines = _largest(values), []
    per_block = max(1, (width - name_cells - 1) // 2)
    for start in range(0, len(heads), per_block):
        block = slice(start, start + per_block)
        lines.append(" " * (name_cells + 1) + "".join(_left(_clipped(head, 2), 2) for head in heads[block]))
        for name, row in zip(names, values[:, block].tolist(), strict=True):
            lines.append(f"{_left(name, name_cells)} " + "".join(_shade(value, largest, color) for value in row))
    return [*lines, _dim(f"0 … {number(largest)}", color)]


def _lines(view: Lines, width: int) -> list[str]:
    """A spark line for each series, with its ends and its range."""
    names = [quoted(name, max(8, width // 4)) for name in view.series]
    name_cells = max(map(cell_len, names), default=0)
    lines = []
    for name, series in zip(names, view.series.values(), strict=True):
        values = np.asarray(series, dtype=np.float64)
        finite = values[np.isfinite(values)]
        if not finite.size:
            lines.append(f"{_left(name, name_cells)}  –")
            continue
        told = f"{number(float(finite[0]))} → {number(float(finite[-1]))}"
        if width >= ROOMY:
            told += f"  [{number(float(finite.min()))}, {number(float(finite.max()))}]"
        room = max(4, width - name_cells - cell_len(told) - 4)
        lines.append(f"{_left(name, name_cells)}  {_left(_spark(values, room), min(room, len(values)))}  {told}")
    if len(view.x):
        lines.append(f"{' ' * name_cells}  {quoted(_text(view.x[0]), 20)} … {quoted(_text(view.x[-1]), 20)}")
    return lines


def _table(view: Table, width: int) -> list[str]:
    stacks = [aligned([_unboxed(row[place]) for row in view.rows]) for place in range(len(view.columns))]
    texts = [[quoted(name, EVERYTHING) for name in view.columns]]
    texts += [[quoted(stack[index], EVERYTHING) for stack in stacks] for index in range(len(view.rows))]
    numeric = [
        bool(view.rows) and all(isinstance(row[column], int | float | np.number) for row in view.rows)
        for column in range(len(view.columns))
    ]
    widths = [max(cell_len(row[column]) for row in texts) for column in range(len(view.columns))]
    while widths and sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > 4:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in texts:
        cut = [
            quoted(text, cells - 1) if cell_len(text) > cells else text for text, cells in zip(row, widths, strict=True)
        ]
        lines.append(
            "  ".join(
                _right(text, cells) if right else _left(text, cells)
                for text, cells, right in zip(cut, widths, numeric, strict=True)
            ).rstrip()
        )
    return [lines[0], "─" * min(width, sum(widths) + 2 * max(0, len(widths) - 1)), *lines[1:]]


# ---- pieces ---------------------------------------------------------------------------------------------------


def _flowed(pieces: Sequence[tuple[str, float | None]], width: int) -> list[list[tuple[str, float | None]]]:
    """Pieces of text in lines of ``width`` cells; a token is broken only when it alone is wider than a line."""
    rows: list[list[tuple[str, float | None]]] = [[]]
    used = 0
    for text, value in pieces:
        safe = quoted(text, EVERYTHING).replace("\\n", "⏎")
        for part in chop_cells(safe, width) if cell_len(safe) > width else [safe]:
            cells = cell_len(part)
            if used + cells > width:
                rows.append([])
                used = 0
                part = part.lstrip() if value is None else part
                cells = cell_len(part)
            if part:
                rows[-1].append((part, value))
                used += cells
    return rows


def _painted(text: str, value: float | None, largest: float) -> str:
    if value is None or largest <= 0 or not math.isfinite(value) or abs(value) < largest / 12:
        return text
    ramp = AGAINST if value < 0 else FOR
    background, foreground = ramp[min(len(ramp) - 1, int(abs(value) / largest * len(ramp)))]
    return f"\x1b[48;5;{background};38;5;{foreground}m{text}\x1b[0m"


def _mark(value: float | None, largest: float) -> str:
    """The sign and strength of a value as one character, for terminals without colour."""
    if value is None or largest <= 0 or not math.isfinite(value) or abs(value) < largest / 12:
        return " "
    marks = "░▒▓" if value < 0 else "▂▄▆█"
    return marks[min(len(marks) - 1, int(abs(value) / largest * len(marks)))]


def _shade(value: float, largest: float, color: bool) -> str:
    if color:
        return _painted("  ", value, largest)
    if largest <= 0 or not math.isfinite(value):
        return "  "
    shade = SHADES[min(len(SHADES) - 1, round(abs(value) / largest * (len(SHADES) - 1)))]
    return f"-{shade}" if value < 0 and shade != " " else shade * 2


def _blocks(cells: float, room: int) -> str:
    """A bar with the precision of an eighth of a cell."""
    eighths = min(room * 8, round(cells * 8))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def _spark(values: NDArray[np.float64], room: int) -> str:
    if len(values) > room:
        values = np.array(
            [np.nanmean(part) if np.isfinite(part).any() else np.nan for part in np.array_split(values, room)]
        )
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    span = (high - low) or 1.0
    return "".join(
        LEVELS[min(7, int((value - low) / span * 8))] if math.isfinite(value) else " " for value in values.tolist()
    )


def _ink(text: str, ramp: tuple[tuple[int, int], ...], color: bool) -> str:
    return f"\x1b[38;5;{ramp[2][0]}m{text}\x1b[0m" if color and text else text


def _bold(text: str, color: bool) -> str:
    return f"\x1b[1m{text}\x1b[0m" if color else text


def _dim(text: str, color: bool) -> str:
    return f"\x1b[2m{text}\x1b[0m" if color and "\x1b" not in text else text


def _left(text: str, cells: int) -> str:
    return text + " " * max(0, cells - cell_len(text))


def _right(text: str, cells: int) -> str:
    return " " * max(0, cells - cell_len(text)) + text


def _clipped(line: str, width: int) -> str:
    """As much of a line as fits; colour codes take no room and are kept."""
    if cell_len(ANSI.sub("", line)) <= width:
        return line
    kept, used = [], 0
    for piece in ANSI.split(line):
        if piece.startswith("\x1b"):
            kept.append(piece)
            continue
        for character in piece:
            used += cell_len(character)
            if used <= width:
                kept.append(character)
    return "".join(kept)


def _wrapped(text: str, width: int) -> list[str]:
    """A sentence in lines: between words where there are any, between characters in Chinese."""
    lines, line = [], ""
    for word in [piece for part in text.split(" ") for piece in (part, " ")][:-1]:
        for piece in [word] if cell_len(word) <= width // 2 else list(word):
            if cell_len(line) + cell_len(piece) > width:
                lines.append(line.rstrip())
                line = ""
            line += piece if line or piece != " " else ""
    return [*lines, line] if line else lines


def _unboxed(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _text(value: Any) -> str:
    return number(_unboxed(value))


def _largest(values: NDArray[np.float64]) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else 0.0
