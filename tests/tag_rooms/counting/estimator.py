"""A toy room of taggers for the tests of the task, the runs and the command line."""

from __future__ import annotations

from typing import Any

import numpy as np

from erya.contract import Model
from erya.progress import quiet
from erya.state import State, pack_strings, unpack_strings
from erya.tasks import tag
from erya.text.tokenizers import from_plain
from erya.trace import Lattice, TokenHeat, Trace


class Counting(Model):
    """Which tags a token had, and which tag followed which: the best way through both (Viterbi)."""

    id = "tag/counting"

    def __init__(self, *, tokenizer: str = "auto", scheme: str = "data", smoothing: float = 0.1):
        self.tokenizer = tokenizer
        self.scheme = scheme
        self.smoothing = smoothing

    def fit(self, X, y=None, *, sample_weight=None, validation=None, report=quiet):
        tokenizer = tag.tokenizer_for(self.tokenizer, X)
        examples = tag.examples(
            X, y, tokenizer=tokenizer, sample_weight=sample_weight, scheme=self.scheme, report=report
        )
        self.tokenizer_, self.classes_ = tokenizer, examples.classes
        self.scheme_, self.data_scheme_ = examples.scheme, examples.data_scheme
        self.words_ = sorted({token for sentence in examples.sentences for token in sentence})
        places, count = {word: place for place, word in enumerate(self.words_)}, len(self.classes_)
        self.emissions_ = np.zeros((len(self.words_) + 1, count))  # the last row: any word
        self.transitions_ = np.zeros((count + 1, count))  # the last row: a sentence's beginning
        for number, sentence in enumerate(examples.sentences):
            before = count
            tags = examples.tags[examples.starts[number] : examples.starts[number + 1]].tolist()
            for token, given in zip(sentence, tags, strict=True):
                self.emissions_[places[token], given] += examples.weights[number]
                self.transitions_[before, given] += examples.weights[number]
                before = given
        self.emissions_[-1] = self.emissions_.sum(axis=0) / max(1, len(self.words_))
        return self

    def _scores(self, sentence):
        """(T, C) log p(token | tag), and the best path (T,)."""
        places = {word: place for place, word in enumerate(self.words_)}
        rules, count = tag.allowed(self.classes_, self.scheme_), len(self.classes_)
        likely = np.log(
            (self.transitions_ + self.smoothing) / (self.transitions_ + self.smoothing).sum(1, keepdims=True)
        )
        words = np.log((self.emissions_ + self.smoothing) / (self.emissions_ + self.smoothing).sum(0))
        scores = words[[places.get(token, -1) for token in sentence]].reshape(len(sentence), count)
        if not len(sentence):
            return scores, np.zeros(0, dtype=np.int64)
        steps = np.where(rules.following, likely[:-1], -1e9)
        best, back = np.where(rules.first, likely[-1], -1e9) + scores[0], []
        for row in scores[1:]:
            ways = best[:, None] + steps
            back.append(ways.argmax(axis=0))
            best = ways.max(axis=0) + row
        path = [int(np.where(rules.last, best, best - 1e9).argmax())]
        for came in reversed(back):
            path.append(int(came[path[-1]]))
        return scores, np.array(path[::-1], dtype=np.int64)

    def predict(self, X):
        sentences = tag.sentences(X, self._ready())
        paths = [self._scores(sentence)[1] for sentence in sentences]
        return tag.answers(sentences, paths, self.classes_, self.scheme_, self.data_scheme_)

    def predict_marginals(self, X):
        found = []
        for sentence in tag.sentences(X, self._ready()):
            scores = np.exp(self._scores(sentence)[0])
            found.append(scores / scores.sum(axis=1, keepdims=True))
        return found

    def _ready(self):
        self._check_fitted()
        return self.tokenizer_

    def trace(self, x: Any) -> Trace:
        (sentence,) = tag.sentences([x], self._ready())
        scores, path = self._scores(sentence)
        (marginals,) = self.predict_marginals([x])
        view = Lattice("Lattice", list(sentence), self.classes_.tolist(), scores, path, marginals)
        return Trace(self.id, sentence.text, {"emissions": scores, "marginals": marginals, "path": path}, [view])

    def explain(self, x: Any, label: Any = None) -> Trace:
        (sentence,) = tag.sentences([x], self._ready())
        (marginals,) = self.predict_marginals([x])
        values = marginals.max(axis=1, initial=0.0)
        return Trace(
            self.id,
            sentence.text,
            {"marginals": marginals},
            [TokenHeat("why", sentence.text, sentence.offsets, values)],
        )

    def state(self) -> State:
        names = [str(name) for name in self.classes_.tolist()]
        arrays = {"emissions": self.emissions_, "transitions": self.transitions_}
        arrays |= {**pack_strings("words", self.words_), **pack_strings("classes", names)}
        plain = {"tokenizer": self.tokenizer_.to_plain(), "scheme": self.scheme_, "data_scheme": self.data_scheme_}
        return State(arrays, plain)

    def set_state(self, state: State) -> None:
        self.tokenizer_ = from_plain(state.data["tokenizer"])
        self.scheme_, self.data_scheme_ = state.data["scheme"], state.data["data_scheme"]
        self.words_ = unpack_strings("words", state.arrays)
        self.classes_ = np.array(unpack_strings("classes", state.arrays), dtype=np.str_)
        self.emissions_, self.transitions_ = state.arrays["emissions"], state.arrays["transitions"]
        if self.emissions_.shape != (len(self.words_) + 1, len(self.classes_)):
            raise ValueError("emissions do not fit the words")
