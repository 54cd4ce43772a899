"""Every model of a comparison against every other."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from erya.contestants import Contestant
from erya.scoring import Paired, holm


def pairs(scored: list[Contestant], test_of: Callable[[Any, Any], Paired]) -> list[dict[str, Any]]:
    """Every pair of models on the same rows (first seed); significant together, by Holm's correction.

    Args:
        scored: those that have answers.
        test_of: the paired test of two models' answers.
    """
    both = list(combinations(scored, 2))
    tests = [test_of(a.runs[0].predictions, b.runs[0].predictions) for a, b in both]
    return [
        {
            "a": a.model,
            "b": b.model,
            "difference": test.difference,
            "low": test.low,
            "high": test.high,
            "p_value": test.p_value,
            "significant": significant,
        }
        for (a, b), test, significant in zip(both, tests, holm([test.p_value for test in tests]), strict=True)
    ]
