"""Naive Bayes: which class would have written this text? Counts of words and n-grams, turned around by Bayes' rule.

Maron 1961, "Automatic Indexing"; as a multinomial, McCallum and Nigam 1998, "A Comparison of Event Models for Naive Bayes
Text Classification". The generative model: it describes how texts of each class come about, p(text | class), and never
looks at the border between the classes. Its counterpart is ``logistic_regression``.

    ln p(c) + Σ_w n_w ln θ_cw  +  character_weight · Σ_s n_s ln θ_cs        w words and word n-grams, s pieces of words

Not here: hashing, tf-idf, learning the weights of the features – whatever is learned is a count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.parts import settings
from erya.parts.ngram_evidence import counted, evidence_of, explanation, logits, tokenized, trace_of
from erya.parts.ngrams import Counts, Ngrams, check_settings
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.parts.ngram_evidence import Evidence
    from erya.trace import Trace

Floats = NDArray[np.float64]

SMALLEST_SHARE = 1e-15  # of a class whose rows all weigh nothing: its prior's logarithm stays finite


class NaiveBayes(Model):
    """Multinomial naive Bayes over word n-grams and the character n-grams inside words.

    Args:
        word_ngrams: most words (for Chinese: characters, see ``tokenizer``) of an n-gram; 1: words alone.
        min_n: fewest characters of a piece of a word; ``<`` and ``>`` at its ends count.
        max_n: most; 0: no pieces.
        character_weight: what a piece's evidence counts against a word's. Pieces overlap and repeat one another.
        min_count: a word of fewer documents is left out.
        min_count_ngrams: likewise for word n-grams and pieces.
        smoothing: what is added to every count, so that nothing is impossible.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        tokenizer: a name or a tokenizer; ``"auto"``: words, and each Chinese character by itself.

    Attributes:
        classes_: (C,) labels, sorted.
        tokenizer_: the tokenizer used.
        ngrams_: the V features.
        log_likelihood_: (C, V) float32: ln θ of words and word n-grams, ``character_weight`` · ln θ of pieces.
        log_prior_: (C,) ln p(c).

    Example:
        >>> NaiveBayes().fit(["a fine film", "a dull film"], ["good", "bad"]).predict(["fine"]).tolist()
        ['good']
    """

    id: ClassVar[str] = "classify/naive_bayes"

    def __init__(
        self,
        *,
        word_ngrams: int = 2,
        min_n: int = 2,
        max_n: int = 4,
        character_weight: float = 0.2,
        min_count: int = 1,
        min_count_ngrams: int = 2,
        smoothing: float = 0.3,
        class_weight: str | dict[Any, float] | None = None,
        tokenizer: Any = "auto",
    ) -> None:
        self.word_ngrams = word_ngrams
        self.min_n = min_n
        self.max_n = max_n
        self.character_weight = character_weight
        self.min_count = min_count
        self.min_count_ngrams = min_count_ngrams
        self.smoothing = smoothing
        self.class_weight = class_weight
        self.tokenizer = tokenizer

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Count.

        Args:
            X: N texts or pairs of texts.
            y: N labels.
            sample_weight: N weights; a row of weight 2 is that row twice.
            validation: taken for the sake of the contract; there is nothing to stop early.
            report: asked whether to stop.

        Raises:
            DataError: no rows, one class, lengths that differ.
            UsageError: a setting out of its range.
            Interrupted: the report asked for it.
        """
        self._check_settings()
        examples = classify.examples(X, y, sample_weight=sample_weight, class_weight=self.class_weight)
        tokenizer = tokenizers.make(self.tokenizer)
        tokens = tokenized(tokenizer, examples.documents, report)
        ngrams = Ngrams.learn(
            tokens,
            word_ngrams=self.word_ngrams,
            min_n=self.min_n,
            max_n=self.max_n,
            min_count=self.min_count,
            min_count_ngrams=self.min_count_ngrams,
            # a fraction of a row is still one sighting of its words
            copies=np.where(examples.weights > 0, np.maximum(examples.weights, 1.0), 0.0),
        )
        counts = ngrams.count(tokens)
        classes = len(examples.classes)
        totals = class_totals(counts, examples.targets, examples.weights, classes)  # (C, V)
        words, pieces = totals[:, : ngrams.first_piece], totals[:, ngrams.first_piece :]
        likelihood = np.hstack(
            [log_shares(words, self.smoothing), self.character_weight * log_shares(pieces, self.smoothing)]
        )
        shares = np.bincount(examples.targets, weights=examples.weights, minlength=classes) / examples.weights.sum()

        self.classes_, self.tokenizer_, self.ngrams_ = examples.classes, tokenizer, ngrams
        self.log_likelihood_ = likelihood.astype(np.float32)
        self.log_prior_ = np.log(np.maximum(shares, SMALLEST_SHARE))
        report.progress(epoch=1, epochs=1, done=1.0)
        return self

    def _check_settings(self) -> None:
        check_settings(self)
        settings.number("character_weight", self.character_weight, 0, 1e6)
        settings.number("smoothing", self.smoothing, 0, 1e6, closed=False)

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> Floats:
        """(N, C) the probability of each class; rows sum to 1. Overconfident: see the notes."""
        return posterior(self._logits(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable class of each text."""
        answers: NDArray[Any] = self.classes_[self._logits(X).argmax(axis=1)]
        return answers

    def _logits(self, X: Any) -> Floats:
        """(N, C) ln p(c) + ln p(x | c): the logarithm of the joint probability, but for what all classes share."""
        self._check_fitted()
        found = [np.zeros((0, len(self.classes_)))]
        for counts in counted(self.ngrams_, self.tokenizer_, classify.documents(X)):
            found.append(logits(counts, counts.counts.astype(np.float64), self.log_likelihood_, self.log_prior_))
        return np.concatenate(found)

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text: features, counts, ln θ (m, C), contributions (m, C), ln prior (C,), logits, probabilities."""
        evidence = self._evidence(x)
        return trace_of(self.id, evidence, self.classes_, posterior(evidence.logits), _words())

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label and not its strongest rival: the exact parts of the log-odds.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the predicted one.

        Raises:
            UsageError: no such label.
        """
        evidence = self._evidence(x)
        return explanation(self.id, evidence, self.classes_, posterior(evidence.logits), label, _words())

    def _evidence(self, x: Any) -> Evidence:
        self._check_fitted()
        (document,) = classify.documents([x])
        return evidence_of(document, self.ngrams_, self.tokenizer_, self.log_likelihood_, self.log_prior_, _values)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Logarithms of likelihoods and priors, the features; classes and tokenizer."""
        self._check_fitted()
        features = self.ngrams_.state()
        return State(
            {"log_likelihood": self.log_likelihood_, "log_prior": self.log_prior_, **features.arrays},
            {"classes": self.classes_.tolist(), "tokenizer": self.tokenizer_.to_plain(), **features.data},
        )

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
        """
        data, likelihood, prior = state.data, state.arrays["log_likelihood"], state.arrays["log_prior"]
        ngrams = Ngrams.from_state(state)
        classes = np.array(data["classes"])
        if classes.ndim != 1 or len(classes) < 2 or classes.tolist() != np.unique(classes).tolist():
            raise ValueError("the classes are not two or more sorted labels")
        if likelihood.dtype != np.float32 or likelihood.shape != (len(classes), len(ngrams)):
            raise ValueError("the likelihoods do not fit the classes and features")
        if prior.dtype != np.float64 or prior.shape != classes.shape:
            raise ValueError("the priors do not fit the classes")
        if not (np.isfinite(likelihood).all() and np.isfinite(prior).all()):
            raise ValueError("there are values that are not finite")
        self.classes_, self.ngrams_ = classes, ngrams
        self.log_likelihood_, self.log_prior_ = likelihood, prior
        self.tokenizer_ = tokenizers.from_plain(data["tokenizer"])


# ---- the mathematics ----------------------------------------------------------------------------------------------


def class_totals(counts: Counts, targets: NDArray[np.int64], weights: Floats, classes: int) -> Floats:
    """(C, V) how often each feature stands in the documents of each class, a document counted ``weight`` times."""
    documents = counts.documents()
    cells = targets[documents] * counts.width + counts.features
    totals: Floats = np.zeros(classes * counts.width)
    totals += np.bincount(cells, weights=weights[documents] * counts.counts, minlength=len(totals))
    return totals.reshape(classes, counts.width)


def log_shares(totals: Floats, smoothing: float) -> Floats:
    """(C, V) ln θ: each class's counts, smoothed, as shares of their sum."""
    smoothed = totals + smoothing
    found: Floats = np.log(smoothed / smoothed.sum(axis=1, keepdims=True))
    return found


def posterior(joint: Floats) -> Floats:
    """Bayes' rule: p(c | x) = p(x, c) / Σ p(x, ·), over the last axis; from logarithms, the largest taken out first."""
    shifted = np.exp(joint - joint.max(axis=-1, keepdims=True))
    found: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return found


def _values(counts: Counts) -> Floats:
    return counts.counts.astype(np.float64)


def _words() -> dict[str, str]:
    from erya.language import say

    return {
        "value": say("count", "次数"),
        "weight": "ln θ / θ′",
        "bias": say("prior", "先验"),
    }
