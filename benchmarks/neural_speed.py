"""Training speed of TextCNN and LSTM beside a plain padded PyTorch loop of the same network.

    python -m benchmarks.classifiers --only training    # with the other claims on classifiers
    python -m benchmarks.neural_speed                   # this one alone: all four, three rounds; a machine that does nothing else
    python -m benchmarks.neural_speed --rows 500 --rounds 1 --epochs 1 --room lstm --data snips      # does it run?

Same texts and ids, same first weights, same batch size, same rate, same epochs, same threads; A B C A B C in one process. The
plain loops are what one writes first, see ``plain_networks.py``, and Adam in its fused form, over random batches out of a matrix that
is padded before the clock starts – *longest row*: every batch as wide as the longest text of the data set; *longest of batch*: cut to
the longest text of the batch. Figures are real tokens (no padding) per second of wall time, median over the rounds; quality is the test
accuracy after the last epoch, mean over the rounds, each with a seed of its own. Writes ``results/neural_speed.json``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch

from benchmarks import results_file
from benchmarks.plain_networks import matrix, plain_epoch, plain_network
from erya import catalog, machine, read
from erya.parts.epochs import Plan, learn
from erya.parts.network_answers import logits
from erya.parts.token_batches import Corpus
from erya.parts.torch_mode import torch_mode
from erya.progress import quiet
from erya.text import tokenizers
from erya.text.vocabulary import Vocabulary

FLOOR = 2.0
PLAIN = ("longest row", "longest of batch")
ROOMS = ("textcnn", "lstm")
DATA = ("snips", "poetry")
EPOCHS = 3


@dataclass(frozen=True)
class Job:
    """One room on one data set: model with its default settings, and everything as ids."""

    model: Any
    train: Corpus
    test: Corpus
    classes: int
    epochs: int

    def network(self, seed: int) -> Any:
        dim = self.model.dim or self.model.default_dim
        return self.model._network(self.train.vocabulary, dim, self.classes, torch.Generator().manual_seed(seed))

    @property
    def tokens(self) -> int:
        return int(self.train.lengths.sum()) * self.epochs

    def plan(self, seed: int) -> Plan:
        model = self.model
        return Plan(
            classes=self.classes,
            epochs=self.epochs,
            batch_size=model.batch_size,
            learning_rate=model.learning_rate,
            weight_decay=0.0,
            clip_norm=model.clip_norm,
            patience=None,
            seed=seed,
        )


def prepare(room: str, name: str, rows: int | None, epochs: int) -> Job:
    model = catalog.model(f"classify/{room}")
    data = read(f"sample:{name}")
    tokenizer = tokenizers.make(model.tokenizer)
    parts = [(part.inputs[:rows], part.targets[:rows]) for part in (data.train, data.test)]
    tokens = [[tokenizers.tokens_of(tokenizer, text) for text in texts] for texts, _ in parts]
    vocabulary = Vocabulary.build(tokens[0], min_count=model.min_count)
    labels = {label: number for number, label in enumerate(sorted(set(parts[0][1])))}
    corpora = [
        Corpus(
            [vocabulary.ids(text) for text in texts],
            len(vocabulary),
            np.array([labels.get(label, -1) for label in targets]),
            np.ones(len(targets)),
        )
        for texts, (_, targets) in zip(tokens, parts, strict=True)
    ]
    return Job(model, corpora[0], corpora[1], len(labels), epochs)


def ours(job: Job, seed: int) -> tuple[float, float]:
    """Seconds of training, and test accuracy."""
    network = job.network(seed)
    with torch_mode():
        began = perf_counter()
        learn(network, job.train, None, job.plan(seed), quiet)
        seconds = perf_counter() - began
        answers = logits(network, job.test, job.classes).argmax(axis=1)
    return seconds, float((answers == job.test.targets.numpy()).mean())


def plain(job: Job, seed: int, *, cut: bool) -> tuple[float, float]:
    """Seconds of training, and test accuracy. ``cut``: to the longest text of each batch."""
    torch.manual_seed(seed)
    network = plain_network(job.network(seed))
    optimizer = torch.optim.Adam(network.parameters(), job.model.learning_rate, fused=True)
    ids, lengths = matrix(job.train)
    targets, clip, size = job.train.targets, job.model.clip_norm, job.model.batch_size
    began = perf_counter()
    for _ in range(job.epochs):
        plain_epoch(network, optimizer, ids, lengths, targets, batch_size=size, clip_norm=clip, cut=cut)
    seconds = perf_counter() - began
    network.eval()
    hits = 0
    ids, lengths = matrix(job.test)
    with torch.no_grad():
        for rows in torch.arange(len(ids)).split(256):
            hits += int((network(ids[rows], lengths[rows]).argmax(dim=1) == job.test.targets[rows]).sum())
    return seconds, hits / len(ids)


def compare(room: str, name: str, rows: int | None, epochs: int, rounds: int) -> dict[str, Any]:
    job = prepare(room, name, rows, epochs)
    runners: dict[str, Callable[[Job, int], tuple[float, float]]] = {
        "erya": ours,
        PLAIN[0]: lambda job, seed: plain(job, seed, cut=False),
        PLAIN[1]: lambda job, seed: plain(job, seed, cut=True),
    }
    speeds: dict[str, list[float]] = {name: [] for name in runners}
    quality: dict[str, list[float]] = {name: [] for name in runners}
    torch.set_num_threads(machine.threads())
    for seed in range(rounds):
        for runner, run in runners.items():
            seconds, accuracy = run(job, seed)
            speeds[runner].append(job.tokens / seconds)
            quality[runner].append(accuracy)
            print(
                f"  {room:8s} {name:7s} {seed + 1}/{rounds} {runner:17s} {job.tokens / seconds:10,.0f} tokens/s",
                file=sys.stderr,
            )
    median = {runner: statistics.median(values) for runner, values in speeds.items()}
    return {
        "room": room,
        "data": name,
        "rows": len(job.train),
        "tokens": job.tokens // epochs,
        "epochs": epochs,
        "rounds": rounds,
        "tokens_per_second": median,
        "all_tokens_per_second": speeds,
        "accuracy": {runner: statistics.mean(values) for runner, values in quality.items()},
        "ratio": {loop: median["erya"] / median[loop] for loop in PLAIN},
    }


def measure(rooms: Sequence[str], data: Sequence[str], rows: int | None, epochs: int, rounds: int) -> dict[str, Any]:
    """All of them, printed."""
    found = [compare(room, name, rows, epochs, rounds) for room in rooms for name in data]
    print(f"{'room':8s} {'data':7s} {'loop':17s} {'tokens/s':>11s} {'ratio':>6s} {'accuracy':>9s}")
    for row in found:
        for runner, speed in row["tokens_per_second"].items():
            ratio = row["ratio"].get(runner)
            verdict = "" if ratio is None else "ok" if ratio >= FLOOR else f"below the floor of {FLOOR:g}"
            shown = "" if ratio is None else f"{ratio:.2f}"
            print(
                f"{row['room']:8s} {row['data']:7s} {runner:17s} {speed:11,.0f} {shown:>6s} "
                f"{row['accuracy'][runner]:9.4f} {verdict}"
            )
    return {"floor": FLOOR, "threads": machine.threads(), "rows": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--room", choices=ROOMS, action="append")
    parser.add_argument("--data", choices=DATA, action="append")
    parser.add_argument("--rows", type=int, help="of each part; such a run writes no results")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rooms, data = arguments.room or ROOMS, arguments.data or DATA
    found = measure(rooms, data, arguments.rows, arguments.epochs, arguments.rounds)
    if arguments.rows is None and len(found["rows"]) == len(ROOMS) * len(DATA) and arguments.rounds >= 3:
        results_file.write("neural_speed", found)


if __name__ == "__main__":
    main()
