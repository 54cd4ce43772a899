"""What a recurrent language model gets from how it is trained: its state carried or fresh, its gradient cut or not, its cell, its dropout.

    python -m benchmarks.recurrent_language [--only sampling reach …]

Small networks on Tiny Shakespeare by characters (the first 100,000 to learn from, 20,000 of its last tenth to listen to), and on some of
the Tang poems that come with Erya. Every training of one comparison sees the same number of units at every step: what differs is how
many rows they are of, how long, and where a state or a gradient begins. Seconds are of the processor, one thread, listening left out.
Writes ``results/recurrent_language.json`` and the pictures of the notes, ``docs/pictures/``; ``python -m benchmarks.fill`` does the tables.
"""

from __future__ import annotations

import argparse
import gzip
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import recurrent_pictures, results_file
from erya import catalog
from erya.errors import DivergedError
from erya.parts.language_training import evaluate
from erya.parts.stream_batches import StreamBatches
from erya.parts.torch_mode import torch_mode
from erya.progress import Report
from erya.text.documents import pieces
from erya.text.samples import sample_card

NAME = "recurrent_language"
SHAKESPEARE = results_file.SHARED / "tiny_shakespeare" / "input.txt.gz"
LEARNED, LISTENED = 100_000, 20_000  # characters
EPOCHS, SEEDS = 4, (0, 1)
UNITS = 640  # of a step, B · T
LETTERS: dict[str, Any] = {
    "tokenizer": "characters",
    "documents": "file",
    "over_borders": True,
    "dim": 32,
    "hidden_width": 96,
    "dropout": 0.0,
    "learning_rate": 0.003,
    "schedule": "cosine",
    "clip_norm": 1.0,
    "patience": None,
    "epochs": EPOCHS,
}
CONTEXTS = (2, 5, 10, 35)
WARMTH = (0, 1, 2, 3, 5, 10, 20, 50, 100)  # characters that are read before the one that is asked for
DISTANCES = 60  # steps back
PLACES = 24  # where a gradient is followed back
POEMS = 2000
FEW, REPEATED = 20_000, 20  # characters, and how often they are read


