"""Taggers beside their peers: the CRF beside python-crfsuite, the networks beside pytorch-crf – one command.

    python -m benchmarks.tagging --crfsuite-python PYTHON         # a Python that has python-crfsuite; or CRFSUITE_PYTHON
    python -m benchmarks.tagging --only training predicting      # some claims; what the others left in the results stays
    python -m benchmarks.tagging --sentences 300 --rounds 1       # does it run? writes nothing

``training``: CoNLL-2003, the same features on both sides – their number is shown –, the same penalty (CRFsuite's c2 is half of l2), one
thread. CRFsuite takes 50 steps of L-BFGS; Erya is timed until its loss, which is the same function, is as low, and for 50 steps.
*Preparing* is the way from tokens to what the solver starts with: features in Python and ``Trainer.append`` there, templates here.
``predicting``: from raw tokens of the test part to tags, features included, the model open; CRFsuite tags a sentence a call,
Erya is asked for all of them at once, and also a sentence a call. F1 stands beside. ``network``: see ``tagging_network.py``.

Each job in a process of its own, in turns, after each has run once; medians over the rounds. Ratios are of processor seconds, which are
the same whatever else the machine does; the clock's seconds of one and of two threads stand beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import results_file
from benchmarks.vectors_running import Stage, busy, run
from erya.tasks import tag

CLAIMS = ("training", "predicting", "network")
STEPS = 50  # CRFsuite's
C2 = 1.0
FLOORS = {"training": 3.0, "predicting": 5.0}
THREADS = (1, 2)
DATA = "conll2003"
# as text: the other Python imports nothing of ours
JOBS = (Path(__file__).parent / "tagging_jobs.py").read_text(encoding="utf-8")
VERSION = "from importlib.metadata import version; import pycrfsuite; print(version('python-crfsuite'))"
Figures = dict[str, Any]


def peer_version(python: str) -> str | None:
    """The version of python-crfsuite; None where this Python cannot import it."""
    try:
        found = subprocess.run([python, "-c", VERSION], capture_output=True, text=True)
    except OSError:
        return None
    return found.stdout.strip() or None


def asked(python: str, name: str, folder: Path, threads: int = 1, /, **arguments: Any) -> Figures:
    """What one of ``tagging_jobs`` says, run in a process of its own; peak memory included."""
    ran = run(Stage([python, "-c", JOBS, json.dumps({"job": name, **arguments})], threads), folder)
    return {**ran.said, "peak_rss_bytes": ran.peak_rss_bytes}


def medians(runs: list[Figures]) -> Figures:
    return {name: statistics.median(one[name] for one in runs) for name in runs[0]}


def training(peer: str, folder: Path, sentences: int | None, rounds: int) -> Figures:
    """Both sides train; see above."""
    shared = {"train": str(results_file.SHARED / DATA / "train.conll.gz"), "sentences": sentences, "steps": STEPS}
    theirs = {**shared, "c2": C2, "out": str(folder / "crfsuite.model")}
    ours = {**shared, "l2": 2 * C2, "out": str(folder / "erya.erya")}
    loss = asked(peer, "crfsuite_train", folder, **theirs)["loss"]
    asked(sys.executable, "erya_train", folder, **ours, loss=loss)
    runs: dict[str, list[Figures]] = {}
    for number in range(rounds):
        for threads in THREADS:
            found = asked(sys.executable, "erya_train", folder, threads, **ours, loss=loss)
            runs.setdefault(f"erya, {threads} threads", []).append(found)
        runs.setdefault("crfsuite", []).append(asked(peer, "crfsuite_train", folder, **theirs))
        print(f"  round {number + 1} of {rounds}", flush=True)
    found = {name: medians(one) for name, one in runs.items()}
    mine, other = found["erya, 1 threads"], found["crfsuite"]
    pairs = {
        "solving, to the same loss": ("solving_to_loss_cpu_seconds", "solving_cpu_seconds"),
        "from tokens, to the same loss": ("whole_to_loss_cpu_seconds", "whole_cpu_seconds"),
        "preparing": ("preparing_cpu_seconds", "preparing_cpu_seconds"),
        f"solving, {STEPS} steps": ("solving_cpu_seconds", "solving_cpu_seconds"),
        f"from tokens, {STEPS} steps": ("whole_cpu_seconds", "whole_cpu_seconds"),
    }
    ratio = {name: other[right] / mine[left] for name, (left, right) in pairs.items() if left in mine}
    for name, one in found.items():
        print(f"  {name:16s} {one['features']:,} features  loss {one['loss']:,.1f} after {one['steps']}", flush=True)
    for name, value in ratio.items():
        left, right = pairs[name]
        print(f"  {name:30s} {mine[left]:6.2f} s   crfsuite {other[right]:6.2f} s   × {value:.1f}", flush=True)
    _held("training", ratio.get("solving, to the same loss"))
    return {
        "c2": C2,
        "steps": STEPS,
        "data": DATA,
        "sentences": sentences,
        "median": found,
        "runs": runs,
        "ratio": ratio,
    }


def predicting(peer: str, folder: Path, sentences: int | None, rounds: int) -> Figures:
    """Both sides answer with the models that ``training`` left in ``folder``, or with such as are trained for it."""
    shared = {"test": str(results_file.SHARED / DATA / "test.conll.gz"), "sentences": sentences}
    _models(peer, folder, sentences)
    sides = {
        "erya": (sys.executable, "erya_predict", "erya.erya"),
        "crfsuite": (peer, "crfsuite_predict", "crfsuite.model"),
    }
    runs: dict[str, list[Figures]] = {name: [] for name in sides}
    for number in range(rounds + 1):  # the first one is not counted
        for name, (python, job, model) in sides.items():
            answers = str(folder / f"{name}.json")
            found = asked(python, job, folder, **shared, model=str(folder / model), out=answers)
            if number:
                runs[name].append(found)
    targets = _targets(sentences)
    f1 = {name: tag.strict_f1(targets, json.loads((folder / f"{name}.json").read_text("utf-8"))) for name in sides}
    found = {name: medians(one) for name, one in runs.items()}
    speed = {
        name: len(targets) / found[side][f"{way}_cpu_seconds"]
        for name, side, way in (
            ("erya, all at once", "erya", "all"),
            ("erya, one by one", "erya", "single"),
            ("crfsuite", "crfsuite", "all"),
        )
    }
    ratio = {name: value / speed["crfsuite"] for name, value in speed.items() if name != "crfsuite"}
    for name, value in speed.items():
        print(f"  {name:20s} {value:9,.0f} sentences/s   F1 {f1[name.split(',')[0]]:.4f}", flush=True)
    _held("predicting", ratio["erya, all at once"])
    return {
        "data": DATA,
        "sentences": len(targets),
        "sentences_per_second": speed,
        "f1": f1,
        "ratio": ratio,
        "median": found,
        "runs": runs,
    }


def _models(peer: str, folder: Path, sentences: int | None) -> None:
    train = {"train": str(results_file.SHARED / DATA / "train.conll.gz"), "sentences": sentences, "steps": STEPS}
    theirs, ours = folder / "crfsuite.model", folder / "erya.erya"
    if not theirs.is_file():
        asked(peer, "crfsuite_train", folder, **train, c2=C2, out=str(theirs))
    if not ours.is_file():
        asked(sys.executable, "erya_train", folder, **train, l2=2 * C2, loss=None, out=str(ours))


def _targets(sentences: int | None) -> list[list[str]]:
    from benchmarks.tagging_jobs import read

    return read(str(results_file.SHARED / DATA / "test.conll.gz"), sentences)[1]


def _held(claim: str, ratio: float | None) -> None:
    if ratio is not None and ratio < FLOORS[claim]:
        print(f"  below the floor of {FLOORS[claim]:g} ×", flush=True)


def _network(sentences: int | None, rounds: int) -> Figures:
    from benchmarks import tagging_network  # the one that needs torch

    return tagging_network.measure(sentences, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CLAIMS, default=list(CLAIMS))
    parser.add_argument("--sentences", type=int, help="of each data set; such a run writes no results")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--crfsuite-python", default=os.environ.get("CRFSUITE_PYTHON", sys.executable))
    arguments = parser.parse_args()
    peer, sentences, rounds = arguments.crfsuite_python, arguments.sentences, arguments.rounds
    version, found = peer_version(peer), {}
    with tempfile.TemporaryDirectory() as name:
        for claim in arguments.only:
            print(f"\n{claim}", flush=True)
            before = busy()
            if claim == "network":
                found[claim] = _network(sentences, rounds)
            elif not (results_file.SHARED / DATA).is_dir():
                print(f"skipped: needs {results_file.SHARED / DATA}, which is not here", file=sys.stderr)
            elif version is None:
                print(
                    f"skipped: {peer} has no python-crfsuite; --crfsuite-python names a Python that has",
                    file=sys.stderr,
                )
            else:
                job = training if claim == "training" else predicting
                figures = job(peer, Path(name), sentences, rounds)
                found[claim] = {"crfsuite": version, "busy_before": round(before, 3), "rounds": rounds, **figures}
    if sentences is None and found:
        before = results_file.read("tagging") or {}
        results_file.write("tagging", {claim: before[claim] for claim in CLAIMS if claim in before} | found)


if __name__ == "__main__":
    main()
