"""Autotune beside the original's: the same seconds on the same lines, and how right each one's choice is on lines neither has seen.

    python -m benchmarks.fasttext_autotune --fasttext-python PYTHON                # 60 s a search, three seeds, two data sets
    python -m benchmarks.fasttext_autotune --seconds 3 --seeds 1 --data cooking    # does it run? such figures stay in --folder

Of the training lines a tenth, other lines for each seed, is what the search judges by (F1 of the first answer, both sides' default);
the test split is asked once, at the end. Each search in a fresh process, both sides in turns; told, too, are the seconds that it took
in all, since the last training comes on top, and how many ended with an error or had to be ended (the original's do, now and then).
The difference is that of the seeds that both came through. Saved after every search to ``results/fasttext_autotune.json``.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import fasttext, results_file
from benchmarks.fasttext_data import task_files
from benchmarks.fasttext_quality import Right, asked, gap, score_of
from benchmarks.vectors_running import Failed, Stage, run
from erya.kernel_cache import source_hash

NAME = "fasttext_autotune"
DATA = ("cooking", "ag_news")
SECONDS = 60
SHARE = 10  # one line of so many is for the search to judge by
OURS, PEER = "erya", "fasttext"
PATIENCE = 6  # times the seconds of the search, and a minute: then it is ended
GUARD = "import os, signal, sys; signal.alarm(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"


def parted(train: Path, seed: int, folder: Path) -> tuple[Path, Path]:
    """The training lines without those that the search judges by, and these; other ones for each seed."""
    lines = train.read_text(encoding="utf-8").splitlines(keepends=True)
    order = list(range(len(lines)))
    random.Random(seed).shuffle(order)
    judged = set(order[: len(lines) // SHARE])
    paths = folder / f"{train.stem}-{seed}-learn.txt", folder / f"{train.stem}-{seed}-judge.txt"
    for path, wanted in zip(paths, (False, True), strict=True):
        path.write_text("".join(line for row, line in enumerate(lines) if (row in judged) is wanted), encoding="utf-8")
    return paths


def search(side: str, files: tuple[Path, Path], seed: int, arguments: argparse.Namespace) -> tuple[Path, float]:
    """One search: the model that it ends with, and the seconds that it took.

    Raises:
        Failed: the program ended with an error.
    """
    learn, judge = files
    out = arguments.folder / f"autotune-{side}.bin"
    settings = {
        "autotuneValidationFile": str(judge),
        "autotuneDuration": arguments.seconds,
        "thread": arguments.threads,
        "seed": seed,
        "verbose": 0,
    }
    python, module = (sys.executable, "erya.fasttext") if side == OURS else (arguments.fasttext_python, "fasttext")
    asked_for = {"module": module, "text": str(learn), "out": str(out), "settings": settings}
    job = fasttext.job(python, "train", arguments.threads, **asked_for)
    limit = str(PATIENCE * arguments.seconds + 60)
    guarded = Stage([python, "-c", GUARD, limit, *job.argv], arguments.threads)  # the alarm outlives the exec
    return out, run(guarded, arguments.folder).seconds


def compare(arguments: argparse.Namespace, version: str | None) -> None:
    """All data sets, each side and seed in turns."""
    known = results_file.read(NAME) or {}
    figures: dict[str, Any] = known.get("data", {})
    for name in arguments.data:
        files = task_files(name, arguments.folder)
        if files is None:
            print(f"{name} skipped: needs ../shared/data/{name}, which is not here")
            continue
        right: dict[str, dict[int, Right]] = {OURS: {}, PEER: {}}
        seconds: dict[str, list[float]] = {}
        failed: dict[str, int] = {}
        for seed in range(arguments.seeds):
            parts = parted(files[0], seed, arguments.folder)
            for side in (OURS, PEER) if version else (OURS,):
                try:
                    model, taken = search(side, parts, seed, arguments)
                except Failed as problem:
                    print(f"{name:8s} {side:8s} seed {seed}  failed: {problem}", flush=True)
                    failed[side] = failed.get(side, 0) + 1
                    continue
                right[side][seed] = asked(model, files[1])
                seconds.setdefault(side, []).append(taken)
                size = model.stat().st_size / 2**20
                print(
                    f"{name:8s} {side:8s} seed {seed}  {right[side][seed].mean():.4f}  {taken:5.0f} s  {size:,.0f} MiB",
                    flush=True,
                )
        figures[name] = told(right, seconds, failed, arguments)
        peers = {PEER: version} if version else known.get("peers", {})
        results_file.write(NAME, {"peers": peers, "kernels": source_hash(), "data": figures})


def told(
    right: dict[str, list[Right]],
    seconds: dict[str, list[float]],
    failed: dict[str, int],
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """What the searches on one data set came to."""
    both = sorted(set(right[OURS]) & set(right[PEER]))
    return {
        "settings": {"seconds": arguments.seconds, "seeds": arguments.seeds, "threads": arguments.threads},
        "scores": {side: score_of(list(several.values())) for side, several in right.items() if several},
        "seconds": {side: float(np.median(several)) for side, several in seconds.items()},
        "failed": failed,
        "difference": gap([right[OURS][seed] for seed in both], [right[PEER][seed] for seed in both]) if both else None,
        "seeds_of_both": both,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "erya-benchmarks")
    parser.add_argument("--fasttext-python", default=sys.executable)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    arguments.folder = arguments.folder.resolve()
    if arguments.seconds < SECONDS:
        results_file.FOLDER = arguments.folder / "results"
    version = fasttext.peer_version(arguments.fasttext_python)
    if version is None:
        print(
            f"without {PEER}: {arguments.fasttext_python} cannot import it; --fasttext-python PATH names a Python that can"
        )
    compare(arguments, version)


if __name__ == "__main__":
    main()
