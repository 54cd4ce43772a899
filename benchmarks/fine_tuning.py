"""What fine-tuning brings where few texts are labelled: a GPT that has read the same kind of text, and one that has not.

    python -m benchmarks.fine_tuning read snips FOLDER          a GPT reads the training texts, without their labels
    python -m benchmarks.fine_tuning tune snips 35 FOLDER       so many labelled rows, three drawn sets of them, every way not measured yet
    python -m benchmarks.fine_tuning drift snips 35 FOLDER      where the auxiliary loss takes the vectors of units that these rows lack

Everything is scored on the data's own test rows. Nothing is tuned on them: the settings are one choice for all ways, and there is no early
stopping, since whoever has a few labelled rows has no held-out ones. Writes ``results/fine_tuning.json``, part by part.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import erya
from benchmarks import results_file
from erya import catalog
from erya.curves import nested_order
from erya.models.gpt.estimator import GPT

NAME = "fine_tuning"
SEEDS = 3
STEPS = 400  # of the fine-tuning, whatever the rows
SIZES = {"dim": 64, "layers": 2, "heads": 4, "context": 64}
READS = {
    "snips": {"tokenizer": "words", "min_count": 2, "epochs": 10},
    "poetry": {"tokenizer": "characters", "epochs": 2},
}
LINE = "logistic regression"
WAYS: dict[str, dict[str, Any]] = {  # "read": whether it begins as the GPT that has read
    "random": {"read": False},
    "random, λ": {"read": False, "auxiliary": 0.5},
    "features": {"read": True, "frozen_layers": SIZES["layers"]},
    "fine-tuned": {"read": True},
    "fine-tuned, λ": {"read": True, "auxiliary": 0.5},
    "slow": {"read": True, "learning_rate": 0.0003},
    "slow, λ": {"read": True, "auxiliary": 0.5, "learning_rate": 0.0003},
}


def read(name: str, folder: Path) -> None:
    """Train the language model on all training texts."""
    data = erya.read(f"sample:{name}", task="classify")
    began = time.monotonic()
    model = GPT(**SIZES, **READS[name], dropout=0.1, learning_rate=0.003, patience=None).fit(data.train.inputs)
    seconds = time.monotonic() - began
    model.save(folder / f"{name}.erya")
    found = {"seconds": seconds, "texts": len(data.train.inputs), "units": len(model.vocabulary_)}
    found["bits_per_character"] = -model.score(data.test.inputs)
    keep(name, "language_model", found)


def tune(name: str, rows: int, folder: Path) -> None:
    """Test accuracy of every way on so many labelled rows."""
    data = erya.read(f"sample:{name}", task="classify")
    train, test = data.train, data.test
    before = (results_file.read(NAME) or {}).get("data", {}).get(name, {}).get(str(rows), {})
    found: dict[str, list[float]] = {way: means["each"] for way, means in before.items()}
    done = set(found)
    for seed in range(SEEDS):
        chosen = sorted(nested_order(train.targets, seed).tolist()[:rows])
        X, y = ([some[row] for row in chosen] for some in (train.inputs, train.targets))
        for way, settings in WAYS.items():
            if way in done:
                continue
            model = made(name, rows, seed, dict(settings), folder).fit(X, y)
            found.setdefault(way, []).append(float(model.score(test.inputs, test.targets)))
            print(name, rows, seed, way, found[way][-1], flush=True)
        if LINE not in done:
            line = catalog.model("classify/logistic_regression").fit(X, y)
            found.setdefault(LINE, []).append(float(line.score(test.inputs, test.targets)))
    means = {way: {"accuracy": statistics.mean(scores), "each": scores} for way, scores in found.items()}
    keep(name, str(rows), means)


def drift(name: str, rows: int, folder: Path) -> None:
    """How far, of their length, the vectors of units that the labelled rows lack have gone, and the accuracy with these put back."""
    import torch

    data = erya.read(f"sample:{name}", task="classify")
    chosen = sorted(nested_order(data.train.targets, 0).tolist()[:rows])
    X, y = ([some[row] for row in chosen] for some in (data.train.inputs, data.train.targets))
    first = erya.load(folder / f"{name}.erya").network_.embedding.detach()
    found = {}
    for way in ("fine-tuned", "fine-tuned, λ"):
        model = made(name, rows, 0, dict(WAYS[way]), folder).fit(X, y)
        figures = {"accuracy": float(model.score(data.test.inputs, data.test.targets))}
        there = {0, *(number for text in X for number in model.vocabulary_.ids(model.tokenizer_.tokens(text)))}
        others = torch.tensor([number for number in range(len(first)) if number not in there])
        table = model.network_.decoder.embedding
        with torch.no_grad():
            gone = (table[others] - first[others]).norm(dim=1) / first[others].norm(dim=1)
            table[others] = first[others]
        figures |= {"gone": float(gone.mean()), "put_back": float(model.score(data.test.inputs, data.test.targets))}
        found[way] = figures
    keep(name, f"drift {rows}", found)


def made(name: str, rows: int, seed: int, settings: dict[str, Any], folder: Path) -> Any:
    """A classifier that is not trained yet."""
    given: dict[str, Any] = {**SIZES, "tokenizer": READS[name]["tokenizer"], "min_count": 1}
    if settings.pop("read"):
        given = {"pretrained": str(folder / f"{name}.erya")}
    batch = 16
    epochs = max(1, round(STEPS / -(-rows // batch)))
    settings = {"learning_rate": 0.001, "auxiliary": 0.0, **settings}
    settings |= {"epochs": epochs, "batch_size": batch, "patience": None, "seed": seed}
    return catalog.model("classify/gpt", "default", {**given, **settings})


def keep(name: str, part: str, figures: dict[str, Any]) -> None:
    """Write one part beside those that are there."""
    before = results_file.read(NAME) or {}
    data = before.get("data", {})
    data.setdefault(name, {})[part] = figures
    results_file.write(NAME, {"seeds": SEEDS, "steps": STEPS, "sizes": SIZES, "data": data})


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(sys.argv[2], Path(sys.argv[3]))
    else:
        {"tune": tune, "drift": drift}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
