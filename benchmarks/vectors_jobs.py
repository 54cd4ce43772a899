"""Our side's jobs, each run in a process of its own: ``python -m benchmarks.vectors_jobs JSON``; prints JSON.

The JSON object names the ``job``; its other keys are the function's arguments. Imports are inside: a job's process
imports what that job needs, and its time is measured from outside.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from erya.progress import Report


class Clock(Report):
    """Notes when a row of the curve, which comes at the end of an epoch, was recorded."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def record(self, row: dict[str, Any]) -> None:
        self.times.append(perf_counter())


def fit(
    model: str, corpus: str | list[str], out: str, settings: dict[str, Any], form: str = "word2vec-bin"
) -> dict[str, Any]:
    """The whole job of a room: from reading the corpus to the vectors in a file. Says what an epoch took."""
    from erya.text.vector_files import VectorTable, write

    room = _room(model)(**settings)
    clock = Clock()
    paths = Path(corpus) if isinstance(corpus, str) else [Path(one) for one in corpus]
    room.fit(paths, report=clock)
    write(Path(out), VectorTable(room.words_, room.vectors_, room.counts_), form)
    said: dict[str, Any] = {"words": len(room.words_)}
    if len(clock.times) > 1:
        said["epoch_seconds"] = median(after - before for before, after in pairwise(clock.times))
    return said


def _room(model: str) -> Any:
    if model == "word2vec":
        from erya.models.word2vec.estimator import Word2Vec

        return Word2Vec
    if model == "glove":
        from erya.models.glove.estimator import GloVe

        return GloVe
    from erya.models.cooccurrence.estimator import Cooccurrence

    return Cooccurrence


def counting(corpus: str, window: int, min_count: int) -> dict[str, Any]:
    """From the file to the co-occurrence store: vocabulary, ids, weighted counts."""
    from erya.parts.counting import count
    from erya.text.corpus import encode

    encoded = encode(Path(corpus), tokenizer="whitespace", min_count=min_count)
    store = count(encoded.ids, len(encoded.words), window=window)
    return {"words": len(encoded.words), "entries": len(store.columns)}


def ids(corpus: str, threads: int) -> dict[str, Any]:
    """From the file to ids, as ``benchmarks/corpus.py`` measures it: the median of several runs in one process."""
    from benchmarks.corpus import encoded
    from erya.text.corpus import encode

    encode(["warm up: compile", "é"], min_count=1)
    found = {name: encoded(Path(corpus), name, threads) for name in ("whitespace", "words")}
    return {f"{name}_per_second": row["tokens_per_second"] for name, row in found.items()}


# ---- the singular value decomposition ---------------------------------------------------------------------------------


def matrix(corpus: str, out: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The PPMI matrix of the room ``cooccurrence``, by rows, as three NumPy files: what both decompositions read."""
    import numpy as np

    from erya.models.cooccurrence.estimator import Cooccurrence, _weighed
    from erya.parts.counting import count
    from erya.parts.counting_kept import row_sums
    from erya.progress import quiet
    from erya.text.corpus import encode

    room = Cooccurrence(**settings)
    encoded = encode(Path(corpus), tokenizer="whitespace", min_count=room.min_count)
    store = count(encoded.ids, len(encoded.words), window=room.window, weighting=room.weighting)
    sparse = _weighed(store, row_sums(store), room.weighing(), quiet)
    for name in ("starts", "columns", "values"):
        np.save(f"{out}.{name}.npy", getattr(sparse, name))
    return {"words": len(sparse), "entries": len(sparse.columns)}


def svd(matrix: str, dim: int, steps: int, threads: int) -> dict[str, Any]:
    """Our decomposition: its seconds, and the share of the matrix's sum of squares that its directions hold."""
    import numpy as np

    from erya.models.cooccurrence.svd import Decomposer, Sparse
    from erya.progress import quiet

    sparse = Sparse(*(np.load(f"{matrix}.{name}.npy") for name in ("starts", "columns", "values")))
    Decomposer(small(sparse), threads, quiet).left(dim, 1, 0, False)  # the kernels come from the cache
    began = perf_counter()
    left, values, _ = Decomposer(sparse, threads, quiet).left(dim, steps, 0, False)
    seconds = perf_counter() - began
    return {"svd_seconds": seconds, "energy": explained(matrix, left, transposed=True), "directions": len(values)}


def small(sparse: Any) -> Any:
    """The matrix with only the first 4,000 entries left: the same kernels at next to no cost."""
    import numpy as np

    starts = np.minimum(sparse.starts, 4000)
    end = int(starts[-1])
    return type(sparse)(starts, sparse.columns[:end].copy(), sparse.values[:end].copy())


def scikit_svd(matrix: str, dim: int, algorithm: str) -> dict[str, Any]:
    """scikit-learn's TruncatedSVD on the same matrix, with its default settings beside ``algorithm``."""
    import numpy as np
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD

    starts, columns, values = (np.load(f"{matrix}.{name}.npy") for name in ("starts", "columns", "values"))
    sparse = csr_matrix((values, columns, starts), shape=(len(starts) - 1, len(starts) - 1))
    began = perf_counter()
    found = TruncatedSVD(n_components=dim, algorithm=algorithm, random_state=0)
    found.fit_transform(sparse)
    seconds = perf_counter() - began
    return {"svd_seconds": seconds, "energy": explained(matrix, found.components_.T, transposed=False)}


def explained(matrix: str, directions: Any, *, transposed: bool) -> float:
    """‖M V‖² / ‖M‖² for orthonormal V (V, D), or ‖Mᵀ U‖² / ‖M‖²: the same for both sides, whatever each of them says."""
    import numpy as np
    from scipy.sparse import csr_matrix

    starts, columns, values = (np.load(f"{matrix}.{name}.npy") for name in ("starts", "columns", "values"))
    sparse = csr_matrix((values, columns, starts), shape=(len(starts) - 1, len(starts) - 1))
    image = (sparse.T if transposed else sparse) @ np.asarray(directions, dtype=np.float32)
    return float(np.square(image, dtype=np.float64).sum() / np.square(values, dtype=np.float64).sum())


# ---- the way in -------------------------------------------------------------------------------------------------------


def training(corpus: str, settings: dict[str, Any]) -> dict[str, Any]:
    from benchmarks.vectors_bandwidth import training

    return training(corpus, settings)


def limits(threads: int, width: int, floats: int) -> dict[str, Any]:
    from benchmarks.vectors_bandwidth import limits

    return limits(threads, width, floats)


JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    job.__name__: job for job in (fit, counting, ids, matrix, svd, scikit_svd, training, limits)
}


def main() -> None:
    arguments = json.loads(sys.argv[1])
    print(json.dumps(JOBS[arguments.pop("job")](**arguments)))


if __name__ == "__main__":
    main()
