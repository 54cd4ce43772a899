"""A toy classifier that takes one label a text and no other target: what is refused elsewhere is refused by it."""

from __future__ import annotations

import numpy as np

from erya.contract import Model
from erya.progress import quiet
from erya.state import State, pack_strings, unpack_strings
from erya.tasks import classify
from erya.text.tokenizers import from_plain, make, tokens_of
from erya.trace import Bars, Trace


class ToyLabel(Model):
    """How often each word stands in texts of each label (C, V), added up."""

    id = "classify/single"

    def __init__(self, *, tokenizer="auto", class_weight=None):
        self.tokenizer = tokenizer
        self.class_weight = class_weight

    def fit(self, X, y=None, *, sample_weight=None, validation=None, report=quiet):
        data = classify.examples(X, y, sample_weight=sample_weight, class_weight=self.class_weight)
        self.tokenizer_, self.classes_ = make(self.tokenizer), data.classes
        rows = [tokens_of(self.tokenizer_, document) for document in data.documents]
        self.words_ = {word: index for index, word in enumerate(sorted({word for row in rows for word in row}))}
        self.counts_ = np.full((len(self.classes_), len(self.words_)), 0.1)
        for row, target, weight in zip(rows, data.targets, data.weights, strict=True):
            for word in row:
                self.counts_[target, self.words_[word]] += weight
        return self

    def predict_proba(self, X):
        self._check_fitted()
        shares = self.counts_ / self.counts_.sum(axis=0)
        found = np.full((len(X), len(self.classes_)), 0.1)
        for number, document in enumerate(classify.documents(X)):
            for word in tokens_of(self.tokenizer_, document):
                if word in self.words_:
                    found[number] += shares[:, self.words_[word]] ** 2
        return found / found.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def trace(self, x):
        answer = self.predict_proba([x])[0]
        return Trace(self.id, str(x), {"probabilities": answer}, [Bars("p", [str(c) for c in self.classes_], answer)])

    def state(self):
        data = {"classes": self.classes_.tolist(), "tokenizer": self.tokenizer_.to_plain()}
        return State({"counts": self.counts_, **pack_strings("words", list(self.words_))}, data)

    def set_state(self, state):
        self.tokenizer_, self.classes_ = from_plain(state.data["tokenizer"]), np.array(state.data["classes"])
        self.words_ = {word: index for index, word in enumerate(unpack_strings("words", state.arrays))}
        self.counts_ = state.arrays["counts"]
