"""A toy classifier whose dials decide how good it is: the further ``turn`` is from 1, the more texts it answers wrongly."""

from __future__ import annotations

import hashlib
import math
import time

import numpy as np

from erya.contract import Model
from erya.errors import DivergedError
from erya.parts import label_thresholds
from erya.progress import quiet
from erya.state import State, pack_strings, unpack_strings
from erya.tasks import classify


class Dial(Model):
    """Counts (C, V) of words by label; ``slow``: seconds of each of ten steps; ``deaf``: it never asks whether to stop."""

    id = "classify/dial"

    def __init__(self, *, turn=0.1, colour="blue", idle=3, slow=0.0, deaf=False, refuses="", seed=0):
        self.turn = turn
        self.colour = colour
        self.idle = idle
        self.slow = slow
        self.deaf = deaf
        self.refuses = refuses
        self.seed = seed

    def fit(self, X, y=None, *, sample_weight=None, validation=None, report=quiet):
        if self.colour == self.refuses or self.refuses == "all":
            raise DivergedError("diverged", f"no training with {self.colour}")
        data = classify.examples(X, y, sample_weight=sample_weight, kinds=("one", "several"))
        for step in range(10):
            time.sleep(self.slow)
            report.progress(epoch=step + 1, epochs=10, done=(step + 1) / 10)
            if not self.deaf and report.stopping() is not None:
                break
        words = sorted({word for text in data.documents for word in text.split()})
        counts = np.zeros((len(data.classes), len(words)))
        for number, text in enumerate(data.documents):
            for word in text.split():
                for label in data.labels[data.starts[number] : data.starts[number + 1]]:
                    counts[label, words.index(word)] += 1
        self.classes_, self.several_, self.words_ = data.classes, data.kind == "several", words
        self.shares_ = counts / np.maximum(1, counts.sum(axis=0))
        self.thresholds_ = np.full(len(self.classes_), 0.4)
        self.wrong_ = min(0.9, 0.05 + 0.3 * abs(math.log10(self.turn)) + (0.1 if self.colour == "red" else 0.0))
        return self

    def predict_proba(self, X):
        self._check_fitted()
        found = []
        for text in classify.documents(X):
            known = [self.words_.index(word) for word in text.split() if word in self.words_]
            shares = self.shares_[:, known].max(axis=1) if known else np.full(len(self.classes_), 0.3)
            if hashlib.sha256(text.encode()).digest()[0] / 256 < self.wrong_:
                shares = np.roll(shares, 1)
            found.append(shares if self.several_ else (shares + 0.01) / (shares + 0.01).sum())
        return np.array(found).reshape(-1, len(self.classes_))

    def predict(self, X):
        return label_thresholds.decided(self, self.predict_proba(X))

    def state(self):
        data = {"classes": self.classes_.tolist(), "several": self.several_, "wrong": self.wrong_}
        return State(
            {"shares": self.shares_, "thresholds": self.thresholds_, **pack_strings("words", self.words_)}, data
        )

    def set_state(self, state):
        self.classes_, self.several_ = np.array(state.data["classes"]), state.data["several"]
        self.wrong_, self.words_ = state.data["wrong"], unpack_strings("words", state.arrays)
        self.shares_, self.thresholds_ = state.arrays["shares"], state.arrays["thresholds"]
