"""Threads in lockstep: a barrier for Numba kernels that run without the GIL, and the Python side that runs them.

Kernels that must give the same bits for any number of threads work in phases: in one phase all threads read, in the
next each writes what it owns. Between phases they meet at ``barrier``. A phase lasts some microseconds, far too short for locks
of the operating system, so the barrier spins on one counter and, when it has spun for a while, gives its core away.

No thread waits for one that will not come: whoever fails raises the flag ABORT, and every waiting thread leaves.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from erya.kernel_cache import kernel

ARRIVED, GENERATION, ABORT = 0, 16, 32  # places in the control array, 128 bytes apart: one cache line each
SPINS = 2000  # looks at the counter before the core is given away

# Resolved by name in the running process: in the C library, or in kernel32 on Windows.
_give_core_away: Any = types.ExternalFunction(
    "SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32()
)

_cgutils: Any = cgutils
_instruction: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic  # a function given as LLVM instructions


def _pointer(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    view = context.make_array(kind)(context, builder, array)
    return _cgutils.get_item_pointer(context, builder, kind, view, [place], wraparound=False)


@_instruction
def atomic_add(typing: Any, array: Any, place: Any, value: Any) -> Any:
    """``array[place] += value`` as one indivisible step; returns the value before. For int64 arrays."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[1])
        return builder.atomic_rmw("add", pointer, arguments[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), generate


@_instruction
def atomic_load(typing: Any, array: Any, place: Any) -> Any:
    """``array[place]``, read anew and before anything that follows. For int64 arrays."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[1])
        return builder.load_atomic(pointer, "seq_cst", 8, typ=context.get_value_type(types.int64))

    return types.int64(array, types.intp), generate


@_instruction
def atomic_store(typing: Any, array: Any, place: Any, value: Any) -> Any:
    """``array[place] = value``, seen by others after everything that came before. For int64 arrays."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store_atomic(arguments[2], pointer, "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), generate


@kernel
def barrier(control: NDArray[np.int64], threads: int) -> bool:
    """Wait until all ``threads`` have come here. False: somebody failed, leave the kernel."""
    if threads == 1:
        return bool(control[ABORT] == 0)
    generation = atomic_load(control, GENERATION)  # cannot move on before this thread has arrived
    if atomic_add(control, ARRIVED, 1) + 1 == (generation + 1) * threads:
        atomic_store(control, GENERATION, generation + 1)
    spins = 0
    while atomic_load(control, GENERATION) == generation:
        if atomic_load(control, ABORT) != 0:
            return False
        spins += 1
        if spins >= SPINS:
            _give_core_away()
    return bool(atomic_load(control, ABORT) == 0)


def control_block() -> NDArray[np.int64]:
    """A fresh control array, for one call of ``run_together``."""
    return np.zeros(48, dtype=np.int64)


def run_together(work: Callable[[int, NDArray[np.int64]], None], threads: int) -> None:
    """Call ``work(thread, control)`` for every thread number below ``threads`` at once; number 0 is the caller's own.

    Whatever one of them raises is raised here, after all have left; a thread that cannot be started counts as one
    that failed. Ctrl-C waits for the kernel, which is why callers keep their blocks short.
    """
    control, problems = control_block(), []

    def guarded(thread: int) -> None:
        try:
            work(thread, control)
        except BaseException as problem:  # also KeyboardInterrupt: the others must not wait for this thread
            control[ABORT] = 1
            problems.append(problem)

    started: list[threading.Thread] = []
    try:
        for thread in range(1, threads):
            started.append(threading.Thread(target=guarded, args=(thread,), name=f"erya-kernel-{thread}", daemon=True))
            started[-1].start()
    except BaseException as problem:
        control[ABORT] = 1
        problems.append(problem)
        started.pop()  # the one that did not start cannot be joined
    else:
        guarded(0)
    for helper in started:
        helper.join()
    if problems:
        raise problems[0]
