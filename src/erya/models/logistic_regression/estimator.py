"""Logistic regression: how much does each n-gram speak for each label? All weights learned together.

Berger, Della Pietra and Della Pietra 1996, "A Maximum Entropy Approach to Natural Language Processing" (the binary form:
Cox 1958). The discriminative model: it describes p(label | text) and nothing else – its counterpart is ``naive_bayes``.
How counts become features is in ``parts/tfidf.py``, what is minimised in ``objective.py``, how in ``solver.py``.

Several labels for one text are as many questions, each with a sigmoid. More texts later (``partial_fit``): the earlier ones are
remembered as a bowl around the weights that they gave. Not here: an L1 penalty, stochastic steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.errors import DataError
from erya.language import say
from erya.models.logistic_regression.objective import sigmoid, softmax
from erya.parts import held_out_folds, label_thresholds, remembered, settings
from erya.parts.going_on import grown, more_examples, unharmed, wider
from erya.parts.ngram_evidence import counted, evidence_of, explanation, logits, tokenized, trace_of
from erya.parts.ngrams import Counts, Ngrams, check_settings
from erya.parts.tfidf import Tfidf, inverse_document_frequency, tfidf
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from erya.models.logistic_regression.solver import Problem
    from erya.parts.ngram_evidence import Evidence
    from erya.parts.onnx_graph import Graph
    from erya.trace import Trace

Floats = NDArray[np.float64]
KINDS: tuple[classify.Kind, ...] = ("one", "several", "soft")


class LogisticRegression(Model):
    """Multinomial logistic regression over the tf-idf of word n-grams and of character n-grams inside words.

    Args:
        word_ngrams: most words (for Chinese: characters, see ``tokenizer``) of an n-gram; 1: words alone.
        min_n: fewest characters of a piece of a word; ``<`` and ``>`` at its ends count.
        max_n: most; 0: no pieces.
        character_weight: the length of a text's pieces as a vector, where its words have length 1.
        min_count: a word of fewer documents is left out.
        min_count_ngrams: likewise for word n-grams and pieces.
        l2: strength of the penalty l2/2 · ‖W‖²; scikit-learn's 1/C.
        steps: most steps of the solver.
        tolerance: the solver is done when no slope is larger.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        tokenizer: a name or a tokenizer; ``"auto"``: words, and each Chinese character by itself.

    Attributes:
        classes_: (C,) labels, sorted.
        several_: whether texts have several labels.
        thresholds_: (C,) the probability from which each label is answered, learnt on held-out texts; (0,) where texts have one label.
        tokenizer_: the tokenizer used.
        ngrams_: the V features.
        idf_: (V,) float32.
        weights_: (C, V) float32.
        bias_: (C,).
        stiffness_: (V + 1,) float32: how firmly the texts so far hold each feature's weights, and the biases; (0,) in files that were
            written before it was kept.
        curve_: a row a step: epoch, loss, and for validation data validation_loss, validation_accuracy
            (several labels: validation_micro_f1).

    Example:
        >>> LogisticRegression().fit(["a fine film", "a dull film"], ["good", "bad"]).predict(["fine"]).tolist()
        ['good']
    """

    id: ClassVar[str] = "classify/logistic_regression"
    thresholds_: Floats
    several_: bool
    ngrams_: Ngrams
    idf_: NDArray[np.float32]
    bias_: Floats
    weights_: NDArray[np.float32]
    stiffness_: NDArray[np.float32]
    state_version: ClassVar[int] = 3  # 1 knew one label a text only, 2 no stiffness

    def __init__(
        self,
        *,
        word_ngrams: int = 2,
        min_n: int = 2,
        max_n: int = 4,
        character_weight: float = 0.5,
        min_count: int = 1,
        min_count_ngrams: int = 2,
        l2: float = 0.1,
        steps: int = 200,
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
        """Find the weights of least loss.

        Args:
            X: N texts or pairs of texts.
            y: N labels; or lists of labels; or dicts ``{label: share}``.
            sample_weight: N weights; a row of weight 2 is that row twice.
            validation: ``(X, y)``, scored after every step for the curve. The problem is convex: nothing stops early. Of several
                labels the thresholds are learnt from it, else from held-out thirds.
            report: told about steps, asked whether to stop.

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
        """Go on with more texts, without those before: the loss of the new ones, and a bowl around the weights so far.

        The earlier texts' loss is replaced by a parabola for each weight, as steep as their curvature was at the weights that they
        gave: a Laplace approximation, one portion's posterior being the next one's prior (Spiegelhalter and Lauritzen 1990, "Sequential
        updating of conditional probabilities on directed graphical structures"; for text, Chapelle and Li 2011). New words and
        n-grams join with weight 0; what the known ones are worth (their idf) stays. Near to one ``fit`` on all texts, not equal.
        Of several labels the thresholds stay, unless there is validation data. ``curve_`` is that of the last call.

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
        remembered.check(self.stiffness_)
        examples = more_examples(self, X, y, classes=classes, sample_weight=sample_weight, kinds=KINDS)
        with unharmed(self):
            tokens = tokenized(self.tokenizer_, examples.documents, report)
            before = Tfidf(self.ngrams_, self.idf_, self.character_weight_)
            features, counts, places = grown(before, tokens, examples.weights, self)
            X_sparse, width = features.matrix(counts), len(features)
            anchor = np.vstack([wider(self.weights_, places, width).T.astype(np.float64), self.bias_])  # (V + 1, C)
            stiffness = remembered.wider(self.stiffness_, places, width, float(self.l2))
            self.ngrams_, self.idf_ = features.ngrams, features.idf
            self._solve(X_sparse, examples, validation, report, anchor, stiffness)
            if self.several_:
                found = held_out_folds.thresholds_from(validation, self.classes_, self.predict_proba)
                if found is not None:
                    self.thresholds_ = found
        return self

    def _learn(self, examples: classify.Examples, validation: Any, report: Report) -> None:
        from scipy.sparse import csr_matrix

        tokenizer = tokenizers.make(self.tokenizer)
        tokens = tokenized(tokenizer, examples.documents, report)
        # a fraction of a row is still one sighting of its words
        copies = np.where(examples.weights > 0, np.maximum(examples.weights, 1.0), 0.0)
        ngrams = Ngrams.learn(
            tokens,
            word_ngrams=self.word_ngrams,
            min_n=self.min_n,
            max_n=self.max_n,
            min_count=self.min_count,
            min_count_ngrams=self.min_count_ngrams,
            copies=copies,
        )
        counts = ngrams.count(tokens)
        self.classes_, self.tokenizer_, self.ngrams_ = examples.classes, tokenizer, ngrams
        self.character_weight_ = float(self.character_weight)
        self.idf_ = inverse_document_frequency(counts, copies).astype(np.float32)
        X_sparse = csr_matrix((self._values(counts), counts.features, counts.offsets), (len(counts), counts.width))
        self.several_ = examples.kind == "several"
        self._solve(X_sparse, examples, validation, report)
        self.thresholds_ = np.zeros(0)
        if self.several_:
            found = held_out_folds.thresholds_from(validation, self.classes_, self.predict_proba)
            self.thresholds_ = self._own_thresholds(X_sparse, examples, report) if found is None else found

    def _solve(
        self,
        X: csr_matrix,
        examples: classify.Examples,
        validation: Any,
        report: Report,
        anchor: Floats | None = None,
        stiffness: Floats | None = None,
    ) -> None:
        """Weights, biases, curve and stiffness from (N, V) features; ``anchor`` (V + 1, C) and ``stiffness`` (V + 1,) of texts before."""
        from erya.models.logistic_regression.solver import minimise  # SciPy: only for training

        problem = self._problem(X, examples, np.arange(len(examples)))
        if stiffness is not None:
            problem = replace(problem, anchor=anchor, stiffness=stiffness[:, None])
        parameters, curve = minimise(
            problem,
            steps=self.steps,
            tolerance=self.tolerance,
            report=report,
            validate=self._validate(validation),
        )
        self.weights_ = np.ascontiguousarray(parameters[:-1].T, dtype=np.float32)
        self.bias_, self.curve_ = parameters[-1].copy(), curve
        probabilities = self._probabilities(X @ parameters[:-1] + parameters[-1])
        # doubt is mostly between two labels, or about one: half the sum of p (1 − p) is what each of them is held by
        doubt = 0.5 * (probabilities * (1 - probabilities)).sum(axis=1)
        start = remembered.nothing(X.shape[1], float(self.l2)) if stiffness is None else stiffness
        self.stiffness_ = remembered.stiffened(start, X, examples.weights * doubt)

    def _problem(self, X: csr_matrix, examples: classify.Examples, rows: NDArray[np.int64]) -> Problem:
        """What some of the rows ask to be minimised."""
        from erya.models.logistic_regression.solver import Problem

        weights, classes, every = examples.weights[rows], len(examples.classes), len(rows) == len(examples)
        some = X if every else X[rows]
        if examples.kind == "one":
            return Problem(some, examples.targets[rows], weights, classes, float(self.l2))
        shares = held_out_folds.members(examples)[rows]
        return Problem(some, examples.targets, weights, classes, float(self.l2), shares, examples.kind == "several")

    def _own_thresholds(self, X: csr_matrix, examples: classify.Examples, report: Report) -> Floats:
        """(C,) from the answers to each third of the texts by weights of the other two."""
        from erya.models.logistic_regression.solver import minimise

        def answer(learned: NDArray[np.int64], held: NDArray[np.int64]) -> Floats:
            problem = self._problem(X, examples, learned)
            parameters, _ = minimise(problem, steps=self.steps, tolerance=self.tolerance, report=quiet)
            return sigmoid(X[held] @ parameters[:-1] + parameters[-1])

        found = held_out_folds.out_of_fold(len(examples), len(examples.classes), answer, report)
        return held_out_folds.thresholds_of(examples, found)

    def _validate(self, validation: Any) -> Callable[[Floats], dict[str, float]] | None:
        """A function that scores parameters on the validation data, which is counted once."""
        if validation is None:
            return None
        documents, targets = classify.documents(validation[0]), list(validation[1])
        if len(documents) != len(targets):
            raise DataError(
                "lengths-differ",
                say(
                    f"validation: {len(documents)} texts but {len(targets)} labels",
                    f"验证数据：{len(documents)} 条文本，却有 {len(targets)} 个标签",
                ),
            )
        if not documents:
            return None
        from scipy.sparse import csr_matrix

        found = [*counted(self.ngrams_, self.tokenizer_, documents)]
        matrices = [
            csr_matrix((self._values(counts), counts.features, counts.offsets), (len(counts), counts.width))
            for counts in found
        ]

        def score(parameters: Floats) -> dict[str, float]:
            probabilities = np.concatenate(
                [self._probabilities(X @ parameters[:-1] + parameters[-1]) for X in matrices]
            )
            loss = float(classify.row_losses(targets, probabilities, self.classes_).mean())
            if self.several_:  # the thresholds come at the end
                even = np.full(len(self.classes_), label_thresholds.DEFAULT)
                answers = label_thresholds.answers(probabilities, even, self.classes_)
                return {"validation_loss": loss, "validation_micro_f1": classify.headline(targets, answers)}
            answers = self.classes_[probabilities.argmax(axis=1)]
            return {"validation_loss": loss, "validation_accuracy": classify.headline(targets, answers)}

        return score

    def _check_settings(self) -> None:
        check_settings(self)
        settings.whole("steps", self.steps)
        settings.number("character_weight", self.character_weight, 0, 1e6)
        settings.number("l2", self.l2, 0, 1e12, closed=False)
        settings.number("tolerance", self.tolerance, 0, 1, closed=False)

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> Floats:
        """(N, C) the probability of each label; rows sum to 1, unless texts have several labels."""
        return self._probabilities(self._logits(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable label of each text; of several labels tuples of those that reach their thresholds."""
        return label_thresholds.decided(self, self.predict_proba(X))

    def _probabilities(self, logits: Floats) -> Floats:
        return sigmoid(logits) if self.several_ else softmax(logits)[0]

    def _logits(self, X: Any) -> Floats:
        self._check_fitted()
        found = [np.zeros((0, len(self.classes_)))]
        for counts in counted(self.ngrams_, self.tokenizer_, classify.documents(X)):
            found.append(logits(counts, self._values(counts), self.weights_, self.bias_))
        return np.concatenate(found)

    def _values(self, counts: Counts) -> Floats:
        return tfidf(counts, self.idf_, self.ngrams_.first_piece, self.character_weight_)

    def onnx_logits(self, graph: Graph) -> str:
        """Adds the model to an ONNX graph; the name of its logits. Raises UsageError where the words make no vocabulary of ids."""
        from erya.models.logistic_regression import onnx_graph

        return onnx_graph.logits(graph, self.ngrams_, self.idf_, self.weights_, self.bias_, self.character_weight_)

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text: features, counts, tf-idf, weights (m, C), contributions (m, C), bias, logits, probabilities."""
        evidence = self._evidence(x)
        return trace_of(self.id, evidence, self.classes_, self._probabilities(evidence.logits[None])[0], _words())

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label and not its strongest rival (of several labels: and not its absence): the exact parts of the log-odds.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the predicted one.

        Raises:
            UsageError: no such label.
        """
        evidence = self._evidence(x)
        answer = self._probabilities(evidence.logits[None])[0]
        return explanation(self.id, evidence, self.classes_, answer, label, _words(), several=self.several_)

    def _evidence(self, x: Any) -> Evidence:
        self._check_fitted()
        (document,) = classify.documents([x])
        return evidence_of(document, self.ngrams_, self.tokenizer_, self.weights_, self.bias_, self._values)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Weights, biases, idf, the features; classes, tokenizer and the curve."""
        self._check_fitted()
        features = self.ngrams_.state()
        return State(
            {
                "weights": self.weights_,
                "bias": self.bias_,
                "idf": self.idf_,
                "thresholds": self.thresholds_,
                "stiffness": self.stiffness_,
                **features.arrays,
            },
            {
                "classes": self.classes_.tolist(),
                "several": self.several_,
                "tokenizer": self.tokenizer_.to_plain(),
                "character_weight": self.character_weight_,
                "curve": self.curve_,
                **features.data,
            },
        )

    @classmethod
    def upgrade(cls, state: State, version: int) -> State:
        """Version 1 held one label a text; neither it nor 2 a stiffness."""
        if version == 1:
            state = State({**state.arrays, "thresholds": np.zeros(0)}, {**state.data, "several": False})
        return State({**state.arrays, "stiffness": np.zeros(0, dtype=np.float32)}, state.data)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
        """
        data = state.data
        weights, bias, idf = (state.arrays[name] for name in ("weights", "bias", "idf"))
        ngrams = Ngrams.from_state(state)
        classes = np.array(data["classes"])
        if classes.ndim != 1 or len(classes) < 2 or classes.tolist() != np.unique(classes).tolist():
            raise ValueError("the classes are not two or more sorted labels")
        if weights.dtype != np.float32 or weights.shape != (len(classes), len(ngrams)):
            raise ValueError("the weights do not fit the classes and features")
        if bias.dtype != np.float64 or bias.shape != classes.shape:
            raise ValueError("the biases do not fit the classes")
        if idf.dtype != np.float32 or idf.shape != (len(ngrams),) or not (idf > 0).all():
            raise ValueError("the idf does not fit the features")
        if not (np.isfinite(weights).all() and np.isfinite(bias).all() and np.isfinite(idf).all()):
            raise ValueError("there are values that are not finite")
        settings.number("character_weight", data["character_weight"], 0, 1e6)
        held_out_folds.checked_thresholds(state.arrays["thresholds"], data["several"], len(classes))
        self.stiffness_ = remembered.checked(state.arrays["stiffness"], len(ngrams))
        self.several_, self.thresholds_ = data["several"], state.arrays["thresholds"]
        self.classes_, self.ngrams_, self.idf_ = classes, ngrams, idf
        self.weights_, self.bias_ = weights, bias
        self.character_weight_ = float(data["character_weight"])
        self.tokenizer_, self.curve_ = tokenizers.from_plain(data["tokenizer"]), list(data["curve"])


def _words() -> dict[str, str]:
    return {"value": "tf-idf", "weight": say("weight difference", "权重之差"), "bias": say("bias", "偏置")}
