"""Prediction with TextCNN: folded word vectors beside the same network in torch, whole and as the room answers.

    python -m benchmarks.classifiers --only prediction

AG News and THUCNews headlines, one thread. Three ways to the same probabilities, in turn A B C A B C in one process: *erya*:
``predict_proba`` of the room, text in, probabilities out; *torch, batched*: the room's own network in torch over batches of like
length, each distinct token multiplied once; *torch, plain*: ``plain_networks.PlainCNN`` over batches of 256 padded to their longest
text – the floor is for this one. Reading text into tokens and ids is part of each. AG News rows are cut to their first 60 characters,
the length of a headline. The words are folded before the clock starts. Figures are texts per second of processor time, median over
the rounds; the greatest difference of a probability is printed.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from time import process_time
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks import results_file
from benchmarks.plain_networks import PlainCNN
from erya import catalog, read
from erya.parts.answer_shares import probabilities
from erya.parts.network_answers import logits
from erya.parts.token_batches import Corpus
from erya.text.batches import padded

FLOOR = 20.0
PEER = "torch, plain"
DATA = {"ag_news": ("train20k", "test"), "thucnews": ("dev", "test")}
ROWS = 7000
Answer = Callable[[list[str]], Any]


def ways(model: Any) -> dict[str, Answer]:
    """From texts to probabilities (N, C), by name."""
    network, vocabulary, classes = model.network_, model.vocabulary_, len(model.classes_)
    plain = PlainCNN(network).eval()

    def ids(texts: list[str]) -> list[list[int]]:
        return [vocabulary.ids(model.tokenizer_.tokens(text)) for text in texts]

    def batched(texts: list[str]) -> Any:
        return probabilities(logits(network, Corpus(ids(texts), len(vocabulary)), classes))

    def by_conv1d(texts: list[str]) -> Any:
        found = []
        with torch.no_grad():
            for first in range(0, len(texts), 256):
                some, lengths = padded(ids(texts[first : first + 256]))
                found.append(functional.softmax(plain(torch.from_numpy(some), torch.from_numpy(lengths)), dim=1))
        return torch.cat(found).numpy()

    return {"erya": model.predict_proba, "torch, batched": batched, PEER: by_conv1d}


def compare(name: str, rows: int, rounds: int) -> dict[str, Any]:
    folder = results_file.SHARED / name
    train, test = (read(folder / f"{part}.jsonl.gz").train for part in DATA[name])
    model = catalog.model("classify/textcnn", settings={"epochs": 1, "patience": None})
    model.fit(list(train.inputs[:4000]), list(train.targets[:4000]))
    texts = [text[:60] if name == "ag_news" else text for text in test.inputs[:rows]]  # ag_news: of a headline's length
    runners = ways(model)
    first = {way: run(texts[:300]) for way, run in runners.items()}
    differences = {way: float(np.abs(answer - first["erya"]).max()) for way, answer in first.items()}
    model.predict_proba(texts)  # compiles the kernels and folds the words, once
    speeds: dict[str, list[float]] = {way: [] for way in runners}
    for _ in range(rounds):
        for way, run in runners.items():
            some = texts if way == "erya" else texts[: max(256, rows // 8)]
            began = process_time()
            run(some)
            speeds[way].append(len(some) / (process_time() - began))
    median = {way: statistics.median(values) for way, values in speeds.items()}
    return {
        "data": name,
        "texts": len(texts),
        "rounds": rounds,
        "texts_per_second": median,
        "all_texts_per_second": speeds,
        "ratio": {way: median["erya"] / speed for way, speed in median.items() if way != "erya"},
        "greatest_difference": differences,
    }


def measure(data: Sequence[str], rows: int, rounds: int) -> dict[str, Any]:
    """All of them, printed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = [compare(name, rows, rounds) for name in data]
    finally:
        torch.set_num_threads(threads)
    print(f"{'data':9s} {'way':15s} {'texts/s':>10s} {'ratio':>6s} {'difference':>11s}")
    for row in found:
        for way, speed in row["texts_per_second"].items():
            ratio = row["ratio"].get(way)
            shown = "" if ratio is None else f"{ratio:.1f}"
            verdict = "ok" if ratio is not None and ratio >= FLOOR else f"below the floor of {FLOOR:g}"
            verdict = verdict if way == PEER else ""
            print(
                f"{row['data']:9s} {way:15s} {speed:10,.0f} {shown:>6s} {row['greatest_difference'][way]:11.1e} {verdict}"
            )
    return {"floor": FLOOR, "threads": 1, "rows": found}
