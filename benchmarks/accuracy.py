"""How good, how fast, how large: every classifier with its default settings, mean of three seeds, on each data set's own test split.

    python -m benchmarks.accuracy                  # snips, poetry, names (bundled) and AG News (needs ../shared/data)
    python -m benchmarks.accuracy poetry --seeds 3

Writes ``results/accuracy_<data>.json``; the rooms' READMEs are filled from there by ``python -m benchmarks.fill``.
Run it on a machine that does nothing else: times are wall times.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks import results_file
from erya import compare, read
from erya.text.dataset import Dataset

FLOORS = {
    "snips": {"naive_bayes": 0.97, "logistic_regression": 0.977, "fasttext": 0.975, "textcnn": 0.97, "lstm": 0.97},
    "poetry": {"naive_bayes": 0.76, "logistic_regression": 0.80, "fasttext": 0.815, "lstm": 0.76, "textcnn": 0.71},
}
DATA = ("snips", "poetry", "names", "ag_news")


def open_data(name: str) -> Dataset | None:
    """A sample, or AG News from the measuring data; its first 1,000 shuffled training rows are the dev part."""
    if name != "ag_news":
        return read(f"sample:{name}")
    folder = results_file.SHARED / "ag_news"
    if not folder.is_dir():
        return None
    test = Path(folder / "test.jsonl.gz")
    data = read(folder / "train20k.jsonl.gz", text="text", label="label", test=test)
    return data.split(train=0.95, dev=0.05, seed=0)


def watch(event: dict[str, Any]) -> None:
    if event["event"] == "done" and event["scores"]:
        print(f"  {event['model']:32s} {event['scores']['accuracy']['value']:.4f}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", choices=[*DATA, []], default=list(DATA))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    for name in arguments.data or DATA:
        data = open_data(name)
        if data is None:
            print(f"{name}: skipped, needs ../shared/data, which is not here")
            continue
        print(f"{name}: {len(data.train)} / {len(data.dev or [])} / {len(data.test or [])} rows", flush=True)
        board = compare(data=data, seeds=arguments.seeds, watch=watch)
        document = board.document
        document["data"]["source"] = name  # not where it lay on this machine
        kept = ("data", "baseline", "rows", "pairs", "seconds")
        results_file.write(f"accuracy_{name}", {key: document[key] for key in kept})
        print(board.table())
        for row in board.rows:
            floor = FLOORS.get(name, {}).get(row["model"].split("/")[1])
            if floor is not None and row["scores"]:
                value = row["scores"]["accuracy"]["value"]
                print(f"  {row['model']:32s} {value:.4f}  floor {floor}  {'ok' if value >= floor else 'MISSED'}")


if __name__ == "__main__":
    main()
