"""Text made safe for a page, and the small pieces of HTML that every page shares."""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Say = Callable[[str, str], str]

_HARMLESS_FORMAT = {"\u200c", "\u200d", "\u00ad"}  # joiners of Persian, Indic and emoji; the soft hyphen


def speaker(lang: str) -> Say:
    """``say`` for a page whose language is given by its document, not by the process: ``say(en, zh)``."""
    chinese = lang.startswith("zh")

    def say(en: str, zh: str) -> str:
        return zh if chinese else en

    return say


def shown(text: object) -> str:
    """Text from data as HTML: nothing in it can be markup, turn the direction of writing, or hide.

    Control, bidi and invisible characters become visible names; line breaks and tabs stay.
    """
    pieces = []
    for character in str(text):
        if character in "\n\t" or character in _HARMLESS_FORMAT:
            pieces.append(character)
        elif unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
            pieces.append(f'<span class="ctl">U+{ord(character):04X}</span>')
        else:
            pieces.append(html.escape(character, quote=True))
    return "".join(pieces)


def plain(text: object) -> str:
    """The same where no markup may stand: in attributes, SVG text and titles."""
    return "".join(
        f"U+{ord(character):04X}"
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") and character not in _HARMLESS_FORMAT
        else html.escape(character, quote=True)
        for character in str(text).replace("\n", " ").replace("\t", " ")
    )


def data(text: object) -> str:
    """Text from data in an element of its own, so that its direction of writing stays inside."""
    return f"<bdi>{shown(text)}</bdi>"


def cut(text: str, characters: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + "…"


def number(value: object) -> str:
    """A number at three digits of precision; a dash for what is not there."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "–"
    if abs(value) >= 1e12:
        return f"{value:.3g}"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value == 0 or abs(value) >= 1e-4 else f"{value:.1e}"


def aligned(values: Sequence[object]) -> list[str]:
    """Numbers of one column, with the same decimals where fractions of one size stand below one another."""
    fractions = [abs(value) for value in values if isinstance(value, float) and math.isfinite(value)]
    largest = max(fractions, default=0.0)
    if not 0.01 <= largest < 1000:
        return [number(value) for value in values]
    decimals = 3 if largest < 10 else 2 if largest < 100 else 1
    return [
        f"{value:.{decimals}f}"
        if isinstance(value, float) and math.isfinite(value) and (value == 0 or abs(value) >= 10**-decimals)
        else number(value)
        for value in values
    ]


def percent(value: float | None, digits: int = 1) -> str:
    """A share of 1 as a percentage."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f}%"


@dataclass(frozen=True, slots=True)
class Cell:
    """A table cell that holds markup (already safe), with a class and the value that machines read."""

    markup: str
    kind: str = ""
    header: bool = False


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, kind: str = "", caption: str = "") -> str:
    """A table. Numbers are written short and set right; text is made safe; a ``Cell`` goes in as it is."""
    rows = [[_unboxed(cell) for cell in row] for row in rows]
    stacks = [[row[place] for row in rows] for place in range(len(columns))]
    written = [aligned(stack) for stack in stacks]
    head = "".join(map(_head, columns, stacks))
    lines = "".join(
        f"<tr>{''.join(map(_cell, row, [column[index] for column in written], columns))}</tr>"
        for index, row in enumerate(rows)
    )
    title = f"<caption>{shown(caption)}</caption>" if caption else ""
    names = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll"><table{names}>{title}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
    )


def _head(column: str, cells: Sequence[object]) -> str:
    """A column's heading, on the side on which its cells stand."""
    right = bool(cells) and all("num" in cell.kind if isinstance(cell, Cell) else _is_number(cell) for cell in cells)
    return f'<th scope="col"{" class=num" if right else ""}>{shown(column)}</th>'


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _unboxed(value: object) -> object:
    """A NumPy number as Python's own."""
    return value.item() if hasattr(value, "item") else value


def _cell(value: object, written: str, column: str) -> str:
    label = f' data-label="{plain(column)}"'
    if isinstance(value, Cell):
        tag = 'th scope="row"' if value.header else "td"
        names = f' class="{value.kind}"' if value.kind else ""
        return f"<{tag}{names}{label}>{value.markup}</{tag[:2]}>"
    if isinstance(value, str):
        return f"<td{label}>{data(value)}</td>"
    return f'<td class="num"{label}>{written}</td>'


def details(summary: str, body: str, *, is_open: bool = False) -> str:
    """What unfolds on a click, without a script."""
    return f"<details{' open' if is_open else ''}><summary>{shown(summary)}</summary>{body}</details>"


def figure(drawing: str, caption: str = "", beside: str = "") -> str:
    """A drawing, a sentence on how to read it, and its table."""
    words = f"<figcaption>{shown(caption)}</figcaption>" if caption else ""
    return f"<figure>{drawing}{words}{beside}</figure>"
