"""The page shell, the palette's promises in figures, safe text, and drawings whose labels do not overlap."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya import charts
from erya.drawing import markup, palette, plots, scatter, style, svg
from tests.html_checks import checked

THEMES = [(palette.LIGHT, palette.LIGHT_SERIES), (palette.DARK, palette.DARK_SERIES)]
HOSTILE = (
    "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>&amp;\u202egnirts\u2066\x00\x1b[31m\ud800\u200b\ufeff"
)


# ---- colours --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("colors", "series"), THEMES, ids=["light", "dark"])
def test_text_can_be_read_on_every_ground(colors, series):
    for ink, grounds in {
        "ink": ("paper", "sheet", "wash", "tint", "warntint"),
        "soft": ("paper", "sheet", "wash", "tint"),
        "accent": ("paper", "sheet", "tint"),
        "warn": ("paper", "sheet", "tint", "warntint"),
        "paper": ("accent",),
    }.items():
        for ground in grounds:
            assert palette.contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
    for color in [*series, colors["for"], colors["against"], colors["axis"]]:
        assert palette.contrast(color, colors["paper"]) >= 3, color
        assert palette.contrast(color, colors["sheet"]) >= 3, color


@pytest.mark.parametrize(("colors", "series"), THEMES, ids=["light", "dark"])
def test_numbers_on_every_step_of_the_heat_ramps_can_be_read(colors, series):
    found = dict(pair.split(":") for pair in palette.variables(colors, series).rstrip(";").split(";"))
    for sign, step in itertools.product("pn", range(palette.STEPS + 1)):
        assert palette.contrast(found[f"--{sign}{step}"], found[f"--{sign}{step}t"]) >= 4.5


# Machado, Oliveira & Fernandes 2009, severity 1: what deuteranopes and protanopes see, in linear light.
BLINDNESS = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
}


def seen(color, matrix):
    light = palette._linear(color)
    channels = [min(1, max(0, sum(a * b for a, b in zip(row, light, strict=True)))) for row in matrix]
    coded = [c * 12.92 if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in channels]
    return "#" + "".join(f"{round(c * 255):02x}" for c in coded)


@pytest.mark.parametrize(("colors", "series"), THEMES, ids=["light", "dark"])
@pytest.mark.parametrize("kind", BLINDNESS)
def test_colours_differ_for_all_eyes(colors, series, kind):
    pair = [palette._to_oklab(seen(colors[name], BLINDNESS[kind])) for name in ("for", "against")]
    assert math.dist(*pair) > 0.15
    models = [palette._to_oklab(seen(color, BLINDNESS[kind])) for color in series]
    assert min(math.dist(a, b) for a, b in itertools.combinations(models, 2)) > 0.1


def test_contrast_is_that_of_wcag():
    assert palette.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert palette.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert palette.mix("#123456", "#abcdef", 0) == "#123456"
    assert palette.mix("#123456", "#abcdef", 1) == "#abcdef"


@pytest.mark.parametrize(
    ("value", "largest", "step"),
    [(0.0, 1.0, "p0"), (1.0, 1.0, "p10"), (-1.0, 1.0, "n10"), (-0.01, 1.0, "p0"), (2.0, 1.0, "p10"), (1.0, 0.0, "p0")],
)
def test_heat_steps(value, largest, step):
    assert palette.step_of(value, largest) == step
    assert palette.step_of(math.nan, 1.0) == "p0"


def test_series_differ_without_colour_too():
    looks = [(plots.color_of(index), plots.dash_of(index)) for index in range(24)]
    assert len(set(looks)) == 24
    assert len({dash for _, dash in looks[:4]}) == 4


# ---- text -----------------------------------------------------------------------------------------------------


def test_hostile_text_is_only_text():
    page = checked(charts.page(HOSTILE, f"<p>{markup.shown(HOSTILE)}</p>{markup.table([HOSTILE], [[HOSTILE]])}"))
    assert page.tags.count("script") == 0
    words = "".join(page.all_words)
    assert "<script>alert(2)</script>&amp;" in words
    assert "U+202E" in words
    assert "U+D800" in words


@given(st.text(alphabet=st.characters(codec=None), max_size=40))
@settings(deadline=None)
def test_any_text_gives_a_page_that_is_well_formed(text):
    figure = svg.Canvas(10, 10, text, text)
    figure.add(svg.words(0, 0, text), svg.dot(1, 1, 1, "solid", "s0", text), svg.rectangle(0, 0, 1, 1, "heat", text))
    checked(charts.page(text, f"<p>{markup.shown(text)}</p>{figure.close()}{markup.table([text], [[text]])}"))


def test_harmless_text_stays_as_it_is():
    for text in ("春眠不觉晓", "naïve", "👨‍👩‍👧", "می‌خواهم", "a\nb\tc"):
        assert markup.shown(text) == text


def test_numbers_are_short_and_can_be_copied():
    written = [markup.number(value) for value in (0, 3, 12345, 0.12345, -0.5, 1e-7, math.nan, math.inf, None, 123456.7)]
    assert written == ["0", "3", "12,345", "0.123", "-0.5", "1.0e-07", "–", "–", "–", "123,457"]
    assert markup.percent(0.98765) == "98.8%"
    assert markup.percent(None) == "–"


def test_numbers_below_one_another_have_the_same_decimals():
    assert markup.aligned([1.1, -0.988, 0.33, 0.0, 1e-6, None, math.nan]) == [
        "1.100", "-0.988", "0.330", "0.000", "1.0e-06", "–", "–",
    ]  # fmt: skip
    assert markup.aligned([12.345, 1.0]) == ["12.35", "1.00"]
    assert markup.aligned([3, 1200]) == ["3", "1,200"]
    assert markup.aligned([1e5, 2.5]) == ["100,000", "2.5"]


def test_numbers_stand_on_the_right_with_their_heading():
    html = markup.table(["word", "count"], [["a", 1], ["b", 2.5]])
    assert '<th scope="col">word</th><th scope="col" class=num>count</th>' in html
    assert html.count('<td class="num"') == 2


# ---- the shell ------------------------------------------------------------------------------------------------


def test_page_stands_alone_in_both_languages():
    for lang, tag in (("en", "en"), ("zh", "zh-Hans")):
        text = charts.page("t", "<p>x</p>", lang)
        checked(text)
        assert f'<html lang="{tag}">' in text
        assert "http:" not in text
        assert "https:" not in text
    assert "prefers-color-scheme:dark" in text


def test_every_rule_of_the_style_hangs_under_our_class():
    """A notebook shows fragments of ours between those of others."""
    sheet = style.sheet()
    depth, rule = 0, ""
    for character in sheet:
        rule += character
        if character == "{":
            depth += 1
            selector = rule[:-1].strip()
            if not selector.startswith("@"):
                assert all(part.strip().startswith(".erya") for part in selector.split(",") if "(" not in part), (
                    selector
                )
                depth -= 1
                rule = "skip"
            else:
                rule = ""
        elif character == "}":
            if not rule.startswith("skip"):
                depth -= 1
            rule = ""
    assert "<style>" in charts.fragment("<p>x</p>")
    assert 'class="erya erya-cell"' in charts.fragment("<p>x</p>")


# ---- scales and ticks -----------------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_round_and_inside(low, width):
    ticks = svg.round_ticks(low, low + width)
    assert 1 <= len(ticks) <= 12
    slack = 1e-6 * max(1.0, abs(low), width)
    assert all(low - slack <= tick <= low + width + slack for tick in ticks)


@given(st.floats(1e-3, 1e9), st.floats(1.0, 1e6))
def test_logarithmic_ticks_are_inside(low, factor):
    ticks = svg.log_ticks(low, low * factor)
    assert all(low * 0.99 <= tick <= low * factor * 1.01 for tick in ticks)
    assert len(ticks) >= 2 or factor < 5


def test_text_width_counts_chinese_double():
    assert svg.text_width("春眠", 10) == 20
    assert svg.text_width("iii", 10) < svg.text_width("mmm", 10)
    assert svg.fitted("classification", 10, 40).endswith("…")
    assert svg.text_width(svg.fitted("classification", 10, 40), 10) <= 40


def test_logarithmic_scale():
    scale = plots.Scale(1, 100, 0, 200, logarithmic=True)
    assert [scale(1), scale(10), scale(100)] == [0, 100, 200]
    assert plots.Scale(5, 5, 0, 10)(5) == 5  # one value alone: the middle


# ---- the trade-off picture ------------------------------------------------------------------------------------


def point(name, speed, quality, size, index=0):
    return scatter.Point(name, "", speed, quality, quality - 0.01, quality + 0.01, size, index)


def test_front_is_of_those_that_nothing_beats():
    points = [
        point("best", 10, 0.9, 5),
        point("fast", 100, 0.8, 5),
        point("small", 1, 0.7, 1),
        point("beaten", 9, 0.89, 6),
        point("twin", 10, 0.9, 5),
        point("unknown size", 50, 0.85, None),
    ]
    assert scatter.front(points) == [True, True, True, False, True, False] or scatter.front(points)[3] is False
    assert scatter.front(points)[:3] == [True, True, True]


@given(
    st.lists(
        st.tuples(
            st.floats(1, 1e6), st.floats(0.2, 1.0), st.floats(1e4, 1e9), st.text("abcWM春 ", min_size=1, max_size=20)
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([1040.0, 360.0]),
)
@settings(deadline=None, max_examples=60)
def test_labels_never_overlap_and_stay_inside(found, width):
    points = [point(name, speed, quality, size, i) for i, (speed, quality, size, name) in enumerate(found)]
    frame = scatter.Box(52, 26, width - 10, 350)
    across, up = scatter._scales(points, frame)
    radii = scatter._radii(points, 20)
    bubbles = [scatter._bubble_box(p, radius, across, up) for p, radius in zip(points, radii, strict=True)]
    texts = [svg.fitted(p.name, scatter.FONT, (frame.right - frame.left) * 0.6) for p in points]
    boxes = scatter.place_labels(texts, bubbles, frame)
    for first, second in itertools.combinations(boxes, 2):
        assert first.overlap(second) == 0
    for box in boxes:
        assert frame.left - 0.01 <= box.left
        assert box.right <= frame.right + 0.01
        assert frame.top - 0.01 <= box.top
        assert box.bottom <= frame.bottom + 0.01
    assert "NaN" not in scatter.draw(points, ("x", "y"), "better", "t", "d", width).replace("nan", "NaN")


def test_labels_keep_off_other_bubbles_where_there_is_room():
    bubbles = [scatter.Box(100, 100, 140, 140), scatter.Box(150, 100, 190, 140)]
    boxes = scatter.place_labels(["left model", "right model"], bubbles, scatter.Box(0, 0, 800, 400))
    assert all(box.overlap(bubble) == 0 for box in boxes for bubble in bubbles)


def test_in_a_crowd_a_label_stands_beside_its_own_point_or_not_at_all():
    """A label pushed away from its point is read as the name of the point that it ends up beside."""
    places = np.random.default_rng(0).normal((400, 300), (60, 40), (120, 2))
    bubbles = [scatter.Box(x - 3, y - 3, x + 3, y + 3) for x, y in places.tolist()]
    boxes = scatter.near_labels(["some word"] * 100, bubbles, scatter.Box(0, 0, 800, 600), reach=12)
    shown = [(box, bubble) for box, bubble in zip(boxes, bubbles, strict=False) if box is not None]
    assert 10 < len(shown) < 100
    for box, bubble in shown:
        assert (
            max(box.left - bubble.right, bubble.left - box.right, box.top - bubble.bottom, bubble.top - box.bottom)
            <= 12
        )
        assert all(box.overlap(other) == 0 for other in bubbles)
    for (first, _), (second, _) in itertools.combinations(shown, 2):
        assert first.overlap(second) == 0


# ---- other plots ----------------------------------------------------------------------------------------------


def test_lines_lift_the_pen_over_gaps():
    drawing = plots.lines("t", [1, 2, 3, 4], {"a": [1.0, math.nan, 2.0, 3.0]}, 400, 200)
    path = drawing.split('class="series" d="')[1].split('"')[0]
    assert path.count("M") == 2
    assert plots.lines("t", [1], {"a": [math.nan]}, 400, 200) == ""
    assert plots.lines("t", [], {}, 400, 200) == ""


def test_reliability_stems_start_on_the_diagonal():
    drawing = plots.reliability([{"confidence": 0.5, "accuracy": 0.25, "count": 9}], "t", ("x", "y"), "s0", 200)
    stem = drawing.split('<line class="whisker"')[1].split("/>")[0]
    values = {part.split("=")[0]: part.split('"')[1] for part in stem.split() if part[:2] in ("x1", "x2", "y1", "y2")}
    assert values["x1"] == values["x2"]
    assert float(values["y2"]) > float(values["y1"])  # less often right than it says: below the diagonal
