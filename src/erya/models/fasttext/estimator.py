"""fastText's classifier: a text is the average of its features' rows, and one of four losses says which labels fit it.

Joulin, Grave, Bojanowski and Mikolov 2016, "Bag of Tricks for Efficient Text Classification". The mathematics is in
``loss_kernels.py`` (and, to be read first, in ``reference.py``); how text becomes features in ``features.py``; what lies between
labels and training in ``learning.py``. Not here: the original's files (``original.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.contract import Model
from erya.errors import UsageError
from erya.language import say
from erya.models.fasttext.features import END, Encoded, Features
from erya.models.fasttext.forward import LOSSES, Branches, averaged, probabilities
from erya.parts import label_thresholds, settings
from erya.parts.ngrams import Tokens
from erya.progress import Report, quiet
from erya.state import Arrays, State, pack_strings
from erya.tasks import classify
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.fasttext.reading import Reader
    from erya.models.fasttext.supervised import Plan, Start
    from erya.parts.onnx_graph import Graph
    from erya.trace import Trace

DOCUMENTS_AT_ONCE = 4096  # when predicting: bounds the memory
SCORES_AT_ONCE = 1 << 22  # documents × labels, likewise
MANY = 1000  # documents in one call, from which on compiled kernels are worth their start
KINDS: tuple[classify.Kind, ...] = ("one", "several", "soft")
RATE, RATES = 0.5, {"one_vs_all": 0.25}
FIXED = ("word_ngrams", "min_n", "max_n", "buckets")  # settings that rows depend on

Floats = NDArray[np.float32]


class FastText(Model):
    """Linear text classifier with learned feature vectors, by stochastic gradient descent on several threads.

    Args:
        loss: ``"softmax"``: one of C labels; ``"one_vs_all"``: each label is a question of its own, several may be right;
            ``"hierarchical_softmax"``: a walk down a tree of labels, for thousands of them; ``"negative_sampling"``: the right
            label against some drawn at random. ``"auto"``: one-vs-all for several labels a text, else softmax.
        dim: D, the width of the vectors.
        learning_rate: of the first step; falls linearly to 0. None: 0.5, with one-vs-all 0.25, since all labels move at once there.
            Where training diverges the rate is halved, and training begins anew from the last checkpoint.
        epochs: passes over the data; None: 10, more (up to 100) where there are fewer than 5,000 documents.
        word_ngrams: most words (for Chinese: characters, see ``tokenizer``) of an n-gram; 1: words alone.
        min_n: fewest characters of a character n-gram inside a word.
        max_n: most; 0: no character n-grams.
        min_count: a word seen less often has no vector.
        min_count_ngrams: likewise for n-grams. From 2 on a model is several times smaller, and rarely worse.
        buckets: numbers that an n-gram's hash can take. Costs nothing: only those met in training are kept.
        negative: labels drawn as noise for each right one, with negative sampling.
        batch_size: documents whose gradients are taken at the same parameters (only if ``deterministic``).
        deterministic: same seed, same bits, for any number of threads. False: threads write without waiting; faster.
        patience: end when this many epochs brought nothing for the validation data, and take the best epoch's model.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        pretrained: a file of word vectors to begin with, in any format that Erya reads. Its width replaces ``dim``, and all its
            words that the tokenizer can make get a row, those that the training texts lack, too.
        freeze: these vectors stay as they are.
        tokenizer: a name or a tokenizer; ``"auto"``: words, and each Chinese character by itself.
        seed: fixes the first vectors and the order of the documents.

    Attributes:
        classes_: (C,) labels, sorted.
        loss_: the loss used.
        several_: whether texts have several labels.
        thresholds_: (C,) the probability from which each label is answered, learnt on texts that were not trained on; (0,) where
            texts have one label.
        label_counts_: (C,) how many training texts have each label.
        tokenizer_: the tokenizer used.
        features_: which words and n-grams have a vector.
        input_: (R, D) their vectors.
        output_: (C, D) the labels' vectors; of a tree its inner nodes', C − 1 of them, the last row unused.
        frozen_: (K,) rows that stay as they are.
        coverage_: of ``pretrained``: the shares of the training's ``words`` and ``tokens`` that it knows; else empty.
        learning_rate_: the first rate of the training that held.
        epochs_: the epochs planned.
        curve_: a row an epoch: epoch, loss, and for validation data validation_loss and validation_accuracy (several labels:
            validation_micro_f1).

    Example:
        >>> FastText().fit(["a fine film", "a dull film"] * 9, ["good", "bad"] * 9).predict(["fine"])
        array(['good'], dtype='<U4')
    """

    id: ClassVar[str] = "classify/fasttext"
    state_version: ClassVar[int] = 2  # 1 knew the softmax only

    classes_: NDArray[Any]
    loss_: str
    thresholds_: NDArray[np.float64]
    tokenizer_: tokenizers.Tokenizer

    def __init__(
        self,
        *,
        loss: str = "auto",
        dim: int = 16,
        learning_rate: float | None = None,
        epochs: int | None = None,
        word_ngrams: int = 3,
        min_n: int = 0,
        max_n: int = 0,
        min_count: int = 1,
        min_count_ngrams: int = 2,
        buckets: int = 16_777_216,
        negative: int = 5,
        batch_size: int = 8,
        deterministic: bool = True,
        patience: int | None = None,
        class_weight: str | dict[Any, float] | None = None,
        pretrained: str | Path | None = None,
        freeze: bool = False,
        tokenizer: Any = "auto",
        seed: int = 0,
    ) -> None:
        self.loss = loss
        self.dim = dim
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.word_ngrams = word_ngrams
        self.min_n = min_n
        self.max_n = max_n
        self.min_count = min_count
        self.min_count_ngrams = min_count_ngrams
        self.buckets = buckets
        self.negative = negative
        self.batch_size = batch_size
        self.deterministic = deterministic
        self.patience = patience
        self.class_weight = class_weight
        self.pretrained = pretrained
        self.freeze = freeze
        self.tokenizer = tokenizer
        self.seed = seed

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Learn vectors for features and labels.

        Args:
            X: N texts or pairs of texts.
            y: N labels; or lists of labels, an empty one among them; or dicts ``{label: share}``, which are learned as so many
                texts with one label each, weighted by the shares.
            sample_weight: N weights; a document's steps are scaled by its weight over the mean weight.
            validation: ``(X, y)``; scored after every epoch, and of several labels the thresholds are learnt from it. Without
                it they come from helpers trained on parts of the texts, see ``learning.py``.
            report: told about epochs, asked whether to stop, given checkpoints.

        Raises:
            DataError: no rows, one class, lengths that differ; vectors that cannot be read.
            UsageError: a setting out of its range; weights that are all 0.
            DivergedError: no learning rate was low enough.
            Interrupted: the report asked for it.
        """
        self._check_settings(validation is not None)
        examples = classify.examples(X, y, sample_weight=sample_weight, class_weight=self.class_weight, kinds=KINDS)
        self._learn(examples, validation, report, more=False)
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
        """Go on with more texts: what is known goes on learning, new words and n-grams that are frequent enough in them get rows.

        The learning rate begins anew, as in ``fit``, and falls to 0 again: to change a model little, set a low one. Thresholds
        of several labels stay, unless there is validation data; those of new labels are 0.5. A tree stays as it is until a label
        joins; then it is built anew, and its nodes are learned from nothing (the features' vectors stay).

        Args:
            X: as ``fit``.
            y: as ``fit``, and of the same kind; not every label need occur.
            classes: labels that may occur. One that the model does not know must be named here. In the first call: all of them.
            sample_weight: as ``fit``.
            validation: as ``fit``.
            report: as ``fit``.

        Raises:
            UsageError: a label that is not known and not named; settings that a fitted model cannot change; as ``fit``.
            DataError, DivergedError, Interrupted: as ``fit``.
        """
        self._check_settings(validation is not None)
        fitted = self.__sklearn_is_fitted__()
        if not fitted and classes is None:
            return self.fit(X, y, sample_weight=sample_weight, validation=validation, report=report)
        named = [] if classes is None else list(classes)
        known = np.unique([*self.classes_.tolist(), *named] if fitted else named)
        given = {"sample_weight": sample_weight, "class_weight": self.class_weight}
        examples = classify.examples(X, y, **given, kinds=KINDS, classes=known)
        if fitted:
            self._check_unchanged(examples)
        self._learn(examples, validation, report, more=fitted)
        return self

    def _learn(self, examples: classify.Examples, validation: Any, report: Report, *, more: bool) -> None:
        from erya.models.fasttext import learning  # Numba: only for training

        several = examples.kind == "several"
        loss = self.loss_ if more else self._loss(several)
        tokenizer = self.tokenizer_ if more else tokenizers.make(self.tokenizer)
        features, documents, tokens, start = self._read(examples, tokenizer, report, more=more)
        counts = self._counts(learning.label_counts(examples), examples, loss, more=more)
        plan = self._plan(len(examples), loss, self.dim if start is None else start.vectors.shape[1])
        pupil = learning.Pupil(plan, loss, len(features), counts, start)
        lesson = learning.lesson(documents, tokens, examples, loss)
        truth = None if validation is None else learning.Truth(validation, examples.classes, examples.kind)
        held = None if truth is None else features.encode(_numbered(tokenizer, truth.documents))

        def answers(input: Floats, output: Floats) -> NDArray[np.float64]:
            assert held is not None
            return pupil.answers(averaged(input, held), output, sum_to_one=not several)

        def validate(input: Floats, output: Floats) -> dict[str, float]:
            assert truth is not None
            return truth.scores(answers(input, output))

        run = pupil.run(lesson)
        try:
            saved = report.load_checkpoint()
            if saved is not None:
                run.resume(saved)
            run.finish(report, validate if truth is not None and truth.documents else None)
        finally:
            run.put_back()
        thresholds = np.zeros(0)
        if several and truth is not None and truth.documents:
            thresholds = truth.thresholds(answers(*run.vectors()))
        elif several and more:
            thresholds = np.full(len(examples.classes), label_thresholds.DEFAULT)
            thresholds[np.searchsorted(examples.classes, self.classes_)] = self.thresholds_
        elif several:
            thresholds = learning.out_of_fold(pupil, lesson, examples, report, run.state())
        self.classes_, self.several_, self.thresholds_ = examples.classes, several, thresholds
        self.loss_, self.label_counts_ = loss, counts
        self.tokenizer_, self.features_ = tokenizer, features
        self.epochs_, self.curve_, self.learning_rate_ = plan.epochs, run.curve, run.rate
        if not more:
            self.frozen_ = np.zeros(0, np.int64) if start is None or not self.freeze else start.rows
        input, output = run.result()
        self.input_, self.output_ = np.ascontiguousarray(input), output
        self._forget()

    def _loss(self, several: bool) -> str:
        return ("one_vs_all" if several else "softmax") if self.loss == "auto" else self.loss

    def _read(
        self, examples: classify.Examples, tokenizer: tokenizers.Tokenizer, report: Report, *, more: bool
    ) -> tuple[Features, Encoded, NDArray[np.int64], Start | None]:
        """Features, the texts as rows, their numbers of tokens, and what there is to begin with; sets ``coverage_``."""
        from erya.kernel_cache import announce
        from erya.models.fasttext import beginnings, gram_kernels
        from erya.models.fasttext.reading import Reader
        from erya.models.fasttext.supervised import Start
        from erya.text.token_kernels import tokenize

        announce(report, [tokenize, gram_kernels.encode])
        sizes = {"word_ngrams": self.word_ngrams, "min_n": self.min_n, "max_n": self.max_n, "buckets": self.buckets}
        like = self.features_ if more else Features([], np.zeros(0, np.int64), **sizes)
        given = None if more or self.pretrained is None else beginnings.read(Path(self.pretrained), tokenizer)
        counts = {"min_count": self.min_count, "min_count_ngrams": self.min_count_ngrams}
        words = [] if given is None else given[0]
        features, documents, tokens = Reader.learn(tokenizer, examples.documents, like, **counts, more=words)
        if more:
            rows = beginnings.moved(like, features)
            output = self._output_for(examples.classes)
            return features, documents, tokens, Start(rows, self.input_, output, stays=rows[self.frozen_])
        self.coverage_: dict[str, float] = {}
        if given is None:
            return features, documents, tokens, None
        rows = features.word_rows(words).astype(np.int64)
        self.coverage_ = beginnings.coverage(features, documents, rows)
        report.note(beginnings.said(self.coverage_))
        return features, documents, tokens, Start(rows, given[1])

    def _output_for(self, classes: NDArray[Any]) -> Floats:
        """(C, D) what is known of the labels; zeros for new ones, and for all nodes of a tree that must be built anew."""
        output = np.zeros((len(classes), self.output_.shape[1]), dtype=np.float32)
        if self.loss_ != "hierarchical_softmax" or len(classes) == len(self.classes_):
            output[np.searchsorted(classes, self.classes_)] = self.output_
        return output

    def _counts(
        self, found: NDArray[np.int64], examples: classify.Examples, loss: str, *, more: bool
    ) -> NDArray[np.int64]:
        """(C,) how often each label occurs; of a tree that stays, as it was."""
        if not more:
            return found
        if loss == "hierarchical_softmax" and len(found) == len(self.classes_):
            return self.label_counts_
        found[np.searchsorted(examples.classes, self.classes_)] += self.label_counts_
        return found

    def _plan(self, documents: int, loss: str, dim: int) -> Plan:
        from erya.models.fasttext.supervised import Plan

        # few documents mean few steps: measured on 150 to 1,000 documents, 50,000 visits are enough
        epochs = self.epochs if self.epochs is not None else min(100, max(10, -(-50_000 // documents)))
        return Plan(
            dim=dim,
            epochs=epochs,
            learning_rate=float(RATES.get(loss, RATE) if self.learning_rate is None else self.learning_rate),
            loss=LOSSES[loss],
            negative=self.negative,
            seed=self.seed,
            deterministic=self.deterministic,
            threads=machine.threads(),
            freeze=self.freeze,
            batch=self.batch_size,
            patience=self.patience,
        )

    def _check_settings(self, validated: bool) -> None:
        for name in ("dim", "word_ngrams", "min_count", "min_count_ngrams", "batch_size", "negative"):
            settings.whole(name, getattr(self, name))
        for name in ("epochs", "patience"):
            settings.whole(name, getattr(self, name), optional=True)
        for name in ("min_n", "max_n"):
            settings.whole(name, getattr(self, name), 0)
        for name, least, most in (("buckets", 1, 2**31), ("seed", 0, 2**63 - 1)):
            value = getattr(self, name)
            good = isinstance(value, int | np.integer) and not isinstance(value, bool) and least <= value <= most
            settings.require(bool(good), name, value, f"≥ {least}, ≤ {most}")
        settings.require(self.min_n <= self.max_n, "min_n", self.min_n, f"≤ max_n ({self.max_n})")
        settings.number("learning_rate", self.learning_rate, 0, 1e6, closed=False, optional=True)
        settings.require(self.loss in ("auto", *LOSSES), "loss", self.loss, " | ".join(("auto", *LOSSES)))
        path: Any = self.pretrained
        settings.require(path is None or isinstance(path, str | Path), "pretrained", path, "FILE")
        if self.patience is not None and not validated:
            raise UsageError(
                "patience-without-validation",
                say("patience needs validation data", "设置 patience 需要验证数据"),
                help="fit(X, y, validation=(X_dev, y_dev))",
            )

    def _check_unchanged(self, examples: classify.Examples) -> None:
        """Before ``partial_fit`` changes anything."""
        features = self.features_
        changed = [name for name in FIXED if getattr(self, name) != getattr(features, name)]
        if self.pretrained is None and self.dim != self.input_.shape[1]:
            changed.append("dim")
        if self.loss != "auto" and self.loss != self.loss_:
            changed.append("loss")
        if changed:
            listed = ", ".join(changed)
            raise UsageError(
                "other-settings",
                say(f"cannot change once a model is fitted: {listed}", f"模型训练之后不能再改：{listed}"),
                help="fit(X, y)",
            )
        if self.several_ != (examples.kind == "several"):
            raise classify.not_taken("one" if self.several_ else "several")

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) the probability of each label; rows sum to 1, unless texts have several labels (see ``forward.py``)."""
        self._check_fitted()
        documents = classify.documents(X)
        found = np.empty((len(documents), len(self.classes_)))
        some = max(1, min(DOCUMENTS_AT_ONCE, SCORES_AT_ONCE // len(self.classes_)))
        many = len(documents) >= MANY
        for first in range(0, len(documents), some):
            block = documents[first : first + some]
            hidden = self._hidden_of_many(block) if many else averaged(self.input_, self._encoded(block))
            found[first : first + some] = self._answers(hidden)
        return found

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable label of each text; of several labels tuples of those that reach their thresholds."""
        found = self.predict_proba(X)
        if self.several_:
            return label_thresholds.answers(found, self.thresholds_, self.classes_)
        answers: NDArray[Any] = self.classes_[found.argmax(axis=1)]
        return answers

    def _answers(self, hidden: Floats) -> NDArray[np.float64]:
        return probabilities(self.loss_, hidden, self.output_, self.branches(), sum_to_one=not self.several_)

    def _encoded(self, documents: list[classify.Document]) -> Encoded:
        return self.features_.encode(_numbered(self.tokenizer_, documents))

    def _hidden_of_many(self, documents: list[classify.Document]) -> Floats:
        """(N, D) the mean of each document's rows, by compiled kernels; the same up to the last digit."""
        from erya.models.fasttext.answer_kernels import means
        from erya.models.fasttext.reading import Reader

        if self._reader is None:
            self._reader = Reader(self.features_, self.tokenizer_)
        encoded = self._reader.encode(documents)
        hidden = np.empty((len(documents), self.input_.shape[1]), dtype=np.float32)
        means(self.input_, encoded.rows, encoded.starts, 0, len(documents), hidden)
        return hidden

    def branches(self) -> Branches | None:
        """The tree of hierarchical softmax, made when first asked for."""
        if self.loss_ == "hierarchical_softmax" and self._tree is None:
            self._tree = Branches.over(self.label_counts_)
        return self._tree

    _reader: Reader | None = None
    _tree: Branches | None = None

    def _forget(self) -> None:
        """What was made for an earlier fit."""
        vars(self).pop("_reader", None)
        vars(self).pop("_tree", None)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_reader", "_tree")}

    def onnx_logits(self, graph: Graph) -> str:
        """Adds the model to an ONNX graph; the name of its logits.

        Raises:
            UsageError: n-grams of characters, a tree of labels, several labels by a softmax; words that make no vocabulary of ids.
        """
        from erya.models.fasttext import onnx_graph

        if self.features_.max_n or self.loss_ == "hierarchical_softmax" or (self.several_ and self.loss_ == "softmax"):
            raise UsageError(
                "other-format",
                say(
                    "as ONNX, fasttext has max_n=0 and loss=softmax, one_vs_all or negative_sampling, and not softmax for several labels",
                    "fasttext 写成 ONNX 时只支持 max_n=0，损失为 softmax、one_vs_all 或 negative_sampling；多标签不能用 softmax",
                ),
                help=say(
                    "erya convert m.erya m.bin: fastText's own format; or predict with the .erya, which needs no torch",
                    "erya convert m.erya m.bin：fastText 自己的格式；或直接用 .erya 预测，不需要 torch",
                ),
            )
        scores = onnx_graph.logits(graph, self.features_, self.input_, self.output_)
        if self.loss_ == "softmax" or self.several_:
            return scores
        return graph.add("Neg", graph.add("Softplus", graph.add("Neg", scores)))  # ln σ: rows are made to sum to 1

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text through the model: rows (n,), vectors (n, D), hidden (D,), logits (C,), probabilities (C,).

        Of a tree a label's logit is the sum of the log-odds of the turns on its path.
        """
        from erya.models.fasttext.views import trace

        self._check_fitted()
        return trace(self, classify.documents([x])[0])

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label: what each word and n-gram added to its logit. Exact: the parts sum to the logit, see ``views.explain``.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the most probable one.

        Raises:
            UsageError: no such label.
        """
        from erya.models.fasttext.views import explain

        self._check_fitted()
        return explain(self, classify.documents([x])[0], label)

    # ---- what was learned -------------------------------------------------------------------------------------

    def plain_params(self) -> dict[str, Any]:
        """The constructor's arguments as JSON data."""
        if not isinstance(self.pretrained, Path):
            return super().plain_params()
        plain: dict[str, Any] = type(self)(**{**self.get_params(), "pretrained": str(self.pretrained)}).plain_params()
        return plain

    def state(self) -> State:
        """Vectors, words, buckets; labels, thresholds, tokenizer and the curve."""
        self._check_fitted()
        features = self.features_
        arrays: Arrays = {
            "input": self.input_,
            "output": self.output_,
            "buckets": features.kept.astype(np.uint32),
            "label_counts": self.label_counts_,
            "thresholds": self.thresholds_,
            "frozen": self.frozen_,
            **pack_strings("words", features.words),
        }
        data = {
            "loss": self.loss_,
            "several": self.several_,
            "classes": self.classes_.tolist(),
            "tokenizer": self.tokenizer_.to_plain(),
            "word_ngrams": features.word_ngrams,
            "min_n": features.min_n,
            "max_n": features.max_n,
            "buckets": features.buckets,
            "epochs": self.epochs_,
            "learning_rate": self.learning_rate_,
            "coverage": self.coverage_,
            "curve": self.curve_,
        }
        return State(arrays, data)

    @classmethod
    def upgrade(cls, state: State, version: int) -> State:
        """Version 1 held one label a text, by softmax."""
        classes = len(state.data["classes"])
        arrays = {
            "label_counts": np.zeros(classes, dtype=np.int64),
            "thresholds": np.zeros(0),
            "frozen": np.zeros(0, dtype=np.int64),
        }
        data = {"loss": "softmax", "several": False, "learning_rate": 0.5, "coverage": {}}
        return State({**state.arrays, **arrays}, {**data, **state.data})

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
        """
        from erya.models.fasttext.checking import checked

        found = checked(state)
        data, arrays = state.data, state.arrays
        self.classes_, self.features_ = found
        self.input_, self.output_ = arrays["input"], arrays["output"]
        self.loss_, self.several_, self.label_counts_ = data["loss"], data["several"], arrays["label_counts"]
        self.thresholds_, self.frozen_ = arrays["thresholds"], arrays["frozen"]
        self.tokenizer_ = tokenizers.from_plain(data["tokenizer"])
        self.epochs_, self.curve_ = data["epochs"], list(data["curve"])
        self.learning_rate_, self.coverage_ = float(data["learning_rate"]), dict(data["coverage"])
        self._forget()


def _numbered(tokenizer: tokenizers.Tokenizer, documents: list[classify.Document]) -> Tokens:
    return Tokens.of([*tokens, END] for tokens in tokenizers.token_lists(tokenizer, documents))
