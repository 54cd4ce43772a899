"""Ranges of settings: what a card may write, and that draws and places fit together."""

from __future__ import annotations

import numpy as np
import pytest

from erya.parts.setting_ranges import Choice, Range, space_of


def test_a_card_writes_ranges_and_choices():
    space = space_of(
        {
            "rate": {"low": 0.001, "high": 0.1, "scale": "log"},
            "width": {"low": 32, "high": 300, "scale": "log"},
            "dropout": {"low": 0, "high": 0.7, "scale": "linear"},
            "layers": {"low": 1, "high": 3, "scale": "integer"},
            "window": {"choice": [[2, 3], [3, 4, 5]]},
        }
    )
    assert space["rate"] == Range(0.001, 0.1, True, False)
    assert space["width"] == Range(32, 300, True, True)
    assert space["dropout"] == Range(0, 0.7, False, False)
    assert space["layers"] == Range(1, 3, False, True)
    assert space["window"] == Choice(((2, 3), (3, 4, 5)))
    assert {name: span.plain() for name, span in space.items()}["width"] == {"low": 32, "high": 300, "scale": "log"}
    assert space_of({name: span.plain() for name, span in space.items()}) == space


@pytest.mark.parametrize(
    "entry",
    [
        3,
        {"low": 1, "high": 2},
        {"low": 2, "high": 1, "scale": "log"},
        {"low": 0, "high": 1, "scale": "log"},
        {"low": 1, "high": 2.5, "scale": "integer"},
        {"low": True, "high": 2, "scale": "linear"},
        {"low": 1, "high": float("inf"), "scale": "linear"},
        {"low": 1, "high": 2, "scale": "square"},
        {"low": 1, "high": 2, "scale": "linear", "step": 1},
        {"choice": ["a"]},
        {"choice": ["a", "a"]},
        {"choice": "ab"},
    ],
)
def test_what_makes_no_sense_is_refused_by_name(entry):
    with pytest.raises(ValueError, match=r"space\.rate"):
        space_of({"rate": entry})


@pytest.mark.parametrize(
    "span", [Range(0.001, 0.1, whole=False), Range(4, 300), Range(-1, 1, False, False), Range(1, 5, False)]
)
def test_places_and_values_are_inverse_and_draws_stay_inside(span):
    for place in np.linspace(0, 1, 23):
        value = span.value(place)
        assert span.low <= value <= span.high
        assert span.low <= span.drawn(place) <= span.high
        assert span.place(value) == pytest.approx(place, abs=0.13 if span.whole else 1e-3)


def test_each_whole_number_and_each_choice_is_as_likely():
    places = (np.arange(600) + 0.5) / 600
    numbers = [Range(1, 3, False, True).drawn(place) for place in places]
    assert [numbers.count(number) for number in (1, 2, 3)] == [200, 200, 200]
    values = [Choice(("a", "b", (1, 2))).drawn(place) for place in places]
    assert [values.count(value) for value in ("a", "b", (1, 2))] == [200, 200, 200]
    assert Choice(("a", "b", (1, 2))).place([1, 2]) == pytest.approx(5 / 6)


def test_a_broken_space_names_the_card(tmp_path, monkeypatch):
    from erya import catalog
    from erya.errors import UsageError

    (tmp_path / "room").mkdir()
    card = 'title = { en = "a", zh = "b" }\nsummary = { en = "a", zh = "b" }\nyear = 1\npaper = ""\nauthors = ["x"]\n'
    card += '[tasks.classify]\nclass = "X"\n[tasks.classify.space]\nrate = { low = 3, high = 1, scale = "log" }\n'
    (tmp_path / "room" / "card.toml").write_text(card, encoding="utf-8")
    monkeypatch.setenv("ERYA_ROOMS", str(tmp_path))
    monkeypatch.setenv("ERYA_LANG", "en")
    with pytest.raises(UsageError, match="low is less than high") as caught:
        catalog.cards()
    assert "card.toml" in str(caught.value)
    import erya.models

    erya.models.__path__.remove(str(tmp_path))
