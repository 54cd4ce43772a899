"""How much memory word2vec's training touches, and how much this machine can move: bytes × words/s against measured limits.

Bytes of *parameters* that one trained word (a word that subsampling kept) touches, by formula. B = 4 · padded width; a
shard's turn has C words, a pool of N noise words shared by them (3 C; CBOW: C), and the contexts C + 2 · window:

    rows   R = 1 + N / C + (C + 2 window) / C      its own target, its noise words, its context
    bytes  2 R B    lock-free: each row is read and written
           4 R B    deterministic: read into the arena; read to know what changed; read and written with that

Bytes in the *cache* (deterministic: of the arena), for c = window + 1 contexts on average and six targets:

    skip-gram   (7 c) B to score · (12 + 3 c) B to step
    CBOW        (c + 2) B to gather · 7 B to score · 15 B to step · (2 c + 1) B to give back

Limits: *triad*, a ← b + s · c over arrays far larger than the cache, 12 bytes a number as STREAM counts them; *gather*, reading
rows in random order; *update*, reading and writing them. Frequent words' rows stay in the cache, so that a share of the
limit is no share of what truly came from memory: it says how far the touched bytes are from having to come from there.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import kernel
from erya.parts.simd import LANES, load, plus, prefetch, spread, store

TARGETS = 6
REPEATS = 5
AHEAD = 8


def parameter_bytes(width: int, chunk: int, pool: int, window: int, *, deterministic: bool) -> float:
    """A trained word's bytes of parameters, ``width`` floats a row."""
    rows = 1 + pool / chunk + (chunk + 2 * window) / chunk
    return (4 if deterministic else 2) * rows * 4 * width


def cache_bytes(width: int, window: int, *, cbow: bool) -> float:
    """A trained word's bytes in the cache."""
    contexts = window + 1
    if cbow:
        rows = (contexts + 2) + (1 + TARGETS) + (3 + 2 * TARGETS) + (2 * contexts + 1)
    else:
        rows = (1 + TARGETS) * contexts + 2 * TARGETS + 3 * contexts
    return rows * 4.0 * width


def training(corpus: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Training alone: seconds, trained words, and the bytes of one."""
    from erya.models.word2vec.estimator import Word2Vec
    from erya.models.word2vec.loop import Run
    from erya.parts.thinning import keep_probabilities
    from erya.progress import quiet
    from erya.text.corpus import encode

    model = Word2Vec(**settings)
    encoded = encode(Path(corpus), tokenizer="whitespace", min_count=model.min_count)
    run = Run(encoded.ids, encoded.counts, model._plan(), np.zeros(0, dtype=np.int64))
    run.warm_up(quiet)
    began = perf_counter()
    run.finish(quiet)
    seconds = perf_counter() - began
    kept = float((encoded.counts * (keep_probabilities(encoded.counts, model.sample) / 2.0**32)).sum())
    width, cbow = run.parameters.shape[1], model.algorithm == "cbow"
    chunk = run.settings.chunk
    touched = parameter_bytes(width, chunk, run.settings.pool, model.window, deterministic=model.deterministic)
    inside = cache_bytes(width, model.window, cbow=cbow)
    speed = kept * model.epochs / seconds
    return {
        "train_seconds": seconds,
        "trained_words_per_second": speed,
        "parameter_bytes_per_word": touched,
        "parameter_bytes_per_second": touched * speed,
        "cache_bytes_per_word": inside,
        "cache_bytes_per_second": inside * speed,
    }


# ---- the machine's limits ---------------------------------------------------------------------------------------------


@kernel
def triad(a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32], first: int, last: int) -> None:
    for row in range(first, last):
        for k in range(0, a.shape[1], LANES):
            store(a, row, k, plus(load(b, row, k), load(c, row, k)))


@kernel
def gather(a: NDArray[np.float32], rows: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    for place in range(len(rows)):
        if place + AHEAD < len(rows):
            for k in range(0, a.shape[1], LANES):
                prefetch(a, rows[place + AHEAD], k)
        for k in range(0, a.shape[1], LANES):
            store(out, place & 15, k, load(a, rows[place], k))


@kernel
def update(a: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
    for place in range(len(rows)):
        if place + AHEAD < len(rows):
            for k in range(0, a.shape[1], LANES):
                prefetch(a, rows[place + AHEAD], k)
        for k in range(0, a.shape[1], LANES):
            store(a, rows[place], k, plus(load(a, rows[place], k), spread(np.float32(1))))


def limits(threads: int, width: int, floats: int) -> dict[str, Any]:
    """Bytes a second of this machine, the best of some repeats.

    Args:
        threads: that work side by side, each on rows of its own.
        width: floats of a row, a multiple of LANES.
        floats: of each of three arrays.
    """
    size = floats // width // threads * threads
    a, b, c = (np.ones((size, width), dtype=np.float32) for _ in range(3))
    part = size // threads
    generator = np.random.default_rng(0)
    rows = [generator.permutation(part) + part * thread for thread in range(threads)]
    outs = [np.zeros((16, width), dtype=np.float32) for _ in range(threads)]
    whole = 4.0 * size * width
    return {
        "triad_bytes_per_second": 3 * whole / _best(lambda t: triad(a, b, c, part * t, part * (t + 1)), threads),
        "gather_bytes_per_second": whole / _best(lambda t: gather(a, rows[t], outs[t]), threads),
        "update_bytes_per_second": 2 * whole / _best(lambda t: update(a, rows[t]), threads),
    }


def _best(work: Callable[[int], None], threads: int) -> float:
    """The least seconds of some repeats, after one that does not count."""
    seconds = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(REPEATS + 1):
            began = perf_counter()
            list(pool.map(work, range(threads)))
            seconds.append(perf_counter() - began)
    return min(seconds[1:])
