"""A model that takes steps, keeps checkpoints, and comes to grief where the environment variable TOY_TROUBLE says so.

``TOY_TROUBLE="17 SIGKILL"``: at step 17 the process kills itself; likewise SIGINT, SIGTERM, memory, diverged, data, bug.
"""

import os
import signal
import time

import numpy as np

from erya import machine
from erya.contract import Model
from erya.errors import DataError, DivergedError, Interrupted
from erya.state import State, pack_strings, unpack_strings


class SmallSteps(Model):
    id = "classify/small_steps"

    def __init__(self, *, steps=24, pause=0.0, batch_size=4, learning_rate=0.3, checkpoints=True, seed=0):
        self.steps = steps
        self.pause = pause
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.checkpoints = checkpoints
        self.seed = seed

    def fit(self, X, y=None, *, sample_weight=None, validation=None, report=None):
        self.classes_, targets = np.unique(np.asarray(y), return_inverse=True)
        self.words_ = sorted({word for text in X for word in text.split()})
        self.weights_ = np.zeros((len(self.words_), len(self.classes_)))
        self.speed_ = np.zeros_like(self.weights_)
        self.threads_ = machine.threads()
        generator = np.random.default_rng(self.seed)
        counts, wanted = self._counts(X), np.eye(len(self.classes_))[targets]
        saved = report.load_checkpoint() if self.checkpoints else None
        first = self._continue(saved, generator) if saved else 0
        for step in range(first, self.steps):
            trouble(step)
            chosen = generator.integers(0, len(X), self.batch_size)
            error = softmax(counts[chosen] @ self.weights_) - wanted[chosen]
            self.speed_ = 0.9 * self.speed_ - self.learning_rate * counts[chosen].T @ error
            self.weights_ = self.weights_ + self.speed_
            time.sleep(self.pause)
            report.progress(epoch=1, epochs=1, done=(step + 1) / self.steps, loss=float(np.abs(error).mean()))
            if step % 5 == 0:
                report.record({"step": step, "loss": np.abs(error).mean(), "tokens_per_second": time.time()})
            reason = report.stopping()
            if reason == "interrupt":
                if self.checkpoints:
                    report.save_checkpoint(self._progress(step + 1, generator))
                raise Interrupted("interrupted", "stopped")
            if reason == "budget":
                break
            if self.checkpoints and report.checkpoint_due():
                report.save_checkpoint(self._progress(step + 1, generator))
        return self

    def _progress(self, step, generator):
        plain = {"step": step, "generator": generator.bit_generator.state, "tokenizer": {"name": "words"}}
        return State({"weights": self.weights_, "speed": self.speed_}, plain)

    def _continue(self, saved, generator):
        assert saved.data["tokenizer"] == {"name": "words"}
        self.weights_, self.speed_ = saved.arrays["weights"], saved.arrays["speed"]
        generator.bit_generator.state = saved.data["generator"]
        return saved.data["step"]

    def _counts(self, X):
        place = {word: index for index, word in enumerate(self.words_)}
        counts = np.zeros((len(X), len(self.words_)))
        for row, text in enumerate(X):
            for word in text.split():
                if word in place:
                    counts[row, place[word]] += 1
        return counts

    def predict_proba(self, X):
        return softmax(self._counts(X) @ self.weights_)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def state(self):
        arrays = {"weights": self.weights_, **pack_strings("words", self.words_)}
        return State(arrays, {"classes": self.classes_.tolist(), "threads": self.threads_})

    def set_state(self, state):
        self.weights_, self.words_ = state.arrays["weights"], unpack_strings("words", state.arrays)
        self.classes_, self.threads_ = np.asarray(state.data["classes"]), state.data["threads"]


def softmax(values):
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def trouble(step):
    at, _, what = os.environ.get("TOY_TROUBLE", "-1 none").partition(" ")
    if step != int(at):
        return
    if what == "SIGKILL":
        os.kill(os.getpid(), signal.SIGKILL)
    if what.startswith("SIG"):
        signal.raise_signal(getattr(signal, what))
    if what == "memory":
        np.zeros(1 << 50)
    raised = {
        "torch": RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        "diverged": DivergedError("not-finite", "the loss is NaN"),
        "data": DataError("one-class", "one class"),
        "bug": ZeroDivisionError(),
    }
    if what in raised:
        raise raised[what]
