"""The jobs of both sides of ``tagging.py``, each run in a process of its own: ``PYTHON -c TEXT_OF_THIS_FILE JSON``; prints JSON.

At first nothing is imported but the standard library, so that another Python, one that has python-crfsuite, can run it, too. Every
figure in seconds comes twice: by the clock on the wall, and what the processor gave to this process.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
import statistics
import sys
import time
from typing import Any

Sentences = list[list[str]]
REPEATS = 3  # predictions in one process, after a first one


def read(path: str, sentences: int | None) -> tuple[Sentences, Sentences]:
    """Tokens and tags of a CoNLL file of two columns."""
    inputs: Sentences = []
    targets: Sentences = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for block in file.read().strip("\n").split("\n\n")[:sentences]:
            rows = [line.split("\t") for line in block.split("\n")]
            inputs.append([row[0] for row in rows])
            targets.append([row[-1] for row in rows])
    return inputs, targets


# ---- python-crfsuite ------------------------------------------------------------------------------------------------


def shape(token: str) -> str:
    """Capitals as X, small letters as x, digits as d, runs as one."""
    kinds = ["X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c for c in token]
    return re.sub(r"(.)\1+", r"\1", "".join(kinds))


def shown(sentence: list[str]) -> list[list[str]]:
    """What Erya's templates for words see at each token, as one writes it for CRFsuite: as little work a token as may be."""
    lower, shapes = [token.lower() for token in sentence], [shape(token) for token in sentence]
    around, beside = ["", "", *lower, "", ""], ["", *shapes, ""]
    found = []
    for place, token in enumerate(sentence):
        small, size = lower[place], len(lower[place])
        features = ["bias", "w=" + token, "l=" + small, "s=" + shapes[place]]
        features += ["p" + small[:count] for count in (1, 2, 3, 4) if size >= count]
        features += ["e" + small[-count:] for count in (1, 2, 3, 4) if size >= count]
        features += ["l-2=" + around[place], "l-1=" + around[place + 1], "l+1=" + around[place + 3]]
        features += ["l+2=" + around[place + 4], "s-1=" + beside[place], "s+1=" + beside[place + 2]]
        found.append(features)
    return found


def crfsuite_train(train: str, sentences: int | None, steps: int, c2: float, out: str) -> dict[str, Any]:
    """Features, then L-BFGS for a number of steps."""
    import pycrfsuite

    inputs, targets = read(train, sentences)
    began = now()
    trainer = pycrfsuite.Trainer(verbose=True)  # its log has the number of features and the loss
    for tokens, tags in zip(inputs, targets, strict=True):
        trainer.append(shown(tokens), tags)
    prepared = now()
    trainer.set_params({"c1": 0.0, "c2": c2, "max_iterations": steps, "epsilon": 0.0, "delta": 0.0})
    trainer.set_params({"feature.possible_transitions": True})
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train(out)
    done = now()
    log = trainer.logparser
    return {
        "features": int(log.featgen_num_features),
        "loss": log.last_iteration["loss"],
        "steps": log.last_iteration["num"],
        **apart("preparing", began, prepared),
        **apart("solving", prepared, done),
        **apart("whole", began, done),
    }


def crfsuite_predict(model: str, test: str, sentences: int | None, out: str) -> dict[str, Any]:
    """From lists of tokens to lists of tags: the model is open, features are part of the job."""
    import pycrfsuite

    inputs, _ = read(test, sentences)
    tagger = pycrfsuite.Tagger()
    tagger.open(model)

    def answered() -> Sentences:
        return [tagger.tag(shown(tokens)) for tokens in inputs]

    return _timed(inputs, {"all": answered}, out)


# ---- Erya -------------------------------------------------------------------------------------------------------------


def erya_train(
    train: str, sentences: int | None, steps: int, l2: float, loss: float | None, out: str
) -> dict[str, Any]:
    """``CRF.fit``, watched from its own report; ``loss``: what is to be reached. Kernels are there before the clock starts."""
    from erya.kernel_cache import seconds_compiling
    from erya.models.crf.estimator import CRF
    from erya.progress import Report

    inputs, targets = read(train, sentences)
    CRF(steps=2).fit(inputs[:50], targets[:50])
    tokens = sum(len(one) for one in inputs)

    class Watch(Report):
        def __init__(self) -> None:
            self.steps: list[tuple[Clocks, float]] = []

        def record(self, row: dict[str, Any]) -> None:
            self.steps.append((now(), row["loss"] * tokens))

    class Watched(CRF):
        def _minimized(self, objective: Any, *rest: Any) -> Any:
            self.features, self.begun = len(objective.counted), now()
            found = super()._minimized(objective, *rest)
            self.solved = now()
            return found

    watch, compiled = Watch(), seconds_compiling()
    model = Watched(templates="words", l2=l2, steps=steps, tolerance=0.0)
    began = now()
    model.fit(inputs, targets, report=watch)
    done = now()
    if seconds_compiling() > compiled:
        raise SystemExit("kernels were compiled while the clock ran: once more")
    model.save(out)
    found = {
        "features": model.features,
        "loss": watch.steps[-1][1],
        "steps": len(watch.steps),
        **apart("preparing", began, model.begun),
        **apart("solving", model.begun, model.solved),
        **apart("whole", began, done),
    }
    reached = [number for number, step in enumerate(watch.steps) if loss is not None and step[1] <= loss]
    if reached:
        there = watch.steps[reached[0]][0]
        found |= {"steps_to_loss": reached[0] + 1, "loss_then": watch.steps[reached[0]][1]}
        found |= apart("solving_to_loss", model.begun, there) | apart("whole_to_loss", began, there)
    return found


def erya_predict(model: str, test: str, sentences: int | None, out: str) -> dict[str, Any]:
    """From lists of tokens to lists of tags: the model is open; all sentences in one call, and one in each."""
    import erya

    inputs, _ = read(test, sentences)
    known = erya.load(model)
    return _timed(
        inputs,
        {"all": lambda: known.predict(inputs), "single": lambda: [known.predict([tokens])[0] for tokens in inputs]},
        out,
    )


# ---- clocks -----------------------------------------------------------------------------------------------------------

Clocks = tuple[float, float]


def now() -> Clocks:
    """Wall and processor."""
    return time.perf_counter(), time.process_time()


def apart(name: str, begun: Clocks, done: Clocks) -> dict[str, float]:
    return {f"{name}_seconds": done[0] - begun[0], f"{name}_cpu_seconds": done[1] - begun[1]}


def _timed(inputs: Sentences, ways: dict[str, Any], out: str) -> dict[str, Any]:
    """Seconds of each way, medians of some repeats; the answers of the first way go to ``out``."""
    found: dict[str, Any] = {}
    for name, way in ways.items():
        answers = way()
        if not found:
            with open(out, "w", encoding="utf-8") as file:  # noqa: PTH123  (no import that the other Python may lack)
                json.dump([list(tags) for tags in answers], file)
        taken = []
        for _ in range(REPEATS):
            began = now()
            way()
            taken.append(apart(name, began, now()))
        found |= {figure: statistics.median(one[figure] for one in taken) for figure in taken[0]}
    return found


def main() -> None:
    jobs = {
        "crfsuite_train": crfsuite_train,
        "crfsuite_predict": crfsuite_predict,
        "erya_train": erya_train,
        "erya_predict": erya_predict,
    }
    arguments = json.loads(sys.argv[1])
    print(json.dumps(jobs[arguments.pop("job")](**arguments)))


if __name__ == "__main__":
    main()
