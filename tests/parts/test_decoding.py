"""Decoding: greedy, sampling, beams, over a toy model whose every answer is known."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from erya.errors import UsageError
from erya.parts import decoding
from erya.parts.decoding import Manner

END, NEVER = 0, 1


class Chain:
    """What comes next depends on the last unit: a table (V, V) of probabilities. The memory is the units so far."""

    def __init__(self, table):
        with np.errstate(divide="ignore"):
            self.rows = np.log(np.asarray(table, dtype=np.float64))
        self.steps = 0

    def start(self, prefixes):
        memory = [list(prefix) or [END] for prefix in prefixes]
        return memory, self._said(memory)

    def step(self, memory, rows, ids):
        self.steps += 1
        new = [[*memory[row], unit] for row, unit in zip(rows, ids, strict=True)]
        return new, self._said(new)

    def _said(self, memory):
        return self.rows[[units[-1] for units in memory]]


TABLE = [
    [0.0, 0.4, 0.3, 0.2, 0.1],  # the beginning
    [1.0, 0.0, 0.0, 0.0, 0.0],
    [0.1, 0.0, 0.2, 0.4, 0.3],
    [0.5, 0.1, 0.1, 0.2, 0.1],
    [0.05, 0.05, 0.45, 0.0, 0.45],
]


def write(prefixes=((),), length=6, manner=None, table=TABLE, **more):
    return decoding.write(Chain(table), prefixes, length=length, end=END, never=[NEVER], manner=manner, **more)


def test_greedy_takes_the_most_probable():
    (one,) = write(manner=Manner(temperature=0))
    assert (one.ids, one.ended) == ([2, 3], True)
    assert one.log_probability == pytest.approx(math.log(0.3 * 0.4 * 0.5))
    (cut,) = write(manner=Manner(temperature=0), length=1)
    assert (cut.ids, cut.ended) == ([2], False)
    assert write(length=0)[0].ids == []
    assert write([]) == []


def test_the_last_unit_asks_for_no_step():
    decoder = Chain(TABLE)
    decoding.write(decoder, [[4]], length=3, end=END, never=[NEVER, END, 2, 3], manner=Manner(temperature=0))
    assert decoder.steps == 2
    decoding.write(decoder, [[4]], length=3, end=END, never=[NEVER, END], manner=Manner(beams=2))
    assert decoder.steps == 4


def test_draws_are_as_probable_as_told():
    draws = Counter(write(seed=seed, length=1)[0].ids[0] for seed in range(800))
    assert NEVER not in draws
    for unit, share in ((2, 3 / 6), (3, 2 / 6), (4, 1 / 6)):
        assert draws[unit] / 800 == pytest.approx(share, abs=0.06)
    bold = Counter(write(seed=seed, length=1, manner=Manner(temperature=0.5))[0].ids[0] for seed in range(600))
    assert bold[2] / 600 == pytest.approx(9 / 14, abs=0.07)


def test_the_head_alone_is_drawn():
    def kinds(**settings):
        return {write(seed=seed, length=1, manner=Manner(**settings))[0].ids[0] for seed in range(80)}

    assert kinds() == {2, 3, 4}
    assert kinds(top_k=2) == {2, 3}
    assert kinds(top_k=1) == kinds(top_p=0.3) == kinds(temperature=0, top_p=0.9) == {2}
    assert kinds(top_p=0.6) == {2, 3}  # a half is too little
    assert kinds(top_p=1.0, top_k=50) == {2, 3, 4}
    assert kinds(temperature=1e-300) == {2}


def test_same_seed_same_text_whatever_the_company():
    alone = [write([prefix], seed=7)[0].ids for prefix in ([2], [3], [4, 4])]
    together = [one.ids for one in write([[4, 4], [2], [3], [2]], seed=7)]
    assert together == [alone[2], alone[0], alone[1], alone[0]]
    assert len({tuple(write([[2]], seed=seed, length=20)[0].ids) for seed in range(20)}) > 5


def best(length, power, allowed=(2, 3, 4)):
    """All texts up to a length, by hand."""
    found = []
    for size in range(length + 1):
        for ids in itertools.product(allowed, repeat=size):
            units = [END, *ids]
            total = sum(math.log(TABLE[a][b] or 1e-300) for a, b in itertools.pairwise(units))
            if size:
                if size == length:
                    found.append((total / size**power, list(ids)))
                ended = total + math.log(TABLE[ids[-1]][END] or 1e-300)
                if size < length:
                    found.append((ended / (size + 1) ** power, list(ids)))
    return max(found)


@pytest.mark.parametrize("power", [0.0, 0.6, 1.0])
def test_many_beams_find_the_best_of_all(power):
    (one,) = write(length=4, manner=Manner(beams=200, length_power=power))
    score, ids = best(4, power)
    assert one.ids == ids
    assert one.log_probability / max(1, len(one.ids) + one.ended) ** power == pytest.approx(score)


def test_beams_see_further_than_greed():
    table = [[0, 0, 0.6, 0.4], [1, 0, 0, 0], [0.1, 0, 0.45, 0.45], [0.9, 0, 0.1, 0]]
    assert write(table=table, manner=Manner(temperature=0), length=3)[0].ids[0] == 2
    (one,) = write(table=table, manner=Manner(beams=2, length_power=0.0), length=3)
    assert (one.ids, one.ended) == ([3], True)
    assert write(table=table, manner=Manner(beams=2), length=0)[0].ids == []


def test_rules_and_stops():
    def rule(ids):
        return np.array([len(ids) >= 3, True, True, False, False])

    for manner in (Manner(temperature=0), Manner(), Manner(beams=3)):
        (one,) = write([[2]], manner=manner, allowed=rule, length=5)
        assert set(one.ids) <= {2}
        assert len(one.ids) >= 2
        (stopped,) = write([[2]], manner=manner, length=9, done=lambda ids: len(ids) == 2, allowed=lambda ids: None)
        assert len(stopped.ids) <= 2
        with pytest.raises(UsageError, match="form"):
            write(manner=manner, allowed=lambda ids: np.zeros(5, dtype=bool))


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature": -0.1},
        {"temperature": math.inf},
        {"temperature": math.nan},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_p": math.nan},
        {"beams": 0},
    ],
)
def test_manners_that_make_no_sense(bad):
    with pytest.raises(UsageError):
        write(manner=Manner(**bad))
    with pytest.raises(UsageError):
        write(length=-1)
