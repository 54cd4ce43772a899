"""An approximate index of vectors for vocabularies beyond a quarter of a million words: usearch's HNSW graph.

Malkov and Yashunin 2018. It may miss a neighbour; how often is measured where it is built, and told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import ResourceError
from erya.language import say
from erya.parts.nearest import BLOCK, Doubles, Ids, Rows, search
from erya.progress import Report, quiet

_EXPANSION = 128  # nodes that a search keeps in sight; usearch's 64 finds 1 to 3 of 100 neighbours less


@dataclass(slots=True)
class NearestIndex:
    """A graph over V vectors.

    Attributes:
        size: V.
        recall: of the ten nearest words of a sample, the share that the graph finds.
        sample: how many words were tried.
    """

    size: int
    recall: float
    sample: int
    _graph: Any = field(repr=False)

    def candidates(self, target: Doubles, count: int) -> Ids:
        """About ``count`` rows near the target (D,), the nearest first."""
        found = self._graph.search(target.astype(np.float32), min(count, self.size), threads=1)
        return np.asarray(found.keys, dtype=np.int64).ravel()


def build(
    rows: Rows,
    shrink: Doubles,
    size: int,
    *,
    sample: int = 1000,
    seed: int = 0,
    threads: int = 1,
    report: Report = quiet,
) -> NearestIndex:
    """Put all vectors into a graph and measure its recall.

    Args:
        rows: gives the vectors.
        shrink: (V,) inverse lengths.
        size: V.
        sample: words whose ten nearest are also found exactly.
        seed: which words.
        threads: with one, the same vectors give the same graph; more are sooner done, and differ every time.
        report: told about the progress and the recall.

    Raises:
        ResourceError: usearch is not installed.
    """
    try:
        from usearch.index import Index
    except ImportError:
        raise ResourceError(
            "extra-missing",
            say("the index needs usearch, which is not installed", "近邻索引需要 usearch，但当前环境没有安装"),
            help='pip install "erya[index]"',
        ) from None
    width = rows(slice(0, 1)).shape[1]
    graph = Index(ndim=width, metric="cos", dtype="f32", expansion_search=_EXPANSION)
    for start in range(0, size, BLOCK):
        block = np.ascontiguousarray(rows(slice(start, min(start + BLOCK, size))))
        graph.add(np.arange(start, start + len(block), dtype=np.uint64), block, threads=threads)
        report.progress(epoch=1, epochs=1, done=(start + len(block)) / size)
    chosen = np.sort(np.random.default_rng(seed).choice(size, min(sample, size), replace=False))
    index = NearestIndex(size, 0.0, len(chosen), graph)
    index.recall = _recall(index, rows, shrink, chosen)
    report.note(
        say(
            f"index over {size:,} words: finds {index.recall:.1%} of the ten nearest (measured on {len(chosen):,} words)",
            f"已为 {size:,} 个词建立索引：最近的十个词能找到 {index.recall:.1%}（在 {len(chosen):,} 个词上实测）",
        )
    )
    return index


def _recall(index: NearestIndex, rows: Rows, shrink: Doubles, chosen: NDArray[np.int64], count: int = 10) -> float:
    targets = rows(chosen).astype(np.float64) * shrink[chosen][:, None]
    exact = search(
        rows, shrink, targets, count=count, size=index.size, excluded=[np.array([row]) for row in chosen.tolist()]
    )
    hits = total = 0
    for row, target, (ids, _) in zip(chosen.tolist(), targets, exact, strict=True):
        found = [other for other in index.candidates(target, count + 1).tolist() if other != row][:count]
        hits += len(set(found) & set(ids.tolist()))
        total += len(ids)
    return hits / total if total else 1.0
