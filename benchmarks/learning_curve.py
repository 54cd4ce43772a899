"""Generative against discriminative: naive Bayes and logistic regression on growing shares of the same training data.

    python -m benchmarks.learning_curve

Ng and Jordan 2001, "On Discriminative vs. Generative Classifiers": the generative model gets near its best with few
examples, the discriminative one has the better best; so the curves cross. Both models have their default settings; a share is
the first rows of a shuffled training set, small shares are drawn several times, scores are those of the sample's own test part.
Writes ``results/learning_curve.json``. Accuracies only, no times: a busy machine gives the same figures.
"""

from __future__ import annotations

import statistics

import numpy as np

from benchmarks import results_file
from erya import catalog, read

DATA = ("snips", "poetry")
MODELS = ("classify/naive_bayes", "classify/logistic_regression")
SHARES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def draws_of(rows: int) -> int:
    """How often a share is drawn: the smaller, the more it matters which rows it got."""
    return 12 if rows <= 300 else 6 if rows <= 1500 else 3


def accuracies(name: str, share: float) -> dict[str, object]:
    """Each model's accuracies on one share, over the draws."""
    data = read(f"sample:{name}")
    texts, labels = np.array(data.train.inputs, dtype=object), np.array(data.train.targets)
    rows = round(len(texts) * share)
    found: dict[str, list[float]] = {model: [] for model in MODELS}
    for draw in range(draws_of(rows) if share < 1 else 1):
        chosen = np.random.default_rng([draw, rows]).permutation(len(texts))[:rows]
        for model in MODELS:
            fitted = catalog.model(model).fit(texts[chosen], labels[chosen])
            found[model].append(fitted.score(data.test.inputs, data.test.targets))
    return {
        "share": share,
        "rows": rows,
        "draws": len(found[MODELS[0]]),
        "accuracy": {
            model: {"mean": statistics.fmean(values), "low": min(values), "high": max(values)}
            for model, values in found.items()
        },
    }


def main() -> None:
    curves = {}
    for name in DATA:
        curves[name] = []
        for share in SHARES:
            row = accuracies(name, share)
            curves[name].append(row)
            means = "   ".join(f"{model} {row['accuracy'][model]['mean']:.4f}" for model in MODELS)
            print(f"{name}  {row['rows']:6,} rows × {row['draws']:2}   {means}", flush=True)
    results_file.write("learning_curve", {"models": list(MODELS), "curves": curves})


if __name__ == "__main__":
    main()
