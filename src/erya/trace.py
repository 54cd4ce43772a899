"""A trace: all named intermediate arrays of one model on one input, and the views that draw them.

A model fills a ``Trace``; whoever looks at it takes the same picture from everywhere: ``text()`` in a terminal, ``html()``
as a page, by itself in a notebook, ``to_plain()`` as data. The types here know no drawing: that is ``erya.drawing``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.language import language

Numbers = Sequence[float] | NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class TokenHeat:
    """A text coloured token by token with signed numbers: what speaks for an answer, what against it.

    Args:
        title: what is shown.
        text: the source text, as it was given.
        spans: start and end of each of the T tokens in ``text``, in characters, as a tokenizer's ``spans`` gives them.
        values: (T,) a signed number for each token.
        note: one sentence under the title.
        meaning: what the strongest colour is so much of; empty: what speaks for an answer, and against it.
    """

    title: str
    text: str
    spans: Sequence[tuple[int, int]]
    values: Numbers
    note: str = ""
    meaning: str = ""

    def __post_init__(self) -> None:
        _same_length("TokenHeat", spans=self.spans, values=self.values)
        for start, end in self.spans:
            if not 0 <= start <= end <= len(self.text):
                raise ValueError(
                    f"TokenHeat: span {start}:{end} lies outside of the text ({len(self.text)} characters)"
                )


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """A bar for each label. Negative values point the other way.

    Args:
        title: what is shown.
        labels: n names.
        values: (n,) numbers.
        note: one sentence under the title.
        percent: values are shares of 1 and are written as percentages.
    """

    title: str
    labels: Sequence[str]
    values: Numbers
    note: str = ""
    percent: bool = False

    def __post_init__(self) -> None:
        _same_length("Bars", labels=self.labels, values=self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A grid of numbers, drawn as a heat map: attention, transitions, gates over time.

    Args:
        title: what is shown.
        rows: r names.
        columns: c names.
        values: (r, c) numbers.
        note: one sentence under the title.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]] | NDArray[Any]
    note: str = ""

    def __post_init__(self) -> None:
        shape = np.asarray(self.values, dtype=np.float64).shape
        empty = not len(self.rows) or not len(self.columns)
        if shape != (len(self.rows), len(self.columns)) and not (empty and 0 in shape):
            raise ValueError(
                f"Matrix: {len(self.rows)} rows × {len(self.columns)} columns, but values have shape {shape}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """One or more series over the same x: a loss over epochs, a gate over tokens.

    Args:
        title: what is shown.
        x: n ascending numbers, or n names (tokens) at equal distances.
        series: name → (n,) numbers; NaN leaves a gap.
        note: one sentence under the title.
    """

    title: str
    x: Sequence[float] | Sequence[str] | NDArray[Any]
    series: Mapping[str, Numbers]
    note: str = ""

    def __post_init__(self) -> None:
        for name, values in self.series.items():
            _same_length("Lines", x=self.x, **{name: values})


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns and rows: what has no better picture.

    Args:
        title: what is shown.
        columns: c names.
        rows: rows of c cells, text or numbers.
        note: one sentence under the title.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            _same_length("Table", columns=self.columns, row=row)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Named points of the plane, and arrows between some of them: words near their like, king → queen.

    Args:
        title: what is shown.
        labels: n names.
        points: (n, 2) finite numbers, both axes in one unit.
        arrows: pairs of places in ``labels``, from and to.
        axes: what stands across and up; empty where the axes mean nothing.
        note: one sentence under the title.
    """

    title: str
    labels: Sequence[str]
    points: Sequence[Sequence[float]] | NDArray[Any]
    arrows: Sequence[tuple[int, int]] = ()
    axes: tuple[str, str] = ("", "")
    note: str = ""

    def __post_init__(self) -> None:
        array = np.asarray(self.points, dtype=np.float64)
        if array.shape != (len(self.labels), 2) and len(self.labels):
            raise ValueError(f"Points: {len(self.labels)} labels, but points of shape {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError("Points: not all of them are finite")
        if any(not 0 <= end < len(self.labels) for arrow in self.arrows for end in arrow):
            raise ValueError("Points: an arrow leads to no point")


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Every tag at every token, and the way through them that was chosen: what a sequence model weighs up.

    Args:
        title: what is shown.
        tokens: T names.
        tags: C names.
        scores: (T, C) numbers of one kind, such as emission scores.
        path: (T,) the chosen tags, indices into ``tags``.
        marginals: (T, C) p(tag | sentence), rows sum to 1; None: the model has none.
        transitions: (C, C) the score from tag to tag; None: the model has none.
        runners_up: other ways, the best first: their score and (T,) indices.
        note: one sentence under the title.
    """

    title: str
    tokens: Sequence[str]
    tags: Sequence[str]
    scores: Sequence[Sequence[float]] | NDArray[Any]
    path: Sequence[int] | NDArray[Any]
    marginals: Sequence[Sequence[float]] | NDArray[Any] | None = None
    transitions: Sequence[Sequence[float]] | NDArray[Any] | None = None
    runners_up: Sequence[tuple[float, Sequence[int] | NDArray[Any]]] = ()
    note: str = ""

    def __post_init__(self) -> None:
        steps, count = len(self.tokens), len(self.tags)
        for name, values, shape in (
            ("scores", self.scores, (steps, count)),
            ("marginals", self.marginals, (steps, count)),
            ("transitions", self.transitions, (count, count)),
        ):
            found = np.asarray(values).shape if values is not None else shape
            if found != shape and not (0 in shape and 0 in found):
                raise ValueError(f"Lattice: {name} have shape {found}, not {shape}")
        for path in (self.path, *(way for _, way in self.runners_up)):
            numbers = np.asarray(path, dtype=np.int64)
            if numbers.shape != (steps,) or (steps and not 0 <= numbers.min() <= numbers.max() < count):
                raise ValueError(f"Lattice: a path of {steps} steps through {count} tags was expected")


View = TokenHeat | Bars | Matrix | Lines | Table | Points | Lattice


@dataclass(slots=True, eq=False)
class Trace:
    """What a model did with one input.

    Args:
        model: the model's id.
        input: the input as text.
        arrays: every intermediate array by name, in the order of computation; the last is the answer.
        views: how to look at them.
    """

    model: str
    input: str
    arrays: dict[str, NDArray[Any]]
    views: list[View]

    def text(self, width: int = 80, color: bool = True) -> str:
        """The views as a terminal draws them.

        Args:
            width: terminal cells; a Chinese character takes two.
            color: ANSI colours. A NO_COLOR in the environment has the last word.
        """
        from erya.drawing import terminal

        return terminal.draw(self, width, color and not os.environ.get("NO_COLOR"))

    def html(self) -> str:
        """The views as one self-contained page."""
        from erya import charts
        from erya.drawing import views

        return charts.page(f"{self.model} · {self.input[:60]}", views.body(self, language()), language())

    def _repr_html_(self) -> str:
        from erya import charts
        from erya.drawing import views

        return charts.fragment(views.body(self, language()), language())

    def to_plain(self) -> dict[str, Any]:
        """All of it as data that JSON can hold; NaN and infinities become None."""
        return {
            "schema": "erya.trace/1",
            "model": self.model,
            "input": self.input,
            "arrays": {
                name: {"dtype": str(array.dtype), "shape": list(array.shape), "values": _plain(array)}
                for name, array in self.arrays.items()
            },
            "views": [
                {
                    "kind": type(view).__name__,
                    **{field.name: _plain(getattr(view, field.name)) for field in fields(view)},
                }
                for view in self.views
            ],
        }


def _same_length(kind: str, **sequences: Any) -> None:
    if len({len(sequence) for sequence in sequences.values()}) > 1:
        found = ", ".join(f"{name} {len(sequence)}" for name, sequence in sequences.items())
        raise ValueError(f"{kind}: lengths differ: {found}")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
