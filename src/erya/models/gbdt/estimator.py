"""Gradient-boosted decision trees over the most telling n-grams of a text.

Friedman 2001, "Greedy Function Approximation: A Gradient Boosting Machine". scikit-learn grows the trees (``growing.py``); here they are
arrays, and predicting needs nothing but NumPy (``forest.py``).

Not here: all n-grams – a tree asks a handful of questions, and tens of thousands of features that are nearly always 0 make training slow
and trees no better: the ``selected`` best by χ² stay –, early stopping, ``partial_fit`` (asking for it says why).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.errors import UsageError
from erya.language import say
from erya.models.gbdt.forest import Forest, joined
from erya.parts import held_out_folds, label_thresholds, settings
from erya.parts.ngram_evidence import counted, evidence_of, explanation, tokenized, trace_of
from erya.parts.tfidf import Tfidf, check_settings
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers
from erya.trace import Bars, Table

if TYPE_CHECKING:
    from erya.models.gbdt.growing import Plan
    from erya.parts.ngram_evidence import Evidence
    from erya.parts.ngrams import Counts
    from erya.trace import Trace

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

KINDS: tuple[classify.Kind, ...] = ("one", "several", "soft")
LEVELS = (
    100  # tf-idf of 0, 0.01, …: fewer values than bins, so that binning is quick, and no tree asks for a hair's breadth
)
STRONGEST = 15  # absent features, and features of importance, that are listed


class NoPartialFitError(UsageError, AttributeError):
    """Trees do not go on with other texts. An AttributeError too, so that ``hasattr`` tells the truth."""

    def __init__(self) -> None:
        super().__init__(
            "no-partial-fit",
            say(
                "boosted trees do not go on with other texts: which features they ask for, and where they divide them, the first "
                "texts decided; trees added for the new texts alone would correct what the first ones have taught",
                "提升树不能接着学别的文本：问哪些特征、在哪里分，都由最初的文本决定；只为新文本再长的树，会“纠正”先前学到的东西",
            ),
            help=say(
                "fit(X, y) on all texts; or a model that goes on: naive_bayes, logistic_regression, svm, knn, fasttext",
                "用全部文本重新 fit(X, y)；或换用能接着学的模型：naive_bayes、logistic_regression、svm、knn、fasttext",
            ),
        )

    def __reduce__(self) -> tuple[object, ...]:
        return NoPartialFitError, ()


class GBDT(Model):
    """Gradient-boosted trees, by the softmax of C sums of trees; of several labels one sum and a sigmoid for each.

    Args:
        selected: how many features the trees may ask for: those of the largest χ² with the labels.
        steps: rounds of boosting; in each, one tree a label.
        learning_rate: the part of a tree that is added.
        leaves: most leaves of a tree.
        min_leaf: fewest training texts in a leaf.
        l2: strength of the penalty on the leaves' values.
        word_ngrams: most words (for Chinese: characters, see ``tokenizer``) of an n-gram; 1: words alone.
        min_n: fewest characters of a piece of a word; ``<`` and ``>`` at its ends count.
        max_n: most; 0: no pieces.
        character_weight: the length of a text's pieces as a vector, where its words have length 1.
        min_count: a word of fewer documents is left out.
        min_count_ngrams: likewise for word n-grams and pieces.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        tokenizer: a name or a tokenizer; ``"auto"``: words, and each Chinese character by itself.

    Attributes:
        classes_: (C,) labels, sorted.
        several_: whether texts have several labels.
        thresholds_: (C,) the probability from which each label is answered, learnt on held-out texts; (0,) where texts have one label.
        tokenizer_: the tokenizer used.
        features_: the V features and their idf.
        selected_: (F,) numbers of those that trees ask for.
        forest_: the trees.
        importance_: (F,) by how much splits on each feature lowered the loss, in all trees together.

    Example:
        >>> texts, labels = ["a fine film", "a dull film"] * 9, ["good", "bad"] * 9
        >>> GBDT().fit(texts, labels).predict(["fine"]).tolist()
        ['good']
    """

    id: ClassVar[str] = "classify/gbdt"

    def __init__(
        self,
        *,
        selected: int = 200,
        steps: int = 40,
        learning_rate: float = 0.3,
        leaves: int = 15,
        min_leaf: int = 5,
        l2: float = 1.0,
        word_ngrams: int = 2,
        min_n: int = 2,
        max_n: int = 4,
        character_weight: float = 0.5,
        min_count: int = 1,
        min_count_ngrams: int = 2,
        class_weight: str | dict[Any, float] | None = None,
        tokenizer: Any = "auto",
    ) -> None:
        self.selected = selected
        self.steps = steps
        self.learning_rate = learning_rate
        self.leaves = leaves
        self.min_leaf = min_leaf
        self.l2 = l2
        self.word_ngrams = word_ngrams
        self.min_n = min_n
        self.max_n = max_n
        self.character_weight = character_weight
        self.min_count = min_count
        self.min_count_ngrams = min_count_ngrams
        self.class_weight = class_weight
        self.tokenizer = tokenizer

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Grow the trees.

        Args:
            X: N texts or pairs of texts.
            y: N labels; or lists of labels; or dicts ``{label: share}``, learned as so many texts, weighted by the shares.
            sample_weight: N weights.
            validation: ``(X, y)``; of several labels the thresholds are learnt from it, else from held-out thirds.
            report: told about rounds; asked after every ten of them whether to stop.

        Raises:
            DataError: no rows, one class, lengths that differ.
            UsageError: a setting out of its range.
            Interrupted: the report asked for it.
        """
        from erya.models.gbdt.growing import telling  # scikit-learn: only for training

        self._check_settings()
        given = {"sample_weight": sample_weight, "class_weight": self.class_weight}
        examples = classify.examples(X, y, **given, kinds=KINDS)
        tokenizer = tokenizers.make(self.tokenizer)
        features, counts = Tfidf.learn(tokenized(tokenizer, examples.documents, report), examples.weights, self)
        truth = held_out_folds.members(examples)
        self.features_ = features
        self.selected_ = telling(features.matrix(counts), truth, examples.weights, self.selected).astype(np.int64)
        chosen, several = self._dense(counts), examples.kind == "several"
        every = np.arange(len(examples))
        with _one_thread():
            forest, importance = self._grown(chosen, examples, truth, every, report)
            held = np.zeros((0, len(examples.classes)))
            if several and validation is None:

                def answer(learned: Numbers, held: Numbers) -> Floats:
                    return self._grown(chosen, examples, truth, learned, report)[0].logits(chosen[held])

                held = held_out_folds.out_of_fold(len(examples), len(examples.classes), answer, report)
        self.classes_, self.several_, self.tokenizer_ = examples.classes, several, tokenizer
        self.forest_, self.importance_ = forest, importance
        self.thresholds_ = np.zeros(0)
        if several:
            given_rows = held_out_folds.thresholds_from(validation, self.classes_, self.predict_proba)
            self.thresholds_ = (
                held_out_folds.thresholds_of(examples, self._probabilities(held)) if given_rows is None else given_rows
            )
        return self

    def _grown(
        self, X: Floats, examples: classify.Examples, truth: Floats, rows: Numbers, report: Report
    ) -> tuple[Forest, Floats]:
        """A forest from some rows of the chosen features (N, F), and the features' importance (F,)."""
        from erya.models.gbdt.growing import grow

        plan, weights = self._plan(), examples.weights
        if examples.kind != "several":
            entries = np.flatnonzero(truth[rows].ravel() > 0)
            places, labels = np.divmod(entries, truth.shape[1])
            shared = weights[rows[places]] * truth[rows].ravel()[entries]
            return grow(X, rows[places], labels, shared, truth.shape[1], plan, report)
        parts, start, importance = [], np.zeros(truth.shape[1]), np.zeros(X.shape[1])
        for label in range(truth.shape[1]):
            has = (truth[rows, label] > 0).astype(np.int64)
            forest, gained = grow(X, rows, has, weights[rows], 2, plan, report)
            # a question of its own: the logit of yes against no
            start[label] = forest.start[1] - forest.start[0]
            parts.append((forest, np.array([label, label])))
            importance += gained
        return joined(parts, start), importance

    def _plan(self) -> Plan:
        from erya.models.gbdt.growing import Plan

        return Plan(self.steps, float(self.learning_rate), self.leaves, self.min_leaf, float(self.l2))

    def _check_settings(self) -> None:
        check_settings(self)
        for name, least in (("selected", 1), ("steps", 1), ("leaves", 2), ("min_leaf", 1)):
            settings.whole(name, getattr(self, name), least)
        settings.number("learning_rate", self.learning_rate, 0, 1e6, closed=False)
        settings.number("l2", self.l2, 0, 1e12)

    def __getattr__(self, name: str) -> Any:
        if name == "partial_fit":
            raise NoPartialFitError
        return super().__getattr__(name)

    # ---- answering --------------------------------------------------------------------------------------------

    def _dense(self, counts: Counts) -> Floats:
        """(N, F) the tf-idf of the selected features, to two digits."""
        place = np.full(counts.width, -1, dtype=np.int64)
        place[self.selected_] = np.arange(len(self.selected_))
        columns = place[counts.features]
        kept = columns >= 0
        found = np.zeros((len(counts), len(self.selected_)))
        found[counts.documents()[kept], columns[kept]] = self.features_.values(counts)[kept]
        return np.asarray(np.round(found * LEVELS) / LEVELS)

    def predict_proba(self, X: Any) -> Floats:
        """(N, C) the probability of each label; rows sum to 1 unless texts have several labels."""
        self._check_fitted()
        found = [np.zeros((0, len(self.classes_)))]
        for counts in counted(self.features_.ngrams, self.tokenizer_, classify.documents(X)):
            found.append(self._probabilities(self.forest_.logits(self._dense(counts))))
        return np.concatenate(found)

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable label of each text; of several labels tuples of those that reach their thresholds."""
        return label_thresholds.decided(self, self.predict_proba(X))

    def _probabilities(self, logits: Floats) -> Floats:
        if self.several_:
            return np.asarray(0.5 * (1 + np.tanh(logits / 2)))
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=-1, keepdims=True))

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text: the selected features it has, contributions (m, C), bias (C,), logits, probabilities; importance (F,).

        In ``bias`` is all that is not in the text: where the trees start, and what the absence of features says.
        """
        evidence, _ = self._evidence(x)
        found = trace_of(self.id, evidence, self.classes_, self._probabilities(evidence.logits), _words())
        arrays = {"importance": self.importance_, **found.arrays}
        return replace(found, arrays=arrays, views=[*found.views, self._importance()])

    def _importance(self) -> Bars:
        order = np.argsort(-self.importance_, kind="stable")[:STRONGEST]
        order = order[self.importance_[order] > 0]
        names = [self.features_.ngrams.name(feature) for feature in self.selected_[order].tolist()]
        total = self.importance_.sum() or 1.0
        note = say("share of what all splits took from the loss", "在所有分裂减少的损失中所占的份额")
        return Bars(say("importance", "特征重要性"), names, self.importance_[order] / total, note=note, percent=True)

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label and not its strongest rival (of several labels: and not its absence): the exact parts of the log-odds.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the most probable one.

        Raises:
            UsageError: no such label.
        """
        evidence, absent = self._evidence(x)
        answer = self._probabilities(evidence.logits)
        found = explanation(self.id, evidence, self.classes_, answer, label, _words(), several=self.several_)
        return replace(found, views=[*found.views, *self._missing(absent)])

    def _evidence(self, x: Any) -> tuple[Evidence, Floats]:
        """The features that the text has, with what the trees make of them, and (F, C) what they make of those it lacks."""
        self._check_fitted()
        (document,) = classify.documents([x])
        ngrams, classes = self.features_.ngrams, len(self.classes_)
        nothing = np.broadcast_to(np.float64(0), (classes, len(ngrams)))
        plain = evidence_of(document, ngrams, self.tokenizer_, nothing, np.zeros(classes), self.features_.values)
        place = {feature: number for number, feature in enumerate(self.selected_.tolist())}
        kept = np.array([at for at, feature in enumerate(plain.features.tolist()) if feature in place], dtype=np.int64)
        columns = np.array([place[feature] for feature in plain.features[kept].tolist()], dtype=np.int64)
        vector = np.zeros(len(self.selected_))
        vector[columns] = np.round(plain.values[kept] * LEVELS) / LEVELS
        parts, before = self.forest_.contributions(vector)  # (F, C), (C,)
        present = parts[columns]
        absent = parts.copy()
        absent[columns] = 0.0
        values = np.where(plain.values[kept] > 0, plain.values[kept], 1.0)
        found = replace(
            plain,
            occurrences=[one for one in plain.occurrences if one.feature in place],
            features=plain.features[kept],
            names=[plain.names[at] for at in kept.tolist()],
            counts=plain.counts[kept],
            values=values,
            weights=present / values[:, None],
            bias=before + absent.sum(axis=0),
        )
        return found, absent

    def _missing(self, absent: Floats) -> list[Table]:
        """What the absence of features says, most telling first."""
        spread = np.ptp(absent, axis=1) if absent.shape[1] > 1 else np.abs(absent[:, 0])
        order = [at for at in np.argsort(-spread, kind="stable")[:STRONGEST].tolist() if spread[at] > 0]
        if not order:
            return []
        names = [str(name) for name in self.classes_.tolist()]
        rows = [[self.features_.ngrams.name(int(self.selected_[at])), *absent[at].tolist()] for at in order]
        title = say("what is absent, and what that adds to each logit", "文中没有的特征，以及“没有”给各类得分加多少")
        return [Table(title, [say("absent", "未出现"), *names], rows)]

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Trees, importance, features; classes, thresholds and tokenizer."""
        self._check_fitted()
        features = self.features_.state()
        arrays = {
            "selected": self.selected_,
            "importance": self.importance_,
            "thresholds": self.thresholds_,
            **self.forest_.arrays(),
        }
        data = {
            "classes": self.classes_.tolist(),
            "several": self.several_,
            "tokenizer": self.tokenizer_.to_plain(),
        }
        return State({**arrays, **features.arrays}, {**data, **features.data})

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
        """
        data, arrays = state.data, state.arrays
        features, classes = Tfidf.from_state(state), held_out_folds.checked_classes(data["classes"])
        selected, importance = arrays["selected"], arrays["importance"]
        if selected.dtype != np.int64 or selected.ndim != 1 or bool((np.diff(selected) <= 0).any()):
            raise ValueError("the selected features do not fit")
        if len(selected) and not 0 <= selected[0] <= selected[-1] < len(features):
            raise ValueError("the selected features do not fit the features")
        if importance.dtype != np.float64 or importance.shape != selected.shape or not np.isfinite(importance).all():
            raise ValueError("the importance does not fit the features")
        forest = Forest.from_arrays(arrays, len(selected), len(classes))
        held_out_folds.checked_thresholds(arrays["thresholds"], data["several"], len(classes))
        self.classes_, self.features_, self.selected_ = classes, features, selected
        self.forest_, self.importance_ = forest, importance
        self.several_, self.thresholds_ = data["several"], arrays["thresholds"]
        self.tokenizer_ = tokenizers.from_plain(data["tokenizer"])


def _one_thread() -> Any:
    """Sums of slopes are taken in another order for another number of threads; with one, the same bits everywhere."""
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError:
        return nullcontext()
    return threadpool_limits(1)


def _words() -> dict[str, str]:
    return {
        "value": "tf-idf",
        "weight": say("part / tf-idf", "贡献 / tf-idf"),
        "bias": say("start, and what is absent", "起点与未出现的特征"),
    }
