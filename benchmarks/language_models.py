"""n-grams: counting, smoothing and scoring, ours beside nltk.lm, on the Penn Treebank; what order, smoothing and pruning buy.

    python -m benchmarks.language_models [--peer PYTHON] [--rounds 3]
    python -m benchmarks.language_models --only networks [--nanogpt FOLDER] [--whole]      # see language_networks.py

One thread; ours and theirs take turns, each the whole job: text read, n-grams counted and smoothed, text scored; seconds of the wall
clock and of the processor – where a machine is shared only the latter tell how fast one core is. ``--peer`` is the interpreter of an
environment that has nltk; without it ours runs alone. Compiling kernels and importing nltk are left out. nltk's interpolated Kneser-Ney
has one discount, only counts when it learns and smooths when it is asked, for seconds a word: it gets the first sentences of the
text, and its speeds are what that gives. Writes ``results/language_models.json``.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import language_networks, results_file
from erya.models.ngram import counting, smoothing, tree
from erya.models.ngram.estimator import NGram
from erya.text import documents, unit_ids, units
from erya.text.samples import sample_card

PTB = results_file.SHARED / "ptb"
PART = 1000  # sentences that the peer counts
SCORED = 2  # sentences that it scores
PEER = """
import gzip, json, sys, time
from nltk.lm import KneserNeyInterpolated
from nltk.lm.preprocessing import padded_everygram_pipeline
from nltk.util import ngrams, pad_sequence

train, test, part, scored = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
def now():
    return time.perf_counter(), time.process_time()


def since(begin):
    return [end - start for start, end in zip(begin, now())]


begin = now()
with gzip.open(train, "rt", encoding="utf-8") as file:
    sentences = [line.split() for line, _ in zip(file, range(part))]
model = KneserNeyInterpolated(5)
model.fit(*padded_everygram_pipeline(5, sentences))
learning, begin = since(begin), now()
with gzip.open(test, "rt", encoding="utf-8") as file:
    others = [line.split() for line, _ in zip(file, range(scored))]
total = said = 0
for sentence in others:
    padded = list(pad_sequence(sentence, 5, pad_left=True, left_pad_symbol="<s>", pad_right=True, right_pad_symbol="</s>"))
    for gram in ngrams(padded[: len(padded) - 3], 5):
        total += model.score(gram[-1], gram[:-1]) >= 0
        said += 1
print(json.dumps({
    "tokens": sum(len(one) + 1 for one in sentences), "scored": said, "learning": learning, "scoring": since(begin),
}))
"""


CLOCKS = ("wall", "processor")
Seconds = dict[str, list[float]]  # by step: wall, processor


def timed(seconds: Seconds, name: str, work: Callable[[], Any]) -> Any:
    begin = time.perf_counter(), time.process_time()
    found = work()
    seconds[name] = [time.perf_counter() - begin[0], time.process_time() - begin[1]]
    return found


def ours() -> dict[str, Any]:
    """Seconds of each step, reading apart."""
    seconds: Seconds = {}
    cutter = units.make("whitespace", [])

    def learned() -> Any:
        return unit_ids.learn(documents.pieces(PTB / "train.txt.gz", "line"), cutter)

    def smooth() -> tree.Tree:
        return tree.build(orders, smoothing.kneser_ney(orders))

    def encoded() -> unit_ids.Stream:
        return unit_ids.encode(documents.pieces(PTB / "train.txt.gz", "line"), cutter, vocabulary)

    vocabulary, stream = timed(seconds, "reading", learned)
    orders = timed(seconds, "counting", lambda: counting.count(stream.ids, len(vocabulary), 5))
    model = timed(seconds, "smoothing", smooth)
    again = timed(seconds, "reading again", encoded)
    timed(seconds, "scoring", lambda: model.score(again.ids))
    return {"tokens": len(stream), "seconds": seconds}


def peer(python: str) -> dict[str, Any]:
    """The same of nltk.lm, on a part of the text."""
    files = [str(PTB / "train.txt.gz"), str(PTB / "test.txt.gz")]
    told = subprocess.run(
        [python, "-c", PEER, *files, str(PART), str(SCORED)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(told.stdout)
    return found


STEPS = {
    "learning": ("counting", "smoothing"),
    "learning_reading_included": ("reading", "counting", "smoothing"),
    "scoring": ("scoring",),
    "scoring_reading_included": ("reading again", "scoring"),
}


def speeds(python: str | None, rounds: int) -> dict[str, Any]:
    """Tokens a second by both clocks, medians of rounds in which both take turns."""
    ours()  # compiles
    mine, theirs = [], []
    for number in range(rounds):
        mine.append(ours())
        if python:
            theirs.append(peer(python))
        print(
            f"round {number + 1}", {name: f"{told[0]:.3f} {told[1]:.3f}" for name, told in mine[-1]["seconds"].items()}
        )
    found: dict[str, Any] = {"tokens": mine[0]["tokens"], "rounds": rounds, "erya": {}, "nltk": {}, "ratio": {}}
    for place, clock in enumerate(CLOCKS):
        found["erya"][clock] = {
            name: statistics.median(run["tokens"] / sum(run["seconds"][step][place] for step in steps) for run in mine)
            for name, steps in STEPS.items()
        }
        if theirs:
            found["nltk"][clock] = {
                f"{name}_reading_included": statistics.median(run[count] / run[name][place] for run in theirs)
                for name, count in (("learning", "tokens"), ("scoring", "scored"))
            }
            found["ratio"][clock] = {
                name: found["erya"][clock][name] / value for name, value in found["nltk"][clock].items()
            }
    return {**found, "runs": {"erya": [run["seconds"] for run in mine], "nltk": theirs}}


# ---- quality ------------------------------------------------------------------------------------------------------


def treebank() -> list[dict[str, Any]]:
    """Perplexity of the Treebank's test text by order, smoothing and pruning."""
    cutter = units.make("whitespace", [])
    vocabulary, stream = unit_ids.learn(documents.pieces(PTB / "train.txt.gz", "line"), cutter)
    parts = {
        name: unit_ids.encode(documents.pieces(PTB / f"{name}.txt.gz", "line"), cutter, vocabulary)
        for name in ("valid", "test")
    }
    rows = []

    def told(orders: list[counting.Order], smoothed: list[smoothing.Smoothed], **setting: Any) -> None:
        model = tree.build(orders, smoothed)
        row = {**setting, "ngrams": int(model.sizes.sum())}
        for name, part in parts.items():
            logs, said = model.score(part.ids)
            loss = -float(logs.mean())
            row[name] = math.exp(loss) if math.isfinite(loss) else None
            row[f"{name}_impossible"] = float(np.isneginf(logs).mean())
            row[f"{name}_bits_per_character"] = -float(logs.sum()) / math.log(2) / part.characters
            row[f"{name}_orders"] = (np.bincount(model.order_of(said), minlength=6)[1:] / len(said)).tolist()
            if not math.isfinite(loss):
                row[f"{name}_bits_per_character"] = None
        rows.append(row)
        print(row["ngrams"], setting, row["test"])

    rows.append(
        {
            "smoothing": "uniform",
            "order": 0,
            "ngrams": 0,
            "test": float(len(vocabulary)),
            "valid": float(len(vocabulary)),
        }
    )
    for order in range(1, 7):
        orders = counting.count(stream.ids, len(vocabulary), order)
        told(orders, smoothing.kneser_ney(orders), smoothing="kneser_ney", order=order, prune=[])
        if order == 5:
            for prune in ([0, 0, 1], [0, 0, 1, 2], [0, 1], [0, 2, 5]):
                told(orders, smoothing.kneser_ney(orders, prune), smoothing="kneser_ney", order=order, prune=prune)
        if order <= 3:
            told(orders, smoothing.mle(orders), smoothing="mle", order=order, prune=[])
            for k in (1.0, 0.01):
                told(orders, smoothing.add_k(orders, k), smoothing="add_k", k=k, order=order, prune=[])
    return rows


