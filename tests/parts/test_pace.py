"""The pace of blocks: each number of threads is tried, the faster taken, the other looked at again now and then."""

from __future__ import annotations

import pytest

from erya.parts.pace import LOOK_AGAIN, LOOK_SELDOM, SECONDS, Pace


@pytest.mark.parametrize(("slower", "wait"), [(1.1, LOOK_AGAIN), (2.0, LOOK_SELDOM)])
def test_the_faster_number_of_threads_is_taken(slower, wait):
    pace, taken = Pace(10, 4, True), []
    for _ in range(3 * LOOK_SELDOM):
        threads = pace.next_threads()
        taken.append(threads)
        pace.measured(10, 10, threads, slower if threads == 4 else 1.0)  # four wait for one another
    assert taken[:2] == [4, 1]
    assert set(taken[2 : LOOK_AGAIN - 1]) == {1}
    assert taken.count(4) == 1 + 3 * LOOK_SELDOM // wait  # at first, and now and then


def test_no_choice_no_search():
    pace = Pace(10, 4, False)
    pace.measured(10, 10, 4, 100.0)
    assert pace.next_threads() == 4


def test_blocks_aim_at_a_duration_and_grow_slowly():
    pace = Pace(10, 1, True)
    pace.measured(10, 10, 1, SECONDS / 100)
    assert pace.amount == 40
    pace.measured(40, 40, 1, SECONDS)
    assert pace.amount == 40
    pace.measured(40, 40, 1, 1e9)
    assert pace.amount == 1
