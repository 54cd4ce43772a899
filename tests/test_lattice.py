"""The lattice as a view: what is refused, what a terminal and a page show."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from erya.cli.views import choose_view
from erya.drawing.lattice import pieces
from erya.trace import Bars, Lattice, Trace

TOKENS, TAGS = ["去", "京", "🦄<b>"], ["B-LOC", "I-LOC", "O"]
SCORES = np.array([[0.0, -9.0, 2.0], [3.0, 1.0, -1.0], [-1.0, 0.5, 1.5]])
MARGINALS = np.array([[0.1, 0.0, 0.9], [0.8, 0.19, 0.01], [0.0, 0.3, 0.7]])


def lattice(**changes):
    given = {"scores": SCORES, "path": [2, 0, 2], "marginals": MARGINALS, "runners_up": [(-1.5, [2, 0, 1])]}
    return Lattice("Lattice", TOKENS, TAGS, **{**given, **changes})


def drawn(view, width=80):
    return Trace("tag/x", "去京", {"path": np.array([2, 0, 2])}, [view])


def test_what_does_not_fit_is_refused():
    for wrong in (
        {"scores": SCORES[:2]},
        {"marginals": MARGINALS[:, :2]},
        {"transitions": np.zeros((3, 2))},
        {"path": [2, 0]},
        {"path": [2, 0, 3]},
        {"runners_up": [(0.0, [-1, 0, 0])]},
    ):
        with pytest.raises(ValueError, match="Lattice"):
            lattice(**wrong)


def test_a_terminal_marks_the_chosen_way():
    text = drawn(lattice()).text(80, False)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.split()[:1] and line[0] in "BIO"}
    assert rows["B-LOC"] == ["0.10", "▸0.80", "·"]
    assert rows["O"] == ["▸0.90", "0.01", "▸0.70"]
    assert "I-LOC" in text.splitlines()[-1]  # where the runner-up leaves the way
    scores = drawn(lattice(marginals=None)).text(80, False)
    assert "▸3" in scores
    assert "-9" in scores


def test_long_sentences_are_drawn_in_pieces_that_fit():
    steps = 300
    scores = np.random.default_rng(0).normal(size=(steps, 40))
    view = Lattice("Lattice", [f"w{n}" for n in range(steps)], [f"B-t{n}" for n in range(40)], scores, scores.argmax(1))
    text = drawn(view).text(70, False)
    assert all(len(line) <= 70 for line in text.splitlines())
    assert "w119" in text
    assert "w120" not in text
    page = drawn(view).html()
    assert len(page) < 2_000_000
    assert page.count("<svg") > 4


def test_a_page_shows_every_node_of_the_way_and_no_markup_of_the_data():
    page = drawn(lattice(transitions=np.arange(9.0).reshape(3, 3))).html()
    wide = re.search(r'<div class="wide">(.*?)</div>', page, re.DOTALL)[1]
    assert wide.count('class="solid"') == 3
    assert "🦄&lt;b&gt;" in page
    assert "<b>" not in wide
    assert "B-LOC → O: 2" in page
    json.dumps(drawn(lattice()).to_plain())


def test_nothing_to_draw():
    empty = Lattice("Lattice", [], TAGS, np.zeros((0, 3)), [])
    assert drawn(empty).text(80, False)
    assert "<section>" in drawn(empty).html()


def test_it_is_found_by_its_kind():
    trace = drawn(lattice())
    trace.views.insert(0, Bars("词", ["a"], [1.0]))
    assert isinstance(choose_view(trace, "lattice"), Lattice)


def test_pieces_are_few_and_alike():
    assert [list(one) for one in pieces([10.0] * 7, 60)] == [[0, 1, 2, 3], [4, 5, 6]]
    assert [list(one) for one in pieces([5.0, 90.0, 5.0], 30)] == [[0], [1], [2]]  # one is wider than there is room
    assert pieces([], 30) == []


def test_each_piece_shows_the_tags_that_matter_in_it_and_what_is_left_out_is_said():
    marginals = np.full((130, 3), 0.001)
    marginals[:, 2], marginals[0, 1] = 0.998, 0.3
    view = Lattice("Lattice", ["ab"] * 130, ["A", "B", "C"], np.zeros((130, 3)), [2] * 130, marginals=marginals)
    lines = drawn(view).text(60, False).splitlines()
    assert sum(line.startswith("C") for line in lines) > 10
    assert sum(line.startswith("B") for line in lines) == 1
    assert not any(line.startswith("A") for line in lines)
    assert "120" in lines[-1]
    assert "130" in lines[-1]
    assert "120" in drawn(view).html()


def test_the_page_says_where_a_runner_up_differs():
    page = drawn(lattice()).html()
    assert "🦄&lt;b&gt; I-LOC" in page
    assert "O B-LOC I-LOC" not in page
