"""The jobs of both sides, each run in a process of its own: ``PYTHON -c TEXT_OF_THIS_FILE JSON``; prints JSON.

Both sides are the same module to this file: ``erya.fasttext`` or the ``fasttext`` package, whose functions are called alike. It imports
nothing else at first, so that another Python can run it, too.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
from typing import Any


def train(module: str, text: str, out: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The whole job: from reading the file to the model in another file."""
    fasttext = importlib.import_module(module)
    model = fasttext.train_supervised(input=text, **settings)
    model.save_model(out)
    return {}


def predict(module: str, model: str, text: str, lines: int, short: bool, repeats: int) -> dict[str, Any]:
    """The best label of each document, all given at once: the median over some repeats in one process, after a first one."""
    fasttext = importlib.import_module(module)
    texts = _texts(text, lines, short)
    known = fasttext.load_model(model)
    known.predict(texts)
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        labels, _ = known.predict(texts)
        seconds.append(time.perf_counter() - began)
    taken = statistics.median(seconds)
    size = sum(len(one.encode()) for one in texts)
    return {
        "predict_seconds": taken,
        "documents_per_second": len(texts) / taken,
        "megabytes_per_second": size / taken / 1e6,
        "answers": sum(int(one[0][len("__label__") :]) for one in labels),  # both sides answer alike, or it shows
    }


def _texts(text: str, lines: int, short: bool) -> list[str]:
    with open(text, encoding="utf-8") as file:  # noqa: PTH123  (no import that the other Python may lack)
        texts = [line.rstrip("\n").split(" ", 1)[1] for _, line in zip(range(lines), file, strict=False)]
    return [" ".join(one.split(" ")[:12]) for one in texts] if short else texts


JOBS = {"train": train, "predict": predict}


def main() -> None:
    arguments = json.loads(sys.argv[1])
    print(json.dumps(JOBS[arguments.pop("job")](**arguments)))


if __name__ == "__main__":
    main()
