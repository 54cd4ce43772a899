"""The speeds and the memory of the network classifiers: training, prediction, memory – one command.

    python -m benchmarks.classifiers                     # all three, three rounds; a machine that does nothing else
    python -m benchmarks.classifiers --only memory       # one of them; what the others left in the results stays
    python -m benchmarks.classifiers --rows 300          # does it run? writes nothing

What is compared with what stands at the top of ``neural_speed.py`` (training ≥ 2× a padded torch loop), ``classifier_prediction.py``
(folded TextCNN ≥ 20× the same network in torch) and ``classifier_memory.py`` (linear in the tokens of a batch, not in the longest row).
Writes ``results/classifiers.json``, and training also as ``results/neural_speed.json``, from which the rooms' READMEs are filled.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import classifier_memory, classifier_prediction, neural_speed, results_file

CLAIMS = ("training", "prediction", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CLAIMS, action="append")
    parser.add_argument("--rows", type=int, help="of everything; such a run writes no results")
    parser.add_argument("--epochs", type=int, default=neural_speed.EPOCHS, help="of training")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows, rounds = arguments.rows, arguments.rounds
    found = {}
    for claim in arguments.only or CLAIMS:
        print(f"\n{claim}", flush=True)
        if claim == "training":
            found[claim] = neural_speed.measure(neural_speed.ROOMS, neural_speed.DATA, rows, arguments.epochs, rounds)
        elif claim == "memory":
            found[claim] = (
                classifier_memory.measure() if rows is None else classifier_memory.measure(rows, (500, 1000, 2000))
            )
        elif results_file.SHARED.is_dir():
            data = list(classifier_prediction.DATA)
            found[claim] = classifier_prediction.measure(data, rows or classifier_prediction.ROWS, rounds)
        else:
            print(f"skipped: needs {results_file.SHARED}, which is not here", file=sys.stderr)
    if rows is None and rounds >= 3:
        before = results_file.read("classifiers") or {}
        kept = {claim: before[claim] for claim in CLAIMS if claim in before}
        results_file.write("classifiers", kept | found)
        if "training" in found:
            results_file.write("neural_speed", found["training"])


if __name__ == "__main__":
    main()
