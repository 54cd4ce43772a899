"""A toy classifier that takes one label a text, several, or shares: log odds of words, label by label."""

from __future__ import annotations

import numpy as np

from erya.contract import Model
from erya.parts import label_thresholds
from erya.progress import quiet
from erya.state import State, pack_strings, unpack_strings
from erya.tasks import classify
from erya.text.tokenizers import from_plain, make, tokens_of
from erya.trace import Bars, Trace


class ToyTags(Model):
    """Per label a sigmoid of summed word evidence (C, V + 1); a softmax where every text has one label."""

    id = "classify/tags"

    def __init__(self, *, tokenizer="auto", class_weight=None):
        self.tokenizer = tokenizer
        self.class_weight = class_weight

    def fit(self, X, y=None, *, sample_weight=None, validation=None, report=quiet):
        data = classify.examples(
            X, y, sample_weight=sample_weight, class_weight=self.class_weight, kinds=("one", "several", "soft")
        )
        self.tokenizer_, self.classes_, self.several_ = make(self.tokenizer), data.classes, data.kind == "several"
        rows = [tokens_of(self.tokenizer_, document) for document in data.documents]
        self.words_ = {word: index for index, word in enumerate(sorted({word for row in rows for word in row}))}
        having, whole = np.zeros((len(self.classes_), len(self.words_))), np.zeros(len(self.words_))
        for number, row in enumerate(rows):
            entries = slice(data.starts[number], data.starts[number + 1])
            for word in set(row):
                whole[self.words_[word]] += data.weights[number]
                having[data.labels[entries], self.words_[word]] += data.weights[number] * data.shares[entries]
        priors = np.bincount(
            data.labels, np.repeat(data.weights, np.diff(data.starts)) * data.shares, len(self.classes_)
        ) / len(rows)
        odds = np.log((having + priors[:, None]) / (whole - having + 1 - np.minimum(priors, 0.9)[:, None]))
        self.odds_ = np.concatenate(
            [odds - np.log(priors / (1 - np.minimum(priors, 0.9)))[:, None], [[0]] * len(odds)], 1
        )
        self.bias_ = np.log(priors / (1 - np.minimum(priors, 0.9)))
        self.thresholds_ = np.full(len(self.classes_), 0.5)
        if self.several_:
            self.thresholds_ = label_thresholds.learn(self._proba(data.documents), data.starts, data.labels)
        return self

    def _proba(self, documents):
        found = np.zeros((len(documents), len(self.classes_)))
        for number, document in enumerate(documents):
            words = {self.words_.get(word, -1) for word in tokens_of(self.tokenizer_, document)}
            found[number] = self.bias_ + self.odds_[:, sorted(words)].sum(axis=1)
        if self.several_:
            return 1 / (1 + np.exp(-found))
        shifted = np.exp(found - found.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)

    def predict_proba(self, X):
        self._check_fitted()
        return self._proba(classify.documents(X))

    def predict(self, X):
        return label_thresholds.decided(self, self.predict_proba(X))

    def trace(self, x):
        answer = self.predict_proba([x])[0]
        return Trace(self.id, str(x), {"probabilities": answer}, [Bars("p", [str(c) for c in self.classes_], answer)])

    def state(self):
        data = {"classes": self.classes_.tolist(), "several": self.several_, "tokenizer": self.tokenizer_.to_plain()}
        arrays = {"odds": self.odds_, "bias": self.bias_, "thresholds": self.thresholds_}
        return State({**arrays, **pack_strings("words", list(self.words_))}, data)

    def set_state(self, state):
        self.tokenizer_, self.several_ = from_plain(state.data["tokenizer"]), state.data["several"]
        self.classes_ = np.array(state.data["classes"])
        self.words_ = {word: index for index, word in enumerate(unpack_strings("words", state.arrays))}
        self.odds_, self.bias_ = state.arrays["odds"], state.arrays["bias"]
        self.thresholds_ = state.arrays["thresholds"]
