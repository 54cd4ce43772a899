"""explain and show: the drawing, the page, the data – and names that are nearly right."""

from __future__ import annotations

import pytest

from erya.cli.views import array_view, curve_view


def test_explain_draws(erya, trained):
    found = erya("explain", "m.erya", "tasty soup")
    assert found.code == 0, found.err
    assert "tasty soup" in found.out
    assert "food" in found.out
    assert found.err.split()[0] == "next"
    assert erya("explain", "m.erya", "-", stdin=b"tasty soup\n").out == found.out


def test_explain_as_data_and_as_page(erya, trained, tmp_path):
    document = erya("explain", "m.erya", "tasty soup", "--label", "music", "--json").document
    assert document["schema"] == "erya.trace/1"
    assert document["views"][0]["kind"] == "TokenHeat"
    assert erya("explain", "m.erya", "tasty soup", "-o", "why.html").code == 0
    page = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "tasty" in page


def test_an_unknown_label_names_the_nearest(erya, trained):
    found = erya("explain", "m.erya", "soup", "--label", "musik")
    assert found.code == 2
    assert "music" in found.err


def test_show_without_input_says_what_can_be_shown(erya, trained):
    found = erya("show", "m.erya")
    assert found.code == 0, found.err
    assert "Views" in found.out
    assert "  1  " in found.out
    document = erya("show", "m.erya", "--json").document
    assert document["schema"] == "erya.show/1"
    assert document["views"]
    assert document["arrays"]


def test_show_by_number_name_and_array(erya, trained):
    everything = erya("show", "m.erya", "tasty soup")
    assert everything.code == 0, everything.err
    overview = erya("show", "m.erya", "--json").document
    title, array = overview["views"][0], overview["arrays"][0]
    first = erya("show", "m.erya", "1", "tasty soup")
    assert first.out == erya("show", "m.erya", title, "tasty soup").out
    assert len(first.out) <= len(everything.out)
    assert erya("show", "m.erya", array, "tasty soup").code == 0
    wrong = erya("show", "m.erya", title[:-1] + "xq", "tasty soup")
    assert wrong.code == 2
    assert title in wrong.err


def test_show_card(erya, trained):
    assert "classify/" in erya("show", "m.erya", "card").out
    assert erya("show", "m.erya", "curve").code in (0, 2)


def test_the_curve():
    rows = [
        {"epoch": 1, "step": 10, "loss": 2.0, "validation_loss": None},
        {"epoch": 2, "step": 20, "loss": 1.0, "validation_loss": 3.0},
    ]
    view = curve_view(rows)
    assert list(view.x) == [1, 2]
    assert list(view.series["loss"]) == [2.0, 1.0]
    assert curve_view([]) is None
    assert curve_view(rows[:1]) is None


@pytest.mark.parametrize(
    ("shape", "kind"), [((3,), "Bars"), ((3, 5), "Matrix"), ((2, 3, 5), "Table"), ((0, 5), "Table")]
)
def test_any_array_has_a_picture(shape, kind):
    import numpy as np

    assert type(array_view("gates", np.zeros(shape))).__name__ == kind
