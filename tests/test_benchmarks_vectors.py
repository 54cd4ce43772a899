"""The figures of the word vector benchmark: medians, ratios, and when vectors may be called no worse than others."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from benchmarks import vectors_running  # noqa: E402
from benchmarks.vectors_figures import difference, medians, no_worse, ratios  # noqa: E402

RUNS = {
    "erya fast": [{"seconds": 2.0}, {"seconds": 1.0}, {"seconds": 4.0}],
    "erya careful": [{"seconds": 4.0}, {"seconds": 4.0}, {"seconds": 5.0}],
    "peer": [{"seconds": 10.0}, {"seconds": 12.0}, {"seconds": 8.0}],
}


def test_the_median_is_of_the_rounds():
    assert medians(RUNS) == {
        "erya fast": {"seconds": 2.0},
        "erya careful": {"seconds": 4.0},
        "peer": {"seconds": 10.0},
    }


def test_a_ratio_is_the_peers_median_over_ours_with_the_extremes_of_a_round():
    found = ratios(RUNS, "seconds")
    assert found["erya fast"]["peer"] == {"value": 5.0, "low": 2.0, "high": 12.0}
    assert found["erya careful"]["peer"]["value"] == 2.5
    assert "erya careful" not in found["erya fast"], "ours are not compared with one another"


def test_a_figure_that_only_one_side_has_is_not_compared():
    assert ratios({**RUNS, "peer": [{"bytes": 1.0}]}, "seconds") == {}


def shares(seeds: list[float], items: int) -> list:
    """A measure a seed: so many of the items are right."""

    def measure(right):
        return lambda rows: float(right[rows].mean())

    generator = np.random.default_rng(1)
    order = generator.permutation(items)
    return [measure(order < share * items) for share in seeds]


def test_equal_vectors_are_no_worse():
    ours = shares([0.50, 0.501, 0.499], 4000)
    found = difference(ours, shares([0.50, 0.499, 0.501], 4000), 4000)
    assert found["value"] == pytest.approx(0, abs=1e-12)
    assert found["low"] < 0 < found["high"]
    assert no_worse(found)


def test_worse_vectors_are_found_out():
    found = difference(shares([0.47, 0.471, 0.472], 4000), shares([0.50, 0.501, 0.502], 4000), 4000)
    assert found["value"] == pytest.approx(-0.03, abs=1e-9)
    assert found["high"] < 0
    assert not no_worse(found)


def test_few_items_or_seeds_far_apart_do_not_prove_anything():
    items = 40
    generator = np.random.default_rng(3)
    both = [generator.random(items) < 0.5 for _ in range(2)]
    sides = [[lambda rows, right=right: float(right[rows].mean())] for right in both]
    assert not no_worse(difference(*sides, items))
    far = difference(shares([0.40, 0.50, 0.60], 4000), shares([0.50, 0.50, 0.50], 4000), 4000)
    assert far["value"] == pytest.approx(0, abs=1e-9)
    assert far["low"] < -0.05, "the spread of the seeds is part of the interval"


def test_the_same_seed_draws_the_same_interval():
    ours, theirs = shares([0.5, 0.6], 300), shares([0.5, 0.55], 300)
    assert difference(ours, theirs, 300, seed=4) == difference(ours, theirs, 300, seed=4)


@pytest.mark.skipif(not hasattr(__import__("os"), "wait4"), reason="peak memory of a process needs wait4")
def test_jobs_run_in_turns_and_one_that_fails_is_named(tmp_path, capsys):
    order = tmp_path / "order.txt"

    def side(name: str, code: str):
        note = f"open({str(order)!r}, 'a').write({name!r});"
        return vectors_running.Runner(name, [vectors_running.Stage([sys.executable, "-c", note + code])])

    def runners(_: Path):
        return [side("erya", "print('{\"answer\": 3}')"), side("p", "bytearray(80_000_000)"), side("x", "1 / 0")]

    cell = vectors_running.Cell("toy_1", {"threads": 1}, runners)
    found = vectors_running.measure(cell, tmp_path, tmp_path, 2, tmp_path)
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert order.read_text() == "eryapx" + "eryap" * 2, "all once to warm up, then A B A B without the one that failed"
    assert found["median"]["erya"]["answer"] == 3
    assert found["median"]["p"]["peak_rss_bytes"] > 80_000_000 > found["median"]["erya"]["peak_rss_bytes"]
    assert "status 1" in found["failed"]["x"]
    assert str(tmp_path) not in str(found), "no path of this machine goes into the results"
    assert set(found["ratio"]["seconds"]["erya"]) == {"p"}
