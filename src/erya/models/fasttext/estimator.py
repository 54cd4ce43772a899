"""fastText's classifier: a text is the average of its features' rows, and a softmax over the classes answers.

Joulin, Grave, Bojanowski and Mikolov 2016, "Bag of Tricks for Efficient Text Classification". The mathematics is in
``kernels.py`` (and, to be read first, in ``reference.py``); how text becomes features in ``features.py``.
Not here: several labels for one text, other losses than the softmax, the original's files.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.contract import Model
from erya.errors import DivergedError, UsageError, quoted
from erya.language import say
from erya.models.fasttext.features import END, Encoded, Features
from erya.models.fasttext.forward import probabilities
from erya.parts.ngrams import Tokens
from erya.progress import Report, quiet
from erya.state import State, pack_strings, unpack_strings
from erya.tasks import classify
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.fasttext.loop import Plan, Run, Validate
    from erya.trace import Trace

DOCUMENTS_AT_ONCE = 4096  # when predicting: bounds the memory


class FastText(Model):
    """Linear text classifier with learned feature vectors, by stochastic gradient descent on several threads.

    Args:
        dim: D, the width of the vectors.
        learning_rate: of the first step; falls linearly to 0.
        epochs: passes over the data; None: 10, more (up to 100) where there are fewer than 5,000 documents.
        word_ngrams: most words (for Chinese: characters, see ``tokenizer``) of an n-gram; 1: words alone.
        min_n: fewest characters of a character n-gram inside a word.
        max_n: most; 0: no character n-grams.
        min_count: a word seen less often has no vector.
        min_count_ngrams: likewise for n-grams. From 2 on a model is several times smaller, and rarely worse.
        buckets: numbers that an n-gram's hash can take. Costs nothing: only those met in training are kept.
        batch_size: documents whose gradients are taken at the same parameters (only if ``deterministic``).
        deterministic: same seed, same bits, for any number of threads. False: threads write without waiting; faster.
        patience: end when this many epochs brought nothing for the validation data, and take the best epoch's model.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        tokenizer: a name or a tokenizer; ``"auto"``: words, and each Chinese character by itself.
        seed: fixes the first vectors and the order of the documents.

    Attributes:
        classes_: (C,) labels, sorted.
        tokenizer_: the tokenizer used.
        features_: which words and n-grams have a vector.
        input_: (R, D) their vectors.
        output_: (C, D) the classes' vectors.
        epochs_: the epochs planned.
        curve_: a row an epoch: epoch, loss, and for validation data validation_loss, validation_accuracy.

    Example:
        >>> FastText().fit(["a fine film", "a dull film"] * 9, ["good", "bad"] * 9).predict(["fine"])
        array(['good'], dtype='<U4')
    """

    id: ClassVar[str] = "classify/fasttext"

    def __init__(
        self,
        *,
        dim: int = 16,
        learning_rate: float = 0.5,
        epochs: int | None = None,
        word_ngrams: int = 3,
        min_n: int = 0,
        max_n: int = 0,
        min_count: int = 1,
        min_count_ngrams: int = 2,
        buckets: int = 16_777_216,
        batch_size: int = 16,
        deterministic: bool = True,
        patience: int | None = None,
        class_weight: str | dict[Any, float] | None = None,
        tokenizer: Any = "auto",
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.word_ngrams = word_ngrams
        self.min_n = min_n
        self.max_n = max_n
        self.min_count = min_count
        self.min_count_ngrams = min_count_ngrams
        self.buckets = buckets
        self.batch_size = batch_size
        self.deterministic = deterministic
        self.patience = patience
        self.class_weight = class_weight
        self.tokenizer = tokenizer
        self.seed = seed

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Learn vectors for features and classes.

        Args:
            X: N texts or pairs of texts.
            y: N labels.
            sample_weight: N weights; a document's steps are scaled by its weight over the mean weight.
            validation: ``(X, y)``; scored after every epoch.
            report: told about epochs, asked whether to stop, given checkpoints.

        Raises:
            DataError: no rows, one class, lengths that differ.
            UsageError: a setting out of its range; weights that are all 0.
            DivergedError: the learning rate is too high; the model is that of the last good step.
            Interrupted: the report asked for it.
        """
        from erya.models.fasttext.loop import Run  # Numba: only for training

        self._check_settings(validation is not None)
        examples = classify.examples(X, y, sample_weight=sample_weight, class_weight=self.class_weight)
        tokenizer = tokenizers.make(self.tokenizer)
        features, documents = Features.learn(
            _numbered(tokenizer, examples.documents),
            word_ngrams=self.word_ngrams,
            min_n=self.min_n,
            max_n=self.max_n,
            buckets=self.buckets,
            min_count=self.min_count,
            min_count_ngrams=self.min_count_ngrams,
        )
        if not examples.weights.any():
            raise UsageError("bad-weight", say("all weights are 0", "所有权重都是 0"))
        weights = (examples.weights / examples.weights.mean()).astype(np.float32)
        plan = self._plan(len(examples))
        run = Run(documents, examples.targets, weights, len(features), len(examples.classes), plan)
        saved = report.load_checkpoint()
        if saved is not None:
            run.resume(saved)

        validate = None if validation is None else _scorer(validation, tokenizer, features, examples.classes)
        try:
            run.finish(report, validate)
        except DivergedError:
            self._take(examples.classes, tokenizer, features, run)
            raise
        self._take(examples.classes, tokenizer, features, run)
        return self

    def _take(self, classes: NDArray[Any], tokenizer: tokenizers.Tokenizer, features: Features, run: Run) -> None:
        self.classes_, self.tokenizer_, self.features_ = classes, tokenizer, features
        self.input_, self.output_ = np.ascontiguousarray(run.input), np.ascontiguousarray(run.output)
        self.epochs_, self.curve_ = run.plan.epochs, run.curve

    def _plan(self, documents: int) -> Plan:
        from erya.models.fasttext.loop import Plan

        # few documents mean few steps: measured on 150 to 1,000 documents, 50,000 visits are enough
        epochs = self.epochs if self.epochs is not None else min(100, max(10, -(-50_000 // documents)))
        threads = machine.threads()
        return Plan(
            dim=self.dim,
            epochs=epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size if self.deterministic else 1,
            seed=self.seed,
            deterministic=self.deterministic,
            patience=self.patience,
            threads=min(threads, self.batch_size) if self.deterministic else threads,
        )

    def _check_settings(self, validated: bool) -> None:
        whole = ("dim", "word_ngrams", "min_count", "min_count_ngrams", "buckets", "batch_size")
        for name in (*whole, *(name for name in ("epochs", "patience") if getattr(self, name) is not None)):
            _require(_is_whole(getattr(self, name), 1), name, getattr(self, name), "≥ 1")
        for name in ("min_n", "max_n", "seed"):
            _require(_is_whole(getattr(self, name), 0), name, getattr(self, name), "≥ 0")
        _require(self.buckets <= 2**31, "buckets", self.buckets, "≤ 2147483648")
        _require(self.min_n <= self.max_n, "min_n", self.min_n, f"≤ max_n ({self.max_n})")
        rate = self.learning_rate
        sensible = isinstance(rate, int | float | np.floating) and 0 < rate <= 1e6
        _require(sensible, "learning_rate", rate, "0 < learning_rate ≤ 1000000")
        if self.patience is not None and not validated:
            raise UsageError(
                "patience-without-validation",
                say("patience needs validation data", "设置 patience 需要验证数据"),
                help="fit(X, y, validation=(X_dev, y_dev))",
            )

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) the probability of each class; rows sum to 1."""
        self._check_fitted()
        documents = iter(classify.documents(X))
        found = [np.zeros((0, len(self.classes_)))]
        while some := list(islice(documents, DOCUMENTS_AT_ONCE)):
            found.append(probabilities(self.input_, self.output_, self._encoded(some)))
        return np.concatenate(found)

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable class of each text."""
        found = self.predict_proba(X)
        answers: NDArray[Any] = self.classes_[found.argmax(axis=1)]
        return answers

    def _encoded(self, documents: Iterable[classify.Document]) -> Encoded:
        return self.features_.encode(_numbered(self.tokenizer_, documents))

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text through the model: rows (n,), vectors (n, D), hidden (D,), logits (C,), probabilities (C,)."""
        from erya.models.fasttext.views import trace

        self._check_fitted()
        return trace(self, classify.documents([x])[0])

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label: what each word and n-gram added to its logit. Exact: the parts sum to the logit.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the predicted one.

        Raises:
            UsageError: no such label.
        """
        from erya.models.fasttext.views import explain

        self._check_fitted()
        return explain(self, classify.documents([x])[0], label)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Vectors, words, buckets; classes, tokenizer and the curve."""
        self._check_fitted()
        features = self.features_
        arrays = {
            "input": self.input_,
            "output": self.output_,
            "buckets": features.kept.astype(np.uint32),
            **pack_strings("words", features.words),
        }
        data = {
            "classes": self.classes_.tolist(),
            "tokenizer": self.tokenizer_.to_plain(),
            "word_ngrams": features.word_ngrams,
            "min_n": features.min_n,
            "max_n": features.max_n,
            "buckets": features.buckets,
            "epochs": self.epochs_,
            "curve": self.curve_,
        }
        return State(arrays, data)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
        """
        data, input, output = state.data, state.arrays["input"], state.arrays["output"]
        names = ("word_ngrams", "min_n", "max_n", "buckets", "epochs")
        if not all(_is_whole(data[name], 0) for name in names) or not 1 <= data["buckets"] <= 2**31:
            raise ValueError("settings out of range")
        features = Features(
            unpack_strings("words", state.arrays),
            state.arrays["buckets"].astype(np.int64),
            word_ngrams=data["word_ngrams"],
            min_n=data["min_n"],
            max_n=data["max_n"],
            buckets=data["buckets"],
        )
        classes = np.array(data["classes"])
        if classes.ndim != 1 or len(classes) < 2 or classes.tolist() != np.unique(classes).tolist():
            raise ValueError("the classes are not two or more sorted labels")
        if input.dtype != np.float32 or output.dtype != np.float32 or input.ndim != 2:
            raise ValueError("the vectors are not float32 matrices")
        if output.shape != (len(classes), input.shape[1]) or len(input) != len(features):
            raise ValueError("the vectors do not fit the words, buckets and classes")
        if not (np.isfinite(input).all() and np.isfinite(output).all()):
            raise ValueError("the vectors hold values that are not finite")
        self.classes_, self.features_, self.input_, self.output_ = classes, features, input, output
        self.tokenizer_ = tokenizers.from_plain(data["tokenizer"])
        self.epochs_, self.curve_ = data["epochs"], list(data["curve"])


def _numbered(tokenizer: tokenizers.Tokenizer, documents: Iterable[classify.Document]) -> Tokens:
    return Tokens.of([*tokenizers.tokens_of(tokenizer, document), END] for document in documents)


def _scorer(
    validation: Any, tokenizer: tokenizers.Tokenizer, features: Features, classes: NDArray[Any]
) -> Validate | None:
    """A function that scores parameters on the validation data, which is encoded once."""
    documents, targets = classify.documents(validation[0]), list(validation[1])
    if len(documents) != len(targets):
        raise UsageError(
            "lengths-differ",
            say(
                f"validation: {len(documents)} texts but {len(targets)} labels",
                f"验证数据：{len(documents)} 条文本，却有 {len(targets)} 个标签",
            ),
        )
    if not documents:
        return None
    encoded = features.encode(_numbered(tokenizer, documents))

    def score(input: NDArray[np.float32], output: NDArray[np.float32]) -> dict[str, float]:
        found = probabilities(input, output, encoded)
        return {
            "validation_loss": float(classify.row_losses(targets, found, classes).mean()),
            "validation_accuracy": classify.headline(targets, classes[found.argmax(axis=1)]),
        }

    return score


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def _require(holds: bool, name: str, value: Any, rule: str) -> None:
    if not holds:
        raise UsageError(
            "bad-setting",
            say(f"{name}={quoted(value, 40)}: must be {rule}", f"{name}={quoted(value, 40)}：应满足 {rule}"),
            help=f"--set {name}=…",
        )
