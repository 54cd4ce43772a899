"""How right the classifiers are: Erya's beside the original's, same text, same settings, several seeds.

    python -m benchmarks.fasttext --only quality --data ag_news tnews cooking --fasttext-python PYTHON

Every side writes a ``.bin``, and one scorer reads them all: is the most probable label one of the document's (precision at 1). Ours are
called no worse where the bootstrap interval of the difference, over seeds and documents, lies above −0.3 point with its lower end.

Which documents were right is kept in ``--folder``, so that a run that was broken off goes on. No times are measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import fasttext, results_file
from benchmarks.fasttext_data import TASKS, task_files
from benchmarks.vectors_figures import Measure, difference, no_worse
from benchmarks.vectors_running import Stage, run
from erya.kernel_cache import source_hash
from erya.scoring import Score, bootstrap, mean_of

MARGIN = 0.003

Right = NDArray[np.bool_]  # (documents,)


def compare(arguments: argparse.Namespace, version: str | None) -> None:
    """All data sets, each saved when it is done."""
    quality: dict[str, Any] = (results_file.read("fasttext") or {}).get("quality", {})
    threads = max(arguments.threads)
    for name in arguments.data:
        files = task_files(name, arguments.folder)
        if files is None:
            print(f"{name} skipped: needs ../shared/data/{name}, which is not here")
            continue
        sides: dict[str, list[Right]] = {}
        for seed in range(arguments.seeds):
            for side, stage, program in trainings(name, files[0], seed, threads, arguments, version):
                found = right_answers(name, side, seed, stage, program, files[1], arguments)
                sides.setdefault(side, []).append(found)
        quality[name] = {
            "settings": {**TASKS[name].settings, "threads": threads, "seeds": arguments.seeds},
            "documents": len(next(iter(sides.values()))[0]),
            "scores": {side: score_of(several) for side, several in sides.items()},
            "difference": {
                side: {fasttext.PEER: gap(several, sides[fasttext.PEER])}
                for side, several in sides.items()
                if side != fasttext.PEER and fasttext.PEER in sides
            },
        }
        fasttext.save("quality", quality, version)
        show(name, quality[name])


def trainings(
    name: str, text: Path, seed: int, threads: int, arguments: argparse.Namespace, version: str | None
) -> list[tuple[str, Stage, str]]:
    """Each side's name, its process, and the version of its program."""
    settings, out = {**TASKS[name].settings, "seed": seed}, arguments.folder / "quality.bin"
    found = [
        (side, fasttext.our_training(text, out, threads, settings, mode), source_hash())
        for side, mode in fasttext.MODES.items()
    ]
    if version:
        stage = fasttext.their_training(arguments.fasttext_python, text, out, threads, settings)
        found.append((fasttext.PEER, stage, version))
    return found


def right_answers(
    name: str, side: str, seed: int, stage: Stage, program: str, test: Path, arguments: argparse.Namespace
) -> Right:
    """Train, unless it was done before with the same settings and the same program, and ask."""
    key = json.dumps([name, side, seed, TASKS[name].settings, stage.threads, program], sort_keys=True)
    kept = arguments.folder / f"right-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npy"
    if not kept.is_file() or arguments.again:
        run(stage, arguments.folder)
        right = asked(arguments.folder / "quality.bin", test)
        part = kept.with_suffix(".part.npy")
        np.save(part, right)
        part.replace(kept)
    found: Right = np.load(kept)
    print(f"  {name:8s} {side:20s} seed {seed}  {found.mean():.4f}", flush=True)
    return found


def asked(model: Path, test: Path) -> Right:
    """Whether the most probable label of each document is one of its labels."""
    from erya.models.fasttext.binary import read

    known = read(model)
    lines = known.dictionary.encode_file(test)
    best = np.array([row[0] if count else -1 for row, count in answers(known, lines)])
    owners = np.repeat(np.arange(len(lines)), np.diff(lines.label_starts))
    right = np.zeros(len(lines), dtype=np.bool_)
    np.logical_or.at(right, owners, lines.labels == best[owners])
    return right


def answers(known: Any, lines: Any) -> list[tuple[Any, int]]:
    found = known.predict(lines, k=1)
    return list(zip(found.labels, found.counts.tolist(), strict=True))


def _share(right: Right, rows: NDArray[Any]) -> float:
    return float(right[rows].mean())


def measures(several: Sequence[Right]) -> list[Measure]:
    """A measure a seed: the share of right answers."""
    return [partial(_share, right) for right in several]


def score_of(several: Sequence[Right]) -> dict[str, Any]:
    """Precision at 1, the mean over the seeds, with the interval over the documents."""
    score: Score = bootstrap({"score": mean_of(measures(several))}, len(several[0]))["score"]
    return {**score.to_plain(), "seeds": [float(right.mean()) for right in several]}


def gap(ours: Sequence[Right], theirs: Sequence[Right]) -> dict[str, Any]:
    """The difference with its interval, and whether ours are no worse."""
    found = difference(measures(ours), measures(theirs), len(ours[0]))
    return {**found, "no_worse": no_worse(found, MARGIN)}


def show(name: str, group: dict[str, Any]) -> None:
    for side, score in group["scores"].items():
        print(f"{name:8s} {side:20s} {score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]")
    for side, peers in group["difference"].items():
        for peer, one in peers.items():
            verdict = "no worse" if one["no_worse"] else "NOT SHOWN to be no worse"
            print(f"  {side} − {peer}: {one['value']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}] {verdict}")
