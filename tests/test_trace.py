"""Traces: checked when made, drawn without losing a character, harmless whatever they hold."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from erya.drawing import terminal
from erya.drawing.markup import aligned
from erya.trace import Bars, Lines, Matrix, Points, Table, TokenHeat, Trace
from tests.html_checks import checked

ANSI = re.compile(r"\x1b\[[0-9;]*m")
ENGLISH = "Play some jazz by Miles Davis, please"
POEM = "明月几时有？把酒问青天。"


def trace_of(text, spans, title="What speaks for it"):
    generator = np.random.default_rng(7)
    values = generator.normal(size=len(spans))
    tokens = [text[start:end] for start, end in spans]
    return Trace(
        "classify/toy",
        text,
        {"hidden": generator.normal(size=(len(spans), 3)), "probabilities": np.array([0.7, 0.2, 0.1])},
        [
            TokenHeat(title, text, spans, values, "a note"),
            Bars("Probabilities", ["a", "长长的标签", "c"], [0.7, 0.2, 0.1], percent=True),
            Bars("Contributions", tokens, values),
            Matrix("Attention", tokens, tokens, generator.random((len(spans), len(spans)))),
            Matrix("Few", ["r1", "r2"], ["x", "y", "z"], generator.normal(size=(2, 3))),
            Lines("Gate", tokens, {"forget": values, "input": -values}),
            Lines("Loss", [1, 2, 3], {"train": [3.0, 2.0, float("nan")]}),
            Table("Table", ["token", "n", "weight"], [[token, 1, 0.5] for token in tokens]),
        ],
    )


def english():
    return trace_of(ENGLISH, [match.span() for match in re.finditer(r"\w+|[^\w\s]", ENGLISH)])


def chinese():
    return trace_of(POEM, [(i, i + 1) for i in range(len(POEM))], "什么支持“宋词”")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("ERYA_LANG", "en")


# ---- making ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: TokenHeat("t", "abc", [(0, 1)], [1.0, 2.0]),
        lambda: TokenHeat("t", "abc", [(0, 4)], [1.0]),
        lambda: TokenHeat("t", "abc", [(2, 1)], [1.0]),
        lambda: Bars("t", ["a"], [1.0, 2.0]),
        lambda: Matrix("t", ["a"], ["b"], [[1.0, 2.0]]),
        lambda: Matrix("t", ["a", "b"], ["c"], np.zeros((1, 2))),
        lambda: Lines("t", [1, 2], {"s": [1.0]}),
        lambda: Table("t", ["a", "b"], [[1]]),
    ],
)
def test_views_refuse_what_does_not_fit(make):
    with pytest.raises(ValueError, match=r"differ|outside|shape"):
        make()


def test_plain_data_goes_through_json_and_keeps_every_number():
    trace = english()
    plain = json.loads(json.dumps(trace.to_plain(), allow_nan=False))
    assert plain["schema"] == "erya.trace/1"
    assert list(plain["arrays"]) == ["hidden", "probabilities"]
    assert plain["arrays"]["hidden"]["shape"] == [len(trace.views[0].spans), 3]
    np.testing.assert_array_equal(plain["arrays"]["hidden"]["values"], trace.arrays["hidden"])
    assert [view["kind"] for view in plain["views"]][:2] == ["TokenHeat", "Bars"]
    assert plain["views"][6]["series"]["train"] == [3.0, 2.0, None]


# ---- the terminal ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [english, chinese])
@pytest.mark.parametrize("width", [24, 40, 80, 200])
@pytest.mark.parametrize("color", [True, False])
def test_no_line_is_wider_than_asked(make, width, color):
    for line in make().text(width, color).split("\n"):
        assert cell_len(ANSI.sub("", line)) <= width, line


@pytest.mark.parametrize("make", [english, chinese])
def test_text_is_shown_whole_and_in_order(make):
    trace = make()
    drawn = ANSI.sub("", trace.text(40))
    heat = drawn.split("\n\n")[1].replace("\n", "").replace(" ", "")
    assert trace.input.replace(" ", "") in heat


def test_colours_are_asked_for_and_can_be_forbidden(monkeypatch):
    assert "\x1b[" in english().text()
    assert "\x1b[" not in english().text(color=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in english().text()
    monkeypatch.setenv("NO_COLOR", "")  # no-color.org: only a value that is not empty counts
    assert "\x1b[" in english().text()


def test_without_colour_signs_and_strengths_stand_below_the_words():
    trace = Trace("m", "good bad so", {}, [TokenHeat("t", "good bad so", [(0, 4), (5, 8), (9, 11)], [1.0, -1.0, 0.0])])
    lines = trace.text(color=False).split("\n")
    at = lines.index("good bad so", 2)
    assert lines[at + 1] == "████ ▓▓▓"


def test_strength_grows_with_the_value():
    shades = [terminal._mark(value, 1.0) for value in (0.0, 0.2, 0.4, 0.6, 0.9)]
    assert shades == [" ", "▂", "▄", "▆", "█"]
    assert [terminal._mark(-value, 1.0) for value in (0.2, 0.5, 0.9)] == ["░", "▒", "▓"]


def test_bars_are_as_long_as_their_values():
    trace = Trace("m", "x", {}, [Bars("t", ["a", "b", "c"], [1.0, 0.5, -0.5])])
    lines = trace.text(60, color=False).split("\n")[-3:]
    full, half = (line.count("█") for line in lines[:2])
    assert full == pytest.approx(2 * half, abs=1)
    assert lines[2].count("▒") == pytest.approx(half, abs=1)
    assert lines[2].index("▒") < lines[0].index("█")


def test_chinese_columns_line_up():
    trace = Trace("m", "x", {}, [Table("t", ["词", "n"], [["明月", 1], ["a", 22]])])
    rows = trace.text(color=False).split("\n")[-2:]
    assert [cell_len(row) for row in rows] == [cell_len(rows[0])] * 2


def test_terminal_cannot_be_commanded_by_data():
    text = "\x1b[2J\x07 \u202eevil\u2066 \x9b31m"
    trace = trace_of(text, [(0, 4), (6, 11)], title=text)
    for color in (True, False):
        left = ANSI.sub("", trace.text(color=color))
        assert not any(ord(character) < 32 and character != "\n" for character in left)
        assert not any(character in left for character in "\u202e\u2066\x9b")


def test_sentences_speak_the_users_language(monkeypatch):
    assert " for " in english().text(color=False) + " "
    monkeypatch.setenv("ERYA_LANG", "zh")
    assert "支持" in english().text(color=False)
    assert "数值" in english().html()


# ---- the page -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [english, chinese])
def test_page_is_whole_safe_and_has_a_table_for_every_drawing(make):
    trace = make()
    page = checked(trace.html())
    assert page.tags.count("table") >= len(trace.views)
    assert trace.input in "".join(page.all_words)
    html = trace.html()
    for written in aligned(np.asarray(trace.views[0].values).tolist()):
        assert f">{written}<" in html  # numbers can be copied from a table


def test_page_colours_by_sign():
    html = Trace("m", "good bad", {}, [TokenHeat("t", "good bad", [(0, 4), (5, 8)], [2.0, -2.0])]).html()
    assert '<mark class="p10" title="+2">good</mark>' in html
    assert '<mark class="n10 against" title="-2">bad</mark>' in html


def test_notebook_gets_a_fragment():
    html = english()._repr_html_()
    assert html.startswith("<style>")
    assert "<html" not in html
    assert 'class="erya erya-cell"' in html


def test_large_matrix_is_averaged_and_says_so():
    values = np.arange(450 * 3, dtype=float).reshape(450, 3)
    html = Trace("m", "x", {}, [Matrix("t", [str(i) for i in range(450)], list("abc"), values)]).html()
    checked(html)
    assert "450 × 3 numbers, averaged in blocks" in html
    assert html.count("<rect") == 2 * 150 * 3  # once for the desk, once for the phone


@pytest.mark.parametrize(
    "view",
    [
        TokenHeat("t", "", [], []),
        TokenHeat("t", "abc", [], []),
        Bars("t", [], []),
        Bars("t", ["a", "b"], [0.0, float("nan")]),
        Matrix("t", [], [], np.zeros((0, 0))),
        Matrix("t", ["a"], ["b"], [[float("nan")]]),
        Lines("t", [], {}),
        Lines("t", [1], {"a": [float("inf")]}),
        Lines("t", [1], {"a": [2.0]}),
        Table("t", [], []),
        Table("t", ["a"], []),
    ],
)
def test_empty_and_broken_numbers_are_drawn_as_nothing(view):
    trace = Trace("m", "", {}, [view])
    assert trace.text(color=False)
    checked(trace.html())
    json.dumps(trace.to_plain(), allow_nan=False)


def test_overlapping_tokens_do_not_repeat_text():
    trace = Trace("m", "abcd", {}, [TokenHeat("t", "abcd", [(0, 3), (1, 4)], [1.0, 1.0])])
    assert "abcd" in trace.text(color=False)
    assert "bcd</mark>" not in trace.html()


@example("", [1.0, float("inf")], 1)
@given(
    st.text(alphabet=st.characters(codec=None), max_size=30),
    st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=6),
    st.integers(1, 90),
)
@settings(deadline=None, max_examples=80)
def test_any_text_and_any_numbers_can_be_drawn(text, numbers, width):
    cuts = np.linspace(0, len(text), len(numbers) + 1).astype(int).tolist()
    spans = list(pairwise(cuts))
    names = [text] * len(numbers)
    grid = np.outer(np.nan_to_num(numbers), np.ones(len(numbers)))
    views = [
        TokenHeat(text, text, spans, numbers, text),
        Bars(text, names, numbers),
        Matrix(text, names, names, grid),
        Lines(text, names, {text: numbers}),
        Table(text, [text, text], [[text, number] for number in numbers]),
    ]
    trace = Trace(text, text, {text: np.array(numbers)}, views)
    for color in (True, False):
        for line in trace.text(width, color).split("\n"):
            assert cell_len(ANSI.sub("", line)) <= max(width, 24)
    checked(trace.html())
    json.dumps(trace.to_plain(), allow_nan=False)


def test_points_of_the_plane():
    """Names where there is room, arrows between named ones, nothing where there is nothing; wrong shapes are refused."""
    view = Points(
        "t", ["man", "king", "北京", ""], [[0, 0], [1, 0.1], [0, 1], [1, 1]], [(0, 1), (2, 3)], ("PC 1", "PC 2")
    )
    trace = Trace("vectors/x", "x", {}, [view])
    text = trace.text(width=60, color=False)
    assert text.count("•") == 4
    assert "man → king" in text
    assert "北京 →" not in text, "an arrow to a point without a name has no words"
    assert max(map(cell_len, text.splitlines())) <= 60
    page = trace.html()
    for word in ("man", "king", "北京", "PC 1", "PC 2"):
        assert word in page
    assert trace.to_plain()["views"][0]["arrows"] == [[0, 1], [2, 3]]
    nothing = Trace("m", "x", {}, [Points("t", [], [])])
    assert "t" in nothing.text()
    checked(nothing.html())
    checked(page)
    many = Points("t", [f"word{index}" for index in range(300)], np.random.default_rng(0).normal(size=(300, 2)))
    crowd = Trace("m", "x", {}, [many]).html()
    assert "Not every name has room" in crowd
    assert "Not every name has room" not in page
    same = Points("t", ["a", "b"], [[1, 1], [1, 1]])
    assert "a" in Trace("m", "x", {}, [same]).text(color=False)
    for labels, points, arrows in ((["a"], [[1, 2, 3]], []), (["a"], [[np.nan, 0]], []), (["a"], [[0, 0]], [(0, 1)])):
        with pytest.raises(ValueError):
            Points("t", labels, points, arrows)