def poems() -> list[dict[str, Any]]:
    """Bits per character of the Tang poems by order, and what letters counted one by one need."""
    from erya.tasks import generate

    folder = sample_card("poetry").folder
    train, test = (
        [piece.text for piece in documents.pieces(folder / f"tang.{part}.txt.gz")] for part in ("train", "test")
    )
    rows = [{"order": 0, "bits_per_character": generate.baseline(train, test)}]
    for order in (1, 2, 3, 5):
        model = NGram(order=order).fit(train)
        rows.append(
            {
                "order": order,
                "bits_per_character": -model.score(test),
                "ngrams": int(model.tree_.sizes.sum()),
            }
        )
        print(rows[-1])
    return rows


def networks(options: argparse.Namespace) -> None:
    """Speeds of the jobs that were asked for, or the whole training; into ``results/language_networks.json``."""
    kept = results_file.read("language_networks") or {}
    kept = {name: kept[name] for name in ("networks", "shakespeare") if name in kept}
    if options.whole:
        if options.nanogpt is None:
            sys.exit("--whole needs --nanogpt FOLDER")
        kept["shakespeare"] = language_networks.whole(options.nanogpt)
    else:
        measured = language_networks.measure(list(options.job), options.rounds, options.nanogpt)
        kept["networks"] = {**kept.get("networks", {}), **measured}
    print(results_file.write("language_networks", kept).name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="a Python that has nltk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["speed", "quality", "networks"])
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--job", nargs="+", choices=language_networks.JOBS, default=language_networks.JOBS)
    parser.add_argument("--whole", action="store_true", help="both trainings on Shakespeare to their end, minutes each")
    options = parser.parse_args()
    if not (PTB / "train.txt.gz").is_file():
        sys.exit(f"the Penn Treebank is not in {PTB}")
    if options.only in (None, "networks"):
        networks(options)
    if options.only == "networks":
        return
    new: dict[str, Any] = {}
    if options.only in (None, "speed"):
        new["speed"] = speeds(options.peer, options.rounds)
        for who in ("erya", "nltk", "ratio"):
            print(who, json.dumps(new["speed"][who]))
    if options.only in (None, "quality"):
        new |= {"treebank": treebank(), "poems": poems()}
    kept = results_file.read("language_models") or {}
    kept = {name: kept[name] for name in ("speed", "treebank", "poems") if name in kept}
    print(results_file.write("language_models", {**kept, **new}).name)


if __name__ == "__main__":
    main()
