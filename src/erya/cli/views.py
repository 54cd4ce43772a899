"""Which picture of a trace is meant, and pictures of what has none: any array, and the training curve."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from erya.errors import UsageError, nearest, quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.trace import Trace, View

OWN_VIEWS = ("card", "curve")  # these need no input


def choose_view(trace: Trace, name: str, beside: tuple[str, ...] = ()) -> View:
    """A view by its number, its title, an array's name or its kind (``lattice``). Raises UsageError with the nearest.

    Args:
        trace: whose views there are.
        name: what the user wrote.
        beside: views that this model has without a trace, for the message.
    """
    if name.isdigit() and 1 <= int(name) <= len(trace.views):
        return trace.views[int(name) - 1]
    titles = {view.title.casefold(): view for view in trace.views}
    wish = name.casefold()
    if wish in titles:
        return titles[wish]
    if name in trace.arrays:
        return array_view(name, trace.arrays[name])
    kinds = [view for view in trace.views if type(view).__name__.casefold() == wish]
    if kinds:
        return kinds[0]
    begun = [view for title, view in titles.items() if title.startswith(wish)]
    if len(begun) == 1:
        return begun[0]
    known = [*(view.title for view in trace.views), *trace.arrays, *OWN_VIEWS, *beside]
    guess = nearest(name, known)
    raise UsageError(
        "unknown-view",
        say(f"{trace.model} has no view '{quoted(name, 40)}'", f"{trace.model} 没有视图 '{quoted(name, 40)}'"),
        help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？")
        if guess
        else f"1 … {len(trace.views)}, {', '.join(known[-6:])}",
    )


def array_view(name: str, array: Any) -> View:
    """Any intermediate array as the picture that its number of axes asks for."""
    from erya.trace import Bars, Matrix, Table

    if array.dtype.kind not in "fiub" or array.size == 0 or array.ndim not in (1, 2):
        return Table(name, [say("shape", "形状"), say("type", "类型")], [[str(array.shape), str(array.dtype)]])
    if array.ndim == 1:
        return Bars(name, [str(index) for index in range(len(array))], array)
    return Matrix(
        name, [str(index) for index in range(array.shape[0])], [str(index) for index in range(array.shape[1])], array
    )


def curve_view(curve: list[dict[str, Any]]) -> View | None:
    """The training curve: every number that was recorded over the epochs; None where there is nothing to draw."""
    from erya.trace import Lines

    names = [
        name
        for name in (curve[0] if curve else {})
        if name not in ("epoch", "step") and isinstance(curve[0][name], int | float)
    ]
    if len(curve) < 2 or not names:
        return None
    x = [row.get("epoch", row.get("step", index + 1)) for index, row in enumerate(curve)]
    if any(later <= earlier for earlier, later in pairwise(x)):
        x = list(range(1, len(curve) + 1))
    nothing = float("nan")
    series = {name: [nothing if row.get(name) is None else row[name] for row in curve] for name in names}
    return Lines(say("Training curve", "训练曲线"), x, series)