class Clock(Report):
    """The seconds of the processor at the end of every epoch."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.began = time.process_time()

    def record(self, row: dict[str, Any]) -> None:
        """Keep it."""
        self.rows.append({**row, "seconds": time.process_time() - self.began})


def letters() -> tuple[str, str]:
    """What is learned, and what is listened to."""
    with gzip.open(SHAKESPEARE, "rt", encoding="utf-8") as file:
        text = file.read()
    end = int(0.9 * len(text))
    return text[:LEARNED], text[end : end + LISTENED]


def trained(
    room: str, settings: dict[str, Any], texts: Sequence[str], others: Sequence[str]
) -> tuple[Any, list[dict[str, Any]]]:
    """A model, and after every epoch its held-out loss and the seconds so far, listening left out."""
    model, clock = catalog.model(f"generate/{room}", "default", settings), Clock()
    model.fit(list(texts), validation=list(others), report=clock)
    ids = stream(model, others)
    like = StreamBatches(ids, model.batch_size, model.context, over_borders=model.over_borders, seed=model.seed)
    with torch_mode():
        began = time.process_time()
        evaluate(model.network_, ids, like)
        listening = time.process_time() - began
    rows = [
        {
            "epoch": row["epoch"],
            "steps": row["step"],
            "loss": row["validation_loss"],
            "seconds": row["seconds"] - number * listening,
            **({"clipped": row["clipped"]} if "clipped" in row else {}),
            "longest_gradient": row["gradient_norm_max"],
        }
        for number, row in enumerate(clock.rows, 1)
    ]
    print(room, settings, [f"{row['loss']:.3f} {row['seconds']:.1f}s" for row in rows], file=sys.stderr, flush=True)
    return model, rows


def stream(model: Any, texts: Sequence[str]) -> NDArray[np.int32]:
    """The documents one behind another, borders between."""
    parts = [part for text in texts for part in (model.vocabulary_.encode(text, model.units_), [0])]
    return np.concatenate([[0], *parts]).astype(np.int32)


@torch.no_grad()
def fresh(model: Any, texts: Sequence[str]) -> float:
    """Nats a unit where the state begins anew every T units."""
    ids, total = stream(model, texts), 0.0
    epoch = StreamBatches(ids, 64, model.context, "random", over_borders=True).epoch(0)
    with torch_mode():
        for place in range(len(epoch)):
            batch = epoch.batch(place)
            loss, _ = model.network_.loss(batch, model.network_.begin(batch.inputs.shape[1]))
            total += float(loss) * batch.share
    return total / (len(ids) - 1)


# ---- what is compared ----------------------------------------------------------------------------------------------


def at_length(context: int, **more: Any) -> dict[str, Any]:
    """Settings of a context, with as many rows as make a step of ``UNITS``."""
    return {**LETTERS, "context": context, "batch_size": max(1, UNITS // context), **more}


def repeated(settings: dict[str, Any]) -> dict[str, Any]:
    """An LSTM trained with each seed: means over them, and how far apart they are."""
    learned, listened = letters()
    ends, fresh_ends, seconds, steps = [], [], [], 0
    for seed in SEEDS:
        model, rows = trained("lstm", {**settings, "seed": seed}, [learned], [listened])
        ends.append(rows[-1]["loss"])
        seconds.append(rows[-1]["seconds"])
        fresh_ends.append(fresh(model, [listened]))
        steps = rows[-1]["steps"]
    return {
        "loss": float(np.mean(ends)),
        "spread": float(np.ptp(ends)),
        "fresh_loss": float(np.mean(fresh_ends)),
        "seconds": float(np.mean(seconds)),
        "steps": steps,
    }


def sampling() -> list[dict[str, Any]]:
    """Sequential rows with a carried state beside random pieces with a fresh one, at several lengths."""
    return [
        {"context": context, "sampling": kind, **repeated(at_length(context, sampling=kind))}
        for context in CONTEXTS
        for kind in ("sequential", "random")
    ]


def truncation() -> list[dict[str, Any]]:
    """Where the gradient of sequential rows is cut: with as many units as any other, and with as many seconds as regular cuts take."""
    found = []
    for context in (5, 35):
        regular = repeated(at_length(context))
        found.append({"context": context, "truncation": "regular", **regular, "loss_same_seconds": regular["loss"]})
        for kind in ("varied", "random"):
            settings = at_length(context, truncation=kind)
            figures = repeated(settings)
            fewer = round(figures["steps"] * min(1.0, regular["seconds"] / figures["seconds"]))
            soon = figures if fewer > 0.97 * figures["steps"] else repeated({**settings, "steps": fewer})
            found.append({"context": context, "truncation": kind, **figures, "loss_same_seconds": soon["loss"]})
    whole = repeated({**LETTERS, "context": LEARNED, "batch_size": 16})
    return [*found, {"context": None, "truncation": "full", **whole, "loss_same_seconds": whole["loss"]}]


CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn": ("rnn", {}),
    "rnn_2": ("rnn", {"recurrent_gain": 2.0}),
    "gru": ("gru", {}),
    "lstm": ("lstm", {}),
}


def cells() -> dict[str, Any]:
    """Of each cell, before and after learning, how far back a loss reaches; and how many characters before a place it makes use of."""
    learned, listened = letters()
    reach: list[dict[str, Any]] = []
    warmth: list[dict[str, Any]] = []
    for name, (room, more) in CELLS.items():
        settings = at_length(35, **more)
        untrained, _ = trained(room, {**settings, "steps": 1, "learning_rate": 1e-12}, [learned], [listened])
        model, rows = trained(room, settings, [learned], [listened])
        for when, one in (("before", untrained), ("after", model)):
            reach.append({"cell": name, "when": when, "log10": reaching(one, listened)})
        warmth.append(
            {"cell": name, "loss": rows[-1]["loss"], "bits": [warm(model, listened, read) for read in WARMTH]}
        )
    return {"reach": reach, "warmth": {"read": list(WARMTH), "rows": warmth}}


def reaching(model: Any, text: str) -> list[float]:
    """log10 of ‖∂loss/∂h‖ at 0, 1, 2 … steps back, relative to the last step: the mean of some places."""
    found = []
    for place in np.linspace(0, len(text) - 2 * DISTANCES, PLACES).astype(int).tolist():
        lengths = model.trace(text[place : place + DISTANCES + 20]).arrays["gradient"][:-1][::-1]
        found.append(np.log10(lengths[: DISTANCES + 1] / lengths[0]))
    return [round(float(value), 4) for value in np.mean(found, axis=0)]


@torch.no_grad()
def warm(model: Any, text: str, read: int) -> float:
    """Mean bits of a character when so many before it have been read, from an empty state on."""
    ids = stream(model, [text])[1:-1].astype(np.int64)
    places = np.arange(max(WARMTH) + 1, len(ids), 7)
    # without any character the border is read, as at the beginning of a document
    inputs = (
        np.zeros((1, len(places)), dtype=np.int64)
        if read == 0
        else np.stack([ids[places - back] for back in range(read, 0, -1)])
    )
    network = model.network_
    with torch_mode():
        hidden, _ = network.read(torch.from_numpy(inputs), network.begin(len(places)))
        logs = torch.log_softmax(hidden[-1] @ network.table.T + network.output_bias, dim=1)
    return float(-logs[torch.arange(len(places)), torch.from_numpy(ids[places])].mean()) / math.log(2)


def clipping() -> list[dict[str, Any]]:
    """Elman's network whose recurrent weights begin with singular values of 2, at a high rate: clipped, or not."""
    learned, listened = letters()
    found: list[dict[str, Any]] = []
    for clip in (None, 5.0, 1.0, 0.25):
        settings = at_length(35, recurrent_gain=2.0, optimizer="sgd", learning_rate=1.0, clip_norm=clip)
        try:
            _, rows = trained("rnn", settings, [learned], [listened])
            found.append({"clip_norm": clip, "epochs": rows})
        except DivergedError as problem:
            print(problem, file=sys.stderr)
            found.append({"clip_norm": clip, "epochs": []})
    return found


