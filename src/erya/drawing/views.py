"""The views of a trace as HTML: a drawing and its numbers side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.drawing import lattice, plane, plots, svg
from erya.drawing.markup import Cell, Say, aligned, data, details, figure, number, percent, plain, shown, speaker, table
from erya.drawing.palette import STEPS, step_of
from erya.trace import Bars, Lattice, Lines, Matrix, Points, TokenHeat, Trace, View

CELLS_DRAWN = 200  # rows or columns of a heat map; more are averaged in blocks
CELLS_LISTED = 10_000  # numbers in the table beside a heat map


def body(trace: Trace, lang: str) -> str:
    """All views of a trace, under the model's id and the input."""
    say = speaker(lang)
    arrays = table(
        [say("array", "数组"), say("shape", "形状"), say("type", "类型")],
        [[name, " × ".join(map(str, array.shape)) or "1", str(array.dtype)] for name, array in trace.arrays.items()],
    )
    count = len(trace.arrays)
    listed = details(
        say("the array" if count == 1 else f"all {count} arrays", "数组" if count == 1 else f"全部 {count} 个数组"),
        arrays,
    )
    return (
        f'<main class="trace"><header><span class="soft mono">{data(trace.model)}</span>'
        f'<p class="input">{data(trace.input)}</p></header>'
        f"{''.join(section(view, say) for view in trace.views)}{listed if trace.arrays else ''}</main>"
    )


def section(view: View, say: Say) -> str:
    """One view with its heading."""
    note = f'<p class="lead">{shown(view.note)}</p>' if view.note else ""
    return f"<section><h2>{shown(view.title)}</h2>{note}{_drawn(view, say)}</section>"


def _drawn(view: View, say: Say) -> str:
    if isinstance(view, TokenHeat):
        return _token_heat(view, say)
    if isinstance(view, Bars):
        return bars(view.labels, np.asarray(view.values, dtype=np.float64), say, as_percent=view.percent)
    if isinstance(view, Matrix):
        return _matrix(view, say)
    if isinstance(view, Lines):
        return _lines(view, say)
    if isinstance(view, Points):
        return plane.picture(view, say)
    if isinstance(view, Lattice):
        return lattice.picture(view, say)
    return table(view.columns, view.rows)


def _token_heat(view: TokenHeat, say: Say) -> str:
    values = np.asarray(view.values, dtype=np.float64)
    largest = _largest(values)
    pieces, reached = [], 0
    rows = []
    for (start, end), value in zip(view.spans, values.tolist(), strict=True):
        rows.append([view.text[start:end], value])
        if start < reached:  # overlapping tokens: the table has both, the text shows the first
            continue
        pieces.append(shown(view.text[reached:start]))
        look = step_of(value, largest)
        against = " against" if look[0] == "n" and look != "n1" else ""
        tip = plain(f"{value:+.3g}")
        pieces.append(f'<mark class="{look}{against}" title="{tip}">{shown(view.text[start:end])}</mark>')
        reached = end
    pieces.append(shown(view.text[reached:]))
    legend = _ramp(largest, bool((values < 0).any()), (say("against", "反对"), view.meaning or say("for", "支持")))
    drawing = f'<p class="heattext" dir="auto">{"".join(pieces)}</p>{legend}'
    beside = details(say("numbers", "数值"), table([say("token", "词元"), say("value", "值")], rows))
    return figure(drawing, beside=beside)


def _ramp(largest: float, signed: bool, ends: tuple[str, str] = ("", "")) -> str:
    """The colours' legend: what the strongest of each sign is worth, and what the signs mean."""
    against = "".join(f'<i class="n{step}"></i>' for step in range(STEPS, 0, -2)) if signed else ""
    speaks = "".join(f'<i class="p{step}"></i>' for step in range(0, STEPS + 1, 2))
    low = f"{ends[0]} -{number(largest)}" if signed else "0"
    high = f"+{number(largest)} {ends[1]}" if signed else number(largest)
    return f'<div class="ramp" aria-hidden="true"><b>{low}</b>{against}{speaks}<b>{high}</b></div>'


def bars(labels: Sequence[str], values: NDArray[np.float64], say: Say, *, as_percent: bool = False) -> str:
    """Bars in a table: the drawing is the table. Negative ones point left, striped."""
    signed = bool((values < 0).any())
    low, high = min(0.0, _extreme(values, min)), max(0.0, _extreme(values, max))
    if as_percent and not signed:
        high = max(high, 1.0)
    span = (high - low) or 1.0
    zero = -low / span * 100
    rows = []
    numbers = values.tolist()
    written = [percent(value) for value in numbers] if as_percent else aligned(_whole(numbers))
    for label, value, text in zip(labels, numbers, written, strict=True):
        wide = abs(value) / span * 100 if math.isfinite(value) else 0
        left = zero - wide if value < 0 else zero
        against = ' class="against"' if value < 0 else ""
        bar = f'<i{against} style="left:{left:.2f}%;width:{wide:.2f}%"></i>' if wide else ""
        track = f'<span class="track{" signed" if signed else ""}" style="--zero:{zero:.2f}%">{bar}</span>'
        rows.append([Cell(data(label), header=True), Cell(track, "track-cell"), Cell(text, "num")])
    return figure(table([say("label", "标签"), say("bar", "条形"), say("value", "值")], rows, kind="bars"))


