"""What the command line writes: results to stdout, talk to stderr, aligned by terminal cells.

Colour only on a terminal and without NO_COLOR; a bare ``erya list | cat`` is plain text.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from erya.language import say

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
WIDEST = 100  # help and prose wider than this are hard to read


def use_utf8() -> None:
    """Make the three streams UTF-8 whatever the locale; a character that cannot be written never ends the program.

    A stream that the caller closed (``>&-``) becomes the null device, or the next file opened would take its place.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                encoding="utf-8", errors="surrogateescape" if stream is sys.stdin else "backslashreplace"
            )


def is_coloured(stream: TextIO) -> bool:
    """Whether this stream is a terminal whose user did not ask for plain text."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def styled(text: str, style: str, stream: TextIO | None = None) -> str:
    """``text`` in a style such as ``"bold"`` or ``"bold red"``, where the stream (default: stdout) shows colour."""
    if not text or not is_coloured(stream or sys.stdout):
        return text
    codes = ";".join(STYLES[name] for name in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m"


def columns() -> int:
    """The terminal's width in cells; 80 where there is none. COLUMNS overrides."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)


# ---- writing --------------------------------------------------------------------------------------------------


def write(text: str = "") -> None:
    """A line of the result, to stdout."""
    sys.stdout.write(text + "\n")


def write_document(document: dict[str, Any]) -> None:
    """The ``--json`` document, to stdout. NaN and infinity, which JSON does not have, become null."""
    write(json.dumps(_finite(document), ensure_ascii=False, indent=1, allow_nan=False, default=_plain))


def write_line(row: dict[str, Any]) -> None:
    """One ``--jsonl`` line, to stdout."""
    write(json.dumps(_finite(row), ensure_ascii=False, allow_nan=False, default=_plain))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy, and paths."""
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return str(value)


def talk(text: str) -> None:
    """A line for the person at the terminal, to stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


# ---- cells ----------------------------------------------------------------------------------------------------


def width_of(text: str) -> int:
    """Terminal cells: East Asian wide characters take two, combining marks and controls none."""
    return sum(_cell(character) for character in text)


def _cell(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf", "Cc"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, width: int, right: bool = False) -> str:
    """``text`` filled with spaces to ``width`` cells."""
    fill = " " * max(0, width - width_of(text))
    return fill + text if right else text + fill


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells, with an ellipsis where something is left out."""
    if width_of(text) <= width:
        return text
    taken, used = [], 0
    for character in text:
        used += _cell(character)
        if used > width - 1:
            break
        taken.append(character)
    return "".join(taken) + "…"


def wrapped(text: str, width: int) -> list[str]:
    """``text`` broken into lines of ``width`` cells: at spaces, and after any wide character."""
    lines: list[str] = []
    line = ""
    for piece in _pieces(text):
        if line and width_of(line) + width_of(piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _pieces(text: str) -> Iterable[str]:
    """Unbreakable pieces: words with the space behind them, single wide characters with the punctuation behind them."""
    piece = ""
    for character in text:
        wide = unicodedata.east_asian_width(character) in "WF"
        closing = character in "，。；：、？！）】》”’…"
        if piece and not closing and (piece[-1] == " " or wide or unicodedata.east_asian_width(piece[-1]) in "WF"):
            yield piece
            piece = ""
        piece += character
    if piece:
        yield piece


def table(rows: Sequence[Sequence[str]], *, head: Sequence[str] | None = None, right: Iterable[int] = ()) -> list[str]:
    """Rows as aligned lines, two spaces between columns; ``right`` names the columns that hold numbers."""
    if not rows:
        return []
    everything = [*([head] if head else []), *rows]
    widths = [max(width_of(row[index]) for row in everything) for index in range(len(everything[0]))]
    numbers = set(right)
    lines = [
        "  ".join(padded(cell, widths[index], index in numbers) for index, cell in enumerate(row)).rstrip()
        for row in everything
    ]
    if head:
        lines[0] = styled(lines[0], "bold")
    return lines


def label_column(lines: Sequence[tuple[str, str]], *, widest: int = 30) -> list[str]:
    """``name   explanation`` pairs with the explanations wrapped under one another; a name wider than ``widest`` has its own line."""
    name_width = min(widest, max((width_of(name) for name, _ in lines), default=0))
    total = min(WIDEST, columns())
    found: list[str] = []
    for name, text in lines:
        shown = wrapped(text, max(20, total - name_width - 4)) if text else [""]
        if width_of(name) > name_width:
            found.append(f"  {name}")
            found.extend(f"  {' ' * name_width}  {line}".rstrip() for line in shown)
        else:
            found.append(f"  {padded(name, name_width)}  {shown[0]}".rstrip())
            found.extend(f"  {' ' * name_width}  {line}".rstrip() for line in shown[1:])
    return found


# ---- phrases every verb uses ----------------------------------------------------------------------------------


def fact(name: str, text: str) -> str:
    """``  data   100,412 rows``: a short name in front of a fact, as train and evaluate show them."""
    return f"  {styled(padded(name, 8), 'cyan', sys.stderr)}{text}"


def next_commands(commands: Sequence[str]) -> str:
    """The line that ends every success: what to try now."""
    return fact(say("next", "接着"), " · ".join(commands))


def percent(share: float) -> str:
    """A share of 1 as whole per cent, with a decimal where it is small."""
    return f"{share * 100:.0f} %" if share >= 0.1 or share == 0 else f"{share * 100:.1f} %"


def size(count: float) -> str:
    """Bytes as kB, MB or GB."""
    if count < 1e6:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"


def duration(seconds: float) -> str:
    """A duration in the unit people would say."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min"
