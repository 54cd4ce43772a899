"""Word vectors beside gensim, word2vec.c, GloVe's C programs and scikit-learn: speed, then (with --quality) how good they are.

    python -m benchmarks.vectors --gensim-python PYTHON --word2vec-program PROGRAM --glove-build FOLDER
    python -m benchmarks.vectors --only cbow glove --threads 2      # some cells
    python -m benchmarks.vectors --quality --gensim-python PYTHON --glove-build FOLDER    # see vectors_quality.py
    python -m benchmarks.vectors --chinese
    python -m benchmarks.vectors --tokens 300000 --rounds 1         # does it run? such figures stay in --folder

A whole job, from reading the file to the vectors in another file, each in a fresh process, in turns A B C A B C …, the same input
file (vectors_corpus.py), the same threads. Every side runs once before, so that kernels are compiled. Figures are wall
seconds, raw words of the file per second, and peak memory: medians over the rounds; ratios with the least and the greatest
of a round. Peers are those that are here (vectors_peers.py says where they come from); a missing one is named.

Cells: ``sgns cbow sg_hs cbow_hs`` (100 dimensions, window 5, 5 negatives, sample 1e-3, one epoch), ``glove`` (counting, an epoch, and the
whole of some epochs), ``svd`` (PPMI matrix, 100 directions), ``ids`` (corpus → ids), ``bandwidth`` (vectors_bandwidth.py).
Saved after every cell, to ``results/vectors.json``; a cell that is there with the same settings is skipped unless --again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import results_file, vectors_peers
from benchmarks.vectors_corpus import TINY, Corpus, english
from benchmarks.vectors_peers import Peers
from benchmarks.vectors_running import Cell, Ran, Runner, Stage, measure, run, whole
from erya.kernel_cache import source_hash

TOKENS = 6_000_000
TRIAL = 1_000_000  # words; a run on fewer leaves no results in the repository
GLOVE_EPOCHS = 4
SVD_STEPS = 5  # power iterations, as scikit-learn's default
LIMIT_FLOATS = 1 << 27  # 512 MiB an array

LOSSES = {
    "sgns": ("skip_gram", "negative_sampling", 0.025),
    "cbow": ("cbow", "negative_sampling", 0.05),
    "sg_hs": ("skip_gram", "hierarchical_softmax", 0.025),
    "cbow_hs": ("cbow", "hierarchical_softmax", 0.05),
}
KINDS = (*LOSSES, "glove", "svd", "ids", "bandwidth")
MODES = {"erya lock-free": False, "erya deterministic": True}
GLOVE = {"dim": 100, "window": 10, "min_count": 5, "x_max": 10.0, "learning_rate": 0.05, "seed": 0}
PPMI = {"window": 5, "min_count": 5}


def word2vec_settings(kind: str, epochs: int = 1, seed: int = 0) -> dict[str, Any]:
    """The settings of both sides, under our names."""
    algorithm, loss, rate = LOSSES[kind]
    return {
        "dim": 100,
        "window": 5,
        "negative": 5,
        "sample": 1e-3,
        "min_count": 5,
        "algorithm": algorithm,
        "loss": loss,
        "learning_rate": rate,
        "epochs": epochs,
        "seed": seed,
    }


def job(name: str, threads: int, /, **arguments: Any) -> Stage:
    """One of ``vectors_jobs``."""
    import json

    return Stage([sys.executable, "-m", "benchmarks.vectors_jobs", json.dumps({"job": name, **arguments})], threads)


def our_fit(
    model: str, corpus: Path, out: Path, threads: int, settings: dict[str, Any], form: str = "word2vec-bin"
) -> Stage:
    """The whole job of one of our rooms on the file of words."""
    settings = {"tokenizer": "whitespace", **settings}
    return job("fit", threads, model=model, corpus=str(corpus), out=str(out), settings=settings, form=form)


# ---- the cells --------------------------------------------------------------------------------------------------------


def word2vec_runners(kind: str, threads: int, peers: Peers, folder: Path, corpus: Path) -> list[Runner]:
    settings, out = word2vec_settings(kind), folder / "vectors.bin"
    runners = [
        Runner(name, [our_fit("word2vec", corpus, out, threads, {**settings, "deterministic": deterministic})])
        for name, deterministic in MODES.items()
    ]
    if peers.gensim:
        runners.append(Runner("gensim", [vectors_peers.gensim(peers.gensim, corpus, out, settings, threads)]))
    if peers.word2vec:
        runners.append(Runner("word2vec.c", [vectors_peers.word2vec_c(peers.word2vec, corpus, out, settings, threads)]))
    return runners


def glove_runners(threads: int, peers: Peers, folder: Path, corpus: Path) -> list[Runner]:
    settings, out = GLOVE | {"epochs": GLOVE_EPOCHS}, folder / "vectors.txt"
    counting = job("counting", threads, corpus=str(corpus), window=GLOVE["window"], min_count=GLOVE["min_count"])
    fits = {
        name: our_fit("glove", corpus, out, threads, {**settings, "deterministic": mode}, "glove")
        for name, mode in MODES.items()
    }
    runners = [
        Runner("erya lock-free", [fits["erya lock-free"]]),
        Runner("erya deterministic", [counting, fits["erya deterministic"]], our_glove),  # counting has one mode only
    ]
    if peers.glove:
        train = partial(vectors_peers.glove_training, peers.glove, folder, GLOVE, threads)
        stages = [
            *vectors_peers.glove_counting(peers.glove, corpus, folder, GLOVE),
            vectors_peers.glove_shuffling(peers.glove, folder),
            train(1),
            train(GLOVE_EPOCHS),
        ]
        runners.append(Runner("GloVe C", stages, their_glove))
    return runners


def our_glove(stages: Sequence[Ran]) -> dict[str, float]:
    """Counting in a process of its own; the whole job, which counts once more, in another."""
    counting, fitting = stages
    return whole([fitting]) | {"counting_seconds": counting.seconds, "entries": counting.said["entries"]}


def their_glove(stages: Sequence[Ran]) -> dict[str, float]:
    """Two trainings, of one epoch and of some, give the seconds of an epoch; the whole job has only the longer one."""
    words, counts, shuffle, one, some = stages
    return {
        "counting_seconds": words.seconds + counts.seconds,
        "shuffle_seconds": shuffle.seconds,
        "epoch_seconds": (some.seconds - one.seconds) / (GLOVE_EPOCHS - 1),
        "seconds": words.seconds + counts.seconds + shuffle.seconds + some.seconds,
        "peak_rss_bytes": max(stage.peak_rss_bytes for stage in stages),
    }


def svd_runners(threads: int, dim: int, folder: Path, corpus: Path) -> list[Runner]:
    matrix = folder / f"ppmi-{corpus.stem}"
    if not Path(f"{matrix}.values.npy").is_file():  # the file that is written last
        run(job("matrix", threads, corpus=str(corpus), out=str(matrix), settings=PPMI), folder)
    ours = job("svd", threads, matrix=str(matrix), dim=dim, steps=SVD_STEPS, threads=threads)
    theirs = {
        f"scikit-learn {algorithm}": job("scikit_svd", threads, matrix=str(matrix), dim=dim, algorithm=algorithm)
        for algorithm in ("randomized", "arpack")
    }
    return [Runner("erya", [ours]), *(Runner(name, [stage]) for name, stage in theirs.items())]


def ids_runners(threads: int, corpus: Path) -> list[Runner]:
    return [Runner("erya", [job("ids", threads, corpus=str(corpus), threads=threads)])]


def bandwidth_runners(threads: int, corpus: Path) -> list[Runner]:
    runners = [
        Runner(
            f"{name} {kind}",
            [job("training", threads, corpus=str(corpus), settings={**word2vec_settings(kind), "deterministic": mode})],
        )
        for kind in ("sgns", "cbow")
        for name, mode in MODES.items()
    ]
    return [*runners, Runner("machine", [job("limits", threads, threads=threads, width=112, floats=LIMIT_FLOATS)])]


def cells(kinds: Sequence[str], threads: Sequence[int], peers: Peers, folder: Path) -> Iterator[Cell]:
    """Every comparison, with what must be the same for its figures to be the same."""
    for kind in kinds:
        for number in threads:
            settings: dict[str, Any] = {"threads": number}
            runners: Callable[[Path], list[Runner]]
            compared = ["seconds"]
            if kind in LOSSES:
                settings |= word2vec_settings(kind)
                runners = partial(word2vec_runners, kind, number, peers, folder)
            elif kind == "glove":
                settings |= GLOVE | {"epochs": GLOVE_EPOCHS}
                runners, compared = (
                    partial(glove_runners, number, peers, folder),
                    ["counting_seconds", "epoch_seconds", "seconds"],
                )
            elif kind == "svd":
                settings |= PPMI | {"dim": 100, "steps": SVD_STEPS}
                runners, compared = partial(svd_runners, number, 100, folder), ["svd_seconds", "seconds"]
            elif kind == "ids":
                runners, compared = partial(ids_runners, number), ["whitespace_per_second", "words_per_second"]
            else:
                runners, compared = partial(bandwidth_runners, number), ["train_seconds"]
            yield Cell(f"{kind}_{number}", settings, runners, compared)


# ---- one run ----------------------------------------------------------------------------------------------------------


def speed(arguments: argparse.Namespace, peers: Peers) -> None:
    corpus, tiny = english(arguments.folder, arguments.tokens), english(arguments.folder, TINY)
    if corpus is None or tiny is None:
        sys.exit("skipped: needs ../shared/data/wiki_en, which is not here")
    print(f"{corpus.words:,} words in {corpus.lines:,} lines; results in {results_file.FOLDER}", flush=True)
    for name, reason in peers.missing.items():
        print(f"without {name}: {reason}", flush=True)
    document = results_file.read("vectors") or {}
    done: dict[str, Any] = document.get("cells", {})
    for cell in cells(arguments.only or KINDS, arguments.threads, peers, arguments.folder):
        wanted = plain_settings(cell, corpus, arguments.rounds, peers)
        if not arguments.again and done.get(cell.name, {}).get("settings") == wanted:
            changed = "" if done[cell.name].get("kernels") == source_hash() else ", of other kernels than today's"
            print(f"{cell.name}: measured {done[cell.name]['measured']}{changed}; --again measures anew", flush=True)
            continue
        print(cell.name, flush=True)
        found = measure(cell, corpus.path, tiny.path, arguments.rounds, arguments.folder)
        if not found["runs"]:
            continue
        today = datetime.now(UTC).date().isoformat()
        done[cell.name] = found | {"settings": wanted, "measured": today, "kernels": source_hash()}
        kept = {name: done[name] for kind in KINDS for name in sorted(done) if name.rsplit("_", 1)[0] == kind}
        results_file.write("vectors", {"peers": peers.versions, "missing": sorted(peers.missing), "cells": kept})
    tidy(arguments.folder)
    show(done)


def tidy(folder: Path) -> None:
    """Remove what is large and quickly made again."""
    for pattern in ("glove-*", "ppmi-*.npy"):
        for path in folder.glob(pattern):
            path.unlink()


def plain_settings(cell: Cell, corpus: Corpus, rounds: int, peers: Peers) -> dict[str, Any]:
    """What a cell's figures depend on, besides the code: a cell that has the same is not measured again."""
    used = {"sgns": ("gensim", "word2vec.c"), "glove": ("GloVe C",), "svd": ("scikit-learn",)}
    kind = cell.name.rsplit("_", 1)[0]
    names = used["sgns"] if kind in LOSSES else used.get(kind, ())
    versions = {name: peers.versions[name] for name in names if name in peers.versions}
    return {**cell.settings, "rounds": rounds, "corpus": corpus.to_plain(), "peers": versions}


