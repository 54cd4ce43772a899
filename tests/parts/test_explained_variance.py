"""What a setting explains of the scores: all, nothing, and no more than chance would."""

from __future__ import annotations

import numpy as np
import pytest

from erya.parts.explained_variance import beyond_chance, by_groups, by_parabola


def test_what_decides_explains_all_and_what_does_not_nothing():
    generator = np.random.default_rng(0)
    places = generator.random(200)
    scores = 1 - (places - 0.3) ** 2
    assert by_parabola(places, scores) == pytest.approx(1)
    assert by_parabola(generator.random(200), scores) < 0.05
    kinds = [["a", "b", [1, 2]][number % 3] for number in range(200)]
    assert by_groups(kinds, [{"a": 1.0, "b": 2.0}.get(str(kind), 5.0) for kind in kinds]) == pytest.approx(1)
    assert by_groups(kinds, generator.random(200)) < 0.05
    assert by_parabola(places, [0.5] * 200) == 0


def test_shares_of_independent_settings_add_up():
    generator = np.random.default_rng(1)
    first, second = generator.random((2, 4000))
    scores = 2 * first + second
    shares = by_parabola(first, scores), by_parabola(second, scores)
    assert shares[0] == pytest.approx(0.8, abs=0.03)
    assert sum(shares) == pytest.approx(1, abs=0.05)


def test_chance_is_taken_off():
    generator = np.random.default_rng(2)
    shares = [by_parabola(generator.random(8), generator.random(8)) for _ in range(300)]
    assert np.mean(shares) == pytest.approx(2 / 7, abs=0.05)  # with eight scores noise alone explains so much
    corrected = [1 - (1 - share) * 7 / 5 for share in shares]
    assert np.mean(corrected) == pytest.approx(0, abs=0.07)
    assert beyond_chance(2 / 7, 8, 2) == pytest.approx(0)
    assert beyond_chance(1.0, 8, 2) == 1
    assert beyond_chance(0.9, 3, 2) == 0
