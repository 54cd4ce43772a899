"""Naive Bayes: which class would have written this text? Counts of words and n-grams, turned around by Bayes' rule.

Maron 1961, "Automatic Indexing"; as a multinomial, McCallum and Nigam 1998, "A Comparison of Event Models for Naive Bayes
Text Classification". The generative model: it describes how texts of each class come about, p(text | class), and never
looks at the border between the classes. Its counterpart is ``logistic_regression``.

    ln p(c) + Σ_w n_w ln θ_cw  +  character_weight · Σ_s n_s ln θ_cs        w words and word n-grams, s pieces of words

Where texts may have several labels, each is a question of its own – would a text with this label, or one without it, use these
words? –, and the log-odds of yes against no are such a sum again.

Whatever is learned is a count, so more texts are added to what was counted (``partial_fit``). Not here: hashing, tf-idf, learning the
weights of the features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.errors import UsageError
from erya.language import say
from erya.models.naive_bayes.seen import Seen
from erya.parts import held_out_folds, label_thresholds, settings
from erya.parts.going_on import more_examples, unharmed
from erya.parts.ngram_evidence import counted, evidence_of, explanation, logits, tokenized, trace_of
from erya.parts.ngram_union import widened
from erya.parts.ngrams import Counts, Ngrams, check_settings
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.parts.ngram_evidence import Evidence
    from erya.trace import Trace

Floats = NDArray[np.float64]
KINDS: tuple[classify.Kind, ...] = ("one", "several", "soft")

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
        several_: whether texts have several labels.
        thresholds_: (C,) the probability from which each label is answered, learnt on held-out texts; (0,) where texts have one label.
        tokenizer_: the tokenizer used.
        ngrams_: the V features.
        log_likelihood_: (C, V) float32: ln θ of words and word n-grams, ``character_weight`` · ln θ of pieces. Of several labels
            ln θ of texts with the label less ln θ of those without.
        log_prior_: (C,) ln p(c); of several labels ln p(c) / (1 − p(c)).
        seen_: what was counted; None in files that were written before it was kept.

    Example:
        >>> NaiveBayes().fit(["a fine film", "a dull film"], ["good", "bad"]).predict(["fine"]).tolist()
        ['good']
    """

    id: ClassVar[str] = "classify/naive_bayes"
    seen_: Seen | None
    thresholds_: Floats
    state_version: ClassVar[int] = 3  # 1 knew one label a text only, 2 did not keep what was counted

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
            y: N labels; or lists of labels; or dicts ``{label: share}``, counted by their shares.
            sample_weight: N weights; a row of weight 2 is that row twice.
            validation: ``(X, y)``; of several labels the thresholds are learnt from it, else from held-out thirds. Otherwise taken
                for the sake of the contract; there is nothing to stop early.
            report: asked whether to stop.

        Raises:
            DataError: no rows, one class, lengths that differ.
            UsageError: a setting out of its range.
            Interrupted: the report asked for it.
        """
        self._check_settings()
        given = {"sample_weight": sample_weight, "class_weight": self.class_weight}
        self._learn(classify.examples(X, y, **given, kinds=KINDS), validation, report)
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        *,
        classes: Any = None,
        sample_weight: Any = None,
        validation: Any = None,
        report: Report = quiet,
    ) -> Self:
        """Count on: what more texts hold is added to what was counted, and their new words and n-grams join the features.

        Where every n-gram is counted (``min_count_ngrams=1``) portions of texts give the same bits as one ``fit`` on all of them (but
        for ``class_weight="balanced"``, which balances each portion). Else an n-gram joins with the portion that has it often
        enough, and is missing what it was met before. Of several labels the thresholds stay, unless there is validation data.

        Args:
            X: as ``fit``.
            y: as ``fit``, and of the same kind; not every label need occur.
            classes: in the first call, all labels that will occur; later nothing new.
            sample_weight: as ``fit``.
            validation: as ``fit``.
            report: as ``fit``.

        Raises:
            UsageError: a label that the model does not know; targets of another kind; a model from a file that holds no counts;
                as ``fit``.
            DataError, Interrupted: as ``fit``; the model is then as it was.
        """
        self._check_settings()
        if not self.__sklearn_is_fitted__():
            given = {"sample_weight": sample_weight, "class_weight": self.class_weight}
            self._learn(classify.examples(X, y, **given, kinds=KINDS, classes=classes), validation, report)
            return self
        if self.seen_ is None:
            raise UsageError(
                "no-counts",
                say("this model was saved without what it had counted", "这个模型保存时没有留下计数"),
                help=say("fit(X, y) on all texts, once", "用全部文本重新 fit(X, y) 一次"),
            )
        examples = more_examples(self, X, y, classes=classes, sample_weight=sample_weight, kinds=KINDS)
        with unharmed(self):
            tokens = tokenized(self.tokenizer_, examples.documents, report)
            least = {"min_count": self.min_count, "min_count_ngrams": self.min_count_ngrams}
            ngrams, places = widened(self.ngrams_, tokens, **least)
            more = self._counted(ngrams.count(tokens), examples, np.arange(len(examples)))
            self._take(ngrams, self.seen_.and_more(more, places))
            if self.several_:
                found = held_out_folds.thresholds_from(validation, self.classes_, self.predict_proba)
                if found is not None:
                    self.thresholds_ = found
            report.progress(epoch=1, epochs=1, done=1.0)
        return self

    def _learn(self, examples: classify.Examples, validation: Any, report: Report) -> None:
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
        seen = self._counted(counts, examples, np.arange(len(examples)))
        self.classes_, self.tokenizer_ = examples.classes, tokenizer
        self.several_, self.thresholds_ = examples.kind == "several", np.zeros(0)
        self._take(ngrams, seen)
        if self.several_:
            found = held_out_folds.thresholds_from(validation, self.classes_, self.predict_proba)
            self.thresholds_ = self._own_thresholds(ngrams, counts, examples, report) if found is None else found
        report.progress(epoch=1, epochs=1, done=1.0)

    def _take(self, ngrams: Ngrams, seen: Seen) -> None:
        likelihood, prior = self._tables(ngrams, seen)
        self.ngrams_, self.seen_ = ngrams, seen
        self.log_likelihood_, self.log_prior_ = likelihood.astype(np.float32), prior

    def _counted(self, counts: Counts, examples: classify.Examples, rows: NDArray[np.int64]) -> Seen:
        """What stands in some of the texts; of one label a text, in all of them."""
        classes, weights = len(examples.classes), examples.weights[rows]
        if examples.kind == "one":  # all rows: nothing is held out
            totals = class_totals(counts, examples.targets, examples.weights, classes)
            labels: Floats = np.bincount(examples.targets, weights=weights, minlength=classes).astype(np.float64)
            return Seen(totals, labels, np.zeros(0), float(weights.sum()))
        members = held_out_folds.members(examples)[rows] * weights[:, None]  # (n, C)
        matrix = _sparse(counts)[rows]
        totals = np.asarray(matrix.T @ members).T  # (C, V)
        if examples.kind == "soft":
            return Seen(totals, members.sum(axis=0), np.zeros(0), float(weights.sum()))
        return Seen(totals, members.sum(axis=0), np.asarray(matrix.T @ weights), float(weights.sum()), len(rows))

    def _tables(self, ngrams: Ngrams, seen: Seen) -> tuple[Floats, Floats]:
        """(C, V) weights and (C,) biases from what was counted."""
        with_label = self._log_shares(seen.totals, ngrams.first_piece)
        shares = seen.labels / seen.weight
        if not len(seen.whole):
            return with_label, np.log(np.maximum(shares, SMALLEST_SHARE))
        rest = np.maximum(seen.whole - seen.totals, 0.0)  # (C, V) of the texts without the label
        bounded = np.clip(shares, 1 / (2 + seen.rows), 1 - 1 / (2 + seen.rows))
        return with_label - self._log_shares(rest, ngrams.first_piece), np.log(bounded / (1 - bounded))

    def _log_shares(self, totals: Floats, first_piece: int) -> Floats:
        """(C, V) ln θ of words, and their strength times that of pieces, which have an urn of their own."""
        words, pieces = totals[:, :first_piece], totals[:, first_piece:]
        return np.hstack(
            [log_shares(words, self.smoothing), self.character_weight * log_shares(pieces, self.smoothing)]
        )

    def _own_thresholds(self, ngrams: Ngrams, counts: Counts, examples: classify.Examples, report: Report) -> Floats:
        """(C,) from the answers to each third of the texts by counts of the other two."""
        matrix = _sparse(counts)

        def answer(learned: NDArray[np.int64], held: NDArray[np.int64]) -> Floats:
            likelihood, prior = self._tables(ngrams, self._counted(counts, examples, learned))
            return by_itself(np.asarray(matrix[held] @ likelihood.T) + prior)

        found = held_out_folds.out_of_fold(len(examples), len(examples.classes), answer, report)
        return held_out_folds.thresholds_of(examples, found)

    def _check_settings(self) -> None:
        check_settings(self)
        settings.number("character_weight", self.character_weight, 0, 1e6)
        settings.number("smoothing", self.smoothing, 0, 1e6, closed=False)

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> Floats:
        """(N, C) the probability of each label; rows sum to 1, unless texts have several labels. Overconfident: see the notes."""
        return self._probabilities(self._logits(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable label of each text; of several labels tuples of those that reach their thresholds."""
        return label_thresholds.decided(self, self.predict_proba(X))

    def _probabilities(self, joint: Floats) -> Floats:
        return by_itself(joint) if self.several_ else posterior(joint)

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
        return trace_of(self.id, evidence, self.classes_, self._probabilities(evidence.logits), _words())

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label and not its strongest rival (of several labels: and not its absence): the exact parts of the log-odds.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the predicted one.

        Raises:
            UsageError: no such label.
        """
        evidence = self._evidence(x)
        return explanation(
            self.id,
            evidence,
            self.classes_,
            self._probabilities(evidence.logits),
            label,
            _words(),
            several=self.several_,
        )

    def _evidence(self, x: Any) -> Evidence:
        self._check_fitted()
        (document,) = classify.documents([x])
        return evidence_of(document, self.ngrams_, self.tokenizer_, self.log_likelihood_, self.log_prior_, _values)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Logarithms of likelihoods and priors, the features; classes and tokenizer."""
        self._check_fitted()
        features, seen = self.ngrams_.state(), self.seen_
        return State(
            {
                **({} if seen is None else seen.arrays()),
                "log_likelihood": self.log_likelihood_,
                "log_prior": self.log_prior_,
                "thresholds": self.thresholds_,
                **features.arrays,
            },
            {
                "classes": self.classes_.tolist(),
                "several": self.several_,
                "seen": None if seen is None else seen.data(),
                "tokenizer": self.tokenizer_.to_plain(),
                **features.data,
            },
        )

    @classmethod
    def upgrade(cls, state: State, version: int) -> State:
        """Version 1 held one label a text; neither it nor 2 what was counted."""
        if version == 1:
            state = State({**state.arrays, "thresholds": np.zeros(0)}, {**state.data, "several": False})
        return State(state.arrays, {**state.data, "seen": None})

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
        held_out_folds.checked_thresholds(state.arrays["thresholds"], data["several"], len(classes))
        told = data["seen"]
        self.seen_ = (
            None if told is None else Seen.of(state.arrays, told, len(classes), len(ngrams), bool(data["several"]))
        )
        self.several_, self.thresholds_ = data["several"], state.arrays["thresholds"]
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


def by_itself(odds: Floats) -> Floats:
    """Each label's probability from its own log-odds of yes against no; never overflows."""
    found: Floats = 0.5 * (1.0 + np.tanh(0.5 * odds))
    return found


def _sparse(counts: Counts) -> Any:
    """(N, V) the counts as SciPy's sparse matrix: only training needs it, and only where a text has several labels."""
    from scipy.sparse import csr_matrix

    values = counts.counts.astype(np.float64)
    return csr_matrix((values, counts.features, counts.offsets), (len(counts), counts.width))


def _values(counts: Counts) -> Floats:
    return counts.counts.astype(np.float64)


def _words() -> dict[str, str]:
    from erya.language import say

    return {
        "value": say("count", "次数"),
        "weight": "ln θ / θ′",
        "bias": say("prior", "先验"),
    }