DROPPED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "layers": {"dropout": 0.3},
    "variational": {"dropout": 0.3, "variational": True},
    "weights": {"weight_dropout": 0.3},
    "units": {"embedding_dropout": 0.1},
    "penalties": {"activation_penalty": 2.0, "change_penalty": 1.0},
    "all": {
        "dropout": 0.3,
        "variational": True,
        "weight_dropout": 0.3,
        "embedding_dropout": 0.1,
        "activation_penalty": 2.0,
        "change_penalty": 1.0,
    },
}


def dropping() -> list[dict[str, Any]]:
    """What is dropped, where a network has a text so small that it learns it by heart."""
    learned, listened = (text[:FEW] for text in letters())
    found = []
    for name, more in DROPPED.items():
        settings = at_length(35, dim=64, hidden_width=128, epochs=REPEATED, learning_rate=0.005, **more)
        model, rows = trained("lstm", settings, [learned], [listened])
        ids = stream(model, [learned])
        with torch_mode():
            known = evaluate(model.network_, ids, StreamBatches(ids, 1, 35, over_borders=True))
        losses = [row["loss"] for row in rows]
        found.append({"name": name, "settings": more, "losses": losses, "learned_loss": known})
    return found


def tying() -> list[dict[str, Any]]:
    """One table of vectors or two, where units are many: Tang poems by characters."""
    folder = sample_card("poetry").folder
    train, dev = ([piece.text for piece in pieces(folder / f"tang.{part}.txt.gz", "line")] for part in ("train", "dev"))
    same = {"tokenizer": "characters", "min_count": 2, "dim": 96, "hidden_width": 96, "dropout": 0.0, "patience": None}
    found = []
    for tied in (False, True):
        settings = {**same, "tied": tied, "epochs": 6, "learning_rate": 0.005}
        model, rows = trained("lstm", settings, train[:POEMS], dev[:200])
        found.append(
            {
                "tied": tied,
                "parameters": sum(weights.numel() for weights in model.network_.parameters()),
                "vocabulary": len(model.vocabulary_),
                "loss": rows[-1]["loss"],
                "seconds": rows[-1]["seconds"],
            }
        )
    return found


PARTS: dict[str, Callable[[], Any]] = {
    "sampling": sampling,
    "truncation": truncation,
    "cells": cells,
    "clipping": clipping,
    "dropping": dropping,
    "tying": tying,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(PARTS))
    options = parser.parse_args()
    if not SHAKESPEARE.is_file():
        sys.exit(f"Tiny Shakespeare is not in {SHAKESPEARE.parent}")
    kept: dict[str, Any] = {}
    for name in options.only or PARTS:
        found = PARTS[name]()
        read = results_file.read(NAME) or {}
        kept = {part: read[part] for part in PARTS if part in read} | {name: found}
        seeds = {
            "seeds": list(SEEDS),
            "learned": LEARNED,
            "listened": LISTENED,
            "units_a_step": UNITS,
            "epochs": EPOCHS,
        }
        print(results_file.write(NAME, {**seeds, **kept}).name)
    print(*(path.name for path in recurrent_pictures.write(kept)))


if __name__ == "__main__":
    main()
