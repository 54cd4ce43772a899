"""Memory of training: as many bytes as a batch has tokens, not as its longest row would need for every row.

    python -m benchmarks.classifiers --only memory

One epoch over 1,500 made-up texts of 10 to 30 tokens, in a fresh process each; then the same with one text of 5,000, 10,000 and
20,000 tokens among them; then without it, but with 20,000 tokens of short texts in a batch. The figure is what the process held at
its highest point beyond what it held when training began. *erya* is the room's own training, *padded* the plain loop of
``neural_speed.py`` that cuts its batches to their longest text. Two verdicts:

- linear: from 10,000 to 20,000 a further token of the long text costs about what it costs from 5,000 to 10,000 (at most 1.5 times as much);
- tokens, not rows: 20,000 tokens in one row cost about what they cost in a thousand rows of 20 (at most 1.5 times as much), where
  the padded loop pays for every row of the batch.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

LONGEST = (5_000, 10_000, 20_000)
BATCH = 16  # of both; with the rooms' own 64 and 128, the padded loop would not fit into the memory of a small machine
ROOMS = ("textcnn", "lstm")
WAYS = ("erya", "padded")
ROWS, WORDS, CLASSES = 1500, 3000, 4
MOST = 1.5


def cases(longest: Sequence[int]) -> dict[str, dict[str, int]]:
    """What is trained on, by name: tokens of the long text (0: none) and texts a step."""
    every = {"short": {"longest": 0, "batch_size": BATCH}}
    every |= {f"long {tokens}": {"longest": tokens, "batch_size": BATCH} for tokens in longest}
    return every | {f"batch {longest[-1]}": {"longest": 0, "batch_size": longest[-1] // 20}}


def child(room: str, way: str, rows: int, longest: int, batch_size: int) -> dict[str, int]:
    """Train in this process: bytes it held when training began, and at most."""
    from benchmarks.neural_speed import Job
    from erya import catalog
    from erya.contest import peak_rss
    from erya.parts.token_batches import Corpus

    generator = np.random.default_rng(0)
    model = catalog.model(f"classify/{room}", settings={"batch_size": batch_size})

    def job(lengths: Sequence[int]) -> Job:
        texts = [generator.integers(2, WORDS, length).tolist() for length in lengths]
        corpus = Corpus(texts, WORDS, generator.integers(0, CLASSES, len(texts)), np.ones(len(texts)))
        return Job(model, corpus, corpus, CLASSES, 1)

    train(job([20] * 4), way)  # what a first step brings along once and for all
    whole = job(generator.integers(10, 31, rows).tolist() + ([longest] if longest else []))
    before = peak_rss()
    train(whole, way)
    return {"before": before or 0, "peak": peak_rss() or 0}


def train(job: Any, way: str) -> None:
    """One epoch, and nothing else: no text is answered."""
    import torch

    from benchmarks.plain_networks import matrix, plain_epoch, plain_network
    from erya.parts.epochs import learn
    from erya.parts.torch_mode import torch_mode
    from erya.progress import quiet

    network, model = job.network(0), job.model
    if way == "erya":
        with torch_mode():
            learn(network, job.train, None, job.plan(0), quiet)
        return
    network = plain_network(network)
    optimizer = torch.optim.Adam(network.parameters(), model.learning_rate, fused=True)
    ids, lengths = matrix(job.train)
    size, clip = model.batch_size, model.clip_norm
    plain_epoch(network, optimizer, ids, lengths, job.train.targets, batch_size=size, clip_norm=clip, cut=True)


def run(room: str, way: str, rows: int, case: dict[str, int]) -> dict[str, int]:
    """``child`` in a fresh process."""
    asked = json.dumps({"room": room, "way": way, "rows": rows, **case})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.classifier_memory", asked],
        cwd=Path(__file__).resolve().parents[1],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found


def verdict(row: dict[str, Any], longest: Sequence[int]) -> dict[str, float]:
    """Of one room, one way: bytes a further token costs, that over what it cost at first, and one row over many rows."""
    held = {name: found["peak"] - found["before"] for name, found in row["cases"].items()}
    least, middle, most = longest
    at_first = max(1.0, (held[f"long {middle}"] - held[f"long {least}"]) / (middle - least))
    at_last = (held[f"long {most}"] - held[f"long {middle}"]) / (most - middle)
    one_row, many_rows = (max(1, held[name] - held["short"]) for name in (f"long {most}", f"batch {most}"))
    return {"bytes_per_token": at_last, "linear": at_last / at_first, "one_row_over_many": one_row / many_rows}


def measure(rows: int = ROWS, longest: Sequence[int] = LONGEST, rooms: Sequence[str] = ROOMS) -> dict[str, Any]:
    """All of them, printed."""
    found = []
    for room in rooms:
        for way in WAYS:
            row: dict[str, Any] = {"room": room, "way": way, "cases": {}}
            for name, case in cases(longest).items():
                row["cases"][name] = run(room, way, rows, case)
                held = row["cases"][name]["peak"] - row["cases"][name]["before"]
                print(f"  {room:8s} {way:7s} {name:13s} {held / 1e6:9,.1f} MB", file=sys.stderr, flush=True)
            found.append(row | verdict(row, longest))
    print(
        f"{'room':8s} {'way':7s} {'MB, short':>10s} {'MB, long':>10s} {'bytes a token':>14s} {'linear':>7s} {'row/rows':>9s}"
    )
    for row in found:
        held = {name: (one["peak"] - one["before"]) / 1e6 for name, one in row["cases"].items()}
        good = row["linear"] <= MOST and row["one_row_over_many"] <= MOST
        said = "" if row["way"] != "erya" else "ok" if good else f"above {MOST:g}"
        print(
            f"{row['room']:8s} {row['way']:7s} {held['short']:10,.1f} {held[f'long {longest[-1]}']:10,.1f} "
            f"{row['bytes_per_token']:14,.0f} {row['linear']:7.2f} {row['one_row_over_many']:9.2f} {said}"
        )
    return {"most": MOST, "batch_size": BATCH, "texts": rows, "longest": list(longest), "rows": found}


if __name__ == "__main__":
    print(json.dumps(child(**json.loads(sys.argv[1]))))