def show(done: dict[str, Any]) -> None:
    """All cells, one line a runner."""
    for name, cell in done.items():
        words = cell["settings"]["corpus"]["words"]
        for runner, figures in cell["median"].items():
            line = f"{name:12s} {runner:26s}"
            if name.rsplit("_", 1)[0] in ("ids", "bandwidth"):
                rates = {key: value for key, value in figures.items() if key.endswith("_per_second")}
                print(line, "  ".join(f"{key} {value / 1e6:,.1f} M" for key, value in rates.items()))
                continue
            line += f" {figures['seconds']:8.2f} s {words / figures['seconds'] / 1e6:7.2f} M words/s"
            line += f" {figures['peak_rss_bytes'] / 2**20:7.0f} MiB"
            for figure, table in cell["ratio"].items():
                line += "".join(
                    f"  {peer} × {one['value']:.1f} ({figure})" for peer, one in table.get(runner, {}).items()
                )
            print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", action="store_true", help="scores instead of speed")
    parser.add_argument("--chinese", action="store_true", help="scores of Chinese vectors")
    parser.add_argument("--only", nargs="+", help="cells; with --quality: " + " ".join((*LOSSES, "glove", "ppmi")))
    parser.add_argument("--tokens", type=int, help=f"words; speed: {TOKENS:,}; quality: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--again", action="store_true", help="measure what has been measured, too")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "erya-benchmarks")
    parser.add_argument("--gensim-python", default=sys.executable)
    parser.add_argument("--word2vec-program", type=Path)
    parser.add_argument("--glove-build", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    arguments.folder = arguments.folder.resolve()
    if arguments.tokens is not None and arguments.tokens < TRIAL:
        results_file.FOLDER = arguments.folder / "results"
    peers = vectors_peers.find(arguments.gensim_python, arguments.word2vec_program, arguments.glove_build)
    if arguments.quality or arguments.chinese:
        from benchmarks import vectors_chinese, vectors_quality

        if arguments.quality:
            vectors_quality.measure(arguments, peers)
        if arguments.chinese:
            vectors_chinese.measure(arguments)
        return
    unknown = set(arguments.only or ()) - set(KINDS)
    if unknown:
        parser.error(f"no such cell: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    arguments.tokens = arguments.tokens or TOKENS
    speed(arguments, peers)


if __name__ == "__main__":
    main()
