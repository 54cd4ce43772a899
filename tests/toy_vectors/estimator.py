"""A toy room of word vectors for the tests of the catalog, the runs and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from erya.contract import Model
from erya.errors import DataError, Interrupted, UsageError
from erya.parts.word_queries import WordQueries
from erya.progress import quiet
from erya.state import State, pack_strings, unpack_strings
from erya.text import files
from erya.text.tokenizers import from_plain, make
from erya.trace import Bars, Trace


class ToyVectors(Model, WordQueries):
    """U (V, D) such that U Uᵀ comes near the positive pointwise mutual information of neighbours, by gradient steps."""

    id = "vectors/toy"

    def __init__(
        self,
        *,
        dim: int = 16,
        window: int = 4,
        min_count: int = 2,
        epochs: int = 30,
        learning_rate: float = 0.05,
        seed: int = 0,
        tokenizer: str = "words",
    ):
        self.dim = dim
        self.window = window
        self.min_count = min_count
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.seed = seed
        self.tokenizer = tokenizer

    def fit(self, X, y=None, *, sample_weight=None, validation=None, report=quiet):
        if isinstance(X, str):
            raise UsageError("bare-string", "X is one string")
        self.tokenizer_ = make(self.tokenizer)
        lines = [self._tokens(line) for line in _lines(X)]
        counts: dict[str, int] = {}
        for line in lines:
            for word in line:
                counts[word] = counts.get(word, 0) + 1
        kept = sorted(
            (word for word in counts if counts[word] >= self.min_count), key=lambda word: (-counts[word], word)
        )
        if not kept:
            raise DataError("no-words", f"no word occurs {self.min_count} times")
        self.words_, self.counts_ = kept, np.array([counts[word] for word in kept], dtype=np.int64)
        target = self._associations(lines, {word: index for index, word in enumerate(kept)})
        self._learn(target, sum(map(len, lines)), report)
        return self

    def _tokens(self, line):
        return list(line) if not isinstance(line, str) else [t for t in self.tokenizer_.tokens(line) if t.isalnum()]

    def _associations(self, lines, index):
        table = np.full((len(index), len(index)), 0.1)
        for line in lines:
            ids = [index[word] for word in line if word in index]
            for place, center in enumerate(ids):
                for other in ids[max(0, place - self.window) : place]:
                    table[center, other] += 1
                    table[other, center] += 1
        total = table.sum()
        return np.maximum(0, np.log(table * total / np.outer(table.sum(axis=0), table.sum(axis=1))))

    def _learn(self, target, tokens, report):
        points = np.random.default_rng(self.seed).normal(0, 0.1, (len(target), self.dim))
        self.curve_, epoch = [], 0
        state = report.load_checkpoint()
        if state is not None:
            points, epoch = np.array(state.arrays["points"]), int(state.data["epoch"])
        while epoch < self.epochs:
            rest = target - points @ points.T
            points = points + self.learning_rate * rest @ points / np.abs(target).sum(axis=1).mean()
            epoch += 1
            row = {"epoch": epoch, "loss": float((rest**2).mean())}
            self.curve_.append(row)
            report.record(row)
            done = epoch / self.epochs
            report.progress(
                epoch=epoch, epochs=self.epochs, done=done, loss=row["loss"], tokens_per_second=tokens * 1.0
            )
            wish = report.stopping()
            if wish == "interrupt":
                report.save_checkpoint(State({"points": points}, {"epoch": epoch}))
                raise Interrupted("interrupted", "stopped")
            if wish == "budget":
                break
            if report.checkpoint_due():
                report.save_checkpoint(State({"points": points}, {"epoch": epoch}))
        self.vectors_ = points.astype(np.float32)

    def trace(self, x: Any) -> Trace:
        vector = self.transform([x])[0]
        bars = Bars("vector", [str(index) for index in range(len(vector))], vector)
        return Trace(self.id, str(x), {"vector": vector}, [bars])

    def state(self) -> State:
        arrays = {"vectors": self.vectors_, "counts": self.counts_, **pack_strings("words", self.words_)}
        return State(arrays, {"tokenizer": self.tokenizer_.to_plain()})

    def set_state(self, state: State) -> None:
        self.tokenizer_ = from_plain(state.data["tokenizer"])
        self.words_ = unpack_strings("words", state.arrays)
        self.vectors_, self.counts_ = state.arrays["vectors"], state.arrays["counts"]
        if self.vectors_.shape != (len(self.words_), self.dim):
            raise ValueError("vectors do not fit the words")


def _lines(X):
    if isinstance(X, Path):
        X = [X]
    for one in X:
        if isinstance(one, Path):
            for line in files.lines(files.blocks(one)):
                yield line.raw.decode("utf-8")
        else:
            yield one