def _matrix(view: Matrix, say: Say) -> str:
    values = np.asarray(view.values, dtype=np.float64)
    if not values.size:
        return table([""], [])
    drawing = plots.responsive(lambda width: heat_map(view.title, view.rows, view.columns, values, width))
    signed = bool((values < 0).any())
    listed = ""
    if values.size <= CELLS_LISTED:
        flat = aligned(values.ravel().tolist())
        written = [flat[start : start + len(view.columns)] for start in range(0, len(flat), len(view.columns))]
        rows = [
            [Cell(data(name), header=True), *(Cell(text, "num") for text in row)]
            for name, row in zip(view.rows, written, strict=True)
        ]
        listed = details(say("numbers", "数值"), table(["", *view.columns], rows))
    size = f"{values.shape[0]} × {values.shape[1]}"
    caption = ""
    if max(values.shape) > CELLS_DRAWN:
        caption = say(f"{size} numbers, averaged in blocks to be drawn", f"共 {size} 个数，绘图时按块取平均")
    return figure(drawing + _ramp(_largest(values), signed), caption, listed)


def heat_map(title: str, rows: Sequence[str], columns: Sequence[str], values: NDArray[np.float64], width: float) -> str:
    """A grid of coloured cells with the names where they fit.

    Args:
        title: for screen readers.
        rows: r names.
        columns: c names.
        values: (r, c).
        width: CSS pixels at most.
    """
    rows, columns, values = _pooled(rows, columns, values)
    names = min(max(svg.text_width(name, 12) for name in rows) + 10, width * 0.3)
    side = min(26.0, (width - names) / len(columns))
    high = max(side, 14.0) if len(rows) <= 60 else side
    tallest = min(max(svg.text_width(name, 12) for name in columns) + 8, 110.0)
    upright = max(svg.text_width(name, 12) for name in columns) <= side - 4
    top = 20.0 if upright else tallest
    with_columns, with_rows = side >= 11, high >= 11
    top = top if with_columns else 4.0
    shape = f"{len(rows)} × {len(columns)}"
    canvas = svg.Canvas(names + side * len(columns), top + high * len(rows) + 2, title, shape)
    largest = _largest(values)
    for column, name in enumerate(columns if with_columns else ()):
        x = names + side * (column + 0.5)
        if upright:
            canvas.add(svg.words(x, top - 6, name, "t", "middle"))
        else:
            canvas.add(svg.words(x + 4, top - 5, svg.fitted(name, 12, tallest - 8), "t", "start", -90))
    for row, name in enumerate(rows):
        y = top + high * row
        if with_rows:
            canvas.add(svg.words(names - 8, y + high / 2 + 4, svg.fitted(name, 12, names - 9), "t", "end"))
        for column, value in enumerate(values[row].tolist()):
            x = names + side * column
            tip = f"{name} · {columns[column]}: {number(value)}" if values.size <= 2500 else ""
            canvas.add(svg.rectangle(x, y, side, high, f"heat {step_of(value, largest)}", tip))
    return canvas.close()


def _pooled(
    rows: Sequence[str], columns: Sequence[str], values: NDArray[np.float64]
) -> tuple[Sequence[str], Sequence[str], NDArray[np.float64]]:
    """The grid, averaged in blocks along whichever side has more cells than are drawn."""
    for axis, names in ((0, rows), (1, columns)):
        block = math.ceil(len(names) / CELLS_DRAWN)
        if block > 1:
            starts = np.arange(0, len(names), block)
            counts = np.diff(np.append(starts, len(names)))
            sums = np.add.reduceat(np.nan_to_num(values), starts, axis=axis)
            values = sums / (counts[:, None] if axis == 0 else counts[None, :])
            kept = [names[start] for start in starts.tolist()]
            rows, columns = (kept, columns) if axis == 0 else (rows, kept)
    return rows, columns, values


def _lines(view: Lines, say: Say) -> str:
    series = {name: np.asarray(values, dtype=np.float64).tolist() for name, values in view.series.items()}
    x: list[Any] = view.x.tolist() if isinstance(view.x, np.ndarray) else list(view.x)
    drawing = plots.responsive(lambda width: plots.lines(view.title, x, series, width, 240))
    rows = [[place, *(values[index] for values in series.values())] for index, place in enumerate(x)]
    return figure(drawing, beside=details(say("numbers", "数值"), table(["", *series], rows)))


def _largest(values: NDArray[np.float64]) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else 0.0


def _extreme(values: NDArray[np.float64], pick: Any) -> float:
    finite = values[np.isfinite(values)].tolist()
    return float(pick(finite)) if finite else 0.0


def _whole(values: list[float]) -> list[float] | list[int]:
    """Counts as counts: whole numbers are written without decimals."""
    return [int(value) for value in values] if all(value.is_integer() for value in values) else values
