"""The pace of blocks: each number of threads is tried, the faster taken, the other looked at again now and then."""

from __future__ import annotations

from erya.parts.pace import LOOK_AGAIN, SECONDS, Pace


def test_the_faster_number_of_threads_is_taken():
    pace, taken = Pace(10, 4, True), []
    for _ in range(3 * LOOK_AGAIN):
        threads = pace.next_threads()
        taken.append(threads)
        pace.measured(10, 10, threads, 1.0 if threads == 4 else 0.5)  # waiting for one another
    assert taken[:2] == [4, 1]
    assert set(taken[2 : LOOK_AGAIN - 1]) == {1}
    assert taken.count(4) == 4  # at first, and every twelfth time


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
