from __future__ import annotations

import threading

import numpy as np
import pytest

from erya.kernel_cache import kernel
from erya.parts import lockstep
from erya.parts.lockstep import ABORT, atomic_add, atomic_load, atomic_store, barrier, control_block, run_together


@kernel
def march(steps, seen, wrong, control, thread, threads):
    """Every thread writes its step; after the barrier all must stand at the same step."""
    for step in range(steps):
        seen[thread] = step
        if not barrier(control, threads):
            return
        for other in range(threads):
            if seen[other] != step:
                wrong[thread] += 1
        if not barrier(control, threads):
            return


@kernel
def use_atomics(array, times):
    for _ in range(times):
        atomic_add(array, 1, 3)
    atomic_store(array, 0, atomic_load(array, 1))


def within(seconds, function):
    """Call ``function`` in a thread: a deadlock is a failed test, not a hanging one."""
    problems = []

    def guarded():
        try:
            function()
        except BaseException as problem:
            problems.append(problem)

    watched = threading.Thread(target=guarded, daemon=True)
    watched.start()
    watched.join(seconds)
    assert not watched.is_alive(), "deadlock"
    if problems:
        raise problems[0]


@pytest.mark.parametrize("threads", [1, 2, 3, 16])  # 16: more than most machines that run this have cores
def test_nobody_leaves_the_barrier_early(threads):
    seen, wrong = np.zeros(threads, dtype=np.int64), np.zeros(threads, dtype=np.int64)
    steps = 2000 if threads < 3 else 50
    within(
        120, lambda: run_together(lambda thread, control: march(steps, seen, wrong, control, thread, threads), threads)
    )
    assert not wrong.any()
    assert (seen == steps - 1).all()


def test_atomics_of_many_threads_add_up():
    array = np.zeros(4, dtype=np.int64)
    within(60, lambda: run_together(lambda thread, control: use_atomics(array, 10_000), 4))
    assert array.tolist() == [120_000, 120_000, 0, 0]


@pytest.mark.parametrize("who", [0, 1, 3])
def test_one_that_fails_keeps_nobody_waiting(who):
    seen, wrong = np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.int64)

    def work(thread, control):
        if thread == who:
            raise KeyError("one failed")
        march(10, seen, wrong, control, thread, 4)

    with pytest.raises(KeyError, match="one failed"):
        within(60, lambda: run_together(work, 4))


def test_a_thread_that_cannot_start_keeps_nobody_waiting(monkeypatch):
    class Refusing(threading.Thread):
        def start(self):
            if self.name.endswith("-3"):
                raise RuntimeError("can't start new thread")
            super().start()

    seen, wrong = np.zeros(5, dtype=np.int64), np.zeros(5, dtype=np.int64)
    monkeypatch.setattr(lockstep, "threading", type("threading", (), {"Thread": Refusing}))
    with pytest.raises(RuntimeError, match="can't start"):
        within(60, lambda: run_together(lambda thread, control: march(10, seen, wrong, control, thread, 5), 5))


def test_a_raised_flag_opens_the_barrier():
    control = control_block()
    control[ABORT] = 1
    assert not barrier(control, 1)
    assert not barrier(control, 2)
