"""A linear support vector machine: borders between labels with as much room on both sides as the texts allow.

Joachims 1998, "Text Categorization with Support Vector Machines: Learning with Many Relevant Features" (Cortes and Vapnik 1995).
scikit-learn's liblinear finds the borders (``fitting.py``); what it found is a matrix, and predicting needs nothing but NumPy.

Not here: kernels – with tens of thousands of features nearly every two sets of texts have a straight border between them –, shares of
labels (the hinge has no meaning for them).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.language import say
from erya.parts import held_out_folds, label_thresholds, remembered, settings
from erya.parts.going_on import grown, more_examples, unharmed, wider
from erya.parts.ngram_evidence import counted, evidence_of, explanation, logits, tokenized, trace_of
from erya.parts.tfidf import Tfidf, check_settings
from erya.progress import Report, quiet
from erya.state import Arrays, State
from erya.tasks import classify
from erya.text import tokenizers

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from erya.parts.ngram_evidence import Evidence
    from erya.trace import Trace

Floats = NDArray[np.float64]
KINDS: tuple[classify.Kind, ...] = ("one", "several")


class LinearSVM(Model):
    """Linear support vector machine, one label against the rest, over the tf-idf of word n-grams and of pieces of words.

    Args:
        word_ngrams: most words (for Chinese: characters, see ``tokenizer``) of an n-gram; 1: words alone.
        min_n: fewest characters of a piece of a word; ``<`` and ``>`` at its ends count.
        max_n: most; 0: no pieces.
        character_weight: the length of a text's pieces as a vector, where its words have length 1.
        min_count: a word of fewer documents is left out.
        min_count_ngrams: likewise for word n-grams and pieces.
        l2: strength of the penalty λ/2 · ‖w‖²; scikit-learn's 1/C.
        steps: most rounds of the solver.
        tolerance: the solver's.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        tokenizer: a name or a tokenizer; ``"auto"``: words, and each Chinese character by itself.

    Attributes:
        classes_: (C,) labels, sorted.
        several_: whether texts have several labels.
        thresholds_: (C,) the probability from which each label is answered, learnt on held-out texts; (0,) where texts have one label.
        tokenizer_: the tokenizer used.
        features_: the V features and their idf.
        weights_: (C, V) float32.
        bias_: (C,).
        slopes_: (C,) what a margin is multiplied by …
        stiffness_: (V + 1,) float32: how firmly the texts so far hold each feature's weights, and the biases; (0,) in files that were
            written before it was kept.
        offsets_: (C,) … and what is added, before the softmax or the sigmoid: the calibration.

    Example:
        >>> LinearSVM().fit(["a fine film", "a dull film"], ["good", "bad"]).predict(["fine"]).tolist()
        ['good']
    """

    id: ClassVar[str] = "classify/svm"
    thresholds_: Floats
    several_: bool
    features_: Tfidf
    bias_: Floats
    weights_: NDArray[np.float32]
    stiffness_: NDArray[np.float32]
    state_version: ClassVar[int] = 2  # 1 held no stiffness

    def __init__(
        self,
        *,
        word_ngrams: int = 2,
        min_n: int = 2,
        max_n: int = 4,
        character_weight: float = 0.5,
        min_count: int = 1,
        min_count_ngrams: int = 2,
        l2: float = 1.0,
        steps: int = 1000,
        tolerance: float = 1e-4,
        class_weight: str | dict[Any, float] | None = None,
        tokenizer: Any = "auto",
    ) -> None:
        self.word_ngrams = word_ngrams
        self.min_n = min_n
        self.max_n = max_n
        self.character_weight = character_weight
        self.min_count = min_count
        self.min_count_ngrams = min_count_ngrams
        self.l2 = l2
        self.steps = steps
        self.tolerance = tolerance
        self.class_weight = class_weight
        self.tokenizer = tokenizer

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Find the borders, then the calibration from the margins of held-out thirds.

        Args:
            X: N texts or pairs of texts.
            y: N labels, or lists of labels.
            sample_weight: N weights; a row of weight 2 is that row twice.
            validation: ``(X, y)``; of several labels the thresholds are learnt from it, else from held-out thirds.
            report: asked between two trainings whether to stop.

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
        """Go on with more texts, without those before: borders that stay near those so far and obey the new texts.

        As passive-aggressive learning does (Crammer et al. 2006, "Online Passive-Aggressive Algorithms"), but a portion at a time, and
        a feature's weights are held the more firmly the more of the earlier texts lay within the margin: their squared hinge is
        replaced by its own parabola. New words and n-grams join with weight 0; what the known ones are worth (their idf) stays,
        and so does the calibration. Near to one ``fit`` on all texts, not equal. Of several labels the thresholds stay, unless
        there is validation data.

        Args:
            X: as ``fit``.
            y: as ``fit``, and of the same kind; not every label need occur.
            classes: in the first call, all labels that will occur; later nothing new.
            sample_weight: as ``fit``.
            validation: as ``fit``.
            report: as ``fit``.

        Raises:
            UsageError: a label that the model does not know; targets of another kind; a model from a file that holds no stiffness;
                as ``fit``.
            DataError, Interrupted: as ``fit``; the model is then as it was.
        """
        self._check_settings()
        if not self.__sklearn_is_fitted__():
            given = {"sample_weight": sample_weight, "class_weight": self.class_weight}
            self._learn(classify.examples(X, y, **given, kinds=KINDS, classes=classes), validation, report)
            return self
        from erya.models.svm.fitting import moved, within  # SciPy: only for training

        remembered.check(self.stiffness_)
        examples = more_examples(self, X, y, classes=classes, sample_weight=sample_weight, kinds=KINDS)
        with unharmed(self):
            tokens = tokenized(self.tokenizer_, examples.documents, report)
            features, counts, places = grown(self.features_, tokens, examples.weights, self)
            matrix, truth, width = features.matrix(counts), held_out_folds.members(examples), len(features)
            anchor = np.hstack(
                [wider(self.weights_, places, width).astype(np.float64), self.bias_[:, None]]
            )  # (C, V + 1)
            stiffness = remembered.wider(self.stiffness_, places, width, float(self.l2))
            found = moved(
                matrix, truth, examples.weights, anchor, stiffness, steps=self.steps, tolerance=float(self.tolerance)
            )
            self.features_, self.bias_ = features, found[:, -1].copy()
            self.weights_ = np.ascontiguousarray(found[:, :-1], dtype=np.float32)
            self.stiffness_ = remembered.stiffened(stiffness, matrix, examples.weights * within(matrix, truth, found))
            if self.several_:
                given_rows = held_out_folds.thresholds_from(validation, self.classes_, self.predict_proba)
                if given_rows is not None:
                    self.thresholds_ = given_rows
            report.progress(epoch=1, epochs=1, done=1.0)
        return self

    def _learn(self, examples: classify.Examples, validation: Any, report: Report) -> None:
        from erya.models.svm.fitting import within  # SciPy: only for training

        tokenizer = tokenizers.make(self.tokenizer)
        features, counts = Tfidf.learn(tokenized(tokenizer, examples.documents, report), examples.weights, self)
        matrix, several = features.matrix(counts), examples.kind == "several"
        held, found = self._trained(matrix, examples, report)
        slopes, offsets = _calibration(held, examples)
        self.classes_, self.several_, self.tokenizer_, self.features_ = examples.classes, several, tokenizer, features
        self.weights_ = np.ascontiguousarray(found[:, :-1], dtype=np.float32)
        self.bias_ = found[:, -1].copy()
        self.slopes_, self.offsets_ = slopes, offsets
        doubt = within(matrix, held_out_folds.members(examples), found)
        start = remembered.nothing(matrix.shape[1], float(self.l2), bias=float(self.l2))
        self.stiffness_ = remembered.stiffened(start, matrix, examples.weights * doubt)
        self.thresholds_ = np.zeros(0)
        if several:
            given_rows = held_out_folds.thresholds_from(validation, self.classes_, self.predict_proba)
            own = held_out_folds.thresholds_of(examples, self._probabilities(held * slopes + offsets))
            self.thresholds_ = own if given_rows is None else given_rows
        report.progress(epoch=1, epochs=1, done=1.0)

    def _trained(self, matrix: csr_matrix, examples: classify.Examples, report: Report) -> tuple[Floats, Floats]:
        """(N, C) margins by borders that did not know the row, and (C, V + 1) the borders of all rows."""
        from erya.models.svm.fitting import borders, margins  # scikit-learn: only for training

        truth = held_out_folds.members(examples)
        l2, steps, tolerance = float(self.l2), self.steps, float(self.tolerance)

        def found(rows: NDArray[np.int64]) -> Floats:
            weights = examples.weights[rows]
            return borders(matrix[rows], truth[rows], weights, l2=l2, steps=steps, tolerance=tolerance)

        def answer(learned: NDArray[np.int64], held: NDArray[np.int64]) -> Floats:
            return margins(matrix[held], found(learned))

        held = held_out_folds.out_of_fold(len(examples), len(examples.classes), answer, report)
        return held, found(np.arange(len(examples)))

    def _check_settings(self) -> None:
        check_settings(self)
        settings.whole("steps", self.steps)
        settings.number("l2", self.l2, 0, 1e12, closed=False)
        settings.number("tolerance", self.tolerance, 0, 1, closed=False)

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> Floats:
        """(N, C) the probability of each label, calibrated on held-out texts; rows sum to 1 unless texts have several labels."""
        self._check_fitted()
        found = [np.zeros((0, len(self.classes_)))]
        for counts in counted(self.features_.ngrams, self.tokenizer_, classify.documents(X)):
            scores = logits(counts, self.features_.values(counts), self.weights_, self.bias_)
            found.append(self._probabilities(scores * self.slopes_ + self.offsets_))
        return np.concatenate(found)

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the label with the largest margin; of several labels tuples of those that reach their thresholds."""
        return label_thresholds.decided(self, self.predict_proba(X))

    def _probabilities(self, scores: Floats) -> Floats:
        if self.several_:
            return np.asarray(0.5 * (1 + np.tanh(scores / 2)))
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=-1, keepdims=True))

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text: features, counts, tf-idf, weights (m, C), contributions (m, C), bias, logits, probabilities."""
        evidence = self._evidence(x)
        return trace_of(self.id, evidence, self.classes_, self._probabilities(evidence.logits), _words())

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label and not its strongest rival (of several labels: and not its absence): the exact parts of the log-odds.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the most probable one.

        Raises:
            UsageError: no such label.
        """
        evidence = self._evidence(x)
        answer = self._probabilities(evidence.logits)
        return explanation(self.id, evidence, self.classes_, answer, label, _words(), several=self.several_)

    def _evidence(self, x: Any) -> Evidence:
        self._check_fitted()
        (document,) = classify.documents([x])
        features = self.features_
        plain = evidence_of(document, features.ngrams, self.tokenizer_, self.weights_, self.bias_, features.values)
        # with the calibration in them, weights and bias add up to a logit
        return replace(plain, weights=plain.weights * self.slopes_, bias=plain.bias * self.slopes_ + self.offsets_)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Borders, calibration, features; classes, thresholds and tokenizer."""
        self._check_fitted()
        features = self.features_.state()
        arrays: Arrays = {
            "weights": self.weights_,
            "bias": self.bias_,
            "slopes": self.slopes_,
            "offsets": self.offsets_,
            "thresholds": self.thresholds_,
            "stiffness": self.stiffness_,
        }
        data = {
            "classes": self.classes_.tolist(),
            "several": self.several_,
            "tokenizer": self.tokenizer_.to_plain(),
        }
        return State({**arrays, **features.arrays}, {**data, **features.data})

    @classmethod
    def upgrade(cls, state: State, version: int) -> State:
        """Version 1 held no stiffness."""
        return State({**state.arrays, "stiffness": np.zeros(0, dtype=np.float32)}, state.data)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
        """
        data, arrays = state.data, state.arrays
        features, classes = Tfidf.from_state(state), held_out_folds.checked_classes(data["classes"])
        weights, columns = arrays["weights"], [arrays[name] for name in ("bias", "slopes", "offsets")]
        if weights.dtype != np.float32 or weights.shape != (len(classes), len(features)):
            raise ValueError("the weights do not fit the classes and features")
        if any(column.dtype != np.float64 or column.shape != classes.shape for column in columns):
            raise ValueError("biases or calibration do not fit the classes")
        if not all(np.isfinite(array).all() for array in (weights, *columns)):
            raise ValueError("there are values that are not finite")
        held_out_folds.checked_thresholds(arrays["thresholds"], data["several"], len(classes))
        self.classes_, self.features_, self.weights_ = classes, features, weights
        self.bias_, self.slopes_, self.offsets_ = columns
        self.stiffness_ = remembered.checked(arrays["stiffness"], len(features))
        self.several_, self.thresholds_ = data["several"], arrays["thresholds"]
        self.tokenizer_ = tokenizers.from_plain(data["tokenizer"])


def _calibration(held: Floats, examples: classify.Examples) -> tuple[Floats, Floats]:
    """(C,) slopes and (C,) offsets from held-out margins (N, C)."""
    from erya.models.svm.fitting import sigmoid_of, slope_of_softmax

    classes = len(examples.classes)
    if examples.kind == "one":
        return np.full(classes, slope_of_softmax(held, examples.targets, examples.weights)), np.zeros(classes)
    truth = held_out_folds.members(examples) > 0
    pairs = [sigmoid_of(held[:, label], truth[:, label], examples.weights) for label in range(classes)]
    return np.array([slope for slope, _ in pairs]), np.array([offset for _, offset in pairs])


def _words() -> dict[str, str]:
    return {"value": "tf-idf", "weight": say("weight difference", "权重之差"), "bias": say("bias", "偏置")}
