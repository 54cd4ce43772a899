"""A toy sixth model for the tests of the catalog: log counts of words by class, added up. One folder, no other edit."""

from __future__ import annotations

import numpy as np

from erya.contract import Model
from erya.errors import UsageError
from erya.progress import quiet
from erya.state import State, pack_strings, unpack_strings
from erya.tasks import classify
from erya.text.tokenizers import from_plain, make, tokens_of
from erya.trace import Bars, TokenHeat, Trace


class LongestWord(Model):
    """Sums the logarithms of smoothed counts (C, V)."""

    id = "classify/longest_word"

    def __init__(self, *, tokenizer="auto", class_weight=None):
        self.tokenizer = tokenizer
        self.class_weight = class_weight

    def fit(self, X, y=None, *, sample_weight=None, validation=None, report=quiet):
        data = classify.examples(X, y, sample_weight=sample_weight, class_weight=self.class_weight)
        self.tokenizer_ = make(self.tokenizer)
        self.classes_ = data.classes
        rows = [tokens_of(self.tokenizer_, document) for document in data.documents]
        self.words_ = {word: index for index, word in enumerate(sorted({word for row in rows for word in row}))}
        counts = np.ones((len(self.classes_), len(self.words_) + 1))
        for row, target, weight in zip(rows, data.targets, data.weights, strict=True):
            for word in row:
                counts[target, self.words_[word]] += weight
        self.logs_ = np.log(counts / counts.sum(axis=1, keepdims=True))
        return self

    def predict_proba(self, X):
        self._check_fitted()
        return np.array([self._answer(document) for document in classify.documents(X)]).reshape(-1, len(self.classes_))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _answer(self, document):
        logits = self._logs_of(tokens_of(self.tokenizer_, document)).sum(axis=0)
        shifted = np.exp(logits - logits.max())
        return shifted / shifted.sum()

    def _logs_of(self, words):
        return self.logs_[:, [self.words_.get(word, len(self.words_)) for word in words]].T.reshape(
            -1, len(self.classes_)
        )

    def trace(self, x):
        (document,) = classify.documents([x])
        answer = self._answer(document)
        logs = self._logs_of(tokens_of(self.tokenizer_, document))
        labels = [str(label) for label in self.classes_]
        return Trace(self.id, str(x), {"logs": logs, "probabilities": answer}, [Bars("probabilities", labels, answer)])

    def explain(self, x, label=None):
        (document,) = classify.documents([x])
        labels = [str(one) for one in self.classes_]
        if label is not None and str(label) not in labels:
            raise UsageError("unknown-label", f"no label {label}")
        answer = self._answer(document)
        chosen = int(answer.argmax()) if label is None else labels.index(str(label))
        shown = document if isinstance(document, str) else document[0]
        spans = self.tokenizer_.spans(shown)
        logs = self._logs_of([shown[start:end].lower() for start, end in spans])
        values = logs[:, chosen] - logs.mean(axis=1)
        heat = TokenHeat(labels[chosen], shown, spans, values)
        return Trace(
            self.id, shown, {"values": values, "probabilities": answer}, [heat, Bars("probabilities", labels, answer)]
        )

    def state(self):
        labels = self.classes_.tolist()
        return State(
            {"logs": self.logs_, **pack_strings("words", list(self.words_))},
            {"classes": labels, "tokenizer": self.tokenizer_.to_plain()},
        )

    def set_state(self, state):
        self.tokenizer_ = from_plain(state.data["tokenizer"])
        self.classes_ = np.array(state.data["classes"])
        self.words_ = {word: index for index, word in enumerate(unpack_strings("words", state.arrays))}
        self.logs_ = state.arrays["logs"]
        if self.logs_.shape != (len(self.classes_), len(self.words_) + 1):
            raise ValueError("logs do not fit the words")
