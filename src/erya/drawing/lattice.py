"""A lattice of tags and tokens with the chosen way through it: as SVG, and as characters in a terminal.

Of many tags only those are drawn that matter for this sentence: tags on a way that is shown, and those with the largest
marginals (or scores). A long sentence is drawn in pieces of like length, one below the other, each with the tags that matter in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from erya.drawing import plots, svg
from erya.drawing.markup import Cell, Say, aligned, data, details, figure, number, table
from erya.errors import quoted
from erya.language import say
from erya.trace import Lattice

Floats = NDArray[np.float64]

TAGS_DRAWN = 14
RUNNERS_UP = 5
TOKENS_DRAWN = 120  # the table and the arrays hold all
LEAST = 0.005  # a marginal below it is written as a dot
ROW, NAME = 30.0, 12  # CSS pixels: height of a tag's row, size of the font
NODE = 10.0  # the largest radius


def _values(view: Lattice) -> Floats:
    """(T, C) what the nodes show: marginals, where there are some, else scores."""
    chosen = view.scores if view.marginals is None else view.marginals
    return np.asarray(chosen, dtype=np.float64).reshape(len(view.tokens), len(view.tags))


def _path(view: Lattice) -> list[int]:
    return [int(tag) for tag in view.path]


def kept_tags(view: Lattice) -> list[int]:
    """The tags to draw, in their own order: all of them, or those that matter most."""
    count = len(view.tags)
    if count <= TAGS_DRAWN:
        return list(range(count))
    first = list(dict.fromkeys(_path(view)))
    others = list(dict.fromkeys(int(tag) for _, way in view.runners_up[:RUNNERS_UP] for tag in way))
    strength = np.nan_to_num(_values(view)[:TOKENS_DRAWN], neginf=-1e300).max(axis=0, initial=-np.inf)
    strongest = np.argsort(-strength, kind="stable").tolist()
    wanted = list(dict.fromkeys([*first, *others, *strongest]))
    return sorted(wanted[: max(TAGS_DRAWN, len(first))])


def _left_out(view: Lattice, kept: list[int]) -> str:
    """What is not drawn, in words."""
    told = []
    if len(view.tokens) > TOKENS_DRAWN:
        told.append(
            say(
                f"the first {TOKENS_DRAWN} of {len(view.tokens):,} tokens",
                f"共 {len(view.tokens):,} 个词，只画前 {TOKENS_DRAWN} 个",
            )
        )
    if len(kept) < len(view.tags):
        told.append(
            say(
                f"{len(kept)} of {len(view.tags)} tags: those that matter here",
                f"共 {len(view.tags)} 个标签，只画与本句有关的 {len(kept)} 个",
            )
        )
    return " · ".join(told)


def pieces(sizes: list[float], most: float) -> list[range]:
    """Neighbouring columns in as few pieces as a width of ``most`` allows, of like width; a column may be wider than that."""
    fewest = len(_filled(sizes, most))
    limits = np.linspace(sum(sizes) / max(1, fewest), most, 20).tolist()
    return next(found for found in (_filled(sizes, limit) for limit in limits) if len(found) == fewest)


def _filled(sizes: list[float], most: float) -> list[range]:
    """Each piece as full as it gets."""
    found, start = [], 0
    while start < len(sizes):
        end, used = start, 0.0
        while end < len(sizes) and (end == start or used + sizes[end] <= most):
            used += sizes[end]
            end += 1
        found.append(range(start, end))
        start = end
    return found


def _seen(view: Lattice, kept: list[int], which: range) -> list[int]:
    """Of the kept tags those with something to show at some tokens of a longer sentence; at all of them: every one."""
    if view.marginals is None or len(which) >= min(len(view.tokens), TOKENS_DRAWN):
        return kept
    rows = slice(which.start, which.stop)
    ways = {int(tag) for way in (view.path, *(way for _, way in view.runners_up[:RUNNERS_UP])) for tag in way[rows]}
    return [tag for tag in kept if tag in ways or (_values(view)[rows, tag] >= LEAST).any()]


# ---- in a terminal --------------------------------------------------------------------------------------------------


def rows(view: Lattice, width: int, color: bool) -> list[str]:
    """A row for each tag, a column for each token, the chosen nodes marked; then the ways with their scores."""
    if not len(view.tokens) or not len(view.tags):
        return []
    kept, values, path = kept_tags(view), _values(view), _path(view)
    names = {tag: quoted(view.tags[tag], 16) for tag in kept}
    name_cells = max(map(cell_len, names.values())) + 1
    heads = [quoted(token, 12) for token in view.tokens[:TOKENS_DRAWN]]
    cells = [max(6, cell_len(head) + 1) for head in heads]
    lines: list[str] = []
    for which in pieces([float(one) for one in cells], width - name_cells):
        lines.append(" " * name_cells + "".join(_right(heads[at], cells[at]) for at in which))
        for tag in _seen(view, kept, which):
            drawn = "".join(
                _node(values[at, tag], path[at] == tag, cells[at], view.marginals is not None, color) for at in which
            )
            lines.append(names[tag] + " " * (name_cells - cell_len(names[tag])) + drawn)
        lines.append("")
    left_out = _left_out(view, kept)
    return [*lines[:-1], *_ways(view), *(["", left_out] if left_out else [])]


def _node(value: float, chosen: bool, cells: int, as_share: bool, color: bool) -> str:
    if as_share:
        text = f"{value:.2f}" if value >= LEAST or chosen else "·"
    else:
        text = _short(float(value)) if np.isfinite(value) else "–"
    if not chosen:
        return _right(text, cells)
    marked = f"▸{text}"
    return " " * max(0, cells - cell_len(marked)) + (f"\x1b[1;38;5;68m{marked}\x1b[0m" if color else marked)


def _short(value: float) -> str:
    """A score in five characters, where it is no giant."""
    return f"{value:.1f}" if abs(value) < 99.95 else f"{value:.0f}" if abs(value) < 1e5 else f"{value:.0e}"


def _right(text: str, cells: int) -> str:
    return " " * max(0, cells - cell_len(text)) + text


def _ways(view: Lattice) -> list[str]:
    """What differs in the runners-up: each with its score and the tokens on which it leaves the chosen way."""
    lines = [
        f"{rank}. {number(float(score))}  "
        + ", ".join(f"{quoted(token, 12)} {quoted(tag, 16)}" for token, tag in apart)
        for rank, score, apart in _apart(view)
    ]
    return ["", say("runners-up, where they differ", "次优路径及其不同之处"), *lines] if lines else []


def _apart(view: Lattice) -> list[tuple[int, float, list[tuple[str, str]]]]:
    """Rank, score, and the (token, tag) pairs on which a runner-up leaves the chosen way."""
    path = _path(view)
    return [
        (
            rank,
            float(score),
            [(view.tokens[at], view.tags[int(tag)]) for at, tag in enumerate(way) if int(tag) != path[at]],
        )
        for rank, (score, way) in enumerate(view.runners_up[:RUNNERS_UP], 2)
    ]


# ---- as a page --------------------------------------------------------------------------------------------------------


def picture(view: Lattice, say: Say) -> str:
    """The drawing, the runners-up and the numbers."""
    if not len(view.tokens) or not len(view.tags):
        return table([""], [])
    kept = kept_tags(view)
    drawing = plots.responsive(lambda width: "".join(_pieces(view, kept, width)))
    what = (
        say("circles: p(tag | sentence); the line: the chosen way", "圆的大小：p(标签 | 句子)；连线：选中的路径")
        if view.marginals is not None
        else say("circles: scores at each token; the line: the chosen way", "圆的大小：该词上的得分；连线：选中的路径")
    )
    left_out = _left_out(view, kept)
    caption = f"{what} · {left_out}" if left_out else what
    values = _values(view)[:TOKENS_DRAWN, kept]
    flat = aligned(values.ravel().tolist())
    listed = [
        [
            Cell(data(token), header=True),
            Cell(data(view.tags[tag])),
            *(Cell(text, "num") for text in flat[at * len(kept) : (at + 1) * len(kept)]),
        ]
        for at, (token, tag) in enumerate(zip(view.tokens[:TOKENS_DRAWN], _path(view), strict=False))
    ]
    heads = [say("token", "词"), say("tag", "标签"), *(view.tags[tag] for tag in kept)]
    others = [
        [
            str(rank),
            score,
            " · ".join(f"{token} {tag}" for token, tag in apart[:20]) + (" …" if len(apart) > 20 else ""),
        ]
        for rank, score, apart in _apart(view)
    ]
    where = say("runner-up, where it differs", "次优路径的不同之处")
    ways = table([say("rank", "名次"), say("score", "得分"), where], others) if others else ""
    return figure(drawing, caption, ways + details(say("numbers", "数值"), table(heads, listed)))


def _pieces(view: Lattice, kept: list[int], width: float) -> list[str]:
    """One SVG for as many tokens as fit, until all are drawn."""
    tokens = [svg.fitted(token, NAME, 110) for token in view.tokens[:TOKENS_DRAWN]]
    names = max(svg.text_width(view.tags[tag], NAME) for tag in kept) + 14
    steps = [max(46.0, svg.text_width(token, NAME) + 12) for token in tokens]
    found = []
    for which in pieces(steps, width - names):
        found.append(_piece(view, _seen(view, kept, which), which, names, steps[which.start : which.stop], tokens))
    return found


def _piece(view: Lattice, kept: list[int], which: range, names: float, steps: list[float], tokens: list[str]) -> str:
    values, path = _values(view), _path(view)
    places = {tag: 26 + ROW * (row + 0.5) for row, tag in enumerate(kept)}
    edges = np.cumsum([names, *steps])
    middle = {at: float(edges[index] + steps[index] / 2) for index, at in enumerate(which)}
    canvas = svg.Canvas(
        float(edges[-1]) + 4,
        (30 if which.stop == len(tokens) else 52) + ROW * len(kept),
        view.title,
        " ".join(tokens[which.start : which.stop]),
    )
    for tag, y in places.items():
        canvas.add(
            svg.words(names - 10, y + 4, view.tags[tag], "t", "end"), svg.line(names, y, float(edges[-1]), y, "hair")
        )
    for rank, (_, way) in reversed(list(enumerate(view.runners_up[:RUNNERS_UP], 1))):
        points = [(middle[at], places[int(way[at])]) for at in which if int(way[at]) in places]
        canvas.add(svg.path(points, "series thin faint", dash="4 3", color=plots.color_of(rank)))
    canvas.add(svg.path([(middle[at], places[path[at]]) for at in which], "series", color="s0"))
    size = _sizes(view, values[which.start : which.stop][:, kept])
    for index, at in enumerate(which):
        canvas.add(svg.words(middle[at], 16, tokens[at], "t strong", "middle"))
        for column, tag in enumerate(kept):
            radius = float(size[index, column]) * NODE
            if radius < 0.8 and path[at] != tag:
                continue
            tip = _tip(view, values, at, tag)
            look = "solid" if path[at] == tag else "bubble"
            canvas.add(svg.dot(middle[at], places[tag], max(radius, 3.0 if path[at] == tag else 1.5), look, "s0", tip))
    return canvas.close()


def _sizes(view: Lattice, values: Floats) -> Floats:
    """(t, c) radii as shares of the largest: the area is the marginal; of a score e^−d, d its distance from the token's best
    one in standard deviations of the token's scores, since votes and the like have no scale of their own.
    """
    if view.marginals is None:
        safe = np.clip(np.nan_to_num(values, neginf=-1e9, posinf=1e9), -1e9, 1e9)
        usual = np.where(safe > -1e5, safe, np.nan)  # what is forbidden stretches nothing
        spread = np.nan_to_num(np.nanstd(usual, axis=1, keepdims=True))
        values = np.exp((safe - safe.max(axis=1, keepdims=True)) / np.maximum(spread, 1e-9))
    return np.sqrt(np.clip(np.nan_to_num(values), 0, 1))


def _tip(view: Lattice, values: Floats, at: int, tag: int) -> str:
    tip = f"{view.tokens[at]} · {view.tags[tag]}: {number(float(values[at, tag]))}"
    path = _path(view)
    if view.transitions is not None and at and path[at] == tag:
        step = np.asarray(view.transitions, dtype=np.float64)[path[at - 1], tag]
        tip += f" · {view.tags[path[at - 1]]} → {view.tags[tag]}: {number(float(step))}"
    return tip
