"""From the co-occurrence store to what the kernel reads: entries in tiles, with their logarithm and weight.

f(x) = min(1, (x / x_max)^α)        the weight of an entry: rare ones are noisy, frequent ones must not rule
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.models.glove import kernels
from erya.parts.counting import MEMORY, stop_if_asked
from erya.parts.counting_store import Cooccurrences
from erya.parts.lockstep import run_together
from erya.progress import Report, quiet

MOST_GROUPS = 32  # as many threads can work at once; each word is visited in so many turns an epoch
MANY_ENTRIES = 300_000_000  # from here on four times as many, so that a round stays short
LEAST_WORDS = 8  # in a group
AT_ONCE = 1 << 20


def groups_of(words: int, entries: int) -> int:
    """P. A function of the data alone: it has a part in the order of the steps, the number of threads has none."""
    most = MOST_GROUPS if entries < MANY_ENTRIES else 4 * MOST_GROUPS
    return max(1, min(most, words // LEAST_WORDS))


def entries_of(
    store: Cooccurrences,
    *,
    x_max: float,
    alpha: float,
    seed: int,
    threads: int,
    report: Report = quiet,
    memory_bytes: int = MEMORY,
    folder: Path | None = None,
) -> tuple[kernels.Entries, int, int]:
    """Entries in tiles; the number of groups P and of words in a group R.

    Args:
        store: X.
        x_max: see ``f`` above.
        alpha: see ``f`` above.
        seed: fixes the order of a word's entries in a tile.
        threads: to work with; changes no bit.
        report: asked whether to stop.
        memory_bytes: beyond that, the entries lie in a temporary file.
        folder: where it may be.
    """
    total = len(store.columns)
    groups = groups_of(len(store), total)
    size = -(-len(store) // groups)
    starts = np.zeros(groups * groups * size + 1, dtype=np.int64)
    on_disk = 12 * total > memory_bytes
    columns, logarithms, weights = (
        _room(total, kind, folder if on_disk else None, on_disk) for kind in (np.int32, np.float32, np.float32)
    )
    entries = kernels.Entries(starts, columns, logarithms, weights)

    _share_out(
        range(groups),
        threads,
        lambda group: kernels.measure(store.starts, store.columns, group, groups, size, starts[1:]),
        report,
    )
    np.cumsum(starts, out=starts)
    salt = int(np.random.default_rng([seed, 1]).integers(2**62))
    _share_out(
        range(groups),
        threads,
        lambda group: kernels.deal(
            store.starts, store.columns, store.values, group, groups, size, salt, entries, np.zeros(groups, np.int64)
        ),
        report,
    )

    def weigh(begin: int) -> None:
        part = slice(begin, begin + AT_ONCE)
        np.log(logarithms[part], out=logarithms[part])
        weights[part] = np.minimum(0, logarithms[part] - np.float32(math.log(x_max))) * np.float32(alpha)
        np.exp(weights[part], out=weights[part])

    _share_out(range(0, total, AT_ONCE), threads, weigh, report)
    return entries, groups, size


def _room(length: int, kind: Any, folder: Path | None, on_disk: bool) -> NDArray[Any]:
    """Zeros, in memory or in a file without a name that goes away with the array."""
    if not on_disk:
        return np.zeros(length, dtype=kind)
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, dtype=kind, mode="w+", shape=(length,))


def _share_out(jobs: range, threads: int, work: Callable[[int], None], report: Report) -> None:
    """Do all jobs, on several threads; which thread does which changes nothing. Between some, look whether to stop."""
    for begin in range(0, len(jobs), threads):
        some = jobs[begin : begin + threads]

        def mine(thread: int, _: NDArray[np.int64]) -> None:
            for job in some[thread : thread + 1]:  # noqa: B023
                work(job)

        run_together(mine, threads)
        stop_if_asked(report)
