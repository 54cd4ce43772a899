"""What a model keeps of its co-occurrence counts, so that it can show later what it learned from.

All entries while they are few; of a large store each word's strongest ones: those with the greatest

    x · ln( x Σ / (row sum · column sum) )

that is, often together *and* more often than by chance. Reading needs NumPy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.progress import Report, quiet
from erya.state import Arrays

if TYPE_CHECKING:
    from erya.parts.counting_store import Cooccurrences

WHOLE = 1_000_000  # entries: 8 MB
EACH = 16  # of a word, beyond that
ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Some or all entries of X, by rows.

    Attributes:
        starts: (V + 1,) row i owns entries ``starts[i]:starts[i + 1]``.
        columns: int32, ascending in each row.
        values: float32.
        sums: (V,) float64, the sums of all of X's rows (and columns: X is symmetric).
        whole: whether these are all entries.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    sums: NDArray[np.float64]
    whole: bool

    def row(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Columns and values kept of one row."""
        part = slice(int(self.starts[number]), int(self.starts[number + 1]))
        return self.columns[part], self.values[part]

    def state(self) -> Arrays:
        """As arrays."""
        return {f"counts.{name}": getattr(self, name) for name in ("starts", "columns", "values", "sums")}


def keep(
    store: Cooccurrences, sums: NDArray[np.float64], *, whole: int = WHOLE, each: int = EACH, report: Report = quiet
) -> Kept:
    """Choose what to keep of a symmetric store.

    Args:
        store: X.
        sums: (V,) its rows' sums.
        whole: up to so many entries, all.
        each: otherwise so many a word.
        report: asked whether to stop.
    """
    if len(store.columns) <= whole:
        return Kept(
            store.starts.copy(), np.array(store.columns), np.array(store.values, dtype=np.float32), sums.copy(), True
        )
    from erya.parts.counting import stop_if_asked
    from erya.parts.counting_kernels import strongest

    lengths, columns, values = [np.zeros(1, dtype=np.int64)], [], []
    for first in range(0, len(store), ROWS_AT_ONCE):
        last = min(len(store), first + ROWS_AT_ONCE)
        places, found = np.zeros((last - first, each), dtype=np.int64), np.zeros(last - first, dtype=np.int64)
        strongest(store.starts, store.columns, store.values, sums, each, first, last, np.zeros(each), places, found)
        places[np.arange(each) >= found[:, None]] = np.iinfo(np.int64).max
        chosen = np.sort(places, axis=1)  # by column again
        chosen = chosen[chosen < np.iinfo(np.int64).max]
        lengths.append(found)
        columns.append(store.columns[chosen])
        values.append(store.values[chosen].astype(np.float32))
        stop_if_asked(report)
    starts = np.cumsum(np.concatenate(lengths))
    return Kept(starts, np.concatenate(columns), np.concatenate(values), sums.copy(), False)


def row_sums(store: Cooccurrences) -> NDArray[np.float64]:
    """(V,) the sum of each row, in double precision."""
    sums = np.zeros(len(store))
    for first in range(0, len(store), ROWS_AT_ONCE):
        last = min(len(store), first + ROWS_AT_ONCE)
        begin, end = int(store.starts[first]), int(store.starts[last])
        running = np.concatenate([[0.0], np.cumsum(store.values[begin:end], dtype=np.float64)])
        sums[first:last] = np.diff(running[store.starts[first : last + 1] - begin])
    return sums


def kept_from(arrays: Arrays, words: int, whole: bool) -> Kept:
    """The inverse of ``Kept.state``.

    Raises:
        KeyError: something is missing.
        ValueError: shapes, numbers or values that do not fit one another.
    """
    starts, columns, values, sums = (arrays[f"counts.{name}"] for name in ("starts", "columns", "values", "sums"))
    _check(starts.dtype == np.int64 and starts.shape == (words + 1,) and starts[0] == 0, "starts")
    _check(starts[-1] == len(columns) and not (np.diff(starts) < 0).any(), "starts")
    _check(columns.dtype == np.int32 and columns.ndim == 1, "columns")
    _check(not len(columns) or (columns.min() >= 0 and columns.max() < words), "columns")
    _check(values.dtype == np.float32 and values.shape == columns.shape, "values")
    _check(bool(np.isfinite(values).all() and (values > 0).all()), "values")
    _check(sums.dtype == np.float64 and sums.shape == (words,), "sums")
    _check(bool(np.isfinite(sums).all() and (sums >= 0).all()), "sums")
    return Kept(starts, columns, values, sums, bool(whole))


def _check(holds: Any, what: str) -> None:
    if not holds:
        raise ValueError(f"the counts' {what} make no sense")
