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
from erya.models.fasttext.features import END, Encoded, Features, Place
from erya.models.fasttext.forward import averaged, probabilities, softmax
from erya.parts.ngrams import Tokens
from erya.progress import Report, quiet
from erya.state import State, pack_strings, unpack_strings
from erya.tasks import classify
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.fasttext.loop import Plan, Validate
    from erya.trace import Trace

DOCUMENTS_AT_ONCE = 4096  # when predicting: bounds the memory
STRONGEST = 12  # rows of the table in an explanation


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
            UsageError: a setting out of its range.
            DivergedError: the learning rate is too high; the model is that of the last good step.
            Interrupted: the report asked for it.
        """
        from erya.models.fasttext.loop import Run  # Numba: only for training

        self._check_settings(validation is not None)
        examples = classify.examples(X, y, sample_weight=sample_weight, class_weight=self.class_weight)
        tokenizer = tokenizers.make(self.tokenizer)
        settings = Features(
            [], _no_buckets(), word_ngrams=self.word_ngrams, min_n=self.min_n, max_n=self.max_n, buckets=self.buckets
        )
        features, documents = settings.learn(
            _numbered(tokenizer, examples.documents),
            min_count=self.min_count,
            min_count_ngrams=self.min_count_ngrams,
        )
        weights = (examples.weights / examples.weights.mean()).astype(np.float32)
        plan = self._plan(len(examples))
        run = Run(documents, examples.targets, weights, len(features), len(examples.classes), plan)
        saved = report.load_checkpoint()
        if saved is not None:
            run.resume(saved)

        self.classes_, self.tokenizer_, self.features_ = examples.classes, tokenizer, features
        self.epochs_ = plan.epochs
        try:
            run.finish(report, self._validate(validation))
        except DivergedError:
            self._take(run.input, run.output, run.curve)
            raise
        self._take(run.input, run.output, run.curve)
        return self

    def _take(self, input: NDArray[Any], output: NDArray[Any], curve: list[dict[str, Any]]) -> None:
        self.input_, self.output_ = np.ascontiguousarray(input), np.ascontiguousarray(output)
        self.curve_ = curve

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

    def _validate(self, validation: Any) -> Validate | None:
        """A function that scores parameters on the validation data, which is encoded once."""
        if validation is None:
            return None
        documents = classify.documents(validation[0])
        targets = list(validation[1])
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
        encoded = self.features_.encode(_numbered(self.tokenizer_, documents))

        def score(input: NDArray[np.float32], output: NDArray[np.float32]) -> dict[str, float]:
            found = probabilities(input, output, encoded)
            return {
                "validation_loss": float(classify.row_losses(targets, found, self.classes_).mean()),
                "validation_accuracy": classify.headline(targets, self.classes_[found.argmax(axis=1)]),
            }

        return score

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
                help=say("fit(X, y, validation=(X_dev, y_dev))", "fit(X, y, validation=(X_dev, y_dev))"),
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
        answers: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return answers

    def _encoded(self, documents: Iterable[classify.Document]) -> Encoded:
        return self.features_.encode(_numbered(self.tokenizer_, documents))

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text through the model: rows, their mean, logits, probabilities."""
        from erya.trace import Bars, Matrix, Table, Trace

        shown, _, _, places = self._located(x)
        encoded = self._encoded([x])
        vectors = self.input_[encoded.rows]
        hidden = averaged(self.input_, encoded)
        logits = hidden @ self.output_.T
        answer = softmax(logits)[0]
        labels = self._label_names()
        listed = [[place.name, place.row, float(np.linalg.norm(self.input_[place.row]))] for place in places]
        return Trace(
            model=self.id,
            input=shown,
            arrays={
                "rows": encoded.rows,  # (n,)
                "vectors": vectors,  # (n, D)
                "hidden": hidden[0],  # (D,)
                "logits": logits[0],  # (C,)
                "probabilities": answer,  # (C,)
            },
            views=[
                Table(
                    say("features", "特征"), [say("feature", "特征"), say("row", "行"), say("length", "长度")], listed
                ),
                Matrix(
                    say("vectors of the features and their mean", "特征向量及其平均"),
                    [*(place.name for place in places), say("mean", "平均")],
                    [str(column) for column in range(vectors.shape[1])],
                    np.vstack([vectors, hidden]),
                ),
                Bars(say("logits", "未归一化得分"), labels, logits[0]),
                Bars(say("probabilities", "概率"), labels, answer),
            ],
        )

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label: what each word and n-gram added to its logit. Exact: the parts sum to the logit.

        A feature's part is its vector times the label's vector over the number of features. In the coloured text an
        n-gram's part is shared out equally among its words (END is not in the text and gets none of it). Logits of the
        classes sum to about 0, so a positive part speaks for the label against the average of all.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the predicted one.
        """
        from erya.trace import Bars, Table, TokenHeat, Trace

        shown, words, spans, places = self._located(x)
        answer = self.predict_proba([x])[0]
        chosen = int(answer.argmax()) if label is None else self._class_number(label)
        rows = np.array([place.row for place in places], dtype=np.int64)
        parts = self.input_[rows].astype(np.float64) @ self.output_.T.astype(np.float64) / max(1, len(rows))  # (n, C)
        mine = parts[:, chosen] if len(rows) else np.zeros(0)
        heat = _shared_out(places, mine, len(words))
        name = str(self.classes_[chosen])
        strongest = np.argsort(-np.abs(mine), kind="stable")[:STRONGEST].tolist()
        labels = self._label_names()
        return Trace(
            model=self.id,
            input=shown,
            arrays={
                "rows": rows,  # (n,)
                "contributions": parts,  # (n, C)
                "token_contributions": heat,  # (T,) to the label explained, END last
                "logits": parts.sum(axis=0),  # (C,)
                "probabilities": answer,  # (C,)
            },
            views=[
                TokenHeat(say(f"what speaks for “{name}”", f"支持“{name}”的依据"), shown, spans, heat[: len(spans)]),
                Bars(say("probabilities", "概率"), labels, answer),
                Table(
                    say("strongest parts", "影响最大的特征"),
                    [say("feature", "特征"), say("part of the logit", "对得分的贡献")],
                    [[_readable(places[place].name), float(mine[place])] for place in strongest],
                ),
            ],
        )

    def _located(self, x: Any) -> tuple[str, list[str], list[tuple[int, int]], list[Place]]:
        """One text: as it is shown, its words and END, the spans of the words, its features."""
        self._check_fitted()
        document = classify.documents([x])[0]
        shown, tokens, spans = tokenizers.located(self.tokenizer_, document)
        words = [*tokens, END]
        return shown, words, spans, self.features_.places(words)

    def _label_names(self) -> list[str]:
        return [str(label) for label in self.classes_.tolist()]

    def _class_number(self, label: Any) -> int:
        names = self._label_names()
        if str(label) not in names:
            raise UsageError(
                "unknown-label",
                say(f"there is no label '{quoted(label, 40)}'", f"没有标签“{quoted(label, 40)}”"),
                help=" · ".join(quoted(name, 30) for name in names[:20]),
            )
        return names.index(str(label))

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


def _no_buckets() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


def _shared_out(places: list[Place], parts: NDArray[np.float64], words: int) -> NDArray[np.float64]:
    """(T,) each n-gram's part given in equal shares to its words; END, the last, keeps only its own."""
    heat = np.zeros(words)
    for place, part in zip(places, parts.tolist(), strict=True):
        last = place.last if place.last < words or place.last - place.first == 1 else place.last - 1
        heat[place.first : last] += part / (last - place.first)
    return heat


def _readable(name: str) -> str:
    return name.replace(END, say("⟨end⟩", "⟨结尾⟩"))


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def _require(holds: bool, name: str, value: Any, rule: str) -> None:
    if not holds:
        raise UsageError(
            "bad-setting",
            say(f"{name}={quoted(value, 40)}: must be {rule}", f"{name}={quoted(value, 40)}：应满足 {rule}"),
            help=f"--set {name}=…",
        )
