"""A toy room of word vectors for the tests of the catalog, the runs and the command line."""

from __future__ import annotations

from typing import Any

import numpy as np

from erya.contract import Model
from erya.errors import DataError, Interrupted
from erya.parts.word_queries import WordQueries
from erya.progress import quiet
from erya.state import State, pack_strings, unpack_strings
from erya.text.tokenizers import from_plain
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
        epochs: int = 60,
        learning_rate: float = 0.3,
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
        from erya.text.corpus import encode  # imports numba, which answering does not need

        corpus = encode(X, tokenizer=self.tokenizer, min_count=self.min_count, report=report)
        self.tokenizer_, self.words_, self.counts_ = corpus.tokenizer, corpus.words, corpus.counts
        lines = np.split(corpus.ids, np.flatnonzero(corpus.ids < 0) + 1)
        table = np.full((len(self.words_), len(self.words_)), 0.1)
        for line in lines:
            ids = line[line >= 0].tolist()
            for place, center in enumerate(ids):
                for other in ids[max(0, place - self.window) : place]:
                    table[center, other] += 1
                    table[other, center] += 1
        surprise = np.log(table * table.sum() / np.outer(table.sum(axis=0), table.sum(axis=1)))
        self._learn(np.maximum(0, surprise), corpus, report)
        return self

    def _learn(self, target, corpus, report):
        points = np.random.default_rng(self.seed).normal(0, 0.1, (len(target), self.dim))
        self.curve_, epoch = [], 0
        state = report.load_checkpoint()
        if state is not None:
            if state.data["digest"] != corpus.digest:
                raise DataError("data-changed", "the checkpoint is of another corpus")
            points, epoch = np.array(state.arrays["points"]), int(state.data["epoch"])
        while epoch < self.epochs:
            rest = target - points @ points.T
            points = points + self.learning_rate * rest @ points / max(1.0, target.sum(axis=1).mean())
            epoch += 1
            row = {"epoch": epoch, "loss": float((rest**2).mean())}
            self.curve_.append(row)
            report.record(row)
            done = epoch / self.epochs
            report.progress(epoch=epoch, epochs=self.epochs, done=done, loss=row["loss"], tokens_per_second=1e6)
            wish = report.stopping()
            if wish == "interrupt":
                report.save_checkpoint(State({"points": points}, {"epoch": epoch, "digest": corpus.digest}))
                raise Interrupted("interrupted", "stopped")
            if wish == "budget":
                break
            if report.checkpoint_due():
                report.save_checkpoint(State({"points": points}, {"epoch": epoch, "digest": corpus.digest}))
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
