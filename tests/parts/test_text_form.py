"""Fixed forms: what may stand where, and what does not fit."""

from __future__ import annotations

import pytest

from erya.errors import UsageError
from erya.parts.text_form import NAMED, Form

UNITS = ["<border>", "<unknown>", "春", "眠", "，", "。", "a", "春眠", "\n", "𠮷"]


def test_numbers_are_han_characters_and_signs_are_signs():
    form = Form("2，1。", UNITS, 0)
    assert form.slots == [None, None, "，", None, "。"]
    han = [False, False, True, True, False, False, False, False, False, True]
    assert form.allowed([]).tolist() == han
    assert form.allowed([2]).tolist() == han
    assert form.allowed([2, 3]).nonzero()[0].tolist() == [4]
    assert form.allowed([2, 3, 4, 2]).nonzero()[0].tolist() == [5]
    for ids in ([2, 3, 4, 2, 5], [2, 3, 4, 2, 5, 6]):
        assert form.allowed(ids).nonzero()[0].tolist() == [0]


def test_names():
    for name, form in NAMED.items():
        assert Form(name, UNITS, 0).slots == Form(form, UNITS, 0).slots
    assert len(Form("五言绝句", UNITS, 0).slots) == 24
    assert len(Form("七言律诗", UNITS, 0).slots) == 64
    assert len(Form("12\n", UNITS, 0).slots) == 13


@pytest.mark.parametrize(
    ("prefix", "fits"),
    [("", True), ("春眠", True), ("𠮷春，眠。", True), ("春，", False), ("a", False), ("春春，春。春", False)],
)
def test_prefixes(prefix, fits):
    form = Form("2，1。", UNITS, 0)
    if fits:
        form.check(prefix)
    else:
        with pytest.raises(UsageError, match="form"):
            form.check(prefix)


@pytest.mark.parametrize(
    ("form", "units"),
    [("", UNITS), ("5，5！", UNITS), ("5，5。", ["<border>", "<unknown>", "the", "，", "。"]), ("0", UNITS)],
)
def test_forms_that_cannot_be(form, units):
    with pytest.raises(UsageError):
        Form(form, units, 0)
