"""Texts that two parts share: to the letter, but for marks, nearly; against brute force; bounded."""

from __future__ import annotations

import numpy as np
import pytest

from erya import near_duplicates
from erya.near_duplicates import NEAR, PIECE, normalised, twins

LINE = "the quick brown fox jumps over the lazy dog and goes home to sleep"


def resemblance(a, b):
    first, second = (
        {text[place : place + PIECE] for place in range(len(text) - PIECE + 1)} for text in map(normalised, (a, b))
    )
    return len(first & second) / len(first | second)


def words(seed, count):
    generator = np.random.default_rng(seed)
    pool = ["".join(generator.choice(list("abcdefghijklmno"), generator.integers(2, 9))) for _ in range(400)]
    return [" ".join(generator.choice(pool, generator.integers(8, 20))) for _ in range(count)]


@pytest.mark.parametrize(
    ("a", "b"),
    [("Soup!", "soup"), ("a  b\tc", "abc"), ("ＡＢＣ１２", "abc12"), ("床前，明月光。", "床前明月光"), ("ﬁne", "fine")],
)
def test_what_does_not_count(a, b):
    assert normalised(a) == normalised(b)


def test_what_counts():
    assert normalised("a") != normalised("b")
    assert normalised("!!") == "!!"
    assert normalised("!!") != normalised("??")
    assert normalised(("ab", "c")) == "abc"


def test_the_same_text_the_first_training_row():
    found, everything = twins(["x", "Soup.", "soup"], ["SOUP", "bread", "x!", ""])
    assert [(twin.test, twin.train, twin.resemblance) for twin in found] == [(0, 1, 1.0), (2, 0, 1.0)]
    assert everything


def test_nearly_the_same():
    found, _ = twins(
        ["something else entirely, of some length", LINE], [LINE + " ok", LINE[: len(LINE) // 2], LINE.upper()]
    )
    assert [(twin.test, twin.train) for twin in found] == [(0, 1), (2, 1)]
    assert found[0].resemblance == pytest.approx(resemblance(LINE, LINE + " ok"))
    assert NEAR <= found[0].resemblance < 1


def test_against_brute_force():
    train, generator = words(0, 150), np.random.default_rng(1)
    test = []
    for text in train[:80]:
        parts = text.split()
        for place in generator.integers(0, len(parts), generator.integers(0, 3)):
            parts[place] = "zz"
        test.append(" ".join(parts))
    test += words(2, 40)
    expected = {
        place: max(resemblance(text, other) for other in train)
        for place, text in enumerate(test)
        if max(resemblance(text, other) for other in train) >= NEAR
    }
    found = {twin.test: twin.resemblance for twin in twins(train, test)[0]}
    assert set(found) <= set(expected), "nothing is said that is not so"
    assert len(found) >= 0.95 * len(expected)
    assert len(expected) > 30
    for place, value in found.items():
        assert value == pytest.approx(expected[place])


def test_short_and_empty_and_broken_texts():
    found, _ = twins(["", "ab", "abc", "\ud800" * 20, LINE], ["abcd", "\ud800" * 20, "ab ", LINE[:-1], ""])
    assert [twin.test for twin in found] == [1, 2, 3]
    assert twins([], ["a"]) == ([], True)
    assert twins(["a"], []) == ([], True)


def test_bounded(monkeypatch):
    monkeypatch.setattr(near_duplicates, "MOST_CHARACTERS", 100)
    found, everything = twins([LINE, LINE[::-1]], [LINE[::-1] + " x"])
    assert not found
    assert not everything
    same, _ = twins([LINE, LINE[::-1]], [LINE[::-1]])
    assert len(same) == 1, "equal texts are found among all"


def test_many_equal_openings_are_compared_boundedly():
    train = [f"{LINE} number {number}" for number in range(500)]
    found, _ = twins(train, [LINE + " number none"])
    assert len(found) == 1
